"""What attach and with_penalty refuse, each in one line; and what they warn of."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

import reference.l1
from reference.errors import InputError
from tests.models import AROUND_STEP, IN_LOSS, attach_where_it_acts, same_bits, single
from torch_impl.l1 import STYLES, Style, attach, sparsity, split_parameters, with_penalty

ON_LOSS = torch.ones((), dtype=torch.float64)


def one_line(error):
    """The message, which must be one line."""
    assert 1 == len(str(error.value).splitlines())
    return str(error.value)


def optimizer_of(*groups, kind=torch.optim.SGD, **options):
    """An optimizer whose groups have one weight each, and what is given of them."""
    return kind([{"params": [nn.Parameter(torch.ones(2))], **group} for group in groups], lr=0.1, **options)


def uses(optimizer):
    """(where, how) of everything that takes a style and this optimizer."""
    yield from ((style, lambda style=style: attach(style, optimizer)) for style in ("none", *AROUND_STEP))
    yield from ((style, lambda style=style: with_penalty(ON_LOSS, style, optimizer)) for style in STYLES)


@pytest.mark.parametrize("style", IN_LOSS)
def test_a_style_in_the_loss_is_not_attached(style):
    """By row or by name, with the way out."""
    for given in (style, STYLES[style]):
        with pytest.raises(InputError, match=f"^{style} acts in the loss: use with_penalty$"):
            attach(given, optimizer_of({"lamda": 0.1}))


@pytest.mark.parametrize("style", STYLES)
def test_a_name_is_its_row(style):
    """In attach and in with_penalty."""
    ends = []
    for given in (style, STYLES[style]):
        w, optimizer = single(8.0, style=given if style not in IN_LOSS else "penalty")
        with_penalty(9 * w.sum(), given, optimizer).backward()
        optimizer.step()
        ends.append(w.detach())

    assert same_bits(*ends)


@pytest.mark.parametrize("style", ["lasso", "", "Proximal", None, 1, reference.l1.STYLES["proximal"], ["none"]])
def test_what_is_no_style_is_refused(style):
    """The message lists the names."""
    optimizer = optimizer_of({"lamda": 0.1})
    for use in (lambda: attach(style, optimizer), lambda: with_penalty(ON_LOSS, style, optimizer)):
        with pytest.raises(InputError, match=f"^style must be one of {', '.join(STYLES)}; got ") as error:
            use()
        one_line(error)


def test_groups_without_lamda_are_refused():
    """Wherever L1 would be missing, also where the group with lamda is empty. Twin: one of two groups has it."""
    empty = torch.optim.SGD([{"params": [], "lamda": 0.1}, {"params": [nn.Parameter(torch.ones(1))]}], lr=0.1)
    for optimizer in (optimizer_of({}), optimizer_of({}, {}), empty):
        for style, use in uses(optimizer):
            with pytest.raises(InputError, match=r"^no parameter group of the optimizer has lamda") as error:
                use()
            assert one_line(error).endswith("see split_parameters"), style
    attach("proximal", optimizer_of({}, {"lamda": 0.1}))


MEANT = [
    *(
        "lambda",
        "Lambda",
        "LAMBDA",
        "lambda_",
        "lambda1",
        "lambda_1",
        "lam",
        "lamb",
        "lambd",
        "lamd",
        "lmbda",
        "λ",
        "λ1",
    ),
    *("Lamda", "LAMDA", "lamda_", "lamda1", "lamba", "lamdba", "labmda", "lasso", "lasso_alpha", "reg_lambda"),
    *(
        "l1",
        "L1",
        "l_1",
        "l1_lambda",
        "lambda_l1",
        "l1-lambda",
        "l1_reg",
        "reg_l1",
        "l1_penalty",
        "l1_weight",
        "weight_l1",
    ),
    *("l1_ratio", "l1_decay", "l1_strength", "l1_coef", "l1_coeff", "l1_norm", "l1_regularization", "l1_alpha"),
]
OTHERS = [
    *("name", "layer", "label", "l2", "lambda_l2", "lr_scale", "initial_lr", "max_lr", "min_lr", "max_momentum"),
    *("param_names", "level1", "model1", "plan", "llama", "weight_decay", "alpha", "mul", "slab", "dim", "family"),
]


@pytest.mark.parametrize("key", MEANT)
def test_a_key_that_looks_like_lamda_is_refused(key):
    """Beside lamda in another group or in its own, at the beginning or before a later step."""
    for groups in ([{key: 0.1}], [{key: 0.1}, {"lamda": 0.1}], [{"lamda": 0.1, key: 0.2}]):
        for _, use in uses(optimizer_of(*groups)):
            with pytest.raises(InputError, match=r"^parameter group 0 has '.*': λ is called 'lamda'$"):
                use()
    w, optimizer = single(1.0, style="proximal")
    optimizer.param_groups[0][key] = 0.5
    with pytest.raises(InputError, match="λ is called 'lamda'"):
        optimizer.step()
    assert 1.0 == w.item()


def test_other_keys_are_left_alone():
    """Twin: keys of schedulers and of users, and lambd, which is an option of ASGD."""
    for key in OTHERS:
        attach("proximal", optimizer_of({"lamda": 0.1, key: 0.1}))
    attach("proximal", optimizer_of({"lamda": 0.1}, kind=torch.optim.ASGD, lambd=1e-3))


UNUSABLE = [
    -1e-300,
    -1,
    float("nan"),
    float("inf"),
    -float("inf"),
    "0.1",
    None,
    True,
    1j,
    [0.1],
    10**400,
    np.array([0.1]),
]
UNUSABLE += [
    torch.tensor(-0.1),
    torch.tensor([0.1, 0.2]),
    torch.tensor(float("nan")),
    torch.tensor([]),
    np.float32("inf"),
]


@pytest.mark.parametrize("lamda", UNUSABLE, ids=lambda value: repr(value)[:20])
def test_lamda_that_cannot_be_used_is_refused(lamda):
    """By attach, with_penalty and split_parameters, and before a step, if it was changed or a group was added."""
    for _, use in uses(optimizer_of({}, {"lamda": lamda})):
        with pytest.raises(
            InputError, match=r"^parameter group 1: lamda must be a finite number, 0 or more; got "
        ) as error:
            use()
        one_line(error)
    with pytest.raises(InputError, match=r"^lamda must be"):
        split_parameters(nn.Linear(2, 2), lamda=lamda)
    changes = (
        lambda optimizer: optimizer.param_groups[0].update(lamda=lamda),
        lambda optimizer: optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "lamda": lamda}),
    )
    for change in changes:
        w, optimizer = single(1.0, style="decoupled")
        w.grad = torch.ones_like(w)
        change(optimizer)
        with pytest.raises(InputError, match="lamda must be"):
            optimizer.step()
        assert 1.0 == w.item()


@pytest.mark.parametrize(
    "lamda", [0, 0.5, 1, Fraction(1, 2), np.float32(0.5), np.int64(1), torch.tensor([[0.5]])], ids=repr
)
def test_lamda_that_can_be_used(lamda):
    """Twin: any real number, also in a tensor, acts as the float that it is."""
    for style in STYLES:
        ends = []
        for value in (lamda, float(lamda)):
            w, optimizer = single(8.0, style=style, lamda=value)
            with_penalty(9 * w.sum(), style, optimizer).backward()
            optimizer.step()
            ends.append(w.detach())
        assert same_bits(*ends), style


def test_parameters_and_optimizers_that_l1_cannot_act_on():
    """Complex numbers, no learning rate, something else than an optimizer."""
    w = nn.Parameter(torch.ones(1, dtype=torch.complex64))
    with pytest.raises(InputError, match="a parameter with lamda is complex"):
        attach("proximal", torch.optim.SGD([{"params": [w], "lamda": 0.1}], lr=0.1))
    without_lr = torch.optim.Optimizer([{"params": [nn.Parameter(torch.ones(1))], "lamda": 0.1}], {})
    with pytest.raises(InputError, match="must have lr, a number; got None"):
        attach("proximal", without_lr)
    for other in (nn.Linear(2, 2), None, "proximal"):
        with pytest.raises(InputError, match=r"^optimizer must be a torch\.optim\.Optimizer; got "):
            attach("proximal", other)


@pytest.mark.parametrize("style", AROUND_STEP)
def test_l1_is_neither_doubled_nor_missing_in_with_penalty(style):
    """A style around the step must be attached, and this one; beside it no penalty. Twin: each alone."""
    optimizer = optimizer_of({"lamda": 0.1})
    acts = f"^{style} acts around optimizer.step\\(\\): attach it to this optimizer first$"
    for other in ("none", next(name for name in AROUND_STEP if name != style)):
        with attach(other, optimizer), pytest.raises(InputError, match=acts):
            with_penalty(ON_LOSS, style, optimizer)
    with pytest.raises(InputError, match=acts):
        with_penalty(ON_LOSS, style, optimizer)
    with attach(style, optimizer):
        assert with_penalty(ON_LOSS, style, optimizer) is with_penalty(ON_LOSS, "none", optimizer) is ON_LOSS
        for in_loss in IN_LOSS:
            with pytest.raises(InputError, match=f"^{style} is attached to this optimizer, and would apply λ a second"):
                with_penalty(ON_LOSS, in_loss, optimizer)
    with attach("none", optimizer):
        assert with_penalty(ON_LOSS, "penalty", optimizer) > ON_LOSS


@pytest.mark.parametrize("style", ["none", *AROUND_STEP])
def test_a_with_block_detaches_at_its_end(style):
    """After an error, too; detaching twice does no harm; the repr says which it is."""
    optimizer = optimizer_of({"lamda": 0.1})
    stock = {key: len(value) for key, value in vars(optimizer).items() if key.endswith("_hooks")}, set(vars(optimizer))
    for error in (None, ZeroDivisionError):
        with attach(style, optimizer) as hooks:
            assert f"StyleHooks({style} on SGD)" == repr(hooks)
        with pytest.raises(ZeroDivisionError), attach(style, optimizer):
            raise error or ZeroDivisionError
        hooks.detach()
        assert f"StyleHooks({style} on SGD, detached)" == repr(hooks)
    left = {key: len(value) for key, value in vars(optimizer).items() if key.endswith("_hooks")}, set(vars(optimizer))

    assert stock == left


def own_style(w, group):
    """Leaves weights below 0.1 alone."""
    yield
    w.copy_(torch.where(w.abs() < 0.1, w, w - group["lr"] * group["lamda"] * w.sign()))


def warned(style, dtype, lamda, steps=1, value=0.5, lr=0.01):
    """The texts of the warnings in so many steps of 20 weights without a data gradient."""
    w = nn.Parameter(torch.full((4, 5), value, dtype=dtype))
    optimizer = torch.optim.SGD([{"params": [w], "lamda": lamda}], lr=lr)
    attach_where_it_acts(style, optimizer) if isinstance(style, str) else attach(style, optimizer)
    w.grad = torch.zeros_like(w)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(steps):
            optimizer.step()
    return [str(warning.message) for warning in seen]


ONCE_MOVED = [style for style in AROUND_STEP if not STYLES[style].remembers]


@pytest.mark.parametrize("style", ONCE_MOVED)
def test_weights_that_lamda_cannot_move_are_warned_of_once(style):
    """η λ under half the distance of two numbers at 0.5: 2⁻¹⁰ in bf16, 2⁻¹³ in fp16, 2⁻²⁶ in float32, by hand."""
    for dtype, half in ((torch.bfloat16, 2.0**-10), (torch.float16, 2.0**-13), (torch.float32, 2.0**-26)):
        text = f"is too small to move 20 of 20 nonzero weights in {dtype}"
        (found,) = warned(style, dtype, half / 8, steps=250, lr=1.0)
        assert text in found
        assert [] == warned(style, dtype, 4 * half, lr=1.0), dtype


@pytest.mark.parametrize("style", ONCE_MOVED)
def test_a_warning_is_for_l1_that_is_lost_and_for_nothing_else(style):
    """Twin: λ = 0, η = 0, weights of 0, float64; a style that leaves weights alone by itself; NaN."""
    for dtype in (torch.bfloat16, torch.float32):
        assert (
            []
            == warned(style, dtype, 0.0)
            == warned(style, dtype, 1e-9, lr=0.0)
            == warned(style, dtype, 1e-9, value=0.0)
        )
        assert [] == warned(style, dtype, 1e-9, value=torch.nan)
    assert [] == warned(style, torch.float64, 1e-9)
    assert [] == warned(Style(around_step=own_style), torch.float32, 1.0, value=0.05)


def test_lamda_that_becomes_too_small_is_warned_of():
    """At the next look, which is taken every 100 steps; so is a weight's growth."""
    w = nn.Parameter(torch.full((20,), 0.5, dtype=torch.bfloat16))
    optimizer = torch.optim.SGD([{"params": [w], "lamda": 0.01}], lr=1.0)
    attach("decoupled", optimizer)
    w.grad = torch.zeros_like(w)
    optimizer.step()
    optimizer.param_groups[0]["lamda"] = 1e-6
    for _ in range(99):
        optimizer.step()
    with pytest.warns(UserWarning, match="too small to move 20 of 20 nonzero weights in torch.bfloat16"):
        optimizer.step()


