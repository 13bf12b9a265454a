"""What a recorder was given is kept, or refused in one true line; nothing makes a name unusable."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from comparisons.agreement.traces import compare_traces
from comparisons.recorders.plain import Recorder
from comparisons.runs.journal import journals
from comparisons.runs.trace import BATCHES, DIGEST_UPDATES, DIGESTS, open_trace
from reference.errors import InputError

W = np.arange(3.0)


def recorded(path, states=4, **options):
    """A trace of so many states."""
    with Recorder(path, **options) as trace:
        for i in range(states):
            trace.update({"W": W + i})
    return open_trace(path)


# --- a crash ------------------------------------------------------------------------------------------------------

KILLED = """
import mmap, os, signal, time
import numpy as np
from comparisons.recorders.plain import Recorder
from comparisons.runs.trace import open_trace

for moment in range(20):
    done = mmap.mmap(-1, 8)
    name = f"{moment}.npz"
    if (child := os.fork()) == 0:
        trace = Recorder(name, every=(None, 3)[moment % 2])
        for update in range(10**9):
            trace.update({"W": np.full((10, 8), float(update))}, batch=[np.full(3, update)])
            done[:] = update.to_bytes(8, "little")
            if moment > 15 and update == 3:
                time.sleep(60)
    while int.from_bytes(done[:], "little") < (3 if moment > 15 else moment**2 // 2 + 1):
        time.sleep(0.001)
    time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    trace = open_trace(name)
    last = int(trace.read("digest:updates")[-1])
    rows, digests = trace.read("updates"), trace.read("digest:parameters")
    assert int.from_bytes(done[:], "little") <= last <= int.from_bytes(done[:], "little") + 1
    assert rows[-1] >= last - (moment % 2) * 3 and digests.any(axis=1).all()
    assert (trace.read("W") == rows[:, None, None]).all()
    print("kept")
"""


def test_kill_9_at_any_moment_keeps_every_update(tmp_path):
    """At 20 moments: all updates that were finished are in the trace, also where the program only slept since."""
    ran = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert (["kept"] * 20, "") == (ran.stdout.split(), ran.stderr)


def test_killed_before_the_first_line_of_a_journal(tmp_path):
    """The name can be used again: there was nothing to lose."""
    for journal, left in zip(journals(tmp_path / "r.npz"), (b"", b'{"header": {"format": 2, "ru'), strict=True):
        journal.write_bytes(left)

    assert 4 == recorded(tmp_path / "r.npz").rows


def test_the_journals_of_two_runs_make_no_trace(tmp_path):
    """One line."""
    for name in "ab":
        trace = Recorder(tmp_path / f"{name}.npz")
        for i in range(3):
            trace.update({"W": W + i})
        for file in trace._journals:  # as if its program were killed
            file.close()
    (tmp_path / "b.npz.digests").replace(tmp_path / "a.npz.digests")

    with pytest.raises(InputError, match="its two journals are of two runs"):
        open_trace(tmp_path / "a.npz")


READ_ONLY = """
import mmap, os, sys  # mmap is imported late, and perhaps from where only root may read
from comparisons.runs.trace import open_trace
from reference.errors import InputError
if os.geteuid() == 0:
    os.seteuid(65534)  # whom permissions bind
for _ in range(2):
    try:
        print(open_trace(sys.argv[1]).rows)
    except InputError as error:
        print(error)
"""


def test_a_crashed_trace_in_a_folder_that_cannot_be_written(tmp_path):
    """One line, twice the same, says that it can be opened elsewhere; it can."""
    with TemporaryDirectory() as name:  # nobody else can look into tmp_path
        folder = Path(name)
        left_by_a_crash(folder / "r.npz")
        folder.chmod(0o555)
        ran = subprocess.run([sys.executable, "-c", READ_ONLY, folder / "r.npz"], capture_output=True, text=True)
        folder.chmod(0o755)
        for journal in journals(folder / "r.npz"):
            shutil.move(journal, tmp_path)
    fault = "r.npz: cannot be made here (Permission denied) of r.npz.rows and r.npz.digests; they are kept, and can be"

    assert ([f"{folder}/{fault} opened elsewhere"] * 2, "") == (ran.stdout.splitlines(), ran.stderr)
    assert 3 == open_trace(tmp_path / "r.npz").rows


def left_by_a_crash(path):
    """The journals of three states."""
    trace = Recorder(path)
    for i in range(3):
        trace.update({"W": W + i})
    for file in trace._journals:
        file.close()


TWICE = """
import sys
from comparisons.runs.trace import open_trace
print(open_trace(sys.argv[1]).rows)
"""


def test_a_crashed_trace_that_is_opened_by_many_at_once(tmp_path):
    """Each of them reads all of it."""
    left_by_a_crash(tmp_path / "r.npz")
    programs = [
        subprocess.Popen([sys.executable, "-c", TWICE, tmp_path / "r.npz"], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    assert ["3\n"] * 4 == [program.communicate()[0] for program in programs]
    assert ["r.npz", "r.npz.digests", "r.npz.rows"] == sorted(file.name for file in tmp_path.iterdir())


# --- while it is recorded -----------------------------------------------------------------------------------------


def test_a_trace_that_is_being_recorded(tmp_path):
    """One line, and nothing is lost by the attempt, nor by one to record under its name."""
    with Recorder(tmp_path / "r.npz") as trace:
        for i in range(3):
            trace.update({"W": W + i})
        with pytest.raises(InputError, match=r"r.npz: is being recorded; it can be read when that has ended"):
            open_trace(tmp_path / "r.npz")
        with pytest.raises(InputError, match=r"r.npz: is being recorded"):
            Recorder(tmp_path / "r.npz", overwrite=True)
        trace.update({"W": W + 3})

    assert [0, 1, 2, 3] == open_trace(tmp_path / "r.npz").read("updates").tolist()


def test_two_recorders_of_one_name(tmp_path):
    """The second one to write is refused, at its first update."""
    one, other = Recorder(tmp_path / "r.npz"), Recorder(tmp_path / "r.npz")
    for trace in (one, other):
        trace.update({"W": W})
    one.update({"W": W + 1})
    with pytest.raises(InputError, match=r"r.npz: is being recorded"):
        other.update({"W": W + 2})
    one.close()
    with pytest.raises(InputError, match=r"r.npz: the recording has ended"):
        other.update({"W": W + 2})
    other.close()

    assert [1, 2, 3] == open_trace(tmp_path / "r.npz").read("W")[-1].tolist()
    assert [tmp_path / "r.npz"] == [file for file in tmp_path.iterdir() if file.stat().st_size]


def test_the_loser_of_two_recorders_loses_nothing_of_the_winner(tmp_path):
    """Nor does a program that fails before its first update lose the trace that it was to replace."""
    one, other = (Recorder(tmp_path / "r.npz", overwrite=True) for _ in range(2))
    for i in range(5):
        one.update({"W": W + i})
    other.update({"W": W})
    with pytest.raises(InputError, match=r"r.npz: is being recorded"):
        other.update({"W": W})
    one.close()
    other.close()
    for last in ("fails", "ends"):
        with suppress(ZeroDivisionError), Recorder(tmp_path / "r.npz", overwrite=True) as third:
            third.update({"W": W})
            if last == "fails":
                raise ZeroDivisionError

    assert 5 == open_trace(tmp_path / "r.npz").rows
    assert [tmp_path / "r.npz"] == list(tmp_path.iterdir())


def test_a_file_that_appears_while_recording_is_left(tmp_path):
    """The trace is in its journals then, and one line says so."""
    trace = Recorder(tmp_path / "r.npz")
    for i in range(3):
        trace.update({"W": W + i})
    (tmp_path / "r.npz").write_text("mine")
    with pytest.raises(
        InputError, match=r"another file is there now, which is left as it is; the trace is in r.npz.rows"
    ):
        trace.close()
    assert "mine" == (tmp_path / "r.npz").read_text()
    (tmp_path / "r.npz").unlink()

    assert 3 == open_trace(tmp_path / "r.npz").rows


FORKED = """
import os, sys
import numpy as np
from comparisons.recorders.plain import Recorder
with Recorder("r.npz") as trace:
    for i in range(6):
        trace.update({"W": np.full(3, float(i))})
        if i == 3 and (child := os.fork()) == 0:
            sys.exit(0)
os.waitpid(child, 0)
"""


def test_a_copy_of_the_program_ends_no_recording(tmp_path):
    """Its end, as of a worker that loads data, leaves the trace to the program itself."""
    ran = subprocess.run([sys.executable, "-c", FORKED], cwd=tmp_path, capture_output=True, text=True)

    assert (0, "") == (ran.returncode, ran.stderr)
    assert 6 == open_trace(tmp_path / "r.npz").rows


def test_journals_that_are_no_files(tmp_path):
    """A pipe is refused at once."""
    os.mkfifo(tmp_path / "r.npz.rows")
    (tmp_path / "r.npz.digests").touch()
    for refused in (lambda: open_trace(tmp_path / "r.npz"), lambda: Recorder(tmp_path / "r.npz", overwrite=True)):
        with pytest.raises(InputError, match=r"r.npz.rows: is no regular file"):
            refused()


def test_another_folder_while_recording(tmp_path, monkeypatch):
    """The trace is where it was to be when the recorder was made."""
    monkeypatch.chdir(tmp_path)
    with Recorder("r.npz") as trace:
        trace.update({"W": W})
        (tmp_path / "there").mkdir()
        monkeypatch.chdir("there")
        trace.update({"W": W + 1})

    assert 2 == open_trace(tmp_path / "r.npz").rows


def test_a_full_disk(tmp_path):
    """One line; the states before are kept."""
    program = """
import resource, signal, numpy as np
from comparisons.recorders.plain import Recorder
from reference.errors import InputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
trace = Recorder("r.npz")
trace.update({"W": np.zeros(100)})
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, resource.RLIM_INFINITY))
try:
    for i in range(100):
        trace.update({"W": np.full(100, float(i))})
