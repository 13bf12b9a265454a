"""Of which items was an update made, whatever drew them?

The gradient of a batch is the sum, or the mean, of those of its items. An update tells the gradient, the reference that
of every single item, and mostly one mixture alone, without negative shares, is equal to it.
"""

from collections.abc import Mapping

import numpy as np

from comparisons.diagnosis.evidence import RecordedUpdate, undone
from comparisons.diagnosis.update_rules import predict
from comparisons.diagnosis.window import Case
from reference.data import Dataset
from reference.experiment import Batch, Memory


def mixed(
    case: Case, step: RecordedUpdate, memory: Mapping[str, Memory], data: Dataset
) -> dict[tuple[int, ...], Batch]:
    """The items of which the update's gradient is the mean, or the sum: g = Σ cᵢ gᵢ, c ≥ 0, by least squares.

    It is in units of the tolerance, so that 1 is near enough. A batch has an item once, or so many times.
    """
    base = case.evidence.base
    slopes = undone(base, step.before, step.after, memory, step.update - 1)
    predicted, _ = predict(base, step.before, slopes, memory, step.update - 1)
    fine = {
        name: np.where(case.used(step, predicted)[name] <= 1, base.lr / case.tolerance(step, name), 0.0)
        for name in slopes
    }
    single = [step.of_items(data.x_train[i : i + 1], data.t_train[i : i + 1]) for i in range(len(data.x_train))]
    columns = np.array([flat(of_item, fine) for of_item in single]).T
    wanted = flat(slopes, fine)
    shares = nonnegative(columns, wanted) if np.isfinite(columns).all() and np.isfinite(wanted).all() else np.zeros(1)
    if not shares.any():
        return {}
    counts = np.rint(shares / np.median(shares[shares > 0.1 * shares.max()])).astype(int)
    rows = np.repeat(np.arange(len(counts)), counts)
    return {tuple(rows.tolist()): (data.x_train[rows], data.t_train[rows])}


def flat(slopes: Mapping[str, np.ndarray], fine: Mapping[str, np.ndarray]) -> np.ndarray:
    """All of them in one row, in these units."""
    return np.concatenate([(g * fine[name]).ravel() for name, g in slopes.items()])


def nonnegative(columns: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """argmin ‖A c − y‖₂ over c ≥ 0, or the first c with max |A c − y| < 1.

    Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23.
    """
    c, inside = np.zeros(columns.shape[1]), np.zeros(columns.shape[1], bool)
    for _ in range(3 * len(c)):
        rest = wanted - columns[:, inside] @ c[inside]
        slope = np.where(inside, -np.inf, columns.T @ rest)
        if np.abs(rest).max() < 1 or slope.max() <= 0:
            break
        inside[slope.argmax()] = True
        while True:
            best = np.zeros_like(c)
            best[inside] = np.linalg.lstsq(columns[:, inside], wanted, rcond=None)[0]
            if best[inside].min(initial=np.inf) > 0:
                break
            out = inside & (best <= 0)
            c = c + (c[out] / np.maximum(c[out] - best[out], np.finfo(float).tiny)).min() * (best - c)
            inside &= c > 1e-12
        c = best
    return c
