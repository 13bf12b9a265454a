"""The rooms of the four packages: no circle, no long chain, no long module, and a map that names every file."""

import graphlib
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

import comparisons
import l1_parity

ROOT = Path(__file__).parents[1]
PACKAGES = ("reference", "torch_impl", "comparisons", "l1_parity")
FOLDER = ROOT / "comparisons"


@pytest.fixture(name="imports", scope="module")
def imports_of_every_module():
    """module -> the modules that it imports, of the four packages and of others."""
    graph = grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def room_of(module):
    """The folder of a module of comparisons, or the module, where it stands alone; the other packages are rooms."""
    return ".".join(module.split(".")[: 2 if module.startswith("comparisons.") else 1])


def in_order(graph):
    """The graph's nodes, each after those that it imports. Raises graphlib.CycleError, which names a circle."""
    return list(graphlib.TopologicalSorter(graph).static_order())


def rooms_of(imports):
    """room -> the rooms that it imports. Two load modules by their names, which no linter sees."""
    lazily = {room_of(module) for module in l1_parity.MODULES.values()}
    rooms = {"l1_parity": {"comparisons.__main__"} | lazily, "comparisons.__main__": {"comparisons.commands"}}
    for module, others in imports.items():
        if module.startswith(PACKAGES):
            found = rooms.setdefault(room_of(module), set())
            found |= {room_of(other) for other in others if other.startswith(PACKAGES)} - {room_of(module)}
    return rooms


def longest_chain(graph):
    """The longest chain of imports, from the top down."""
    chains = {}
    for node in in_order(graph):
        chains[node] = [node, *max((chains[other] for other in graph.get(node, ())), key=len, default=[])]
    return max(chains.values(), key=len)


def test_every_room_is_a_layer(imports):
    """No room that the contract does not know; `comparisons` itself is the map."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = {room for layer in contracts[0]["layers"] for room in layer.split(" | ")}

    assert rooms_of(imports).keys() - {"comparisons"} == layers


def test_no_circle_of_imports(imports):
    """None of modules, none of rooms, and at most 10 rooms stand one on another."""
    assert {"comparisons.runs.trace", "reference.errors"} <= set(in_order(imports))
    assert {"comparisons.runs", "reference"} <= set(in_order(rooms_of(imports)))
    assert 10 >= len(longest_chain(rooms_of(imports)))


def test_a_circle_is_seen(imports):
    """Twin: of two modules of one room, which keeps all contracts, and of two rooms; and a chain of 11 rooms."""
    modules = {**imports, "comparisons.runs.journal": {"comparisons.runs.trace"}}
    with pytest.raises(graphlib.CycleError):
        in_order(modules)
    with pytest.raises(graphlib.CycleError):
        in_order(rooms_of({**imports, "reference.errors": {"comparisons.runs.files"}}))
    assert 11 == len(longest_chain({number: {number + 1} for number in range(10)}))


def test_the_reference_imports_numpy_and_the_standard_library(imports):
    """And nothing else, so that the oracle can be read and run anywhere."""
    named = {
        name.split(".")[0] for module, names in imports.items() if room_of(module) == "reference" for name in names
    }

    assert {"numpy", "reference"} == named - sys.stdlib_module_names


def sizes(folder):
    """The modules that are too long, and the modules directly in comparisons/."""
    paths = [path for package in PACKAGES for path in (folder / package).rglob("*.py")]
    return [p.name for p in paths if len(p.read_text().splitlines()) > 300], len(list(folder.glob("comparisons/*.py")))


def test_modules_are_short_and_in_rooms():
    """No module has more than 300 lines; at most 4 stand outside the rooms of comparisons/."""
    too_long, outside = sizes(ROOT)

    assert [] == too_long
    assert 4 >= outside


def test_a_long_module_is_seen(tmp_path):
    """Twin: one that has grown, outside the rooms."""
    (tmp_path / "comparisons").mkdir()
    (tmp_path / "comparisons" / "grown.py").write_text("\n" * 301)

    assert (["grown.py"], 1) == sizes(tmp_path)


def named_in(text):
    """The rooms and files that a map names: `room/  what it holds`, and below it `    file.py  what it decides`."""
    room = ""
    for line in text.splitlines():
        name, _, what = line.strip().partition("  ")
        if what and name.endswith("/"):
            room = name
            yield name
        elif what and name.endswith(".py"):
            yield (room if line.startswith(" ") else "") + name


def test_the_map_names_every_file():
    """comparisons/__init__.py has one line for each room and each file, and names nothing else."""
    names = [path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.py") if path.parent != FOLDER]
    names += [path.name for path in FOLDER.glob("*.py") if path.name != "__init__.py"]

    assert sorted(name.removesuffix("__init__.py") for name in names) == sorted(named_in(comparisons.__doc__))


def test_a_wrong_map_is_seen():
    """Twin: what is named twice, or in the wrong room, differs."""
    assert ["runs/", "runs/trace.py", "same_training.py", "same_training.py"] == [
        *named_in("A map.\n\nruns/  a run\n    trace.py  a file\nsame_training.py  one\nsame_training.py  two")
    ]
