"""What every style did: a row for each style and λ, and below them in words what the rows show."""

from typing import Any

from comparisons.studies.styles import SMALL
from comparisons.studies.styles_words import sentences
from comparisons.tables.terminal import console, new_table, wrapped

HEADERS = ("λ", "train", "test", "loss", "Σ|w|", "exact\nzeros", f"|w|<\n{SMALL}", "changed\nsign", "loss +\npenalty")


def print_table(result: dict[str, Any]) -> None:
    """Print a result file: the means over the seeds, and its sentences."""
    told, data, out = result["styles"], result["styles"]["data"], console()
    table = new_table(("style",), HEADERS)
    for row in result["rows"]:
        table.add_row(
            row["row"],
            f"{row['lamda']:g}",
            f"{row['train'] / data['train']:.1%}",
            f"{row['test'] / data['test']:.1%}" if data["test"] else "",
            f"{row['loss']:.4f}",
            f"{row['sum_abs']:.2f}",
            *(f"{row[name]:.1f}" for name in ("zeros", "small", "restless")),
            f"{row['objective']:.4f}",
        )
    seeds, weights, sizes = len(told["seeds"]), result["rows"][0]["weights"], "-".join(map(str, told["sizes"]))
    out.print(f"{data['name']}: means over {seeds} seed{'s' * (seeds > 1)}; {weights} weights a network.")
    out.print(f"sizes {sizes}, lr {told['lr']:g}, {told['optimizer']}, loss {told['loss']}, epochs {told['epochs']}.")
    out.print("changed sign: weights that did so during the last epoch. penalty: λ Σ|w| + ½ λ₂ Σw².\n")
    out.print(table)
    for sentence in sentences(result):
        out.print(f"\n{wrapped(sentence)}")
