"""What a style does to a network: accuracy, the size of its weights, zeros; over a grid of λ and seeds, in NumPy."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from comparisons.agreement.free_run import Tick, ticking
from reference.data import Dataset
from reference.experiment import Batch, Experiment, Parameters, draw, start, updates_of
from reference.l1 import STYLES
from reference.network import LOSSES, forward
from reference.network import predict as reference_predict
from reference.train import step

SMALL = 1e-3


@dataclass(frozen=True)
class Figures:
    """Of one trained network. Biases count nowhere here, as they are not penalised."""

    train: int  # correctly classified items
    test: int
    sum_abs: float  # Σ|w|
    small: int  # weights with |w| < SMALL, the zeros among them
    zeros: int  # weights that are exactly 0


def figures(parameters: Parameters, data: Dataset, predict: Callable[[Parameters, np.ndarray], np.ndarray]) -> Figures:
    """The figures of a network, whose predictions are made by either side's predict."""

    def correct(x: np.ndarray, t: np.ndarray) -> int:
        return int((predict(parameters, x.astype(weights.dtype)) == t.argmax(axis=1)).sum()) if len(x) else 0

    weights = np.concatenate([W.ravel() for W, _ in parameters])
    size = np.abs(weights)
    return Figures(
        train=correct(data.x_train, data.t_train),
        test=correct(data.x_test, data.t_test),
        sum_abs=float(size.sum()),
        small=int((size < SMALL).sum()),
        zeros=int((weights == 0).sum()),
    )


# --- every style over a grid ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A way to regularize with the strength λ: the fields of an experiment that it sets."""

    name: str
    style: str
    lamda: float  # of the style, for each λ of the grid
    l2: float  # λ₂, for each λ of the grid

    def of(self, experiment: Experiment) -> Experiment:
        """The experiment, whose λ is the grid's, with this row's style and strengths."""
        return replace(experiment, style=self.style, lamda=self.lamda * experiment.lamda, l2=self.l2 * experiment.lamda)


def rows(lr: float) -> list[Row]:
    """Every style with λ; those that η does not scale once more with η λ; L2 alone, and beside exact zeros."""
    return [
        *(Row(style, style, 1.0, 0.0) for style in STYLES),
        Row("tack_on, η λ", "tack_on", lr, 0.0),
        Row("L2", "none", 0.0, 1.0),
        Row("elastic net", "proximal", 1.0, 1.0),
    ]


@dataclass(frozen=True)
class Task:
    """A row at one λ, for several seeds at once."""

    row: Row
    grid: Experiment  # with the λ of the grid; the seed is the first one
    seeds: tuple[int, ...]
    data: Dataset


@dataclass(frozen=True)
class Run:
    """One trained network."""

    row: str
    lamda: float  # of the grid
    experiment: Experiment  # what was trained
    figures: Figures
    loss: float  # mean over the training items
    objective: float  # loss + λ Σ|w|, with the row's own λ₂: + ½ λ₂ Σw²
    restless: int  # weights that changed sign during the last epoch
    weights: np.ndarray  # all of them, at the end


def stacked(runs: Sequence[Parameters]) -> Parameters:
    """Several runs' parameters as one set with a leading axis, which passes through the reference unchanged."""
    return [
        (np.stack(Ws), np.stack(bs)) for Ws, bs in (zip(*layers, strict=True) for layers in zip(*runs, strict=True))
    ]


def train_together(experiments: Sequence[Experiment], data: Dataset) -> Iterator[Parameters]:
    """Runs that differ in nothing but their seed, as one: the stacked parameters, first those of the start."""
    starts, batches = zip(*(draw(experiment, data) for experiment in experiments), strict=True)
    state = start(stacked(starts))
    yield state.parameters
    for batch in zip(*batches, strict=True):
        x, t = stacked_batch(batch)
        state = step(state, x, t, experiments[0])
        yield state.parameters


