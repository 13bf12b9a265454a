"""Datasets: the article's synthetic one, and files of your own."""

import csv
import io
import math
import random
import zipfile
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from reference.errors import InputError, printable, require
from reference.files import archive, read_bytes, read_head, refusing

TEST_SHARE = 0.2  # of the items of a file
SPLIT_SEED = 0

# of a file; MNIST has 47 million numbers and 110 MB, and they are held twice while they are split
MOST_NUMBERS, MOST_ITEMS, MOST_CSV_BYTES = 50_000_000, 1_000_000, 2**27
FREELY, NUMBERS_A_BYTE = 4_000_000, 10  # numbers of a small file, and of a large one for each byte: what deflates more


@dataclass(frozen=True)
class Dataset:
    """Training and test items: x (items, features) and t (items, classes), one-hot."""

    name: str
    source: str  # the file, "" for the article's data
    x_train: np.ndarray
    t_train: np.ndarray
    x_test: np.ndarray
    t_test: np.ndarray


def uniform(rnd: random.Random, limit: float, shape: tuple[int, ...]) -> np.ndarray:
    """lo + (hi − lo) · rnd.random() with lo, hi = ∓limit, drawn row-major, each value stored as float32."""
    count = math.prod(shape)
    draws = (-limit + 2 * limit * rnd.random() for _ in range(count))
    return np.fromiter(draws, np.float32, count).reshape(shape)


