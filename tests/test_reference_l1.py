"""Every style's update, worked by hand."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reference.experiment import Experiment, Memory
from reference.l1 import STYLES, soft_threshold
from reference.optimizers import OPTIMIZERS
from reference.train import rule, update_weight

ROOT = Path(__file__).parents[1]

# η = 0.1, λ = 1, so that ηλ = 0.1: (w, g, w⁺), the step and what the style makes of it written out
BY_HAND = {
    "none": [(2.0, 0.5, 2.0 - 0.05), (-2.0, 0.5, -2.0 - 0.05), (0.0, 0.5, -0.05)],
    "penalty": [(2.0, 0.5, 2.0 - 0.1 * 1.5), (-2.0, 0.5, -2.0 + 0.1 * 0.5), (0.0, 0.5, -0.05)],
    "as_listed": [(2.0, 0.5, 2.0 + 0.1 * 0.5), (-2.0, 0.5, -2.0 - 0.1 * 1.5), (0.0, 0.5, -0.05)],
    "tack_on": [(2.0, 0.5, 2.0 - 0.05 - 1.0), (-2.0, 0.5, -2.0 - 0.05 + 1.0), (0.0, 0.5, -0.05)],
    "decoupled": [
        (2.0, 0.5, 2.0 - 0.05 - 0.1),
        (-2.0, 0.5, -2.0 - 0.05 + 0.1),
        (0.0, 0.5, -0.05),
        (0.01, 0.5, -0.04 - 0.1),  # the step crosses zero; the sign is of 0.01
        (0.06, 0.0, 0.06 - 0.1),  # the decay crosses zero
    ],
    "clipped": [
        (2.0, 0.5, 2.0 - 0.05 - 0.1),
        (-2.0, 0.5, -2.0 - 0.05 + 0.1),
        (0.0, 0.5, -0.05),
        (0.01, 0.5, -0.04 - 0.1),  # the step crosses zero: the decay goes on, away from zero
        (0.06, 0.0, 0.0),  # the decay would cross zero
        (-0.06, 0.0, 0.0),
        (0.05, 0.5, 0.0),  # the step ends on zero, the decay would leave it
    ],
    "proximal": [
        (2.0, 0.5, 2.0 - 0.05 - 0.1),
        (-2.0, 0.5, -2.0 - 0.05 + 0.1),
        (0.0, 0.5, 0.0),  # |v| = 0.05 is under the threshold
        (0.0, 5.0, -0.5 + 0.1),  # |v| = 0.5 is over it: the sign is of the stepped weight
        (0.01, 5.0, -0.49 + 0.1),
        (0.06, 0.0, 0.0),
        (-0.06, 0.0, 0.0),
    ],
    "cumulative": [  # the first update is the proximal one
        (2.0, 0.5, 2.0 - 0.05 - 0.1),
        (-2.0, 0.5, -2.0 - 0.05 + 0.1),
        (0.0, 0.5, 0.0),
        (0.0, 5.0, -0.5 + 0.1),
        (0.06, 0.0, 0.0),
        (-0.06, 0.0, 0.0),
    ],
}
CASES = [
    pytest.param(style, *case, id=f"{style} at {case[0]:g}, g = {case[1]:g}")
    for style, cases in BY_HAND.items()
    for case in cases
]


def updated(style, w, g, lr=0.1, lamda=1.0, memory=(), **numbers):
    """w⁺ and what the style remembers, by plain SGD."""
    experiment = Experiment(style=style, **numbers)
    after, _, of_style = update_weight(np.array(w), np.array(g), lr, lamda, rule(experiment), Memory(style=memory))
    return after, of_style


@pytest.mark.parametrize(("style", "w", "g", "expected"), CASES)
def test_update_by_hand(style, w, g, expected):
    """η = 0.1, λ = 1; a zero is 0 and not −0."""
    after, _ = updated(style, w, g)

    assert pytest.approx(expected, rel=1e-14) == after
    assert not np.signbit(after) or expected < 0


def test_every_style_is_worked_by_hand():
    """No style is without a case above."""
    assert list(STYLES) == list(BY_HAND)


@pytest.mark.parametrize("style", STYLES)
def test_worked_example_of_the_article(style):
    """8.0, g = 9.0, η = 0.05, λ = 0.01: 7.5495 with the penalty in the gradient, 7.5400 with tack-on."""
    others = {"none": 7.55, "as_listed": 7.5505, "tack_on": 7.54}
    after, _ = updated(style, 8.0, 9.0, 0.05, 0.01)

    assert pytest.approx(others.get(style, 7.5495), rel=1e-15) == after


@pytest.mark.parametrize(
    ("style", "expected"),
    [("penalty", -0.0002), ("decoupled", -0.0002), ("clipped", 0), ("proximal", 0), ("tack_on", -0.0097)],
)
def test_a_small_weight_tells_them_apart(style, expected):
    """0.0003 without a gradient, η = 0.05, λ = 0.01: sub-gradients go on to −0.0002, soft thresholds stop at 0."""
    assert pytest.approx(expected, rel=1e-12) == updated(style, 0.0003, 0.0, 0.05, 0.01)[0]


@pytest.mark.parametrize(
    ("style", "expected"),
    [("tack_on", -0.04 - 0.02), ("decoupled", -0.04 - 0.002), ("clipped", -0.04 - 0.002), ("proximal", -0.04 + 0.002)],
)
def test_whose_sign_it_is(style, expected):
    """w = 0.01 steps to −0.04. Three styles shrink by the sign that w had, and push it on; proximal by the new one."""
    assert pytest.approx(expected, rel=1e-14) == updated(style, 0.01, 0.5, 0.1, 0.02)[0]


def test_soft_threshold_by_hand():
    """S(z, ¼) moves toward 0 by ¼, and what is within ¼ of it becomes 0, never −0."""
    z = np.array([1.0, 0.5, 0.25, 0.1, 0.0, -0.1, -0.25, -1.0])
    found = soft_threshold(z, 0.25)

    assert [0.75, 0.25, 0, 0, 0, 0, 0, -0.75] == found.tolist()
    assert not np.signbit(found[2:7]).any()


def test_cumulative_by_hand():
    """η = 1, λ = ¼, four updates of three weights; u⁺ = u + ¼, and what each was moved by is q.

    w = 1, g = 0:  1 − ¼ − ¼ − ¼ − ¼ = 0; it owes nothing.
    w = −⅛, g = 0: it pays ⅛ and is 0, and stays: there q = ⅛, while u goes on to 1, so that it owes ⅞.
    w = 0: in update 3 g = −1 makes v = 1. Three times ¼ is due, q = 0: it pays ¾ and is ¼. Then −¼: 0, all paid.
    """
    w, memory, seen = np.array([1.0, -0.125, 0.0]), (), []
    for g in ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 0.0, 0.0]):
        w, memory = updated("cumulative", w, g, 1.0, 0.25, memory)
        seen.append((*w, memory[0], *memory[1]))

    assert [
        (0.75, 0.0, 0.0, 0.25, -0.25, 0.125, 0.0),
        (0.5, 0.0, 0.0, 0.5, -0.5, 0.125, 0.0),
        (0.25, 0.0, 0.25, 0.75, -0.75, 0.125, -0.75),
        (0.0, 0.0, 0.0, 1.0, -1.0, 0.125, -1.0),
    ] == seen


def test_a_debt_is_paid_later():
    """A weight held at 0 that is pushed out pays what it owed: u = 1, q = ⅛ and v = −2 give −2 + 1 − ⅛ = −1⅛."""
    after, (u, q) = updated("cumulative", 0.0, 2.0, 1.0, 0.25, (0.75, 0.125))

    assert (-1.125, 1.0, 1.0) == (after, u, q)
    assert -1.75 == updated("proximal", 0.0, 2.0, 1.0, 0.25)[0]  # which forgets it


def test_the_sign_of_what_was_paid_counts():
    """Paid as a negative weight, q = +½, it is owed as a positive one: u = 1 and v = 2 give 2 − (1 + ½) = ½."""
    after, (u, q) = updated("cumulative", 0.0, -2.0, 1.0, 0.25, (0.75, 0.5))

    assert (0.5, 1.0, -1.0) == (after, u, q)


@pytest.mark.parametrize("style", STYLES)
def test_no_negative_zero(style):
    """From values without −0 no style makes one; nor does a second update."""
    values = np.array([0.0, 0.5, -0.5, 0.25, -0.25, 1.0, -1.0, 3.0, -3.0])
    w, g = (array.ravel() for array in np.meshgrid(values, values))
    for lr, lamda in ((1.0, 0.5), (0.5, 1.0), (0.5, 0.0), (1.0, 4.0)):
        after, memory = updated(style, w, g, lr, lamda)
        again, _ = updated(style, after, g, lr, lamda, memory)

        assert not np.signbit(after[after == 0]).any()
        assert not np.signbit(again[again == 0]).any()
        assert (after == 0).any()


def test_sign_times_maximum_has_negative_zeros():
    """Twin: S as sign z · max(|z| − t, 0), as it is printed, gives −0 under the threshold."""
    z = np.array([-0.25])

    assert np.signbit(np.sign(z) * np.maximum(np.abs(z) - 0.5, 0.0))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", STYLES)
def test_no_lamda_is_no_l1(style, optimizer):
    """With λ = 0 every style is `none`, to the bit, through three updates."""
    kept = {}
    for name in ("none", style):
        w, memory = np.array([0.3, -0.2, 0.0, 0.01]), Memory()
        experiment = Experiment(style=name, optimizer=optimizer)
        for g in ([0.7, 0.1, -0.4, 2.0], [0.1, -0.3, 0.0, -4.0], [-0.2, 0.5, 0.6, 0.1]):
            w, of_w, of_style = update_weight(w, np.array(g), 0.1, 0.0, rule(experiment), memory)
            memory = Memory(of_w, (), of_style)
        kept[name] = w.tobytes()

    assert kept["none"] == kept[style]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", [style for style in STYLES if style != "none"])
def test_lamda_has_an_effect(style, optimizer):
    """Twin of the above: with λ > 0 no style but `none` is `none`; under Adam from the second update on."""
    w, g = np.array([0.3, -0.2, 0.1]), np.array([0.7, 0.1, -0.4])
    ends = []
    for name in ("none", style):
        experiment = Experiment(style=name, optimizer=optimizer)
        after, of_w, of_style = update_weight(w, g, 0.1, 0.01, rule(experiment))
        ends.append(update_weight(after, g / 2, 0.1, 0.01, rule(experiment), Memory(of_w, (), of_style))[0])

    assert np.all(ends[0] != ends[1])


@pytest.mark.parametrize("style", STYLES)
def test_l2_is_a_part_of_the_gradient(style):
    """λ₂ = ½ beside any style is the gradient g + ½ w: elastic net."""
    w, g = np.array([0.3, -0.2, 0.0]), np.array([0.7, 0.1, -0.4])

    assert updated(style, w, g + 0.5 * w)[0].tobytes() == updated(style, w, g, l2=0.5)[0].tobytes()
    assert updated(style, w, g)[0].tobytes() != updated(style, w, g, l2=0.5)[0].tobytes()


@pytest.mark.parametrize("style", STYLES)
def test_an_axis_of_runs_passes_through(style):
    """Weights of several runs, each with its own η and λ, are as they are one by one."""
    rnd = np.random.default_rng(0)
    w, g = rnd.normal(size=(2, 3, 4, 5))
    lr, lamda = np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.5, 2.0])
    together, memory = updated(style, w, g, lr[:, None, None], lamda[:, None, None])
    together, _ = updated(style, together, g, lr[:, None, None], lamda[:, None, None], memory)
    for run in range(3):
        alone, memory = updated(style, w[run], g[run], lr[run], lamda[run])
        alone, _ = updated(style, alone, g[run], lr[run], lamda[run], memory)

        assert alone.tobytes() == together[run].tobytes()


@pytest.mark.parametrize("style", STYLES)
def test_an_update_does_not_change_its_arguments(style):
    """w, g and what is remembered stay as they were."""
    experiment = Experiment(style=style, optimizer="momentum")
    w, g = np.array([0.3, -0.2, 0.0]), np.array([0.7, 0.1, -0.4])
    _, of_w, of_style = update_weight(w, g, 0.1, 1.0, rule(experiment))
    memory = Memory(of_w, (), of_style)
    before = repr((w, g, memory))
    update_weight(w, g, 0.1, 1.0, rule(experiment), memory)

    assert before == repr((w, g, memory))


@pytest.mark.parametrize("style", STYLES)
def test_a_row_has_one_place_and_the_formula_of_its_docstring(style):
    """The pages show the row's formula; it is the first line of the function's docstring, without the dot."""
    row = STYLES[style]
    places = [place for place in (row.on_gradient, row.after_step, row.after_step_with_memory) if place]

    assert ([] if style == "none" else [row.function]) == places
    assert [f"{row.formula}."] * len(places) == [place.__doc__.splitlines()[0] for place in places]
    assert row.formula.startswith("w⁺ = ")
    assert row.about.endswith(".")


@pytest.mark.parametrize(("option", "docstrings"), [("-OO", False), ("-B", True)], ids=["no docstrings", "twin"])
def test_formulas_do_not_hang_on_docstrings(option, docstrings):
    """Python with -OO drops docstrings; every row has its formula and its words in either case."""
    program = (
        "from reference.l1 import STYLES, penalty; from reference.optimizers import OPTIMIZERS;"
        "print(penalty.__doc__ is not None, [(row.formula, row.about) for row in (STYLES | OPTIMIZERS).values()])"
    )
    done = subprocess.run([sys.executable, option, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [(row.formula, row.about) for row in [*STYLES.values(), *OPTIMIZERS.values()]]

    assert f"{docstrings} {rows}\n" == done.stdout


@pytest.mark.parametrize("style", STYLES)
def test_what_is_not_a_number_stays_so(style):
    """No style turns NaN into a zero, which would pass for an exact one."""
    experiment = Experiment(style=style)

    assert np.isnan(update_weight(np.array(1.0), np.array(np.nan), 0.1, 0.5, rule(experiment))[0])
    assert np.isnan(update_weight(np.array(np.nan), np.array(1.0), 0.1, 0.5, rule(experiment))[0])
