"""The places of L1 in PyTorch: any module, any optimizer, nothing but the intended parameters.

Every test has two copies of a model. One trains with the hooks. The other has a stock optimizer, and the reference's
formula is applied to its arrays by NumPy: the bits of both must be the same.
"""

import copy
import io
import pickle
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import reference.l1
from torch_impl.l1 import STYLES, Style, attach, with_penalty
from torch_impl.rounding import attach_rounding

FORMULAS = reference.l1.STYLES
IN_LOSS = [name for name, row in STYLES.items() if row.in_loss]
AROUND_STEP = [name for name, row in STYLES.items() if row.around_step]

OPTIMIZERS = {
    "SGD": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "RMSprop": torch.optim.RMSprop,
}
VARIANTS = {
    "SGD foreach": partial(torch.optim.SGD, momentum=0.9, foreach=True),
    "SGD fused": partial(torch.optim.SGD, momentum=0.9, fused=True),
    "Adam foreach": partial(torch.optim.Adam, foreach=True),
    "Adam fused": partial(torch.optim.Adam, fused=True),
    "SGD, lr a tensor": lambda groups, lr: torch.optim.SGD(groups, lr=torch.tensor(lr)),
    "Adam, lr a tensor": lambda groups, lr: torch.optim.Adam(groups, lr=torch.tensor(lr)),
}


def small_cnn():
    """A convolution, batch norm, a linear layer."""
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 3))


# how it is made, the shape of its input, its output
MODELS = {
    "linear": (partial(nn.Linear, 3, 2), (4, 3), lambda model, x: model(x)),
    "CNN": (small_cnn, (4, 1, 5, 5), lambda model, x: model(x)),
    "LSTM": (partial(nn.LSTM, 3, 5), (4, 2, 3), lambda model, x: model(x)[0]),
    "transformer": (partial(nn.TransformerEncoderLayer, 6, 2, 5, dropout=0.0), (4, 2, 6), lambda model, x: model(x)),
    "attention": (partial(nn.MultiheadAttention, 6, 2), (4, 2, 6), lambda model, x: model(x, x, x)[0]),
}


def penalised(optimizer):
    """(w, its group) of every parameter whose group has lamda and that has a gradient."""
    groups = [group for group in optimizer.param_groups if "lamda" in group]
    return [(w, group) for group in groups for w in group["params"] if w.requires_grad and w.grad is not None]


def formula_in_loss(style, optimizer):
    """Σ c·w with the constants c = the formula's term of the gradient, 0 + λ sign w, by NumPy; 0.0 if it has none."""
    on_gradient = FORMULAS[style].on_gradient
    if on_gradient is None:
        return 0.0
    groups = [group for group in optimizer.param_groups if "lamda" in group]
    pairs = [(w, w.detach().numpy(), group["lamda"]) for group in groups for w in group["params"]]
    return sum((torch.from_numpy(on_gradient(v, np.zeros_like(v), lamda)) * w).sum() for w, v, lamda in pairs)


def formula_around(style, optimizer, memory, step):
    """step(), and then the formula on its outcome by NumPy; memory holds what cumulative remembers of a parameter."""
    row = FORMULAS[style]
    before = {w: w.detach().numpy().copy() for group in optimizer.param_groups for w in group["params"]}
    step()
    for w, group in penalised(optimizer):
        v, rates = w.detach().numpy(), (float(group["lr"]), group["lamda"])
        if row.after_step:
            v[...] = row.after_step(before[w], v, *rates)
        if row.after_step_with_memory:
            v[...], memory[w] = row.after_step_with_memory(before[w], v.copy(), *rates, *memory.get(w, ()))


