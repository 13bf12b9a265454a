"""Which implementation difference turns one run into the other?

Every practice of `practice.changes` is asked to predict the candidate's updates from the candidate's own states. The
one that should have been used must fail at some update; what predicts that one, those before it and those after it, is
an explanation. Several may fit equally well: then all are said. If none does, that is said.
"""

from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from comparisons.diagnosis.batches import of_items, of_start, other_items
from comparisons.diagnosis.evidence import COMPUTED, RECORDED, Evidence
from comparisons.diagnosis.fit import BEGINNINGS, fitted, with_number
from comparisons.diagnosis.update_rules import AROUND, Change, Explanation, changes, rarer
from comparisons.diagnosis.window import BEYOND, Case, gap, open_case, walk
from reference.l1 import STYLES
from reference.optimizers import sgd

EQUALLY = 10  # a loose explanation is dropped whose residual is so many times that of the best


@dataclass(frozen=True)
class Diagnosis:
    """What explains the difference of two runs."""

    update: int | None  # the first that the base practice does not explain; None: it explains all of them
    parameters: tuple[str, ...]  # which it does not explain there
    updates: int  # so many were looked at
    last: int  # the last of them
    loose: bool  # was that told with the tolerance of float32 arithmetic?
    residual: float  # max |predicted − recorded| of what is explained by the base practice
    sign_event: int | None  # the first update before which a weight had another sign in the other run
    held: int | None  # the first update that differs where L1 holds a weight at 0, and no gradient is known
    explanations: list[Explanation]


def diagnose(evidence: Evidence) -> Diagnosis:
    """The explanations of the start, and of the candidate's updates: right to the last bits, else to rounding."""
    with np.errstate(all="ignore"):  # practices that do not fit may overflow
        for loose in (False, True):
            case = open_case(evidence, loose)
            found = explanations(case) if case.update else []
            if any(e.value is not None for e in found) and not matters(case):
                found = [e for e in found if e.value is None]
            if found or case.update is None:
                break
    return Diagnosis(
        case.update,
        tuple(case.wrong),
        case.looked_at,
        case.steps[-1].update if case.steps else 0,
        case.loose,
        case.residual,
        case.sign_event,
        case.held,
        [*of_start(evidence), *of_items(evidence), *found],
    )


def matters(case: Case) -> bool:
    """Is the base practice wrong by more than float32 arithmetic can be, or else in every other update from there on?

    What is wrong by less, now and then, is not to be explained by a number that happens to fit.
    """
    loosely = replace(case, loose=True)
    since = [pair for pair in walk(case.evidence.base, case) if pair[0].update >= (case.update or 0)]
    wrong = [max(case.misfit(*pair).values()) > 1 for pair in since]
    return 2 * sum(wrong) >= len(wrong) or any(max(loosely.misfit(*pair).values()) > 1 for pair in since)


def lamda_acts(evidence: Evidence) -> bool:
    """Would the first updates be others without L1? True where that cannot be told from the evidence."""
    if not evidence.base.pulls or evidence.source not in (COMPUTED, RECORDED):
        return True
    case = Case(evidence, False, list(islice(evidence.steps(0), BEYOND)))
    without = replace(evidence.base, style=STYLES["none"])
    with np.errstate(all="ignore"):
        return any(max(case.misfit(step, after).values()) > 1 for step, after in walk(without, case))


LATE = 10  # so many updates are right before it can be said that something was done otherwise from then on
AT_ONCE = ("optimizer", "β", "dampening")  # kinds of changes that show in the first updates


def explanations(case: Case) -> list[Explanation]:
    """All that fit, with one thing changed; else, with one from this update on; else other items; else rarer things."""
    shapes = {name: array.shape for name, array in case.steps[0].before.items()}
    update = case.update or 0
    later = case.later().steps
    if not all(np.isfinite(array).all() for array in later[0].after.values()):
        return []
    variants = [name for name in later[0].gradients if name]
    still = [n for n in shapes if all(np.array_equal(step.before[n], step.after[n]) for step in later)]
    base = case.evidence.base
    zeros = any((step.before[name] == 0).any() for step in case.steps for name in base.penalised)
    looked_for = list(changes(base, shapes, variants, still, case.evidence.known, zeros))
    free = [change for change in looked_for if change.free]
    multiplied = [change for change in free if change.kind in ("λ", "loss", "λ₂", "clipping")]
    late = update - case.steps[0].update >= LATE
    always = [change for change in looked_for if not (late and change.kind in AT_ONCE)]
    found = [e for change in always if (e := explain(case, change))]
    if late:
        found = found or [e for change in looked_for if (e := explain(case, change, update))]
    found = found or list(other_items(case))
    for beginning in BEGINNINGS[: 1 if base.step is sgd else None]:  # where a step is in proportion, one will do
        tried = free if beginning == 1 else multiplied
        found = found or [e for change in tried if (e := explain(case, change, beginning=beginning))]
    found = found or [e for change in rarer(base) if (e := explain(case, change))]
    least = min((e.residual for e in found), default=0.0)
    return [e for e in found if not case.loose or e.residual <= EQUALLY * least]


def explain(case: Case, change: Change, since: int = 0, beginning: float | None = None) -> Explanation | None:
    """The change as an explanation, if there is a number with which it predicts every step."""
    if change.what in AROUND:
        since = case.update or 0
    value = fitted(case, change, since, beginning) if change.free else None
    p = change.practice if value is None else with_number(change.practice, change.free, value)
    if p == case.evidence.base or (
        change.kind in ("η", "loss", "λ", "λ₂", "L2", "β", "dampening") and as_asked(case, change, value)
    ):
        return None
    residual, updates = 0.0, 0
    for step, predicted in walk(p, case, since):
        if max(case.misfit(step, predicted).values()) > 1 or case.unchanged(step, predicted):
            return None
        residual = max(residual, gap(step, predicted))
        updates += 1
    if updates < len(case.steps):
        return None
    return Explanation(change, value, residual, (case.steps[0].update, case.steps[-1].update), since)


NO_LAMDA = 1e-5  # of the λ that was asked for: what is fitted where there is no L1 at all
AS_ASKED = 1e-4  # a number that is so little off is what was asked for, fitted to roundings


def as_asked(case: Case, change: Change, value: float | None) -> bool:
    """Is the fitted number nothing else than what was asked for, or λ nothing at all?"""
    asked = getattr(case.evidence.base, change.free)
    return (
        value is None
        or abs(value - asked) < AS_ASKED * abs(asked)
        or (change.kind in ("λ", "λ₂", "L2") and abs(value) < NO_LAMDA * asked)
    )
