"""Result files: JSON, written so that nothing is lost."""

import json
import math
from pathlib import Path
from typing import Any

from reference.errors import InputError


def refuse_to_overwrite(path: Path | None, key: str) -> None:
    """Raise InputError, before any training, unless the result file can be written without losing anything.

    What may be replaced is an empty file and an earlier result of the same command, which has this key.
    """
    if path is None:
        return
    if not path.parent.is_dir():
        raise InputError(f"--json {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise InputError(f"--json {path}: is a folder")
    if path.is_file() and path.stat().st_size:
        try:
            ours = key in json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, TypeError):
            ours = False
        if not ours:
            raise InputError(f"--json {path}: the file exists and is no result of this command; it is left as it is")


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
