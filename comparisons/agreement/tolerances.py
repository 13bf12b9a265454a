"""How far rounding alone can take two float64 or float32 implementations apart in one update."""

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

import numpy as np

import reference.train
from comparisons.agreement.free_run import flatten
from reference.experiment import Experiment, State, rates
from reference.optimizers import OPTIMIZERS


def tolerances(before: State, after: State, x: np.ndarray, experiment: Experiment) -> Iterator[np.ndarray]:
    """ε (4 max|w| + η' N X D_k) for W_1, b_1, W_2, …: what rounding alone can make of one update.

    4 max|w|: each side rounds the step and the difference w − step (and the style's own term), by half an ULP each.
    An ULP (unit in the last place) is the gap between a number and the next larger one; that of 1 is ε.
    η': the optimizer's `sensitivity`, which is η itself for plain SGD.
    N = units + items: the roundings along the longest chain of sums that a gradient goes through.
    X = max(1, |x|): the largest activation.  D_K = R, D_{k−1} = D_k max_i Σ_j |W_k[i, j]|: the largest |δ_k|, where
    R is 1 for a mean over the batch, the number of items for a sum.
    It is first order: that an error in a logit is damped or amplified on its way is left out. Lockstep always reports
    how much of the tolerance was used, and tests show that every fault is far larger.
    """
    eps = np.finfo(experiment.dtype).eps
    chain = sum(experiment.sizes) + len(x)
    activation = max(1.0, float(np.abs(x).max()))
    spreads = [float(np.abs(W).sum(axis=1).max()) for W, _ in before.parameters[:0:-1]]
    largest = len(x) / reference.train.REDUCTIONS[experiment.reduction](len(x))
    deltas = reversed(list(accumulate(spreads, lambda delta, spread: delta * spread, initial=largest)))
    lr, _lamda = rates(experiment, before.updates)
    sensitivity = OPTIMIZERS[experiment.optimizer].sensitivity
    layers = zip(before.parameters, after.parameters, after.memory, deltas, strict=True)
    for layer, layer_after, memory, delta in layers:
        for p, q, known in zip(layer, layer_after, memory, strict=False):  # memory.style is no optimizer's
            gradient = sensitivity(lr, experiment.momentum, known) * chain * activation * delta
            size = 4 * max(np.abs(p).max(), np.abs(q).max())
            yield np.broadcast_to(eps * (size + gradient), p.shape)


class Gaps(NamedTuple):
    """One update of both sides from the same state, not yet rounded. All are rows: (elements,)."""

    reference: np.ndarray
    candidate: np.ndarray
    gap: np.ndarray  # |reference − candidate|
    allowed: np.ndarray  # the tolerance
    outside: np.ndarray  # which elements are farther apart; NaN always is, and an infinite tolerance allows nothing


def gaps(before: State, expected: State, actual: State, x: np.ndarray, experiment: Experiment) -> Gaps:
    """How far expected and actual, both made of the state before, are apart, and which elements too far."""
    rows = flatten([expected.parameters, actual.parameters])
    gap = np.abs(np.subtract(*rows))
    allowed = np.concatenate([bound.ravel() for bound in tolerances(before, expected, x, experiment)])
    return Gaps(rows[0], rows[1], gap, allowed, ~((gap <= allowed) & np.isfinite(allowed)))
