"""assert_same_training: two training codes, or two recorded runs, must be the same; in pytest or anywhere.

A training code is handed over as three functions, `TrainingCode`. The two are trained in lockstep: before every update
the candidate is given the reference's parameters, so that nothing builds up, and one update of both is compared.
"""

import shlex
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from comparisons.agreement.traces import Comparison, compare_traces
from comparisons.diagnosis.evidence import COMPUTED, RECORDED, Evidence, as_state, gather
from comparisons.diagnosis.search import Diagnosis, diagnose, lamda_acts
from comparisons.diagnosis.words import headline, text, to_json
from comparisons.recorders.plain import Recorder
from comparisons.runs.experiment_file import stated
from comparisons.runs.names import Names, line_up
from comparisons.runs.trace import Column, Trace, open_trace, shown
from reference.data import Dataset
from reference.errors import InputError
from reference.experiment import Experiment
from reference.train import train

State = Mapping[str, np.ndarray]


class TrainingCode(Protocol):
    """A training code: parameters in, one update, parameters out."""

    def load_state(self, state: State) -> None:
        """Go on from these parameters, by their names; what an optimizer remembers stays as it is."""

    def step(self, *batch: Any) -> None:
        """One update from a batch."""

    def state(self) -> State:
        """The parameters as they are."""

    # A reference may also have gradients(self) -> State: what the optimizer was given for the last update, with the
    # penalty where that is a part of the loss. It lets more be told: Adam's updates do not tell their gradients.


@dataclass(frozen=True)
class Finding:
    """A comparison, and why it came out as it did."""

    comparison: Comparison
    evidence: Evidence | None
    diagnosis: Diagnosis | None
    again: str

    @property
    def report(self) -> str:
        """All of it, as text."""
        return text(self.comparison, self.evidence, self.diagnosis, self.again)

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs: the result file of `compare`."""
        return to_json(self.comparison, self.evidence, self.diagnosis)


class TrainingDiffersError(AssertionError):
    """Two runs are not the same, or nothing was proved. The first line says which; `finding` holds the rest."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(headline(finding.comparison))


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
    """Raise TrainingDiffersError unless both are the same, bit for bit, and something was proved by that.

    reference, candidate: two traces, or two trainers with batches to train them with. names: as in `lineup`. ulps: a
    tolerance, in ε max|w| of the parameter. rounded: trainers' parameters are rounded to float32 after every update, so
    that the rounding of two frameworks' float64 (some 1e-16) does not count. experiment: what both should do, for
    the diagnosis; with its data, too, where it is a network of `reference`. folder: where trainers' traces are kept.
    Raises InputError for traces that cannot be read, and for parameters that do not line up.
    """
    __tracebackhide__ = True
    names = names or {}
    if isinstance(reference, (str, Path)) and isinstance(candidate, (str, Path)):
        traces = open_trace(Path(reference)), open_trace(Path(candidate))
        return judged(find(*traces, names, ulps, experiment, data, command(reference, candidate, names, ulps)))
    if isinstance(reference, (str, Path)) or isinstance(candidate, (str, Path)) or batches is None:
        raise InputError("two traces are needed, or two trainers and batches")
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary)
        paths = place / "reference.npz", place / "candidate.npz"
        other = in_lockstep(reference, candidate, batches, names, rounded, paths)
        again = command(*paths, names, ulps) if folder else KEEP
        found = find(open_trace(paths[0]), open_trace(paths[1]), names, ulps, experiment, data, again)
        return judged(with_notes(found, [f"{GIVEN} {', '.join(other)}"] if other else []))


GIVEN = "the candidate, which was given the reference's parameters, would by itself start with other"
KEEP = "folder=… keeps the two traces, for python -m comparisons compare"


def command(reference: str | Path, candidate: str | Path, names: Names, ulps: float) -> str:
    """What compares two traces again on the command line."""
    options = [*(["--map", "FILE"] if names else []), *(["--ulps", f"{ulps:g}"] if ulps else [])]
    return shlex.join(["python", "-m", "comparisons", "compare", str(reference), str(candidate), *options])


def with_notes(finding: Finding, notes: list[str]) -> Finding:
    """The finding with these before its own notes."""
    comparison = finding.comparison
    return replace(finding, comparison=replace(comparison, notes=[*notes, *comparison.notes]))


