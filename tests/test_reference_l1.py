"""Every style's update, worked by hand."""

import numpy as np
import pytest

from reference.l1 import STYLES

# 8.0, g = 9.0, η = 0.05, λ = 0.01 is the article's example; its text gives 7.5495 and 7.5400
BY_HAND = {
    "none": [(2.0, 0.5, 2.0 - 0.1 * 0.5), (-2.0, 0.5, -2.0 - 0.1 * 0.5), (0.0, 0.5, -0.1 * 0.5)],
    "penalty": [(2.0, 0.5, 2.0 - 0.1 * 1.5), (-2.0, 0.5, -2.0 + 0.1 * 0.5), (0.0, 0.5, -0.1 * 0.5)],
    "as_listed": [(2.0, 0.5, 2.0 + 0.1 * 0.5), (-2.0, 0.5, -2.0 - 0.1 * 1.5), (0.0, 0.5, -0.1 * 0.5)],
    "tack_on": [(2.0, 0.5, 2.0 - 0.05 - 1.0), (-2.0, 0.5, -2.0 - 0.05 + 1.0), (0.0, 0.5, -0.05)],
}
CASES = [pytest.param(style, *case, id=f"{style} at {case[0]:g}") for style, cases in BY_HAND.items() for case in cases]


@pytest.mark.parametrize(("style", "w", "g", "expected"), CASES)
def test_update_by_hand(style, w, g, expected):
    """η = 0.1, λ = 1, g = 0.5, at w = 2, −2 and 0, where the sign is 0."""
    assert pytest.approx(expected, rel=1e-15) == STYLES[style](np.array(w), np.array(g), 0.1, 1.0)


def test_every_style_is_worked_by_hand():
    """No style is without a case above."""
    assert list(STYLES) == list(BY_HAND)


@pytest.mark.parametrize(("style", "printed"), [("penalty", 7.5495), ("tack_on", 7.54)], ids=["penalty", "tack-on"])
def test_worked_example_of_the_article(style, printed):
    """8.0 → 7.5495 with the penalty in the gradient, 7.5400 with tack-on."""
    assert pytest.approx(printed, rel=1e-15) == STYLES[style](np.array(8.0), np.array(9.0), 0.05, 0.01)


def test_tack_on_takes_the_sign_before_the_step():
    """w = 0.01, ηg = 0.05: the step makes it −0.04, and λ = 0.02 is still subtracted: −0.06."""
    assert pytest.approx(-0.06, rel=1e-14) == STYLES["tack_on"](np.array(0.01), np.array(0.5), 0.1, 0.02)


@pytest.mark.parametrize("style", STYLES)
def test_no_lamda_is_no_l1(style):
    """With λ = 0 every style is `none`, to the bit."""
    w, g = np.array([0.3, -0.2, 0.0]), np.array([0.7, 0.1, -0.4])

    assert STYLES["none"](w, g, 0.1, 0.0).tolist() == STYLES[style](w, g, 0.1, 0.0).tolist()


@pytest.mark.parametrize("style", [style for style in STYLES if style != "none"])
def test_lamda_has_an_effect(style):
    """Twin of the above: with λ > 0 no style but `none` is `none`."""
    w, g = np.array([0.3, -0.2, 0.1]), np.array([0.7, 0.1, -0.4])

    assert np.all(STYLES["none"](w, g, 0.1, 0.01) != STYLES[style](w, g, 0.1, 0.01))
