"""One update as a pure function, and training as a fold over it."""

from collections.abc import Callable, Iterator

import numpy as np

from reference.data import Dataset
from reference.experiment import Batch, Experiment, Parameters, choose, draw
from reference.l1 import STYLES
from reference.network import DELTAS, backward, forward, softmax

Step = Callable[[Parameters, np.ndarray, np.ndarray, Experiment], Parameters]


def check_names(experiment: Experiment) -> None:
    """Raise InputError unless the style, and the loss with its soft-max derivative, have a row in their tables."""
    choose("style", experiment.style, STYLES)
    choose("loss", experiment.loss, dict.fromkeys(loss for loss, _ in DELTAS))
    allowed = {derivative: loss for loss, derivative in DELTAS if loss == experiment.loss}
    choose(f"softmax_derivative for {experiment.loss}", experiment.softmax_derivative, allowed)


def gradients(parameters: Parameters, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> Parameters:
    """∂E/∂W_k and ∂E/∂b_k of the data loss, mean over the batch, in the shape of the parameters."""
    *h, z = forward(parameters, x)
    batch = float(x.shape[-2])  # NumPy divides by a float in half the time
    delta = DELTAS[experiment.loss, experiment.softmax_derivative](softmax(z), t) / batch
    return backward(parameters, h, delta)


def update(parameters: Parameters, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> Parameters:
    """W⁺ = style(W, ∂E/∂W + λ₂ W, η, λ),  b⁺ = b − η ∂E/∂b: all from the parameters before the update, not rounded."""
    style, lr, lamda, l2 = STYLES[experiment.style], experiment.lr, experiment.lamda, experiment.l2
    return [
        (style(W, dW + l2 * W if l2 else dW, lr, lamda), b - lr * db)
        for (W, b), (dW, db) in zip(parameters, gradients(parameters, x, t, experiment), strict=True)
    ]


def as_computed(parameters: Parameters) -> Parameters:
    """The parameters as they are."""
    return parameters


def to_float32_grid(parameters: Parameters) -> Parameters:
    """Every value rounded to the nearest float32 (ties to even), kept in float64."""
    return [(W.astype(np.float32).astype(np.float64), b.astype(np.float32).astype(np.float64)) for W, b in parameters]


ROUNDING = {"rounded": to_float32_grid, "float64": as_computed, "float32": as_computed}


def step(parameters: Parameters, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> Parameters:
    """One update, rounded as the experiment's precision says."""
    return ROUNDING[experiment.precision](update(parameters, x, t, experiment))


def train(experiment: Experiment, data: Dataset, step: Step = step) -> Iterator[Parameters]:
    """Yield the run: the initial parameters, then the parameters after every update.

    Raises InputError where the experiment does not fit the data or names an unknown style, loss or derivative.
    """
    check_names(experiment)
    return fold(step, *draw(experiment, data), experiment)


def fold(step: Step, parameters: Parameters, batches: Iterator[Batch], experiment: Experiment) -> Iterator[Parameters]:
    """p₀, p₁ = step(p₀, batch₁), p₂ = step(p₁, batch₂), …"""
    yield parameters
    for x, t in batches:
        parameters = step(parameters, x, t, experiment)
        yield parameters
