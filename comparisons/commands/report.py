"""Everything on one page."""

from pathlib import Path
from typing import Annotated

import typer

from comparisons.commands.options import DEFAULT, whole
from comparisons.commands.styles import drawing, styles
from comparisons.report.files import load, refuse_to_overwrite_page
from comparisons.report.training import train_article
from comparisons.runs.files import refuse_to_overwrite, write_json
from reference.errors import InputError


def report(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For index.html and the results it is made from.")],
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Train nothing; take article.json, styles.json and the figures of `article` and `styles` from there.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(parser=whole, help="Passes over the training items.")] = DEFAULT.epochs,
) -> int:
    """Everything on one page for a browser: results, formulas, figures, translations of λ."""
    target = refuse_to_overwrite_page(out)
    if epochs < 1:
        raise InputError(f"epochs must be a whole number >= 1; got {epochs}")
    if results and epochs != DEFAULT.epochs:
        raise InputError("--epochs is for training; with --results nothing is trained")
    try:
        from comparisons.report import page
    except ModuleNotFoundError as error:
        raise InputError(f"report needs {error.name}; pip install 'l1-parity[report]' installs it") from None
    if results is None:
        out.mkdir(exist_ok=True)
        refuse_to_overwrite(out / "article.json", "rows")
        refuse_to_overwrite(out / "styles.json", "styles")
        drawing(out)
        write_json(out / "article.json", train_article(epochs))
        styles(epochs=epochs, figures=out, json=out / "styles.json")
    found = load(results or out)
    out.mkdir(exist_ok=True)
    target.write_text(page.html(found, trained=results is None), encoding="utf-8")
    print(target)
    return page.status(found.article)
