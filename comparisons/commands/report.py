"""Everything on one page."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from comparisons.commands.article import train
from comparisons.commands.options import DEFAULT, Epochs, check_epochs, check_json, naming, report_extra
from comparisons.commands.styles import drawing, styles
from comparisons.report.files import check_page, load
from comparisons.runs.files import write_json
from comparisons.studies.article import ROWS, ArticleRow
from comparisons.studies.article_words import status, to_json
from reference.errors import InputError


def report(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For index.html and the results it is made from.")],
    results: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Train nothing: the results and figures are in this folder.")
    ] = None,
    epochs: Epochs[int] = DEFAULT.epochs,
) -> int:
    """Everything on one page for a browser: results, formulas, figures, translations of λ."""
    with naming("--out"):
        target = check_page(out)
    check_epochs(epochs)
    if results and epochs != DEFAULT.epochs:
        raise InputError("--epochs is for training; with --results nothing is trained")
    with report_extra("the page needs"):
        from comparisons.report import page
    if results is None:
        out.mkdir(exist_ok=True)
        article_json, styles_json = out / "article.json", out / "styles.json"
        check_json(article_json, "rows", "--out")
        check_json(styles_json, "styles", "--out")
        drawing(out, "--out")
        write_json(article_json, to_json(train([lasting(row, epochs) for row in ROWS])))
        styles(epochs=epochs, figures=out, json=styles_json)
    with naming("--results"):
        found = load(results or out)
    out.mkdir(exist_ok=True)
    target.write_text(page.html(found, trained=results is None), encoding="utf-8")
    print(target)
    return status(found.article)


def lasting(row: ArticleRow, epochs: int) -> ArticleRow:
    """The row, trained for this many epochs. What the article published is for its own number of epochs."""
    published = row.published if epochs == row.experiment.epochs else None
    return row._replace(experiment=replace(row.experiment, epochs=epochs), published=published)
