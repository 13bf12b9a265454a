"""What it is to differ: in a bit, and where first."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FirstDifference:
    """Where two runs part: the first differing element after this update (0: the initial parameters)."""

    update: int
    parameter: str  # W1, b1, W2, …
    index: list[int]
    reference: float
    candidate: float

    def __str__(self) -> str:
        where = f"update {self.update}, {self.parameter}{self.index}"
        return f"{where}: reference {self.reference!r}, candidate {self.candidate!r}"


def differing_bits(expected: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Where two float64 arrays have not the same bits. A value that is not finite agrees with nothing."""
    return (expected.view(np.int64) != actual.view(np.int64)) | ~np.isfinite(expected)
