"""A row for each run: is it equal on both sides, and if not, where does it differ?"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from comparisons.agreement.controls import MISSING
from comparisons.agreement.free_run import Agreement
from comparisons.agreement.lockstep import Lockstep
from comparisons.studies import parity
from comparisons.tables.terminal import console, new_table, worst, wrapped
from reference.experiment import Experiment

DEFAULT = asdict(Experiment())
COLUMNS = ("style", "lamda", "seed")  # always columns of the table; the other fields only where they vary
COUNTS = ("updates", "differing", "parameters", "updates_apart")  # of an outcome, in the result file
COMMON = ("sizes", "lr", "loss", "precision", "epochs", "batch_size")  # always above it; others unless default


def status(results: Sequence[parity.ParityResult]) -> int:
    """0 if all runs are equal, else as `worst`."""
    return worst([r.exit_status for r in results])


def print_table(results: Sequence[parity.ParityResult]) -> None:
    """Print a row for each run, and below the table where runs differ, and a summary."""
    experiments = [asdict(r.asked.experiment) for r in results]
    varying = [f for f in experiments[0] if len({e[f] for e in experiments}) > 1]
    fields = [*COLUMNS, *(f for f in varying if f not in COLUMNS)]
    shown = [column for column in OUTCOME if any(OUTCOME[column](r) for r in results)]
    table = new_table(fields[:1], (*fields[1:], *shown))
    for r, e in zip(results, experiments, strict=True):
        table.add_row(*(field_text(e[f]) for f in fields), *(OUTCOME[column](r) for column in shown))
    out = console()
    data = results[0].asked.data
    told = {f: v for f, v in experiments[0].items() if f not in fields and (f in COMMON or v != DEFAULT[f])}
    common = ", ".join(f"{f} {field_text(v)}" for f, v in told.items())
    items = f"{len(data.x_train)} training and {len(data.x_test)} test items"
    out.print(wrapped(f"{data.name}: {items}; {common}."))
    out.print("Reference: NumPy, candidate: PyTorch.\n")
    out.print(table)
    out.print()
    for r in results:
        if r.exit_status or r.outcome.first_difference:
            out.print(f"{verdict(r)}\n  again: {command(r.asked)}", soft_wrap=True)
    out.print(summary(results), soft_wrap=True)


# what a run showed, by column; a column that is empty for all runs is left out
OUTCOME: dict[str, Callable[[parity.ParityResult], str]] = {
    "updates": lambda r: f"{r.outcome.updates:,}",
    "train": lambda r: str(r.summary.train),
    "test": lambda r: str(r.summary.test),
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


def verdict(result: parity.ParityResult) -> str:
    """Where the two sides first differ, for how long, and what explains it; or why nothing was proved."""
    outcome, tie = result.outcome, result.tie
    if not outcome.first_difference:
        return nothing_proved(result)
    word = "EQUAL AT THE END" if result.equal_again else "NOT JUDGED" if result.untold else "DIFFERENT"
    words = f"{word}, {result.check}: first at {outcome.first_difference}"
    if isinstance(outcome, Agreement):
        words += f"; updates after which they differ: {outcome.updates_apart:,}"
    words += f"; {outcome.differing} of {outcome.parameters} differ at the end"
    if tie and result.untold:
        words += (
            f"; before rounding {tie.reference!r} and {tie.candidate!r}: rounding errors of float64 can do that, in"
        )
        words += " each update of the candidate; so can a fault, since they part values by more than neighbours"
    elif tie:
        words += f"; a rounding tie explains it: before rounding {tie.reference!r} and {tie.candidate!r}, which are"
        words += f" {tie.gap_ulps:g} ULPs apart, and the tie is {tie.tie_distance_ulps} ULPs away; ties rounded"
        words += (
            f" {tie.ties:,} {'value' if tie.ties == 1 else 'values'} apart, and all else in the candidate's updates"
        )
        words += " is what the reference makes of the candidate's own weights"
        words += f". {nothing_proved(result)}" if result.exit_status == 3 else ""
    elif result.closest_call_ulps is not None:
        words += f"; closest call {result.closest_call_ulps} ULPs"
    return words


def nothing_proved(result: parity.ParityResult) -> str:
    """Why a run without a difference proves nothing."""
    outcome, lamda = result.outcome, result.asked.experiment.lamda
    if not outcome.updates:
        return "NOTHING COMPARED: there was no update"
    if outcome.not_finite is not None:
        return f"NOTHING PROVED: after update {outcome.not_finite} a value is NaN or infinite on both sides"
    if not outcome.moved:
        return "NOTHING COMPARED: no parameter moved, so that equal weights prove nothing"
    no_effect = any(fault.fault == MISSING for fault in result.not_judged)
    words = f"λ = {lamda:g} has no effect: " if no_effect else ""
    return f"NOT JUDGED: {words}{'; '.join(map(str, result.not_judged))}"


def command(asked: parity.ParityCheck) -> str:
    """The command line that repeats a check."""
    changed = {f: v for f, v in asdict(asked.experiment).items() if v != DEFAULT[f] or f in ("style", "lamda", "seed")}
    options = [f"--{f.replace('_', '-')} {field_text(v)}" for f, v in changed.items()]
    source = [f"--data {asked.data.source}"] if asked.data.source else []
    return " ".join(["python -m comparisons parity", *options, *source])


def summary(results: Sequence[parity.ParityResult]) -> str:
    """How many runs are equal, within tolerance, certified, out of how many."""
    equal_again, certified = sum(r.equal_again for r in results), sum(r.certified for r in results)
    words = f"{sum(r.exit_status == 0 for r in results)} of {len(results)} runs agree"
    free = [r for r in results if r.check == "free run"]
    if len(free) == len(results):
        words += " bit for bit, after every update"
        words += f" but for a rounding tie in {equal_again}, equal again at the end" if equal_again else ""
    elif not free:
        words += " within the tolerance of every single update (lockstep)"
    return words + (f"; {certified} certified." if any(r.certificate for r in results) else ".")


def to_json(results: Sequence[parity.ParityResult]) -> dict[str, Any]:
    """The result file of `parity`."""
    return {"experiments": [entry(r) for r in results]}


def entry(r: parity.ParityResult) -> dict[str, Any]:
    """All fields of the experiment, and what its check showed."""
    stepped = r.lockstep
    return {
        "data": r.asked.data.name,
        **asdict(r.asked.experiment),
        "check": r.check,
        **{name: getattr(r.outcome, name, None) for name in COUNTS},  # lockstep has no updates_apart
        "first_difference": r.outcome.first_difference and asdict(r.outcome.first_difference),
        "rounding_tie": r.tie and asdict(r.tie),
        "not_finite": r.outcome.not_finite,
        "not_judged": [asdict(fault) for fault in r.not_judged],
        "moved": r.outcome.moved,
        **{name: getattr(r.summary, name) for name in ("train", "test")},
        "closest_call_ulps": r.closest_call_ulps,
        "tolerance_used": stepped and stepped.used,
        "largest_gap_ulps": stepped and stepped.largest_gap_ulps,
        "least_margin": r.certificate and r.certificate.least_margin,
        "certified": r.certificate and r.certified,
    }
