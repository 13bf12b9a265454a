"""What the options of several commands share: their types and help, and errors that name the option."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from comparisons.runs.targets import json_writer
from reference.errors import InputError
from reference.experiment import SCHEDULES, Experiment
from reference.network import LOSSES
from reference.optimizers import OPTIMIZERS
from reference.train import REDUCTIONS

DEFAULT = Experiment()


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


# Lr[float] is an option that is given once, Lr[list[float]] one that may be given several times.
T = TypeVar("T")
Seed = Annotated[T, typer.Option(parser=whole, help="Seed of the initial weights and of the order of the items.")]
Epochs = Annotated[T, typer.Option(parser=whole, help="Passes over the training items.")]
Lr = Annotated[T, typer.Option(parser=real, help="η, the learning rate.")]
LrSchedule = Annotated[T, typer.Option(help=f"How η changes: {', '.join(SCHEDULES)}.")]
LamdaSchedule = Annotated[T, typer.Option(help=f"How λ changes: {', '.join(SCHEDULES)}.")]
Optimizer = Annotated[T, typer.Option(help=f"The optimizer whose step λ enters: {', '.join(OPTIMIZERS)}.")]
Momentum = Annotated[T, typer.Option(parser=real, help="β of momentum, β₁ of adam.")]
L2 = Annotated[T, typer.Option(parser=real, help="λ₂, the coefficient of ½Σw²; beside a style: elastic net.")]
Loss = Annotated[T, typer.Option(help=f"The loss: {', '.join(LOSSES)}.")]
Reduction = Annotated[T, typer.Option(help=f"Of the loss over a batch: {', '.join(REDUCTIONS)}.")]
BatchSize = Annotated[T, typer.Option(parser=whole, help="Items in a batch; every update uses one batch.")]

DataFile = Annotated[Path | None, typer.Option(metavar="FILE", help="CSV or NPZ; without it the article's data.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the result to this file.")]
ExperimentFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML: what should be trained; without it what a trace's header says."),
]
AllowRounding = Annotated[
    bool, typer.Option("--allow-rounding", help="Exit status 0 also where the runs differ by rounding alone.")
]
Partial = Annotated[
    bool, typer.Option("--partial", help="What both runs recorded is enough, where one has more of it, or ended early.")
]
MapFile = Annotated[
    Path | None,
    typer.Option("--map", metavar="FILE", help='TOML: "candidate\'s name" = "reference\'s", or ["…", "T"].'),
]


@contextmanager
def naming(option: str = "", **options: str) -> Iterator[None]:
    """Name options in the messages of library code, which begin with a path or with an argument.

    naming("--json") puts --json before the path: --json FILE: there is no folder …
    naming(style="--to") puts --to in place of the argument style: --to must be one of …
    """
    try:
        yield
    except InputError as error:
        first, _, rest = str(error).partition(" ")
        raise InputError(f"{options.get(first, f'{option} {first}')} {rest}".lstrip()) from None


@contextmanager
def report_extra(need: str) -> Iterator[None]:
    """Say what to install where a library of the extra "report" is missing; need: such as "figures need"."""
    try:
        yield
    except ModuleNotFoundError as error:
        words = f"{need} {error.name}: install the clone with its report extra, pip install 'PATH[report]'"
        raise InputError(words) from None


def command_line() -> str:
    """The command that is running, as a person can type it again."""
    return shlex.join(["python", "-m", "comparisons", *sys.argv[1:]])


def fields_among(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that are named like a field of Experiment, in the order in which they are defined."""
    return {name: value for name, value in variables.items() if name in vars(DEFAULT)}


def json_file(
    path: Path | None, command: str, *others: Path | None, option: str = "--json"
) -> Callable[[Mapping[str, Any]], None]:
    """The function that writes the command's result to the file; one that does nothing where none is asked for.

    Raises InputError, before anything is trained, if that would lose something: only an earlier result of the command
    is replaced, and none of the other files that the command reads or writes.
    """
    if path is None:
        return lambda _result: None
    with naming(option):
        check_apart(path, *others, Path("/dev/stdout"), Path("/dev/stderr"))
        return json_writer(path, command)


@contextmanager
def kept(*writes: Callable[[], None]) -> Iterator[None]:
    """Write files at the end of the block, whatever becomes of what is printed in it: a closed pipe loses no result."""
    with ExitStack() as stack:
        for write in reversed(writes):
            stack.callback(write)
        yield


def check_apart(path: Path, *others: Path | None) -> None:
    """Raise InputError if the path leads to the same file as one of the others."""
    same = next((other for other in others if other and os.path.realpath(other) == os.path.realpath(path)), None)
    if same:
        raise InputError(f"{path}: {same} is the same file, which this command reads or writes as well")


def check_epochs(epochs: int) -> None:
    """Raise InputError unless there is an epoch to train."""
    if epochs < 1:
        raise InputError(f"epochs must be a whole number >= 1 here; got {epochs}")
