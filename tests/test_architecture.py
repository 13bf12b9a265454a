"""Who may import whom: the contracts of pyproject.toml, and what Python really loads. Every check has a twin."""

import inspect
import json
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
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
PACKAGES = ("reference", "torch_impl", "comparisons", "l1_parity")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
ROOMS, SILENT, SEPARATE, NUMPY_ALONE = (contract["name"] for contract in CONTRACTS)
LAYERS = [layer.split(" | ") for layer in CONTRACTS[0]["layers"]]

# file, the import that is planted there, the contract that refuses it
PLANTS = [
    ("torch_impl/train.py", "from reference.l1 import penalty", SEPARATE),
    ("torch_impl/l1.py", "import reference.network", SEPARATE),
    ("torch_impl/network.py", "from comparisons.studies.styles import SMALL", ROOMS),
    ("reference/train.py", "import torch", NUMPY_ALONE),
    ("reference/data.py", "from torch_impl.network import Network", ROOMS),
    ("comparisons/runs/trace.py", "import comparisons.diagnosis", ROOMS),
    ("comparisons/studies/article.py", "import comparisons.tables.article", ROOMS),
    ("comparisons/agreement/traces.py", "import comparisons.recorders.plain", ROOMS),
    ("comparisons/tables/article.py", "import comparisons.report.page", ROOMS),
    ("comparisons/same_training.py", "import rich", SILENT),
    ("comparisons/recorders/plain.py", "import typer", SILENT),
    ("l1_parity/__init__.py", "import comparisons.tables.article", SILENT),
    ("l1_parity/pytest_plugin.py", "import comparisons.commands.compare", SILENT),
    *(  # every room imports the one above it
        (f"{room.replace('.', '/')}{'/__init__' if (ROOT / room.replace('.', '/')).is_dir() else ''}.py", line, ROOMS)
        for above, below in pairwise(LAYERS)
        for room in below
        for line in [f"import {above[0]}"]
    ),
]

LINT = """
import contextlib, io, json, sys
from pathlib import Path

sys.path.insert(0, "")
from importlinter.cli import lint_imports

reports = []
for file, line, _ in [(None, "", ""), *json.load(sys.stdin)]:
    path = Path(file or "pyproject.toml")
    text = path.read_text()
    path.write_text(text + line)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = lint_imports(no_cache=True, no_logo=True)
    path.write_text(text)
    reports.append((status, out.getvalue()))
print(json.dumps(reports))
"""


def copy_packages(folder):
    """A copy of the four packages and pyproject.toml that a test may spoil."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def plant(checkout, file, line):
    """Add an import to a module."""
    path = checkout / file
    path.write_text(path.read_text() + f"\n{line}\n")


def lint(checkout, plants):
    """The linter's exit status and report: of the checkout as it is, and with each plant alone."""
    done = subprocess.run(
        [sys.executable, "-c", LINT], cwd=checkout, input=json.dumps(plants), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(name="checkout")
def copy_for_one_test(tmp_path):
    """A copy for one test."""
    return copy_packages(tmp_path)


@pytest.fixture(name="reports", scope="module")
def all_reports(tmp_path_factory):
    """What the linter says to every plant, by its file and line, and to None: one process for all."""
    found = lint(copy_packages(tmp_path_factory.mktemp("checkout")), PLANTS)
    return dict(zip([None, *(plant[:2] for plant in PLANTS)], found, strict=True))


def loaded(checkout, module):
    """Which modules Python has loaded once it has imported a module."""
    program = f"import sys; sys.path.insert(0, '.'); import {module}; print(*sorted(sys.modules))"
    names = subprocess.run([sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=True)
    return names.stdout.split()


def test_import_contracts_are_kept(reports):
    """The four contracts of pyproject.toml."""
    status, report = reports[None]

    assert "Contracts: 4 kept, 0 broken." in report
    assert 0 == status


@pytest.mark.parametrize(("file", "line", "contract"), PLANTS, ids=[f"{line} in {file}" for file, line, _ in PLANTS])
def test_a_forbidden_import_breaks_its_contract(reports, file, line, contract):
    """Twin: each planted import is refused, by the contract that is about it."""
    status, report = reports[file, line]

    assert f"{contract} BROKEN" in " ".join(report.split())
    assert 1 == status


def test_torch_impl_loads_none_of_the_references_mathematics(checkout):
    """At run time too: the experiment, the data and the errors, and nothing else of the reference."""
    names = loaded(checkout, "torch_impl.train")

    assert {"torch_impl.l1", "torch_impl.network", "torch_impl.rounding"} <= set(names)
    assert ["reference", "reference.data", "reference.errors", "reference.experiment", "reference.files"] == [
        name for name in names if name.startswith("reference")
    ]


def test_an_import_in_init_is_seen_at_run_time(checkout):
    """Twin: a re-export in reference/__init__.py, which keeps all contracts, is found by loading."""
    plant(checkout, "reference/__init__.py", "from reference.train import train")

    ((status, _),) = lint(checkout, [])

    assert 0 == status
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


def test_both_sides_have_the_same_signatures():
    """step and predict take and give the same; train takes the same, and the reference's a step besides."""
    sides = ((reference.train.step, torch_impl.train.step), (reference.network.predict, torch_impl.network.predict))
    for one, other in sides:
        assert inspect.signature(one) == inspect.signature(other)
    one, other = (list(inspect.signature(side.train).parameters) for side in (reference.train, torch_impl.train))
    assert [*other, "step"] == one


@pytest.mark.parametrize("package", ["reference", "torch_impl", "comparisons"])
def test_init_is_a_docstring(package):
    """No imports in __init__.py: they would load what nobody asked for."""
    lines = (ROOT / package / "__init__.py").read_text().split('"""')

    assert ["", "\n"] == [lines[0], lines[2]]


def test_styles_are_named_in_tables_alone():
    """No branch on a style's name: `== "penalty"` and the like occur nowhere."""
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for style in reference.l1.STYLES:
            assert f'= "{style}"' not in path.read_text().replace(f'style: str = "{style}"', "")
