"""Do two runs agree, and if not, where do they part?

A free run lets both sides train on their own from the same start: in rounded precision they are equal or they are
not. Lockstep restarts the candidate from the reference's parameters before every update, so that nothing builds up:
float64 and float32 agree within a tolerance, and a rounded run shows how far it stayed from a differing bit.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice
from typing import TypeVar

import numpy as np

import reference.train
import torch_impl.train
from reference.data import Dataset
from reference.experiment import Experiment, Parameters, draw
from reference.train import to_float32_grid

Update = Callable[[Parameters, np.ndarray, np.ndarray], Parameters]
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
class Difference:
    """Where two runs part: the first differing element after this update (0: the initial parameters)."""

    update: int
    parameter: str  # W1, b1, W2, …
    index: list[int]
    reference: float
    candidate: float

    def __str__(self) -> str:
        where = f"update {self.update}, {self.parameter}{self.index}"
        return f"{where}: reference {self.reference!r}, candidate {self.candidate!r}"


@dataclass(frozen=True)
class Agreement:
    """What a free run showed. Runs are equal if no parameter differed after any update."""

    updates: int
    parameters: int
    differing: int  # after the last update
    updates_apart: int  # after how many updates anything differed
    first_difference: Difference | None
    moved: bool  # did the reference's training change anything?
    reference: Parameters = field(repr=False)  # after the last update
    candidate: Parameters = field(repr=False)

    @property
    def exit_status(self) -> int:
        """0 equal, 1 the runs differ, 3 nothing was compared."""
        return exit_status(self.first_difference, self.moved)


def exit_status(first_difference: Difference | None, moved: bool) -> int:
    """0 equal, 1 the runs differ, 3 nothing was compared: no update, or none that changed anything."""
    return 1 if first_difference else 0 if moved else 3


def flatten(run: Sequence[Parameters]) -> np.ndarray:
    """One float64 row for every item of a run: W1 row-major, b1, W2, b2, …  (updates, elements)."""
    columns = zip(*([array for layer in parameters for array in layer] for parameters in run), strict=True)
    return np.concatenate([np.array(column).reshape(len(run), -1) for column in columns], axis=1, dtype=np.float64)


def locate(update: int, differs: np.ndarray, reference: Parameters, candidate: Parameters) -> Difference:
    """The first element of the flattened parameters for which differs is true."""
    position = int(differs.argmax())
    for layer, pair in enumerate(zip(reference, candidate, strict=True), start=1):
        for name, expected, actual in zip("Wb", *pair, strict=True):
            if position < expected.size:
                index = tuple(int(i) for i in np.unravel_index(position, expected.shape))
                return Difference(update, f"{name}{layer}", list(index), float(expected[index]), float(actual[index]))
            position -= expected.size
    raise ValueError("nothing differs")


def differing_bits(expected: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Where two float64 arrays have not the same bits. A value that is not finite agrees with nothing."""
    return (expected.view(np.int64) != actual.view(np.int64)) | ~np.isfinite(expected)


# updates that each side makes in turn, and that are compared in one go: faster than one by one, because NumPy does
# in a few calls what it would do in hundreds, and because neither side drives the other out of the processor's cache
BLOCK = 256