class Case:
    """A model with its matrices penalised and its vectors not, and a twin that is trained by formula."""

    def __init__(self, style, model="linear", optimizer="SGD", lamda=0.3, lr=0.1, dtype=torch.float64, seed=0):
        torch.manual_seed(seed)
        make, shape, self.output = MODELS[model]
        self.style, self.lamda, self.lr = style, lamda, lr
        self.make_optimizer = (OPTIMIZERS | VARIANTS)[optimizer]
        self.model, self.x = make().to(dtype), torch.randn(shape, dtype=dtype)
        for p in self.model.parameters():
            p.detach().view(-1)[::7] = 0  # some exact zeros
        self.twin = copy.deepcopy(self.model)
        self.optimizer, self.twin_optimizer = self.optimize(self.model), self.optimize(self.twin)
        self.attached = attach(STYLES[style], self.optimizer)
        self.memory = {}

    def optimize(self, model):
        """Matrices with lamda; biases, and the vectors of batch and layer norms, without."""
        parameters = list(model.parameters())
        matrices, vectors = ([p for p in parameters if (p.dim() > 1) == wanted] for wanted in (True, False))
        return self.make_optimizer([{"params": matrices, "lamda": self.lamda}, {"params": vectors}], lr=self.lr)

    def data_loss(self, model):
        """Some loss of the model's output."""
        return (self.output(model, self.x) - 1).square().mean()

    def closure(self):
        """The gradients of the model, as a user writes it."""
        self.optimizer.zero_grad()
        loss = with_penalty(self.data_loss(self.model), STYLES[self.style], self.optimizer)
        loss.backward()
        return loss

    def twin_closure(self):
        """The gradients of the twin."""
        self.twin_optimizer.zero_grad()
        loss = self.data_loss(self.twin) + formula_in_loss(self.style, self.twin_optimizer)
        loss.backward()
        return loss

    def step_model(self):
        """One step with the hooks."""
        self.closure()
        self.optimizer.step()

    def step_twin(self):
        """One step by formula."""
        self.twin_closure()
        formula_around(self.style, self.twin_optimizer, self.memory, self.twin_optimizer.step)

    def steps(self, count):
        """So many steps of both."""
        for _ in range(count):
            self.step_model()
            self.step_twin()

    def differing(self):
        """The names of parameters, buffers and memories of L1 whose bits the two have not in common."""
        pairs = zip(self.model.state_dict().items(), self.twin.state_dict().values(), strict=True)
        names = [name for (name, p), q in pairs if not same_bits(p, q)]
        for w, twin_w in zip(self.model.parameters(), self.twin.parameters(), strict=True):
            mine = self.optimizer.state.get(w, {})
            ours = tuple(mine[key] for key in ("l1_due", "l1_received") if key in mine)
            theirs = self.memory.get(twin_w, ())
            if len(ours) != len(theirs) or not all(map(same_bits, ours, theirs)):
                names.append("memory")
        return names


def same_bits(p, q):
    """Equal to the last bit, the sign of zero included. What is not finite equals nothing."""
    p, q = np.asarray(p), np.asarray(q)
    return (p.dtype, p.shape, p.tobytes()) == (q.dtype, q.shape, q.tobytes()) and np.isfinite(p).all()


def stock(case):
    """What one step without L1 makes of the case's model."""
    model = copy.deepcopy(case.model)
    optimizer = case.optimize(model)
    case.data_loss(model).backward()
    optimizer.step()
    return model


# --- any model, any optimizer -------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("style", STYLES)
def test_the_hooks_are_the_formula(style, model, optimizer):
    """After three steps every parameter, buffer and memory has the bits of the formula around the stock steps."""
    case = Case(style, model, optimizer)
    case.steps(3)

    assert [] == case.differing()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("optimizer", VARIANTS)
@pytest.mark.parametrize("style", STYLES)
def test_the_hooks_are_the_formula_in_other_ways_to_compute(style, optimizer, dtype):
    """So it is with foreach and fused steps, with a learning rate that is a tensor, and in float32."""
    case = Case(style, "CNN", optimizer, dtype=dtype)
    case.steps(3)

    assert [] == case.differing()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("style", IN_LOSS)
def test_the_penalty_is_its_formula_on_the_gradient(style, model):
    """w.grad is g ± λ sign w. An LSTM's g is a sum over time, which autograd begins with λ: there last bits differ.

    The bound is on rounding alone: five sums, each half an ULP of at most |g| + λ plus the largest term.
    """
    case = Case(style, model)
    case.closure()
    plain = copy.deepcopy(case.twin)
    case.data_loss(plain).backward()

    for w, v in zip(case.model.parameters(), plain.parameters(), strict=True):
        g = v.grad.numpy()
        expected = FORMULAS[style].on_gradient(v.detach().numpy(), g, 0.3) if w.dim() > 1 else g
        if model == "LSTM":
            assert np.abs(expected - w.grad.numpy()).max() <= 5 * np.spacing(0.3 + np.abs(g).max())
        else:
            assert same_bits(expected, w.grad)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("style", STYLES)
