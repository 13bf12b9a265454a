"""A translation of λ is proved by training: the source in NumPy, the target in PyTorch."""

from dataclasses import dataclass

import numpy as np
import torch

import reference.train
import torch_impl.train
from comparisons.agreement.free_run import Agreement, Tick, compare_runs, ticking
from comparisons.lamda.translation import EXACT, Translation
from reference.data import Dataset
from reference.errors import InputError


@dataclass(frozen=True)
class Task:
    """A translation to prove on data."""

    translation: Translation
    data: Dataset


@dataclass(frozen=True)
class Proof:
    """Both trained: the source in NumPy, the target in PyTorch."""

    agreement: Agreement
    sum_abs: tuple[float, float]  # Σ|w| of both, weights alone


def check_batches(translation: Translation, data: Dataset) -> None:
    """Raise InputError where a sum is to become a mean, or back, and the last batch of an epoch has fewer items."""
    items, batch = len(data.x_train), translation.source.batch_size
    if translation.source.reduction != translation.target.reduction and items % batch:
        raise InputError(f"--batch-size must divide the {items} training items of {data.name} here; got {batch}")


def prove(task: Task, tick: Tick) -> Proof:
    """Train the source in NumPy and the target in PyTorch, and compare them after every update."""
    torch.set_num_threads(1)
    source, target = task.translation.source, task.translation.target
    agreement = compare_runs(
        ticking(reference.train.train(source, task.data), tick), torch_impl.train.train(target, task.data)
    )
    sums = [sum(float(np.abs(W).sum()) for W, _ in side) for side in (agreement.reference, agreement.candidate)]
    return Proof(agreement, (sums[0], sums[1]))


def exit_status(translation: Translation, proof: Proof | None) -> int:
    """0; for a proof that fails 1 if an exact translation ends with other parameters, 3 if nothing was compared."""
    if proof is None:
        return 0
    if not proof.agreement.moved:
        return 3
    return int(translation.kind == EXACT and proof.agreement.differing > 0)