except InputError as error:
    print(error)
try:
    trace.update({"W": np.zeros(100)})
except InputError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
trace.close()
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    first, second = ran.stdout.splitlines()

    assert f"{tmp_path}/r.npz: cannot be written (File too large); the 10 states before are kept" == first
    assert f"{tmp_path}/r.npz: the recording has ended; another run needs a recorder of its own" == second
    assert list(range(10)) == open_trace(tmp_path / "r.npz").read("updates").tolist()


# --- what is given ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [(1, 3), (2, 3), (), (1, 2, 3)], ids=["1, 3", "2, 3", "none", "all"])
def test_batches_of_some_updates_only(tmp_path, given):
    """Those of the others are not known, and 16 zeros."""
    with Recorder(tmp_path / "r.npz") as trace:
        for i in range(4):
            trace.update({"W": W + i}, batch=[W + i] if i in given else None)
    trace = open_trace(tmp_path / "r.npz")

    assert list(given) == np.flatnonzero(trace.read(BATCHES).any(axis=1)).tolist()
    assert [0, 1, 2, 3] == trace.read(DIGEST_UPDATES).tolist()


STATE = {"W": W, "b": np.zeros(2)}
REFUSED = {  # what an update is given after two right ones, and what is said
    "a parameter more": ({**STATE, "c": W}, {}, r"c is new at update 2; what is recorded must be there from the first"),
    "a parameter less": ({"W": W}, {}, "b is missing at update 2"),
    "another name": ({"V": W, "b": STATE["b"]}, {}, "W is missing at update 2"),
    "another shape": ({**STATE, "W": np.zeros(4)}, {}, r"W had the shape \(3,\), and has \(4,\) at update 2"),
    "a wider type": ({**STATE, "W": W.astype(np.longdouble)}, {}, "W was float64, and is float128 at update 2: its"),
    "complex": ({**STATE, "W": W * 1j}, {}, "W was float64, and is complex128 at update 2"),
    "text": ({**STATE, "W": np.array(["a"] * 3)}, {}, "W was float64, and is <U1 at update 2"),
    "no gradient": (STATE, {"gradients": None}, "gradient:W is missing at update 2"),
    "another gradient": (STATE, {"gradients": {"W": W, "b": W}}, "gradient:b is new at update 2"),
    "a new memory": (STATE, {"optimizer": {"m:W": W}}, "optimizer:m:W is new at update 2"),
    "a wider buffer": (STATE, {"buffers": {"n": np.array(0.5)}}, "buffer:n was int64, and is float64 at update 2"),
    "no buffer": (STATE, {"buffers": {}}, "buffer:n is missing at update 2"),
    "a batch of text": (STATE, {"batch": ["cat"]}, "batch holds <U3; it must be arrays of real numbers"),
    "a batch of objects": (STATE, {"batch": [{"x": 1}]}, "batch holds object"),
    "an empty batch": (STATE, {"batch": []}, "batch has no arrays; leave it out where it is not known"),
    "a batch that is a number": (STATE, {"batch": 5}, "batch must be arrays of numbers"),
    "a ragged batch": (STATE, {"batch": [[[1], [1, 2]]]}, "batch must be arrays of numbers"),
    "gradients in a list": (STATE, {"gradients": [W]}, "gradients must be a dict of arrays, by their names"),
    "a list": ([W], {}, "parameters must be a dict of arrays, by their names"),
    "a ragged list": ({**STATE, "W": [[1], [1, 2]]}, {}, "parameters must be a dict of arrays"),
    "wide whole numbers": ({**STATE, "W": np.array([2**53 + 1] * 3)}, {}, "W was float64, and is int64 at update 2"),
}


