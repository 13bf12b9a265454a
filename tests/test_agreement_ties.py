"""Rounding ties: how near a value is to one, and which differences one explains; each with a twin that must fail."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import reference.data
import reference.train
import torch_impl.train
from comparisons.agreement.free_run import BLOCK, compare_runs
from comparisons.agreement.lockstep import lockstep
from comparisons.agreement.ties import TIE, ClosestCall, neighbours, rounding_tie, tie_distance
from comparisons.agreement.tolerances import tolerances
from comparisons.studies import parity
from comparisons.tables import parity as table
from reference.experiment import Experiment, Memory, draw, start
from reference.optimizers import OPTIMIZERS
from reference.train import fold, to_float32_grid, train

DIGITS = Path(__file__).parents[1] / "data" / "digits.npz"
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
            allowed = tolerances(state, x, t, experiment).parameters
            there = [tuple(map(moved, *layers)) for layers in zip(after.parameters, allowed, strict=True)]
            return after._replace(parameters=there)

        return step

    return candidate


# Half a float32 more than a multiple of one: in (2⁻⁸, 2⁻⁷) tack-on takes a weight without a gradient to a rounding tie.
ON_A_TIE = replace(SHORT, style="tack_on", lamda=1_000_000 * 2**-31 + 2**-32)
BESIDE_A_TIE = replace(ON_A_TIE, lamda=ON_A_TIE.lamda + 2**-60)  # 1 ULP from it


@pytest.fixture(name="dead")
def dead_feature(data):
    """The article's data with a feature that is always 0."""
    x = data.x_train.copy()
    x[:, 0] = 0
    return replace(data, x_train=x)


AWAY_FROM_TIES = noisy(lambda distance: -distance)
ACROSS_TIES = noisy(lambda distance: distance + 1)


def test_a_run_can_be_equal_without_a_certificate(dead):
    """Twin: a candidate as far from the reference as the nearest tie is, on the other side, still rounds equal."""
    found = lockstep(BESIDE_A_TIE, dead, AWAY_FROM_TIES)

    assert 0 == found.exit_status
    assert 1 == found.least_margin
    assert not found.certified


def run_of(experiment, data, candidate):
    """A candidate's free run, rounded after every update."""
    update = candidate(experiment)

    def step(state, x, t, _experiment):
        after = update(state, x, t)
        return after._replace(parameters=to_float32_grid(after.parameters))

    return fold(step, *draw(experiment, data), experiment)


def parted(experiment, data, candidate):
    """The first difference of the reference's free run and a candidate's."""
    return compare_runs(train(experiment, data), run_of(experiment, data, candidate)).first_difference


def test_noise_across_a_tie_is_told_from_a_fault(dead):
    """The candidate goes one ULP beyond a tie, where rounding noise could: that explains the difference."""
    difference = parted(ON_A_TIE, dead, ACROSS_TIES)
    tie = rounding_tie(ON_A_TIE, dead, difference, ACROSS_TIES)

    assert difference.reference == float(np.float32(tie.reference)) != float(np.float32(tie.candidate))
    assert difference.candidate == float(np.float32(tie.candidate))
    assert tie.tie_distance_ulps + 1 == tie.gap_ulps
    assert tie.ties >= 1


def truncated(parameters):
    """The bits cut off that float32 does not have."""
    return [tuple((a.view(np.int64) & ~(2 * TIE - 1)).view(np.float64) for a in layer) for layer in parameters]


def after_update(last, fault):
    """ACROSS_TIES, and from the update after that one on with a fault: experiment -> step."""

    def candidate(experiment):
        noise, wrong = ACROSS_TIES(experiment), fault(experiment)
        return lambda state, x, t: (noise if state.updates < last else wrong)(state, x, t)

    return candidate


def once(update, change):
    """ACROSS_TIES, but for one update, whose state is changed."""

    def candidate(experiment):
        noise = ACROSS_TIES(experiment)

        def step(state, x, t):
            after = noise(state, x, t)
            return change(after) if after.updates == update else after

        return step

    return candidate


def one_float32_further(state):
    """W1[0, 0] is one float32 number too large."""
    (W, b), *others = state.parameters
    V = W.copy()
    V[0, 0] = np.nextafter(np.float32(V[0, 0]), np.float32(np.inf))
    return state._replace(parameters=[(V, b), *others])


def forgetful(state):
    """Nothing is remembered."""
    return start(state.parameters)._replace(updates=state.updates)


def doubled(state):
    """Twice the momentum."""
    return state._replace(memory=[Memory(*(tuple(2 * m for m in part) for part in known)) for known in state.memory])


AFTER_A_TIE = {
    "lamda 0.1 % off to the end": after_update(
        70, lambda e: torch_impl.train.stepper(replace(e, lamda=1.001 * e.lamda))
    ),
    "the next float32 in one update": once(70, one_float32_further),
    "momentum forgotten once": once(70, forgetful),
    "momentum doubled once": once(70, doubled),
}


