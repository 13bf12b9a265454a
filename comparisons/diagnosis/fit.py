"""The number of an update rule that is not known, a λ or a β, as the recorded updates tell it."""

from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.diagnosis.hypotheses import Explanation
from comparisons.diagnosis.thresholds import BEYOND, CONVERGED, NEARLY_RIGHT, REJECTED_ABOVE, TURNS
from comparisons.diagnosis.update_rule import UpdateRule
from comparisons.diagnosis.window import Window, walk


def with_number(rule: UpdateRule, field: str, value: float) -> UpdateRule:
    """The rule with another number."""
    number: dict[str, Any] = {field: value}
    return replace(rule, **number)


def fitted(window: Window, tried: Explanation, since: int, beginning: float | None) -> float | None:
    """The number by least squares over all updates from the first wrong one on; None if no number can be right.

    The fit begins with what the first wrong update tells, or with `beginning` times the rule's own number: an
    optimizer's first update may not depend on it (β of Adam, and nearly so λ). None, too, where nothing depends on it.
    """
    rule, number, at, value = tried.variant.rule, tried.number, window.start, None
    if since or rule.stateless:  # then the updates before the first wrong one do not matter
        window = window.from_first_wrong()
    first, all_of_them = range(at, at + 1), range(at, at + BEYOND + 1)
    least, most = tried.hypothesis.between
    if beginning is None:
        for _ in range(2):
            found = secant(window, rule, number, first, since)
            if found is None or not least < found < most:
                break  # with the same number the next secant would be the same
            rule, value = with_number(rule, number, found), found
        if hopeless(window, rule, since):
            return None
    else:
        rule = with_number(rule, number, beginning * (1.0 if number == "limit" else getattr(rule, number)))
    for _ in range(TURNS):
        found = secant(window, rule, number, all_of_them, since)
        if found is None or not least < found < most:
            break
        last, rule, value = value, with_number(rule, number, found), found
        if last is not None and abs(value - last) <= CONVERGED * abs(value):
            break
    return value


def hopeless(window: Window, rule: UpdateRule, since: int) -> bool:
    """Is the rule, with its number fitted to the first wrong update, nearly as wrong there as the base rule?"""
    until = replace(window, updates=[update for update in window.updates if update.number <= window.start])
    *_, (update, predicted) = walk(rule, until, since)
    return window.misfit(update, predicted) > max(NEARLY_RIGHT, REJECTED_ABOVE * window.misfit(update, window.asked))


def secant(window: Window, rule: UpdateRule, number: str, updates: range, since: int) -> float | None:
    """The number for which the predictions, taken to be linear in it, are nearest to what was recorded.

    Weighted least squares, since small elements are rounded more finely. Of a single update, the elements that the base
    rule does not explain are used. Elements that do not follow the number (held at zero, gone across) are left out.
    """
    base = getattr(rule, number)
    step_size = 0.001 * base if base else 1e-3
    until = replace(window, updates=[update for update in window.updates if update.number < updates.stop])
    one, other = (list(walk(with_number(rule, number, k), until, since)) for k in (base, base + step_size))
    parts = [
        (
            (update.after[name] - a[name]) / (fine := window.tolerances(update)[name]),
            np.where(update.unknown.get(name, False), 0.0, (b[name] - a[name]) / fine),
            window.wrong.get(name, np.zeros(a[name].shape, bool)),
        )
        for (update, a), (_, b) in zip(one, other, strict=True)
        if update.number in updates
        for name in a
    ]
    if not parts:
        return None
    rest, slope, wrong = (np.concatenate([part[i].ravel() for part in parts]) for i in (0, 1, 2))
    keep = (slope != 0) & (wrong if len(updates) == 1 else True)
    for _ in range(5):
        if not keep.any():
            return None
        k = float((rest[keep] * slope[keep]).sum() / np.square(slope[keep]).sum())
        left = np.abs(rest - k * slope)
        keep &= left <= 10 * np.median(left[keep]) + np.finfo(float).tiny
    return float(base + k * step_size)
