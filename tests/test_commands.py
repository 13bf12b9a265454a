"""The command line: exit statuses, one line for bad input, result files."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import torch_impl.train
from comparisons.agreement.bits import FirstDifference
from comparisons.agreement.free_run import Agreement
from comparisons.agreement.ties import RoundingTie
from comparisons.runs.targets import json_writer
from comparisons.studies import parity
from comparisons.studies.styles import NetworkSummary
from comparisons.tables.parity import entry as entry_of
from comparisons.tables.parity import print_table, status, to_json
from comparisons.tables.terminal import console, new_table
from reference.experiment import Experiment
from reference.l1 import STYLES

IRIS = str(Path(__file__).parents[1] / "data" / "iris.csv")
QUICK = ["parity", "--epochs", "1", "--batch-size", "50"]


REFUSED = {
    "unknown style": (["--style", "lasso"], f"style must be one of {', '.join(STYLES)}; got lasso"),
    "negative lamda": (["--lamda", "-1"], "lamda must be a finite number >= 0; got -1.0"),
    "lamda not finite": (["--lamda", "nan"], "lamda must be a finite number >= 0; got nan"),
    "lamda not a number": (["--lamda", "much"], "Invalid value for '--lamda': a number is needed; got much"),
    "seed not whole": (["--seed", "1.5"], "Invalid value for '--seed': a whole number is needed; got 1.5"),
    "lr zero": (["--lr", "0"], "lr must be a finite number > 0; got 0.0"),
    "sizes and data": (["--sizes", "4-8-3"], "sizes must begin with 10 (features) and end with 4 (classes) for the"),
    "sizes not numbers": (["--sizes", "10-x-4"], "sizes must be whole numbers joined by '-', such as 10-8-4; got 10-x"),
    "momentum": (["--momentum", "1"], "momentum must be a number >= 0 and < 1; got 1.0"),
    "momentum not finite": (["--momentum", "nan"], "momentum must be a number >= 0 and < 1; got nan"),
    "optimizer": (["--optimizer", "lion"], "optimizer must be one of sgd, momentum, adam; got lion"),
    "schedule": (["--lr-schedule", "cosine"], "lr_schedule must be one of constant, inverse; got cosine"),
    "schedule of lamda": (["--lamda-schedule", "up"], "lamda_schedule must be one of constant, inverse; got up"),
    "reduction": (["--reduction", "max"], "reduction must be one of mean, sum; got max"),
    "batch too large": (["--batch-size", "201"], "batch_size must be at most 200, the training items of the article's"),
    "epochs": (["--epochs", "-1"], "epochs must be a whole number >= 0; got -1"),
    "seed": (["--seed", "-1"], "seed must be a whole number >= 0; got -1"),
    "loss": (["--loss", "mse"], "loss must be one of squared_error, cross_entropy; got mse"),
    "derivative": (["--softmax-derivative", "half"], "softmax_derivative for squared_error must be one of full, diag"),
    "precision": (["--precision", "half"], "precision must be one of rounded, float64, float32; got half"),
    "no such file": (["--data", "none.csv"], "none.csv: cannot be read (No such file or directory)"),
    "a folder": (["--data", "folder.csv"], "folder.csv: cannot be read (Is a directory)"),
    "unknown option": (["--lambda", "1"], "No such option: --lambda"),
    "json folder": (["--json", "none/r.json"], "--json none/r.json: there is no folder none"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_line_and_exit_2(run, tmp_path, monkeypatch, options, message):
    """What was wrong, where, what is allowed: one line on stderr, nothing on stdout, no traceback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    status, out, err = run("parity", *options)

    assert 2 == status
    assert err.startswith(f"error: {message}")
    assert 1 == err.count("\n")
    assert "" == out


def test_parity_on_a_file(run, tmp_path):
    """Exit 0, and a result file with every field of every experiment of the matrix."""
    path = tmp_path / "result.json"
    status, out, _ = run(
        *QUICK, "--data", IRIS, "--style", "none", "--style", "tack_on", "--seed", 0, "--seed", 1, "--json", path
    )
    entries = json.loads(path.read_text())["experiments"]

    assert 0 == status
    assert "4 of 4 runs agree bit for bit, after every update." in out
    assert [("none", 0), ("none", 1), ("tack_on", 0), ("tack_on", 1)] == [(e["style"], e["seed"]) for e in entries]
    for entry in entries:
        assert {field.name for field in fields(Experiment)} <= set(entry)
        assert (3, 0, 67, None) == tuple(entry[k] for k in ("updates", "differing", "parameters", "first_difference"))
        assert [4, 8, 3] == entry["sizes"]


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_other_precisions_are_compared_in_lockstep(run, tmp_path, precision):
    """Exit 0; how much of the tolerance was used is reported."""
    status, out, _ = run(*QUICK, "--precision", precision, "--json", tmp_path / "r.json")
    (entry,) = json.loads((tmp_path / "r.json").read_text())["experiments"]

    assert 0 == status
    assert "1 of 1 runs agree within the tolerance of every single update (lockstep)." in out
    assert "lockstep" == entry["check"]
    assert 0 < entry["tolerance_used"] <= 1


