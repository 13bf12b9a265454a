"""Styles in PyTorch, worked by hand: one weight, a few updates."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.models import AROUND_STEP, FORMULAS, IN_LOSS, same_bits, single
from torch_impl.l1 import STYLES, attach, with_penalty

ARTICLE = {
    "none": 7.55,
    "penalty": 7.5495,
    "as_listed": 7.5505,
    "tack_on": 7.54,
    "decoupled": 7.5495,
    "clipped": 7.5495,
    "proximal": 7.5495,
    "cumulative": 7.5495,
}


def test_every_style_is_worked_by_hand():
    """No style is without its value."""
    assert list(STYLES) == list(ARTICLE) == list(FORMULAS)


@pytest.mark.parametrize(("style", "expected"), ARTICLE.items(), ids=ARTICLE)
def test_worked_example_of_the_article(style, expected):
    """w = 8, g = 9, η = 0.05, λ = 0.01: 7.5495 by the penalty, 7.5400 by tack-on."""
    w, optimizer = single(8.0, style=style)
    with_penalty(9 * w.sum(), STYLES[style], optimizer).backward()
    optimizer.step()

    assert pytest.approx(expected, rel=1e-15) == w.item()


@pytest.mark.parametrize(
    ("style", "expected"),
    [("tack_on", -0.06), ("decoupled", -0.042), ("clipped", -0.042), ("proximal", -0.038), ("cumulative", -0.038)],
)
def test_the_sign_before_the_step_or_after_it(style, expected):
    """w = 0.01 steps to −0.04. With η = 0.1, λ = 0.02, the sign before leads on, the sign after leads back."""
    w, optimizer = single(0.01, lamda=0.02, lr=0.1, style=style)
    w.grad = torch.tensor([0.5], dtype=torch.float64)
    optimizer.step()

    assert pytest.approx(expected, rel=1e-14) == w.item()


@pytest.mark.parametrize("style", STYLES)
def test_an_exact_zero_has_no_sign(style):
    """A weight that is 0 and has no data gradient stays 0, and not −0."""
    w, optimizer = single(0.0, 0.0, lamda=0.5, style=style)
    for _ in range(2):
        optimizer.zero_grad()
        with_penalty((0 * w).sum(), STYLES[style], optimizer).backward()
        optimizer.step()

    assert same_bits(np.zeros(2), w.detach())


def test_proximal_has_no_negative_zero_anywhere():
    """Nor in the elements that are left over when a processor takes several at a time."""
    w, optimizer = single(*[-0.5] * 9, lamda=1.0, lr=1.0, style="proximal")
    w.grad = torch.zeros_like(w)
    optimizer.step()

    assert same_bits(np.zeros(9), w.detach())
    assert nn.functional.softshrink(torch.full((9,), -0.5, dtype=torch.float64), 1.0).signbit().any()  # the reason


SCHEDULED = {
    "none": 8.0,
    "penalty": 7.125,
    "as_listed": 8.875,
    "tack_on": 5.0,
    "decoupled": 7.125,
    "clipped": 7.125,
    "proximal": 7.125,
    "cumulative": 7.125,
}


@pytest.mark.parametrize(("style", "expected"), SCHEDULED.items(), ids=SCHEDULED)
def test_a_schedule_by_hand(style, expected):
    """w = 8, g = 0, λ = 1, η = ½, ¼, ⅛: 8 − ⅞ where η scales λ, 8 − 3 by tack-on."""
    w, optimizer = single(8.0, lamda=1.0, lr=0.5, style=style)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda updates: 0.5**updates)
    for _ in range(3):
        optimizer.zero_grad()
        with_penalty((0 * w).sum(), STYLES[style], optimizer).backward()
        optimizer.step()
        scheduler.step()

    assert list(STYLES) == list(SCHEDULED)
    assert expected == w.item()


@pytest.mark.parametrize("style", IN_LOSS)
def test_the_penalty_of_every_micro_batch_is_counted(style):
    """Twin: added to both micro-batches it is 2 λ."""
    w, optimizer = single(8.0, lamda=0.25, lr=0.5)
    for _ in range(2):
        with_penalty(w.sum(), STYLES[style], optimizer).backward()

    assert 2.0 + 2 * FORMULAS[style].on_gradient(8.0, 0.0, 0.25) == w.grad.item()


@pytest.mark.parametrize("style", AROUND_STEP)
def test_what_is_not_a_number_stays_so(style):
    """No style turns a weight that the step made NaN into a zero, in whole vector lanes and left-over elements."""
    w = nn.Parameter(torch.ones(9, dtype=torch.float64))
    optimizer = torch.optim.SGD([{"params": [w], "lamda": 0.5}], lr=0.1)
    attach(STYLES[style], optimizer)
    w.grad = torch.full((9,), torch.nan, dtype=torch.float64)
    optimizer.step()

    assert bool(w.isnan().all())
