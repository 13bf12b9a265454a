"""What the styles do, in pictures: results in, matplotlib figures out.

Colours are those of Okabe and Ito, which the colour-blind can tell apart, and never the only thing that differs.
save() writes each as SVG and PNG, NAMES of both; the same results give the same bytes.
"""

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from comparisons.studies.boundary import Boundary, boundaries
from comparisons.studies.styles import Chatter, Run
from reference.data import Dataset
from reference.errors import InputError

NAMES = ("weights", "chatter", "strength", "boundary")  # of the files, each with .svg and .png
MAKER = "l1-parity"  # in every file's metadata
MARKS = {"svg": f"<dc:title>{MAKER}</dc:title>", "png": f"Software\0{MAKER}"}  # there, by which a figure is ours

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY = "#777777"
LINES: list[dict[str, Any]] = [  # one a row of the sweep, told apart by colour, dash and marker
    {"color": colour, "linestyle": dash, "marker": marker}
    for colour, dash, marker in zip(
        (GREY, BLUE, RED, PURPLE, SKY, GREEN, ORANGE, BLACK, PURPLE, GREY, ORANGE),
        (":", "-", "-", "-", "--", "-", "-", "-", "--", "--", "--"),
        ("", "o", "v", "x", "s", "P", "D", "^", "+", "*", "d"),
        strict=True,
    )
]
HOLLOW: dict[str, Any] = {"markerfacecolor": "none", "linewidth": 1.2}  # what lies below another line shows through
STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "svg.hashsalt": MAKER,  # ids in an SVG file depend on it alone
    "svg.fonttype": "path",
    "figure.constrained_layout.use": True,
}


def grid(panels: int, columns: int, height: float, share: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, 7.5 inches wide."""
    rows = -(-panels // columns) or 1
    figure = Figure(figsize=(7.5, height * rows))
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share).ravel())
    for unused in axes[panels:]:
        unused.set_axis_off()
    for last in axes[max(panels - columns, 0) : panels]:  # the lowest of each column
        last.tick_params(labelbottom=True)
    return figure, axes[:panels]


def weights(outcomes: Sequence[Sequence[Run]]) -> Figure:
    """Histograms of |w| at the middle λ of the grid: logarithmic, with a bar of their own for exact zeros.

    What is smaller than 10⁻¹⁰, and not 0, is counted in the first of the other bars.
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
    figure.suptitle(f"Weights at the end, λ = {middle[0][0].lamda:g}, {len(middle[0])} networks together", fontsize=11)
    return figure


BEFORE, AFTER, PULLS = 8, 40, 5.5  # updates and pulls that a panel of `chatter` shows


def chatter(paths: Sequence[Chatter]) -> Figure:
    """A weight that only L1 moves, as it comes to zero: in pulls, the most that an update takes away from it."""
    coming = [path for path in paths if path.arrives]
    figure, axes = grid(len(coming), 3, 1.9, share=True)
    for ax, path in zip(axes, coming, strict=True):
        w, pull = path.path[:, 0], path.pull
        first = int(np.argmax(np.abs(w) < pull))
        shown = slice(max(first - BEFORE, 0), first + AFTER)
        updates = np.arange(len(w))[shown] - first
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.plot(updates, w[shown] * np.sign(w[0]) / pull, color=BLUE, marker=".", markersize=4, linewidth=0.8)
        ax.set_ylim(-1.5, PULLS)
        ax.set_title(f"{path.style}, pull {pull:.2g}")
    figure.supxlabel("updates since the weight came within one pull of zero")
    figure.supylabel("weight, in pulls")
    figure.suptitle("A weight that nothing but L1 moves; a pull is what L1 takes away in an update", fontsize=11)
    return figure


def strength(outcomes: Sequence[Sequence[Run]], data: Dataset) -> Figure:
    """Accuracy and exact zeros against λ, means over the seeds: a line for every style, equal ones on each other."""
    panels: tuple[tuple[str, Callable[[Run], float]], ...] = (
        ("training items, % correct", lambda run: 100 * run.figures.train / len(data.x_train)),
        ("test items, % correct", lambda run: 100 * run.figures.test / max(len(data.x_test), 1)),
        ("exact zeros, % of weights", lambda run: 100 * run.figures.zeros / run.weights.size),
    )
    figure, axes = grid(len(panels), 3, 4.2)
    rows = list(dict.fromkeys(runs[0].row for runs in outcomes))
    grid_of_lamda = list(dict.fromkeys(runs[0].lamda for runs in outcomes))
    lines = list(zip(rows, cycle(LINES), strict=False))
    for ax, (title, measure) in zip(axes, panels, strict=True):
        for size, (row, line) in enumerate(reversed(lines)):
            own = [runs for runs in outcomes if runs[0].row == row]
            means = [np.mean([measure(run) for run in runs]) for runs in own]
            ax.plot(grid_of_lamda, means, label=row, markersize=12 - size * 0.7, **HOLLOW, **line)
        ax.set_xscale("log")
        ax.set_xticks(grid_of_lamda, [f"{value:g}" for value in grid_of_lamda])
        ax.minorticks_off()
        ax.set_title(title)
    axes[1].set_xlabel("λ")
    figure.suptitle(f"Means over {len(outcomes[0])} networks; lines that are equal lie on each other", fontsize=11)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=4)
    return figure


