"""Are two recorded runs the same, and if not, after which update do they first differ?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from comparisons.agreement.beside import MOST_SHARE, Beside, compare_beside, line_up_beside
from comparisons.agreement.bits import FirstDifference, exit_status
from comparisons.agreement.blocks import Block, as_rows, compare_blocks, locate
from comparisons.agreement.columns import aligned, on_grid
from comparisons.agreement.coverage import left_out, spans
from comparisons.agreement.digests import compare_digests, other_batches
from comparisons.runs.names import Names, Pair, line_up
from comparisons.runs.trace import BUFFER, DIGESTS, FORMAT, GRADIENT, UPDATES, Trace, shown
from reference.errors import require

FLOAT32 = float(np.finfo(np.float32).eps)
NOT_FINITE = ": a value that is not finite has no digest"
MINUS_ZERO = ": their digests differ, and rows after them are equal; in format 1 digests tell −0 from +0"
PARTIAL = "with partial (--partial) what both have is enough"


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
    largest: float = 0.0  # max|w|
    distance: float = 0.0  # Σ max|Δw| of the reference, from row to row
    last: tuple[int, np.ndarray] | None = field(default=None, repr=False)  # the last row, and its update
    began: int = 0  # the update of the first row

    @property
    def update_share(self) -> float:
        """What is allowed / an update's mean max|Δw|, as the reference makes it; 0 where it made none."""
        updates = self.last[0] - self.began if self.last else 0
        if not self.distance:
            return math.inf if self.ulps and self.largest_gap else 0.0  # any move is one too many
        return self.ulps * self.eps * self.largest * updates / self.distance

    @property
    def elements(self) -> int:
        """Numbers in the parameter."""
        return self.part.stop - self.part.start

    def look(self, block: Block, start: np.ndarray, differs: np.ndarray) -> None:
        """Look at some more states. differs: which elements of the block differ; what is within ulps is cleared."""
        mine, one, other = (rows[:, self.part] for rows in (differs, block.reference, block.candidate))
        self.moved = self.moved or any((side != start[self.part]).any() for side in (one, other))
        if self.ulps:
            self.measure(block.updates, one)
        if mine.any():
            gaps = np.where(mine, np.abs(one - other), 0.0)
            sizes = (np.where(np.isfinite(side), np.abs(side), 0.0).max(axis=1) for side in (one, other))
            scale = self.eps * np.maximum(*sizes)
            used = np.where(gaps == 0, 0.0, gaps / scale[:, None])  # NaN stays NaN; +0 and −0 are 0 apart
            mine &= ~(used <= self.ulps) | (self.ulps == 0)
            if self.first_update is None and mine.any():
                self.first_update = int(block.updates[mine.any(axis=1).argmax()])
            self.largest_gap = float(np.maximum(self.largest_gap, gaps.max()))
            self.largest_ulps = float(np.maximum(self.largest_ulps, used.max()))
        self.differing = int(mine[-1].sum())

    def measure(self, updates: np.ndarray, rows: np.ndarray) -> None:
        """How large are the weights, and how far do they go?"""
        self.began = self.began if self.last else int(updates[0])
        before = rows[:1] if self.last is None else self.last[1]
        self.distance += float(np.nansum(np.abs(np.diff(rows, axis=0, prepend=before)).max(axis=1, initial=0.0)))
        self.largest = max(self.largest, float(np.nanmax(np.abs(rows), initial=0.0)))
        self.last = int(updates[-1]), rows[-1:].copy()


