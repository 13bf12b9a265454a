"""How a training code makes an update of a gradient, right or wrong: what a diagnosis chooses from.

A practice is an experiment's way to update (the reference's own functions), with the one thing changed that is wrong
in it. `changes` yields all that is looked for; what can be tried with any number is fitted to the runs.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from comparisons.diagnosis.wrong_rules import (
    AT_ZERO,
    CLIPS,
    OF_TORCH,
    OTHER_STEPS,
    OTHER_STYLES,
    WITHOUT_BETA,
    Clip,
    State,
    dampened,
    dampened_by_beta,
)
from reference.experiment import NOTHING, SCHEDULES, Experiment, Memory
from reference.l1 import STYLES, Style
from reference.optimizers import OPTIMIZERS, OptimizerStep, momentum, sgd
from reference.train import Rule, update_weight


@dataclass(frozen=True)
class UpdateRule:
    """How a code updates its parameters from the gradients of the data loss."""

    lr: float
    lamda: float
    style: Style
    step: OptimizerStep
    beta: float = 0.9
    dampening: float = 0.0  # of momentum
    l2: float = 0.0
    lr_schedule: str = "constant"
    lamda_schedule: str = "constant"
    scale: float = 1.0  # of the data gradient
    weights: tuple[str, ...] = ()  # what is no bias
    penalised: Mapping[str, float] = field(default_factory=dict)  # λ's factor, for each parameter with L1
    decayed: tuple[str, ...] = ()  # with L2
    still: frozenset[str] = frozenset()  # parameters that are not trained
    decay: float = 0.0  # λ₂ of decoupled L2, of what is decayed
    clip: Clip | None = None
    limit: float = np.inf  # of the clipping
    clip_before: bool = False  # of the data gradient alone, before L1 is added
    gradient: str = ""  # which of the evidence's gradients: "" is the data gradient as it should be

    @property
    def pulls(self) -> bool:
        """Is there any L1?"""
        return self.lamda > 0 and self.style.function is not None

    @property
    def forgets(self) -> bool:
        """Is a state its parameters, without anything that is remembered?"""
        return self.step is sgd and self.style.after_step_with_memory is None


def rule_of(experiment: Experiment, weights: tuple[str, ...]) -> UpdateRule:
    """What the experiment asks for, L1 on these weights."""
    return UpdateRule(
        experiment.lr,
        experiment.lamda,
        STYLES[experiment.style],
        OPTIMIZERS[experiment.optimizer],
        beta=experiment.momentum,
        l2=experiment.l2,
        lr_schedule=experiment.lr_schedule,
        lamda_schedule=experiment.lamda_schedule,
        weights=weights,
        penalised=dict.fromkeys(weights, 1.0),
        decayed=weights,
    )


def predict(
    p: UpdateRule, before: State, slopes: State, memory: Mapping[str, Memory], updates: int
) -> tuple[State, dict[str, Memory]]:
    """The parameters after an update that this many came before, and what is remembered of each."""
    lr, lamda = p.lr * SCHEDULES[p.lr_schedule](updates), p.lamda * SCHEDULES[p.lamda_schedule](updates)
    given = {name: p.scale * g for name, g in slopes.items()}
    style, step = p.style, dampened(p.dampening) if p.dampening else p.step
    if p.clip:
        if style.on_gradient and not p.clip_before:  # what the optimizer is given is clipped, L1 with it
            given = {
                name: style.on_gradient(before[name], g, lamda * p.penalised[name]) if name in p.penalised else g
                for name, g in given.items()
            }
            style = Style()
        given = p.clip(given, p.limit)
    after, remembered = {}, {}
    for name, w in before.items():
        if name in p.still:
            after[name], remembered[name] = w, NOTHING
            continue
        by = Rule(style if name in p.penalised else Style(), step, p.beta, p.l2 if name in p.decayed else 0.0)
        known, strength = memory.get(name, NOTHING), lamda * p.penalised.get(name, 0.0)
        after[name], of_step, of_style = update_weight(w, given[name], lr, strength, by, known)
        if p.decay and name in p.decayed:
            after[name] = after[name] - lr * p.decay * w
        remembered[name] = Memory(of_step, (), of_style)
    return after, remembered


# --- what can be wrong, one thing at a time -------------------------------------------------------------------------

# the batch of another update in place of an update's own
AROUND = {"the batch after": 1, "the batch before": -1}

NO_L1 = STYLES["none"]
NAMED_STYLES = {name: style for name, style in {**STYLES, **OTHER_STYLES}.items() if style is not NO_L1}
NAMED_STEPS = {**OPTIMIZERS, **OTHER_STEPS}


@dataclass(frozen=True)
class Change:
    """A practice that is not what was asked for; free: the number of it that is to be fitted, if any."""

    kind: str
    what: str
    practice: UpdateRule
    free: str = ""


@dataclass(frozen=True)
class Explanation:
    """A practice that predicts the candidate's updates."""

    change: Change
    value: float | None = None  # of the number that was fitted
    residual: float = 0.0  # max |predicted − recorded|
    updates: tuple[int, int] | None = None  # the first and the last that were predicted
    since: int = 0  # the update from which on it was done so; 0: all the time


