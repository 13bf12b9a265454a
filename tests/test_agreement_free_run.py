"""How runs are compared: bits, ties, tolerances; each with a twin that must fail."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import reference.train
import torch_impl.train
from comparisons.agreement.free_run import (
    BLOCK,
    TIE,
    ClosestCall,
    FirstDifference,
    compare_runs,
    lockstep,
    rounding_tie,
    tie_distance,
    tolerances,
)
from reference.experiment import Experiment, draw
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS
from reference.train import fold, to_float32_grid, train

SHORT = Experiment(epochs=2, batch_size=5)  # 80 updates


def constant_run(*values):
    """A run of a network of one weight and one bias, whose weight takes these values."""
    return [[(np.array([[value]]), np.array([0.5]))] for value in values]


def test_equal_runs():
    """Every value has the same bits after every update."""
    found = compare_runs(constant_run(1.0, 2.0, 3.0), constant_run(1.0, 2.0, 3.0))

    assert (2, 2, 0, None, True) == (
        found.updates,
        found.parameters,
        found.differing,
        found.first_difference,
        found.moved,
    )
    assert 0 == found.exit_status


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (2.0, np.nextafter(2.0, 3.0)),
        (0.0, -0.0),
        (2.0, np.nan),
        (np.nan, 2.0),
        (np.nan, np.nan),
        (np.inf, np.inf),
    ],
    ids=["one ULP", "sign of zero", "NaN in the candidate", "NaN in the reference", "NaN in both", "infinity in both"],
)
def test_a_difference_is_located(value, other):
    """One bit is a difference, at its update, parameter and index; what is not finite agrees with nothing."""
    found = compare_runs(constant_run(1.0, value, 3.0), constant_run(1.0, other, 3.0))

    assert str(FirstDifference(1, "W1", [0, 0], value, float(other))) == str(found.first_difference)
    assert 0 == found.differing
    assert 1 == found.exit_status


def test_a_difference_is_located_beyond_the_first_block():
    """The comparison looks at every update, in blocks."""
    values = list(range(3 * BLOCK))
    other = values.copy()
    other[2 * BLOCK + 3] = -1

    assert 2 * BLOCK + 3 == compare_runs(constant_run(*values), constant_run(*other)).first_difference.update


def test_a_difference_is_named_by_layer_and_index():
    """b2[1] of a 2-3-2 network."""
    parameters = [(np.ones((2, 3)), np.ones(3)), (np.ones((3, 2)), np.ones(2))]
    other = [*parameters[:1], (np.ones((3, 2)), np.array([1.0, 1.5]))]
    found = compare_runs([parameters], [other])

    assert FirstDifference(0, "b2", [1], 1.0, 1.5) == found.first_difference
    assert 13 + 4 == found.parameters


@pytest.mark.parametrize("values", [(1.0,), (1.0, 1.0, 1.0)], ids=["no update", "nothing moved"])
def test_nothing_compared_is_not_equal(values):
    """Without an update, or without one that changed anything, equal runs prove nothing."""
    assert 3 == compare_runs(constant_run(*values), constant_run(*values)).exit_status


def test_no_run_at_all_is_an_error():
    """Two empty runs are not equal runs."""
    with pytest.raises(ValueError, match="no run to compare"):
        compare_runs([], [])


@pytest.mark.parametrize(("one", "other", "which"), [(2, 3, "reference"), (3, 2, "candidate")], ids=["short", "long"])
def test_runs_of_different_length_are_an_error(one, other, which):
    """A run that ends early is named."""
    with pytest.raises(ValueError, match=f"the {which} run ends before update 2"):
        compare_runs(constant_run(*range(one)), constant_run(*range(other)))


def test_other_shapes_are_an_error():
    """A transposed weight is not compared element by element."""
    with pytest.raises(ValueError, match="shapes"):
        compare_runs([[(np.ones((2, 3)), np.ones(3))]], [[(np.ones((3, 2)), np.ones(3))]])


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


@pytest.mark.parametrize("precision", ["rounded", "float64", "float32"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", STYLES)
def test_lockstep_is_within_its_tolerance(data, style, optimizer, precision):
    """Both sides differ by less than rounding can make of one update, at every update."""
    found = lockstep(replace(SHORT, style=style, optimizer=optimizer, precision=precision), data)

    assert (80, 124, 0, None) == (found.updates, found.parameters, found.differing, found.first_difference)
    assert 0 == found.exit_status
    assert found.used <= 1


@pytest.mark.parametrize(
    "numbers",
    [
        {"sizes": (10, 6, 5, 4), "lr": 0.1, "l2": 0.01},
        {"loss": "cross_entropy", "batch_size": 200},
        {"softmax_derivative": "diagonal", "lr": 1.0},
        {"reduction": "sum", "batch_size": 50},
        {"lr_schedule": "inverse", "lamda_schedule": "inverse", "optimizer": "momentum", "momentum": 0.99},
    ],
    ids=["deep", "whole batch", "lr 1", "sum over the batch", "schedules and a long memory"],
)
def test_lockstep_holds_away_from_the_article(data, numbers):
    """Other depths, batches and learning rates use no more than the tolerance."""
    assert lockstep(replace(SHORT, precision="float64", **numbers), data).used <= 1


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
@pytest.mark.parametrize("style", [style for style in STYLES if style != "none"])
def test_the_tolerance_is_far_below_a_fault(data, style, optimizer):
    """λ off by 0.1 % is 1,000 times the tolerance in float64, at the first update."""
    experiment = replace(SHORT, style=style, optimizer=optimizer, precision="float64")
    found = lockstep(experiment, data, lambda e: torch_impl.train.stepper(replace(e, lamda=experiment.lamda * 1.001)))

    assert 1 == found.first_difference.update
    assert 1 == found.exit_status
    assert found.used > 1e3


def test_lockstep_sees_a_missing_penalty_in_float32(data):
    """Twin of the float32 case above: ηλ = 1e-5 is outside its tolerance."""
    experiment = replace(SHORT, style="penalty", precision="float32")
    found = lockstep(experiment, data, lambda e: torch_impl.train.stepper(replace(e, style="none")))

    assert 1 == found.first_difference.update


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


def test_nan_is_outside_every_tolerance(data):
    """A candidate that returns NaN fails at its first update."""
    found = lockstep(SHORT, data, nan)

    assert (1, "W1", [0, 0]) == (found.first_difference.update, *list(vars(found.first_difference).values())[1:3])
    assert 1 == found.exit_status
    assert not found.certified


def test_lockstep_without_updates_compares_nothing(data):
    """Zero epochs are neither equal nor certified."""
    found = lockstep(replace(SHORT, epochs=0), data)

    assert 3 == found.exit_status
    assert not found.certified


def test_an_equal_run_is_certified(data):
    """Every value was farther from a tie than the two sides were from each other."""
    found = lockstep(SHORT, data)

    assert found.certified
    assert found.least_margin > 1


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


def test_lockstep_and_free_run_take_the_same_path(data):
    """Lockstep of a rounded run ends where the free run ends."""
    *_, end = train(SHORT, data)

    assert (
        0
        == compare_runs(
            [end], [lockstep(SHORT, data, lambda e: partial(reference.train.step, experiment=e)).reference]
        ).differing
    )
