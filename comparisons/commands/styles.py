"""What does every style do to a network?"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import comparisons.studies.styles
import comparisons.tables.styles
from comparisons.commands.options import DEFAULT, JsonFile, real, whole
from comparisons.runs.files import refuse_to_overwrite, write_json
from comparisons.studies.parallel import side_by_side
from reference import data as datasets
from reference.errors import InputError
from reference.experiment import Experiment, updates_of
from reference.optimizers import OPTIMIZERS
from reference.train import check_names

CHATTER_UPDATES = 2000  # initial weights are below 0.01, and η λ = 0.00001 a pull


def drawing(folder: Path | None) -> Callable[..., None]:
    """What draws the figures of `styles` into the folder: nothing without one."""
    if folder is None:
        return lambda *_: None
    try:
        from comparisons.report import figures
    except ModuleNotFoundError as error:
        raise InputError(f"--figures needs {error.name}; pip install 'l1-parity[report]' installs it") from None
    figures.refuse_to_overwrite(folder)
    return partial(figures.save, folder)


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
    tasks = [
        comparisons.studies.styles.Task(row, e, seeds, dataset)
        for row in comparisons.studies.styles.rows(lr)
        for e in grid
    ]
    updates = updates_of(base, dataset) * len(tasks)
    outcomes = side_by_side(
        comparisons.studies.styles.sweep, tasks, updates, f"training {len(tasks) * len(seeds)} networks"
    )
    short = replace(base, epochs=math.ceil(CHATTER_UPDATES / len(dataset.x_train)))
    paths = comparisons.studies.styles.chatter(short, dataset)
    comparisons.tables.styles.print_table(outcomes, paths, dataset)
    write_json(json, comparisons.tables.styles.to_json(outcomes, paths, dataset))
    draw(outcomes, paths, dataset)
    return 0
