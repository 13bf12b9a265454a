"""A free run is compared bit for bit: what is equal, what is found where, and what proves nothing."""

import numpy as np
import pytest

from comparisons.agreement.bits import FirstDifference
from comparisons.agreement.free_run import BLOCK, compare_runs


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
        (2.0, np.nan),
        (np.nan, 2.0),
    ],
    ids=["one ULP", "NaN in the candidate", "NaN in the reference"],
)
def test_a_difference_is_located(value, other):
    """One bit is a difference, at its update, parameter and index, and so is NaN on one side."""
    found = compare_runs(constant_run(1.0, value, 3.0), constant_run(1.0, other, 3.0))

    assert str(FirstDifference(1, "W1", [0, 0], value, float(other))) == str(found.first_difference)
    assert 0 == found.differing
    assert 1 == found.exit_status


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_proves_nothing(value):
    """NaN or infinity on both sides is no difference, and no equality either."""
    found = compare_runs(constant_run(1.0, value, 3.0), constant_run(1.0, value, 3.0))

    assert (3, None, 1) == (found.exit_status, found.first_difference, found.not_finite)


def test_nan_on_both_sides_does_not_hide_a_difference():
    """Twin: one that is finite on a side, in the same update or in a later one, is exit 1."""
    nan, other = constant_run(1.0, np.nan, 3.0), constant_run(1.0, np.nan, 4.0)
    nan[1] = [(np.array([[np.nan]]), np.array([0.75]))]
    later = compare_runs(constant_run(1.0, np.nan, 3.0), other)
    same = compare_runs(constant_run(1.0, np.nan, 3.0), nan[:2] + constant_run(3.0))

    assert (1, 2) == (later.exit_status, later.first_difference.update)
    assert (1, "b1") == (same.exit_status, same.first_difference.parameter)


def test_the_sign_of_zero_is_no_difference():
    """+0 and −0 train on alike."""
    assert 0 == compare_runs(constant_run(1.0, 0.0, 3.0), constant_run(1.0, -0.0, 3.0)).exit_status


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
