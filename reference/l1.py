"""Ways to train under λ‖w‖₁, each written as the update w ↦ w⁺ that it makes of a weight.

g is the gradient of the data loss at w, η (lr) the learning rate. Biases are never penalised: they take `none`.
In order of increasing complexity. A new style is one function and one row here, and one of each in torch_impl/l1.py.
"""

import numpy as np


def none(w: np.ndarray, g: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = w − η g.  λ is not used."""
    return w - lr * g


def penalty(w: np.ndarray, g: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = w − η (g + λ sign w),  sign 0 = 0.

    The penalty is a part of the loss, so the learning rate scales it. The article's equations; Keras, Caffe, Chainer.
    A weight near 0 steps across it by ηλ for ever: no exact zeros.
    """
    return w - lr * (g + lamda * np.sign(w))


def as_listed(w: np.ndarray, g: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = w − η (g − λ sign w).

    The article's listing, whose sign is reversed: it stores the descent direction −g and adds +λ to it for a
    positive weight. Weights are pushed away from 0.
    """
    return w - lr * (g - lamda * np.sign(w))


def tack_on(w: np.ndarray, g: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = (w − η g) − λ sign w.

    The article's alternative: the learning rate does not scale λ, and the sign is of the weight before the step. EDDL.
    """
    return (w - lr * g) - lamda * np.sign(w)


STYLES = {
    "none": none,
    "penalty": penalty,
    "as_listed": as_listed,
    "tack_on": tack_on,
}
