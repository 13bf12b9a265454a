"""README, CONTRIBUTING and the hand-written pages of docs/: what they show is what the code does."""

import importlib
import inspect
import pkgutil
import re
import shlex
import subprocess
import sys
import textwrap

import pytest

import l1_parity
from comparisons.__main__ import load
from l1_parity import TrainingDiffersError
from reference.l1 import STYLES
from tests.pages import BLOCKS, ROOT, commands, missing

DOCS = ROOT / "docs"
README, CONTRIBUTING = (ROOT / name for name in ("README.md", "CONTRIBUTING.md"))
PAGES = [README, CONTRIBUTING, *sorted(DOCS.rglob("*.md"))]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}

QUOTES = re.findall(r"<!-- (\S+\.py): (\w+) -->\n *```python\n(.*?) *```", TEXTS["CONTRIBUTING.md"], re.DOTALL)


# --- what is shown is what happens --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["parity", "lamda"])
def test_an_example_is_what_the_program_prints(name):
    """The command in the README, run as it stands there, prints what is shown below it."""
    command, shown = re.search(rf"<!-- {name} -->\n```\n\$ python (.*)\n((?:.*\n)*?)```", TEXTS["README.md"]).groups()
    done = subprocess.run([sys.executable, *shlex.split(command)], capture_output=True, text=True, cwd=ROOT, check=True)

    assert shown == done.stdout


def test_the_readmes_assertion_fails_with_the_report(tmp_path, monkeypatch):
    """The README's Python block raises the error whose message is shown below it."""
    monkeypatch.chdir(tmp_path)
    code, report = (block["text"] for block in list(BLOCKS.finditer(TEXTS["README.md"]))[:2])
    with pytest.raises(TrainingDiffersError) as error:
        exec(code, {})

    assert report == f"{error.value}\n"


RUN = ["compare", "lamda", "parity", "styles"]


