"""The article's data, and files."""

import io
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reference.data import load
from reference.errors import InputError

IRIS = Path(__file__).parents[1] / "data" / "iris.csv"
GOOD = "a,b,label\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n9,10,x\n"

REFUSED_CSV = {
    "not numeric": ("a,b,label\n1,2,x\n3,four,y\n", "line 3, column b: a finite number is needed; got 'four'"),
    "not a number": ("a,b,label\n1,nan,x\n3,4,y\n", "line 2, column b: a finite number is needed; got 'nan'"),
    "infinite": ("a,b,label\ninf,2,x\n3,4,y\n", "line 2, column a: a finite number is needed; got 'inf'"),
    "empty field": ("a,b,label\n1,,x\n3,4,y\n", "line 2, column b: a finite number is needed; got ''"),
    "too short": ("a,b,label\n1,2,x\n3,y\n", "line 3: 3 columns are needed, as in the header; got 2"),
    "too long": ("a,b,label\n1,2,x\n3,4,5,y\n", "line 3: 3 columns are needed, as in the header; got 4"),
    "one class": ("a,b,label\n1,2,x\n3,4,x\n", "two or more classes are needed; every item has the class x"),
    "empty": ("", "line 1: a header of one or more features and a class is needed; got []"),
    "one column": ("label\nx\ny\n", "line 1: a header of one or more features and a class is needed; got ['label']"),
    "header only": ("a,b,label\n", "there are no items below the header"),
    "no header": ("1,2,x\n3,4,y\n", "line 1: a header with names is needed; got the number 1"),
    "no label": ("a,b,label\n1,2,x\n3,4,\n", "line 3: the class label is missing"),
}

REFUSED_NPZ = {
    "no t": ({"x": np.ones((2, 2))}, "the arrays x and t are needed"),
    "lengths": ({"x": np.ones((2, 2)), "t": np.arange(3)}, "x must be (items, features) and t (items, classes) or"),
    "nan": ({"x": np.array([[1.0], [np.nan]]), "t": np.arange(2)}, "x[1, 0] must be a finite number; got nan"),
    "text": ({"x": np.array([["a"], ["b"]]), "t": np.arange(2)}, "is not an NPZ file of numeric arrays"),
    "objects": ({"x": np.array([[{}], [{}]]), "t": np.arange(2)}, "is not an NPZ file of numeric arrays"),
    "not one-hot": ({"x": np.ones((2, 1)), "t": np.ones((2, 2))}, "every row of a two-dimensional t must be one-hot"),
    "one class": ({"x": np.ones((2, 1)), "t": np.zeros(2)}, "two or more classes are needed"),
    "no items": ({"x": np.ones((0, 1)), "t": np.zeros(0)}, "x must be (items, features)"),
    "nan label": ({"x": np.ones((2, 1)), "t": np.array([0, np.nan])}, "every label in t must be a finite number"),
}


def test_articles_data(data):
    """200 and 40 items of 10 float32 features in (−8, 8), one of four classes each."""
    for x, t, items in ((data.x_train, data.t_train, 200), (data.x_test, data.t_test, 40)):
        assert (items, 10) == x.shape
        assert (items, 4) == t.shape
        assert (x == x.astype(np.float32)).all()
        assert np.abs(x).max() < 8
        assert {(1.0, 0.0, 0.0, 0.0)} == {tuple(sorted(row, reverse=True)) for row in t}


def test_iris():
    """150 flowers, four features, three species; a fifth is kept for testing."""
    iris = load(IRIS)

    assert (120, 4) == iris.x_train.shape
    assert (30, 3) == iris.t_test.shape
    assert [50, 50, 50] == (iris.t_train.sum(axis=0) + iris.t_test.sum(axis=0)).tolist()
    assert 150 == len(IRIS.read_text().splitlines()) - 1


def test_the_split_is_the_same_every_time_and_loses_nothing():
    """Training and test items together are the file's items."""
    one, other = load(IRIS), load(IRIS)
    rows = sorted(map(tuple, np.loadtxt(IRIS, delimiter=",", skiprows=1, usecols=range(4))))

    assert (one.x_train == other.x_train).all()
    assert rows == sorted(map(tuple, np.concatenate([one.x_train, one.x_test])))


