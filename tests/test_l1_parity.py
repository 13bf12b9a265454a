"""l1_parity: what users import, what that loads, and what is said where a project has modules of the same names."""

import ast
import subprocess
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import l1_parity
from l1_parity.own_packages import HOME, PACKAGES, check_found, load

EXPORTS = {
    "comparisons.same_training": ["TrainingDiffersError", "assert_same_training", "compare"],
    "comparisons.diagnosis.finding": ["Finding"],
    "comparisons.recorders.plain": ["Recorder"],
    "comparisons.runs.trace": ["open_trace"],
    "comparisons.lamda.translation": ["translate_lamda"],
    "reference.experiment": ["Experiment"],
    "reference.errors": ["InputError"],
    "comparisons.recorders.pytorch": ["record"],
    "torch_impl.groups": ["sparsity", "split_parameters"],
    "torch_impl.l1": ["STYLES", "attach", "with_penalty"],
}
NAMES = [(module, name) for module, names in EXPORTS.items() for name in names]
WITH_TORCH = EXPORTS["comparisons.recorders.pytorch"] + EXPORTS["torch_impl.groups"] + EXPORTS["torch_impl.l1"]
WITHOUT_TORCH = [name for _, name in NAMES if name not in WITH_TORCH]


def loaded_by(*lines):
    """The modules that a program of these lines has loaded, beside those that are loaded before it."""
    program = ["import sys; before = set(sys.modules)", *lines, "print(*set(sys.modules) - before)"]
    done = subprocess.run([sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[name for _, name in NAMES])
def test_exports(module, name):
    """Each name is what the module that defines it calls so, and is listed."""
    found = getattr(l1_parity, name)

    assert getattr(import_module(module), name) is found
    assert module == getattr(found, "__module__", module)  # STYLES is a dict, which knows no module
    assert name in l1_parity.__all__
    assert name in dir(l1_parity)


def test_the_lists_of_names_are_one():
    """__all__, what is loaded lazily, and what a type checker reads name the same."""
    types = ast.parse(Path(l1_parity.__file__).with_suffix(".pyi").read_text())
    checked = [(line.module, alias.name) for line in types.body[1:] for alias in line.names]

    assert sorted(NAMES) == sorted(checked)
    assert sorted(NAMES) == sorted((module, name) for name, module in l1_parity.MODULES.items())
    assert sorted(name for _, name in NAMES) == sorted(l1_parity.__all__)


def test_an_unknown_name_is_an_attribute_error():
    """As in any module: hasattr is False."""
    assert not hasattr(l1_parity, "no_such")
    with pytest.raises(ImportError, match="cannot import name 'no_such' from 'l1_parity'"):
        from l1_parity import no_such  # noqa: F401


def test_import_loads_nothing():
    """No NumPy, no torch, no pytest: itself alone."""
    assert {"l1_parity"} == loaded_by("import l1_parity")


def test_the_plugin_loads_nothing():
    """Nothing that pytest has not loaded already: every project of an environment with l1-parity loads the plugin."""
    found = loaded_by("import pytest; before = set(sys.modules)", "import l1_parity.pytest_plugin")

    assert {"l1_parity", "l1_parity.pytest_plugin"} == found


def test_torch_is_loaded_only_by_what_needs_it():
    """Comparing, recording arrays and λ do without; neither the command line nor any table is loaded. Twin: attach."""
    found = loaded_by(f"from l1_parity import {', '.join(WITHOUT_TORCH)}")
    above = ("comparisons.commands", "comparisons.report", "comparisons.tables", "comparisons.studies")

    assert {"numpy", "comparisons.same_training"} <= found
    assert not {"torch", "typer", "rich", "pytest"} & found
    assert [] == [name for name in found if name.startswith(above)]
    assert "torch" in loaded_by("from l1_parity import attach")


def test_own_packages_are_found():
    """In this checkout: the three folders beside l1_parity/."""
    check_found()

    assert str(Path(l1_parity.__file__).parents[1]) == HOME
    assert import_module("reference.l1") is load("reference.l1")


def module_without_file(name, monkeypatch):
    """A module that a program has made."""
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    return f"a module {name} without a file is found first: rename it, or run from another folder"


def folder_elsewhere(name, monkeypatch):
    """A package, or a folder of files, of another project."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package=True)
    module.__spec__.submodule_search_locations = [f"/their/{name}"]
    monkeypatch.setitem(sys.modules, name, module)
    return f"/their/{name} is found first: rename it, or run from another folder"


def file_elsewhere(name, monkeypatch):
    """A module of another project."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, origin=f"/their/{name}.py")
    monkeypatch.setitem(sys.modules, name, module)
    return f"/their/{name}.py is found first: rename it, or run from another folder"


def nothing(name, monkeypatch):
    """Python does not find it at all."""
    monkeypatch.setitem(sys.modules, name, None)
    return "it is not found"


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("hide", [module_without_file, folder_elsewhere, file_elsewhere, nothing])
def test_what_is_in_the_way_is_said_in_one_line(name, hide, monkeypatch):
    """By the library and by the program."""
    message = f"l1-parity needs its own package {name}, and {hide(name, monkeypatch)}"
    with pytest.raises(ImportError) as raised:
        load("comparisons.same_training")

    assert message == str(raised.value)


def test_the_program_says_it_too(monkeypatch, capsys):
    """One line on stderr and exit status 2."""
    from l1_parity.__main__ import main

    message = file_elsewhere("reference", monkeypatch)

    assert 2 == main()
    assert ("", f"error: l1-parity needs its own package reference, and {message}\n") == capsys.readouterr()


def test_paths_may_be_text(tmp_path):
    """Recorder, open_trace and compare take a path as text; a Finding tells the verdict."""
    for name in ("a.npz", "b.npz"):
        with l1_parity.Recorder(str(tmp_path / name)) as trace:
            for update in range(3):
                trace.update({"w": np.arange(4.0) + update})
    found = l1_parity.compare(str(tmp_path / "a.npz"), str(tmp_path / "b.npz"))

    assert 3 == l1_parity.open_trace(str(tmp_path / "a.npz")).columns["w"].rows
    assert isinstance(found, l1_parity.Finding)
    assert found.report.startswith("EQUAL")