@pytest.mark.parametrize(("parameters", "beside", "said"), REFUSED.values(), ids=REFUSED)
def test_what_an_update_cannot_record_is_refused(tmp_path, parameters, beside, said):
    """And leaves nothing: the updates before and after it are recorded."""
    right = {"gradients": {"W": W}, "buffers": {"n": np.array(3)}}
    with Recorder(tmp_path / "r.npz") as trace:
        trace.update(STATE, buffers=right["buffers"])
        trace.update(STATE, **right)
        with pytest.raises(InputError, match=said):
            trace.update(parameters, **right | beside)
        trace.update(STATE, **right)
    trace = open_trace(tmp_path / "r.npz")

    assert [0, 1, 2] == trace.read("updates").tolist() == trace.read(DIGEST_UPDATES).tolist()


FIRST = {  # states, of which the last is refused, and what is said
    "nothing": ([{}], {}, "there are no parameters"),
    "whole numbers": ([{"W": np.arange(3)}], {}, "W holds int64; a parameter is of a floating-point type"),
    "wide": ([{"W": W.astype(np.longdouble)}], {}, "W holds float128; it must be numbers of at most 8 bytes"),
    "a path": ([{"a/b": W}], {}, "'a/b' cannot be a parameter's name"),
    "no text": ([{3: W}], {}, "3 cannot be a parameter's name"),
    "another shape": ([STATE, {**STATE, "W": np.zeros(4)}], {}, r"W had the shape \(3,\)"),
    "a path beside it": ([STATE, STATE], {"optimizer": {"m:a/b": W}}, "'optimizer:m:a/b' cannot be the name"),
    "a complex gradient": ([STATE, STATE], {"gradients": {"W": W * 1j}}, "gradient:W holds complex128"),
    "31 axes": ([{"W": np.ones([1] * 31)}], {}, "W has 31 axes; at most 30 are allowed"),
    "many long names": ([{f"{i:04}" + "λ" * 490: W for i in range(5900)}], {}, "the names have 6,395,600 bytes"),
    "many arrays": ([{f"w{i}": W for i in range(6000)}], {}, "6,000 arrays are too many"),
    "a new buffer": ([STATE, STATE], {"buffers": {"n": W}}, "buffer:n is new at update 1"),
}


