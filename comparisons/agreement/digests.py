"""Digests of two runs: they compare states, and items, for which no row was written."""

from typing import NamedTuple

import numpy as np

from comparisons.agreement.columns import aligned
from comparisons.runs.trace import BATCHES, DIGEST_UPDATES, Trace


class DigestsCompared(NamedTuple):
    """What the digests of one name showed."""

    updates: np.ndarray  # for which both sides have one
    differ: np.ndarray  # those of them for which they differ
    unknown: np.ndarray  # for which one of the two has 16 zeros in place of a digest
    moved: bool  # is any digest of either side another than its first?
    around: tuple[np.ndarray, np.ndarray] | None = None  # of both sides, from the update before the first that differs


def compare_digests(reference: Trace, candidate: Trace, name: str) -> DigestsCompared:
    """Compare the digests of this name; of two traces of which one has none, nothing is compared."""
    compared, differ, unknown = ([np.empty(0, np.int64)] for _ in range(3))
    moved, around, begin = False, None, None
    if name in reference.columns and name in candidate.columns:
        for updates, one, other in aligned(reference, candidate, DIGEST_UPDATES, [name], [name]):
            begin = one[name][0] if begin is None else begin
            known = one[name].any(axis=1) & other[name].any(axis=1)
            differs = np.flatnonzero((one[name] != other[name]).any(axis=1) & known)
            moved = moved or any(bool((side[name] != begin).any()) for side in (one, other))
            if around is None and differs.size:
                since = max(0, differs[0] - 1)
                around = one[name][since:], other[name][since:]
            numbers = updates.astype(np.int64)
            compared.append(numbers[known])
            unknown.append(numbers[~known])
            differ.append(numbers[differs])
    return DigestsCompared(
        np.concatenate(compared), np.concatenate(differ), np.concatenate(unknown), moved=moved, around=around
    )


def other_batches(reference: Trace, candidate: Trace) -> tuple[int, str] | None:
    """The first update whose items differ between the runs, and how; None if there is none, or none is recorded."""
    found = compare_digests(reference, candidate, BATCHES)
    return (int(found.differ[0]), how_they_differ(*found.around)) if found.around else None


def how_they_differ(expected: np.ndarray, actual: np.ndarray) -> str:
    """How the batches of two runs differ, by their digests: one a row, from the last equal batch on."""
    apart = actual[1:-1]
    kinds = {
        "one batch was skipped": len(apart) > 1 and (apart == expected[2:]).all(),
        "one batch was repeated": len(apart) > 1 and (apart == expected[:-2]).all(),
        "the same batches come in another order": {*map(bytes, actual)} <= {*map(bytes, expected)},
    }
    return next((kind for kind, fits in kinds.items() if fits), "the batches hold other items, or in another order")
