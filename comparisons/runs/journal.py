"""The two files to which a recorder appends while it runs, and how they become the trace.

run.npz.rows and run.npz.digests: each a line of JSON, and then records of one size. They grow and memory does not, and
what a crash leaves of them can be read.
"""

import json
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from comparisons.runs.files import require
from comparisons.runs.targets import beside, writing
from reference.errors import InputError
from reference.files import MOST_ARRAYS, archive, refusing, size_of

Columns = Sequence[tuple[str, str, tuple[int, ...]]]  # name, type, shape

MOST_BYTES = 2**24  # of the first line
BEGINNING = b'{"header": '  # of the first line
NUMBERS = re.compile("[<>|]?([fiu][1248])")  # the types of columns, as the first line has them


def journals(path: Path) -> tuple[Path, Path]:
    """The two files that hold a trace until it is finished."""
    return path.with_name(path.name + ".rows"), path.with_name(path.name + ".digests")


def begin(path: Path, header: Mapping[str, Any], columns: Sequence[Columns], overwrite: bool) -> list[BinaryIO]:
    """Both journals, with their first lines, locked for as long as they are open: records of these columns may follow.

    With overwrite an earlier trace of this name, or its journals, are gone after that. Raises InputError where there
    are any without it, where another program records under this name, and where the files cannot be written.
    """
    with writing(path), ExitStack() as opened:
        files: list[BinaryIO] = [opened.enter_context(journal.open("ab", buffering=0)) for journal in journals(path)]
        for journal, file in zip(journals(path), files, strict=True):
            taken = locked(file, exclusively=True) and os.path.samestat(os.fstat(file.fileno()), journal.stat())
            require(path, taken, RECORDED)
        check_free(path, overwrite)  # another program may have recorded since the recorder was made
        for file, of_file in zip(files, columns, strict=True):
            file.truncate(0)
            file.write(json.dumps({"header": header, "columns": of_file}).encode() + b"\n")
        if overwrite:
            path.unlink(missing_ok=True)
        opened.pop_all()
    return files


RECORDED = "is being recorded; it can be read when that has ended: when the program ends, or by close() of the recorder"


def locked(file: IO[bytes], exclusively: bool) -> bool:
    """Lock the file until it is closed, or its program ends, however it ends. False if another has it locked."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock

        flock(file, LOCK_NB | (LOCK_EX if exclusively else LOCK_SH))
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # there are no locks here: on Windows, and in some folders of a network
        return True
    return True


def check_free(path: Path, overwrite: bool) -> None:
    """Raise InputError where the trace would be in place of another file: without overwrite, of any but a trace."""
    if not overwrite:
        for file in (path, *journals(path)):
            free = not os.path.lexists(file) or (file != path and is_begun(file))
            require(file, free, "the file exists; overwrite=True replaces a trace of this name")
        return
    with refusing(path, "trace that overwrite=True could replace"):
        if os.path.lexists(path):
            with archive(path) as old:
                require(path, "updates.npy" in old.namelist(), "is no trace, and is not overwritten")
        for journal in journals(path):
            if os.path.lexists(journal) and not is_begun(journal):
                read_journal(journal)


def is_begun(journal: Path) -> bool:
    """Has it not even the whole first line? So it is if its program was killed in this very moment."""
    size_of(journal)
    with journal.open("rb") as file:
        return BEGINNING.startswith((line := file.readline(MOST_BYTES))[: len(BEGINNING)]) and not line.endswith(b"\n")


def end(path: Path, files: Sequence[BinaryIO]) -> None:
    """Make the trace of its journals, which are closed and removed."""
    finish(path)
    for journal, file in zip(journals(path), files, strict=True):
        try:
            journal.unlink()  # before the lock ends: so it is never another recorder's
        except PermissionError:  # Windows removes no open file
            file.close()
            journal.unlink()
        file.close()


def recover(path: Path) -> None:
    """Make the trace of what a crash has left, and keep it. Raises InputError while it is recorded."""
    with journals(path)[0].open("rb") as rows:
        require(path, locked(rows, exclusively=False), RECORDED)
        finish(path)


def finish(path: Path) -> None:
    """Make the trace of its journals; a record that was only half written is left out.

    Raises InputError for a file that is not a journal, or has not even its first line, and where the trace cannot be
    written.
    """
    read = [read_journal(journal) for journal in journals(path)]
    arrays = [(name, records[name]) for _, records in read for name in records.dtype.names or ()]
    arrays.append(("header", np.array(json.dumps(read[0][0]))))
    require(path, len(dict(arrays)) == len(arrays), "its two journals have an array in common")
    require(path, read[0][0] == read[1][0], "its two journals are of two runs")
    unfinished = beside(path.parent)
    try:
        with zipfile.ZipFile(unfinished, "w") as file:
            for name, array in arrays:
                with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        unfinished.replace(path)
    except OSError as error:
        files = " and ".join(journal.name for journal in journals(path))
        fault = f"cannot be made here ({error.strerror}) of {files}; they are kept, and can be opened elsewhere"
        raise InputError(f"{path}: {fault}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


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