@pytest.mark.parametrize(("states", "beside", "said"), FIRST.values(), ids=FIRST)
def test_a_refused_start_leaves_nothing(tmp_path, states, beside, said):
    """The same recorder, and another one, can go on under this name."""
    trace = Recorder(tmp_path / "r.npz")
    for state in states[:-1]:
        trace.update(state)
    with pytest.raises(InputError, match=said):
        trace.update(states[-1], **beside)
    assert [] == list(tmp_path.iterdir())
    for _ in range(2):
        trace.update(STATE)
    trace.close()

    assert len(states) + 1 == open_trace(tmp_path / "r.npz").rows


def test_what_a_narrower_type_has_is_recorded(tmp_path):
    """float32 after float64, and Python's own numbers, lose nothing."""
    with Recorder(tmp_path / "r.npz") as trace:
        for state in (W, W.astype(np.float32), [0.5, 1.5, 2.5]):
            trace.update({"W": state})

    assert [0.5, 1.5, 2.5] == open_trace(tmp_path / "r.npz").read("W")[-1].tolist()


def test_the_first_update_may_have_a_wider_type_than_the_start(tmp_path):
    """As w -= η g, where w is float32 and g float64: nothing is written before it."""
    with Recorder(tmp_path / "r.npz") as trace:
        for state in (W.astype(np.float32), W / 3, W / 7):
            trace.update({"W": state})

    assert (W / 7).tolist() == open_trace(tmp_path / "r.npz").read("W")[-1].tolist()


