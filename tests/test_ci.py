"""What .ci/run trains beside the tests: the article's further rows, once."""

import re
import shlex
from dataclasses import replace
from itertools import product
from pathlib import Path

import comparisons.commands.article
from comparisons.studies.article import FURTHER_ROWS, ROWS
from reference.errors import InputError
from reference.experiment import Experiment

CI = (Path(__file__).parents[1] / ".ci" / "run").read_text()


def chosen(option):
    """What the `parity` command of .ci/run has for a repeated option."""
    words = shlex.split(re.search(r"comparisons parity (.*)", CI)[1])
    return [value for name, value in zip(words[::2], words[1::2], strict=True) if name == option]


def test_the_matrix_is_the_further_rows():
    """All else is as `parity` has it by default; λ does nothing in `none`."""
    default = Experiment()
    expected = [(row.experiment.style, row.experiment.loss) for row in FURTHER_ROWS]

    assert sorted(expected) == sorted(product(chosen("--style"), chosen("--loss")))
    for row in FURTHER_ROWS:
        lamda = {"none": default.lamda}.get(row.experiment.style, row.experiment.lamda)
        assert default == replace(row.experiment, style=default.style, loss=default.loss, lamda=lamda)


def test_all_adds_them_to_the_article(run, monkeypatch):
    """`article --all` trains the five rows and the further ones; without --all, the five."""
    asked = []

    def train(rows):
        asked.append(rows)
        raise InputError("nothing is trained here")

    monkeypatch.setattr(comparisons.commands.article, "train", train)

    assert [2, 2] == [run("article", *options)[0] for options in ([], ["--all"])]
    assert [ROWS, ROWS + FURTHER_ROWS] == asked
