"""Write a trace while a program trains: memory stays bounded, and after a crash the trace can still be read.

    with Recorder("run.npz", framework="NumPy") as trace:
        trace.update({"W1": W1, "b1": b1})             # the start
        for x, t in batches:
            ...
            trace.update({"W1": W1, "b1": b1}, batch=(x, t))

Until it ends, all is written to two journals (journal.py). run.npz is made of them at the end, or, after a crash, when
it is first opened.
"""

import platform
import uuid
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from comparisons.runs.files import require
from comparisons.runs.journal import begin, finish, journals, usable
from comparisons.runs.targets import check_target
from comparisons.runs.trace import (
    BATCHES,
    BUFFER,
    DIGEST_SIZE,
    DIGEST_UPDATES,
    DIGESTS,
    FORMAT,
    HEADER,
    UPDATES,
    as_code,
    check_stated,
    digest,
)
from reference.errors import InputError

Arrays = Mapping[str, ArrayLike]
Extra = Arrays | None  # gradients, or what an optimizer remembers
Items = Iterable[ArrayLike] | None
Facts = Mapping[str, Any] | None  # of a run, for the header
FirstAndLast = tuple[int, int] | None


def extras(gradients: Extra, optimizer: Extra) -> dict[str, np.ndarray]:
    """Gradients and what optimizers remember, by the names of their columns."""
    found = {f"gradient:{name}": np.asarray(array) for name, array in (gradients or {}).items()}
    return found | {f"optimizer:{name}": np.asarray(array) for name, array in (optimizer or {}).items()}


def named_buffers(buffers: Extra) -> dict[str, np.ndarray]:
    """A copy of buffers, by the names of their columns."""
    return {f"{BUFFER}{name}": np.array(array) for name, array in (buffers or {}).items()}


class Recorder(AbstractContextManager["Recorder"]):
    """Writes one trace: call update() for the start and after every update, then close(), or use it with `with`.

    every: the parameters are written for the start and every so many updates; window: also for the updates first …
    last. Without either they are written for all. Digests are written for every update. Those of two runs can be
    compared if both have the same names and axes, so give arrays the reference's names and axes, such as
    "W1": layer.weight.T.
    Raises InputError where the file, or a journal of it, exists, and for names and types that a trace cannot have.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        framework: str = "",
        experiment: Facts = None,
        header: Facts = None,
        every: int | None = None,
        window: FirstAndLast = None,
    ) -> None:
        self.path = Path(path)
        check_new_trace(self.path)
        if every is not None and every < 1:
            raise InputError(f"every must be a whole number >= 1; got {every}")
        versions = {"python": platform.python_version(), "numpy": np.__version__}
        made = {"format": FORMAT, "run": uuid.uuid4().hex, "framework": framework, "versions": versions}
        self.header = {**made, "experiment": dict(experiment or {}), **(header or {})}
        check_stated(self.path, self.header)
        self._every = every or (1 if window is None else 0)
        self._window = range(window[0], window[1] + 1) if window else range(0)
        self._updates = 0
        self._start: dict[str, np.ndarray] = {}
        self._buffers: dict[str, np.ndarray] = {}  # at the start
        self._row: np.ndarray = np.empty(())  # the record of an update
        self._journals: list[BinaryIO] = []  # for rows, for digests; from the first update on

    def __repr__(self) -> str:
        return f"<recorder of {self.path.name}: {self._updates} states so far>"

    _repr_html_ = as_code

    def update(
        self,
        parameters: Arrays,
        *,
        gradients: Extra = None,
        optimizer: Extra = None,
        buffers: Extra = None,
        batch: Items = None,
    ) -> None:
        """Record the parameters as they are now; gradients and what optimizers remember by the same names.

        optimizer: {"momentum:W1": …}. batch: the arrays of items that the update was made with.
        Only what is written is copied. Raises InputError for a shape that differs from the first one.
        """
        number, self._updates = self._updates, self._updates + 1
        if number == 0:
            self._start = {name: np.array(array) for name, array in parameters.items()}
            check_names(self.path, self._start)
            self._buffers = named_buffers(buffers)
            return
        items = digest(map(np.asarray, batch)) if batch is not None else b""
        if number == 1:
            self._begin(extras(gradients, optimizer), items)
        self._write_digest(number, parameters, items)
        if (self._every and number % self._every == 0) or number in self._window:
            beside = extras(gradients, optimizer) | named_buffers(buffers)
            self._write_row({**parameters, **beside, UPDATES: number})

    def _begin(self, extra: dict[str, np.ndarray], items: bytes) -> None:
        """Open the journals, now that all columns are known, and write the start."""
        rows = [
            (UPDATES, "<i8", ()),
            *((name, a.dtype.str, a.shape) for name, a in (self._start | self._buffers | extra).items()),
        ]
        kept = (DIGESTS, BATCHES) if items else (DIGESTS,)
        digests = [(DIGEST_UPDATES, "<i8", ()), *((name, "|u1", (DIGEST_SIZE,)) for name in kept)]
        self._row = np.empty((), rows)
        self._journals = [
            begin(path, self.header, c) for path, c in zip(journals(self.path), (rows, digests), strict=True)
        ]
        self._write_digest(0, self._start, items and bytes(DIGEST_SIZE))
        none = {name: np.full(array.shape, np.nan) for name, array in extra.items()}
        self._write_row({**self._start, **self._buffers, **none, UPDATES: 0})

    def _write_digest(self, number: int, parameters: Arrays, items: bytes) -> None:
        found = digest([parameters[name] for name in sorted(self._start)])
        self._journals[1].write(number.to_bytes(8, "little") + found + items)

    def _write_row(self, arrays: Arrays) -> None:
        for name in self._row.dtype.names or ():
            had, has = self._row[name].shape, np.shape(arrays[name])
            if had != has:
                raise InputError(f"{self.path}: {name} had the shape {had}, and {has} at update {arrays[UPDATES]!r}")
            self._row[name] = arrays[name]
        self._journals[0].write(self._row.tobytes())

    def close(self) -> None:
        """Make the trace of the journals."""
        if self._updates == 1:
            self._begin({}, b"")
        if self._journals:
            while self._journals:
                self._journals.pop().close()
            finish(self.path)
            for path in journals(self.path):
                path.unlink()

    def __exit__(self, *_error: object) -> None:
        self.close()


def check_new_trace(path: Path) -> None:
    """Raise InputError where a trace cannot be written, or the file or a journal of it exists."""
    require(path, path.suffix == ".npz", "the name of a trace must end in .npz")
    for file in (path, *journals(path)):
        check_target(file)


def check_names(path: Path, parameters: Mapping[str, np.ndarray]) -> None:
    """Raise InputError unless every parameter has a name and a type that a trace can have."""
    require(path, parameters, "there are no parameters to record")
    for name, array in parameters.items():
        free = name not in (HEADER, UPDATES) and ":" not in name and usable(name)
        require(path, free, f"{name!r} cannot be a parameter's name: join its parts with '.'")
        require(path, array.dtype.kind == "f", f"{name} holds {array.dtype}; a parameter is of a floating-point type")
