"""Rounding ties: the one way in which two right implementations can differ by a bit in rounded precision.

After every update each float64 value is rounded to the nearest float32. A rounding tie is the middle between two
neighbouring float32 values: on one side of it a value is rounded down, on the other up. Two frameworks compute values
that are some float64 ULPs apart, since they add in another order (an ULP, unit in the last place, is the gap between a
number and the next larger one). Nearly always both are rounded to the same float32. But if a tie lies between them, one
is rounded down and the other up, and the runs differ from there on.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, repeat
from typing import NamedTuple

import numpy as np

import reference.train
import torch_impl.train
from comparisons.agreement.bits import FirstDifference, differing_bits
from comparisons.agreement.blocks import locate
from comparisons.agreement.free_run import BLOCK, flatten, shapes_of
from comparisons.agreement.tolerances import copied, gaps, memory_apart, tolerances
from reference.data import Dataset
from reference.experiment import Experiment, Parameters, State, draw, start

Candidate = Callable[[Experiment], Callable[[State, np.ndarray, np.ndarray], State]]  # makes an update

DROPPED_BITS = 52 - 23  # a float64 has 52 fraction bits, a float32 keeps 23 of them
TIE = 2 ** (DROPPED_BITS - 1)  # dropped bits 1000…0: half-way between two float32 values


def tie_distance(values: np.ndarray) -> np.ndarray:
    """|dropped bits − 100…0₂|: how far each float64 is from a float32 rounding tie, in float64 ULPs.

    Below float32's normal range the formula does not hold; 0 is returned there, except for zero itself.
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
            self._least, self._unseen = self.ulps, []
        return after._replace(parameters=reference.train.to_float32_grid(after.parameters))

    @property
    def ulps(self) -> int:
        """The least of all steps so far."""
        if not self._unseen:
            return self._least
        return min(self._least, int(tie_distance(flatten(self._unseen)).min()))


@dataclass(frozen=True)
class RoundingTie:
    """Two values that were equal, but for rounding errors, until a tie between them rounded them apart."""

    reference: float  # before rounding
    candidate: float
    gap_ulps: float  # from one to the other, in float64 ULPs
    tie_distance_ulps: int  # from the reference's value to the tie
    ties: int = 1  # how many values of the whole run were rounded apart
    neighbours: bool = True  # each into two neighbouring float32 numbers? If not, rounding errors may have done it


class Followed(NamedTuple):
    """One update of the candidate's run, and what it should be."""

    update: int
    expected: Parameters  # before rounding
    actual: Parameters
    differs: np.ndarray  # which elements do after rounding: a row
    within: bool  # is each value within its tolerance before rounding?
    neighbours: bool  # are the values that differ neighbours after it? Then nothing but rounding is between the two


def follow(
    experiment: Experiment, data: Dataset, candidate: Candidate, run: Iterable[Parameters] | None
) -> Iterator[Followed]:
    """Every update of the candidate's run, beside what the reference makes of the candidate's own state.

    Rounding can explain it if each value, remembered ones too, is within its own tolerance before rounding
    (`tolerances`), and does if it is the same float32 number after rounding or a neighbour of it. Until the two runs
    part, the expected parameters are those of the reference's own run. There, what the optimizers remember has other
    rounding errors: such a value may be a little farther away, but not beyond a neighbour.
    """
    candidate_update = candidate(replace(experiment, precision="float64"))  # the values before they are rounded
    parameters, batches = draw(experiment, data)
    own = state = start(parameters)
    apart = False
    recorded = islice(run, 1, None) if run is not None else repeat(None)
    for update, ((x, t), known) in enumerate(zip(batches, recorded, strict=False), start=1):
        allowed = tolerances(state, x, t, experiment)
        update_of = partial(reference.train.update, x=x, t=t, experiment=experiment)
        right = update_of(state)
        expected = right if apart else update_of(own)
        actual = candidate_update(copied(state), x.copy(), t.copy())
        own, state = rounded(expected), rounded(actual)
        rows = flatten([own.parameters, state.parameters])
        differs = differing_bits(*rows)
        apart = apart or bool(differs.any())
        found = gaps(right, actual, allowed)
        within = not found.outside.any() and memory_apart(right, actual, allowed, update_of) is None
        if known is not None:
            within = within and not differing_bits(*flatten([known, state.parameters])).any()
        close = not (differs & ~(neighbours(*rows) & np.isfinite(found.allowed))).any()
        yield Followed(update, expected.parameters, actual.parameters, differs, within, close)


def rounded(state: State) -> State:
    """Its parameters as float32 numbers."""
    return state._replace(parameters=reference.train.to_float32_grid(state.parameters))


def neighbours(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Is there no float32 number between the two float32 numbers of each pair?"""
    a, b = one.astype(np.float32), other.astype(np.float32)
    return np.nextafter(a, b) == b


def rounding_tie(
    experiment: Experiment,
    data: Dataset,
    difference: FirstDifference,
    candidate: Candidate = torch_impl.train.stepper,
    run: Iterable[Parameters] | None = None,
) -> RoundingTie | None:
    """The rounding tie that explains the first difference of two rounded runs; None if none does.

    The candidate repeats its run to the end, and every one of its updates, before the difference and after it, must be
    explained (`follow`). run: what the repeated run must be after every update, bit for bit; item 0 is the start.
    """
    if difference.update == 0:
        return None
    found, ties, close, shapes = None, 0, True, shapes_of(draw(experiment, data)[0])
    with np.errstate(all="ignore"):  # as in the free run
        for update, expected, actual, differs, within, near in follow(experiment, data, candidate, run):
            if not within:
                return None
            close = close and near
            if not differs.any():
                continue
            if found is None:
                before = flatten([expected, actual])
                after = flatten([reference.train.to_float32_grid(side) for side in (expected, actual)])
                if locate(shapes, update, differs, *after) != difference:
                    return None
                found = tie_between(*before[:, differs.argmax()])
            ties += int(differs.sum())
    return found and replace(found, ties=ties, neighbours=close)


def tie_between(one: float, other: float) -> RoundingTie:
    """The tie between two values before rounding."""
    gap_ulps = abs(one - other) / float(np.spacing(abs(one)))
    return RoundingTie(float(one), float(other), gap_ulps, int(tie_distance(np.array([one]))[0]))
