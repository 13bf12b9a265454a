"""The network, its losses and their gradients, derived by hand.

    h₀ = x      h_k = tanh(h_{k−1} W_k + b_k)      z = h_{K−1} W_K + b_K      o = softmax(z)

Shapes: x (batch, features), t and o (batch, classes), W_k (fan in, fan out), b_k (fan out). Any further leading
axis (many runs at once) passes through every line unchanged.
"""

from collections.abc import Sequence

import numpy as np

from reference.experiment import Parameters


def forward(parameters: Parameters, x: np.ndarray) -> list[np.ndarray]:
    """[h₀, h₁, …, h_{K−1}, z]: the input, every hidden layer, the logits."""
    *hidden, (W, b) = parameters
    h = [x]
    for V, c in hidden:
        h.append(np.tanh(h[-1] @ V + c[..., None, :]))  # (batch, fan out)
    return [*h, h[-1] @ W + b[..., None, :]]


def softmax(z: np.ndarray) -> np.ndarray:
    """o_k = exp z_k / Σ_j exp z_j. The maximum of z is subtracted first: o stays the same, and nothing overflows."""
    e = np.exp(z - np.maximum.reduce(z, axis=-1, keepdims=True))
    return e / np.add.reduce(e, axis=-1, keepdims=True)


def squared_error(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    """E = ½ Σ_k (o_k − t_k)², mean over the batch."""
    return 0.5 * np.square(softmax(z) - t).sum(axis=-1).mean(axis=-1)


def cross_entropy(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    """E = −Σ_k t_k ln o_k, mean over the batch, with ln o_k = z_k − ln Σ_j exp z_j."""
    top = z.max(axis=-1, keepdims=True)
    log_o = z - top - np.log(np.exp(z - top).sum(axis=-1, keepdims=True))
    return -(t * log_o).sum(axis=-1).mean(axis=-1)


def squared_error_full(o: np.ndarray, t: np.ndarray) -> np.ndarray:
    """∂E/∂z_k = o_k (d_k − Σ_j o_j d_j), d = o − t: the full Jacobian of the soft-max."""
    d = o - t
    return o * (d - np.add.reduce(o * d, axis=-1, keepdims=True))


def squared_error_diagonal(o: np.ndarray, t: np.ndarray) -> np.ndarray:
    """∂E/∂z_k ≈ o_k (1 − o_k) d_k, d = o − t: only the diagonal of the Jacobian, as in the article's listing."""
    return (o - t) * o * (1 - o)


def cross_entropy_full(o: np.ndarray, t: np.ndarray) -> np.ndarray:
    """∂E/∂z_k = o_k − t_k."""
    return o - t


LOSSES = {"squared_error": squared_error, "cross_entropy": cross_entropy}

# ∂E/∂z of one item, by loss and soft-max derivative
DELTAS = {
    ("squared_error", "full"): squared_error_full,
    ("squared_error", "diagonal"): squared_error_diagonal,
    ("cross_entropy", "full"): cross_entropy_full,
}


def backward(parameters: Parameters, h: Sequence[np.ndarray], delta: np.ndarray) -> Parameters:
    """δ_{k−1} = (δ_k W_kᵀ) (1 − h_{k−1}²);  ∂E/∂W_k = h_{k−1}ᵀ δ_k;  ∂E/∂b_k = Σ_batch δ_k.

    h is [h₀, …, h_{K−1}], delta is δ_K = ∂E/∂z, already divided by the batch. The result has the parameters' shapes.
    """
    deltas = [delta]
    for (W, _), h_k in zip(parameters[:0:-1], h[:0:-1], strict=True):
        deltas.append((deltas[-1] @ W.mT) * (1 - h_k * h_k))
    return [
        (h_k.mT @ delta_k, np.add.reduce(delta_k, axis=-2)) for h_k, delta_k in zip(h, reversed(deltas), strict=True)
    ]


def predict(parameters: Parameters, x: np.ndarray) -> np.ndarray:
    """The class of every row of x: arg max_k z_k."""
    return forward(parameters, x)[-1].argmax(axis=-1)
