"""Rounding ties: the one way in which two right implementations can differ by a bit in rounded precision.

After every update each float64 value is rounded to the nearest float32. A rounding tie is the middle between two
neighbouring float32 values: on one side of it a value is rounded down, on the other up. Two frameworks compute values
that are some float64 ULPs apart, since they add in another order (an ULP, unit in the last place, is the gap between a
number and the next larger one). Nearly always both are rounded to the same float32. But if a tie lies between them, one
is rounded down and the other up, and the runs differ from there on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

import reference.train
import torch_impl.train
from comparisons.agreement.bits import FirstDifference, differing_bits
from comparisons.agreement.blocks import locate
from comparisons.agreement.free_run import BLOCK, flatten, shapes_of
from comparisons.agreement.tolerances import gaps
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


def rounding_tie(
    experiment: Experiment, data: Dataset, difference: FirstDifference, candidate: Candidate = torch_impl.train.stepper
) -> RoundingTie | None:
    """The rounding tie that explains the first difference of two rounded runs; None if none does.

    Both sides repeat their run up to that update. It is a tie if they come to it with the same parameters, and make
    this very difference of values that were all within the tolerance of one update (`tolerances`) before they were
    rounded. What the two optimizers remember may differ by then. The tolerance has room for that: errors of earlier
    gradients fade as the gradients do, and an optimizer's `sensitivity` counts their sum.
    """
    if difference.update == 0:
        return None
    candidate_update = candidate(replace(experiment, precision="float64"))  # the values before they are rounded
    with np.errstate(all="ignore"):  # as in the free run
        parameters, batches = draw(experiment, data)
        before, candidate_before = start(parameters), start(parameters)
        for x, t in islice(batches, difference.update - 1):
            before = reference.train.step(before, x, t, experiment)
            after = candidate_update(candidate_before, x, t)
            candidate_before = after._replace(parameters=reference.train.to_float32_grid(after.parameters))
        x, t = next(batches)
        both = reference.train.update(before, x, t, experiment), candidate_update(candidate_before, x, t)
        found = gaps(before, *both, x, experiment)
        rounded = flatten([reference.train.to_float32_grid(after.parameters) for after in both])
    apart_before = differing_bits(*flatten([before.parameters, candidate_before.parameters])).any()
    differs = shapes_of(parameters), difference.update, differing_bits(*rounded)
    first = locate(*differs, found.reference, found.candidate)
    if first is None or apart_before or found.outside.any() or locate(*differs, *rounded) != difference:
        return None
    gap_ulps = abs(first.reference - first.candidate) / float(np.spacing(abs(first.reference)))
    return RoundingTie(first.reference, first.candidate, gap_ulps, int(tie_distance(np.array([first.reference]))[0]))
