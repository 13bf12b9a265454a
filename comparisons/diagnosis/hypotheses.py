"""The table of implementation differences that can be named: a row holds all that is known of one.

A new difference is one function in `forms` and one row here: the function yields the update rules that show the
difference, the row says when it is looked for, which number of the rule is free, and the sentence that names it.
`search` tries the rows in this order.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from comparisons.diagnosis import forms
from comparisons.diagnosis.forms import Known, Variant

ANY, POSITIVE, OF_BETA = (-np.inf, np.inf), (0.0, np.inf), (1e-3, 0.9999)
L1, L2 = "base.has_l1", "base.l2"  # parts of Known
Forms = Callable[[Known], Iterable[Variant]]


@dataclass(frozen=True)
class Hypothesis:
    """One implementation difference. `words.sentence` says what the braces of a sentence are filled with."""

    sentence: str
    forms: Forms = lambda known: ()  # how it changes an update
    where: str = ""  # the part of Known that must be true for it to be tried: "base.has_l1"
    number: str = ""  # the field of UpdateRule that is free: it is fitted to the updates
    between: tuple[float, float] = POSITIVE  # what a fitted number must lie between
    without_rates: str = ""  # the sentence where η and λ are not known
    rare_forms: Forms = lambda known: ()  # tried when no form of any row holds
    shows_at_once: bool = False  # in the first updates, or never
    one_update: bool = False  # it concerns the first wrong update alone: those before it were right
    any_scale: bool = False  # its number may be any power of ten of what was asked for: the fit begins at several
    has_lamda: bool = False  # another λ may make the two agree


HYPOTHESES = {
    # told by the states and the items themselves (batches.py): there is no update rule to try
    "start": Hypothesis("the {side} starts with {words}"),
    "recorded items": Hypothesis("the {side} is given other items: {words}"),
    "order": Hypothesis("from update {update:,} on, the {side} is given {words}"),
    # told by update rules
    "gradient": Hypothesis("the {side}'s gradient is that of {words}", forms.other_gradient),
    "items": Hypothesis("the {side} is given {words}: one was {happened}", forms.other_batch, one_update=True),
    "style": Hypothesis(
        "the {side}'s L1 is {words}, {formula}; {asked_style} was asked for", forms.other_style, L1, has_lamda=True
    ),
    "style and λ": Hypothesis(
        "the {side}'s L1 is {words}, {formula}, with λ = {value:.4g}{factor}; {asked_style} was asked for",
        where=L1, number="lamda", rare_forms=forms.other_style_and_lamda, has_lamda=True,
    ),
    "no L1": Hypothesis("the {side} has no L1; {asked_style} was asked for", forms.no_l1, L1),
    "λ": Hypothesis("the {side}'s λ is {value:.4g}{factor}", forms.other_number, L1, "lamda", ANY, any_scale=True),
    "swapped": Hypothesis("the {side} has swapped λ and λ₂", forms.swapped, L1),
    "penalised": Hypothesis("the {side}'s L1 is on {words}", forms.on_other_parameters, L1),
    "λ of each": Hypothesis("the {side}'s λ is {words}", forms.mean_of_each, L1),
    "L1 added": Hypothesis(
        "the {side} adds L1: {words}, {formula}, λ = {value:.4g}", forms.l1_added, "", "lamda"
    ),
    "L1, relative": Hypothesis(
        "every update moves {words} by {amount:.4g} {more_or_less} toward zero than in the reference: L1 was added, is"
        " missing, or has another λ",
        forms.l1_of_unknown_style, "", "lamda", ANY,
    ),
    "not trained": Hypothesis("the {side} does not train {words}", forms.not_trained),
    "schedule of η": Hypothesis("the {side}'s η follows the schedule {words}", forms.other_lr_schedule),
    "schedule of λ": Hypothesis("the {side}'s λ follows the schedule {words}", forms.other_lamda_schedule, L1),
    "η": Hypothesis(
        "the {side}'s η is {value:.4g}{factor}", forms.other_number, number="lr",
        without_rates="the {side}'s η is {value:.4g} times the reference's",
    ),
    "loss": Hypothesis(
        "the {side}'s loss is {value:.4g} times as large{factor}", forms.other_number, "", "scale", ANY, any_scale=True,
    ),
    "no L2": Hypothesis("the {side} has no L2", forms.no_l2, L2),
    "λ₂": Hypothesis("the {side}'s λ₂ is {value:.4g}{factor}", forms.other_number, L2, "l2", any_scale=True),
    "L2": Hypothesis(
        "the {side} adds L2, {words}, λ₂ = {value:.4g}", forms.l2_added, number="l2",
        without_rates="the {side} adds L2, {words}, η λ₂ = {value:.4g}",
    ),
    "optimizer": Hypothesis(
        "the {side}'s optimizer is {words}{beta}", forms.other_optimizer, "", "beta", OF_BETA,
        rare_forms=forms.rare_optimizer, shows_at_once=True,
    ),
    "dampening": Hypothesis(
        "the {side}'s optimizer is momentum with dampening {value:.4g}, β = {asked_beta:.4g}",
        forms.momentum_dampened, "", "dampening", (1e-3, 1.0), shows_at_once=True,
    ),
    "β": Hypothesis(
        "the {side}'s β is {value:.4g}{factor}", forms.other_number, "", "beta", OF_BETA, shows_at_once=True
    ),
    "clipping": Hypothesis(
        "the {side}'s gradients are clipped: {words}", forms.gradients_clipped, number="limit",
        without_rates="the {side}'s updates are clipped: {words}", rare_forms=forms.clipped_as_torch, any_scale=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Explanation:
    """A hypothesis that holds: in this form, with this number, it predicts the candidate's updates."""

    key: str  # of HYPOTHESES
    variant: Variant
    value: float | None = None  # of the fitted number
    residual: float = 0.0  # max |predicted − recorded|
    updates: tuple[int, int] | None = None  # the first and the last that it predicts
    since: int = 0  # the update from which on it holds; 0: always

    @property
    def hypothesis(self) -> Hypothesis:
        """The row."""
        return HYPOTHESES[self.key]

    @property
    def number(self) -> str:
        """The field of the rule that was fitted; "" for none."""
        return self.hypothesis.number if self.variant.number is None else self.variant.number
