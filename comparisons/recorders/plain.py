"""Write a trace while a program trains: memory stays bounded, and what is recorded survives a crash.

    with Recorder("run.npz", framework="NumPy") as trace:
        trace.update({"W1": W1, "b1": b1})             # the start
        for x, t in batches:
            ...
            trace.update({"W1": W1, "b1": b1}, batch=(x, t))

Until it ends, every update is appended to two journals (journal.py) at once. run.npz is made of them at the end, or,
after a crash, when it is first opened.
"""

import os
import platform
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from comparisons.recorders.checks import (
    Arrays,
    Extra,
    Facts,
    FirstAndLast,
    Items,
    Kind,
    absolute,
    as_arrays,
    check_columns,
    check_parameters,
    check_place,
    checked_items,
    first_and_last,
    whole,
)
from comparisons.runs.experiment_file import check_said
from comparisons.runs.files import require
from comparisons.runs.header import written
from comparisons.runs.journal import begin, end
from comparisons.runs.trace import (
    BATCHES,
    BUFFER,
    DIGEST_SIZE,
    DIGEST_UPDATES,
    DIGESTS,
    FORMAT,
    GRADIENT,
    MOST_ROWS,
    NO_DIGEST,
    OPTIMIZER,
    UPDATES,
    as_code,
    digest,
)
from reference.errors import InputError
from reference.experiment import Experiment


def beside(path: Path, gradients: Extra, optimizer: Extra, buffers: Extra) -> dict[str, np.ndarray]:
    """What is recorded beside the parameters, by the names of its columns; bools as whole numbers."""
    groups = ((GRADIENT, gradients, "gradients"), (OPTIMIZER, optimizer, "optimizer"), (BUFFER, buffers, "buffers"))
    found = {f"{to}{name}": a for to, arrays, of in groups for name, a in as_arrays(path, arrays or {}, of).items()}
    return {name: a.astype(np.uint8) if a.dtype == bool else a for name, a in found.items()}


class Recorder(AbstractContextManager["Recorder"]):
    """Writes one trace: call update() for the start and after every update, then close(), or use it with `with`.

    experiment: fields of `Experiment`, and data, a text; header: anything else that JSON has. every: the parameters are
    written for the start and every so many updates; window: also for the updates first … last. Without either they are
    written for all. Digests are written for every update. overwrite: an earlier trace of this name is replaced when the
    first update is recorded. Digests of two runs can be compared if both have the same names and axes, so give arrays
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
        header: Mapping[str, Any] | None = None,
        every: int | None = None,
        window: FirstAndLast = None,
        overwrite: bool = False,
    ) -> None:
        self.path = absolute(path)  # the program may go to another folder while it trains
        self._before, self._overwrite = check_place(self.path, overwrite), overwrite
        self._process = os.getpid()
        self._window = first_and_last(window)
        self._every = 0 if every is None else whole("every", every, 1)
        self._all = every is None and window is None
        versions = {"python": platform.python_version(), "numpy": np.__version__}
        made = {"format": FORMAT, "run": uuid.uuid4().hex, "framework": framework, "versions": versions}
        said = {"experiment": asdict(experiment) if isinstance(experiment, Experiment) else experiment or {}}
        self._require(isinstance(header or {}, Mapping), f"header must be a dict; got {type(header).__name__}")
        self.header = written(self.path, made | said | dict(header or {}))
        of = self.header["experiment"]
        self._require(isinstance(of, dict), f"experiment must be a dict; got {type(of).__name__}")
        check_said(of, f"{self.path}, experiment")
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
        self._require(self._process == os.getpid(), "the process that began it records; this is a copy of it, by fork")
        number = self._updates
        self._require(number < MOST_ROWS, "a trace has no more rows")
        state = self._state(parameters)
        if number == 0:
            self._begin_with(state, beside(self.path, gradients, optimizer, buffers))
        else:
            fingerprint = self._digest(number, state, batch)
            extra = beside(self.path, gradients, optimizer, buffers) if self.asks_for_all else {}
            if number == 1:
                self._open(extra)
            row = self._as_row(number, state | extra) if self._is_row(number) else b""
            self._append(row, fingerprint, number + 1)

    def _require(self, met: object, fault: str) -> None:
        require(self.path, met, fault)

    def _state(self, parameters: Arrays) -> dict[str, np.ndarray]:
        """The parameters as arrays. Raises InputError unless they are those of the start."""
        state = as_arrays(self.path, parameters, "parameters")
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
            exact = a.dtype.kind == dtype.kind or a.dtype.itemsize < dtype.itemsize  # NumPy calls int64 → float64 safe
            self._require(np.can_cast(a.dtype, dtype, "safe") and exact, fault)

    def _begin_with(self, state: dict[str, np.ndarray], extra: dict[str, np.ndarray]) -> None:
        """Keep the start until all columns are known."""
        buffers = {name: a for name, a in extra.items() if name.startswith(BUFFER)}
        check_columns(self.path, state | buffers)
        self._beside = {name: a.copy() for name, a in buffers.items()}
        self._keep({name: a.copy() for name, a in state.items()})
        self._updates = 1

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
        try:
            self._journals = begin(self.path, self.header, (rows, digests), self._before, self._overwrite)
        except InputError:
            self._ended = True
            raise
        self._append(*start, 1)

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

    def _append(self, row: bytes, fingerprint: bytes, states: int) -> None:
        """Write both to the journals at once: what is written survives the end of this program, whatever ends it.

        states: how many the journals then have.
        """
        try:
            for file, record in zip(self._journals, (row, fingerprint), strict=True):
                while record:
                    record = record[file.write(record) :]
            self._updates = states
        except BaseException as error:  # Ctrl-C, too
            self._ended = True  # half a record may be written: nothing must follow it
            if not isinstance(error, OSError):
                raise
            fault = f"cannot be written ({error.strerror}); the {self._updates} states before are kept"
            raise InputError(f"{self.path}: {fault}") from error

    def close(self) -> None:
        """Make the trace of the journals. If nothing but the start was recorded, that is one, where no file is yet."""
        ended, self._ended = self._ended, True
        if self._process != os.getpid():  # a copy of the program, by fork
            return
        if self._updates == 1 and not ended and self._before.before is None:
            self._open(self._beside)
        files, self._journals = self._journals, []
        if files:
            end(self.path, files)

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._ended = self._ended or (error is not None and self._updates <= 1)  # then nothing is written
        self.close()
