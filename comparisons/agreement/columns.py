"""The columns of two traces, row beside row, and the grid of numbers on which their values lie."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from comparisons.agreement.blocks import as_rows
from comparisons.runs.names import ArraysByName
from comparisons.runs.trace import Trace

Aligned = tuple[np.ndarray, ArraysByName, ArraysByName]  # updates, and the rows of both runs after them


def aligned(
    reference: Trace, candidate: Trace, key: str, names: Sequence[str], others: Sequence[str]
) -> Iterator[Aligned]:
    """The rows of both traces for the updates that both have, some at a time; key: the column of the updates."""
    sides = reference.blocks([key, *names]), candidate.blocks([key, *others])
    one, other = (next(side, {}) for side in sides)
    while one and other:
        common, mine, theirs = np.intersect1d(one[key], other[key], assume_unique=True, return_indices=True)
        if len(common):
            yield common, rows(one, mine), rows(other, theirs)
        until = min(one[key][-1], other[key][-1])
        rest = [rows(block, slice(np.searchsorted(block[key], until, side="right"), None)) for block in (one, other)]
        one, other = (block or next(side, {}) for block, side in zip(rest, sides, strict=True))


def rows(block: ArraysByName, chosen: np.ndarray | slice) -> ArraysByName:
    """These rows of every array; {} where there are none."""
    found = {name: column[chosen] for name, column in block.items()}
    return found if all(map(len, found.values())) else {}


def on_grid(trace: Trace, names: Sequence[str] | None = None) -> bool:
    """Are all values of the first rows float32 numbers? What is not finite is not counted, nor is the start, if it can.

    names: columns; without it the parameters. The first rows: a block, and another where that is the start alone.
    """
    blocks = trace.blocks(names or list(trace.parameters))
    found = [as_rows(block.values()) for block in islice(blocks, 1)]
    if found and len(found[0]) == 1:
        found += [as_rows(block.values()) for block in islice(blocks, 1)]
    with np.errstate(all="ignore"):
        on_it = [(rows.astype(np.float32) == rows) | ~np.isfinite(rows).all(axis=1, keepdims=True) for rows in found]
    counted = np.concatenate(on_it)[sum(map(len, on_it)) > 1 :] if on_it else np.ones(1)
    return bool(counted.all())
