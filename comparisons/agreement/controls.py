"""Would a wrong L1 have been seen? Each of five is computed until an update shows it.

A run that a candidate with such a fault would pass is not judged, instead of being called equal. That happens only
where the fault changes every value of every update by less than rounding can. Where 2 λ or ½ λ change nothing at all,
even before rounding, they are no other training: λ made all weights 0, and they stay so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

import reference.train
from comparisons.agreement.bits import differing_bits
from comparisons.agreement.free_run import flatten
from comparisons.agreement.tolerances import Gaps, gaps, tolerances
from reference.data import Dataset
from reference.experiment import Experiment, Memory, State, draw, rates, start
from reference.l1 import STYLES
from reference.train import Step

OWN_ROUNDINGS = 4  # of a value, by both sides in one update


def with_lamda(factor: float) -> Step:
    """The right update with another λ."""

    def step(state: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
        return reference.train.update(state, x, t, replace(experiment, lamda=experiment.lamda * factor))

    return step


missing = with_lamda(0.0)


def reversed_sign(state: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
    """p − (w⁺ − p): as far from p, the update without L1, as the right one, on the other side."""
    right, without = reference.train.update(state, x, t, experiment), missing(state, x, t, experiment)
    sides = zip(right.parameters, without.parameters, strict=True)
    return without._replace(parameters=[(V - (W - V), c) for (W, _), (V, c) in sides])


def biases_too(state: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
    """The right update of the weights, and biases updated as weights are."""
    after = reference.train.update(state, x, t, experiment)
    slopes = reference.train.gradients(state.parameters, x, t, experiment)
    by, rates_now = reference.train.rule(experiment)._replace(l2=0.0), rates(experiment, state.updates)
    parameters, memory = [], []
    layers = zip(state.parameters, slopes, state.memory, after.parameters, after.memory, strict=True)
    for (_, b), (_, db), known, (W, _), known_after in layers:
        c, of_b, _ = reference.train.update_weight(b, db, *rates_now, by, Memory(W=known.b))
        parameters.append((W, c))
        memory.append(known_after._replace(b=of_b))
    return after._replace(parameters=parameters, memory=memory)


MISSING = "L1 missing"
WRONG_L1: Mapping[str, Step] = {
    MISSING: missing,
    "its sign reversed": reversed_sign,
    "2 λ": with_lamda(2.0),
    "½ λ": with_lamda(0.5),
    "L1 on biases too": biases_too,
}


@dataclass(frozen=True)
class NotJudged:
    """A fault that was not seen, in the value that was farthest from it, measured by what rounding can do there."""

    fault: str
    largest_change: float
    rounding_error: float  # of the same value, in the same update

    def __str__(self) -> str:
        sizes = f"by {self.largest_change:.2g} where rounding can by {self.rounding_error:.2g}"
        return f"{self.fault} changes no value by more than rounding can, at most {sizes}"


def own_rounding(before: np.ndarray, after: np.ndarray, kind: np.finfo) -> np.ndarray:
    """What both sides' rounding of the value itself can do in one update. kind: of the type in which both compute."""
    return OWN_ROUNDINGS * (float(kind.eps) * np.maximum(np.abs(before), np.abs(after)) + float(kind.tiny))


class Hidden:
    """Which values would have passed with any fault: in every update that moved one, its tolerance was wider than that.

    With features of 10⁶, for example, rounding alone can turn a gradient around. A tolerance of a few roundings of the
    value itself hides nothing that could be seen otherwise.
    """

    def __init__(self) -> None:
        self._moved: np.ndarray | bool = False
        self._told: np.ndarray | bool = False
        self._strayed: np.ndarray | bool = False  # within a tolerance, but farther apart than any value moved
        self._widest = 0.0, 0.0  # the largest step of such an update, and its tolerance

    def look(self, before: np.ndarray, found: Gaps, own: np.ndarray) -> None:
        """An update of both sides. before: the values; own: their `own_rounding`."""
        step = np.abs(found.reference - before)
        told = found.allowed <= np.maximum(step, own)
        self._moved, self._told = self._moved | (step > 0), self._told | told
        self._strayed |= found.gap > OWN_ROUNDINGS * step.max(initial=0.0) + own
        at = int(np.where(told, -1.0, step).argmax())
        if not told[at]:
            self._widest = max(self._widest, (float(step[at]), float(found.allowed[at])))

    @property
    def not_judged(self) -> tuple[NotJudged, ...]:
        """The values that no update told anything of, as one fault."""
        values = np.atleast_1d(self._moved & ~np.asarray(self._told) | self._strayed)
        number = int(values.sum())
        return (NotJudged(f"a fault in {number:,} of {values.size:,} values", *self._widest),) if number else ()


