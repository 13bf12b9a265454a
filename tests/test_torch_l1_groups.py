"""Parameter groups for any model, its exact zeros, and what the hooks show of themselves."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.models import IN_LOSS
from torch_impl.l1 import STYLES, attach, sparsity, split_parameters


class Shared(nn.Module):
    """A word model: the output layer has the weight of the embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.norm = nn.LayerNorm(3)
        self.output = nn.Linear(3, 5)
        self.output.weight = self.embedding.weight

    def forward(self, x):
        return self.output(self.norm(self.embedding(x)))


MODELS = {
    "linear": lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)),
    "convolution": lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)),
    "LSTM": lambda: nn.LSTM(3, 5),
    "shared": Shared,
}
# the names of the weights; everything else is a bias, a scale or a shift
WEIGHTS = {
    "linear": {"0.weight", "2.weight"},
    "convolution": {"0.weight"},
    "LSTM": {"weight_ih_l0", "weight_hh_l0"},
    "shared": {"embedding.weight"},
}


@pytest.fixture(name="model", params=MODELS)
def one_of_the_models(request):
    """The key of a model in the tables, and the model."""
    torch.manual_seed(0)
    return request.param, MODELS[request.param]()


def test_weights_carry_lamda_and_the_rest_does_not(model):
    """Two groups: what has more than one dimension, and everything else."""
    key, model = model
    names = {id(p): name for name, p in model.named_parameters()}
    weights, rest = split_parameters(model, lamda=0.25)

    assert 0.25 == weights["lamda"]
    assert "lamda" not in rest
    assert WEIGHTS[key] == {names[id(p)] for p in weights["params"]}
    assert set(names.values()) - WEIGHTS[key] == {names[id(p)] for p in rest["params"]}


def test_every_parameter_is_in_one_group_once(model):
    """An optimizer takes the groups, and has all that model.parameters() has, each once."""
    _, model = model
    optimizer = torch.optim.SGD(split_parameters(model, lamda=0.25), lr=0.1)
    taken = [id(p) for group in optimizer.param_groups for p in group["params"]]

    assert sorted(map(id, model.parameters())) == sorted(taken)
    assert len(taken) == len(set(taken))


def test_a_shared_parameter_given_twice_is_refused_by_torch():
    """Twin: the groups of someone who lists the parameters module by module."""
    model = Shared()
    twice = [{"params": [p]} for module in (model.embedding, model.output) for p in module.parameters()]

    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        torch.optim.SGD(twice, lr=0.1)


def test_hooks_shrink_the_weights_of_split_parameters_and_nothing_else(model):
    """Without a data gradient tack-on moves every weight by λ, once, and nothing else."""
    key, model = model
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(split_parameters(model, lamda=0.25), lr=0.1)
    attach(STYLES["tack_on"], optimizer)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()

    for name, p in model.named_parameters():
        expected = before[name] - 0.25 * before[name].sign() if name in WEIGHTS[key] else before[name]
        assert torch.equal(expected, p)


def test_exact_zeros_by_hand():
    """−0 is a zero; a small number and NaN are none; biases do not count; a frozen weight does."""
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.0, -0.0, 1e-30], [np.nan, 1.0, 0.0]]))
        model[0].bias.zero_()
        model[1].weight.fill_(1.0)
    model[1].requires_grad_(False)
    found = sparsity(model)

    assert {"0.weight": (3, 6), "1.weight": (0, 2)} == found.parameters
    assert (3, 8) == (found.zeros, found.weights)
    assert "Sparsity(3 of 8 weights are exactly 0)" == repr(found)


def test_a_shared_weight_is_counted_once():
    """5 · 3 weights, under the name that comes first."""
    model = Shared()
    nn.init.zeros_(model.output.weight)

    assert {"embedding.weight": (15, 15)} == sparsity(model).parameters


def test_sparsity_does_not_follow_the_model():
    """What was counted stays so."""
    model = nn.Linear(3, 2)
    before = sparsity(model)
    nn.init.zeros_(model.weight)

    assert (0, 6) == (before.zeros, sparsity(model).zeros)


def test_a_notebook_shows_a_row_for_each_parameter():
    """Names are escaped: a module may have any name."""
    model = nn.ModuleDict({"a<b": nn.Linear(3, 2)})
    nn.init.ones_(model["a<b"].weight)
    html = sparsity(model)._repr_html_()

    assert "<caption>Sparsity(0 of 6 weights are exactly 0)</caption>" in html
    assert "<tr><th>a&lt;b.weight</th><td>0 of 6</td></tr>" in html


@pytest.mark.parametrize("style", [style for style in STYLES if style not in IN_LOSS])
def test_hooks_show_their_style_and_their_optimizer(style):
    """In a terminal and in a notebook."""
    hooks = attach(STYLES[style], torch.optim.Adam(split_parameters(nn.Linear(3, 2), lamda=0.25)))

    assert f"StyleHooks({style} on Adam)" == repr(hooks)
    assert f"<code>StyleHooks({style} on Adam)</code>" == hooks._repr_html_()
