"""What two recorded runs tell of how the candidate makes an update: its states before and after, and a gradient.

The gradient of an update is taken from where it is known best: computed by the reference where the experiment and its
data are known; else as the reference recorded it; else worked out from the reference's own update, which is known to
be the experiment's; else, with η and λ unknown, the reference's update itself stands for it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from comparisons.agreement.traces import Comparison, aligned, on_grid, states
from comparisons.diagnosis.update_rules import AROUND, State, UpdateRule, predict, rule_of
from comparisons.runs.trace import UPDATES
from reference.data import Dataset
from reference.errors import InputError
from reference.experiment import SCHEDULES, Batch, Experiment, Memory, draw
from reference.l1 import STYLES
from reference.network import DELTAS, backward, forward, softmax
from reference.optimizers import adam, sgd
from reference.train import REDUCTIONS, gradients

Side = Literal["reference", "candidate"]

NOISE = 2.0**-20  # of max|w|: runs that are no farther apart have, for one update, the same gradient

# where gradients are from
COMPUTED = "computed by the reference"
RECORDED = "recorded by the reference"
DERIVED = "worked out from the reference's updates, taken to be as its experiment says"
RELATIVE = "unknown: the reference's updates stand for them"


@dataclass(frozen=True)
class RecordedUpdate:
    """One update of the candidate, or of the side that is looked at."""

    update: int
    before: State
    after: State
    reference: State  # its state before the update
    gradients: Mapping[str, Callable[[], State]]  # by name; "" is the data gradient as it should be
    slack: Mapping[str, float]  # how far apart both runs were before it, where the gradient is of the reference's state
    blind: Mapping[str, np.ndarray] = field(default_factory=dict)  # elements of which the gradient is not known
    told_by: State = field(default_factory=dict)  # the rounded state that the gradient was worked out from, if it was
    of_items: Callable[[np.ndarray, np.ndarray], State] = lambda x, t: {}  # the gradient of other items, if computed


Steps = Iterator[RecordedUpdate]


@dataclass(frozen=True)
class Evidence:
    """All that a diagnosis looks at."""

    comparison: Comparison
    base: UpdateRule  # what the candidate should do
    source: str  # where the gradients are from, in words
    known: bool  # are η and λ known?
    experiment: Experiment | None
    data: Dataset | None
    rounded: bool  # are the values that a prediction is made of, or compared with, on the float32 grid?
    side: Side  # whose updates are looked at
    steps: Callable[[int], Steps]  # one after another, from this update on

    @property
    def eps(self) -> float:
        """ε of what a value is rounded to."""
        return float(np.finfo(np.float32 if self.rounded else np.float64).eps)


def gather(
    comparison: Comparison, experiment: Experiment | None, data: Dataset | None, side: Side = "candidate"
) -> Evidence:
    """The evidence of two traces. Raises InputError where the experiment does not fit the recorded parameters.

    experiment: what both should be, if that is known; with its data where it is a network of `reference`.
    side: which of the two is looked at, beside the experiment.
    """
    shapes = {outcome.pair.reference: outcome.shape for outcome in comparison.parameters}
    weights = tuple(name for name, shape in shapes.items() if len(shape) > 1)
    mine = on_grid(comparison.candidate if side == "candidate" else comparison.reference)
    either = on_grid(comparison.candidate) or on_grid(comparison.reference)
    unknown = UpdateRule(
        1.0, 0.0, STYLES["none"], sgd, weights=weights, penalised=dict.fromkeys(weights, 1.0), decayed=weights
    )
    found = partial(Evidence, comparison)
    if experiment is None:
        return found(unknown, RELATIVE, False, None, None, either, side, partial(with_derived, comparison, unknown))
    base = rule_of(experiment, weights)
    if base.forgets or from_the_start(comparison):  # else what was remembered of the updates before is not known
        if data:
            check_shapes(experiment, shapes)
            steps = partial(with_computed, comparison, experiment, data, base, side)
            return found(base, COMPUTED, True, experiment, data, mine, side, steps)
        recorded = [f"gradient:{name}" for name in shapes]
        if all(name in comparison.reference.columns for name in recorded):
            noise = NOISE**2 if base.step is adam and not either else NOISE  # Adam enlarges what a gradient is off
            told = partial(with_recorded, comparison, recorded, base, side, noise)
            return found(base, RECORDED, True, experiment, None, either, side, told)
    if experiment.optimizer == "adam":  # its update does not tell the gradient
        return found(
            unknown, RELATIVE, False, experiment, None, either, side, partial(with_derived, comparison, unknown)
        )
    return found(base, DERIVED, True, experiment, None, either, side, partial(with_derived, comparison, base))


def from_the_start(comparison: Comparison) -> bool:
    """Are the first two states that both recorded the start and the first update?"""
    for updates, *_ in states(comparison.reference, comparison.candidate, comparison.pairs):
        return updates[:2].tolist() == [0, 1]
    return False


def starts(comparison: Comparison) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The reference's and the candidate's start by parameter; nothing where it was not recorded."""
    for updates, expected, actual in states(comparison.reference, comparison.candidate, comparison.pairs):
        if updates[0] == 0:
            return {
                o.pair.reference: (expected[0, o.part].reshape(o.shape), actual[0, o.part].reshape(o.shape))
                for o in comparison.parameters
            }
        break
    return {}


