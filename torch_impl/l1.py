"""The places where λ‖w‖₁ can enter a training step, one for each style.

    loss = with_penalty(data_loss, style, optimizer)    in_loss: autograd differentiates it
    loss.backward()
    optimizer.step()                                    around_step: before and after, by hooks

λ is `lamda` of a parameter group, beside its lr: {"params": weights, "lamda": 0.001}; `split_parameters` makes such
groups. A group without it (biases) is not penalised. λ and lr are read at every step, so that schedules work, and each
group may have its own. A new style is one function and one row here, and one of each in reference/l1.py.
"""

from collections.abc import Callable, Generator
from contextlib import suppress
from html import escape
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

Group = dict[str, Any]
# runs before the step, yields, runs after it; yield returns optimizer.state, which state_dict() saves and loads
AroundStep = Generator[None, dict[Tensor, dict[str, Any]], None]


class Style(NamedTuple):
    """Where a style acts: at one of two places, or nowhere."""

    in_loss: Callable[[Tensor, Group], Tensor] | None = None  # a term of the loss
    around_step: Callable[[Tensor, Group], AroundStep] | None = None


def penalty(w: Tensor, group: Group) -> Tensor:
    """+λ Σ|w|.  Autograd takes 0 as its derivative where w = 0."""
    return group["lamda"] * torch.linalg.vector_norm(w, ord=1)


def as_listed(w: Tensor, group: Group) -> Tensor:
    """−λ Σ|w|: the article's listing, whose sign is reversed."""
    return -group["lamda"] * torch.linalg.vector_norm(w, ord=1)


def tack_on(w: Tensor, group: Group) -> AroundStep:
    """w ← step(w) − λ sign w, the sign taken before the step."""
    sign = w.sign()
    yield
    w.sub_(sign, alpha=group["lamda"])


def decoupled(w: Tensor, group: Group) -> AroundStep:
    """w ← step(w) − η λ sign w, the sign taken before the step."""
    sign = w.sign()
    yield
    w.sub_(sign, alpha=shrinkage(group))


def clipped(w: Tensor, group: Group) -> AroundStep:
    """As decoupled, but 0 where that would give w another sign than the step did."""
    sign = w.sign()
    yield
    decayed = w.sub(sign, alpha=shrinkage(group))
    w.copy_(decayed.masked_fill_((decayed.sign() != w.sign()) & ~decayed.isnan(), 0.0))  # nan is no zero


def proximal(w: Tensor, group: Group) -> AroundStep:
    """w ← softshrink(step(w), η λ)."""
    yield
    w.copy_(F.softshrink(w, shrinkage(group)) + 0.0)  # softshrink makes −0 of some negative w: + 0 makes it 0


def cumulative(w: Tensor, group: Group) -> AroundStep:
    """w ← step(w), moved toward 0 by the part of l1_due that it has not yet received, but not across 0.

    In optimizer.state: l1_due = Σ η λ of all steps so far; l1_received = by how much L1 has moved w, with the sign.
    """
    mine = (yield)[w]
    due = mine.get("l1_due", 0.0) + shrinkage(group)
    received = mine.get("l1_received", 0.0)
    paid = torch.where(w > 0, (w - (due + received)).clamp(min=0), (w + (due - received)).clamp(max=0))
    paid = torch.where(w == 0, w, paid)
    mine |= {"l1_due": due, "l1_received": received + (paid - w)}
    w.copy_(paid)


def shrinkage(group: Group) -> float:
    """η λ, with the learning rate of the step."""
    return float(group["lr"]) * group["lamda"]


STYLES = {
    "none": Style(),
    "penalty": Style(in_loss=penalty),
    "as_listed": Style(in_loss=as_listed),
    "tack_on": Style(around_step=tack_on),
    "decoupled": Style(around_step=decoupled),
    "clipped": Style(around_step=clipped),
    "proximal": Style(around_step=proximal),
    "cumulative": Style(around_step=cumulative),
}


def split_parameters(model: nn.Module, *, lamda: float) -> list[Group]:
    """[{"params": weights, "lamda": λ}, {"params": the rest}]: parameter groups for any optimizer of torch.

    Weights are the parameters with more than one dimension. Each parameter is in one of the groups, once, also where
    two modules share it.
    """
    parameters = list(model.parameters())
    weights, rest = [p for p in parameters if p.dim() > 1], [p for p in parameters if p.dim() <= 1]
    return [{"params": weights, "lamda": lamda}, {"params": rest}]


