"""The packages beside this one have general names: a project's own comparisons/ or reference.py may hide them."""

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

PACKAGES = "comparisons", "reference", "torch_impl"
HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def check_found() -> None:
    """Raise ImportError, in one line, unless Python finds all three beside this package."""
    for name in PACKAGES:
        found = place(name)
        if os.path.realpath(found) != os.path.join(HOME, name):
            what = f"{found} is found first: rename it, or run from another folder" if found else "it is not found"
            raise ImportError(f"l1-parity needs its own package {name}, and {what}")


def place(name: str) -> str:
    """The folder or the file where Python finds a module, loaded or not; "" where it finds none."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module that a program has made, without a file
        return f"a module {name} without a file"
    if spec is None:
        return ""
    return str(next(iter(spec.submodule_search_locations or ()), spec.origin))


def load(module: str) -> ModuleType:
    """Import a module of the three packages. Raises ImportError in a project that hides one of them."""
    check_found()
    return import_module(module)
