"""Do two runs differ by rounding alone? Measured in updates, not in weights.

r = w⁺ − p,  |r| ≤ 2 ulp(w) + k ε s + 8 d

w⁺ is what the candidate's update made of its own state and p what the right update makes of it: computed by the
reference where the experiment and its data are known, otherwise the step that the reference took. 2 ulp(w) is the
rounding of the weight itself, on both sides; s the largest step so far, k ε s the error of a step; d is how far apart
the two runs were before the update, if the gradient is that of the other's state.

That each r is small is not enough: an error of a part of an ULP in every update is a bug, too. So r must be a small
share of the steps, and must follow neither the step, nor the sign of the weight, nor the weight.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from comparisons.agreement.traces import MOST_SHARE
from comparisons.diagnosis.evidence import COMPUTED, Evidence
from comparisons.diagnosis.thresholds import CHANCE, ROUNDINGS, STEP_ULPS, SYSTEMATIC
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


@dataclass
class Residuals:
    """What is known of one parameter's r, over the updates so far."""

    squares: float = 0.0  # Σ r²
    steps: float = 0.0  # Σ (p − w)²
    largest_step: float = 0.0
    beyond: float = 0.0  # the largest |r| / what rounding explains
    # Of the updates before which the runs were no farther apart than a rounding: Σ r·a and Σ a² with a = the step, the
    # sign of the weight, and the weight; Σ r², and the number of elements.
    along: np.ndarray = field(default_factory=lambda: np.zeros(3))
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(3))
    noise: float = 0.0
    elements: int = 0

    @property
    def share(self) -> float:
        """‖r‖ / ‖steps‖; infinite where nothing should have moved."""
        return math.sqrt(self.squares / self.steps) if self.steps else math.inf if self.squares else 0.0

    @property
    def systematic(self) -> float:
        """How large a share of the steps follows one of the three directions, where that cannot be chance; or 0."""
        with np.errstate(all="ignore"):
            slopes = np.abs(self.along / self.lengths)
            deviations = slopes * np.sqrt(self.lengths * self.elements / self.noise)
            shares = slopes * np.sqrt(self.lengths / self.lengths[0])
            return float(np.where(deviations > CHANCE, np.nan_to_num(shares), 0.0).max())

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
            for i, direction in enumerate((step, np.sign(before), before)):
                self.along[i] += float((r * direction).sum())
                self.lengths[i] += float(np.square(direction).sum())
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
        return f"updates of {follows} are off by {100 * share:.2g} % of themselves, always in the same direction"
    if found[widest].share > MOST_SHARE:
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
