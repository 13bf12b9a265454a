"""Models and optimizers that are saved, loaded and copied while they train with L1."""

import copy
import io
import pickle

import pytest
import torch

from tests.models import OPTIMIZERS, Twins, same_bits
from torch_impl.l1 import STYLES, attach, with_penalty


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


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("style", STYLES)
def test_a_copied_optimizer_has_no_hooks_and_may_be_attached_to(style, copied):
    """torch drops step hooks when it copies an optimizer, and keeps its state: attach again, and it goes on."""
    twins = Twins(style, optimizer="momentum")
    twins.steps(2)
    model, optimizer = copied((twins.model, twins.optimizer))

    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    attach(STYLES[style], optimizer)
    twins.steps(1)
    with_penalty(twins.data_loss(model), STYLES[style], optimizer.zero_grad() or optimizer).backward()
    optimizer.step()
    assert [] == twins.differing()
    assert same_bits(twins.model.weight.detach(), model.weight.detach())
