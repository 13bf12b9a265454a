"""Files of strangers: what reading one may cost. A file is believed in nothing that costs more than its own size."""

import stat
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from reference.errors import InputError, require

MOST_ARRAYS = 6_000  # GPT-3 has some 1,200 parameters; with gradients and Adam's two moments there are 5,000 arrays
MOST_CONTENTS = 2**22  # bytes of an archive's list of contents: 400 for each array
# Unpacked bytes of an archive. Up to FREELY of them cost a second at most; beyond, each packed byte accounts for so
# many. Weights as they are trained shrink by a tenth; those of which nearly all are 0, to a twentieth.
FREELY, MOST_INFLATION = 2**28, 50
END, OTHER_END, MOST_END = b"PK\5\6", b"PK\6\7", 2**16 + 22  # what a zip file ends with
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of np.savez; others can make gigabytes of a few bytes at once


@contextmanager
def refusing(path: Path, what: str) -> Iterator[None]:
    """Turn all that reading a damaged or hostile file raises into an InputError of one line."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # the readers of zip, npy, JSON, TOML and XML raise nearly everything there is
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: is no {what} ({reason})") from error


def size_of(path: Path) -> int:
    """The size of a regular file. Raises InputError for others, which may never end: pipes, devices, sockets."""
    found = path.stat()
    require(not stat.S_ISDIR(found.st_mode), f"{path}: cannot be read (Is a directory)")
    require(stat.S_ISREG(found.st_mode), f"{path}: is no regular file, but a pipe, a device or a socket")
    return found.st_size


def read_bytes(path: Path, what: str, most: int) -> bytes:
    """A regular file as it is now. Raises InputError for another, or one of more bytes than `most`."""
    with refusing(path, what):
        size = size_of(path)
        require(size <= most, f"{path}: has {size:,} bytes; a {what} has at most {most:,}")
        with path.open("rb") as file:
            content = file.read(size + 1)
        require(len(content) == size, f"{path}: has another size than it says")  # such as files of /proc
        return content


def read_text(path: Path, what: str, most: int) -> str:
    """The same, as text in UTF-8."""
    with refusing(path, what):
        return read_bytes(path, what, most).decode()


@contextmanager
def archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """An .npz file, if unpacking all of it costs no more than its size allows. Raises InputError otherwise."""
    size = size_of(path)
    with path.open("rb") as stream:
        require(contents(stream, size) <= MOST_CONTENTS, f"{path}: has too long a list of contents")
        with zipfile.ZipFile(stream) as file:
            members = file.infolist()
            count = len(members)
            require(count <= MOST_ARRAYS, f"{path}: has {count:,} arrays; at most {MOST_ARRAYS:,} are allowed")
            for m in members:
                require(m.compress_type in METHODS, f"{path}: {m.filename} is packed as np.savez does not pack")
            packed, unpacked = (sum(getattr(m, of) for m in members) for of in ("compress_size", "file_size"))
            require(packed <= size, f"{path}: is damaged: its arrays overlap")
            most = max(FREELY, MOST_INFLATION * size)
            require(unpacked <= most, f"{path}: would unpack to {unpacked:,} bytes; at most {most:,} are allowed")
            yield file


def contents(stream: IO[bytes], size: int) -> int:
    """Bytes of the list of contents as the end of an archive has it: zipfile reads all of it before anything else."""
    stream.seek(max(0, size - MOST_END))
    tail = stream.read(MOST_END)
    ends = [at for at in (tail.rfind(END), len(tail) - 22) if at >= 0 and tail.startswith(END, at)]
    other = any(tail.startswith(OTHER_END, at - 20) for at in ends if at >= 20)  # which is for more than 2 GiB
    said = [int.from_bytes(tail[at + 12 : at + 16], "little") for at in ends]
    return 2**32 if other and size < 2**31 else max(said, default=0)


def read_head(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape, Fortran order and dtype of a .npy file. Raises ValueError for another."""
    version, known = npy.read_magic(stream), {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in known:
        raise ValueError(f"version {version} of .npy is not known")
    with warnings.catch_warnings(action="ignore"):  # of heads that Python 2 wrote, or that only look like it
        return known[version](stream)
