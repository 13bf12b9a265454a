"""What both sides must agree on before they train: the numbers of an experiment, and all of its randomness.

Nothing here is under test: it checks numbers and hands out arrays. The mathematics is in network, l1 and train.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np

from reference.data import Dataset, uniform
from reference.errors import InputError

# A parameter set is one (W, b) a layer, from the input on: W is (fan in, fan out), b is (fan out).
Parameters = list[tuple[np.ndarray, np.ndarray]]
Batch = tuple[np.ndarray, np.ndarray]


class Memory(NamedTuple):
    """What is remembered of one layer between updates: () before the first one, and where nothing is remembered."""

    W: tuple[Any, ...] = ()  # by the optimizer, of W: its momentum, Adam's two moments and the number of updates
    b: tuple[Any, ...] = ()  # by the optimizer, of b
    style: tuple[Any, ...] = ()  # by the L1 style, of W


NOTHING = Memory()


class State(NamedTuple):
    """All that an update starts from, but for its batch."""

    parameters: Parameters
    memory: list[Memory]  # one a layer
    updates: int = 0  # how many came before: schedules follow it


def start(parameters: Parameters) -> State:
    """The state before the first update."""
    return State(parameters, [NOTHING] * len(parameters))


# The arithmetic of a run. "rounded" computes in float64 and rounds every parameter to float32 after each update:
# frameworks differ by some 1e-16 an update, the float32 grid is some 1e-7 wide, so the rounding makes runs equal.
DTYPES: dict[str, type[np.floating]] = {"rounded": np.float64, "float64": np.float64, "float32": np.float32}

# The factor of η or λ at an update, which this many came before.
DECAY = 10_000
SCHEDULES: dict[str, Callable[[int], float]] = {
    "constant": lambda updates: 1.0,
    "inverse": lambda updates: 1 / (1 + updates / DECAY),
}

INITIAL_LIMIT = 0.01  # the article draws its initial weights and biases from (−0.01, 0.01)

Name = TypeVar("Name")
Row = TypeVar("Row")


def choose(what: str, name: Name, table: Mapping[Name, Row]) -> Row:
    """table[name], or an InputError that says what may be chosen."""
    if name not in table:
        raise InputError(f"{what} must be one of {', '.join(map(str, table))}; got {name}")
    return table[name]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One training run, but for its data. The defaults are the article's, with the whole soft-max derivative.

    style, optimizer, loss, softmax_derivative and reduction are keys of tables in l1, optimizers, network and train,
    which refuse unknown ones.
    Raises InputError for a number that cannot be trained with.
    """

    sizes: tuple[int, ...] = (10, 8, 4)  # units a layer: features, hidden …, classes
    seed: int = 0
    lr: float = 0.01  # η
    lr_schedule: str = "constant"
    lamda: float = 0.001  # λ multiplies Σ|w| over weights, never biases; "lambda" is a Python keyword
    style: str = "penalty"  # how λ enters an update
    lamda_schedule: str = "constant"
    l2: float = 0.0  # λ₂ multiplies ½Σw² over weights; beside an L1 style: elastic net
    optimizer: str = "sgd"  # whose step it is that λ enters
    momentum: float = 0.9  # β of the optimizer momentum, β₁ of adam
    loss: str = "squared_error"
    softmax_derivative: str = "full"
    reduction: str = "mean"  # of the loss over a batch
    precision: str = "rounded"
    epochs: int = 500
    batch_size: int = 1

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise InputError(f"sizes must be two or more numbers >= 1 (features … classes); got {self.sizes}")
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise InputError(f"lr must be a finite number > 0; got {self.lr}")
        for name in ("lamda", "l2"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(f"{name} must be a finite number >= 0; got {getattr(self, name)}")
        for name, least in (("seed", 0), ("epochs", 0), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be a whole number >= {least}; got {getattr(self, name)}")
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum must be a number >= 0 and < 1; got {self.momentum}")
        choose("precision", self.precision, DTYPES)
        choose("lr_schedule", self.lr_schedule, SCHEDULES)
        choose("lamda_schedule", self.lamda_schedule, SCHEDULES)

    @property
    def dtype(self) -> type[np.floating]:
        """The floating-point type in which the experiment computes."""
        return DTYPES[self.precision]


def rates(experiment: Experiment, updates: int) -> tuple[float, float]:
    """η and λ of the update that this many came before."""
    lr = experiment.lr * SCHEDULES[experiment.lr_schedule](updates)
    return lr, experiment.lamda * SCHEDULES[experiment.lamda_schedule](updates)


def check_fit(experiment: Experiment, data: Dataset) -> None:
    """Raise InputError unless the sizes and the batch size can be used with the data."""
    items, features = data.x_train.shape
    classes = data.t_train.shape[1]
    if (experiment.sizes[0], experiment.sizes[-1]) != (features, classes):
        got = "-".join(map(str, experiment.sizes))
        raise InputError(
            f"sizes must begin with {features} (features) and end with {classes} (classes) for {data.name}; got {got}"
        )
    if experiment.batch_size > items:
        raise InputError(
            f"batch_size must be at most {items}, the training items of {data.name}; got {experiment.batch_size}"
        )


def updates_of(experiment: Experiment, data: Dataset) -> int:
    """epochs · ⌈training items / batch size⌉."""
    return experiment.epochs * math.ceil(len(data.x_train) / experiment.batch_size)


def draw_parameters(rnd: random.Random, sizes: tuple[int, ...], limit: float) -> Parameters:
    """Uniform in (−limit, limit), layer by layer: the weights row-major, input index first, then the biases."""
    return [
        (uniform(rnd, limit, (fan_in, fan_out)), uniform(rnd, limit, (fan_out,))) for fan_in, fan_out in pairwise(sizes)
    ]


def draw_batches(rnd: random.Random, experiment: Experiment, data: Dataset) -> Iterator[Batch]:
    """(x, t) of one update after another, every epoch in a new order; the last batch of an epoch may be smaller.

    One list of indices is shuffled in place, as in the article: an epoch's order starts from the previous one.
    """
    x, t = (array.astype(experiment.dtype) for array in (data.x_train, data.t_train))
    order = list(range(len(x)))
    for _ in range(experiment.epochs):
        rnd.shuffle(order)
        x_epoch, t_epoch = x[order], t[order]
        for start in range(0, len(x), experiment.batch_size):
            rows = slice(start, start + experiment.batch_size)
            yield x_epoch[rows], t_epoch[rows]


def draw(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """The initial parameters and the batches, from one random.Random(seed) in this order, as in the article."""
    check_fit(experiment, data)
    rnd = random.Random(experiment.seed)
    drawn = draw_parameters(rnd, experiment.sizes, INITIAL_LIMIT)
    parameters = [(W.astype(experiment.dtype), b.astype(experiment.dtype)) for W, b in drawn]
    return parameters, draw_batches(rnd, experiment, data)
