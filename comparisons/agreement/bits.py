"""When do two numbers differ? If one bit does, except for the sign of zero. And where do two runs first differ?"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FirstDifference:
    """The first differing element after the first update that differs (0: the initial parameters)."""

    update: int
    parameter: str  # W1, b1, W2, …
    index: list[int]
    reference: float
    candidate: float

    def __str__(self) -> str:
        where = f"update {self.update}, {self.parameter}{self.index}"
        return f"{where}: reference {self.reference!r}, candidate {self.candidate!r}"


def differing_bits(expected: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Which elements of two float64 arrays differ. A value that is not finite is equal to nothing.

    +0 and −0 are equal: no style and no optimizer trains on differently from the one than from the other.
    """
    return (expected != actual) | ~np.isfinite(expected)


def exit_status(differs: bool, proved: bool) -> int:
    """1 the runs differ; else 0 equal, if that proves anything, and 3 nothing was proved."""
    return 1 if differs else 0 if proved else 3
