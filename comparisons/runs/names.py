"""Which parameter of one run is which of the other: explicit names and axes, never guessed in silence.

    names = {"fc1.weight": ("W1", "T"), "fc1.bias": "b1"}     the candidate's name: the reference's, and its axes

"T" turns all axes round; a tuple of numbers says which axis of the candidate comes first, second, …, as np.transpose
takes it. A parameter that is called the same and has the same axes in both needs no entry.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from comparisons.runs.toml_file import read_toml
from comparisons.runs.trace import Column, Trace
from reference.errors import InputError

Axes = tuple[int, ...]
Names = Mapping[str, str | tuple[str, str | Axes]]

MOST_AXES = 5  # beyond that there are too many ways to turn them


@dataclass(frozen=True)
class Pair:
    """A parameter in both runs."""

    reference: str
    candidate: str
    axes: Axes  # of the candidate's, in the reference's order

    def turned(self, array: np.ndarray, leading: int = 0) -> np.ndarray:
        """A candidate's array with the reference's axes, behind so many leading axes."""
        return array.transpose(*range(leading), *(leading + axis for axis in self.axes))

    def returned(self, array: np.ndarray) -> np.ndarray:
        """A reference's array with the candidate's axes."""
        return np.ascontiguousarray(array.transpose(np.argsort(self.axes)))


def line_up(reference: Mapping[str, Column], candidate: Mapping[str, Column], names: Names) -> list[Pair]:
    """Each parameter of the reference with its counterpart.

    Raises InputError, naming all that is missing, superfluous or of another shape at once.
    """
    wrong = [f"the map names {name}, which the candidate does not have" for name in names if name not in candidate]
    pairs: dict[str, Pair] = {}
    for name, column in candidate.items():
        target, axes = entry(name, column, names)
        other = reference.get(target)
        if other is None:
            wrong.append(f"the candidate's {name} {column.shape} has no counterpart {target} in the reference")
        elif target in pairs:
            wrong.append(f"{pairs[target].candidate} and {name} of the candidate are both mapped to {target}")
        elif tuple(column.shape[axis] for axis in axes) != other.shape:
            turned = '; "T" would turn it round' if column.shape[::-1] == other.shape and name not in names else ""
            wrong.append(
                f"{target} has the shape {other.shape}, the candidate's {name} {column.shape}{words(axes)}{turned}"
            )
        else:
            pairs[target] = Pair(target, name, axes)
    mapped = {entry(name, column, names)[0] for name, column in candidate.items()}
    wrong += [
        f"{name} {column.shape} is missing in the candidate" for name, column in reference.items() if name not in mapped
    ]
    if wrong:
        raise InputError(f"the parameters do not line up: {'; '.join(wrong)}")
    return [pairs[name] for name in reference]


def words(axes: Axes) -> str:
    """How a map turns the axes, if it does."""
    return "" if axes == tuple(range(len(axes))) else f" with its axes in the order {list(axes)}"


def entry(name: str, column: Column, names: Names) -> tuple[str, Axes]:
    """The reference's name for a parameter of the candidate, and the order of its axes."""
    given = names.get(name, name)
    target, axes = (given, range(len(column.shape))) if isinstance(given, str) else given
    if axes == "T":
        axes = range(len(column.shape))[::-1]
    if isinstance(axes, str) or sorted(axes) != list(range(len(column.shape))):
        raise InputError(
            f'the map\'s axes of {name} must be "T" or an order of 0 … {len(column.shape) - 1}; got {axes}'
        )
    return target, tuple(axes)


def read_names(path: Path) -> Names:
    """A map from a TOML file: "fc1.bias" = "b1" and "fc1.weight" = ["W1", "T"]. Raises InputError for another file."""
    return {name: read_entry(path, name, value) for name, value in read_toml(path).items()}


def read_entry(path: Path, name: str, value: Any) -> str | tuple[str, str | Axes]:
    """What stands behind a name in a map."""
    match value:
        case str():
            return value
        case [str(target), "T" as axes]:
            return target, axes
        case [str(target), [*axes]] if all(isinstance(axis, int) for axis in axes):
            return target, tuple(axes)
    raise InputError(f'{path}: {name} must be "NAME", ["NAME", "T"] or ["NAME", [axis, …]]; got {value!r}')


def propose(reference: Trace, candidate: Trace) -> str:
    """A map, as TOML, of the parameters that have the same values at the start; what is not certain is a comment.

    It is for a person to read and to confirm: equal values may still be a coincidence (biases that start at 0).
    """
    expected, actual = first_rows(reference), first_rows(candidate)
    lines = []
    for name, array in actual.items():
        fits = [
            (target, axes)
            for target, other in expected.items()
            for axes in orders(array.shape)
            if array.transpose(axes).shape == other.shape and np.array_equal(array.transpose(axes), other)
        ]
        by_shape = [
            (target, axes)
            for target, other in expected.items()
            for axes in orders(array.shape)
            if array.transpose(axes).shape == other.shape
        ]
        if len(fits) == 1:
            lines.append(toml(name, *fits[0]))
        else:
            why = "has these values at the start too" if fits else "has this shape, but other values at the start"
            lines += [f"# {toml(name, *fit)}   # {why}" for fit in fits or by_shape]
            lines += [] if fits or by_shape else [f'# "{name}" {array.shape} fits nothing']
    return "\n".join(lines) + "\n"


def first_rows(trace: Trace) -> dict[str, np.ndarray]:
    """The first recorded state. Raises InputError for a trace without one."""
    if trace.rows == 0:
        raise InputError(f"{trace.path}: has no rows")
    return {name: array[0] for name, array in next(trace.blocks(list(trace.parameters))).items()}


def orders(shape: Sequence[int]) -> list[Axes]:
    """The ways to turn the axes that give different arrays; none but the plain one for very many axes."""
    axes = tuple(range(len(shape)))
    if len(shape) > MOST_AXES or math.prod(shape) == 1:
        return [axes]
    return list(permutations(axes))


def toml(name: str, target: str, axes: Axes) -> str:
    """One line of a map."""
    plain = tuple(range(len(axes)))
    turned = '"T"' if axes == plain[::-1] else str(list(axes))
    return f'"{name}" = ' + (f'"{target}"' if axes == plain else f'["{target}", {turned}]')
