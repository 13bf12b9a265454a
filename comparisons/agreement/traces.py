"""Are two recorded runs the same, and if not, where do they part?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from comparisons.agreement.bits import FirstDifference, differing_bits
from comparisons.runs.names import Names, Pair, line_up
from comparisons.runs.trace import BATCHES, DIGEST_UPDATES, DIGESTS, UPDATES, Trace, shown

Block = dict[str, np.ndarray]


@dataclass
class ParameterComparison:
    """One parameter in both runs, as far as they were looked at."""

    pair: Pair
    shape: tuple[int, ...]
    part: slice  # of a state
    eps: float  # of the coarser of the two types; of float32 if all values are float32 numbers
    differing: int = 0  # elements, after the last update that both recorded
    largest_gap: float = 0.0  # |Δ|
    largest_ulps: float = 0.0  # |Δ| / ε max|w|: the least tolerance that would pass
    first_update: int | None = None
    moved: bool = False  # in either run

    @property
    def elements(self) -> int:
        """Numbers in the parameter."""
        return self.part.stop - self.part.start

    def look(
        self,
        updates: np.ndarray,
        expected: np.ndarray,
        actual: np.ndarray,
        differs: np.ndarray,
        start: np.ndarray,
        ulps: float,
    ) -> None:
        """Look at some more states. Clears in differs what is within the tolerance."""
        mine, one, other = (array[:, self.part] for array in (differs, expected, actual))
        gaps = np.where(mine, np.abs(one - other), 0.0)
        scale = self.eps * np.maximum(np.abs(one).max(axis=1, initial=0.0), np.abs(other).max(axis=1, initial=0.0))
        used = np.where(gaps == 0, 0.0, gaps / scale[:, None])  # nan stays nan; +0 and −0 are apart by nothing
        if ulps:
            mine &= ~(used <= ulps)
        rows = np.flatnonzero(mine.any(axis=1))
        if self.first_update is None and rows.size:
            self.first_update = int(updates[rows[0]])
        self.differing = int(mine[-1].sum())
        self.largest_gap = float(np.maximum(self.largest_gap, gaps.max(initial=0.0)))
        self.largest_ulps = float(np.maximum(self.largest_ulps, used.max(initial=0.0)))
        self.moved = self.moved or bool((one != start[self.part]).any() or (other != start[self.part]).any())


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
        return [outcome.pair for outcome in self.parameters]

    @property
    def first_update(self) -> int | None:
        """The first update after which anything differs: as the digests have it, or the recorded states."""
        states = self.first_difference.update if self.first_difference else None
        return min((update for update in (self.parted, states) if update is not None), default=None)

    @property
    def exit_status(self) -> int:
        """0 equal, 1 the runs differ, 3 nothing was compared."""
        if self.first_update is not None:
            return 1
        return 3 if self.vacuous else 0

    @property
    def least_ulps(self) -> float:
        """The least tolerance that would pass."""
        return max((outcome.largest_ulps for outcome in self.parameters), default=0.0)


def aligned(
    reference: Trace, candidate: Trace, key: str, names: Sequence[str], others: Sequence[str]
) -> Iterator[tuple[np.ndarray, Block, Block]]:
    """The rows of both traces for the updates that both have: (updates, reference, candidate), some at a time."""
    sides = reference.blocks([key, *names]), candidate.blocks([key, *others])
    one, other = (next(side, {}) for side in sides)
    while one and other:
        until = min(one[key][-1], other[key][-1])
        common = np.intersect1d(one[key], other[key], assume_unique=True)
        common = common[common <= until]
        if len(common):
            yield common, rows_of(one, key, common), rows_of(other, key, common)
        one, other = (
            after(block, key, until) or next(side, {}) for block, side in zip((one, other), sides, strict=True)
        )


def rows_of(block: Block, key: str, updates: np.ndarray) -> Block:
    """The rows of a block for these updates."""
    rows = np.searchsorted(block[key], updates)
    return {name: column[rows] for name, column in block.items()}


def after(block: Block, key: str, update: int) -> Block:
    """The rows of a block after an update; empty where there are none."""
    rest = np.searchsorted(block[key], update, side="right")
    return {name: column[rest:] for name, column in block.items()} if rest < len(block[key]) else {}


def states(
    reference: Trace, candidate: Trace, pairs: Sequence[Pair]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """All parameters of both after every update that both recorded: (updates, reference, candidate), some at a time.

    A state is a row of float64, one parameter after another, each row-major in the reference's axes.
    """
    names, others = [pair.reference for pair in pairs], [pair.candidate for pair in pairs]
    for updates, one, other in aligned(reference, candidate, UPDATES, names, others):
        sides = [one[name] for name in names], [pair.turned(other[pair.candidate], 1) for pair in pairs]
        expected, actual = (
            np.concatenate([array.reshape(len(updates), -1) for array in side], axis=1, dtype=np.float64)
            for side in sides
        )
        yield updates, expected, actual


def compare_traces(reference: Trace, candidate: Trace, names: Names, ulps: float = 0.0) -> Comparison:
    """Compare every recorded parameter after every update that both recorded; bits, unless ulps are allowed.

    ulps: |a − b| ≤ ulps · ε max|w| agrees, over the parameter's elements in that state, with ε of the coarser type.
    A value that is not finite agrees with nothing. Raises InputError where the parameters do not line up.
    """
    pairs = line_up(reference.parameters, candidate.parameters, names)
    found = list(outcomes_of(reference, candidate, pairs))
    first, start, compared, last = None, np.empty(0), 0, 0
    with np.errstate(all="ignore"):  # overflow and NaN are for the comparison to find
        for updates, expected, actual in states(reference, candidate, pairs):
            if compared == 0:
                start = expected[0].copy()
            differs = differing_bits(expected, actual)
            for outcome in found:
                outcome.look(updates, expected, actual, differs, start, ulps)
            rows = np.flatnonzero(differs.any(axis=1))
            if first is None and rows.size:
                row = int(rows[0])
                first = locate(found, int(updates[row]), differs[row], expected[row], actual[row])
            compared, last = compared + len(updates), int(updates[-1])
    digests, parted = (0, None) if ulps else compare_digests(reference, candidate, pairs)  # a hash has no tolerance
    vacuous = reasons(reference, candidate, compared, found)
    if first and not (np.isfinite(first.reference) or np.isfinite(first.candidate)):
        vacuous.append(f"neither run is finite: {first}")
        first, parted = None, None
    notes = preflight(reference, candidate, pairs, first)
    return Comparison(
        reference, candidate, max(0, compared - 1), last, found, ulps, first, digests, parted, notes, vacuous
    )


def outcomes_of(reference: Trace, candidate: Trace, pairs: Sequence[Pair]) -> Iterator[ParameterComparison]:
    """An outcome for each pair, before anything was looked at."""
    grid = float(np.finfo(np.float32).eps) if on_grid(reference) and on_grid(candidate) else 0.0
    begin = 0
    for pair in pairs:
        one, other = reference.parameters[pair.reference], candidate.parameters[pair.candidate]
        eps = max(grid, *(float(np.finfo(column.dtype).eps) for column in (one, other)))
        yield ParameterComparison(pair, one.shape, slice(begin, begin + one.size), eps)
        begin += one.size


def on_grid(trace: Trace) -> bool:
    """Are the values that a trace holds after its start, as long as they are finite, all float32 numbers?"""
    block = next(trace.blocks(list(trace.parameters)), {})
    finite = np.logical_and.reduce([np.isfinite(a).reshape(len(a), -1).all(axis=1) for a in block.values()])
    with np.errstate(all="ignore"):
        return all((a[1:].astype(np.float32) == a[1:])[finite[1:]].all() for a in block.values())


def locate(
    outcomes: Sequence[ParameterComparison], update: int, differs: np.ndarray, expected: np.ndarray, actual: np.ndarray
) -> FirstDifference:
    """The first element of a state for which differs is true."""
    position = int(differs.argmax())
    outcome = next(outcome for outcome in outcomes if position < outcome.part.stop)
    index = np.unravel_index(position - outcome.part.start, outcome.shape)
    values = float(expected[position]), float(actual[position])
    return FirstDifference(update, outcome.pair.reference, [int(i) for i in index], *values)


def compare_digests(reference: Trace, candidate: Trace, pairs: Sequence[Pair]) -> tuple[int, int | None]:
    """How many digests could be compared, and the first update whose digests differ.

    Digests are of whole states: runs with other names, or other axes, have none in common.
    """
    same = all(p.reference == p.candidate and p.axes == tuple(range(len(p.axes))) for p in pairs)
    if not (same and DIGESTS in reference.columns and DIGESTS in candidate.columns):
        return 0, None
    compared, parted = 0, None
    for updates, one, other in aligned(reference, candidate, DIGEST_UPDATES, [DIGESTS], [DIGESTS]):
        differs = np.flatnonzero((one[DIGESTS] != other[DIGESTS]).any(axis=1))
        if parted is None and differs.size:
            parted = int(updates[differs[0]])
        compared += len(updates)
    return max(0, compared - 1), parted


def other_batches(reference: Trace, candidate: Trace) -> tuple[int, str] | None:
    """The first update that was not made with the same items in both runs, where both recorded them, and how so."""
    if BATCHES not in reference.columns or BATCHES not in candidate.columns:
        return None
    for updates, one, other in aligned(reference, candidate, DIGEST_UPDATES, [BATCHES], [BATCHES]):
        expected, actual = one[BATCHES], other[BATCHES]
        differs = np.flatnonzero((expected != actual).any(axis=1))
        if differs.size:
            row = int(differs[0])
            return int(updates[row]), how_they_differ(expected[row - 1 :], actual[row - 1 :])
    return None


def how_they_differ(expected: np.ndarray, actual: np.ndarray) -> str:
    """What became of the items, whose digests are those from the last equal batch on: one a row."""
    count = len(expected) - 2
    if count > 1 and (actual[1 : count + 1] == expected[2 : count + 2]).all():
        return "one batch was skipped"
    if count > 1 and (actual[1 : count + 1] == expected[:count]).all():
        return "one batch was repeated"
    known = {bytes(digest) for digest in expected}
    if all(bytes(digest) in known for digest in actual):
        return "the same batches come in another order"
    return "the batches hold other items, or in another order"


def preflight(reference: Trace, candidate: Trace, pairs: Sequence[Pair], first: FirstDifference | None) -> list[str]:
    """What differs before the first update: the start, the data, the numbers to train with, the types."""
    notes = []
    if first is not None and first.update == 0:
        notes.append("the runs do not start from the same parameters")
    if (items := other_batches(reference, candidate)) is not None:
        notes.append(f"the runs are given other items from update {items[0]} on: {items[1]}")
    one, other = (trace.header.get("experiment") or {} for trace in (reference, candidate))
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() & other.keys()):
            if one[name] != other[name]:
                notes.append(
                    f"{shown(name)} is {shown(one[name])} in the reference and {shown(other[name])} in the candidate"
                )
    for pair in pairs:
        types = reference.parameters[pair.reference].dtype, candidate.parameters[pair.candidate].dtype
        if types[0] != types[1]:
            notes.append(f"{pair.reference} is {types[0]} in the reference and {types[1]} in the candidate")
    return notes


def reasons(reference: Trace, candidate: Trace, compared: int, outcomes: Sequence[ParameterComparison]) -> list[str]:
    """Why equal traces would prove nothing."""
    found = []
    run = reference.header.get("run")
    if reference.path.samefile(candidate.path):
        found.append("both are the same file")
    elif run is not None and run == candidate.header.get("run"):
        found.append(f"both are the same run ({shown(run)}), recorded once")
    if compared == 0:
        found.append("no update was recorded in both")
    elif compared < 3:
        found.append(f"updates compared: {compared - 1}; two or more are needed")
    if compared and not any(outcome.moved for outcome in outcomes):
        found.append("nothing moved: training changed no parameter in either run")
    for trace in (reference, candidate):
        gradients = [name for name in trace.columns if name.startswith("gradient:")]
        if gradients and all_zero(trace, gradients):
            found.append(f"{trace.path.name}: every recorded gradient is 0")
    return found


def all_zero(trace: Trace, names: Sequence[str]) -> bool:
    """Is every recorded value 0? The start has no gradient: NaN."""
    return not any(np.nan_to_num(block[name]).any() for block in trace.blocks(names) for name in names)
