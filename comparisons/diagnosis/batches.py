"""Another start, and other items: differences that are not in how an update is made."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise, repeat
from typing import TypeVar

import numpy as np

from comparisons.agreement.traces import other_batches
from comparisons.diagnosis.evidence import COMPUTED, Evidence, RecordedUpdate, starts
from comparisons.diagnosis.mixture import mixed
from comparisons.diagnosis.update_rules import Change, Explanation, predict
from comparisons.diagnosis.window import BEYOND, Case, gap
from reference.data import Dataset
from reference.experiment import INITIAL_LIMIT, Batch, Experiment, Memory, draw, draw_parameters, updates_of

Made = TypeVar("Made", int, tuple[int, ...])  # what an update is made from: a batch or an item by its number, or items


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
    for look in (planned, single_items, other_orders, any_items):
        words, residual, last = look(case, experiment, data)
        if words:
            change = Change("order", words, case.evidence.base)
            yield Explanation(change, None, residual, (case.steps[0].update, last))
            return


Found = tuple[str, float, int]  # in words, empty where nothing fits; the residual; the last update that was predicted


def planned(case: Case, experiment: Experiment, data: Dataset) -> Found:
    """The planned batches, up to an epoch from their turn: without some, or in another order."""
    began, ended, epoch = case.steps[0].update, case.steps[-1].update, updates_of(replace(experiment, epochs=1), data)
    batches = enumerate(draw(experiment, data)[1], start=1)
    near = dict(islice(batches, max(0, began - epoch), ended + max(epoch, BEYOND)))
    found, residual = made_from(case, lambda step, memory: near)
    rising = all(one < other for one, other in pairwise(found))
    lost = sorted(set(range(case.update or 0, found[-1])) - set(found)) if found and rising else []
    words = ""
    if lost:
        words = f"the planned batches without {', '.join(map(str, lost))}"
    elif found and experiment.batch_size > 1:  # else the items say more
        words = f"the planned batches in another order: {listed(found)}"
    return words, residual, ended


def single_items(case: Case, experiment: Experiment, data: Dataset) -> Found:
    """Items, where a batch is one."""
    if experiment.batch_size > 1:
        return "", 0.0, 0
    items = {n: (data.x_train[n : n + 1], data.t_train[n : n + 1]) for n in range(len(data.x_train))}
    found, residual = made_from(case, lambda step, memory: items)
    return f"items in another order: {listed(found)}" if found else "", residual, case.steps[-1].update


def other_orders(case: Case, experiment: Experiment, data: Dataset) -> Found:
    """Batches of the items in another order that a program may have."""
    last = case.steps[-1].update
    for words, order in orders(experiment, data):
        batches = dict(islice(enumerate(order, start=1), last))
        found, residual = made_from(case, in_turn(batches))
        if found:
            return words, residual, last
    return "", 0.0, 0


def any_items(case: Case, experiment: Experiment, data: Dataset) -> Found:
    """Batches of any items; Adam's update does not tell the gradient, and so not the items either."""
    if (
        experiment.optimizer == "adam"
        or len(data.x_train) * sum(map(np.size, case.steps[0].before.values())) > MOST_SLOPES
    ):
        return "", 0.0, 0
    few = replace(case, steps=[step for step in case.steps if step.update < (case.update or 0) + FEW])
    found, residual = made_from(few, lambda step, memory: mixed(case, step, memory, data))
    words = f"batches of other items: {listed(found[0])} in the first" if found else ""
    return words, residual, few.steps[-1].update


OTHER_SEEDS = range(100)
FEW = 5  # updates, of which all items are looked for
MOST_SLOPES = 10_000_000  # numbers in the gradients of all items


def orders(experiment: Experiment, data: Dataset) -> Iterator[tuple[str, Iterator[Batch]]]:
    """Other orders of the items that a program may have: in words, and the batches."""
    count = len(data.x_train)
    yield "items in the order of the file, which are not shuffled", in_order(repeat(range(count)), experiment, data)
    afresh = in_order(shuffled(experiment, count, afresh=True), experiment, data)
    yield "items in another order: every epoch shuffles the file's anew", afresh
    for seed in OTHER_SEEDS:
        order = shuffled(replace(experiment, seed=seed), count, afresh=False)
        yield f"items in another order: that of the seed {seed}", in_order(order, experiment, data)


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


def listed(numbers: Sequence[int]) -> str:
    """The first eight."""
    return f"{', '.join(map(str, numbers[:8]))}{', …' * (len(numbers) > 8)}"


Choices = Callable[
    [RecordedUpdate, Mapping[str, Memory]], Mapping[Made, Batch]
]  # for a step and what is remembered before it


def in_turn(batches: Mapping[int, Batch]) -> Choices[int]:
    """For every update the batch of its number."""
    return lambda step, memory: {step.update: batches[step.update]}


def made_from(case: Case, choices: Choices[Made]) -> tuple[list[Made], float]:
    """Which of its choices each update since then was made from, and the largest residual; none if one is from none."""
    base, case = case.evidence.base, case.later()
    memory, residual, found = case.memory, 0.0, list[Made]()
    for step in case.steps:
        for made, items in choices(step, memory).items():
            predicted, remembered = predict(base, step.before, step.of_items(*items), memory, step.update - 1)
            if max(case.misfit(step, predicted).values()) <= 1:
                found.append(made)
                residual = max(residual, gap(step, predicted))
                break
        else:
            return [], 0.0
        memory = remembered
    return found, residual