def stacked_batch(batch: Sequence[Batch]) -> Batch:
    """The runs' batches of one update as x (runs, items, features) and t (runs, items, classes)."""
    xs, ts = zip(*batch, strict=True)
    return np.array(xs), np.array(ts)


@np.errstate(all="ignore")  # what a diverging network comes to is in its figures: nan
def sweep(task: Task, tick: Tick) -> list[Run]:
    """Train all seeds of a task together, and describe every network."""
    experiments = [task.row.of(replace(task.grid, seed=seed)) for seed in task.seeds]
    last_epoch = updates_of(replace(task.grid, epochs=1), task.data)
    path = deque(ticking(train_together(experiments, task.data), tick), maxlen=last_epoch + 1)
    crossed = sign_changes(path)
    ends = [[(W[run], b[run]) for W, b in path[-1]] for run in range(len(task.seeds))]
    return [
        describe(task, experiment, end, int(crossed[run].sum()))
        for run, (experiment, end) in enumerate(zip(experiments, ends, strict=True))
    ]


def sign_changes(path: Sequence[Parameters]) -> np.ndarray:
    """Which weights, (runs, weights), were positive at one time and negative at another."""
    signs = [np.sign(flat_weights(parameters)) for parameters in path]
    return (np.max(signs, axis=0) > 0) & (np.min(signs, axis=0) < 0)


def flat_weights(parameters: Parameters) -> np.ndarray:
    """The weights of stacked runs, without biases: (runs, weights)."""
    return np.concatenate([W.reshape(len(W), -1) for W, _ in parameters], axis=1)


def describe(task: Task, experiment: Experiment, end: Parameters, restless: int) -> Run:
    """The figures of one trained network."""
    weights = np.concatenate([W.ravel() for W, _ in end])
    loss = float(LOSSES[experiment.loss](forward(end, task.data.x_train)[-1], task.data.t_train))
    penalty = task.grid.lamda * np.abs(weights).sum() + 0.5 * experiment.l2 * np.square(weights).sum()
    found = figures(end, task.data, reference_predict)
    return Run(task.row.name, task.grid.lamda, experiment, found, loss, loss + float(penalty), restless, weights)


# --- the chatter: weights without a data gradient ------------------------------------------------------------------


@dataclass(frozen=True)
class Chatter:
    """Weights of an input that is always 0: nothing but L1 moves them."""

    style: str
    lamda: float
    lr: float
    path: np.ndarray  # (updates + 1, weights)

    @property
    def pull(self) -> float:
        """The most that an update moves the first weight."""
        return float(np.abs(np.diff(self.path[:, 0])).max())

    @property
    def arrives(self) -> bool:
        """Does the first weight come within one pull of zero?"""
        return bool((np.abs(self.path[:, 0]) < self.pull).any())

    @property
    def settled(self) -> np.ndarray:
        """The last tenth of the path."""
        return self.path[-len(self.path) // 10 :]

    @property
    def amplitude(self) -> float:
        """The largest |w| by then."""
        return float(np.abs(self.settled).max())

    @property
    def zeros(self) -> float:
        """The share of exact zeros by then."""
        return float((self.settled == 0).mean())

    @property
    def crossings(self) -> float:
        """The share of updates that take a weight across zero."""
        signs = np.sign(self.settled)
        return float((signs[1:] * signs[:-1] < 0).mean())


@np.errstate(all="ignore")
def chatter(experiment: Experiment, data: Dataset) -> list[Chatter]:
    """The paths of the first input's weights under every style, that input being 0 in every item."""
    x_train = data.x_train.copy()
    x_train[:, 0] = 0.0
    dead = replace(data, x_train=x_train)
    found = []
    for style in STYLES:
        run = train_together([replace(experiment, style=style)], dead)
        found.append(
            Chatter(style, experiment.lamda, experiment.lr, np.array([parameters[0][0][0, 0] for parameters in run]))
        )
    return found
