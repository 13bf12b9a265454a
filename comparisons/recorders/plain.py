"""Write a trace while a program trains: memory stays bounded, and what is recorded survives a crash.

    with Recorder("run.npz", framework="NumPy") as trace:
        trace.update({"W1": W1, "b1": b1})             # the start
        for x, t in batches:
            ...
            trace.update({"W1": W1, "b1": b1}, batch=(x, t))

Until it ends, every update is appended to two journals (journal.py) at once. run.npz is made of them at the end, or,
after a crash, when it is first opened.
"""

import platform
import uuid
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from comparisons.runs.experiment_file import check_said
from comparisons.runs.files import require
from comparisons.runs.header import written
from comparisons.runs.journal import NUMBERS, begin, check_free, end, journals, usable
from comparisons.runs.targets import check_target
from comparisons.runs.trace import (
    BATCHES,
    BUFFER,
    DIGEST_SIZE,
    DIGEST_UPDATES,
    DIGESTS,
    FORMAT,
    GRADIENT,
    HEADER,
    MOST_ROWS,
    NO_DIGEST,
    OPTIMIZER,
    UPDATES,
    as_code,
    digest,
)
from reference.errors import InputError
from reference.files import MOST_ARRAYS

Arrays = Mapping[str, ArrayLike]
Extra = Arrays | None  # gradients, what an optimizer remembers, or buffers
Items = Iterable[ArrayLike] | None
Facts = Mapping[str, Any] | None  # of a run, for the header
FirstAndLast = tuple[int, int] | None
Kind = tuple[tuple[int, ...], np.dtype[Any]]  # the shape and the type of an array


def beside(gradients: Extra, optimizer: Extra, buffers: Extra) -> dict[str, np.ndarray]:
    """What is recorded beside the parameters, by the names of its columns; bools as whole numbers."""
    groups = ((GRADIENT, gradients), (OPTIMIZER, optimizer), (BUFFER, buffers))
    found = {f"{group}{name}": np.asarray(a) for group, arrays in groups for name, a in (arrays or {}).items()}
    return {name: a.astype(np.uint8) if a.dtype == bool else a for name, a in found.items()}


