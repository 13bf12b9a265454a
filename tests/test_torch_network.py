"""The module, its losses and the diagonal derivative."""

import numpy as np
import pytest
import torch

from torch_impl.network import LOSSES, DiagonalSoftmax, Network, predict

PARAMETERS = [
    (np.arange(6.0).reshape(2, 3) / 10, np.array([0.1, -0.2, 0.3])),
    (np.arange(6.0).reshape(3, 2) / -7, np.array([0.5, 0.0])),
]


@pytest.fixture(name="logits")
def logits_with_gradient():
    """Three rows of logits around 1."""
    return torch.tensor([[0.3, -1.2, 0.8], [2.0, 0.1, -0.5], [0.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)


def test_diagonal_softmax_backward_is_its_formula(logits):
    """∂E/∂z_k = o_k (1 − o_k) ∂E/∂o_k, and forward is the soft-max."""
    upstream = torch.tensor([[0.7, -0.3, 0.2]] * 3, dtype=torch.float64)
    o = DiagonalSoftmax.apply(logits)
    (found,) = torch.autograd.grad(o, logits, upstream)

    assert torch.equal(torch.softmax(logits, -1), o)
    assert torch.equal(upstream * o * (1 - o), found)


def test_diagonal_softmax_is_the_diagonal_of_the_jacobian(logits):
    """Row by row, its Jacobian is the soft-max's with everything off the diagonal set to 0."""
    row = logits[0].detach()
    full = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, -1), row)
    diagonal = torch.autograd.functional.jacobian(lambda z: DiagonalSoftmax.apply(z), row)

    assert torch.allclose(torch.diag(torch.diag(full)), diagonal, rtol=1e-15, atol=1e-16)


def test_gradcheck_tells_the_diagonal_from_the_full_derivative(logits):
    """gradcheck, which takes central differences, passes the soft-max and refuses DiagonalSoftmax."""
    assert torch.autograd.gradcheck(lambda z: torch.softmax(z, -1), logits)
    assert not torch.autograd.gradcheck(DiagonalSoftmax.apply, logits, raise_exception=False)


@pytest.mark.parametrize("key", [key for key in LOSSES if key[1] == "full"], ids=" ".join)
def test_full_losses_pass_gradcheck(logits, key):
    """The full derivative is the slope of the loss."""
    t = torch.eye(3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: LOSSES[key](z, t), logits)


@pytest.mark.parametrize("key", LOSSES, ids=" ".join)
def test_losses_are_means_over_the_batch(logits, key):
    """The loss of a batch is the mean of its items' losses."""
    t = torch.eye(3, dtype=torch.float64)
    items = [LOSSES[key](logits[i : i + 1], t[i : i + 1]) for i in range(3)]

    assert torch.allclose(sum(items) / 3, LOSSES[key](logits, t), rtol=1e-15)


def test_loss_by_hand():
    """o = (¾, ¼), t = (1, 0): ½ (1/16 + 1/16) = 1/16, and −ln ¾."""
    z, t = torch.tensor([[3.0, 1.0]], dtype=torch.float64).log(), torch.tensor([[1.0, 0.0]], dtype=torch.float64)

    assert pytest.approx(1 / 16, rel=1e-15) == float(LOSSES["squared_error", "full"](z, t))
    assert pytest.approx(1 / 16, rel=1e-15) == float(LOSSES["squared_error", "diagonal"](z, t))
    assert pytest.approx(0.2876820724517809, rel=1e-15) == float(LOSSES["cross_entropy", "full"](z, t))


def test_load_and_arrays_are_inverse():
    """What is loaded comes out, W as (fan in, fan out)."""
    network = Network((2, 3, 2), torch.float64)
    network.load(PARAMETERS)

    for expected, actual in zip(PARAMETERS, network.arrays(), strict=True):
        assert (expected[0] == actual[0]).all()
        assert (expected[1] == actual[1]).all()
    assert (3, 2) == tuple(network.layers[0].weight.shape)


def test_predict_by_hand():
    """x = 0: h = tanh(0.1, −0.2, 0.3), z₀ = 0.5 + …, larger than z₁."""
    h = np.tanh([0.1, -0.2, 0.3])
    z = h @ PARAMETERS[1][0] + PARAMETERS[1][1]

    assert [int(z.argmax())] == predict(PARAMETERS, np.zeros((1, 2))).tolist() == [0]
