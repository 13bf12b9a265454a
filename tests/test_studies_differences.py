"""What implementation differences do: each has an effect, found at an update that is known; equal ways have none."""

import json
import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import comparisons.studies.differences
from comparisons.diagnosis.update_rule import rule_of
from comparisons.studies.differences import (
    CHANGES,
    DIFFERENCES,
    MAX_NORM,
    Contrast,
    Way,
    by_hand,
    measure,
    rounded_once,
    shortened,
    step_by,
)
from reference.experiment import Experiment, draw, start
from reference.train import gradients

ROWS = {row.name: row for row in DIFFERENCES}

# the first update after which a bit differs, told from what the difference is; None: two ways that are the same
AT_FIRST = {name: 1 for name in ROWS} | {
    "place_translated": None,  # η λ is what η scales λ to
    "scaled_falling": 2,  # η has not fallen yet in the first update
    "scaled_falling_translated": None,
    "sign_at_zero": None,  # no weight is ever exactly 0
    "sign_when": 2,  # no step crosses zero in the first update
    "threshold": 2,
    "debt": 2,
    "reduction_translated": None,
    "momentum": 2,  # the first update remembers nothing yet
    "shuffling": 201,  # the first epoch is the same
    "start": 0,
    "seed": 0,
    "regrouped_rounded": None,  # the rounding absorbs it
    "summation_rounded": None,
}


@pytest.mark.parametrize("name", ROWS)
def test_where_the_ways_part(data, name):
    """400 updates: at the update that follows from what differs, or never."""
    found = measure(shortened(ROWS[name], 2), lambda _: None, data)
    first = found.agreement.first_difference

    assert 400 == found.agreement.updates
    assert AT_FIRST[name] == (first and first.update)
    assert (found.agreement.largest_gap == 0) == (first is None)


@pytest.mark.parametrize("name", ROWS)
def test_a_way_beside_itself_never_differs(data, name):
    """Twin: the ways that no experiment expresses add no difference of their own."""
    row = shortened(ROWS[name], 1)
    found = measure(row._replace(one=row.other), lambda _: None, data)

    assert found.agreement.first_difference is None
    assert found.agreement.moved
    assert found.one == found.other


def test_clipping_by_hand(data):
    """The norm of all gradients together becomes MAX_NORM where it is larger; after it λ sign w is added unclipped."""
    experiment = Experiment(epochs=1, precision="float64")
    parameters, batches = draw(experiment, data)
    x, t = next(batches)
    slopes = gradients(parameters, x, t, experiment)
    rule = replace(rule_of(experiment, ("W1", "W2")), **CHANGES["L1 after"])
    norm = np.sqrt(sum((g**2).sum() for pair in slopes for g in pair))
    after = step_by(rule, start(parameters), x, t, experiment).parameters
    (W, b), (dW, db) = parameters[-1], slopes[-1]

    assert norm > MAX_NORM
    assert pytest.approx(W - 0.01 * (dW * MAX_NORM / norm + 0.001 * np.sign(W)), rel=1e-12) == after[-1][0]
    assert pytest.approx(b - 0.01 * db * MAX_NORM / norm, rel=1e-12) == after[-1][1]


def test_a_limit_that_is_never_reached_is_no_difference(data, monkeypatch):
    """Twin of the clipping order: both are the plain penalty then."""
    row = shortened(ROWS["clipping"], 1)
    for way in (row.one, row.other):
        monkeypatch.setitem(CHANGES, way.change, CHANGES[way.change] | {"limit": 1e9})
        plain = row._replace(one=Way("", way.experiment), other=way)
        assert measure(plain, lambda _: None, data).agreement.first_difference is None


def test_rounded_once_by_exact_arithmetic():
    """It is the float32 next to the exact w − η G; product and difference rounded one by one are not always."""
    lr = np.float32(0.01)
    w, g = np.random.default_rng(0).uniform(-1, 1, (2, 1000)).astype(np.float32)
    exact = [Fraction(float(a)) - Fraction(float(lr)) * Fraction(float(b)) for a, b in zip(w, g, strict=True)]
    nearest = np.array([float(value) for value in exact]).astype(np.float32)

    assert (nearest == rounded_once(w, g, 0.01, 0.9)[0]).all()
    assert (nearest != w - lr * g).any()


def test_an_unchanged_rule_is_the_reference(data, monkeypatch):
    """Twin of all changed rules: the same updates, bit for bit; of those that follow no schedule and need no memory."""
    monkeypatch.setitem(CHANGES, "nothing", {})
    for contrast in (row for row in DIFFERENCES if row.other.change):
        experiment = replace(contrast.other.experiment, epochs=1)
        plain, unchanged = Way("", experiment), Way("", experiment, change="nothing")
        found = measure(Contrast("", plain, unchanged), lambda _: None, data)

        assert (200, 0) == (found.agreement.updates, found.agreement.updates_apart)


