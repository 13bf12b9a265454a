"""The places where λ‖w‖₁ can enter a training step, one for each style.

    loss = with_penalty(data_loss, style, optimizer)    in_loss: autograd differentiates it
    loss.backward()
    optimizer.step()                                    around_step: before and after, by hooks

λ is `lamda` of a parameter group (groups.py), read at every step, as lr is: schedules work, and groups may differ.
"""

import warnings
import weakref
from collections.abc import Callable, Generator
from contextlib import suppress
from html import escape
from types import TracebackType
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from reference.errors import InputError, require
from reference.experiment import choose
from torch_impl.groups import (
    CANNOT_CARRY,
    Group,
    in_a_group,
    lamda_of,
    penalised,
    rates,
    refuse_sparse,
    unmoved,
)
from torch_impl.groups import sparsity as sparsity
from torch_impl.groups import split_parameters as split_parameters

# runs before the step, yields, runs after it; yield returns optimizer.state, which state_dict() saves and loads
AroundStep = Generator[None, dict[Tensor, dict[str, Any]], None]


class Style(NamedTuple):
    """Where a style acts: at one of two places, or nowhere."""

    in_loss: Callable[[Tensor, Group], Tensor] | None = None  # a term of the loss
    around_step: Callable[[Tensor, Group], AroundStep] | None = None
    remembers: bool = False  # a pull that is too small to move a weight is kept, and moves it later


def penalty(w: Tensor, group: Group) -> Tensor:
    """+λ Σ|w|.  Autograd takes 0 as its derivative where w = 0."""
    return lamda_of(group) * torch.linalg.vector_norm(w, ord=1)


def as_listed(w: Tensor, group: Group) -> Tensor:
    """−λ Σ|w|: the article's listing, whose sign is reversed."""
    return -lamda_of(group) * torch.linalg.vector_norm(w, ord=1)


def tack_on(w: Tensor, group: Group) -> AroundStep:
    """w ← step(w) − λ sign w, the sign taken before the step."""
    sign = w.sign()
    yield
    w.sub_(sign, alpha=lamda_of(group))


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
    lr, lamda = rates(group)
    return lr * lamda


STYLES = {
    "none": Style(),
    "penalty": Style(in_loss=penalty),
    "as_listed": Style(in_loss=as_listed),
    "tack_on": Style(around_step=tack_on),
    "decoupled": Style(around_step=decoupled),
    "clipped": Style(around_step=clipped),
    "proximal": Style(around_step=proximal),
    "cumulative": Style(around_step=cumulative, remembers=True),
}


def with_penalty(data_loss: Tensor, style: Style | str, optimizer: Optimizer) -> Tensor:
    """data_loss + Σ_w in_loss(w); only the data loss if the style does not act in the loss.

    style: a row of STYLES, or its name. Under gradient accumulation call it for one micro-batch only: each call adds
    the whole penalty. Raises InputError as attach does, for a style around the step that is not attached to this
    optimizer, and for one in the loss where another is attached, which would apply λ twice.
    """
    style, weights, hooks = row_of(style), penalised(optimizer), attached(optimizer)
    on = hooks.style if hooks else None
    if style.around_step:
        require(on == style, f"{name_of(style)} acts around optimizer.step(): attach it to this optimizer first")
    if style.in_loss is None:
        return data_loss
    if on and on.around_step:
        raise InputError(f"{name_of(on)} is attached to this optimizer, and would apply λ a second time; detach() it")
    return sum((style.in_loss(w, group) for w, group in weights), start=data_loss)


def attach(style: Style | str, optimizer: Optimizer) -> "StyleHooks":
    """Hook the style around optimizer.step() until .detach(), or to the end of a `with` block.

    style: a row of STYLES, or its name; none does nothing. For any torch optimizer and any model. A parameter that the
    optimizer does not change (frozen, or without a gradient) does not change here either. A copy of the optimizer
    (deepcopy, pickle, torch.save) has the style, too; attach to the copy replaces it. A state dict that is loaded and
    has no λ leaves λ as it is, with a warning. Where η λ is too small to move most weights of some parameter, this is
    warned of once.

    Raises InputError for a style that acts in the loss, for groups without lamda, with λ that is negative or not
    finite, or with a key that looks like λ, for an optimizer that cannot carry the style, and if a style is attached
    already: λ would be applied twice. Groups, λ and gradients are checked again at every step.
    """
    style = row_of(style)
    require(style.in_loss is None, f"{name_of(style)} acts in the loss: use with_penalty")
    penalised(optimizer)
    if style.around_step:
        for cannot, why in CANNOT_CARRY:
            require(not cannot(optimizer), f"{type(optimizer).__name__} cannot carry {name_of(style)}: {why}")
    before = attached(optimizer)
    if before is not None:
        require(before.inherited, "an L1 style is attached to this optimizer already; detach() it first")
        before.detach()
    return StyleHooks(style, optimizer)


def row_of(style: Style | str) -> Style:
    """The style, or the row of STYLES with this name. Raises InputError for anything else."""
    if isinstance(style, Style):
        return style
    return choose("style", style if isinstance(style, str) else type(style).__name__, STYLES)


def name_of(style: Style) -> str:
    """The name in STYLES, or that of its function."""
    known = (name for name, row in STYLES.items() if row == style)
    return next(known, getattr(style.in_loss or style.around_step, "__name__", "a style"))