@pytest.mark.parametrize("candidate", AFTER_A_TIE.values(), ids=AFTER_A_TIE)
def test_a_tie_explains_nothing_that_comes_after_it(dead, candidate):
    """Every update to the end must be right for the candidate's own state, what it remembers included."""
    experiment = replace(ON_A_TIE, optimizer="momentum")
    difference = parted(experiment, dead, ACROSS_TIES)

    assert difference.update < 70
    assert rounding_tie(experiment, dead, difference, ACROSS_TIES) is not None
    assert rounding_tie(experiment, dead, difference, candidate) is None


def test_a_larger_lamda_in_some_weights_is_no_tie():
    """Digits, Adam, proximal: 1.3 λ in 96 weights of dead pixels and others, from update 91 on."""
    digits = reference.data.load(DIGITS)
    numbers = {"sizes": (64, 32, 10), "lr": 0.01, "lamda": 0.0003, "batch_size": 16, "epochs": 2}
    experiment = Experiment(style="proximal", optimizer="adam", **numbers)

    def candidate(experiment):
        right = torch_impl.train.stepper(experiment)
        wrong = torch_impl.train.stepper(replace(experiment, lamda=1.3 * experiment.lamda))

        def step(state, x, t):
            after = right(state, x, t)
            if state.updates >= 90:
                after.parameters[0][0].flat[:96] = wrong(state, x, t).parameters[0][0].flat[:96]
            return after

        return step

    difference = parted(experiment, digits, candidate)

    assert 91 == difference.update
    assert rounding_tie(experiment, digits, difference, candidate) is None


def test_the_repeated_run_must_be_the_run(dead):
    """Twin: a run that is another one after the tie is not explained by the repeated one."""
    difference = parted(ON_A_TIE, dead, ACROSS_TIES)
    recorded = list(run_of(ON_A_TIE, dead, ACROSS_TIES))
    (W, b), output = recorded[-1]
    other = [*recorded[:-1], [(W + 1, b), output]]

    assert rounding_tie(ON_A_TIE, dead, difference, ACROSS_TIES, recorded) is not None
    assert rounding_tie(ON_A_TIE, dead, difference, ACROSS_TIES, other) is None


def test_neighbours_by_hand():
    """1 and the next float32 are neighbours, and so is 1 itself; the one after the next is not; 0 and ±2⁻¹⁴⁹ are."""
    tiny = 2.0**-149
    one, other = [1, 1, 1, 1, 0, 0, -tiny], [1 + 2**-23, 1, 1 + 2**-22, 1 - 2**-24, tiny, 1e-20, tiny]

    assert [True, True, False, True, True, False, False] == neighbours(np.array(one), np.array(other)).tolist()


NO_TIE = {
    "lamda 0.1 % off": lambda e: torch_impl.train.stepper(replace(e, lamda=e.lamda * 1.001)),
    "truncated, not rounded": changed(truncated),
    "NaN": nan,
}


@pytest.mark.parametrize("candidate", NO_TIE.values(), ids=NO_TIE)
def test_a_fault_is_no_rounding_tie(data, candidate):
    """Twin: what is beyond the tolerance before rounding is a fault, however little differs."""
    assert rounding_tie(SHORT, data, parted(SHORT, data, candidate), candidate) is None


def test_a_difference_that_the_update_does_not_make_is_no_rounding_tie(dead):
    """Twin: a right update, repeated from equal parameters, explains neither another start nor another item."""
    difference = parted(ON_A_TIE, dead, ACROSS_TIES)

    assert rounding_tie(ON_A_TIE, dead, difference) is None
    assert rounding_tie(ON_A_TIE, dead, replace(difference, update=difference.update + 1), ACROSS_TIES) is None
    assert rounding_tie(ON_A_TIE, dead, replace(difference, candidate=0.0), ACROSS_TIES) is None
    assert rounding_tie(ON_A_TIE, dead, replace(difference, update=0), ACROSS_TIES) is None


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_rounding_can_part_by_more_than_neighbours_is_not_judged(iris, optimizer):
    """The two sides are right; a fault within the same noise would look the same. Twin: one beyond it is different."""
    e = Experiment(sizes=(4, 8, 3), style="clipped", optimizer=optimizer, epochs=2)
    found = parity.check(parity.ParityCheck(e, iris(1000)), lambda _: None)

    assert (3, False) == (found.exit_status, found.tie.neighbours)
    assert table.verdict(found).startswith("NOT JUDGED, free run: first at update ")
    wrong = changed(lambda parameters: [(W + 1e-6, b) for W, b in parameters])
    first = parted(e, iris(1000), wrong)
    assert rounding_tie(e, iris(1000), first, wrong) is None
