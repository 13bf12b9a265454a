"""Which λ makes one style train as another does?"""

from typing import Annotated

import typer

import comparisons.lamda.proof
import comparisons.tables.lamda
from comparisons.commands.options import DEFAULT, JsonFile, real, whole
from comparisons.lamda.translation import L2_UNITS, UNITS, in_unit, to_lamda, translate_lamda
from comparisons.runs.files import refuse_to_overwrite, write_json
from comparisons.studies.parallel import side_by_side
from reference import data as datasets
from reference.experiment import SCHEDULES, Experiment, check_fit, updates_of
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS
from reference.train import check_names


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
    found = translate_lamda(experiment, target, to_reduction, constant)
    result = in_unit(found, to_unit, n)
    proof = None
    if prove:
        check_fit(experiment, data)
        comparisons.lamda.proof.check_batches(found, data)
        (proof,) = side_by_side(
            comparisons.lamda.proof.prove,
            [comparisons.lamda.proof.Task(found, data)],
            updates_of(experiment, data),
            f"training {source} and {target}",
        )
    comparisons.tables.lamda.print_table(found, result, to_unit, proof)
    write_json(json, comparisons.tables.lamda.to_json(found, result, to_unit, proof))
    return comparisons.lamda.proof.exit_status(found, proof)
