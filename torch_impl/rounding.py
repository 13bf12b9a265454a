"""Rounded precision: a hook that puts every parameter on the float32 grid after each step."""

from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle


def attach_rounding(optimizer: Optimizer) -> RemovableHandle:
    """p ← float64(float32(p)) of every parameter after every step, ties to even, until .remove().

    Hooks run in the order in which they were attached: attach this one after an L1 style.
    """
    return optimizer.register_step_post_hook(to_float32_grid)


def to_float32_grid(optimizer: Optimizer, *_: object) -> None:
    """p ← float64(float32(p))."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            value = p.detach()
            value.copy_(value.float())
