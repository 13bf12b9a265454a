"""assert_same_training and compare: are two recorded runs, or two training codes, the same; and if not, why?

A training code is handed over as three functions, `TrainingCode`. The two are trained in lockstep: before every update
the candidate is given the reference's parameters, so that no difference builds up, and one update of both is compared.
"""

import shlex
import tempfile
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from comparisons.agreement.beside import MOST_SHARE, NOISE_ULPS, compare_beside
from comparisons.agreement.traces import PARTIAL, Comparison, check_ulps, compare_traces
from comparisons.diagnosis.evidence import Evidence, gather
from comparisons.diagnosis.finding import Finding
from comparisons.diagnosis.lamda_effect import lamda_acts
from comparisons.diagnosis.rounding import rounding
from comparisons.diagnosis.search import Diagnosis, diagnose
from comparisons.diagnosis.thresholds import STEP_ULPS
from comparisons.recorders.plain import Recorder
from comparisons.runs.experiment_file import affordable, stated
from comparisons.runs.names import ArraysByName, Names, Pair, as_state, line_up
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
    allow_rounding: bool = False,
    partial: bool = False,
    experiment: Experiment | None = None,
    data: Dataset | None = None,
) -> Finding:
    """Are two recorded runs the same, and if not, why?

    reference, candidate: two traces. The rest: as of `assert_same_training`.
    Raises InputError for traces that cannot be read, and for parameters that do not line up.
    """
    check_ulps(ulps)
    one, other = Path(reference), Path(candidate)
    asked = Asked(names or {}, ulps, allow_rounding, partial, experiment, data)
    return finding_of(open_trace(one), open_trace(other), asked, command_for(one, other, asked))


def assert_same_training(
    reference: str | Path | TrainingCode,
    candidate: str | Path | TrainingCode,
    batches: Iterable[tuple[Any, ...]] | None = None,
    *,
    names: Names | None = None,
    ulps: float = 0.0,
    rounded: bool = True,
    allow_rounding: bool = False,
    partial: bool = False,
    experiment: Experiment | None = None,
    data: Dataset | None = None,
    folder: str | Path | None = None,
) -> Finding:
    """Raise TrainingDiffersError unless both are the same, bit for bit and to their ends, and that proves something.

    reference, candidate: two traces, or two training codes with batches to train them with. names: which parameter is
    which, as in `runs.names`. ulps: a tolerance, in ε max|w| of the parameter. rounded: the parameters of training
    codes are rounded to float32 after every update, so that the rounding of two frameworks' float64 (some 1e-16) does
    not count. allow_rounding: runs that differ by rounding alone pass. partial: it is enough that the states that both
    traces have are equal. experiment: what both should do, for the diagnosis; with its data, too, where it is a network
    of `reference`. folder: where the traces of training codes are kept.
    Raises InputError for traces that cannot be read, and for parameters that do not line up.
    """
    __tracebackhide__ = True
    check_ulps(ulps)  # before anything is trained
    asked = Asked(names or {}, ulps, allow_rounding, partial, experiment, data)
    if isinstance(reference, (str, Path)) and isinstance(candidate, (str, Path)):
        again = command_for(Path(reference), Path(candidate), asked)
        return judged(finding_of(open_trace(reference), open_trace(candidate), asked, again))
    if isinstance(reference, (str, Path)) or isinstance(candidate, (str, Path)) or batches is None:
        raise InputError("two traces are needed, or two training codes and batches")
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary)
        paths = place / "reference.npz", place / "candidate.npz"
        notes = train_in_lockstep(reference, candidate, batches, asked.names, rounded, paths)
        again = command_for(*paths, asked) if folder else KEEP
        return judged(finding_of(open_trace(paths[0]), open_trace(paths[1]), asked, again, notes))


class Asked(NamedTuple):
    """What is asked of a comparison: see `assert_same_training`."""

    names: Names
    ulps: float = 0.0
    allow_rounding: bool = False
    partial: bool = False
    experiment: Experiment | None = None
    data: Dataset | None = None
    updates: int = 0  # that the candidate should have made, if that is known


LAMDA_NOT_CHECKED = "effect of λ: not checked (that takes the experiment and its data, or recorded gradients)"
SHARED = "the two share their parameters: loading the candidate changed it"
GIVEN = "the candidate was given the reference's parameters; by itself it would start with other"
KEEP = "folder=… keeps the two traces, for python -m comparisons compare"


def command_for(reference: Path, candidate: Path, asked: Asked) -> str:
    """What compares two traces again on the command line."""
    options = [
        *(["--map", "FILE"] if asked.names else []),
        *(["--ulps", f"{asked.ulps:g}"] if asked.ulps else []),
        *(["--allow-rounding"] if asked.allow_rounding else []),
        *(["--partial"] if asked.partial else []),
    ]
    return shlex.join(["python", "-m", "comparisons", "compare", str(reference), str(candidate), *options])


