"""The updates around the first wrong one: what an update rule must predict to be an explanation."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from comparisons.diagnosis.evidence import Evidence
from comparisons.diagnosis.thresholds import BEFORE, BEYOND, NOISE_ULPS
from comparisons.diagnosis.update_rule import MemoryByName, UpdateRule, apply_rule
from comparisons.diagnosis.updates import RecordedUpdate
from comparisons.runs.names import ArraysByName
from reference.experiment import Memory


@dataclass(frozen=True)
class Window:
    """Some recorded updates, and how far a prediction of each may be off."""

    evidence: Evidence
    float32_arithmetic: bool  # is the candidate's arithmetic taken to be float32?
    updates: list[RecordedUpdate]
    memory: MemoryByName = field(default_factory=dict)  # of the base rule, before the first of them
    looked_at: int = 0  # updates, from the first on
    residual: float = 0.0  # max |predicted − recorded| of those that the base rule predicts
    first_wrong: int | None = None  # the first update that the base rule does not predict
    wrong: ArraysByName = field(default_factory=dict)  # there: which elements, of the parameters that are wrong
    asked: ArraysByName = field(default_factory=dict)  # there: what the base rule predicts
    sign_event: int | None = None  # the first update before which a weight had another sign in the other run
    memory_there: MemoryByName = field(default_factory=dict)  # of the base rule, before the first wrong update
    undetermined: int | None = None  # the first update that differs where no gradient is known: L1 holds a weight at 0

    @property
    def start(self) -> int:
        """The first wrong update; 0 where there is none."""
        return self.first_wrong or 0

    def from_first_wrong(self) -> "Window":
        """Without the updates before the first wrong one."""
        updates = [update for update in self.updates if update.number >= self.start]
        return replace(self, updates=updates, memory=self.memory_there)

    def shares(self, update: RecordedUpdate, predicted: ArraysByName) -> ArraysByName:
        """|predicted − recorded| / tolerance of every element; infinite where either is not finite."""
        found, allowed = {}, self.tolerances(update)
        for name, array in predicted.items():
            share = np.abs(array - update.after[name]) / allowed[name]
            if not self.evidence.rates_known:  # the reference's update contains the reference's sign
                share = np.where(np.sign(update.before[name]) == np.sign(update.reference[name]), share, 0.0)
            found[name] = np.where(np.isnan(share), np.inf, share)
        return found

    def misfit(self, update: RecordedUpdate, predicted: ArraysByName) -> float:
        """The largest share: above 1, the prediction is wrong."""
        return max(float(share.max(initial=0.0)) for share in known(update, self.shares(update, predicted)).values())

    def unchanged(self, update: RecordedUpdate, predicted: ArraysByName) -> bool:
        """Is this the first wrong update, and is the prediction the base rule's wherever that is wrong?"""
        return update.number == self.first_wrong and all(
            np.array_equal(predicted[name][wrong], self.asked[name][wrong]) for name, wrong in self.wrong.items()
        )

    def tolerances(self, update: RecordedUpdate) -> ArraysByName:
        """How far a right prediction may be from each element. It does not depend on the rule: computed once."""
        known = update.tolerances
        if self.float32_arithmetic not in known:
            known[self.float32_arithmetic] = {name: self._tolerance(update, name) for name in update.before}
        return known[self.float32_arithmetic]

    def _tolerance(self, update: RecordedUpdate, name: str) -> np.ndarray:
        """2 ε max(|before|, |after|) of the element, and 64 ε₆₄ of the largest element: rounding, and arithmetic.

        ε is that of the grid on which the values are; the reference's after counts, too, where the gradient was worked
        out from it. float32_arithmetic: arithmetic on that grid, 64 ε of the largest element.
        """
        size = np.maximum(np.abs(update.before[name]), np.abs(update.after[name]))
        size = np.maximum(size, np.abs(update.told_by.get(name, 0.0)))
        largest = max(float(size.max(initial=0.0)), 1e-3)
        arithmetic = NOISE_ULPS * np.finfo(np.float64).eps * largest + 8 * update.slack.get(name, 0.0)
        eps = float(np.finfo(np.float32 if self.evidence.rounded else np.float64).eps)
        rounding = NOISE_ULPS * eps * largest if self.float32_arithmetic else 2 * eps * size
        return np.asarray(arithmetic + rounding)