def test_only_the_intended_parameters_change(style, model):
    """One step leaves vectors as the stock step makes them, and gives every matrix other bits, but for `none`."""
    case = Case(style, model)
    expected = dict(stock(case).named_parameters())
    case.step_model()

    changed = {name for name, p in case.model.named_parameters() if not same_bits(expected[name].detach(), p.detach())}
    matrices = {name for name, p in case.model.named_parameters() if p.dim() > 1}
    assert (set() if style == "none" else matrices) == changed
    assert matrices


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("style", [style for style in STYLES if style != "none"])
def test_another_lamda_is_not_the_formula(style, model):
    """Twin: λ that is off by 1e-12 of itself is seen."""
    case = Case(style, model)
    case.optimizer.param_groups[0]["lamda"] *= 1 + 1e-12
    case.steps(1)

    assert case.differing()


def sign_after_the_step(w, group):
    """Decoupled with the sign of the stepped weight."""
    yield
    w.sub_(w.sign(), alpha=group["lr"] * group["lamda"])


def test_another_formula_is_not_the_formula():
    """Twin: a hook that takes the sign after the step is seen."""
    case = Case("decoupled", "CNN")
    case.attached.detach()
    attach(Style(around_step=sign_after_the_step), case.optimizer)
    case.steps(1)

    assert case.differing()


@pytest.mark.parametrize("style", ["clipped", "proximal", "cumulative"])
def test_weights_that_stop_at_zero(style):
    """The three styles with exact zeros make them, more with a greater λ, and never a −0."""
    zeros = []
    for lamda in (0.0, 0.5, 5.0):
        case = Case(style, "CNN", lamda=lamda)
        case.steps(3)
        matrices = torch.cat([p.detach().flatten() for p in case.model.parameters() if p.dim() > 1])
        zeros.append(int((matrices == 0).sum()))
        assert not matrices[matrices == 0].signbit().any()

    assert zeros[0] < zeros[1] < zeros[2]


# --- worked by hand -----------------------------------------------------------------------------------------------

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


def single(*values, lamda=0.01, lr=0.05):
    """A vector of weights with lamda, and plain SGD."""
    w = nn.Parameter(torch.tensor(values, dtype=torch.float64))
    return w, torch.optim.SGD([{"params": [w], "lamda": lamda}], lr=lr)


def test_every_style_is_worked_by_hand():
    """No style is without its value."""
    assert list(STYLES) == list(ARTICLE) == list(FORMULAS)


@pytest.mark.parametrize(("style", "expected"), ARTICLE.items(), ids=ARTICLE)
def test_worked_example_of_the_article(style, expected):
    """w = 8, g = 9, η = 0.05, λ = 0.01: 7.5495 by the penalty, 7.5400 by tack-on."""
    w, optimizer = single(8.0)
    attach(STYLES[style], optimizer)
    with_penalty(9 * w.sum(), STYLES[style], optimizer).backward()
    optimizer.step()

    assert pytest.approx(expected, rel=1e-15) == w.item()


@pytest.mark.parametrize(
    ("style", "expected"),
    [("tack_on", -0.06), ("decoupled", -0.042), ("clipped", -0.042), ("proximal", -0.038), ("cumulative", -0.038)],
)
def test_the_sign_before_the_step_or_after_it(style, expected):
    """w = 0.01 steps to −0.04. With η = 0.1, λ = 0.02, the sign before leads on, the sign after leads back."""
    w, optimizer = single(0.01, lamda=0.02, lr=0.1)
    attach(STYLES[style], optimizer)
    w.grad = torch.tensor([0.5], dtype=torch.float64)
    optimizer.step()

    assert pytest.approx(expected, rel=1e-14) == w.item()


@pytest.mark.parametrize("style", STYLES)
def test_an_exact_zero_has_no_sign(style):
    """A weight that is 0 and has no data gradient stays 0, and not −0."""
    w, optimizer = single(0.0, 0.0, lamda=0.5)
    attach(STYLES[style], optimizer)
    for _ in range(2):
        optimizer.zero_grad()
        with_penalty((0 * w).sum(), STYLES[style], optimizer).backward()
        optimizer.step()

    assert same_bits(np.zeros(2), w.detach())


