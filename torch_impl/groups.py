"""Parameter groups that carry λ: which parameters are weights, what λ may be, and how many weights are 0.

λ is `lamda` of a parameter group, beside its lr: {"params": weights, "lamda": 0.001}; `split_parameters` makes such
groups. A group without it (biases) is not penalised.
"""

import inspect
import math
import re
import reprlib
from collections.abc import Callable
from contextlib import suppress
from html import escape
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer, SparseAdam

from reference.errors import InputError, require

Group = dict[str, Any]

NORMS = (nn.LayerNorm, nn.RMSNorm)  # their scale may have several dimensions; other norms' have one
BIAS = re.compile(r"(^|_)bias(_|$)")  # bias, bias_hh_l0, bias_k
WORDS = (
    "reg|regulari[sz]ation|regulari[sz]er|penalty|coeff?|coefficient|strength|factor|weights?|norm|decay|alpha|ratio"
)
# λ, lasso, l1, or lambda however it is misspelled, alone or beside such words
LIKE_LAMDA = re.compile(rf"({WORDS}|l1)*(λ|lasso|l1|l(?=[abd]*m)[abdm]{{2,}})({WORDS}|l?1)*")
USUAL = {"params", "param_names", "lamda", "initial_lr"}  # keys of a group that are no options of the optimizer


def split_parameters(model: nn.Module, *, lamda: float) -> list[Group]:
    """[{"params": weights, "lamda": λ}, {"params": the rest}]: parameter groups for any optimizer of torch.

    Weights are the parameters with more than one dimension, except biases (as bias_k of nn.MultiheadAttention) and all
    of nn.LayerNorm and nn.RMSNorm. Each parameter is in one of the groups, once, also where two modules share it;
    frozen ones, too. Raises InputError for a model without weights, weights that are not initialized yet, and λ that
    is negative or not a finite number.
    """
    lamda_of({"lamda": lamda})
    weights = weights_of(model)
    require(weights, "the model has no weights, which are its parameters with more than one dimension; L1 does nothing")
    taken = {id(w) for w in weights.values()}
    rest = [p for p in model.parameters() if id(p) not in taken]
    return [{"params": list(weights.values()), "lamda": lamda}, {"params": rest}]


