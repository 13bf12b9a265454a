"""The how-to pages: every file that they show is written, every command run, and what they show is printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import BLOCKS, ROOT, commands, missing

PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page, tmp_path):
    """In an empty folder, from the top to the end."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "96"}
    ran = 0
    for block in BLOCKS.finditer(page.read_text()):
        if block["name"]:
            (tmp_path / block["name"]).write_text(block["text"])
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
        assert bool(block["name"]) == (block["kind"] == "python")
        assert block["kind"] == "python" or block["text"].startswith("$ ")
