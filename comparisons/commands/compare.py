"""Are two recorded runs the same?"""

from pathlib import Path
from typing import Annotated

import typer

from comparisons.agreement.traces import check_ulps
from comparisons.commands.options import (
    AllowRounding,
    ExperimentFile,
    JsonFile,
    MapFile,
    Partial,
    command_line,
    json_file,
    kept,
    naming,
    real,
)
from comparisons.runs.experiment_file import articles, read_experiment
from comparisons.runs.names import propose, read_names
from comparisons.runs.trace import open_trace
from comparisons.same_training import Asked, finding_of


def compare(
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE.npz", help="A trace: what is right.")],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE.npz", help="A trace: what is to be proved equal.")],
    names: MapFile = None,
    propose_map: Annotated[bool, typer.Option("--propose-map", help="Print a map that fits, to be confirmed.")] = False,
    experiment: ExperimentFile = None,
    ulps: Annotated[float, typer.Option(parser=real, help="Tolerance, in ULPs of the largest element.")] = 0.0,
    allow_rounding: AllowRounding = False,
    partial: Partial = False,
    json: JsonFile = None,
) -> int:
    """Are two recorded runs the same, and if not, why?"""
    write = json_file(json, "compare", reference, candidate, names, experiment)
    with naming(ulps="--ulps"):
        check_ulps(ulps)
    one, other = open_trace(reference), open_trace(candidate)
    if propose_map:
        print(propose(one, other), end="")
        return 0
    said, data = read_experiment(experiment) if experiment else (None, None)
    if said and data is None:
        data = articles(said, one)
    asked = Asked(read_names(names) if names else {}, ulps, allow_rounding, partial, said, data)
    finding = finding_of(one, other, asked, command_line())
    with kept(lambda: write(finding.to_json())):
        print(finding.report)
    return finding.exit_status
