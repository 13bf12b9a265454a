"""The page: formulas as MathML, figures inside HTML, result files read back, the command."""

import copy
import io
import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import asdict
from functools import partial
from pathlib import Path
from unicodedata import normalize

import pytest
from markupsafe import escape
from matplotlib.figure import Figure

import comparisons.report
import reference.l1
import reference.optimizers
from comparisons.agreement.bits import FirstDifference
from comparisons.commands.report import lasting
from comparisons.report import figures, page
from comparisons.report.files import Results, is_figure
from comparisons.report.formulas import clauses, mathml
from comparisons.report.pictures import NAMES, inline
from comparisons.runs.targets import finite
from comparisons.studies import article as article_study
from comparisons.studies import article_words, parallel, styles, styles_words
from comparisons.studies.styles_words import sentences
from reference.experiment import Experiment

# --- formulas -------------------------------------------------------------------------------------------------------

BY_HAND = {
    "names": ("λ sign w", "<mi>λ</mi>_<mi>sign</mi>_<mi>w</mi>"),
    "numbers": ("w − 0.5", "<mi>w</mi><mo>−</mo><mn>0.5</mn>"),
    "superscript": ("w⁺", "<msup><mi>w</mi><mo>+</mo></msup>"),
    "subscript": ("m₀", "<msub><mi>m</mi><mn>0</mn></msub>"),
    "both": ("β₂ᵗ", "<msubsup><mi>β</mi><mn>2</mn><mi>t</mi></msubsup>"),
    "prime": ("λ' η", "<msup><mi>λ</mi><mo>′</mo></msup>_<mi>η</mi>"),
    "hats": ("m̂", '<mover accent="true"><mi>m</mi><mo stretchy="false">ˆ</mo></mover>'),
    "root": ("√g²", "<msqrt><msup><mi>g</mi><mn>2</mn></msup></msqrt>"),
    "bars": (
        "|z| − |t|",
        '<mo form="prefix">|</mo><mi>z</mi><mo form="postfix">|</mo><mo>−</mo>'
        '<mo form="prefix">|</mo><mi>t</mi><mo form="postfix">|</mo>',
    ),
    "product": ("(1 − β) g", "<mo>(</mo><mn>1</mn><mo>−</mo><mi>β</mi><mo>)</mo>_<mi>g</mi>"),
    "less": ("v < 0", "<mi>v</mi><mo>&lt;</mo><mn>0</mn>"),
    "condition": ("c if v", "<mi>c</mi>__<mtext>if</mtext>__<mi>v</mi>"),
}


