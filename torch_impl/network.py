"""The network as an nn.Module, and its losses; autograd derives the gradients."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference.experiment import Parameters


class Network(nn.Module):
    """z = W_K tanh(… tanh(W_1 x + b_1) …) + b_K: linear layers with tanh between them; the output is logits.

    x is (batch, features), z is (batch, classes). nn.Linear keeps W_k as (fan out, fan in): load() and arrays()
    transpose it. The parameters are undefined until load().
    """

    def __init__(self, sizes: tuple[int, ...], dtype: torch.dtype) -> None:
        super().__init__()
        linear = partial(nn.utils.skip_init, nn.Linear, dtype=dtype)
        self.layers: Iterable[nn.Linear] = nn.ModuleList(  # type: ignore[assignment]  # mypy knows its items only as Module
            linear(fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)
        )

    def forward(self, x: Tensor) -> Tensor:
        *hidden, output = self.layers
        for layer in hidden:
            x = torch.tanh(layer(x))
        return output(x)

    @torch.no_grad()
    def load(self, parameters: Parameters) -> None:
        """Copy the parameters, one (W, b) for each layer, into the module."""
        for layer, (W, b) in zip(self.layers, parameters, strict=True):
            layer.weight.copy_(torch.from_numpy(W.T))
            layer.bias.copy_(torch.from_numpy(b))

    def arrays(self) -> Parameters:
        """The parameters, one (W, b) for each layer, W as (fan in, fan out): views, which change with the module."""
        return [(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in self.layers]


class DiagonalSoftmax(torch.autograd.Function):
    """o = softmax(z) forward; backward ∂E/∂z_k = o_k (1 − o_k) ∂E/∂o_k: only the diagonal of the Jacobian.

    The article's listing trains with this derivative; autograd alone uses the full Jacobian.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        o = torch.softmax(z, dim=-1)
        ctx.save_for_backward(o)
        return o

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (o,) = ctx.saved_tensors
        return grad * o * (1 - o)


def half_square(o: Tensor, t: Tensor) -> Tensor:
    """E = ½ Σ_k (o_k − t_k)², mean over the batch."""
    return (o - t).square().sum() * (0.5 / len(t))


def squared_error_full(z: Tensor, t: Tensor) -> Tensor:
    """E = ½ Σ_k (softmax(z)_k − t_k)², mean over the batch."""
    return half_square(torch.softmax(z, dim=-1), t)


def squared_error_diagonal(z: Tensor, t: Tensor) -> Tensor:
    """The same loss, differentiated through DiagonalSoftmax."""
    return half_square(DiagonalSoftmax.apply(z), t)


Loss = Callable[[Tensor, Tensor], Tensor]

# by loss and soft-max derivative; every one takes logits and one-hot targets
LOSSES: dict[tuple[str, str], Loss] = {
    ("squared_error", "full"): squared_error_full,
    ("squared_error", "diagonal"): squared_error_diagonal,
    ("cross_entropy", "full"): F.cross_entropy,
}


@torch.no_grad()
def predict(parameters: Parameters, x: np.ndarray) -> np.ndarray:
    """The class of every row of x: arg max_k z_k."""
    sizes = (x.shape[1], *(len(b) for _, b in parameters))
    network = Network(sizes, torch.from_numpy(x).dtype)
    network.load(parameters)
    return network(torch.from_numpy(x)).argmax(dim=-1).numpy()
