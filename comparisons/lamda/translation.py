"""Which λ makes one style train as another does, or why none does.

What a style does with λ is not written down here once more: it is asked of the style's own formula, by a few updates
of plain SGD with numbers that are exact in binary (`pull`, `EVENTS`). A new style is thereby translated, too.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from reference.errors import InputError
from reference.experiment import SCHEDULES, Experiment, choose
from reference.l1 import STYLES
from reference.train import REDUCTIONS, weight_path

EXACT, ASYMPTOTIC, IMPOSSIBLE = "exact", "asymptotic", "impossible"
ORDER = (EXACT, ASYMPTOTIC, IMPOSSIBLE)  # a translation is as good as its worst part


@dataclass(frozen=True)
class Translation:
    """What to train with in place of the source, and how well that agrees with it."""

    source: Experiment
    target: Experiment  # where the kind is IMPOSSIBLE: the nearest there is
    kind: str
    formula: str  # of λ' and, where it changes, η'
    reason: str  # and the condition under which it holds


# --- what a style does, asked of its formula ----------------------------------------------------------------------


def pull(style: str) -> tuple[int, int]:
    """(s, p): an update takes a weight far from 0 toward it by s λ ηᵖ. s is 1, −1 (away from 0) or 0; p is 1 or 0."""
    half, quarter = (8.0 - weight_path(8.0, (0.0,), Experiment(style=style, lr=lr, lamda=1.0))[0] for lr in (0.5, 0.25))
    return int(np.sign(half)), int(half != quarter)


def through_optimizer(style: str) -> bool:
    """Does the optimizer get λ with the gradient?"""
    return STYLES[style].on_gradient is not None


# What can happen to a weight near zero, where styles differ: (w, gradients) for η = ½ and a pull of ¼
EVENTS = {
    "a weight is at exactly 0 and gets a gradient": (0.0, (-1.0,)),
    "the pull takes a weight across zero": (0.125, (0.0,)),
    "the optimizer's step takes a weight across zero": (0.125, (1.0,)),
    "a weight leaves zero after it was held there": (0.125, (0.0, -1.0)),
}


def parted_by(source: str, target: str) -> list[str]:
    """The events after which two styles with the same pull have different weights."""
    one, other = (Experiment(style=style, lr=0.5, lamda=0.25 / 0.5 ** pull(style)[1]) for style in (source, target))
    return [event for event, example in EVENTS.items() if weight_path(*example, one) != weight_path(*example, other)]


# --- the translation ----------------------------------------------------------------------------------------------

# η of the mean over B items, for each η of their sum. Adam divides the size of the gradient out.
LR_OF_MEAN: dict[str, Callable[[int], float]] = {"sgd": float, "momentum": float, "adam": lambda items: 1.0}


def reduced(source: Experiment, reduction: str) -> Experiment:
    """The same updates beside a mean or a sum over the batch: mean with (η B, λ₂ / B) for sum with (η, λ₂).

    The gradient's part of λ goes with the gradient, to λ / B; a pull after the step stays the same pull, η λ or λ.
    """
    if reduction == source.reduction:
        return source
    of_gradient, of_lr = 1 / source.batch_size, LR_OF_MEAN[source.optimizer](source.batch_size)
    if reduction == "sum":
        of_gradient, of_lr = 1 / of_gradient, 1 / of_lr
    of_lamda = of_gradient if through_optimizer(source.style) else of_lr ** -pull(source.style)[1]
    lr, lamda, l2 = source.lr * of_lr, source.lamda * of_lamda, source.l2 * of_gradient
    return replace(source, reduction=reduction, lr=lr, lamda=lamda, l2=l2)


def schedule_of_lamda(source: Experiment, power: int) -> str | None:
    """The schedule that λ' = λ ηᵖ needs, p = power; None where SCHEDULES has no such row."""
    if power == 0 or source.lr_schedule == "constant":
        return source.lamda_schedule
    if power == 1:
        return source.lr_schedule if source.lamda_schedule == "constant" else None
    return "constant" if source.lamda_schedule == source.lr_schedule else None


