"""Do two runs differ by rounding alone? Measured in updates, not in weights.

r = w⁺ − p,  |r| ≤ 2 ulp(w) + k ε s + 8 d

w⁺ is what the candidate's update made of its own state and p what the right update makes of it: computed by the
reference where the experiment and its data are known, otherwise the step that the reference took. 2 ulp(w) is the
rounding of the weight itself, on both sides; s the largest step so far, k ε s the error of a step; d is how far apart
the two runs were before the update, if the gradient is that of the other's state.

That each r is small is not enough: an error of a part of an ULP in every update is a bug, too. So r must be a small
share of the steps, and must not follow them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from comparisons.diagnosis.evidence import COMPUTED, Evidence
from comparisons.diagnosis.thresholds import CHANCE, MOST_ROUNDING, NO_BUG_ABOVE, ROUNDINGS, STEP_ULPS, SYSTEMATIC
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

    @property
    def alone(self) -> bool:
        """Is every difference that is left rounding?"""
        return not self.fault

    @property
    def negligible(self) -> bool:
        """Is it so little of an update that no bug can hide in it?"""
        return self.alone and self.share <= NO_BUG_ABOVE


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
    elements: int = 0

    @property
    def share(self) -> float:
        """‖r‖ / ‖steps‖; infinite where nothing should have moved."""
        return math.sqrt(self.squares / self.steps) if self.steps else math.inf if self.squares else 0.0

    @property
    def systematic(self) -> float:
        """By how large a share the steps are too long or too short, where that cannot be chance; or 0.

        r = a · step + b · sign w + c · w by least squares: what L1 after the step subtracts is always rounded the same
        way, so that b and c are no sign of a bug.
        """
        if not self.noise:
            return 0.0
        inverse = np.linalg.pinv(self.gram)
        slope = float((inverse @ self.along)[0])
        deviation = math.sqrt(max(0.0, float(inverse[0, 0])) * self.noise / self.elements)
        return abs(slope) if abs(slope) > CHANCE * deviation else 0.0

    def look(self, before: np.ndarray, after: np.ndarray, predicted: np.ndarray, apart: float, kind: type) -> None:
        """One more update. apart: how far the runs were from each other before it; kind: of the grid."""
        r, step, size = after - predicted, predicted - before, np.maximum(np.abs(before), np.abs(after))
        eps, ulps = float(np.finfo(kind).eps), np.spacing(size.astype(kind)).astype(np.float64)
        self.largest_step = max(self.largest_step, float(np.abs(step).max(initial=0.0)))
        arithmetic = STEP_ULPS * eps * self.largest_step + 8 * apart
        self.beyond = max(self.beyond, largest_share(np.abs(r), 2 * ulps + arithmetic))
        self.squares += float(np.square(r).sum())
        self.steps += float(np.square(step).sum())
        if apart <= float(ulps.max(initial=0.0)):
            self.beyond = max(self.beyond, largest_share(rms(r), ROUNDINGS * rms(ulps) + arithmetic))
            directions = np.stack([step.ravel(), np.sign(before).ravel(), before.ravel()])
            self.gram += directions @ directions.T
            self.along += directions @ r.ravel()
            self.noise += float(np.square(r).sum())
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
    found: dict[str, Residuals] = {p.pair.reference: Residuals() for p in evidence.comparison.parameters}
    updates = 0
    with np.errstate(all="ignore"):  # overflow and NaN count as beyond all bounds
        for before, after, predicted, apart in predictions(evidence):
            updates += 1
            for name, residuals in found.items():
                residuals.look(before[name], after[name], predicted[name], max(apart.values(), default=0.0), kind)
    name = max(found, key=lambda name: found[name].share)
    return Rounding(found[name].share, name, updates, fault(found, updates, evidence.comparison.last_update))


def fault(found: dict[str, Residuals], updates: int, last_update: int) -> str:
    """Why these are not rounding alone, in words; "" if they are."""
    beyond = max(found, key=lambda name: found[name].beyond)
    follows = max(found, key=lambda name: found[name].systematic)
    widest = max(found, key=lambda name: found[name].share)
    if found[beyond].beyond > 1:
        return f"updates of {beyond} are off by up to {found[beyond].beyond:.2g} times what rounding explains"
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
    reference took. There, a weight with another sign in the other run is pulled the other way, which is right.
    """
    if evidence.source == COMPUTED:
        for update, right in follow(evidence.base, evidence.base, evidence.updates(0), {}):
            yield update.before, update.after, right, {}
        return
    for _, (known, expected), (before, after), _ in moments(evidence.comparison, 0):
        right = {}
        for name, w in before.items():
            same_sign = np.sign(w) == np.sign(known[name])
            right[name] = np.where(same_sign, w + (expected[name] - known[name]), after[name])
        yield before, after, right, largest_gaps(known, before)
