"""Do two runs differ by rounding alone? Measured in updates, not in weights.

r = w⁺ − p,  |r| ≤ 3 ulp(w) + k ε s + c d

w⁺ is what the candidate's update made of its own state and p what the right update makes of it: computed by the
reference where the experiment and its data are known, otherwise the step that the reference took. 3 ulp(w) is the
rounding of the weight itself, on both sides, and of what a style remembers; s the largest step so far, k ε s the error
of a step; d is how far apart the two runs were before the update, if the gradient is that of the other's state.

That each r is small is not enough: an error of a part of an ULP in every update is a bug, too. So r must be a small
share of the steps, and must follow neither them, nor the signs of the weights (L1), nor the weights (L2).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from comparisons.agreement.traces import FLOAT32
from comparisons.diagnosis.evidence import COMPUTED, Evidence
from comparisons.diagnosis.thresholds import (
    BIAS_ULPS,
    CHANCE,
    MOST_ROUNDING,
    NO_BUG_ABOVE,
    PULLS,
    ROUNDINGS,
    STATE,
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
    fault: str  # why it is not rounding alone, or cannot be told from it; "" if it is
    unseen: str  # why a wrong L1 could not have been seen; "" if it would have been
    clear: bool  # is p what the reference makes of the candidate's own state, and does r follow nothing?

    @property
    def alone(self) -> bool:
        """Is every difference that is left rounding?"""
        return not self.fault

    @property
    def negligible(self) -> bool:
        """Is it so little of an update that no bug can hide in it?"""
        return self.alone and self.clear and not self.unseen and self.share <= NO_BUG_ABOVE


@dataclass
class Residuals:
    """What is known of one parameter's r, over the updates so far."""

    squares: float = 0.0  # Σ r²
    steps: float = 0.0  # Σ (p − w)²
    largest_step: float = 0.0
    beyond: float = 0.0  # the largest |r| / what rounding explains
    # Of the updates before which the runs were no farther apart than a rounding, with the columns of D being the step,
    # the sign of the weight, and the weight: DᵀD, Dᵀr, rᵀr, and the number of elements.
    gram: np.ndarray = field(default_factory=lambda: np.zeros((3, 3)))
    along: np.ndarray = field(default_factory=lambda: np.zeros(3))
    noise: float = 0.0
    grid: float = 0.0  # Σ ulp(w)²
    elements: int = 0

    @property
    def share(self) -> float:
        """‖r‖ / ‖steps‖; infinite where nothing should have moved."""
        return math.sqrt(self.squares / self.steps) if self.steps else math.inf if self.squares else 0.0

    @property
    def systematic(self) -> float:
        """By how large a share the steps are too long or too short, where that cannot be chance; or 0."""
        (slope, *_), (chance, *_) = self.fitted
        return abs(slope) if abs(slope) > chance else 0.0

    @property
    def fitted(self) -> tuple[np.ndarray, np.ndarray]:
        """r = a · step + b · sign w + c · w by least squares: a, b, c, and how far from 0 chance can take each."""
        if not self.noise:
            return np.zeros(3), np.zeros(3)
        if not np.isfinite(self.gram).all():
            return np.full(3, np.inf), np.zeros(3)
        inverse = np.linalg.pinv(self.gram)
        deviation = np.sqrt(np.maximum(0.0, np.diag(inverse)) * self.noise / self.elements)
        return inverse @ self.along, CHANCE * deviation

    @property
    def ulp(self) -> float:
        """Of a weight, in the mean."""
        return math.sqrt(self.grid / self.elements) if self.elements else 0.0

    @property
    def bias(self) -> float:
        """By how much rounding to one side, again and again, can make r follow the signs of the weights.

        What L1 after the step subtracts is the same in every update, and so is the error of its λ.
        """
        step = math.sqrt(max(0.0, float(self.gram[0, 0])) / self.elements) if self.elements else 0.0
        return ROUNDINGS * self.ulp + BIAS_ULPS * FLOAT32 * step

    @property
    def pull(self) -> float:
        """By how much r follows the signs of the weights or the weights, in the mean, where that cannot be chance."""
        coefficients, chance = self.fitted
        if not (np.abs(coefficients) > chance)[1:].any():
            return 0.0
        part = coefficients[1:]
        return math.sqrt(max(0.0, float(part @ self.gram[1:, 1:] @ part)) / self.elements)

    def look(
        self, before: np.ndarray, after: np.ndarray, predicted: np.ndarray, apart: float, kind: type, computed_in: type
    ) -> None:
        """One more update. apart: how far the runs were from each other before it; kind: of the grid."""
        r, step, size = after - predicted, predicted - before, np.maximum(np.abs(before), np.abs(after))
        eps, ulps = float(np.finfo(computed_in).eps), np.spacing(size.astype(kind)).astype(np.float64)
        self.largest_step = max(self.largest_step, float(np.abs(step).max(initial=0.0)))
        arithmetic = STEP_ULPS * eps * self.largest_step + STATE * apart
        self.beyond = max(self.beyond, largest_share(np.abs(r), 3 * ulps + arithmetic))
        self.squares += float(np.square(r).sum())
        self.steps += float(np.square(step).sum())
        if apart <= float(ulps.max(initial=0.0)):
            self.beyond = max(self.beyond, largest_share(rms(r), ROUNDINGS * rms(ulps) + arithmetic))
            directions = np.stack([step.ravel(), np.sign(before).ravel(), before.ravel()])
            self.gram += directions @ directions.T
            self.along += directions @ r.ravel()
            self.noise += float(np.square(r).sum())
            self.grid += float(np.square(ulps).sum())
            self.elements += r.size


