"""The proof of a translation by training: the source in NumPy, the target in PyTorch."""

from typing import NamedTuple

import numpy as np
import torch

import reference.train
import torch_impl.train
from comparisons.agreement.controls import MISSING, not_judged
from comparisons.agreement.free_run import Agreement, Tick, compare_runs, ticking
from comparisons.lamda.translation import EXACT, Translation
from reference.data import Dataset
from reference.errors import require


class Proof(NamedTuple):
    """What training both showed."""

    agreement: Agreement
    sum_abs: tuple[float, float]  # Σ|w| of both, without biases
    no_effect: bool = False  # is the source's run the same without L1?

    @property
    def proved(self) -> bool:
        """Was anything proved? Not if nothing moved, values are not finite on both sides, or λ has no effect."""
        return self.agreement.moved and self.agreement.not_finite is None and not self.no_effect


def check_batches(translation: Translation, data: Dataset) -> None:
    """Raise InputError if the reduction changes and the last batch of an epoch has fewer items than the others."""
    items, batch = len(data.x_train), translation.source.batch_size
    fits = translation.source.reduction == translation.target.reduction or items % batch == 0
    require(fits, f"batch_size must divide the {items} training items of {data.name} here; got {batch}")


def prove(translation: Translation, tick: Tick, data: Dataset) -> Proof:
    """Train the source in NumPy and the target in PyTorch, and compare them after every update."""
    torch.set_num_threads(1)
    source = ticking(reference.train.train(translation.source, data), tick)
    agreement = compare_runs(source, torch_impl.train.train(translation.target, data))
    one, other = (sum(float(np.abs(W).sum()) for W, _ in side) for side in (agreement.reference, agreement.candidate))
    unseen = not_judged(translation.source, data) if not agreement.differing else ()
    return Proof(agreement, (one, other), any(fault.fault == MISSING for fault in unseen))


def exit_status(translation: Translation, proof: Proof | None) -> int:
    """1 if an exact translation ends with other parameters, 3 if the proof proved nothing, else 0."""
    if proof is None:
        return 0
    if not proof.proved:
        return 3
    return int(translation.kind == EXACT and proof.agreement.differing > 0)
