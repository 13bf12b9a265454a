"""docs/: every number on the page comes from a result file, and every result file from a command."""

import copy
import re
import runpy
from pathlib import Path

import pytest

from comparisons.differences import DIFFERENCES
from reference.l1 import STYLES

DOCS = Path(__file__).parents[1] / "docs"
RENDER = runpy.run_path(str(DOCS / "render.py"))
PAGE = (DOCS / "implementation-differences.md").read_text(encoding="utf-8")


@pytest.fixture(name="results")
def committed_results():
    """What the page is made of, free to be spoilt."""
    return copy.deepcopy(RENDER["load"](DOCS / "results"))


def test_the_page_is_what_the_results_give(results):
    """Rendered anew, it is the committed page to the last character."""
    assert RENDER["page"](results) == PAGE


@pytest.mark.parametrize("name", [row.name for row in DIFFERENCES])
@pytest.mark.parametrize("key", ["train", "sum_abs", "zeros"])
def test_another_result_is_another_page(results, name, key):
    """Twin: a number that changes in a result file makes the page disagree."""
    results["differences"][name]["other"][key] += 1

    assert RENDER["page"](results) != PAGE


def test_every_difference_is_on_the_page(results):
    """A result that is missing is an error, and none is left out."""
    template = (DOCS / "implementation-differences.md.j2").read_text(encoding="utf-8")
    assert {row.name for row in DIFFERENCES} == set(
        re.findall(r'(?:numbers|row)\((?:"[^"]*", "[^"]*", )?"(\w+)"', template)
    )
    assert {row.name for row in DIFFERENCES} == set(results["differences"])
    del results["differences"]["biases"]
    with pytest.raises(Exception, match="biases"):
        RENDER["page"](results)


def test_the_results_are_of_100_000_updates(results):
    """Every difference, trained as the page says, with the ways that the code has."""
    for row in DIFFERENCES:
        found = results["differences"][row.name]
        assert (100_000, 124) == (found["updates"], found["parameters"])
        for way, side in ((row.one, found["one"]), (row.other, found["other"])):
            assert way.words == side["words"]
            fields = {name: list(v) if isinstance(v, tuple) else v for name, v in vars(way.experiment).items()}
            assert fields == side["experiment"]


def test_what_the_page_says_in_words_is_so(results):
    """Its sentences on what agrees and on what grows, asked of the results."""
    found = results["differences"]
    assert found["sign_at_zero"]["first_update"] is None
    assert 0 == found["scaled"]["differing"] == found["reduction_translated"]["differing"]
    assert 0 == found["summation_rounded"]["differing"] < found["summation_float64"]["differing"]
    assert found["listing"]["other"]["sum_abs"] > found["listing"]["one"]["sum_abs"]
    assert (189, 27) == (found["listing"]["other"]["train"], found["listing"]["other"]["test"])
    assert found["threshold"]["one"]["zeros"] == 0 < found["threshold"]["other"]["zeros"]
    assert found["debt"]["one"]["zeros"] < found["debt"]["other"]["zeros"]
    assert abs(found["threshold"]["one"]["sum_abs"] - found["threshold"]["other"]["sum_abs"]) < 0.1
    assert 0 < found["momentum_translated"]["largest_gap"]
    assert 201 == found["shuffling"]["first_update"]
    assert {*STYLES, "sign after the step"} == set(results["probes"])


def test_every_section_is_complete():
    """What differs, who, what it does, how to tell, how to make them agree."""
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:-1]

    assert 14 == len(sections)
    for section in sections:
        for part in ("**What it does", "**How to tell.**", "**To make them agree.**", "\n    "):
            assert part in section, section.splitlines()[0]


def test_links_lead_somewhere():
    """Headings of the page itself, and files beside it."""
    anchors = {
        re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert link[1:] in anchors if link.startswith("#") else (DOCS / link).is_file(), link


def test_every_result_file_has_its_command():
    """In `make docs`, and on the page."""
    makefile = (DOCS.parent / "Makefile").read_text(encoding="utf-8")
    for file, command in RENDER["COMMANDS"].items():
        assert command.replace("python", "\t$(RUN)", 1) in makefile
        assert f"`{command}`" in PAGE
        assert (DOCS / "results" / file).is_file()
    assert {path.name for path in (DOCS / "results").iterdir()} == set(RENDER["COMMANDS"])
