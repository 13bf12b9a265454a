"""What the styles do, in pictures: results in, matplotlib figures out.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart; lines differ in dash and marker too.
save() writes each figure as SVG and as PNG. The same results give the same bytes.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from comparisons.report.files import check_file
from comparisons.report.pictures import FILES, KINDS
from comparisons.runs.targets import MAKER, Target, make_folder, write
from comparisons.studies.boundary import Boundary, boundaries
from comparisons.studies.styles import Chatter, Run
from reference.data import Dataset

MARKS = {"svg": f"<dc:title>{MAKER}</dc:title>", "png": f"Software\0{MAKER}"}  # a figure with it may be replaced
OPTIONS: dict[str, Any] = {
    "svg": {"metadata": {"Creator": MAKER, "Date": None}},
    "png": {"metadata": {"Software": MAKER}, "dpi": 300},
}

BLACK, GREY, ORANGE, SKY = "#000000", "#777777", "#E69F00", "#56B4E9"
GREEN, BLUE, RED, PURPLE = "#009E73", "#0072B2", "#D55E00", "#CC79A7"
LINES = cycler(  # one a row of the sweep, told apart by colour, dash and marker
    color=(GREY, BLUE, RED, PURPLE, SKY, GREEN, ORANGE, BLACK, PURPLE, GREY, ORANGE),
    linestyle=(":", "-", "-", "-", "--", "-", "-", "-", "--", "--", "--"),
    marker=("none", "o", "v", "x", "s", "P", "D", "^", "+", "*", "d"),
)
STYLE: Any = {
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.titlesize": 11,
    **dict.fromkeys(("legend.fontsize", "xtick.labelsize", "ytick.labelsize"), 9),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    "svg.fonttype": "path",  # whatever the user's settings are: text would need their fonts on the page
    "svg.hashsalt": MAKER,  # ids in an SVG file depend on it alone
    "figure.constrained_layout.use": True,
}


def grid(panels: int, columns: int, height: float, share: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure with this many panels, 7.5 inches wide."""
    rows = -(-panels // columns) or 1
    figure = Figure(figsize=(7.5, height * rows))
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share).ravel())
    for unused in axes[panels:]:
        unused.set_axis_off()
    for last in axes[max(panels - columns, 0) : panels]:  # the lowest of each column
        last.tick_params(labelbottom=True)
    return figure, axes[:panels]


