"""A trace: a recorded run, in one .npz file that plain NumPy can write.

    header              text, JSON: {"run": "…", "framework": "…", "versions": {…}, "experiment": {…}}; all optional
    updates             (n,) whole numbers, rising: row i of the arrays below is after this update, 0 is the start
    NAME                (n, …) a parameter
    gradient:NAME       (n, …) the gradient that the optimizer was given for this update, with the penalty where that
                        is a part of the loss, as PyTorch's .grad; NaN in the row of the start
    optimizer:KEY:NAME  (n, …) what the optimizer remembers of the parameter
    buffer:NAME         (n, …) what is neither trained nor a memory of it, such as BatchNorm's running statistics
    digest:updates      (m,) as updates, for the digests: there can be digests for every update, and rows for a few
    digest:parameters   (m, 16) `digest` of all parameters, in the order of their sorted names
    digest:batch        (m, 16) `digest` of the items of the update; 16 zeros where they are not known

A digest is a short fingerprint of arrays: equal arrays have equal digests, and different ones nearly never do.
A file is opened without trusting it: nothing in it is executed, no name in it is used as a path, and it is read in
blocks, so that memory does not grow with the number of updates.
"""

import hashlib
import json
import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike

from comparisons.runs.files import require
from comparisons.runs.header import MOST_HEADER_BYTES, check_stated
from comparisons.runs.journal import journals, recover, usable
from reference.errors import printable
from reference.files import archive, read_head, refusing

DIGEST_SIZE = 16
NO_DIGEST = bytes(DIGEST_SIZE)
PLUS_ZERO = np.float32(0)
HEADER, UPDATES = "header", "updates"
DIGEST_UPDATES, DIGESTS, BATCHES = "digest:updates", "digest:parameters", "digest:batch"
GRADIENT, OPTIMIZER, BUFFER = "gradient:", "optimizer:", "buffer:"  # what stands beside the parameters begins so
BESIDE = (GRADIENT, OPTIMIZER, BUFFER)
FORMAT = 2  # of what is written today: since 2, digests are of values with −0 made +0
BLOCK_BYTES = 4 * 2**20  # of all columns together, read in one go

# what is refused: far more than any real trace has
MOST_INFLATION = 1_000  # weights that never move deflate to a thousandth; what shrinks further is a zip bomb
MOST_ROWS = 10_000_000  # their numbers are held in memory, several times
MOST_UPDATES = 10**11  # the number of an update: a million a second for a day
MOST_ROW_BYTES = 2**25  # of a row of all columns, as float64; more if the file is large: it is held up to 20 times
NO_TRACE = "trace that can be read"


def digest(*groups: Iterable[ArrayLike]) -> bytes:
    """BLAKE2b, 16 bytes, of the arrays' values as float32, one after another, each row-major; one for each group.

    Values are rounded to the nearest float32, so two float64 runs that differ by rounding errors have equal digests,
    unless a value lies on a rounding tie. −0 counts as +0. Where a value is not finite, as float32, there is no digest,
    but NO_DIGEST: NaN is equal to nothing.
    """
    found = b""
    with np.errstate(over="ignore"):
        for arrays in groups:
            rounded = np.concatenate(list(arrays), axis=None, dtype=np.float32, casting="same_kind")
            # the sum of squares is not finite if a value is not, and is quicker than asking each; nor for large values
            finite = math.isfinite(rounded.dot(rounded)) or np.isfinite(rounded).all()
            rounded += PLUS_ZERO  # −0 + 0 is +0
            found += hashlib.blake2b(rounded.data, digest_size=DIGEST_SIZE).digest() if finite else NO_DIGEST
    return found


def shown(said: object) -> str:
    """What a file says, for a terminal: shortened, in one line, and without control characters."""
    return printable(str(said)[:200])[:200]


def as_code(value: object) -> str:
    """How a notebook shows an object: its repr as HTML. A class takes this function as its _repr_html_."""
    return f"<code>{escape(repr(value))}</code>"


