"""--parity-report: a page for every failing test, and one warning where none can be written."""

import json
import os

import pytest

from l1_parity.pytest_plugin import name_of

pytest_plugins = ["pytester"]

TESTS = """
import numpy as np, pytest
from comparisons.same_training import assert_same_training, TrainingDiffersError

class Right:
    w, rate = np.ones((2, 3)), 0.5
    def state(self):
        return {"W": self.w}
    def load_state(self, state):
        self.w = np.array(state["W"])
    def step(self, g):
        self.w = self.w - self.rate * g

class Wrong(Right):
    rate = 1.0

BATCHES = [(np.full((2, 3), i),) for i in range(1, 6)]

@pytest.mark.parametrize("name", ["a/b", "a-b", "A-b", "é", "x" * 300, "x" * 299 + "y", "..", "λ" * 200])
def test_bad(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_same_training(Right(), Wrong(), BATCHES)

def test_good():
    pass

def test_another_kind_of_finding():
    class Odd:
        @property
        def report(self):
            raise RuntimeError("odd")
    error = TrainingDiffersError.__new__(TrainingDiffersError)
    error.finding = Odd()
    raise error
"""
ALL, ODD, GOOD = ["-k", "not another"], ["-k", "another"], ["-k", "good"]
NO_EDITABLE = ("-W", "ignore:Module already imported")
AS_ERRORS, WORKERS = ["-W", "error", *NO_EDITABLE], ["-n", "2", *NO_EDITABLE]

# the folder, more options, failed, passed, files, what the warning says
FOLDERS = {
    "new": ("out", ALL, 8, 1, 16, ""),
    "of several levels": ("deep/er/out", [*ALL, *AS_ERRORS], 8, 1, 16, ""),
    "by workers": ("out", [*ALL, *WORKERS], 8, 1, 16, ""),
    "a file": ("file", ALL, 8, 1, 0, "*file: is no folder; no reports are written*"),
    "in a file": ("file/out", ALL, 8, 1, 0, "*there is no folder *file; no reports are written*"),
    "a device": ("/dev/full", [*ALL, *AS_ERRORS], 8, 1, 0, "*/dev/full: is no folder; no reports are written*"),
    "where nobody can write": ("/proc/a/b", [*ALL, *WORKERS], 8, 1, 0, "*/proc/a: cannot be written*"),
    "too long a name": ("a" * 300, ALL, 8, 1, 0, "*File name too long*"),
    "unused": ("file", GOOD, 0, 1, 0, "*file: is no folder; no reports are written*"),
    "a report that raises": ("out", [*ODD, *AS_ERRORS], 1, 0, 0, "*--parity-report: odd; there is no report of *"),
}


@pytest.mark.parametrize(("folder", "options", "failed", "passed", "files", "said"), FOLDERS.values(), ids=FOLDERS)
def test_a_page_for_each_failing_test_or_one_warning(pytester, folder, options, failed, passed, files, said):
    """The tests' own results are what they are without it, in any folder and however warnings are treated."""
    pytester.makepyfile(TESTS)
    (pytester.path / "file").touch()
    call = [f"--parity-report={folder}", "-p", "no:cacheprovider", *NO_EDITABLE, *options]
    ran = pytester.runpytest_subprocess(*call)
    written = os.listdir(pytester.path / folder) if files else []

    ran.assert_outcomes(failed=failed, passed=passed, warnings=1 if said else 0)
    ran.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert files == len(written) == len({name.lower() for name in written})
    if said:
        ran.stdout.fnmatch_lines([said])


def test_a_page_is_replaced_by_a_page_of_the_same_test_only(pytester):
    """A second run replaces the first one's; twin: a file of the user with that name is left, with one warning."""
    pytester.makepyfile(TESTS)
    call = ["--parity-report=out", "-p", "no:cacheprovider", *NO_EDITABLE, "-k", "a/b"]
    for _ in range(2):
        ran = pytester.runpytest_subprocess(*call)
        ran.assert_outcomes(failed=1, deselected=9)
        result, page = sorted((pytester.path / "out").iterdir(), key=lambda path: path.suffix, reverse=True)
    page, result = sorted((page, result), key=lambda path: path.suffix)
    assert "l1-parity pytest" == json.loads(result.read_text())["made_by"]
    assert "test_bad[a/b]" in page.read_text()
    page.write_text("mine")
    ran = pytester.runpytest_subprocess(*call)

    ran.assert_outcomes(failed=1, deselected=9, warnings=1)
    ran.stdout.fnmatch_lines(["*the file exists and is no page of this plugin; it is left as it is*"])
    assert "mine" == page.read_text()


def test_a_page_that_cannot_be_written_is_one_of_many(pytester):
    """A file of the user's has its name: the other failing tests have their pages."""
    pytester.makepyfile(TESTS)
    mine = f"{name_of('test_a_page_that_cannot_be_written_is_one_of_many.py::test_bad[a/b]')}.html"
    (pytester.path / "out").mkdir()
    (pytester.path / "out" / mine).write_text("mine")
    ran = pytester.runpytest_subprocess("--parity-report=out", "-p", "no:cacheprovider", *NO_EDITABLE, *ALL)

    ran.assert_outcomes(failed=8, passed=1, warnings=1)
    assert 2 * 7 + 1 == len(os.listdir(pytester.path / "out"))
    assert "mine" == (pytester.path / "out" / mine).read_text()


def test_no_two_tests_share_a_name():
    """Nor on a file system that knows no upper case; every name can be one."""
    parts = ["a.py::t[a/b]", "a.py::t[a-b]", "a/py::t[a-b]", "A.py::t[a-b]", "λ", "ν", "\ud800", "", "-", ".."]
    names = [name_of(test) for test in (*parts, *("x" * 300 + part for part in parts))]

    assert len(names) == len({name.lower() for name in names})
    assert all(0 < len(name) <= 200 and name.isascii() and "/" not in name for name in names)
