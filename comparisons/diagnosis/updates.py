"""The recorded updates, one after another, each with its gradient: computed, recorded, or worked out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Literal, NamedTuple

import numpy as np

from comparisons.agreement.columns import aligned
from comparisons.agreement.traces import Comparison
from comparisons.diagnosis.forms import OTHER_BATCHES
from comparisons.diagnosis.thresholds import SAME_STATE
from comparisons.diagnosis.update_rule import MemoryByName, UpdateRule, apply_rule, gradients_of
from comparisons.runs.names import ArraysByName, as_parameters, as_state
from comparisons.runs.trace import UPDATES
from reference.data import Dataset
from reference.experiment import SCHEDULES, Batch, Experiment, draw
from reference.network import DELTAS, backward, forward, softmax
from reference.train import REDUCTIONS, gradients

Side = Literal["reference", "candidate"]


@dataclass(frozen=True)
class RecordedUpdate:
    """One update of the candidate, or of the side that is looked at."""

    number: int
    before: ArraysByName
    after: ArraysByName
    reference: ArraysByName  # its state before the update
    gradients: Mapping[str, Callable[[], ArraysByName]]  # by name; "" is the data gradient as it should be
    slack: Mapping[str, float]  # how far apart both runs were before it, where the gradient is of the reference's state
    unknown: Mapping[str, np.ndarray] = field(default_factory=dict)  # the elements whose gradient is not known
    told_by: ArraysByName = field(default_factory=dict)  # the rounded state that the gradient was worked out from
    gradient_of: Callable[[np.ndarray, np.ndarray], ArraysByName] = lambda x, t: {}  # of other items, if computed
    tolerances: dict[bool, ArraysByName] = field(default_factory=dict, repr=False)  # kept by `Window.tolerances`


class Moment(NamedTuple):
    """Both sides before and after an update."""

    update: int
    reference: tuple[ArraysByName, ArraysByName]
    candidate: tuple[ArraysByName, ArraysByName]
    extra: ArraysByName  # further columns of the reference

    def of(self, side: Side) -> tuple[ArraysByName, ArraysByName]:
        """Before and after."""
        return self.reference if side == "reference" else self.candidate


def moments(comparison: Comparison, since: int, extra: Sequence[str] = ()) -> Iterator[Moment]:
    """Every update from this one on before and after which both sides were recorded.

    In a lockstep trace the candidate started every update from the reference's state.
    """
    pairs = comparison.pairs
    names, others = [p.reference for p in pairs] + list(extra), [p.candidate for p in pairs]
    lockstep = bool(comparison.candidate.header.get("lockstep"))
    last: tuple[int, ArraysByName, ArraysByName] | None = None
    for updates, one, other in aligned(comparison.reference, comparison.candidate, UPDATES, names, others):
        for row, update in enumerate(updates.tolist()):
            if update < since - 1:
                continue
            expected = {p.reference: one[p.reference][row].astype(np.float64) for p in pairs}
            actual = {p.reference: p.turned(other[p.candidate][row]).astype(np.float64) for p in pairs}
            if last is not None and last[0] == update - 1:
                before = last[1] if lockstep else last[2]
                further = {name: one[name][row].astype(np.float64) for name in extra}
                yield Moment(update, (last[1], expected), (before, actual), further)
            last = update, expected, actual


# --- computed -----------------------------------------------------------------------------------------------------


def with_computed(
    comparison: Comparison, experiment: Experiment, data: Dataset, base: UpdateRule, side: Side, since: int
) -> Iterator[RecordedUpdate]:
    """Gradients of the side's own states: the correct one, and those of the mistakes that are known by name."""
    of_batches = {"": (0, experiment)} | {name: (0, other) for name, other in other_losses(experiment)}
    of_batches |= {name: (away, experiment) for name, (away, _) in OTHER_BATCHES.items()}
    batches = numbered(draw(experiment, data)[1])
    for moment in moments(comparison, since):
        near = batches(moment.update)
        if near is None:
            return
        before, after = moment.of(side)
        found = {
            name: cache(partial(computed, before, *near[away], e))
            for name, (away, e) in of_batches.items()
            if away in near
        }
        if len(experiment.sizes) > 2:
            found[THROUGH_NEW] = cache(partial(through_new_weights, before, after, *near[0], experiment))
        if base.has_l1 and not base.style.on_gradient:
            found[OF_SHRUNK] = cache(partial(of_shrunk_weights, before, moment.update - 1, *near[0], experiment, base))
        gradient_of = partial(computed, before, experiment=experiment)
        yield RecordedUpdate(moment.update, before, after, moment.reference[0], found, {}, gradient_of=gradient_of)


