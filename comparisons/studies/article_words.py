"""The result file of `article`, and what it says in words.

{"updates": 100000, "rows": [{"style", "lamda", "softmax_derivative", "loss", "published": {"train", "test"} or null,
                              "numpy": FIGURES, "torch": FIGURES, "differing", "parameters", "first_difference",
                              "closest_call_ulps"}]}
FIGURES is {"train", "test", "sum_abs", "small", "zeros"}; train and test are correct items of 200 and of 40.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from comparisons.agreement.bits import FirstDifference
from comparisons.studies import article

SIDES = ("numpy", "torch")
KEY = ("style", "lamda", "softmax_derivative", "loss")  # the fields of an experiment that tell rows apart


def to_json(results: Sequence[article.TrainedRow]) -> dict[str, Any]:
    """The result file of `article`."""
    rows = [
        {
            **dict(zip(KEY, key_of(r.row), strict=True)),
            "published": r.row.published and r.row.published._asdict(),
            "numpy": r.numpy._asdict(),
            "torch": r.torch._asdict(),
            "differing": r.agreement.differing,
            "parameters": r.agreement.parameters,
            "first_difference": r.agreement.first_difference and asdict(r.agreement.first_difference),
            "closest_call_ulps": r.closest_call_ulps,
        }
        for r in results
    ]
    return {"updates": results[0].agreement.updates, "rows": rows}


def key_of(row: article.ArticleRow) -> tuple[Any, ...]:
    """What tells a row of the article from the others."""
    return tuple(getattr(row.experiment, field) for field in KEY)


def key_in(entry: dict[str, Any]) -> tuple[Any, ...]:
    """The same, of a row of the result file."""
    return tuple(entry[field] for field in KEY)


NAMES = {key_of(row): row.name for row in article.ROWS + article.FURTHER_ROWS}


def name(entry: dict[str, Any]) -> str:
    """A row's name in the article's table; its style where it is no row of that."""
    return NAMES.get(key_in(entry), entry["style"])


def missed(result: dict[str, Any]) -> list[str]:
    """The rows whose published figures are not those of both sides."""
    published = [entry for entry in result["rows"] if entry["published"]]
    return [name(e) for e in published if any(not e["published"].items() <= e[side].items() for side in SIDES)]


def status(result: dict[str, Any]) -> int:
    """1 if a row differs between the two sides, or published figures do not come out; else 0."""
    return int(any(entry["first_difference"] for entry in result["rows"]) or bool(missed(result)))


def sentences(result: dict[str, Any], unequal: int | None = None) -> list[str]:
    """What a result file says, in words; every number and every verdict is taken from it.

    unequal: in how many parameters the penalty and the scaled tack-on differ. A result file holds no parameters, so
    without it their figures are compared.
    """
    rows = {key_in(entry): entry for entry in result["rows"]}
    none, listed, penalty, tack_on, scaled = (rows[key_of(row)] for row in article.ROWS)
    what = "figures" if unequal is None else "bits"
    equal = all(scaled[side] == penalty[side] for side in SIDES) if unequal is None else unequal == 0
    without_lr = f"{percent(tack_on)}, Σ|w| = {sum_abs(tack_on)}"
    worse = tack_on["numpy"]["train"] < penalty["numpy"]["train"]
    without_lr = f"destroys the network ({without_lr})" if worse else f"gives {without_lr}"
    apart = [entry for entry in result["rows"] if entry["first_difference"]]
    return [
        reproduction(result),
        'The published "with L1" figures come from a penalty whose sign is reversed: the listing pushes weights away'
        f" from zero, and Σ|w| goes from {sum_abs(none)} to {sum_abs(listed)}. The penalty that the article derives"
        f" gives {percent(penalty)}, and Σ|w| = {sum_abs(penalty)}.",
        f"Tack-on with the same λ {without_lr}: the learning rate η does not scale it. With η·λ it gives"
        f" {'the same' if equal else 'NOT the same'} {what} as the penalty{f': {unequal} differ' if unequal else ''},"
        " in NumPy, in PyTorch and across.",
        f"All {len(result['rows'])} networks are equal bit for bit in NumPy and PyTorch, after every single update."
        if not apart
        else "NOT equal: " + "; ".join(f"{name(entry)} at {first_difference(entry)}" for entry in apart) + ".",
    ]


def reproduction(result: dict[str, Any]) -> str:
    """Do the published figures come out?"""
    published = [entry for entry in result["rows"] if entry["published"]]
    if not published:
        return "These runs are shorter than the article's, so its published figures cannot be compared with them."
    if wrong := missed(result):
        return f"NOT reproduced: the published figures for {' and '.join(wrong)}."
    gives = "; ".join(f"{name(entry)}, {percent(entry)}" for entry in published)
    return f"Both published results are reproduced, by both implementations: {gives}."


def percent(entry: dict[str, Any]) -> str:
    """Accuracies of the NumPy side as the article prints them, of its 200 training and 40 test items."""
    return f"{entry['numpy']['train'] / 200:.2%} train, {entry['numpy']['test'] / 40:.2%} test"


def sum_abs(entry: dict[str, Any]) -> str:
    """Σ|w| of the NumPy side; a number that is not finite is a string in a file."""
    return f"{float(entry['numpy']['sum_abs']):.2f}"


def first_difference(entry: dict[str, Any]) -> str:
    """Where the two sides of a row first differ."""
    first = entry["first_difference"]
    values = {side: float(first[side]) for side in ("reference", "candidate")}
    return str(FirstDifference(**{**first, **values}))
