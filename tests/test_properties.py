"""What holds of the styles for all numbers: found by search, each beside a wrong formula that the search must find.

Doubles are zeros, the smallest and large ones; what holds of them holds to the bit, or within a bound of rounding
alone. Dyadic numbers, n / 64, are those whose sums and products here are exact: with them it is the mathematics.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from hypothesis.extra import numpy as arrays_of

from reference.experiment import NOTHING, Experiment, Memory
from reference.l1 import STYLES, clipped, cumulative, decoupled, proximal, soft_threshold, tack_on
from reference.optimizers import OPTIMIZERS
from reference.train import rule, update_weight
from torch_impl import l1 as torch_l1

# the hooks warn of a λ that is too small to move a weight, as any λ of a search may be
pytestmark = pytest.mark.filterwarnings("ignore:.* is too small to move .* nonzero weights:UserWarning")

SETTINGS = settings(derandomize=True, database=None, deadline=None, max_examples=40)

ROUNDING = Fraction(1, 2**53)  # the largest relative error of a sum, difference or product of doubles …
UNDERFLOW = Fraction(1, 2**1075)  # … and the largest absolute one of a product near 0


# --- numbers ------------------------------------------------------------------------------------------------------


def floats(least, most):
    """Doubles between them, 0.0 often, −0.0 never: x + 0.0 turns it into 0.0."""
    return st.one_of(st.just(0.0), st.floats(least, most)).map(lambda x: x + 0.0)


DOUBLES = floats(-1e100, 1e100)  # their squares, for Adam, are finite
NEAR = floats(-4.0, 4.0)
RATES = floats(0.0, 1e3)
DYADIC = st.integers(-256, 256).map(lambda n: n / 64)
DYADIC_RATES = st.integers(0, 64).map(lambda n: n / 64)


@st.composite
def examples(draw, numbers, rates, count):
    """η, λ, and so many vectors of one length, up to 9: as many as a processor takes at a time, and one left over."""
    vectors = arrays_of.arrays(np.float64, (count, draw(st.integers(1, 9))), elements=numbers)
    return draw(rates), draw(rates), *draw(vectors)


ANY_TWO = st.one_of(examples(DOUBLES, RATES, 2), examples(NEAR, floats(0.0, 2.0), 2))  # η, λ, w, v or w, g
ANY_FIVE = st.one_of(examples(DOUBLES, RATES, 5), examples(NEAR, floats(0.0, 2.0), 5))  # η, λ, w, four gradients
DYADIC_TWO, DYADIC_FIVE = (examples(DYADIC, DYADIC_RATES, count) for count in (2, 5))


def same_bits(x, y):
    """Equal to the bit, the sign of zero included."""
    return np.asarray(x).tobytes() == np.asarray(y).tobytes()


def exact(*arrays):
    """Every element as a Fraction: what follows is exact."""
    return ([Fraction(float(value)) for value in array] for array in arrays)


# --- facts --------------------------------------------------------------------------------------------------------


def never_crosses_zero(style, lr, lamda, w, v):
    """From v, which the optimizer's step made, to w⁺ the sign stays or the weight is 0."""
    after = style(w, v, lr, lamda)
    return np.all((np.sign(after) == np.sign(v)) | (after == 0))


def never_grows(style, lr, lamda, w, v):
    """|w⁺| ≤ |v|, wherever v has not another sign than w."""
    same = np.sign(w) * np.sign(v) >= 0
    return np.all(np.abs(style(w, v, lr, lamda))[same] <= np.abs(v)[same])


def never_grows_at_all(style, lr, lamda, w, v):
    """|w⁺| ≤ |v| whatever w was: proximal does not look at it, clipped adds ηλ where the step crossed zero."""
    return np.all(np.abs(style(w, v, lr, lamda)) <= np.abs(v))


def moves_by_one_shrinkage(style, lr, lamda, w, v):
    """w⁺ is 0, or |w⁺| = |v| − ηλ; clipped: |v| + ηλ where the step crossed zero, |v| where w was 0."""
    after, t = np.abs(style(w, v, lr, lamda)), lr * lamda
    return np.all((after == 0) | (after == np.abs(v) - t) | (after == np.abs(v) - t * np.sign(w) * np.sign(v)))


def is_zero_within_the_threshold(threshold, lr, lamda, z, _):
    """S(z, t) = 0 where |z| ≤ t, and nowhere else: no double between them is lost."""
    return np.array_equal(threshold(z, lr * lamda) == 0, np.abs(z) <= lr * lamda)


