"""The how-to pages: every file that they show is written, every command run, and what they show is printed."""

import os
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
BLOCKS = re.compile(r"(?:<!-- (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)


def commands(text):
    """The commands of a console block, and the lines that each must print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def missing(shown, printed):
    """The first shown line that is not printed below the ones before it; … stands for anything."""
    lines = iter(printed.splitlines())
    for pattern in shown:
        glob = re.sub(r"([\[\]?*])", r"[\1]", pattern).replace("…", "*")
        if not any(fnmatchcase(line, glob) for line in lines):
            return pattern
    return None


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page, tmp_path):
    """In an empty folder, from the top to the end."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "96"}
    ran = 0
    for block in BLOCKS.finditer(page.read_text()):
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["text"])
        for command, shown in commands(block["text"]) if block["kind"] == "console" else ():
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            ran += 1

            assert missing(shown, done.stdout) is None, f"{command}\n{done.stdout}{done.stderr}"
            assert shown or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert ran


def test_a_line_that_is_not_printed_is_noticed():
    """Twin: in another order, or with another word."""
    assert missing(["a …", "c [1]"], "a b\nx\nc [1]") is None
    assert "a …" == missing(["c", "a …"], "a b\nc")
    assert "a c" == missing(["a c"], "a b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_has_its_place(page):
    """Python is a file, a console has commands: nothing that is shown is not run."""
    blocks = list(BLOCKS.finditer(page.read_text()))

    assert {"python", "console"} == {block["kind"] for block in blocks}
    for block in blocks:
        assert bool(block["file"]) == (block["kind"] == "python")
        assert block["kind"] == "python" or block["text"].startswith("$ ")
