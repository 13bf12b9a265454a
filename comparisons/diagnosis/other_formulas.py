"""Styles, optimizers and clippings that no experiment can express, each by its formula.

As in `reference`, w is a weight, g the gradient that the optimizer is given, v what the optimizer's step made of w.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from comparisons.runs.names import ArraysByName
from reference.l1 import Style
from reference.optimizers import BETA_2, EPSILON, Optimizer, OptimizerStep, Stepped, adam, momentum

Clip = Callable[[ArraysByName, float], ArraysByName]  # (gradients, limit) -> gradients


def clip_together(gradients: ArraysByName, limit: float, epsilon: float = 0.0) -> ArraysByName:
    """G min(1, limit / (‖G‖₂ + ε)), G being the gradients of all parameters together."""
    norm = float(np.sqrt(sum(np.square(g).sum() for g in gradients.values()))) + epsilon
    return {name: g * (limit / max(norm, limit)) for name, g in gradients.items()}


def clip_each(gradients: ArraysByName, limit: float) -> ArraysByName:
    """g min(1, limit / ‖g‖₂) for each parameter: Keras' clipnorm."""
    return {name: clip_together({name: g}, limit)[name] for name, g in gradients.items()}


def clip_values(gradients: ArraysByName, limit: float) -> ArraysByName:
    """max(−limit, min(g, limit)) for each element: torch's clip_grad_value_, Keras' clipvalue."""
    return {name: np.clip(g, -limit, limit) for name, g in gradients.items()}


LIMIT = "{value:.4g}"  # stands for the limit in the words below
CLIPS: dict[str, Clip] = {
    f"to the norm {LIMIT}": clip_together,
    f"each parameter's to the norm {LIMIT}": clip_each,
    f"each value to {LIMIT}": clip_values,
}
# torch's clip_grad_norm_, to the last bits
CLIPS_AS_TORCH: dict[str, Clip] = {f"to the norm {LIMIT}": partial(clip_together, epsilon=1e-6)}


def sign(w: np.ndarray, of_zero: float) -> np.ndarray:
    """sign w, but of_zero where w = 0."""
    return np.where(w == 0, of_zero, np.sign(w))


def unit(w: np.ndarray) -> np.ndarray:
    """w / ‖w‖₂, and 0 where w is 0."""
    return w / max(float(np.linalg.norm(w)), np.finfo(float).tiny)


# these differ from a style only where a weight is exactly 0
STYLES_AT_ZERO = {
    "sign 0 = 1": Style(
        on_gradient=lambda w, g, lamda: g + lamda * sign(w, 1.0), formula="w⁺ = step(w, g + λ sign w),  sign 0 = 1"
    ),
    "sign 0 = −1": Style(
        on_gradient=lambda w, g, lamda: g + lamda * sign(w, -1.0), formula="w⁺ = step(w, g + λ sign w),  sign 0 = −1"
    ),
    "tack_on, sign 0 = 1": Style(
        after_step=lambda w, v, lr, lamda: v - lamda * sign(w, 1.0), formula="w⁺ = v − λ sign w,  sign 0 = 1"
    ),
    "decoupled, sign 0 = 1": Style(
        after_step=lambda w, v, lr, lamda: v - lr * lamda * sign(w, 1.0), formula="w⁺ = v − η λ sign w,  sign 0 = 1"
    ),
}
# other penalties in the place of L1; about: what the code uses
OTHER_PENALTIES = {
    "L2, ½ λ Σw²": Style(
        on_gradient=lambda w, g, lamda: g + lamda * w, formula="w⁺ = step(w, g + λ w)", about="an L2 penalty, ½ λ Σw²,"
    ),
    "L2 without ½, λ Σw²": Style(
        on_gradient=lambda w, g, lamda: g + 2 * lamda * w,
        formula="w⁺ = step(w, g + 2 λ w)",
        about="an L2 penalty without ½, λ Σw²,",
    ),
    "the Euclidean norm, λ ‖w‖₂": Style(
        on_gradient=lambda w, g, lamda: g + lamda * unit(w),
        formula="w⁺ = step(w, g + λ w / ‖w‖₂)",
        about="the Euclidean norm, λ ‖w‖₂,",
    ),
    "decoupled L2, as AdamW has it": Style(
        after_step=lambda w, v, lr, lamda: v - lr * lamda * w,
        formula="w⁺ = v − η λ w",
        about="decoupled L2, as AdamW does,",
    ),
}
OTHER_STYLES = {
    **STYLES_AT_ZERO,
    "tack_on, sign after the step": Style(
        after_step=lambda w, v, lr, lamda: v - lamda * np.sign(v), formula="w⁺ = v − λ sign v"
    ),
    "decoupled, sign after the step": Style(
        after_step=lambda w, v, lr, lamda: v - lr * lamda * np.sign(v), formula="w⁺ = v − η λ sign v"
    ),
    "tack_on, sign reversed": Style(
        after_step=lambda w, v, lr, lamda: v + lamda * np.sign(w), formula="w⁺ = v + λ sign w"
    ),
    "decoupled, sign reversed": Style(
        after_step=lambda w, v, lr, lamda: v + lr * lamda * np.sign(w), formula="w⁺ = v + η λ sign w"
    ),
    **OTHER_PENALTIES,
    "a threshold of λ, not of η λ": Style(
        after_step=lambda w, v, lr, lamda: v - np.clip(v, -lamda, lamda), formula="w⁺ = S(v, λ)"
    ),
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


def other_adam(epsilon: float = EPSILON, corrected: bool = True, beta_2: float = BETA_2) -> OptimizerStep:
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


OTHER_OPTIMIZERS = {
    "RMSprop": Optimizer(rmsprop, has_beta=False),
    "Adagrad": Optimizer(adagrad, has_beta=False),
    "Adam with ε = 1e-7, as Keras has it": Optimizer(other_adam(epsilon=1e-7)),
    "Adam without the correction for starting at 0": Optimizer(other_adam(corrected=False)),
    "Adam with β₂ = 0.99": Optimizer(other_adam(beta_2=0.99)),
    "SGD whose gradients are never cleared (zero_grad is missing)": Optimizer(  # m⁺ = m + g,  v = w − η m⁺
        lambda w, g, lr, beta, *memory: momentum(w, g, lr, 1.0, *memory), has_beta=False
    ),
    "AdamW with its own weight decay, 0.01": Optimizer(adamw),
    "Nesterov momentum": Optimizer(nesterov),
    "momentum of (1 − β) g": Optimizer(  # m⁺ = β m + (1 − β) g,  v = w − η m⁺
        lambda w, g, lr, beta, *memory: momentum(w, (1 - beta) * g, lr, beta, *memory)
    ),
}
# what is remembered is a mean
DAMPENED_BY_BETA = Optimizer(lambda w, g, lr, beta, *memory: dampened(beta)(w, g, lr, beta, *memory))
