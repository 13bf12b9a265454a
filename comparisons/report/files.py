"""The result files that a page is made from, and the file that it becomes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import comparisons.studies.article
from comparisons.report.pictures import CAPTIONS, Picture, picture
from comparisons.studies.styles import rows
from comparisons.tables.styles import MEASURES
from reference.errors import InputError

MAKER = "l1-parity"  # in <meta name="generator"> of a page and in a figure, by which they are known to be ours


def refuse_to_overwrite_page(folder: Path) -> Path:
    """Where the page will be; InputError, before any training, if something of the user's would be lost.

    The folder is made if only it is missing. What may be replaced is an empty file and an earlier page.
    """
    page = folder / "index.html"
    if not folder.parent.is_dir():
        raise InputError(f"--out {folder}: there is no folder {folder.parent}")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is no folder")
    if page.is_dir():
        raise InputError(f"--out {folder}: {page} is a folder")
    ours = f'<meta name="generator" content="{MAKER}">'
    if page.is_file() and page.stat().st_size and ours not in page.read_text(encoding="utf-8", errors="replace"):
        raise InputError(f"--out {folder}: {page} exists and is no page of this command; it is left as it is")
    return page


# A shape: a dict has these keys and maybe more, a list has one or more items of its only shape, a tuple lists
# alternatives, a type has instances, a string is itself. Numbers that are not finite are strings in a file.
FINITE = (int, float)
NUMBER = (*FINITE, "nan", "inf", "-inf")
FIGURES = {"train": int, "test": int, "sum_abs": NUMBER, "small": int, "zeros": int}
ARTICLE = {
    "updates": int,
    "rows": [
        {
            **{name: str for name in ("style", "softmax_derivative", "loss")},
            "lamda": FINITE,
            "published": (type(None), {"train": int, "test": int}),
            "numpy": FIGURES,
            "torch": FIGURES,
            "differing": int,
            "parameters": int,
            "first_difference": (type(None), dict),
            "closest_call_ulps": int,
        }
    ],
}


STYLES = {
    "styles": {
        "lamda": [FINITE],
        "seeds": [int],
        "data": {"name": str, "train": int, "test": int},
        **{name: str for name in ("loss", "optimizer")},
        "epochs": int,
        "lr": FINITE,
    },
    "rows": [
        {
            "row": str,
            "lamda": FINITE,
            "weights": int,
            **dict.fromkeys(MEASURES, NUMBER),
            "runs": [{"zeros": int, "sum_abs": NUMBER}],
        }
    ],
    "chatter": [{"style": str, **dict.fromkeys(("lamda", "lr", "amplitude", "crossings", "zeros"), FINITE)}],
}


@dataclass(frozen=True)
class Results:
    """All that a page is made from."""

    article: dict[str, Any]
    styles: dict[str, Any]
    figures: list[Picture]


HOW = {"article": "article --json article.json", "styles": "styles --json styles.json --figures ."}


def load(folder: Path) -> Results:
    """article.json, styles.json and the figures of a folder.

    InputError if one is not what `article` or `styles` writes; the message ends with the command that does.
    """
    article = load_json(folder / "article.json", ARTICLE, "article")
    wanted = [(row.experiment.style, row.experiment.lamda) for row in comparisons.studies.article.ROWS]
    found = [(row["style"], row["lamda"]) for row in article["rows"]]
    if article["updates"] < 1 or wanted != found[: len(wanted)]:
        raise refusal(folder / "article.json", "is no result of `article`", "article")
    styles = load_json(folder / "styles.json", STYLES, "styles")
    if not {row.name for row in rows(styles["styles"]["lr"])} <= {row["row"] for row in styles["rows"]}:
        raise refusal(folder / "styles.json", "is no result of `styles`", "styles")
    return Results(article, styles, [load_figure(folder, name) for name in CAPTIONS])


def load_json(path: Path, shape: Any, command: str) -> dict[str, Any]:
    """A JSON file of this shape."""
    text = read(path, command)
    try:
        result = json.loads(text)
    except ValueError:
        raise refusal(path, "is no JSON", command) from None
    if not fits(result, shape):
        raise refusal(path, f"is no result of `{command}`", command)
    return result


def load_figure(folder: Path, name: str) -> Picture:
    """An SVG file that `styles --figures` wrote."""
    path = folder / f"{name}.svg"
    svg = read(path, "styles")
    try:
        found = picture(name, svg)
    except ElementTree.ParseError:
        raise refusal(path, "is no SVG", "styles") from None
    if MAKER not in svg:
        raise refusal(path, "is no figure of `styles`", "styles")
    return found


def read(path: Path, command: str) -> str:
    """The text of a file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise refusal(path, f"cannot be read ({error.strerror})", command) from None


def refusal(path: Path, what: str, command: str) -> InputError:
    """What is wrong with a file, and how to get a right one."""
    return InputError(f"--results: {path} {what}; python -m comparisons {HOW[command]} writes one")


def fits(value: Any, shape: Any) -> bool:
    """Has the value the shape?"""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(key in value and fits(value[key], shape[key]) for key in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and len(value) > 0 and all(fits(item, shape[0]) for item in value)
    if isinstance(shape, str):
        return bool(value == shape)
    if isinstance(shape, tuple):
        return any(fits(value, alternative) for alternative in shape)
    return isinstance(value, shape)
