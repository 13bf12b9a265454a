"""One update by autograd and torch.optim.SGD, and training as a fold over it."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from reference.data import Dataset
from reference.experiment import Batch, Experiment, Parameters, choose, draw
from torch_impl.l1 import STYLES, attach, with_penalty
from torch_impl.network import LOSSES, Network
from torch_impl.rounding import attach_rounding

# what is hooked to the optimizer after the style
ROUNDING = {"rounded": (attach_rounding,), "float64": (), "float32": ()}


class Trainer:
    """A network, its optimizer and their hooks, as the experiment says. load() first, then step() in place.

    Raises InputError for an unknown style, loss or soft-max derivative.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.style = choose("style", experiment.style, STYLES)
        self.loss = choose("loss and softmax_derivative", (experiment.loss, experiment.softmax_derivative), LOSSES)
        self.network = Network(experiment.sizes, torch.from_numpy(np.empty(0, experiment.dtype)).dtype)
        groups: list[dict[str, Any]] = [
            {
                "params": [layer.weight for layer in self.network.layers],
                "lamda": experiment.lamda,
                "weight_decay": experiment.l2,
            },
            {"params": [layer.bias for layer in self.network.layers]},
        ]
        # a loop over a few small tensors is faster than collecting them into lists first (foreach)
        self.optimizer = torch.optim.SGD(groups, lr=experiment.lr, foreach=False)
        attach(self.style, self.optimizer)
        for attach_hook in ROUNDING[experiment.precision]:
            attach_hook(self.optimizer)
        self._parameters = list(self.network.parameters())
        self._views = self.network.arrays()

    def load(self, parameters: Parameters) -> None:
        """Go on from these parameters."""
        self.network.load(parameters)

    def arrays(self) -> Parameters:
        """A copy of the parameters, one (W, b) a layer, W as (fan in, fan out)."""
        return [(W.copy(), b.copy()) for W, b in self._views]

    def step(self, x: np.ndarray, t: np.ndarray) -> None:
        """One update from the batch x (batch, features), t (batch, classes)."""
        for parameter in self._parameters:
            parameter.grad = None  # what zero_grad() does, without the profiler's record that it makes each time
        data_loss = self.loss(self.network(torch.from_numpy(x)), torch.from_numpy(t))
        with_penalty(data_loss, self.style, self.optimizer).backward()
        self.optimizer.step()


def stepper(experiment: Experiment) -> Callable[[Parameters, np.ndarray, np.ndarray], Parameters]:
    """(parameters, x, t) -> parameters after one update, by one trainer that is loaded anew each time."""
    trainer = Trainer(experiment)

    def step(parameters: Parameters, x: np.ndarray, t: np.ndarray) -> Parameters:
        trainer.load(parameters)
        trainer.step(x, t)
        return trainer.arrays()

    return step


def step(parameters: Parameters, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> Parameters:
    """One update, rounded as the experiment's precision says."""
    return stepper(experiment)(parameters, x, t)


def train(experiment: Experiment, data: Dataset) -> Iterator[Parameters]:
    """Yield the run: the initial parameters, then the parameters after every update.

    Raises InputError where the experiment does not fit the data or names an unknown style, loss or derivative.
    """
    trainer = Trainer(experiment)
    return fold(trainer, *draw(experiment, data))


def fold(trainer: Trainer, parameters: Parameters, batches: Iterator[Batch]) -> Iterator[Parameters]:
    """The given parameters, then the trainer's after every batch."""
    trainer.load(parameters)
    yield trainer.arrays()
    for x, t in batches:
        trainer.step(x, t)
        yield trainer.arrays()
