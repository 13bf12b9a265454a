"""A wrong L1 fails in every precision, or the run is not judged; each fault is planted in PyTorch."""

from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import reference.data
import reference.train
import torch_impl.train
from comparisons.agreement.controls import MISSING, WRONG_L1, not_judged
from comparisons.agreement.free_run import compare_runs
from comparisons.agreement.lockstep import lockstep
from reference.experiment import DTYPES, Experiment
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS
from torch_impl.l1 import Style
from torch_impl.train import Trainer

WITH_L1 = [name for name, style in STYLES.items() if style.function]
ARTICLE = Experiment(epochs=1)
DIGITS = Experiment(sizes=(64, 32, 10), lr=0.1, lamda=0.00003, batch_size=16, epochs=1)  # make parity-digits
DEEP = replace(DIGITS, sizes=(64, 128, 64, 10), lamda=0.000001)
# Adam moves a bias by some η, with an error of 9 ε: after the step, η λ must be more than 9 ε η, 1e-6 η in float32
BY_ADAM = {DIGITS: replace(DIGITS, lr=0.01, lamda=0.0003), DEEP: replace(DEEP, lamda=0.00001)}


@pytest.fixture(name="few", scope="module")
def few_items():
    """The first 5 items of the article's data, and the first 64 digits: 5 and 4 updates an epoch."""
    digits = reference.data.load(Path(__file__).parents[1] / "data" / "digits.npz")

    def first(data, items):
        return replace(data, x_train=data.x_train[:items], t_train=data.t_train[:items])

    return {"article": first(reference.data.article(), 5), "digits": first(digits, 64)}


def trained_by(trainer):
    """A candidate's update by this trainer."""

    def step(state, x, t):
        trainer.load(state)
        trainer.step(x, t)
        return trainer.state()

    return step


def with_lamda(factor):
    """PyTorch with another λ."""
    return lambda e: torch_impl.train.stepper(replace(e, lamda=e.lamda * factor))


def on_biases_too(experiment):
    """PyTorch, whose group of biases has λ, too."""
    trainer = Trainer(experiment)
    trainer.optimizer.param_groups[1]["lamda"] = experiment.lamda
    return trained_by(trainer)


def reversed_style(experiment):
    """PyTorch, whose style moves every weight the other way."""
    right = torch_impl.train.STYLES[experiment.style]

    def in_loss(w, group):
        return -right.in_loss(w, group)

    def around_step(w, group):
        part = right.around_step(w, group)
        next(part)
        state = yield
        before = w.clone()
        with suppress(StopIteration):
            part.send(state)
        w.copy_(2 * before - w)

    wrong = Style(right.in_loss and in_loss, right.around_step and around_step)
    with patch.dict(torch_impl.train.STYLES, {experiment.style: wrong}):
        return trained_by(Trainer(experiment))


PLANTED = {
    "L1 missing": lambda e: torch_impl.train.stepper(replace(e, style="none")),
    "its sign reversed": reversed_style,
    "2 λ": with_lamda(2.0),
    "½ λ": with_lamda(0.5),
    "L1 on biases too": on_biases_too,
}


