"""The places where λ‖w‖₁ can enter a training step, one a style.

    loss = with_penalty(data_loss, style, optimizer)    in_loss: autograd differentiates it
    loss.backward()
    optimizer.step()                                    around_step: before and after, by hooks

λ is `lamda` of a parameter group, beside its lr: {"params": weights, "lamda": 0.001}. A group without it (biases) is
not penalised. λ is read when it is used, so it may be changed while training, and each group may have its own.
A new style is one function and one row here, and one of each in reference/l1.py.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

Group = dict[str, Any]


@dataclass(frozen=True)
class Style:
    """Where a style acts. A style has one of the places, or none."""

    in_loss: Callable[[Tensor, Group], Tensor] | None = None  # a term of the loss
    around_step: Callable[[Tensor, Group], Iterator[None]] | None = None  # runs before the step, yields, runs after


def penalty(w: Tensor, group: Group) -> Tensor:
    """+λ Σ|w|.  Autograd takes 0 as its derivative where w = 0."""
    return group["lamda"] * torch.linalg.vector_norm(w, ord=1)


def as_listed(w: Tensor, group: Group) -> Tensor:
    """−λ Σ|w|: the article's listing, whose sign is reversed."""
    return -group["lamda"] * torch.linalg.vector_norm(w, ord=1)


def tack_on(w: Tensor, group: Group) -> Iterator[None]:
    """w ← step(w) − λ sign w, the sign taken before the step."""
    sign = w.sign()
    yield
    w.sub_(sign, alpha=group["lamda"])


STYLES = {
    "none": Style(),
    "penalty": Style(in_loss=penalty),
    "as_listed": Style(in_loss=as_listed),
    "tack_on": Style(around_step=tack_on),
}


def penalised(optimizer: Optimizer) -> list[tuple[Tensor, Group]]:
    """Every parameter of a group that carries `lamda`, with its group."""
    return [(w, group) for group in optimizer.param_groups if "lamda" in group for w in group["params"]]


def with_penalty(data_loss: Tensor, style: Style, optimizer: Optimizer) -> Tensor:
    """data_loss + Σ_w in_loss(w); the data loss itself for a style that does not act in the loss.

    Under gradient accumulation add it to one micro-batch alone: each call adds the whole penalty.
    """
    if style.in_loss is None:
        return data_loss
    return sum((style.in_loss(w, group) for w, group in penalised(optimizer)), start=data_loss)


def attach(style: Style, optimizer: Optimizer) -> "Attached":
    """Hook the style around optimizer.step(), of any torch optimizer and any model, until .detach().

    A parameter that the optimizer leaves alone (frozen, or without a gradient) is left alone here too.
    torch drops step hooks when an optimizer is copied or pickled; attach again to the copy.
    Raises ValueError if this optimizer has a style attached already: λ would be applied twice.
    """
    hooks = optimizer._optimizer_step_post_hooks.values()  # torch's own list, so that no second one can disagree
    if any(isinstance(getattr(hook, "__self__", None), Attached) for hook in hooks):
        raise ValueError("an L1 style is attached to this optimizer already; detach() it first")
    return Attached(style, optimizer)


class Attached:
    """A style's hooks on an optimizer: the handle that detaches them."""

    def __init__(self, style: Style, optimizer: Optimizer) -> None:
        self._around_step = style.around_step
        self._begun: list[tuple[Tensor, Iterator[None]]] = []
        self._handles = (
            optimizer.register_step_pre_hook(self._before_step),
            optimizer.register_step_post_hook(self._after_step),
        )

    def detach(self) -> None:
        """Take the hooks off; the optimizer is a stock one again."""
        for handle in self._handles:
            handle.remove()

    def _before_step(self, optimizer: Optimizer, *_: object) -> None:
        if self._around_step is not None:
            self._begun = [(w, self._around_step(w, group)) for w, group in penalised(optimizer)]
            advance(part for _w, part in self._begun)

    def _after_step(self, *_: object) -> None:
        # only now is it known which parameters have a gradient: step(closure) computes them
        if self._around_step is not None:
            advance(part for w, part in self._begun if w.requires_grad and w.grad is not None)
            self._begun = []


@torch.no_grad()
def advance(parts: Iterable[Iterator[None]]) -> None:
    """Run each part to its yield or, if it is there already, to its end."""
    for part in parts:
        next(part, None)
