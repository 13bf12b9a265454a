"""Another start, and other items: differences that are not in how an update is made."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise, repeat
from typing import TypeVar

import numpy as np

from comparisons.agreement.digests import other_batches
from comparisons.diagnosis.evidence import COMPUTED, Evidence, starts
from comparisons.diagnosis.forms import Variant
from comparisons.diagnosis.hypotheses import Explanation
from comparisons.diagnosis.thresholds import BEYOND, FEW, MOST_NUMBERS, OTHER_SEEDS
from comparisons.diagnosis.update_rule import MemoryByName, apply_rule, gradients_of
from comparisons.diagnosis.updates import RecordedUpdate
from comparisons.diagnosis.window import Window, gap, known
from reference.data import Dataset
from reference.experiment import INITIAL_LIMIT, Batch, Experiment, draw, draw_parameters, updates_of

Made = TypeVar("Made", int, tuple[int, ...])  # what an update is made from: a batch or an item by its number, or items


def of_start(evidence: Evidence) -> Iterator[Explanation]:
    """How the candidate starts otherwise, if it does."""
    kinds: dict[str, list[str]] = {}
    for name, (asked, w) in starts(evidence.comparison).items():
        if not np.array_equal(w.astype(np.float32), asked.astype(np.float32)):  # else one was rounded to it
            kinds.setdefault(how_it_starts(w, asked), []).append(name)
    for kind, names in kinds.items():
        yield Explanation("start", Variant(evidence.base, f"{kind} {', '.join(names)}"))


def of_recorded_items(evidence: Evidence) -> Iterator[Explanation]:
    """How the order of the items differs by their digests, where no computed gradient tells it."""
    sides = evidence.comparison.reference, evidence.comparison.candidate
    if evidence.source != COMPUTED and (found := other_batches(*sides)):
        yield Explanation("recorded items", Variant(evidence.base, f"{found[1]}, from update {found[0]:,} on"))


def how_it_starts(w: np.ndarray, asked: np.ndarray) -> str:
    """Transposed, zero, scaled, or with other values."""
    if w.ndim == 2 and w.shape[0] == w.shape[1] and np.array_equal(w.T, asked):
        return "a transposed"
    if not w.any():
        return "zeros in"
    ratio = w / asked
    if np.allclose(ratio, ratio.flat[0], rtol=1e-6, atol=0):
        return f"{ratio.flat[0]:.4g} times the"
    return "other values in"


def other_items(window: Window) -> Iterator[Explanation]:
    """The planned batches, or the items, that each update from the first wrong one on was made from, if they fit."""
    data, experiment = window.evidence.data, window.evidence.experiment
    if data is None or experiment is None:
        return
    last = window.updates[-1].number
    for look in (planned, single_items, other_orders, any_items):
        words, residual = look(window, experiment, data)
        if words:
            last = min(last, window.start + FEW - 1) if look is any_items else last
            form = Variant(window.evidence.base, words)
            yield Explanation("order", form, None, residual, (window.updates[0].number, last))
            return


Found = tuple[str, float]  # in words, "" where nothing fits, and the residual


def planned(window: Window, experiment: Experiment, data: Dataset) -> Found:
    """The planned batches, up to an epoch from their turn: without some, or in another order."""
    began, ended = window.updates[0].number, window.updates[-1].number
    epoch = updates_of(replace(experiment, epochs=1), data)
    batches = enumerate(draw(experiment, data)[1], start=1)
    near = dict(islice(batches, max(0, began - epoch), ended + max(epoch, BEYOND)))
    found, residual = made_from(window, lambda update, memory: near)
    rising = all(one < other for one, other in pairwise(found))
    lost = sorted(set(range(window.start, found[-1])) - set(found)) if found and rising else []
    if lost:
        return f"the planned batches without {', '.join(map(str, lost))}", residual
    several = found and experiment.batch_size > 1  # with one item a batch, the items say more
    return f"the planned batches in another order: {listed(found)}" if several else "", residual


def single_items(window: Window, experiment: Experiment, data: Dataset) -> Found:
    """Items, where a batch is one."""
    items = {n: (data.x_train[n : n + 1], data.t_train[n : n + 1]) for n in range(len(data.x_train))}
    found, residual = made_from(window, lambda update, memory: items) if experiment.batch_size == 1 else ([], 0.0)
    return f"items in another order: {listed(found)}" if found else "", residual


def other_orders(window: Window, experiment: Experiment, data: Dataset) -> Found:
    """Batches of the items in another order that a program may have."""
    for words, order in known_orders(experiment, data):
        batches = dict(islice(enumerate(order, start=1), window.updates[-1].number))
        found, residual = made_from(window, in_turn(batches))
        if found:
            return words, residual
    return "", 0.0


def any_items(window: Window, experiment: Experiment, data: Dataset) -> Found:
    """Batches of any items, if the update tells the gradient: of the first FEW updates."""
    numbers = len(data.x_train) * sum(map(np.size, window.updates[0].before.values()))
    if not window.evidence.base.optimizer.tells_gradient or numbers > MOST_NUMBERS:
        return "", 0.0
    few = replace(window, updates=[update for update in window.updates if update.number < window.start + FEW])
    found, residual = made_from(few, lambda update, memory: items_of(window, update, memory, data))
    return f"batches of other items: {listed(found[0])} in the first" if found else "", residual


def known_orders(experiment: Experiment, data: Dataset) -> Iterator[tuple[str, Iterator[Batch]]]:
    """Other orders of the items that a program may have: in words, and the batches."""
    count = len(data.x_train)
    yield "items in the order of the file, which are not shuffled", in_order(repeat(range(count)), experiment, data)
    for words, seed, afresh in [
        ("every epoch shuffles the file's anew", experiment.seed, True),
        *((f"that of the seed {seed}", seed, False) for seed in OTHER_SEEDS),
    ]:
        order = shuffled(replace(experiment, seed=seed), count, afresh)
        yield f"items in another order: {words}", in_order(order, experiment, data)


def shuffled(experiment: Experiment, count: int, afresh: bool) -> Iterator[Sequence[int]]:
    """The items of one epoch after another, from the generator that has drawn the start."""
    rnd = random.Random(experiment.seed)
    draw_parameters(rnd, experiment.sizes, INITIAL_LIMIT)
    order = list(range(count))
    while True:
        order = list(range(count)) if afresh else order
        rnd.shuffle(order)
        yield list(order)


def in_order(order: Iterable[Sequence[int]], experiment: Experiment, data: Dataset) -> Iterator[Batch]:
    """Batches of the items in this order."""
    for items in order:
        for begin in range(0, len(items), experiment.batch_size):
            rows = list(items[begin : begin + experiment.batch_size])
            yield data.x_train[rows], data.t_train[rows]


def listed(numbers: Sequence[int]) -> str:
    """The first eight."""
    return f"{', '.join(map(str, numbers[:8]))}{', …' * (len(numbers) > 8)}"


# the batches that an update may have been made from, by the update and what was remembered before it
Choices = Callable[[RecordedUpdate, MemoryByName], Mapping[Made, Batch]]


def in_turn(batches: Mapping[int, Batch]) -> Choices[int]:
    """For every update the batch of its number."""
    return lambda update, memory: {update.number: batches[update.number]}


def made_from(window: Window, choices: Choices[Made]) -> tuple[list[Made], float]:
    """The choice that each update was made from, from the first wrong one on, and the largest residual.

    None at all if one of the updates fits none of its choices.
    """
    base, window = window.evidence.base, window.from_first_wrong()
    memory, residual, found = window.memory, 0.0, list[Made]()
    for update in window.updates:
        for made, items in choices(update, memory).items():
            gradients = update.gradient_of(*items)
            predicted, remembered = apply_rule(base, update.before, gradients, memory, update.number - 1)
            if window.misfit(update, predicted) <= 1:
                found.append(made)
                residual = max(residual, gap(update, predicted))
                break
        else:
            return [], 0.0
        memory = remembered
    return found, residual


def items_of(
    window: Window, update: RecordedUpdate, memory: MemoryByName, data: Dataset
) -> dict[tuple[int, ...], Batch]:
    """The items whose gradients the update's is the mean or sum of: g = Σ cᵢ gᵢ, c ≥ 0, by least squares.

    An update tells its gradient, the reference that of every single item; only one batch has that gradient, as a rule.
    In units of the tolerance, so that 1 is near enough. A batch has an item once, or so many times.
    """
    base = window.evidence.base
    gradients = gradients_of(base, update.before, update.after, memory, update.number - 1)
    predicted, _ = apply_rule(base, update.before, gradients, memory, update.number - 1)
    shares, allowed = known(update, window.shares(update, predicted)), window.tolerances(update)
    fine = {name: np.where(shares[name] <= 1, base.lr / allowed[name], 0.0) for name in gradients}
    single = [update.gradient_of(data.x_train[i : i + 1], data.t_train[i : i + 1]) for i in range(len(data.x_train))]
    columns, wanted = np.array([in_units(of_item, fine) for of_item in single]).T, in_units(gradients, fine)
    finite = np.isfinite(columns).all() and np.isfinite(wanted).all()
    parts = nonnegative(columns, wanted) if finite else np.zeros(1)
    if not parts.any():
        return {}
    counts = np.rint(parts / np.median(parts[parts > 0.1 * parts.max()])).astype(int)
    rows = np.repeat(np.arange(len(counts)), counts)
    return {tuple(rows.tolist()): (data.x_train[rows], data.t_train[rows])}


def in_units(gradients: Mapping[str, np.ndarray], fine: Mapping[str, np.ndarray]) -> np.ndarray:
    """All gradients in one row, in these units."""
    return np.concatenate([(g * fine[name]).ravel() for name, g in gradients.items()])


def nonnegative(columns: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """argmin ‖A c − y‖₂ over c ≥ 0, or the first c with max |A c − y| < 1.

    Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23.
    """
    c, inside = np.zeros(columns.shape[1]), np.zeros(columns.shape[1], bool)
    for _ in range(3 * len(c)):
        rest = wanted - columns[:, inside] @ c[inside]
        slope = np.where(inside, -np.inf, columns.T @ rest)
        if np.abs(rest).max() < 1 or slope.max() <= 0:
            break
        inside[slope.argmax()] = True
        while True:
            best = np.zeros_like(c)
            best[inside] = np.linalg.lstsq(columns[:, inside], wanted, rcond=None)[0]
            if best[inside].min(initial=np.inf) > 0:
                break
            out = inside & (best <= 0)
            c = c + (c[out] / np.maximum(c[out] - best[out], np.finfo(float).tiny)).min() * (best - c)
            inside &= c > 1e-12
        c = best
    return c
