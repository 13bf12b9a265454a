"""Stricter than in use: one thread, and NumPy raises where it would warn."""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import pytest
import torch

import reference.data


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


def pytest_collection_modifyitems(items):
    """Fast tests first."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
