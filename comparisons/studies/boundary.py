"""The article's Figure 2 as an experiment: few noisy items with two features, and what L1 makes of the boundary."""

from dataclasses import dataclass, replace

import numpy as np

from comparisons.agreement.free_run import Tick, ticking
from comparisons.studies.parallel import side_by_side
from reference.data import Dataset
from reference.experiment import Experiment, updates_of
from reference.network import predict
from reference.train import train

ITEMS, NOISE = 60, 0.15  # training items, and the share of them with the wrong label
RANGE = 3.0  # features are uniform in (−RANGE, RANGE)
PIXELS = 200  # a side of the picture

# 2-30-2, heavy ball: large enough to learn the wrong labels too
EXPERIMENT = Experiment(
    sizes=(2, 30, 2), style="none", lamda=0.0, lr=0.1, loss="cross_entropy", optimizer="momentum",
    batch_size=20, epochs=8000, seed=1,
)  # fmt: skip
NETWORKS = {
    "no L1": EXPERIMENT,
    "penalty, λ = 0.001": replace(EXPERIMENT, style="penalty", lamda=0.001),
    "penalty, λ = 0.003": replace(EXPERIMENT, style="penalty", lamda=0.003),
    "proximal, λ = 0.01": replace(EXPERIMENT, style="proximal", lamda=0.01),
}


@dataclass(frozen=True)
class Boundary:
    """A trained network's classes over the plane, and the true ones."""

    name: str
    x: np.ndarray
    y: np.ndarray
    predicted: np.ndarray  # (PIXELS, PIXELS), 0 or 1
    true: np.ndarray
    items: np.ndarray  # (ITEMS, 2)
    labels: np.ndarray  # with the wrong ones
    train: float  # share of the items that the network gets right
    area: float  # share of the plane
    zeros: float  # share of the weights that are exactly 0


def true_class(x: np.ndarray) -> np.ndarray:
    """1 above the curve y = sin x, else 0."""
    return (x[..., 1] > np.sin(x[..., 0])).astype(int)


def noisy_items() -> Dataset:
    """ITEMS points with their classes, NOISE of which are wrong."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-RANGE, RANGE, (ITEMS, 2))
    wrong = rng.permutation(ITEMS) < NOISE * ITEMS
    labels = np.where(wrong, 1 - true_class(x), true_class(x))
    return Dataset("two features", "", x, np.eye(2)[labels], x[:0], np.eye(2)[labels[:0]])


@dataclass(frozen=True)
class Task:
    """A network to train on the noisy items."""

    name: str
    experiment: Experiment


def trained(task: Task, tick: Tick) -> Boundary:
    """Train the network, and ask it for the class of every pixel."""
    data = noisy_items()
    side = np.linspace(-RANGE, RANGE, PIXELS)
    plane = np.stack(np.meshgrid(side, side), axis=-1)
    true, labels = true_class(plane), data.t_train.argmax(axis=1)
    *_, end = ticking(train(task.experiment, data), tick)
    predicted = predict(end, plane.reshape(-1, 2)).reshape(PIXELS, PIXELS)
    return Boundary(
        task.name,
        side,
        side,
        predicted,
        true,
        data.x_train,
        labels,
        train=float((predict(end, data.x_train) == labels).mean()),
        area=float((predicted == true).mean()),
        zeros=float(np.mean(np.concatenate([W.ravel() for W, _ in end]) == 0)),
    )


def boundaries() -> list[Boundary]:
    """Train every network, side by side."""
    tasks = [Task(name, experiment) for name, experiment in NETWORKS.items()]
    updates = sum(updates_of(task.experiment, noisy_items()) for task in tasks)
    return side_by_side(trained, tasks, updates, f"training {len(tasks)} networks with two features")