def test_every_fault_of_the_table_is_planted():
    """Five of them."""
    assert list(WRONG_L1) == list(PLANTED)


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_wrong_l1_fails_in_every_style(few, optimizer, precision):
    """On the article's data and on digits, as in the Makefile; the right one passes, and is judged."""
    for style, (name, asked) in product(WITH_L1, [("article", ARTICLE), ("digits", DIGITS), ("digits", DEEP)]):
        experiment = BY_ADAM.get(asked, asked) if optimizer == "adam" else asked
        experiment = replace(experiment, style=style, optimizer=optimizer, precision=precision)
        found = {fault: lockstep(experiment, few[name], candidate) for fault, candidate in PLANTED.items()}
        right = lockstep(experiment, few[name])

        assert dict.fromkeys(PLANTED, 1) == {fault: run.exit_status for fault, run in found.items()}, experiment
        assert (0, ()) == (right.exit_status, right.not_judged), experiment


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("style", WITH_L1)
def test_a_fault_below_rounding_is_not_judged(few, style, optimizer):
    """λ = 1e-17: neither the right one nor a fault is called equal, and the figures say why."""
    experiment = replace(ARTICLE, style=style, optimizer=optimizer, lamda=1e-17, precision="float32")
    for candidate in (torch_impl.train.stepper, *PLANTED.values()):
        found = lockstep(experiment, few["article"], candidate)

        assert (3, None) == (found.exit_status, found.first_difference)
        assert MISSING in [fault.fault for fault in found.not_judged]
        for fault in found.not_judged:
            assert 0 <= fault.largest_change <= fault.rounding_error < 1e-6


def test_a_candidate_with_a_fault_is_never_called_equal(few):
    """From a λ that every update shows to one that none can: 1, or 3 where rounding can hide a fault."""
    seen = set()
    for exponent in range(-12, -3):
        experiment = replace(ARTICLE, lamda=10.0**exponent, precision="float32")
        right = lockstep(experiment, few["article"])
        unseen = {fault.fault for fault in right.not_judged}

        assert (3 if unseen else 0) == right.exit_status
        for fault, candidate in PLANTED.items():
            found = lockstep(experiment, few["article"], candidate)
            seen.add((fault in unseen, found.exit_status))

            assert found.exit_status == (1 if found.first_difference else 3)
            assert all(hidden.largest_change <= hidden.rounding_error for hidden in found.not_judged)
    assert {(True, 3), (False, 1), (False, 3)} == seen  # (False, 3): it is within the tolerance, on the edge of it


# --- a free run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", WITH_L1)
def test_a_free_run_tells_every_fault(few, style):
    """λ = 0.001, in rounded precision."""
    assert () == not_judged(replace(ARTICLE, style=style), few["article"])


@pytest.mark.parametrize("numbers", [{"style": "none"}, {"lamda": 0.0}], ids=["none", "λ = 0"])
def test_without_l1_there_is_nothing_to_judge(few, numbers):
    """No fault of L1 is looked for."""
    for precision in DTYPES:
        experiment = replace(ARTICLE, precision=precision, **numbers)

        assert () == not_judged(experiment, few["article"])
        assert 0 == lockstep(experiment, few["article"]).exit_status


def test_a_free_run_without_effect_of_lamda_judges_none(few):
    """λ = 1e-14 changes no rounded value, whatever is wrong with it."""
    found = not_judged(replace(ARTICLE, lamda=1e-14), few["article"])

    assert list(WRONG_L1) == [fault.fault for fault in found]
    assert all(0 < fault.largest_change <= fault.rounding_error for fault in found)


def test_an_effect_that_is_rounded_away_at_first_is_an_effect(data):
    """λ = 5e-11 first changes a rounded value in a later update: it is waited for."""
    experiment = replace(ARTICLE, lamda=5e-11)
    first = compare_runs(
        reference.train.train(experiment, data), reference.train.train(replace(experiment, lamda=0.0), data)
    ).first_difference

    assert first.update > 1
    assert () == not_judged(experiment, data)


def test_a_lamda_that_makes_all_weights_0_is_an_effect(few):
    """2 λ and ½ λ are the same training then: no fault. Without L1 it is another one."""
    experiment = replace(ARTICLE, style="proximal", lamda=100.0)

    for precision in DTYPES:
        assert 0 == lockstep(replace(experiment, precision=precision), few["article"]).exit_status
        assert 1 == lockstep(replace(experiment, precision=precision), few["article"], PLANTED[MISSING]).exit_status
    assert () == not_judged(experiment, few["article"])
    assert not any(np.count_nonzero(W) for W, _ in lockstep(experiment, few["article"]).reference)
