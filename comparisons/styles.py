"""What a style did to a network: how many items it gets right, how large its weights are, how many are gone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reference.data import Dataset
from reference.experiment import Parameters

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
