"""The optimizers' own steps, without L1, as torch.optim defines them: w ↦ v.

g is the gradient that the optimizer is given, η (lr) the learning rate. What an optimizer remembers of an array is
handed in, () before the first update, and returned beside v.
A new optimizer is one function and one row here, and one row in torch_impl/train.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray | float  # an array, or 0.0 before the first update
Stepped = tuple[np.ndarray, tuple[Any, ...]]
OptimizerStep = Callable[..., Stepped]  # (w, g, η, β, *memory) -> v, memory


class Optimizer(NamedTuple):
    """An optimizer's step, and everything that is asked of it."""

    step: OptimizerStep
    formula: str = ""  # the first line of the step's docstring, without the final dot
    about: str = ""  # what a page says below the formula
    remembers: bool = True  # does it keep anything between updates?
    has_beta: bool = True  # is β used?
    accumulates: bool = False  # does a constant gradient count 1 / (1 − β) times in the long run?
    normalises: bool = False  # does it divide the size of a gradient out?
    # why no λ after the step has the effect of λ in the gradient; {through} and {past} stand for the two styles
    obstacle: str = ""
    obstacle_to_reduction: str = ""  # why a sum over the batch is not exactly a mean with other numbers

    @property
    def tells_gradient(self) -> bool:
        """Can the gradient be computed from the update?"""
        return not self.normalises

    def lr_of_mean(self, items: int) -> float:
        """η of the mean over so many items, for each η of their sum."""
        return 1.0 if self.normalises else float(items)


def sgd(w: np.ndarray, g: np.ndarray, lr: float, beta: float) -> Stepped:
    """v = w − η g."""
    return w - lr * g, ()


def momentum(w: np.ndarray, g: np.ndarray, lr: float, beta: float, m: Array = 0.0) -> Stepped:
    """m⁺ = β m + g,  v = w − η m⁺,  m₀ = 0.

    g enters m with the factor 1, not 1 − β.
    """
    m = beta * m + g
    return w - lr * m, (m,)


BETA_2, EPSILON = 0.999, 1e-8  # torch.optim.Adam's defaults


def adam(w: np.ndarray, g: np.ndarray, lr: float, beta: float, m: Array = 0.0, s: Array = 0.0, t: int = 0) -> Stepped:
    """m⁺ = β m + (1 − β) g,  s⁺ = β₂ s + (1 − β₂) g²,  v = w − η m̂ / (√ŝ + ε).

    m̂ = m⁺ / (1 − βᵗ),  ŝ = s⁺ / (1 − β₂ᵗ) in the t-th update. Kingma and Ba, "Adam: A Method for Stochastic
    Optimization", 2015, Algorithm 1, whose v is s here.
    """
    m, s, t = beta * m + (1 - beta) * g, BETA_2 * s + (1 - BETA_2) * g * g, t + 1
    m_hat, s_hat = m / (1 - beta**t), s / (1 - BETA_2**t)
    return w - lr * m_hat / (np.sqrt(s_hat) + EPSILON), (m, s, t)


OPTIMIZERS = {
    "sgd": Optimizer(sgd, formula="v = w − η g", about="β is not used.", remembers=False, has_beta=False),
    "momentum": Optimizer(
        momentum,
        formula="m⁺ = β m + g,  v = w − η m⁺,  m₀ = 0",
        about="Heavy ball as in torch.optim.SGD: a constant g counts 1 / (1 − β) times in the long run.",
        accumulates=True,
    ),
    "adam": Optimizer(
        adam,
        formula="m⁺ = β m + (1 − β) g,  s⁺ = β₂ s + (1 − β₂) g²,  v = w − η m̂ / (√ŝ + ε)",
        about="m̂ = m⁺ / (1 − βᵗ), ŝ = s⁺ / (1 − β₂ᵗ) in the t-th update. AdamW without weight decay is the same.",
        normalises=True,
        obstacle="Adam divides what {through} puts into the gradient by √ŝ, another number for every weight and every"
        " update, while {past} acts after that: without a data gradient {through} moves a weight by η, whatever λ is",
        obstacle_to_reduction="Adam divides the size of the gradient out, except for the ε that is added to √ŝ",
    ),
}
