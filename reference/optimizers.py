"""The optimizers' own steps, without L1, as torch.optim defines them: w ↦ v.

g is the gradient that the optimizer is given, η (lr) the learning rate. What an optimizer remembers of an array is
handed in, () before the first update, and handed back beside v.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Stepped = tuple[np.ndarray, tuple[Any, ...]]
OptimizerStep = Callable[..., Stepped]  # (w, g, η, β, *memory) -> v, memory


def sgd(w: np.ndarray, g: np.ndarray, lr: float, beta: float) -> Stepped:
    """v = w − η g.  β is not used."""
    return w - lr * g, ()


def momentum(w: np.ndarray, g: np.ndarray, lr: float, beta: float, m: np.ndarray | float = 0.0) -> Stepped:
    """m⁺ = β m + g,  v = w − η m⁺,  m₀ = 0.

    Heavy ball as torch.optim.SGD has it: η multiplies the whole of m, and g enters m with the factor 1, not 1 − β.
    A gradient of constant sign is thereby multiplied by 1 / (1 − β) in the long run.
    """
    m = beta * m + g
    return w - lr * m, (m,)


BETA_2, EPSILON = 0.999, 1e-8  # torch.optim.Adam's defaults


def adam(
    w: np.ndarray,
    g: np.ndarray,
    lr: float,
    beta: float,
    m: np.ndarray | float = 0.0,
    s: np.ndarray | float = 0.0,
    updates: int = 0,
) -> Stepped:
    """m⁺ = β m + (1 − β) g,  s⁺ = β₂ s + (1 − β₂) g²,  v = w − η m̂ / (√ŝ + ε).

    m̂ = m⁺ / (1 − βᵗ),  ŝ = s⁺ / (1 − β₂ᵗ) in the t-th update. Kingma and Ba, "Adam: A Method for Stochastic
    Optimization", 2015, Algorithm 1, whose v is s here; AdamW without weight decay takes the same step.
    """
    t = updates + 1
    m = beta * m + (1 - beta) * g
    s = BETA_2 * s + (1 - BETA_2) * g * g
    m_hat, s_hat = m / (1 - beta**t), s / (1 - BETA_2**t)
    return w - lr * m_hat / (np.sqrt(s_hat) + EPSILON), (m, s, t)


OPTIMIZERS = {"sgd": sgd, "momentum": momentum, "adam": adam}
