"""What is installed, and what it does to the projects that it is installed for."""

import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
PACKAGES = ("reference", "torch_impl", "comparisons", "l1_parity")


@dataclass(frozen=True)
class Environment:
    """A Python with l1-parity."""

    python: Path

    def run(self, *arguments, cwd, **options):
        """Exit status, stdout and stderr of a call of this Python."""
        done = subprocess.run(
            [self.python, *arguments], cwd=cwd, capture_output=True, text=True, check=False, **options
        )
        return done.returncode, done.stdout, done.stderr

    def pytest(self, *arguments, cwd, **options):
        """The same of the program pytest; unlike `python -m pytest` it finds no modules in cwd."""
        return self.run(self.python.parent / "pytest", "-p", "no:cacheprovider", *arguments, cwd=cwd, **options)


@pytest.fixture(name="wheel", scope="session")
def built_wheel(tmp_path_factory):
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    call = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    subprocess.run(call, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("l1_parity-*.whl")
    return path


@pytest.fixture(name="fresh", scope="session")
def fresh_environment(wheel, tmp_path_factory):
    """The wheel, NumPy, pytest and the command line's libraries. torch is not installed."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    others = ["--constraint", ROOT / "constraints.txt", "numpy", "pytest", "typer", "rich"]
    for what in (["--no-deps", wheel], others):
        subprocess.run([*install, *what], check=True, capture_output=True)
    return Environment(python)


@dataclass(frozen=True)
class Project:
    """A project with a module of its own by a name of ours, and a test of it."""

    folder: Path
    module: Path
    environment: Environment

    @property
    def line(self):
        """What is said there."""
        what = f"l1-parity needs its own package {self.module.stem}, and {self.module} is found first"
        return f"{what}: rename it, or run from another folder"


@pytest.fixture(
    name="project",
    params=["comparisons", "reference.py", "torch_impl.py", "comparisons, editable"],
)
def project_with_such_a_module(request, tmp_path):
    """Three of them, with the wheel installed, and one with this checkout, as it is installed for its own tests."""
    name, _, editable = request.param.partition(", ")
    environment = Environment(Path(sys.executable)) if editable else request.getfixturevalue("fresh")
    module = tmp_path / "project" / name
    package = module.suffix == ""
    (module if package else module.parent).mkdir(parents=True)
    (module / "__init__.py" if package else module).write_text("VALUE = 7\n")
    (module if package else module.parent).joinpath("test_own.py").write_text(
        f"from {module.stem} import VALUE\n\ndef test_own():\n    assert VALUE == 7\n"
    )
    return Project(module.parent, module, environment)


@pytest.mark.slow
def test_the_wheel_has_exactly_the_four_packages(wheel):
    """Every module of the four packages, what tells type checkers of their types, and the page's template."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for pattern in ("*.py", "*.pyi", "*.j2", "py.typed")
        for path in (ROOT / package).rglob(pattern)
    }

    assert {"comparisons/report/template.html.j2", *(f"{name}/py.typed" for name in PACKAGES)} <= names
    assert expected == names


@pytest.mark.slow
def test_a_project_with_such_a_module_keeps_its_tests(project):
    """As if l1-parity were not there, by `pytest` and by `python -m pytest`, which finds the folder first."""
    for found in (
        project.environment.pytest("-q", cwd=project.folder),
        project.environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project.folder),
    ):
        assert (0, "") == (found[0], found[2])
        assert "1 passed" in found[1]


@pytest.mark.slow
def test_using_the_plugin_there_says_what_is_in_the_way(project):
    """One line for the function, one for the fixture; the project's own test passes beside."""
    (project.folder / "test_function.py").write_text("from l1_parity import assert_same_training\n")
    (project.folder / "test_fixture.py").write_text("def test_use(same_training):\n    pass\n")
    status, out, _ = project.environment.pytest("--continue-on-collection-errors", cwd=project.folder)

    assert 1 == status
    assert [f"E   ImportError: {project.line}", project.line] == [
        line for line in out.splitlines() if line.endswith(project.line)
    ]
    assert {"1 passed", "2 errors"} <= set(re.findall(r"\d+ \w+", out.splitlines()[-1]))


@pytest.mark.slow
def test_the_option_there_says_what_is_in_the_way(project):
    """Before any test runs: where a test fails, there would be no report of it."""
    (project.folder / "test_fails.py").write_text("def test_fails():\n    assert False\n")
    status, out, err = project.environment.pytest("--parity-report", "out", cwd=project.folder)

    assert pytest.ExitCode.USAGE_ERROR == status
    assert f"ERROR: --parity-report: {project.line}" == err.strip()
    assert "test_fails" not in out
    assert not (project.folder / "out").exists()


