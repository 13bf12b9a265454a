"""One update by autograd and torch.optim, and training as a fold over it."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.data import Dataset
from reference.experiment import Batch, Experiment, Memory, Parameters, State, choose, draw, rates, start
from torch_impl.l1 import STYLES, attach, with_penalty
from torch_impl.network import LOSSES, Network
from torch_impl.rounding import attach_rounding

Groups = list[dict[str, Any]]


def sgd(groups: Groups, experiment: Experiment) -> Optimizer:
    """torch.optim.SGD; a loop over a few small tensors is faster than collecting them into lists first (foreach)."""
    return torch.optim.SGD(groups, lr=experiment.lr, foreach=False)


def momentum(groups: Groups, experiment: Experiment) -> Optimizer:
    """torch.optim.SGD with momentum β."""
    return torch.optim.SGD(groups, lr=experiment.lr, momentum=experiment.momentum, foreach=False)


def adam(groups: Groups, experiment: Experiment) -> Optimizer:
    """torch.optim.Adam with β₁ = momentum, and torch's own β₂ and ε."""
    return torch.optim.Adam(groups, lr=experiment.lr, betas=(experiment.momentum, 0.999), foreach=False)


OPTIMIZERS = {"sgd": sgd, "momentum": momentum, "adam": adam}

# what they and the styles remember of a parameter in optimizer.state, in the order of reference.experiment.Memory
OF_OPTIMIZER = {"sgd": (), "momentum": ("momentum_buffer",), "adam": ("exp_avg", "exp_avg_sq", "step")}
OF_STYLE = ("l1_due", "l1_received")

# what becomes of a loss, which is a mean over the batch
REDUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": lambda loss, t: loss,
    "sum": lambda loss, t: loss * len(t),
}

# what is hooked to the optimizer after the style
ROUNDING = {"rounded": (attach_rounding,), "float64": (), "float32": ()}


class Trainer:
    """A network, its optimizer and their hooks, as the experiment says. load() first, then step() in place.

    Raises InputError for an unknown style, optimizer, loss, soft-max derivative or reduction.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.style = choose("style", experiment.style, STYLES)
        self.loss = choose("loss and softmax_derivative", (experiment.loss, experiment.softmax_derivative), LOSSES)
        self.reduce = choose("reduction", experiment.reduction, REDUCTIONS)
        self.network = Network(experiment.sizes, torch.from_numpy(np.empty(0, experiment.dtype)).dtype)
        groups: Groups = [
            {
                "params": [layer.weight for layer in self.network.layers],
                "lamda": experiment.lamda,
                "weight_decay": experiment.l2,
            },
            {"params": [layer.bias for layer in self.network.layers]},
        ]
        self.optimizer = choose("optimizer", experiment.optimizer, OPTIMIZERS)(groups, experiment)
        attach(self.style, self.optimizer)
        for attach_hook in ROUNDING[experiment.precision]:
            attach_hook(self.optimizer)
        self._experiment = experiment
        self._updates = 0
        self._parameters = list(self.network.parameters())
        self._views = self.network.arrays()

    def load(self, state: State) -> None:
        """Go on from this state."""
        self.network.load(state.parameters)
        self._updates = state.updates
        keys = OF_OPTIMIZER[self._experiment.optimizer]
        for layer, memory in zip(self.network.layers, state.memory, strict=True):
            of_style = dict(zip(OF_STYLE, map(to_torch, memory.style), strict=False))
            self.optimizer.state[layer.weight] = dict(zip(keys, map(to_torch, memory.W), strict=False)) | of_style
            self.optimizer.state[layer.bias] = dict(zip(keys, map(to_torch, memory.b), strict=False))

    def arrays(self) -> Parameters:
        """A copy of the parameters, one (W, b) a layer, W as (fan in, fan out)."""
        return [(W.copy(), b.copy()) for W, b in self._views]

    def state(self) -> State:
        """A copy of everything that the next update starts from."""
        keys = OF_OPTIMIZER[self._experiment.optimizer]

        def remembered(parameter: Tensor, keys: tuple[str, ...]) -> tuple[Any, ...]:
            known = self.optimizer.state.get(parameter, {})
            return tuple(to_numpy(known[key]) for key in keys if key in known)

        memory = [
            Memory(remembered(layer.weight, keys), remembered(layer.bias, keys), remembered(layer.weight, OF_STYLE))
            for layer in self.network.layers
        ]
        return State(self.arrays(), memory, self._updates)

    def step(self, x: np.ndarray, t: np.ndarray) -> None:
        """One update from the batch x (batch, features), t (batch, classes)."""
        weights, biases = self.optimizer.param_groups
        weights["lr"], weights["lamda"] = rates(self._experiment, self._updates)
        biases["lr"] = weights["lr"]
        for parameter in self._parameters:
            parameter.grad = None  # what zero_grad() does, without the profiler's record that it makes each time
        target = torch.from_numpy(t)
        data_loss = self.reduce(self.loss(self.network(torch.from_numpy(x)), target), target)
        with_penalty(data_loss, self.style, self.optimizer).backward()
        self.optimizer.step()
        self._updates += 1


def to_torch(value: Any) -> Any:
    """What NumPy remembers as torch does: W transposed, a count of updates as a tensor, other numbers as they are."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.T.copy())
    return torch.tensor(float(value)) if isinstance(value, int) else value


def to_numpy(value: Any) -> Any:
    """The inverse of to_torch."""
    if not isinstance(value, Tensor):
        return value
    return value.numpy().T.copy() if value.dim() else int(value)


def stepper(experiment: Experiment) -> Callable[[State, np.ndarray, np.ndarray], State]:
    """(state, x, t) -> the state after one update, by one trainer that is loaded anew each time."""
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
    trainer = Trainer(experiment)
    return fold(trainer, *draw(experiment, data))


def fold(trainer: Trainer, parameters: Parameters, batches: Iterator[Batch]) -> Iterator[Parameters]:
    """The given parameters, then the trainer's after every batch."""
    trainer.load(start(parameters))
    yield trainer.arrays()
    for x, t in batches:
        trainer.step(x, t)
        yield trainer.arrays()
