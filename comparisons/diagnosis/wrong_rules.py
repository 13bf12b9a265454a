"""What no experiment can express: other styles, other optimizers, clipped gradients, each by its formula.

As in `reference`, w is a weight, g the gradient that it is given, v what the optimizer's step made of it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from reference.l1 import Style
from reference.optimizers import BETA_2, EPSILON, OptimizerStep, Stepped, adam, sgd

State = dict[str, np.ndarray]  # by the names of the reference
Clip = Callable[[State, float], State]  # (gradients, limit) -> gradients


def clip_together(slopes: State, limit: float) -> State:
    """G min(1, limit / ‖G‖₂), G being the gradients of all parameters together."""
    norm = float(np.sqrt(sum(np.square(g).sum() for g in slopes.values())))
    return {name: g * (limit / max(norm, limit)) for name, g in slopes.items()}


def clip_each(slopes: State, limit: float) -> State:
    """g min(1, limit / ‖g‖₂) for each parameter: Keras' clipnorm."""
    return {name: clip_together({name: g}, limit)[name] for name, g in slopes.items()}


def clip_values(slopes: State, limit: float) -> State:
    """max(−limit, min(g, limit)) for each element: torch's clip_grad_value_, Keras' clipvalue."""
    return {name: np.clip(g, -limit, limit) for name, g in slopes.items()}


CLIPS: dict[str, Clip] = {
    "to the norm {value:.4g}": clip_together,
    "each parameter's to the norm {value:.4g}": clip_each,
    "each value to {value:.4g}": clip_values,
}


def clip_together_as_torch(slopes: State, limit: float) -> State:
    """G min(1, limit / (‖G‖₂ + 1e-6)): torch's clip_grad_norm_, to the last bits."""
    norm = float(np.sqrt(sum(np.square(g).sum() for g in slopes.values())))
    return {name: g * min(1.0, limit / (norm + 1e-6)) for name, g in slopes.items()}


OF_TORCH = {"to the norm {value:.4g}": clip_together_as_torch}


def sign_of_zero_is_one(w: np.ndarray, g: np.ndarray, lamda: float) -> np.ndarray:
    """w⁺ = step(w, g + λ sign w),  sign 0 = 1."""
    return g + lamda * np.where(w >= 0, 1.0, -1.0)


def sign_of_zero_is_minus_one(w: np.ndarray, g: np.ndarray, lamda: float) -> np.ndarray:
    """w⁺ = step(w, g + λ sign w),  sign 0 = −1."""
    return g + lamda * np.where(w > 0, 1.0, -1.0)