def is_optimal(threshold, lr, lamda, z, _):
    """S(z, t) minimises ½ (s − z)² + t |s|:  z − S ∈ t ∂|S|, which is {t sign S}, or [−t, t] at 0. Exact."""
    s, t = threshold(z, lr * lamda), lr * lamda
    return np.all(np.where(s == 0, np.abs(z) <= t, z - s == t * np.sign(s)))


def is_non_expansive(threshold, lr, lamda, x, y):
    """|S(x, t) − S(y, t)| ≤ |x − y|. Exact."""
    return np.all(np.abs(threshold(x, lr * lamda) - threshold(y, lr * lamda)) <= np.abs(x - y))


def is_non_expansive_but_for_rounding(threshold, lr, lamda, x, y):
    """|S(x, t) − S(y, t)| ≤ |x − y| + u (|S(x, t)| + |S(y, t)|), u = 2⁻⁵³: each S is one rounded difference."""
    sx, sy = (threshold(z, lr * lamda) for z in (x, y))
    return all(
        abs(a - b) * (1 - ROUNDING) <= abs(c - d) + ROUNDING * (abs(a) + abs(b))
        for a, b, c, d in zip(*exact(sx, sy, x, y), strict=True)
    )


def by_sgd(style, w, g, lr, lamda):
    """w⁺ by plain SGD."""
    return update_weight(w, g, lr, lamda, rule(Experiment(style=style)))[0]


def is_the_penalty(style, lr, lamda, w, g):
    """By plain SGD w⁺ is the penalty's. Exact."""
    return same_bits(by_sgd("penalty", w, g, lr, lamda), by_sgd(style, w, g, lr, lamda))


def is_the_penalty_but_for_rounding(style, lr, lamda, w, g):
    """By plain SGD it is the penalty's within 8 u (|w| + η|g| + ηλ), u = 2⁻⁵³.

    The penalty rounds a sum, a product and a difference, the other two products and two differences: seven errors of
    at most u (|w| + η|g| + ηλ) to first order. The eighth is for the higher orders. A product near 0 errs by 2⁻¹⁰⁷⁵.
    """
    one, other = (by_sgd(s, w, g, lr, lamda) for s in ("penalty", style))
    eta, t = Fraction(lr), Fraction(lr) * Fraction(lamda)
    return all(
        abs(a - b) <= 8 * ROUNDING * (abs(wi) + eta * abs(gi) + t) + 8 * UNDERFLOW
        for a, b, wi, gi in zip(*exact(one, other, w, g), strict=True)
    )


def is_the_closed_form(style, lr, lamda, w, *gradients):
    """With constant η and a gradient in every update, after T of them w = S(w₀ − η Σg, T η λ). Exact."""
    after, memory = w, NOTHING
    for g in gradients:
        after, _, of_style = update_weight(after, g, lr, lamda, rule(Experiment(style=style)), memory)
        memory = Memory(style=of_style)
    closed = soft_threshold(w - lr * np.sum(gradients, axis=0), len(gradients) * lr * lamda)
    return same_bits(closed, after)


def is_decoupled(formula, lr, lamda, w, v):
    """To the bit."""
    return same_bits(decoupled(w, v, lr, lamda), formula(w, v, lr, lamda))


# --- the right formulas, and the wrong ones -----------------------------------------------------------------------


def hard_threshold(z, t):
    """z, or 0 within the threshold: no shrinkage."""
    return np.where(np.abs(z) > t, z, 0.0)


def half_threshold(z, t):
    """S with ½t."""
    return soft_threshold(z, t / 2)


def slightly_stretched(z, t):
    """S times 1 + 10⁻¹²."""
    return soft_threshold(z, t) * (1 + 1e-12)


def proximal_times_two(w, v, lr, lamda):
    """A threshold of 2ηλ."""
    return proximal(w, v, lr, 2 * lamda)


def tack_on_translated(w, v, lr, lamda):
    """tack_on(ηλ)."""
    return tack_on(w, v, lr, lr * lamda)


def away_from_zero(w, v, lr, lamda):
    """v + ηλ sign v."""
    return v + lr * lamda * np.sign(v)


@dataclass(frozen=True)
class Fact:
    """holds(right, *example) for all examples; holds(wrong, *example) not."""

    holds: Callable[..., Any]
    right: Any
    wrong: Any
    examples: Any = ANY_TWO

    def __str__(self):
        right, wrong = (getattr(formula, "__name__", formula) for formula in (self.right, self.wrong))
        return f"{right} {self.holds.__name__} {wrong} does not".replace("_", " ")


