"""Both ways of every implementation difference, one line each.

The result file of `differences --json`:
{"differences": {name: {"updates", "parameters", "updates_apart", "differing", "largest_gap", "one": WAY, "other": WAY,
                        "first_update": null where no bit ever differs}},
 "by_hand": {way: {"w, g, …": w⁺}}}, a WAY being {"words", "train", "test", "sum_abs", "small", "zeros", "experiment"}.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from comparisons.studies.differences import DifferenceResult, Way, by_hand
from comparisons.studies.styles import SMALL, NetworkSummary
from comparisons.tables.terminal import console, new_table


def print_table(outcomes: Sequence[DifferenceResult]) -> None:
    """Print two lines for every difference: the network that each of the two ways gives."""
    figures = "train", "test", "Σ|w|", "zeros", f"|w|<{SMALL}", "first differ at", "largest gap", "differing"
    table = new_table(("difference", "way"), figures)
    for found in outcomes:
        agreement, first = found.agreement, found.agreement.first_difference
        differing = f"{agreement.differing} of {agreement.parameters}"
        ending = f"update {first.update:,}" if first else "never", f"{agreement.largest_gap:.3g}", differing
        table.add_row(found.contrast.name, *cells(found.contrast.one, found.one), "", "", "")
        table.add_row("", *cells(found.contrast.other, found.other), *ending)
    out = console()
    updates = max(found.agreement.updates for found in outcomes)
    out.print(f"The article's network, {updates:,} updates, trained in two ways each.\n")
    out.print(table)


def cells(way: Way, summary: NetworkSummary) -> tuple[str, ...]:
    """A way, and what its network is like."""
    sizes = (summary.train, summary.test, f"{summary.sum_abs:.2f}", summary.zeros, summary.small)
    return (way.words, *map(str, sizes))


def to_json(outcomes: Sequence[DifferenceResult]) -> dict[str, Any]:
    """The result file of `differences`."""
    return {"differences": {found.contrast.name: entry(found) for found in outcomes}, "by_hand": by_hand()}


def entry(found: DifferenceResult) -> dict[str, Any]:
    """The effect of one difference."""
    agreement = found.agreement
    sides = {"one": (found.contrast.one, found.one), "other": (found.contrast.other, found.other)}
    return {
        **{name: getattr(agreement, name) for name in ("updates", "parameters")},
        "first_update": agreement.first_difference and agreement.first_difference.update,
        **{name: getattr(agreement, name) for name in ("updates_apart", "differing", "largest_gap")},
        **{
            side: {"words": way.words, **summary._asdict(), "experiment": asdict(way.experiment)}
            for side, (way, summary) in sides.items()
        },
    }