def test_every_changed_rule_can_be_sent_to_a_worker():
    """A process is given the contrast itself."""
    assert list(DIFFERENCES) == pickle.loads(pickle.dumps(list(DIFFERENCES)))


def test_a_batch_backwards_is_another_batch_order(data):
    """The same items: the sums agree to the last digits, the first update's bits do not."""
    way = Way("", Experiment(batch_size=10, epochs=1, precision="float64"))
    other = way._replace(drawn=ROWS["summation_float64"].other.drawn)
    for one, reverse in zip(
        comparisons.studies.differences.run(way, data), comparisons.studies.differences.run(other, data), strict=True
    ):
        assert pytest.approx(one[0][0], rel=1e-9) == reverse[0][0]


def test_the_command_writes_every_difference(run, tmp_path):
    """Two lines for each on the page, and an entry in the result file."""
    path = tmp_path / "r.json"
    status, out, _ = run("differences", "--epochs", 1, "--json", path)

    assert 0 == status
    found = json.loads(path.read_text())["differences"]
    assert list(ROWS) == list(found)
    for name, row in ROWS.items():
        assert f"\n{name} " in out
        assert (row.one.words, row.other.words) == (found[name]["one"]["words"], found[name]["other"]["words"])
        assert 200 == found[name]["updates"]


@pytest.mark.parametrize("epochs", ["0", "-1"])
def test_bad_input_is_one_line_and_exit_2(run, epochs):
    """Without an update there is no difference to find."""
    status, _, err = run("differences", "--epochs", epochs)

    assert 2 == status
    assert f"error: epochs must be a whole number >= 1 here; got {epochs}\n" == err


# worked by hand: η = 0.05, λ = 0.01, thus η λ = 0.0005
BY_HAND = {
    ("none", "8, 9"): 8 - 0.45,
    ("penalty", "8, 9"): 7.5495,
    ("tack_on", "8, 9"): 7.54,
    ("as_listed", "8, 9"): 7.5505,
    ("penalty", "8, 7"): 8 - 0.05 * 7.01,
    ("penalty", "8, 14"): 8 - 0.05 * 14.01,
    ("penalty", "0.0003, 0"): -0.0002,
    ("proximal", "0.0003, 0"): 0.0,
    ("decoupled", "0.002, 0"): 0.0015,
    ("tack_on", "0.002, 0"): -0.008,
    ("as_listed", "0.002, 0"): 0.0025,
    ("none", "0.0003, 0.1"): -0.0047,
    ("tack_on", "0.0003, 0.1"): -0.0147,
    ("sign after", "0.0003, 0.1"): 0.0053,
    ("clipped", "0.0003, 0.1"): -0.0052,
    ("proximal", "0.0003, 0.1"): -0.0042,
    ("sign 0 = 1", "0, 0"): -0.0005,
    ("penalty", "0, 0"): 0.0,
    ("momentum, penalty", "8, 9, 9"): 8 - 0.05 * (9.01 + 0.9 * 9.01 + 9.01),
    ("momentum, decoupled", "8, 9, 9"): 8 - 0.05 * (9 + 0.9 * 9 + 9) - 2 * 0.0005,
    ("L1 inside", "8, 9"): 8 - 0.05 * 0.1,
    ("L1 after", "8, 9"): 8 - 0.05 * (0.1 + 0.01),
}


@pytest.mark.parametrize(("way", "example"), BY_HAND, ids=" ".join)
def test_one_weight_by_hand(way, example):
    """What the page shows of one weight is what a pencil gives."""
    assert pytest.approx(BY_HAND[way, example], rel=1e-12, abs=1e-18) == by_hand()[way][example]


def test_adam_by_hand():
    """The first step of Adam is η sign g, but for its ε; decoupled takes η λ off beside it."""
    found = by_hand()

    assert pytest.approx(8 - 0.05, abs=1e-7) == found["adam, penalty"]["8, 0"]
    assert pytest.approx(8 - 0.0005, abs=1e-12) == found["adam, decoupled"]["8, 0"]


def test_the_softmax_derivatives_by_hand():
    """o = (0.7, 0.2, 0.1), t = (1, 0, 0): d = (−0.3, 0.2, 0.1), Σ o d = −0.16; the full ones add up to 0."""
    found = by_hand()["softmax"]

    assert pytest.approx([0.7 * -0.14, 0.2 * 0.36, 0.1 * 0.26]) == found["full"]
    assert pytest.approx([0.21 * -0.3, 0.16 * 0.2, 0.09 * 0.1]) == found["diagonal"]
    assert pytest.approx(0, abs=1e-15) == sum(found["full"])
    assert abs(sum(found["diagonal"])) > 0.02
