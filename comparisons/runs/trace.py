"""A trace: a recorded run, in one .npz that plain NumPy can write.

    header              text, JSON: {"run": "…", "framework": "…", "versions": {…}, "experiment": {…}}; all optional
    updates             (n,) whole numbers, rising: row i of the arrays below is after this update, 0 is the start
    NAME                (n, …) a parameter
    gradient:NAME       (n, …) what the optimizer was given to make the row, with the penalty where that is a part
                        of the loss, as PyTorch's .grad; NaN in the row of the start
    optimizer:KEY:NAME  (n, …) what the optimizer remembers of the parameter
    digest:updates      (m,) as updates, of the digests: they may be there for every update, and rows for a few
    digest:parameters   (m, 16) `digest` of all parameters, in the order of their sorted names
    digest:batch        (m, 16) `digest` of the items of the update

A file is opened without trusting it: nothing of it is executed, no name of it is used as a path, and it is read in
blocks, so that memory does not grow with the number of updates.
"""

import hashlib
import json
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike

from comparisons.runs.journal import finish, journals, usable
from reference.errors import InputError

DIGEST_SIZE = 16
HEADER, UPDATES = "header", "updates"
DIGEST_UPDATES, DIGESTS, BATCHES = "digest:updates", "digest:parameters", "digest:batch"
BLOCK_BYTES = 4 * 2**20  # of all columns together, read in one go

# what is refused: far more than any honest trace has
MOST_COLUMNS = 100_000
MOST_HEADER_BYTES = 2**20
MOST_INFLATION = 1_000  # weights that never move deflate to a thousandth; what shrinks further is a bomb


def digest(arrays: Iterable[ArrayLike]) -> bytes:
    """BLAKE2b, 16 bytes, of the arrays' values as float32, one after another, each row-major.

    Values are rounded to the nearest float32: two float64 runs that differ by rounding errors have equal digests, but
    for a value on a rounding tie. +0 and −0 are different bits; what is too large for float32 is infinite.
    """
    with np.errstate(over="ignore"):
        rounded = np.concatenate(list(arrays), axis=None, dtype=np.float32, casting="same_kind")
    return hashlib.blake2b(rounded.data, digest_size=DIGEST_SIZE).digest()


def shown(said: object) -> str:
    """What a header says, for a terminal: shortened, and without signs that would steer it."""
    text = str(said)
    return (text if text.isprintable() else repr(text))[:200]