def weights_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weights by name, in the order of the model; a shared one under its first name."""
    require(isinstance(model, nn.Module), f"the model must be a torch.nn.Module; got {type(model).__name__}")
    names = {id(p): name for name, p in model.named_parameters()}
    owned = [(module, name, p) for module in model.modules() for name, p in module.named_parameters(recurse=False)]
    for _, _, p in owned:
        if is_lazy(p):
            raise InputError(f"{names[id(p)]} is not initialized: call the model once, then split or count its weights")
    weights = [p for m, name, p in owned if p.dim() > 1 and not BIAS.search(name) and not isinstance(m, NORMS)]
    return {names[id(p)]: p for p in weights}


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
    """The exact zeros of a model's weights, which are those of split_parameters; −0 is one, NaN is none.

    Raises InputError for weights that have no values: not initialized, or on the meta device.
    """
    weights = weights_of(model)
    for name, w in weights.items():
        require(not w.is_meta, f"{name} is on the meta device: it has no values to count")
    found = {name: (int((w == 0).sum()), w.numel()) for name, w in weights.items()}
    return Sparsity(sum(z for z, _ in found.values()), sum(n for _, n in found.values()), found)


def lamda_of(group: Group) -> float:
    """λ of a group as a number. Raises InputError unless it is one finite number ≥ 0, or a tensor of one."""
    value = group["lamda"]
    if type(value) is float and 0 <= value < math.inf:  # at every step, of every group
        return value
    number = value.item() if isinstance(value, Tensor) and value.numel() == 1 and not value.is_meta else value
    if isinstance(number, Real) and not isinstance(number, bool):
        with suppress(OverflowError):  # of an int with 400 digits
            if 0 <= float(number) < math.inf:
                return float(number)
    shown = f"a tensor of shape {tuple(value.shape)}" if isinstance(number, Tensor) else reprlib.repr(number)
    raise InputError(f"lamda must be a finite number, 0 or more; got {shown}")


def looks_like_lamda(key: str) -> bool:
    """A key, not lamda itself, that someone may have meant as it: lambda, l1, lam, l1_lambda, Lamda."""
    return bool(LIKE_LAMDA.fullmatch(re.sub(r"[\W_]", "", key.casefold())))


def penalised(optimizer: Optimizer) -> list[tuple[Tensor, Group]]:
    """Every parameter of a group that carries `lamda`, with its group.

    Raises InputError if there is none, for λ or η that cannot be used, for a key that looks like λ and is no option of
    the optimizer, and for parameters and optimizers that L1 cannot act on.
    """
    kind = type(optimizer).__name__
    require(isinstance(optimizer, Optimizer), f"optimizer must be a torch.optim.Optimizer; got {kind}")
    found: list[tuple[Tensor, Group]] = []
    for index, group in enumerate(optimizer.param_groups):
        for key in group.keys() - optimizer.defaults.keys() - USUAL:
            if looks_like_lamda(str(key)):
                raise InputError(f"parameter group {index} has {key!r}: λ is called 'lamda'")
        if "lamda" in group:
            try:
                rates(group)
            except InputError as error:
                raise InputError(f"parameter group {index}: {error}") from None
            found += [(w, group) for w in group["params"]]
    require(found, "no parameter group of the optimizer has lamda, so L1 does nothing: see split_parameters")
    for w, _ in found:
        require(not w.is_complex(), "a parameter with lamda is complex: L1 acts on real ones")
    sparse = isinstance(optimizer, SparseAdam)
    require(not sparse, "SparseAdam takes sparse gradients only, and L1 acts on every weight: use another optimizer")
    return found


def needs_closure(optimizer: Optimizer) -> bool:
    """Is step(closure) its only form?"""
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


# optimizers around whose step no style can act, and why
CANNOT_CARRY: tuple[tuple[Callable[[Optimizer], bool], str], ...] = (
    (needs_closure, "it evaluates the loss several times in one step; a style in the loss works"),
    (
        lambda optimizer: any(group.get("differentiable") for group in optimizer.param_groups),
        "differentiable=True, and the hooks' part of a step has no derivative; a style in the loss works",
    ),
)


def refuse_sparse(w: Tensor) -> None:
    """Raise InputError for a sparse gradient."""
    if w.grad is not None and w.grad.layout is not torch.strided:
        raise InputError("a weight with lamda has a sparse gradient, and L1 acts on every weight: use sparse=False")


def in_a_group(optimizer: Optimizer, parameters: set[int]) -> bool:
    """Does the optimizer still have one of these parameters, given by id?"""
    return any(id(p) in parameters for group in optimizer.param_groups for p in group["params"])


def rates(group: Group) -> tuple[float, float]:
    """(η, λ) of a group. Raises InputError unless η is a number or a tensor of one, and for λ as lamda_of does."""
    lr = group.get("lr")
    if not (isinstance(lr, (float, Real)) or (isinstance(lr, Tensor) and lr.numel() == 1)):
        raise InputError(f"a parameter group with lamda must have lr, a number; got {reprlib.repr(lr)}")
    return float(lr), lamda_of(group)


def unmoved(w: Tensor, stepped: Tensor, group: Group) -> tuple[int, int]:
    """(n, N): of N weights that the optimizer's step left other than 0, a pull of η λ moves all but n.

    w and stepped: the weight after the style and before it.
    """
    lr, lamda = rates(group)
    pulled = torch.sub(stepped, stepped.sign(), alpha=lr * lamda)
    nonzero = stepped != 0
    return int(((w == stepped) & (pulled == stepped) & nonzero).sum()), int(nonzero.sum())
