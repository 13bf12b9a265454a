"""What does each implementation difference do?"""

from typing import Annotated

import typer

import comparisons.studies.differences
import comparisons.tables.differences
from comparisons.commands.options import DEFAULT, JsonFile, whole
from comparisons.runs.files import refuse_to_overwrite, write_json
from comparisons.studies.parallel import side_by_side
from reference import data as datasets
from reference.errors import InputError
from reference.experiment import updates_of


def differences(
    epochs: Annotated[int, typer.Option(parser=whole, help="Passes over the training items.")] = DEFAULT.epochs,
    json: JsonFile = None,
) -> int:
    """What does each implementation difference do to the article's network?"""
    refuse_to_overwrite(json, "differences")
    if epochs < 1:
        raise InputError(f"epochs must be a whole number >= 1 here; got {epochs}")
    data = datasets.article()
    chosen = [
        comparisons.studies.differences.shortened(row, epochs) for row in comparisons.studies.differences.DIFFERENCES
    ]
    tasks = [comparisons.studies.differences.Task(row, data) for row in chosen]
    updates = sum(updates_of(row.one.experiment, data) for row in chosen)
    outcomes = side_by_side(
        comparisons.studies.differences.measure, tasks, updates, f"training {2 * len(tasks)} networks"
    )
    comparisons.tables.differences.print_table(outcomes)
    write_json(json, comparisons.tables.differences.to_json(outcomes))
    return 0
