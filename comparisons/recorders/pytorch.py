"""Record a PyTorch model while it trains, by hooks on its optimizer.

    with record("run.npz", model, optimizer) as trace:
        for x, t in batches:
            trace.batch(x, t)          # optional: the items of the update
            ...
            optimizer.step()
            ...                        # L1 by hand, rounding: what is done after the step belongs to the update

A state is recorded when the next step begins, and the last one at the end of the block.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from comparisons.recorders.plain import Facts, FirstAndLast, Recorder
from comparisons.runs.trace import as_code
from reference.errors import InputError

Model = nn.Module | Mapping[str, Tensor]


class RecorderHooks:
    """A recorder's hooks on an optimizer."""

    def __init__(
        self, trace: Recorder, model: Model, optimizer: Optimizer, gradients: bool, optimizer_state: bool
    ) -> None:
        self._trace = trace
        self._model = model
        self._parameters = parameters_of(model)
        self._optimizer = optimizer
        self._gradients, self._optimizer_state = gradients, optimizer_state
        self._items: list[np.ndarray] | None = None
        self._made: dict[str, Any] | None = None  # what is recorded of the last step, beside the parameters
        self._arrays = {name: as_array(p, name) for name, p in self._parameters.items()}
        self._places: dict[str, Any] = {}  # of a parameter's memory, where the array has it too
        self._trace.update(self._arrays, buffers=buffers_of(model))

    def __repr__(self) -> str:
        return f"{self._trace!r} by hooks on {type(self._optimizer).__name__}"

    _repr_html_ = as_code

    def batch(self, *arrays: Tensor | np.ndarray) -> None:
        """The items of the next step."""
        self._items = [as_array(a).copy() if isinstance(a, Tensor) else np.array(a) for a in arrays]  # may be reused

    def before_step(self, *_: object) -> None:
        """Record the last step, if it is not recorded yet."""
        if self._made is not None:
            if self._trace.asks_for_all:
                self._check_model()
            for name, p in self._parameters.items():
                place = p.data_ptr(), p.shape, p.stride(), p.dtype
                if self._places.get(name) != place:  # else the array has the new values already
                    self._arrays[name] = as_array(p, name)
                    self._places[name] = place if p.device.type == "cpu" and p.dtype in SHARED else None
            made, self._made = self._made, None
            self._trace.update(self._arrays, **made)

    def end(self) -> None:
        """Record the last step. Raises InputError unless the model still has its parameters."""
        self._check_model()
        self.before_step()

    def _check_model(self) -> None:
        """Raise InputError unless the model has the very parameters that it had at the start."""
        now, known = parameters_of(self._model), self._parameters
        if names := sorted(name for name in now.keys() | known.keys() if now.get(name) is not known.get(name)):
            fault = "came, went, or was replaced while the model was recorded; a new model needs a new trace"
            raise InputError(f"{self._trace.path}: {', '.join(names)} {fault}")

    def after_step(self, *_: object) -> None:
        """Keep what is recorded of the step beside the parameters: it may have changed when the next step begins."""
        self._made, self._items = {"batch": self._items}, None
        if not self._trace.asks_for_all:
            return
        self._made["buffers"] = buffers_of(self._model)  # the next forward pass changes running statistics
        if self._gradients:
            slopes = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in self._parameters.items()}
            self._made["gradients"] = {n: as_array(g.to_dense(), n).copy() for n, g in slopes.items()}
        if self._optimizer_state:
            self._made["optimizer"] = {
                f"{key}:{name}": as_array(value, name).copy()
                for name, p in self._parameters.items()
                for key, value in self._optimizer.state.get(p, {}).items()
                if isinstance(value, Tensor)
            }


def parameters_of(model: Model) -> dict[str, Tensor]:
    """The parameters of a module, or the named tensors, by their names. Raises InputError for lazy ones, and others."""
    if not isinstance(model, nn.Module | Mapping):
        raise InputError(f"the model must be a torch.nn.Module or named tensors; got {type(model).__name__}")
    found: dict[str, Tensor] = dict(model.named_parameters() if isinstance(model, nn.Module) else model)
    for name, p in found.items():
        if not isinstance(p, Tensor):
            raise InputError(f"{name} must be a tensor; got {type(p).__name__}")
        if is_lazy(p):
            raise InputError(f"{name} has no shape yet; run the model once before it is recorded")
    return found


PARAMETERS_ALONE = "; dict(model.named_parameters()) in place of the model records the parameters alone"


def buffers_of(model: Model) -> dict[str, np.ndarray]:
    """A copy of a module's buffers, such as BatchNorm's running statistics; of complex numbers both parts."""
    found = model.named_buffers() if isinstance(model, nn.Module) else ()
    return {
        name: as_array(torch.view_as_real(b.resolve_conj()) if b.is_complex() else b, name, PARAMETERS_ALONE).copy()
        for name, b in found
    }


SHARED = (torch.float16, torch.float32, torch.float64)  # with NumPy; it lacks bfloat16 and the 8-bit types


def as_array(tensor: Tensor, name: str = "a tensor", hint: str = "") -> np.ndarray:
    """A tensor as an array that shares its memory where it can; floating-point types that NumPy lacks become float32.

    Raises InputError, with the name and the hint, for a tensor without such values.
    """
    try:
        wide = tensor.is_floating_point() and tensor.dtype not in SHARED
        found: np.ndarray = (tensor.float() if wide else tensor).numpy(force=True)
    except (TypeError, RuntimeError, NotImplementedError) as error:
        kind = f"{tensor.layout}, {tensor.dtype} on {tensor.device}"
        raise InputError(f"{name} ({kind}) cannot be recorded{hint}") from error
    return found


@contextmanager
def record(
    path: str | Path,
    model: Model,
    optimizer: Optimizer,
    *,
    gradients: bool = False,
    optimizer_state: bool = False,
    experiment: Facts = None,
    every: int | None = None,
    window: FirstAndLast = None,
    overwrite: bool = False,
) -> Iterator[RecorderHooks]:
    """Every parameter of a module, or of named tensors, at the start and after every update in the block.

    A module's buffers, such as running statistics, are recorded too. gradients: also what is in .grad after the step.
    optimizer_state: also the tensors of optimizer.state. experiment, every, window, overwrite and what is raised: see
    Recorder; a parameter that comes, goes or is replaced in the block is an InputError.
    A step that GradScaler skips is not recorded. After an error in the block the last update is not recorded, since it
    may be incomplete.
    """
    if not isinstance(optimizer, Optimizer):
        raise InputError(f"optimizer must be a torch.optim.Optimizer; got {type(optimizer).__name__}")
    parameters_of(model)
    trace = Recorder(
        path,
        framework=f"PyTorch {torch.__version__}",
        experiment=experiment,
        every=every,
        window=window,
        overwrite=overwrite,
    )
    with trace, ExitStack() as end:
        hooks = RecorderHooks(trace, model, optimizer, gradients, optimizer_state)
        end.callback(optimizer.register_step_pre_hook(hooks.before_step).remove)
        end.callback(optimizer.register_step_post_hook(hooks.after_step).remove)
        yield hooks
        hooks.end()
