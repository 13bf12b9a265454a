"""For pytest: the reports of failed comparisons as files with --parity-report=FOLDER, and their figures for JUnit.

Every project that has l1-parity installed loads this module: it imports nothing that pytest has not loaded already.
"""

import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """--parity-report=FOLDER."""
    parser.getgroup("training parity").addoption(
        "--parity-report", metavar="FOLDER", help="Write an HTML and a JSON file there for every comparison that fails."
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse --parity-report, before any test runs, in a project whose own modules hide this package's."""
    if session.config.getoption("--parity-report"):
        from l1_parity.own_packages import check_found

        try:
            check_found()
        except ImportError as error:
            raise pytest.UsageError(f"--parity-report: {error}") from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """JUnit properties and the files; the report itself is the message of the error."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, failure()):
        finding = error.finding
        item.user_properties.extend(properties(finding))
        if folder := item.config.getoption("--parity-report"):
            write(Path(folder), item.nodeid, finding)
    return report


def failure() -> Any:
    """TrainingDiffersError, if it is loaded: otherwise nothing has raised it. A project's own module may lack it."""
    return getattr(sys.modules.get("comparisons.same_training"), "TrainingDiffersError", ())


@pytest.fixture
def same_training(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """assert_same_training, whose figures go into JUnit's XML when it passes, too."""
    try:
        from l1_parity import assert_same_training
    except ImportError as error:  # a project whose own modules hide this package's
        raise pytest.fail.Exception(str(error), pytrace=False) from None

    def checked(*arguments: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        finding = assert_same_training(*arguments, **options)
        request.node.user_properties.extend(properties(finding))
        return finding

    return checked


def properties(finding: Any) -> list[tuple[str, object]]:
    """What JUnit's XML tells of a comparison."""
    found = finding.comparison
    return [
        ("parity_updates", found.updates),
        ("parity_parameters", len(found.parameters)),
        ("parity_elements", found.elements),
        ("parity_least_ulps", found.least_ulps),
        ("parity_exit_status", found.exit_status),
    ]


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>:root {{ color-scheme: light dark }} body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
font: 1rem/1.5 system-ui }} pre {{ white-space: pre-wrap; font: .9rem/1.5 ui-monospace, monospace }}</style>
<h1>{title}</h1>
<pre>{report}</pre>
</html>
"""


def write(folder: Path, test: str, finding: Any) -> None:
    """One page and one result file, named after the test; those of an earlier failure of the test are replaced."""
    import html
    import re

    from comparisons.runs.files import write_json

    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", test).strip("-.")[:150]
    page = PAGE.format(title=html.escape(test), report=html.escape(finding.report))
    (folder / f"{name}.html").write_text(page, encoding="utf-8")
    write_json(folder / f"{name}.json", finding.to_json())
