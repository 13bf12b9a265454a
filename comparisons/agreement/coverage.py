"""Which states of two recorded runs were compared, and which were not."""

from typing import NamedTuple

import numpy as np

from comparisons.runs.trace import DIGEST_UPDATES, UPDATES, Trace


class LeftOut(NamedTuple):
    """States that were not compared."""

    words: list[str]
    reason: str  # why the runs were not compared to their ends; "" if they were


def updates_of(trace: Trace, column: str) -> np.ndarray:
    """The updates after which rows, or digests, were recorded."""
    return trace.read(column).astype(np.int64) if column in trace.columns else np.empty(0, np.int64)


def left_out(reference: Trace, candidate: Trace, compared: np.ndarray, unknown: np.ndarray) -> LeftOut:
    """The recorded states that are not among the updates compared.

    A state that only one side has, as a row or as a digest, leaves the comparison unfinished. So does a last state that
    was not compared. Digests on both sides that cannot be compared (other axes, a tolerance) are only told. unknown:
    updates of which a side has no digest, though a place for it.
    """
    digests = [updates_of(trace, DIGEST_UPDATES) for trace in (reference, candidate)]
    one, other = digests
    on_both = np.intersect1d(one, other)
    words, alone, last = [], [], compared.max(initial=-1)
    for who, trace, mine in zip(("reference", "candidate"), (reference, candidate), digests, strict=True):
        recorded = np.union1d(updates_of(trace, UPDATES), mine)
        only = np.setdiff1d(recorded, np.union1d(compared, on_both))
        last = max(last, recorded.max(initial=-1))
        if only.size:
            words.append(f"{who}: {spans(only)}")
            alone.append(f"only the {who} has {spans(only)}")
    if unknown.size:
        words.append(f"both: {spans(unknown)}, without a digest")
    if (untold := np.setdiff1d(on_both, np.union1d(compared, unknown))).size:
        words.append(f"both: the digests of {spans(untold)}, which have no tolerance, and no map of names and axes")
    reason = "; ".join(alone)
    if not reason and last > compared.max(initial=-1):
        reason = f"the last state, after update {last:,}, was not compared"
    return LeftOut(words, reason)


def spans(updates: np.ndarray) -> str:
    """Rising updates in words: the state after update 3; 40 states after updates 11 … 50."""
    if len(updates) == 1:
        return f"the state after update {updates[0]:,}"
    return f"{len(updates):,} states after updates {updates[0]:,} … {updates[-1]:,}"
