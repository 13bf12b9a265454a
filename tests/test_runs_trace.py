"""Traces: what is written can be read, after a crash too; what is damaged or hostile is refused with one line."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reference.files
from comparisons.recorders.plain import Recorder
from comparisons.runs.journal import journals
from comparisons.runs.trace import digest, open_trace
from reference.errors import InputError

PLAIN = """
import json
import numpy as np
states = [{"W": np.zeros((2, 3)) + i, "b": np.zeros(3) + i} for i in range(5)]
header = json.dumps({"framework": "NumPy", "run": "7"})
arrays = {name: np.array([state[name] for state in states]) for name in states[0]}
np.savez("run.npz", header=header, updates=np.arange(len(states)), **arrays)
"""


def write(path, parts=None, **arrays):
    """A trace of these arrays, and of further zip members as they are."""
    np.savez(path, **{"header": json.dumps({"run": "1"}), "updates": np.arange(3), "W": np.ones((3, 2)), **arrays})
    with zipfile.ZipFile(path, "a") as file:
        for name, content in (parts or {}).items():
            file.writestr(name, content)
    return path


def npy(array, allow_pickle=False):
    """A .npy file as bytes."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def test_five_lines_of_plain_numpy_write_one(tmp_path):
    """Nothing of this package is needed."""
    subprocess.run([sys.executable, "-I", "-c", PLAIN], cwd=tmp_path, check=True)
    trace = open_trace(tmp_path / "run.npz")

    assert {"framework": "NumPy", "run": "7"} == trace.header
    assert {"W": (2, 3), "b": (3,)} == {name: column.shape for name, column in trace.parameters.items()}
    assert 5 == trace.rows
    assert [0, 1, 2, 3, 4] == trace.read("W")[:, 0, 0].tolist()


def states(count, size=3):
    """Parameters that change with every update."""
    return [{"W": np.arange(2.0 * size).reshape(2, size) + i, "b": np.full(size, float(i))} for i in range(count)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, list(range(10))),
        ({"every": 4}, [0, 4, 8]),
        ({"window": (6, 7)}, [0, 6, 7]),
        ({"every": 5, "window": (6, 7)}, [0, 5, 6, 7]),
    ],
    ids=["all", "every", "window", "both"],
)
def test_what_is_recorded_is_read(tmp_path, options, expected):
    """The rows that were asked for; digests of every update; plain NumPy reads it too."""
    with Recorder(tmp_path / "r.npz", framework="NumPy", experiment={"lr": 0.1}, **options) as recorder:
        for state in states(10):
            recorder.update(state)
    trace = open_trace(tmp_path / "r.npz")

    assert expected == trace.read("updates").tolist()
    assert expected == np.load(tmp_path / "r.npz")["b"][:, 0].tolist()
    assert [digest([s["W"], s["b"]]) for s in states(10)] == [bytes(d) for d in trace.read("digest:parameters")]
    assert ("NumPy", {"lr": 0.1}) == (trace.header["framework"], trace.header["experiment"])
    assert ["r.npz"] == [path.name for path in tmp_path.iterdir()]


def test_a_notebook_shows_a_trace_and_its_recorder(tmp_path):
    """In a line; what the file says is escaped, and cannot be HTML."""
    with Recorder(tmp_path / "r.npz", framework="NumPy <b>2</b>") as recorder:
        for state in states(10):
            recorder.update(state)
        assert "<recorder of r.npz: 10 states so far>" == repr(recorder)
    trace = open_trace(tmp_path / "r.npz")

    assert "<trace r.npz: 10 states of 2 parameters, NumPy <b>2</b>>" == repr(trace)
    assert (
        "<code>&lt;trace r.npz: 10 states of 2 parameters, NumPy &lt;b&gt;2&lt;/b&gt;&gt;</code>" == trace._repr_html_()
    )
    assert "<trace t.npz: 3 states of 1 parameters>" == repr(open_trace(write(tmp_path / "t.npz")))


