"""Models and optimizers that are saved, loaded and copied while they train with L1."""

import copy
import io
import pickle

import pytest
import torch

from reference.errors import InputError
from tests.models import AROUND_STEP, OPTIMIZERS, Twins, attach_where_it_acts, same_bits, single
from torch_impl.l1 import STYLES, attach, attached, with_penalty


def saved(twins):
    """The state dicts of model and optimizer, through a file as torch.load reads it by default."""
    file = io.BytesIO()
    torch.save({"model": twins.model.state_dict(), "optimizer": twins.optimizer.state_dict()}, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("style", STYLES)
def test_training_goes_on_after_a_file(style):
    """Saved after two steps and loaded into a fresh model and optimizer with hooks, two more have the same bits."""
    for optimizer in (*OPTIMIZERS, "Adam fused"):
        twins = Twins(style, "CNN", optimizer)
        twins.steps(2)
        file = saved(twins)
        fresh = Twins(style, "CNN", optimizer, lamda=0.5, lr=0.5, seed=1)  # all of it comes from the file
        fresh.model.load_state_dict(file["model"])
        fresh.optimizer.load_state_dict(file["optimizer"])
        fresh.x = twins.x
        twins.steps(2)
        fresh.step_model()
        fresh.step_model()

        assert [] == twins.differing(), optimizer
        assert all(map(same_bits, twins.model.state_dict().values(), fresh.model.state_dict().values()))
        assert str(twins.optimizer.state_dict()) == str(fresh.optimizer.state_dict())


def test_without_its_memory_cumulative_goes_another_way():
    """Twin: where the optimizer's state is not loaded, the debt is forgotten, and seen to be."""
    twins = Twins("cumulative", "CNN", lamda=1.0)
    twins.steps(2)
    fresh = Twins("cumulative", "CNN", lamda=1.0)
    fresh.model.load_state_dict(saved(twins)["model"])
    twins.step_model()
    fresh.step_model()

    assert not same_bits(twins.model[0].weight.detach(), fresh.model[0].weight.detach())


def test_what_cumulative_remembers_is_in_the_state_dict():
    """A number and a tensor of the weight's shape, beside what the optimizer remembers; of biases nothing."""
    twins = Twins("cumulative", optimizer="momentum")
    twins.steps(2)
    of_weight, of_bias = saved(twins)["optimizer"]["state"].values()

    assert {"momentum_buffer", "l1_due", "l1_received"} == of_weight.keys()
    assert {"momentum_buffer"} == of_bias.keys()
    assert pytest.approx(2 * 0.1 * 0.3, rel=1e-15) == of_weight["l1_due"]
    assert twins.model.weight.shape == of_weight["l1_received"].shape


@pytest.mark.parametrize("style", STYLES)
def test_a_state_dict_carries_lamda(style):
    """λ is saved and loaded with its group."""
    twins = Twins(style, lamda=0.03)
    other = Twins(style, lamda=0.5)
    other.optimizer.load_state_dict(twins.optimizer.state_dict())

    assert 0.03 == other.optimizer.param_groups[0]["lamda"]


def pickled(both):
    """Through pickle."""
    return pickle.loads(pickle.dumps(both))


def torch_saved(both):
    """Through torch.save."""
    file = io.BytesIO()
    torch.save(both, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("style", STYLES)
def test_a_copied_optimizer_has_the_style_and_may_be_attached_to(style, copied):
    """So has a copy of the copy; what is attached to a copy replaces it; the original goes on as before."""
    twins = Twins(style, optimizer="momentum")
    twins.steps(2)
    of_copy = copied((twins.model, twins.optimizer))
    copies = [of_copy, copied(of_copy), copied(of_copy)]
    attach_where_it_acts(style, copies[2][1])
    twins.steps(1)
    for model, optimizer in copies:
        with_penalty(twins.data_loss(model), style, optimizer.zero_grad() or optimizer).backward()
        optimizer.step()

        assert [] == twins.differing()
        assert same_bits(twins.model.weight.detach(), model.weight.detach())


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled, copy.copy, torch_saved], ids=lambda way: way.__name__)
@pytest.mark.parametrize("style", AROUND_STEP)
def test_a_copy_is_attached_and_detached_by_itself(style, copied):
    """Handles that are copied are those of the copy; a detached optimizer has copies without a style."""
    _, optimizer = single(8.0, style=style)
    hooks = attached(optimizer)
    again, its_hooks = copied((optimizer, hooks)) if copied is not copy.copy else (copy.copy(optimizer), None)
    if its_hooks is not None:
        its_hooks.detach()
        assert attached(again) is None
    else:
        assert repr(hooks) == repr(attached(again))
    assert attached(optimizer) is hooks
    hooks.detach()
    assert attached(copied(optimizer)) is None


@pytest.mark.parametrize("style", AROUND_STEP)
def test_a_checkpoint_without_lamda_leaves_it_as_it_is(style):
    """λ stays, with a warning, also where one group of two has it; what is loaded is not changed."""
    twins = Twins(style)
    without = torch.optim.SGD([{"params": g["params"]} for g in twins.optimizer.param_groups], lr=0.1).state_dict()
    with pytest.warns(UserWarning, match=r"has no lamda; lamda stays 0\.3 \(group 0\)$"):
        twins.optimizer.load_state_dict(without)
    twins.steps(2)

    assert [] == twins.differing()
    assert not any("lamda" in group for group in without["param_groups"])


@pytest.mark.parametrize("style", AROUND_STEP)
def test_lamda_that_is_taken_away_is_noticed_before_the_next_step(style):
    """Of all groups, or of one; a group that is gone with its parameters is nobody's loss; 0 is a λ."""
    ways = {
        "popped": lambda o: o.param_groups[0].pop("lamda"),
        "new groups": lambda o: setattr(o, "param_groups", [{**g, "params": g["params"]} for g in plain(o)]),
        "one of two": lambda o: o.param_groups[1].pop("lamda"),
        "set state": lambda o: o.__setstate__({"param_groups": plain(o)}),
    }
    for name, take in ways.items():
        ws, optimizer = two_groups(style)
        take(optimizer)
        before = [w.detach().clone() for w in ws]
        with pytest.raises(InputError, match="lamda"):
            optimizer.step()
        assert all(map(torch.equal, before, ws)), name
    ws, optimizer = two_groups(style)
    del optimizer.param_groups[1]
    optimizer.param_groups[0]["lamda"] = 0
    optimizer.step()


def plain(optimizer):
    """Its groups without λ."""
    return [{key: value for key, value in group.items() if key != "lamda"} for group in optimizer.param_groups]


def two_groups(style):
    """Two weights, each in a group with λ, after one step."""
    ws = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [w], "lamda": 0.1} for w in ws], lr=0.1)
    attach(style, optimizer)
    for w in ws:
        w.grad = torch.ones(1)
    optimizer.step()
    return ws, optimizer
