"""Does the code reproduce the article?"""

from collections.abc import Sequence
from typing import Annotated

import typer

import comparisons.studies.article as study
import comparisons.tables.article as table
from comparisons.commands.options import JsonFile, json_file, kept
from comparisons.studies import article_words, parallel
from reference import data as datasets
from reference.experiment import updates_of


def article(
    every: Annotated[bool, typer.Option("--all", help="Also the full soft-max derivative, cross-entropy.")] = False,
    json: JsonFile = None,
) -> int:
    """Does the code reproduce the article, in both frameworks, bit for bit?"""
    write = json_file(json, "article")
    results = train(study.ROWS + study.FURTHER_ROWS if every else study.ROWS)
    with kept(lambda: write(article_words.to_json(results))):
        table.print_table(results)
    return table.status(results)


def train(rows: Sequence[study.ArticleRow]) -> list[study.TrainedRow]:
    """Train every row in NumPy and in PyTorch, several rows at a time."""
    updates = sum(updates_of(row.experiment, datasets.article()) for row in rows)
    title = f"training {len(rows)} networks in NumPy and in PyTorch"
    return parallel.side_by_side(study.train_row, list(rows), updates, title)
