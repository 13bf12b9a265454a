"""Lockstep: before every update the candidate is given the reference's parameters, so that no error builds up.

float64 and float32 agree within a tolerance of one update. A rounded run is certified: every value was farther from a
rounding tie than the two sides were from each other there, so that no bit could differ by rounding errors alone.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np

import reference.train
import torch_impl.train
from comparisons.agreement.bits import FirstDifference, exit_status
from comparisons.agreement.blocks import locate
from comparisons.agreement.free_run import Tick, check_shapes, flatten, shapes_of, ticking
from comparisons.agreement.ties import Candidate, tie_distance
from comparisons.agreement.tolerances import gaps
from reference.data import Dataset
from reference.experiment import Experiment, Parameters, draw, start


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
    least_margin: float  # the least tie distance / gap at the same value, where the gap is taken as 1 ULP or more
    reference: Parameters = field(repr=False)  # after the last update

    @property
    def exit_status(self) -> int:
        """0 within the tolerance, 1 outside, 3 nothing was compared: no update, or none that changed anything."""
        return exit_status(self.first_difference is not None, self.moved)

    @property
    def certified(self) -> bool:
        """Was every value farther from a rounding tie than the two sides were from each other there?"""
        return self.exit_status == 0 and self.least_margin > 1


UNROUNDED = {"rounded": "float64", "float64": "float64", "float32": "float32"}


def lockstep(
    experiment: Experiment, data: Dataset, candidate: Candidate = torch_impl.train.stepper, tick: Tick = lambda _: None
) -> Lockstep:
    """Restart the candidate from the reference's state before every update, and compare what both compute.

    In rounded precision the values before rounding are compared: the candidate is asked for a float64 update.
    Raises InputError where the experiment names an unknown style, optimizer or loss, or does not fit the data.
    """
    reference.train.check_names(experiment)
    candidate_update = candidate(replace(experiment, precision=UNROUNDED[experiment.precision]))
    parameters, batches = draw(experiment, data)
    state, initial, shapes = start(parameters), flatten([parameters])[0], shapes_of(parameters)
    update, used, largest_ulps, margin = 0, 0.0, 0.0, math.inf
    ever, first = np.zeros(initial.size, dtype=bool), None
    with np.errstate(all="ignore"):  # overflow and NaN are for the comparison to find
        for update, (x, t) in enumerate(ticking(batches, tick), start=1):
            expected = reference.train.update(state, x, t, experiment)
            actual = candidate_update(state, x, t)
            check_shapes(expected.parameters, actual.parameters)
            found = gaps(state, expected, actual, x, experiment)
            first = first or locate(shapes, update, found.outside, found.reference, found.candidate)
            ever |= found.outside
            gap_ulps = found.gap / np.spacing(np.abs(found.reference), dtype=experiment.dtype)
            used = max(used, float((found.gap / found.allowed).max()))
            largest_ulps = max(largest_ulps, float(gap_ulps.max()))
            margin = min(margin, float((tie_distance(found.reference) / np.maximum(gap_ulps, 1)).min()))
            state = expected._replace(parameters=reference.train.ROUNDING[experiment.precision](expected.parameters))
    moved, differing, end = bool((flatten([state.parameters])[0] != initial).any()), int(ever.sum()), state.parameters
    return Lockstep(update, initial.size, differing, first, moved, used, largest_ulps, margin, end)
