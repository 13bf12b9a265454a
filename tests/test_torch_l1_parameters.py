"""Which parameters L1 acts on: groups with their own λ, groups added later, frozen and unused parameters."""

import pytest
import torch
from torch import nn

from tests.models import OPTIMIZERS, Twins, attach_where_it_acts, same_bits, single
from torch_impl.l1 import STYLES, with_penalty


@pytest.mark.parametrize("style", STYLES)
def test_groups_have_their_own_lamda(style):
    """λ = ¼ and ½ in two groups, none in the third: each weight is as if it were alone."""
    ws = [nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(3)]
    lamdas = ({"lamda": 0.25}, {"lamda": 0.5}, {"lamda": 0.0})
    alone = []
    for lamda in lamdas:
        w, optimizer = single(1.0, style=style, lr=0.5, **lamda)
        with_penalty((0 * w).sum(), STYLES[style], optimizer).backward()
        optimizer.step()
        alone.append(w.item())
    groups = [{"params": [w]} | lamda for w, lamda in zip(ws, (*lamdas[:2], {}), strict=True)]
    optimizer = torch.optim.SGD(groups, lr=0.5)
    attach_where_it_acts(style, optimizer)
    with_penalty(sum((0 * w).sum() for w in ws), STYLES[style], optimizer).backward()
    optimizer.step()

    assert alone == [w.item() for w in ws]
    assert 1.0 == alone[2]


@pytest.mark.parametrize("style", STYLES)
def test_a_group_may_be_added_while_training(style):
    """add_param_group() with lamda is penalised from then on."""
    twins = Twins(style)
    twins.steps(1)
    for model, optimizer in ((twins.model, twins.optimizer), (twins.twin, twins.twin_optimizer)):
        model.more = nn.Parameter(torch.tensor([[0.3, -0.2]], dtype=torch.float64))
        optimizer.add_param_group({"params": [model.more], "lamda": 0.25})
    twins.output = lambda model, x: model(x) * model.more
    twins.steps(2)

    assert [] == twins.differing()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", STYLES)
def test_a_layer_that_is_frozen_later_and_unfrozen_again(style, optimizer):
    """While it is frozen its bits stay, and cumulative asks nothing of it; then it goes on."""
    twins = Twins(style, "CNN", optimizer)
    twins.steps(2)
    for trained in (False, True):
        weight, due = twins.model[0].weight.detach().clone(), l1_due(twins)
        for model in (twins.model, twins.twin):
            model[0].requires_grad_(trained)
            model.zero_grad()
        twins.steps(2)

        assert [] == twins.differing()
        assert trained != same_bits(weight, twins.model[0].weight.detach())
        assert (trained and style == "cumulative") == (due != l1_due(twins))


def l1_due(twins):
    """What cumulative has asked of the first layer so far; None of other styles."""
    return twins.optimizer.state[twins.model[0].weight].get("l1_due")


@pytest.mark.parametrize("style", STYLES)
def test_a_layer_that_is_frozen_from_the_start(style):
    """It keeps its bits, and nothing is remembered of it."""
    for optimizer in ("SGD", "momentum", "Adam"):
        twins = Twins(style, "CNN", optimizer)
        for model in (twins.model, twins.twin):
            model[0].requires_grad_(False)
        before = twins.model[0].weight.detach().clone()
        twins.steps(2)

        assert [] == twins.differing(), optimizer
        assert same_bits(before, twins.model[0].weight.detach())
        assert twins.model[0].weight not in twins.optimizer.state


@pytest.mark.parametrize("style", STYLES)
def test_a_parameter_that_the_loss_does_not_use(style):
    """It has no gradient, and after-step styles leave it alone; the penalty is itself a loss that uses it."""
    used, unused = (nn.Parameter(torch.tensor([value], dtype=torch.float64)) for value in (1.0, 2.0))
    optimizer = torch.optim.SGD([{"params": [used, unused], "lamda": 0.25}], lr=0.5)
    attach_where_it_acts(style, optimizer)
    with_penalty((0 * used).sum(), STYLES[style], optimizer).backward()
    optimizer.step()

    expected = {"penalty": 2.0 - 0.5 * 0.25, "as_listed": 2.0 + 0.5 * 0.25}
    assert expected.get(style, 2.0) == unused.item()
    assert (style == "none") == (1.0 == used.item())


@pytest.mark.parametrize("style", STYLES)
def test_a_parameter_that_is_frozen_with_its_gradient_left(style):
    """torch takes the step of a gradient that was not cleared, requires_grad or not; L1 adds nothing to it."""
    w, optimizer = single(2.0, style=style, lamda=0.25, lr=0.5)
    other = nn.Parameter(torch.ones(1, dtype=torch.float64))
    w.grad = torch.tensor([1.0], dtype=torch.float64)
    w.requires_grad_(False)
    with_penalty(other.sum(), STYLES[style], optimizer).backward()
    optimizer.step()

    assert 2.0 - 0.5 * 1.0 == w.item()
