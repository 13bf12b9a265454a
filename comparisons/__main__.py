"""Do two training codes agree? Exit status: 0 equal, 1 different, 2 bad input, 3 nothing was compared."""

import sys
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

import comparisons.article
import comparisons.parity
import comparisons.tables.article
import comparisons.tables.parity
from comparisons.report.files import refuse_to_overwrite_page
from comparisons.side_by_side import side_by_side
from comparisons.tables.files import refuse_to_overwrite, write_json
from reference import data as datasets
from reference.data import InputError
from reference.experiment import DTYPES, SCHEDULES, Experiment, check_fit, updates_of
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS
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
    refuse_to_overwrite(json, "rows")
    rows = list(comparisons.article.ROWS + comparisons.article.FURTHER_ROWS if every else comparisons.article.ROWS)
    updates = sum(updates_of(row.experiment, datasets.article()) for row in rows)
    results = side_by_side(
        comparisons.article.train_row, rows, updates, f"training {len(rows)} networks in NumPy and in PyTorch"
    )
    comparisons.tables.article.page(results)
    write_json(json, comparisons.tables.article.to_json(results))
    return comparisons.tables.article.status(results)


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
    lr_schedule: Annotated[list[str], typer.Option(help=f"Of η: {', '.join(SCHEDULES)}.")] = [DEFAULT.lr_schedule],
    lamda_schedule: Annotated[list[str], typer.Option(help=f"Of λ: {', '.join(SCHEDULES)}.")] = [
        DEFAULT.lamda_schedule
    ],
    optimizer: Annotated[list[str], typer.Option(help=f"Whose step λ enters: {', '.join(OPTIMIZERS)}.")] = [
        DEFAULT.optimizer
    ],
    momentum: Annotated[list[float], typer.Option(parser=real, help="β of momentum, β₁ of adam.")] = [DEFAULT.momentum],
    l2: Annotated[list[float], typer.Option(parser=real, help="λ₂, the coefficient of ½Σw².")] = [DEFAULT.l2],
    loss: Annotated[list[str], typer.Option(help="squared_error or cross_entropy.")] = [DEFAULT.loss],
    softmax_derivative: Annotated[list[str], typer.Option(help="full or diagonal.")] = [DEFAULT.softmax_derivative],
    reduction: Annotated[list[str], typer.Option(help="Of the loss over a batch: mean or sum.")] = [DEFAULT.reduction],
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
    refuse_to_overwrite(json, "experiments")
    dataset = datasets.load(data) if data else datasets.article()
    shapes = [sizes_of(text) for text in sizes] if sizes else [(dataset.x_train.shape[1], 8, dataset.t_train.shape[1])]
    axes: dict[str, list[Any]] = {
        "style": style,
        "lamda": lamda,
        "seed": seed,
        "sizes": shapes,
        "lr": lr,
        "lr_schedule": lr_schedule,
        "lamda_schedule": lamda_schedule,
        "optimizer": optimizer,
        "momentum": momentum,
        "l2": l2,
        "loss": loss,
        "softmax_derivative": softmax_derivative,
        "reduction": reduction,
        "precision": precision,
        "batch_size": batch_size,
    }
    experiments = [
        Experiment(epochs=epochs, **dict(zip(axes, values, strict=True))) for values in product(*axes.values())
    ]
    for experiment in experiments:
        check_names(experiment)
        check_fit(experiment, dataset)
    tasks = [comparisons.parity.Task(experiment, dataset, certify) for experiment in experiments]
    updates = sum(updates_of(experiment, dataset) for experiment in experiments) * (1 + certify)
    results = side_by_side(comparisons.parity.check, tasks, updates, f"comparing {len(tasks)} runs")
    comparisons.tables.parity.page(results)
    write_json(json, comparisons.tables.parity.to_json(results))
    return comparisons.tables.parity.status(results)


@app.command()
def report(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where index.html is written.")],
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="With article.json and styles.json, which `article --json` and `styles --json` write; without it, train.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(parser=whole, help="Passes over the training items.")] = DEFAULT.epochs,
) -> int:
    """Everything on one page for a browser: results, formulas, figures, translations of λ."""
    target = refuse_to_overwrite_page(out)
    if epochs < 1 or (results and epochs != DEFAULT.epochs):
        raise InputError(f"epochs must be a whole number >= 1, and is for training, not for --results; got {epochs}")
    try:
        import comparisons.report.page as page
    except ModuleNotFoundError as error:
        raise InputError(f"report needs {error.name}; pip install 'l1-parity[report]' installs it") from None
    found = page.load(results) if results else page.train(epochs)
    out.mkdir(exist_ok=True)
    target.write_text(page.html(found), encoding="utf-8")
    print(target)
    return page.status(found)


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
