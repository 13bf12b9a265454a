"""The hooks themselves: on several optimizers, attached and detached, beside rounding; the penalty in the loss."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import nn

from tests.models import AROUND_STEP, IN_LOSS, Twins, attach_where_it_acts, formula_around, formula_in_loss, same_bits
from torch_impl.l1 import STYLES, attach, with_penalty
from torch_impl.rounding import to_float32_grid


@pytest.mark.parametrize(("one", "other"), [*pairwise(STYLES), ("cumulative", "none")])
def test_two_optimizers_on_two_halves_of_a_model(one, other):
    """Each half has its own optimizer and style, and each is its own formula."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    x, twin = torch.randn(4, 3, dtype=torch.float64), copy.deepcopy(model)
    halves = [
        (
            torch.optim.SGD([{"params": [m[0].weight], "lamda": 0.3}, {"params": [m[0].bias]}], lr=0.1),
            torch.optim.Adam([{"params": [m[2].weight], "lamda": 0.2}, {"params": [m[2].bias]}], lr=0.1),
        )
        for m in (model, twin)
    ]
    for style, optimizer in zip((one, other), halves[0], strict=True):
        attach_where_it_acts(style, optimizer)
    memories = {}, {}
    for _ in range(3):
        loss = model(x).square().mean()
        for style, optimizer in zip((one, other), halves[0], strict=True):
            optimizer.zero_grad()
            loss = with_penalty(loss, STYLES[style], optimizer)
        loss.backward()
        for optimizer in halves[0]:
            optimizer.step()

        twin.zero_grad()
        loss = twin(x).square().mean()
        for style, optimizer in zip((one, other), halves[1], strict=True):
            loss = loss + formula_in_loss(style, optimizer)
        loss.backward()
        for style, optimizer, memory in zip((one, other), halves[1], memories, strict=True):
            formula_around(style, optimizer, memory, optimizer.step)

    assert all(map(same_bits, model.state_dict().values(), twin.state_dict().values()))


@pytest.mark.parametrize("style", AROUND_STEP)
def test_detached_is_stock(style):
    """After detach() a step is the stock one, to the bit, and another style may be attached."""
    twins = Twins("none")
    twins.attached.detach()
    attach(style, twins.optimizer).detach()
    twins.steps(2)

    assert [] == twins.differing()
    attach("tack_on", twins.optimizer)


@pytest.mark.parametrize("first", ["none", *AROUND_STEP])
def test_attaching_twice_is_refused(first):
    """A second style on one optimizer would apply λ twice, and so would the same one."""
    optimizer = Twins(first).optimizer
    for second in ("none", *AROUND_STEP):
        with pytest.raises(ValueError, match="attached to this optimizer already; detach"):
            attach(STYLES[second], optimizer)


@pytest.mark.parametrize(("style", "sign"), [("penalty", 1), ("as_listed", -1)])
def test_the_penalty_is_a_term_of_the_loss(style, sign):
    """loss ± λ Σ|w| over the groups that carry lamda."""
    twins = Twins(style)
    loss = twins.data_loss(twins.model)

    assert torch.equal(
        loss + sign * 0.3 * twins.model.weight.abs().sum(), with_penalty(loss, STYLES[style], twins.optimizer)
    )


@pytest.mark.parametrize("style", [style for style in STYLES if style not in IN_LOSS])
def test_other_styles_leave_the_loss_as_it_is(style):
    """The very same tensor."""
    twins = Twins(style)
    loss = twins.data_loss(twins.model)

    assert with_penalty(loss, STYLES[style], twins.optimizer) is loss


def test_rounding_is_a_hook_that_can_be_removed():
    """After a step every parameter is a float32 in float64; after remove() it is not."""
    twins = Twins("none")
    handle = twins.optimizer.register_step_post_hook(to_float32_grid)
    twins.steps(1)

    for p, q in zip(twins.model.parameters(), twins.twin.parameters(), strict=True):
        assert same_bits(q.detach().float().double(), p.detach())
    handle.remove()
    twins.steps(1)
    assert not any(torch.equal(p.float().double(), p) for p in twins.model.parameters())


@pytest.mark.parametrize("style", AROUND_STEP)
def test_rounding_comes_after_the_style(style):
    """Attached last, rounding sees what the style made; attached first, it does not."""
    for rounded in (True, False):
        twins = Twins(style)
        twins.attached.detach()
        if rounded:
            attach(STYLES[style], twins.optimizer)
            twins.optimizer.register_step_post_hook(to_float32_grid)
        else:
            twins.optimizer.register_step_post_hook(to_float32_grid)
            attach(STYLES[style], twins.optimizer)
        twins.steps(1)
        weight, expected = twins.model.weight.detach(), twins.twin.weight.detach().float().double()

        assert rounded == same_bits(expected, weight)
        assert rounded == torch.equal(weight.float().double(), weight)
