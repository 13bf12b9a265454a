"""Parameters are lined up by explicit names and axes; whatever does not fit is said at once."""

import numpy as np
import pytest

from comparisons.runs.names import Pair, as_parameters, as_state, line_up, propose, read_names
from comparisons.runs.trace import Column, open_trace
from reference.errors import InputError


def columns(**shapes):
    """Parameters of these shapes."""
    return {name: Column(name, 3, shape, np.dtype(float)) for name, shape in shapes.items()}


REFERENCE = columns(W=(2, 3), b=(3,), K=(2, 3, 4))
CANDIDATE = {"fc.weight": (3, 2), "fc.bias": (3,), "conv": (4, 2, 3)}
NAMES = {"fc.weight": ("W", "T"), "fc.bias": "b", "conv": ("K", (1, 2, 0))}


def test_names_and_axes():
    """In the reference's order; T turns all axes round, numbers say which comes first."""
    pairs = line_up(REFERENCE, columns(**CANDIDATE), NAMES)
    array = np.arange(24.0).reshape(4, 2, 3)

    assert [("W", (1, 0)), ("b", (0,)), ("K", (1, 2, 0))] == [(pair.reference, pair.axes) for pair in pairs]
    assert np.array_equal(np.moveaxis(array, 0, 2), pairs[2].turned(array))
    assert np.array_equal(array, pairs[2].returned(pairs[2].turned(array)))
    assert (5, 2, 3, 4) == pairs[2].turned(np.zeros((5, 4, 2, 3)), 1).shape


def test_the_same_names_need_no_map():
    """Nor do equal axes."""
    assert [Pair("W", "W", (0, 1))] == line_up(columns(W=(2, 3)), columns(W=(2, 3)), {})


def test_all_that_is_wrong_is_said_at_once():
    """Missing, superfluous, of another shape, mapped twice, named without being there."""
    with pytest.raises(InputError) as refused:
        line_up(
            columns(A=(2,), B=(3,), C=(2, 2), D=(1,)),
            columns(A=(3,), x=(1,), y=(3,), z=(3,), C=(2, 2)),
            {"y": "B", "z": "B", "gone": "D"},
        )
    message = str(refused.value)

    for part in (
        "the map names gone, which the candidate does not have",
        "A has the shape (2,), the candidate's A (3,)",
        "the candidate's x (1,) has no counterpart x in the reference",
        "y and z of the candidate are both mapped to B",
        "D (1,) is missing in the candidate",
    ):
        assert part in message
    assert "\n" not in message


def test_a_transposed_square_is_not_turned_in_silence():
    """Its shape fits both ways: without a map it is taken as it is."""
    (pair,) = line_up(columns(W=(3, 3)), columns(W=(3, 3)), {})

    assert (0, 1) == pair.axes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1", "a must be"),
        ('a = ["W"]', "a must be"),
        ('a = ["W", "X"]', "a must be"),
        ('a = ["W", [0, "1"]]', "a must be"),
        ("a = ", "is no TOML"),
        ('a = "W"\na = "V"', "is no TOML"),
    ],
)
def test_maps_that_are_none(tmp_path, text, message):
    """One line."""
    (tmp_path / "map.toml").write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        read_names(tmp_path / "map.toml")

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("axes", ["X", (0,), (0, 0), (0, 2), (0, 1, 2)])
def test_axes_that_are_no_order(axes):
    """Each axis once."""
    with pytest.raises(InputError, match='must be "T" or an order of 0 … 1'):
        line_up(columns(W=(2, 3)), columns(V=(2, 3)), {"V": ("W", axes)})


def test_a_map_is_proposed_from_shapes_and_first_values(tmp_path):
    """What is certain is a line, what is not a comment; read back it lines the two up."""
    rng = np.random.default_rng(0)
    W, K, b = rng.normal(size=(2, 3)), rng.normal(size=(2, 3, 4)), np.zeros(3)
    np.savez(tmp_path / "a.npz", updates=[0, 1], W=[W, W], K=[K, K], b=[b, b], c=[b, b], d=[np.ones(5)] * 2)
    other = {"fc.weight": [W.T, W.T], "conv": [np.moveaxis(K, 2, 0)] * 2, "fc.bias": [b, b], "e": [np.zeros(5)] * 2}
    np.savez(tmp_path / "b.npz", updates=[0, 1], z=[np.ones(7)] * 2, **other)
    text = propose(open_trace(tmp_path / "a.npz"), open_trace(tmp_path / "b.npz"))
    (tmp_path / "map.toml").write_text(text)

    assert {"fc.weight": ("W", "T"), "conv": ("K", (1, 2, 0))} == read_names(tmp_path / "map.toml")
    for line in (
        '# "fc.bias" = "b"   # has these values at the start too',
        '# "fc.bias" = "c"   # has these values at the start too',
        '# "e" = "d"   # has this shape, but other values at the start',
        '# "z" (7,) fits nothing',
    ):
        assert line in text.splitlines()


def test_layers_and_names_are_two_ways_to_say_the_same():
    """[(W, b), …] and W1, b1, W2, …: there and back."""
    parameters = [(np.ones((2, 3)), np.zeros(3)), (np.full((3, 1), 2.0), np.ones(1))]
    state = as_state(parameters)

    assert ["W1", "b1", "W2", "b2"] == list(state)
    assert all(
        a is b
        for layer, again in zip(parameters, as_parameters(state), strict=True)
        for a, b in zip(layer, again, strict=True)
    )
