"""Which implementation difference turns one run into the other?

Every row of `hypotheses.HYPOTHESES` is asked to predict the candidate's updates from the candidate's own states. The
rule that should have been used fails at some update. A rule that predicts that update, those before it and those after
it is an explanation. Several may fit equally well: all of them are said. If none does, that is said.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

import numpy as np

from comparisons.diagnosis.batches import of_recorded_items, of_start, other_items
from comparisons.diagnosis.evidence import Evidence
from comparisons.diagnosis.fit import fitted, with_number
from comparisons.diagnosis.forms import Known
from comparisons.diagnosis.hypotheses import HYPOTHESES, Explanation
from comparisons.diagnosis.thresholds import AS_ASKED, AS_GOOD, BEGINNINGS, LATE, NO_LAMDA
from comparisons.diagnosis.window import Window, gap, open_window, walk


@dataclass(frozen=True)
class Diagnosis:
    """What explains the difference of two runs, of which a window of updates was looked at."""

    window: Window
    explanations: list[Explanation]  # best first

    @property
    def update(self) -> int | None:
        """The first update that the base rule does not predict; None: it predicts all of them."""
        return self.window.first_wrong

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that it does not predict there."""
        return tuple(self.window.wrong)


def diagnose(evidence: Evidence) -> Diagnosis:
    """The explanations of the start, of the items and of the candidate's updates.

    Updates are first taken to be right to the last bits, then, if nothing explains them, to float32's arithmetic.
    """
    with np.errstate(all="ignore"):  # rules that do not fit may overflow
        for float32_arithmetic in (False, True):
            window = open_window(evidence, float32_arithmetic)
            found = explanations(window) if window.first_wrong else []
            if any(e.value is not None for e in found) and not matters(window):
                found = [e for e in found if e.value is None]
            if found or window.first_wrong is None:
                break
    return Diagnosis(window, [*of_start(evidence), *of_recorded_items(evidence), *found])


def matters(window: Window) -> bool:
    """Is the base rule wrong by more than float32's arithmetic, or in every other update from the first wrong one on?

    A smaller, occasional misfit is not to be explained by a number that happens to fit.
    """
    wider = replace(window, float32_arithmetic=True)
    since = [pair for pair in walk(window.evidence.base, window) if pair[0].number >= window.start]
    wrong = [window.misfit(*pair) > 1 for pair in since]
    return 2 * sum(wrong) >= len(wrong) or any(wider.misfit(*pair) > 1 for pair in since)


def explanations(window: Window) -> list[Explanation]:
    """All hypotheses that hold; the rarer kinds of them are tried only where no common one holds."""
    if not all(np.isfinite(array).all() for array in window.from_first_wrong().updates[0].after.values()):
        return []
    known, since = known_of(window), window.start
    rows = [(key, row) for key, row in HYPOTHESES.items() if not row.where or attrgetter(row.where)(known)]
    common = [Explanation(key, form) for key, row in rows for form in row.forms(known)]
    rare = [Explanation(key, form) for key, row in rows for form in row.rare_forms(known)]
    late = since - window.updates[0].number >= LATE
    steady = [e for e in common if not (late and e.hypothesis.shows_at_once)]
    numbers = [e for e in common if e.number]
    scaled = [e for e in numbers if e.hypothesis.any_scale]

    def holding(tried: list[Explanation], since: int = 0, beginning: float | None = None) -> list[Explanation]:
        return [found for e in tried if (found := explain(window, e, since, beginning))]

    # an optimizer without memory moves a weight in proportion to a number: one beginning will do
    beginnings = BEGINNINGS if known.base.optimizer.remembers else BEGINNINGS[:1]
    stages: list[Callable[[], list[Explanation]]] = [
        lambda: holding(steady),
        lambda: holding(common, since) if late else [],
        lambda: list(other_items(window)),
        *(partial(holding, numbers if k == 1 else scaled, beginning=k) for k in beginnings),
        lambda: holding(rare),
    ]
    found = next((found for stage in stages if (found := stage())), [])
    least = min((e.residual for e in found), default=0.0)
    return [e for e in found if not window.float32_arithmetic or e.residual <= AS_GOOD * least]


def known_of(window: Window) -> Known:
    """What is known before any hypothesis is tried."""
    base, later = window.evidence.base, window.from_first_wrong().updates
    shapes = {name: array.shape for name, array in window.updates[0].before.items()}
    return Known(
        base,
        shapes,
        gradients=[name for name in later[0].gradients if name],
        biases=[name for name in shapes if name not in base.weights],
        unmoved=[n for n in shapes if all(np.array_equal(update.before[n], update.after[n]) for update in later)],
        rates_known=window.evidence.rates_known,
        zeros=any((update.before[name] == 0).any() for update in window.updates for name in base.penalised),
    )


def explain(window: Window, tried: Explanation, since: int, beginning: float | None) -> Explanation | None:
    """The hypothesis with its number, if it predicts every update of the window; None otherwise."""
    if tried.hypothesis.one_update:
        since = window.start
    base, rule, number = window.evidence.base, tried.variant.rule, tried.number
    value = fitted(window, tried, since, beginning) if number else None
    if number:
        if value is None or (rule == base and as_asked(value, getattr(base, number), number)):
            return None
        rule = with_number(rule, number, value)
    if rule == base:
        return None
    residual, updates = 0.0, 0
    for update, predicted in walk(rule, window, since):
        if window.misfit(update, predicted) > 1 or window.unchanged(update, predicted):
            return None
        residual = max(residual, gap(update, predicted))
        updates += 1
    if updates < len(window.updates):
        return None
    predicts = window.updates[0].number, window.updates[-1].number
    return replace(tried, value=value, residual=residual, updates=predicts, since=since)


def as_asked(value: float, asked: float, number: str) -> bool:
    """Is the fitted number the one that was asked for, or a λ that is next to nothing?"""
    negligible = number in ("lamda", "l2") and abs(value) < NO_LAMDA * asked
    return abs(value - asked) < AS_ASKED * abs(asked) or negligible