def check_shapes(experiment: Experiment, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError unless the parameters are those of the experiment's network."""
    expected: dict[str, tuple[int, ...]] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(experiment.sizes), start=1):
        expected |= {f"W{layer}": (fan_in, fan_out), f"b{layer}": (fan_out,)}
    if expected != dict(shapes):
        raise InputError(f"the experiment's parameters are {expected}; the reference recorded {dict(shapes)}")


class Moment(NamedTuple):
    """Both sides before and after an update."""

    update: int
    reference: tuple[State, State]
    candidate: tuple[State, State]
    extra: State  # further columns of the reference

    def of(self, side: Side) -> tuple[State, State]:
        """Before and after."""
        return self.reference if side == "reference" else self.candidate


def moments(comparison: Comparison, since: int, extra: Sequence[str] = ()) -> Iterator[Moment]:
    """Every update from this one on before and after which both sides were recorded.

    In a lockstep trace the candidate started every update from the reference's state.
    """
    pairs = comparison.pairs
    names, others = [p.reference for p in pairs] + list(extra), [p.candidate for p in pairs]
    lockstep = bool(comparison.candidate.header.get("lockstep"))
    last: tuple[int, State, State] | None = None
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


def with_computed(
    comparison: Comparison, experiment: Experiment, data: Dataset, base: UpdateRule, side: Side, since: int
) -> Steps:
    """Gradients of the side's own states."""
    variants = {"": (0, experiment)}
    for loss, kind in DELTAS:
        other = replace(experiment, loss=loss, softmax_derivative=kind)
        if loss == experiment.loss and kind != experiment.softmax_derivative:
            variants[f"the {kind} soft-max derivative"] = 0, other
        elif loss != experiment.loss:
            variants[f"{loss} as the loss{'' if kind == 'full' else f', with the {kind} derivative'}"] = 0, other
    for kind in REDUCTIONS:
        if kind != experiment.reduction and experiment.batch_size > 1:
            variants[f"the {kind} over a batch"] = 0, replace(experiment, reduction=kind)
    variants |= {name: (where, experiment) for name, where in AROUND.items()}
    batches = numbered(draw(experiment, data)[1])
    for moment in moments(comparison, since):
        near = batches(moment.update)
        if near is None:
            return
        before, after = moment.of(side)
        found = {
            name: cache(partial(computed, before, *near[at], e)) for name, (at, e) in variants.items() if at in near
        }
        if len(experiment.sizes) > 2:
            found[THROUGH_NEW] = cache(partial(through_new_weights, before, after, *near[0], experiment))
        if base.pulls and not base.style.on_gradient:
            found[OF_SHRUNK] = cache(partial(of_shrunk_weights, before, moment.update - 1, *near[0], experiment, base))
        yield RecordedUpdate(
            moment.update,
            before,
            after,
            moment.reference[0],
            found,
            slack={},
            of_items=partial(computed, before, experiment=experiment),
        )