@pytest.mark.parametrize("page", RUN)
def test_a_page_does_what_it_says(page, tmp_path, monkeypatch, run, in_one_process):
    """In a folder with nothing but the data, from the top to the end: files, commands, Python."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    for block in BLOCKS.finditer(TEXTS[f"docs/{page}.md"]):
        if block["kind"] == "toml":
            (tmp_path / block["name"]).write_text(block["text"])
        elif block["kind"] == "python":
            exec(block["text"], {})
        for command, shown in commands(block["text"]):
            status, out, err = run(*shlex.split(command.removeprefix("python -m comparisons ")))

            assert missing(shown, out) is None, f"{command}\n{out}{err}"
            assert (2, "") != (status, out)
            if block["name"] == "compare" and shown:
                assert "\n".join(shown) == out.removesuffix("\n")


def test_nothing_that_is_shown_is_not_run():
    """Every Python and console block is on a page that is run; the README has one, CONTRIBUTING quotes."""
    for name, text in TEXTS.items():
        kinds = [block["kind"] for block in BLOCKS.finditer(text)]
        if "how-to" not in name and name.removeprefix("docs/").removesuffix(".md") not in RUN:
            allowed = {"README.md": ["python"], "CONTRIBUTING.md": ["python"] * len(QUOTES)}.get(name, [])
            assert allowed == [kind for kind in kinds if kind]


def test_a_command_is_understood():
    """Every command on any page has options that there are; none is run."""
    found = set().union(*(re.findall(r"python -m comparisons ([^`\n>]*)", text) for text in TEXTS.values()))
    assert 30 < len(found)
    for command in sorted(found):
        if "…" not in command:
            verb, *options = shlex.split(command, comments=True)
            load(verb).make_context(verb, options)


def test_an_unknown_option_is_noticed():
    """Twin."""
    with pytest.raises(Exception, match="No such option: --lambda"):
        load("lamda").make_context("lamda", ["--lambda", "1"])


# --- what is shown is what is there -------------------------------------------------------------------------------


def test_the_readme_is_short_and_names_the_two_commands():
    """At most 150 lines."""
    assert 150 >= len(TEXTS["README.md"].splitlines())
    assert {"make demo", "make test"} <= set(re.findall(r"^make \w+", TEXTS["README.md"], re.MULTILINE))


def test_the_readme_lists_every_style_by_its_formula():
    """A row for each style, with its formula."""
    for name, style in STYLES.items():
        row = TEXTS["README.md"].split(f"| `{name}` |")[1].splitlines()[0].replace("\\|", "|")
        assert style.formula.replace(" ", "") in row.replace(" ", "")


@pytest.mark.parametrize(("file", "name", "shown"), QUOTES, ids=[f"{file} {name}" for file, name, _ in QUOTES])
def test_contributing_quotes_the_source(file, name, shown):
    """Each function is all of the function of that name, each row stands in the table of that file."""
    code = textwrap.dedent(shown)
    if name == "row":
        assert textwrap.indent(code, "    ") in (ROOT / file).read_text(encoding="utf-8")
    else:
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        assert inspect.getsource(getattr(module, name)) == code


def test_every_make_target_exists():
    """What a page tells to make is in the Makefile."""
    targets = set().union(*(re.findall(r"`make ([\w-]+)|^make ([\w-]+) +#", text, re.M) for text in TEXTS.values()))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert {"demo", "test", "parity", "docs", "bench"} <= {one or other for one, other in targets}
    for one, other in targets:
        assert f"\n{one or other}:" in makefile


def anchors(text):
    """The headings of a page, as links name them."""
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name):
    """To a file of the repository, and to a heading of it; nothing outside of it is named."""
    assert "://" not in TEXTS[name]
    for link in re.findall(r"\]\(([^)]+)\)", TEXTS[name]):
        file, _, heading = link.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.is_file(), link
        assert not heading or heading in anchors(path.read_text(encoding="utf-8")), link


def test_the_index_lists_every_page():
    """Each page of docs/ once."""
    listed = re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", TEXTS["docs/index.md"], re.MULTILINE)

    assert sorted(
        page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if page.name != "index.md"
    ) == sorted(listed)


def test_users_import_from_one_name():
    """What l1_parity exports is imported from there on every page, and no extra is installed as if from an index."""
    for name, text in TEXTS.items():
        for module, imported in re.findall(r"^from (\S+) import (.*)$", text, re.MULTILINE):
            if set(imported.split(", ")) & set(l1_parity.__all__):
                assert "l1_parity" == module, name
        assert text.count("l1-parity[") == text.count("pip install 'PATH/TO/l1-parity["), name


def test_what_moved_is_where_the_changelog_says():
    """Every path in its table's column "now" can be imported: a module, or a name in one."""
    table = re.findall(r"^\| `.* \| (`.*) \|$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    found = re.findall(r"`(\w+(?:\.\w+)+)`", " ".join(table))

    assert 40 < len(found)
    for path in found:
        pkgutil.resolve_name(path)


TERMS = re.findall(r"^\| ([a-zA-Z ]+) \|", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)[1:]


def unexplained(text):
    """The terms of the glossary that a page uses, and does not mark in italics where it explains them."""
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|^    .*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    used = [term for term in TERMS if re.search(rf"\b{term}s?\b", prose)]
    return [term for term in used if not re.search(rf"(?i)(?<!\*)\*[a-z ]*{term}s?\*(?!\*)", prose)]


@pytest.mark.parametrize("name", [name for name in TEXTS if name.startswith(("docs/", "README"))])
def test_a_page_explains_its_terms(name):
    """Ten terms are in the glossary; where a page uses one, it explains it, and marks it so."""
    assert ["update", "style", "trace", "ULP", "rounded precision", "free run", "lockstep"] == TERMS[:7]
    assert ["digest", "rounding tie", "closest call"] == TERMS[7:]
    if name not in ("docs/index.md", "docs/glossary.md", "docs/reading-the-code.md"):
        assert [] == unexplained(TEXTS[name])


def test_a_term_without_an_explanation_is_noticed():
    """Twin."""
    assert ["digest"] == unexplained("An *update* has a digest, and updates have `trace`.")
