"""The result file of `styles`, and what it says in words.

{"styles": {"lamda": […], "seeds": […], "data": {"name", "train", "test"}, "sizes", "lr", "epochs", "loss", …},
 "rows": [{"row", "lamda" (of the grid), "weights", the mean of each of MEASURES,
           "experiment": {each field of Experiment but seed, as trained}, "runs": [{"seed", each of MEASURES}]}],
 "chatter": [{"style", "lamda", "lr", "amplitude", "crossings", "zeros"}]}
"""

from collections.abc import Sequence
from dataclasses import asdict
from operator import lt
from statistics import fmean
from typing import Any

from comparisons.studies.styles import Chatter, Run
from reference.data import Dataset
from reference.experiment import Experiment

MEASURES = ("train", "test", "loss", "sum_abs", "zeros", "small", "restless", "objective")
CHATTER = ("style", "lamda", "lr", "amplitude", "crossings", "zeros")


def measured(run: Run) -> dict[str, float]:
    """What was measured in a run, by the names in the result file."""
    found = run._asdict() | run.summary._asdict()
    return {name: found[name] for name in MEASURES}


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
                **{name: fmean(measured(run)[name] for run in runs) for name in MEASURES},
                "experiment": fields(runs[0].experiment),
                "runs": [{"seed": run.experiment.seed, **measured(run)} for run in runs],
            }
            for runs in outcomes
        ],
        "chatter": [{name: getattr(path, name) for name in CHATTER} for path in paths],
    }


def fields(experiment: Experiment) -> dict[str, Any]:
    """What was trained, without the seed."""
    return {name: value for name, value in asdict(experiment).items() if name != "seed"}


def sentences(result: dict[str, Any]) -> list[str]:
    """What a result file says, in words; every number and every verdict is taken from it."""
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
    """L2 and the elastic net, compared with no regularization, at the largest λ."""
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