@dataclass(frozen=True)
class Comparison:
    """What two traces showed."""

    reference: Trace
    candidate: Trace
    updates: int  # after how many of them both states were compared, by rows or by digests; the start not counted
    last_update: int  # the last of them
    parameters: list[ParameterComparison]
    ulps: float  # what was allowed; 0: bits
    first_difference: FirstDifference | None
    digests: int  # after how many updates digests were compared
    as_float32: int  # states of float64 numbers that were compared by digests alone, which are of float32 numbers
    parted: int | None  # the first update whose digests differ
    notes: list[str]  # what differs beside what was trained
    vacuous: list[str]  # why equal runs would prove nothing
    beside: list[Beside] = field(default_factory=list)  # arrays beside the parameters that both recorded
    first_beside: FirstDifference | None = None  # of these arrays, where no parameter differs
    not_compared: list[str] = field(default_factory=list)  # what one of the runs recorded, and was not compared
    unfinished: str = ""  # why the runs were not compared to their ends; "" if they were
    partial: bool = False  # may they be left unfinished?

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
        """The first update after which a parameter differs: as the digests have it, or the recorded states."""
        states = self.first_difference.update if self.first_difference else None
        return min((update for update in (self.parted, states) if update is not None), default=None)

    @property
    def exit_status(self) -> int:
        """0 equal, 1 the runs differ, 3 nothing was proved."""
        return exit_status(self.first_update is not None or self.first_beside is not None, not self.vacuous)

    @property
    def least_ulps(self) -> float:
        """The least tolerance that would pass."""
        return max((parameter.largest_ulps for parameter in self.parameters), default=0.0)


def states(reference: Trace, candidate: Trace, pairs: Sequence[Pair]) -> Iterator[Block]:
    """All parameters of both after every update that both recorded, in the order of the pairs and the reference's axes.

    Memory stays bounded: a block has as many states as the traces give in one go.
    """
    names, others = [pair.reference for pair in pairs], [pair.candidate for pair in pairs]
    for updates, one, other in aligned(reference, candidate, UPDATES, names, others):
        turned = as_rows(pair.turned(other[pair.candidate], 1) for pair in pairs)
        yield Block(updates, as_rows(one[name] for name in names), turned)


def check_ulps(ulps: float) -> None:
    """Raise InputError unless it is a tolerance."""
    number = isinstance(ulps, (int, float, np.integer, np.floating)) and not isinstance(ulps, bool)
    require(number and 0 <= ulps < math.inf, f"ulps must be a number >= 0; got {ulps}")


def compare_traces(
    reference: Trace, candidate: Trace, names: Names, ulps: float = 0.0, partial: bool = False
) -> Comparison:
    """Compare every recorded parameter after every update that both recorded; bits, unless ulps are allowed.

    ulps: |a − b| ≤ ulps · ε max|w| agrees, over the parameter's elements in that state, with ε of the coarser type.
    A value that is not finite agrees with nothing. partial: equal states are enough, where one side has more of them.
    Raises InputError where the parameters do not line up, and for ulps that are no tolerance.
    """
    check_ulps(ulps)
    buffers = {name.removeprefix(BUFFER) for name in candidate.columns if name.startswith(BUFFER)}
    of_parameters = {n: to for n, to in names.items() if n in candidate.parameters or n not in buffers}
    pairs = line_up(reference.parameters, candidate.parameters, of_parameters)
    beside, alone = line_up_beside(reference, candidate, pairs, names)
    parameters = list(parameters_of(reference, candidate, pairs, ulps))
    rows, equal_rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]

    def look(block: Block, _start: np.ndarray, differs: np.ndarray) -> None:
        rows.append(block.updates)
        equal_rows.append(block.updates[~differs.any(axis=1)])

    found = compare_blocks(states(reference, candidate, pairs), [*(p.look for p in parameters), look])
    apart = found.first_finite or found.first
    first = locate({p.pair.reference: p.shape for p in parameters}, *apart) if apart else None
    hashed = compare_digests(reference, candidate, DIGESTS if comparable(pairs) and not ulps else "")
    differ, doubtful = hashed.differ, hashed.differ[:0]
    if min(trace.format for trace in (reference, candidate)) < FORMAT:
        equal = np.concatenate(equal_rows)
        differ = np.setdiff1d(differ, equal)  # −0 beside +0: the rows know better
        doubtful = differ[differ < equal.max(initial=0)] if first is None else differ[:0]
    in_full = np.concatenate(rows)
    differ = np.setdiff1d(differ, doubtful)
    compared = np.union1d(in_full, np.setdiff1d(hashed.updates, doubtful))
    unknown = np.setdiff1d(np.union1d(hashed.unknown, doubtful), compared)
    missing = left_out(reference, candidate, compared, unknown)
    moved = hashed.moved or any(parameter.moved for parameter in parameters)
    vacuous = list(reasons(reference, candidate, len(compared), moved))
    if first and not (np.isfinite(first.reference) or np.isfinite(first.candidate)):
        vacuous.append(f"neither run is finite: {first}")
        differ, first = differ[differ < first.update], None
    vacuous += [reason for p in parameters if (reason := too_wide(p))]
    if unknown.size:
        vacuous.append(f"{spans(unknown)} cannot be compared{MINUS_ZERO if doubtful.size else NOT_FINITE}")
    unfinished = f"{missing.reason}; {PARTIAL}" if missing.reason else ""
    if unfinished and not partial:
        vacuous.append(unfinished)
    parted = int(differ[0]) if differ.size else None
    same = first is None and parted is None
    return Comparison(
        reference,
        candidate,
        updates=max(0, len(compared) - 1),
        last_update=int(compared.max(initial=0)),
        parameters=parameters,
        ulps=ulps,
        first_difference=first,
        digests=max(0, len(hashed.updates) - 1),
        as_float32=len(np.setdiff1d(compared, in_full)) if any(p.eps < FLOAT32 for p in parameters) else 0,
        parted=parted,
        notes=list(preflight(reference, candidate, pairs, first, found.signs)),
        vacuous=vacuous,
        beside=beside,
        first_beside=compare_beside(reference, candidate, beside, max(1.0, ulps)) if same else None,
        not_compared=[*missing.words, *alone],
        unfinished=unfinished,
        partial=partial,
    )