def test_gradients_optimizer_and_items_are_recorded(tmp_path):
    """By the parameters' names; the start has no gradient."""
    with Recorder(tmp_path / "r.npz") as recorder:
        recorder.update({"W": np.zeros(2)})
        for i in (1.0, 2.0):
            recorder.update(
                {"W": np.full(2, i)}, gradients={"W": np.full(2, -i)}, optimizer={"m:W": [i, i]}, batch=(np.full(3, i),)
            )
    trace = open_trace(tmp_path / "r.npz")

    assert np.array_equal([[np.nan] * 2, [-1, -1], [-2, -2]], trace.read("gradient:W"), equal_nan=True)
    assert [1, 2] == trace.read("optimizer:m:W")[1:, 0].tolist()
    assert [digest([np.full(3, i)]) for i in (1.0, 2.0)] == [bytes(d) for d in trace.read("digest:batch")[1:]]
    assert ["W"] == list(trace.parameters)


def test_a_value_too_large_for_float32_has_the_digest_of_infinity():
    """Rounded as IEEE 754 rounds it, without a warning; float64 differences below float32's precision are not seen."""
    assert digest([np.array([np.inf, -np.inf])]) == digest([np.array([1e300, -1e300])])
    assert digest([np.array(1.0)]) == digest([np.array(1.0 + 1e-12)])
    assert digest([np.array(1.0)]) != digest([np.array(1.0 + 1e-6)])


@pytest.mark.parametrize("count", [0, 1])
def test_a_run_without_updates(tmp_path, count):
    """No update is no trace; a start alone is one row."""
    with Recorder(tmp_path / "r.npz") as recorder:
        for state in states(count):
            recorder.update(state)

    assert bool(count) == (tmp_path / "r.npz").exists()
    if count:
        assert 1 == open_trace(tmp_path / "r.npz").rows


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "there are no parameters"),
        ({"a/b": np.ones(1)}, "'a/b' cannot be a parameter's name"),
        ({"..": np.ones(1)}, "'..' cannot be"),
        ({"a:b": np.ones(1)}, "'a:b' cannot be"),
        ({"updates": np.ones(1)}, "'updates' cannot be"),
        ({"W": np.ones(1, int)}, "W holds int64; a parameter is of a floating-point type"),
        ({"W": np.array([None])}, "W holds object"),
    ],
    ids=["none", "slash", "dots", "colon", "reserved", "integers", "objects"],
)
def test_what_cannot_be_recorded(tmp_path, parameters, message):
    """It is said at once, not at the end."""
    with pytest.raises(InputError, match=message):
        Recorder(tmp_path / "r.npz").update(parameters)


def test_a_shape_that_changes_is_refused(tmp_path):
    """With its name and update."""
    with Recorder(tmp_path / "r.npz") as recorder:
        recorder.update({"W": np.zeros(2)})
        recorder.update({"W": np.zeros(2)})
        with pytest.raises(InputError, match=r"W had the shape \(2,\), and has \(3,\) at update 2"):
            recorder.update({"W": np.zeros(3)})


@pytest.mark.parametrize("name", ["r.npz", "r.npz.rows", "r.npz.digests"])
def test_nothing_is_overwritten(tmp_path, name):
    """Neither a trace nor what a crash left of one."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"{name}: the file exists; overwrite=True replaces a trace of this name"):
        Recorder(tmp_path / "r.npz")

    assert "mine" == (tmp_path / name).read_text()


CRASH = """
import signal, numpy as np
from comparisons.recorders.plain import Recorder
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background jobs ignore it
trace = Recorder("r.npz")
print("ready", flush=True)
for i in range(10**9):
    trace.update({"W": np.full(50, float(i))})
"""


def written(path):
    """How many bytes of a file are on disk."""
    return path.stat().st_size if path.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_crash_leaves_a_readable_trace(tmp_path, ending):
    """However the program ends, what was written until then can be read, from the first row on without a gap."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", CRASH], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as program:
        program.stdout.readline()
        while not written(tmp_path / "r.npz.rows") > 2**18:
            time.sleep(0.01)
        program.send_signal(ending)
    trace = open_trace(tmp_path / "r.npz")

    assert trace.rows > 100
    assert list(range(trace.rows)) == trace.read("W")[:, 7].astype(int).tolist()


