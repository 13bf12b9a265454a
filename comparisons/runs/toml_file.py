"""Reading TOML that a user wrote."""

import tomllib
from pathlib import Path
from typing import Any

from reference.errors import InputError


def read_toml(path: Path) -> dict[str, Any]:
    """The table that a TOML file is. Raises InputError, with one line, for a file that cannot be read or is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is no TOML ({error})") from error
