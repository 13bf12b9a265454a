"""The article's Figure 2 as an experiment: few noisy items with two features, and how L1 changes the boundary."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from comparisons.agreement.free_run import Tick, ticking
from comparisons.studies import parallel
from reference.data import Dataset
from reference.experiment import Experiment, updates_of
from reference.network import predict
from reference.train import train

ITEMS, NOISE = 60, 0.15  # training items, and the share of them that have the wrong label
RANGE = 3.0  # features are uniform in (−RANGE, RANGE)
PIXELS = 200  # a side of the picture

# 2-30-2, heavy ball: large enough to learn the wrong labels too
LARGE = Experiment(sizes=(2, 30, 2), seed=1, lr=0.1, loss="cross_entropy", optimizer="momentum")
PENALTY = replace(LARGE, batch_size=20, epochs=8000, style="penalty", lamda=0.001)
NETWORKS = {
    "no L1": replace(PENALTY, style="none", lamda=0.0),
    "penalty, λ = 0.001": PENALTY,
    "penalty, λ = 0.003": replace(PENALTY, lamda=0.003),
    "proximal, λ = 0.01": replace(PENALTY, style="proximal", lamda=0.01),
}


class Boundary(NamedTuple):
    """A trained network's classes over the plane, and the true ones."""

    name: str
    side: np.ndarray  # x and y of the pixels
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


def trained(item: tuple[str, Experiment], tick: Tick) -> Boundary:
    """Train a row of NETWORKS, and ask the network for the class of every pixel."""
    (name, experiment), data = item, noisy_items()
    side = np.linspace(-RANGE, RANGE, PIXELS)
    plane = np.stack(np.meshgrid(side, side), axis=-1)
    true, labels = true_class(plane), data.t_train.argmax(axis=1)
    *_, end = ticking(train(experiment, data), tick)
    predicted = predict(end, plane.reshape(-1, 2)).reshape(PIXELS, PIXELS)
    right = float((predict(end, data.x_train) == labels).mean())
    area, zeros = float((predicted == true).mean()), float(np.mean(np.concatenate([W.ravel() for W, _ in end]) == 0))
    return Boundary(name, side, predicted, true, data.x_train, labels, right, area, zeros)


def boundaries() -> list[Boundary]:
    """Train every network, side by side."""
    updates = sum(updates_of(experiment, noisy_items()) for experiment in NETWORKS.values())
    title = f"training {len(NETWORKS)} networks with two features"
    return parallel.side_by_side(trained, list(NETWORKS.items()), updates, title)
