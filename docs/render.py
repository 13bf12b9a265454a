"""implementation-differences.md from its template and the result files. Run: make docs."""

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
}


def load(results: Path) -> dict[str, Any]:
    """What the template is given."""
    differences, styles = (json.loads((results / file).read_text(encoding="utf-8")) for file in COMMANDS)
    return {**differences, "chatter": styles["chatter"], "commands": COMMANDS}


def page(results: dict[str, Any]) -> str:
    """The page. Raises jinja2.UndefinedError where a result is missing."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(DOCS), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("implementation-differences.md.j2").render(results)


if __name__ == "__main__":
    (DOCS / "implementation-differences.md").write_text(page(load(DOCS / "results")), encoding="utf-8")
    sys.stdout.write(f"{DOCS / 'implementation-differences.md'}\n")