def test_bools_and_whole_numbers_beside_parameters(tmp_path):
    """At the start an unknown whole number is 0, and an unknown gradient NaN."""
    with Recorder(tmp_path / "r.npz") as trace:
        trace.update({"W": W}, buffers={"mask": W > 1})
        trace.update({"W": W}, buffers={"mask": W > 1}, optimizer={"step:W": np.array(1)}, gradients={"W": W})
    trace = open_trace(tmp_path / "r.npz")

    assert [[0, 0, 1]] * 2 == trace.read("buffer:mask").tolist()
    assert [0, 1] == trace.read("optimizer:step:W").tolist()
    assert np.isnan(trace.read("gradient:W")[0]).all()


def test_a_state_that_is_not_finite_has_no_digest(tmp_path):
    """NaN is equal to nothing, not even to the NaN of another run: such runs are not equal."""
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path in paths:
        with Recorder(path, every=100) as trace:
            for i in range(4):
                trace.update({"W": W / i if i == 3 else W + i * np.array([1, np.nan if i > 1 else 1, 1])})
    one, other = map(open_trace, paths)
    found = compare_traces(one, other, {})

    assert [True, True, False, True] == one.read(DIGESTS).any(axis=1).tolist()
    assert 3 == found.exit_status


# --- once more ----------------------------------------------------------------------------------------------------


def test_a_second_run_names_overwrite(tmp_path):
    """With it the new run takes the place of the old one, when it records its first update; not before."""
    recorded(tmp_path / "r.npz")
    with pytest.raises(InputError, match=r"r.npz: the file exists; overwrite=True replaces a trace of this name"):
        Recorder(tmp_path / "r.npz")
    with Recorder(tmp_path / "r.npz", overwrite=True) as trace:
        trace.update({"W": W})
        assert 4 == open_trace(tmp_path / "r.npz").rows
        trace.update({"W": W})

    assert 2 == open_trace(tmp_path / "r.npz").rows
    assert [tmp_path / "r.npz"] == list(tmp_path.iterdir())


