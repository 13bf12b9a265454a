"""The article's table, what it shows in words, and the article's worked example."""

from collections.abc import Sequence

import numpy as np

from comparisons.studies import article
from comparisons.studies.article_words import missed, sentences, to_json
from comparisons.studies.styles import SMALL
from comparisons.tables.terminal import console, new_table, worst, wrapped


def status(results: Sequence[article.TrainedRow]) -> int:
    """0 if all rows have equal bits and the published figures come out, else as `worst`."""
    return 1 if missed(to_json(results)) else worst([r.agreement.exit_status for r in results])


def print_table(results: Sequence[article.TrainedRow]) -> None:
    """Print the article's table, what it shows, and the worked example."""
    sides = (f"{side}\ntrain test" for side in ("NumPy", "PyTorch", "published"))
    figures = "Σ|w|", f"|w|<\n{SMALL}", "exact\nzeros", "differing\nparameters", "closest\ncall"
    table = new_table(("", "λ"), (*sides, *figures))
    for r in results:
        table.add_row(
            r.row.name,
            np.format_float_positional(r.row.experiment.lamda) if r.row.experiment.lamda else "",
            *(f"{side.train:5d} {side.test:4d}" if side else "" for side in (r.numpy, r.torch, r.row.published)),
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
    by_row = {r.row: r for r in results}
    unequal = article.unequal_bits(by_row[article.PENALTY], by_row[article.TACK_ON_SCALED])
    for sentence in sentences(to_json(results), unequal):
        out.print(f"\n{wrapped(sentence)}")
    out.print(
        f"\nThe article's worked example, one weight w = {article.WEIGHT} with gradient {article.GRADIENT},"
        f" η = {article.LR}, λ = {article.LAMDA}:"
    )
    for style in ("penalty", "tack_on"):
        numpy, torch = article.numpy_example(style), article.torch_example(style)
        out.print(f"  {style:8} {article.WEIGHT} → {numpy:.4f} in NumPy, {torch:.4f} in PyTorch")
