"""What every style did: a row for each style and λ, and in words what the rows show.

The result file of `styles --json`:
{"styles": {"lamda": […], "seeds": […], "data": {"name", "train", "test"}, "sizes", "lr", "epochs", "loss", …},
 "rows": [{"row", "lamda" (of the grid), "weights", the mean of each of MEASURES,
           "experiment": {each field of Experiment but seed, as trained}, "runs": [{"seed", each of MEASURES}]}],
 "chatter": [{"style", "lamda", "lr", "amplitude", "crossings", "zeros"}]}
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict
from operator import lt
from statistics import fmean
from typing import Any

from comparisons.studies.styles import SMALL, Chatter, Run
from comparisons.tables.terminal import LINE, console, new_table
from reference.data import Dataset
from reference.experiment import Experiment

# what is told of a run, by its name in the result file
MEASURES: dict[str, Callable[[Run], float]] = {
    "train": lambda run: run.figures.train,
    "test": lambda run: run.figures.test,
    "loss": lambda run: run.loss,
    "sum_abs": lambda run: run.figures.sum_abs,
    "zeros": lambda run: run.figures.zeros,
    "small": lambda run: run.figures.small,
    "restless": lambda run: run.restless,
    "objective": lambda run: run.objective,
}
HEADERS = ("train", "test", "loss", "Σ|w|", "exact\nzeros", f"|w|<\n{SMALL}", "changed\nsign", "loss +\npenalty")


def means(runs: Sequence[Run]) -> dict[str, float]:
    """The mean of every measure over the runs."""
    return {name: fmean(measure(run) for run in runs) for name, measure in MEASURES.items()}


def print_table(outcomes: Sequence[Sequence[Run]], paths: Sequence[Chatter], data: Dataset) -> None:
    """Print the means over the seeds, the chatter, and what both show."""
    table = new_table()
    table.add_column("\nstyle", no_wrap=True)
    for header in ("\nλ", *(header if "\n" in header else f"\n{header}" for header in HEADERS)):
        table.add_column(header, justify="right")
    for runs in outcomes:
        mean = means(runs)
        table.add_row(
            runs[0].row,
            f"{runs[0].lamda:g}",
            f"{mean['train'] / len(data.x_train):.1%}",
            f"{mean['test'] / len(data.x_test):.1%}" if len(data.x_test) else "",
            f"{mean['loss']:.4f}",
            f"{mean['sum_abs']:.2f}",
            *(f"{mean[name]:.1f}" for name in ("zeros", "small", "restless")),
            f"{mean['objective']:.4f}",
        )
    first = outcomes[0][0]
    out = console()
    seeds = len(outcomes[0])
    out.print(f"{data.name}: means over {seeds} seed{'s' * (seeds > 1)}; {first.weights.size} weights a network.")
    e = first.experiment
    out.print(f"sizes {'-'.join(map(str, e.sizes))}, lr {e.lr:g}, {e.optimizer}, loss {e.loss}, epochs {e.epochs}.")
    out.print("changed sign: weights that did so during the last epoch. penalty: λ Σ|w| + ½ λ₂ Σw².\n")
    out.print(table)
    for sentence in sentences(to_json(outcomes, paths, data)):
        out.print(f"\n{textwrap.fill(sentence, LINE)}")


def sentences(result: dict[str, Any]) -> list[str]:
    """What a result file shows, in words; every number and every verdict is taken from it."""
    zeros: dict[str, int] = {}
    for row in result["rows"]:
        zeros[row["row"]] = max(zeros.get(row["row"], 0), *(run["zeros"] for run in row["runs"]))
    some = [f"{row} (up to {most})" for row, most in zeros.items() if most]
    none = [row for row, most in zeros.items() if not most]
    paths = result["chatter"]
    at_rest = [path["style"] for path in paths if path["zeros"] == 1]
    crossing = [
        f"{path['style']} ({path['crossings']:.0%} of the updates, |w| up to {path['amplitude']:.3g})"
        for path in paths
        if path["crossings"]
    ]
    lamda, lr = paths[0]["lamda"], paths[0]["lr"]
    return [
        f"Exact zeros: {'; '.join(some) or 'in no network'}. None in any network of: {'; '.join(none) or 'no style'}.",
        shrinking(result["rows"]),
        f"Weights that nothing but L1 moves, those of an input that is always 0, with η = {lr:g}, λ = {lamda:g} and so"
        f" η λ = {lr * lamda:g}: in the end at rest at exactly 0 under {', '.join(at_rest) or 'no style'}; across zero"
        f" again and again under {', '.join(crossing) or 'no style'}.",
    ]


def shrinking(rows: Sequence[dict[str, Any]]) -> str:
    """L2 and the elastic net beside no L1 at all, at the largest λ."""
    last = {row["row"]: row for row in sorted(rows, key=lambda row: row["lamda"])}
    none, l2, both = (last[name]["runs"] for name in ("none", "L2", "elastic net"))
    sums = [[float(run["sum_abs"]) for run in runs] for runs in (none, l2, both)]  # nan is text in a file
    zeros = [run["zeros"] for run in both]
    l2_smaller, both_smaller = (all(map(lt, smaller, sums[0])) for smaller in sums[1:])
    does = "does" if both_smaller and any(zeros) else "does NOT do"
    of_none, of_l2, of_both = map(fmean, sums)
    return (
        f"L2 at λ₂ = {last['L2']['lamda']:g} {'shrinks' if l2_smaller else 'does NOT shrink'} the weights of every"
        f" network (Σ|w| {of_none:.2f} → {of_l2:.2f}) and makes {max(run['zeros'] for run in l2) or 'none'} of them 0;"
        f" the elastic net {does} both (Σ|w| {of_both:.2f}, {fmean(zeros):.1f} zeros)."
    )


def fields(experiment: Experiment) -> dict[str, Any]:
    """What was trained, but for the seed."""
    return {name: value for name, value in asdict(experiment).items() if name != "seed"}


def to_json(outcomes: Sequence[Sequence[Run]], paths: Sequence[Chatter], data: Dataset) -> dict[str, Any]:
    """The result file of `styles`."""
    first = outcomes[0][0].experiment
    return {
        "styles": {
            "lamda": list(dict.fromkeys(runs[0].lamda for runs in outcomes)),
            "seeds": [run.experiment.seed for run in outcomes[0]],
            "data": {"name": data.name, "train": len(data.x_train), "test": len(data.x_test)},
            **{name: getattr(first, name) for name in ("sizes", "lr", "epochs", "loss", "optimizer")},
        },
        "rows": [
            {
                "row": runs[0].row,
                "lamda": runs[0].lamda,
                "weights": runs[0].weights.size,
                **means(runs),
                "experiment": fields(runs[0].experiment),
                "runs": [
                    {"seed": run.experiment.seed, **{name: measure(run) for name, measure in MEASURES.items()}}
                    for run in runs
                ],
            }
            for runs in outcomes
        ],
        "chatter": [
            {
                "style": path.style,
                "lamda": path.lamda,
                "lr": path.lr,
                "amplitude": path.amplitude,
                "crossings": path.crossings,
                "zeros": path.zeros,
            }
            for path in paths
        ],
    }
