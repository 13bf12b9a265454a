"""Does an experiment give equal weights?"""

from itertools import chain, product
from pathlib import Path
from typing import Annotated

import typer

import comparisons.studies.parity as study
import comparisons.tables.parity as table
from comparisons.commands import options
from comparisons.commands.options import DEFAULT, naming, real
from comparisons.runs.journal import journals
from comparisons.runs.targets import check_folder, check_target, make_folder
from comparisons.studies import parallel
from reference import data as datasets
from reference.errors import InputError
from reference.experiment import DTYPES, Experiment, check_fit, updates_of
from reference.l1 import STYLES
from reference.train import check_names


def parity(
    style: Annotated[list[str], typer.Option(help=f"How λ enters an update: {', '.join(STYLES)}.")] = [DEFAULT.style],
    lamda: Annotated[list[float], typer.Option(parser=real, help="λ, the coefficient of Σ|w|.")] = [DEFAULT.lamda],
    seed: options.Seed[list[int]] = [DEFAULT.seed],
    epochs: options.Epochs[int] = DEFAULT.epochs,
    sizes: Annotated[list[str], typer.Option(help="Units of each layer, as 10-8-4; by default 8 hidden units.")] = [],
    lr: options.Lr[list[float]] = [DEFAULT.lr],
    lr_schedule: options.LrSchedule[list[str]] = [DEFAULT.lr_schedule],
    lamda_schedule: options.LamdaSchedule[list[str]] = [DEFAULT.lamda_schedule],
    optimizer: options.Optimizer[list[str]] = [DEFAULT.optimizer],
    momentum: options.Momentum[list[float]] = [DEFAULT.momentum],
    l2: options.L2[list[float]] = [DEFAULT.l2],
    loss: options.Loss[list[str]] = [DEFAULT.loss],
    softmax_derivative: Annotated[list[str], typer.Option(help="full or diagonal.")] = [DEFAULT.softmax_derivative],
    reduction: options.Reduction[list[str]] = [DEFAULT.reduction],
    precision: Annotated[list[str], typer.Option(help=f"One of {', '.join(DTYPES)}.")] = [DEFAULT.precision],
    batch_size: options.BatchSize[list[int]] = [DEFAULT.batch_size],
    data: options.DataFile = None,
    certify: Annotated[
        bool, typer.Option("--certify", help="Check rounded runs in lockstep too: how near was a differing bit?")
    ] = False,
    save: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Also record both sides, for `compare`.")] = None,
    json: options.JsonFile = None,
) -> int:
    """Does an experiment give equal weights? Options that are given several times make a matrix."""
    write = options.json_file(json, "parity", data)
    dataset = datasets.load(data) if data else datasets.article()
    shapes = [sizes_of(text) for text in sizes] or [(dataset.x_train.shape[1], 8, dataset.t_train.shape[1])]
    # each option that is named like a field of Experiment is an axis of the matrix; the last one changes first
    matrix = options.fields_among(locals()) | {"epochs": [epochs], "sizes": shapes}
    experiments = [Experiment(**dict(zip(matrix, values, strict=True))) for values in product(*matrix.values())]
    for experiment in experiments:
        check_names(experiment)
        check_fit(experiment, dataset)
    places = traces_in(save, experiments, json) if save else [None] * len(experiments)
    checks = [study.ParityCheck(e, dataset, certify, place) for e, place in zip(experiments, places, strict=True)]
    updates = sum(updates_of(experiment, dataset) for experiment in experiments) * (1 + certify)
    results = parallel.side_by_side(study.check, checks, updates, f"comparing {len(checks)} runs")
    with options.kept(lambda: write(table.to_json(results))):
        table.print_table(results)
    return table.status(results)


def sizes_of(text: str) -> tuple[int, ...]:
    """10-8-4 or 10,8,4 as (10, 8, 4)."""
    try:
        return tuple(int(part) for part in text.replace(",", "-").split("-"))
    except ValueError:
        raise InputError(f"sizes must be whole numbers joined by '-', such as 10-8-4; got {text}") from None


def traces_in(folder: Path, experiments: list[Experiment], json: Path | None) -> list[tuple[Path, Path]]:
    """1-reference.npz, 1-candidate.npz, 2-… in the folder, which is made; InputError where any exists, or is json."""
    if any(experiment.precision != "rounded" for experiment in experiments):
        raise InputError("--save is for rounded runs; the others are restarted before every update")
    with naming("--save"):
        check_folder(folder)
        make_folder(folder)
        numbers = range(1, len(experiments) + 1)
        places = [(folder / f"{n}-reference.npz", folder / f"{n}-candidate.npz") for n in numbers]
        for path in chain.from_iterable(places):
            for file in (path, *journals(path)):
                check_target(file)
    if json:
        with naming("--json"):
            options.check_apart(json, *chain.from_iterable(places))
    return places
