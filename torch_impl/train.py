"""One update by autograd and torch.optim, and training as a fold over it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.data import Dataset
from reference.experiment import Batch, Experiment, Memory, Parameters, State, choose, draw, rates, start
from torch_impl.groups import split_parameters
from torch_impl.l1 import STYLES, StyleHooks, with_penalty
from torch_impl.network import LOSSES, Network
from torch_impl.rounding import to_float32_grid


class StockOptimizer(NamedTuple):
    """An optimizer of torch, as it comes."""

    kind: Callable[..., Optimizer]
    options: Callable[[float], dict[str, Any]] = lambda beta: {}  # besides lr
    remembers: tuple[str, ...] = ()  # keys of a parameter's state, in the order of reference.experiment.Memory


OPTIMIZERS = {
    "sgd": StockOptimizer(torch.optim.SGD),
    "momentum": StockOptimizer(torch.optim.SGD, lambda beta: {"momentum": beta}, ("momentum_buffer",)),
    "adam": StockOptimizer(
        torch.optim.Adam, lambda beta: {"betas": (float(beta), 0.999)}, ("exp_avg", "exp_avg_sq", "step")
    ),
}

OF_STYLE = ("l1_due", "l1_received")  # keys of a weight's state, for the styles

# what is made of a loss that is a mean over the batch
REDUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": lambda loss, t: loss,
    "sum": lambda loss, t: loss * len(t),
}

# the hooks that the optimizer gets after the style
ROUNDING = {"rounded": (to_float32_grid,), "float64": (), "float32": ()}


class Trainer:
    """A network, its optimizer and their hooks, as the experiment says. load() first, then step() in place.

    Raises InputError for an unknown style, optimizer, loss, soft-max derivative or reduction.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.style = choose("style", experiment.style, STYLES)
        self.loss = choose("loss and softmax_derivative", (experiment.loss, experiment.softmax_derivative), LOSSES)
        self.reduce = choose("reduction", experiment.reduction, REDUCTIONS)
        self.network = Network(experiment.sizes, torch.from_numpy(np.empty(0, experiment.dtype)).dtype)
        weights, biases = split_parameters(self.network, lamda=experiment.lamda)
        groups = [weights | {"weight_decay": experiment.l2}, biases]
        stock = choose("optimizer", experiment.optimizer, OPTIMIZERS)
        # a loop over a few small tensors is faster than collecting them into lists first, as foreach does
        self.optimizer = stock.kind(groups, lr=experiment.lr, foreach=False, **stock.options(experiment.momentum))
        if self.style.around_step:
            StyleHooks(self.style, self.optimizer, warns=False)  # what λ does is for the report to say
        for hook in ROUNDING[experiment.precision]:
            self.optimizer.register_step_post_hook(hook)
        self._experiment = experiment
        self._of_optimizer = stock.remembers
        self._updates = 0
        self._parameters = list(self.network.parameters())
        self._views = self.network.arrays()

    def load(self, state: State) -> None:
        """Continue from this state."""
        self.network.load(state.parameters)
        self._updates = state.updates
        for layer, memory in zip(self.network.layers, state.memory, strict=True):
            of_style = remembered(OF_STYLE, memory.style)
            self.optimizer.state[layer.weight] = remembered(self._of_optimizer, memory.W) | of_style
            self.optimizer.state[layer.bias] = remembered(self._of_optimizer, memory.b)

    def arrays(self) -> Parameters:
        """A copy of the parameters, one (W, b) for each layer, W as (fan in, fan out)."""
        return [(W.copy(), b.copy()) for W, b in self._views]

    def state(self) -> State:
        """A copy of everything that the next update starts from, except its batch."""

        def of(parameter: Tensor, keys: tuple[str, ...]) -> tuple[Any, ...]:
            known = self.optimizer.state.get(parameter, {})
            return tuple(to_numpy(known[key]) for key in keys if key in known)

        own, layers = self._of_optimizer, self.network.layers
        memory = [Memory(of(layer.weight, own), of(layer.bias, own), of(layer.weight, OF_STYLE)) for layer in layers]
        return State(self.arrays(), memory, self._updates)

    def step(self, x: np.ndarray, t: np.ndarray) -> None:
        """One update from the batch x (batch, features), t (batch, classes)."""
        weights, biases = self.optimizer.param_groups
        weights["lr"], weights["lamda"] = rates(self._experiment, self._updates)
        biases["lr"] = weights["lr"]
        for parameter in self._parameters:
            parameter.grad = None  # as zero_grad() does, which also makes a record for the profiler each time
        target = torch.from_numpy(t)
        loss = self.reduce(self.loss(self.network(torch.from_numpy(x)), target), target)
        (with_penalty(loss, self.style, self.optimizer) if self.style.in_loss else loss).backward()
        self.optimizer.step()
        self._updates += 1


def remembered(keys: tuple[str, ...], memory: tuple[Any, ...]) -> dict[str, Any]:
    """The reference's memory of a parameter, under torch's keys; {} before the first update."""
    return dict(zip(keys, map(to_torch, memory), strict=False))


def to_torch(value: Any) -> Any:
    """A value of the reference's memory in torch's form: arrays transposed, a count of updates as a tensor."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.T.copy())
    return torch.tensor(float(value)) if isinstance(value, int) else value


def to_numpy(value: Any) -> Any:
    """The inverse of to_torch."""
    if not isinstance(value, Tensor):
        return value
    return value.numpy().T.copy() if value.dim() else int(value)


def stepper(experiment: Experiment) -> Callable[[State, np.ndarray, np.ndarray], State]:
    """(state, x, t) -> the state after one update; one trainer, which is loaded anew each time."""
    trainer = Trainer(experiment)

    def step(state: State, x: np.ndarray, t: np.ndarray) -> State:
        trainer.load(state)
        trainer.step(x, t)
        return trainer.state()

    return step


def step(state: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
    """One update, its parameters rounded as the experiment's precision says."""
    return stepper(experiment)(state, x, t)


def train(experiment: Experiment, data: Dataset) -> Iterator[Parameters]:
    """Yield the run: the initial parameters, then the parameters after every update.

    Raises InputError where the experiment does not fit the data or names an unknown style, optimizer or loss.
    """
    return fold(Trainer(experiment), *draw(experiment, data))


def fold(trainer: Trainer, parameters: Parameters, batches: Iterator[Batch]) -> Iterator[Parameters]:
    """The given parameters, then the trainer's after every batch."""
    trainer.load(start(parameters))
    yield trainer.arrays()
    for x, t in batches:
        trainer.step(x, t)
        yield trainer.arrays()
