"""What a recorder takes, and what it refuses before anything is written: what a trace could not hold, or give back."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comparisons.runs.files import require
from comparisons.runs.journal import EXISTS, MOST_AXES, NUMBERS, check_journals, journals, usable
from comparisons.runs.targets import Target, check_target
from comparisons.runs.trace import HEADER, UPDATES, open_trace
from reference.errors import InputError
from reference.experiment import Experiment
from reference.files import MOST_ARRAYS, MOST_CONTENTS

Arrays = Mapping[str, ArrayLike]
Extra = Arrays | None  # gradients, what an optimizer remembers, or buffers
Items = Iterable[ArrayLike] | None
Facts = Mapping[str, Any] | Experiment | None  # of a run, for the header
FirstAndLast = tuple[int, int] | None
Kind = tuple[tuple[int, ...], np.dtype[Any]]  # the shape and the type of an array


def absolute(path: str | Path) -> Path:
    """The path from the root. Raises InputError for what is none."""
    if not isinstance(path, str | Path):
        raise InputError(f"path must be a text or a Path; got {type(path).__name__}")
    return Path(path).absolute()


def check_place(path: Path, overwrite: bool) -> Target:
    """The place of a trace. Raises InputError where it cannot be written, or would be in place of another file."""
    require(path, path.suffix == ".npz", "the name of a trace must end in .npz")
    target, *_ = (check_target(file, lambda _: True) for file in (path, *journals(path)))
    if target.before is not None:
        require(path, overwrite, EXISTS)
        open_trace(path)
    check_journals(path, overwrite)
    return target


def as_arrays(path: Path, given: Arrays, what: str) -> dict[str, np.ndarray]:
    """The same as arrays. what: parameters, or another argument. Raises InputError for what NumPy cannot read."""
    try:
        return {name: np.asarray(array) for name, array in given.items()}
    except Exception as error:  # whatever a framework's own types raise
        raise InputError(f"{path}: {what} must be a dict of arrays, by their names ({error})") from error


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
    names = sum(len(name.encode(errors="surrogatepass")) + 100 for name in arrays)
    require(path, names < MOST_CONTENTS, f"the names have {names:,} bytes; {MOST_CONTENTS:,} are allowed")
    for name, array in arrays.items():
        require(path, usable(name), f"{name!r} cannot be the name of an array: join its parts with '.'")
        known = NUMBERS.fullmatch(array.dtype.str)
        require(path, known, f"{name} holds {array.dtype}; it must be numbers of at most 8 bytes")
        require(path, array.ndim <= MOST_AXES, f"{name} has {array.ndim} axes; at most {MOST_AXES} are allowed")


def checked_items(path: Path, batch: Iterable[ArrayLike]) -> list[np.ndarray]:
    """The arrays of a batch. Raises InputError for what holds no numbers."""
    try:
        found = [np.asarray(array) for array in batch]
    except Exception as error:  # whatever a framework's own types raise
        raise InputError(f"{path}: batch must be arrays of numbers ({error})") from error
    require(path, found, "batch has no arrays; leave it out where it is not known")
    if odd := [array.dtype for array in found if array.dtype.kind not in "biuf"]:
        raise InputError(f"{path}: batch holds {odd[0]}; it must be arrays of real numbers")
    return found
