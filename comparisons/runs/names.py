"""Which parameter of the candidate is which of the reference: by explicit names and axes, never by a guess.

    names = {"fc1.weight": ("W1", "T"), "fc1.bias": "b1"}     the candidate's name: the reference's, and its axes

"T" reverses the order of the axes; a tuple of numbers gives their order, as for np.transpose. A parameter with the same
name and the same axes in both runs needs no entry.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations, product
from pathlib import Path
from typing import Any

import numpy as np

from comparisons.runs.files import read_toml, require
from comparisons.runs.trace import Column, Trace
from reference.errors import InputError
from reference.experiment import Parameters

ArraysByName = dict[str, np.ndarray]
Axes = tuple[int, ...]
Names = Mapping[str, str | tuple[str, str | Axes]]

MOST_TRIES = 2_000_000  # pairs of parameters and orders of their axes; ResNet-152 has 1.5 million
MOST_AXES = 5  # an array with more has too many orders of its axes to try them all


@dataclass(frozen=True)
class Pair:
    """A parameter in both runs."""

    reference: str
    candidate: str
    axes: Axes  # of the candidate's, in the reference's order

    def turned(self, array: np.ndarray, leading: int = 0) -> np.ndarray:
        """A candidate's array with the reference's axes; the first `leading` axes stay where they are."""
        return array.transpose(*range(leading), *(leading + axis for axis in self.axes))

    def returned(self, array: np.ndarray) -> np.ndarray:
        """A reference's array with the candidate's axes."""
        return np.array(array.transpose(np.argsort(self.axes)), order="C")  # ascontiguousarray makes 0 axes one


def line_up(reference: Mapping[str, Column], candidate: Mapping[str, Column], names: Names) -> list[Pair]:
    """Each parameter of the reference with its counterpart.

    Raises InputError for parameters that are missing, superfluous or of another shape; one message names them all.
    """
    entries = {name: entry(name, column, names) for name, column in candidate.items()}
    wrong = [f"the map names {name}, which the candidate does not have" for name in names if name not in candidate]
    pairs: dict[str, Pair] = {}
    for name, (target, axes) in entries.items():
        shape, other = candidate[name].shape, reference.get(target)
        if other is None:
            wrong.append(f"the candidate's {name} {shape} has no counterpart {target} in the reference")
        elif target in pairs:
            wrong.append(f"{pairs[target].candidate} and {name} of the candidate are both mapped to {target}")
        elif tuple(shape[axis] for axis in axes) != other.shape:
            order = "" if list(axes) == sorted(axes) else f" with its axes in the order {list(axes)}"
            turned = '; "T" would turn it round' if shape[::-1] == other.shape and name not in names else ""
            wrong.append(f"{target} has the shape {other.shape}, the candidate's {name} {shape}{order}{turned}")
        else:
            pairs[target] = Pair(target, name, axes)
    mapped = {target for target, _ in entries.values()}
    wrong += [f"{name} {reference[name].shape} is missing in the candidate" for name in reference if name not in mapped]
    require("the parameters do not line up", not wrong, "; ".join(wrong))
    return [pairs[name] for name in reference]


def entry(name: str, column: Column, names: Names) -> tuple[str, Axes]:
    """The reference's name for a parameter of the candidate, and the order of its axes."""
    given, plain = names.get(name, name), tuple(range(len(column.shape)))
    target, axes = (given, plain) if isinstance(given, str) else given
    axes = plain[::-1] if axes == "T" else axes
    if isinstance(axes, str) or tuple(sorted(axes)) != plain:
        raise InputError(f'the map\'s axes of {name} must be "T" or an order of 0 … {len(plain) - 1}; got {axes}')
    return target, tuple(axes)


def read_names(path: Path) -> Names:
    """A map from a TOML file: "fc1.bias" = "b1" and "fc1.weight" = ["W1", "T"]. Raises InputError for another file."""
    return {name: read_entry(path, name, value) for name, value in read_toml(path).items()}


def read_entry(path: Path, name: str, value: Any) -> str | tuple[str, str | Axes]:
    """The value of a name in a map: the reference's name, alone or with its axes."""
    match value:
        case str():
            return value
        case [str(target), "T" | [*_] as axes] if axes == "T" or all(isinstance(axis, int) for axis in axes):
            return target, axes if axes == "T" else tuple(axes)
    raise InputError(f'{path}: {name} must be "NAME", ["NAME", "T"] or ["NAME", [axis, …]]; got {value!r}')


def propose(reference: Trace, candidate: Trace) -> str:
    """A map, as TOML, of the parameters that have the same values at the start; what is not certain is a comment.

    A person must read and confirm it: equal values can be a coincidence (biases that start at 0).
    Raises InputError for a trace without a recorded state.
    """
    expected, actual = first_rows(reference), first_rows(candidate)
    lines, tries = [], len(expected) * sum(len(orders(array.shape)) for array in actual.values())
    require(candidate.path, tries <= MOST_TRIES, f"{len(actual)} parameters are too many to try all of them")
    for name, array in actual.items():
        turned = {(target, axes): array.transpose(axes) for target, axes in product(expected, orders(array.shape))}
        by_shape = [fit for fit, candidate in turned.items() if candidate.shape == expected[fit[0]].shape]
        fits = [fit for fit in by_shape if np.array_equal(turned[fit], expected[fit[0]])]
        why = "has these values at the start too" if fits else "has this shape, but other values at the start"
        if len(fits) == 1:
            lines.append(toml(name, *fits[0]))
        elif by_shape:
            lines += [f"# {toml(name, *fit)}   # {why}" for fit in fits or by_shape]
        else:
            lines.append(f"# {json.dumps(name, ensure_ascii=False)} {array.shape} fits nothing")
    return "\n".join(lines) + "\n"


def first_rows(trace: Trace) -> dict[str, np.ndarray]:
    """The first recorded state. Raises InputError for a trace without one."""
    require(trace.path, trace.rows, "has no rows")
    return {name: array[0] for name, array in next(trace.blocks(list(trace.parameters))).items()}


def orders(shape: Sequence[int]) -> list[Axes]:
    """The orders of the axes that give different arrays; only the plain one for more than MOST_AXES axes."""
    axes = tuple(range(len(shape)))
    return [axes] if len(shape) > MOST_AXES or math.prod(shape) == 1 else list(permutations(axes))


def toml(name: str, target: str, axes: Axes) -> str:
    """One line of a map."""
    plain = list(range(len(axes)))
    order = '"T"' if list(axes) == plain[::-1] else str(list(axes))
    key, value = (json.dumps(text, ensure_ascii=False) for text in (name, target))  # a name may have quotes in it
    return f"{key} = " + (value if list(axes) == plain else f"[{value}, {order}]")


def as_state(parameters: Parameters) -> ArraysByName:
    """One (W, b) a layer as W1, b1, W2, b2, …"""
    return {f"{n}{layer}": a for layer, pair in enumerate(parameters, start=1) for n, a in zip("Wb", pair, strict=True)}


def network_shapes(sizes: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The shapes of `as_state` for a network with these units."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (m, n) in enumerate(pairwise(sizes), start=1):
        shapes |= {f"W{layer}": (m, n), f"b{layer}": (n,)}
    return shapes


def as_parameters(state: Mapping[str, np.ndarray]) -> Parameters:
    """The inverse of as_state."""
    return [(state[f"W{layer}"], state[f"b{layer}"]) for layer in range(1, len(state) // 2 + 1)]
