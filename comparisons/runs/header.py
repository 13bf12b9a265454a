"""What the header of a trace may say: plain JSON that names nothing that nobody could train."""

import json
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from comparisons.runs.files import MOST_NUMBER, require
from reference.experiment import MOST_EPOCHS, MOST_PARAMETERS, parameters_of

# far more than any real header has
MOST_HEADER_BYTES = 2**20
MOST_DEPTH = 50  # of what it has in what


def plain(path: Path, value: Any, name: str, depth: int = 0) -> Any:
    """The same value as JSON has it: arrays and tuples as lists, numbers that are not finite and paths as text.

    Raises InputError for what JSON has nothing for.
    """
    require(path, depth < MOST_DEPTH, f"{name} of the header is nested more than {MOST_DEPTH} deep")
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Mapping):
        return {str(key): plain(path, inner, f"{name}.{key}", depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(path, inner, f"{name}[{i}]", depth + 1) for i, inner in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    known = isinstance(value, Path)
    require(path, known, f"{name} of the header must be numbers, text, lists or dicts; got {type(value).__name__}")
    return str(value)


def written(path: Path, header: Mapping[str, Any]) -> dict[str, Any]:
    """The header as it can be written. Raises InputError for one that could not be read again."""
    found = {name: plain(path, value, name) for name, value in header.items()}
    check_stated(path, found)
    size = 4 * len(json.dumps(found))  # as NumPy keeps text
    require(
        path, size <= MOST_HEADER_BYTES, f"its header has {size:,} bytes; at most {MOST_HEADER_BYTES:,} are allowed"
    )
    return found


def check_stated(path: Path, header: Mapping[str, Any]) -> None:
    """Raise InputError for a header that is nested too deep, has endless numbers, or names what nobody could train."""
    level: list[Any] = [header]
    for _ in range(MOST_DEPTH):
        require(
            path, not any(type(v) is int and abs(v) >= MOST_NUMBER for v in level), "its header has endless numbers"
        )
        level = [
            v for of in level if isinstance(of, dict | list) for v in (of.values() if isinstance(of, dict) else of)
        ]
    require(path, not level, f"its header is nested more than {MOST_DEPTH} deep")
    said = header.get("experiment")
    epochs, sizes = (said.get("epochs"), said.get("sizes")) if isinstance(said, dict) else (None, None)
    if type(epochs) is int:
        require(
            path, epochs <= MOST_EPOCHS, f"its header has {epochs:,} epochs; at most {MOST_EPOCHS:,} can be trained"
        )
    if isinstance(sizes, list) and {*map(type, sizes)} <= {int}:
        count, words = parameters_of(sizes), "its header has a network of {count:,} parameters; at most "
        require(path, count <= MOST_PARAMETERS, f"{words.format(count=count)}{MOST_PARAMETERS:,} can be trained")
