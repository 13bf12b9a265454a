"""The page: results in, HTML out."""

from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import torch_impl.l1
import torch_impl.train
from comparisons.lamda.translation import Translation, shrinkage, translate_lamda
from comparisons.report import environment, files, formulas, pictures
from comparisons.studies import article_words, styles_words
from comparisons.studies.styles import SMALL
from reference.errors import printable
from reference.experiment import Experiment
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS

# where a style acts, by the field of torch_impl.l1.Style that it has
PLACES = {"in_loss": "a term of the loss", "around_step": "hooks around optimizer.step()"}


def html(results: files.Results, trained: bool) -> str:
    """The whole page. trained: the networks were trained for it; otherwise the results are files of earlier runs."""
    loader, rows = FileSystemLoader(Path(__file__).parent), results.article["rows"]
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.finalize = as_text
    return jinja.get_template("template.html.j2").render(
        **results._asdict(),
        generator=files.MAKER,
        trained=trained,
        article_says=article_words.sentences(results.article),
        styles_say=styles_words.sentences(results.styles),
        varying=[f for f in ("softmax_derivative", "loss") if len({row[f] for row in rows}) > 1],
        small=SMALL,
        style_rows=STYLES,
        torch_styles=torch_impl.l1.STYLES,
        places=PLACES,
        optimizer_rows=OPTIMIZERS,
        torch_optimizers=torch_impl.train.OPTIMIZERS,
        experiment=Experiment(),
        translations=translations(),
        alike=alike,
        environment=environment.environment(),
        inline=pictures.inline,
        clauses=formulas.clauses,
        mathml=formulas.mathml,
        plain=plain,
    )


def translations() -> dict[str, dict[str, list[Translation]]]:
    """By optimizer and by style: the translations to every style. Styles that do nothing with λ are left out."""
    pulling = [name for name in STYLES if shrinkage(name)[0]]
    return {
        optimizer: {
            one: [translate_lamda(Experiment(optimizer=optimizer, style=one), other) for other in pulling]
            for one in pulling
        }
        for optimizer in OPTIMIZERS
    }


def alike(cells: list[Translation]) -> dict[Translation, list[str]]:
    """Translations that differ only in the style that they lead to: the first of them, and all these styles."""
    groups: dict[tuple[str, str, str], list[Translation]] = {}
    for cell in (cell for cell in cells if cell.target.style != cell.source.style):
        groups.setdefault((cell.kind, cell.formula, cell.reason), []).append(cell)
    return {group[0]: [cell.target.style for cell in group] for group in groups.values()}


def as_text(value: object) -> object:
    """What stands on the page: of a text from a file, no control character and no lone surrogate."""
    return printable(value) if type(value) is str else value


def plain(value: float) -> str:
    """0.00001 rather than 1e-05; an empty text for 0."""
    return np.format_float_positional(float(f"{value:.6g}"), trim="-") if value else ""
