"""Do two runs agree, and if not, where do they part?

A free run lets both sides train on their own from the same start: in rounded precision they are equal or they are
not. Lockstep restarts the candidate from the reference's parameters before every update, so that nothing builds up:
float64 and float32 agree within a tolerance, and a rounded run shows how far it stayed from a differing bit.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice
from typing import Any, TypeVar

import numpy as np

import reference.train
import torch_impl.train
from comparisons.agreement.bits import FirstDifference, differing_bits
from reference.data import Dataset
from reference.experiment import Experiment, Parameters, State, draw, rates, start
from reference.optimizers import BETA_2, EPSILON
from reference.train import to_float32_grid

Update = Callable[[State, np.ndarray, np.ndarray], State]
Item = TypeVar("Item")
Tick = Callable[[int], object]

TICK = 200  # updates between two reports of how far a run has come


def ticking(updates: Iterable[Item], tick: Tick) -> Iterator[Item]:
    """The updates themselves; tick(TICK) is called whenever so many more are done."""
    for done, update in enumerate(updates):
        yield update
        if done % TICK == TICK - 1:
            tick(TICK)


@dataclass(frozen=True)
class Agreement:
    """What a free run showed. Runs are equal if no parameter differed after any update."""

    updates: int
    parameters: int
    differing: int  # after the last update
    updates_apart: int  # after how many updates anything differed
    first_difference: FirstDifference | None
    moved: bool  # did the reference's training change anything?
    reference: Parameters = field(repr=False)  # after the last update
    candidate: Parameters = field(repr=False)

    @property
    def largest_gap(self) -> float:
        """max |Δw| over weights and biases, after the last update."""
        with np.errstate(invalid="ignore"):  # inf − inf
            return float(np.abs(np.subtract(*flatten([self.reference, self.candidate]))).max())

    @property
    def exit_status(self) -> int:
        """0 equal, 1 the runs differ, 3 nothing was compared."""
        return exit_status(self.first_difference, self.moved)


def exit_status(first_difference: FirstDifference | None, moved: bool) -> int:
    """0 equal, 1 the runs differ, 3 nothing was compared: no update, or none that changed anything."""
    return 1 if first_difference else 0 if moved else 3


def flatten(run: Sequence[Parameters]) -> np.ndarray:
    """One float64 row for every item of a run: W1 row-major, b1, W2, b2, …  (updates, elements)."""
    columns = zip(*([array for layer in parameters for array in layer] for parameters in run), strict=True)
    return np.concatenate([np.array(column).reshape(len(run), -1) for column in columns], axis=1, dtype=np.float64)


def locate(update: int, differs: np.ndarray, reference: Parameters, candidate: Parameters) -> FirstDifference:
    """The first element of the flattened parameters for which differs is true."""
    position = int(differs.argmax())
    for layer, pair in enumerate(zip(reference, candidate, strict=True), start=1):
        for name, expected, actual in zip("Wb", *pair, strict=True):
            if position < expected.size:
                index = tuple(int(i) for i in np.unravel_index(position, expected.shape))
                return FirstDifference(
                    update, f"{name}{layer}", list(index), float(expected[index]), float(actual[index])
                )
            position -= expected.size
    raise ValueError("nothing differs")


# updates that each side makes in turn, and that are compared in one go: faster than one by one, because NumPy does
# in a few calls what it would do in hundreds, and because neither side drives the other out of the processor's cache
BLOCK = 256


def compare_runs(reference: Iterable[Parameters], candidate: Iterable[Parameters]) -> Agreement:
    """Compare two runs bit for bit, after every update; item 0 of a run is its start.

    Raises ValueError if a run is empty, one is longer, or the parameters are not of the same shapes.
    """
    sides = iter(reference), iter(candidate)
    compared, apart, first, start = 0, 0, None, np.empty(0)
    with np.errstate(all="ignore"):  # overflow and NaN are for the comparison to find
        while any(block := [list(islice(side, BLOCK)) for side in sides]):
            expected, actual = block
            if len(expected) != len(actual):
                shorter = "reference" if len(expected) < len(actual) else "candidate"
                end = compared + min(len(expected), len(actual))
                raise ValueError(f"the {shorter} run ends before update {end}")
            if compared == 0:
                check_shapes(expected[0], actual[0])
                start = flatten(expected[:1])
            differs = differing_bits(flatten(expected), flatten(actual))
            rows = np.flatnonzero(differs.any(axis=1))
            if first is None and rows.size:
                first = locate(compared + int(rows[0]), differs[rows[0]], expected[rows[0]], actual[rows[0]])
            compared, apart = compared + len(expected), apart + rows.size
            last = expected[-1], actual[-1]
    if compared == 0:
        raise ValueError("there is no run to compare: both are empty")
    moved = bool((flatten(last[:1]) != start).any())
    return Agreement(compared - 1, start.size, int(differs[-1].sum()), apart, first, moved, *last)


def check_shapes(reference: Parameters, candidate: Parameters) -> None:
    """Raise ValueError unless both have the same shapes, layer by layer."""
    expected, actual = ([(W.shape, b.shape) for W, b in parameters] for parameters in (reference, candidate))
    if expected != actual:
        raise ValueError(f"the reference's parameters have the shapes {expected}, the candidate's {actual}")


# --- how near a rounded run came to a differing bit ---------------------------------------------------------------

DROPPED_BITS = 52 - 23  # a float64 has 52 fraction bits, a float32 keeps 23 of them
TIE = 2 ** (DROPPED_BITS - 1)  # dropped bits 1000…0: half-way between two float32 values


def tie_distance(values: np.ndarray) -> np.ndarray:
    """|dropped bits − 100…0₂|: how far each float64 is from a float32 rounding tie, in float64 ULPs.

    Below float32's normal range the rule does not hold; 0 is returned there: closer than anything, but for zero.
    """
    distance = np.abs((values.view(np.int64) & (2**DROPPED_BITS - 1)) - TIE)
    subnormal = (np.abs(values) < np.finfo(np.float32).smallest_normal) & (values != 0)
    return np.where(subnormal, 0, distance)


class ClosestCall:
    """The reference's step in rounded precision; remembers the least tie distance of any value that it rounded."""

    def __init__(self) -> None:
        self._least = 2**DROPPED_BITS
        self._unseen: list[Parameters] = []

    def step(self, state: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
        """reference.train.step, watched."""
        after = reference.train.update(state, x, t, experiment)
        self._unseen.append(after.parameters)
        if len(self._unseen) == BLOCK:
            self._look()
        return after._replace(parameters=to_float32_grid(after.parameters))

    def _look(self) -> None:
        if self._unseen:
            self._least = min(self._least, int(tie_distance(flatten(self._unseen)).min()))
            self._unseen.clear()

    @property
    def ulps(self) -> int:
        """The closest call of all steps so far."""
        self._look()
        return self._least


# --- lockstep -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lockstep:
    """What lockstep showed, over every value of every update before it is rounded."""

    updates: int
    parameters: int
    differing: int  # parameters that were outside the tolerance after any update
    first_difference: FirstDifference | None
    moved: bool
    used: float  # the largest gap / tolerance
    largest_gap_ulps: float
    closest_call_ulps: int
    least_margin: float  # the least tie distance / gap at the same value, where the gap is taken as 1 ULP or more
    reference: Parameters = field(repr=False)  # after the last update

    @property
    def exit_status(self) -> int:
        """0 within the tolerance, 1 outside, 3 nothing was compared."""
        return exit_status(self.first_difference, self.moved)

    @property
    def certified(self) -> bool:
        """Was every value farther from a rounding tie than the two sides were from each other there?"""
        return self.exit_status == 0 and self.least_margin > 1


UNROUNDED = {"rounded": "float64", "float64": "float64", "float32": "float32"}


def through_adam(lr: float, beta: float, memory: tuple[Any, ...]) -> np.ndarray:
    """5 η / (√ŝ + ε): an error of g enters m̂ and √ŝ with factors ≤ 1, and |m̂| / √ŝ < 4 multiplies the latter."""
    _m, s, t = memory
    return 5 * lr / (np.sqrt(s / (1 - BETA_2**t)) + EPSILON)


# how far an error of the gradient moves the weight, by what the optimizer remembers after the update
SENSITIVITY: dict[str, Callable[[float, float, tuple[Any, ...]], np.ndarray | float]] = {
    "sgd": lambda lr, beta, memory: lr,
    "momentum": lambda lr, beta, memory: lr / (1 - beta),  # the roundings of m, which is so much larger, among it
    "adam": through_adam,
}


def tolerances(before: State, after: State, x: np.ndarray, experiment: Experiment) -> list[np.ndarray]:
    """ε (4 max|w| + η' N X D_k) for W_1, b_1, W_2, …: what rounding alone can make of one update.

    4 max|w|: each side rounds the step and the difference w − step (and the style's own term), half an ULP each.
    η': `SENSITIVITY`, which is η itself for plain SGD.
    N = units + items: the roundings along the longest chain of sums that a gradient goes through.
    X = max(1, |x|): the largest activation.  D_K = R, D_{k−1} = D_k max_i Σ_j |W_k[i, j]|: the largest |δ_k|, where
    R is 1 for a mean over the batch, the number of items for a sum.
    It is first order: that an error in a logit is damped or amplified on its way is left out. How much of it is used
    is always reported, and that it is far smaller than any fault is tested.
    """
    eps = np.finfo(experiment.dtype).eps
    chain = sum(experiment.sizes) + len(x)
    activation = max(1.0, float(np.abs(x).max()))
    spreads = [float(np.abs(W).sum(axis=1).max()) for W, _ in before.parameters[:0:-1]]
    largest = len(x) / reference.train.REDUCTIONS[experiment.reduction](len(x))
    deltas = reversed(list(accumulate(spreads, lambda delta, spread: delta * spread, initial=largest)))
    lr, _lamda = rates(experiment, before.updates)
    sensitivity = SENSITIVITY[experiment.optimizer]
    bounds = []
    for layer, layer_after, memory, delta in zip(
        before.parameters, after.parameters, after.memory, deltas, strict=True
    ):
        for p, q, known in zip(layer, layer_after, memory, strict=False):  # memory.style is no optimizer's
            gradient = sensitivity(lr, experiment.momentum, known) * chain * activation * delta
            size = 4 * max(np.abs(p).max(), np.abs(q).max())
            bounds.append(np.broadcast_to(eps * (size + gradient), p.shape))
    return bounds


def gaps(
    before: State, expected: State, actual: State, x: np.ndarray, experiment: Experiment
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """|expected − actual| of every element, its tolerance, and where it is outside: one update, not yet rounded.

    Both sides' update is of the same state. NaN is outside, and an infinite tolerance allows nothing.
    """
    gap = np.abs(np.subtract(*flatten([expected.parameters, actual.parameters])))
    allowed = np.concatenate([bound.ravel() for bound in tolerances(before, expected, x, experiment)])
    return gap, allowed, ~((gap <= allowed) & np.isfinite(allowed))


def lockstep(
    experiment: Experiment,
    data: Dataset,
    candidate: Callable[[Experiment], Update] = torch_impl.train.stepper,
    tick: Tick = lambda _updates: None,
) -> Lockstep:
    """Restart the candidate from the reference's state before every update, and compare what both compute.

    In rounded precision the values before rounding are compared: the candidate is asked for a float64 update.
    """
    reference.train.check_names(experiment)
    candidate_update = candidate(replace(experiment, precision=UNROUNDED[experiment.precision]))
    rounding = reference.train.ROUNDING[experiment.precision]
    parameters, batches = draw(experiment, data)
    state, initial = start(parameters), flatten([parameters])[0]
    seen = Lockstep(0, initial.size, 0, None, False, 0.0, 0.0, 2**DROPPED_BITS, math.inf, parameters)
    ever = np.zeros(initial.size, dtype=bool)
    first = None
    with np.errstate(all="ignore"):  # overflow and NaN are for the comparison to find
        for update, (x, t) in enumerate(ticking(batches, tick), start=1):
            expected = reference.train.update(state, x, t, experiment)
            actual = candidate_update(state, x, t)
            if update == 1:
                check_shapes(expected.parameters, actual.parameters)
            gap, allowed, outside = gaps(state, expected, actual, x, experiment)
            if first is None and outside.any():
                first = locate(update, outside, expected.parameters, actual.parameters)
            ever |= outside
            values = flatten([expected.parameters])[0]
            gap_ulps = gap / np.spacing(np.abs(values), dtype=experiment.dtype)
            distance = tie_distance(values)
            seen = replace(
                seen,
                updates=update,
                used=max(seen.used, float((gap / allowed).max())),
                largest_gap_ulps=max(seen.largest_gap_ulps, float(gap_ulps.max())),
                closest_call_ulps=min(seen.closest_call_ulps, int(distance.min())),
                least_margin=min(seen.least_margin, float((distance / np.maximum(gap_ulps, 1)).min())),
            )
            state = expected._replace(parameters=rounding(expected.parameters))
    moved = bool((flatten([state.parameters])[0] != initial).any())
    return replace(seen, differing=int(ever.sum()), first_difference=first, moved=moved, reference=state.parameters)


@dataclass(frozen=True)
class RoundingTie:
    """Framework noise on two sides of a float32 rounding tie: values that agreed until they were rounded."""

    reference: float  # before rounding
    candidate: float
    gap_ulps: float  # from one to the other, in float64 ULPs
    tie_distance_ulps: int  # from the reference's value to the tie


def rounding_tie(
    experiment: Experiment,
    data: Dataset,
    difference: FirstDifference,
    candidate: Callable[[Experiment], Update] = torch_impl.train.stepper,
) -> RoundingTie | None:
    """The first difference of two rounded runs, if nothing but a rounding tie explains it; else None.

    Both sides repeat their run up to that update. It is a tie if they come to it with the same parameters, and make
    this very difference of values that were all within the tolerance of one update (`tolerances`) before they were
    rounded. What the two optimizers remember may differ by then, and the tolerance has room for that: errors of
    earlier gradients fade as the gradients do, and `SENSITIVITY` counts their sum.
    """
    if difference.update == 0:
        return None
    candidate_update = candidate(replace(experiment, precision=UNROUNDED[experiment.precision]))
    with np.errstate(all="ignore"):  # as in compare
        parameters, batches = draw(experiment, data)
        before, candidate_before = start(parameters), start(parameters)
        for x, t in islice(batches, difference.update - 1):
            before = reference.train.step(before, x, t, experiment)
            after = candidate_update(candidate_before, x, t)
            candidate_before = after._replace(parameters=to_float32_grid(after.parameters))
        x, t = next(batches)
        expected = reference.train.update(before, x, t, experiment)
        actual = candidate_update(candidate_before, x, t)
        _gap, _allowed, outside = gaps(before, expected, actual, x, experiment)
        rounded = to_float32_grid(expected.parameters), to_float32_grid(actual.parameters)
    if outside.any() or differing_bits(*flatten([before.parameters, candidate_before.parameters])).any():
        return None
    differs = differing_bits(*flatten(rounded))
    if not differs.any() or locate(difference.update, differs, *rounded) != difference:
        return None
    found = locate(difference.update, differs, expected.parameters, actual.parameters)
    return RoundingTie(
        found.reference,
        found.candidate,
        abs(found.reference - found.candidate) / float(np.spacing(abs(found.reference))),
        int(tie_distance(np.array([found.reference]))[0]),
    )
