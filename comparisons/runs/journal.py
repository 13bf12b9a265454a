"""The two files to which a recorder appends while it runs, and how they become the trace.

run.npz.rows and run.npz.digests: each a line of JSON, and then records of one size. They grow and memory does not, and
what a crash leaves of them can be read.
"""

import json
import os
import re
import time
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from comparisons.runs.files import require
from comparisons.runs.targets import MEANWHILE, Target, beside, identity, writing
from reference.errors import InputError
from reference.files import MOST_ARRAYS, refusing, size_of

Columns = Sequence[tuple[str, str, tuple[int, ...]]]  # name, type, shape

MOST_BYTES = 2**24  # of the first line
BEGINNING = b'{"header": {"format": '  # of the first line
MOST_AXES = 30  # of an array
NUMBERS = re.compile("[<>|]?([fiu][1248])")  # the types of columns, as the first line has them


def journals(path: Path) -> tuple[Path, Path]:
    """The two files that hold a trace until it is finished."""
    return path.with_name(path.name + ".rows"), path.with_name(path.name + ".digests")


def begin(
    path: Path, header: Mapping[str, Any], columns: Sequence[Columns], before: Target, overwrite: bool
) -> list[BinaryIO]:
    """Both journals, with their first lines, locked for as long as they are open: records of these columns may follow.

    before: of path, when the recorder was made; an earlier trace that was there is removed. Raises InputError where the
    file is another one now, where another program records under this name, and where the files cannot be written.
    """
    files: list[BinaryIO] = []
    with writing(path), ExitStack() as opened:
        try:
            for journal in journals(path):
                files.append(opened.enter_context(journal.open("ab", buffering=0)))
                taken = locked(files[-1]) and os.path.samestat(os.fstat(files[-1].fileno()), journal.stat())
                require(path, taken, RECORDED)
            require(path, identity(path) == before.before, MEANWHILE)
            if not overwrite:
                check_journals(path, overwrite)  # another program may have recorded, and crashed, in the meantime
            for file, of_file in zip(files, columns, strict=True):
                file.truncate(0)
                file.write(first_line(header, of_file))
        except InputError:
            for journal, file in zip(journals(path), files, strict=False):
                if not os.fstat(file.fileno()).st_size:  # it is of this very moment, or nobody's
                    journal.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)
        opened.pop_all()
    return files


def first_line(header: Mapping[str, Any], columns: Columns) -> bytes:
    """What a journal begins with."""
    return json.dumps({"header": header, "columns": columns}).encode() + b"\n"


RECORDED = "is being recorded; it can be read when that has ended: when the program ends, or by close() of the recorder"
PATIENCE = 10.0  # seconds to wait for programs that make a trace of the journals