@pytest.mark.slow
def test_the_program_there_says_what_is_in_the_way(project):
    """One line and exit status 2."""
    found = project.environment.run("-m", "l1_parity", "--version", cwd=project.folder)

    assert (2, "", f"error: {project.line}\n") == found


@pytest.mark.slow
def test_a_plugin_that_imports_comparisons_is_seen(project, tmp_path):
    """Twin: with an import of our three packages in the plugin, the project cannot run its tests."""
    shutil.copytree(ROOT / "l1_parity", tmp_path / "l1_parity")
    with (tmp_path / "l1_parity" / "pytest_plugin.py").open("a") as plugin:
        plugin.write("\nimport comparisons.same_training\nimport torch_impl.__init__\n")
    status, _, _ = project.environment.pytest("-q", cwd=project.folder, env={"PYTHONPATH": str(tmp_path)})

    assert 0 != status


@pytest.mark.slow
def test_an_unrelated_project_notices_nothing(fresh, tmp_path):
    """Its tests pass with the plugin and without; they see that the plugin has loaded itself alone."""
    (tmp_path / "test_own.py").write_text(
        "import sys\n\n"
        "def test_own():\n"
        "    ours = ('l1_parity', 'comparisons', 'reference', 'torch_impl', 'numpy', 'typer', 'rich')\n"
        "    print(*sorted(name for name in sys.modules if name.startswith(ours)))\n"
    )
    status, out, err = fresh.pytest("-q", "-s", cwd=tmp_path)
    without = fresh.pytest("-q", "-s", "-p", "no:l1-parity", cwd=tmp_path)

    assert (0, "") == (status, err)
    assert "l1_parity l1_parity.pytest_plugin" == out.splitlines()[0]
    assert (0, "") == (without[0], without[2])
    assert "" == without[1].splitlines()[0]


@pytest.mark.slow
def test_without_torch(fresh, tmp_path):
    """Record, compare and l1-parity work; attach says what it needs."""
    program = (
        "import numpy as np\n"
        "from l1_parity import Recorder, compare\n"
        "for path in ('a.npz', 'b.npz'):\n"
        "    with Recorder(path) as trace:\n"
        "        for update in range(3):\n"
        "            trace.update({'w': np.arange(4.0) + update})\n"
        "print(compare('a.npz', 'b.npz').report)\n"
    )
    status, report, err = fresh.run("-c", program, cwd=tmp_path)
    script = fresh.python.parent / "l1-parity"

    assert (0, "") == (status, err)
    assert report.startswith("EQUAL")
    assert (0, report, "") == fresh.run(script, "compare", "a.npz", "b.npz", cwd=tmp_path)
    assert (0, f"l1-parity {VERSION}\n", "") == fresh.run(script, "--version", cwd=tmp_path)
    assert fresh.run("-c", "import l1_parity; l1_parity.attach", cwd=tmp_path)[2].endswith(
        "\nModuleNotFoundError: No module named 'torch'\n"
    )


@pytest.mark.slow
def test_type_checkers_see_the_types(fresh, tmp_path):
    """mypy reads the installed packages: a Finding is one, and a wrong name, argument or attribute is an error."""
    (tmp_path / "user.py").write_text(
        "import l1_parity\n"
        "from l1_parity import compare\n"
        "found = compare('a.npz', 'b.npz')\n"
        "reveal_type(found)\n"
        "compare('a.npz', 7)\n"
        "found.no_such\n"
        "l1_parity.no_such\n"
    )
    call = ["-m", "mypy", "--python-executable", str(fresh.python), "--cache-dir", str(tmp_path), "user.py"]
    _, out, _ = Environment(Path(sys.executable)).run(*call, cwd=tmp_path)
    numbers = [line.split(":")[1] for line in out.splitlines() if line.startswith("user.py:")]

    assert 'Revealed type is "comparisons.diagnosis.finding.Finding"' in out
    assert ["4", "5", "6", "7"] == numbers


def test_constraints_are_exact_versions_without_addresses():
    """name==version on every line, torch 2.13.0 among them."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]

    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    assert "torch==2.13.0" in lines


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "Makefile", ".ci/run"])
def test_no_network_address_is_committed(name):
    """Where packages come from is the user's own configuration."""
    assert "://" not in (ROOT / name).read_text()
