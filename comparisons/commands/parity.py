"""Does an experiment give equal weights?"""

from itertools import chain, product
from pathlib import Path
from typing import Annotated, Any

import typer

import comparisons.studies.parity
import comparisons.tables.parity
from comparisons.commands.options import DEFAULT, JsonFile, real, sizes_of, whole
from comparisons.recorders.plain import refuse_to_overwrite as refuse_to_overwrite_trace
from comparisons.runs.files import refuse_to_overwrite, write_json
from comparisons.studies.parallel import side_by_side
from reference import data as datasets
from reference.errors import InputError
from reference.experiment import DTYPES, SCHEDULES, Experiment, check_fit, updates_of
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS
from reference.train import check_names


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
    save: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also record every run, both sides of it, for `compare`.")
    ] = None,
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
    places = traces_in(save, experiments) if save else [None] * len(experiments)
    tasks = [
        comparisons.studies.parity.Task(experiment, dataset, certify, place)
        for experiment, place in zip(experiments, places, strict=True)
    ]
    updates = sum(updates_of(experiment, dataset) for experiment in experiments) * (1 + certify)
    results = side_by_side(comparisons.studies.parity.check, tasks, updates, f"comparing {len(tasks)} runs")
    comparisons.tables.parity.print_table(results)
    write_json(json, comparisons.tables.parity.to_json(results))
    return comparisons.tables.parity.status(results)


def traces_in(folder: Path, experiments: list[Experiment]) -> list[tuple[Path, Path]]:
    """1-reference.npz, 1-candidate.npz, 2-… in the folder, which is made; InputError where any exists."""
    if any(experiment.precision != "rounded" for experiment in experiments):
        raise InputError("--save is for rounded runs; the others are restarted before every update")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--save {folder}: is no folder")
    if not folder.parent.is_dir():
        raise InputError(f"--save {folder}: there is no folder {folder.parent}")
    places = [
        (folder / f"{number}-reference.npz", folder / f"{number}-candidate.npz")
        for number in range(1, len(experiments) + 1)
    ]
    if folder.is_dir():
        for path in chain(*places):
            refuse_to_overwrite_trace(path)
    folder.mkdir(exist_ok=True)
    return places
