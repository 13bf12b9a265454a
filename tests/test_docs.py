"""README and CONTRIBUTING: what they show is what the code does."""

import inspect
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import reference.l1
import torch_impl.l1
from reference.l1 import STYLES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("name", ["parity", "lamda"])
def test_an_example_is_what_the_program_prints(name):
    """The command in the README, run as it stands there, prints what is shown below it."""
    command, shown = re.search(rf"<!-- {name} -->\n```\n\$ python (.*)\n((?:.*\n)*?)```", README).groups()
    done = subprocess.run([sys.executable, *shlex.split(command)], capture_output=True, text=True, cwd=ROOT, check=True)

    assert shown == done.stdout


def test_the_two_commands_that_record_and_compare(tmp_path, monkeypatch):
    """Run one after the other in an empty folder: the second prints what is shown, and exits with 1."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    first, second, shown = re.search(
        r"<!-- compare -->\n```\n\$ python (.*)\n\$ python (.*)\n((?:.*\n)*?)```", README
    ).groups()
    done = [
        subprocess.run([sys.executable, *shlex.split(c)], capture_output=True, text=True, cwd=tmp_path, check=False)
        for c in (first, second)
    ]

    assert [0, 1] == [one.returncode for one in done]
    assert shown == done[1].stdout


PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", PYTHON, ids=["compare", "hooks", "record"])
def test_the_python_examples_run(code, tmp_path, monkeypatch):
    """The README's Python blocks."""
    monkeypatch.chdir(tmp_path)
    exec(code, {})


def test_the_readme_lists_every_style_by_its_formula():
    """A row for each style, with the formula that its docstring begins with."""
    for name, style in STYLES.items():
        row = README.split(f"| `{name}` |")[1].splitlines()[0].replace("\\|", "|")
        assert style.formula.replace(" ", "") in row.replace(" ", "")


def shown(block):
    """The Python that CONTRIBUTING shows below a comment."""
    code = CONTRIBUTING.split(f"<!-- {block} -->")[1].split("```python\n")[1].split("```")[0]
    return textwrap.dedent(code.rstrip(" "))


@pytest.mark.parametrize("side", [reference.l1, torch_impl.l1], ids=["reference", "torch_impl"])
def test_contributing_quotes_the_source(side):
    """The function and the row of a style that it shows are those in the code."""
    file = Path(side.__file__).relative_to(ROOT).as_posix()

    assert inspect.getsource(side.proximal) == shown(f"{file}: proximal")
    assert textwrap.indent(shown(f"{file}: row"), "    ") in inspect.getsource(side)


@pytest.mark.parametrize("target", re.findall(r"^`?(make \w+)|`(make \w+)`", README, re.MULTILINE))
def test_every_make_target_exists(target):
    """What the README tells to make is in the Makefile."""
    assert f"\n{''.join(target).split()[1]}:" in (ROOT / "Makefile").read_text()