def rms(values: np.ndarray) -> float:
    """√(Σ v² / n)."""
    return math.sqrt(float(np.square(values).sum()) / max(1, values.size))


def largest_share(gap: np.ndarray | float, explained: np.ndarray | float) -> float:
    """The largest gap / what explains it; infinite for NaN, and for a gap that nothing explains."""
    used = np.where(np.equal(gap, 0), 0.0, np.divide(gap, explained))
    return float(np.where(np.isfinite(used), used, np.inf).max(initial=0.0))


def rounding(evidence: Evidence) -> Rounding:
    """Is every difference of the candidate's updates rounding? One that cannot be looked at leaves it open."""
    kind = np.float32 if evidence.rounded else np.float64
    pairs, one, other = evidence.comparison.pairs, evidence.comparison.reference, evidence.comparison.candidate
    kinds = {t.columns[n].dtype for p in pairs for t, n in ((one, p.reference), (other, p.candidate))}
    computed_in = np.float64 if kinds == {np.dtype(np.float64)} else np.float32  # float64 on a grid was rounded to it
    found: dict[str, Residuals] = {p.pair.reference: Residuals() for p in evidence.comparison.parameters}
    updates = 0
    with np.errstate(all="ignore"):  # overflow and NaN count as beyond all bounds
        for before, after, predicted, apart in predictions(evidence):
            updates += 1
            for name, residuals in found.items():
                residuals.look(
                    before[name], after[name], predicted[name], max(apart.values(), default=0.0), kind, computed_in
                )
    name = max(found, key=lambda name: found[name].share)
    computed = evidence.source == COMPUTED
    wrong = fault(found, updates, evidence.comparison.last_update)
    unseen = "" if wrong or not computed else not_seen(evidence.base, found)
    pulled = any(residuals.pull for residuals in found.values())
    return Rounding(found[name].share, name, updates, wrong, unseen, computed and not pulled)


def not_seen(base: UpdateRule, found: dict[str, Residuals]) -> str:
    """Why the updates do not tell that L1 is right, in words; "" if they do.

    Without L1, or with 2 λ or ½ λ, r follows the signs of the weights, by η λ or half of it.
    """
    if not base.has_l1 or base.optimizer.normalises:
        return ""
    pull = pull_of(base)
    could = {name: abs(found[name].fitted[0][1]) + found[name].fitted[1][1] for name in base.penalised}
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


def fault(found: dict[str, Residuals], updates: int, last_update: int) -> str:
    """Why these are not rounding alone, in words; "" if they are."""
    beyond = max(found, key=lambda name: found[name].beyond)
    if found[beyond].beyond > 1:
        return f"updates of {beyond} are off by up to {found[beyond].beyond:.2g} times what rounding explains"
    follows = max(found, key=lambda name: found[name].systematic)
    pulled = max(found, key=lambda name: found[name].pull - found[name].bias)
    widest = max(found, key=lambda name: found[name].share)
    if found[pulled].pull > found[pulled].bias:
        size = f"{found[pulled].pull:.2g} in the mean"
        return f"updates of {pulled} follow the weights or their signs, by {size}, which is not chance"
    if found[follows].systematic > SYSTEMATIC:
        share = found[follows].systematic
        return f"updates of {follows} are {100 * share:.2g} % too long or too short, which is not chance"
    if found[widest].share > MOST_ROUNDING:
        share = found[widest].share
        return f"rounding is {100 * share:.2g} % of an update of {widest}: a fault of that size cannot be told from it"
    if updates < last_update:
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
