"""The article's table, and what it says in words."""

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from comparisons.studies import article
from comparisons.studies.styles import SMALL
from comparisons.tables.terminal import LINE, console, new_table, worst


def status(results: Sequence[article.Result]) -> int:
    """0 if all rows have equal bits and the published figures come out, else as `worst`."""
    return worst([r.agreement.exit_status if r.reproduced else 1 for r in results])


def print_table(results: Sequence[article.Result]) -> None:
    """Print the article's table, what it means, and the worked example."""
    table = new_table()
    table.add_column("\n", no_wrap=True)
    table.add_column("\nλ")
    columns = "NumPy\ntrain test", "PyTorch\ntrain test", "published\ntrain test", "\nΣ|w|", f"|w|<\n{SMALL}"
    for header in (*columns, "exact\nzeros", "differing\nparameters", "closest\ncall"):
        table.add_column(header, justify="right")
    for r in results:
        table.add_row(
            r.row.name,
            np.format_float_positional(r.row.experiment.lamda) if r.row.experiment.lamda else "",
            *(f"{side.train:5d} {side.test:4d}" for side in (r.numpy, r.torch)),
            f"{r.row.published.train:5d} {r.row.published.test:4d}" if r.row.published else "",
            f"{r.numpy.sum_abs:.2f}",
            str(r.numpy.small),
            str(r.numpy.zeros),
            f"{r.agreement.differing} of {r.agreement.parameters}",
            str(r.closest_call_ulps),
        )
    out = console()
    updates = results[0].agreement.updates
    out.print(f"The article's network, trained twice: {updates:,} updates in NumPy, as many in PyTorch.")
    out.print("train, test: correct items of 200 and of 40. λ: the strength of L1. w: the weights, at the end.")
    out.print("closest call: how near any value came to being rounded otherwise, in units of its last place.\n")
    out.print(table)
    for sentence in sentences({r.row: r for r in results}):
        out.print(f"\n{textwrap.fill(sentence, LINE)}")
    out.print(
        f"\nThe article's worked example, one weight w = {article.WEIGHT} with gradient {article.GRADIENT},"
        f" η = {article.LR}, λ = {article.LAMDA}:"
    )
    for style in ("penalty", "tack_on"):
        numpy, torch = article.numpy_example(style), article.torch_example(style)
        out.print(f"  {style:8} {article.WEIGHT} → {numpy:.4f} in NumPy, {torch:.4f} in PyTorch")


def sentences(results: dict[article.Row, article.Result]) -> list[str]:
    """What the table says, in words; every number and every verdict is taken from the results."""
    none, listed, penalty = results[article.NO_L1], results[article.AS_LISTED], results[article.PENALTY]
    tack_on, scaled = results[article.TACK_ON], results[article.TACK_ON_SCALED]
    gives = {r.row: percent(r.numpy.train, r.numpy.test) for r in (none, listed, penalty, tack_on)}
    same = article.unequal_bits(penalty, scaled)
    apart = [r for r in results.values() if r.agreement.exit_status]
    missed = [r.row.name for r in (none, listed) if not r.reproduced]
    return [
        "Both published results are reproduced, by both implementations: "
        + "; ".join(f"{r.row.name}, {gives[r.row]}" for r in (none, listed))
        + "."
        if not missed
        else f"NOT reproduced: the published figures for {' and '.join(missed)}.",
        'The published "with L1" figures come from a penalty whose sign is reversed: the listing pushes weights away'
        f" from zero, and Σ|w| goes from {none.numpy.sum_abs:.2f} to {listed.numpy.sum_abs:.2f}. The penalty that the"
        f" article derives gives {gives[article.PENALTY]}, and Σ|w| = {penalty.numpy.sum_abs:.2f}.",
        f"Tack-on with the same λ destroys the network ({gives[article.TACK_ON]}, Σ|w| = {tack_on.numpy.sum_abs:.2f}):"
        " the learning rate η does not scale it. With η·λ it gives"
        + (" the same bits as the penalty" if same == 0 else f" NOT the same bits as the penalty: {same} differ")
        + ", in NumPy, in PyTorch and across.",
        f"All {len(results)} networks are equal bit for bit in NumPy and PyTorch, after every single update."
        if not apart
        else "NOT equal: " + "; ".join(f"{r.row.name} at {r.agreement.first_difference}" for r in apart) + ".",
    ]


def percent(train: int, test: int) -> str:
    """Accuracies as the article prints them, of its 200 training and 40 test items."""
    return f"{train / 200:.2%} train, {test / 40:.2%} test"


def to_json(results: Sequence[article.Result]) -> dict[str, Any]:
    """The result file of `article`; train and test are correct items out of 200 and 40."""
    rows = [
        {
            **{name: getattr(r.row.experiment, name) for name in ("style", "lamda", "softmax_derivative", "loss")},
            "published": r.row.published and asdict(r.row.published),
            "numpy": asdict(r.numpy),
            "torch": asdict(r.torch),
            "differing": r.agreement.differing,
            "parameters": r.agreement.parameters,
            "first_difference": r.agreement.first_difference and asdict(r.agreement.first_difference),
            "closest_call_ulps": r.closest_call_ulps,
        }
        for r in results
    ]
    return {"updates": results[0].agreement.updates, "rows": rows}
