"""What does each implementation difference do?"""

from functools import partial

import comparisons.studies.differences as study
import comparisons.tables.differences as table
from comparisons.commands.options import DEFAULT, Epochs, JsonFile, check_epochs, json_file, kept
from comparisons.studies import parallel
from reference import data as datasets
from reference.experiment import updates_of


def differences(epochs: Epochs[int] = DEFAULT.epochs, json: JsonFile = None) -> int:
    """What does each implementation difference do to the article's network?"""
    write = json_file(json, "differences")
    check_epochs(epochs)
    data = datasets.article()
    contrasts = [study.shortened(row, epochs) for row in study.DIFFERENCES]
    updates = sum(updates_of(contrast.one.experiment, data) for contrast in contrasts)
    work, title = partial(study.measure, data=data), f"training {2 * len(contrasts)} networks"
    outcomes = parallel.side_by_side(work, contrasts, updates, title)
    with kept(lambda: write(table.to_json(outcomes))):
        table.print_table(outcomes)
    return 0
