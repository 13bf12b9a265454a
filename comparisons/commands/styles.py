"""What does every style do to a network?"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import comparisons.studies.styles as study
import comparisons.tables.styles as table
from comparisons.commands import options
from comparisons.commands.options import DEFAULT, naming, real, whole
from comparisons.report.pictures import FILES
from comparisons.studies import parallel, styles_words
from reference import data as datasets
from reference.errors import InputError
from reference.experiment import Experiment, updates_of
from reference.train import check_names

CHATTER_UPDATES = 2000  # enough to reach 0: weights start below 0.01, and an update pulls by η λ = 0.00001


def drawing(folder: Path | None, option: str) -> Callable[..., None]:
    """The function that draws the figures of `styles` into the folder; one that does nothing where there is none."""
    if folder is None:
        return lambda *_: None
    with options.report_extra("figures need"):
        from comparisons.report import figures
    with naming(option):
        return partial(figures.save, figures.check_files(folder))


def styles(
    lamda: Annotated[list[float], typer.Option(parser=real, help="λ, a grid of them.")] = [0.0003, 0.001, 0.003],
    seed: Annotated[list[int], typer.Option(parser=whole, help="Several networks for each λ.")] = [0, 1, 2, 3, 4],
    epochs: options.Epochs[int] = DEFAULT.epochs,
    lr: options.Lr[float] = DEFAULT.lr,
    loss: options.Loss[str] = DEFAULT.loss,
    optimizer: options.Optimizer[str] = DEFAULT.optimizer,
    data: options.DataFile = None,
    figures: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Also draw figures, as SVG and PNG.")] = None,
    json: options.JsonFile = None,
) -> int:
    """What does every style do to a network: accuracy, Σ|w|, exact zeros?"""
    drawn = [figures / file for file in FILES] if figures else []
    write, draw = options.json_file(json, "styles", data, *drawn), drawing(figures, "--figures")
    dataset = datasets.load(data) if data else datasets.article()
    if not (epochs > 0 and all(value > 0 for value in lamda)):
        raise InputError(f"epochs and every lamda must be > 0 here; got {epochs} and {lamda}")
    sizes = dataset.x_train.shape[1], 8, dataset.t_train.shape[1]
    base = Experiment(sizes=sizes, lr=lr, loss=loss, optimizer=optimizer, epochs=epochs)
    grid = [replace(base, lamda=value) for value in sorted(set(lamda))]
    seeds = tuple(replace(grid[0], seed=number).seed for number in dict.fromkeys(seed))
    check_names(grid[0])
    rows, work = study.rows(grid), partial(study.sweep, seeds=seeds, data=dataset)
    updates = updates_of(base, dataset) * len(rows)
    outcomes = parallel.side_by_side(work, rows, updates, f"training {len(rows) * len(seeds)} networks")
    paths = study.chatter(replace(base, epochs=math.ceil(CHATTER_UPDATES / len(dataset.x_train))), dataset)
    result = styles_words.to_json(outcomes, paths, dataset)
    with options.kept(lambda: write(result), lambda: draw(outcomes, paths, dataset)):
        table.print_table(result)
    return 0
