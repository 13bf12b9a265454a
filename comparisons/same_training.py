"""assert_same_training and compare: are two recorded runs, or two training codes, the same; and if not, why?

A training code is handed over as three functions, `TrainingCode`. The two are trained in lockstep: before every update
the candidate is given the reference's parameters, so that no difference builds up, and one update of both is compared.
"""

import shlex
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from comparisons.agreement.traces import Comparison, compare_traces
from comparisons.diagnosis.evidence import Evidence, gather
from comparisons.diagnosis.finding import Finding
from comparisons.diagnosis.search import Diagnosis, diagnose, lamda_acts
from comparisons.recorders.plain import Recorder
from comparisons.runs.experiment_file import stated
from comparisons.runs.names import ArraysByName, Names, as_state, line_up
from comparisons.runs.trace import Column, Trace, open_trace, shown
from reference.data import Dataset
from reference.errors import InputError
from reference.experiment import Experiment
from reference.train import train


class TrainingCode(Protocol):
    """A training code: parameters in, one update, parameters out."""

    def load_state(self, state: ArraysByName) -> None:
        """Go on from these parameters, by their names; what an optimizer remembers stays as it is."""

    def step(self, *batch: Any) -> None:
        """One update from a batch."""

    def state(self) -> ArraysByName:
        """The parameters as they are."""

    # A reference may also have gradients(self) -> ArraysByName: the gradients that the optimizer was given for the last
    # update, with the penalty where that is a part of the loss. They help where an update does not tell its gradient
    # (Adam).


