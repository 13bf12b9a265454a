"""What a style does to a network: accuracy, the size of its weights, zeros; over a grid of λ and seeds, in NumPy."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from comparisons.agreement.free_run import Tick, ticking
from reference.data import Dataset
from reference.experiment import Experiment, Parameters, draw, start, updates_of
from reference.l1 import STYLES
from reference.network import LOSSES, forward
from reference.network import predict as reference_predict
from reference.train import step

SMALL = 1e-3
Predict = Callable[[Parameters, np.ndarray], np.ndarray]


class NetworkSummary(NamedTuple):
    """A trained network in numbers. Biases do not count here, as they are not penalised."""

    train: int  # correctly classified items
    test: int
    sum_abs: float  # Σ|w|
    small: int  # weights with |w| < SMALL, the zeros among them
    zeros: int  # weights that are exactly 0


def summary_of(parameters: Parameters, data: Dataset, predict: Predict = reference_predict) -> NetworkSummary:
    """The network in numbers; predict is that of either side."""

    def correct(x: np.ndarray, t: np.ndarray) -> int:
        return int((predict(parameters, x.astype(weights.dtype)) == t.argmax(axis=1)).sum()) if len(x) else 0

    weights = np.concatenate([W.ravel() for W, _ in parameters])
    size = np.abs(weights)
    train, test = correct(data.x_train, data.t_train), correct(data.x_test, data.t_test)
    return NetworkSummary(train, test, float(size.sum()), int((size < SMALL).sum()), int((weights == 0).sum()))


# --- every style over a grid ---------------------------------------------------------------------------------------


class StyleRow(NamedTuple):
    """A way to regularize, at one λ of a grid."""

    name: str
    lamda: float  # of the grid
    experiment: Experiment  # with the style and the strengths λ and λ₂ of this row


def rows(grid: Sequence[Experiment]) -> list[StyleRow]:
    """Every style with λ; tack-on, which η does not scale, also with η λ; L2 alone; an elastic net with exact zeros.

    Each of them for every experiment of the grid; these differ only in λ.
    """
    ways = [
        *((style, style, 1.0, 0.0) for style in STYLES),
        ("tack_on, η λ", "tack_on", grid[0].lr, 0.0),
        ("L2", "none", 0.0, 1.0),
        ("elastic net", "proximal", 1.0, 1.0),
    ]
    return [
        StyleRow(name, e.lamda, replace(e, style=style, lamda=l1 * e.lamda, l2=l2 * e.lamda))
        for name, style, l1, l2 in ways
        for e in grid
    ]


class Run(NamedTuple):
    """One trained network."""

    row: str
    lamda: float  # of the grid
    experiment: Experiment  # what was trained
    summary: NetworkSummary
    loss: float  # mean over the training items
    objective: float  # loss + λ Σ|w|, with the row's own λ₂: + ½ λ₂ Σw²
    restless: int  # number of weights that changed sign during the last epoch
    weights: np.ndarray  # all of them, at the end


def stacked(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """One pair of arrays (W and b, or x and t) of several runs, with a leading axis of runs."""
    first, second = zip(*pairs, strict=True)
    return np.array(first), np.array(second)


def train_together(experiments: Sequence[Experiment], data: Dataset) -> Iterator[Parameters]:
    """Runs that differ only in their seed, as one run: their stacked parameters, first those of the start."""
    starts, batches = zip(*(draw(experiment, data) for experiment in experiments), strict=True)
    state = start([stacked(layer) for layer in zip(*starts, strict=True)])
    yield state.parameters
    for batch in zip(*batches, strict=True):
        state = step(state, *stacked(batch), experiments[0])
        yield state.parameters


@np.errstate(all="ignore")  # a network that diverges has nan in its summary
def sweep(row: StyleRow, tick: Tick, seeds: Sequence[int], data: Dataset) -> list[Run]:
    """Train a row with all seeds together, and describe every network."""
    experiments = [replace(row.experiment, seed=seed) for seed in seeds]
    last_epoch = updates_of(replace(row.experiment, epochs=1), data)
    path = deque(ticking(train_together(experiments, data), tick), maxlen=last_epoch + 1)
    crossed = sign_changes(path).sum(axis=1)
    return [
        describe(row, experiment, [(W[run], b[run]) for W, b in path[-1]], data, int(crossed[run]))
        for run, experiment in enumerate(experiments)
    ]


def sign_changes(path: Sequence[Parameters]) -> np.ndarray:
    """Which weights, (runs, weights), were positive at one time and negative at another."""
    signs = [np.sign(np.concatenate([W.reshape(len(W), -1) for W, _ in stack], axis=1)) for stack in path]
    return (np.max(signs, axis=0) > 0) & (np.min(signs, axis=0) < 0)


def describe(row: StyleRow, experiment: Experiment, end: Parameters, data: Dataset, restless: int) -> Run:
    """One trained network."""
    weights = np.concatenate([W.ravel() for W, _ in end])
    loss = float(LOSSES[experiment.loss](forward(end, data.x_train)[-1], data.t_train))
    penalty = row.lamda * np.abs(weights).sum() + 0.5 * experiment.l2 * np.square(weights).sum()
    return Run(row.name, row.lamda, experiment, summary_of(end, data), loss, loss + float(penalty), restless, weights)


# --- the chatter: weights without a data gradient ------------------------------------------------------------------


class Chatter(NamedTuple):
    """The weights of an input that is always 0: only L1 moves them."""

    style: str
    lamda: float
    lr: float
    path: np.ndarray  # (updates + 1, weights)

    @property
    def largest_step(self) -> float:
        """The most that an update moves the first weight."""
        return float(np.abs(np.diff(self.path[:, 0])).max())

    @property
    def arrives(self) -> bool:
        """Does the first weight come within one such step of zero?"""
        return bool((np.abs(self.path[:, 0]) < self.largest_step).any())

    @property
    def settled(self) -> np.ndarray:
        """The last tenth of the path."""
        return self.path[-len(self.path) // 10 :]

    @property
    def amplitude(self) -> float:
        """The largest |w| in it."""
        return float(np.abs(self.settled).max())

    @property
    def zeros(self) -> float:
        """The share of exact zeros in it."""
        return float((self.settled == 0).mean())

    @property
    def crossings(self) -> float:
        """The share of its updates that take a weight across zero."""
        signs = np.sign(self.settled)
        return float((signs[1:] * signs[:-1] < 0).mean())


def without_first_input(data: Dataset) -> Dataset:
    """The data, the first input being 0 in every training item."""
    x_train = data.x_train.copy()
    x_train[:, 0] = 0.0
    return replace(data, x_train=x_train)


@np.errstate(all="ignore")
def chatter(experiment: Experiment, data: Dataset) -> list[Chatter]:
    """The paths of the first input's weights under every style, that input being 0 in every item."""

    def path(style: str) -> np.ndarray:
        run = train_together([replace(experiment, style=style)], without_first_input(data))
        return np.array([parameters[0][0][0, 0] for parameters in run])

    return [Chatter(style, experiment.lamda, experiment.lr, path(style)) for style in STYLES]
