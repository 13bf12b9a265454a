"""Do two training codes agree? Exit status: 0 equal, 1 different, 2 bad input, 3 nothing was compared."""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

import comparisons.article
import comparisons.differences
import comparisons.lamda
import comparisons.parity
import comparisons.styles
import comparisons.tables.article
import comparisons.tables.differences
import comparisons.tables.lamda
import comparisons.tables.parity
import comparisons.tables.styles
from comparisons.lamda import L2_UNITS, UNITS, check_batches, in_unit, to_lamda, translate
from comparisons.report.files import load, refuse_to_overwrite_page
from comparisons.report.training import train_article
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
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For index.html and the results it is made from.")],
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Train nothing; take article.json, styles.json and the figures of `article` and `styles` from there.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(parser=whole, help="Passes over the training items.")] = DEFAULT.epochs,
) -> int:
    """Everything on one page for a browser: results, formulas, figures, translations of λ."""
    target = refuse_to_overwrite_page(out)
    if epochs < 1:
        raise InputError(f"epochs must be a whole number >= 1; got {epochs}")
    if results and epochs != DEFAULT.epochs:
        raise InputError("--epochs is for training; with --results nothing is trained")
    try:
        from comparisons.report import page
    except ModuleNotFoundError as error:
        raise InputError(f"report needs {error.name}; pip install 'l1-parity[report]' installs it") from None
    if results is None:
        out.mkdir(exist_ok=True)
        refuse_to_overwrite(out / "article.json", "rows")
        refuse_to_overwrite(out / "styles.json", "styles")
        drawing(out)
        write_json(out / "article.json", train_article(epochs))
        styles(epochs=epochs, figures=out, json=out / "styles.json")
    found = load(results or out)
    out.mkdir(exist_ok=True)
    target.write_text(page.html(found, trained=results is None), encoding="utf-8")
    print(target)
    return page.status(found.article)


CHATTER_UPDATES = 2000  # initial weights are below 0.01, and η λ = 0.00001 a pull


def drawing(folder: Path | None) -> Callable[..., None]:
    """What draws the figures of `styles` into the folder: nothing without one."""
    if folder is None:
        return lambda *_: None
    try:
        from comparisons import figures
    except ModuleNotFoundError as error:
        raise InputError(f"--figures needs {error.name}; pip install 'l1-parity[report]' installs it") from None
    figures.refuse_to_overwrite(folder)
    return partial(figures.save, folder)


@app.command()
def styles(
    lamda: Annotated[list[float], typer.Option(parser=real, help="λ, a grid of them.")] = [0.0003, 0.001, 0.003],
    seed: Annotated[list[int], typer.Option(parser=whole, help="Several networks for each λ.")] = [0, 1, 2, 3, 4],
    epochs: Annotated[int, typer.Option(parser=whole, help="Passes over the training items.")] = DEFAULT.epochs,
    lr: Annotated[float, typer.Option(parser=real, help="η, the learning rate.")] = DEFAULT.lr,
    loss: Annotated[str, typer.Option(help="squared_error or cross_entropy.")] = DEFAULT.loss,
    optimizer: Annotated[str, typer.Option(help=f"One of {', '.join(OPTIMIZERS)}.")] = DEFAULT.optimizer,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV or NPZ file; without it the article's data.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also draw the figures, as SVG and PNG.", show_default=False)
    ] = None,
    json: JsonFile = None,
) -> int:
    """What does every style do to a network: accuracy, Σ|w|, exact zeros?"""
    refuse_to_overwrite(json, "styles")
    draw = drawing(figures)
    dataset = datasets.load(data) if data else datasets.article()
    if not (epochs > 0 and all(value > 0 for value in lamda)):
        raise InputError(f"epochs and every lamda must be > 0 here; got {epochs} and {lamda}")
    sizes = dataset.x_train.shape[1], 8, dataset.t_train.shape[1]
    base = Experiment(sizes=sizes, lr=lr, loss=loss, optimizer=optimizer, epochs=epochs)
    grid = [replace(base, lamda=value) for value in sorted(set(lamda))]
    seeds = tuple(replace(grid[0], seed=number).seed for number in dict.fromkeys(seed))
    check_names(grid[0])
    tasks = [comparisons.styles.Task(row, e, seeds, dataset) for row in comparisons.styles.rows(lr) for e in grid]
    updates = updates_of(base, dataset) * len(tasks)
    outcomes = side_by_side(comparisons.styles.sweep, tasks, updates, f"training {len(tasks) * len(seeds)} networks")
    short = replace(base, epochs=math.ceil(CHATTER_UPDATES / len(dataset.x_train)))
    paths = comparisons.styles.chatter(short, dataset)
    comparisons.tables.styles.page(outcomes, paths, dataset)
    write_json(json, comparisons.tables.styles.to_json(outcomes, paths, dataset))
    draw(outcomes, paths, dataset)
    return 0