class Controls:
    """Which faults were not seen so far: all, in an experiment with L1, before the first update."""

    def __init__(self, experiment: Experiment) -> None:
        acts = STYLES[experiment.style].function is not None and experiment.lamda > 0
        self.unseen = dict(WRONG_L1) if acts else {}
        if not math.isfinite(2 * experiment.lamda):
            self.unseen.pop("2 λ", None)  # no number
        self._farthest: dict[str, tuple[float, float, float]] = {}  # change / rounding error, and both of them
        self._acting = {MISSING}  # what changes any value

    def look(self, fault: str, seen: bool, acts: bool, change: np.ndarray, error: np.ndarray) -> None:
        """An update of a fault. acts: does it change any value, before rounding?

        change: of every value, as it was seen; error: by how much rounding can change it.
        """
        self._acting |= {fault} if acts else set()
        shares = np.nan_to_num(np.where(change == 0, 0.0, change / error))
        at = int(shares.argmax())
        figures = float(shares[at]), float(change[at]), float(error[at])
        self._farthest[fault] = max(self._farthest.get(fault, figures), figures)
        if seen:
            del self.unseen[fault]

    def in_lockstep(
        self, state: State, expected: State, actual: State, x: np.ndarray, t: np.ndarray, experiment: Experiment
    ) -> None:
        """Look at the candidate's update of a state: is it farther from a faulty one than rounding can take it?

        A candidate that has the fault never is.
        """
        for fault, update in list(self.unseen.items()):
            wrong, allowed = (f(state, x, t, experiment) for f in (update, partial(tolerances, update=update)))
            found = gaps(wrong, actual, allowed)
            acts = bool(differing_bits(found.reference, flatten([expected.parameters])[0]).any())
            self.look(fault, bool((found.gap > found.allowed).any()), acts, found.gap, found.allowed)

    @property
    def not_judged(self) -> tuple[NotJudged, ...]:
        """The faults that no update showed, though they change something."""
        left = [fault for fault in self.unseen if fault in self._farthest and fault in self._acting]
        return tuple(NotJudged(fault, *self._farthest[fault][1:]) for fault in left)


def not_judged(experiment: Experiment, data: Dataset) -> tuple[NotJudged, ...]:
    """The faults whose free run is, after every update, the right one of the reference.

    Each run ends at its first update that differs.
    """
    controls, rounding = Controls(experiment), reference.train.ROUNDING[experiment.precision]
    parameters, batches = draw(experiment, data)
    right, wrong = start(parameters), dict.fromkeys(controls.unseen, start(parameters))
    with np.errstate(all="ignore"):
        for x, t in batches:
            if not controls.unseen:
                break
            after = reference.train.update(right, x, t, experiment)
            right = after._replace(parameters=rounding(after.parameters))
            for fault, update in list(controls.unseen.items()):
                other = update(wrong[fault], x, t, experiment)
                wrong[fault] = other._replace(parameters=rounding(other.parameters))
                seen = differing_bits(*flatten([right.parameters, wrong[fault].parameters])).any()
                values, others = flatten([after.parameters, other.parameters])
                gap = np.spacing(np.abs(values).astype(np.float32)).astype(np.float64)
                acts = bool(differing_bits(values, others).any())
                controls.look(fault, bool(seen), acts, np.abs(values - others), gap)
    return controls.not_judged
