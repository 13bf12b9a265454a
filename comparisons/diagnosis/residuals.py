"""What is left of one parameter's updates, r = w⁺ − p, beside what rounding makes of them: see `rounding`."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from comparisons.agreement.traces import FLOAT32
from comparisons.diagnosis.thresholds import (
    AMPLIFIED,
    BIAS_ULPS,
    CHANCE,
    MOST_ROUNDING,
    PULLS,
    ROUNDINGS,
    STATE,
    STEP_ULPS,
    UNRELATED,
)


class Conditions(NamedTuple):
    """What is the same for all parameters in an update."""

    apart: float  # how far the runs were from each other before it
    floor: float  # what rounding alone can be as a step
    normalised: bool  # is a gradient divided by its size, so that a step of rounding is as large as any?
    kind: type  # of the grid
    eps: float  # of the type that is computed in


@dataclass
class Fit:
    """r = a · step + b · sign w + c · w by least squares, over some updates of a parameter."""

    # with the columns of D being the step, the sign of the weight, and the weight: DᵀD, Dᵀr, rᵀr, how many elements
    gram: np.ndarray = field(default_factory=lambda: np.zeros((3, 3)))
    along: np.ndarray = field(default_factory=lambda: np.zeros(3))
    noise: float = 0.0
    grid: float = 0.0  # Σ ulp(w)²
    elements: int = 0

    def add(self, r: np.ndarray, step: np.ndarray, before: np.ndarray, ulps: np.ndarray) -> None:
        """One more update."""
        directions = np.stack([step.ravel(), np.sign(before).ravel(), before.ravel()])
        self.gram += directions @ directions.T
        self.along += directions @ r.ravel()
        self.noise += float(np.square(r).sum())
        self.grid += float(np.square(ulps).sum())
        self.elements += r.size

    @property
    def systematic(self) -> float:
        """By how large a share the steps are too long or too short, where that cannot be chance; or 0."""
        (slope, *_), (chance, *_) = self.fitted
        return abs(slope) if abs(slope) > chance else 0.0

    @property
    def fitted(self) -> tuple[np.ndarray, np.ndarray]:
        """a, b, c, and how far from 0 chance can take each."""
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


@dataclass
class Residuals:
    """What is known of one parameter's r, over the updates so far."""

    size: int  # elements of the parameter
    squares: float = 0.0  # Σ r²
    steps: float = 0.0  # Σ (p − w)²
    largest_step: float = 0.0
    moved: float = 0.0  # the candidate's largest step
    floor: float = 0.0  # a step of this size, beside the largest of the network, is rounding itself
    beyond: float = 0.0  # the largest |r| / what rounding explains
    gross: float = 0.0  # the largest r of an update / what rounding and a small share of the step explain
    strayed: float = 0.0  # the same, where being apart before the update explains nothing
    amplified: float = 0.0  # the same as gross, of steps that may be rounding, divided by its own size
    near: Fit = field(default_factory=Fit)  # of the updates before which the runs were no farther apart than a rounding
    all: Fit = field(default_factory=Fit)  # of all: there r has the errors of being apart, too

    @property
    def share(self) -> float:
        """‖r‖ / ‖steps‖; infinite where nothing should have moved."""
        return math.sqrt(self.squares / self.steps) if self.steps else math.inf if self.squares else 0.0

    @property
    def judged(self) -> bool:
        """Are its steps more than rounding? A bias before a normalisation has a gradient of 0 and roundings."""
        largest = max(self.largest_step, self.moved)
        return largest == 0 or largest > self.floor

    def look(self, before: np.ndarray, after: np.ndarray, predicted: np.ndarray, under: Conditions) -> None:
        """One more update."""
        apart, floor, normalised, kind, eps = under
        r, step, size = after - predicted, predicted - before, np.maximum(np.abs(before), np.abs(after))
        ulps = np.spacing(size.astype(kind)).astype(np.float64)
        self.largest_step = max(self.largest_step, float(np.abs(step).max(initial=0.0)))
        self.moved = max(self.moved, float(np.abs(after - before).max(initial=0.0)))
        self.floor = max(self.floor, floor)
        arithmetic = STEP_ULPS * eps * self.largest_step + floor
        explained = arithmetic + STATE * apart
        near = apart <= float(ulps.max(initial=0.0))
        beyond = largest_share(np.abs(r), 3 * ulps + explained)
        if near:
            beyond = max(beyond, largest_share(rms(r), ROUNDINGS * rms(ulps) + explained))
        most = MOST_ROUNDING * np.abs(step).max(initial=0.0)
        if normalised:
            # a weight near 0 may have had another sign, which L1 pulled the other way, and the optimizer remembers it
            signs = r.ndim > 1 and apart > 0
            left = np.where(np.abs(before) <= PULLS * self.largest_step, 0.0, r) if signs else r
            small = rms(step) * (MOST_ROUNDING if r.ndim <= 1 else AMPLIFIED)
            half = float(np.median(shares(np.abs(left), 3 * ulps + explained))) if r.size else 0.0
            gross = max(half, largest_share(rms(left), 3 * rms(ulps) + small + explained))
        elif apart:
            gross = largest_share(np.abs(r), 3 * ulps + most + explained)
        else:  # nothing makes an error of rounding larger
            gross = beyond
        if normalised and r.ndim <= 1 and unrelated(step, after - before):
            self.amplified = max(self.amplified, gross)
        else:
            self.gross = max(self.gross, gross)
        self.beyond = max(self.beyond, beyond)
        self.strayed = max(self.strayed, largest_share(rms(r), 3 * rms(ulps) + MOST_ROUNDING * rms(step) + arithmetic))
        self.squares += float(np.square(r).sum())
        self.steps += float(np.square(step).sum())
        for fit in [self.near, self.all] if near else [self.all]:
            fit.add(r, step, before, ulps)


def unrelated(one: np.ndarray, other: np.ndarray) -> bool:
    """Have two steps nothing in common? A second one that is 0 is no step; the first may have been rounded to 0."""
    sizes = float(np.sqrt(np.square(one).sum() * np.square(other).sum()))
    return bool(other.any()) and (sizes == 0 or abs(float((one * other).sum())) < UNRELATED * sizes)


def rms(values: np.ndarray) -> float:
    """√(Σ v² / n)."""
    return math.sqrt(float(np.square(values).sum()) / max(1, values.size))


def shares(gap: np.ndarray | float, explained: np.ndarray | float) -> np.ndarray:
    """Each gap / what explains it; infinite for NaN, and for a gap that nothing explains."""
    used = np.where(np.equal(gap, 0), 0.0, np.divide(gap, explained))
    return np.where(np.isfinite(used), used, np.inf)


def largest_share(gap: np.ndarray | float, explained: np.ndarray | float) -> float:
    """The largest of these; 0 where there are no elements."""
    return float(shares(gap, explained).max(initial=0.0))
