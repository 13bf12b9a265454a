"""What a page shows, trained now."""

from dataclasses import replace
from typing import Any

import comparisons.studies.article
import comparisons.tables.article
import reference.data
from comparisons.studies.article import Row
from comparisons.studies.parallel import side_by_side
from reference.experiment import updates_of


def train_article(epochs: int) -> dict[str, Any]:
    """The result file of `article`, of networks that are trained for this many epochs."""
    rows = [lasting(row, epochs) for row in comparisons.studies.article.ROWS]
    updates = sum(updates_of(row.experiment, reference.data.article()) for row in rows)
    title = f"the article: training {len(rows)} networks in NumPy and in PyTorch"
    return comparisons.tables.article.to_json(side_by_side(comparisons.studies.article.train_row, rows, updates, title))


def lasting(row: Row, epochs: int) -> Row:
    """The row, trained for this many epochs. What the article published is of its own number of them."""
    published = row.published if epochs == row.experiment.epochs else None
    return replace(row, experiment=replace(row.experiment, epochs=epochs), published=published)
