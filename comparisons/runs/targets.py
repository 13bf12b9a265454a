"""Files that are written: checked before the work, never in place of what is the user's, and whole or not at all."""

import json
import math
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from comparisons.runs.files import require
from reference.errors import InputError

MAKER = "l1-parity"  # which every result file, figure and page names: only those may be replaced
HEAD = 2048  # bytes of a file, within which it must do so
PROBE = bytes(4096)  # written and removed again, to see whether there is room: a block of most disks

Identity = tuple[int, ...]


class Target(NamedTuple):
    """A file that may be written, as it was when that was checked."""

    path: Path  # as the user named it
    place: Path  # where symbolic links lead
    before: Identity | None  # None: there was no file


def check_target(path: Path, ours: Callable[[bytes], bool] | None = None, what: str = "") -> Target:
    """Raise InputError unless the file can be written without losing anything of the user's.

    Without ours no existing file may be replaced. With it an empty file may be, and one for whose first 2048 bytes
    ours(head) is true: that one is a `what`, such as "result of this command".
    """
    with writing(path):
        place = Path(os.path.realpath(path))
        for folder in (path.parent, place.parent):
            require(path, folder.is_dir(), f"there is no folder {folder}")
        before = identity(place)
        if before is not None:
            mode = place.stat().st_mode
            require(path, not stat.S_ISDIR(mode), "is a folder")
            require(path, stat.S_ISREG(mode), "is no regular file, but a pipe, a device or a socket")
            free = ours and (not (head := head_of(place)) or ours(head))
            require(path, free, f"the file exists{what and f' and is no {what}'}; it is left as it is")
            place.open("r+b").close()  # raises PermissionError where the user has protected it
        probe(place.parent)
    return Target(path, place, before)


def head_of(place: Path) -> bytes:
    """The first 2048 bytes of a file."""
    with place.open("rb") as file:
        return file.read(HEAD)


def check_folder(folder: Path) -> None:
    """Raise InputError unless it is a folder that can be written to, or can be made in one."""
    with writing(folder):
        require(folder, folder.is_dir() or not os.path.lexists(folder), "is no folder")
        require(folder, folder.parent.is_dir(), f"there is no folder {folder.parent}")
        probe(folder if folder.is_dir() else folder.parent)


def make_folder(folder: Path) -> None:
    """Make the folder, unless it is there. Raises InputError where it cannot be made."""
    with writing(folder):
        folder.mkdir(exist_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system says against a path into an InputError of one line."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise InputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error


def identity(place: Path) -> Identity | None:
    """What tells a file from another that is put in its place, and from itself once it is written to."""
    try:
        found = place.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def beside(folder: Path) -> Path:
    """The name of a temporary file in the folder; it is short wherever the target's own name is not."""
    return folder / f".{MAKER}-{uuid4().hex}"


def probe(folder: Path) -> None:
    """Raise OSError unless a file can be written to the folder: permissions do not tell all of it, nor bind all."""
    temporary = beside(folder)
    try:
        temporary.write_bytes(PROBE)
    finally:
        with suppress(OSError):
            temporary.unlink()


def write(target: Target, content: bytes) -> None:
    """Write the whole file, or leave the old one.

    Raises InputError where it cannot be written, and where another program has written it since it was checked.
    """
    temporary = beside(target.place.parent)
    with writing(target.path):
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # a full disk may show only here
            put(temporary, target)
        finally:
            with suppress(OSError):
                temporary.unlink()


def put(temporary: Path, target: Target) -> None:
    """The temporary file becomes the target. Of several programs that do so at once, one succeeds."""
    there = identity(target.place)
    require(target.path, there in (target.before, None), MEANWHILE)
    try:
        # "x" claims a name that is free. The lock, which ends with the process, keeps others from replacing this file
        # between a look at it and its replacement
        with target.place.open("xb" if there is None else "r+b") as old:
            lock(old.fileno())
            opened = os.fstat(old.fileno())
            require(target.path, os.path.samestat(opened, target.place.stat()), MEANWHILE)
            if there is not None:
                require(target.path, identity(target.place) == there, MEANWHILE)
                temporary.chmod(stat.S_IMODE(opened.st_mode))
            temporary.replace(target.place)
    except FileExistsError:
        raise InputError(f"{target.path}: {MEANWHILE}") from None


MEANWHILE = "it has been written to since this program began; it is left as it is"


def lock(file: int) -> None:
    """Wait until no other program has the file locked; nothing where files cannot be locked."""
    with suppress(ImportError, OSError):
        from fcntl import LOCK_EX, flock

        flock(file, LOCK_EX)


# --- result files -------------------------------------------------------------------------------------------------


def json_writer(path: Path, command: str) -> Callable[[Mapping[str, Any]], None]:
    """The function that writes the command's result file. It replaces an earlier result of the same command.

    Raises InputError, now and when it writes, where the file would be in place of anything else. A result file begins
    with the command that made it; what JSON has no number for (NaN, inf) is written as a string.
    """
    made_by = f"{MAKER} {command}"
    head = as_json({"made_by": made_by}).removesuffix(b"\n}\n")
    target = check_target(path, lambda found: found.startswith(head), "result of this command")
    return lambda result: write(target, as_json({"made_by": made_by, **result}))


def as_json(result: Mapping[str, Any]) -> bytes:
    """The text of a result file."""
    return (json.dumps(finite(result), indent=2, allow_nan=False) + "\n").encode()


def finite(value: Any) -> Any:
    """The same, with every number that is not finite as a string."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
