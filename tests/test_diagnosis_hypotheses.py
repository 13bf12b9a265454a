"""The table of hypotheses: a new difference is one function and one row, and every row says what it must."""

from dataclasses import fields, replace
from string import Formatter

import numpy as np
import pytest

from comparisons.diagnosis.forms import Variant
from comparisons.diagnosis.hypotheses import HYPOTHESES, Hypothesis
from comparisons.diagnosis.update_rule import UpdateRule
from comparisons.recorders.plain import Recorder
from comparisons.same_training import record_reference
from reference.experiment import Experiment
from reference.l1 import Style
from tests.faults import by_hand

EXPERIMENT = Experiment(epochs=1)


class WeightedByItself(by_hand.Right):
    """The penalty is ½ λ Σ w |w|: large weights are pulled more. No row of the table knows it."""

    def penalty(self, name, w):
        return self.e.lamda * np.abs(w) if name[0] == "W" else 0.0


def weighted_by_itself(known):
    """w⁺ = step(w, g + λ |w|)."""
    yield Variant(replace(known.base, style=Style(on_gradient=lambda w, g, lamda: g + lamda * np.abs(w))))


@pytest.fixture(name="compared")
def compare_with_the_new_fault(run, data, tmp_path):
    """compared() -> exit status and report of `compare`, of the reference and the new fault."""
    record_reference(tmp_path / "reference.npz", EXPERIMENT, data, 200)
    with Recorder(tmp_path / "candidate.npz") as trace:
        for state in WeightedByItself(EXPERIMENT, data).run():
            trace.update(state)

    def compared():
        status, out, _ = run("compare", tmp_path / "reference.npz", tmp_path / "candidate.npz")
        return status, " ".join(out.split())

    return compared


def test_a_new_row_is_named_by_compare(compared, monkeypatch):
    """One function and one row: `compare` says its sentence. Twin: without the row nothing is said."""
    status, before = compared()
    row = Hypothesis("the {side}'s L1 is weighted by the weight itself", weighted_by_itself, "base.has_l1")
    monkeypatch.setitem(HYPOTHESES, "weighted L1", row)

    assert (1, True) == (status, "fits none of the differences that are looked for" in before)
    assert "because the candidate's L1 is weighted by the weight itself (predicts every update" in compared()[1]


def test_every_row_can_be_filled_in():
    """The braces of every sentence are those that `words.sentence` fills; every free number is a field of the rule."""
    braces = "side words formula asked_style value factor beta asked_beta amount more_or_less update happened"
    numbers = {field.name for field in fields(UpdateRule)} | {""}
    for key, row in HYPOTHESES.items():
        used = {name for text in (row.sentence, row.without_rates) for _, name, _, _ in Formatter().parse(text) if name}

        assert used <= set(braces.split(" ")), key
        assert row.number in numbers, key
        assert row.between[0] < row.between[1], key
