"""The places of L1 in PyTorch: any module, any optimizer, nothing but the intended parameters."""

import copy

import pytest
import torch
from torch import nn

from torch_impl.l1 import STYLES, attach, with_penalty
from torch_impl.rounding import attach_rounding

OPTIMIZERS = {
    "SGD": torch.optim.SGD,
    "momentum": lambda params, lr: torch.optim.SGD(params, lr=lr, momentum=0.9),
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "RMSprop": torch.optim.RMSprop,
}
MODELS = {
    "linear": (lambda: nn.Linear(3, 2), (4, 3)),
    "convolution": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten()),
        (4, 1, 5, 5),
    ),
    "LSTM": (lambda: nn.LSTM(3, 2), (4, 2, 3)),
}


class Case:
    """A model with its weights penalised and its biases not, and a twin without L1 that takes the same steps."""

    def __init__(self, model="linear", optimizer="SGD", lamda=0.01):
        torch.manual_seed(0)
        make, shape = MODELS[model]
        self.model, self.x = make().double(), torch.randn(shape, dtype=torch.float64)
        self.twin = copy.deepcopy(self.model)
        self.lamda = lamda
        self.optimizer, self.twin_optimizer = (self.optimize(m, optimizer) for m in (self.model, self.twin))

    def optimize(self, model, optimizer):
        """Weights with lamda, biases without."""
        named = list(model.named_parameters())
        weights = {"params": [p for name, p in named if "weight" in name], "lamda": self.lamda}
        return OPTIMIZERS[optimizer]([weights, {"params": [p for name, p in named if "bias" in name]}], lr=0.1)

    def loss(self, model):
        """Some loss of the model's output."""
        y = model(self.x)
        return (y[0] if isinstance(y, tuple) else y).square().mean()

    def step(self, style=STYLES["none"]):
        """One step of the model with its hooks, one of the twin without."""
        for model, optimizer, place in (
            (self.model, self.optimizer, style),
            (self.twin, self.twin_optimizer, STYLES["none"]),
        ):
            optimizer.zero_grad()
            with_penalty(self.loss(model), place, optimizer).backward()
            optimizer.step()

    def pairs(self):
        """(name, parameter, the twin's parameter)."""
        return [(n, p, q) for (n, p), q in zip(self.model.named_parameters(), self.twin.parameters(), strict=True)]


def test_worked_example_of_the_article():
    """w = 8, g = 9, η = 0.05, λ = 0.01: 7.5495 by the penalty, 7.5400 by tack-on."""
    for style, expected in (("penalty", 7.5495), ("tack_on", 7.54), ("as_listed", 7.5505), ("none", 7.55)):
        w = nn.Parameter(torch.tensor([8.0], dtype=torch.float64))
        optimizer = torch.optim.SGD([{"params": [w], "lamda": 0.01}], lr=0.05)
        attach(STYLES[style], optimizer)
        with_penalty(9 * w.sum(), STYLES[style], optimizer).backward()
        optimizer.step()

        assert pytest.approx(expected, rel=1e-15) == w.item()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_tack_on_is_its_formula_on_any_model_and_optimizer(model, optimizer):
    """w⁺ = (the step without L1) − λ sign w for every weight, to the last bit; biases are as without L1."""
    case = Case(model, optimizer)
    attach(STYLES["tack_on"], case.optimizer)
    before = {name: p.detach().clone() for name, p, _ in case.pairs()}
    case.step()

    for name, p, q in case.pairs():
        expected = q - 0.01 * before[name].sign() if "weight" in name else q
        assert torch.equal(expected, p)


def test_the_sign_is_taken_before_the_step():
    """w = 0.01 steps to −0.04; tack-on of 0.02 goes on to −0.06, and not back to −0.02."""
    w = nn.Parameter(torch.tensor([0.01], dtype=torch.float64))
    optimizer = torch.optim.SGD([{"params": [w], "lamda": 0.02}], lr=0.1)
    attach(STYLES["tack_on"], optimizer)
    w.grad = torch.tensor([0.5], dtype=torch.float64)
    optimizer.step()

    assert pytest.approx(-0.06, rel=1e-14) == w.item()


@pytest.mark.parametrize("style", ["penalty", "as_listed", "tack_on"])
def test_an_exact_zero_has_no_sign(style):
    """A weight that is 0 and has no data gradient stays 0."""
    w = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = torch.optim.SGD([{"params": [w], "lamda": 0.5}], lr=0.1)
    attach(STYLES[style], optimizer)
    with_penalty((0 * w).sum(), STYLES[style], optimizer).backward()
    optimizer.step()

    assert [0.0, 0.0] == w.tolist()


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "LBFGS"])
def test_step_with_a_closure(optimizer):
    """step(closure) computes gradients inside the step; L1 is applied once, whatever the closure does."""
    case = Case()
    weight, bias, twin_weight, twin_bias = *case.model.parameters(), *case.twin.parameters()
    if optimizer == "LBFGS":
        case.optimizer, case.twin_optimizer = (
            torch.optim.LBFGS([{"params": list(model.parameters()), "lamda": 0.01}], lr=0.1, max_iter=3)
            for model in (case.model, case.twin)
        )
    else:
        case.optimizer, case.twin_optimizer = (case.optimize(m, optimizer) for m in (case.model, case.twin))
    attach(STYLES["tack_on"], case.optimizer)
    before = {p: p.detach().clone() for p in (weight, bias)}
    for model, stepped in ((case.model, case.optimizer), (case.twin, case.twin_optimizer)):

        def closure(model=model, stepped=stepped):
            stepped.zero_grad()
            loss = case.loss(model)
            loss.backward()
            return loss

        stepped.step(closure)

    assert torch.equal(twin_weight - 0.01 * before[weight].sign(), weight)
    assert torch.equal(twin_bias - 0.01 * before[bias].sign() if optimizer == "LBFGS" else twin_bias, bias)