def known(update: RecordedUpdate, shares: ArraysByName) -> ArraysByName:
    """The shares, 0 for the elements without a known gradient."""
    unknown = update.unknown
    return {name: np.where(unknown[name], 0.0, share) if name in unknown else share for name, share in shares.items()}


def gap(update: RecordedUpdate, predicted: ArraysByName) -> float:
    """max |predicted − recorded|."""
    return max(float(np.abs(array - update.after[name]).max(initial=0.0)) for name, array in predicted.items())


def walk(rule: UpdateRule, window: Window, since: int = 0) -> Iterator[tuple[RecordedUpdate, ArraysByName]]:
    """Every update with what the rule predicts of it from this update on, and the base rule before it."""
    return follow(rule, window.evidence.base, window.updates, window.memory, since)


def follow(
    rule: UpdateRule, base: UpdateRule, updates: Iterable[RecordedUpdate], memory: MemoryByName, since: int = 0
) -> Iterator[tuple[RecordedUpdate, ArraysByName]]:
    """Every update with what the rule predicts of it from update `since` on, and the base rule before it.

    memory: of the base rule, before the first of the updates.
    """
    last = base
    for update in updates:
        by = rule if update.number >= since else base
        if by.gradient not in update.gradients:
            return
        if by.optimizer is not last.optimizer:  # another optimizer cannot use what this one has remembered
            memory = {}
        elif by.style is not last.style:
            memory = {name: Memory(known.W) for name, known in memory.items()}
        predicted, memory = apply_rule(by, update.before, update.gradients[by.gradient](), memory, update.number - 1)
        last = by
        yield update, predicted


def open_window(evidence: Evidence, float32_arithmetic: bool) -> Window:
    """The updates around the first that the base rule does not predict; the last ones where it predicts all."""
    base, updates = evidence.base, evidence.updates(first_looked_at(evidence))
    recent: deque[tuple[RecordedUpdate, MemoryByName]] = deque(maxlen=BEFORE + 1)
    memory: MemoryByName = {}
    window, after, looked_at, residual = Window(evidence, float32_arithmetic, []), list[RecordedUpdate](), 0, 0.0
    sign_event = undetermined = None
    for update in updates:
        recent.append((update, memory))
        looked_at += 1
        if sign_event is None and other_signs(update):
            sign_event = update.number
        before = memory
        predicted, memory = apply_rule(base, update.before, update.gradients[""](), memory, update.number - 1)
        shares = window.shares(update, predicted)
        if undetermined is None and max(share.max(initial=0.0) for share in shares.values()) > 1:
            undetermined = update.number
        if wrong := {n: s > 1 for n, s in known(update, shares).items() if (s > 1).any()}:
            after = list(islice(updates, BEYOND))
            window = replace(window, first_wrong=update.number, wrong=wrong, asked=predicted, memory_there=before)
            break
        residual = max(residual, gap(update, predicted))
    seen: dict[str, Any] = {"looked_at": looked_at + len(after), "sign_event": sign_event, "undetermined": undetermined}
    around, memory = [update for update, _ in recent] + after, recent[0][1] if recent else {}
    return replace(window, updates=around, memory=memory, residual=residual, **seen)


def other_signs(update: RecordedUpdate) -> bool:
    """Has any weight another sign in the other run?"""
    return any((np.sign(w) != np.sign(update.reference[name])).any() for name, w in update.before.items())


def first_looked_at(evidence: Evidence) -> int:
    """BEFORE updates before the runs part; the first update where the memory must be known."""
    return max(0, (evidence.comparison.first_update or 0) - BEFORE) if evidence.base.stateless else 0
