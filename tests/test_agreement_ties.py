"""Rounding ties: how near a value is to one, and which differences one explains; each with a twin that must fail."""

from dataclasses import replace

import numpy as np
import pytest

import reference.train
import torch_impl.train
from comparisons.agreement.free_run import BLOCK, compare_runs
from comparisons.agreement.lockstep import lockstep
from comparisons.agreement.ties import TIE, ClosestCall, rounding_tie, tie_distance
from comparisons.agreement.tolerances import tolerances
from reference.experiment import Experiment, draw
from reference.train import fold, to_float32_grid, train

SHORT = Experiment(epochs=2, batch_size=5)  # 80 updates


def test_tie_distance_by_hand():
    """1 + 2⁻²⁴ is a tie; 1 + 2⁻²⁴ ± 2⁻⁵² are one ULP from it; 1 is 2²⁸ ULPs from the nearest; 1e-40 counts as 0."""
    tie = 1 + 2**-24
    values = np.array([tie, np.nextafter(tie, 2), np.nextafter(tie, 1), -tie, 1.0, 0.0, 1e-40])

    assert [0, 1, 1, 0, TIE, TIE, 0] == tie_distance(values).tolist()


def test_tie_distance_is_where_rounding_flips():
    """A value moved by its distance and one ULP more, to the side of the tie, rounds to another float32."""
    values = np.random.default_rng(0).normal(size=1000)
    ulps = tie_distance(values)
    below = (values.view(np.int64) & (2 * TIE - 1)) < TIE
    beyond = (values.view(np.int64) + np.where(below, ulps + 1, -ulps - 1)).view(np.float64)
    before = (values.view(np.int64) + np.where(below, ulps - 1, -ulps + 1)).view(np.float64)

    assert (beyond.astype(np.float32) != values.astype(np.float32)).all()
    assert (before.astype(np.float32) == values.astype(np.float32)).all()


def test_closest_call_sees_every_update(data):
    """It is the least tie distance of all values before rounding, the last of an incomplete block too."""
    watched, expected = ClosestCall(), []

    def step(state, x, t, experiment):
        after = reference.train.update(state, x, t, experiment)
        expected.extend(int(tie_distance(a.ravel()).min()) for layer in after.parameters for a in layer)
        return after._replace(parameters=to_float32_grid(after.parameters))

    runs = [list(train(replace(SHORT, epochs=8), data, s)) for s in (watched.step, step)]

    assert 320 == len(runs[0]) - 1 > BLOCK
    assert min(expected) == watched.ulps
    assert 0 == compare_runs(*runs).exit_status


def nan(experiment):
    """A candidate whose weights are NaN."""
    return changed(lambda parameters: [(W * np.nan, b) for W, b in parameters])(experiment)


def changed(change):
    """A candidate that makes the reference's update, and changes its parameters."""

    def candidate(experiment):
        def step(state, x, t):
            after = reference.train.update(state, x, t, experiment)
            return after._replace(parameters=change(after.parameters))

        return step

    return candidate


def noisy(ulps):
    """A candidate that moves every value by ulps(tie distance) toward its tie, where the tolerance allows it."""

    def moved(array, allowed):
        bits, toward = array.view(np.int64), ulps(tie_distance(array))
        below = (bits & (2 * TIE - 1)) < TIE
        there = (bits + np.where(below, toward, -toward)).view(np.float64)
        return np.where(np.abs(there - array) <= allowed, there, array)

    def candidate(experiment):
        def step(state, x, t):
            after = reference.train.update(state, x, t, experiment)
            allowed = iter(tolerances(state, after, x, experiment))
            there = [tuple(moved(array, next(allowed)) for array in layer) for layer in after.parameters]
            return after._replace(parameters=there)

        return step

    return candidate


LONGER = replace(SHORT, epochs=10)
AWAY_FROM_TIES = noisy(lambda distance: -distance)
ACROSS_TIES = noisy(lambda distance: distance + 1)


def test_a_run_can_be_equal_without_a_certificate(data):
    """Twin: a candidate as far from the reference as the nearest tie is, on the other side, still rounds equal."""
    found = lockstep(LONGER, data, AWAY_FROM_TIES)

    assert 0 == found.exit_status
    assert 1 == found.least_margin
    assert not found.certified


def parted(experiment, data, candidate):
    """The first difference of the reference's free run and that of a candidate, rounded after every update."""
    update = candidate(experiment)

    def step(state, x, t, _experiment):
        after = update(state, x, t)
        return after._replace(parameters=to_float32_grid(after.parameters))

    run = fold(step, *draw(experiment, data), experiment)
    return compare_runs(train(experiment, data), run).first_difference


def test_noise_across_a_tie_is_told_from_a_fault(data):
    """The candidate goes one ULP beyond a tie, where rounding noise could: that explains the difference."""
    difference = parted(LONGER, data, ACROSS_TIES)
    tie = rounding_tie(LONGER, data, difference, ACROSS_TIES)

    assert difference.reference == float(np.float32(tie.reference)) != float(np.float32(tie.candidate))
    assert difference.candidate == float(np.float32(tie.candidate))
    assert tie.tie_distance_ulps + 1 == tie.gap_ulps


def truncated(parameters):
    """The bits cut off that float32 does not have."""
    return [tuple((a.view(np.int64) & ~(2 * TIE - 1)).view(np.float64) for a in layer) for layer in parameters]


NO_TIE = {
    "lamda 0.1 % off": lambda e: torch_impl.train.stepper(replace(e, lamda=e.lamda * 1.001)),
    "truncated, not rounded": changed(truncated),
    "NaN": nan,
}


@pytest.mark.parametrize("candidate", NO_TIE.values(), ids=NO_TIE)
def test_a_fault_is_no_rounding_tie(data, candidate):
    """Twin: what is beyond the tolerance before rounding is a fault, however little differs."""
    assert rounding_tie(SHORT, data, parted(SHORT, data, candidate), candidate) is None


def test_a_difference_that_the_update_does_not_make_is_no_rounding_tie(data):
    """Twin: a right update, repeated from equal parameters, explains neither another start nor another item."""
    difference = parted(LONGER, data, ACROSS_TIES)

    assert rounding_tie(LONGER, data, difference) is None
    assert rounding_tie(LONGER, data, replace(difference, update=difference.update + 1), ACROSS_TIES) is None
    assert rounding_tie(LONGER, data, replace(difference, candidate=0.0), ACROSS_TIES) is None
    assert rounding_tie(LONGER, data, replace(difference, update=0), ACROSS_TIES) is None
