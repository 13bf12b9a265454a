"""The two sides are independent: import contracts, and what Python really loads. Each check is shown able to fail."""

import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import reference.l1
import reference.network
import reference.optimizers
import reference.train
import torch_impl.l1
import torch_impl.network
import torch_impl.train

ROOT = Path(__file__).parents[1]
PACKAGES = ("reference", "torch_impl", "comparisons")


@pytest.fixture(name="checkout")
def copy_of_the_packages(tmp_path):
    """A copy of the three packages and pyproject.toml that a test may spoil."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(checkout, file, line):
    """Add an import to a module."""
    path = checkout / file
    path.write_text(path.read_text() + f"\n{line}\n")


def contracts(checkout):
    """Run the import contracts of pyproject.toml there."""
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=checkout, capture_output=True, text=True, check=False
    )


def loaded(checkout, module):
    """Which modules of the reference Python has loaded once it has imported a module."""
    program = f"import sys; sys.path.insert(0, '.'); import {module}; print(*sorted(sys.modules))"
    names = subprocess.run([sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=True)
    return names.stdout.split()


def test_import_contracts_are_kept(checkout):
    """comparisons → torch_impl → reference.experiment and .data; the reference imports NumPy alone."""
    found = contracts(checkout)

    assert "Contracts: 3 kept, 0 broken." in found.stdout
    assert 0 == found.returncode


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("torch_impl/train.py", "from reference.l1 import penalty"),
        ("torch_impl/l1.py", "import reference.network"),
        ("torch_impl/network.py", "from comparisons.studies.styles import SMALL"),
        ("reference/train.py", "import torch"),
        ("reference/data.py", "from torch_impl.network import Network"),
    ],
    ids=["the oracle's update", "its network", "upwards", "torch in the oracle", "torch_impl in the oracle"],
)
def test_a_forbidden_import_breaks_a_contract(checkout, file, line):
    """Twin: each planted import is found."""
    plant(checkout, file, line)
    found = contracts(checkout)

    assert "BROKEN" in found.stdout
    assert 1 == found.returncode


def test_torch_impl_loads_none_of_the_references_mathematics(checkout):
    """At run time too: the experiment and the data, and nothing else of the reference."""
    names = loaded(checkout, "torch_impl.train")

    assert {"torch_impl.l1", "torch_impl.network", "torch_impl.rounding"} <= set(names)
    assert ["reference", "reference.data", "reference.experiment"] == [n for n in names if n.startswith("reference")]


def test_an_import_in_init_is_seen_at_run_time(checkout):
    """Twin: a re-export in reference/__init__.py, which keeps all contracts, is found by loading."""
    plant(checkout, "reference/__init__.py", "from reference.train import train")

    assert 0 == contracts(checkout).returncode
    assert "reference.l1" in loaded(checkout, "torch_impl.train")


def test_the_reference_loads_no_torch(checkout):
    """The oracle runs where torch is not installed; neither side needs the command line's libraries."""
    names = loaded(checkout, "reference.train")

    assert not {"torch", "typer", "rich", "torch_impl", "comparisons"} & set(names)
    assert not {"typer", "comparisons"} & set(loaded(checkout, "torch_impl.train"))


def test_the_core_needs_none_of_the_extras():
    """The command line comes up, and `parity` works, where none of what the extras install is there."""
    program = (
        "import sys; sys.modules |= dict.fromkeys(["
        "'matplotlib', 'jinja2', 'sklearn', 'hypothesis', 'pytest', 'keras', 'jax', 'flax', 'optax']);"
        "sys.argv = ['comparisons', 'parity', '--epochs', '1', '--batch-size', '50'];"
        "from comparisons.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    assert "1 of 1 runs agree bit for bit" in done.stdout


@pytest.mark.parametrize(("command", "expected"), [("compare", False), ("article", True)], ids=["no", "twin: yes"])
def test_two_traces_are_compared_without_torch(tmp_path, command, expected):
    """`compare` does not wait for torch to be loaded; its options are understood without it."""
    program = (
        f"import sys; sys.argv = ['comparisons', '{command}', '--help'];"
        "from comparisons.__main__ import main; main();"
        "print('torch is loaded:', 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert f"torch is loaded: {expected}" in done.stdout


def test_both_sides_have_the_same_tables():
    """A style, a loss or a precision that is missing on one side is named here."""
    assert list(reference.l1.STYLES) == list(torch_impl.l1.STYLES)
    assert list(reference.network.DELTAS) == list(torch_impl.network.LOSSES)
    assert list(reference.train.ROUNDING) == list(torch_impl.train.ROUNDING)
    assert list(reference.train.REDUCTIONS) == list(torch_impl.train.REDUCTIONS)
    assert list(reference.optimizers.OPTIMIZERS) == list(torch_impl.train.OPTIMIZERS)
    assert list(reference.optimizers.OPTIMIZERS) == list(torch_impl.train.OF_OPTIMIZER)


def test_both_sides_have_the_same_signatures():
    """step and predict take and give the same; train takes the same, and the reference's a step besides."""
    sides = ((reference.train.step, torch_impl.train.step), (reference.network.predict, torch_impl.network.predict))
    for one, other in sides:
        assert inspect.signature(one) == inspect.signature(other)
    one, other = (list(inspect.signature(side.train).parameters) for side in (reference.train, torch_impl.train))
    assert [*other, "step"] == one


@pytest.mark.parametrize("package", PACKAGES)
def test_init_is_a_docstring(package):
    """No imports in __init__.py: they would load what nobody asked for."""
    lines = (ROOT / package / "__init__.py").read_text().split('"""')

    assert ["", "\n"] == [lines[0], lines[2]]


def test_styles_are_named_in_tables_alone():
    """No branch on a style's name: `== "penalty"` and the like occur nowhere."""
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for style in reference.l1.STYLES:
            assert f'= "{style}"' not in path.read_text().replace(f'style: str = "{style}"', "")
