"""What two recorded runs tell of how the candidate makes an update: its states before and after, and a gradient.

The gradient of an update is taken from where it is known best: computed by the reference where the experiment and its
data are known; otherwise as the reference recorded it; otherwise worked out from the reference's own update, which is
taken to be as the experiment says; otherwise, with η and λ unknown, the reference's update itself stands for it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from comparisons.agreement.columns import on_grid
from comparisons.agreement.traces import Comparison, states
from comparisons.diagnosis.thresholds import SAME_STATE
from comparisons.diagnosis.update_rule import UpdateRule, rule_of
from comparisons.diagnosis.updates import RecordedUpdate, Side, with_computed, with_derived, with_recorded
from comparisons.runs.names import network_shapes
from reference.data import Dataset
from reference.errors import InputError
from reference.experiment import Experiment, check_fit

# where gradients are from
COMPUTED = "computed by the reference"
RECORDED = "recorded by the reference"
DERIVED = "worked out from the reference's updates, taken to be as its experiment says"
RELATIVE = "unknown: the reference's updates stand for them"


@dataclass(frozen=True)
class Evidence:
    """Everything that a diagnosis looks at."""

    comparison: Comparison
    base: UpdateRule  # what the candidate should do
    source: str  # where the gradients are from, in words
    rates_known: bool  # are η and λ known?
    experiment: Experiment | None
    data: Dataset | None
    rounded: bool  # are the values that a prediction is made of, or compared with, on the float32 grid?
    side: Side  # whose updates are looked at
    updates: Callable[[int], Iterator[RecordedUpdate]]  # one after another, from this update on

    @property
    def gradients_known(self) -> bool:
        """Is the gradient known beside the update, and not worked out from it?"""
        return self.source in (COMPUTED, RECORDED)


def gather(
    comparison: Comparison, experiment: Experiment | None, data: Dataset | None, side: Side = "candidate"
) -> Evidence:
    """The evidence of two traces. Raises InputError where the experiment does not fit the recorded parameters.

    experiment: what both should be, if that is known; with its data where it is a network of `reference`.
    side: whose updates are looked at, as updates of the experiment.
    """
    shapes = {parameter.pair.reference: parameter.shape for parameter in comparison.parameters}
    weights = tuple(name for name, shape in shapes.items() if len(shape) > 1)
    mine = on_grid(comparison.candidate if side == "candidate" else comparison.reference)
    either = on_grid(comparison.candidate) or on_grid(comparison.reference)
    unknown = rule_of(Experiment(style="none", lamda=0.0, lr=1.0), weights)
    relative = partial(with_derived, comparison, unknown)
    found = partial(Evidence, comparison)
    if experiment is None:
        return found(unknown, RELATIVE, False, None, None, either, side, relative)
    base = rule_of(experiment, weights)
    if base.stateless or from_the_start(comparison):  # otherwise the memory of the updates before is not known
        if data:
            check_shapes(experiment, data, shapes)
            computed = partial(with_computed, comparison, experiment, data, base, side)
            return found(base, COMPUTED, True, experiment, data, mine, side, computed)
        columns = [f"gradient:{name}" for name in shapes]
        if all(name in comparison.reference.columns for name in columns):
            # an optimizer that divides by the size of a gradient enlarges an error of a small one
            same = SAME_STATE if base.optimizer.tells_gradient or either else SAME_STATE**2
            recorded = partial(with_recorded, comparison, columns, base, side, same)
            return found(base, RECORDED, True, experiment, None, either, side, recorded)
    if not base.optimizer.tells_gradient:
        return found(unknown, RELATIVE, False, experiment, None, either, side, relative)
    return found(base, DERIVED, True, experiment, None, either, side, partial(with_derived, comparison, base))


def from_the_start(comparison: Comparison) -> bool:
    """Are the first two states that both recorded the start and the first update?"""
    first = next(states(comparison.reference, comparison.candidate, comparison.pairs), None)
    return first is not None and first.updates[:2].tolist() == [0, 1]


def starts(comparison: Comparison) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The reference's and the candidate's start by parameter; nothing where it was not recorded."""
    first = next(states(comparison.reference, comparison.candidate, comparison.pairs), None)
    if first is None or first.updates[0] != 0:
        return {}
    one, other = first.reference[0], first.candidate[0]
    parameters = comparison.parameters
    return {p.pair.reference: (one[p.part].reshape(p.shape), other[p.part].reshape(p.shape)) for p in parameters}


def check_shapes(experiment: Experiment, data: Dataset, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError unless the parameters are those of the experiment's network."""
    check_fit(experiment, data)
    expected = network_shapes(experiment.sizes)
    if expected != dict(shapes):
        raise InputError(f"the experiment's parameters are {expected}; the reference recorded {dict(shapes)}")
