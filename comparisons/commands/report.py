"""Everything on one page."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from comparisons.commands.article import train
from comparisons.commands.options import DEFAULT, Epochs, check_epochs, json_file, naming, report_extra
from comparisons.commands.styles import drawing, styles
from comparisons.report.files import check_page, load
from comparisons.runs.targets import make_folder, write
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
        with naming("--out"):
            make_folder(out)
        keep_article = json_file(out / "article.json", "article", option="--out")
        json_file(styles_json := out / "styles.json", "styles", option="--out")
        drawing(out, "--out")
        keep_article(to_json(train([lasting(row, epochs) for row in ROWS])))
        styles(epochs=epochs, figures=out, json=styles_json)
    with naming("--results"):
        found = load(results or out)
    make_folder(out)
    write(target, page.html(found, trained=results is None).encode())
    print(target.path)
    return status(found.article)


def lasting(row: ArticleRow, epochs: int) -> ArticleRow:
    """The row, trained for this many epochs. What the article published is for its own number of epochs."""
    published = row.published if epochs == row.experiment.epochs else None
    return row._replace(experiment=replace(row.experiment, epochs=epochs), published=published)