def comparable(pairs: Sequence[Pair]) -> bool:
    """Are digests of the same arrays? They are of a whole state: its sorted names, in the order of their axes."""
    in_order = [pair.reference for pair in sorted(pairs, key=lambda pair: pair.candidate)]
    plain = all(list(pair.axes) == sorted(pair.axes) for pair in pairs)
    return plain and in_order == sorted(in_order)


def too_wide(parameter: ParameterComparison) -> str:
    """Why the tolerance proves nothing of a parameter; "" if it does."""
    share = parameter.update_share
    if not share > MOST_SHARE:
        return ""
    name, ulps = parameter.pair.reference, parameter.ulps
    return (
        f"{ulps:g} ULPs are {100 * share:.2g} % of an update of {name}: a difference as large as that would pass;"
        f" at most {100 * MOST_SHARE:g} % are allowed, or no ulps and allow_rounding (--allow-rounding)"
    )


def parameters_of(reference: Trace, candidate: Trace, pairs: list[Pair], ulps: float) -> Iterator[ParameterComparison]:
    """One for each pair, before anything was looked at."""
    least = np.float32 if on_grid(reference) and on_grid(candidate) else np.float64
    begin = 0
    for pair in pairs:
        one, other = reference.columns[pair.reference], candidate.columns[pair.candidate]
        eps = max(float(np.finfo(kind).eps) for kind in (one.dtype, other.dtype, least))
        yield ParameterComparison(pair, one.shape, slice(begin, begin := begin + math.prod(one.shape)), eps, ulps)


def preflight(
    reference: Trace, candidate: Trace, pairs: list[Pair], first: FirstDifference | None, signs: bool
) -> Iterator[str]:
    """What differs beside the values: the start, the data, the numbers to train with, the types, signs of zeros."""
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
    if signs:
        yield "some zeros are +0 in one run and −0 in the other: training does not tell them apart, so they are equal"


def reasons(reference: Trace, candidate: Trace, compared: int, moved: bool) -> Iterator[str]:
    """Why equal traces would prove nothing. compared: states."""
    run = reference.header.get("run")
    if reference.path.samefile(candidate.path):
        yield "both are the same file"
    elif run is not None and run == candidate.header.get("run"):
        yield f"both are the same run ({shown(run)}), recorded once"
    if compared == 0:
        yield "no update was recorded in both"
    elif compared < 3:
        yield f"updates compared: {compared - 1}; two or more are needed"
    if compared and not moved:
        yield "nothing moved: training changed no parameter in either run"
    for trace in (reference, candidate):
        gradients = [name for name in trace.columns if name.startswith(GRADIENT)]  # NaN at the start
        if gradients and not any(np.nan_to_num(a).any() for block in trace.blocks(gradients) for a in block.values()):
            yield f"{trace.path.name}: every recorded gradient is 0"