def weights(outcomes: Sequence[Sequence[Run]]) -> Figure:
    """Histograms of |w| at the middle λ of the grid, on a logarithmic scale, with a separate bar for exact zeros.

    Weights below 10⁻¹⁰ that are not 0 are counted in the lowest bin.
    """
    values = list(dict.fromkeys(runs[0].lamda for runs in outcomes))
    middle = [runs for runs in outcomes if runs[0].lamda == values[len(values) // 2]]
    figure, axes = grid(len(middle), 3, 1.55, share=True)
    edges = [k / 4 for k in range(-40, 7)]  # of log₁₀ |w|
    for ax, runs in zip(axes, middle, strict=True):
        size = np.abs(np.concatenate([run.weights for run in runs]))
        logs = np.log10(np.clip(size[size > 0], 10.0 ** edges[0], None))
        ax.hist(logs, edges, color=SKY, edgecolor=BLUE, linewidth=0.5)
        zeros = int((size == 0).sum())
        ax.bar(-11, zeros, 0.6, color=ORANGE, edgecolor=BLACK, hatch="///", linewidth=0.5)
        ax.set_title(f"{runs[0].row}: {zeros / size.size:.0%} zeros")
        ax.set_xticks([-11, -9, -6, -3, 0], ["0", "10⁻⁹", "10⁻⁶", "10⁻³", "1"])
    figure.supxlabel("size of a weight, |w|")
    figure.supylabel("number of weights")
    figure.suptitle(f"Weights at the end, λ = {middle[0][0].lamda:g}, {len(middle[0])} networks together")
    return figure


BEFORE, AFTER, PULLS = 8, 40, 5.5  # updates and pulls that a panel of `chatter` shows


def chatter(paths: Sequence[Chatter]) -> Figure:
    """The path near zero of a weight that only L1 moves. Its unit is a pull: the largest change in one update."""
    coming = [path for path in paths if path.arrives]
    figure, axes = grid(len(coming), 3, 1.9, share=True)
    for ax, path in zip(axes, coming, strict=True):
        w, pull = path.path[:, 0], path.largest_step
        first = int(np.argmax(np.abs(w) < pull))
        shown = slice(max(first - BEFORE, 0), first + AFTER)
        updates = np.arange(len(w))[shown] - first
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.plot(updates, w[shown] * np.sign(w[0]) / pull, color=BLUE, marker=".", markersize=4, linewidth=0.8)
        ax.set_ylim(-1.5, PULLS)
        ax.set_title(f"{path.style}, pull {pull:.2g}")
    figure.supxlabel("updates since the weight came within one pull of zero")
    figure.supylabel("weight, in pulls")
    figure.suptitle("A weight that nothing but L1 moves; a pull is what L1 takes away in an update")
    return figure


def strength(outcomes: Sequence[Sequence[Run]], data: Dataset) -> Figure:
    """Accuracy and exact zeros against λ, means over the seeds: a line for each style. Equal lines coincide."""
    panels: tuple[tuple[str, Callable[[Run], float]], ...] = (
        ("training items, % correct", lambda run: 100 * run.summary.train / len(data.x_train)),
        ("test items, % correct", lambda run: 100 * run.summary.test / max(len(data.x_test), 1)),
        ("exact zeros, % of weights", lambda run: 100 * run.summary.zeros / run.weights.size),
    )
    figure, axes = grid(len(panels), 3, 4.2)
    rows = list(dict.fromkeys(runs[0].row for runs in outcomes))
    grid_of_lamda = list(dict.fromkeys(runs[0].lamda for runs in outcomes))
    lines = list(zip(rows, LINES(), strict=False))  # as many as there are rows
    for ax, (title, measure) in zip(axes, panels, strict=True):
        for size, (row, line) in enumerate(reversed(lines)):
            means = [np.mean([measure(run) for run in runs]) for runs in outcomes if runs[0].row == row]
            style = {**line, "markersize": 12 - size * 0.7, "markerfacecolor": "none"}  # lines below show through
            ax.plot(grid_of_lamda, means, label=row, linewidth=1.2, **style)
        ax.set_xscale("log")
        ax.set_xticks(grid_of_lamda, [f"{value:g}" for value in grid_of_lamda])
        ax.minorticks_off()
        ax.set_title(title)
    axes[1].set_xlabel("λ")
    figure.suptitle(f"Means over {len(outcomes[0])} networks; lines that are equal lie on each other")
    figure.legend(axes[0].get_lines()[::-1], rows, loc="outside lower center", ncols=4)
    return figure


def boundary(found: Sequence[Boundary]) -> Figure:
    """The article's Figure 2, trained: the true boundary, dashed, and those that networks learn from noisy items."""
    figure, axes = grid(len(found), 2, 3.6, share=True)
    # for the legend: contours have no labels
    axes[0].plot([], [], color=GREY, linestyle="--", linewidth=1.4, label="true boundary")
    axes[0].plot([], [], color=BLACK, linewidth=1.6, label="what the network learned")
    for ax, one in zip(axes, found, strict=True):
        ax.contourf(one.side, one.side, one.predicted, levels=[-0.5, 0.5, 1.5], colors=["#FBE3C0", "#CFE6F5"])
        ax.contour(one.side, one.side, one.predicted, levels=[0.5], colors=[BLACK], linewidths=1.6)
        ax.contour(one.side, one.side, one.true, levels=[0.5], colors=[GREY], linewidths=1.4, linestyles="--")
        for label, marker, colour, words in ((1, "^", BLUE, "items above"), (0, "o", RED, "items below")):
            shown: Any = {"color": colour, "marker": marker, "edgecolors": "white", "linewidths": 0.6, "label": words}
            x, y = one.items[one.labels == label].T
            ax.scatter(x, y, s=26, clip_on=False, **shown)
        zeros = f", {one.zeros:.0%} zeros" if one.zeros else ""
        ax.set_title(f"{one.name}{zeros}\nright: {one.train:.0%} of the items, {one.area:.0%} of the area")
        ax.set_aspect("equal")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, markerscale=1.4)
    for ax in axes[-2:]:
        ax.set_xlabel("first feature")
    for ax in axes[::2]:
        ax.set_ylabel("second feature")
    return figure


def check_files(folder: Path) -> list[Target]:
    """The files of `save`: each figure as SVG and as PNG.

    Raises InputError where they cannot be written to the folder, or would replace files of the user's.
    """
    marks = {file: MARKS[Path(file).suffix[1:]] for file in FILES}
    return [check_file(folder / file, mark, "figure of this command") for file, mark in marks.items()]


def save(targets: Sequence[Target], outcomes: Sequence[Sequence[Run]], paths: Sequence[Chatter], data: Dataset) -> None:
    """Draw all figures and write them to the files of `check_files`, whose folder is made if it is missing."""
    make_folder(targets[0].path.parent)
    with mpl.rc_context(STYLE):
        drawn = (weights(outcomes), chatter(paths), strength(outcomes, data), boundary(boundaries()))
        for target, (figure, kind) in zip(targets, product(drawn, KINDS), strict=True):
            file = BytesIO()
            figure.savefig(file, format=kind, **OPTIONS[kind])
            write(target, file.getvalue())