class TrainingDiffersError(AssertionError):
    """Two runs are not the same, or nothing was proved. The message is the report; `finding` holds the rest."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.report)

    def _repr_html_(self) -> str:
        return self.finding._repr_html_()


def compare(
    reference: str | Path,
    candidate: str | Path,
    *,
    names: Names | None = None,
    ulps: float = 0.0,
    experiment: Experiment | None = None,
    data: Dataset | None = None,
) -> Finding:
    """Are two recorded runs the same, and if not, why?

    reference, candidate: two traces. names, ulps, experiment, data: as of `assert_same_training`.
    Raises InputError for traces that cannot be read, and for parameters that do not line up.
    """
    one, other, names = Path(reference), Path(candidate), names or {}
    again = command_for(one, other, names, ulps)
    return finding_of(open_trace(one), open_trace(other), names, ulps, experiment, data, again)


def assert_same_training(
    reference: str | Path | TrainingCode,
    candidate: str | Path | TrainingCode,
    batches: Iterable[tuple[Any, ...]] | None = None,
    *,
    names: Names | None = None,
    ulps: float = 0.0,
    rounded: bool = True,
    experiment: Experiment | None = None,
    data: Dataset | None = None,
    folder: str | Path | None = None,
) -> Finding:
    """Raise TrainingDiffersError unless both are the same, bit for bit, and that proves something.

    reference, candidate: two traces, or two training codes with batches to train them with. names: which parameter is
    which, as in `runs.names`. ulps: a tolerance, in ε max|w| of the parameter. rounded: the parameters of training
    codes are rounded to float32 after every update, so that the rounding of two frameworks' float64 (some 1e-16) does
    not count. experiment: what both should do, for the diagnosis; with its data, too, where it is a network of
    `reference`. folder: where the traces of training codes are kept.
    Raises InputError for traces that cannot be read, and for parameters that do not line up.
    """
    __tracebackhide__ = True
    if isinstance(reference, (str, Path)) and isinstance(candidate, (str, Path)):
        return judged(compare(reference, candidate, names=names, ulps=ulps, experiment=experiment, data=data))
    if isinstance(reference, (str, Path)) or isinstance(candidate, (str, Path)) or batches is None:
        raise InputError("two traces are needed, or two training codes and batches")
    names = names or {}
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary)
        paths = place / "reference.npz", place / "candidate.npz"
        notes = train_in_lockstep(reference, candidate, batches, names, rounded, paths)
        again = command_for(*paths, names, ulps) if folder else KEEP
        traces = open_trace(paths[0]), open_trace(paths[1])
        return judged(finding_of(*traces, names, ulps, experiment, data, again, notes))


SHARED = "the two share their parameters: loading the candidate changed it"
GIVEN = "the candidate was given the reference's parameters; by itself it would start with other"
KEEP = "folder=… keeps the two traces, for python -m comparisons compare"


def command_for(reference: Path, candidate: Path, names: Names, ulps: float) -> str:
    """What compares two traces again on the command line."""
    options = [*(["--map", "FILE"] if names else []), *(["--ulps", f"{ulps:g}"] if ulps else [])]
    return shlex.join(["python", "-m", "comparisons", "compare", str(reference), str(candidate), *options])


def judged(finding: Finding) -> Finding:
    """The finding, if its exit status is 0. Raises TrainingDiffersError otherwise."""
    __tracebackhide__ = True
    if finding.exit_status:
        raise TrainingDiffersError(finding)
    return finding


def finding_of(
    reference: Trace,
    candidate: Trace,
    names: Names,
    ulps: float,
    experiment: Experiment | None,
    data: Dataset | None,
    again: str,
    notes: Sequence[str] = (),
) -> Finding:
    """Compare two traces; where they differ, say why, by the experiment given or the one that the reference states."""
    comparison = compare_traces(reference, candidate, names, ulps)
    comparison = replace(comparison, notes=[*notes, *comparison.notes])
    if comparison.exit_status == 3:
        return Finding(comparison, None, None, again)
    if experiment is None:
        try:
            experiment, data = stated(reference)
        except InputError as error:
            comparison = replace(comparison, notes=[*comparison.notes, f"{shown(error)}; it is not used"])
    evidence = gather(comparison, experiment, data)
    if comparison.exit_status == 1:
        return Finding(comparison, *explained(comparison, evidence), again)
    if not lamda_acts(evidence):
        no_effect = f"λ = {evidence.base.lamda:g} has no effect: the updates are those without L1"
        comparison = replace(comparison, vacuous=[*comparison.vacuous, no_effect])
    return Finding(comparison, None, None, again)


def explained(comparison: Comparison, evidence: Evidence) -> tuple[Evidence, Diagnosis]:
    """What is wrong in the candidate; if the candidate is as the experiment says, what is wrong in the reference."""
    found = diagnose(evidence)
    if found.update is None and not found.explanations and evidence.gradients_known:
        turned = gather(comparison, evidence.experiment, evidence.data, "reference")
        if (other := diagnose(turned)).update:
            return turned, other
    return evidence, found


# --- two training codes -------------------------------------------------------------------------------------------


def train_in_lockstep(
    reference: TrainingCode,
    candidate: TrainingCode,
    batches: Iterable[tuple[Any, ...]],
    names: Names,
    rounded: bool,
    paths: tuple[Path, Path],
) -> list[str]:
    """Train both, the candidate from the reference's parameters before every update, and record them.

    Returns a note of the parameters with which the candidate would have started otherwise.
    """
    before, own = copied(reference.state(), rounded), copied(candidate.state(), rounded)
    pairs = line_up(columns(before), columns(own), names)
    other = [p.reference for p in pairs if not np.array_equal(p.turned(own[p.candidate]), before[p.reference])]
    header, gradients = {"lockstep": True}, getattr(reference, "gradients", None)
    with Recorder(paths[0], header=header) as expected, Recorder(paths[1], header=header) as actual:
        given = {pair.candidate: pair.returned(before[pair.reference]) for pair in pairs}
        shifted, does_not_load = {name: array + 1 for name, array in given.items()}, "load_state does not load"
        reference.load_state(before)
        check_loaded("reference", reference, before, does_not_load)
        for state in (shifted, given):
            candidate.load_state(state)
            check_loaded("candidate", candidate, state, does_not_load)
            check_loaded("reference", reference, before, SHARED)
        expected.update(before)
        actual.update(given)
        for batch in batches:
            candidate.load_state({pair.candidate: pair.returned(before[pair.reference]) for pair in pairs})
            reference.step(*batch)
            candidate.step(*batch)
            before = copied(reference.state(), rounded)
            if rounded:
                reference.load_state(before)
            expected.update(before, gradients=gradients() if gradients else None)
            actual.update(copied(candidate.state(), rounded))
    return [f"{GIVEN} {', '.join(other)}"] if other else []


def check_loaded(who: str, code: TrainingCode, given: ArraysByName, fault: str) -> None:
    """Raise InputError unless the training code has these parameters, in its own type."""
    for name, found in copied(code.state(), rounded=False).items():
        asked = given[name].astype(found.dtype)
        differs = np.argwhere(found != asked)
        if len(differs):
            index = tuple(differs[0].tolist())
            where = f"{name}{list(index)} is {float(found[index])!r}, and was given as {float(asked[index])!r}"
            raise InputError(f"the {who}: {fault}: {where}")


def copied(state: ArraysByName, rounded: bool) -> ArraysByName:
    """A copy, rounded to float32 if asked for, in the type that the parameters have."""
    arrays = {name: np.array(array) for name, array in state.items()}
    return {name: a.astype(np.float32).astype(a.dtype) for name, a in arrays.items()} if rounded else arrays


def columns(state: ArraysByName) -> dict[str, Column]:
    """The parameters as columns, for lining up."""
    return {name: Column(name, 1, array.shape, array.dtype) for name, array in state.items()}


def record_reference(path: Path, experiment: Experiment, data: Dataset, updates: int) -> None:
    """Record the reference's run of the experiment: the start, and at most so many updates."""
    said = {**asdict(experiment), "data": data.name}
    with Recorder(path, framework=f"NumPy {np.__version__}", experiment=said) as trace:
        for parameters in islice(train(experiment, data), updates + 1):
            trace.update(as_state(parameters))
