"""Results as people read them, on the terminal, and as programs do, in JSON files."""

import json
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from comparisons import article, parity
from comparisons.agreement import Agreement, Lockstep
from comparisons.styles import SMALL
from reference.data import InputError
from reference.experiment import Experiment

LINE = 98  # of text, on every terminal: README.md shows it so
LEAST_WIDTH = 200  # for a table: a narrower terminal breaks its lines, but no figure is cut off


def console() -> Console:
    """The terminal, or what stands for it."""
    found = Console(highlight=False)
    found.width = max(found.width, LEAST_WIDTH)
    return found


def new_table() -> Table:
    """Columns without lines, and no blanks at the ends of rows."""
    return Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="bold")


def worst(exit_statuses: Sequence[int]) -> int:
    """1 if anything differs, else 3 if nothing was compared somewhere, else 0."""
    return next((status for status in (1, 3) if status in exit_statuses), 0)


# --- the article --------------------------------------------------------------------------------------------------


def article_status(results: Sequence[article.Result]) -> int:
    """0 if all rows have equal bits and the published figures come out, else as `worst`."""
    return worst([r.agreement.exit_status if r.reproduced else 1 for r in results])


def article_page(results: Sequence[article.Result]) -> None:
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
    for sentence in article_sentences({r.row: r for r in results}):
        out.print(f"\n{textwrap.fill(sentence, LINE)}")
    out.print(
        f"\nThe article's worked example, one weight w = {article.WEIGHT} with gradient {article.GRADIENT},"
        f" η = {article.LR}, λ = {article.LAMDA}:"
    )
    for style in ("penalty", "tack_on"):
        numpy, torch = article.numpy_example(style), article.torch_example(style)
        out.print(f"  {style:8} {article.WEIGHT} → {numpy:.4f} in NumPy, {torch:.4f} in PyTorch")


def article_sentences(results: dict[article.Row, article.Result]) -> list[str]:
    """What the table says, in words; every number and every verdict is taken from the results."""
    none, listed, penalty = results[article.NO_L1], results[article.AS_LISTED], results[article.PENALTY]
    tack_on, scaled = results[article.TACK_ON], results[article.TACK_ON_SCALED]
    same = article.unequal_bits(penalty, scaled)
    apart = [r for r in results.values() if r.agreement.exit_status]
    missed = [r.row.name for r in (none, listed) if not r.reproduced]
    return [
        "Both published results are reproduced, by both implementations: "
        + "; ".join(f"{r.row.name}, {percent(r)}" for r in (none, listed))
        + "."
        if not missed
        else f"NOT reproduced: the published figures for {' and '.join(missed)}.",
        'The published "with L1" figures come from a penalty whose sign is reversed: the listing pushes weights away'
        f" from zero, and Σ|w| goes from {none.numpy.sum_abs:.2f} to {listed.numpy.sum_abs:.2f}. The penalty that the"
        f" article derives gives {percent(penalty)}, and Σ|w| = {penalty.numpy.sum_abs:.2f}.",
        f"Tack-on with the same λ destroys the network ({percent(tack_on)}, Σ|w| = {tack_on.numpy.sum_abs:.2f}): the"
        " learning rate η does not scale it. With η·λ it gives"
        + (" the same bits as the penalty" if same == 0 else f" NOT the same bits as the penalty: {same} differ")
        + ", in NumPy, in PyTorch and across.",
        f"All {len(results)} networks are equal bit for bit in NumPy and PyTorch, after every single update."
        if not apart
        else "NOT equal: " + "; ".join(f"{r.row.name} at {r.agreement.first_difference}" for r in apart) + ".",
    ]


def percent(result: article.Result) -> str:
    """Accuracies as the article prints them, of the 200 training and the 40 test items."""
    return f"{result.numpy.train / 200:.2%} train, {result.numpy.test / 40:.2%} test"


def article_json(results: Sequence[article.Result]) -> dict[str, Any]:
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


# --- parity -------------------------------------------------------------------------------------------------------

COLUMNS = ("style", "lamda", "seed")  # always shown; the other fields of an experiment only where they vary


def parity_status(results: Sequence[parity.Result]) -> int:
    """0 if all runs are equal, else as `worst`."""
    return worst([r.exit_status for r in results])


def parity_page(results: Sequence[parity.Result]) -> None:
    """Print a row a run, and below them the verdict."""
    experiments = [asdict(r.task.experiment) for r in results]
    varying = [f for f in experiments[0] if len({e[f] for e in experiments}) > 1]
    fields = [*COLUMNS, *(f for f in varying if f not in COLUMNS)]
    shown = [column for column in OUTCOME if any(OUTCOME[column](r) for r in results)]
    table = new_table()
    for header in (*fields, *shown):
        table.add_column(header, justify="left" if header == "style" else "right")
    for r, e in zip(results, experiments, strict=True):
        table.add_row(*(field_text(e[f]) for f in fields), *(OUTCOME[column](r) for column in shown))
    out = console()
    data = results[0].task.data
    common = ", ".join(f"{f} {field_text(experiments[0][f])}" for f in experiments[0] if f not in fields)
    items = f"{len(data.x_train)} training and {len(data.x_test)} test items"
    out.print(textwrap.fill(f"{data.name}: {items}; {common}.", LINE))
    out.print("Reference: NumPy, candidate: PyTorch.\n")
    out.print(table)
    out.print()
    for r in results:
        if r.outcome.first_difference or not r.outcome.moved:
            out.print(f"{verdict(r)}\n  again: {command(r.task)}", soft_wrap=True)
    out.print(summary(results), soft_wrap=True)


