"""Every style in PyTorch is the reference's formula, for any model and any optimizer, on the intended parameters."""

import copy
from itertools import product

import numpy as np
import pytest
import torch

from tests.models import FORMULAS, IN_LOSS, MODELS, OPTIMIZERS, VARIANTS, Twins, same_bits
from torch_impl.l1 import STYLES, Style, attach


@pytest.mark.parametrize("style", STYLES)
def test_the_hooks_are_the_formula(style):
    """After three steps every parameter, buffer and memory has the bits of the formula around the stock steps."""
    for model, optimizer in product(MODELS, OPTIMIZERS):
        twins = Twins(style, model, optimizer)
        twins.steps(3)

        assert [] == twins.differing(), (model, optimizer)


@pytest.mark.parametrize("style", STYLES)
def test_the_hooks_are_the_formula_in_other_ways_to_compute(style):
    """So it is with foreach and fused steps, with a learning rate that is a tensor, and in float32."""
    for optimizer, dtype in product(VARIANTS, [torch.float64, torch.float32]):
        twins = Twins(style, "CNN", optimizer, dtype=dtype)
        twins.steps(3)

        assert [] == twins.differing(), (optimizer, dtype)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("style", IN_LOSS)
def test_the_penalty_is_its_formula_on_the_gradient(style, model):
    """w.grad is g ± λ sign w. An LSTM's g is a sum over time, which autograd begins with λ: there last bits differ.

    The bound is on rounding alone: five sums, each half an ULP of at most |g| + λ plus the largest term.
    """
    twins = Twins(style, model)
    twins.closure()
    plain = copy.deepcopy(twins.twin)
    twins.data_loss(plain).backward()

    for w, v in zip(twins.model.parameters(), plain.parameters(), strict=True):
        g = v.grad.numpy()
        expected = FORMULAS[style].on_gradient(v.detach().numpy(), g, 0.3) if w.dim() > 1 else g
        if model == "LSTM":
            assert np.abs(expected - w.grad.numpy()).max() <= 5 * np.spacing(0.3 + np.abs(g).max())
        else:
            assert same_bits(expected, w.grad)


def stock(twins):
    """What one step without L1 makes of the model."""
    model = copy.deepcopy(twins.model)
    optimizer = twins.optimize(model)
    twins.data_loss(model).backward()
    optimizer.step()
    return model


@pytest.mark.parametrize("style", STYLES)
def test_only_the_intended_parameters_change(style):
    """One step leaves vectors as the stock step makes them, and gives every matrix other bits, but for `none`."""
    for model in MODELS:
        twins = Twins(style, model)
        expected = dict(stock(twins).named_parameters())
        twins.step_model()
        parameters = dict(twins.model.named_parameters())

        changed = {name for name, p in parameters.items() if not same_bits(expected[name].detach(), p.detach())}
        matrices = {name for name, p in parameters.items() if p.dim() > 1}
        assert (set() if style == "none" else matrices) == changed, model
        assert matrices


@pytest.mark.parametrize("style", [style for style in STYLES if style != "none"])
def test_another_lamda_is_not_the_formula(style):
    """Twin: λ that is off by 1e-12 of itself is seen."""
    for model in MODELS:
        twins = Twins(style, model)
        twins.optimizer.param_groups[0]["lamda"] *= 1 + 1e-12
        twins.steps(1)

        assert twins.differing(), model


def sign_after_the_step(w, group):
    """Decoupled with the sign of the stepped weight."""
    yield
    w.sub_(w.sign(), alpha=group["lr"] * group["lamda"])


def test_another_formula_is_not_the_formula():
    """Twin: a hook that takes the sign after the step is seen."""
    twins = Twins("decoupled", "CNN")
    twins.attached.detach()
    twins.style = Style(around_step=sign_after_the_step)
    attach(twins.style, twins.optimizer)
    twins.step_model()
    twins.style = "decoupled"
    twins.step_twin()

    assert twins.differing()


@pytest.mark.parametrize("style", ["clipped", "proximal", "cumulative"])
def test_weights_that_stop_at_zero(style):
    """The three styles with exact zeros make them, more with a greater λ, and never a −0."""
    zeros = []
    for lamda in (0.0, 0.5, 5.0):
        twins = Twins(style, "CNN", lamda=lamda)
        twins.steps(3)
        matrices = torch.cat([p.detach().flatten() for p in twins.model.parameters() if p.dim() > 1])
        zeros.append(int((matrices == 0).sum()))
        assert not matrices[matrices == 0].signbit().any()

    assert zeros[0] < zeros[1] < zeros[2]
