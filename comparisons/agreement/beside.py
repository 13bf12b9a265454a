"""What two runs recorded beside their parameters: gradients, what optimizers remember, and buffers.

|a − b| ≤ k ε s + f ε S,  s = the largest |a| or |b| of the array so far in the run,  k = NOISE_ULPS,
                          S = the largest s of all gradients, or of all memories of one kind,  f = FLOOR_ULPS

These values are not rounded to a grid after every update, so that their last bits may differ where the parameters are
equal. What is 0 in exact arithmetic (the gradient of a bias before a normalisation) is what is left of sums of numbers
as large as S. Whole numbers have no rounding.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from comparisons.agreement.bits import FirstDifference
from comparisons.agreement.columns import aligned, on_grid
from comparisons.runs.names import Axes, Names, Pair, entry
from comparisons.runs.trace import BESIDE, BUFFER, UPDATES, Column, Trace, shown
from reference.errors import InputError

# In ε: a gradient is a chain of sums of some hundred products, and momentum adds up some ten gradients.
NOISE_ULPS = 64
# In ε of the largest gradient, or step, of any parameter: what is left of a sum that is 0 in exact arithmetic.
FLOOR_ULPS = 16
# A tolerance, or a gap, that is a larger share of an update hides what changes an update: LeakyReLU in place of ReLU
# changes a gradient by 1 %.
MOST_SHARE = 0.01


class Beside(NamedTuple):
    """An array that both recorded, with its name in each."""

    reference: str
    candidate: str
    axes: Axes  # of the candidate's, in the reference's order


def line_up_beside(
    reference: Trace, candidate: Trace, pairs: Sequence[Pair], names: Names
) -> tuple[list[Beside], list[str]]:
    """The arrays beside the parameters that both recorded, and in words those that only one did.

    Gradients and memories are named after their parameter. A buffer has the same name in both, or an entry in names.
    Raises InputError for an array that has one name and two shapes.
    """
    by_candidate = {pair.candidate: pair for pair in pairs}
    found, alone = [], []
    for name, column in candidate.columns.items():
        if not name.startswith(BESIDE):
            continue
        target, axes = counterpart(name, column, by_candidate, candidate, names)
        if target not in reference.columns:
            alone.append(f"candidate: {shown(name)}")
            continue
        shape, other = tuple(column.shape[axis] for axis in axes), reference.columns[target].shape
        if shape != other:
            raise InputError(f"{shown(target)} has the shape {other} in the reference and {shape} in the candidate")
        found.append(Beside(target, name, axes))
    both = {beside.reference for beside in found}
    alone += [f"reference: {shown(n)}" for n in reference.columns if n.startswith(BESIDE) and n not in both]
    if found and (rows := rows_of_one_side(reference, candidate)):
        alone.append(
            f"what stands beside the parameters, after updates that only one side wrote in full: {rows:,} rows"
        )
    return found, alone


def rows_of_one_side(reference: Trace, candidate: Trace) -> int:
    """How many rows of either have no counterpart in the other?"""
    return len(np.setxor1d(reference.read(UPDATES), candidate.read(UPDATES)))


def counterpart(
    name: str, column: Column, by_candidate: dict[str, Pair], candidate: Trace, names: Names
) -> tuple[str, Axes]:
    """The reference's name for a column of the candidate beside the parameters, and the order of its axes."""
    kind, _, own = name.rpartition(":")
    if name.startswith(BUFFER):
        target, axes = entry(own, column, names)
        return BUFFER + target, axes
    pair, plain = by_candidate.get(own), tuple(range(len(column.shape)))
    if pair is None:
        return name, plain
    like_parameter = column.shape == candidate.columns[own].shape
    return f"{kind}:{pair.reference}", pair.axes if like_parameter else plain