# what a run showed, by column; a column that is empty for every run is not shown
OUTCOME: dict[str, Callable[[parity.Result], str]] = {
    "updates": lambda r: f"{r.outcome.updates:,}",
    "train": lambda r: str(r.figures.train),
    "test": lambda r: str(r.figures.test),
    "differing": lambda r: f"{r.outcome.differing} of {r.outcome.parameters}",
    "closest call": lambda r: "" if r.closest_call_ulps is None else f"{r.closest_call_ulps} ULPs",
    "tolerance used": lambda r: f"{r.outcome.used:.2g}" if isinstance(r.outcome, Lockstep) else "",
    "largest gap": lambda r: f"{r.certificate.largest_gap_ulps:g} ULPs" if r.certificate else "",
    "margin": lambda r: f"{r.certificate.least_margin:.3g}" if r.certificate else "",
    "certified": lambda r: ("yes" if r.certified else "no") if r.certificate else "",
}


def field_text(value: object) -> str:
    """A field of an experiment as it is given on the command line: sizes as 10-8-4."""
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def verdict(result: parity.Result) -> str:
    """Where a run differs, or why nothing was compared."""
    if result.outcome.first_difference:
        return "; ".join(how_they_differ(result))
    if result.outcome.updates == 0:
        return "NOTHING COMPARED: there was no update"
    return "NOTHING COMPARED: no parameter moved, so that equal weights prove nothing"


def how_they_differ(result: parity.Result) -> Iterator[str]:
    """Where two sides part, for how long, how they end, and what explains it."""
    outcome = result.outcome
    word = "EQUAL AT THE END" if result.met_again else "DIFFERENT"
    yield f"{word}, {result.check}: first at {outcome.first_difference}"
    if isinstance(outcome, Agreement):
        yield f"updates after which they differ: {outcome.updates_apart:,}"
    yield f"{outcome.differing} of {outcome.parameters} differ at the end"
    if result.tie:
        yield (
            f"a rounding tie explains it: before rounding {result.tie.reference!r} and {result.tie.candidate!r}, which"
            f" are {result.tie.gap_ulps:g} ULPs apart, and the tie is {result.tie.tie_distance_ulps} ULPs away"
        )
    elif result.closest_call_ulps is not None:
        yield f"closest call {result.closest_call_ulps} ULPs"


def command(task: parity.Task) -> str:
    """The command line that repeats a task."""
    default = asdict(Experiment())
    changed = {f: v for f, v in asdict(task.experiment).items() if v != default[f] or f in ("style", "lamda", "seed")}
    options = [f"--{f.replace('_', '-')} {field_text(v)}" for f, v in changed.items()]
    source = [f"--data {task.data.source}"] if task.data.source else []
    return " ".join(["python -m comparisons parity", *options, *source])


def summary(results: Sequence[parity.Result]) -> str:
    """How many runs are equal, within tolerance, certified, out of how many."""
    equal, met_again = sum(r.exit_status == 0 for r in results), sum(r.met_again for r in results)
    words = f"{equal} of {len(results)} runs agree"
    free = [r for r in results if r.check == "free run"]
    if len(free) == len(results):
        words += " bit for bit, after every update"
        words += f" but for a rounding tie in {met_again}, equal again at the end" if met_again else ""
    elif not free:
        words += " within the tolerance of every single update (lockstep)"
    certified = sum(r.certified for r in results)
    return words + (f"; {certified} certified." if any(r.certificate for r in results) else ".")


def parity_json(results: Sequence[parity.Result]) -> dict[str, Any]:
    """The result file of `parity`."""
    return {"experiments": [parity_entry(r) for r in results]}


def parity_entry(r: parity.Result) -> dict[str, Any]:
    """All fields of the experiment, and what its check showed."""
    stepped = r.lockstep
    return {
        "data": r.task.data.name,
        **asdict(r.task.experiment),
        "check": r.check,
        "updates": r.outcome.updates,
        "differing": r.outcome.differing,
        "parameters": r.outcome.parameters,
        "updates_apart": r.outcome.updates_apart if isinstance(r.outcome, Agreement) else None,
        "first_difference": r.outcome.first_difference and asdict(r.outcome.first_difference),
        "rounding_tie": r.tie and asdict(r.tie),
        "moved": r.outcome.moved,
        "train": r.figures.train,
        "test": r.figures.test,
        "closest_call_ulps": r.closest_call_ulps,
        "tolerance_used": stepped and stepped.used,
        "largest_gap_ulps": stepped and stepped.largest_gap_ulps,
        "least_margin": r.certificate and r.certificate.least_margin,
        "certified": r.certificate and r.certified,
    }


# --- result files -------------------------------------------------------------------------------------------------


def refuse_to_overwrite(path: Path | None, key: str) -> None:
    """Raise InputError, before any training, unless the result file can be written without losing anything.

    What may be replaced is an empty file and an earlier result of the same command, which has this key.
    """
    if path is None:
        return
    if not path.parent.is_dir():
        raise InputError(f"--json {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise InputError(f"--json {path}: is a folder")
    if path.is_file() and path.stat().st_size:
        try:
            ours = key in json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, TypeError):
            ours = False
        if not ours:
            raise InputError(f"--json {path}: the file exists and is no result of this command; it is left as it is")


def write_json(path: Path | None, result: dict[str, Any]) -> None:
    """Write a result file, if one was asked for. What JSON has no number for (NaN, inf) is written as a string."""
    if path is not None:
        path.write_text(json.dumps(finite(result), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """The same, with every number that is not finite as a string."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