def article() -> Dataset:
    """The article's data: 200 training and 40 test items, labelled by a random 10-15-4 network.

    Source: "Neural Network L1 Regularization Using Python", Visual Studio Magazine, December 2017. The text gives
    sizes and seeds; the range of the inputs, (−8, 8), is not printed there and was found by search: with it all
    four published accuracies come out.
    """
    rnd = random.Random(3)
    W1, b1, W2, b2 = (uniform(rnd, 9.9, shape).astype(float) for shape in ((10, 15), (15,), (15, 4), (4,)))

    def items(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        x = uniform(random.Random(seed), 8.0, (rows, 10)).astype(float)
        label = (np.tanh(x @ W1 + b1) @ W2 + b2).argmax(axis=1)  # the soft-max would not change the maximum
        return x, np.eye(4)[label]

    return Dataset("the article's data", "", *items(200, seed=16), *items(40, seed=18))


def load(path: Path) -> Dataset:
    """The items of a CSV or NPZ file, split by SPLIT_SEED into training items and TEST_SHARE of test items.

    CSV: a header row, numeric features, the class label in the last column. NPZ: `x` (items, features) and `t`,
    one-hot (items, classes) or labels (items). Raises InputError, with file and line, for data that cannot be used.
    """
    readers = {".csv": read_csv, ".npz": read_npz}
    require(path.suffix.lower() in readers, f"{path}: the name of a data file must end in {' or '.join(readers)}")
    x, labels = readers[path.suffix.lower()](path)
    classes = {name: number for number, name in enumerate(sorted(set(labels)))}
    require(len(classes) > 1, f"{path}: two or more classes are needed; every item has the class {labels[0]}")
    items, features = x.shape
    check_size(path, items, features, len(classes))
    t, order = np.zeros((len(x), len(classes))), list(range(len(x)))
    t[order, [classes[label] for label in labels]] = 1.0
    random.Random(SPLIT_SEED).shuffle(order)
    first = int(len(x) * TEST_SHARE)
    test, train = order[:first], order[first:]
    return Dataset(printable(path.name), str(path), x[train], t[train], x[test], t[test])


def check_size(path: Path, items: int, features: int, classes: int) -> None:
    """Raise InputError for more than is held in memory, a few times, without danger."""
    numbers = items * (features + classes)
    words = f"{items:,} items of {features:,} features and {classes:,} classes are too many"
    allowed = f"at most {MOST_ITEMS:,} items and {MOST_NUMBERS:,} numbers are allowed"
    require(items <= MOST_ITEMS and numbers <= MOST_NUMBERS, f"{path}: {words}; {allowed}")
    most = max(FREELY, NUMBERS_A_BYTE * path.stat().st_size)  # MNIST, packed, has four a byte
    require(numbers <= most, f"{path}: {words} for its size; at most {most:,} numbers are allowed")


def read_csv(path: Path) -> tuple[np.ndarray, list[Any]]:
    """Features and labels of a CSV file; blank lines are skipped."""
    content = io.BytesIO(read_bytes(path, "CSV file in UTF-8", MOST_CSV_BYTES))
    with refusing(path, "CSV file in UTF-8"):
        lines = csv.reader(io.TextIOWrapper(content, encoding="utf-8-sig", newline=""))
        header = next(lines, [])
        where = f"{path}, line 1"
        require(len(header) > 1, f"{where}: a header of one or more features and a class is needed; got {header}")
        for name in header[:-1]:
            require(not is_number(name), f"{where}: a header with names is needed; got the number {name}")
        features, labels = array("d"), []
        for row in lines:
            if row:
                values, label = item(row, header, path, lines.line_num)
                features.extend(values)
                labels.append(label)
                check_size(path, len(labels), len(values), 1)
    require(labels, f"{path}: there are no items below the header")
    return np.array(features).reshape(len(labels), -1), labels


def item(row: list[str], header: list[str], path: Path, line: int) -> tuple[list[float], str]:
    """The features and the label of a line of a CSV file."""
    where = f"{path}, line {line}"
    require(len(row) == len(header), f"{where}: {len(header)} columns are needed, as in the header; got {len(row)}")
    *texts, label = row
    try:
        values = list(map(float, texts))
    except ValueError:
        values = [math.nan]
    if not all(map(math.isfinite, values)):
        column, text = next(pair for pair in zip(header, texts, strict=False) if not is_number(pair[1], finite=True))
        raise InputError(f"{where}, column {column}: a finite number is needed; got {text[:80]!r}")
    require(label.strip(), f"{where}: the class label is missing")
    return values, label.strip()


def is_number(text: str, finite: bool = False) -> bool:
    """Can float() read it?"""
    try:
        return math.isfinite(float(text)) or not finite
    except ValueError:
        return False


def read_npz(path: Path) -> tuple[np.ndarray, list[Any]]:
    """Features `x` and labels `t` of an NPZ file; a one-hot `t` becomes labels."""
    with refusing(path, "NPZ file of numeric arrays"), archive(path) as file:
        found = {m.filename.removesuffix(".npy"): m for m in file.infolist()}
        missing = " and ".join(name for name in "xt" if name not in found)
        require(not missing, f"{path}: the arrays x and t are needed; {missing} is not in it")
        x, t = (read_array(path, file, found[name], kinds) for name, kinds in (("x", "fiub"), ("t", "fiubU")))
    fit = x.ndim == 2 and t.ndim in (1, 2) and len(x) == len(t) and x.size > 0
    shapes = "x must be (items, features) and t (items, classes) or (items)"
    require(fit, f"{path}: {shapes}; got {x.shape} and {t.shape}")
    x = x.astype(float)
    for row, column in np.argwhere(~np.isfinite(x))[:1]:
        raise InputError(f"{path}: x[{row}, {column}] must be a finite number; got {x[row, column]}")
    if t.ndim == 1:
        finite = t.dtype.kind != "f" or np.isfinite(t).all()
        require(finite, f"{path}: every label in t must be a finite number")
        with refusing(path, "NPZ file of numeric arrays"):
            return x, t.tolist()  # a text may hold what is no Unicode
    one_hot = t.dtype.kind != "U" and np.isin(t, (0, 1)).all() and (t.sum(axis=1) == 1).all()
    require(one_hot, f"{path}: every row of a two-dimensional t must be one-hot (one 1, the rest 0)")
    return x, t.argmax(axis=1).tolist()


def read_array(path: Path, file: zipfile.ZipFile, member: zipfile.ZipInfo, kinds: str) -> np.ndarray:
    """An array of these kinds of types. Raises InputError for another, and for what is larger than it should be."""
    with file.open(member) as stream:
        shape, _, dtype = read_head(stream)
        size = math.prod(shape) * dtype.itemsize
        require(dtype.kind in kinds, f"{path}: is not an NPZ file of numeric arrays ({member.filename} holds {dtype})")
        whole = shape and min(shape) >= 0 and size == member.file_size - stream.tell()
        require(whole, f"{path}: {member.filename} is damaged: its size is not that of the shape {shape}")
        check_size(path, shape[0], math.prod(shape[1:]), 0)
        require(size <= 8 * MOST_NUMBERS, f"{path}: {member.filename} would unpack to {size:,} bytes; that is too much")
    with file.open(member) as stream:
        found = npy.read_array(stream, allow_pickle=False)
        stream.read()  # the end: only here zipfile looks at the check sum
    return found
