"""One update as a pure function, and training as a fold over it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from reference.data import Dataset
from reference.experiment import NOTHING, Batch, Experiment, Memory, Parameters, State, choose, draw, rates, start
from reference.l1 import STYLES, Style
from reference.network import DELTAS, backward, forward, softmax
from reference.optimizers import OPTIMIZERS, OptimizerStep

Step = Callable[[State, np.ndarray, np.ndarray, Experiment], State]

# what the summed loss of a batch is divided by
REDUCTIONS: dict[str, Callable[[int], float]] = {"mean": float, "sum": lambda items: 1.0}


def check_names(experiment: Experiment) -> None:
    """Raise InputError unless every name has a row in its table; loss and soft-max derivative have one together."""
    choose("style", experiment.style, STYLES)
    choose("optimizer", experiment.optimizer, OPTIMIZERS)
    choose("reduction", experiment.reduction, REDUCTIONS)
    choose("loss", experiment.loss, dict.fromkeys(loss for loss, _ in DELTAS))
    allowed = {derivative: loss for loss, derivative in DELTAS if loss == experiment.loss}
    choose(f"softmax_derivative for {experiment.loss}", experiment.softmax_derivative, allowed)


def gradients(parameters: Parameters, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> Parameters:
    """∂E/∂W_k and ∂E/∂b_k of the data loss, its mean or sum over the batch, in the shape of the parameters."""
    *h, z = forward(parameters, x)
    divisor = REDUCTIONS[experiment.reduction](x.shape[-2])  # NumPy divides by a float in half the time
    delta = DELTAS[experiment.loss, experiment.softmax_derivative](softmax(z), t) / divisor
    return backward(parameters, h, delta)


class Rule(NamedTuple):
    """How a weight is updated, without η and λ, which follow schedules."""

    style: Style
    step: OptimizerStep
    beta: float  # β of momentum, β₁ of adam
    l2: float  # λ₂


def rule(experiment: Experiment) -> Rule:
    """The rule that the experiment's names stand for."""
    return Rule(STYLES[experiment.style], OPTIMIZERS[experiment.optimizer].step, experiment.momentum, experiment.l2)


def update_weight(
    w: np.ndarray, g: np.ndarray, lr: float, lamda: float, rule: Rule, memory: Memory = NOTHING
) -> tuple[np.ndarray, tuple[Any, ...], tuple[Any, ...]]:
    """w⁺ of a weight with the data gradient g, and what the optimizer and the style remember of it.

    The optimizer is given g + λ₂ w, to which a style on the gradient adds its term; other styles act after its step.
    """
    style, step, beta, l2 = rule
    if l2:
        g = g + l2 * w
    if style.on_gradient:
        g = style.on_gradient(w, g, lamda)
    v, of_optimizer = step(w, g, lr, beta, *memory.W)
    if style.after_step:
        return style.after_step(w, v, lr, lamda), of_optimizer, ()
    if style.after_step_with_memory:
        w, of_style = style.after_step_with_memory(w, v, lr, lamda, *memory.style)
        return w, of_optimizer, of_style
    return v, of_optimizer, ()


def weight_path(w: float, gradients: Iterable[float], experiment: Experiment) -> list[float]:
    """w₁, w₂, …: a single weight after each update, given the data gradient of each."""
    value, memory, path, by = np.array(w), NOTHING, [], rule(experiment)
    for updates, g in enumerate(gradients):
        lr, lamda = rates(experiment, updates)
        value, of_optimizer, of_style = update_weight(value, np.array(g), lr, lamda, by, memory)
        memory = Memory(W=of_optimizer, style=of_style)
        path.append(float(value))
    return path


def update(state: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
    """W⁺ by update_weight,  b⁺ = step(b, ∂E/∂b): all from the state before the update, not rounded."""
    lr, lamda = rates(experiment, state.updates)
    by = rule(experiment)
    slopes = gradients(state.parameters, x, t, experiment)
    parameters, memory = [], []
    for (W, b), (dW, db), known in zip(state.parameters, slopes, state.memory, strict=True):
        V, of_W, of_style = update_weight(W, dW, lr, lamda, by, known)
        c, of_b = by.step(b, db, lr, by.beta, *known.b)
        parameters.append((V, c))
        memory.append(Memory(of_W, of_b, of_style))
    return State(parameters, memory, state.updates + 1)


def to_float32_grid(parameters: Parameters) -> Parameters:
    """Every value rounded to the nearest float32 (ties to even), kept in float64."""
    return [(W.astype(np.float32).astype(np.float64), b.astype(np.float32).astype(np.float64)) for W, b in parameters]


# a list of a list: the parameters as they were computed
ROUNDING: dict[str, Callable[[Parameters], Parameters]] = {"rounded": to_float32_grid, "float64": list, "float32": list}


def step(state: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
    """One update, its parameters rounded as the experiment's precision says."""
    after = update(state, x, t, experiment)
    return State(ROUNDING[experiment.precision](after.parameters), after.memory, after.updates)


def train(experiment: Experiment, data: Dataset, step: Step = step) -> Iterator[Parameters]:
    """Yield the run: the initial parameters, then the parameters after every update.

    Raises InputError where the experiment does not fit the data or names an unknown style, optimizer or loss.
    """
    check_names(experiment)
    return fold(step, *draw(experiment, data), experiment)


def fold(step: Step, parameters: Parameters, batches: Iterator[Batch], experiment: Experiment) -> Iterator[Parameters]:
    """The parameters of s₀, s₁ = step(s₀, batch₁), s₂ = step(s₁, batch₂), …"""
    state = start(parameters)
    yield state.parameters
    for x, t in batches:
        state = step(state, x, t, experiment)
        yield state.parameters