def test_overwrite_replaces_what_a_crash_left(tmp_path):
    """The journals, and the trace that was made of them."""
    left_by_a_crash(tmp_path / "r.npz")
    with pytest.raises(InputError, match=r"r.npz.rows: the file exists; overwrite=True"):
        Recorder(tmp_path / "r.npz")
    open_trace(tmp_path / "r.npz")

    assert 4 == recorded(tmp_path / "r.npz", overwrite=True).rows
    assert [tmp_path / "r.npz"] == list(tmp_path.iterdir())


def archive_of(**arrays):
    """The bytes of an .npz file."""
    file = BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


CONTENTS = {
    "text": b"mine",
    "nothing": b"",
    "JSON": b'{"header": "my data", "x": 1}',
    "an archive": b"PK\5\6" + bytes(18),
    "updates of another kind": archive_of(updates=np.arange(3)),
}


@pytest.mark.parametrize("name", ["r.npz", "r.npz.rows", "r.npz.digests"])
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_overwrite_replaces_nothing_else(tmp_path, name, content):
    """Another's file is left as it is; an empty journal is nobody's."""
    (tmp_path / name).write_bytes(content)
    if content or name == "r.npz":
        with pytest.raises(InputError, match=name):
            Recorder(tmp_path / "r.npz", overwrite=True)
        assert content == (tmp_path / name).read_bytes()
    else:
        assert 4 == recorded(tmp_path / "r.npz", overwrite=True).rows


def test_after_its_end(tmp_path):
    """An update is refused; to close it again does nothing."""
    trace = Recorder(tmp_path / "r.npz")
    trace.update({"W": W})
    trace.close()
    trace.close()
    with pytest.raises(InputError, match="the recording has ended; another run needs a recorder of its own"):
        trace.update({"W": W})

    assert 1 == open_trace(tmp_path / "r.npz").rows


WRONG = {
    "every 0": ({"every": 0}, "every must be a whole number >= 1; got 0"),
    "every half": ({"every": 0.5}, "every must be a whole number >= 1; got 0.5"),
    "every text": ({"every": "2"}, "every must be a whole number >= 1; got '2'"),
    "every True": ({"every": True}, "every must be a whole number >= 1; got True"),
    "a window of one": ({"window": 5}, r"window must be \(first, last\), two numbers of updates; got 5"),
    "a window backwards": ({"window": (5, 3)}, "window's last update must be a whole number >= 5; got 3"),
    "a window before the start": ({"window": (-1, 3)}, "window's first update must be a whole number >= 0; got -1"),
    "no path": ({"path": 5}, "path must be a text or a Path; got int"),
    "a header of text": ({"header": "x"}, "header must be a dict; got str"),
    "an experiment of text": ({"experiment": "e.toml"}, "experiment must be a dict; got str"),
    "another name": ({"path": "r.txt"}, "r.txt: the name of a trace must end in .npz"),
    "no folder": ({"path": "none/r.npz"}, "none/r.npz: there is no folder"),
    "a long name": ({"path": "r" * 250 + ".npz"}, "File name too long"),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG)