def translate_lamda(
    source: Experiment, style: str, reduction: str | None = None, constant: bool = False
) -> Translation:
    """λ' = λ ηᵖ⁻ᵖ' (1 − β)ᵏ: both pull a weight toward zero by the same amount, s λ ηᵖ = s' λ' ηᵖ'.

    k is −1 from a penalty that goes through momentum to one that does not, 1 the other way round. constant demands one
    λ for all updates, whatever η does. Raises InputError for an unknown style or reduction.
    """
    choose("--from", source.style, STYLES)
    choose("--to", style, STYLES)
    choose("--to-reduction", reduction or source.reduction, REDUCTIONS)
    same = reduced(source, reduction or source.reduction)
    (sign, power), (_, to_power) = pull(source.style), pull(style)
    powers = power - to_power
    through = through_optimizer(style) - through_optimizer(source.style)
    beta = source.momentum if source.optimizer == "momentum" else 0.0
    schedule = schedule_of_lamda(source, powers)
    follows = schedule is not None and not (constant and powers and schedule != "constant")
    target = replace(
        same,
        style=style,
        lamda=same.lamda * abs(sign) * same.lr**powers * (1 - beta) ** through,
        lamda_schedule=schedule if schedule and follows else source.lamda_schedule,
    )
    active = bool(source.lamda and sign and source.style != style)
    parts = list(obstacles(source, target, follows)) if active else []
    parts += list(obstacle_of_reduction(source, target))
    kind = max((part for part, _ in parts), key=ORDER.index, default=EXACT)
    reasons = [words for part, words in parts if part == kind] or list(conditions(source, target))
    return Translation(source, target, kind, formula(source, target, powers, through * (beta > 0)), "; ".join(reasons))


def formula(source: Experiment, target: Experiment, powers: int, through: int) -> str:
    """λ' in terms of λ, and η' where it is not η."""
    if not target.lamda:
        return "λ' = 0"
    changed = source.reduction != target.reduction
    lr = {1: " · η", 0: "", -1: " / η"}[powers] + ("'" if powers and changed else "")
    momentum = {1: " · (1 − β)", 0: "", -1: " / (1 − β)"}[through]
    if not changed:
        return f"λ' = λ{lr}{momentum}"
    times, over = (" / B", " · B") if target.reduction == "mean" else (" · B", " / B")
    of_lr = "" if source.lr == target.lr else over
    of_lamda = times if through_optimizer(source.style) or (of_lr and pull(source.style)[1]) else ""
    return f"λ' = λ{of_lamda}{lr}{momentum}, η' = η{of_lr}"


def obstacles(source: Experiment, target: Experiment, follows: bool) -> Iterator[tuple[str, str]]:
    """What keeps two styles from training alike: each obstacle's kind, and the reason in words."""
    one, other = source.style, target.style
    (sign, power), (to_sign, _) = pull(one), pull(other)
    if sign != to_sign:
        way = {1: "toward zero", 0: "nowhere", -1: "away from zero"}
        yield IMPOSSIBLE, f"{one} pulls weights {way[sign]} and {other} {way[to_sign]}, whatever λ is"
        return
    if not follows:
        ratio = 1 / SCHEDULES[source.lr_schedule](100_000)
        yield (
            IMPOSSIBLE,
            f"η scales λ in {one if power else other} alone, so that under its schedule the ratio of the two pulls"
            f" changes, by {ratio:g} within 100,000 updates; λ would have to change with every update, to λ'_t = "
            + ("λ" if source.lamda_schedule == "constant" else "λ_t")
            + (" η_t" if power else " / η_t"),
        )
    if through_optimizer(one) != through_optimizer(other):
        through, past = (one, other) if through_optimizer(one) else (other, one)
        yield from OBSTACLE_OF_OPTIMIZER[source.optimizer](source, through, past)
    if events := parted_by(one, other):
        yield ASYMPTOTIC, f"the pull is the same, and so is every update until {', or '.join(events)}"


def obstacle_of_sgd(source: Experiment, through: str, past: str) -> Iterator[tuple[str, str]]:
    """None: w − η (g + λ s) = (w − η g) − η λ s."""
    yield from ()


def obstacle_of_momentum(source: Experiment, through: str, past: str) -> Iterator[tuple[str, str]]:
    """η λ (1 + β + β² + …)."""
    beta = source.momentum
    if beta:
        yield (
            ASYMPTOTIC,
            f"momentum adds up what {through} puts into the gradient, to η λ (1 − βᵗ) / (1 − β) in the t-th update,"
            f" while {past} acts after it: the factor {1 / (1 - beta):g} is reached after some {round(1 / (1 - beta))}"
            " updates in which a weight keeps its sign",
        )


