"""Ways to take a step: by closures, with accumulated gradients, under schedules, with a GradScaler."""

from functools import partial
from itertools import product

import pytest
import torch

from tests.models import AROUND_STEP, IN_LOSS, OPTIMIZERS, Twins, formula_around
from torch_impl.l1 import STYLES, with_penalty


@pytest.mark.parametrize("style", STYLES)
def test_step_with_a_closure(style):
    """step(closure) computes the gradients inside the step, which changes no bit."""
    for optimizer in (*OPTIMIZERS, "Adam fused"):
        twins = Twins(style, "CNN", optimizer)
        for _ in range(2):
            twins.optimizer.step(twins.closure)
            twins.step_twin()

        assert [] == twins.differing(), optimizer


class ByLBFGS(Twins):
    """LBFGS has one group, and calls its closure several times a step."""

    def optimize(self, model):
        """All parameters with lamda."""
        parameters = {"params": list(model.parameters()), "lamda": self.lamda}
        return torch.optim.LBFGS([parameters], lr=self.lr, max_iter=3)


@pytest.mark.parametrize("style", ["none", *IN_LOSS])
def test_lbfgs(style):
    """The penalty acts whenever the closure is called."""
    twins = ByLBFGS(style)
    for _ in range(2):
        twins.optimizer.step(twins.closure)
        step = partial(twins.twin_optimizer.step, twins.twin_closure)
        formula_around(style, twins.twin_optimizer, twins.memory, step)

    assert [] == twins.differing()


@pytest.mark.parametrize("style", AROUND_STEP)
def test_a_closure_that_raises_leaves_nothing_behind(style):
    """The step did not happen, and the next one is as if it had not been tried."""
    twins = Twins(style)
    with pytest.raises(ZeroDivisionError):
        twins.optimizer.step(lambda: 1 / 0)
    twins.steps(2)

    assert [] == twins.differing()


@pytest.mark.parametrize("style", STYLES)
def test_gradient_accumulation(style):
    """Two micro-batches a step: the penalty is added to the first alone, after-step styles act once."""
    for optimizer in ("SGD", "momentum", "Adam"):
        twins = Twins(style, "CNN", optimizer)
        for _ in range(2):
            twins.closure()
            twins.data_loss(twins.model).backward()
            twins.optimizer.step()

            twins.twin_closure()
            twins.data_loss(twins.twin).backward()
            formula_around(style, twins.twin_optimizer, twins.memory, twins.twin_optimizer.step)

        assert [] == twins.differing(), optimizer


@pytest.mark.parametrize("style", STYLES)
def test_a_scheduler_that_steps_after_every_update(style):
    """After-step styles use the η of that very step: after scheduler.step() it is the next one's."""
    for optimizer in ("SGD", "momentum", "Adam"):
        twins = Twins(style, "CNN", optimizer)
        schedulers = [
            torch.optim.lr_scheduler.LambdaLR(stepped, lambda updates: 1 / (1 + updates))
            for stepped in (twins.optimizer, twins.twin_optimizer)
        ]
        for _ in range(3):
            twins.steps(1)
            for scheduler in schedulers:
                scheduler.step()

        assert [] == twins.differing(), optimizer
        assert pytest.approx(0.1 / 4) == twins.optimizer.param_groups[0]["lr"]


@pytest.mark.parametrize("style", STYLES)
def test_lamda_may_change_while_training(style):
    """Each step uses the λ that its group has then."""
    twins = Twins(style)
    twins.steps(1)
    for optimizer in (twins.optimizer, twins.twin_optimizer):
        optimizer.param_groups[0]["lamda"] = 0.5
    twins.steps(1)

    assert [] == twins.differing()


def scaled_step(twins, scaler, finite):
    """One step of the model with a scaled loss; the twin takes an unscaled one, or none if a gradient is infinite."""
    twins.optimizer.zero_grad()
    loss = with_penalty(twins.data_loss(twins.model), STYLES[twins.style], twins.optimizer)
    scaler.scale(loss).backward()
    running = [buffer.clone() for buffer in twins.model.buffers()]
    if not finite:
        twins.model[0].weight.grad[0] = torch.inf
    scaler.step(twins.optimizer)
    scaler.update()
    if finite:
        twins.step_twin()
    else:
        for buffer, after in zip(twins.twin.buffers(), running, strict=True):
            buffer.copy_(after)  # batch norm saw the batch


@pytest.mark.parametrize("style", STYLES)
def test_grad_scaler(style):
    """A good step has the unscaled step's bits; one with an infinite gradient is skipped, and all of L1 with it.

    A fused optimizer skips the step inside, and calls its hooks all the same.
    """
    optimizers = ("SGD", "momentum", "Adam", "SGD fused", "Adam fused")
    for optimizer, dtype in product(optimizers, [torch.float64, torch.float32]):
        twins = Twins(style, "CNN", optimizer, dtype=dtype)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        for finite in (True, False, True):
            scaled_step(twins, scaler, finite)
            assert [] == twins.differing(), (optimizer, dtype, finite)

        assert 2.0**9 == scaler.get_scale()


def test_grad_scaler_twin():
    """Twin: without its infinite gradient the second step is not skipped."""
    twins = Twins("decoupled")
    twins.step_model()

    assert twins.differing()
