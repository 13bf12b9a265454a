"""A free run: both sides train on their own from the same start, and are compared bit for bit after every update.

In rounded precision they are equal or they are not. In float64 and float32 rounding errors build up: see lockstep.py.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np

from comparisons.agreement.bits import FirstDifference, differing_bits, exit_status
from comparisons.agreement.blocks import Block, Shapes, as_rows, compare_blocks, locate
from comparisons.runs.names import as_state
from reference.experiment import Parameters

Item = TypeVar("Item")
Tick = Callable[[int], object]

TICK = 200  # updates between two reports of progress


def ticking(updates: Iterable[Item], tick: Tick) -> Iterator[Item]:
    """The updates themselves; tick(TICK) is called whenever so many more are done."""
    for done, update in enumerate(updates):
        yield update
        if done % TICK == TICK - 1:
            tick(TICK)


@dataclass(frozen=True)
class Agreement:
    """What a free run showed. Runs are equal if no parameter differed after any update."""

    updates: int
    parameters: int
    differing: int  # after the last update
    updates_apart: int  # after how many updates anything differed
    first_difference: FirstDifference | None
    moved: bool  # did the reference's training change anything?
    reference: Parameters = field(repr=False)  # after the last update
    candidate: Parameters = field(repr=False)
    not_finite: int | None = None  # the first update after which a value is NaN or infinite on both sides

    @property
    def largest_gap(self) -> float:
        """max |Δw| over weights and biases, after the last update."""
        with np.errstate(invalid="ignore"):  # inf − inf
            return float(np.abs(np.subtract(*flatten([self.reference, self.candidate]))).max())

    @property
    def exit_status(self) -> int:
        """0 equal, 1 the runs differ, 3 nothing was proved: no update, none that changed anything, or not finite."""
        return exit_status(self.first_difference is not None, self.moved and self.not_finite is None)


def flatten(run: Sequence[Parameters]) -> np.ndarray:
    """One float64 row for every item of a run: W1 row-major, b1, W2, b2, …  (updates, elements)."""
    return as_rows(map(np.array, zip(*([array for layer in item for array in layer] for item in run), strict=True)))


def shapes_of(parameters: Parameters) -> Shapes:
    """The shapes of W1, b1, W2, …"""
    return {name: array.shape for name, array in as_state(parameters).items()}


# Each side makes so many updates in turn, and they are compared in one go. That is faster than one by one: NumPy does
# it in a few calls instead of hundreds, and neither side drives the other out of the processor's cache.
BLOCK = 256


def compare_runs(reference: Iterable[Parameters], candidate: Iterable[Parameters]) -> Agreement:
    """Compare two runs bit for bit, after every update; item 0 of a run is its start.

    A value that is not finite is equal to nothing, but NaN or infinity on both sides is no difference either.
    Raises ValueError if a run is empty, one is longer, or the parameters are not of the same shapes.
    """
    ends: list[Parameters] = []
    found = compare_blocks(blocks_of([iter(reference), iter(candidate)], ends))
    if not ends:
        raise ValueError("there is no run to compare: both are empty")
    first = locate(shapes_of(ends[0]), *found.first_finite) if found.first_finite else None
    not_finite = found.first[0] if found.first and first is None else None
    differs, (one, other) = differing_bits(*flatten(ends)), ends
    counts = found.states - 1, differs.size, int(differs.sum()), found.states_apart
    return Agreement(*counts, first, found.moved, one, other, not_finite)


def blocks_of(sides: Sequence[Iterator[Parameters]], ends: list[Parameters]) -> Iterator[Block]:
    """Both runs in blocks; ends becomes the last state of each side. Raises what compare_runs raises."""
    done = 0
    while any(block := [list(islice(side, BLOCK)) for side in sides]):
        expected, actual = block
        if len(expected) != len(actual):
            shorter = "reference" if len(expected) < len(actual) else "candidate"
            raise ValueError(f"the {shorter} run ends before update {done + min(len(expected), len(actual))}")
        if done == 0:
            check_shapes(expected[0], actual[0])
        ends[:] = expected[-1], actual[-1]
        yield Block(np.arange(done, done + len(expected)), flatten(expected), flatten(actual))
        done += len(expected)


def check_shapes(reference: Parameters, candidate: Parameters) -> None:
    """Raise ValueError unless both have the same shapes, layer by layer."""
    expected, actual = shapes_of(reference), shapes_of(candidate)
    if expected != actual:
        raise ValueError(f"the reference's parameters have the shapes {expected}, the candidate's {actual}")
