"""Are two recorded runs the same, and if not, after which update do they first differ?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from comparisons.agreement.bits import FirstDifference, exit_status
from comparisons.agreement.blocks import Block, as_rows, compare_blocks, locate
from comparisons.runs.names import ArraysByName, Names, Pair, line_up
from comparisons.runs.trace import BATCHES, DIGEST_UPDATES, DIGESTS, UPDATES, Trace, shown

Aligned = tuple[np.ndarray, ArraysByName, ArraysByName]  # updates, and the rows of both runs after them
Parted = tuple[int, np.ndarray, np.ndarray]  # an update, and the digests of both runs from the update before it on


@dataclass
class ParameterComparison:
    """One parameter in both runs: what all states that were compared so far showed."""

    pair: Pair
    shape: tuple[int, ...]
    part: slice  # of a state
    eps: float  # of the coarser of the two types; of float32 if all values are float32 numbers
    ulps: float  # what is allowed; 0: bits
    differing: int = 0  # elements, after the last update that both recorded
    largest_gap: float = 0.0  # |Δ|
    largest_ulps: float = 0.0  # |Δ| / ε max|w|: the least tolerance that would pass
    first_update: int | None = None
    moved: bool = False  # in either run

    @property
    def elements(self) -> int:
        """Numbers in the parameter."""
        return self.part.stop - self.part.start

    def look(self, block: Block, start: np.ndarray, differs: np.ndarray) -> None:
        """Look at some more states. differs: which elements of the block differ; what is within ulps is cleared."""
        mine, one, other = (rows[:, self.part] for rows in (differs, block.reference, block.candidate))
        self.moved = self.moved or any((side != start[self.part]).any() for side in (one, other))
        if mine.any():
            gaps = np.where(mine, np.abs(one - other), 0.0)
            scale = self.eps * np.maximum(np.abs(one).max(axis=1), np.abs(other).max(axis=1))
            used = np.where(gaps == 0, 0.0, gaps / scale[:, None])  # NaN stays NaN; +0 and −0 are 0 apart
            mine &= ~(used <= self.ulps) | (self.ulps == 0)
            if self.first_update is None and mine.any():
                self.first_update = int(block.updates[mine.any(axis=1).argmax()])
            self.largest_gap = float(np.maximum(self.largest_gap, gaps.max()))
            self.largest_ulps = float(np.maximum(self.largest_ulps, used.max()))
        self.differing = int(mine[-1].sum())


@dataclass(frozen=True)
class Comparison:
    """What two traces showed."""

    reference: Trace
    candidate: Trace
    updates: int  # after how many of them both states were recorded and compared, the start not counted
    last_update: int
    parameters: list[ParameterComparison]
    ulps: float  # what was allowed; 0: bits
    first_difference: FirstDifference | None
    digests: int  # after how many updates digests were compared
    parted: int | None  # the first update whose digests differ
    notes: list[str]  # what differs before anything is trained
    vacuous: list[str]  # why equal runs would prove nothing

    @property
    def elements(self) -> int:
        """Numbers in a state."""
        return self.parameters[-1].part.stop

    @property
    def pairs(self) -> list[Pair]:
        """Which parameter is which."""
        return [parameter.pair for parameter in self.parameters]

    @property
    def first_update(self) -> int | None:
        """The first update after which anything differs: as the digests have it, or the recorded states."""
        states = self.first_difference.update if self.first_difference else None
        return min((update for update in (self.parted, states) if update is not None), default=None)

    @property
    def exit_status(self) -> int:
        """0 equal, 1 the runs differ, 3 nothing was compared."""
        return exit_status(self.first_update is not None, not self.vacuous)

    @property
    def least_ulps(self) -> float:
        """The least tolerance that would pass."""
        return max((parameter.largest_ulps for parameter in self.parameters), default=0.0)


def aligned(reference: Trace, candidate: Trace, key: str, names: list[str], others: list[str]) -> Iterator[Aligned]:
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


def states(reference: Trace, candidate: Trace, pairs: Sequence[Pair]) -> Iterator[Block]:
    """All parameters of both after every update that both recorded, in the order of the pairs and the reference's axes.

    Memory stays bounded: a block has as many states as the traces give in one go.
    """
    names, others = [pair.reference for pair in pairs], [pair.candidate for pair in pairs]
    for updates, one, other in aligned(reference, candidate, UPDATES, names, others):
        turned = as_rows(pair.turned(other[pair.candidate], 1) for pair in pairs)
        yield Block(updates, as_rows(one[name] for name in names), turned)


def compare_traces(reference: Trace, candidate: Trace, names: Names, ulps: float = 0.0) -> Comparison:
    """Compare every recorded parameter after every update that both recorded; bits, unless ulps are allowed.

    ulps: |a − b| ≤ ulps · ε max|w| agrees, over the parameter's elements in that state, with ε of the coarser type.
    A value that is not finite agrees with nothing. Raises InputError where the parameters do not line up.
    """
    pairs = line_up(reference.parameters, candidate.parameters, names)
    parameters = list(parameters_of(reference, candidate, pairs, ulps))
    found = compare_blocks(states(reference, candidate, pairs), [parameter.look for parameter in parameters])
    first = locate({p.pair.reference: p.shape for p in parameters}, *found.first) if found.first else None
    # a hash has no tolerance, and is of a whole state: with other names or axes all of them differ
    same = not ulps and all(p.reference == p.candidate and list(p.axes) == sorted(p.axes) for p in pairs)
    digests, parted = compare_digests(reference, candidate, DIGESTS) if same else (0, None)
    vacuous = list(reasons(reference, candidate, found.states, parameters))
    if first and not (np.isfinite(first.reference) or np.isfinite(first.candidate)):
        vacuous.append(f"neither run is finite: {first}")
        first, parted = None, None
    notes = list(preflight(reference, candidate, pairs, first))
    updates, last, apart = max(0, found.states - 1), found.last_update, parted and parted[0]
    return Comparison(reference, candidate, updates, last, parameters, ulps, first, digests, apart, notes, vacuous)


def parameters_of(reference: Trace, candidate: Trace, pairs: list[Pair], ulps: float) -> Iterator[ParameterComparison]:
    """One for each pair, before anything was looked at."""
    least = np.float32 if on_grid(reference) and on_grid(candidate) else np.float64
    begin = 0
    for pair in pairs:
        one, other = reference.columns[pair.reference], candidate.columns[pair.candidate]
        eps = max(float(np.finfo(kind).eps) for kind in (one.dtype, other.dtype, least))
        yield ParameterComparison(pair, one.shape, slice(begin, begin := begin + math.prod(one.shape)), eps, ulps)


def on_grid(trace: Trace) -> bool:
    """Are all values of a trace's first block float32 numbers? The start, and what is not finite, is not counted."""
    first = [as_rows(block.values())[1:] for block in islice(trace.blocks(list(trace.parameters)), 1)]
    with np.errstate(all="ignore"):
        return all(((w.astype(np.float32) == w) | ~np.isfinite(w).all(axis=1, keepdims=True)).all() for w in first)