@dataclass(frozen=True)
class Column:
    """One array of a trace: rows of this shape."""

    name: str
    rows: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    begin: int = 0  # bytes before the first row, in a file
    checksum: int = 0  # of the file

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Trace:
    """An opened trace: what it holds, without the arrays."""

    path: Path
    header: Mapping[str, Any]
    columns: Mapping[str, Column]

    def __repr__(self) -> str:
        framework = f", {shown(self.header['framework'])}" if self.header.get("framework") else ""
        return f"<trace {shown(self.path.name)}: {self.rows} states of {len(self.parameters)} parameters{framework}>"

    _repr_html_ = as_code

    @property
    def parameters(self) -> dict[str, Column]:
        """The columns that are parameters, in the order of the file."""
        return {name: column for name, column in self.columns.items() if name != UPDATES and ":" not in name}

    @property
    def format(self) -> int:
        """The version of the format, as the header says; 1 if it does not."""
        said = self.header.get("format")
        return said if type(said) is int else 1

    @property
    def rows(self) -> int:
        """Recorded states."""
        return self.columns[UPDATES].rows

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        """The columns of these names, some rows at a time. They must have equally many rows.

        Raises InputError for a file that cannot be read, or was changed since it was opened.
        """
        columns = [self.columns[name] for name in names]
        rows = max(1, BLOCK_BYTES // max(1, sum(column.row_bytes for column in columns)))
        with refusing(self.path, NO_TRACE), archive(self.path) as file, ExitStack() as stack:
            for c, member in ((c, file.getinfo(f"{c.name}.npy")) for c in columns):
                now, then = (member.CRC, member.file_size), (c.checksum, c.begin + c.rows * c.row_bytes)
                require(self.path, now == then, "was changed while it was read")
            streams = {name: stack.enter_context(file.open(f"{name}.npy")) for name in names}
            for c in columns:
                streams[c.name].read(c.begin)
            for done in range(0, columns[0].rows, rows):
                count = min(rows, columns[0].rows - done)
                yield {column.name: read_rows(column, count, streams[column.name]) for column in columns}
            for stream in streams.values():
                stream.read()  # the end: only here zipfile looks at the check sum

    def read(self, name: str) -> np.ndarray:
        """A whole column."""
        none = np.empty((0, *self.columns[name].shape), self.columns[name].dtype)
        return np.concatenate([none, *(block[name] for block in self.blocks([name]))])


def read_rows(column: Column, rows: int, stream: IO[bytes]) -> np.ndarray:
    """The next rows of a column. Raises ValueError if it ends before."""
    return np.frombuffer(stream.read(rows * column.row_bytes), column.dtype).reshape(rows, *column.shape)


def open_trace(path: str | Path) -> Trace:
    """Open a trace, and check all that can be checked without reading its arrays.

    If a crash has left only its journals, the trace is made of them first.
    Raises InputError, with one line, for a file that is missing, damaged, hostile or no trace.
    """
    path = Path(path)
    found: dict[str, Any] = {}
    with refusing(path, NO_TRACE):
        if not path.exists() and all(journal.exists() for journal in journals(path)):
            recover(path)
    with refusing(path, NO_TRACE), archive(path) as file:
        for member in file.infolist():
            name = member_name(path, member)
            require(path, name not in found, f"has the array {name} twice")
            with file.open(member) as stream:
                found[name] = (read_header if name == HEADER else read_column)(path, member, stream)
    with refusing(path, NO_TRACE):
        return checked(Trace(path, found.pop(HEADER, {}), found))


def member_name(path: Path, member: zipfile.ZipInfo) -> str:
    """The array's name. Raises InputError for names and sizes that no trace has."""
    name, size = member.filename.removesuffix(".npy"), member.file_size
    require(path, name != member.filename, f"is no trace: {member.filename[:80]!r} is no array (.npy)")
    require(path, usable(name), f"{name[:80]!r} cannot be the name of an array: join its parts with '.'")
    bomb = size > MOST_INFLATION * max(member.compress_size, 1_000)
    require(path, not bomb, f"{name} would unpack to {size:,} bytes; it is left packed")
    return name


def read_column(path: Path, member: zipfile.ZipInfo, stream: IO[bytes]) -> Column:
    """What the head of a .npy file says. Raises InputError for an array that cannot be a column."""
    name = member.filename.removesuffix(".npy")
    shape, fortran_order, dtype = read_head(stream)
    require(path, dtype.kind in "fiu" and dtype.itemsize <= 8, f"{name} holds {dtype}, not numbers of at most 8 bytes")
    require(path, shape and min(shape) >= 0, f"{name} has the shape {shape}, without a leading update axis")
    in_order = len(shape) == 1 or not fortran_order
    require(path, in_order, f"{name} is stored in Fortran order; np.ascontiguousarray makes it a column")
    c = Column(name, shape[0], tuple(shape[1:]), dtype, stream.tell(), member.CRC)
    right = member.file_size == c.begin + c.rows * c.row_bytes
    require(path, right, f"{name} is damaged: its size is not that of {c.rows} rows")
    require(path, c.rows <= MOST_ROWS, f"{name} has {c.rows:,} rows; at most {MOST_ROWS:,} are allowed")
    return c


def read_header(path: Path, member: zipfile.ZipInfo, stream: IO[bytes]) -> Mapping[str, Any]:
    """The JSON object of the header."""
    fault = f"its header has {member.file_size:,} bytes; at most {MOST_HEADER_BYTES:,} are allowed"
    require(path, member.file_size <= MOST_HEADER_BYTES, fault)
    shape, _, dtype = read_head(stream)
    fault = f"the header must be one text, JSON; it is an array of {dtype}, shape {shape}"
    require(path, shape == () and dtype.kind == "U", fault)
    content = stream.read()
    require(path, len(content) == dtype.itemsize, "its header is damaged: its size is not that of its text")
    text = str(np.frombuffer(content, dtype)[0])
    header = json.loads(text)
    require(path, isinstance(header, dict), f"the header must be a JSON object, {{…}}; got {text[:40]}")
    check_stated(path, header)
    return header


def checked(trace: Trace) -> Trace:
    """The trace itself, if it has updates and parameters, and each column has the rows and the type that it needs.

    Raises InputError for any other.
    """
    path, columns = trace.path, trace.columns
    fault = f"is no trace: the array {UPDATES} is missing, the number of the update of each row"
    require(path, UPDATES in columns, fault)
    require(path, trace.parameters, "is no trace: it has no parameters")
    for name, c in columns.items():
        key = DIGEST_UPDATES if name.startswith("digest:") else UPDATES
        rows = columns[key].rows if key in columns else 0
        require(path, key in columns and c.rows == rows, f"{name} has {c.rows} rows, and {key} {rows}")
        if name in (UPDATES, DIGEST_UPDATES):
            require(path, c.dtype.kind in "iu" and not c.shape, f"{name} must be whole numbers, one a row")
            check_rising(trace, name)
        elif name in (DIGESTS, BATCHES):
            of_digests = (c.dtype, c.shape) == (np.uint8, (DIGEST_SIZE,))
            require(path, of_digests, f"{name} must be {DIGEST_SIZE} bytes (uint8) a row")
        elif ":" in name and not name.startswith(BESIDE):
            known = f"{', '.join(BESIDE)}, {DIGESTS} and {BATCHES}"
            require(path, False, f"{name} cannot be a parameter's name, and of names with ':' there are only {known}")
        elif ":" not in name:
            require(path, c.dtype.kind == "f", f"{name} holds {c.dtype}; a parameter is of a floating-point type")
    row, most = 8 * sum(math.prod(c.shape) for c in columns.values()), max(MOST_ROW_BYTES, 8 * path.stat().st_size)
    require(path, row <= most, f"a row of all arrays would unpack to {row:,} bytes; at most {most:,} are allowed")
    return trace


def check_rising(trace: Trace, name: str) -> None:
    """Raise InputError unless the numbers of the updates are >= 0 and rise."""
    last = -1
    for block in trace.blocks([name]):
        numbers = block[name].astype(np.int64)
        rises = (np.diff(numbers, prepend=last) > 0).all()
        require(trace.path, rises, f"{name} must rise from row to row, from 0 or more")
        last = int(numbers[-1])
        require(trace.path, last <= MOST_UPDATES, f"{name} goes up to {last:,}; at most {MOST_UPDATES:,} are allowed")