@pytest.mark.parametrize(("formula", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_mathml_by_hand(formula, expected):
    """One element for each letter, number and operator; _ is a thin space, __ a wide one."""
    found = mathml(formula).replace('<mspace width="0.17em"></mspace>', "_")

    assert f"<math>{expected}</math>" == found.replace('<mspace width="0.45em"></mspace>', "__")


SCRIPTS = {"msup": ["⁺ᵗ²"], "msub": ["₀₁₂"], "msubsup": ["₀₁₂", "⁺ᵗ²"]}


def written(element):
    """The formula that a MathML element shows, without its blanks."""
    inside = [written(child) for child in element]
    if element.tag in SCRIPTS:
        base, *scripts = inside
        return base + "".join(
            next(sign for sign in signs if normalize("NFKD", sign) == script)
            for signs, script in zip(SCRIPTS[element.tag], scripts, strict=True)
        )
    if element.tag == "mover":
        assert ["ˆ"] == inside[1:]
        return normalize("NFC", f"{inside[0]}\u0302")
    assert element.tag in {"math", "msqrt", "mi", "mn", "mo", "mtext", "mspace"}
    return ("√" if element.tag == "msqrt" else "") + (element.text or "") + "".join(inside)


FORMULAS = {name: row.formula for name, row in [*reference.l1.STYLES.items(), *reference.optimizers.OPTIMIZERS.items()]}


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_mathml_says_what_the_row_says(formula):
    """Read back, the clauses are the row's formula, but for blanks."""
    found = ",".join(written(ET.fromstring(mathml(clause))) for clause in clauses(formula))

    assert formula.replace(" ", "") == found


@pytest.mark.parametrize(("wrong", "right"), [("w⁺", "w"), ("−", "+"), ("λ", "η"), ("√", ""), ("ŝ", "s"), ("₂", "")])
def test_a_formula_that_says_something_else_is_noticed(wrong, right):
    """Twin: reading back tells apart what differs in one sign, mark or script."""
    formula = next(text for text in FORMULAS.values() if wrong in text)
    other = formula.replace(wrong, right)

    assert clauses(formula) != clauses(other)
    assert [written(ET.fromstring(mathml(c))) for c in clauses(formula)] != [
        written(ET.fromstring(mathml(c))) for c in clauses(other)
    ]


def test_an_unknown_character_is_refused():
    """A new style with a new sign is not set wrongly in silence."""
    with pytest.raises(ValueError, match="'∇' in 'w − ∇g' has no MathML yet"):
        mathml("w − ∇g")


def test_clauses_are_parted_by_two_blanks():
    """A comma and one blank are a part of a clause."""
    assert ["w⁺ = c if v, else 0", "c = S(v, t)"] == clauses("w⁺ = c if v, else 0,  c = S(v, t)")


# --- figures --------------------------------------------------------------------------------------------------------


def figure():
    """What matplotlib writes of a line in its axes."""
    file = io.StringIO()
    drawn = Figure(figsize=(4, 3))
    drawn.add_subplot(title="w").plot([0, 1], [0, 1], marker="o")
    drawn.savefig(file, format="svg", metadata={"Creator": figures.MAKER})
    return file.getvalue()


@pytest.fixture(name="svg", scope="module")
def a_figure():
    """One for all tests: its ids are other ones every time."""
    return figure()


def test_a_figure_in_a_page(svg):
    """No prolog, no addresses, no size of its own; what refers to an id finds it; its style sheet ends at its edge."""
    found = inline(svg, "paths", 'a "path"')
    root = ET.fromstring(found)
    references = re.findall(r'(?:href="|url\()#([\w-]+)', found)

    assert "://" in svg
    assert "://" not in found
    assert found.startswith("<svg ")
    assert {"id": "paths", "role": "img", "aria-label": 'a "path"', "version": "1.1"}.items() <= root.attrib.items()
    assert "0 0 288 216" == root.attrib["viewBox"]
    assert not {"width", "height"} & set(root.attrib)
    assert references
    assert set(references) <= {element.get("id") for element in root.iter()}
    assert all(sheet.text.startswith("#paths *{") for sheet in root.iter("style"))


def test_two_figures_share_no_id(svg):
    """The same file twice; twin: under one name they clash."""

    def ids(*names):
        return re.findall(r' id="([^"]*)"', "".join(inline(svg, name, "") for name in names))

    assert len(ids("a", "b")) == len(set(ids("a", "b"))) > 2
    assert len(ids("a", "a")) == 2 * len(set(ids("a", "a")))


# --- colours --------------------------------------------------------------------------------------------------------

TEMPLATE = (Path(page.__file__).parent / "template.html.j2").read_text()


def luminance(colour):
    """Relative luminance of #rrggbb, as WCAG defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """WCAG's ratio, from 1 to 21."""
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colours():
    """The variables of each colour scheme: light, dark, and print (over light)."""
    blocks = re.findall(r":root \{([^}]*--paper[^}]*)\}", TEMPLATE)
    light, dark, paper = (dict(re.findall(r"--(\w+): (#\w+);", block)) for block in blocks)
    return {"light": light, "dark": light | dark, "print": light | paper}


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
@pytest.mark.parametrize("name", ["ink", "quiet", "accent", "good", "bad"])
def test_text_can_be_read(scheme, name):
    """WCAG AA asks for a contrast of 4.5 between text and background; twin: lines, which are no text, have less."""
    found = {name: expanded(colour) for name, colour in colours()[scheme].items()}

    assert contrast(found[name], found["paper"]) >= 4.5
    assert contrast(found["line"], found["paper"]) < 4.5


def expanded(colour):
    """#abc as #aabbcc."""
    return colour if len(colour) == 7 else "#" + "".join(2 * c for c in colour[1:])


def test_contrast_by_hand():
    """Black on white is 21, the darkest grey that fails AA on white is #777777."""
    assert 21 == pytest.approx(contrast("#000000", "#ffffff"))
    assert contrast("#767676", "#ffffff") > 4.5 > contrast("#777777", "#ffffff")


# --- the page and the command ---------------------------------------------------------------------------------------


@pytest.fixture(name="article", scope="module")
def a_short_article():
    """The article's rows after one epoch, as a result file has them."""
    rows = [lasting(row, 1) for row in article_study.ROWS]
    return finite(article_words.to_json([article_study.train_row(row, lambda _updates: None) for row in rows]))


@pytest.fixture(name="styles_result", scope="module")
def styles_in_short(data):
    """Every style at one λ with two seeds, after one epoch, as a result file has them."""
    rows = styles.rows([Experiment(lamda=0.003, epochs=1)])
    outcomes = [styles.sweep(row, lambda _updates: None, (0, 1), data) for row in rows]
    return finite(styles_words.to_json(outcomes, styles.chatter(Experiment(epochs=2), data), data))


@pytest.fixture(name="run")
def run_command(run):
    """run(*options) of this command."""
    return partial(run, "report")


@pytest.fixture(name="results")
def a_folder_of_results(tmp_path, article, styles_result, svg):
    """A folder with the two result files, and some drawing for each figure."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "article.json").write_text(json.dumps(article))
    (folder / "styles.json").write_text(json.dumps(styles_result))
    for name in NAMES:
        (folder / f"{name}.svg").write_text(svg)
    return folder


@pytest.fixture(name="shown", scope="module")
def the_page_of_results(article, styles_result, svg):
    """What the command writes of the results, rendered once for all tests that only look at it."""
    return page.html(Results(article, styles_result, dict.fromkeys(NAMES, svg)), trained=False)


@pytest.fixture(name="html_of")
def the_page_of_an_article(styles_result):
    """html_of(article): a page with it, and no figures."""
    return lambda article: page.html(Results(article, styles_result, {}), trained=False)


def test_a_page_from_results(run, results, tmp_path, shown):
    """Exit 0; the page is written into a new folder, and says that it trained nothing; it can be written again."""
    for _ in range(2):
        found = run("--results", results, "--out", tmp_path / "new")
        html = (tmp_path / "new" / "index.html").read_text()

        assert (0, f"{tmp_path / 'new' / 'index.html'}\n", "") == found
        assert "this page was made from <code>article.json</code>" in html
        assert shown == html


def test_the_page_needs_nothing_from_elsewhere(shown):
    """No address, no script, no file beside it; twin: what would load something is found."""
    loads = r"://|<script|<link|<img|<iframe|<object|<embed|@import|@font-face|\b(?:src|srcset)=|href=\"[^#]|url\((?!#)"

    assert [] == re.findall(loads, shown)
    for planted in (
        '<img src="a.png">',
        '<link rel="x">',
        "@import 'a'",
        "url(a.png)",
        '<a href="b.shown">',
        "a://b",
    ):
        assert re.findall(loads, shown + planted)


def test_every_style_and_optimizer_has_its_row(shown):
    """A row for each key of the tables, with every clause of its formula, and the place where torch has it."""
    for name, formula in FORMULAS.items():
        row = shown.split(f'<th scope="row" role="rowheader"><code>{name}</code></th>')[1].split("</tr>")[0]
        for clause in clauses(formula):
            assert mathml(clause) in row
    assert [2, 5] == [shown.count(place) for place in page.PLACES.values()]


def test_what_the_article_says_is_taken_from_its_rows(article):
    """Equal rows are said to be equal; twins: a differing row and a missed figure are said, and are exit 1."""
    says, short = article_words.sentences, copy.deepcopy(article)
    assert "All 5 networks are equal bit for bit in NumPy and PyTorch, after every single update." == says(short)[3]
    assert says(short)[0].startswith("These runs are shorter than the article's")
    assert "With η·λ it gives the same figures as the penalty, in NumPy, in PyTorch and across." in says(short)[2]
    assert says(short)[2].startswith(
        "Tack-on with the same λ gives 38.00% train, 30.00% test, Σ|w| = 0.05: the learning"
    )
    assert 0 == article_words.status(short)

    for row in short["rows"][:2]:
        row["published"] = {side: row["torch"][side] for side in ("train", "test")}
    assert says(short)[0].startswith("Both published results are reproduced, by both implementations: no L1, ")
    assert 0 == article_words.status(short)

    short["rows"][1]["published"]["test"] += 1
    assert "NOT reproduced: the published figures for L1 as listed." == says(short)[0]
    assert 1 == article_words.status(short)

    other = copy.deepcopy(article)
    other["rows"][2]["first_difference"] = asdict(FirstDifference(3, "W1", [0, 1], 0.5, 1.0)) | {"candidate": "nan"}
    other["rows"][4]["torch"]["zeros"] += 1
    other["rows"][3]["numpy"]["train"] -= 1
    assert "NOT equal: explicit penalty at update 3, W1[0, 1]: reference 0.5, candidate nan." == says(other)[3]
    assert "it gives NOT the same figures as the penalty" in says(other)[2]
    assert says(other)[2].startswith("Tack-on with the same λ destroys the network (37.50% train")
    assert 1 == article_words.status(other)


def test_the_rows_of_the_article_are_found_wherever_they_are(article):
    """In any order, and among others; twin: a row of another loss is not taken for one of them."""
    other = copy.deepcopy(article)
    other["rows"].insert(0, {**copy.deepcopy(other["rows"][0]), "loss": "cross_entropy"})
    other["rows"][0]["numpy"]["sum_abs"] = -1.0
    other["rows"].reverse()

    assert article_words.sentences(article)[:3] == article_words.sentences(other)[:3]
    assert "All 6 networks" in article_words.sentences(other)[3]


def test_what_is_not_finite_is_shown(article, html_of):
    """A result file has "nan" for NaN; the page shows it and does not fail."""
    ill = copy.deepcopy(article)
    ill["rows"][0]["numpy"]["sum_abs"] = "nan"

    assert '<td class="n">nan</td>' in html_of(ill)


def test_values_are_escaped(article, html_of):
    """What a result file has as text is text on the page."""
    ill = copy.deepcopy(article)
    ill["rows"].append({**ill["rows"][0], "loss": "<b>"})

    assert "<td>&lt;b&gt;</td>" in html_of(ill)


SPOILT = {
    "no rows": ("article", lambda a: a.pop("rows")),
    "other rows": ("article", lambda a: a["rows"].reverse()),
    "too few rows": ("article", lambda a: a["rows"].pop()),
    "a field lacks": ("article", lambda a: a["rows"][0]["torch"].pop("zeros")),
    "a field of another type": ("article", lambda a: a["rows"][0].update(published=[188, 22])),
    "no updates": ("article", lambda a: a.update(updates=0)),
    "no styles": ("styles", lambda s: s["rows"].clear()),
    "no chatter": ("styles", lambda s: s.pop("chatter")),
    "a measure lacks": ("styles", lambda s: s["rows"][3].pop("objective")),
    "a row lacks": ("styles", lambda s: s["rows"].pop()),
    "a word for a number": ("styles", lambda s: s["rows"][3]["runs"][0].update(sum_abs="much")),
    "no runs": ("styles", lambda s: s["rows"][3]["runs"].clear()),
}
HOW = {"article": "article --json article.json", "styles": "styles --json styles.json --figures ."}


@pytest.mark.parametrize(("command", "spoil"), SPOILT.values(), ids=SPOILT)
def test_a_file_that_is_no_result_is_refused(run, results, tmp_path, command, spoil):
    """One line that says which file, and which command writes it; exit 2, nothing written."""
    path = results / f"{command}.json"
    ill = json.loads(path.read_text())
    spoil(ill)
    path.write_text(json.dumps(ill))

    assert (
        2,
        "",
        f"error: --results {path}: is no result of `{command}`; python -m comparisons {HOW[command]} writes one\n",
    ) == run("--results", results, "--out", tmp_path / "new")
    assert not (tmp_path / "new").exists()


UNREADABLE = {
    "missing": ("article.json", None, "cannot be read (No such file or directory)"),
    "no JSON": ("article.json", "{", "is no JSON"),
    "another JSON": ("styles.json", "7", "is no result of `styles`"),
    "no figure": ("boundary.svg", None, "cannot be read (No such file or directory)"),
    "no SVG": ("boundary.svg", "l1-parity", "is no SVG"),
    "another SVG": ("boundary.svg", "<svg><script>x()</script></svg>", "is no figure of `styles`"),
}


@pytest.mark.parametrize(("name", "content", "words"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_read_is_refused(run, results, tmp_path, name, content, words):
    """A missing file, one that is not what its name says, one of somebody else: exit 2, one line."""
    (results / name).unlink()
    if content:
        (results / name).write_text(content)
    status, out, err = run("--results", results, "--out", tmp_path)

    assert (2, "", 1) == (status, out, err.count("\n"))
    assert err.startswith(f"error: --results {results / name}: {words}; python -m comparisons ")


def test_every_figure_has_a_caption(shown):
    """Each has one of its own, which is the text for readers who cannot see the figure too."""
    captions = re.findall(r'<figcaption id="(\w+)-caption"><strong>Figure \d.</strong> (.+)</figcaption>', shown)

    assert NAMES == tuple(name for name, _ in captions)
    assert 4 == len({caption for _, caption in captions})
    for name, caption in captions:
        assert f'id="{name}" role="img" aria-label="{caption}"' in shown


def test_what_the_styles_say_is_taken_from_their_rows(styles_result):
    """Who has zeros, who rests at zero, who steps across; twins: other rows say something else."""
    zeros, _, chatter = sentences(styles_result)
    assert re.search(r"Exact zeros: clipped \(up to \d+\); proximal", zeros)
    assert "None in any network of: none; penalty; as_listed; tack_on; decoupled; tack_on, η λ; L2." in zeros
    assert "at rest at exactly 0 under clipped, proximal, cumulative;" not in chatter  # two epochs are too few for that

    other = copy.deepcopy(styles_result)
    for row in other["rows"]:
        row["runs"][1]["zeros"] = 3
    for path in other["chatter"]:
        path |= {"zeros": 1.0, "crossings": 0.0}
    zeros, _, chatter = sentences(other)
    assert "Exact zeros: none (up to 3); penalty (up to 3)" in zeros
    assert "None in any network of: no style." in zeros
    assert "at rest at exactly 0 under none, penalty, " in chatter
    assert "again and again under no style" in chatter


def test_what_the_terminal_says_is_on_the_page(shown, article, styles_result):
    """Sentence for sentence, of the article and of the styles."""
    for sentence in [*article_words.sentences(article), *sentences(styles_result)]:
        assert escape(sentence) in shown


def test_every_translation_is_on_the_page(shown):
    """For each optimizer, from every style to every other that pulls: λ' and its mark, and the reason below."""
    sgd = shown.split('id="lamda-sgd"')[1].split("</table>")[0]
    row = sgd.split('<th scope="row"><code>tack_on</code></th>')[1].split("</tr>")[0]

    assert ["0.1 =", "–", "·", "0.1 =", "0.1 ≈", "0.1 ≈", "0.1 ≈"] == [
        re.sub("<[^>]*>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)
    ]
    for optimizer, sources in page.translations().items():
        why = shown.split(f'id="why-{optimizer}"')[1].split("</table>")[0]
        cells = [cell for row in sources.values() for cell in row if cell.target.style != cell.source.style]
        assert 7 * 6 == len(cells)
        assert [] == [cell for cell in cells if escape(cell.reason) not in why]


@pytest.mark.parametrize(
    ("content", "status"), [("", 0), ('<meta name="generator" content="l1-parity">', 0), ("<p>mine</p>", 2)]
)
def test_a_page_of_the_user_is_not_overwritten(run, results, tmp_path, content, status):
    """An empty file and an earlier page are replaced, and nothing else."""
    (tmp_path / "index.html").write_text(content)
    found, _, err = run("--results", results, "--out", tmp_path)
    now = (tmp_path / "index.html").read_text()

    assert (status, status == 2) == (found, now == content)
    words = (
        f"error: --out {tmp_path / 'index.html'}: the file exists and is no page of this command; it is left as it is\n"
    )
    assert (words if status else "") == err


REFUSED = {
    "a file": (["--out", "file"], "--out file: is no folder"),
    "nowhere": (["--out", "none/new"], "--out none/new: there is no folder none"),
    "a folder in the way": (["--out", "folder"], "--out folder/index.html: is a folder"),
    "no update": (["--out", "new", "--epochs", "0"], "epochs must be a whole number >= 1 here; got 0"),
    "both": (["--out", "new", "--epochs", "1", "--results", "."], "--epochs is for training; with --results nothing"),
    "no out": ([], "Missing option '--out'."),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_line_and_exit_2(run, tmp_path, monkeypatch, options, message):
    """Refused before any training."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parallel, "side_by_side", None)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "index.html").mkdir(parents=True)
    status, out, err = run(*options)

    assert (2, "", 1) == (status, out, err.count("\n"))
    assert err.startswith(f"error: {message}")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["article.json", "styles.json", "weights.svg"])
def test_a_result_of_the_user_is_not_overwritten(run, tmp_path, monkeypatch, name):
    """Training writes results beside the page; what lies there already is refused before that."""
    monkeypatch.setattr(parallel, "side_by_side", None)
    (tmp_path / name).write_text("mine")
    status, out, err = run("--out", tmp_path, "--epochs", 1)

    assert (2, "", 1) == (status, out, err.count("\n"))
    assert err.startswith(f"error: --out {tmp_path / name}: the file exists and is no ")
    assert "mine" == (tmp_path / name).read_text()


INSTALL = "install the clone with its report extra, pip install 'PATH[report]'"
MISSING = {
    "jinja2": (["--results", "results"], "the page needs jinja2"),
    "matplotlib": ([], "figures need matplotlib"),
}


@pytest.mark.parametrize(("library", "options", "words"), [(k, *v) for k, v in MISSING.items()], ids=MISSING)
def test_a_missing_library_is_one_line_and_exit_2(run, results, monkeypatch, library, options, words):
    """It says what to install. matplotlib is needed to draw, not to show what was drawn before."""
    monkeypatch.chdir(results.parent)
    for name in ("comparisons.report.page", "comparisons.report.figures"):
        monkeypatch.delitem(sys.modules, name)
    for name in ("page", "figures"):
        monkeypatch.delattr(comparisons.report, name)
    monkeypatch.setitem(sys.modules, library, None)

    assert (2, "", f"error: {words}: {INSTALL}\n") == run("--out", "new", *options)


STRANGE = {
    "a program": ("</svg>", "<script>x()</script></svg>"),
    "a handler": ("<svg ", '<svg onload="x()" '),
    "HTML": ("</svg>", "<foreignObject><p>x</p></foreignObject></svg>"),
    "an image": ("</svg>", '<image xlink:href="http://x.org/a.png"/></svg>'),
    "an image in it": ("</svg>", '<image xlink:href="data:image/png;base64,AA"/></svg>'),
    "a link": ("</svg>", '<a xlink:href="javascript:x()"><g/></a></svg>'),
    "a use of elsewhere": ("</svg>", '<use xlink:href="http://x.org/a.svg#b"/></svg>'),
    "an animation": ("</svg>", '<animate attributeName="x" to="1"/></svg>'),
    "a set": ("</svg>", '<set attributeName="onload" to="x()"/></svg>'),
    "an import": ("*{", "@import url(http://x.org/a.css); *{"),
    "a sheet for the page": ("*{", "a, body{display: none} *{"),
    "a fill of elsewhere": ("</svg>", '<g style="fill: url(http://x.org/#a)"/></svg>'),
    "a style over the page": ("<svg ", '<svg style="position: fixed" '),
    "an entity": ("<svg ", '<!DOCTYPE svg [<!ENTITY a "b">]><svg '),
    "another name space": ("</svg>", '<h:iframe xmlns:h="http://www.w3.org/1999/xhtml"/></svg>'),
    "depth": ("</svg>", f"{'<g>' * 5000}{'</g>' * 5000}</svg>"),
}


@pytest.mark.parametrize(("old", "new"), STRANGE.values(), ids=STRANGE)
def test_a_figure_with_more_than_a_drawing_is_refused(svg, old, new):
    """What the figures do not have is not shown: a list of what they have decides; twin: the figure itself."""
    plain = svg[svg.index("<svg ") :]

    assert is_figure(svg)
    assert is_figure(plain)
    assert not is_figure(plain.replace(old, new, 1) if old != "</svg>" else new.join(plain.rsplit(old, 1)))


HOSTILE_RESULTS = {
    "400 digits": lambda a: a["rows"][0]["torch"].update(zeros=10**400),
    "1e400": lambda a: a["rows"][0]["numpy"].update(sum_abs=float("inf")),
    "true": lambda a: a["rows"][0]["numpy"].update(train=True),
}


@pytest.mark.parametrize("spoil", HOSTILE_RESULTS.values(), ids=HOSTILE_RESULTS)
def test_numbers_that_no_result_has_are_refused(run, results, tmp_path, spoil):
    """One line, and no page."""
    ill = json.loads((results / "article.json").read_text())
    spoil(ill)
    (results / "article.json").write_text(json.dumps(ill))
    status, out, err = run("--results", results, "--out", tmp_path / "new")

    assert (2, "", 1) == (status, out, err.count("\n"))
    assert "is no result of `article`" in err


def test_no_depth_and_no_pipe_stops_a_page(run, results, tmp_path):
    """JSON that is nested too deep, and a pipe in place of a file: one line each."""
    for make, words in (
        (lambda path: path.write_text("[" * 100_000), "is no JSON"),
        (os.mkfifo, "is no regular file"),
    ):
        (results / "article.json").unlink()
        make(results / "article.json")
        status, out, err = run("--results", results, "--out", tmp_path)

        assert (2, "", 1) == (status, out, err.count("\n"))
        assert words in err


def test_control_characters_are_shown_as_text(article, html_of):
    """No text of a file turns the page's direction, or cannot be encoded."""
    ill = copy.deepcopy(article)
    ill["rows"].append({**ill["rows"][0], "loss": "\u202e\ud800\x1b"})

    assert r"\u202e\ud800\x1b" in html_of(ill)
