"""A row a run: equal or not, and where it differs."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from comparisons.agreement.free_run import Agreement, Lockstep
from comparisons.studies import parity
from comparisons.tables.terminal import LINE, console, new_table, worst
from reference.experiment import Experiment

DEFAULT = asdict(Experiment())
COLUMNS = ("style", "lamda", "seed")  # always shown in the table; the other fields only where they vary
COMMON = ("sizes", "lr", "loss", "precision", "epochs", "batch_size")  # always told above it; others unless default


def status(results: Sequence[parity.Result]) -> int:
    """0 if all runs are equal, else as `worst`."""
    return worst([r.exit_status for r in results])


def print_table(results: Sequence[parity.Result]) -> None:
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
    told = {f: v for f, v in experiments[0].items() if f not in fields and (f in COMMON or v != DEFAULT[f])}
    common = ", ".join(f"{f} {field_text(v)}" for f, v in told.items())
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
    changed = {f: v for f, v in asdict(task.experiment).items() if v != DEFAULT[f] or f in ("style", "lamda", "seed")}
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


def to_json(results: Sequence[parity.Result]) -> dict[str, Any]:
    """The result file of `parity`."""
    return {"experiments": [entry(r) for r in results]}


def entry(r: parity.Result) -> dict[str, Any]:
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
