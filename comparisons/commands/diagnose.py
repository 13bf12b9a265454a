"""Is a recorded run the experiment that it should be?"""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from comparisons.commands.options import (
    AllowRounding,
    ExperimentFile,
    JsonFile,
    MapFile,
    Partial,
    command_line,
    json_file,
    kept,
)
from comparisons.runs.experiment_file import check_affordable, read_experiment, stated
from comparisons.runs.names import read_names
from comparisons.runs.trace import UPDATES, open_trace
from comparisons.same_training import Asked, finding_of, record_reference
from reference import data as datasets
from reference.errors import InputError
from reference.experiment import check_fit, updates_of


def diagnose(
    trace: Annotated[Path, typer.Argument(metavar="TRACE.npz", help="A recorded run.")],
    experiment: ExperimentFile = None,
    names: MapFile = None,
    allow_rounding: AllowRounding = False,
    partial: Partial = False,
    json: JsonFile = None,
) -> int:
    """Is a recorded run the experiment that it should be, and if not, why?"""
    write = json_file(json, "diagnose", trace, experiment, names)
    recorded = open_trace(trace)
    said, data = read_experiment(experiment) if experiment else stated(recorded)
    if said is None or (data is None and experiment is None):
        raise InputError(f"{trace}: does not say which experiment it is of; --experiment FILE does")
    if data is None:
        data = datasets.article()
        check_fit(said, data)
    check_affordable(said, data, recorded)
    updates, pairs = recorded.read(UPDATES), read_names(names) if names else {}
    with tempfile.TemporaryDirectory() as folder:
        right = Path(folder) / "reference.npz"
        record_reference(right, said, data, int(updates[-1]) if len(updates) else 0)
        asked = Asked(pairs, 0.0, allow_rounding, partial, said, data, updates_of(said, data))
        finding = finding_of(open_trace(right), recorded, asked, command_line())
    with kept(lambda: write(finding.to_json())):
        print(finding.report)
    return finding.exit_status
