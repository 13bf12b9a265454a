"""An experiment as it is written down: in a trace's header, or in a TOML file, by the fields of `Experiment`.

    lamda = 0.001
    optimizer = "momentum"
    data = "digits.npz"     # beside the TOML file

What is not said is as in `Experiment`.
"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from comparisons.runs.toml_file import read_toml
from comparisons.runs.trace import Trace
from reference import data as datasets
from reference.data import Dataset
from reference.errors import InputError
from reference.experiment import Experiment, check_fit
from reference.train import check_names

# what a field of an experiment may be, and in words
KINDS: dict[str, tuple[Any, str]] = {
    field.name: {
        int: (int, "a whole number"),
        float: ((int, float), "a number"),
        str: (str, "text"),
        tuple: ((list, tuple), "a list of whole numbers"),
    }[type(field.default)]
    for field in fields(Experiment)
}


def as_experiment(said: Mapping[str, Any], where: str) -> Experiment:
    """The experiment of these fields. Raises InputError for an unknown one, another type, or an unusable number."""
    for name, value in said.items():
        if name not in KINDS:
            raise InputError(f"{where}: {name} is no field; there are {', '.join(KINDS)}, and data, a file")
        kind, words = KINDS[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InputError(f"{where}: {name} must be {words}; got {value!r}")
    sizes = said.get("sizes", ())
    if not all(isinstance(size, int) and not isinstance(size, bool) for size in sizes):
        raise InputError(f"{where}: sizes must be a list of whole numbers; got {sizes!r}")
    try:
        experiment = Experiment(**{**said, **({"sizes": tuple(sizes)} if sizes else {})})
        check_names(experiment)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return experiment


def read_experiment(path: Path) -> tuple[Experiment, Dataset | None]:
    """The experiment of a TOML file, and the data of the file that it names, if it names one."""
    said = read_toml(path)
    name = said.pop("data", None)
    experiment = as_experiment(said, str(path))
    if name is None:
        return experiment, None
    if not isinstance(name, str):
        raise InputError(f"{path}: data must be the name of a file; got {name!r}")
    data = datasets.load(path.parent / name)
    check_fit(experiment, data)
    return experiment, data


def stated(trace: Trace) -> tuple[Experiment, Dataset | None] | tuple[None, None]:
    """What a trace says it is of, if it says enough: η, λ and the style. The article's data are known by their name.

    Raises InputError for an experiment that cannot be one.
    """
    said = trace.header.get("experiment")
    if not isinstance(said, dict) or not {"lr", "lamda", "style"} <= said.keys():
        return None, None
    experiment = as_experiment({name: value for name, value in said.items() if name in KINDS}, f"{trace.path}, header")
    return experiment, articles(experiment, trace) if said.get("data") == datasets.article().name else None


def articles(experiment: Experiment, trace: Trace) -> Dataset | None:
    """The article's data, if the trace is of a network for them, as `reference` has it."""
    data = datasets.article()
    try:
        check_fit(experiment, data)
    except InputError:
        return None
    names = {f"{kind}{layer}" for layer in range(1, len(experiment.sizes)) for kind in "Wb"}
    return data if names == set(trace.parameters) else None