def test_half_a_record_is_left_out(tmp_path):
    """A crash in the middle of a write."""
    recorder = Recorder(tmp_path / "r.npz")
    for state in states(5):
        recorder.update(state)
    for journal in recorder._journals:
        journal.close()
    for path in journals(tmp_path / "r.npz"):
        path.write_bytes(path.read_bytes()[:-3])
    trace = open_trace(tmp_path / "r.npz")

    assert (4, 4) == (trace.rows, trace.columns["digest:updates"].rows)


HOSTILE_JOURNALS = {
    "objects": b'{"header": {}, "columns": [["W", "|O", [3]]]}',
    "a path": b'{"header": {}, "columns": [["../W", "<f8", [3]]]}',
    "an absolute path": b'{"header": {}, "columns": [["/tmp/W", "<f8", [3]]]}',
    "no columns": b'{"header": {}, "columns": []}',
    "a huge shape": b'{"header": {}, "columns": [["W", "<f8", [99999999999]]]}',
    "a negative shape": b'{"header": {}, "columns": [["W", "<f8", [-3]]]}',
    "text": b'{"header": {}, "columns": [["W", "<U4", [3]]]}',
    "a record in a record": b'{"header": {}, "columns": [["W", "<f8,<f8", [1]]]}',
    "no header": b'{"header": 5, "columns": [["W", "<f8", [3]]]}',
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "twice": b'{"header": {}, "columns": [["W", "<f8", [3]], ["W", "<f8", [3]]]}',
}


@pytest.mark.parametrize("line", HOSTILE_JOURNALS.values(), ids=HOSTILE_JOURNALS)
def test_hostile_journals_are_refused(tmp_path, line):
    """One line, and nothing is written."""
    for journal in journals(tmp_path / "t.npz"):
        journal.write_bytes(line + b"\n" + bytes(64))
    with pytest.raises(InputError, match=r"^\S+t\.npz\.rows: is no journal of a trace$"):
        open_trace(tmp_path / "t.npz")

    assert ["t.npz.digests", "t.npz.rows"] == sorted(path.name for path in tmp_path.iterdir())


def test_journals_with_an_array_in_common_are_refused(tmp_path):
    """Each holds what the other does not."""
    for journal in journals(tmp_path / "t.npz"):
        journal.write_bytes(b'{"header": {}, "columns": [["W", "<f8", [3]]]}\n' + bytes(64))
    with pytest.raises(InputError, match="its two journals have an array in common"):
        open_trace(tmp_path / "t.npz")


def test_journals_without_a_first_line(tmp_path):
    """A crash before anything was written is one line, too."""
    for path in journals(tmp_path / "r.npz"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="is no journal of a trace"):
        open_trace(tmp_path / "r.npz")


