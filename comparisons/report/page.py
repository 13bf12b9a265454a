"""The page: results in, HTML out."""

import inspect
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

import reference.l1
import reference.optimizers
import torch_impl.l1
import torch_impl.train
from comparisons.lamda import translation as lamda
from comparisons.report.environment import environment
from comparisons.report.files import MAKER, Results
from comparisons.report.formulas import clauses, mathml
from comparisons.studies.styles import SMALL
from comparisons.tables.article import percent
from comparisons.tables.styles import sentences
from reference.experiment import Experiment

SIDES = ("numpy", "torch")

# where a style acts, by the field of torch_impl.l1.Style that it has
PLACES = {"in_loss": "a term of the loss", "around_step": "hooks around optimizer.step()"}

# what stands in a cell of the table of translations
MARKS = {lamda.EXACT: "=", lamda.ASYMPTOTIC: "≈", lamda.IMPOSSIBLE: "–"}


def html(results: Results, trained: bool) -> str:
    """The whole page. trained: for it and now; else the results are older files."""
    article, styles = results.article, results.styles
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("template.html.j2")
    return template.render(
        generator=MAKER,
        article=article,
        article_says=article_says(article),
        varying=[f for f in ("softmax_derivative", "loss") if len({row[f] for row in article["rows"]}) > 1],
        styles=styles,
        styles_say=sentences(styles),
        by_style={name: list(rows) for name, rows in groupby(styles["rows"], key=itemgetter("row"))},
        figures=results.figures,
        small=SMALL,
        style_rows=style_rows(),
        optimizer_rows=optimizer_rows(),
        experiment=Experiment(),
        marks=MARKS,
        alike=alike,
        translations=translations(),
        environment=environment(),
        trained=trained,
        letter=letter,
        plain=plain,
        fixed=fixed,
        share=share,
    )


def status(article: dict[str, Any]) -> int:
    """1 if any row differs, or a published figure does not come out; else 0."""
    return int(any(row["first_difference"] for row in article["rows"]) or bool(missed(article)))


def missed(article: dict[str, Any]) -> list[str]:
    """The styles whose published figures do not come out, on either side."""
    published = [row for row in article["rows"] if row["published"]]
    return [row["style"] for row in published if any(counts(row[s]) != counts(row["published"]) for s in SIDES)]


def article_says(article: dict[str, Any]) -> list[str]:
    """What the article's table says; every number and every verdict is taken from it."""
    rows = article["rows"]
    none, listed, penalty, tack_on, scaled = rows[:5]
    apart = [row for row in rows if row["first_difference"]]
    gives = [percent(*counts(row["numpy"])) for row in rows]
    with_penalty, with_tack_on, when_scaled = gives[2:5]
    published = [row for row in rows if row["published"]]
    updates, parameters = f"{article['updates']:,}", none["parameters"]
    return [
        f"{len(apart)} of {len(rows)} networks differ between NumPy and PyTorch."
        if apart
        else f"All {len(rows)} networks are equal in NumPy and PyTorch, bit for bit, after every one of {updates}"
        f" updates: each of the {parameters} parameters is the same number to its last digit, all the way.",
        "These runs are shorter than the article's; what it published cannot be compared with them."
        if not published
        else f"The published figures do NOT come out: {', '.join(missed(article))}."
        if missed(article)
        else "The published figures come out, on both sides: "
        + "; ".join(f"{row['style']}, {given}" for row, given in zip(rows, gives, strict=True) if row["published"])
        + ".",
        "The article's listing has the sign of the penalty reversed and pushes weights away from zero: Σ|w| ends at"
        f" {fixed(listed['numpy']['sum_abs'])}, and at {fixed(none['numpy']['sum_abs'])} without L1. The penalty that"
        f" the article derives gives {with_penalty}, and Σ|w| = {fixed(penalty['numpy']['sum_abs'])}.",
        f"Tack-on is not scaled by the learning rate η. With λ = {plain(tack_on['lamda'])} it gives {with_tack_on},"
        f" and Σ|w| = {fixed(tack_on['numpy']['sum_abs'])}. With η·λ = {plain(scaled['lamda'])} it gives"
        + (" the penalty's figures." if scaled["numpy"] == penalty["numpy"] else f" {when_scaled}."),
    ]


def counts(figures: dict[str, Any]) -> tuple[int, int]:
    """Correct items, of the training and of the test items."""
    return figures["train"], figures["test"]


def fixed(value: float | str, digits: int = 2) -> str:
    """Two digits after the point; numbers that are not finite are strings in a result file."""
    return f"{float(value):.{digits}f}"


def translations() -> dict[str, dict[str, list[lamda.Translation]]]:
    """By optimizer and by style, to all styles; without those that have no λ to translate."""
    pulling = [name for name in reference.l1.STYLES if lamda.pull(name)[0]]
    return {
        optimizer: {
            one: [lamda.translate_lamda(Experiment(optimizer=optimizer, style=one), other) for other in pulling]
            for one in pulling
        }
        for optimizer in reference.optimizers.OPTIMIZERS
    }


def alike(cells: list[lamda.Translation]) -> dict[lamda.Translation, list[str]]:
    """One translation for all that are alike but for the style they lead to, and the styles that they lead to."""
    groups: dict[tuple[str, str, str], list[lamda.Translation]] = {}
    for cell in (cell for cell in cells if cell.target.style != cell.source.style):
        groups.setdefault((cell.kind, cell.formula, cell.reason), []).append(cell)
    return {group[0]: [cell.target.style for cell in group] for group in groups.values()}


def share(items: float, of: int) -> str:
    """Correct items in per cent of all."""
    return f"{items / of:.1%}" if of else ""


def plain(value: float) -> str:
    """0.00001 rather than 1e-05; nothing for 0."""
    return np.format_float_positional(float(f"{value:.6g}"), trim="-") if value else ""


def letter(formula: str) -> Markup:
    """A formula within a text."""
    return Markup(mathml(formula))


def formula_row(name: str, docstring: str | None, place: str) -> dict[str, Any]:
    """A row of a table of formulas: what the docstring begins with, and the words after it."""
    if not docstring:
        raise ValueError(f"{name} has no docstring, which should begin with its formula")
    first, _, rest = docstring.partition("\n")
    remark = first.partition(".  ")[2]
    return {
        "name": name,
        "clauses": [{"text": clause, "mathml": Markup(mathml(clause))} for clause in clauses(first)],
        "place": place,
        "words": " ".join(f"{remark} {rest}".split()),
    }


def style_rows() -> list[dict[str, Any]]:
    """Every style: the formula of the reference, the place of the torch side."""
    rows = []
    for name, style in reference.l1.STYLES.items():
        place = [PLACES[field] for field, part in vars(torch_impl.l1.STYLES[name]).items() if part]
        rows.append(formula_row(name, style.docstring, " and ".join(place)))
    return rows


def optimizer_rows() -> list[dict[str, Any]]:
    """Every optimizer: the formula of the reference, the class that takes the step in torch."""
    classes = {name: inspect.getdoc(make) or "" for name, make in torch_impl.train.OPTIMIZERS.items()}
    return [
        formula_row(name, inspect.getdoc(step), classes[name].split(";")[0].rstrip("."))
        for name, step in reference.optimizers.OPTIMIZERS.items()
    ]