@app.command()
def differences(
    epochs: Annotated[int, typer.Option(parser=whole, help="Passes over the training items.")] = DEFAULT.epochs,
    json: JsonFile = None,
) -> int:
    """What does each implementation difference do to the article's network?"""
    refuse_to_overwrite(json, "differences")
    if epochs < 1:
        raise InputError(f"epochs must be a whole number >= 1 here; got {epochs}")
    data = datasets.article()
    chosen = [comparisons.differences.shortened(row, epochs) for row in comparisons.differences.DIFFERENCES]
    tasks = [comparisons.differences.Task(row, data) for row in chosen]
    updates = sum(updates_of(row.one.experiment, data) for row in chosen)
    outcomes = side_by_side(comparisons.differences.measure, tasks, updates, f"training {2 * len(tasks)} networks")
    comparisons.tables.differences.page(outcomes)
    write_json(json, comparisons.tables.differences.to_json(outcomes))
    return 0


@app.command()
def lamda(
    source: Annotated[str, typer.Option("--from", help=f"The style to come from: {', '.join(STYLES)}.")],
    target: Annotated[str, typer.Option("--to", help="The style to go to.")],
    value: Annotated[float, typer.Option("--lamda", parser=real, help="λ of the style to come from.")] = DEFAULT.lamda,
    lr: Annotated[float, typer.Option(parser=real, help="η, the learning rate.")] = DEFAULT.lr,
    lr_schedule: Annotated[str, typer.Option(help=f"Of η: {', '.join(SCHEDULES)}.")] = DEFAULT.lr_schedule,
    lamda_schedule: Annotated[str, typer.Option(help="Of the λ to come from.")] = DEFAULT.lamda_schedule,
    constant: Annotated[bool, typer.Option("--constant", help="Demand one λ' for all updates.")] = False,
    optimizer: Annotated[str, typer.Option(help=f"One of {', '.join(OPTIMIZERS)}.")] = DEFAULT.optimizer,
    momentum: Annotated[float, typer.Option(parser=real, help="β of momentum, β₁ of adam.")] = DEFAULT.momentum,
    reduction: Annotated[str, typer.Option(help="Of the loss over a batch: mean or sum.")] = DEFAULT.reduction,
    to_reduction: Annotated[str | None, typer.Option(help="Where it is another one.", show_default=False)] = None,
    batch_size: Annotated[int, typer.Option(parser=whole, help="Items an update.")] = DEFAULT.batch_size,
    unit: Annotated[str, typer.Option("--lamda-unit", help=f"What --lamda is: {', '.join(UNITS)}.")] = "lamda",
    to_unit: Annotated[str, typer.Option(help="What to print.")] = "lamda",
    items: Annotated[
        int | None,
        typer.Option(parser=whole, help="n of the unit C; without it those of the data.", show_default=False),
    ] = None,
    l2: Annotated[float, typer.Option(parser=real, help="λ₂ beside the style.")] = DEFAULT.l2,
    l2_unit: Annotated[str, typer.Option(help=f"What --l2 is: {', '.join(L2_UNITS)}.")] = "half",
    prove: Annotated[bool, typer.Option("--prove", help="Train both, one in NumPy and one in PyTorch.")] = False,
    epochs: Annotated[int, typer.Option(parser=whole, help="Of --prove.")] = DEFAULT.epochs,
    seed: Annotated[int, typer.Option(parser=whole, help="Of --prove.")] = DEFAULT.seed,
    loss: Annotated[str, typer.Option(help="Of --prove: squared_error or cross_entropy.")] = DEFAULT.loss,
    json: JsonFile = None,
) -> int:
    """Which λ makes one style train as another does?"""
    refuse_to_overwrite(json, "translation")
    data = datasets.article()
    n = len(data.x_train) if items is None else items
    experiment = Experiment(
        style=source,
        lamda=to_lamda("--lamda", unit, UNITS, value, n),
        lr=lr,
        lr_schedule=lr_schedule,
        lamda_schedule=lamda_schedule,
        optimizer=optimizer,
        momentum=momentum,
        reduction=reduction,
        batch_size=batch_size,
        l2=to_lamda("--l2", l2_unit, L2_UNITS, l2, n),
        epochs=epochs,
        seed=seed,
        loss=loss,
    )
    check_names(experiment)
    found = translate(experiment, target, to_reduction, constant)
    result = in_unit(found, to_unit, n)
    proof = None
    if prove:
        check_fit(experiment, data)
        check_batches(found, data)
        (proof,) = side_by_side(
            comparisons.lamda.prove,
            [comparisons.lamda.Task(found, data)],
            updates_of(experiment, data),
            f"training {source} and {target}",
        )
    comparisons.tables.lamda.page(found, result, to_unit, proof)
    write_json(json, comparisons.tables.lamda.to_json(found, result, to_unit, proof))
    return comparisons.lamda.exit_status(found, proof)


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
