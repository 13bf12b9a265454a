"""Stricter than in use: one thread, and NumPy raises where it would warn."""

import os
import subprocess
import sys
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import pytest
import torch

import reference.data
from comparisons.__main__ import main

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True, scope="session")
def strict_arithmetic():
    """Overflow and invalid operations are errors, and torch computes in one thread."""
    torch.set_num_threads(1)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


@pytest.fixture(autouse=True, scope="session")
def plain_text():
    """What is compared with README.md is plain text, whatever the terminal of the tests wishes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(name="data", scope="session")
def article_data():
    """The article's 200 training and 40 test items."""
    return reference.data.article()


@pytest.fixture(name="run")
def run_in_this_process(monkeypatch, capsys):
    """run(*arguments) of the program -> exit status, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["comparisons", *map(str, arguments)])
        status = main()
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def demo_program(tmp_path_factory):
    """`python -m comparisons article`, started, and the file it will write; ended with the tests at the latest."""
    path = tmp_path_factory.mktemp("article") / "article.json"
    call = [sys.executable, "-m", "comparisons", "article", "--json", str(path)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as program:
        yield program, path
        program.kill()


@pytest.fixture(autouse=True, scope="session")
def demo_beside_the_tests(request, plain_text):
    """It takes most of the time: where a test needs it, it trains from the start, while the other tests run."""
    if any(needs_the_demo(item) for item in request.session.items):
        request.getfixturevalue("demo_program")


def needs_the_demo(item):
    """Does the test look at what the program printed or wrote?"""
    return "demo" in item.fixturenames


def pytest_collection_modifyitems(items):
    """Fast tests first, those that wait for the demo last."""
    items.sort(key=lambda item: (item.get_closest_marker("slow") is not None, needs_the_demo(item)))
