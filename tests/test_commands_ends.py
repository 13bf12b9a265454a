"""How the program ends: exit status 1 says that runs differ, and nothing else; any error is one line."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import comparisons.__main__ as program

ROOT = Path(__file__).parents[1]


@pytest.fixture(name="runs", scope="module")
def three_runs(tmp_path_factory):
    """A folder with a.npz, the equal b.npz, and c.npz, which differs."""
    folder = tmp_path_factory.mktemp("runs")
    walk = np.random.default_rng(0).normal(size=(9, 4)).cumsum(axis=0).astype(np.float32)
    for name, states in {"a": walk, "b": walk, "c": walk * np.float32(1.25)}.items():
        np.savez(folder / f"{name}.npz", updates=np.arange(9), W=states, header=f'{{"run": "{name}"}}')
    return folder


def ran(folder, *arguments, **options):
    """The exit status and stderr of a command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | options.pop("env", {})
    call = [sys.executable, "-m", "comparisons", *arguments]
    options = {"stdout": subprocess.PIPE} | options
    done = subprocess.run(call, cwd=folder, env=environment, stderr=subprocess.PIPE, timeout=60, **options)
    return done.returncode, done.stderr.decode(errors="replace")


def closed_pipe():
    """A pipe that nobody reads."""
    reads, writes = os.pipe()
    os.close(reads)
    return writes


SAME, OTHER = ("compare", "a.npz", "b.npz"), ("compare", "a.npz", "c.npz")
ENDS = {  # arguments, options of the process, exit status, what stderr has
    "equal": (SAME, {}, 0, ""),
    "different": (OTHER, {}, 1, ""),
    "nothing proved": (("compare", "a.npz", "a.npz"), {}, 3, ""),
    "no such file": (("compare", "a.npz", "none.npz"), {}, 2, "error: none.npz: cannot be read (No such file"),
    "no such option": ((*SAME, "--fast"), {}, 2, "error: No such option: --fast"),
    "no such command": (("compares",), {}, 2, "error: No such command 'compares'"),
    "a target without a folder": ((*OTHER, "--json", "none/x"), {}, 2, "error: --json none/x: there is no folder none"),
    "a target that is a trace": ((*OTHER, "--json", "a.npz"), {}, 2, "error: --json a.npz: a.npz is the same file"),
    "ASCII": (OTHER, {"env": {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}}, 1, ""),
    "an encoding without escapes": (OTHER, {"env": {"PYTHONIOENCODING": "idna"}}, 1, ""),
}


@pytest.mark.parametrize(("arguments", "options", "status", "said"), ENDS.values(), ids=ENDS)
def test_a_status_for_each_end(runs, arguments, options, status, said):
    """And one line for an error."""
    found, stderr = ran(runs, *arguments, **options)

    assert status == found
    assert stderr.startswith(said) if said else stderr == ""
    assert stderr.count("\n") == bool(said)


@pytest.mark.parametrize("arguments", [SAME, OTHER, ("--help",), ("compare", "--help")], ids=" ".join)
def test_output_that_cannot_be_written(runs, arguments):
    """A full disk is 2 and one line, a pipe that nobody reads 141 and none."""
    with Path("/dev/full").open("wb") as full:
        status, stderr = ran(runs, *arguments, stdout=full)
    writes = closed_pipe()
    piped = ran(runs, *arguments, stdout=writes)
    os.close(writes)

    assert (2, 1) == (status, stderr.count("\n"))
    assert "No space left on device" in stderr
    assert (141, "") == piped


def test_a_current_folder_that_is_gone(tmp_path):
    """One line: torch would end the program with another."""
    (tmp_path / "gone").mkdir()
    program_there = f"cd gone; rmdir ../gone; exec {sys.executable} -m comparisons parity --epochs 1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", program_there], cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert (2, "") == (done.returncode, done.stdout)
    assert "error: the current folder cannot be used (No such file or directory)\n" == done.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [(RuntimeError("odd\nthing"), "RuntimeError: odd thing"), (SystemExit(1), "SystemExit: 1")],
    ids=["an error", "an exit"],
)
def test_an_error_that_nobody_foresaw_is_not_1(monkeypatch, capsys, error, said):
    """It is 2, and one line that says where it was raised."""

    def raise_it(_name):
        raise error

    monkeypatch.setattr(program, "run", raise_it)
    monkeypatch.setattr(program.atexit, "register", lambda _function: None)

    assert 2 == program.main()
    stderr = capsys.readouterr().err
    assert stderr.startswith(f"error: {said} (in ")
    assert 1 == stderr.count("\n")