def judged(finding: Finding) -> Finding:
    """The finding, if its exit status is 0. Raises TrainingDiffersError otherwise."""
    __tracebackhide__ = True
    if finding.exit_status:
        raise TrainingDiffersError(finding)
    return finding


def finding_of(reference: Trace, candidate: Trace, asked: Asked, again: str, notes: Sequence[str] = ()) -> Finding:
    """Compare two traces; where they differ, say why, by the experiment given or the one that the reference states."""
    comparison = compare_traces(reference, candidate, asked.names, asked.ulps, asked.partial)
    comparison = replace(comparison, notes=[*notes, *comparison.notes])
    if not asked.partial and 0 < comparison.last_update < asked.updates:
        ended = f"the run is recorded up to update {comparison.last_update:,} of {asked.updates:,}; {PARTIAL}"
        comparison = replace(comparison, unfinished=ended, vacuous=[*comparison.vacuous, ended])
    found = partial(Finding, again=again, allow_rounding=asked.allow_rounding)
    if comparison.exit_status == 3 or comparison.first_beside:
        return found(comparison, None, None)
    experiment, data = asked.experiment, asked.data
    if experiment is None:
        try:
            experiment, data = stated(reference)
        except InputError as error:
            comparison = replace(comparison, notes=[*comparison.notes, f"{shown(error)}; it is not used"])
    if experiment and data and not affordable(experiment, data, reference):
        data = None
    evidence = gather(comparison, experiment, data)
    why: tuple[Evidence | None, Diagnosis | None] = (None, None)
    left = None
    if comparison.exit_status == 1:
        why = _, diagnosis = explained(comparison, evidence)
        left = rounding(evidence) if not diagnosis.explanations else None
        if not (left and left.alone):
            return found(comparison, *why, rounding=left)
        # from equal states gradients differ by the error of float32 arithmetic at most; later the states differ, too
        tolerances = [{"ulps": STEP_ULPS / NOISE_ULPS, "until": 1}, *([] if left.untold else [{"share": MOST_SHARE}])]
        differences = (compare_beside(reference, candidate, comparison.beside, **t) for t in tolerances)
        if beside := next(filter(None, differences), None):
            return found(replace(comparison, first_beside=beside), *why)
    if left and left.untold:
        comparison = replace(comparison, vacuous=[*comparison.vacuous, left.untold])
    acts = lamda_acts(evidence, experiment, data)
    if acts is False and experiment:
        no_effect = f"λ = {experiment.lamda:g} has no effect: the updates are those without L1"
        comparison = replace(comparison, vacuous=[*comparison.vacuous, no_effect])
    return found(comparison, *why, rounding=left, remarks=(LAMDA_NOT_CHECKED,) if acts is None else ())


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
        given = as_given(before, pairs)
        shifted, does_not_load = {name: array + 1 for name, array in given.items()}, "load_state does not load"
        reference.load_state(deepcopy(before))
        check_loaded("reference", reference, before, does_not_load)
        for state in (shifted, given):
            candidate.load_state(deepcopy(state))
            check_loaded("candidate", candidate, state, does_not_load)
            check_loaded("reference", reference, before, SHARED)
        expected.update(before)
        actual.update({name: array.astype(own[name].dtype) for name, array in given.items()})
        for batch in batches:
            # each side has copies of its own: whatever it does to them, the other does not see it
            candidate.load_state(as_given(before, pairs))
            mine, theirs = own_copy(batch), own_copy(batch)
            reference.step(*mine)
            candidate.step(*theirs)
            before = copied(reference.state(), rounded)
            if rounded:
                reference.load_state(deepcopy(before))
            expected.update(before, gradients=gradients() if gradients else None)
            actual.update(copied(candidate.state(), rounded))
    return [f"{GIVEN} {', '.join(other)}"] if other else []


def own_copy(batch: tuple[Any, ...]) -> tuple[Any, ...]:
    """A copy of a batch. Raises InputError for what cannot be copied."""
    try:
        return deepcopy(batch)
    except Exception as error:  # whatever the user's own types raise
        raise InputError(f"a batch cannot be copied, so that each side has its own: {shown(error)}") from error


def as_given(state: ArraysByName, pairs: Sequence[Pair]) -> ArraysByName:
    """A copy of the reference's state under the candidate's names, with its axes."""
    return {pair.candidate: pair.returned(state[pair.reference]).copy() for pair in pairs}


def check_loaded(who: str, code: TrainingCode, given: ArraysByName, fault: str) -> None:
    """Raise InputError unless the training code has these parameters, in its own type."""
    for name, found in copied(code.state(), rounded=False).items():
        asked = given[name].astype(found.dtype)
        differs = np.argwhere((found != asked) & ~(np.isnan(found) & np.isnan(asked)))
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
    recorder = Recorder(path, framework=f"NumPy {np.__version__}", experiment=said)
    with np.errstate(all="ignore"), recorder as trace:  # overflow and NaN are for the comparison to find
        for parameters in islice(train(experiment, data), updates + 1):
            trace.update(as_state(parameters))
