"""Datasets: the article's synthetic one, and files of your own."""

import csv
import math
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reference.errors import InputError, require

TEST_SHARE = 0.2  # of the items of a file
SPLIT_SEED = 0


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
    draws = [-limit + 2 * limit * rnd.random() for _ in range(int(np.prod(shape)))]
    return np.array(draws, dtype=np.float32).reshape(shape)


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
    try:
        x, labels = readers[path.suffix.lower()](path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    classes, label = np.unique(labels, return_inverse=True)
    require(len(classes) > 1, f"{path}: two or more classes are needed; every item has the class {classes[0]}")
    t, order = np.eye(len(classes))[label], list(range(len(x)))
    random.Random(SPLIT_SEED).shuffle(order)
    first = int(len(x) * TEST_SHARE)
    test, train = order[:first], order[first:]
    return Dataset(path.name, str(path), x[train], t[train], x[test], t[test])


def read_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of a CSV file; blank lines are skipped."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            where = f"{path}, line 1"
            require(len(header) > 1, f"{where}: a header of one or more features and a class is needed; got {header}")
            for name in header[:-1]:
                require(not is_number(name), f"{where}: a header with names is needed; got the number {name}")
            items = [item(row, header, f"{path}, line {lines.line_num}") for row in lines if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is not a CSV file in UTF-8 ({error})") from error
    require(items, f"{path}: there are no items below the header")
    features, labels = zip(*items, strict=True)
    return np.array(features), np.array(labels)


def item(row: list[str], header: list[str], where: str) -> tuple[list[float], str]:
    """The features and the label of a line of a CSV file."""
    require(len(row) == len(header), f"{where}: {len(header)} columns are needed, as in the header; got {len(row)}")
    *features, label = row
    for column, text in zip(header, features, strict=False):
        if not (is_number(text) and math.isfinite(float(text))):
            raise InputError(f"{where}, column {column}: a finite number is needed; got {text!r}")
    require(label.strip(), f"{where}: the class label is missing")
    return [float(text) for text in features], label.strip()


def is_number(text: str) -> bool:
    """Can float() read it?"""
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features `x` and labels `t` of an NPZ file; a one-hot `t` becomes labels."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            x, t = np.asarray(arrays["x"], dtype=float), arrays["t"]
    except KeyError as error:
        raise InputError(f"{path}: the arrays x and t are needed; {error.args[0]}") from error
    except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: is not an NPZ file of numeric arrays ({error})") from error
    shapes = "x must be (items, features) and t (items, classes) or (items)"
    fit = x.ndim == 2 and t.ndim in (1, 2) and len(x) == len(t) and x.size > 0
    require(fit, f"{path}: {shapes}; got {x.shape} and {t.shape}")
    for row, column in np.argwhere(~np.isfinite(x)):  # the first of them is told
        raise InputError(f"{path}: x[{row}, {column}] must be a finite number; got {x[row, column]}")
    if t.ndim == 1:
        finite = t.dtype.kind != "f" or np.isfinite(t).all()
        require(finite, f"{path}: every label in t must be a finite number")
        return x, t
    one_hot = np.isin(t, (0, 1)).all() and (t.sum(axis=1) == 1).all()
    require(one_hot, f"{path}: every row of a two-dimensional t must be one-hot (one 1, the rest 0)")
    return x, t.argmax(axis=1)
