"""The types of the four packages, as mypy reads them with the settings of pyproject.toml."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def mypy(*arguments):
    """Its exit status and the last line that it prints."""
    done = subprocess.run([sys.executable, "-m", "mypy", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_mypy_finds_nothing():
    """In none of the files of the four packages."""
    packages = ("reference", "torch_impl", "comparisons", "l1_parity")
    files = sum(1 for package in packages for _ in (ROOT / package).rglob("*.py"))

    assert (0, f"Success: no issues found in {files} source files") == mypy()


@pytest.mark.slow
def test_a_wrong_type_is_noticed(tmp_path):
    """Twin: a function without types, and a text that is said to be a number."""
    (tmp_path / "wrong.py").write_text('def one(x): return x\nnumber: int = "one"\n')

    assert (1, "Found 2 errors in 1 file (checked 1 source file)") == mypy(str(tmp_path / "wrong.py"))
