"""The pages that are made of result files: each from its template. Run: make docs."""

import json
import sys
from pathlib import Path
from typing import Any

import jinja2

DOCS = Path(__file__).parent

# the result files, and the commands of `make docs` that write them
COMMANDS = {
    "differences.json": "python -m comparisons differences --json docs/results/differences.json",
    "styles.json": "python -m comparisons styles --json docs/results/styles.json",
    "faults.json": "python -m tests.faults docs/results/faults.json",
}


def load(results: Path) -> dict[str, Any]:
    """What the template is given."""
    differences, styles, faults = (json.loads((results / file).read_text(encoding="utf-8")) for file in COMMANDS)
    return {**differences, **faults, "chatter": styles["chatter"], "commands": COMMANDS}


PAGES = ("implementation-differences.md", "diagnosis.md")


def template(name: str) -> jinja2.Template:
    """The page's template. Rendering raises jinja2.UndefinedError where a result is missing."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DOCS),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=name == "diagnosis.md",
    )
    return environment.get_template(f"{name}.j2")


def page(name: str, results: dict[str, Any]) -> str:
    """A page."""
    return template(name).render(results)


if __name__ == "__main__":
    for name in PAGES:
        (DOCS / name).write_text(page(name, load(DOCS / "results")), encoding="utf-8")
        sys.stdout.write(f"{DOCS / name}\n")