def attached(optimizer: Optimizer) -> "StyleHooks | None":
    """The hooks of attach on this optimizer."""
    hooks = optimizer._optimizer_load_state_dict_pre_hooks.values()  # torch's own list: a second one could disagree
    owners = (getattr(hook, "__self__", None) for hook in hooks)
    return next((owner for owner in owners if isinstance(owner, StyleHooks)), None)


def restored(style: Style, make: Callable[..., Optimizer], arguments: tuple[Any, ...], state: Any) -> Optimizer:
    """A copy of an optimizer with its style."""
    optimizer = make(*arguments)
    optimizer.__setstate__(state)
    StyleHooks(style, optimizer, inherited=True)
    return optimizer


class StyleHooks:
    """A style's hooks on an optimizer; .detach(), or the end of a `with` block, removes them."""

    def __init__(self, style: Style, optimizer: Optimizer, *, inherited: bool = False, warns: bool = True) -> None:
        self.style, self.inherited = style, inherited  # inherited: nobody attached them, the optimizer is a copy
        self._text = f"{name_of(style)} on {type(optimizer).__name__}"
        self._optimizer = weakref.ref(optimizer)
        self._begun: list[tuple[Tensor, Group, AroundStep]] = []
        self._weights: list[Tensor] = []  # all that carried λ at the last step
        self._warns, self._steps = warns, 0
        self._handles = [optimizer.register_load_state_dict_pre_hook(self._keep_lamda)]
        if style.around_step is not None:
            # torch.compile leaves what is disabled as it is: a generator cannot be compiled
            self._handles += [
                optimizer.register_step_pre_hook(torch.compiler.disable(self._before_step)),
                optimizer.register_step_post_hook(torch.compiler.disable(self._after_step)),
            ]
        # torch drops hooks from a copy; copy and pickle ask the object itself how it is copied, before its class
        vars(optimizer)["__reduce_ex__"] = self._reduce_optimizer

    def __repr__(self) -> str:
        return f"StyleHooks({self._text}{'' if self._handles else ', detached'})"

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"

    def __enter__(self) -> "StyleHooks":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.detach()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied along with its optimizer, it is the hooks of that copy."""
        return attached, (self._optimizer(),)

    def detach(self) -> None:
        """Remove the hooks; the optimizer is a stock one again."""
        for handle in self._handles:
            handle.remove()
        optimizer = self._optimizer()
        if self._handles and optimizer is not None:
            vars(optimizer).pop("__reduce_ex__", None)
        self._handles = []

    def _reduce_optimizer(self, protocol: int) -> tuple[Any, ...]:
        optimizer = self._optimizer()
        assert optimizer is not None  # it is being copied
        make, arguments, state = cast(tuple[Any, ...], type(optimizer).__reduce_ex__(optimizer, protocol))[:3]
        return restored, (self.style, make, arguments, state)

    def _keep_lamda(self, optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
        """λ of this optimizer in every group that is loaded without one."""
        pairs = list(zip(optimizer.param_groups, state_dict["param_groups"], strict=False))
        lost = [i for i, (mine, loaded) in enumerate(pairs) if "lamda" in mine and "lamda" not in loaded]
        if not lost:
            return state_dict
        kept = ", ".join(f"{pairs[i][0]['lamda']} (group {i})" for i in lost)
        warnings.warn(f"the state dict that is loaded has no lamda; lamda stays {kept}", stacklevel=3)
        groups = list(state_dict["param_groups"])
        for i in lost:
            groups[i] = {**groups[i], "lamda": pairs[i][0]["lamda"]}
        return {**state_dict, "param_groups": groups}

    @torch.no_grad()
    def _before_step(self, optimizer: Optimizer, *_: object) -> None:
        around_step, pairs = self.style.around_step, penalised(optimizer)
        assert around_step is not None
        weights = [w for w, _ in pairs]
        missing = set(map(id, self._weights)).difference(map(id, weights))
        if missing and in_a_group(optimizer, missing):
            raise InputError("a parameter group has lost its lamda; set it to 0 to go on without L1, or detach()")
        self._weights = weights
        for w in self._weights:
            refuse_sparse(w)
        self._begun = [(w, group, around_step(w, group)) for w, group in pairs]
        for _w, _group, part in self._begun:
            next(part)

    @torch.no_grad()
    def _after_step(self, optimizer: Optimizer, *_: object) -> None:
        # GradScaler lets a fused optimizer itself skip a step whose gradients are not finite: it sets found_inf
        skipped = bool(getattr(optimizer, "found_inf", False))
        looks = self._warns and not self.style.remembers and self._steps % LOOK_EVERY == 0
        begun, self._begun = self._begun, []
        # which parameters have a gradient is known only now: step(closure) computes them
        for w, group, part in begun:
            if w.requires_grad and w.grad is not None and not skipped:
                refuse_sparse(w)
                stepped = w.clone() if looks else w
                with suppress(StopIteration):
                    part.send(optimizer.state)
                if looks:
                    self._warn_of_unmoved(w, stepped, group)
        self._steps += 1

    def _warn_of_unmoved(self, w: Tensor, stepped: Tensor, group: Group) -> None:
        lr, lamda = rates(group)
        if not (self._warns and lr * lamda > 0):
            return
        still, weights = unmoved(w, stepped, group)
        if 2 * still > weights:
            self._warns = False
            text = f"η λ = {lr * lamda:.3g} is too small to move {still:,} of {weights:,} nonzero weights in {w.dtype}"
            warnings.warn(f"{text}; keep them in a wider type, or use style cumulative or a larger λ", stacklevel=5)


# Steps from one look at whether λ moves the weights to the next. The first step is looked at: a look costs some steps.
LOOK_EVERY = 100
