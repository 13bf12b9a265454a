"""An experiment as it is written down: in the header of a trace, or in a TOML file, by the fields of `Experiment`.

    lamda = 0.001
    optimizer = "momentum"
    data = "digits.npz"     # beside the TOML file

A field that is left out has the default of `Experiment`.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from comparisons.runs.files import read_toml, require
from comparisons.runs.names import as_state, first_rows
from comparisons.runs.trace import Trace
from reference import data as datasets
from reference.errors import InputError
from reference.experiment import Experiment, check_fit, draw
from reference.train import check_names

KINDS: dict[type, tuple[Callable[[Any], bool], str]] = {  # by the type of the field's default: is this one, in words
    int: (lambda value: type(value) is int, "a whole number"),
    float: (lambda value: type(value) in (int, float), "a number"),
    str: (lambda value: type(value) is str, "text"),
    tuple: (lambda value: type(value) is list and {*map(type, value)} <= {int}, "a list of whole numbers"),
}
FIELDS = {field.name: KINDS[type(field.default)] for field in fields(Experiment)}


def as_experiment(said: Mapping[str, Any], where: str) -> Experiment:
    """The experiment of these fields. Raises InputError for an unknown one, another type, or an unusable number."""
    for name, value in said.items():
        require(where, name in FIELDS, f"{name} is no field; there are {', '.join(FIELDS)}, and data, a file")
        fits, words = FIELDS[name]
        require(where, fits(value), f"{name} must be {words}; got {value!r}")
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in said.items()}
    try:
        experiment = Experiment(**values)
        check_names(experiment)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return experiment


def read_experiment(path: Path) -> tuple[Experiment, datasets.Dataset | None]:
    """The experiment of a TOML file, and the data of the file that it names, if it names one.

    Raises InputError for files that cannot be used, and data that the experiment does not fit.
    """
    said = read_toml(path)
    name = said.pop("data", None)
    experiment = as_experiment(said, str(path))
    if name is None:
        return experiment, None
    require(path, isinstance(name, str), f"data must be the name of a file; got {name!r}")
    data = datasets.load(path.parent / name)
    check_fit(experiment, data)
    return experiment, data


def stated(trace: Trace) -> tuple[Experiment, datasets.Dataset | None] | tuple[None, None]:
    """The experiment in a trace's header, if it has η, λ and the style, and its data, if they are the article's.

    Raises InputError for an experiment that cannot be one.
    """
    said = trace.header.get("experiment")
    if not isinstance(said, dict) or not {"lr", "lamda", "style"} <= said.keys():
        return None, None
    experiment = as_experiment({name: value for name, value in said.items() if name in FIELDS}, f"{trace.path}, header")
    data = datasets.article()
    return experiment, data if said.get("data") == data.name and of_network(trace, experiment, data) else None


def of_network(trace: Trace, experiment: Experiment, data: datasets.Dataset) -> bool:
    """Has the trace the parameters of the experiment's network, and does the experiment fit the data?"""
    names = {f"{kind}{layer}" for layer in range(1, len(experiment.sizes)) for kind in "Wb"}
    try:
        check_fit(experiment, data)
    except InputError:
        return False
    return names == set(trace.parameters)


def articles(experiment: Experiment, trace: Trace) -> datasets.Dataset | None:
    """The article's data, if the trace says that it is of them, or starts as the experiment does; else None.

    Names alone do not tell: many networks have a W1 and a b1.
    """
    data = datasets.article()
    if not of_network(trace, experiment, data):
        return None
    said = trace.header.get("experiment")
    if isinstance(said, dict) and said.get("data") == data.name:
        return data
    began, first = as_state(draw(experiment, data)[0]), first_rows(trace)
    return data if all(np.array_equal(w, first[name]) for name, w in began.items()) else None
