"""Lockstep: before every update the candidate is given the reference's parameters, so that no error builds up.

float64 and float32 agree within a tolerance of one update, which must be too narrow for a wrong L1 (`controls`). A
rounded run is certified: every value was farther from a rounding tie than the two sides were from each other there, so
that no bit could differ by rounding errors alone.
"""

import math
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

import reference.train
import torch_impl.train
from comparisons.agreement.bits import FirstDifference, exit_status
from comparisons.agreement.blocks import locate
from comparisons.agreement.controls import Controls, Hidden, NotJudged, own_rounding
from comparisons.agreement.free_run import Tick, check_shapes, flatten, shapes_of, ticking
from comparisons.agreement.ties import Candidate, tie_distance
from comparisons.agreement.tolerances import copied, gaps, memory_apart, tolerances
from reference.data import Dataset
from reference.experiment import Experiment, Parameters, draw, start


@dataclass(frozen=True)
class Lockstep:
    """What lockstep showed, over every value of every update before it is rounded.

    The first difference can be in what is remembered between updates, too: it acts in the next one.
    """

    updates: int
    parameters: int
    differing: int  # parameters that were outside the tolerance after any update
    first_difference: FirstDifference | None
    moved: bool  # did any update move a value by more than rounding can?
    not_finite: int | None  # the first update that made a value NaN or infinite on both sides
    not_judged: tuple[NotJudged, ...]  # which wrong L1, or which values with any fault, would have passed, too
    used: float  # the largest gap / tolerance
    largest_gap_ulps: float
    least_margin: float  # the least tie distance / gap at the same value, where the gap is taken as 1 ULP or more
    reference: Parameters = field(repr=False)  # after the last update

    @property
    def exit_status(self) -> int:
        """0 within the tolerance, 1 outside, 3 nothing was proved: nothing moved, not finite, or not judged."""
        proved = self.moved and self.not_finite is None and not self.not_judged
        return exit_status(self.first_difference is not None, proved)

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
    state, shapes, controls, hidden = start(parameters), shapes_of(parameters), Controls(experiment), Hidden()
    update, used, largest_ulps, margin, moved, not_finite = 0, 0.0, 0.0, math.inf, False, None
    ever, first = np.zeros(flatten([parameters]).size, dtype=bool), None
    with np.errstate(all="ignore"):  # overflow and NaN are for the comparison to find
        for update, (x, t) in enumerate(ticking(batches, tick), start=1):
            update_of = partial(reference.train.update, x=x, t=t, experiment=experiment)
            expected = update_of(state)
            actual = candidate_update(copied(state), x.copy(), t.copy())
            check_shapes(expected.parameters, actual.parameters)
            allowed = tolerances(state, x, t, experiment)
            found = gaps(expected, actual, allowed)
            finite = np.isfinite(found.reference) | np.isfinite(found.candidate)
            not_finite = update if not_finite is None and not finite.all() else not_finite
            outside = found.outside & finite
            first = first or locate(shapes, update, outside, found.reference, found.candidate)
            first = first or (memory_apart(expected, actual, allowed, update_of) if finite.all() else None)
            ever |= outside
            own = own_rounding(before := flatten([state.parameters])[0], found.reference, np.finfo(experiment.dtype))
            hidden.look(before, found, own)
            controls.in_lockstep(state, expected, actual, x, t, experiment)
            gap_ulps = found.gap / np.spacing(np.abs(found.reference), dtype=experiment.dtype)
            used = max(used, float(found.used.max()))
            largest_ulps = max(largest_ulps, float(gap_ulps.max()))
            margin = min(margin, float((tie_distance(found.reference) / np.maximum(gap_ulps, 1)).min()))
            after = expected._replace(parameters=reference.train.ROUNDING[experiment.precision](expected.parameters))
            by_more = np.abs(found.reference - before) > np.minimum(found.allowed, own)
            moved = moved or bool(((before != flatten([after.parameters])[0]) & by_more).any())
            state = after
    return Lockstep(
        update,
        ever.size,
        int(ever.sum()),
        first,
        moved,
        not_finite,
        controls.not_judged + hidden.not_judged,
        used,
        largest_ulps,
        margin,
        state.parameters,
    )
