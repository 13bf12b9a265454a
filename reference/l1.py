"""Ways to train under λ‖w‖₁: the place where λ enters an update, and the formula there.

    v = step(w, gradient)      the optimizer's own step (optimizers.py): w − η g under plain SGD
    w⁺                         what becomes of v

g is the gradient of the data loss at w, η (lr) the learning rate. A style acts on the gradient that the optimizer is
given, or on v; thus the optimizer's momentum and scaling act on λ, or do not. Biases are never penalised: they
take `none`. In order of increasing complexity. A new style is one function and one row here, and one of each in
torch_impl/l1.py.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

NO_L1 = """w⁺ = step(w, g).

No L1: what the optimizer makes of a weight stays as it is.
"""


@dataclass(frozen=True)
class Style:
    """Where a style acts. A style has one of the places, or none."""

    on_gradient: Callable[..., np.ndarray] | None = None  # (w, g, λ) -> the gradient that the optimizer is given
    after_step: Callable[..., np.ndarray] | None = None  # (w, v, η, λ) -> w⁺
    after_step_with_memory: Callable[..., tuple[np.ndarray, tuple[Any, ...]]] | None = None  # … *memory) -> w⁺, memory

    @property
    def function(self) -> Callable[..., Any] | None:
        """The style's formula, in the one place where it acts."""
        return self.on_gradient or self.after_step or self.after_step_with_memory

    @property
    def docstring(self) -> str:
        """The formula as text, and below it what is to be said of it: the function's docstring."""
        return (inspect.getdoc(self.function) if self.function else NO_L1) or ""

    @property
    def formula(self) -> str:
        """The docstring's first line."""
        return self.docstring.partition("\n")[0].rstrip(".")


def penalty(w: np.ndarray, g: np.ndarray, lamda: float) -> np.ndarray:
    """w⁺ = step(w, g + λ sign w),  sign 0 = 0.

    The penalty is a part of the loss, so all that the optimizer does to a gradient it does to λ too.
    The article's equations; Keras, Caffe, Chainer. A weight near 0 steps across it by ηλ for ever: no exact zeros.
    """
    return g + lamda * np.sign(w)


def as_listed(w: np.ndarray, g: np.ndarray, lamda: float) -> np.ndarray:
    """w⁺ = step(w, g − λ sign w).

    The article's listing, whose sign is reversed: it stores the descent direction −g and adds +λ to it for a
    positive weight. Weights are pushed away from 0.
    """
    return g - lamda * np.sign(w)


def tack_on(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v − λ sign w.

    The article's alternative: the learning rate does not scale λ, and the sign is of the weight before the step. EDDL.
    """
    return v - lamda * np.sign(w)


def decoupled(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v − η λ sign w.

    Tack-on scaled by η. Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, do this to L2 (AdamW).
    Under plain SGD it is the penalty, with the sum of the two steps taken in another order.
    """
    return v - lr * lamda * np.sign(w)


def clipped(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = c if sign c = sign v, else 0,  c = v − η λ sign w.

    As decoupled, but a weight that the decay would push across zero stops at 0. The sign is of the weight before the
    step. TensorFlow Playground (nn.ts, updateWeights), which never moves such a weight again, and lets a v of 0 go on.
    """
    c = v - lr * lamda * np.sign(w)
    return np.where((np.sign(c) == np.sign(v)) | np.isnan(c), c, 0.0)  # nan is no zero


def soft_threshold(z: np.ndarray, t: float) -> np.ndarray:
    """S(z, t) = sign z · max(|z| − t, 0), computed as z − min(max(z, −t), t), which has no −0."""
    return z - np.clip(z, -t, t)


def proximal(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = S(v, η λ),  S(z, t) = sign z · max(|z| − t, 0).

    Exact zeros. Under plain SGD it is FOBOS: Duchi and Singer, "Efficient Online and Batch Learning Using Forward
    Backward Splitting", 2009. CNTK (Learner.cpp, PostProcess), TensorFlow's ProximalGradientDescentOptimizer.
    """
    return soft_threshold(v, lr * lamda)


def cumulative(
    w: np.ndarray, v: np.ndarray, lr: float, lamda: float, u: float = 0.0, q: np.ndarray | float = 0.0
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """w⁺ = max(0, v − (u⁺ + q)) if v > 0,  min(0, v + (u⁺ − q)) if v < 0,  u⁺ = u + η λ,  q⁺ = q + w⁺ − v.

    u is the penalty that a weight could have received so far, q the one that it did receive, with its sign: a weight
    held at 0 owes the rest. Exact zeros, and more that stay than with proximal.
    Tsuruoka, Tsujii and Ananiadou, "Stochastic Gradient Descent Training for L1-regularized Log-linear Models with
    Cumulative Penalty", ACL 2009; scikit-learn's SGD estimators (_sgd_fast, l1penalty).
    """
    u = u + lr * lamda
    after = np.where(v > 0, np.maximum(0.0, v - (u + q)), np.where(v < 0, np.minimum(0.0, v + (u - q)), v))
    return after, (u, q + (after - v))


STYLES = {
    "none": Style(),
    "penalty": Style(on_gradient=penalty),
    "as_listed": Style(on_gradient=as_listed),
    "tack_on": Style(after_step=tack_on),
    "decoupled": Style(after_step=decoupled),
    "clipped": Style(after_step=clipped),
    "proximal": Style(after_step=proximal),
    "cumulative": Style(after_step_with_memory=cumulative),
}
