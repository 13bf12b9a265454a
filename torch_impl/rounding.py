"""Rounded precision: a hook that rounds every parameter to the nearest float32 after each step."""

from torch.optim import Optimizer


def to_float32_grid(optimizer: Optimizer, *_: object) -> None:
    """p ← float64(float32(p)) of every parameter, ties to even: a hook for optimizer.register_step_post_hook.

    Hooks run in the order in which they were registered: register this one after an L1 style is attached.
    """
    for group in optimizer.param_groups:
        for p in group["params"]:
            value = p.detach()
            value.copy_(value.float())