def test_certify_adds_lockstep(run, tmp_path):
    """A rounded run with --certify says how far it was from a differing bit."""
    status, out, _ = run(*QUICK, "--certify", "--json", tmp_path / "r.json")
    (entry,) = json.loads((tmp_path / "r.json").read_text())["experiments"]

    assert 0 == status
    assert "1 certified." in out
    assert entry["certified"] is True
    assert entry["least_margin"] > 1


@pytest.mark.parametrize(
    "options",
    [["--epochs", "0"], ["--lr", "1e-30"], ["--epochs", "0", "--precision", "float64"], ["--epochs", "0", "--certify"]],
    ids=["no update", "no move", "no lockstep", "no certificate"],
)
def test_nothing_compared_is_exit_3(run, tmp_path, options):
    """Zero epochs, and a learning rate so small that rounding undoes every update."""
    status, out, _ = run(*QUICK, *options, "--json", tmp_path / "r.json")

    assert 3 == status
    assert json.loads((tmp_path / "r.json").read_text())["experiments"]
    assert "NOTHING COMPARED" in out
    assert "0 of 1 runs agree" in out


def test_a_run_that_overflows_is_exit_3(run):
    """NaN on both sides is no agreement, and no difference."""
    with np.errstate(all="ignore"):
        status, out, _ = run(*QUICK[:3], "--lr", "1e308", "--loss", "cross_entropy", "--precision", "float64")

    assert 3 == status
    assert "NOTHING PROVED: after update 3 a value is NaN or infinite on both sides" in out


def test_a_difference_is_exit_1_and_says_where(data, monkeypatch, capsys):
    """Update, parameter, index, both values and the command that repeats it are printed; JSON has them too."""
    right = torch_impl.train.train
    monkeypatch.setattr(torch_impl.train, "train", lambda e, d: right(replace(e, lamda=2 * e.lamda), d))
    results = [parity.free_run(parity.ParityCheck(Experiment(epochs=1), data), lambda _n: None)]
    print_table(results)
    out = capsys.readouterr().out
    (entry,) = to_json(results)["experiments"]

    assert 1 == status(results)
    assert "DIFFERENT, free run: first at update 1, W1[0, 0]: reference 0.006" in out
    assert "again: python -m comparisons parity --seed 0 --lamda 0.001 --style penalty --epochs 1\n" in out
    assert "0 of 1 runs agree" in out
    assert (1, "W1", [0, 0]) == tuple(entry["first_difference"][k] for k in ("update", "parameter", "index"))
    assert entry["first_difference"]["reference"] != entry["first_difference"]["candidate"]


def test_nan_in_a_result_file_is_text(data, monkeypatch, tmp_path):
    """JSON has no NaN: the file stays readable by every parser."""

    def nan(experiment, data):
        return [[(W * np.nan, b) for W, b in p] for p in right(experiment, data)]

    right = torch_impl.train.train
    monkeypatch.setattr(torch_impl.train, "train", nan)
    results = [parity.free_run(parity.ParityCheck(Experiment(epochs=1), data), lambda _n: None)]
    json_writer(tmp_path / "r.json", "parity")(to_json(results))

    def refuse(constant):
        raise AssertionError(constant)

    (entry,) = json.loads((tmp_path / "r.json").read_text(), parse_constant=refuse)["experiments"]
    assert "nan" == entry["first_difference"]["candidate"]


APART = FirstDifference(7, "W2", [6, 0], 1.5, 1.25)
TIE = RoundingTie(1.4, 1.3, 6.0, 2)


