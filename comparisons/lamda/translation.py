"""Which λ makes one style train as another does, or why no λ does."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape

import numpy as np

from reference.errors import require
from reference.experiment import SCHEDULES, Experiment, choose
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS
from reference.train import REDUCTIONS, check_names, weight_path

EXACT, ASYMPTOTIC, IMPOSSIBLE = "exact", "asymptotic", "impossible"
KINDS = (EXACT, ASYMPTOTIC, IMPOSSIBLE)  # the worst last: a translation is as good as its worst part
DIRECTIONS = {1: "toward zero", 0: "nowhere", -1: "away from zero"}


@dataclass(frozen=True, repr=False)
class Translation:
    """What to train with instead of the source, and how well that agrees with it."""

    source: Experiment
    target: Experiment  # if the kind is IMPOSSIBLE, the nearest one
    kind: str
    formula: str  # of λ' and, if it changes, η'
    reason: str  # of the kind, with the condition under which it holds

    def __repr__(self) -> str:
        one, other = (f"{e.style}, λ = {e.lamda:g}" for e in (self.source, self.target))
        return f"Translation({one} → {other}: {self.kind}, {self.formula})"

    def _repr_html_(self) -> str:
        return f"<p><code>{escape(repr(self))}</code></p><p>{escape(self.reason)}</p>"


def translate_lamda(
    experiment: Experiment, style: str, reduction: str | None = None, constant: bool = False
) -> Translation:
    """λ' = λ ηᵖ⁻ᵖ' (1 − β)ᵏ: both styles move a weight toward zero by the same amount, s λ ηᵖ = s' λ' ηᵖ'.

    k is −1 from a penalty that an optimizer accumulates to one that it does not, 1 the other way round. reduction: of
    the loss over a batch, if it changes too. constant: λ' must be one number for all updates, whatever η does.
    Raises InputError for an unknown style or reduction, and for names in the experiment that have no row.
    """
    check_names(experiment)
    choose("style", style, STYLES)
    reduction = reduction or experiment.reduction
    choose("reduction", reduction, REDUCTIONS)
    same = reduced(experiment, reduction)
    (sign, power), (_, to_power) = shrinkage(experiment.style), shrinkage(style)
    powers = power - to_power
    through = through_optimizer(style) - through_optimizer(experiment.style)
    beta = experiment.momentum if OPTIMIZERS[experiment.optimizer].accumulates else 0.0
    schedule = schedule_of_lamda(experiment, powers, constant)
    try:
        lamda = same.lamda * abs(sign) * same.lr**powers * (1 - beta) ** through
    except OverflowError:
        lamda = math.inf
    asked = f"got lamda {experiment.lamda:g} and lr {experiment.lr:g}"
    require(lamda < math.inf, f"lamda and lr must give a finite λ for {style}; {asked}")
    target = replace(same, style=style, lamda=lamda, lamda_schedule=schedule or experiment.lamda_schedule)
    kind, reason = judge(experiment, target, follows=schedule is not None)
    return Translation(experiment, target, kind, formula(experiment, target, powers, through * (beta > 0)), reason)


def reduced(source: Experiment, reduction: str) -> Experiment:
    """The same updates with another reduction: a mean with (η B, λ₂ / B) is a sum with (η, λ₂).

    λ in the gradient becomes λ / B, as the gradient does; a shrinkage after the step stays η λ or λ.
    """
    if reduction == source.reduction:
        return source
    of_gradient, of_lr = 1 / source.batch_size, OPTIMIZERS[source.optimizer].lr_of_mean(source.batch_size)
    if reduction == "sum":
        of_gradient, of_lr = 1 / of_gradient, 1 / of_lr
    of_lamda = of_gradient if through_optimizer(source.style) else of_lr ** -shrinkage(source.style)[1]
    lr, lamda, l2 = source.lr * of_lr, source.lamda * of_lamda, source.l2 * of_gradient
    return replace(source, reduction=reduction, lr=lr, lamda=lamda, l2=l2)


def schedule_of_lamda(source: Experiment, power: int, constant: bool) -> str | None:
    """The schedule that λ' = λ ηᵖ needs, p = power; None if there is no such schedule, or λ' may not change."""
    if power == 0 or source.lr_schedule == "constant":
        found = source.lamda_schedule
    elif power == 1:
        found = source.lr_schedule if source.lamda_schedule == "constant" else ""
    else:
        found = "constant" if source.lamda_schedule == source.lr_schedule else ""
    return None if not found or (constant and power and found != "constant") else found


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
    of_lamda = times if through_optimizer(source.style) or (of_lr and shrinkage(source.style)[1]) else ""
    return f"λ' = λ{of_lamda}{lr}{momentum}, η' = η{of_lr}"


# --- why two styles cannot train alike, or under which condition they do -----------------------------------------


def judge(source: Experiment, target: Experiment, follows: bool) -> tuple[str, str]:
    """The kind of a translation, and the reason in words; follows: does λ' have the schedule that it needs?"""
    sign, _ = shrinkage(source.style)
    differ = bool(source.lamda and sign and source.style != target.style)
    found = list(of_styles(source, target, follows)) if differ else []
    if source.reduction != target.reduction and (reason := OPTIMIZERS[source.optimizer].obstacle_to_reduction):
        found.append((ASYMPTOTIC, reason))
    kind = max((part for part, _ in found), key=KINDS.index, default=EXACT)
    reasons = [words for part, words in found if part == kind] or conditions(source, target)
    return kind, "; ".join(reasons)


