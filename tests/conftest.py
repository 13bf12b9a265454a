"""Stricter than in use: one thread, and NumPy raises where it would warn."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import pytest

import reference.data
from comparisons.__main__ import main
from comparisons.studies import parallel

ROOT = Path(__file__).parents[1]
# what a terminal may wish of a program; and CI, where pytest prints more of each error
TERMINAL = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "CI", "BUILD_NUMBER")


@pytest.fixture(autouse=True, scope="session")
def strict_arithmetic():
    """Overflow and invalid operations are errors, and torch computes in one thread."""
    import torch  # not by the process that only hands out the tests

    torch.set_num_threads(1)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


@pytest.fixture(autouse=True, scope="session")
def plain_text():
    """What is compared with README.md is plain text, whatever the terminal of the tests wishes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in TERMINAL:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(name="data", scope="session")
def article_data():
    """The article's 200 training and 40 test items."""
    return reference.data.article()


@pytest.fixture(name="iris", scope="session")
def flowers():
    """iris(1e3): the flowers in other units, so that tanh is saturated and a gradient is nothing but rounding."""
    known = reference.data.load(ROOT / "data" / "iris.csv")
    return lambda times: replace(known, x_train=known.x_train * times)


@pytest.fixture(name="run")
def run_in_this_process(monkeypatch, capsys):
    """run(*arguments) of the program -> exit status, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["comparisons", *map(str, arguments)])
        status = main()
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def in_one_process(monkeypatch):
    """Commands train one network after another in this process: starting others takes longer than a short run."""

    def one_by_one(work, items, updates, title):
        return [work(item, lambda _updates: None) for item in items]

    monkeypatch.setattr(parallel, "side_by_side", one_by_one)


def start_the_demo(config):
    """The command of `make demo`, beside the tests: it takes most of the time. One program serves all workers."""
    command = re.search(r"^demo: .*\n\t@\$\(RUN\) (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    folder = Path(os.environ["L1_PARITY_DEMO"])
    call = shlex.join([sys.executable, *shlex.split(command), "--json", str(folder / "article.json")])
    script = f"cd {folder}; {call} > out 2> err; echo $? > part; mv part status"
    environment = {name: value for name, value in os.environ.items() if name not in TERMINAL} | {
        "PYTHONPATH": str(ROOT)
    }
    program = subprocess.Popen(["nice", "sh", "-c", script], env=environment, start_new_session=True)
    config.add_cleanup(lambda: end(program))


def end(program):
    """However the tests end, the program and its workers end with them."""
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGTERM)
    program.wait()


def pytest_configure(config):
    """The folder of the demo's result, which workers learn from the environment."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory()
        os.environ["L1_PARITY_DEMO"] = folder.name
        config.add_cleanup(folder.cleanup)


def pytest_collection_finish(session):
    """Where one process runs all tests, and some of them look at the demo."""
    if not hasattr(session.config, "workerinput") and any(map(needs_the_demo, session.items)):
        start_the_demo(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node, ids):
    """The same, where workers run the tests (each of them has collected all)."""
    if node.gateway.id == "gw0" and any("test_studies_article.py" in name for name in ids):
        start_the_demo(node.config)


def needs_the_demo(item):
    """Does the test look at what the program printed or wrote?"""
    return "demo" in item.fixturenames


def pytest_collection_modifyitems(items):
    """Fast tests first, those that wait for the demo last."""
    items.sort(key=lambda item: (item.get_closest_marker("slow") is not None, needs_the_demo(item)))
