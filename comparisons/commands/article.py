"""Does the code reproduce the article?"""

from typing import Annotated

import typer

import comparisons.studies.article
import comparisons.tables.article
from comparisons.commands.options import JsonFile
from comparisons.runs.files import refuse_to_overwrite, write_json
from comparisons.studies.parallel import side_by_side
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
    rows = list(
        comparisons.studies.article.ROWS + comparisons.studies.article.FURTHER_ROWS
        if every
        else comparisons.studies.article.ROWS
    )
    updates = sum(updates_of(row.experiment, datasets.article()) for row in rows)
    results = side_by_side(
        comparisons.studies.article.train_row, rows, updates, f"training {len(rows)} networks in NumPy and in PyTorch"
    )
    comparisons.tables.article.print_table(results)
    write_json(json, comparisons.tables.article.to_json(results))
    return comparisons.tables.article.status(results)