def test_proximal_has_no_negative_zero_anywhere():
    """Nor in the elements that are left over when a processor takes several at a time."""
    w, optimizer = single(*[-0.5] * 9, lamda=1.0, lr=1.0)
    attach(STYLES["proximal"], optimizer)
    w.grad = torch.zeros_like(w)
    optimizer.step()

    assert same_bits(np.zeros(9), w.detach())
    assert nn.functional.softshrink(torch.full((9,), -0.5, dtype=torch.float64), 1.0).signbit().any()  # the reason


# --- closures, accumulation, schedules, groups --------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "Adam fused"])
@pytest.mark.parametrize("style", STYLES)
def test_step_with_a_closure(style, optimizer):
    """step(closure) computes the gradients inside the step, which changes no bit."""
    case = Case(style, "CNN", optimizer)
    for _ in range(2):
        case.optimizer.step(case.closure)
        case.step_twin()

    assert [] == case.differing()


class ByLBFGS(Case):
    """LBFGS has one group, and calls its closure several times a step."""

    def optimize(self, model):
        """All parameters with lamda."""
        parameters = {"params": list(model.parameters()), "lamda": self.lamda}
        return torch.optim.LBFGS([parameters], lr=self.lr, max_iter=3)


@pytest.mark.parametrize("style", STYLES)
def test_lbfgs(style):
    """After-step styles act once a step, the penalty whenever the closure is called."""
    case = ByLBFGS(style)
    for _ in range(2):
        case.optimizer.step(case.closure)
        step = partial(case.twin_optimizer.step, case.twin_closure)
        formula_around(style, case.twin_optimizer, case.memory, step)

    assert [] == case.differing()


@pytest.mark.parametrize("style", AROUND_STEP)
def test_a_closure_that_raises_leaves_nothing_behind(style):
    """The step did not happen, and the next one is as if it had not been tried."""
    case = Case(style)
    with pytest.raises(ZeroDivisionError):
        case.optimizer.step(lambda: 1 / 0)
    case.steps(2)

    assert [] == case.differing()


@pytest.mark.parametrize("optimizer", ["SGD", "momentum", "Adam"])
@pytest.mark.parametrize("style", STYLES)
def test_gradient_accumulation(style, optimizer):
    """Two micro-batches a step: the penalty is added to the first alone, after-step styles act once."""
    case = Case(style, "CNN", optimizer)
    for _ in range(2):
        case.closure()
        case.data_loss(case.model).backward()
        case.optimizer.step()

        case.twin_closure()
        case.data_loss(case.twin).backward()
        formula_around(style, case.twin_optimizer, case.memory, case.twin_optimizer.step)

    assert [] == case.differing()


@pytest.mark.parametrize("style", IN_LOSS)
def test_the_penalty_of_every_micro_batch_is_counted(style):
    """Twin: added to both micro-batches it is 2 λ."""
    w, optimizer = single(8.0, lamda=0.25, lr=0.5)
    for _ in range(2):
        with_penalty(w.sum(), STYLES[style], optimizer).backward()

    assert 2.0 + 2 * FORMULAS[style].on_gradient(8.0, 0.0, 0.25) == w.grad.item()


@pytest.mark.parametrize("optimizer", ["SGD", "momentum", "Adam"])
@pytest.mark.parametrize("style", STYLES)
def test_a_scheduler_that_steps_after_every_update(style, optimizer):
    """After-step styles use the η of that very step: after scheduler.step() it is the next one's."""
    case = Case(style, "CNN", optimizer)
    schedulers = [
        torch.optim.lr_scheduler.LambdaLR(stepped, lambda updates: 1 / (1 + updates))
        for stepped in (case.optimizer, case.twin_optimizer)
    ]
    for _ in range(3):
        case.steps(1)
        for scheduler in schedulers:
            scheduler.step()

    assert [] == case.differing()
    assert pytest.approx(0.1 / 4) == case.optimizer.param_groups[0]["lr"]


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
    w, optimizer = single(8.0, lamda=1.0, lr=0.5)
    attach(STYLES[style], optimizer)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda updates: 0.5**updates)
    for _ in range(3):
        optimizer.zero_grad()
        with_penalty((0 * w).sum(), STYLES[style], optimizer).backward()
        optimizer.step()
        scheduler.step()

    assert list(STYLES) == list(SCHEDULED)
    assert expected == w.item()


@pytest.mark.parametrize("style", STYLES)
def test_lamda_may_change_while_training(style):
    """Each step uses the λ that its group has then."""
    case = Case(style)
    case.steps(1)
    for optimizer in (case.optimizer, case.twin_optimizer):
        optimizer.param_groups[0]["lamda"] = 0.5
    case.steps(1)

    assert [] == case.differing()