@pytest.mark.parametrize(
    "t",
    [np.array([0, 1, 0, 1, 1]), np.eye(2)[[0, 1, 0, 1, 1]], np.array(list("xyxyy"))],
    ids=["labels", "one-hot", "text"],
)
def test_npz_is_csv(tmp_path, t):
    """The same items from NPZ, with labels or one-hot, and from CSV are the same data set."""
    x = np.arange(10.0).reshape(5, 2)
    (tmp_path / "d.csv").write_text("a,b,label\n0,1,x\n2,3,y\n4,5,x\n6,7,y\n8,9,y\n")
    np.savez(tmp_path / "d.npz", x=x, t=t)
    csv, npz = load(tmp_path / "d.csv"), load(tmp_path / "d.npz")

    assert (csv.x_train == npz.x_train).all()
    assert (csv.t_train == npz.t_train).all()
    assert (csv.t_test == npz.t_test).all()


@pytest.mark.parametrize(("text", "message"), REFUSED_CSV.values(), ids=REFUSED_CSV)
def test_csv_that_cannot_be_used_is_refused(tmp_path, text, message):
    """The error names the file, the line and what is allowed."""
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        load(path)

    assert str(error.value).startswith(str(path))
    assert 1 == len(str(error.value).splitlines())


@pytest.mark.parametrize(("arrays", "message"), REFUSED_NPZ.values(), ids=REFUSED_NPZ)
def test_npz_that_cannot_be_used_is_refused(tmp_path, arrays, message):
    """The error names the file and what is allowed; pickled objects are not loaded."""
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        load(path)

    assert str(error.value).startswith(str(path))
    assert 1 == len(str(error.value).splitlines())


@pytest.mark.parametrize("name", ["bytes.csv", "bytes.npz", "empty.npz"])
def test_files_of_another_kind_are_refused(tmp_path, name):
    """Bytes that are neither text nor an archive are one line too."""
    path = tmp_path / name
    path.write_bytes(b"" if name.startswith("empty") else b"\xff\xfe\x00\x9f" * 5)
    with pytest.raises(InputError, match=re.escape(str(path))) as error:
        load(path)

    assert 1 == len(str(error.value).splitlines())


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.csv", "cannot be read"), ("none.npz", "cannot be read"), ("d.txt", "must end in .csv or .npz")],
    ids=["csv", "npz", "ending"],
)
def test_unreadable_paths_are_refused(tmp_path, name, message):
    """A file that is not there, and a name with no reader."""
    with pytest.raises(InputError, match=message):
        load(tmp_path / name)


def test_good_csv_is_read(tmp_path):
    """Twin of the refusals: the file that they are variations of is data."""
    path = tmp_path / "good.csv"
    path.write_text(GOOD)

    assert 5 == len(load(path).x_train) + len(load(path).x_test)


def labels(path):
    """A class for every item: one-hot they would be 20 GB."""
    path.write_text("a,b\n" + "".join(f"0,{i}\n" for i in range(50_000)))


def promise(path):
    """A shape of 8 TB, and nothing of it."""
    np.savez(path, t=np.arange(3))
    with zipfile.ZipFile(path, "a") as file:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
        file.writestr("x.npy", head.getvalue())


COSTLY = {
    "labels.csv": (labels, "are too many; at most 1,000,000 items and 50,000,000 numbers are allowed"),
    "digits.csv": (lambda path: path.write_text(f"a,b\n{'9' * 400},1\n"), "a finite number is needed; got '9999"),
    "promise.npz": (promise, "x.npy is damaged: its size is not that of the shape (1000000, 1000000)"),
    "small.npz": (
        lambda path: np.savez_compressed(path, x=np.zeros((160_000, 300), bool), t=np.arange(160_000) % 2),
        "are too many for its size; at most 4,000,000 numbers are allowed",
    ),
    "classes.npz": (lambda path: np.savez(path, x=np.zeros((30_000, 1)), t=np.arange(30_000)), "are too many"),
    "bomb.npz": (
        lambda path: np.savez_compressed(path, x=np.zeros((1_000, 60_000), np.uint8), t=np.arange(1_000)),
        "are too many",
    ),
    "pipe.csv": (os.mkfifo, "is no regular file, but a pipe, a device or a socket"),
    "device.npz": (lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
    "steering.csv": (lambda path: path.write_text("a\x1b[2J,b\nx\u202e,1\n"), r"column a\x1b[2J: a finite number"),
}


@pytest.mark.parametrize("name", COSTLY)
def test_data_that_costs_or_steers_is_refused(tmp_path, name):
    """One line, without control characters; nothing is allocated that the file does not have."""
    make, message = COSTLY[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        load(tmp_path / name)

    assert str(refused.value).isprintable()
