"""How a training code makes an update of a gradient, right or wrong: by the reference's own formulas."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from comparisons.diagnosis.other_formulas import Clip, dampened
from comparisons.runs.names import ArraysByName
from reference.experiment import NOTHING, SCHEDULES, Experiment, Memory
from reference.l1 import STYLES, Style
from reference.optimizers import OPTIMIZERS, Optimizer
from reference.train import Rule, update_weight

MemoryByName = Mapping[str, Memory]  # what optimizer and style remember of each parameter


@dataclass(frozen=True)
class UpdateRule:
    """How a code updates its parameters from the gradients of the data loss."""

    lr: float
    lamda: float
    style: Style
    optimizer: Optimizer
    beta: float = 0.9
    dampening: float = 0.0  # of momentum
    l2: float = 0.0
    lr_schedule: str = "constant"
    lamda_schedule: str = "constant"
    scale: float = 1.0  # of the data gradient
    weights: tuple[str, ...] = ()  # the parameters that are not biases
    penalised: Mapping[str, float] = field(default_factory=dict)  # λ's factor, for each parameter with L1
    decayed: tuple[str, ...] = ()  # the parameters with L2
    frozen: frozenset[str] = frozenset()  # the parameters that are not trained
    decay: float = 0.0  # λ₂ of decoupled L2, on the decayed parameters
    clip: Clip | None = None
    limit: float = np.inf  # of the clipping
    clip_before: bool = False  # only the data gradient is clipped, before L1 is added
    gradient: str = ""  # which gradient of the evidence is used: "" is the correct one

    @property
    def has_l1(self) -> bool:
        """Does λ change an update?"""
        return self.lamda > 0 and self.style.function is not None

    @property
    def stateless(self) -> bool:
        """Does an update start from the parameters alone, without momentum or any other memory?"""
        return not self.optimizer.remembers and self.style.after_step_with_memory is None


def rule_of(experiment: Experiment, weights: tuple[str, ...]) -> UpdateRule:
    """What the experiment asks for, L1 and L2 on these weights."""
    e = experiment
    rule = UpdateRule(e.lr, e.lamda, STYLES[e.style], OPTIMIZERS[e.optimizer], e.momentum, l2=e.l2, weights=weights)
    l1 = dict.fromkeys(weights, 1.0)
    return replace(rule, lr_schedule=e.lr_schedule, lamda_schedule=e.lamda_schedule, penalised=l1, decayed=weights)


def apply_rule(
    rule: UpdateRule, before: ArraysByName, gradients: ArraysByName, memory: MemoryByName, updates: int
) -> tuple[ArraysByName, dict[str, Memory]]:
    """The parameters after one update, and the memory of each; `updates` came before it."""
    lr = rule.lr * SCHEDULES[rule.lr_schedule](updates)
    lamda = rule.lamda * SCHEDULES[rule.lamda_schedule](updates)
    given = gradients if rule.scale == 1.0 else {name: rule.scale * g for name, g in gradients.items()}
    style, step = rule.style, dampened(rule.dampening) if rule.dampening else rule.optimizer.step
    if rule.clip:
        if style.on_gradient and not rule.clip_before:  # the optimizer's gradient is clipped together with its L1 term
            given = {
                name: style.on_gradient(before[name], g, lamda * rule.penalised[name]) if name in rule.penalised else g
                for name, g in given.items()
            }
            style = Style()
        given = rule.clip(given, rule.limit)
    after, remembered = {}, {}
    for name, w in before.items():
        if name in rule.frozen:
            after[name], remembered[name] = w, NOTHING
            continue
        l2 = rule.l2 if name in rule.decayed else 0.0
        by = Rule(style if name in rule.penalised else Style(), step, rule.beta, l2)
        strength = lamda * rule.penalised.get(name, 0.0)
        after[name], of_step, of_style = update_weight(w, given[name], lr, strength, by, memory.get(name, NOTHING))
        if rule.decay and name in rule.decayed:
            after[name] = after[name] - lr * rule.decay * w
        remembered[name] = Memory(of_step, (), of_style)
    return after, remembered


def gradients_of(
    rule: UpdateRule, before: ArraysByName, after: ArraysByName, memory: MemoryByName, updates: int
) -> ArraysByName:
    """The gradients with which the rule makes this update: g ← g + (predicted − after) / η, four times.

    The first time is exact where L1 does not depend on g; the others correct what L1 holds back. Approximate for a
    weight that L1 holds at 0, and under Adam.
    """
    gradients = {name: np.zeros_like(w) for name, w in before.items()}
    for _ in range(4):
        predicted, _ = apply_rule(rule, before, gradients, memory, updates)
        gradients = {name: g + (predicted[name] - after[name]) / rule.lr for name, g in gradients.items()}
    return gradients