FACTS = [
    Fact(never_crosses_zero, proximal, decoupled),
    Fact(never_crosses_zero, clipped, decoupled),
    Fact(never_crosses_zero, proximal, tack_on),
    Fact(never_grows, proximal, decoupled),
    Fact(never_grows, clipped, away_from_zero),
    Fact(never_grows_at_all, proximal, clipped),
    Fact(moves_by_one_shrinkage, proximal, proximal_times_two),
    Fact(moves_by_one_shrinkage, clipped, decoupled),
    Fact(is_zero_within_the_threshold, soft_threshold, half_threshold),
    Fact(is_optimal, soft_threshold, hard_threshold, DYADIC_TWO),
    Fact(is_optimal, soft_threshold, half_threshold, DYADIC_TWO),
    Fact(is_non_expansive, soft_threshold, hard_threshold, DYADIC_TWO),
    Fact(is_non_expansive_but_for_rounding, soft_threshold, slightly_stretched),
    Fact(is_the_penalty, "decoupled", "tack_on", DYADIC_TWO),
    Fact(is_the_penalty, "decoupled", "clipped", DYADIC_TWO),
    Fact(is_the_penalty, "decoupled", "proximal", DYADIC_TWO),
    Fact(is_the_penalty_but_for_rounding, "decoupled", "tack_on"),
    Fact(is_the_penalty_but_for_rounding, "decoupled", "as_listed"),
    Fact(is_the_closed_form, "cumulative", "proximal", DYADIC_FIVE),
    Fact(is_the_closed_form, "cumulative", "clipped", DYADIC_FIVE),
    Fact(is_decoupled, tack_on_translated, tack_on),
]


def check(strategy, holds):
    """holds(*example), for all that the search tries."""

    @SETTINGS
    @given(strategy)
    def run(example):
        assert holds(*example)

    run()


def counterexample(strategy, holds):
    """One for which it does not hold; NoSuchExample if the search finds none."""
    search = settings(SETTINGS, max_examples=300, phases=[Phase.generate])  # any one will do, it need not be small
    return find(strategy, lambda example: not holds(*example), settings=search)


@pytest.mark.parametrize("fact", FACTS, ids=str)
def test_it_holds(fact):
    """Of the right formula, for every example."""
    check(fact.examples, lambda *example: fact.holds(fact.right, *example))


@pytest.mark.parametrize("fact", FACTS, ids=str)
def test_a_wrong_formula_is_found(fact):
    """Twin: of the wrong one it does not hold, and the search finds where."""
    assert counterexample(fact.examples, lambda *example: fact.holds(fact.wrong, *example))


def test_the_search_can_come_to_nothing():
    """Twin of the twins: where there is no counterexample none is found, which is an error; and so is one."""
    with pytest.raises(NoSuchExample):
        counterexample(DYADIC_TWO, lambda *example: never_crosses_zero(proximal, *example))
    with pytest.raises(AssertionError):
        check(DYADIC_TWO, lambda *example: never_crosses_zero(decoupled, *example))


def test_the_penalty_is_decoupled_but_for_rounding_alone():
    """Why the bound is needed: doubles are found for which the last bits differ."""
    assert counterexample(ANY_TWO, lambda *example: is_the_penalty("decoupled", *example))


def test_non_expansive_but_for_rounding_alone():
    """Likewise: 1 + e and 1 + 2e, less ½e, are rounded to even, away from one another: e apart, they become 2e."""
    e = 2.0**-52
    x, y = np.array([1 + e]), np.array([1 + 2 * e])

    assert not is_non_expansive(soft_threshold, 1.0, e / 2, x, y)
    assert is_non_expansive_but_for_rounding(soft_threshold, 1.0, e / 2, x, y)


# --- every style with every optimizer -----------------------------------------------------------------------------


def path(style, optimizer, lr, lamda, w, *gradients):
    """w after every update."""
    memory, experiment, weights = NOTHING, Experiment(style=style, optimizer=optimizer), []
    for g in gradients:
        w, of_w, of_style = update_weight(w, g, lr, lamda, rule(experiment), memory)
        memory = Memory(of_w, (), of_style)
        weights.append(w)
    return weights


