"""Every style's update, worked by hand."""

import numpy as np
import pytest

from reference.experiment import Experiment, Memory
from reference.l1 import STYLES, soft_threshold
from reference.optimizers import OPTIMIZERS
from reference.train import update_weight

# 8.0, g = 9.0, η = 0.05, λ = 0.01 is the article's example; its text gives 7.5495 and 7.5400
BY_HAND = {  # w: w⁺ for g = 0.5, η = 0.1, λ = 1: ηg = 0.05, ηλ = 0.1
    "none": {2.0: 2.0 - 0.05, -2.0: -2.0 - 0.05, 0.0: -0.05, 0.1: 0.05},
    "penalty": {2.0: 2.0 - 0.1 * 1.5, -2.0: -2.0 + 0.1 * 0.5, 0.0: -0.05, 0.1: 0.1 - 0.1 * 1.5},
    "as_listed": {2.0: 2.0 + 0.1 * 0.5, -2.0: -2.0 - 0.1 * 1.5, 0.0: -0.05, 0.1: 0.1 + 0.1 * 0.5},
    "tack_on": {2.0: 2.0 - 0.05 - 1, -2.0: -2.0 - 0.05 + 1, 0.0: -0.05, 0.1: 0.1 - 0.05 - 1},
    "decoupled": {2.0: 2.0 - 0.05 - 0.1, -2.0: -2.0 - 0.05 + 0.1, 0.0: -0.05, 0.1: 0.1 - 0.05 - 0.1},
    "clipped": {2.0: 2.0 - 0.05 - 0.1, -2.0: -2.0 - 0.05 + 0.1, 0.0: -0.05, 0.1: 0.0},
    "proximal": {2.0: 2.0 - 0.05 - 0.1, -2.0: -2.0 - 0.05 + 0.1, 0.0: 0.0, 0.1: 0.0},
    "cumulative": {2.0: 2.0 - 0.05 - 0.1, -2.0: -2.0 - 0.05 + 0.1, 0.0: 0.0, 0.1: 0.0},
}
CASES = [
    pytest.param(style, *case, id=f"{style} at {case[0]:g}")
    for style, cases in BY_HAND.items()
    for case in cases.items()
]


def after(style, w, g, lr, lamda, memory=()):
    """w⁺, and what the style remembers, of a step of plain SGD."""
    arrays = (np.array(w), np.array(g))
    w, _, remembered = update_weight(*arrays, lr, lamda, Experiment(style=style), Memory(style=memory))
    return w, remembered


@pytest.mark.parametrize(("style", "w", "expected"), CASES)
def test_update_by_hand(style, w, expected):
    """At w = 2, −2, 0, where the sign is 0, and 0.1, which the shrinkage takes across zero or stops there."""
    assert pytest.approx(expected, rel=1e-14, abs=0) == after(style, w, 0.5, 0.1, 1.0)[0]


def test_every_style_is_worked_by_hand():
    """No style is without a case above."""
    assert list(STYLES) == list(BY_HAND)


@pytest.mark.parametrize(
    ("style", "printed"),
    [("penalty", 7.5495), ("tack_on", 7.54), ("decoupled", 7.5495), ("proximal", 7.5495), ("as_listed", 7.5505)],
)
def test_worked_example_of_the_article(style, printed):
    """8.0 → 7.5495 with the penalty, 7.5400 with tack-on; what else is scaled by η cannot be told from the penalty."""
    assert pytest.approx(printed, rel=1e-15) == after(style, 8.0, 9.0, 0.05, 0.01)[0]


@pytest.mark.parametrize(
    ("style", "expected"),
    [("penalty", -0.0002), ("decoupled", -0.0002), ("clipped", 0), ("proximal", 0), ("tack_on", -0.0097)],
)
def test_a_small_weight_tells_them_apart(style, expected):
    """0.0003 without a gradient, η = 0.05, λ = 0.01: sub-gradients go on to −0.0002, soft thresholds stop at 0."""
    assert pytest.approx(expected, rel=1e-12) == after(style, 0.0003, 0.0, 0.05, 0.01)[0]


@pytest.mark.parametrize(
    ("style", "expected"),
    [("tack_on", -0.04 - 0.02), ("decoupled", -0.04 - 0.002), ("clipped", -0.04 - 0.002), ("proximal", -0.04 + 0.002)],
)
def test_whose_sign_it_is(style, expected):
    """w = 0.01 steps to −0.04. Three styles shrink by the sign that w had, and push it on; proximal by the new one."""
    assert pytest.approx(expected, rel=1e-14) == after(style, 0.01, 0.5, 0.1, 0.02)[0]


def test_clipped_stops_where_the_step_itself_came_to_zero():
    """w = 0.05, ηg = 0.05: v is 0, and the decay does not take it beyond."""
    assert 0.0 == after("clipped", 0.0625, 0.625, 0.1, 1.0)[0]


def test_soft_threshold_by_hand():
    """S(z, 0.25) moves toward 0 by 0.25, and what is within 0.25 of it becomes 0, never −0."""
    z = np.array([1.0, 0.5, 0.25, 0.1, 0.0, -0.1, -0.25, -1.0])
    found = soft_threshold(z, 0.25)

    assert [0.75, 0.25, 0, 0, 0, 0, 0, -0.75] == found.tolist()
    assert not np.signbit(found[2:7]).any()


def test_cumulative_by_hand():
    """η = ½, λ = ½: u grows by ¼. A weight held at 0 owes what it could not pay, and pays it when it leaves.

    w = ⅛, g = 0: u = ¼ takes all, w = 0, q = −⅛.  g = −1: v = ½, u = ½, pays u + q = ⅜: w = ⅛, q = −½.
    g = 0: v = ⅛, u = ¾, pays ¼, of which ⅛ can be paid: w = 0, q = −⅝.  Proximal would have ¼ after the second step.
    """
    w, memory, path = np.array(0.125), (), []
    for g in (0.0, -1.0, 0.0):
        w, memory = after("cumulative", w, g, 0.5, 0.5, memory)
        path.append((float(w), *map(float, memory)))

    assert [(0.0, 0.25, -0.125), (0.125, 0.5, -0.5), (0.0, 0.75, -0.625)] == path
    assert 0.25 == after("proximal", 0.0, -1.0, 0.5, 0.5)[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", STYLES)
def test_no_lamda_is_no_l1(style, optimizer):
    """With λ = 0 every style is `none`, to the bit, whatever the optimizer."""
    w, g = np.array([0.3, -0.2, 0.0]), np.array([0.7, 0.1, -0.4])
    none, found = (update_weight(w, g, 0.1, 0.0, Experiment(style=s, optimizer=optimizer))[0] for s in ("none", style))

    assert none.tolist() == found.tolist()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", [style for style in STYLES if style != "none"])
def test_lamda_has_an_effect(style, optimizer):
    """Twin of the above: with λ > 0 no style but `none` is `none`."""
    w, g = np.array([0.3, -0.2, 0.1]), np.array([0.7, 0.1, -0.4])
    none, found = (update_weight(w, g, 0.1, 0.01, Experiment(style=s, optimizer=optimizer))[0] for s in ("none", style))

    assert np.all(none != found)


def test_a_style_has_one_place_at_most():
    """On the gradient, after the step, or after the step with a memory."""
    for style in STYLES.values():
        assert sum(place is not None for place in vars(style).values()) <= 1
