"""Ways to train under λ‖w‖₁: the place where λ enters an update, and the formula there.

    v = step(w, gradient)      the optimizer's own step (optimizers.py): w − η g under plain SGD
    w⁺                         what becomes of v

g is the gradient of the data loss at w, η (lr) the learning rate. A style acts on the gradient that the optimizer is
given, or after its step, on v. In the first case the optimizer's momentum and scaling act on λ, too. Biases are never
penalised: they take `none`. The styles are in order of increasing complexity. A new style is one function and one row
here, and one of each in torch_impl/l1.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Style(NamedTuple):
    """Where a style acts: at one of three places, or nowhere."""

    on_gradient: Callable[..., np.ndarray] | None = None  # (w, g, λ) -> the gradient that the optimizer is given
    after_step: Callable[..., np.ndarray] | None = None  # (w, v, η, λ) -> w⁺
    after_step_with_memory: Callable[..., tuple[np.ndarray, tuple[Any, ...]]] | None = None  # … *memory) -> w⁺, memory
    formula: str = ""  # the first line of the function's docstring, without the final dot
    about: str = ""  # what a page says below the formula: what it does, and who does it

    @property
    def function(self) -> Callable[..., Any] | None:
        """The style's formula, in the one place where it acts."""
        return self.on_gradient or self.after_step or self.after_step_with_memory


def penalty(w: np.ndarray, g: np.ndarray, lamda: float) -> np.ndarray:
    """w⁺ = step(w, g + λ sign w),  sign 0 = 0.

    The optimizer does to λ all that it does to a gradient. Near 0 a weight crosses zero at every update, by up to η λ.
    """
    return g + lamda * np.sign(w)


def as_listed(w: np.ndarray, g: np.ndarray, lamda: float) -> np.ndarray:
    """w⁺ = step(w, g − λ sign w).

    The article's listing stores −g and adds +λ for a positive weight.
    """
    return g - lamda * np.sign(w)


def tack_on(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v − λ sign w."""
    return v - lamda * np.sign(w)


def decoupled(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v − η λ sign w.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, do this to L2.
    """
    return v - lr * lamda * np.sign(w)


def clipped(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = c if sign c = sign v, else 0,  c = v − η λ sign w.

    TensorFlow Playground (nn.ts, updateWeights) never moves such a weight again, and does not stop a v that is
    exactly 0.
    """
    c = v - lr * lamda * np.sign(w)
    return np.where((np.sign(c) == np.sign(v)) | np.isnan(c), c, 0.0)  # nan is no zero


def soft_threshold(z: np.ndarray, t: float) -> np.ndarray:
    """S(z, t) = sign z · max(|z| − t, 0), computed as 0 if |z| ≤ t, else z − min(max(z, −t), t), which has no −0."""
    return np.where(np.abs(z) <= t, 0.0, z - np.clip(z, -t, t))


def proximal(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = S(v, η λ),  S(z, t) = sign z · max(|z| − t, 0).

    Duchi and Singer, "Efficient Online and Batch Learning Using Forward Backward Splitting", 2009. CNTK has it in
    Learner.cpp, PostProcess.
    """
    return soft_threshold(v, lr * lamda)


def cumulative(
    w: np.ndarray, v: np.ndarray, lr: float, lamda: float, u: float = 0.0, q: np.ndarray | float = 0.0
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """w⁺ = max(0, v − (u⁺ + q)) if v > 0,  min(0, v + (u⁺ − q)) if v < 0,  u⁺ = u + η λ,  q⁺ = q + w⁺ − v.

    u, a number, is the penalty that a weight could have received so far; q, of the shape of w, is the one that it did
    receive, with its sign. Tsuruoka, Tsujii and Ananiadou, "Stochastic Gradient Descent Training for L1-regularized
    Log-linear Models with Cumulative Penalty", ACL 2009. scikit-learn has it in _sgd_fast, l1penalty.
    """
    u = u + lr * lamda
    after = np.where(v > 0, np.maximum(0.0, v - (u + q)), np.where(v < 0, np.minimum(0.0, v + (u - q)), v))
    return after, (u, q + (after - v))


STYLES = {
    "none": Style(formula="w⁺ = step(w, g)", about="No L1: what the optimizer makes of a weight stays as it is."),
    "penalty": Style(
        on_gradient=penalty,
        formula="w⁺ = step(w, g + λ sign w),  sign 0 = 0",
        about="λ‖w‖₁ is a part of the loss. The article's equations; Keras, Caffe, Chainer. No exact zeros.",
    ),
    "as_listed": Style(
        on_gradient=as_listed,
        formula="w⁺ = step(w, g − λ sign w)",
        about="The article's listing, whose sign is reversed: weights are pushed away from 0.",
    ),
    "tack_on": Style(
        after_step=tack_on,
        formula="w⁺ = v − λ sign w",
        about="The article's alternative; EDDL. η does not scale λ; the sign is that of the weight before the step.",
    ),
    "decoupled": Style(
        after_step=decoupled,
        formula="w⁺ = v − η λ sign w",
        about="Tack-on scaled by η, as AdamW does to L2. Under plain SGD: the penalty, summed in another order.",
    ),
    "clipped": Style(
        after_step=clipped,
        formula="w⁺ = c if sign c = sign v, else 0,  c = v − η λ sign w",
        about="As decoupled, but a weight that L1 would push across zero stops at 0. TensorFlow Playground.",
    ),
    "proximal": Style(
        after_step=proximal,
        formula="w⁺ = S(v, η λ),  S(z, t) = sign z · max(|z| − t, 0)",
        about="Exact zeros. FOBOS under plain SGD. CNTK; TensorFlow's ProximalGradientDescentOptimizer.",
    ),
    "cumulative": Style(
        after_step_with_memory=cumulative,
        formula="w⁺ = max(0, v − (u⁺ + q)) if v > 0,  min(0, v + (u⁺ − q)) if v < 0,  u⁺ = u + η λ,  q⁺ = q + w⁺ − v",
        about="Exact zeros. A weight held at 0 still owes the rest, so that more zeros stay. scikit-learn's SGD.",
    ),
}
