"""Do two training codes agree? Exit status: 0 equal, 1 different, 2 bad input, 3 nothing was compared."""

import sys
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from comparisons import article as article_table
from comparisons import parity as parity_table
from comparisons import tables
from comparisons.side_by_side import side_by_side
from reference import data as datasets
from reference.data import InputError
from reference.experiment import DTYPES, Experiment, check_fit, updates_of
from reference.l1 import STYLES
from reference.train import check_names

DEFAULT = Experiment()

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode="rich", help=__doc__)
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the result to this file.")]


@app.command()
def article(
    every: Annotated[
        bool, typer.Option("--all", help="Also the whole soft-max derivative, and cross-entropy: four more rows.")
    ] = False,
    json: JsonFile = None,
) -> int:
    """Does the code reproduce the article, in both frameworks, bit for bit?"""
    tables.refuse_to_overwrite(json, "rows")
    rows = list(article_table.ROWS + article_table.FURTHER_ROWS if every else article_table.ROWS)
    updates = sum(updates_of(row.experiment, datasets.article()) for row in rows)
    results = side_by_side(
        article_table.train_row, rows, updates, f"training {len(rows)} networks in NumPy and in PyTorch"
    )
    tables.article_page(results)
    tables.write_json(json, tables.article_json(results))
    return tables.article_status(results)


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


@app.command()
def parity(
    style: Annotated[list[str], typer.Option(help=f"How λ enters an update: {', '.join(STYLES)}.")] = [DEFAULT.style],
    lamda: Annotated[list[float], typer.Option(parser=real, help="λ, the coefficient of Σ|w|.")] = [DEFAULT.lamda],
    seed: Annotated[
        list[int], typer.Option(parser=whole, help="Of the initial weights and the order of the items.")
    ] = [DEFAULT.seed],
    epochs: Annotated[int, typer.Option(parser=whole, help="Passes over the training items.")] = DEFAULT.epochs,
    sizes: Annotated[
        list[str] | None,
        typer.Option(help="Units a layer, such as 10-8-4; without it one hidden layer of 8 units.", show_default=False),
    ] = None,
    lr: Annotated[list[float], typer.Option(parser=real, help="η, the learning rate.")] = [DEFAULT.lr],
    l2: Annotated[list[float], typer.Option(parser=real, help="λ₂, the coefficient of ½Σw².")] = [DEFAULT.l2],
    loss: Annotated[list[str], typer.Option(help="squared_error or cross_entropy.")] = [DEFAULT.loss],
    softmax_derivative: Annotated[list[str], typer.Option(help="full or diagonal.")] = [DEFAULT.softmax_derivative],
    precision: Annotated[list[str], typer.Option(help=f"One of {', '.join(DTYPES)}.")] = [DEFAULT.precision],
    batch_size: Annotated[list[int], typer.Option(parser=whole, help="Items an update.")] = [DEFAULT.batch_size],
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV or NPZ file; without it the article's data.")
    ] = None,
    certify: Annotated[
        bool, typer.Option("--certify", help="Check rounded runs in lockstep too: how near was a differing bit?")
    ] = False,
    json: JsonFile = None,
) -> int:
    """Does an experiment give equal weights? Options that are given several times make a matrix."""
    tables.refuse_to_overwrite(json, "experiments")
    dataset = datasets.load(data) if data else datasets.article()
    shapes = [sizes_of(text) for text in sizes] if sizes else [(dataset.x_train.shape[1], 8, dataset.t_train.shape[1])]
    axes: dict[str, list[Any]] = {
        "style": style,
        "lamda": lamda,
        "seed": seed,
        "sizes": shapes,
        "lr": lr,
        "l2": l2,
        "loss": loss,
        "softmax_derivative": softmax_derivative,
        "precision": precision,
        "batch_size": batch_size,
    }
    experiments = [
        Experiment(epochs=epochs, **dict(zip(axes, values, strict=True))) for values in product(*axes.values())
    ]
    for experiment in experiments:
        check_names(experiment)
        check_fit(experiment, dataset)
    tasks = [parity_table.Task(experiment, dataset, certify) for experiment in experiments]
    updates = sum(updates_of(experiment, dataset) for experiment in experiments) * (1 + certify)
    results = side_by_side(parity_table.check, tasks, updates, f"comparing {len(tasks)} runs")
    tables.parity_page(results)
    tables.write_json(json, tables.parity_json(results))
    return tables.parity_status(results)


def main() -> int:
    """Run a command; bad input is one line on stderr and exit status 2."""
    try:
        return app(standalone_mode=False, prog_name="python -m comparisons") or 0
    except (InputError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        if message:  # empty where the help was printed, because there was no command
            print(f"error: {message}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