def of_styles(source: Experiment, target: Experiment, follows: bool) -> Iterator[tuple[str, str]]:
    """Each obstacle between two styles: its kind, and the reason in words."""
    one, other = source.style, target.style
    (sign, power), (to_sign, _) = shrinkage(one), shrinkage(other)
    if sign != to_sign:
        yield IMPOSSIBLE, f"{one} pulls weights {DIRECTIONS[sign]} and {other} {DIRECTIONS[to_sign]}, whatever λ is"
        return
    if not follows:
        ratio = 1 / SCHEDULES[source.lr_schedule](100_000)
        lamda = "λ" if source.lamda_schedule == "constant" else "λ_t"
        yield (
            IMPOSSIBLE,
            f"η scales λ in {one if power else other} alone, so that under its schedule the ratio of the two pulls"
            f" changes, by {ratio:g} within 100,000 updates; λ would have to change with every update, to λ'_t ="
            f" {lamda}{' η_t' if power else ' / η_t'}",
        )
    if through_optimizer(one) != through_optimizer(other):
        through, past = (one, other) if through_optimizer(one) else (other, one)
        yield from of_optimizer(source, through, past)
    if events := events_that_differ(one, other):
        yield ASYMPTOTIC, f"the pull is the same, and so is every update until {', or '.join(events)}"


def of_optimizer(source: Experiment, through: str, past: str) -> Iterator[tuple[str, str]]:
    """Each obstacle that the optimizer makes: it acts on λ in the style `through` but not in the style `past`.

    Plain SGD makes none: w − η (g + λ s) = (w − η g) − η λ s. A sum of gradients comes to η λ (1 + β + β² + …).
    """
    optimizer, gain = OPTIMIZERS[source.optimizer], 1 / (1 - source.momentum)
    if optimizer.obstacle:
        yield IMPOSSIBLE, optimizer.obstacle.format(through=through, past=past)
    if optimizer.accumulates and source.momentum:
        yield (
            ASYMPTOTIC,
            f"{source.optimizer} adds up what {through} puts into the gradient, to η λ (1 − βᵗ) / (1 − β) in the t-th"
            f" update, while {past} acts after it: the factor {gain:g} is reached after some {round(gain)} updates in"
            " which a weight keeps its sign",
        )


def conditions(source: Experiment, target: Experiment) -> Iterator[str]:
    """Why a translation is exact, and under which condition."""
    if not target.lamda:
        yield f"{source.style} has no L1, so λ' is 0" if source.lamda else "with λ = 0 every style is the same as none"
    elif source.style == target.style:
        yield "it is the same style"
    elif shrinkage(source.style)[1] == shrinkage(target.style)[1]:
        yield "both pull a weight by η λ, by its sign before the step, and the optimizer does not change the pull"
    elif source.lr_schedule == "constant":
        yield "η scales λ in only one of the two, and as long as η is constant both pull a weight by the same amount"
    else:
        yield "η scales λ in only one of the two, so that λ' must follow the schedule of η: no constant λ' does it"
    if source.reduction != target.reduction:
        yield f"a sum over the batch is B times its mean, as long as every batch has B = {source.batch_size} items"


# --- what a style does with λ, asked of its own formula ----------------------------------------------------------

# A few updates of plain SGD, with numbers that are exact in binary, show it: a new style needs no line here.


def shrinkage(style: str) -> tuple[int, int]:
    """(s, p): an update moves a weight far from 0 toward it by s λ ηᵖ. s is 1, −1 (away from 0) or 0; p is 1 or 0."""
    half, quarter = (8.0 - weight_path(8.0, (0.0,), Experiment(style=style, lr=lr, lamda=1.0))[0] for lr in (0.5, 0.25))
    return int(np.sign(half)), int(half != quarter)


def through_optimizer(style: str) -> bool:
    """Is λ a part of the gradient that the optimizer is given?"""
    return STYLES[style].on_gradient is not None


# What can happen to a weight near zero, where styles differ: (w, gradients) for η = ½ and a shrinkage of ¼
EVENTS = {
    "a weight is at exactly 0 and gets a gradient": (0.0, (-1.0,)),
    "the pull takes a weight across zero": (0.125, (0.0,)),
    "the optimizer's step takes a weight across zero": (0.125, (1.0,)),
    "a weight leaves zero after it was held there": (0.125, (0.0, -1.0)),
}


def events_that_differ(source: str, target: str) -> list[str]:
    """The events after which two styles with the same shrinkage have different weights."""
    one, other = (Experiment(style=name, lr=0.5, lamda=0.25 / 0.5 ** shrinkage(name)[1]) for name in (source, target))
    return [event for event, example in EVENTS.items() if weight_path(*example, one) != weight_path(*example, other)]
