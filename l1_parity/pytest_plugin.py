"""For pytest: the reports of failed comparisons as files with --parity-report=FOLDER, and their figures for JUnit.

Every project that has l1-parity installed loads this module: it imports nothing that pytest has not loaded already.
"""

import os
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """--parity-report=FOLDER."""
    parser.getgroup("training parity").addoption(
        "--parity-report", metavar="FOLDER", help="Write an HTML and a JSON file there for every comparison that fails."
    )


REPORTS = pytest.StashKey[Path]()  # the folder, as long as it can be used


def pytest_collection_finish(session: pytest.Session) -> None:
    """Before any test runs, but not before the project's own modules are found: can the folder be used?

    If not, that is one warning, and nothing is written. In a project whose own modules hide this package's it is an
    error.
    """
    config = session.config
    if not (named := config.getoption("--parity-report")):
        return
    from l1_parity.own_packages import check_found

    try:
        check_found()
    except ImportError as error:
        raise pytest.UsageError(f"--parity-report: {error}") from None
    config.stash[REPORTS] = folder = config.invocation_params.dir / named  # tests may change the current folder
    try:
        check_reports(folder)
    except Exception as error:
        worker = getattr(config, "workerinput", {"workerid": "gw0"})["workerid"]
        give_up(config, error, silently=worker != "gw0")  # one of pytest-xdist's workers says it for all


def check_reports(folder: Path) -> None:
    """Raise InputError unless the folder is there, or can be made, and can be written to."""
    from comparisons.runs import targets

    with targets.writing(folder):
        while not os.path.lexists(folder.parent):
            folder = folder.parent
    targets.check_folder(folder)


def give_up(config: pytest.Config, error: Exception, silently: bool = False) -> None:
    """Write nothing more, and say why in one warning."""
    del config.stash[REPORTS]
    if not silently:
        warn(config, f"{error}; no reports are written")


def warn(config: pytest.Config, said: str) -> None:
    """One warning, recorded: raised, -W error would make an internal error of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(f"--parity-report: {said}", pytest.PytestWarning, stacklevel=1)
    record = {"warning_message": caught[0], "when": "config", "nodeid": "", "location": None}
    config.hook.pytest_warning_recorded.call_historic(kwargs=record)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """JUnit properties and the files; the report itself is the message of the error."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, failure()):
        with suppress(Exception):  # of a finding of another kind: what the test says is not changed by it
            item.user_properties.extend(properties(error.finding))
        if folder := item.config.stash.get(REPORTS, None):
            try:
                write(folder, item.nodeid, error.finding)
            except Exception as fault:  # of this test's page: the others have pages of their own
                warn(item.config, f"{fault}; there is no report of {item.nodeid}")
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


MARK = '<meta name="generator" content="l1-parity pytest">'  # a page with it may be replaced
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8">{mark}<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>:root {{ color-scheme: light dark }} body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
font: 1rem/1.5 system-ui }} pre {{ white-space: pre-wrap; font: .9rem/1.5 ui-monospace, monospace }}</style>
<h1>{title}</h1>
<pre>{report}</pre>
</html>
"""


def write(folder: Path, test: str, finding: Any) -> None:
    """One page and one result file, named after the test; those of an earlier failure of the test are replaced.

    Raises InputError where they cannot be written, or a file of that name is the user's.
    """
    import html

    from comparisons.runs import targets

    with targets.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    name = name_of(test)
    page = PAGE.format(mark=MARK, title=html.escape(test), report=html.escape(finding.report))
    keep = targets.json_writer(folder / f"{name}.json", "pytest")
    target = targets.check_target(folder / f"{name}.html", lambda head: MARK.encode() in head, "page of this plugin")
    result = finding.to_json()
    targets.write(target, page.encode(errors="backslashreplace"))
    keep(result)


def name_of(test: str) -> str:
    """A file name that no other test has, on any file system: the test's readable part, and a digest of all of it."""
    import hashlib
    import re

    digest = hashlib.sha256(test.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{re.sub(r'[^A-Za-z0-9_.]+', '-', test).strip('-.')[:150]}-{digest}"