def tacked_on_at_zero(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v − λ sign w,  sign 0 = 1."""
    return v - lamda * np.where(w >= 0, 1.0, -1.0)


def decoupled_at_zero(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v − η λ sign w,  sign 0 = 1."""
    return v - lr * lamda * np.where(w >= 0, 1.0, -1.0)


def tacked_on_after(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v − λ sign v."""
    return v - lamda * np.sign(v)


def decoupled_after(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v − η λ sign v."""
    return v - lr * lamda * np.sign(v)


def tacked_on_away(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v + λ sign w."""
    return v + lamda * np.sign(w)


def decoupled_away(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v + η λ sign w."""
    return v + lr * lamda * np.sign(w)


def squared(w: np.ndarray, g: np.ndarray, lamda: float) -> np.ndarray:
    """w⁺ = step(w, g + λ w)."""
    return g + lamda * w


def squared_twice(w: np.ndarray, g: np.ndarray, lamda: float) -> np.ndarray:
    """w⁺ = step(w, g + 2 λ w)."""
    return g + 2 * lamda * w


def euclidean(w: np.ndarray, g: np.ndarray, lamda: float) -> np.ndarray:
    """w⁺ = step(w, g + λ w / ‖w‖₂)."""
    return g + lamda * w / max(float(np.linalg.norm(w)), np.finfo(float).tiny)


def decayed(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = v − η λ w."""
    return v - lr * lamda * w


def threshold_unscaled(w: np.ndarray, v: np.ndarray, lr: float, lamda: float) -> np.ndarray:
    """w⁺ = S(v, λ)."""
    return v - np.clip(v, -lamda, lamda)


# differ from a style only where a weight is exactly 0
AT_ZERO = {
    "sign 0 = 1": Style(on_gradient=sign_of_zero_is_one),
    "sign 0 = −1": Style(on_gradient=sign_of_zero_is_minus_one),
    "tack_on, sign 0 = 1": Style(after_step=tacked_on_at_zero),
    "decoupled, sign 0 = 1": Style(after_step=decoupled_at_zero),
}
OTHER_STYLES = {
    **AT_ZERO,
    "tack_on, sign after the step": Style(after_step=tacked_on_after),
    "decoupled, sign after the step": Style(after_step=decoupled_after),
    "tack_on, sign reversed": Style(after_step=tacked_on_away),
    "decoupled, sign reversed": Style(after_step=decoupled_away),
    "L2, ½ λ Σw²": Style(on_gradient=squared),
    "L2 without ½, λ Σw²": Style(on_gradient=squared_twice),
    "the Euclidean norm, λ ‖w‖₂": Style(on_gradient=euclidean),
    "decoupled L2, as AdamW has it": Style(after_step=decayed),
    "a threshold of λ, not of η λ": Style(after_step=threshold_unscaled),
}


def nesterov(w: np.ndarray, g: np.ndarray, lr: float, beta: float, m: np.ndarray | float = 0.0) -> Stepped:
    """m⁺ = β m + g,  v = w − η (g + β m⁺)."""
    m = beta * m + g
    return w - lr * (g + beta * m), (m,)


def dampened(by: float) -> OptimizerStep:
    """m⁺ = β m + (1 − dampening) g,  v = w − η m⁺,  but m = g in the first update: torch.optim.SGD."""

    def step(w: np.ndarray, g: np.ndarray, lr: float, beta: float, m: np.ndarray | None = None) -> Stepped:
        m = g if m is None else beta * m + (1 - by) * g
        return w - lr * m, (m,)

    return step


def dampened_by_beta(w: np.ndarray, g: np.ndarray, lr: float, beta: float, *memory: Any) -> Stepped:
    """As dampened, by β: what is remembered is a mean."""
    return dampened(beta)(w, g, lr, beta, *memory)


def averaged(w: np.ndarray, g: np.ndarray, lr: float, beta: float, m: np.ndarray | float = 0.0) -> Stepped:
    """m⁺ = β m + (1 − β) g,  v = w − η m⁺,  m₀ = 0."""
    m = beta * m + (1 - beta) * g
    return w - lr * m, (m,)


def accumulated(w: np.ndarray, g: np.ndarray, lr: float, beta: float, m: np.ndarray | float = 0.0) -> Stepped:
    """m⁺ = m + g,  v = w − η m⁺: gradients that are never set back to zero."""
    m = m + g
    return w - lr * m, (m,)


def adam_otherwise(epsilon: float, corrected: bool, beta_2: float = BETA_2) -> OptimizerStep:
    """As adam, with another ε or β₂, or without its correction for starting at 0, m̂ = m⁺ and ŝ = s⁺."""

    def step(w: np.ndarray, g: np.ndarray, lr: float, beta: float, m: Any = 0.0, s: Any = 0.0, t: int = 0) -> Stepped:
        m, s, t = beta * m + (1 - beta) * g, beta_2 * s + (1 - beta_2) * g * g, t + 1
        m_hat, s_hat = (m / (1 - beta**t), s / (1 - beta_2**t)) if corrected else (m, s)
        return w - lr * m_hat / (np.sqrt(s_hat) + epsilon), (m, s, t)

    return step


def rmsprop(w: np.ndarray, g: np.ndarray, lr: float, beta: float, s: np.ndarray | float = 0.0) -> Stepped:
    """s⁺ = 0.99 s + 0.01 g²,  v = w − η g / (√s⁺ + 1e-8): torch.optim.RMSprop."""
    s = 0.99 * s + 0.01 * g * g
    return w - lr * g / (np.sqrt(s) + 1e-8), (s,)


def adagrad(w: np.ndarray, g: np.ndarray, lr: float, beta: float, s: np.ndarray | float = 0.0) -> Stepped:
    """s⁺ = s + g²,  v = w − η g / (√s⁺ + 1e-10): torch.optim.Adagrad."""
    s = s + g * g
    return w - lr * g / (np.sqrt(s) + 1e-10), (s,)


def adamw(w: np.ndarray, g: np.ndarray, lr: float, beta: float, *memory: Any) -> Stepped:
    """v = adam(w) − 0.01 η w: torch.optim.AdamW with the weight decay that it has unless it is told otherwise."""
    v, remembered = adam(w, g, lr, beta, *memory)
    return v - 0.01 * lr * w, remembered


OTHER_STEPS: dict[str, OptimizerStep] = {
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "Adam with ε = 1e-7, as Keras has it": adam_otherwise(1e-7, corrected=True),
    "Adam without the correction for starting at 0": adam_otherwise(EPSILON, corrected=False),
    "Adam with β₂ = 0.99": adam_otherwise(EPSILON, corrected=True, beta_2=0.99),
    "SGD whose gradients are never cleared (zero_grad is missing)": accumulated,
    "AdamW with its own weight decay, 0.01": adamw,
    "Nesterov momentum": nesterov,
    "momentum of (1 − β) g": averaged,
}
WITHOUT_BETA = (sgd, accumulated, rmsprop, adagrad)  # there is no β to be fitted