def locked(file: IO[bytes]) -> bool:
    """Lock the file until it is closed, or its program ends, however it ends. False if a recorder has it locked."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
    except ImportError:  # Windows
        return True
    give_up = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < give_up:
            with suppress(BlockingIOError):
                flock(file, LOCK_EX | LOCK_NB)
                return True
            flock(file, LOCK_SH | LOCK_NB)  # readers share it, a recorder does not
            time.sleep(0.01)
    except BlockingIOError:
        return False
    except OSError:  # some folders of a network have no locks
        return True
    return False


def shared(file: IO[bytes]) -> bool:
    """Lock the file against recorders until it is closed. False if a recorder has it locked."""
    try:
        from fcntl import LOCK_NB, LOCK_SH, flock

        flock(file, LOCK_SH | LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True


def check_journals(path: Path, overwrite: bool) -> None:
    """Raise InputError where there are journals: without overwrite any with a state, with it any that are not ours."""
    for journal in journals(path):
        if os.path.lexists(journal) and not is_begun(journal):
            require(journal, overwrite, EXISTS)
            with journal.open("rb") as file:
                require(path, shared(file), RECORDED)
                read_head(journal, file)


EXISTS = "the file exists; overwrite=True replaces a trace of this name"


def is_begun(journal: Path) -> bool:
    """Is it empty, or has it not the whole first line? So it is if its program was killed in this very moment."""
    size_of(journal)
    with journal.open("rb") as file:
        line = file.readline(MOST_BYTES)
    return not line or (line.startswith(BEGINNING) and not line.endswith(b"\n"))


def end(path: Path, files: Sequence[BinaryIO]) -> None:
    """Make the trace of its journals, which are closed and removed. Raises InputError where another file is there."""
    with ExitStack() as opened:
        for file in files:
            opened.callback(file.close)
        finish(path)
        for journal, file in zip(journals(path), files, strict=True):
            try:
                journal.unlink()  # before the lock ends: so it is never another recorder's
            except PermissionError:  # Windows removes no open file
                file.close()
                journal.unlink()


def recover(path: Path) -> None:
    """Make the trace of what a crash has left, and keep it. Raises InputError while it is recorded."""
    size_of(journals(path)[0])
    with journals(path)[0].open("rb") as rows:
        require(path, shared(rows), RECORDED)
        if not path.exists():  # another program may have made it
            finish(path, or_another=True)


def finish(path: Path, or_another: bool = False) -> None:
    """Make the trace of its journals; a record that was only half written is left out.

    Raises InputError for a file that is not a journal, or has not even its first line, where the trace cannot be
    written, and where a file is in its place, unless another program may have made it.
    """
    read = [read_journal(journal) for journal in journals(path)]
    arrays = [(name, records[name]) for _, records in read for name in records.dtype.names or ()]
    arrays.append(("header", np.array(json.dumps(read[0][0]))))
    require(path, len(dict(arrays)) == len(arrays), "its two journals have an array in common")
    require(path, read[0][0] == read[1][0], "its two journals are of two runs")
    names = " and ".join(journal.name for journal in journals(path))
    unfinished = beside(path.parent)
    try:
        with zipfile.ZipFile(unfinished, "w") as file:
            for name, array in arrays:
                with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        put_new(unfinished, path)
    except FileExistsError:
        fault = (
            f"another file is there now, which is left as it is; the trace is in {names}, and can be opened elsewhere"
        )
        require(path, or_another, fault)
    except OSError as error:
        fault = f"cannot be made here ({error.strerror}) of {names}; they are kept, and can be opened elsewhere"
        raise InputError(f"{path}: {fault}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def put_new(file: Path, path: Path) -> None:
    """Give the file this name, at once. Raises FileExistsError where there is one."""
    try:
        os.link(file, path)
    except FileExistsError:
        raise
    except OSError:  # some file systems have no links
        if os.path.lexists(path):
            raise FileExistsError from None
        file.replace(path)


def usable(name: str) -> bool:
    """Can this be the name of an array? It becomes the name of a file in an archive, and must never be a path."""
    return 0 < len(name) <= 500 and name.isprintable() and not any(part in name for part in ("/", "\\", ".."))


def read_journal(path: Path) -> tuple[Mapping[str, Any], np.ndarray]:
    """The header, and the records as an array that stays on disk. Raises InputError for any other file."""
    with refusing(path, "journal of a trace"):
        size = size_of(path)
        with path.open("rb") as file:
            header, dtype, begin = read_head(path, file)
        count = (size - begin) // dtype.itemsize
        none = np.empty(0, dtype)
        return header, np.memmap(path, dtype, mode="r", offset=begin, shape=(count,)) if count else none


def read_head(path: Path, file: IO[bytes]) -> tuple[Mapping[str, Any], np.dtype[Any], int]:
    """The header, the type of a record, and where the records begin. Raises InputError for any other file."""
    line = file.readline(MOST_BYTES)
    try:
        head = json.loads(line)
        columns, header = head["columns"], head["header"]
        require(path, isinstance(header, dict) and 0 < len(columns) <= MOST_ARRAYS, "no trace has so many columns")
        fits = all(
            usable(name) and NUMBERS.fullmatch(kind) and len(shape) <= MOST_AXES for name, kind, shape in columns
        )
        require(path, fits and line.endswith(b"\n"), "no trace has such columns")
        dtype = np.dtype([(name, kind, tuple(shape)) for name, kind, shape in columns])
        require(path, dtype.itemsize, "its records have 0 bytes")
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, MemoryError) as error:
        raise InputError(f"{path}: is no journal of a trace") from error  # an InputError is a ValueError
    return header, dtype, len(line)
