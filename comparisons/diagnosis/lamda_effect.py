"""Has λ any effect on two equal runs? If their updates are those of the same run without L1, they prove nothing of it.

Where the experiment and its data are known, the reference trains it with L1 and without; otherwise gradients that the
reference recorded are used.
"""

import heapq
from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter

import numpy as np

from comparisons.agreement.traces import Comparison
from comparisons.diagnosis.evidence import RECORDED, Evidence, starts
from comparisons.diagnosis.forms import UNPENALISED
from comparisons.diagnosis.window import follow
from comparisons.runs.names import ArraysByName, as_parameters, as_state
from comparisons.runs.trace import DIGEST_UPDATES, DIGESTS, UPDATES, Trace, digest
from reference.data import Dataset
from reference.experiment import Experiment, draw
from reference.l1 import STYLES
from reference.train import fold, step

Record = tuple[int, ArraysByName | bytes]  # an update, and the state after it: in full, or its digest


def lamda_acts(evidence: Evidence, experiment: Experiment | None, data: Dataset | None) -> bool | None:
    """Does λ change any update? None: that cannot be told. True, too, for an experiment without L1."""
    if experiment is None:
        return None
    if not experiment.lamda or STYLES[experiment.style].function is None:
        return True
    if data is not None:
        return in_training(evidence.comparison, experiment, data)
    return in_recorded_gradients(evidence) if evidence.source == RECORDED else None


def in_training(comparison: Comparison, experiment: Experiment, data: Dataset) -> bool | None:
    """Train the reference with λ and without, until the recorded run is found to be nearer to the one with λ."""
    parameters, _ = draw(experiment, data)
    if began := starts(comparison):
        parameters = as_parameters({name: w.astype(experiment.dtype) for name, (w, _) in began.items()})
    sides = (fold(step, parameters, draw(e, data)[1], e) for e in (experiment, replace(experiment, lamda=0.0)))
    trained = enumerate(zip(*sides, strict=True))
    differed = told = False
    for update, record in records(comparison.reference):
        states = next((pair for number, pair in trained if number == update), None)
        if states is None or update > comparison.last_update:
            break
        with_l1, without = map(as_state, states)
        if all(np.array_equal(w, without[name]) for name, w in with_l1.items()):
            continue
        differed = True
        near, far = distance(record, with_l1), distance(record, without)
        if near < far:
            return True
        told = told or far < near
    return False if told or not differed else None


def records(trace: Trace) -> Iterator[Record]:
    """Every recorded state of a trace, by rising updates: the row where there is one, else the digest."""
    digests: Iterator[Record] = iter(())
    if DIGESTS in trace.columns:
        digests = zip(trace.read(DIGEST_UPDATES).tolist(), map(bytes, trace.read(DIGESTS)), strict=True)
    names = list(trace.parameters)
    rows = (
        (update, {name: block[name][row] for name in names})
        for block in trace.blocks([UPDATES, *names])
        for row, update in enumerate(block[UPDATES].tolist())
    )
    last = -1
    for update, record in heapq.merge(rows, digests, key=itemgetter(0)):
        if update > last:
            yield update, record
            last = update


def distance(record: ArraysByName | bytes, state: ArraysByName) -> float:
    """‖Δ‖² of a recorded state from another; of a digest 0 or 1."""
    if isinstance(record, bytes):
        return float(record != digest([state[name] for name in sorted(state)]))
    return sum(float(np.square(w - state[name]).sum()) for name, w in record.items())


def in_recorded_gradients(evidence: Evidence) -> bool | None:
    """Is any recorded update nearer to the right one than to the one without L1, given the recorded gradient?"""
    rules = evidence.base, replace(evidence.base, style=UNPENALISED)
    sides = (follow(rule, rule, evidence.updates(0), {}) for rule in rules)
    looked = False
    for (update, with_l1), (_, without) in zip(*sides, strict=True):
        looked = True
        if evidence.rounded:
            with_l1, without = ({n: w.astype(np.float32) for n, w in side.items()} for side in (with_l1, without))
        if distance(update.after, with_l1) < distance(update.after, without):
            return True
    return False if looked else None