@dataclass(frozen=True)
class Column:
    """One array of a trace: rows of this shape."""

    name: str
    rows: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Elements in a row."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Trace:
    """An opened trace: what it holds, without the arrays."""

    path: Path
    header: Mapping[str, Any]
    columns: Mapping[str, Column] = field(repr=False)

    @property
    def parameters(self) -> dict[str, Column]:
        """The columns that are parameters, in the order of the file."""
        return {name: column for name, column in self.columns.items() if name != UPDATES and ":" not in name}

    @property
    def rows(self) -> int:
        """Recorded states."""
        return self.columns[UPDATES].rows

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        """The columns of these names, some rows at a time, one after another. They must have equally many rows."""
        columns = [self.columns[name] for name in names]
        rows = max(1, BLOCK_BYTES // max(1, sum(c.size * c.dtype.itemsize for c in columns)))
        with refusing(self.path), zipfile.ZipFile(self.path) as file, ExitStack() as streams:
            opened = [streams.enter_context(file.open(f"{c.name}.npy")) for c in columns]
            for column, stream in zip(columns, opened, strict=True):
                if read_column(column.name, stream) != column:
                    raise InputError(f"{self.path}: was changed while it was read")
            for done in range(0, columns[0].rows, rows):
                count = min(rows, columns[0].rows - done)
                yield {c.name: read_rows(c, count, stream) for c, stream in zip(columns, opened, strict=True)}

    def read(self, name: str) -> np.ndarray:
        """A whole column."""
        column = self.columns[name]
        found = [block[name] for block in self.blocks([name])]
        return np.concatenate(found) if found else np.empty((0, *column.shape), column.dtype)


def read_rows(column: Column, rows: int, stream: IO[bytes]) -> np.ndarray:
    """The next rows of a column."""
    wanted = rows * column.size * column.dtype.itemsize
    found = stream.read(wanted)
    if len(found) != wanted:
        raise ValueError(f"{column.name} ends early")
    return np.frombuffer(found, column.dtype).reshape(rows, *column.shape)


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Whatever a damaged or hostile file does to the readers of zip and npy is an InputError of one line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except InputError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,  # a compression or an encryption that zipfile does not know
        RuntimeError,  # encrypted
        ValueError,  # among them what numpy says of a header, and UnicodeDecodeError
        TypeError,
        SyntaxError,
        tokenize.TokenError,
        EOFError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: is no trace that can be read ({reason})") from error


def open_trace(path: Path) -> Trace:
    """Open a trace, and check all that can be checked without reading its arrays.

    Where a crash has left nothing but its journals, the trace is made from them first.
    Raises InputError, with one line, for a file that is missing, damaged, foreign or hostile.
    """
    if not path.exists() and all(journal.exists() for journal in journals(path)):
        finish(path)
    with refusing(path), zipfile.ZipFile(path) as file:
        members = file.infolist()
        if len(members) > MOST_COLUMNS:
            raise InputError(f"{path}: has {len(members)} arrays; at most {MOST_COLUMNS} are allowed")
        names = [member_name(path, member) for member in members]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise InputError(f"{path}: has the array {twice[0]} twice")
        header: Mapping[str, Any] = {}
        columns: dict[str, Column] = {}
        for name, member in zip(names, members, strict=True):
            with file.open(member) as stream:
                if name == HEADER:
                    header = read_header(path, member, stream)
                else:
                    column = read_column(name, stream)
                    data = member.file_size - stream.tell()
                    if data != column.rows * column.size * column.dtype.itemsize:
                        raise InputError(f"{path}: {name} is damaged: its size is not that of {column.rows} rows")
                    columns[name] = column
    trace = Trace(path, header, columns)
    check_columns(trace)
    return trace


def member_name(path: Path, member: zipfile.ZipInfo) -> str:
    """The array's name. Raises InputError for names and sizes that no trace has."""
    name = member.filename.removesuffix(".npy")
    if name == member.filename:
        raise InputError(f"{path}: is no trace: {member.filename[:80]!r} is no array (.npy)")
    if not usable(name):
        raise InputError(f"{path}: {name[:80]!r} cannot be the name of an array: join its parts with '.'")
    if member.file_size > MOST_INFLATION * max(member.compress_size, 1_000):
        raise InputError(f"{path}: {name} would unpack to {member.file_size:,} bytes; it is left packed")
    return name


def read_npy_head(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape, Fortran order and dtype of a .npy file."""
    version = npy.read_magic(stream)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version} of .npy is not known")
    return read(stream)


def read_column(name: str, stream: IO[bytes]) -> Column:
    """What the head of a .npy file says; ValueError for an array that can be no column."""
    shape, fortran_order, dtype = read_npy_head(stream)
    if dtype.kind not in "fiu" or dtype.itemsize > 8:
        raise ValueError(f"{name} holds {dtype}, not numbers of at most 8 bytes")
    if not shape or any(length < 0 for length in shape):
        raise ValueError(f"{name} has the shape {shape}, without a leading update axis")
    if fortran_order and len(shape) > 1:
        raise ValueError(f"{name} is stored in Fortran order; np.ascontiguousarray makes it a column")
    return Column(name, shape[0], tuple(shape[1:]), dtype)


def read_header(path: Path, member: zipfile.ZipInfo, stream: IO[bytes]) -> Mapping[str, Any]:
    """The JSON object of the header."""
    if member.file_size > MOST_HEADER_BYTES:
        raise InputError(
            f"{path}: its header has {member.file_size:,} bytes; at most {MOST_HEADER_BYTES:,} are allowed"
        )
    shape, _, dtype = read_npy_head(stream)
    if shape != () or dtype.kind != "U":
        raise InputError(f"{path}: the header must be one text, JSON; it is an array of {dtype}, shape {shape}")
    text = str(np.frombuffer(stream.read(), dtype)[0])
    header = json.loads(text)
    if not isinstance(header, dict):
        raise InputError(f"{path}: the header must be a JSON object, {{…}}; got {text[:40]}")
    return header


def check_columns(trace: Trace) -> None:
    """Raise InputError unless there are updates, parameters, and for every column as many rows as it needs."""
    path, columns = trace.path, trace.columns
    if UPDATES not in columns:
        raise InputError(f"{path}: is no trace: the array {UPDATES} is missing, the number of the update of each row")
    for first, names in (
        (UPDATES, [name for name in columns if not name.startswith("digest:")]),
        (DIGEST_UPDATES, [name for name in columns if name.startswith("digest:")]),
    ):
        for name in names:
            if first not in columns or columns[name].rows != columns[first].rows:
                rows = columns[first].rows if first in columns else 0
                raise InputError(f"{path}: {name} has {columns[name].rows} rows, and {first} {rows}")
    for name in (UPDATES, DIGEST_UPDATES):
        if name in columns and (columns[name].dtype.kind not in "iu" or columns[name].shape):
            raise InputError(f"{path}: {name} must be whole numbers, one a row")
    for name in (DIGESTS, BATCHES):
        if name in columns and (columns[name].dtype, columns[name].shape) != (np.uint8, (DIGEST_SIZE,)):
            raise InputError(f"{path}: {name} must be {DIGEST_SIZE} bytes (uint8) a row")
    for name, column in trace.parameters.items():
        if column.dtype.kind != "f":
            raise InputError(f"{path}: {name} holds {column.dtype}; a parameter is of a floating-point type")
    if not trace.parameters:
        raise InputError(f"{path}: is no trace: it has no parameters")
    for name in (UPDATES, DIGEST_UPDATES):
        if name in columns:
            check_rising(trace, name)


def check_rising(trace: Trace, name: str) -> None:
    """Raise InputError unless the numbers of the updates rise from 0 or more."""
    last = -1
    for block in trace.blocks([name]):
        numbers = block[name].astype(np.int64)
        if numbers[0] <= last or (np.diff(numbers) <= 0).any():
            raise InputError(f"{trace.path}: {name} must rise from row to row, from 0 or more")
        last = int(numbers[-1])
