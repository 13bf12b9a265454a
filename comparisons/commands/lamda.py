"""Which λ makes one style train as another does?"""

from functools import partial
from typing import Annotated

import typer

import comparisons.tables.lamda as table
from comparisons.commands import options
from comparisons.commands.options import DEFAULT, naming, real, whole
from comparisons.lamda import proof, translation, units
from comparisons.studies import parallel
from reference import data as datasets
from reference.experiment import Experiment, check_fit, updates_of
from reference.l1 import STYLES
from reference.train import check_names


def lamda(
    source: Annotated[str, typer.Option("--from", help=f"The style to come from: {', '.join(STYLES)}.")],
    target: Annotated[str, typer.Option("--to", help="The style to go to.")],
    value: Annotated[float, typer.Option("--lamda", parser=real, help="λ of the style to come from.")] = DEFAULT.lamda,
    lr: options.Lr[float] = DEFAULT.lr,
    lr_schedule: options.LrSchedule[str] = DEFAULT.lr_schedule,
    lamda_schedule: options.LamdaSchedule[str] = DEFAULT.lamda_schedule,
    constant: Annotated[bool, typer.Option("--constant", help="Demand one λ' for all updates.")] = False,
    optimizer: options.Optimizer[str] = DEFAULT.optimizer,
    momentum: options.Momentum[float] = DEFAULT.momentum,
    reduction: options.Reduction[str] = DEFAULT.reduction,
    to_reduction: Annotated[str | None, typer.Option(help="Of the loss to go to; without it the same.")] = None,
    batch_size: options.BatchSize[int] = DEFAULT.batch_size,
    unit: Annotated[str, typer.Option("--lamda-unit", help=f"What --lamda is: {', '.join(units.UNITS)}.")] = "lamda",
    to_unit: Annotated[str, typer.Option(help="What to print: one of the same units.")] = "lamda",
    items: Annotated[int | None, typer.Option(parser=whole, help="n of the unit C; without it the data's.")] = None,
    l2: options.L2[float] = DEFAULT.l2,
    l2_unit: Annotated[str, typer.Option(help=f"What --l2 is: {', '.join(units.L2_UNITS)}.")] = "half",
    prove: Annotated[bool, typer.Option("--prove", help="Train both, with --epochs, --seed and --loss.")] = False,
    epochs: options.Epochs[int] = DEFAULT.epochs,
    seed: options.Seed[int] = DEFAULT.seed,
    loss: options.Loss[str] = DEFAULT.loss,
    json: options.JsonFile = None,
) -> int:
    """Which λ makes one style train as another does?"""
    write = options.json_file(json, "lamda")
    data = datasets.article()
    n = len(data.x_train) if items is None else items
    with naming(value="--lamda", unit="--lamda-unit", items="--items"):
        lamda = units.to_lamda(value, unit, units.UNITS, n)
    with naming(value="--l2", unit="--l2-unit"):
        l2 = units.to_lamda(l2, l2_unit, units.L2_UNITS, n)
    experiment = Experiment(style=source, **options.fields_among(locals()))
    with naming(style="--from"):
        check_names(experiment)
    with naming(style="--to", reduction="--to-reduction", unit="--to-unit"):
        found = translation.translate_lamda(experiment, target, to_reduction, constant)
        result = units.in_unit(found.target.lamda, to_unit, n)
    shown = None
    if prove:
        check_fit(experiment, data)
        with naming(batch_size="--batch-size"):
            proof.check_batches(found, data)
        work, updates = partial(proof.prove, data=data), updates_of(experiment, data)
        (shown,) = parallel.side_by_side(work, [found], updates, f"training {source} and {target}")
    with options.kept(lambda: write(table.to_json(found, result, to_unit, shown))):
        table.print_table(found, result, to_unit, shown)
    return proof.exit_status(found, shown)
