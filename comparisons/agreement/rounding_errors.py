"""Running error analysis: beside every value, how far two right implementations can be apart there.

    a ± A, b ± B:   a + b ± (A + B + ε |a + b|)
                    a b   ± (|a| B + A |b| + A B + ε |a b|)
                    a / b ± ((A + |a / b| B) / (|b| − B) + ε |a / b|)
                    a @ b ± (|a| @ B + A @ |b| + A @ B + n ε |a| @ |b|),  n products in a sum, in any order

ε is the gap between 1 and the next larger number: both sides round each result, by up to half of it. Wilkinson,
"Error Analysis Revisited", 1986; Higham, "Accuracy and Stability of Numerical Algorithms", 2002, 3.3. The reference's
own formulas are computed with such values, so that a new style, optimizer or loss needs no bound of its own. What is
exact stays exact: a weight whose gradient is 0 in every item is not moved, and nothing is allowed there.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

Errors = np.ndarray | float  # of the value's shape; 0.0: the value is exact
Result = tuple[np.ndarray, Errors]


class Bounded(NDArrayOperatorsMixin):
    """A value, and by how much it can differ between two right implementations.

    value: float64, or bool. error: of the same shape, or 0.0; for bool, whether it can be either. kind: of the type
    in which both sides compute. NaN as an error: no bound is known.
    """

    def __init__(self, value: np.ndarray, kind: np.finfo, error: Errors = 0.0) -> None:
        self.value, self.kind, self.error = value, kind, error

    @property
    def mT(self) -> "Bounded":  # noqa: N802 (NumPy's name)
        """The transposed matrix."""
        return Bounded(self.value.mT, self.kind, self.error.mT if isinstance(self.error, np.ndarray) else 0.0)

    def __getitem__(self, key: Any) -> "Bounded":
        return Bounded(self.value[key], self.kind, self.error[key] if isinstance(self.error, np.ndarray) else 0.0)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        operands = [self._operand(value) for value in inputs]
        if rule := RULES.get((ufunc, method)):
            return Bounded(*with_kind(self.kind, rule(self.kind, *operands, **options)))
        if method == "__call__" and not options:
            return Bounded(*with_kind(self.kind, by_corners(ufunc, self.kind, *operands)))
        return NotImplemented

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, options: Any) -> Any:
        rule = FUNCTIONS.get(function)
        return rule(*args, **options) if rule else NotImplemented

    def _operand(self, value: Any) -> Result:
        """Numbers that are not whole are rounded when they meet an array, or before."""
        if isinstance(value, Bounded):
            return value.value, value.error
        if isinstance(value, np.ndarray) and value.ndim:
            return value.astype(np.float64, copy=False), 0.0
        number = float(value)
        return np.array(number), 0.0 if number.is_integer() else float(self.kind.eps) * abs(number)


def with_kind(kind: np.finfo, result: Result) -> tuple[np.ndarray, np.finfo, Errors]:
    """The arguments of Bounded."""
    return result[0], kind, result[1]


def is_zero(a: Result) -> np.ndarray:
    """Is it exactly 0 on both sides?"""
    return (a[0] == 0) & (np.asarray(a[1]) == 0)


def sum_or_difference(ufunc: np.ufunc) -> Callable[..., Result]:
    """a ± b; adding an exact 0 rounds nothing."""

    def rule(kind: np.finfo, a: Result, b: Result) -> Result:
        value = ufunc(a[0], b[0])
        return value, a[1] + b[1] + np.where(is_zero(a) | is_zero(b), 0.0, kind.eps * np.abs(value))

    return rule


def product(kind: np.finfo, a: Result, b: Result) -> Result:
    """a b; below the normal range a product is rounded to a multiple of the least number."""
    value, (size_a, size_b) = a[0] * b[0], (np.abs(a[0]), np.abs(b[0]))
    error = size_a * b[1] + a[1] * (size_b + b[1]) + kind.eps * np.abs(value)
    return value, error + np.where((size_a == 0) | (size_b == 0), 0.0, kind.tiny)


def quotient(kind: np.finfo, a: Result, b: Result) -> Result:
    """a / b; no bound is known (∞) where b can be 0."""
    value = a[0] / b[0]
    error = (a[1] + np.abs(value) * b[1]) / np.maximum(np.abs(b[0]) - b[1], 0.0) + kind.eps * np.abs(value)
    return value, error + np.where(a[0] == 0, 0.0, kind.tiny)


def matrix_product(kind: np.finfo, a: Result, b: Result) -> Result:
    """a @ b."""
    size_a, size_b, n = np.abs(a[0]), np.abs(b[0]), a[0].shape[-1]
    size = size_a @ size_b
    error = n * kind.eps * size + np.where(size == 0, 0.0, n * kind.tiny)
    if isinstance(a[1], np.ndarray):
        error = error + a[1] @ (size_b + b[1])
    if isinstance(b[1], np.ndarray):
        error = error + size_a @ b[1]
    return a[0] @ b[0], error


def total(kind: np.finfo, a: Result, axis: int = 0, keepdims: bool = False) -> Result:
    """Σ a."""
    value, n = np.sum(a[0], axis, keepdims=keepdims), a[0].shape[axis]
    errors = a[1] + (n - 1) * kind.eps * np.abs(a[0])
    return value, np.sum(errors, axis, keepdims=keepdims)


def extreme(ufunc: np.ufunc) -> Callable[..., Result]:
    """max a, min a: no farther apart than the farthest a."""

    def rule(kind: np.finfo, a: Result, axis: int = 0, keepdims: bool = False) -> Result:
        reduce: Callable[..., np.ndarray] = ufunc.reduce
        value = reduce(a[0], axis, keepdims=keepdims)
        return value, np.max(np.broadcast_to(a[1], a[0].shape), axis, keepdims=keepdims)

    return rule


def root(kind: np.finfo, a: Result) -> Result:
    """√a ± (min(A / √a, √A) + ε √a)."""
    value = np.sqrt(a[0])
    return value, np.fmin(a[1] / value, np.sqrt(a[1])) + kind.eps * value


# these round nothing
EXACT = {
    np.negative, np.absolute, np.sign, np.maximum, np.minimum, np.isnan, np.isfinite, np.greater, np.greater_equal,
    np.less, np.less_equal, np.equal, np.not_equal, np.bitwise_or, np.bitwise_and, np.logical_not, np.invert,
}  # fmt: skip
FUNCTION_ULPS = 4  # two sides' exp, tanh and other such functions, each within 2 ULPs of the right value


def by_corners(ufunc: np.ufunc, kind: np.finfo, *operands: Result) -> Result:
    """Any other function that rises or falls with each operand: it is farthest off where all are at an end.

    What is decided (a sign, a comparison) can be either if the ends do not agree.
    """
    values = [value for value, _ in operands]
    value = ufunc(*values)
    decided = value.dtype == bool
    rounding = 0.0 if ufunc in EXACT else FUNCTION_ULPS * kind.eps * np.abs(value) + kind.tiny
    error: Errors = np.zeros(value.shape, bool) if decided else rounding
    ends = [ends_of(*operand) for operand in operands]
    for corner in np.ndindex(*map(len, ends)):
        there = ufunc(*(end[i] for end, i in zip(ends, corner, strict=True)))
        apart = there != value if decided else np.abs(there - value) + rounding
        error = np.maximum(error, apart)
    return value, error


def ends_of(value: np.ndarray, error: Errors) -> list[np.ndarray]:
    """From where to where it can be; of a decision, what it can be."""
    if not isinstance(error, np.ndarray) and error == 0:
        return [value]
    either = np.asarray(error)
    return [value & ~either, value | either] if value.dtype == bool else [value - error, value + error]


RULES: dict[tuple[np.ufunc, str], Callable[..., Result]] = {
    (np.add, "__call__"): sum_or_difference(np.add),
    (np.subtract, "__call__"): sum_or_difference(np.subtract),
    (np.multiply, "__call__"): product,
    (np.divide, "__call__"): quotient,
    (np.matmul, "__call__"): matrix_product,
    (np.sqrt, "__call__"): root,
    (np.add, "reduce"): total,
    (np.maximum, "reduce"): extreme(np.maximum),
    (np.minimum, "reduce"): extreme(np.minimum),
}


def where(condition: Bounded, one: Any, other: Any) -> Bounded:
    """One or the other; where the condition can be either, the error is the whole way from one to the other."""
    (a, error_a), (b, error_b) = condition._operand(one), condition._operand(other)
    error = np.where(condition.value, error_a, error_b)
    either = np.maximum(error_a, error_b) + np.abs(a - b)
    return Bounded(np.where(condition.value, a, b), condition.kind, np.where(condition.error, either, error))


FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    np.where: where,
    np.clip: lambda z, low, high: np.minimum(np.maximum(z, low), high),
}