def test_memory_does_not_grow_with_the_updates(tmp_path):
    """A trace of 60 MB is read in blocks; twin: read whole, it is all in memory."""
    rows = 60_000
    with zipfile.ZipFile(tmp_path / "r.npz", "w") as file:
        file.writestr("updates.npy", npy(np.arange(rows)))
        with file.open("W.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (rows, 125)})
            for _ in range(rows // 1000):
                member.write(np.ones((1000, 125)).tobytes())
    trace = open_trace(tmp_path / "r.npz")
    tracemalloc.start()
    total = sum(float(block["W"].sum()) for block in trace.blocks(["updates", "W"]))
    in_blocks = tracemalloc.get_traced_memory()[1]
    trace.read("W")
    whole = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert rows * 125 == total
    assert in_blocks < 20e6 < 60e6 < whole


# --- what is refused ------------------------------------------------------------------------------------------------


class Trap:
    """Unpickled, it would write a file."""

    def __reduce__(self):
        return os.system, ("touch trapped",)


def header_of(shape, descr="<f8", fortran=False):
    """The head of a .npy file that promises this."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": fortran, "shape": shape})
    return file.getvalue()


def bomb():
    """A member that unpacks to 12 MB of zeros."""
    return header_of((3, 500_000)) + bytes(3 * 500_000 * 8)


HOSTILE = {
    "pickled objects": ({"V.npy": npy(np.array([Trap()] * 3), allow_pickle=True)}, "V holds object"),
    "a pickle in place of an array": ({"V.npy": b"cos\nsystem\n(S'touch trapped'\ntR."}, "magic string"),
    "a head that is code": (
        {"V.npy": b"\x93NUMPY\x01\x00\x3e\x00" + b"__import__('os').system('touch trapped')".ljust(61) + b"\n"},
        "is no trace",
    ),
    "texts": ({"V.npy": npy(np.array(["a", "b", "c"]))}, "V holds <U1"),
    "complex numbers": ({"V.npy": npy(np.ones((3, 2), complex))}, "V holds complex128"),
    "structures": ({"V.npy": npy(np.ones(3, [("a", "f8")]))}, "V holds"),
    "long doubles": ({"V.npy": npy(np.ones((3, 1), np.longdouble))}, "V holds"),
    "whole numbers": ({"V.npy": npy(np.ones((3, 2), int))}, "V holds int64; a parameter"),
    "no update axis": ({"V.npy": npy(np.float64(1))}, "without a leading update axis"),
    "other rows": ({"V.npy": npy(np.ones((4, 2)))}, "V has 4 rows, and updates 3"),
    "fewer bytes than promised": ({"V.npy": header_of((3, 100)) + bytes(8)}, "V is damaged"),
    "more bytes than promised": ({"V.npy": header_of((3, 1)) + bytes(8000)}, "V is damaged"),
    "a huge promise": ({"V.npy": header_of((3, 10**15))}, "V is damaged"),
    "a negative length": ({"V.npy": header_of((3, -1))}, "is no trace|without a leading"),
    "Fortran order": ({"V.npy": npy(np.asfortranarray(np.ones((3, 2))))}, "Fortran order"),
    "a path": ({"../V.npy": npy(np.ones((3, 2)))}, "cannot be the name of an array"),
    "an absolute path": ({"/tmp/V.npy": npy(np.ones((3, 2)))}, "cannot be the name of an array"),
    "a backslash": ({"a\\V.npy": npy(np.ones((3, 2)))}, "cannot be the name of an array"),
    "a line break": ({"a\nV.npy": npy(np.ones((3, 2)))}, "cannot be the name of an array"),
    "a foreign member": ({"run.sh": b"touch trapped"}, "is no array"),
    "nothing in a member": ({"V.npy": b""}, "is no trace"),
    "a later version of .npy": ({"V.npy": b"\x93NUMPY\x09\x00" + bytes(100)}, "is no trace"),
    "digests of another kind": (
        {"digest:updates.npy": npy(np.arange(3)), "digest:parameters.npy": npy(np.ones((3, 4)))},
        "digest:parameters must be 16 bytes",
    ),
    "digests without updates": ({"digest:parameters.npy": npy(np.ones((3, 16), np.uint8))}, "digest:updates 0"),
}


@pytest.mark.parametrize(("parts", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_members_are_refused(tmp_path, monkeypatch, parts, message):
    """One line; nothing is executed, and no file is made."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "t.npz", parts)
    with pytest.raises(InputError, match=message) as refused:
        open_trace(tmp_path / "t.npz")

    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path / "t.npz"))
    assert ["t.npz"] == [path.name for path in tmp_path.iterdir()]


BAD = {
    "no updates": ({"updates": np.ones((3, 2))}, "updates must be whole numbers"),
    "updates that fall": ({"updates": np.array([0, 2, 1])}, "updates must rise"),
    "updates that stay": ({"updates": np.array([0, 1, 1])}, "updates must rise"),
    "updates below 0": ({"updates": np.array([-1, 0, 1])}, "updates must rise"),
    "updates that are not whole": ({"updates": np.array([0.0, 1.0, 2.0])}, "updates must be whole numbers"),
    "a header that is no JSON": ({"header": "run 7"}, "is no trace"),
    "a header that is a list": ({"header": "[1]"}, "must be a JSON object"),
    "a header that is an array": ({"header": np.ones(3)}, "must be one text"),
    "a header that is too long": ({"header": json.dumps({"a": "b" * 2**20})}, "its header has"),
    "a header that is too deep": ({"header": "[" * 100_000}, "is no trace"),
}


