"""The number of a practice that is not known, a λ or a β, as the recorded updates tell it."""

from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.diagnosis.update_rules import Change, UpdateRule
from comparisons.diagnosis.window import BEYOND, Case, walk


def with_number(p: UpdateRule, name: str, value: float) -> UpdateRule:
    """The practice with another number."""
    number: dict[str, Any] = {name: value}
    return replace(p, **number)


# what a fitted number must lie between
LIMITS = {
    "beta": (1e-3, 0.9999),
    "dampening": (1e-3, 1.0),
    "lr": (0.0, np.inf),
    "limit": (0.0, np.inf),
    "decay": (0.0, np.inf),
    "lamda": (0.0, np.inf),
    "l2": (0.0, np.inf),
}
SIGNED = ("λ", "L1, relative")  # kinds of changes in which λ may also be negative: a reversed sign


TURNS = 6  # of secants over all updates, at the most
STANDS = 1e-6  # where the number changes by so little of itself, it stands still


# times the practice's own number (of a limit: 1): where to begin, if the update in which the runs part does not tell it
BEGINNINGS = (1.0, 0.1, 0.01, 0.001, 10.0, 100.0)


def fitted(case: Case, change: Change, since: int, beginning: float | None) -> float | None:
    """The free number by least squares over all updates since the runs have parted; None where nothing depends on it.

    It begins with what it is in the update in which they part, which tells much of most numbers; or with so many times
    the practice's own, since an optimizer's first update may not depend on it (β of Adam, and nearly so λ).
    """
    p, at, value = change.practice, case.update or 0, None
    if beginning is not None:
        own = 1.0 if change.free == "limit" else getattr(p, change.free)
        p = with_number(p, change.free, beginning * own)
    if since or p.forgets:  # then it does not matter what was done before
        case = case.later()
    one, all_of_them = range(at, at + 1), range(at, at + BEYOND + 1)
    least, most = (-np.inf, np.inf) if change.kind in SIGNED else LIMITS.get(change.free, (-np.inf, np.inf))
    for updates in [*([one, one] if beginning is None else []), *[all_of_them] * TURNS]:
        found = secant(case, p, change.free, updates, since)
        if found is None or not least < found < most:
            continue
        still = value is not None and updates is all_of_them and abs(found - value) <= STANDS * abs(found)
        p, value = with_number(p, change.free, found), found
        if still:
            break
    return value


def secant(case: Case, p: UpdateRule, free: str, updates: range, since: int) -> float | None:
    """The number for which the predictions, taken to be linear in it, are nearest to what was recorded.

    Weighted least squares, since small elements are rounded more finely. Of a single update, those that the base
    practice does not explain tell it. Elements that do not follow the number (held at zero, gone across) are left out.
    """
    base = getattr(p, free)
    step_size = 0.001 * base if base else 1e-3
    until = replace(case, steps=[step for step in case.steps if step.update < updates.stop])
    one, other = (list(walk(with_number(p, free, k), until, since)) for k in (base, base + step_size))
    parts = [
        (
            (step.after[name] - a[name]) / (fine := case.tolerance(step, name)),
            np.where(step.blind.get(name, False), 0.0, (b[name] - a[name]) / fine),
            case.wrong.get(name, np.zeros(a[name].shape, bool)),
        )
        for (step, a), (_, b) in zip(one, other, strict=True)
        if step.update in updates
        for name in a
    ]
    rest, slope, wrong = (np.concatenate([part[i].ravel() for part in parts]) for i in (0, 1, 2))
    keep = (slope != 0) & (wrong if len(updates) == 1 else True)
    k = 0.0
    for _ in range(5):
        if not keep.any():
            return None
        k = float((rest[keep] * slope[keep]).sum() / np.square(slope[keep]).sum())
        left = np.abs(rest - k * slope)
        keep &= left <= 10 * np.median(left[keep]) + np.finfo(float).tiny
    return float(base + k * step_size)
