"""Units of λ: what other people's libraries call it."""

import math
from collections.abc import Callable
from typing import NamedTuple

from reference.errors import require
from reference.experiment import choose

Convert = Callable[[float, int], float]  # of a value and the number of items, n


class Unit(NamedTuple):
    """A number that stands for λ in some library, and how it becomes λ and back.

    Both belong to objectives with the same minimum. η is not converted: it is always that of the mean loss.
    """

    to_lamda: Convert = lambda value, items: value
    from_lamda: Convert = lambda value, items: value


def inverse(value: float, items: int) -> float:
    """1 / (n value); infinite for 0."""
    return 1 / (items * value) if value else math.inf


UNITS = {
    "lamda": Unit(),  # mean loss + λ Σ|w|, squared error with ½
    "alpha": Unit(),  # mean loss + α Σ|w|: scikit-learn's SGDClassifier
    "lasso": Unit(),  # Σ(y − ŷ)² / 2n + α Σ|w|: scikit-learn's Lasso, ElasticNet
    "C": Unit(inverse, inverse),  # C Σ loss + Σ|w|, λ = 1 / nC: scikit-learn's LogisticRegression
}
L2_UNITS = {
    "half": Unit(),  # ½ λ₂ Σw²: weight_decay of torch.optim; scikit-learn
    "keras": Unit(lambda value, items: 2 * value, lambda value, items: value / 2),  # λ₂ Σw², without ½
}


def to_lamda(value: float, unit: str, table: dict[str, Unit], items: int) -> float:
    """λ of a value in a unit of the table. Raises InputError for an unknown unit, and for a C of 0 or less."""
    row = choose("unit", unit, table)
    require(items > 0, f"items must be a whole number >= 1; got {items}")
    require(row.to_lamda is not inverse or value > 0, f"value in the unit {unit} must be a number > 0; got {value}")
    return row.to_lamda(value, items)


def in_unit(lamda: float, unit: str, items: int) -> float:
    """λ in another unit. Raises InputError for an unknown one; C for λ = 0 is infinite."""
    return choose("unit", unit, UNITS).from_lamda(lamda, items)