def test_a_recorder_that_cannot_be(tmp_path, monkeypatch, options, said):
    """One line, before anything is recorded."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        Recorder(**{"path": "r.npz"} | options)
    assert [] == list(tmp_path.iterdir())


# --- the experiment -----------------------------------------------------------------------------------------------


def test_an_experiment_of_numpys_numbers(tmp_path):
    """They are written as JSON has them, and a number that JSON lacks as text."""
    said = {"lr": np.float64(0.1), "lamda": np.float32(0.5), "seed": np.int64(3), "sizes": (np.int64(2), 3)}
    other = {"path": tmp_path, "mean": np.arange(2), "loss": np.nan, "nested": {"set": {1}}}
    header = recorded(tmp_path / "r.npz", experiment=said, header=other).header

    assert {"lr": 0.1, "lamda": 0.5, "seed": 3, "sizes": [2, 3]} == header["experiment"]
    assert (str(tmp_path), [0, 1], "nan", {"set": [1]}) == tuple(header[key] for key in other)


EXPERIMENTS = {
    "lambda": ({"lambda": 0.1}, "lambda is no field; is lamda meant. There are"),
    "learning_rate": ({"learning_rate": 0.1}, "learning_rate is no field; is lr meant."),
    "a slip": ({"lamdba": 0.1}, "lamdba is no field; is lamda meant."),
    "something else": ({"colour": 1}, "colour is no field. There are "),
    "a style": ({"style": "lasso"}, "style must be one of none, penalty, .*; got 'lasso'"),
    "a number as text": ({"lr": "0.1"}, "lr must be a number; got '0.1'"),
    "inf": ({"lr": np.inf}, "lr must be a number; got 'inf'"),
    "data": ({"data": 3}, "data must be a text; got 3"),
    "an object": ({"lr": object()}, r"experiment.lr of the header must be numbers, text, lists or dicts; got object"),
}


@pytest.mark.parametrize(("said", "fault"), EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_an_experiment_that_cannot_be(tmp_path, said, fault):
    """One line, when recording begins."""
    with pytest.raises(InputError, match=fault):
        Recorder(tmp_path / "r.npz", experiment=said)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("deep", [False, True], ids=["large", "deep"])
def test_a_header_that_could_not_be_read_again(tmp_path, deep):
    """It is refused when recording begins."""
    header: dict = {"note": "x" * 2**18}
    for _ in range(60 if deep else 0):
        header = {"note": header}
    with pytest.raises(InputError, match="nested more than 50 deep" if deep else "at most 1,048,576 are allowed"):
        Recorder(tmp_path / "r.npz", header=header)


class Interrupted:
    """A journal in which Ctrl-C comes."""

    def write(self, _record):
        """Never returns."""
        raise KeyboardInterrupt


def test_ctrl_c_inside_an_update_ends_the_recording(tmp_path):
    """A program that goes on, as a notebook does, is told so; what was finished is kept."""
    with Recorder(tmp_path / "run.npz") as trace:
        for number in range(3):
            trace.update({"W": np.full(2, float(number))})
        rows, digests = trace._journals
        trace._journals = [rows, Interrupted()]
        with pytest.raises(KeyboardInterrupt):
            trace.update({"W": np.full(2, 3.0)})
        trace._journals = [rows, digests]
        with pytest.raises(InputError, match="the recording has ended"):
            trace.update({"W": np.full(2, 4.0)})

    assert [0, 1, 2] == open_trace(tmp_path / "run.npz").read("updates").tolist()[:3]


def test_a_forked_copy_of_the_program_records_nothing(tmp_path):
    """It is told so, and the trace is whole."""
    with Recorder(tmp_path / "run.npz") as trace:
        trace.update({"W": np.zeros(2)})
        trace.update({"W": np.ones(2)})
        child = os.fork()
        if child == 0:
            try:
                trace.update({"W": np.full(2, 9.0)})
            except InputError as error:
                os._exit(7 if "by fork" in str(error) else 1)
            os._exit(0)
        assert 7 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        trace.update({"W": np.full(2, 2.0)})

    assert [0, 1, 2] == open_trace(tmp_path / "run.npz").read("updates").tolist()


@pytest.mark.parametrize("what", ["gradients", "optimizer", "buffers"])
def test_a_name_that_no_file_can_have(tmp_path, what):
    """Half a surrogate pair is refused in one line."""
    trace = Recorder(tmp_path / "run.npz")
    trace.update({"W": np.zeros(2)})
    with pytest.raises(InputError, match=r"cannot be the name of an array|is missing at|is new at"):
        trace.update({"W": np.ones(2)}, **{what: {"\ud800": np.ones(2)}})
