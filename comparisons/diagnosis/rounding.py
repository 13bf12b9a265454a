"""Do two runs differ by rounding alone? Measured in updates, not in weights.

r = w⁺ − p,  |r| ≤ 3 ulp(w) + k ε s + c d

w⁺ is what the candidate's update made of its own state and p what the right update makes of it: computed by the
reference where the experiment and its data are known, otherwise the step that the reference took. 3 ulp(w) is the
rounding of the weight itself, on both sides, and of what a style remembers; s the largest step so far, k ε s the error
of a step; d is how far apart the two runs were before the update, if the gradient is that of the other's state.

That each r is small is not enough: an error of a part of an ULP in every update is a bug, too. So r must be a small
share of the steps, and must follow neither them, nor the signs of the weights (L1), nor the weights (L2).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from comparisons.agreement.beside import FLOOR_ULPS
from comparisons.agreement.traces import FLOAT32
from comparisons.diagnosis.evidence import COMPUTED, Evidence
from comparisons.diagnosis.residuals import Conditions, Residuals
from comparisons.diagnosis.thresholds import (
    BIAS_ULPS,
    ENOUGH,
    EQUAL_STEPS,
    MOST_ROUNDING,
    NO_BUG_ABOVE,
    PULLS,
    STEP_ULPS,
    SYSTEMATIC,
    WRONG_LAMDA,
)
from comparisons.diagnosis.update_rule import UpdateRule
from comparisons.diagnosis.updates import largest_gaps, moments
from comparisons.diagnosis.window import follow
from comparisons.runs.names import ArraysByName


@dataclass(frozen=True)
class Rounding:
    """How the remaining differences of two runs compare with rounding."""

    share: float  # the largest ‖r‖ / ‖steps‖ of a parameter, over all updates
    parameter: str  # which one
    updates: int  # that could be looked at
    fault: str  # why it is not rounding alone; "" if it can be
    below: tuple[str, ...]  # parameters whose steps are rounding, so that there is nothing to judge
    untold: str  # why a fault, or a wrong L1, could not have been told from rounding; "" if it would have been
    clear: bool  # is p what the reference makes of the candidate's own state, and does r follow nothing?

    @property
    def alone(self) -> bool:
        """Can every difference that is left be rounding?"""
        return not self.fault

    @property
    def negligible(self) -> bool:
        """Is it so little of an update that no bug can hide in it?"""
        return self.alone and self.clear and not self.untold and self.share <= NO_BUG_ABOVE


def rounding(evidence: Evidence) -> Rounding:
    """Is every difference of the candidate's updates rounding? One that cannot be looked at leaves it open."""
    kind = np.float32 if evidence.rounded else np.float64
    pairs, one, other = evidence.comparison.pairs, evidence.comparison.reference, evidence.comparison.candidate
    kinds = {t.columns[n].dtype for p in pairs for t, n in ((one, p.reference), (other, p.candidate))}
    computed_in = np.float64 if kinds == {np.dtype(np.float64)} else np.float32  # float64 on a grid was rounded to it
    eps = float(np.finfo(computed_in).eps)
    found: dict[str, Residuals] = {p.pair.reference: Residuals(p.elements) for p in evidence.comparison.parameters}
    updates, largest, normalised = 0, 0.0, False
    with np.errstate(all="ignore"):  # overflow and NaN count as beyond all bounds
        for before, after, predicted, gaps in predictions(evidence):
            updates += 1
            steps = {name: np.abs(predicted[name] - before[name]) for name in found}
            normalised = normalised or (updates == 1 and of_one_size(steps))
            largest = max(largest, *(float(step.max(initial=0.0)) for step in steps.values()))
            apart, floor = max(gaps.values(), default=0.0), FLOOR_ULPS * eps * largest
            for name, residuals in found.items():
                under = Conditions(apart, floor, normalised, kind, eps)
                residuals.look(before[name], after[name], predicted[name], under)
    below = tuple(name for name, residuals in found.items() if not residuals.judged)
    judged = {name: residuals for name, residuals in found.items() if name not in below} or found
    amplified = few(judged)
    judged = {name: residuals for name, residuals in judged.items() if name not in amplified}
    name = max(judged, key=lambda name: judged[name].share)
    computed = evidence.source == COMPUTED
    wrong = fault(judged, updates, evidence.comparison.last_update)
    untold = "" if wrong else not_told(judged, amplified) or (not_seen(evidence.base, found) if computed else "")
    fits = [residuals.near for residuals in found.values()]
    follows = any(fit.pull or fit.systematic > BIAS_ULPS * FLOAT32 for fit in fits)
    clear = computed and not below and not follows
    return Rounding(judged[name].share, name, updates, wrong, below, untold, clear)


def of_one_size(steps: ArraysByName) -> bool:
    """Are these steps of a first update nearly all as long as the longest?"""
    sizes = np.concatenate([step.ravel() for step in steps.values()])
    sizes = sizes[sizes > 0]
    return len(sizes) >= ENOUGH and float(np.median(sizes)) >= EQUAL_STEPS * float(sizes.max())


