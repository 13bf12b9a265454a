"""Are two recorded runs the same?"""

import math
from pathlib import Path
from typing import Annotated

import typer

from comparisons.commands.options import ExperimentFile, JsonFile, MapFile, check_json, command_line, real
from comparisons.runs.experiment_file import articles, read_experiment
from comparisons.runs.files import write_json
from comparisons.runs.names import propose, read_names
from comparisons.runs.trace import open_trace
from comparisons.same_training import finding_of
from reference.errors import InputError


def compare(
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE.npz", help="A trace: what is right.")],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE.npz", help="A trace: what is to be proved equal.")],
    names: MapFile = None,
    propose_map: Annotated[bool, typer.Option("--propose-map", help="Print a map that fits, to be confirmed.")] = False,
    experiment: ExperimentFile = None,
    ulps: Annotated[float, typer.Option(parser=real, help="Tolerance, in ULPs of the largest element.")] = 0.0,
    json: JsonFile = None,
) -> int:
    """Are two recorded runs the same, and if not, why?"""
    check_json(json, "comparison")
    if not 0 <= ulps < math.inf:
        raise InputError(f"--ulps must be a number >= 0; got {ulps:g}")
    one, other = open_trace(reference), open_trace(candidate)
    if propose_map:
        print(propose(one, other), end="")
        return 0
    said, data = read_experiment(experiment) if experiment else (None, None)
    if said and data is None:
        data = articles(said, one)
    finding = finding_of(one, other, read_names(names) if names else {}, ulps, said, data, command_line())
    print(finding.report)
    write_json(json, finding.to_json())
    return finding.exit_status