def compare_beside(
    reference: Trace,
    candidate: Trace,
    found: Sequence[Beside],
    ulps: float = 1.0,
    share: float = 0.0,
    until: float = math.inf,
) -> FirstDifference | None:
    """Where do these arrays first differ by more than rounding, or more than a share, of the largest value so far?

    ulps: rounding is so many times NOISE_ULPS ε, but no more than MOST_SHARE. until: the last update that is looked at.

    The `parameter` of the difference is the name of the reference's column: gradient:W1. What neither side has (NaN in
    both) is no difference; NaN on one side is. The start has no gradient.
    """
    first: FirstDifference | None = None
    refs, cands = [b.reference for b in found], [b.candidate for b in found]
    eps = {b.reference: eps_of(reference, candidate, b) for b in found}
    allowed = {n: max(min(ulps * NOISE_ULPS * e, max(MOST_SHARE, e)), share) if e else 0.0 for n, e in eps.items()}
    largest = dict.fromkeys(refs, 0.0)
    for updates, one, other in aligned(reference, candidate, UPDATES, refs, cands) if found else ():
        if updates[0] > until:
            break
        sides, sizes = {}, {}
        of_kind: dict[str, np.ndarray] = {}  # the largest of all arrays of a kind, row by row
        for name, theirs, axes in found:
            began = 0 if name.startswith(BUFFER) else 1
            rows = slice(*np.searchsorted(updates, [began, until + 1]))
            a, b = one[name][rows], other[theirs][rows].transpose(0, *(1 + axis for axis in axes))
            sides[name] = updates[rows], *(side.reshape(len(a), math.prod(a.shape[1:])) for side in (a, b))
            sizes[name] = sizes_of(sides[name][1:], largest[name])
            largest[name] = sizes[name].max(initial=largest[name])
            if eps[name]:
                of_kind[kind_of(name)] = np.maximum(of_kind.get(kind_of(name), 0.0), sizes[name])
        for name, (numbers, a, b) in sides.items():
            floor = FLOOR_ULPS * eps[name] * of_kind.get(kind_of(name), 0.0)
            row, element = first_apart(a, b, allowed[name] * sizes[name] + floor)
            if element is not None and (first is None or numbers[row] < first.update):
                index = [int(i) for i in np.unravel_index(element, reference.columns[name].shape)]
                first = FirstDifference(int(numbers[row]), name, index, *(float(side[row, element]) for side in (a, b)))
        if first:
            break
    return first


def kind_of(name: str) -> str:
    """Of which arrays are the sizes alike? Of all gradients, and of a memory of all parameters; a buffer is alone."""
    return name if name.startswith(BUFFER) else name.rpartition(":")[0]


def sizes_of(sides: Sequence[np.ndarray], largest: float) -> np.ndarray:
    """The largest finite number of each row and those before it. largest: before the first row."""
    numbers = [np.abs(np.where(np.isfinite(side), side, 0).astype(np.float64)) for side in sides]
    rows = np.maximum(*(side.max(axis=1, initial=0.0) for side in numbers))
    return np.maximum.accumulate(np.maximum(rows, largest))


def first_apart(one: np.ndarray, other: np.ndarray, allowed: np.ndarray) -> tuple[int, int | None]:
    """The row and the element that are first farther apart than is allowed in that row; None for no element.

    Where nothing is allowed values must be equal: whole numbers beyond 2⁵³, too. NaN or ∞ in both is no difference.
    """
    with np.errstate(all="ignore"):
        gap = np.abs(one.astype(np.float64) - other.astype(np.float64))
        near = (gap <= allowed[:, None]) & (allowed[:, None] > 0) | (one == other)
        apart = np.argwhere(~(near | (np.isnan(one) & np.isnan(other))))
    return (int(apart[0][0]), int(apart[0][1])) if len(apart) else (0, None)


def eps_of(reference: Trace, candidate: Trace, beside: Beside) -> float:
    """ε of the coarser of the two types; of float32 where the values of a side are float32 numbers; 0 of integers."""
    one, other = reference.columns[beside.reference].dtype, candidate.columns[beside.candidate].dtype
    floats = [kind for kind in (one, other) if kind.kind == "f"]
    if not floats:
        return 0.0
    coarse = on_grid(reference, [beside.reference]) or on_grid(candidate, [beside.candidate])
    return max(float(np.finfo(kind).eps) for kind in (*floats, np.float32 if coarse else np.float64))
