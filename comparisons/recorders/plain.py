"""Write a trace while a program trains: in bounded memory, and readable after a crash.

    with Recorder("run.npz", framework="NumPy") as trace:
        trace.update({"W1": W1, "b1": b1})             # the start
        for x, t in batches:
            ...
            trace.update({"W1": W1, "b1": b1}, batch=(x, t))

While it runs, what it writes is in two journals (journal.py), from which run.npz is made at the end, or, after a crash,
when it is first opened.
"""

import platform
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from comparisons.runs.journal import Journal, finish, journals, usable
from comparisons.runs.trace import BATCHES, DIGEST_SIZE, DIGEST_UPDATES, DIGESTS, HEADER, UPDATES, digest
from reference.errors import InputError

Arrays = Mapping[str, ArrayLike]
FLUSH = 256  # digests between two writes to disk: what a crash may lose


def extras(gradients: Arrays | None, optimizer: Arrays | None) -> dict[str, ArrayLike]:
    """Gradients and what optimizers remember, by the names of their columns."""
    found = {f"gradient:{name}": array for name, array in (gradients or {}).items()}
    return found | {f"optimizer:{name}": array for name, array in (optimizer or {}).items()}


class Recorder:
    """Writes one trace: call update() once for the start and after every update, and close(), or use it with `with`.

    every: full rows for the start and every so many updates; window: also for the updates first … last. Without
    either, for all. Digests are written for every update: those of two runs can be compared if both have the same
    names and axes, so give another framework's arrays the reference's, such as "W1": layer.weight.T.
    Raises InputError where the trace, or a journal of it, exists, or a name cannot be one.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        framework: str = "",
        experiment: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        every: int | None = None,
        window: tuple[int, int] | None = None,
    ) -> None:
        self.path = Path(path)
        refuse_to_overwrite(self.path)
        if every is not None and every < 1:
            raise InputError(f"every must be a whole number >= 1; got {every}")
        self.header = {
            "run": uuid.uuid4().hex,
            "framework": framework,
            "versions": {"python": platform.python_version(), "numpy": np.__version__},
            "experiment": dict(experiment or {}),
            **(header or {}),
        }
        self._every = every or (1 if window is None else 0)
        self._window = range(window[0], window[1] + 1) if window else range(0)
        self._updates = 0
        self._start: dict[str, np.ndarray] = {}
        self._order: list[str] = []
        self._rows: Journal | None = None
        self._digests: Journal | None = None

    def update(
        self,
        parameters: Arrays,
        *,
        gradients: Arrays | None = None,
        optimizer: Arrays | None = None,
        batch: Iterable[ArrayLike] | None = None,
    ) -> None:
        """Record the parameters as they are now; gradients and what optimizers remember by the same names.

        optimizer: {"momentum:W1": …}. Copies are made of nothing but what is written.
        """
        number, self._updates = self._updates, self._updates + 1
        if number == 0:
            self._start = {name: np.array(array) for name, array in parameters.items()}
            self._order = sorted(self._start)
            check_names(self.path, self._start)
            return
        items = digest(map(np.asarray, batch)) if batch is not None else b""
        if number == 1:
            self._begin(extras(gradients, optimizer), items)
        self._write_digest(number, parameters, items)
        if (self._every and number % self._every == 0) or number in self._window:
            self._write_row(number, {**parameters, **extras(gradients, optimizer)})

    def _begin(self, extra: Arrays, items: bytes) -> None:
        """Now it is known what there is to write: the journals, and in them the start."""
        columns = {**self._start, **{name: np.asarray(array) for name, array in extra.items()}}
        self._rows = Journal(journals(self.path)[0], self.header, row_dtype(columns))
        of_digest: list[Any] = [(DIGEST_UPDATES, np.int64), (DIGESTS, np.uint8, (DIGEST_SIZE,))]
        if items:
            of_digest.append((BATCHES, np.uint8, (DIGEST_SIZE,)))
        self._digests = Journal(journals(self.path)[1], self.header, np.dtype(of_digest))
        self._write_digest(0, self._start, items and bytes(DIGEST_SIZE))
        self._write_row(0, {**self._start, **{name: np.full(np.shape(a), np.nan) for name, a in extra.items()}})

    def _write_digest(self, number: int, parameters: Arrays, items: bytes) -> None:
        assert self._digests is not None
        found = digest([parameters[name] for name in self._order])
        self._digests.append(number.to_bytes(8, "little") + found + items)
        if number % FLUSH == 0:
            self._digests.flush()

    def _write_row(self, number: int, arrays: Arrays) -> None:
        assert self._rows is not None
        row = np.empty((), self._rows.dtype)
        row[UPDATES] = number
        for name in self._rows.dtype.names or ():
            if name != UPDATES:
                if np.shape(arrays[name]) != row[name].shape:
                    raise InputError(
                        f"{self.path}: {name} had the shape {row[name].shape}, and {np.shape(arrays[name])}"
                        f" at update {number}"
                    )
                row[name] = arrays[name]
        self._rows.append(row.tobytes())

    def close(self) -> None:
        """Make the trace of the journals."""
        if self._updates == 1:
            self._begin({}, b"")
        for journal in (self._rows, self._digests):
            if journal is not None:
                journal.close()
        if self._rows is not None:
            finish(self.path)
            for path in journals(self.path):
                path.unlink()
        self._rows = self._digests = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def row_dtype(columns: Mapping[str, np.ndarray]) -> np.dtype[Any]:
    """The record of a row."""
    return np.dtype([(UPDATES, np.int64), *((name, a.dtype, a.shape) for name, a in columns.items())])


def refuse_to_overwrite(path: Path) -> None:
    """Raise InputError where the trace, or what is left of one, exists."""
    if path.suffix != ".npz":
        raise InputError(f"{path}: the name of a trace must end in .npz")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    for existing in (path, *journals(path)):
        if existing.exists():
            raise InputError(f"{existing} exists; it is left as it is: choose another name, or move it away")


def check_names(path: Path, parameters: Mapping[str, np.ndarray]) -> None:
    """Raise InputError unless every parameter has a name and a type that a trace can have."""
    if not parameters:
        raise InputError(f"{path}: there are no parameters to record")
    for name, array in parameters.items():
        if name in (HEADER, UPDATES) or ":" in name or not usable(name):
            raise InputError(f"{path}: {name!r} cannot be a parameter's name: join its parts with '.'")
        if array.dtype.kind != "f":
            raise InputError(f"{path}: {name} holds {array.dtype}; a parameter is of a floating-point type")
