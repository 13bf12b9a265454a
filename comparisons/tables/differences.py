"""Both ways of every implementation difference, a line each.

The result file of `differences --json`:
{"differences": {name: {"updates", "parameters", "updates_apart", "differing", "largest_gap", "one": WAY, "other": WAY,
                        "first_update": null where no bit ever differs}},
 "by_hand": {way: {"w, g, …": w⁺}}}, a WAY being {"words", "train", "test", "sum_abs", "small", "zeros", "experiment"}.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from comparisons.studies.differences import DifferenceResult, Way, by_hand
from comparisons.studies.styles import SMALL, Figures
from comparisons.tables.terminal import console, new_table


def print_table(outcomes: Sequence[DifferenceResult]) -> None:
    """Print two lines for every difference: what either way makes of the network."""
    table = new_table()
    for header in ("difference", "way"):
        table.add_column(header, no_wrap=True)
    for header in ("train", "test", "Σ|w|", "zeros", f"|w|<{SMALL}", "first differ at", "largest gap", "differing"):
        table.add_column(header, justify="right")
    for found in outcomes:
        first, agreement = found.agreement.first_difference, found.agreement
        ending = (
            f"update {first.update:,}" if first else "never",
            f"{found.agreement.largest_gap:.3g}",
            f"{agreement.differing} of {agreement.parameters}",
        )
        table.add_row(found.difference.name, *cells(found.difference.one, found.one), "", "", "")
        table.add_row("", *cells(found.difference.other, found.other), *ending)
    out = console()
    updates = max(found.agreement.updates for found in outcomes)
    out.print(f"The article's network, {updates:,} updates, trained in two ways each.\n")
    out.print(table)


def cells(way: Way, figures: Figures) -> tuple[str, ...]:
    """A way and what became of its network."""
    sizes = (figures.train, figures.test, f"{figures.sum_abs:.2f}", figures.zeros, figures.small)
    return (way.words, *map(str, sizes))


def to_json(outcomes: Sequence[DifferenceResult]) -> dict[str, Any]:
    """The result file of `differences`."""
    return {
        "differences": {found.difference.name: entry(found) for found in outcomes},
        "by_hand": by_hand(),
    }


def entry(found: DifferenceResult) -> dict[str, Any]:
    """What a difference did."""
    agreement = found.agreement
    sides = {"one": (found.difference.one, found.one), "other": (found.difference.other, found.other)}
    return {
        "updates": agreement.updates,
        "parameters": agreement.parameters,
        "first_update": agreement.first_difference and agreement.first_difference.update,
        "updates_apart": agreement.updates_apart,
        "differing": agreement.differing,
        "largest_gap": found.agreement.largest_gap,
        **{
            side: {"words": way.words, **asdict(figures), "experiment": asdict(way.experiment)}
            for side, (way, figures) in sides.items()
        },
    }
