"""Record a PyTorch model while it trains: attached to its optimizer.

    with record("run.npz", model, optimizer) as trace:
        for x, t in batches:
            trace.batch(x, t)          # optional: what was learnt from
            ...
            optimizer.step()
            ...                        # L1 by hand, rounding: what is done after the step belongs to the update

A state is recorded when the next step begins, and the last one at the end of the block.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from comparisons.recorders.plain import Recorder


class RecorderHooks:
    """A recorder's hooks on an optimizer."""

    def __init__(
        self,
        trace: Recorder,
        model: nn.Module | Mapping[str, Tensor],
        optimizer: Optimizer,
        gradients: bool,
        optimizer_state: bool,
    ) -> None:
        self._trace = trace
        self._parameters = dict(model.named_parameters() if isinstance(model, nn.Module) else model)
        self._optimizer = optimizer
        self._gradients, self._optimizer_state = gradients, optimizer_state
        self._items: list[np.ndarray] | None = None
        self._made: dict[str, Any] | None = None  # of the update that the parameters are after, beside them
        self._shared: dict[str, np.ndarray] = {}
        self._places: dict[str, int | None] = {}
        self._trace.update(self._arrays())
        self._handles = (
            optimizer.register_step_pre_hook(self.write),
            optimizer.register_step_post_hook(self._after_step),
        )

    def batch(self, *arrays: Tensor | np.ndarray) -> None:
        """The items of the next step."""
        self._items = [np.asarray(array.detach().cpu() if isinstance(array, Tensor) else array) for array in arrays]

    def detach(self) -> None:
        """Take the hooks off; the optimizer is a stock one again."""
        for handle in self._handles:
            handle.remove()

    def write(self, *_: object) -> None:
        """Record the update, if there was one."""
        if self._made is not None:
            self._trace.update(self._arrays(), **self._made)
            self._made = None

    def _arrays(self) -> dict[str, np.ndarray]:
        """The parameters; an array that shares a parameter's memory is kept until the parameter moves elsewhere."""
        for name, p in self._parameters.items():
            if self._places.get(name) != (place := p.data_ptr()):
                self._shared[name] = as_array(p)
                self._places[name] = place if shared(p) else None
        return self._shared

    def _after_step(self, *_: object) -> None:
        self._made = {"batch": self._items}
        self._items = None
        if self._gradients:
            slopes = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in self._parameters.items()}
            self._made["gradients"] = {name: as_array(slope).copy() for name, slope in slopes.items()}
        if self._optimizer_state:
            self._made["optimizer"] = {
                f"{key}:{name}": as_array(value).copy()
                for name, p in self._parameters.items()
                for key, value in self._optimizer.state.get(p, {}).items()
                if isinstance(value, Tensor)
            }


def shared(tensor: Tensor) -> bool:
    """Can an array share the tensor's memory?"""
    return tensor.device.type == "cpu" and tensor.dtype != torch.bfloat16


def as_array(tensor: Tensor) -> np.ndarray:
    """A tensor as an array that shares its memory where it can; bfloat16, which NumPy lacks, becomes float32."""
    found = tensor.detach()
    if not shared(found):
        found = found.cpu().float() if found.dtype == torch.bfloat16 else found.cpu()
    return found.numpy()


@contextmanager
def record(
    path: str | Path,
    model: nn.Module | Mapping[str, Tensor],
    optimizer: Optimizer,
    *,
    gradients: bool = False,
    optimizer_state: bool = False,
    experiment: Mapping[str, Any] | None = None,
    every: int | None = None,
    window: tuple[int, int] | None = None,
) -> Iterator[RecorderHooks]:
    """Every parameter of a module, or of named tensors, at the start and after every update in the block.

    gradients: also what is in .grad after the step. optimizer_state: also the tensors of optimizer.state. every, window
    and what is raised: as of Recorder.
    A step that GradScaler skips is no step. An error while training loses the update that it may have cut short.
    """
    versions = f"PyTorch {torch.__version__}"
    with Recorder(path, framework=versions, experiment=experiment, every=every, window=window) as trace:
        attached = RecorderHooks(trace, model, optimizer, gradients, optimizer_state)
        try:
            yield attached
            attached.write()
        finally:
            attached.detach()
