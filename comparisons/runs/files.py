"""Files that users name: read as TOML, or written without overwriting anything of theirs."""

import json
import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reference.errors import InputError


def require(where: Path | str, met: object, fault: str) -> None:
    """Raise InputError, "where: fault", unless a condition is met."""
    if not met:
        raise InputError(f"{where}: {fault}")


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file. Raises InputError, one line, for a file that cannot be read or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is no TOML ({error})") from error


def refuse_to_overwrite(path: Path, ours: Callable[[Path], bool] | None = None, what: str = "") -> None:
    """Raise InputError unless the file can be written without losing anything of the user's.

    Without ours no existing file may be replaced. With it an empty file may be, and one for which ours(path) is true:
    that one is a `what`, such as "result of this command".
    """
    check_parent(path)
    require(path, not path.is_dir(), "is a folder")
    free = not path.exists() or (ours and (path.stat().st_size == 0 or ours(path)))
    require(path, free, f"the file exists{what and f' and is no {what}'}; it is left as it is")


def check_folder(folder: Path) -> None:
    """Raise InputError unless it is a folder, or can be made in one."""
    require(folder, folder.is_dir() or not folder.exists(), "is no folder")
    check_parent(folder)


def check_parent(path: Path) -> None:
    """Raise InputError unless the folder that the path is in exists."""
    require(path, path.parent.is_dir(), f"there is no folder {path.parent}")


def json_with(key: str) -> Callable[[Path], bool]:
    """Is a file JSON with this key? For refuse_to_overwrite: every command's result has a key of its own."""

    def ours(path: Path) -> bool:
        try:
            return key in json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, TypeError):
            return False

    return ours


def write_json(path: Path | None, result: dict[str, Any]) -> None:
    """Write a result file, if one was asked for. What JSON has no number for (NaN, inf) is written as a string."""
    if path is not None:
        path.write_text(json.dumps(finite(result), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """The same, with every number that is not finite as a string."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