class Recorder(AbstractContextManager["Recorder"]):
    """Writes one trace: call update() for the start and after every update, then close(), or use it with `with`.

    experiment: fields of `Experiment`, and data, a text; header: anything else that JSON has. every: the parameters are
    written for the start and every so many updates; window: also for the updates first … last. Without either they are
    written for all. Digests are written for every update. overwrite: an earlier trace of this name is replaced when the
    first update is recorded. Those of two runs can be compared if both have the same names and axes, so give arrays
    the reference's names and axes, such as "W1": layer.weight.T.
    Raises InputError where the file, or a journal of it, exists without overwrite, or is no trace; for names, types and
    experiments that a trace cannot have; and where it cannot be written. What was recorded until then is kept.
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
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path).absolute()  # the program may go to another folder while it trains
        check_place(self.path, overwrite)
        self._overwrite = overwrite
        self._window = first_and_last(window)
        self._every = 0 if every is None else whole("every", every, 1)
        self._all = every is None and window is None
        versions = {"python": platform.python_version(), "numpy": np.__version__}
        made = {"format": FORMAT, "run": uuid.uuid4().hex, "framework": framework, "versions": versions}
        said = {**made, "experiment": dict(experiment or {}), **(header or {})}
        self.header = written(self.path, said)
        check_said(self.header["experiment"], f"{self.path}, experiment")
        self._updates = 0
        self._ended = False
        self._start: dict[str, np.ndarray] = {}
        self._kinds: dict[str, Kind] = {}  # of the parameters
        self._row: np.ndarray = np.empty(())  # the record of an update
        self._beside: dict[str, np.ndarray] = {}  # the buffers at the start, later what all rows must have
        self._journals: list[BinaryIO] = []  # for rows, for digests; from the first update on

    def __repr__(self) -> str:
        return f"<recorder of {self.path.name}: {self._updates} states so far>"

    _repr_html_ = as_code

    @property
    def asks_for_all(self) -> bool:
        """Does the next update need what stands beside the parameters? The first one tells what there is."""
        return self._updates <= 1 or self._is_row(self._updates)

    def _is_row(self, number: int) -> bool:
        """Are the arrays of this update written, and not only their digests?"""
        return self._all or number in self._window or bool(self._every and number % self._every == 0)

    def update(
        self,
        parameters: Arrays,
        *,
        gradients: Extra = None,
        optimizer: Extra = None,
        buffers: Extra = None,
        batch: Items = None,
    ) -> None:
        """Record the parameters as they are now; gradients, what optimizers remember, and buffers, each by its name.

        optimizer: {"momentum:W1": …}. buffers: such as running statistics. batch: the arrays of items that the update
        was made with. Only what is written is copied. Raises InputError, and records nothing of this update, for
        parameters and buffers that come, go, or are of another shape or a wider type than the first ones.
        """
        self._require(not self._ended, "the recording has ended; another run needs a recorder of its own")
        number = self._updates
        self._require(number < MOST_ROWS, "a trace has no more rows")
        state = self._state(parameters)
        if number == 0:
            self._begin_with(state, beside(gradients, optimizer, buffers))
        else:
            fingerprint = self._digest(number, state, batch)
            extra = beside(gradients, optimizer, buffers) if self.asks_for_all else {}
            if number == 1:
                self._open(extra)
            row = self._as_row(number, state | extra) if self._is_row(number) else b""
            self._append(row, fingerprint)
        self._updates += 1

    def _require(self, met: object, fault: str) -> None:
        require(self.path, met, fault)

    def _state(self, parameters: Arrays) -> dict[str, np.ndarray]:
        """The parameters as arrays. Raises InputError unless they are those of the start."""
        state = {name: np.asarray(array) for name, array in parameters.items()}
        if self._updates <= 1:
            check_parameters(self.path, state)
        if self._updates == 1:  # the start is still in memory: it takes the type of the first update, if that is wider
            known = {name: np.promote_types(a.dtype, state.get(name, a).dtype) for name, a in self._start.items()}
            self._keep({name: a.astype(known[name]) for name, a in self._start.items()})
        if self._updates >= 1 and {n: (a.shape, a.dtype) for n, a in state.items()} != self._kinds:
            self._check_kinds(state, self._kinds)
        return state

    def _check_kinds(self, arrays: Mapping[str, np.ndarray], kinds: Mapping[str, Kind]) -> None:
        """Raise InputError unless the arrays are those of the kinds; a narrower type is no fault."""
        now = f"at update {self._updates}"
        for name in [*kinds, *arrays]:
            self._require(
                name in kinds, f"{name} is new {now}; what is recorded must be there from the first update on"
            )
            self._require(name in arrays, f"{name} is missing {now}")
            (shape, dtype), a = kinds[name], arrays[name]
            self._require(a.shape == shape, f"{name} had the shape {shape}, and has {a.shape} {now}")
            fault = f"{name} was {dtype}, and is {a.dtype} {now}: its values would be narrowed"
            self._require(np.can_cast(a.dtype, dtype, "safe"), fault)

    def _begin_with(self, state: dict[str, np.ndarray], extra: dict[str, np.ndarray]) -> None:
        """Keep the start until all columns are known."""
        buffers = {name: a for name, a in extra.items() if name.startswith(BUFFER)}
        check_columns(self.path, state | buffers)
        self._beside = {name: a.copy() for name, a in buffers.items()}
        self._keep({name: a.copy() for name, a in state.items()})

    def _keep(self, start: dict[str, np.ndarray]) -> None:
        self._start = start
        self._kinds = {name: (start[name].shape, start[name].dtype) for name in sorted(start)}  # as digests have them

    def _open(self, extra: dict[str, np.ndarray]) -> None:
        """Open the journals, now that all columns are known, and write the start."""
        buffers = {name: a for name, a in extra.items() if name.startswith(BUFFER)}
        self._check_kinds(buffers, {name: (a.shape, a.dtype) for name, a in self._beside.items()})
        unknown = {n: np.full_like(a, np.nan if a.dtype.kind == "f" else 0) for n, a in extra.items()}
        arrays = self._start | unknown | self._beside
        check_columns(self.path, arrays)
        rows = [(UPDATES, "<i8", ()), *((name, a.dtype.str, a.shape) for name, a in arrays.items())]
        digests = [(DIGEST_UPDATES, "<i8", ()), *((name, "|u1", (DIGEST_SIZE,)) for name in (DIGESTS, BATCHES))]
        self._row = np.empty((), rows)
        start = self._as_row(0, arrays), self._digest(0, self._start, None)
        self._journals = begin(self.path, self.header, (rows, digests), self._overwrite)
        self._append(*start)

    def _digest(self, number: int, state: Mapping[str, np.ndarray], batch: Items) -> bytes:
        """The record of the digests of an update."""
        parameters = [state[name] for name in self._kinds]
        found = digest(parameters) + NO_DIGEST if batch is None else digest(parameters, checked_items(self.path, batch))
        return number.to_bytes(8, "little") + found

    def _as_row(self, number: int, arrays: Mapping[str, np.ndarray]) -> bytes:
        """The record of an update. Raises InputError unless it has the columns of the first one."""
        fields: Mapping[str, Any] = self._row.dtype.fields or {}
        if {len(arrays), len(fields) - 1} != {len(self._kinds)}:  # the parameters are checked already
            kinds = {name: (of[0].shape, of[0].base) for name, of in fields.items() if name != UPDATES}
            self._check_kinds(arrays, kinds)
        self._row[UPDATES] = number
        for name, array in arrays.items():
            self._row[name] = array
        return self._row.tobytes()

    def _append(self, row: bytes, fingerprint: bytes) -> None:
        """Write both to the journals at once: what is written survives the end of this program, whatever ends it."""
        try:
            for file, record in zip(self._journals, (row, fingerprint), strict=True):
                while record:
                    record = record[file.write(record) :]
        except OSError as error:
            self._ended = True  # half a record may be written: nothing must follow it
            fault = f"cannot be written ({error.strerror}); the {self._updates} states before are kept"
            raise InputError(f"{self.path}: {fault}") from error

    def close(self) -> None:
        """Make the trace of the journals. Where nothing but the start was recorded, it is the trace."""
        if self._updates == 1 and not self._ended:
            self._open(self._beside)
        self._ended = True
        files, self._journals = self._journals, []
        if files:
            end(self.path, files)

    def __exit__(self, *_error: object) -> None:
        self.close()


def check_place(path: Path, overwrite: bool) -> None:
    """Raise InputError where a trace cannot be written, or would be in place of another file."""
    require(path, path.suffix == ".npz", "the name of a trace must end in .npz")
    for file in (path, *journals(path)):
        check_target(file, lambda _: True)
    check_free(path, overwrite)


def whole(name: str, value: Any, least: int) -> int:
    """A whole number. Raises InputError for anything else."""
    fits = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least
    if not fits:
        raise InputError(f"{name} must be a whole number >= {least}; got {value!r}")
    return int(value)


def first_and_last(window: Any) -> range:
    """The updates of a window. Raises InputError unless it is (first, last)."""
    if window is None:
        return range(0)
    pair = isinstance(window, tuple | list) and len(window) == 2
    if not pair:
        raise InputError(f"window must be (first, last), two numbers of updates; got {window!r}")
    first = whole("window's first update", window[0], 0)
    return range(first, whole("window's last update", window[1], first) + 1)


def check_parameters(path: Path, parameters: Mapping[str, np.ndarray]) -> None:
    """Raise InputError unless every parameter has a name and a type that a trace can have."""
    require(path, parameters, "there are no parameters to record")
    for name, array in parameters.items():
        free = isinstance(name, str) and name not in (HEADER, UPDATES) and ":" not in name and usable(name)
        require(path, free, f"{name!r} cannot be a parameter's name: join its parts with '.'")
        require(path, array.dtype.kind == "f", f"{name} holds {array.dtype}; a parameter is of a floating-point type")


def check_columns(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise InputError unless a trace can have all of these arrays: what is written must be read again."""
    require(path, len(arrays) < MOST_ARRAYS - 10, f"{len(arrays):,} arrays are too many; {MOST_ARRAYS:,} are allowed")
    for name, array in arrays.items():
        require(path, usable(name), f"{name!r} cannot be the name of an array: join its parts with '.'")
        known = NUMBERS.fullmatch(array.dtype.str)
        require(path, known, f"{name} holds {array.dtype}; it must be numbers of at most 8 bytes")


def checked_items(path: Path, batch: Iterable[ArrayLike]) -> list[np.ndarray]:
    """The arrays of a batch. Raises InputError for what holds no numbers."""
    found = [np.asarray(array) for array in batch]
    if odd := [array.dtype for array in found if array.dtype.kind not in "biuf"]:
        raise InputError(f"{path}: batch holds {odd[0]}; it must be arrays of real numbers")
    return found
