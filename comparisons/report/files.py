"""The result files that a page is made from, and the file that the page is written to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from comparisons.report.pictures import NAMES, is_drawing
from comparisons.runs.files import MOST_JSON_BYTES, require
from comparisons.runs.targets import MAKER, Target, check_folder, check_target
from comparisons.studies import article, article_words, styles, styles_words
from reference.errors import InputError
from reference.experiment import Experiment
from reference.files import read_text


def check_page(folder: Path) -> Target:
    """Where the page will be. Raises InputError where it cannot be written, or would replace a file of the user's."""
    return check_file(folder / "index.html", f'<meta name="generator" content="{MAKER}">', "page of this command")


def check_file(path: Path, mark: str, what: str) -> Target:
    """A file in a folder that may still have to be made; a `what`, in whose first lines the mark is, may be replaced.

    Raises InputError where it cannot be written, or is another file.
    """
    check_folder(path.parent)
    if path.parent.is_dir():
        return check_target(path, lambda head: mark.encode() in head, what)
    return Target(path, path, None)


MOST_NUMBER = 10.0**100  # no result is as large, and sums and products of smaller ones are finite

# The shape of a result file: a dict must have these keys, and may have more; a list must have items, all of its only
# shape; a tuple lists alternatives; a type stands for its instances, None and a string for themselves. A number that
# is not finite is a string in a file.
FINITE = (int, float)
NUMBER = (*FINITE, "nan", "inf", "-inf")
CORRECT = {"train": int, "test": int}
NETWORK = {**CORRECT, "sum_abs": NUMBER, "small": int, "zeros": int}
DIFFERENCE = {"update": int, "parameter": str, "index": [int], "reference": NUMBER, "candidate": NUMBER}
ARTICLE_ROW = {
    **dict.fromkeys(article_words.KEY, str),
    "lamda": FINITE,
    **dict.fromkeys(article_words.SIDES, NETWORK),
    "published": (None, CORRECT),
    **dict.fromkeys(("differing", "parameters", "closest_call_ulps"), int),
    "first_difference": (None, DIFFERENCE),
}
ARTICLE = {"updates": int, "rows": [ARTICLE_ROW]}
TRAINING = {"lamda": [FINITE], "seeds": [int], "epochs": int, "lr": FINITE, "loss": str, "optimizer": str}
RUN = {"zeros": int, "sum_abs": NUMBER}
MEASURED = dict.fromkeys(styles_words.MEASURES, NUMBER)
STYLES_ROW = {"row": str, "lamda": FINITE, "weights": int, **MEASURED, "runs": [RUN]}
STYLES = {
    "styles": {**TRAINING, "data": {"name": str, **CORRECT}},
    "rows": [STYLES_ROW],
    "chatter": [{**dict.fromkeys(styles_words.CHATTER, FINITE), "style": str}],
}


class Results(NamedTuple):
    """All results that a page is made from."""

    article: dict[str, Any]
    styles: dict[str, Any]
    figures: dict[str, str]  # SVG, by name


def load(folder: Path) -> Results:
    """article.json, styles.json and the figures of a folder.

    Raises InputError for a file that `article` or `styles` did not write; the message names the command that does.
    """
    return Results(
        read(folder / "article.json", "result", "article", json.loads, is_article),
        read(folder / "styles.json", "result", "styles", json.loads, is_styles),
        {name: read(folder / f"{name}.svg", "figure", "styles", str, is_figure) for name in NAMES},
    )


HOW = {"article": "article --json article.json", "styles": "styles --json styles.json --figures ."}


def read(path: Path, what: str, command: str, parse: Callable[[str], Any], ours: Callable[[Any], bool]) -> Any:
    """What parse returns for the text of a file; InputError unless that is ours, a `what` that the command writes."""
    kind, how = path.suffix[1:].upper(), f"; python -m comparisons {HOW[command]} writes one"
    try:
        text = read_text(path, kind, MOST_JSON_BYTES)
    except InputError as error:
        raise InputError(f"{error}{how}") from error
    try:
        found = parse(text)
        fault = "" if ours(found) else f"is no {what} of `{command}`"
    except (ValueError, RecursionError, ElementTree.ParseError):
        fault = f"is no {kind}"
    require(path, not fault, f"{fault}{how}")
    return found


def is_article(found: Any) -> bool:
    """Is it a result of `article`, whose first rows are those of the article's table?"""
    wanted = [article_words.key_of(row) for row in article.ROWS]
    fitting = fits(found, ARTICLE) and found["updates"] > 0
    return fitting and wanted == [article_words.key_in(row) for row in found["rows"][: len(wanted)]]


def is_styles(found: Any) -> bool:
    """Is it a result of `styles`, with every row that there is?"""
    wanted = {row.name for row in styles.rows([Experiment()])}
    return fits(found, STYLES) and wanted <= {row["row"] for row in found["rows"]}


def is_figure(text: str) -> bool:
    """Is it a figure of `styles`, with nothing in it that these do not have? Raises ParseError if it is no XML."""
    return MAKER in text and is_drawing(text)


def fits(value: Any, shape: Any) -> bool:
    """Does the value have the shape?"""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(key in value and fits(value[key], shape[key]) for key in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and len(value) > 0 and all(fits(item, shape[0]) for item in value)
    if isinstance(shape, tuple):
        return any(fits(value, alternative) for alternative in shape)
    if isinstance(value, int | float) and (isinstance(value, bool) or not abs(value) < MOST_NUMBER):
        return False  # a number that is not finite is a string, and none of 400 digits is a result
    return isinstance(value, shape) if isinstance(shape, type) else bool(value == shape)