def changes(
    base: UpdateRule,
    shapes: Mapping[str, tuple[int, ...]],
    variants: Iterable[str],
    still: Sequence[str],
    known: bool,
    zeros: bool,
) -> Iterator[Change]:
    """All that is looked for, the simplest first.

    variants: the evidence's gradients; still: parameters that never move; known: are η and λ known? zeros: was any
    weight exactly 0?
    """
    styles = {name: style for name, style in NAMED_STYLES.items() if zeros or name not in AT_ZERO}
    biases = [name for name in shapes if name not in base.weights]
    for name in variants:
        yield Change("items" if name in AROUND else "gradient", name, replace(base, gradient=name))
    yield from of_l1(base, biases, shapes, styles) if base.pulls else l1_added(base, biases, known, styles)
    if still:
        yield Change("not trained", ", ".join(still), replace(base, still=frozenset(still)))
    for name in SCHEDULES:
        if name != base.lr_schedule:
            yield Change("schedule of η", name, replace(base, lr_schedule=name))
        if name != base.lamda_schedule and base.pulls:
            yield Change("schedule of λ", name, replace(base, lamda_schedule=name))
    yield Change("η", "", base, "lr")
    yield Change("loss", "", base, "scale")
    if base.l2:
        yield Change("no L2", "", replace(base, l2=0.0))
        yield Change("λ₂", "", base, "l2")
    else:
        yield Change("L2", "on weights", base, "l2")
    yield Change("L2", "on weights and biases", replace(base, decayed=tuple(shapes)), "l2")
    yield Change("L2", "decoupled, on weights", base, "decay")
    yield Change("L2", "decoupled, on weights and biases", replace(base, decayed=tuple(shapes)), "decay")
    for name, step in NAMED_STEPS.items():
        if step is not base.step:
            free = "" if step in WITHOUT_BETA else "beta"
            yield Change("optimizer", name, replace(base, step=step), free)
    yield Change("dampening", "", replace(base, step=momentum), "dampening")
    yield Change("β", "", base, "beta")
    yield from clipped(base, CLIPS)


def clipped(base: UpdateRule, clips: Mapping[str, Clip]) -> Iterator[Change]:
    """Gradients clipped to a limit, which is fitted."""
    for name, clip in clips.items():
        tight = replace(base, clip=clip, limit=1e-6)  # so tight that every update is clipped, and linear in the limit
        if base.pulls and base.style.on_gradient:
            yield Change("clipping", f"{name}, L1 inside", tight, "limit")
            yield Change("clipping", f"{name}, before L1 is added", replace(tight, clip_before=True), "limit")
        else:
            yield Change("clipping", name, tight, "limit")


def of_l1(
    base: UpdateRule, biases: list[str], shapes: Mapping[str, tuple[int, ...]], styles: Mapping[str, Style]
) -> Iterator[Change]:
    """L1 done otherwise."""
    for name, style in styles.items():
        if style is not base.style:
            yield Change("style", name, replace(base, style=style))
    yield Change("no L1", "", replace(base, style=NO_L1))
    yield Change("λ", "", base, "lamda")
    if base.l2:
        yield Change("swapped", "", replace(base, lamda=base.l2, l2=base.lamda))
    weights = list(base.penalised)
    yield Change("penalised", "biases too", replace(base, penalised=dict.fromkeys(shapes, 1.0)))
    yield Change("penalised", "biases alone", replace(base, penalised=dict.fromkeys(biases, 1.0)))
    for part in parts_of(weights):
        yield Change("penalised", f"{', '.join(part)} alone", replace(base, penalised=dict.fromkeys(part, 1.0)))
    sizes = {name: 1 / math.prod(shapes[name]) for name in weights}
    yield Change("λ of each", "divided by the number of elements of each weight", replace(base, penalised=sizes))


def l1_added(base: UpdateRule, biases: list[str], known: bool, styles: Mapping[str, Style]) -> Iterator[Change]:
    """L1 where there should be none. With η and λ unknown all styles look like the penalty, here or there."""
    weights, some = list(base.penalised), replace(base, style=STYLES["penalty"], lamda=1e-3)
    if known:
        for name, style in styles.items():
            yield Change("L1 added", name, replace(some, style=style), "lamda")
    else:
        for part in (weights, biases, *parts_of(weights)):
            yield Change("L1, relative", ", ".join(part), replace(some, penalised=dict.fromkeys(part, 1.0)), "lamda")


def rarer(base: UpdateRule) -> Iterator[Change]:
    """What is looked for where none of these fits: two things at once, and the finer points of a library."""
    for name, style in STYLES.items():
        if base.pulls and style not in (base.style, NO_L1):
            yield Change("style and λ", name, replace(base, style=style), "lamda")
    yield Change("optimizer", "momentum with dampening β", replace(base, step=dampened_by_beta), "beta")
    yield from clipped(base, OF_TORCH)


def parts_of(weights: list[str]) -> Iterator[tuple[str, ...]]:
    """Some of the weights: all choices of a few, else each alone and all but each."""
    for count in range(1, len(weights)):
        if len(weights) <= 4 or count in (1, len(weights) - 1):
            yield from combinations(weights, count)
