"""What both sides must agree on before they train: the numbers of an experiment, and all of its randomness.

Nothing here is under test: it checks numbers and hands out arrays. The mathematics is in network, l1 and train.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np

from reference.data import Dataset, uniform
from reference.errors import InputError, require

# One (W, b) for each layer, from the input to the output: W is (fan in, fan out), b is (fan out).
Parameters = list[tuple[np.ndarray, np.ndarray]]
Batch = tuple[np.ndarray, np.ndarray]


class Memory(NamedTuple):
    """What is kept for one layer between updates: () before the first one, and where nothing is kept."""

    W: tuple[Any, ...] = ()  # by the optimizer, for W: its momentum, Adam's two moments and the number of updates
    b: tuple[Any, ...] = ()  # by the optimizer, for b
    style: tuple[Any, ...] = ()  # by the L1 style, for W


NOTHING = Memory()


class State(NamedTuple):
    """Everything that an update starts from, except its batch."""

    parameters: Parameters
    memory: list[Memory]  # one for each layer
    updates: int = 0  # how many came before; schedules depend on it


def start(parameters: Parameters) -> State:
    """The state before the first update."""
    return State(parameters, [NOTHING] * len(parameters))


# The arithmetic of a run. "rounded" computes in float64 and rounds every parameter to float32 after each update:
# frameworks differ by some 1e-16 an update, the float32 grid is some 1e-7 wide, so the rounding makes runs equal.
DTYPES: dict[str, type[np.floating]] = {"rounded": np.float64, "float64": np.float64, "float32": np.float32}

# The factor of η or λ at an update, by the number of updates before it.
DECAY = 10_000
SCHEDULES: dict[str, Callable[[int], float]] = {
    "constant": lambda updates: 1.0,
    "inverse": lambda updates: 1 / (1 + updates / DECAY),
}

INITIAL_LIMIT = 0.01  # the article draws its initial weights and biases from (−0.01, 0.01)

# What nobody trains: a thousand million epochs of the article's 200 items take 100 days, 100 million parameters
# gigabytes, and an hour to draw.
MOST_EPOCHS = 10**9
MOST_PARAMETERS = 10**8

Name = TypeVar("Name")
Row = TypeVar("Row")


def choose(what: str, name: Name, table: Mapping[Name, Row]) -> Row:
    """table[name]. Raises InputError, which lists the names that are allowed."""
    if name not in table:
        raise InputError(f"{what} must be one of {', '.join(map(str, table))}; got {name}")
    return table[name]


@dataclass(frozen=True, kw_only=True, repr=False)
class Experiment:
    """One training run, without its data. The defaults are the article's, with the full soft-max derivative.

    style, optimizer, loss, softmax_derivative and reduction are keys of tables in l1, optimizers, network and train;
    train.check_names refuses unknown ones. Raises InputError for a number that cannot be used.
    """

    sizes: tuple[int, ...] = (10, 8, 4)  # units of each layer: features, hidden …, classes
    seed: int = 0
    lr: float = 0.01  # η
    lr_schedule: str = "constant"
    lamda: float = 0.001  # λ multiplies Σ|w| over the weights, not the biases; "lambda" is a Python keyword
    style: str = "penalty"  # how λ enters an update
    lamda_schedule: str = "constant"
    l2: float = 0.0  # λ₂ multiplies ½Σw² over the weights; together with an L1 style: elastic net
    optimizer: str = "sgd"
    momentum: float = 0.9  # β of momentum, β₁ of adam
    loss: str = "squared_error"
    softmax_derivative: str = "full"
    reduction: str = "mean"  # of the loss over a batch
    precision: str = "rounded"
    epochs: int = 500
    batch_size: int = 1

    def __post_init__(self) -> None:
        layers = len(self.sizes) > 1 and min(self.sizes) > 0
        require(layers, f"sizes must be two or more numbers >= 1 (features … classes); got {self.sizes}")
        require(0 < self.lr < math.inf, f"lr must be a finite number > 0; got {self.lr}")
        require(0 <= self.lamda < math.inf, f"lamda must be a finite number >= 0; got {self.lamda}")
        require(0 <= self.l2 < math.inf, f"l2 must be a finite number >= 0; got {self.l2}")
        most, made = f"sizes must make a network of at most {MOST_PARAMETERS:,} parameters", parameters_of(self.sizes)
        require(made <= MOST_PARAMETERS, f"{most}; {'-'.join(map(str, self.sizes))} make {made:,}")
        require(self.epochs <= MOST_EPOCHS, f"epochs must be at most {MOST_EPOCHS:,}; got {self.epochs}")
        for name, least in (("seed", 0), ("epochs", 0), ("batch_size", 1)):
            value = getattr(self, name)
            require(value >= least, f"{name} must be a whole number >= {least}; got {value}")
        require(0 <= self.momentum < 1, f"momentum must be a number >= 0 and < 1; got {self.momentum}")
        for name, table in (("precision", DTYPES), ("lr_schedule", SCHEDULES), ("lamda_schedule", SCHEDULES)):
            choose(name, getattr(self, name), table)

    def __repr__(self) -> str:
        changed = (f"{f.name}={v!r}" for f in fields(self) if (v := getattr(self, f.name)) != f.default)
        return f"Experiment({', '.join(changed)})"

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"

    @property
    def dtype(self) -> type[np.floating]:
        """The floating-point type in which the experiment computes."""
        return DTYPES[self.precision]


def parameters_of(sizes: Sequence[int]) -> int:
    """Σ m n + n: the weights and biases of a network with these units."""
    return sum(m * n + n for m, n in pairwise(sizes))


def rates(experiment: Experiment, updates: int) -> tuple[float, float]:
    """η and λ of the update that has this many updates before it."""
    lr = experiment.lr * SCHEDULES[experiment.lr_schedule](updates)
    return lr, experiment.lamda * SCHEDULES[experiment.lamda_schedule](updates)


def check_fit(experiment: Experiment, data: Dataset) -> None:
    """Raise InputError unless the sizes and the batch size can be used with the data."""
    (items, features), classes, sizes = data.x_train.shape, data.t_train.shape[1], experiment.sizes
    ends = f"sizes must begin with {features} (features) and end with {classes} (classes) for {data.name}"
    require((sizes[0], sizes[-1]) == (features, classes), f"{ends}; got {'-'.join(map(str, sizes))}")
    most = f"batch_size must be at most {items}, the training items of {data.name}"
    require(experiment.batch_size <= items, f"{most}; got {experiment.batch_size}")


def updates_of(experiment: Experiment, data: Dataset) -> int:
    """epochs · ⌈training items / batch size⌉."""
    return experiment.epochs * math.ceil(len(data.x_train) / experiment.batch_size)


def draw_parameters(rnd: random.Random, sizes: tuple[int, ...], limit: float) -> Parameters:
    """Uniform in (−limit, limit), layer by layer: the weights (m, n) row-major, input index first, then n biases."""
    return [(uniform(rnd, limit, (m, n)), uniform(rnd, limit, (n,))) for m, n in pairwise(sizes)]


def draw_batches(rnd: random.Random, experiment: Experiment, data: Dataset) -> Iterator[Batch]:
    """(x, t) for each update; every epoch is in a new order, and its last batch may be smaller.

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
