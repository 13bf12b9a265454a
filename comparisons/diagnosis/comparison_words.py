"""A comparison of two traces in sentences, and for programs."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from comparisons.agreement.bits import FirstDifference
from comparisons.agreement.traces import Comparison
from comparisons.diagnosis.rounding import Rounding
from comparisons.runs.trace import BUFFER, GRADIENT, OPTIMIZER, Trace, shown

KINDS = {GRADIENT: "gradients", OPTIMIZER: "optimizer state", BUFFER: "buffers"}  # of arrays beside the parameters


def fields(of: object, *names: str) -> dict[str, Any]:
    """These attributes by their names."""
    return {name: getattr(of, name) for name in names}


def headline(c: Comparison, rounding: Rounding | None, status: int) -> str:
    """The verdict in one line; rounding: what is left, where it is nothing else. status: the exit status."""
    many = "s" * (len(c.parameters) != 1)
    counted = f"{c.updates:,} updates, {len(c.parameters)} parameter{many}, {c.elements:,} elements"
    until = f" up to update {c.last_update:,}, where one ends or was not recorded" if c.unfinished else ""
    if rounding:
        share = f"{rounding.share:.1g} of an update of {rounding.parameter}"
        return f"EQUAL UP TO ROUNDING{until} ({share}): {counted} compared"
    if status == 3:
        return f"NOTHING PROVED: {c.vacuous[0]} ({counted} compared)"
    if c.exit_status == 0:
        how = "bit for bit" if not c.ulps else f"within {c.ulps:g} ULPs of the largest element"
        how = f"as float32, in {c.as_float32:,} states by digests alone, and else {how}" if c.as_float32 else how
        return f"EQUAL {how}{until}: {counted} compared"
    if (beside := c.first_beside) is not None:
        what = KINDS[next(kind for kind in KINDS if beside.parameter.startswith(kind))]
        where = f"at update {beside.update:,}: {shown(beside.parameter)}{beside.index}"
        return f"DIFFERENT: parameters equal, recorded {what} differ {where} ({counted} compared)"
    first = c.first_difference
    if first is None or c.first_update != first.update:
        return f"DIFFERENT at update {c.first_update:,}, by their digests ({counted} compared)"
    return f"DIFFERENT at update {first.update:,}: {first.parameter}{first.index} ({counted} compared)"


def compared(c: Comparison) -> Iterator[tuple[str, str]]:
    """What was compared, and what that showed."""
    yield "reference", described(c.reference)
    yield "candidate", described(c.candidate)
    for note in c.notes:
        yield "differs", note
    for reason in c.vacuous:
        yield "proves", f"nothing: {reason}"
    unmoved = [p.pair.reference for p in c.parameters if not p.moved]
    if 0 < len(unmoved) < len(c.parameters) and c.exit_status == 0:  # all of them: only digests tell that any moved
        yield "unmoved", f"{', '.join(unmoved)}, in both runs: nothing is proved of how they are trained"
    if c.digests:
        parted = f"differ from update {c.parted:,} on" if c.parted is not None else f"equal after {c.digests:,} updates"
        yield "digests", parted
    if c.first_difference:
        yield from parting(c, c.first_difference)
    if c.first_beside:
        yield "first", str(c.first_beside)
        yield "agrees", f"the parameters, after all {c.updates:,} updates that were compared"
    for words in c.not_compared:
        yield "not compared", words
    if c.ulps or c.first_difference:
        share = 100 * c.least_ulps / c.ulps if c.ulps else 0.0
        allowed = f"{c.ulps:g} ULPs of the largest element were allowed, {share:.3g} % of it used"
        asked = allowed if c.ulps else "none was asked for"
        yield "tolerance", f"{asked}; the least that would pass is {c.least_ulps:.3g} ULPs"
    if c.ulps:
        widest = max(c.parameters, key=lambda p: p.update_share)
        yield "", f"that is up to {100 * widest.update_share:.2g} % of an update, in {widest.pair.reference}"


def parting(c: Comparison, first: FirstDifference) -> Iterator[tuple[str, str]]:
    """Where they part, and what becomes of each parameter."""
    yield "first", str(first)
    equal = [p.pair.reference for p in c.parameters if p.first_update != first.update]
    without_gaps = c.digests or c.updates == c.last_update
    before = f"{'everything' if without_gaps else 'all that was recorded'} before update {c.first_update:,}"
    agrees = [*([before] if c.first_update else []), *([f"{', '.join(equal)} after it"] if equal else [])]
    yield "agrees", "; ".join(agrees) or "nothing"
    for p in c.parameters:
        if p.first_update is not None:
            yield (
                p.pair.reference,
                f"from update {p.first_update:,} on, by up to {p.largest_gap:.3g}; at the end {p.differing} of"
                f" {p.elements} elements differ",
            )


def described(trace: Trace) -> str:
    """A trace in a line."""
    said = trace.header.get("framework")
    return f"{trace.path}: {shown(said) + ', ' if said else ''}{trace.rows:,} states"


def json_of(c: Comparison) -> dict[str, Any]:
    """The comparison, for programs."""
    of_parameter = ("elements", "differing", "largest_gap", "first_update", "moved")
    return {
        **{"reference": str(c.reference.path), "candidate": str(c.candidate.path)},
        **{"updates": c.updates, "parameters": len(c.parameters)},
        **fields(c, "elements", "exit_status"),
        "first_difference": c.first_difference and asdict(c.first_difference),
        "first_beside": c.first_beside and asdict(c.first_beside),
        **fields(c, "digests", "parted", "ulps", "least_ulps", "notes", "vacuous", "partial"),
        "by_parameter": [
            {"name": p.pair.reference, "candidate": p.pair.candidate, **fields(p, *of_parameter)} for p in c.parameters
        ],
    }