@pytest.mark.parametrize("style", STYLES)
def test_groups_have_their_own_lamda(style):
    """λ = ¼ and ½ in two groups, none in the third: each weight is as if it were alone."""
    ws = [nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(3)]
    lamdas = ({"lamda": 0.25}, {"lamda": 0.5}, {"lamda": 0.0})
    alone = []
    for lamda in lamdas:
        w, optimizer = single(1.0, lr=0.5, **lamda)
        attach(STYLES[style], optimizer)
        with_penalty((0 * w).sum(), STYLES[style], optimizer).backward()
        optimizer.step()
        alone.append(w.item())
    groups = [{"params": [w]} | lamda for w, lamda in zip(ws, (*lamdas[:2], {}), strict=True)]
    optimizer = torch.optim.SGD(groups, lr=0.5)
    attach(STYLES[style], optimizer)
    with_penalty(sum((0 * w).sum() for w in ws), STYLES[style], optimizer).backward()
    optimizer.step()

    assert alone == [w.item() for w in ws]
    assert 1.0 == alone[2]


@pytest.mark.parametrize("style", STYLES)
def test_a_group_may_be_added_while_training(style):
    """add_param_group() with lamda is penalised from then on."""
    case = Case(style)
    case.steps(1)
    for model, optimizer in ((case.model, case.optimizer), (case.twin, case.twin_optimizer)):
        model.more = nn.Parameter(torch.tensor([[0.3, -0.2]], dtype=torch.float64))
        optimizer.add_param_group({"params": [model.more], "lamda": 0.25})
    case.output = lambda model, x: model(x) * model.more
    case.steps(2)

    assert [] == case.differing()


# --- parameters that are not trained ------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", STYLES)
def test_a_layer_that_is_frozen_later_and_unfrozen_again(style, optimizer):
    """While it is frozen its bits stay, and cumulative asks nothing of it; then it goes on."""
    case = Case(style, "CNN", optimizer)
    case.steps(2)
    for trained in (False, True):
        weight, due = case.model[0].weight.detach().clone(), l1_due(case)
        for model in (case.model, case.twin):
            model[0].requires_grad_(trained)
            model.zero_grad()
        case.steps(2)

        assert [] == case.differing()
        assert trained != same_bits(weight, case.model[0].weight.detach())
        assert (trained and style == "cumulative") == (due != l1_due(case))


def l1_due(case):
    """What cumulative has asked of the first layer so far; None of other styles."""
    return case.optimizer.state[case.model[0].weight].get("l1_due")


@pytest.mark.parametrize("optimizer", ["SGD", "momentum", "Adam"])
@pytest.mark.parametrize("style", STYLES)
def test_a_layer_that_is_frozen_from_the_start(style, optimizer):
    """It keeps its bits, and nothing is remembered of it."""
    case = Case(style, "CNN", optimizer)
    for model in (case.model, case.twin):
        model[0].requires_grad_(False)
    before = case.model[0].weight.detach().clone()
    case.steps(2)

    assert [] == case.differing()
    assert same_bits(before, case.model[0].weight.detach())
    assert case.model[0].weight not in case.optimizer.state


@pytest.mark.parametrize("style", STYLES)
def test_a_parameter_that_the_loss_does_not_use(style):
    """It has no gradient, and after-step styles leave it alone; the penalty is itself a loss that uses it."""
    used, unused = (nn.Parameter(torch.tensor([value], dtype=torch.float64)) for value in (1.0, 2.0))
    optimizer = torch.optim.SGD([{"params": [used, unused], "lamda": 0.25}], lr=0.5)
    attach(STYLES[style], optimizer)
    with_penalty((0 * used).sum(), STYLES[style], optimizer).backward()
    optimizer.step()

    expected = {"penalty": 2.0 - 0.5 * 0.25, "as_listed": 2.0 + 0.5 * 0.25}
    assert expected.get(style, 2.0) == unused.item()
    assert (style == "none") == (1.0 == used.item())


