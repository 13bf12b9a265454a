"""Files that users name, read as TOML."""

import tomllib
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.files import read_text, refusing

MOST_TOML_BYTES, MOST_DOTS = 2**20, 100  # 10,000 parameters in a map; dots in a line of it
MOST_JSON_BYTES = 2**26  # of a result file
MOST_NUMBER = 10**300  # a float has no larger number


def require(where: Path | str, met: object, fault: str) -> None:
    """Raise InputError, "where: fault", unless a condition is met."""
    if not met:
        raise InputError(f"{where}: {fault}")


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file. Raises InputError, one line, for a file that cannot be read or is not TOML."""
    text = read_text(path, "TOML", MOST_TOML_BYTES)
    deep = max(line.count(".") for line in text.split("\n")) > MOST_DOTS  # a key of many parts takes tomllib for ever
    require(path, not deep, f"is no TOML that can be read (a line has more than {MOST_DOTS} dots)")
    with refusing(path, "TOML"):
        found = tomllib.loads(text)
        require(path, not has_endless_numbers(found), "has a whole number of more than 300 digits")
        return found


def has_endless_numbers(value: Any) -> bool:
    """Is there a whole number in it that no float could hold? Python takes for ever to print some of them."""
    if isinstance(value, dict | list):
        return any(map(has_endless_numbers, value.values() if isinstance(value, dict) else value))
    return type(value) is int and abs(value) >= MOST_NUMBER
