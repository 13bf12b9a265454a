"""The comparison of two captures of all results: what is an error, and what is only a changed sentence."""

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "same_results.py"))
TABLE = "style    lamda  seed  differing\npenalty  0.001     0   0 of 124"
SENTENCE = "The first update differs: W1[0, 0] is 0.5 in the reference. " + "Everything else is equal. " * 3
REPORT = f"DIFFERENT at update 1: W1[0, 0]\n\n  gradients   computed\n  or          η is 2\n\n{TABLE}\n\n{SENTENCE}\n"
FOUND = {
    "exit_status": 1,
    "stdout": REPORT,
    "stderr": "",
    "result": {"value": 1e-16, "rows": [{"name": "W1", "words": "λ is 0.0005, ½ times λ"}], "notes": ["one", "two"]},
}


def compared(tmp_path, capsys, old, new):
    """The exit status of `compare`, and what it prints."""
    for folder, found in (("before", old), ("after", new)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "name.json").write_text(json.dumps(found))
    return SCRIPT["compare"](tmp_path / "before", tmp_path / "after"), capsys.readouterr().out


def changed(old, new):
    """FOUND with another text somewhere in it."""
    text = json.dumps(FOUND, ensure_ascii=False)
    assert 1 <= text.count(old)
    return json.loads(text.replace(old, new))


def test_the_same_is_the_same(tmp_path, capsys):
    """No error, no sentence; lines may be broken elsewhere."""
    other = changed("the reference. Everything", "the reference.\\nEverything")

    assert (0, "1 captures compared: 0 errors, 0 changed sentences\n") == compared(tmp_path, capsys, FOUND, other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"exit_status": 1', '"exit_status": 0'),
        ("1e-16", "1.0000000000000002e-16"),
        ('"name": "W1"', '"name": "W2"'),
        ('"name"', '"parameter"'),
        ('["one", "two"]', '["one"]'),
        ("0 of 124", "1 of 124"),
        ("penalty  0.001", "proximal  0.001"),
        ("is 0.5 in", "is 0.25 in"),
        ("λ is 0.0005, ½ times λ", "λ is 0.0004, ½ times λ"),
        ("at update 1: W1[0, 0]", "at W1[0, 0]: update 1"),
    ],
)
def test_what_is_an_error(tmp_path, capsys, old, new):
    """Numbers and their order, names, fields, lengths, exit statuses, rows of tables."""
    status, printed = compared(tmp_path, capsys, FOUND, changed(old, new))

    assert 1 == status
    assert "ERRORS" in printed


@pytest.mark.parametrize(
    ("old", "new", "minus", "plus"),
    [
        ("gradients   computed", "gradients   were computed", "gradients computed", "gradients were computed"),
        ("½ times λ", "half of λ", "λ is 0.0005, ½ times λ", "λ is 0.0005, half of λ"),
        ('"two"', '"three"', "two", "three"),
        ("The first update differs:", "The first update is not equal:", "The first update differs", "not equal: W1"),
    ],
)
def test_what_is_a_changed_sentence(tmp_path, capsys, old, new, minus, plus):
    """Printed old and new, and no error."""
    status, printed = compared(tmp_path, capsys, FOUND, changed(old, new))

    assert 0 == status
    assert "0 errors, 1 changed sentences" in printed
    assert f"\n  - {minus}" in printed
    assert plus in printed.split("\n  + ")[1]


def test_a_capture_that_is_missing_is_an_error(tmp_path, capsys):
    """On either side; and nothing compared proves nothing."""
    for folder in ("before", "after", "empty"):
        (tmp_path / folder).mkdir()
    (tmp_path / "before" / "name.json").write_text(json.dumps(FOUND))

    assert 1 == SCRIPT["compare"](tmp_path / "before", tmp_path / "after")
    assert "name: only in one of the folders" in capsys.readouterr().out
    assert 1 == SCRIPT["compare"](tmp_path / "empty", tmp_path / "after")