@pytest.mark.parametrize("style", STYLES)
def test_a_parameter_that_is_frozen_with_its_gradient_left(style):
    """torch takes the step of a gradient that was not cleared, requires_grad or not; L1 adds nothing to it."""
    w, optimizer = single(2.0, lamda=0.25, lr=0.5)
    other = nn.Parameter(torch.ones(1, dtype=torch.float64))
    attach(STYLES[style], optimizer)
    w.grad = torch.tensor([1.0], dtype=torch.float64)
    w.requires_grad_(False)
    with_penalty(other.sum(), STYLES[style], optimizer).backward()
    optimizer.step()

    assert 2.0 - 0.5 * 1.0 == w.item()


# --- saved and loaded ---------------------------------------------------------------------------------------------


def saved(case):
    """The state dicts of model and optimizer, through a file as torch.load reads it by default."""
    file = io.BytesIO()
    torch.save({"model": case.model.state_dict(), "optimizer": case.optimizer.state_dict()}, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "Adam fused"])
@pytest.mark.parametrize("style", STYLES)
def test_training_goes_on_after_a_file(style, optimizer):
    """Saved after two steps and loaded into a fresh model and optimizer with hooks, two more have the same bits."""
    case = Case(style, "CNN", optimizer)
    case.steps(2)
    file = saved(case)
    fresh = Case(style, "CNN", optimizer, lamda=0.5, lr=0.5, seed=1)  # all of it comes from the file
    fresh.model.load_state_dict(file["model"])
    fresh.optimizer.load_state_dict(file["optimizer"])
    fresh.x = case.x
    case.steps(2)
    fresh.step_model()
    fresh.step_model()

    assert [] == case.differing()
    assert all(same_bits(p, q) for p, q in zip(*(c.model.state_dict().values() for c in (case, fresh)), strict=True))
    assert str(case.optimizer.state_dict()) == str(fresh.optimizer.state_dict())


def test_without_its_memory_cumulative_goes_another_way():
    """Twin: where the optimizer's state is not loaded, the debt is forgotten, and seen to be."""
    case = Case("cumulative", "CNN", lamda=1.0)
    case.steps(2)
    fresh = Case("cumulative", "CNN", lamda=1.0)
    fresh.model.load_state_dict(saved(case)["model"])
    case.step_model()
    fresh.step_model()

    assert not same_bits(case.model[0].weight.detach(), fresh.model[0].weight.detach())


def test_what_cumulative_remembers_is_in_the_state_dict():
    """A number and a tensor of the weight's shape, beside what the optimizer remembers; of biases nothing."""
    case = Case("cumulative", optimizer="momentum")
    case.steps(2)
    of_weight, of_bias = saved(case)["optimizer"]["state"].values()

    assert {"momentum_buffer", "l1_due", "l1_received"} == of_weight.keys()
    assert {"momentum_buffer"} == of_bias.keys()
    assert pytest.approx(2 * 0.1 * 0.3, rel=1e-15) == of_weight["l1_due"]
    assert case.model.weight.shape == of_weight["l1_received"].shape


@pytest.mark.parametrize("style", STYLES)
def test_a_state_dict_carries_lamda(style):
    """λ is saved and loaded with its group."""
    case = Case(style, lamda=0.03)
    other = Case(style, lamda=0.5)
    other.optimizer.load_state_dict(case.optimizer.state_dict())

    assert 0.03 == other.optimizer.param_groups[0]["lamda"]


def pickled(both):
    """Through pickle."""
    return pickle.loads(pickle.dumps(both))


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("style", STYLES)
def test_a_copied_optimizer_has_no_hooks_and_may_be_attached_to(style, copied):
    """torch drops step hooks when it copies an optimizer, and keeps its state: attach again, and it goes on."""
    case = Case(style, optimizer="momentum")
    case.steps(2)
    model, optimizer = copied((case.model, case.optimizer))

    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    attach(STYLES[style], optimizer)
    case.steps(1)
    with_penalty(case.data_loss(model), STYLES[style], optimizer.zero_grad() or optimizer).backward()
    optimizer.step()
    assert [] == case.differing()
    assert same_bits(case.model.weight.detach(), model.weight.detach())


