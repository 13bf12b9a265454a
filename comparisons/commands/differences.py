"""What does each implementation difference do?"""

from functools import partial

import comparisons.studies.differences as study
import comparisons.tables.differences as table
from comparisons.commands.options import DEFAULT, Epochs, JsonFile, check_epochs, check_json
from comparisons.runs.files import write_json
from comparisons.studies import parallel
from reference import data as datasets
from reference.experiment import updates_of


def differences(epochs: Epochs[int] = DEFAULT.epochs, json: JsonFile = None) -> int:
    """What does each implementation difference do to the article's network?"""
    check_json(json, "differences")
    check_epochs(epochs)
    data = datasets.article()
    contrasts = [study.shortened(row, epochs) for row in study.DIFFERENCES]
    updates = sum(updates_of(contrast.one.experiment, data) for contrast in contrasts)
    work, title = partial(study.measure, data=data), f"training {2 * len(contrasts)} networks"
    outcomes = parallel.side_by_side(work, contrasts, updates, title)
    table.print_table(outcomes)
    write_json(json, table.to_json(outcomes))
    return 0