@pytest.mark.parametrize(
    ("differing", "tie", "expected", "words"),
    [
        (0, TIE, 0, ("EQUAL AT THE END, free run: first at update 7, W2[6, 0]", "a rounding tie explains it")),
        (1, TIE, 1, ("DIFFERENT, free run: first at update 7, W2[6, 0]", "a rounding tie explains it")),
        (0, None, 1, ("DIFFERENT, free run: first at update 7, W2[6, 0]", "closest call 0 ULPs")),
    ],
    ids=["met again", "not met again", "no tie"],
)
def test_a_rounding_tie_on_the_way(data, capsys, differing, tie, expected, words):
    """It is reported, and it is exit 0 only where the runs are equal at the end and a tie is what parted them."""
    end = [(np.ones((1, 1)), np.ones(1))]
    agreement = Agreement(100, 2, differing, 5, APART, True, end, end)
    found = parity.ParityResult(
        parity.ParityCheck(Experiment(), data), "free run", agreement, NetworkSummary(0, 0, 0.0, 0, 0), 0, None, tie
    )
    print_table([found])
    out = capsys.readouterr().out
    entry = entry_of(found)

    assert expected == status([found])
    for part in (*words, "updates after which they differ: 5", f"{differing} of 2 differ at the end"):
        assert part in out
    assert f"{1 - expected} of 1 runs agree bit for bit, after every update" in out
    assert ("but for a rounding tie in 1, equal again at the end" in out) == (expected == 0)
    assert (5, tie and vars(tie)) == (entry["updates_apart"], entry["rounding_tie"])


def test_as_a_program():
    """python -m comparisons, in a process of its own, from another folder: exit 2 and one line; help is exit 0."""
    environment = {**os.environ, "COLUMNS": "80"}
    call = [sys.executable, "-m", "comparisons"]
    bad = subprocess.run(
        [*call, "parity", "--lamda", "-1"], capture_output=True, text=True, cwd="/", env=environment, check=False
    )
    good = subprocess.run([*call, "--help"], capture_output=True, text=True, cwd="/", env=environment, check=False)

    assert (2, "", "error: lamda must be a finite number >= 0; got -1.0\n") == (bad.returncode, bad.stdout, bad.stderr)
    assert 0 == good.returncode
    assert "article" in good.stdout


def living_processes(group):
    """The processes of a process group that have not ended."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, _parent, its_group, *_ = path.read_text().rsplit(")", 1)[1].split()
            found += int(its_group) == group and state != "Z"
    return found


def wait_until(true, seconds=60):
    """Look every tenth of a second."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_no_process_outlives_the_program(ending):
    """However the program ends, its workers end too; Ctrl-C is exit status 130, nothing on stderr and no file left."""
    call = [sys.executable, "-m", "comparisons", "parity", "--style", "none", "--style", "penalty"]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "start_new_session": True}
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(call, **options, env={**os.environ, "TMPDIR": folder}) as program,
    ):
        try:
            wait_until(lambda: living_processes(program.pid) >= 6)  # itself, forkserver, tracker, manager, two workers
            assert [] != os.listdir(folder)
            program.send_signal(ending)
            assert {signal.SIGINT: 130}.get(ending, -ending) == program.wait(timeout=60)
            wait_until(lambda: living_processes(program.pid) == 0)
            assert ending != signal.SIGINT or (b"", []) == (program.stderr.read(), os.listdir(folder))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [3, 4])
def test_ctrl_c_in_a_terminal_is_sent_to_all_processes(processes):
    """Those that are just starting leave it to the program: exit status 130, and nothing on stderr."""
    call = [sys.executable, "-m", "comparisons", "parity", "--style", "none", "--style", "penalty"]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "start_new_session": True}
    with subprocess.Popen(call, **options) as program:
        try:
            wait_until(lambda: living_processes(program.pid) >= processes)
            os.killpg(program.pid, signal.SIGINT)
            assert (130, b"") == (program.wait(timeout=60), program.stderr.read())
            wait_until(lambda: living_processes(program.pid) == 0)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)


INTERRUPTED_WITH_A_LOCK = """
import os, signal, sys
from concurrent.futures import Future
from comparisons.__main__ import main

def done(future):
    future._condition.acquire()
    os.kill(os.getpid(), signal.SIGINT)  # where a `with` has the lock, but is not yet bound to release it
    future._condition.release()
    return future._state == "FINISHED"

Future.done = done
sys.argv = ["comparisons", "parity", "--style", "none", "--style", "penalty"]
sys.exit(main())
"""


@pytest.mark.slow
def test_no_interrupt_leaves_a_lock_locked():
    """Ctrl-C in the instant in which the lock of a future is taken ends the program as at any other time."""
    program = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WITH_A_LOCK], capture_output=True, timeout=60, check=False
    )

    assert (130, b"", b"") == (program.returncode, program.stdout, program.stderr)


def test_a_table_shows_control_characters_and_markup_as_text(capsys):
    """Whatever a name has in it: it steers no terminal, is no colour and no picture."""
    table = new_table(["na[red]me of what is in this column"], [])
    table.add_row("a\x1b[2J [bold]b :smile: \u202e")
    out = console()
    out.print(table)
    out.print("c\x1b[0m [/]\nd")

    assert ["na[red]me of what is in this column", r"a\x1b[2J [bold]b :smile: \u202e", r"c\x1b[0m [/]", "d"] == [
        line.rstrip() for line in capsys.readouterr().out.splitlines()
    ]