def obstacle_of_adam(source: Experiment, through: str, past: str) -> Iterator[tuple[str, str]]:
    """η m̂ / √ŝ has not the size of the gradient."""
    yield (
        IMPOSSIBLE,
        f"Adam divides what {through} puts into the gradient by √ŝ, another number for every weight and every update,"
        f" while {past} acts after that: without a data gradient {through} moves a weight by η, whatever λ is",
    )


OBSTACLE_OF_OPTIMIZER = {"sgd": obstacle_of_sgd, "momentum": obstacle_of_momentum, "adam": obstacle_of_adam}


def obstacle_of_reduction(source: Experiment, target: Experiment) -> Iterator[tuple[str, str]]:
    """Adam's ε is the only number beside which the size of the gradient counts."""
    if source.reduction != target.reduction and source.optimizer == "adam":
        yield (
            ASYMPTOTIC,
            "Adam divides the size of the gradient out, but for its ε, which is added to √ŝ of either size",
        )


def conditions(source: Experiment, target: Experiment) -> Iterator[str]:
    """Why an exact translation is one, and as long as what holds."""
    if not target.lamda:
        yield f"λ is 0 in both: {source.style} pulls nothing" if source.lamda else "with λ = 0 every style is none"
    elif source.style == target.style:
        yield "it is the same style"
    elif pull(source.style)[1] == pull(target.style)[1]:
        yield "both pull a weight by η λ, by the sign it had, and no optimizer comes between the two places"
    elif source.lr_schedule == "constant":
        yield "η scales λ in only one of the two, and as long as η is constant both pull a weight by the same amount"
    else:
        yield "η scales λ in only one of the two, so that λ' must follow the schedule of η: no constant λ' does it"
    if source.reduction != target.reduction:
        yield f"a sum over the batch is B times its mean, as long as every batch has B = {source.batch_size} items"


# --- units: what else people call λ -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    """A number that stands for λ in some library: the objective it is a part of, and λ, of it and n items, and back.

    Objectives with the same minimum are translated. η is not: it is always that of the mean loss.
    """

    objective: str
    to_lamda: Callable[[float, int], float]
    from_lamda: Callable[[float, int], float]


def inverse(value: float, items: int) -> float:
    """1 / (n value)."""
    return 1 / (items * value)


UNITS = {
    "lamda": Unit("mean loss + λ Σ|w|, squared error with ½", lambda v, n: v, lambda v, n: v),
    "alpha": Unit("mean loss + α Σ|w| (scikit-learn's SGDClassifier)", lambda v, n: v, lambda v, n: v),
    "lasso": Unit("Σ(y − ŷ)² / 2n + α Σ|w| (scikit-learn's Lasso, ElasticNet)", lambda v, n: v, lambda v, n: v),
    "C": Unit("C Σ loss + Σ|w|, λ = 1 / nC (scikit-learn's LogisticRegression)", inverse, inverse),
}
L2_UNITS = {
    "half": Unit("½ λ₂ Σw² (weight_decay of torch.optim; scikit-learn)", lambda v, n: v, lambda v, n: v),
    "keras": Unit("λ₂ Σw², without ½ (Keras)", lambda v, n: 2 * v, lambda v, n: v / 2),
}


def to_lamda(option: str, unit: str, table: dict[str, Unit], value: float, items: int) -> float:
    """λ of a value in a unit of the table. Raises InputError for an unknown unit, and for a C of 0 or less."""
    row = choose(f"{option}-unit", unit, table)
    if items < 1:
        raise InputError(f"--items must be a whole number >= 1; got {items}")
    if row.to_lamda is inverse and not value > 0:
        raise InputError(f"{option} in the unit {unit} must be a number > 0; got {value}")
    return row.to_lamda(value, items)


def in_unit(found: Translation, unit: str, items: int) -> float:
    """λ' in another unit. Raises InputError for an unknown one; C for λ' = 0 is infinite."""
    row = choose("--to-unit", unit, UNITS)
    return (
        math.inf if row.from_lamda is inverse and not found.target.lamda else row.from_lamda(found.target.lamda, items)
    )
