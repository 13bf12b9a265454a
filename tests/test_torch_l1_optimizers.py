"""Every style with every optimizer of torch's own table, in all its configurations."""

import copy
import inspect
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing._internal.common_optimizers import optim_db

from reference.errors import InputError
from tests.models import AROUND_STEP, IN_LOSS, formula_around, formula_in_loss, same_bits
from torch_impl.l1 import STYLES, attach, with_penalty

PLACES = {"around": AROUND_STEP, "in loss": [*IN_LOSS, "none"]}
REFUSED = {  # by optimizer and place; everything else is carried
    ("LBFGS", "around"): r"^LBFGS cannot carry \w+: it evaluates the loss several times in one step",
    ("SparseAdam", "around"): "^SparseAdam takes sparse gradients only, and L1 acts on every weight",
    ("SparseAdam", "in loss"): "^SparseAdam takes sparse gradients only, and L1 acts on every weight",
}


def configurations(row):
    """The options that torch tests the optimizer with, each also with foreach and with fused, if it has them."""
    ways = [{}, *({way: True} for way in row.supported_impls if way != "differentiable")]
    return [found.kwargs | way for found in row.optim_inputs_func(device="cpu") for way in ways]


class Pair:
    """Two matrices, one of them with λ, a loss of both, and an optimizer with these options."""

    def __init__(self, kind, options):
        torch.manual_seed(0)
        self.ws = [nn.Parameter(torch.randn(3, 4, dtype=torch.float64)) for _ in range(2)]
        self.ws[0].detach().view(-1)[::5] = 0
        options = {"lr": 0.01} | copy.deepcopy(options)  # a learning rate may be a tensor
        weights = {"params": [self.ws[0]], "lamda": 0.3}
        # LBFGS takes one group only
        groups = [weights] if issubclass(kind, torch.optim.LBFGS) else [weights, {"params": [self.ws[1]]}]
        self.optimizer = kind(groups, **options)

    def closure(self, add):
        """The gradients of the loss, to which L1 is added."""
        self.optimizer.zero_grad()
        loss = add(sum((w - 0.5).square().sum() for w in self.ws))
        loss.backward()
        return loss


def differing(style, kind, options):
    """Which of the two matrices differ after two steps from those that are stepped by formula?"""
    hooked, twin, memory = Pair(kind, options), Pair(kind, options), {}
    if style not in IN_LOSS:
        attach(style, hooked.optimizer)
    for _ in range(2):
        hooked.optimizer.step(partial(hooked.closure, lambda loss: with_penalty(loss, style, hooked.optimizer)))
        by_formula = partial(twin.closure, lambda loss: loss + formula_in_loss(style, twin.optimizer))
        formula_around(style, twin.optimizer, memory, partial(twin.optimizer.step, by_formula))
    pairs = zip(hooked.ws, twin.ws, strict=True)
    return [i for i, (w, v) in enumerate(pairs) if not same_bits(w.detach(), v.detach())]


def test_every_configuration_of_every_optimizer_has_the_style_or_refuses_it():
    """The bits of the formula around, or in the gradient of, the stock optimizer's steps; a refusal is one line."""
    for row in optim_db:
        for options in configurations(row):
            for place, styles in PLACES.items():
                refused = REFUSED.get((row.optim_cls.__name__, place))
                for style in styles:
                    if refused:
                        with pytest.raises(InputError, match=refused):
                            differing(style, row.optim_cls, options)
                    else:
                        assert [] == differing(style, row.optim_cls, options), (row.optim_cls, options, style)

    assert {name for name, _ in REFUSED} < {row.optim_cls.__name__ for row in optim_db}


@pytest.mark.parametrize("style", AROUND_STEP)
def test_another_style_is_not_this_one(style, monkeypatch):
    """Twin: where another style is attached under this name, each optimizer differs in the matrix with λ alone."""
    monkeypatch.setitem(STYLES, style, STYLES["clipped" if style == "tack_on" else "tack_on"])
    for row in optim_db:
        if (row.optim_cls.__name__, "around") not in REFUSED:
            assert [0] == differing(style, row.optim_cls, {}), row.optim_cls


@pytest.mark.parametrize("style", AROUND_STEP)
def test_a_step_that_has_a_derivative_is_refused(style):
    """differentiable=True: L1 by hooks would be missing in it. A style in the loss is part of it."""
    for row in optim_db:
        if "differentiable" in row.supported_impls:
            pair = Pair(row.optim_cls, {"differentiable": True})
            with pytest.raises(
                InputError, match=r"differentiable=True, and the hooks' part of a step has no derivative"
            ):
                attach(style, pair.optimizer)
            with_penalty(torch.zeros(()), "penalty", pair.optimizer)


class OwnStep(torch.optim.SGD):
    """Someone's own optimizer, whose step must have a closure."""

    def step(self, closure):
        """As LBFGS."""
        closure()
        return closure()


def test_own_optimizers_that_evaluate_the_loss_are_refused_as_lbfgs_is():
    """By the form of their step, and not by their name. Twin: the same with closure=None."""
    with pytest.raises(InputError, match="OwnStep cannot carry proximal"):
        attach("proximal", Pair(OwnStep, {}).optimizer)

    assert inspect.signature(torch.optim.SGD.step).parameters["closure"].default is None
    attach("proximal", Pair(torch.optim.SGD, {}).optimizer)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")  # torch's own, of its own step
@pytest.mark.parametrize("style", AROUND_STEP)
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adagrad], ids=lambda kind: kind.__name__)
def test_sparse_gradients_are_refused_before_anything_changes(style, kind):
    """As nn.Embedding(sparse=True) makes them; those of a closure are known after the step. Twin: sparse=False."""
    for by_closure in (False, True):
        model = nn.Embedding(5, 3, sparse=True)
        before = model.weight.detach().clone()
        optimizer = kind([{"params": [model.weight], "lamda": 0.1}], lr=0.1)
        attach(style, optimizer)

        def closure(model=model):
            model(torch.tensor([1])).sum().backward()

        with pytest.raises(InputError, match="a weight with lamda has a sparse gradient"):
            optimizer.step(closure) if by_closure else optimizer.step(closure())
        assert by_closure != torch.equal(before, model.weight)
    dense = nn.Embedding(5, 3)
    optimizer = kind([{"params": [dense.weight], "lamda": 0.1}], lr=0.1)
    attach(style, optimizer)
    dense(torch.tensor([1])).sum().backward()
    optimizer.step()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")  # torch's own, when it compiles
@pytest.mark.parametrize("style", ["none", *AROUND_STEP])
def test_a_compiled_step_is_the_step(style):
    """torch.compile(optimizer.step), also when λ and η change, leaves the hooks as they are."""
    torch._dynamo.reset()
    ends = []
    for compiled in (False, True):
        pair = Pair(torch.optim.SGD, {})
        attach(style, pair.optimizer)
        step = torch.compile(pair.optimizer.step, backend="eager") if compiled else pair.optimizer.step
        for lr, lamda in ((0.1, 0.3), (0.1, 0.2), (0.05, 0.2)):
            pair.optimizer.param_groups[0] |= {"lr": lr, "lamda": lamda}
            pair.closure(lambda loss: loss)
            step()
        ends.append(pair.ws[0].detach())

    assert same_bits(*ends)