def boundary(found: Sequence[Boundary]) -> Figure:
    """The article's Figure 2, trained: the true boundary dashed, and what networks make of noisy items."""
    figure, axes = grid(len(found), 2, 3.6, share=True)
    for ax, one in zip(axes, found, strict=True):
        ax.contourf(one.x, one.y, one.predicted, levels=[-0.5, 0.5, 1.5], colors=["#FBE3C0", "#CFE6F5"])
        ax.contour(one.x, one.y, one.predicted, levels=[0.5], colors=[BLACK], linewidths=1.6)
        ax.contour(one.x, one.y, one.true, levels=[0.5], colors=[GREY], linewidths=1.4, linestyles="--")
        for label, marker, colour in ((0, "o", RED), (1, "^", BLUE)):
            mine = one.labels == label
            x, y = one.items[mine].T
            ax.scatter(x, y, s=26, marker=marker, color=colour, edgecolors="white", linewidths=0.6, clip_on=False)
        zeros = f", {one.zeros:.0%} zeros" if one.zeros else ""
        ax.set_title(f"{one.name}{zeros}\nright: {one.train:.0%} of the items, {one.area:.0%} of the area")
        ax.set_aspect("equal")
    white: Any = {"linestyle": "", "markeredgecolor": "white", "markersize": 7}
    handles = [
        Line2D([], [], color=GREY, linestyle="--", linewidth=1.4, label="true boundary"),
        Line2D([], [], color=BLACK, linewidth=1.6, label="what the network learned"),
        Line2D([], [], color=BLUE, marker="^", label="items above", **white),
        Line2D([], [], color=RED, marker="o", label="items below", **white),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    for ax in axes[-2:]:
        ax.set_xlabel("first feature")
    for ax in axes[::2]:
        ax.set_ylabel("second feature")
    return figure


def refuse_to_overwrite(folder: Path) -> None:
    """Raise InputError, before any training, if the folder cannot be written or holds such files of the user's."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--figures {folder}: is no folder")
    if not folder.parent.is_dir():
        raise InputError(f"--figures {folder}: there is no folder {folder.parent}")
    for path, mark in ((folder / f"{name}.{kind}", mark) for name in NAMES for kind, mark in MARKS.items()):
        if path.exists() and not (path.is_file() and (not path.stat().st_size or mark.encode() in path.read_bytes())):
            raise InputError(f"--figures {folder}: {path} exists and is no figure of this command; it is left as it is")


def save(folder: Path, outcomes: Sequence[Sequence[Run]], paths: Sequence[Chatter], data: Dataset) -> None:
    """Draw all figures and write them to the folder, which is made if only it is missing."""
    folder.mkdir(exist_ok=True)
    with mpl.rc_context(STYLE):
        drawn = (weights(outcomes), chatter(paths), strength(outcomes, data), boundary(boundaries()))
        for name, figure in zip(NAMES, drawn, strict=True):
            figure.savefig(folder / f"{name}.svg", metadata={"Creator": MAKER, "Date": None})
            figure.savefig(folder / f"{name}.png", metadata={"Software": MAKER}, dpi=300)
