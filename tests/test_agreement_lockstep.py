"""Lockstep: both sides stay within the tolerance of one update; each check has a twin that must fail."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import reference.train
import torch_impl.train
from comparisons.agreement.free_run import compare_runs
from comparisons.agreement.lockstep import lockstep
from reference.experiment import Experiment
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS
from reference.train import train

SHORT = Experiment(epochs=2, batch_size=5)  # 80 updates


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


def test_nan_is_outside_every_tolerance(data):
    """A candidate that returns NaN fails at its first update."""

    def nan(_experiment):
        return lambda state, x, t: state._replace(parameters=[(W * np.nan, b) for W, b in state.parameters])

    found = lockstep(SHORT, data, nan)

    assert (1, "W1", [0, 0]) == (
        found.first_difference.update,
        found.first_difference.parameter,
        found.first_difference.index,
    )
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


def test_lockstep_and_free_run_take_the_same_path(data):
    """Lockstep of a rounded run ends where the free run ends."""
    *_, end = train(SHORT, data)

    assert (
        0
        == compare_runs(
            [end], [lockstep(SHORT, data, lambda e: partial(reference.train.step, experiment=e)).reference]
        ).differing
    )


# --- what has no tolerance, and what has none to need ---------------------------------------------------------------


def with_a_fault(fault):
    """PyTorch's update, and then fault(W1 before, W1 after)."""

    def candidate(experiment):
        step = torch_impl.train.stepper(experiment)

        def faulty(state, x, t):
            before = state.parameters[0][0].copy()
            after = step(state, x, t)
            (W, b), *others = after.parameters
            return after._replace(parameters=[(fault(before, W), b), *others])

        return faulty

    return candidate


FAULTS = {"noise": lambda before, after: after + 100, "frozen": lambda before, after: before}


@pytest.mark.parametrize(("precision", "times"), [("float32", 1e6), ("float64", 1e16)])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_value_without_a_bound_is_not_judged(iris, precision, times, fault):
    """Adam divides a gradient of rounding by its size: whatever a candidate does there proves nothing."""
    e = replace(SHORT, sizes=(4, 8, 3), optimizer="adam", style="proximal", precision=precision)
    found = lockstep(e, iris(times), with_a_fault(fault))

    assert 3 == found.exit_status
    assert any("a fault in 32 of 67 values" in str(reason) for reason in found.not_judged)
    assert found.moved
    assert 1 == lockstep(e, iris(1.0), with_a_fault(fault)).exit_status


@pytest.mark.parametrize(("precision", "tiny"), [("float64", 1e-18), ("float32", 1e-9)])
def test_a_weight_that_l1_holds_at_zero_is_zero(iris, precision, tiny):
    """Well inside the threshold both sides are exactly 0, whatever the error of the step is."""
    e = replace(SHORT, sizes=(4, 3), style="proximal", lamda=1.0, precision=precision)
    no_zeros = with_a_fault(lambda _, after: np.where(after == 0, tiny, after))

    assert (1, 0) == (lockstep(e, iris(1.0), no_zeros).exit_status, lockstep(e, iris(1.0)).exit_status)
