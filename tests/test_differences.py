"""What implementation differences do: each has an effect, found at an update that is known; equal ways have none."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from comparisons.__main__ import main
from comparisons.differences import DIFFERENCES, MAX_NORM, Task, Way, clipping, measure, run, shortened
from comparisons.tables.differences import to_json
from reference.experiment import Experiment, draw, start
from reference.train import gradients

ROWS = {row.name: row for row in DIFFERENCES}

# the first update after which a bit differs, told from what the difference is; None: two ways that are the same
AT_FIRST = {name: 1 for name in ROWS} | {
    "scaled": None,  # η λ is what η scales λ to
    "sign_at_zero": None,  # no weight is ever exactly 0
    "sign_when": 2,  # no step crosses zero in the first update
    "threshold": 2,
    "debt": 2,
    "reduction_translated": None,
    "momentum": 2,  # the first update remembers nothing yet
    "shuffling": 201,  # the first epoch is the same
    "start": 0,
    "seed": 0,
    "summation_rounded": None,  # the rounding absorbs it
}


@pytest.mark.parametrize("name", ROWS)
def test_where_the_ways_part(data, name):
    """400 updates: at the update that follows from what differs, or never."""
    found = measure(Task(shortened(ROWS[name], 2), data), lambda _: None)
    first = found.agreement.first_difference

    assert 400 == found.agreement.updates
    assert AT_FIRST[name] == (first and first.update)
    assert (found.largest_gap == 0) == (first is None)


@pytest.mark.parametrize("name", ROWS)
def test_a_way_beside_itself_never_differs(data, name):
    """Twin: the ways that no experiment expresses add no difference of their own."""
    row = shortened(ROWS[name], 1)
    found = measure(Task(replace(row, one=row.other), data), lambda _: None)

    assert found.agreement.first_difference is None
    assert found.agreement.moved
    assert found.one == found.other


def test_clipping_by_hand(data):
    """The norm of all gradients together becomes MAX_NORM where it is larger; after it λ sign w is added unclipped."""
    experiment = Experiment(epochs=1, precision="float64")
    parameters, batches = draw(experiment, data)
    x, t = next(batches)
    slopes = gradients(parameters, x, t, experiment)
    norm = np.sqrt(sum((g**2).sum() for pair in slopes for g in pair))
    after = clipping(False, start(parameters), x, t, experiment).parameters
    (W, b), (dW, db) = parameters[-1], slopes[-1]

    assert norm > MAX_NORM
    assert pytest.approx(W - 0.01 * (dW * MAX_NORM / norm + 0.001 * np.sign(W)), rel=1e-12) == after[-1][0]
    assert pytest.approx(b - 0.01 * db * MAX_NORM / norm, rel=1e-12) == after[-1][1]


def test_a_batch_backwards_is_another_batch_order(data):
    """The same items: the sums agree to the last digits, the first update's bits do not."""
    way = Way("", Experiment(batch_size=10, epochs=1, precision="float64"))
    other = replace(way, drawn=ROWS["summation_float64"].other.drawn)
    for one, reverse in zip(run(way, data), run(other, data), strict=True):
        assert pytest.approx(one[0][0], rel=1e-9) == reverse[0][0]


def test_the_command_writes_every_difference(monkeypatch, capsys, tmp_path):
    """Two lines for each on the page, and an entry in the result file."""
    path = tmp_path / "r.json"
    monkeypatch.setattr(sys, "argv", ["comparisons", "differences", "--epochs", "1", "--json", str(path)])

    assert 0 == main()
    out = capsys.readouterr().out
    found = json.loads(path.read_text())["differences"]
    assert list(ROWS) == list(found)
    for name, row in ROWS.items():
        assert f"\n{name} " in out
        assert (row.one.words, row.other.words) == (found[name]["one"]["words"], found[name]["other"]["words"])
        assert 200 == found[name]["updates"]


@pytest.mark.parametrize("epochs", ["0", "-1"])
def test_bad_input_is_one_line_and_exit_2(monkeypatch, capsys, epochs):
    """Without an update there is no difference to find."""
    monkeypatch.setattr(sys, "argv", ["comparisons", "differences", "--epochs", epochs])

    assert 2 == main()
    assert f"error: epochs must be a whole number >= 1 here; got {epochs}\n" == capsys.readouterr().err


def test_the_probes_by_hand(data):
    """η = 0.05, λ = 0.01: 7.5495 and 7.5400 as in the article; −0.05 or −0.03; under Adam 7.95, whatever λ is."""
    found = to_json([measure(Task(shortened(ROWS["scaled"], 1), data), lambda _: None)])["probes"]

    assert pytest.approx(7.5495, rel=1e-14) == found["penalty"]["sgd, w = 8, g = 9"]
    assert pytest.approx(7.54, rel=1e-14) == found["tack_on"]["sgd, w = 8, g = 9"]
    assert pytest.approx(-0.05, rel=1e-14) == found["tack_on"]["sgd, w = 0.01, g = 1"]
    assert pytest.approx(-0.03, rel=1e-14) == found["sign after the step"]["sgd, w = 0.01, g = 1"]
    assert pytest.approx(7.95, rel=1e-7) == found["penalty"]["adam, w = 8, g = 0"]
    assert pytest.approx(7.9995, rel=1e-14) == found["decoupled"]["adam, w = 8, g = 0"]