def test_cumulative_moves_weights_that_no_single_pull_moves():
    """So it is not warned of, and is what the warning advises: after 64 pulls of 2⁻¹² bf16 has come down from 0.5."""
    w = nn.Parameter(torch.full((1,), 0.5, dtype=torch.bfloat16))
    optimizer = torch.optim.SGD([{"params": [w], "lamda": 2.0**-12}], lr=1.0)
    attach("cumulative", optimizer)
    w.grad = torch.zeros_like(w)
    for _ in range(64):
        optimizer.step()

    assert pytest.approx(0.5 - 64 * 2.0**-12, abs=2.0**-9) == w.item()


class WithBiases(nn.Module):
    """Biases and scales with several dimensions, among weights."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, add_bias_kv=True)
        self.norm = nn.LayerNorm((3, 4))
        self.rms = nn.RMSNorm((3, 4))
        self.embedding = nn.Embedding(5, 4)
        self.lstm = nn.LSTM(4, 3, bidirectional=True)
        self.frozen = nn.Linear(4, 4).requires_grad_(False)


def test_biases_and_norms_are_no_weights_whatever_their_dimensions():
    """bias_k is (1, 1, n), the scale of LayerNorm((3, 4)) is (3, 4): neither carries λ, nor is counted."""
    model = WithBiases()
    names = {id(p): name for name, p in model.named_parameters()}
    weights, rest = split_parameters(model, lamda=0.1)
    of_lstm = {f"lstm.weight_{of}_l0{way}" for of in ("ih", "hh") for way in ("", "_reverse")}
    expected = {"attention.in_proj_weight", "attention.out_proj.weight", "embedding.weight", "frozen.weight"} | of_lstm

    assert expected == {names[id(p)] for p in weights["params"]} == set(sparsity(model).parameters)
    assert set(names.values()) - expected == {names[id(p)] for p in rest["params"]}


def test_models_that_have_no_weights_to_split():
    """No parameter at all, none with two dimensions, one that is lazy, what is no model."""
    for model in (nn.ReLU(), nn.Sequential(), nn.BatchNorm1d(3), nn.LayerNorm((2, 3))):
        with pytest.raises(InputError, match=r"^the model has no weights"):
            split_parameters(model, lamda=0.1)
        assert "Sparsity(0 of 0 weights are exactly 0)" == repr(sparsity(model))
    lazy = nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(3))
    for use in (sparsity, lambda model: split_parameters(model, lamda=0.1)):
        with pytest.raises(InputError, match=r"^1\.weight is not initialized: call the model once"):
            use(lazy)
        with pytest.raises(InputError, match=r"^the model must be a torch\.nn\.Module; got generator"):
            use(nn.Linear(2, 2).parameters())
    with pytest.raises(InputError, match=r"^weight is on the meta device"):
        sparsity(nn.Linear(2, 2, device="meta"))
    lazy(torch.ones(1, 2))
    assert 10 == sparsity(lazy).weights
