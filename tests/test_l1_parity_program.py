"""The program, by its three names, and under `python -OO`, where Python keeps no docstrings."""

import json
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import l1_parity.__main__
from comparisons.__main__ import COMMANDS, main
from comparisons.commands.report import lasting
from comparisons.report.files import MAKER
from comparisons.report.pictures import NAMES
from comparisons.runs.targets import json_writer
from comparisons.studies import article, article_words

ROOT = Path(__file__).parents[1]

SEVERAL = """
import contextlib, io, json, sys
from comparisons.__main__ import main

found = []
for arguments in json.load(sys.stdin):
    sys.argv = ["comparisons", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = main()
    found.append([status, out.getvalue()])
print(json.dumps([__doc__, found]))
"""


def without_docstrings(calls):
    """[exit status, stdout] of several calls of the program, all in one process of `python -OO`."""
    call = [sys.executable, "-OO", "-c", SEVERAL]
    done = subprocess.run(call, cwd=ROOT, input=json.dumps(calls), capture_output=True, text=True, check=True)
    doc, found = json.loads(done.stdout)
    assert doc is None
    return found


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch):
    """Here and in every process that is started."""
    monkeypatch.setenv("COLUMNS", "80")


def test_one_program(monkeypatch, capsys):
    """l1-parity is python -m comparisons; each says its own name in its help."""
    monkeypatch.setattr(sys, "argv", ["any", "--help"])
    found = []
    for program in (main, l1_parity.__main__.main):
        assert 0 == program()
        found.append(re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines())  # some CI asks for colours

    assert ["Usage:", "python", "-m", "comparisons"] == found[0][1].split()[:4]
    assert ["Usage:", "l1-parity"] == found[1][1].split()[:2]
    assert found[0][2:] == found[1][2:]


@pytest.mark.parametrize("name", ["comparisons", "l1_parity"])
def test_as_a_module(name):
    """python -m comparisons --version and python -m l1_parity --version: name and version."""
    call = [sys.executable, "-m", name, "--version"]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (0, f"l1-parity {metadata.version('l1-parity')}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_a_version_that_nobody_knows_is_one_line(run, monkeypatch):
    """Where the packages are not installed, only found."""

    def unknown(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", unknown)

    assert (2, "", "error: No package metadata was found for l1-parity\n") == run("--version")


def test_help_loads_no_command(run):
    """The list of commands is short of NumPy, too. Twin: a command's own help."""
    program = "import sys; from comparisons.__main__ import main; main(); print(*sys.modules, file=sys.stderr)"
    listed, own = (
        set(
            subprocess.run(
                [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
            ).stderr.split()
        )
        for arguments in (["--help"], ["compare", "--help"])
    )

    assert not {"numpy", "torch", "comparisons.commands"} & listed
    assert {"numpy", "comparisons.commands.compare"} <= own
    assert all(command in run("--help")[1] for command in COMMANDS)


@pytest.fixture(name="results")
def small_results(tmp_path):
    """A folder with the article's rows after one epoch, the documentation's styles, and a drawing for each figure."""
    rows = [article.train_row(lasting(row, 1), lambda _updates: None) for row in article.ROWS]
    json_writer(tmp_path / "article.json", "article")(article_words.to_json(rows))
    shutil.copy(ROOT / "docs" / "results" / "styles.json", tmp_path)
    for name in NAMES:
        (tmp_path / f"{name}.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg"><!-- {MAKER} --></svg>')
    return tmp_path


@pytest.mark.slow
def test_no_command_hangs_on_docstrings(run, results, tmp_path):
    """Every help, the list of commands, parity, lamda, compare and report are under python -OO what they are here."""
    runs, page = tmp_path / "runs", tmp_path / "page"
    helps = [["--help"], *([command, "--help"] for command in COMMANDS)]
    calls = [
        ["parity", "--style", "penalty", "--style", "tack_on", "--epochs", "1", "--batch-size", "50"],
        ["lamda", "--from", "penalty", "--to", "tack_on", "--optimizer", "momentum"],
        ["compare", f"{runs}/1-reference.npz", f"{runs}/2-candidate.npz"],
        ["report", "--results", str(results), "--out", str(page)],
    ]
    expected = [
        [*run(*call, *options)[:2]] for call, options in zip(calls, [["--save", runs], [], [], []], strict=True)
    ]
    html = (page / "index.html").read_text()

    assert [*(list(run(*call)[:2]) for call in helps), *expected] == without_docstrings(helps + calls)
    assert [0, 0, 1, 0] == [status for status, _ in expected]
    assert html == (page / "index.html").read_text()
