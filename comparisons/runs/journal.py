"""The two files to which a recorder appends while it runs, and how they become the trace.

run.npz.rows and run.npz.digests: each a line of JSON, and then records of one size. They grow and memory does not, and
what a crash leaves of them can be read.
"""

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from comparisons.runs.files import require
from reference.errors import InputError
from reference.files import MOST_ARRAYS, size_of

MOST_BYTES = 2**24  # of the first line
NUMBERS = re.compile("[<>|]?([fiu][1248])")  # the types of columns, as the first line has them


def journals(path: Path) -> tuple[Path, Path]:
    """The two files that hold a trace until it is finished."""
    return path.with_name(path.name + ".rows"), path.with_name(path.name + ".digests")


def begin(path: Path, header: Mapping[str, Any], columns: Sequence[tuple[str, str, tuple[int, ...]]]) -> BinaryIO:
    """A new journal, to which records of these columns can be appended: (name, type, shape)."""
    file = path.open("xb", buffering=2**13)  # what a crash can lose: a few hundred digests
    file.write(json.dumps({"header": header, "columns": columns}).encode() + b"\n")
    return file


def finish(path: Path) -> None:
    """Make the trace of its journals, and keep them; a record that was only half written is left out.

    Raises InputError for a file that is not a journal, or has not even its first line.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        read = [read_journal(journal) for journal in journals(path)]
        arrays = [(name, records[name]) for _, records in read for name in records.dtype.names or ()]
        arrays.append(("header", np.array(json.dumps(read[0][0]))))
        require(path, len(dict(arrays)) == len(arrays), "its two journals have an array in common")
        with zipfile.ZipFile(unfinished, "w") as file:
            for name, array in arrays:
                with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def usable(name: str) -> bool:
    """Can this be the name of an array? It becomes the name of a file in an archive, and must never be a path."""
    return 0 < len(name) <= 500 and name.isprintable() and not any(part in name for part in ("/", "\\", ".."))


def read_journal(path: Path) -> tuple[Mapping[str, Any], np.ndarray]:
    """The header, and the records as an array that stays on disk. Raises InputError for any other file."""
    try:
        size = size_of(path)
        with path.open("rb") as file:
            line = file.readline(MOST_BYTES)
        head = json.loads(line)
        columns, header = head["columns"], head["header"]
        require(path, isinstance(header, dict) and 0 < len(columns) <= MOST_ARRAYS, "no trace has so many columns")
        fits = all(usable(name) and NUMBERS.fullmatch(kind) and len(shape) <= 30 for name, kind, shape in columns)
        require(path, fits and line.endswith(b"\n"), "no trace has such columns")
        dtype = np.dtype([(name, kind, tuple(shape)) for name, kind, shape in columns])
        require(path, dtype.itemsize, "its records have 0 bytes")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, MemoryError) as error:
        raise InputError(f"{path}: is no journal of a trace") from error
    count = (size - len(line)) // dtype.itemsize
    return header, np.memmap(path, dtype, mode="r", offset=len(line), shape=(count,)) if count else np.empty(0, dtype)
