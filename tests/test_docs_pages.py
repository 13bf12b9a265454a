"""docs/: every number on the page comes from a result file, and every result file from a command."""

import copy
import re
import runpy
import shlex
from pathlib import Path

import pytest

from comparisons.studies.differences import DIFFERENCES, by_hand
from reference.l1 import STYLES
from tests.faults.table import FAULTS

DOCS = Path(__file__).parents[1] / "docs"
RENDER = runpy.run_path(str(DOCS / "render.py"))
PAGE = (DOCS / "implementation-differences.md").read_text(encoding="utf-8")
TEMPLATE = (DOCS / "implementation-differences.md.j2").read_text(encoding="utf-8")


@pytest.fixture(name="results")
def committed_results():
    """What the page is made of, free to be spoilt."""
    return copy.deepcopy(RENDER["load"](DOCS / "results"))


def test_the_page_is_what_the_results_give(results):
    """Rendered anew, it is the committed page to the last character."""
    assert RENDER["page"]("implementation-differences.md", results) == PAGE


def test_another_result_is_another_page(results):
    """Twin: every figure that changes in the result file, and every example by hand, makes the page disagree."""
    template, found = RENDER["template"]("implementation-differences.md"), results["differences"]
    sides = [(row.name, found[row.name]["other"]) for row in DIFFERENCES] + [("place, one", found["place"]["one"])]
    numbers = [(name, side, key) for name, side in sides for key in ("train", "test", "sum_abs", "small", "zeros")]
    unseen = []
    for name, side, key in [*numbers, ("by hand", results["by_hand"]["momentum, penalty"], "8, 9, 9")]:
        kept = side[key]
        side[key] = kept + 1
        unseen += [(name, key)] if template.render(results) == PAGE else []
        side[key] = kept

    assert [] == unseen
    assert template.render(results) == PAGE


def test_the_page_of_faults_is_what_the_results_give(results):
    """Rendered anew, it is the committed page; twin: another sentence is another page."""
    page = (DOCS / "diagnosis.md").read_text(encoding="utf-8")
    assert RENDER["page"]("diagnosis.md", results) == page

    results["faults"][3]["says"] += "!"
    assert RENDER["page"]("diagnosis.md", results) != page


def test_the_page_has_every_fault(results):
    """In the order of the table, and said as the tests hold it to be said."""
    assert [fault.code.__name__ for fault in FAULTS] == [row["name"] for row in results["faults"]]
    for fault, row in zip(FAULTS, results["faults"], strict=True):
        assert fault.says in row["says"]
        assert (fault.update, list(fault.parameters)) == (row["update"], row["parameters"])


def test_every_difference_is_on_the_page(results):
    """A result that is missing is an error, and none is left out."""
    shown = re.findall(r'(?:numbers|row)\((?:"[^"]*", "[^"]*", )?"(\w+)"', TEMPLATE)
    assert {row.name for row in DIFFERENCES} == set(shown)
    assert {row.name for row in DIFFERENCES} == set(results["differences"])
    del results["differences"]["biases"]
    with pytest.raises(Exception, match="biases"):
        RENDER["page"]("implementation-differences.md", results)


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
    for name in ("place_translated", "scaled_falling_translated", "reduction_translated"):
        assert found[name]["first_update"] is None
    for name in ("regrouped", "summation"):
        assert found[f"{name}_rounded"]["first_update"] is None
        assert 0 < found[f"{name}_float64"]["differing"]
    for key in ("train", "test", "zeros", "small"):
        assert found["precision"]["one"][key] == found["precision"]["other"][key]
    assert found["precision"]["one"]["sum_abs"] == pytest.approx(found["precision"]["other"]["sum_abs"], rel=1e-4)
    assert 0.1 < found["precision"]["largest_gap"] / found["rounding"]["largest_gap"] < 10
    assert found["clipping"]["other"]["sum_abs"] < found["clipping"]["one"]["sum_abs"]
    assert found["place"]["updates"] % 2 == 0
    assert found["listing"]["other"]["sum_abs"] > found["listing"]["one"]["sum_abs"]
    assert (189, 27) == (found["listing"]["other"]["train"], found["listing"]["other"]["test"])
    assert found["threshold"]["one"]["zeros"] == 0 < found["threshold"]["other"]["zeros"]
    assert found["debt"]["one"]["zeros"] < found["debt"]["other"]["zeros"]
    assert abs(found["threshold"]["one"]["sum_abs"] - found["threshold"]["other"]["sum_abs"]) < 0.1
    assert 0 < found["momentum_translated"]["largest_gap"]
    assert 201 == found["shuffling"]["first_update"]
    assert by_hand() == results["by_hand"]
    for style in ("decoupled", "clipped", "proximal", "cumulative"):
        assert results["by_hand"]["penalty"]["8, 9"] == pytest.approx(results["by_hand"][style]["8, 9"], rel=1e-14)
    assert set(STYLES) < set(results["by_hand"])


def test_every_section_is_complete():
    """What differs, who, what it does, how to tell, how to make them agree."""
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:-1]

    assert 14 == len(sections)
    for section in sections:
        for part in ("**Who", "**What it does", "**How to tell.**", "**To make them agree.**", "\n    "):
            assert part in section, section.splitlines()[0]


def test_links_lead_somewhere():
    """Headings of the page itself, and files beside it."""
    anchors = {
        re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert link[1:] in anchors if link.startswith("#") else (DOCS / link).is_file(), link


# numbers that the template may name itself: of the experiment, and of examples that test_differences.py works by hand
NAMED = {
    "numbers of the network and its data": "10 8 4 112 200 40 0.001",
    "versions": "1.1",
    "numbers of an experiment": "0.01 0.05 0.1 0.9 0.001 10000 5 32 64",
    "examples of one weight, of a batch and of an output": "8 9 5 0.0003 0.002 0.1 0.7 0.2 0.1 1 0",
    "in formulas and words": "0 1 2 3 16 7 1e-16",
}


def test_no_number_is_typed():
    """What is no number of the experiment and of no example is taken from a result file."""
    typed = re.sub(r"{#.*?#}|{{.*?}}|{%.*?%}", " ", TEMPLATE, flags=re.DOTALL)
    numbers = set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e-\d+)?", typed))

    assert set() == numbers - set(" ".join(NAMED.values()).split())


COMMANDS = dict.fromkeys(re.findall(r"`python -m comparisons ((?:lamda|parity) [^`]*)`", PAGE))
QUICK = {"lamda": [], "parity": ["--epochs", "1", "--batch-size", "50"]}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_on_the_page_work(command, run):
    """Each is understood; no translation is promised that is not there."""
    verb, *options = shlex.split(command)
    status, out, _ = run(verb, *options, *QUICK[verb])

    assert 0 == status
    assert "" != out


def test_every_result_file_has_its_command():
    """In `make docs`, and on the page."""
    makefile = (DOCS.parent / "Makefile").read_text(encoding="utf-8")
    for file, command in RENDER["COMMANDS"].items():
        assert command.replace("python", "\t$(RUN)", 1) in makefile
        assert f"`{command}`" in PAGE
        assert (DOCS / "results" / file).is_file()
    assert {path.name for path in (DOCS / "results").iterdir()} == set(RENDER["COMMANDS"])
