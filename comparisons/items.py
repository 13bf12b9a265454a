"""Another start, and other items: differences that are not in how an update is made."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise, repeat

import numpy as np

from comparisons.case import BEYOND, Case, gap
from comparisons.comparison import other_batches
from comparisons.evidence import COMPUTED, Evidence, starts
from comparisons.practice import Change, Explanation, predict
from reference.data import Dataset
from reference.experiment import INITIAL_LIMIT, Batch, Experiment, draw, draw_parameters, updates_of


def of_start(evidence: Evidence) -> Iterator[Explanation]:
    """In what the candidate starts otherwise, if it does."""
    kinds: dict[str, list[str]] = {}
    for name, (asked, w) in starts(evidence.comparison).items():
        if not np.array_equal(w, asked):
            kinds.setdefault(how_it_starts(w, asked), []).append(name)
    for kind, names in kinds.items():
        yield Explanation(Change("start", f"{kind} {', '.join(names)}", evidence.base))


def of_items(evidence: Evidence) -> Iterator[Explanation]:
    """What became of the order of the items, told by their digests, where computed gradients do not tell it."""
    sides = evidence.comparison.reference, evidence.comparison.candidate
    if evidence.source != COMPUTED and (found := other_batches(*sides)):
        change = Change("recorded items", f"{found[1]}, from update {found[0]:,} on", evidence.base)
        yield Explanation(change)


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


def other_items(case: Case) -> Iterator[Explanation]:
    """From which of the planned batches, or of the items, was each update since then made, if that can be told?"""
    data, experiment = case.evidence.data, case.evidence.experiment
    if data is None or experiment is None:
        return
    began, since, ended = case.steps[0].update, case.update or 0, case.steps[-1].update
    epoch = updates_of(replace(experiment, epochs=1), data)
    planned = dict(
        islice(enumerate(draw(experiment, data)[1], start=1), max(0, began - epoch), ended + max(epoch, BEYOND))
    )
    found, residual = made_from(case, planned)
    lost = sorted(set(range(since, found[-1])) - set(found)) if found else []
    if lost and all(one < other for one, other in pairwise(found)):
        words = f"the planned batches without {', '.join(map(str, lost))}"
    elif experiment.batch_size == 1:
        items = {n: (data.x_train[n : n + 1], data.t_train[n : n + 1]) for n in range(len(data.x_train))}
        found, residual = made_from(case, items)
        words = f"items in another order: {listed(found)}"
    elif found:
        words = f"the planned batches in another order: {listed(found)}"
    else:
        tried = ((words, *made_from(case, first(order, ended), True)) for words, order in orders(experiment, data))
        words, found, residual = next((one for one in tried if one[1]), ("", [], 0.0))
    if found:
        yield Explanation(Change("order", words, case.evidence.base), None, residual, (began, ended))


OTHER_SEEDS = range(100)


def orders(experiment: Experiment, data: Dataset) -> Iterator[tuple[str, Iterator[Batch]]]:
    """Other orders of the items that a program may have: in words, and the batches."""
    count = len(data.x_train)
    yield "items in the order of the file, which are not shuffled", in_order(repeat(range(count)), experiment, data)
    afresh = in_order(shuffled(experiment, count, afresh=True), experiment, data)
    yield "items in another order: every epoch shuffles the file's anew", afresh
    for seed in OTHER_SEEDS:
        order = shuffled(replace(experiment, seed=seed), count, afresh=False)
        yield f"items in another order: that of the seed {seed}", in_order(order, experiment, data)


def first(batches: Iterator[Batch], count: int) -> dict[int, Batch]:
    """So many of them, by the number of the update."""
    return dict(islice(enumerate(batches, start=1), count))


def shuffled(experiment: Experiment, count: int, afresh: bool) -> Iterator[Sequence[int]]:
    """The items of one epoch after another, from the generator that has drawn the start."""
    rnd = random.Random(experiment.seed)
    draw_parameters(rnd, experiment.sizes, INITIAL_LIMIT)
    order = list(range(count))
    while True:
        order = list(range(count)) if afresh else order
        rnd.shuffle(order)
        yield list(order)


def in_order(order: Iterator[Sequence[int]], experiment: Experiment, data: Dataset) -> Iterator[Batch]:
    """Batches of the items in this order."""
    for items in order:
        for begin in range(0, len(items), experiment.batch_size):
            rows = list(items[begin : begin + experiment.batch_size])
            yield data.x_train[rows], data.t_train[rows]


def listed(numbers: list[int]) -> str:
    """The first eight."""
    return f"{', '.join(map(str, numbers[:8]))}{', …' * (len(numbers) > 8)}"


def made_from(case: Case, batches: Mapping[int, Batch], in_turn: bool = False) -> tuple[list[int], float]:
    """Which of these each update since then was made from, and the largest residual; none if one is from none.

    in_turn: the batch of its own number alone is tried.
    """
    base, memory = case.evidence.base, case.memory
    residual, found = 0.0, []
    for step in case.steps:
        if step.update < (case.update or 0):
            _, memory = predict(base, step.before, step.gradients[""](), memory, step.update - 1)
            continue
        those = {step.update: batches[step.update]} if in_turn else batches
        tried = ((n, *predict(base, step.before, step.of_items(*b), memory, step.update - 1)) for n, b in those.items())
        fitting = next((one for one in tried if max(case.misfit(step, one[1]).values()) <= 1), None)
        if fitting is None:
            return [], 0.0
        number, predicted, memory = fitting
        found.append(number)
        residual = max(residual, gap(step, predicted))
    return found, residual
