"""The oracle's network, anchored to arithmetic: a case worked by hand, then central differences."""

import math
from itertools import pairwise

import numpy as np
import pytest

from reference.network import DELTAS, LOSSES, backward, forward, predict, softmax

# x = 1, h = tanh(½ ln 3) = ½, z = (½ · 2 ln 3, 0) = (ln 3, 0), o = (¾, ¼)
BY_HAND = [
    (np.array([[math.log(3) / 2]]), np.array([0.0])),
    (np.array([[2 * math.log(3), 0.0]]), np.array([0.0, 0.0])),
]
X, T = np.array([[1.0]]), np.array([[1.0, 0.0]])
O = np.array([[0.75, 0.25]])  # noqa: E741  # the formulas' letter


def random_case(batch=3, sizes=(4, 5, 3), seed=1):
    """Parameters, x and one-hot t with values around 1."""
    rng = np.random.default_rng(seed)
    parameters = [(rng.normal(size=(i, o)), rng.normal(size=o)) for i, o in pairwise(sizes)]
    return parameters, rng.normal(size=(batch, sizes[0])), np.eye(sizes[-1])[rng.integers(0, sizes[-1], batch)]


def gradients(parameters, x, t, delta):
    """The data gradients with one row of DELTAS."""
    *h, z = forward(parameters, x)
    return backward(parameters, h, DELTAS[delta](softmax(z), t) / len(x))


def central_difference(f, array, step=1e-6):
    """∂f/∂a ≈ (f(a + s) − f(a − s)) / 2s for every element a of an array, which is changed and restored."""
    slopes = np.empty_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + step
        above = f()
        array[index] = kept - step
        slopes[index] = (above - f()) / (2 * step)
        array[index] = kept
    return slopes


def test_forward_by_hand():
    """tanh(½ ln 3) = (3 − 1)/(3 + 1) = ½, and softmax(ln 3, 0) = (3, 1)/4."""
    x, h, z = forward(BY_HAND, X)

    assert 1.0 == x[0, 0]
    assert pytest.approx(0.5, rel=1e-15) == h[0, 0]
    assert pytest.approx(O[0], rel=1e-15) == softmax(z)[0]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        pytest.param("squared_error", (0.25**2 + 0.25**2) / 2, id="½ (¼² + ¼²)"),
        pytest.param("cross_entropy", -math.log(0.75), id="−ln ¾"),
    ],
)
def test_loss_by_hand(loss, expected):
    """o = (¾, ¼), t = (1, 0)."""
    assert pytest.approx(expected, rel=1e-15) == LOSSES[loss](np.array([[math.log(3), 0.0]]), T)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        # d = (−¼, ¼), Σ o d = −3/16 + 1/16 = −1/8;  ¾ (−¼ + ⅛) = −3/32,  ¼ (¼ + ⅛) = 3/32
        pytest.param(("squared_error", "full"), [-3 / 32, 3 / 32], id="full"),
        # ¾ · ¼ · (−¼) = −3/64,  ¼ · ¾ · ¼ = 3/64
        pytest.param(("squared_error", "diagonal"), [-3 / 64, 3 / 64], id="diagonal"),
        pytest.param(("cross_entropy", "full"), [-1 / 4, 1 / 4], id="cross-entropy"),
    ],
)
def test_delta_by_hand(key, expected):
    """∂E/∂z of o = (¾, ¼), t = (1, 0)."""
    assert expected == DELTAS[key](O, T)[0].tolist()


def test_backward_by_hand():
    """δ₂ = (−3/32, 3/32): ∂W₂ = ½ δ₂, ∂b₂ = δ₂; δ₁ = (−3/32 · 2 ln 3)(1 − ½²) = ∂b₁, ∂W₁ = 1 · δ₁."""
    (dW1, db1), (dW2, db2) = gradients(BY_HAND, X, T, ("squared_error", "full"))
    delta_1 = -3 / 32 * 2 * math.log(3) * 0.75

    assert pytest.approx([-3 / 64, 3 / 64], rel=1e-14) == dW2[0]
    assert pytest.approx([-3 / 32, 3 / 32], rel=1e-14) == db2
    assert pytest.approx(delta_1, rel=1e-14) == dW1[0, 0] == db1[0]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("sizes", [(4, 3), (4, 5, 3), (4, 5, 6, 3)], ids=lambda sizes: "-".join(map(str, sizes)))
def test_gradients_are_central_differences(loss, sizes):
    """With the full derivative every ∂E/∂W and ∂E/∂b is the slope of the loss, for a batch of three."""
    parameters, x, t = random_case(sizes=sizes)
    found = gradients(parameters, x, t, (loss, "full"))

    for layer, layer_gradient in zip(parameters, found, strict=True):
        for array, gradient in zip(layer, layer_gradient, strict=True):
            slopes = central_difference(lambda: LOSSES[loss](forward(parameters, x)[-1], t), array)
            assert pytest.approx(slopes, abs=1e-9) == gradient


def test_diagonal_derivative_is_a_central_difference():
    """The diagonal derivative is (∂o_k/∂z_k) d_k: the slope of each output along its own logit alone."""
    z, t = np.array([[0.3, -1.2, 0.8]]), np.array([[0.0, 1.0, 0.0]])
    own_slopes = [central_difference(lambda k=k: softmax(z)[0, k], z)[0, k] for k in range(3)]

    found = DELTAS["squared_error", "diagonal"](softmax(z), t)

    assert pytest.approx(own_slopes * (softmax(z) - t)[0], abs=1e-10) == found[0]


def test_diagonal_derivative_is_not_the_slope_of_the_loss():
    """Twin of the above: central differences of the loss tell the diagonal derivative from the full one."""
    parameters, x, t = random_case()
    diagonal = gradients(parameters, x, t, ("squared_error", "diagonal"))[1][1]
    slopes = central_difference(lambda: LOSSES["squared_error"](forward(parameters, x)[-1], t), parameters[1][1])

    assert np.abs(slopes - diagonal).max() > 1e-3


def test_batch_gradient_is_the_mean_of_item_gradients():
    """∂E/∂W of a batch is the mean over its items."""
    parameters, x, t = random_case(batch=4)
    key = ("squared_error", "full")
    items = [gradients(parameters, x[i : i + 1], t[i : i + 1], key)[0][0] for i in range(4)]

    assert pytest.approx(np.mean(items, axis=0), rel=1e-12) == gradients(parameters, x, t, key)[0][0]


def test_runs_axis_passes_through():
    """Two networks stacked along a leading axis give what each gives alone."""
    (one, x, t), (two, _, _) = random_case(seed=1), random_case(seed=2)
    stacked = [tuple(np.stack(pair) for pair in zip(*layers, strict=True)) for layers in zip(one, two, strict=True)]
    *h, z = forward(stacked, x)
    found = backward(stacked, h, DELTAS["squared_error", "full"](softmax(z), t) / len(x))

    for run, alone in enumerate((one, two)):
        for layer, expected in zip(found, gradients(alone, x, t, ("squared_error", "full")), strict=True):
            assert pytest.approx(expected[0], rel=1e-12) == layer[0][run]
            assert pytest.approx(expected[1], rel=1e-12) == layer[1][run]


def test_softmax_does_not_overflow():
    """exp 1000 is no float64; moved by the maximum it is 1."""
    assert [1.0, 0.0] == softmax(np.array([1000.0, 0.0])).tolist()


def test_predict_is_the_largest_logit():
    """z = (ln 3, 0): class 0."""
    assert [0] == predict(BY_HAND, X).tolist()
