"""Are two recorded runs the same?"""

import math
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from comparisons.commands.options import JsonFile, MapFile, real
from comparisons.runs.experiment_file import articles, read_experiment
from comparisons.runs.files import refuse_to_overwrite, write_json
from comparisons.runs.names import propose, read_names
from comparisons.runs.trace import open_trace
from comparisons.same_training import find
from reference.errors import InputError


def compare(
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE.npz", help="A trace: what is right.")],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE.npz", help="A trace: what is to be proved equal.")],
    names: MapFile = None,
    propose_map: Annotated[bool, typer.Option("--propose-map", help="Print a map that fits, to be confirmed.")] = False,
    experiment: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML: the experiment that both should be, for the diagnosis."),
    ] = None,
    ulps: Annotated[float, typer.Option(parser=real, help="Tolerance, in ULPs of the largest element.")] = 0.0,
    json: JsonFile = None,
) -> int:
    """Are two recorded runs the same, and if not, why?"""
    refuse_to_overwrite(json, "comparison")
    if not 0 <= ulps < math.inf:
        raise InputError(f"--ulps must be a number >= 0; got {ulps:g}")
    one, other = open_trace(reference), open_trace(candidate)
    if propose_map:
        print(propose(one, other), end="")
        return 0
    said, data = read_experiment(experiment) if experiment else (None, None)
    if said and data is None:
        data = articles(said, one)
    again = shlex.join(["python", "-m", "comparisons", *sys.argv[1:]])
    finding = find(one, other, read_names(names) if names else {}, ulps, said, data, again)
    print(finding.report)
    write_json(json, finding.to_json())
    return finding.comparison.exit_status
