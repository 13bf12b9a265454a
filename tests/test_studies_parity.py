"""Every style, under every optimizer and loss, gives the same bits on both sides."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import reference.data
import reference.train
import torch_impl.train
from comparisons.agreement.free_run import compare_runs
from reference.experiment import SCHEDULES, Experiment
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS

DIGITS = Path(__file__).parents[1] / "data" / "digits.npz"
SHORT = Experiment(epochs=1)  # 200 updates; make parity-styles and make parity-digits train for long


def outcome(experiment, data):
    """Both sides' free runs, compared."""
    return compare_runs(reference.train.train(experiment, data), torch_impl.train.train(experiment, data))


@pytest.fixture(name="digits", scope="module")
def digits_data():
    """1438 training and 359 test items."""
    return reference.data.load(DIGITS)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", STYLES)
def test_every_style_under_every_optimizer(data, style, optimizer, loss):
    """λ 0.003 brings weights to zero and across it within 200 updates, and no bit differs after any of them."""
    found = outcome(replace(SHORT, style=style, optimizer=optimizer, loss=loss, lamda=0.003), data)

    assert (200, 124, 0, None) == (found.updates, found.parameters, found.updates_apart, found.first_difference)
    assert 0 == found.exit_status


@pytest.mark.parametrize(
    "numbers",
    [
        {"l2": 0.01},
        {"lr_schedule": "inverse", "lamda_schedule": "inverse"},
        {"reduction": "sum", "batch_size": 7, "epochs": 4},
    ],
    ids=["elastic net", "schedules", "sum over the batch"],
)
@pytest.mark.parametrize("style", ["penalty", "tack_on", "proximal", "cumulative"])
def test_every_other_part_of_an_experiment(data, style, numbers):
    """L2 beside a style, schedules of η and λ, and a loss that is summed give the same bits, and have an effect."""
    plain = replace(
        SHORT, style=style, lamda=0.003, **{k: v for k, v in numbers.items() if k in ("batch_size", "epochs")}
    )
    experiment = replace(plain, **numbers)
    *_, end = reference.train.train(plain, data)
    found = outcome(experiment, data)

    assert 0 == found.exit_status
    assert not all(np.array_equal(V, W) for (V, _), (W, _) in zip(end, found.reference, strict=True))


@pytest.mark.parametrize("style", STYLES)
def test_digits(digits, style):
    """64-32-10, batches of 16: 90 updates of 2,410 parameters."""
    numbers = {"sizes": (64, 32, 10), "batch_size": 16, "epochs": 1, "lamda": 0.003, "lr": 0.1}
    found = outcome(Experiment(style=style, **numbers), digits)

    assert (90, 2410, 0) == (found.updates, found.parameters, found.updates_apart)
    assert 0 == found.exit_status


def test_a_deeper_network(digits):
    """64-128-64-10 with momentum and the proximal style: 17,226 parameters."""
    numbers = {"sizes": (64, 128, 64, 10), "batch_size": 16, "epochs": 1, "lamda": 0.0001, "lr": 0.1}
    found = outcome(Experiment(style="proximal", optimizer="momentum", **numbers), digits)

    assert (90, 17226, 0) == (found.updates, found.parameters, found.updates_apart)
    assert 0 == found.exit_status


def test_digits_are_those_of_scikit_learn(digits):
    """data/digits.npz holds load_digits(), its pixels divided by 16."""
    original = load_digits()
    with np.load(DIGITS) as arrays:
        assert np.array_equal(original.data, arrays["x"].astype(float) * 16)
        assert np.array_equal(original.target, arrays["t"])


def test_schedules_start_at_one():
    """The first update has the experiment's own η and λ; inverse halves them after 10,000."""
    assert {"constant": 1.0, "inverse": 1.0} == {name: schedule(0) for name, schedule in SCHEDULES.items()}
    assert (1.0, 0.5) == (SCHEDULES["constant"](10_000), SCHEDULES["inverse"](10_000))
