"""How far rounding alone can take two float64 or float32 implementations apart in one update."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import reference.train
from comparisons.agreement.bits import FirstDifference
from comparisons.agreement.blocks import locate
from comparisons.agreement.free_run import flatten
from comparisons.agreement.rounding_errors import Bounded
from reference.experiment import Experiment, Memory, State


def tolerances(
    before: State, x: np.ndarray, t: np.ndarray, experiment: Experiment, update: reference.train.Step | None = None
) -> State:
    """A, where the update w⁺ ± A of every value is computed with its error: the tolerance of that value.

    Both sides start from the same state, so that it is exact. The errors go through the forward pass, the gradient,
    the optimizer's step and the style by the rules of `rounding_errors`, with the values of this very update. Each
    value has a tolerance of its own, for parameters and memory alike, in the shape of the value; ∞ where none can be
    told. update: another than the reference's own.
    """
    kind = np.finfo(experiment.dtype)

    def exact(value: Any) -> Any:
        return Bounded(value.astype(np.float64), kind) if isinstance(value, np.ndarray) else value

    start = in_every_value(exact, before)
    after = (update or reference.train.update)(start, x.astype(np.float64), t.astype(np.float64), experiment)
    return in_every_value(partial(error_of, kind=kind), after)


def error_of(value: Any, kind: np.finfo) -> Any:
    """The tolerance of a value that was computed with its error; of a number, such as a count, some roundings."""
    if not isinstance(value, Bounded):
        return 4 * float(kind.eps) * abs(value)
    error = np.broadcast_to(value.error, value.value.shape)
    return np.where(np.isnan(error), np.inf, error)


def in_every_value(function: Callable[[Any], Any], state: State) -> State:
    """The state with function(value) for all that it holds: parameters, and what is remembered."""
    parameters = [(function(W), function(b)) for W, b in state.parameters]
    memory = [Memory(*(tuple(map(function, part)) for part in known)) for known in state.memory]
    return State(parameters, memory, state.updates)


def copied(state: State) -> State:
    """The state in arrays of its own."""
    return in_every_value(lambda value: value.copy() if isinstance(value, np.ndarray) else value, state)


def remembered(state: State) -> dict[tuple[str, str], np.ndarray]:
    """What is kept between updates: by the part of `Memory` that it is in, and its name."""
    found: dict[tuple[str, str], np.ndarray] = {}
    for number, known in enumerate(state.memory, start=1):
        for part, values in known._asdict().items():
            of = f"b{number}" if part == "b" else f"W{number}"
            what = "memory of L1" if part == "style" else "memory"
            found |= {(part, f"{what}, {i}, of {of}"): np.asarray(value) for i, value in enumerate(values, start=1)}
    return found


def memory_apart(
    expected: State, actual: State, allowed: State, again: Callable[[State], State]
) -> FirstDifference | None:
    """The first remembered value that is not finite or outside its tolerance.

    again: makes an update of a state. What has no effect there is not compared (momentum with β = 0). NaN stands for
    the value of a side that does not remember it, or not in this shape.
    """
    right, theirs, bounds = remembered(expected), remembered(actual), remembered(allowed)
    for key in {**right, **theirs}:
        part, name = key
        if key not in right or key not in theirs or right[key].shape != theirs[key].shape:
            numbers = (float(side[key].flat[0]) if key in side else math.nan for side in (right, theirs))
            first: FirstDifference | None = FirstDifference(expected.updates, name, [], *numbers)
        else:
            gap = np.abs(right[key] - theirs[key])
            outside = ~((gap <= bounds[key]) & np.isfinite(gap)).ravel()
            rows = right[key].ravel(), theirs[key].ravel()
            first = locate({name: gap.shape}, expected.updates, outside, *rows)
        if first and acts(part, expected, again):
            return first
    return None


def acts(part: str, state: State, again: Callable[[State], State]) -> bool:
    """Is an update another one if this part of the memory is empty?"""
    without = state._replace(memory=[known._replace(**{part: ()}) for known in state.memory])
    with_it, without_it = flatten([again(state).parameters, again(without).parameters])
    return not np.array_equal(with_it, without_it, equal_nan=True)


class Gaps(NamedTuple):
    """One update of both sides from the same state, not yet rounded. All are rows: (elements,)."""

    reference: np.ndarray
    candidate: np.ndarray
    gap: np.ndarray  # |reference − candidate|
    allowed: np.ndarray  # the tolerance

    @property
    def outside(self) -> np.ndarray:
        """Which elements are farther apart. NaN always is: what is not finite agrees with nothing."""
        return ~((self.gap <= self.allowed) & np.isfinite(self.gap))

    @property
    def used(self) -> np.ndarray:
        """gap / tolerance; 0 where both are."""
        return np.where(self.gap == 0, 0.0, self.gap / self.allowed)


def gaps(expected: State, actual: State, allowed: State) -> Gaps:
    """How far the parameters of expected and actual, both made of the same state, are apart, and how far they may."""
    one, other, most = flatten([expected.parameters, actual.parameters, allowed.parameters])
    return Gaps(one, other, np.abs(one - other), most)