def compare(reference: Iterable[Parameters], candidate: Iterable[Parameters]) -> Agreement:
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

    def step(self, parameters: Parameters, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> Parameters:
        """reference.train.step, watched."""
        before = reference.train.update(parameters, x, t, experiment)
        self._unseen.append(before)
        if len(self._unseen) == BLOCK:
            self._look()
        return to_float32_grid(before)

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
    first_difference: Difference | None
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


def tolerances(parameters: Parameters, after: Parameters, x: np.ndarray, experiment: Experiment) -> list[float]:
    """ε (4 max|w| + η N X D_k) for W_1, b_1, W_2, …: what rounding alone can make of one update.

    4 max|w|: each side rounds the step ηg and the difference w − ηg (and the style's own term), half an ULP each.
    N = units + items: the roundings along the longest chain of sums that a gradient goes through.
    X = max(1, |x|): the largest activation.  D_K = 1, D_{k−1} = D_k max_i Σ_j |W_k[i, j]|: the largest |δ_k|.
    It is first order: that an error in a logit is damped or amplified on its way is left out. How much of it is used
    is always reported, and that it is far smaller than any fault is tested.
    """
    eps = np.finfo(experiment.dtype).eps
    chain = sum(experiment.sizes) + len(x)
    activation = max(1.0, float(np.abs(x).max()))
    spreads = [float(np.abs(W).sum(axis=1).max()) for W, _ in parameters[:0:-1]]
    deltas = reversed(list(accumulate(spreads, lambda delta, spread: delta * spread, initial=1.0)))
    bounds = []
    for layer, layer_after, delta in zip(parameters, after, deltas, strict=True):
        gradient = experiment.lr * chain * activation * delta
        bounds += [
            eps * (4 * max(np.abs(p).max(), np.abs(q).max()) + gradient)
            for p, q in zip(layer, layer_after, strict=True)
        ]
    return bounds


def gaps(
    parameters: Parameters, expected: Parameters, actual: Parameters, x: np.ndarray, experiment: Experiment
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """|expected − actual| of every element, its tolerance, and where it is outside: one update, not yet rounded.

    Both sides' update is of the same parameters. NaN is outside, and an infinite tolerance allows nothing.
    """
    sizes = [array.size for layer in parameters for array in layer]
    gap = np.abs(np.subtract(*flatten([expected, actual])))
    allowed = np.repeat(tolerances(parameters, expected, x, experiment), sizes)
    return gap, allowed, ~((gap <= allowed) & np.isfinite(allowed))


def lockstep(
    experiment: Experiment,
    data: Dataset,
    candidate: Callable[[Experiment], Update] = torch_impl.train.stepper,
    tick: Tick = lambda _updates: None,
) -> Lockstep:
    """Restart the candidate from the reference's parameters before every update, and compare what both compute.

    In rounded precision the values before rounding are compared: the candidate is asked for a float64 update.
    """
    reference.train.check_names(experiment)
    candidate_update = candidate(replace(experiment, precision=UNROUNDED[experiment.precision]))
    rounding = reference.train.ROUNDING[experiment.precision]
    parameters, batches = draw(experiment, data)
    start = flatten([parameters])[0]
    seen = Lockstep(0, start.size, 0, None, False, 0.0, 0.0, 2**DROPPED_BITS, math.inf, parameters)
    ever = np.zeros(start.size, dtype=bool)
    first = None
    with np.errstate(all="ignore"):  # overflow and NaN are for the comparison to find
        for update, (x, t) in enumerate(ticking(batches, tick), start=1):
            expected = reference.train.update(parameters, x, t, experiment)
            actual = candidate_update(parameters, x, t)
            if update == 1:
                check_shapes(expected, actual)
            gap, allowed, outside = gaps(parameters, expected, actual, x, experiment)
            if first is None and outside.any():
                first = locate(update, outside, expected, actual)
            ever |= outside
            values = flatten([expected])[0]
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
            parameters = rounding(expected)
    moved = bool((flatten([parameters])[0] != start).any())
    return replace(seen, differing=int(ever.sum()), first_difference=first, moved=moved, reference=parameters)


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
    difference: Difference,
    candidate: Callable[[Experiment], Update] = torch_impl.train.stepper,
) -> RoundingTie | None:
    """The first difference of two rounded runs, if nothing but a rounding tie explains it; else None.

    Both sides repeat that update from the same parameters. It is a tie if this gives the very same difference, from
    values that were all within the tolerance of one update (`tolerances`) before they were rounded.
    """
    if difference.update == 0:
        return None
    with np.errstate(all="ignore"):  # as in compare
        parameters, batches = draw(experiment, data)
        for x, t in islice(batches, difference.update - 1):
            parameters = reference.train.step(parameters, x, t, experiment)
        x, t = next(batches)
        expected = reference.train.update(parameters, x, t, experiment)
        actual = candidate(replace(experiment, precision=UNROUNDED[experiment.precision]))(parameters, x, t)
        _gap, _allowed, outside = gaps(parameters, expected, actual, x, experiment)
        rounded = to_float32_grid(expected), to_float32_grid(actual)
    differs = differing_bits(*flatten(rounded))
    if outside.any() or not differs.any() or locate(difference.update, differs, *rounded) != difference:
        return None
    before = locate(difference.update, differs, expected, actual)
    return RoundingTie(
        before.reference,
        before.candidate,
        abs(before.reference - before.candidate) / float(np.spacing(abs(before.reference))),
        int(tie_distance(np.array([before.reference]))[0]),
    )