# --- torch.amp.GradScaler -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("optimizer", ["SGD", "momentum", "Adam", "SGD fused", "Adam fused"])
@pytest.mark.parametrize("style", STYLES)
def test_grad_scaler(style, optimizer, dtype):
    """A good step has the unscaled step's bits; one with an infinite gradient is skipped, and all of L1 with it.

    A fused optimizer skips the step inside, and calls its hooks all the same.
    """
    case = Case(style, "CNN", optimizer, dtype=dtype)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for finite in (True, False, True):
        case.optimizer.zero_grad()
        loss = with_penalty(case.data_loss(case.model), STYLES[style], case.optimizer)
        scaler.scale(loss).backward()
        running = [buffer.clone() for buffer in case.model.buffers()]
        if not finite:
            case.model[0].weight.grad[0] = torch.inf
        scaler.step(case.optimizer)
        scaler.update()
        if finite:
            case.step_twin()
        else:
            for buffer, after in zip(case.twin.buffers(), running, strict=True):
                buffer.copy_(after)  # batch norm saw the batch
        assert [] == case.differing()

    assert 2.0**9 == scaler.get_scale()


def test_grad_scaler_twin():
    """Twin: without its infinite gradient the second step is not skipped."""
    case = Case("decoupled")
    case.step_model()

    assert case.differing()


# --- several optimizers, detached, attached -----------------------------------------------------------------------


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
        attach(STYLES[style], optimizer)
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


@pytest.mark.parametrize("style", STYLES)
def test_detached_is_stock(style):
    """After detach() a step is the stock one, to the bit, and another style may be attached."""
    case = Case("none")
    case.attached.detach()
    attach(STYLES[style], case.optimizer).detach()
    case.steps(2)

    assert [] == case.differing()
    attach(STYLES["tack_on"], case.optimizer)


@pytest.mark.parametrize("first", STYLES)
def test_attaching_twice_is_refused(first):
    """A second style on one optimizer would apply λ twice, and so would the same one."""
    optimizer = Case(first).optimizer
    for second in STYLES:
        with pytest.raises(ValueError, match="attached to this optimizer already; detach"):
            attach(STYLES[second], optimizer)


@pytest.mark.parametrize(("style", "sign"), [("penalty", 1), ("as_listed", -1)])
def test_the_penalty_is_a_term_of_the_loss(style, sign):
    """loss ± λ Σ|w| over the groups that carry lamda."""
    case = Case(style)
    loss = case.data_loss(case.model)

    assert torch.equal(
        loss + sign * 0.3 * case.model.weight.abs().sum(), with_penalty(loss, STYLES[style], case.optimizer)
    )


@pytest.mark.parametrize("style", [style for style in STYLES if style not in IN_LOSS])
def test_other_styles_leave_the_loss_as_it_is(style):
    """The very same tensor."""
    case = Case(style)
    loss = case.data_loss(case.model)

    assert with_penalty(loss, STYLES[style], case.optimizer) is loss


# --- rounding -----------------------------------------------------------------------------------------------------


def test_rounding_is_a_hook_that_can_be_removed():
    """After a step every parameter is a float32 in float64; after remove() it is not."""
    case = Case("none")
    handle = attach_rounding(case.optimizer)
    case.steps(1)

    for p, q in zip(case.model.parameters(), case.twin.parameters(), strict=True):
        assert same_bits(q.detach().float().double(), p.detach())
    handle.remove()
    case.steps(1)
    assert not any(torch.equal(p.float().double(), p) for p in case.model.parameters())


@pytest.mark.parametrize("style", AROUND_STEP)
def test_rounding_comes_after_the_style(style):
    """StyleHooks last, rounding sees what the style made; attached first, it does not."""
    for rounded in (True, False):
        case = Case(style)
        case.attached.detach()
        if rounded:
            attach(STYLES[style], case.optimizer)
            attach_rounding(case.optimizer)
        else:
            attach_rounding(case.optimizer)
            attach(STYLES[style], case.optimizer)
        case.steps(1)
        weight, expected = case.model.weight.detach(), case.twin.weight.detach().float().double()

        assert rounded == same_bits(expected, weight)
        assert rounded == torch.equal(weight.float().double(), weight)


@pytest.mark.parametrize("style", AROUND_STEP)
def test_what_is_not_a_number_stays_so(style):
    """No style turns a weight that the step made NaN into a zero, in whole vector lanes and left-over elements."""
    w = nn.Parameter(torch.ones(9, dtype=torch.float64))
    optimizer = torch.optim.SGD([{"params": [w], "lamda": 0.5}], lr=0.1)
    attach(STYLES[style], optimizer)
    w.grad = torch.full((9,), torch.nan, dtype=torch.float64)
    optimizer.step()

    assert bool(w.isnan().all())