def other_losses(experiment: Experiment) -> Iterator[tuple[str, Experiment]]:
    """The experiment with another loss, soft-max derivative or reduction, and what the gradient is then that of."""
    for loss, kind in DELTAS:
        other = replace(experiment, loss=loss, softmax_derivative=kind)
        if loss == experiment.loss and kind != experiment.softmax_derivative:
            yield f"the {kind} soft-max derivative", other
        elif loss != experiment.loss:
            yield f"{loss} as the loss{'' if kind == 'full' else f', with the {kind} derivative'}", other
    for kind in REDUCTIONS:
        if kind != experiment.reduction and experiment.batch_size > 1:
            yield f"the {kind} over a batch", replace(experiment, reduction=kind)


def computed(before: ArraysByName, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> ArraysByName:
    """The reference's gradient of the data loss."""
    return as_state(gradients(as_parameters(before), x, t, experiment))


THROUGH_NEW = "errors that go back through weights which were already updated"


def through_new_weights(
    before: ArraysByName, after: ArraysByName, x: np.ndarray, t: np.ndarray, experiment: Experiment
) -> ArraysByName:
    """The gradient of code that updates a layer before it takes the error back through it."""
    *h, z = forward(as_parameters(before), x)
    delta = DELTAS[experiment.loss, experiment.softmax_derivative](softmax(z), t)
    return as_state(backward(as_parameters(after), h, delta / REDUCTIONS[experiment.reduction](len(x))))


OF_SHRUNK = "weights that L1 had already pulled"


def of_shrunk_weights(
    before: ArraysByName, updates: int, x: np.ndarray, t: np.ndarray, experiment: Experiment, base: UpdateRule
) -> ArraysByName:
    """The gradient of code that lets L1 act before the forward pass."""
    shrunk, _ = apply_rule(base, before, {name: np.zeros_like(w) for name, w in before.items()}, {}, updates)
    return computed(shrunk, x, t, experiment)


def numbered(batches: Iterator[Batch]) -> Callable[[int], dict[int, Batch] | None]:
    """(update) -> its batch as 0, the one before as −1, the one after as 1, where there are any. For rising updates."""
    near: dict[int, Batch] = {}
    read = 0

    def around(update: int) -> dict[int, Batch] | None:
        nonlocal read
        while read < update + 1 and (batch := next(batches, None)) is not None:
            read += 1
            near[read] = batch
        for old in [number for number in near if number < update - 1]:
            del near[old]
        return {n - update: batch for n, batch in near.items()} if update in near else None

    return around


# --- recorded, or worked out --------------------------------------------------------------------------------------


def with_recorded(
    comparison: Comparison, columns: Sequence[str], base: UpdateRule, side: Side, same: float, since: int
) -> Iterator[RecordedUpdate]:
    """Gradients that the reference recorded, without the penalty where that was a part of them."""
    for moment in moments(comparison, since, columns):
        known, (before, after) = moment.reference[0], moment.of(side)
        if not same_state(known, before, same):
            return
        given = {column.partition(":")[2]: moment.extra[column] for column in columns}
        data_only = {name: g - of_penalty(base, name, known[name], moment.update - 1) for name, g in given.items()}
        slack = largest_gaps(known, before)
        yield RecordedUpdate(moment.update, before, after, known, {"": partial(dict, data_only)}, slack)


def of_penalty(base: UpdateRule, name: str, w: np.ndarray, updates: int) -> np.ndarray:
    """What the style adds to the gradient that the optimizer is given."""
    if base.style.on_gradient is None or name not in base.penalised:
        return np.zeros_like(w)
    return base.style.on_gradient(w, np.zeros_like(w), base.lamda * SCHEDULES[base.lamda_schedule](updates))


def with_derived(comparison: Comparison, base: UpdateRule, since: int) -> Iterator[RecordedUpdate]:
    """Gradients with which the base rule makes the reference's update. Unknown for a weight that L1 holds at 0."""
    memory: MemoryByName = {}
    for update, (known, expected), (before, after), _ in moments(comparison, since):
        if not same_state(known, before, SAME_STATE):
            return
        found = gradients_of(base, known, expected, memory, update - 1)
        predicted, memory = apply_rule(base, known, found, memory, update - 1)
        unknown = {name: undetermined(predicted[name], expected[name]) for name in base.penalised if base.has_l1}
        slack = largest_gaps(known, before)
        yield RecordedUpdate(update, before, after, known, {"": partial(dict, found)}, slack, unknown, expected)


def undetermined(predicted: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The elements for which no gradient was found, or any would do: L1 holds them at 0."""
    return (expected == 0) | (np.abs(predicted - expected) > SAME_STATE**2 * np.abs(expected).max(initial=0.0))


def same_state(one: ArraysByName, other: ArraysByName, share: float) -> bool:
    """Are two states so near each other that a gradient of one is a gradient of the other, up to noise?"""
    gaps = largest_gaps(one, other)
    return all(gaps[name] <= share * np.abs(w).max(initial=0.0) for name, w in one.items())


def largest_gaps(one: ArraysByName, other: ArraysByName) -> dict[str, float]:
    """max |Δ| of every parameter."""
    return {name: float(np.abs(one[name] - other[name]).max(initial=0.0)) for name in one}