def compare_digests(reference: Trace, candidate: Trace, name: str) -> tuple[int, Parted | None]:
    """After how many updates digests of this name could be compared, and the first update whose digests differ."""
    compared, parted = 0, None
    if name in reference.columns and name in candidate.columns:
        for updates, one, other in aligned(reference, candidate, DIGEST_UPDATES, [name], [name]):
            differs = np.flatnonzero((one[name] != other[name]).any(axis=1))
            if parted is None and differs.size:
                since = max(0, differs[0] - 1)
                parted = int(updates[differs[0]]), one[name][since:], other[name][since:]
            compared += len(updates)
    return max(0, compared - 1), parted


def other_batches(reference: Trace, candidate: Trace) -> tuple[int, str] | None:
    """The first update whose items differ between the runs, and how; None if there is none, or none is recorded."""
    _, parted = compare_digests(reference, candidate, BATCHES)
    return parted and (parted[0], how_they_differ(*parted[1:]))


def how_they_differ(expected: np.ndarray, actual: np.ndarray) -> str:
    """How the batches of two runs differ, by their digests: one a row, from the last equal batch on."""
    apart = actual[1:-1]
    kinds = {
        "one batch was skipped": len(apart) > 1 and (apart == expected[2:]).all(),
        "one batch was repeated": len(apart) > 1 and (apart == expected[:-2]).all(),
        "the same batches come in another order": {*map(bytes, actual)} <= {*map(bytes, expected)},
    }
    return next((kind for kind, fits in kinds.items() if fits), "the batches hold other items, or in another order")


def preflight(reference: Trace, candidate: Trace, pairs: list[Pair], first: FirstDifference | None) -> Iterator[str]:
    """What differs before the first update: the start, the data, the numbers to train with, the types."""
    if first and first.update == 0:
        yield "the runs do not start from the same parameters"
    if items := other_batches(reference, candidate):
        yield f"the runs are given other items from update {items[0]} on: {items[1]}"
    one, other = (said if isinstance(said := t.header.get("experiment"), dict) else {} for t in (reference, candidate))
    facts = [(name, one[name], other[name]) for name in sorted(one.keys() & other.keys())]
    facts += [(p.reference, reference.columns[p.reference].dtype, candidate.columns[p.candidate].dtype) for p in pairs]
    for name, expected, actual in facts:
        if expected != actual:
            yield f"{shown(name)} is {shown(expected)} in the reference and {shown(actual)} in the candidate"


def reasons(reference: Trace, candidate: Trace, compared: int, parameters: list[ParameterComparison]) -> Iterator[str]:
    """Why equal traces would prove nothing."""
    run = reference.header.get("run")
    if reference.path.samefile(candidate.path):
        yield "both are the same file"
    elif run is not None and run == candidate.header.get("run"):
        yield f"both are the same run ({shown(run)}), recorded once"
    if compared == 0:
        yield "no update was recorded in both"
    elif compared < 3:
        yield f"updates compared: {compared - 1}; two or more are needed"
    if compared and not any(parameter.moved for parameter in parameters):
        yield "nothing moved: training changed no parameter in either run"
    for trace in (reference, candidate):
        gradients = [name for name in trace.columns if name.startswith("gradient:")]  # NaN at the start
        if gradients and not any(np.nan_to_num(a).any() for block in trace.blocks(gradients) for a in block.values()):
            yield f"{trace.path.name}: every recorded gradient is 0"
