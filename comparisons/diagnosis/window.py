"""The updates around the first that cannot be explained: what a practice must predict to be an explanation of it."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from comparisons.diagnosis.evidence import Evidence, RecordedUpdate
from comparisons.diagnosis.update_rules import State, UpdateRule, predict
from reference.experiment import Memory

BEFORE, BEYOND = 100, 60  # updates before and after the first unexplained one that an explanation must predict
NOISE_ULPS = 64  # of max|w|: what arithmetic in another order, or in float32, can make of one update


@dataclass(frozen=True)
class Case:
    """The updates that a practice must predict to be an explanation: those around the first unexplained one."""

    evidence: Evidence
    loose: bool
    steps: list[RecordedUpdate]
    memory: Mapping[str, Memory] = field(default_factory=dict)  # of the base practice, before the first of them
    looked_at: int = 0  # updates, from the first on
    residual: float = 0.0  # of those that the base practice explains
    update: int | None = None  # the first that the base practice does not predict
    wrong: State = field(default_factory=dict)  # there, of the parameters in which it fails: which elements
    asked: State = field(default_factory=dict)  # what it predicts there
    sign_event: int | None = None
    remembered: Mapping[str, Memory] = field(default_factory=dict)  # of the base practice, before that update
    held: int | None = None  # the first update that differs where no gradient is known, since L1 holds a weight at 0

    def later(self) -> "Case":
        """Without the updates before the one that goes wrong."""
        steps = [step for step in self.steps if step.update >= (self.update or 0)]
        return replace(self, steps=steps, memory=self.remembered)

    def used(self, step: RecordedUpdate, predicted: State, held: bool = False) -> State:
        """|predicted − recorded| / tolerance of every element; what is not finite fits nothing.

        Where no gradient is known, nothing is asked; held: not there either.
        """
        found = {}
        for name, array in predicted.items():
            used = np.abs(array - step.after[name]) / self.tolerance(step, name)
            if not self.evidence.known:  # the reference's update has the reference's sign in it
                used = np.where(np.sign(step.before[name]) == np.sign(step.reference[name]), used, 0.0)
            used = np.nan_to_num(used, nan=np.inf)
            found[name] = np.where(step.blind[name], 0.0, used) if name in step.blind and not held else used
        return found

    def misfit(self, step: RecordedUpdate, predicted: State) -> dict[str, float]:
        """The largest of every parameter: above 1, the prediction is wrong."""
        return {name: float(used.max(initial=0.0)) for name, used in self.used(step, predicted).items()}

    def unchanged(self, step: RecordedUpdate, predicted: State) -> bool:
        """Is it the update that goes wrong, and the prediction that of the base practice, where that is wrong?"""
        return step.update == self.update and all(
            np.array_equal(predicted[name][wrong], self.asked[name][wrong]) for name, wrong in self.wrong.items()
        )

    def tolerance(self, step: RecordedUpdate, name: str) -> np.ndarray:
        """How far a right prediction may be from each element: its rounding, and that of its arithmetic.

        2 ε max(|before|, |after|) of the element, ε of the grid that runs are rounded to, with the reference's after
        among them, where the gradient was worked out from that; beside that 64 ε of float64 and of the largest element.
        loose: arithmetic on that grid, too: 64 ε of the largest element.
        """
        size = np.maximum(np.abs(step.before[name]), np.abs(step.after[name]))
        size = np.maximum(size, np.abs(step.told_by.get(name, 0.0)))
        largest = max(float(size.max(initial=0.0)), 1e-3)
        arithmetic = NOISE_ULPS * np.finfo(np.float64).eps * largest + 8 * step.slack.get(name, 0.0)
        eps = self.evidence.eps
        rounding = NOISE_ULPS * eps * largest if self.loose else 2 * eps * size
        return np.asarray(arithmetic + rounding)


def gap(step: RecordedUpdate, predicted: State) -> float:
    """max |predicted − recorded|."""
    return max(float(np.abs(array - step.after[name]).max(initial=0.0)) for name, array in predicted.items())


def walk(p: UpdateRule, case: Case, since: int = 0) -> Iterator[tuple[RecordedUpdate, State]]:
    """Every step with what the practice predicts of it from this update on, and the base practice before it."""
    last, memory = case.evidence.base, case.memory
    for step in case.steps:
        by = p if step.update >= since else case.evidence.base
        if by.gradient not in step.gradients:
            return
        if by.step is not last.step:  # what one optimizer remembers is nothing to another
            memory = {}
        elif by.style is not last.style:
            memory = {name: Memory(known.W) for name, known in memory.items()}
        predicted, memory = predict(by, step.before, step.gradients[by.gradient](), memory, step.update - 1)
        last = by
        yield step, predicted


def open_case(evidence: Evidence, loose: bool) -> Case:
    """The steps around the first that the base practice does not predict; the last ones where it predicts all."""
    base, steps = evidence.base, evidence.steps(first_looked_at(evidence))
    recent: deque[tuple[RecordedUpdate, Mapping[str, Memory]]] = deque(maxlen=BEFORE + 1)
    memory: Mapping[str, Memory] = {}
    case, looked_at, residual, sign_event, held = Case(evidence, loose, []), 0, 0.0, None, None
    for step in steps:
        recent.append((step, memory))
        looked_at += 1
        if sign_event is None and any((np.sign(w) != np.sign(step.reference[n])).any() for n, w in step.before.items()):
            sign_event = step.update
        remembered = memory
        predicted, memory = predict(base, step.before, step.gradients[""](), memory, step.update - 1)
        used = case.used(step, predicted)
        if held is None and max(map(np.max, case.used(step, predicted, held=True).values())) > 1:
            held = step.update
        if wrong := {name: by > 1 for name, by in used.items() if (by > 1).any()}:
            after = list(islice(steps, BEYOND))
            case = replace(case, update=step.update, wrong=wrong, asked=predicted, remembered=remembered)
            looked_at += len(after)
            break
        residual = max(residual, gap(step, predicted))
    else:
        after = []
    before = recent[0][1] if recent else {}
    around = [step for step, _ in recent] + after
    return replace(
        case, steps=around, memory=before, looked_at=looked_at, residual=residual, sign_event=sign_event, held=held
    )


def first_looked_at(evidence: Evidence) -> int:
    """So many updates before the runs part; the first, where it must be known what was remembered until then."""
    return max(0, (evidence.comparison.first_update or 0) - BEFORE) if evidence.base.forgets else 0
