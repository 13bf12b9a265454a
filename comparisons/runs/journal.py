"""What a recorder appends to while it writes a trace, and how that becomes the trace.

run.npz.rows and run.npz.digests: each a line of JSON, and then records of one size. They grow while memory does not,
and what a crash leaves of them can be read.
"""

import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from reference.errors import InputError

MOST_BYTES = 2**24  # of the first line


def journals(path: Path) -> tuple[Path, Path]:
    """The two files in which a trace is before it is finished."""
    return path.with_name(path.name + ".rows"), path.with_name(path.name + ".digests")


class Journal:
    """A line of JSON, and then records of one size, appended."""

    def __init__(self, path: Path, header: Mapping[str, Any], dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._file = path.open("xb", buffering=2**18)
        head = {"header": header, "columns": describe(dtype)}
        self._file.write(json.dumps(head).encode() + b"\n")
        self.append, self.flush, self.close = self._file.write, self._file.flush, self._file.close


def describe(dtype: np.dtype[Any]) -> list[tuple[str, str, tuple[int, ...]]]:
    """Name, type and shape of each part of a record."""
    return [(name, part.base.str, part.shape) for name, part in ((n, dtype[n]) for n in dtype.names or ())]


def finish(path: Path) -> None:
    """Make the trace of its journals, which stay; a record that was only half written is left out.

    Raises InputError where there is no journal, or not even its first line.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        read = [read_journal(journal) for journal in journals(path)]
        header = read[0][0]
        names = [name for _, records in read for name in records.dtype.names or ()]
        if len(set(names)) < len(names):
            raise InputError(f"{path}: its two journals have an array in common")
        with zipfile.ZipFile(unfinished, "w") as file:
            for _, records in read:
                for name in records.dtype.names or ():
                    with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, records[name], allow_pickle=False)
            with file.open("header.npy", "w") as member:
                np.lib.format.write_array(member, np.array(json.dumps(header)), allow_pickle=False)
        unfinished.replace(path)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()


def usable(name: str) -> bool:
    """Can an array be called so? It is the name of a file in an archive, and never a path."""
    return 0 < len(name) <= 500 and name.isprintable() and not any(part in name for part in ("/", "\\", ".."))


def read_journal(path: Path) -> tuple[Mapping[str, Any], np.ndarray]:
    """The header, and the records as an array that lies on disk. Raises InputError for any other file."""
    with path.open("rb") as file:
        line = file.readline(MOST_BYTES)
    try:
        head = json.loads(line)
        dtype = np.dtype([(name, kind, tuple(shape)) for name, kind, shape in head["columns"]])
        header = head["header"]
        parts = [dtype[name].base for name in dtype.names or ()]
        if not parts or not all(map(usable, dtype.names or ())) or any(part.kind not in "fiu" for part in parts):
            raise ValueError("columns that no trace has")
        if not isinstance(header, dict):
            raise TypeError("the header is no JSON object")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{path}: is no journal of a trace") from error
    count = (path.stat().st_size - len(line)) // dtype.itemsize
    if count == 0:
        return header, np.empty(0, dtype)
    return header, np.memmap(path, dtype, mode="r", offset=len(line), shape=(count,))