def computed(before: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
    """The reference's gradient of the data loss."""
    return as_state(gradients(as_parameters(before), x, t, experiment))


THROUGH_NEW = "errors that go back through weights which were already updated"


def through_new_weights(before: State, after: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
    """The gradient of code that updates a layer before it takes the error back through it."""
    *h, z = forward(as_parameters(before), x)
    delta = DELTAS[experiment.loss, experiment.softmax_derivative](softmax(z), t)
    return as_state(backward(as_parameters(after), h, delta / REDUCTIONS[experiment.reduction](len(x))))


OF_SHRUNK = "weights that L1 had already pulled"


def of_shrunk_weights(
    before: State, updates: int, x: np.ndarray, t: np.ndarray, experiment: Experiment, base: UpdateRule
) -> State:
    """The gradient of code that lets L1 act before the forward pass."""
    shrunk, _ = predict(base, before, {name: np.zeros_like(w) for name, w in before.items()}, {}, updates)
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


def with_recorded(
    comparison: Comparison, names: Sequence[str], base: UpdateRule, side: Side, noise: float, since: int
) -> Steps:
    """Gradients that the reference recorded, without the penalty, where that was a part of them."""
    for moment in moments(comparison, since, names):
        known, (before, after) = moment.reference[0], moment.of(side)
        if not near(known, before, noise):
            return
        given = {name.partition(":")[2]: moment.extra[name] for name in names}
        slopes = {name: g - of_penalty(base, name, known[name], moment.update - 1) for name, g in given.items()}
        yield RecordedUpdate(moment.update, before, after, known, {"": partial(State, slopes)}, apart(known, before))


def of_penalty(base: UpdateRule, name: str, w: np.ndarray, updates: int) -> np.ndarray:
    """What the style adds to the gradient that the optimizer is given."""
    if base.style.on_gradient is None or name not in base.penalised:
        return np.zeros_like(w)
    lamda = base.lamda * SCHEDULES[base.lamda_schedule](updates)
    return base.style.on_gradient(w, np.zeros_like(w), lamda)


def with_derived(comparison: Comparison, base: UpdateRule, since: int) -> Steps:
    """Gradients that turn the reference's state into its next one, by the base practice.

    Of a weight that L1 holds at 0 it cannot be told.
    """
    memory: Mapping[str, Memory] = {}
    for update, (known, expected), (before, after), _ in moments(comparison, since):
        if not near(known, before, NOISE):
            return
        slopes = undone(base, known, expected, memory, update - 1)
        predicted, memory = predict(base, known, slopes, memory, update - 1)
        held = {name: not_told(predicted[name], expected[name]) for name in base.penalised if base.pulls}
        yield RecordedUpdate(
            update, before, after, known, {"": partial(State, slopes)}, apart(known, before), held, expected
        )


def undone(base: UpdateRule, before: State, after: State, memory: Mapping[str, Memory], updates: int) -> State:
    """The gradient of which the practice makes this update; near that where L1 holds a weight at 0, or with Adam."""
    slopes = {name: np.zeros_like(w) for name, w in before.items()}
    for _ in range(4):  # the first is exact where L1 pulls without regard to g, the others mend what it holds back
        predicted, _ = predict(base, before, slopes, memory, updates)
        slopes = {name: g + (predicted[name] - after[name]) / base.lr for name, g in slopes.items()}
    return slopes


def not_told(predicted: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Of which elements no gradient was found, or any would do: L1 holds them at 0."""
    return (expected == 0) | (np.abs(predicted - expected) > NOISE**2 * np.abs(expected).max(initial=0.0))


def near(one: State, other: State, noise: float) -> bool:
    """Are two states so near each other that a gradient of the one is one of the other, but for noise?"""
    gaps = apart(one, other)
    return all(gaps[name] <= noise * np.abs(w).max(initial=0.0) for name, w in one.items())


def apart(one: State, other: State) -> dict[str, float]:
    """max |Δ| of every parameter."""
    return {name: float(np.abs(one[name] - other[name]).max(initial=0.0)) for name in one}


def as_parameters(state: State) -> list[tuple[np.ndarray, np.ndarray]]:
    """W1, b1, W2, b2, … as one (W, b) a layer."""
    return [(state[f"W{layer}"], state[f"b{layer}"]) for layer in range(1, len(state) // 2 + 1)]


def as_state(parameters: Sequence[tuple[np.ndarray, np.ndarray]]) -> State:
    """The inverse of as_parameters."""
    return {f"{n}{layer}": a for layer, pair in enumerate(parameters, start=1) for n, a in zip("Wb", pair, strict=True)}
