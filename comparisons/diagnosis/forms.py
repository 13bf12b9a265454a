"""How each implementation difference changes an update: the update rules that would show it.

One function for each difference, named in a row of `hypotheses.HYPOTHESES`: it takes what is known of the two runs and
yields every form of the difference, as the rule that was asked for with one thing changed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from comparisons.diagnosis import other_formulas as other
from comparisons.diagnosis.update_rule import UpdateRule
from reference.experiment import SCHEDULES
from reference.l1 import STYLES, Style
from reference.optimizers import OPTIMIZERS


@dataclass(frozen=True)
class Known:
    """What is known of two runs before any hypothesis is tried."""

    base: UpdateRule  # what was asked for
    shapes: Mapping[str, tuple[int, ...]]
    biases: Sequence[str]  # the parameters without L1
    gradients: Sequence[str]  # the names of the wrong gradients that the evidence can compute
    unmoved: Sequence[str]  # parameters that do not move in the updates that are looked at
    rates_known: bool  # are η and λ known?
    zeros: bool  # was any weight with L1 exactly 0?

    @property
    def styles(self) -> dict[str, Style]:
        """The styles that these runs could show."""
        others = {n: style for n, style in other.OTHER_STYLES.items() if self.zeros or n not in other.STYLES_AT_ZERO}
        return {n: style for n, style in {**STYLES, **others}.items() if style is not UNPENALISED}


@dataclass(frozen=True)
class Variant:
    """One form of a hypothesis: the update rule, and the words that tell this form from others."""

    rule: UpdateRule
    words: str = ""
    number: str | None = None  # the field of the rule that is free; None: the row's, "": no field
    sentence: str = ""  # in place of the row's


# --- how each difference changes an update ------------------------------------------------------------------------

# a batch of another update in place of the update's own: by how many updates it is away, and what happened
OTHER_BATCHES = {"the batch after": (1, "skipped"), "the batch before": (-1, "repeated")}
UNPENALISED = STYLES["none"]


def other_batch(known: Known) -> Iterator[Variant]:
    """g of the batch of another update."""
    yield from (Variant(replace(known.base, gradient=g), g) for g in known.gradients if g in OTHER_BATCHES)


def other_gradient(known: Known) -> Iterator[Variant]:
    """g of another loss, derivative, reduction, or of other weights."""
    yield from (Variant(replace(known.base, gradient=g), g) for g in known.gradients if g not in OTHER_BATCHES)


def other_style(known: Known) -> Iterator[Variant]:
    """w⁺ by another style."""
    for name, style in known.styles.items():
        if style is not known.base.style:
            uses = f"the {{side}} uses {style.about} where L1 was asked for: {{formula}}"
            yield Variant(
                replace(known.base, style=style), name, sentence=uses if name in other.OTHER_PENALTIES else ""
            )


def other_style_and_lamda(known: Known) -> Iterator[Variant]:
    """w⁺ by another style, with another λ."""
    for name, style in STYLES.items():
        if style not in (known.base.style, UNPENALISED):
            yield Variant(replace(known.base, style=style), name)


def no_l1(known: Known) -> Iterator[Variant]:
    """w⁺ = step(w, g)."""
    yield Variant(replace(known.base, style=UNPENALISED))


def swapped(known: Known) -> Iterator[Variant]:
    """λ and λ₂ have changed places."""
    if known.base.l2:
        yield Variant(replace(known.base, lamda=known.base.l2, l2=known.base.lamda))


def on_other_parameters(known: Known) -> Iterator[Variant]:
    """L1 on biases too, on biases alone, on some of the weights."""
    yield Variant(replace(known.base, penalised=dict.fromkeys(known.shapes, 1.0)), "biases too")
    yield Variant(replace(known.base, penalised=dict.fromkeys(known.biases, 1.0)), "biases alone")
    for part in parts_of(list(known.base.penalised)):
        yield Variant(replace(known.base, penalised=dict.fromkeys(part, 1.0)), f"{', '.join(part)} alone")


def mean_of_each(known: Known) -> Iterator[Variant]:
    """λ / n of each weight of n elements."""
    shares = {name: 1 / math.prod(known.shapes[name]) for name in known.base.penalised}
    yield Variant(replace(known.base, penalised=shares), "divided by the number of elements of each weight")


def l1_added(known: Known) -> Iterator[Variant]:
    """L1 where there should be none."""
    for name, style in known.styles.items() if known.rates_known and not known.base.has_l1 else ():
        yield Variant(replace(known.base, style=style, lamda=1e-3), name)


def l1_of_unknown_style(known: Known) -> Iterator[Variant]:
    """More or less L1 than in the reference, on these parameters. Without η and λ, all styles look like the penalty."""
    weights, some = list(known.base.penalised), replace(known.base, style=STYLES["penalty"], lamda=1e-3)
    for part in (weights, known.biases, *parts_of(weights)) if not known.rates_known else ():
        yield Variant(replace(some, penalised=dict.fromkeys(part, 1.0)), ", ".join(part))


def parts_of(weights: list[str]) -> Iterator[tuple[str, ...]]:
    """Some of the weights: every choice of a few, otherwise each alone and all but each."""
    for count in range(1, len(weights)):
        if len(weights) <= 4 or count in (1, len(weights) - 1):
            yield from combinations(weights, count)


def not_trained(known: Known) -> Iterator[Variant]:
    """w⁺ = w."""
    if known.unmoved:
        yield Variant(replace(known.base, frozen=frozenset(known.unmoved)), ", ".join(known.unmoved))


def other_lr_schedule(known: Known) -> Iterator[Variant]:
    """η falls, or does not."""
    yield from (Variant(replace(known.base, lr_schedule=s), s) for s in SCHEDULES if s != known.base.lr_schedule)


def other_lamda_schedule(known: Known) -> Iterator[Variant]:
    """λ falls, or does not."""
    yield from (Variant(replace(known.base, lamda_schedule=s), s) for s in SCHEDULES if s != known.base.lamda_schedule)


def other_number(known: Known) -> Iterator[Variant]:
    """The rule that was asked for, with another number."""
    yield Variant(known.base)


def no_l2(known: Known) -> Iterator[Variant]:
    """λ₂ = 0."""
    yield Variant(replace(known.base, l2=0.0))


def l2_added(known: Known) -> Iterator[Variant]:
    """g + λ₂ w, or v − η λ₂ w, on the weights or on all parameters."""
    everywhere = replace(known.base, decayed=tuple(known.shapes))
    if not known.base.l2:
        yield Variant(known.base, "on weights")
    yield Variant(everywhere, "on weights and biases")
    yield Variant(known.base, "decoupled, on weights", number="decay")
    yield Variant(everywhere, "decoupled, on weights and biases", number="decay")


def other_optimizer(known: Known) -> Iterator[Variant]:
    """v by another optimizer."""
    for name, optimizer in {**OPTIMIZERS, **other.OTHER_OPTIMIZERS}.items():
        if optimizer is not known.base.optimizer:
            yield Variant(replace(known.base, optimizer=optimizer), name, number=None if optimizer.has_beta else "")


def rare_optimizer(known: Known) -> Iterator[Variant]:
    """v by momentum of a mean."""
    yield Variant(replace(known.base, optimizer=other.DAMPENED_BY_BETA), "momentum with dampening β")


def momentum_dampened(known: Known) -> Iterator[Variant]:
    """m⁺ = β m + (1 − dampening) g."""
    yield Variant(replace(known.base, optimizer=OPTIMIZERS["momentum"]))


def gradients_clipped(known: Known, clips: Mapping[str, other.Clip] = other.CLIPS) -> Iterator[Variant]:
    """The gradient is clipped to a limit, with the L1 in it or without."""
    for words, clip in clips.items():
        tight = replace(known.base, clip=clip, limit=1e-6)  # so tight that it clips every update, and linear in it
        if known.base.has_l1 and known.base.style.on_gradient:
            yield Variant(tight, f"{words}, L1 inside")
            yield Variant(replace(tight, clip_before=True), f"{words}, before L1 is added")
        else:
            yield Variant(tight, words)


def clipped_as_torch(known: Known) -> Iterator[Variant]:
    """The gradient is clipped by clip_grad_norm_, to the last bits."""
    return gradients_clipped(known, other.CLIPS_AS_TORCH)
