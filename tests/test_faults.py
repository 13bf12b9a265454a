"""Every wrong implementation of tests/faults is detected, located, and named right; the right ones are not."""

import inspect

import pytest

from comparisons.diagnosis.words import sentence
from tests.faults import by_hand, in_torch
from tests.faults.__main__ import examine
from tests.faults.table import FAULTS, Fault


def sentences(finding):
    """What is said of the differences."""
    return [sentence(finding.evidence, finding.diagnosis, e) for e in finding.diagnosis.explanations]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_detected_located_and_named(fault, tmp_path):
    """At the update and in the parameters where it shows first."""
    finding = examine(fault, tmp_path)
    diagnosis = finding.diagnosis

    assert 1 == finding.comparison.exit_status
    assert (fault.update or 0) == finding.comparison.first_difference.update
    assert (fault.update, fault.parameters) == (diagnosis.update, diagnosis.parameters)
    assert fault.says in sentences(finding)[0]
    assert sentences(finding)[0].replace(" ", "") in finding.report.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("code", [by_hand.Right, in_torch.Right], ids=["NumPy", "PyTorch"])
def test_the_right_ones_are_equal(code, tmp_path):
    """Of which all others differ by one thing: no alarm, no diagnosis."""
    finding = examine(Fault(code, ""), tmp_path)

    assert (0, None) == (finding.comparison.exit_status, finding.diagnosis)


def test_every_fault_has_its_row():
    """No class is forgotten, none is there twice; there are more than 40."""
    classes = [
        cls
        for module in (by_hand, in_torch)
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__ and name not in ("Right", "SignOfZeroIsOne", "Float32")
    ]

    assert sorted(map(repr, classes)) == sorted(repr(fault.code) for fault in FAULTS)
    assert len(FAULTS) > 40