def few(found: Mapping[str, Residuals]) -> list[str]:
    """Vectors with steps that may be rounding, where a gradient of rounding makes a full step: a bias of no effect.

    They are few beside the rest: what is wrong in the forward pass or the loss is seen in most of a network.
    """
    names = [name for name, residuals in found.items() if residuals.amplified > 1]
    return names if 2 * sum(found[name].size for name in names) < sum(r.size for r in found.values()) else []


def not_told(found: Mapping[str, Residuals], amplified: Sequence[str]) -> str:
    """Why a fault of this size cannot be told from rounding, in words; "" if it can."""
    if amplified:
        names = ", ".join(amplified)
        return f"steps of {names} may be rounding, divided by its own size: a fault cannot be told from it"
    times = {name: max(residuals.beyond, residuals.strayed) for name, residuals in found.items()}
    beyond = max(times, key=lambda name: times[name])
    if times[beyond] > 1:
        much = f"up to {times[beyond]:.2g} times what rounding explains"
        return f"updates of {beyond} are off by {much}, and by a small part of a step: a fault cannot be told from it"
    for name, residuals in found.items():
        if residuals.all.pull > residuals.all.bias or residuals.all.systematic > SYSTEMATIC:
            return (
                f"updates of {name} follow the steps or the weights, once the runs are apart: a fault may do that, too"
            )
    widest = max(found, key=lambda name: found[name].share)
    if found[widest].share > MOST_ROUNDING:
        share = found[widest].share
        return f"rounding is {100 * share:.2g} % of an update of {widest}: a fault of that size cannot be told from it"
    return ""


def not_seen(base: UpdateRule, found: dict[str, Residuals]) -> str:
    """Why the updates do not tell that L1 is right, in words; "" if they do.

    Without L1, or with 2 λ or ½ λ, r follows the signs of the weights, by η λ or half of it.
    """
    if not base.has_l1 or base.optimizer.normalises:
        return ""
    pull = pull_of(base)
    could = {name: abs(found[name].near.fitted[0][1]) + found[name].near.fitted[1][1] for name in base.penalised}
    name = max(could, key=lambda name: could[name], default="")
    if not name or could[name] < WRONG_LAMDA * pull:
        return ""
    return f"λ pulls {name} by {pull:.2g} in every update, and up to {could[name]:.2g} can be hidden in rounding"


def pull_of(base: UpdateRule) -> float:
    """By how much L1 moves a weight in an update."""
    if base.style.after_step:
        one = np.ones(1)
        return float((one - base.style.after_step(one, one, base.lr, base.lamda))[0])
    counts = 1 - base.beta if base.optimizer.accumulates and base.style.on_gradient else 1.0
    return base.lr * base.lamda / counts


def fault(found: Mapping[str, Residuals], updates: int, last_update: int) -> str:
    """Why these are not rounding alone, in words; "" if they can be."""
    gross = max(found, key=lambda name: max(found[name].gross, found[name].amplified))
    if max(found[gross].gross, found[gross].amplified) > 1:
        return f"updates of {gross} are off by up to {found[gross].beyond:.2g} times what rounding explains"
    follows = max(found, key=lambda name: found[name].near.systematic)
    pulled = max(found, key=lambda name: found[name].near.pull - found[name].near.bias)
    if found[pulled].near.pull > found[pulled].near.bias:
        size = f"{found[pulled].near.pull:.2g} in the mean"
        return f"updates of {pulled} follow the weights or their signs, by {size}, which is not chance"
    if found[follows].near.systematic > SYSTEMATIC:
        share = found[follows].near.systematic
        return f"updates of {follows} are {100 * share:.2g} % too long or too short, which is not chance"
    if updates < max(last_update, 1):
        return f"only {updates:,} of {last_update:,} updates were recorded before and after"
    return ""


def predictions(evidence: Evidence) -> Iterator[tuple[ArraysByName, ArraysByName, ArraysByName, dict[str, float]]]:
    """Of every update: the candidate's state before and after, what is right after it, and how far the runs were apart.

    Right is what the base rule makes of the gradient computed at the candidate's own state; otherwise the step that the
    reference took. There, a weight with another sign in the other run is pulled the other way, which is right, as long
    as the two are no farther apart than such pulls take them.
    """
    if evidence.source == COMPUTED:
        for update, right in follow(evidence.base, evidence.base, evidence.updates(0), {}):
            yield update.before, update.after, right, {}
        return
    for _, (known, expected), (before, after), _ in moments(evidence.comparison, 0):
        right = {}
        for name, w in before.items():
            step = expected[name] - known[name]
            other_sign = np.sign(w) != np.sign(known[name])
            error = STEP_ULPS * float(np.finfo(np.float32).eps) * np.abs(step).max(initial=0.0)
            near = np.abs(after[name] - expected[name]) <= PULLS * np.abs(step) + error
            right[name] = np.where(other_sign & near, after[name], w + step)
        yield before, after, right, largest_gaps(known, before)