class Sparsity(NamedTuple):
    """How many weights of a model are exactly 0."""

    zeros: int
    weights: int  # all of them
    parameters: dict[str, tuple[int, int]]  # by name of a parameter: its zeros, and all its elements

    def __repr__(self) -> str:
        return f"Sparsity({self.zeros:,} of {self.weights:,} weights are exactly 0)"

    def _repr_html_(self) -> str:
        rows = [f"<tr><th>{escape(name)}</th><td>{z:,} of {n:,}</td></tr>" for name, (z, n) in self.parameters.items()]
        return f"<table><caption>{self!r}</caption>{''.join(rows)}</table>"


def sparsity(model: nn.Module) -> Sparsity:
    """The exact zeros of a model's weights, which are the parameters with more than one dimension; shared ones once."""
    weights = {name: w for name, w in model.named_parameters() if w.dim() > 1}
    found = {name: (int((w == 0).sum()), w.numel()) for name, w in weights.items()}
    return Sparsity(sum(z for z, _ in found.values()), sum(n for _, n in found.values()), found)


def penalised(optimizer: Optimizer) -> list[tuple[Tensor, Group]]:
    """Every parameter of a group that carries `lamda`, with its group."""
    return [(w, group) for group in optimizer.param_groups if "lamda" in group for w in group["params"]]


def with_penalty(data_loss: Tensor, style: Style, optimizer: Optimizer) -> Tensor:
    """data_loss + Σ_w in_loss(w); only the data loss if the style does not act in the loss.

    Under gradient accumulation call it for one micro-batch only: each call adds the whole penalty.
    """
    if style.in_loss is None:
        return data_loss
    return sum((style.in_loss(w, group) for w, group in penalised(optimizer)), start=data_loss)


def attach(style: Style, optimizer: Optimizer) -> "StyleHooks":
    """Hook the style around optimizer.step() until .detach(); for any torch optimizer and any model.

    A parameter that the optimizer does not change (frozen, or without a gradient) does not change here either.
    torch drops step hooks when an optimizer is copied or pickled: attach again to the copy.
    Raises ValueError if this optimizer has a style attached already: λ would be applied twice.
    """
    hooks = optimizer._optimizer_step_post_hooks.values()  # torch's own list: a second one could disagree
    if any(isinstance(getattr(hook, "__self__", None), StyleHooks) for hook in hooks):
        raise ValueError("an L1 style is attached to this optimizer already; detach() it first")
    return StyleHooks(style, optimizer)


class StyleHooks:
    """A style's hooks on an optimizer; .detach() removes them."""

    def __init__(self, style: Style, optimizer: Optimizer) -> None:
        self._around_step = style.around_step
        function = style.in_loss or style.around_step
        self._text = f"{function.__name__ if function else 'none'} on {type(optimizer).__name__}"
        self._begun: list[tuple[Tensor, AroundStep]] = []
        self._handles = (
            optimizer.register_step_pre_hook(self._before_step),
            optimizer.register_step_post_hook(self._after_step),
        )

    def __repr__(self) -> str:
        return f"StyleHooks({self._text})"

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"

    def detach(self) -> None:
        """Remove the hooks; the optimizer is a stock one again."""
        for handle in self._handles:
            handle.remove()

    @torch.no_grad()
    def _before_step(self, optimizer: Optimizer, *_: object) -> None:
        if self._around_step is not None:
            self._begun = [(w, self._around_step(w, group)) for w, group in penalised(optimizer)]
            for _w, part in self._begun:
                next(part)

    @torch.no_grad()
    def _after_step(self, optimizer: Optimizer, *_: object) -> None:
        # GradScaler lets a fused optimizer itself skip a step whose gradients are not finite: it sets found_inf
        skipped = bool(getattr(optimizer, "found_inf", False))
        # which parameters have a gradient is known only now: step(closure) computes them
        for w, part in self._begun:
            if w.requires_grad and w.grad is not None and not skipped:
                with suppress(StopIteration):
                    part.send(optimizer.state)
        self._begun = []
