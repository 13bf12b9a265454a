"""An experiment as it is written down: in the header of a trace, or in a TOML file, by the fields of `Experiment`.

    lamda = 0.001
    optimizer = "momentum"
    data = "digits.npz"     # beside the TOML file

A field that is left out has the default of `Experiment`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from comparisons.runs.files import MOST_NUMBER, read_toml, require
from comparisons.runs.names import as_state, first_rows, network_shapes
from comparisons.runs.trace import DIGEST_UPDATES, UPDATES, Trace
from reference import data as datasets
from reference.errors import InputError
from reference.experiment import Experiment, check_fit, draw, parameters_of, updates_of
from reference.l1 import STYLES
from reference.train import check_names

KINDS: dict[type, tuple[Callable[[Any], bool], str]] = {  # by the type of the field's default: is this one, in words
    int: (lambda value: type(value) is int, "a whole number"),
    float: (lambda value: type(value) is float or (type(value) is int and abs(value) < MOST_NUMBER), "a number"),
    str: (lambda value: type(value) is str, "text"),
    tuple: (lambda value: type(value) is list and {*map(type, value)} <= {int}, "a list of whole numbers"),
}
PER_STATE = 100  # updates that the reference may train for each state that a stranger's file has
WITHOUT_STATES = 2_500_000  # and updates × parameters beside them: a few seconds
SMALL = 100_000  # parameters
FIELDS = {field.name: KINDS[type(field.default)] for field in fields(Experiment)}


MEANT = {  # by what users of other libraries call it
    "lambda": "lamda", "lam": "lamda", "lambd": "lamda", "l1": "lamda", "l1_lambda": "lamda", "reg": "lamda",
    "λ": "lamda", "learning_rate": "lr", "eta": "lr", "η": "lr", "weight_decay": "l2", "beta": "momentum",
    "regularization": "style",
}  # fmt: skip


def check_said(said: Mapping[str, Any], where: str) -> None:
    """Raise InputError for a field that no experiment has, one of another type, and an unknown style.

    Fields may be left out, and the optimizer may be one that the reference does not have.
    """
    for name, value in said.items():
        if name == "data":
            require(where, isinstance(value, str), f"data must be a text; got {value!r}")
            continue
        near = MEANT.get(name.lower()) or next(iter(get_close_matches(name, FIELDS, 1)), None)
        meant = f"; is {near} meant?" if near else "."
        require(where, name in FIELDS, f"{name} is no field{meant} There are {', '.join(FIELDS)}, and data")
        fits, words = FIELDS[name]
        require(where, fits(value), f"{name} must be {words}; got {value!r}")
    known = said.get("style", Experiment().style) in STYLES
    require(where, known, f"style must be one of {', '.join(STYLES)}; got {said.get('style')!r}")


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
    try:
        check_fit(experiment, data)
    except InputError:
        return False
    return network_shapes(experiment.sizes) == {name: column.shape for name, column in trace.parameters.items()}


def affordable(experiment: Experiment, data: datasets.Dataset, trace: Trace) -> bool:
    """May the reference train as far as the trace says? What it says costs nothing, and training does.

    For each state that is recorded 100 updates, and 20,000 for a network as small as the article's.
    """
    updates = [key for key in (UPDATES, DIGEST_UPDATES) if key in trace.columns]
    last = max((int(trace.read(key)[-1]) for key in updates if trace.columns[key].rows), default=0)
    states, size = max(trace.columns[key].rows for key in updates), parameters_of(experiment.sizes)
    recorded = sum(math.prod(column.shape) for column in trace.parameters.values())
    small = size <= max(recorded, SMALL)
    return small and min(last, updates_of(experiment, data)) <= PER_STATE * states + WITHOUT_STATES // size


def check_affordable(experiment: Experiment, data: datasets.Dataset, trace: Trace) -> None:
    """Raise InputError unless it is affordable to train the experiment beside the trace."""
    fault = (
        f"too little is recorded for its experiment, {updates_of(experiment, data):,} updates of"
        f" {parameters_of(experiment.sizes):,} parameters: a state or a digest every {PER_STATE} updates is needed"
    )
    require(trace.path, affordable(experiment, data, trace), fault)


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
