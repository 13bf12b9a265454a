"""What is installed, and from where."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_has_exactly_the_three_packages(tmp_path):
    """Everything git tracks in reference, torch_impl and comparisons, and nothing else."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("l1_parity-*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    expected = {
        path.relative_to(ROOT).as_posix()
        for package in ("reference", "torch_impl", "comparisons")
        for pattern in ("*.py", "*.j2")
        for path in (ROOT / package).rglob(pattern)
    }
    assert expected == names


def test_constraints_are_exact_versions_without_addresses():
    """name==version on every line, torch 2.13.0 among them."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]

    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    assert "torch==2.13.0" in lines


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "Makefile", ".ci/run"])
def test_no_network_address_is_committed(name):
    """Where packages come from is the user's own configuration."""
    assert "://" not in (ROOT / name).read_text()