def like_none(optimizer, lr, lamda, *arrays):
    """The styles that give the bits of `none`, after every update."""
    paths = {style: path(style, optimizer, lr, lamda, *arrays) for style in STYLES}
    return [style for style in STYLES if same_bits(paths["none"], paths[style])]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_lamda_is_no_l1(optimizer):
    """With λ = 0 every style's four updates have the bits of `none`."""
    check(ANY_FIVE, lambda lr, _, *arrays: list(STYLES) == like_none(optimizer, lr, 0.0, *arrays))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", [style for style in STYLES if style != "none"])
def test_lamda_is_found(style, optimizer):
    """Twin: with the λ of the example no style's have them."""
    assert counterexample(ANY_FIVE, lambda *example: style in like_none(optimizer, *example))


def no_negative_zero(weights):
    """No element is −0.0."""
    return not any(np.signbit(w[w == 0]).any() for w in weights)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_negative_zero(optimizer):
    """From weights without −0.0 four updates of any style make none: x − y is −0.0 for x = −0.0 alone."""
    check(ANY_FIVE, lambda *example: all(no_negative_zero(path(style, optimizer, *example)) for style in STYLES))


def test_a_negative_zero_is_found():
    """Twin: sign z · max(|z| − t, 0), as S is printed, makes one; so does rounding to float32, of −10⁻⁵⁰."""

    def as_printed(lr, lamda, z, _):
        return no_negative_zero([np.sign(z) * np.maximum(np.abs(z) - lr * lamda, 0.0)])

    assert counterexample(ANY_TWO, as_printed)
    assert not no_negative_zero([np.array([-1e-50]).astype(np.float32)])


# --- the reference's formula and torch's hook ---------------------------------------------------------------------


class Becomes(torch.optim.Optimizer):
    """An optimizer whose step makes w the vector that it is told to."""

    def __init__(self, w, lr, lamda):
        super().__init__([{"params": [w], "lamda": lamda}], {"lr": lr})

    @torch.no_grad()
    def step(self):
        """w ← v."""
        for group in self.param_groups:
            for w in group["params"]:
                w.copy_(self.v)


def by_hooks(style, lr, lamda, w, *stepped):
    """w after every step, where the optimizer makes it v₁, v₂, …, and torch's style acts after that."""
    parameter = torch.nn.Parameter(torch.tensor(w))
    parameter.grad = torch.zeros_like(parameter)
    optimizer, weights = Becomes(parameter, lr, lamda), []
    torch_l1.attach(torch_l1.STYLES[style], optimizer)
    for v in stepped:
        optimizer.v = torch.tensor(v)
        optimizer.step()
        weights.append(parameter.detach().numpy().copy())
    return weights


def by_formula(style, lr, lamda, w, *stepped):
    """The same by the reference's formula."""
    row, memory, weights = STYLES[style], (), []
    for v in stepped:
        if row.after_step:
            w = row.after_step(w, v, lr, lamda)
        else:
            w, memory = row.after_step_with_memory(w, v, lr, lamda, *memory)
        weights.append(w)
    return weights


AFTER_STEP = [name for name, row in STYLES.items() if row.after_step or row.after_step_with_memory]
WITH_NEGATIVE_ZEROS = st.one_of(
    examples(st.one_of(st.just(-0.0), DOUBLES), RATES, 4),
    examples(st.one_of(st.just(-0.0), NEAR), floats(0.0, 2.0), 4),
)


def are_the_same(hooks, formula):
    """To the bit, after every step; a zero's sign among them."""
    return lambda *example: same_bits(by_hooks(hooks, *example), by_formula(formula, *example))


@pytest.mark.parametrize("style", AFTER_STEP)
def test_the_hook_is_the_formula(style):
    """For any weights and steps, −0.0 included, three in a row."""
    check(WITH_NEGATIVE_ZEROS, are_the_same(style, style))


@pytest.mark.parametrize(("style", "other"), [pair for pair in product(AFTER_STEP, repeat=2) if pair[0] != pair[1]])
def test_another_hook_is_not(style, other):
    """Twin: each style's hook is told from every other style's formula."""
    assert counterexample(WITH_NEGATIVE_ZEROS, are_the_same(style, other))


def test_the_formulas_agree_where_they_should():
    """By hand beside the search: v = −⅛ under a threshold of ¼ is 0, not −0, in every lane of a vector of nine."""
    w = np.full(9, -0.125)
    for formula in (proximal, clipped, lambda *known: cumulative(*known)[0]):
        assert same_bits(np.zeros(9), formula(w, w, 0.5, 0.5))
    for style in ("proximal", "clipped", "cumulative"):
        assert same_bits(np.zeros(9), by_hooks(style, 0.5, 0.5, w, w)[0])
