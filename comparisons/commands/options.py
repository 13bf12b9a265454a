"""What the options of several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from reference.errors import InputError
from reference.experiment import Experiment

DEFAULT = Experiment()

JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the result to this file.")]
MapFile = Annotated[
    Path | None,
    typer.Option("--map", metavar="FILE", help='TOML: "candidate\'s name" = "reference\'s", or ["…", "T"].'),
]


def real(text: str) -> float:
    """A number, or an error that shows what was given."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"a number is needed; got {text}") from None


def whole(text: str) -> int:
    """A whole number, or an error that shows what was given."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"a whole number is needed; got {text}") from None


def sizes_of(text: str) -> tuple[int, ...]:
    """10-8-4 or 10,8,4 as (10, 8, 4)."""
    try:
        return tuple(int(part) for part in text.replace(",", "-").split("-"))
    except ValueError:
        raise InputError(f"sizes must be whole numbers joined by '-', such as 10-8-4; got {text}") from None