@pytest.mark.parametrize("how", ["requires_grad", "unused", "frozen after a gradient"])
def test_parameters_that_are_not_trained_are_left_alone(how):
    """A frozen parameter, and one that the loss does not use, keep their bits."""
    used, other = (nn.Parameter(torch.tensor([value], dtype=torch.float64)) for value in (1.0, 2.0))
    optimizer = torch.optim.SGD([{"params": [used, other], "lamda": 0.25}], lr=0.1)
    attach(STYLES["tack_on"], optimizer)
    used.sum().backward()
    if how == "frozen after a gradient":
        other.grad = torch.zeros(1, dtype=torch.float64)
    other.requires_grad_(how == "unused")
    optimizer.step()

    assert 2.0 == other.item()
    assert pytest.approx(1.0 - 0.1 - 0.25, rel=1e-15) == used.item()


def test_lamda_may_change_while_training():
    """Each step uses the λ that its group has then."""
    case = Case()
    attach(STYLES["tack_on"], case.optimizer)
    case.step()
    case.twin.load_state_dict(case.model.state_dict())
    case.optimizer.param_groups[0]["lamda"] = 0.5
    before = case.model.weight.detach().clone()
    case.step()

    assert torch.equal(case.twin.weight - 0.5 * before.sign(), case.model.weight)


def test_groups_have_their_own_lamda():
    """Two groups with λ = 0.25 and 0.5, one without."""
    ws = [nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(3)]
    groups = [{"params": [w]} | lamda for w, lamda in zip(ws, ({"lamda": 0.25}, {"lamda": 0.5}, {}), strict=True)]
    optimizer = torch.optim.SGD(groups, lr=0.5)
    attach(STYLES["tack_on"], optimizer)
    sum((0 * w).sum() for w in ws).backward()
    optimizer.step()

    assert [0.75, 0.5, 1.0] == [w.item() for w in ws]


@pytest.mark.parametrize("style", STYLES)
def test_detached_is_stock(style):
    """After detach() a step is the twin's, to the bit, and another style may be attached."""
    case = Case()
    attach(STYLES[style], case.optimizer).detach()
    case.step()

    assert all(torch.equal(p, q) for _, p, q in case.pairs())
    attach(STYLES["tack_on"], case.optimizer)


@pytest.mark.parametrize("second", STYLES)
def test_attaching_twice_is_refused(second):
    """A second style on one optimizer would apply λ twice."""
    optimizer = Case().optimizer
    attach(STYLES["tack_on"], optimizer)
    with pytest.raises(ValueError, match="attached to this optimizer already; detach"):
        attach(STYLES[second], optimizer)


def test_a_copied_optimizer_has_no_hooks_and_may_be_attached_to():
    """torch drops step hooks on deepcopy; attach sees that the copy is free."""
    case = Case()
    attach(STYLES["tack_on"], case.optimizer)
    attach(STYLES["tack_on"], copy.deepcopy(case.optimizer))


def test_a_state_dict_carries_lamda():
    """λ is saved and loaded with its group."""
    case = Case(lamda=0.03)
    other = Case(lamda=0.5)
    other.optimizer.load_state_dict(case.optimizer.state_dict())

    assert 0.03 == other.optimizer.param_groups[0]["lamda"]


@pytest.mark.parametrize(("style", "sign"), [("penalty", 1), ("as_listed", -1)])
def test_the_penalty_is_a_term_of_the_loss(style, sign):
    """loss ± λ Σ|w| over the groups that carry lamda; none and tack_on leave the loss as it is."""
    case = Case()
    loss = case.loss(case.model)
    found = with_penalty(loss, STYLES[style], case.optimizer)

    assert torch.equal(loss + sign * 0.01 * case.model.weight.abs().sum(), found)
    assert with_penalty(loss, STYLES["none"], case.optimizer) is loss
    assert with_penalty(loss, STYLES["tack_on"], case.optimizer) is loss


def test_rounding_is_a_hook_that_can_be_removed():
    """After a step every parameter is a float32 in float64; after remove() it is not."""
    case = Case()
    handle = attach_rounding(case.optimizer)
    case.step()

    assert all(torch.equal(p.float().double(), p) for _, p, _ in case.pairs())
    assert all(torch.equal(q.float().double(), p) for _, p, q in case.pairs())
    handle.remove()
    case.step()
    assert not any(torch.equal(p.float().double(), p) for _, p, _ in case.pairs())


def test_rounding_comes_after_the_style():
    """Attached last, rounding sees the tacked-on weight; attached first, it does not."""
    for order, rounded in (((attach_style, attach_rounding), True), ((attach_rounding, attach_style), False)):
        case = Case()
        for attach_hook in order:
            attach_hook(case.optimizer)
        case.step()

        assert rounded == torch.equal(case.model.weight.float().double(), case.model.weight)


def attach_style(optimizer):
    """Tack-on."""
    return attach(STYLES["tack_on"], optimizer)
