"""Does the code reproduce the article?"""

from typing import Annotated

import typer

import comparisons.article
import comparisons.tables.article
from comparisons.commands.options import JsonFile
from comparisons.side_by_side import side_by_side
from comparisons.tables.files import refuse_to_overwrite, write_json
from reference import data as datasets
from reference.experiment import updates_of


def article(
    every: Annotated[
        bool, typer.Option("--all", help="Also the whole soft-max derivative, and cross-entropy: four more rows.")
    ] = False,
    json: JsonFile = None,
) -> int:
    """Does the code reproduce the article, in both frameworks, bit for bit?"""
    refuse_to_overwrite(json, "rows")
    rows = list(comparisons.article.ROWS + comparisons.article.FURTHER_ROWS if every else comparisons.article.ROWS)
    updates = sum(updates_of(row.experiment, datasets.article()) for row in rows)
    results = side_by_side(
        comparisons.article.train_row, rows, updates, f"training {len(rows)} networks in NumPy and in PyTorch"
    )
    comparisons.tables.article.page(results)
    write_json(json, comparisons.tables.article.to_json(results))
    return comparisons.tables.article.status(results)