@pytest.mark.parametrize(("arrays", "message"), BAD.values(), ids=BAD)
def test_wrong_arrays_are_refused(tmp_path, arrays, message):
    """One line."""
    with pytest.raises(InputError, match=message) as refused:
        open_trace(write(tmp_path / "t.npz", **arrays))

    assert "\n" not in str(refused.value)


def test_a_bomb_is_left_packed(tmp_path):
    """What deflates to less than a thousandth is not unpacked."""
    with zipfile.ZipFile(tmp_path / "t.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("updates.npy", npy(np.arange(3)))
        file.writestr("W.npy", bomb())
    with pytest.raises(InputError, match="W would unpack to 12,000,128 bytes; it is left packed"):
        open_trace(tmp_path / "t.npz")


def test_an_array_twice(tmp_path):
    """Which of the two would be meant?"""
    path = write(tmp_path / "t.npz")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as file:
        file.writestr("W.npy", npy(np.zeros((3, 2))))
    with pytest.raises(InputError, match="has the array W twice"):
        open_trace(path)


def test_too_many_arrays(tmp_path, monkeypatch):
    """More than any network has."""
    monkeypatch.setattr(reference.files, "MOST_ARRAYS", 2)
    with pytest.raises(InputError, match="has 3 arrays; at most 2 are allowed"):
        open_trace(write(tmp_path / "t.npz"))


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", b"x" * 1000], ids=["empty", "short", "npy", "noise"])
def test_no_zip_at_all(tmp_path, content):
    """One line."""
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(InputError, match="is no trace that can be read"):
        open_trace(tmp_path / "t.npz")


def test_no_file(tmp_path):
    """One line."""
    with pytest.raises(InputError, match="cannot be read"):
        open_trace(tmp_path / "t.npz")


def test_a_column_that_is_gone_when_it_is_read(tmp_path):
    """One line, as for any other file that changes after it was opened."""
    trace = open_trace(write(tmp_path / "t.npz"))
    np.savez(tmp_path / "t.npz", updates=np.arange(3))
    with pytest.raises(InputError, match=r"is no trace that can be read \(\"There is no item named 'W.npy'") as refused:
        trace.read("W")

    assert "\n" not in str(refused.value)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(0, 10**6), what=st.binary(min_size=1, max_size=8), cut=st.integers(0, 40))
def test_a_damaged_trace_is_read_or_refused(tmp_path, where, what, cut):
    """Bytes overwritten anywhere, the end cut off: numbers, or one line, and never anything else."""
    path = tmp_path / "t.npz"
    path.unlink(missing_ok=True)
    content = bytearray(write(path, {"b.npy": npy(np.ones((3, 1)))}).read_bytes())
    where %= len(content)
    content[where : where + len(what)] = what
    path.write_bytes(bytes(content[: len(content) - cut]))
    refused = ""
    try:
        trace = open_trace(path)
        kinds = {trace.read(name).dtype.kind for name in trace.columns}
    except InputError as error:
        kinds, refused = set(), str(error)

    assert kinds <= {"f", "i", "u"}
    assert "\n" not in refused


# --- what would cost more than the file is worth ----------------------------------------------------------------------


def packed(path, method, content, size):
    """A trace with one more member, whose method of packing and unpacked size are as it says."""
    write(path, {"V.npy": content})
    with zipfile.ZipFile(path) as file:
        local, listed = file.getinfo("V.npy").header_offset, path.read_bytes().rfind(b"PK\1\2")
    raw = bytearray(path.read_bytes())
    for start in (local, listed + 2):
        raw[start + 8 : start + 10] = method.to_bytes(2, "little")
        raw[start + 22 : start + 26] = size.to_bytes(4, "little")
    path.write_bytes(raw)


def of_header(text):
    """A trace with this text as its header."""
    return lambda path: write(path, header=text)


def of_journals(columns):
    """What a crash leaves, with these columns of rows."""

    def make(path):
        for journal in journals(path):
            journal.write_text(json.dumps({"header": {}, "columns": columns}) + "\n" + "x" * 64)

    return make


