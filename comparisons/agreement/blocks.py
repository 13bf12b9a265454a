"""The one comparison of two runs: after which update, and in which element, do they first differ?

A run comes in blocks: some states, one a row of float64, with the parameters one after another, each row-major.
A free run (free_run.py) and two traces (traces.py) both make such blocks.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from comparisons.agreement.bits import FirstDifference, differing_bits

Shapes = Mapping[str, tuple[int, ...]]  # of the parameters, by name, in the order of a row


class Block(NamedTuple):
    """Some states of both runs, after the same updates."""

    updates: np.ndarray  # (n,) rising
    reference: np.ndarray  # (n, elements) float64
    candidate: np.ndarray


Apart = tuple[int, np.ndarray, np.ndarray, np.ndarray]  # a state that differs: update, which elements, both sides


class BlocksCompared(NamedTuple):
    """What the blocks of two runs showed."""

    states: int
    states_apart: int  # in how many states anything differs
    last_update: int
    first: Apart | None  # the first state that differs, for `locate`
    first_finite: Apart | None  # the first in which an element differs that is finite on a side; only these elements
    signs: bool  # is there a zero with another sign?
    moved: bool  # did anything in the reference change after its first state?


def as_rows(columns: Iterable[np.ndarray]) -> np.ndarray:
    """A float64 row for each state, of the parameters' columns: (states, …) each."""
    return np.concatenate([column.reshape(len(column), -1) for column in columns], axis=1, dtype=np.float64)


Look = Callable[[Block, np.ndarray, np.ndarray], None]


def compare_blocks(blocks: Iterable[Block], looks: Sequence[Look] = ()) -> BlocksCompared:
    """Compare two runs state by state, bit for bit.

    looks: each is called with every block, the reference's first state, and the elements of the block that differ,
    (n, elements) of bool; there it clears what it allows.
    """
    states, apart, last, first, finite, signs, moved, start = 0, 0, 0, None, None, False, False, np.empty(0)
    with np.errstate(all="ignore"):  # overflow and NaN are for the comparison to find
        for block in blocks:
            start = start if states else block.reference[0].copy()
            differs = differing_bits(block.reference, block.candidate)
            signs = signs or bool((signed(block.reference, block.candidate) & ~differs).any())
            for look in looks:
                look(block, start, differs)
            rows = np.flatnonzero(differs.any(axis=1))
            if rows.size:
                first = first or first_apart(block, differs)
                either = np.isfinite(block.reference) | np.isfinite(block.candidate)
                finite = finite or first_apart(block, differs & either)
            states, apart, last = states + len(differs), apart + rows.size, int(block.updates[-1])
            moved = moved or bool((block.reference != start).any())
    return BlocksCompared(states, apart, last, first, finite, signs, moved)


def signed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Which elements of two float64 arrays have other bits: they differ, or they are +0 and −0."""
    return one.view(np.int64) != other.view(np.int64)


def first_apart(block: Block, differs: np.ndarray) -> Apart | None:
    """The first state of a block in which any of these elements differs."""
    row = int(differs.any(axis=1).argmax())
    return (int(block.updates[row]), differs[row], *(s[row] for s in block[1:])) if differs[row].any() else None


def locate(shapes: Shapes, update: int, differs: np.ndarray, *sides: np.ndarray) -> FirstDifference | None:
    """The first element of a state for which differs is true, if any; differs and both sides are rows."""
    position = index = int(differs.argmax()) if differs.any() else differs.size
    for name, shape in shapes.items():
        if index < math.prod(shape):
            where = [int(i) for i in np.unravel_index(index, shape)]
            return FirstDifference(update, name, where, *(float(side[position]) for side in sides))
        index -= math.prod(shape)
    return None