def judged(finding: Finding) -> Finding:
    """The finding, if it is exit status 0."""
    __tracebackhide__ = True
    if finding.comparison.exit_status:
        raise TrainingDiffersError(finding)
    return finding


def find(
    reference: Trace,
    candidate: Trace,
    names: Names,
    ulps: float,
    experiment: Experiment | None,
    data: Dataset | None,
    again: str,
) -> Finding:
    """Compare two traces, and where they differ, say why, by the experiment, or the one that the reference names."""
    comparison = compare_traces(reference, candidate, names, ulps)
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
    """What is wrong in the candidate; if that is as the experiment has it, what is wrong in the reference."""
    found = diagnose(evidence)
    if found.update is None and not found.explanations and evidence.source in (COMPUTED, RECORDED):
        turned = gather(comparison, evidence.experiment, evidence.data, "reference")
        if (other := diagnose(turned)).update:
            return turned, other
    return evidence, found


def in_lockstep(
    reference: TrainingCode,
    candidate: TrainingCode,
    batches: Iterable[tuple[Any, ...]],
    names: Names,
    rounded: bool,
    paths: tuple[Path, Path],
) -> list[str]:
    """Train both, the candidate from the reference's parameters before every update, and record them.

    Returns the names of the parameters with which the candidate would have started otherwise.
    """
    before, own = copied(reference.state(), rounded), copied(candidate.state(), rounded)
    pairs = line_up(columns(before), columns(own), names)
    other = [p.reference for p in pairs if not np.array_equal(p.turned(own[p.candidate]), before[p.reference])]
    header, slopes = {"lockstep": True}, getattr(reference, "gradients", None)
    with Recorder(paths[0], header=header) as expected, Recorder(paths[1], header=header) as actual:
        given = {pair.candidate: pair.returned(before[pair.reference]) for pair in pairs}
        load("reference", reference, before)
        load("candidate", candidate, {name: array + 1 for name, array in given.items()})
        check("reference", reference, before, "the two share their parameters: what the candidate was given changed it")
        load("candidate", candidate, given)
        expected.update(before)
        actual.update(given)
        for batch in batches:
            candidate.load_state({pair.candidate: pair.returned(before[pair.reference]) for pair in pairs})
            reference.step(*batch)
            candidate.step(*batch)
            before = copied(reference.state(), rounded)
            if rounded:
                reference.load_state(before)
            expected.update(before, gradients=slopes() if slopes else None)
            actual.update(copied(candidate.state(), rounded))
    return other


def load(who: str, trainer: TrainingCode, given: State) -> None:
    """Hand the parameters over. Raises InputError if the trainer does not have them afterwards."""
    trainer.load_state(given)
    check(who, trainer, given, "load_state does not load")


def check(who: str, trainer: TrainingCode, given: State, fault: str) -> None:
    """Raise InputError unless the trainer has these parameters, in its own type."""
    for name, found in copied(trainer.state(), rounded=False).items():
        asked = given[name].astype(found.dtype)
        differs = np.argwhere(found != asked)
        if len(differs):
            index = tuple(differs[0].tolist())
            where = f"{name}{list(index)} is {float(found[index])!r}, and was given as {float(asked[index])!r}"
            raise InputError(f"the {who}: {fault}: {where}")


def copied(state: State, rounded: bool) -> dict[str, np.ndarray]:
    """A copy, on the float32 grid if it is to be rounded, in the type that the parameters have."""
    arrays = {name: np.array(array) for name, array in state.items()}
    return {name: a.astype(np.float32).astype(a.dtype) for name, a in arrays.items()} if rounded else arrays


def columns(state: State) -> dict[str, Column]:
    """The parameters as columns, for lining up."""
    return {name: Column(name, 1, array.shape, array.dtype) for name, array in state.items()}


def record_reference(path: Path, experiment: Experiment, data: Dataset, updates: int) -> None:
    """The reference's run of the experiment, as a trace of at most so many updates."""
    said = {**asdict(experiment), "data": data.name}
    with Recorder(path, framework=f"NumPy {np.__version__}", experiment=said) as trace:
        for parameters in islice(train(experiment, data), updates + 1):
            trace.update(as_state(parameters))