def inflating(path):
    """Three rows of 80 MB, of which a few bytes are not 0, in a file of 1.5 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("updates.npy", npy(np.arange(3)))
        with file.open("W.npy", "w") as member:
            member.write(header_of((3, 10_000_000)))
            for number in range(60):
                member.write(np.random.default_rng(number).bytes(8_000) + bytes(4_000_000 - 8_000))


STATED = '{"experiment": {"lr": 0.01, "lamda": 0.001, "style": "penalty", %s}}'
COSTLY = {
    "epochs": (of_header(STATED % '"epochs": 1000000000000'), "1,000,000,000,000 epochs; at most 1,000,000,000"),
    "sizes": (of_header(STATED % '"sizes": [10, 1000000000, 4]'), "a network of 15,000,000,004 parameters"),
    "400 digits": (of_header(STATED % f'"seed": {"9" * 400}'), "its header has endless numbers"),
    "5000 digits": (of_header(STATED % f'"seed": {"9" * 5000}'), "is no trace that can be read"),
    "depth": (of_header(STATED % f'"seed": {"[" * 500}{"]" * 500}'), "nested more than 50 deep"),
    "updates": (lambda path: write(path, updates=np.array([0, 1, 10**12])), "goes up to 1,000,000,000,000; at most"),
    "rows": (inflating, "a row of all arrays would unpack to 80,000,008 bytes|W would unpack to"),
    "one large row": (
        lambda path: np.savez_compressed(path, updates=np.arange(1), W=np.arange(5e6)[None] % 999),
        "a row of all arrays would unpack to 40,000,008 bytes; at most 33,554,432",
    ),
    "text that is not there": (
        lambda path: write_parts(path, {"header.npy": header_of((), "<U10")}),
        "header is damaged",
    ),
    "bz2": (lambda path: packed(path, 12, b"BZh9", 80), "V.npy is packed as np.savez does not pack"),
    "lzma": (lambda path: packed(path, 14, b"damaged", 80), "V.npy is packed as"),
    "an unknown method": (lambda path: packed(path, 99, b"damaged", 80), "V.npy is packed as"),
    "damaged deflate": (lambda path: packed(path, 8, b"damaged", 80), "is no trace that can be read"),
    "a pipe": (os.mkfifo, "is no regular file, but a pipe, a device or a socket"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
    "a folder": (Path.mkdir, "Is a directory"),
    "a long name": (None, "File name too long"),
    "journals of 0 bytes": (of_journals([["W", "<f8", [0]]]), "is no journal of a trace"),
    "journals of 100,000 axes": (of_journals([["W", "<f8", [1] * 100_000]]), "is no journal of a trace"),
}


def write_parts(path, parts):
    """A zip file of these members and a parameter."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {"updates.npy": npy(np.arange(3)), "W.npy": npy(np.ones((3, 2))), **parts}.items():
            file.writestr(name, content)


def test_what_costs_is_not_believed(tmp_path):
    """Every file is one line, without control characters; all of them together take seconds and little memory."""
    began, most = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, (name, (make, message)) in enumerate(COSTLY.items()):
        path = tmp_path / (f"{number}.npz" if make else "x" * 300)
        if make:
            make(path)
        with pytest.raises(InputError, match=message) as refused:
            open_trace(path)
        assert str(refused.value).isprintable(), name

    assert time.monotonic() - began < 60
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most) / 2**20 < 1  # KiB, of 1 GiB


def test_a_damaged_end_of_a_packed_column_is_found(tmp_path):
    """Every value was read, and only then the check sum is known; twin: the file as it was."""
    path = tmp_path / "t.npz"
    np.savez_compressed(path, updates=np.arange(3), W=np.ones((3, 2)))
    assert 6 == open_trace(path).read("W").sum()
    with zipfile.ZipFile(path) as file:
        start = file.getinfo("W.npy").header_offset
    raw, listed = bytearray(path.read_bytes()), path.read_bytes().rfind(b"PK\1\2")
    raw[start + 14] ^= 1
    raw[listed + 16] ^= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match="Bad CRC-32"):
        open_trace(path).read("W")
