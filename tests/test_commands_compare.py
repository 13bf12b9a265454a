"""compare, diagnose and parity --save as commands: exit statuses, one line for what cannot be used, result files."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from comparisons.recorders.plain import Recorder
from comparisons.same_training import record_reference
from reference.experiment import Experiment
from reference.train import train

EXPERIMENT = Experiment(epochs=1)


@pytest.fixture(name="folder")
def recorded(tmp_path, data, monkeypatch):
    """Traces of some experiments, and their files."""
    monkeypatch.chdir(tmp_path)
    for name, changes in {
        "penalty": {},
        "decoupled": {"style": "decoupled"},
        "tack_on": {"style": "tack_on"},
        "other_seed": {"seed": 1},
        "wide": {"sizes": (10, 9, 4)},
    }.items():
        record_reference(tmp_path / f"{name}.npz", replace(EXPERIMENT, **changes), data, 200)
    (tmp_path / "e.toml").write_text('epochs = 1\nstyle = "penalty"\n')
    (tmp_path / "bad.toml").write_text("epochs = ")
    (tmp_path / "unknown.toml").write_text("rate = 0.1")
    (tmp_path / "wrong.toml").write_text('style = "lasso"')
    (tmp_path / "types.toml").write_text('lr = "fast"')
    (tmp_path / "data.toml").write_text('data = "none.csv"')
    (tmp_path / "map.toml").write_text('"W1" = "b1"')
    (tmp_path / "number.toml").write_text("data = 3")
    (tmp_path / "iris.toml").write_text(f"data = '{Path(__file__).parents[1] / 'data' / 'iris.csv'}'")
    (tmp_path / "mine.json").write_text("mine")
    (tmp_path / "noise.npz").write_bytes(b"noise")
    return tmp_path


def test_equal(run, folder):
    """penalty and decoupled are the same under plain SGD: exit 0."""
    status, out, err = run("compare", "penalty.npz", "decoupled.npz")

    assert (0, "") == (status, err)
    assert out.startswith("EQUAL bit for bit: 200 updates, 4 parameters, 124 elements compared\n")
    assert "differs     style is penalty in the reference and decoupled in the candidate" in out


def test_different(run, folder):
    """Exit 1: where, why, what would make them agree, and the command again; the same in the result file."""
    status, out, _ = run("compare", "penalty.npz", "tack_on.npz", "--experiment", "e.toml", "--json", "r.json")
    words = " ".join(out.split())
    result = json.loads((folder / "r.json").read_text())

    assert 1 == status
    for part in (
        "DIFFERENT at update 1: W1[0, 0]",
        "because the candidate's L1 is tack_on, w⁺ = v − λ sign w; penalty was asked for (predicts every update from",
        "to agree λ = 1e-05 in the candidate (exact",
        "again python -m comparisons compare penalty.npz tack_on.npz --experiment e.toml --json r.json",
    ):
        assert part in words
    assert (1, 124) == (result["comparison"]["exit_status"], result["comparison"]["elements"])
    assert ("style", "tack_on") == tuple(result["diagnosis"]["explanations"][0][key] for key in ("kind", "what"))


def test_nothing_proved(run, folder):
    """Exit 3, with the reason."""
    status, out, _ = run("compare", "penalty.npz", "penalty.npz")

    assert 3 == status
    assert out.startswith("NOTHING PROVED: both are the same file")


def test_a_run_that_is_not_finite(run, folder):
    """It is said so; the result file has a string, since JSON has no such number."""
    w = np.arange(8.0).reshape(4, 2)
    broken = w.copy()
    broken[2, 1] = np.nan
    for name, states in (("a", w), ("b", broken)):
        np.savez(folder / f"{name}.npz", updates=range(4), w=states)
    status, out, _ = run("compare", "a.npz", "b.npz", "--json", "r.json")

    assert 1 == status
    assert "not known: the candidate is not finite there; update 2 of w fits none" in " ".join(out.split())
    assert "nan" == json.loads((folder / "r.json").read_text())["comparison"]["first_difference"]["candidate"]


def test_what_never_moved_is_said(run, folder):
    """Equal, but nothing is proved of it; twin: where all moved there is no such line."""
    moving, still = np.arange(6.0).reshape(3, 2), np.ones((3, 4))
    for name in "ab":
        np.savez(folder / f"{name}.npz", updates=[0, 1, 2], w=moving, frozen=still)
        np.savez(folder / f"{name}2.npz", updates=[0, 1, 2], w=moving)
    frozen, all_moved = run("compare", "a.npz", "b.npz"), run("compare", "a2.npz", "b2.npz")

    assert (0, 0) == (frozen[0], all_moved[0])
    assert "unmoved     frozen, in both runs: nothing is proved of how they are trained" in frozen[1]
    assert "unmoved" not in all_moved[1]


def test_a_tolerance_is_said_with_the_share_that_was_used(run, folder):
    """Equal within it, or not: how much of it was used, and the least that would pass."""
    w = np.array([[1.0, 2.0], [1.5, 2.5], [2.0, 4.0]])
    off = w + np.array([[0, 0], [0, 0], [0, 4 * 2.0**-52 * 4]])
    for name, states in (("a", w), ("b", off)):
        np.savez(folder / f"{name}.npz", updates=[0, 1, 2], w=states * (1 + 2.0**-40))
    wide, narrow = (run("compare", "a.npz", "b.npz", "--ulps", allowed) for allowed in ("16", "2"))

    assert (0, 1) == (wide[0], narrow[0])
    assert wide[1].startswith(
        "EQUAL within 16 ULPs of the largest element: 2 updates, 1 parameter, 2 elements compared"
    )
    assert (
        "tolerance 16 ULPs of the largest element were allowed, 25 % of it used; the least that would pass is 4 ULPs"
        in (" ".join(wide[1].split()))
    )
    assert "2 ULPs of the largest element were allowed, 200 % of it used" in " ".join(narrow[1].split())


def test_a_map_is_proposed(run, folder):
    """To stdout, to be confirmed; exit 0."""
    assert (0, '"W1" = "W1"\n"b1" = "b1"\n"W2" = "W2"\n"b2" = "b2"\n', "") == run(
        "compare", "penalty.npz", "tack_on.npz", "--propose-map"
    )


@pytest.mark.parametrize(
    ("trace", "options", "status", "words"),
    [
        ("penalty", [], 0, "EQUAL bit for bit: 200 updates"),
        ("tack_on", [], 0, "EQUAL bit for bit: 200 updates"),
        ("tack_on", ["--experiment", "e.toml"], 1, "the candidate's L1 is tack_on"),
        ("other_seed", ["--experiment", "e.toml"], 1, "the candidate starts with other values in W1, b1, W2, b2"),
    ],
    ids=["as it says", "as it says, too", "as it should not be", "another start"],
)
def test_one_trace_is_diagnosed(run, folder, trace, options, status, words):
    """Beside what its header says, or a file."""
    found, out, err = run("diagnose", f"{trace}.npz", *options)

    assert (status, "") == (found, err)
    assert words in " ".join(out.split())


REFUSED = {
    "no file": (["compare", "none.npz", "penalty.npz"], "none.npz: cannot be read (No such file or directory)"),
    "a folder that holds no experiment": (
        ["compare", "penalty.npz", "tack_on.npz", "--experiment", "."],
        ".: cannot be read (Is a directory)",
    ),
    "data that do not fit": (
        ["compare", "penalty.npz", "tack_on.npz", "--experiment", "iris.toml"],
        "sizes must begin with 4",
    ),
    "data that are no file": (["diagnose", "penalty.npz", "--experiment", "number.toml"], "number.toml: data must be"),
    "no trace": (["compare", "penalty.npz", "noise.npz"], "noise.npz: is no trace that can be read"),
    "a folder": (["compare", "penalty.npz", "."], ".: cannot be read (Is a directory)"),
    "other shapes": (["compare", "penalty.npz", "wide.npz"], "the parameters do not line up: W1 has the shape (10, 8)"),
    "a map that does not fit": (
        ["compare", "penalty.npz", "tack_on.npz", "--map", "map.toml"],
        "the parameters do not",
    ),
    "no map": (["compare", "penalty.npz", "tack_on.npz", "--map", "none.toml"], "none.toml: cannot be read"),
    "a map that is none": (["compare", "penalty.npz", "tack_on.npz", "--map", "bad.toml"], "bad.toml: is no TOML"),
    "ulps below 0": (["compare", "penalty.npz", "tack_on.npz", "--ulps", "-1"], "--ulps must be a number >= 0; got -1"),
    "ulps not finite": (["compare", "penalty.npz", "tack_on.npz", "--ulps", "nan"], "--ulps must be a number >= 0"),
    "a file of the user": (
        ["compare", "penalty.npz", "tack_on.npz", "--json", "mine.json"],
        "--json mine.json: the file",
    ),
    "no TOML": (["diagnose", "penalty.npz", "--experiment", "bad.toml"], "bad.toml: is no TOML"),
    "no field": (["diagnose", "penalty.npz", "--experiment", "unknown.toml"], "unknown.toml: rate is no field"),
    "no style": (["diagnose", "penalty.npz", "--experiment", "wrong.toml"], "wrong.toml: style must be one of"),
    "another type": (["diagnose", "penalty.npz", "--experiment", "types.toml"], "types.toml: lr must be a number; got"),
    "no data": (["diagnose", "penalty.npz", "--experiment", "data.toml"], "none.csv: cannot be read"),
    "other sizes": (["diagnose", "wide.npz", "--experiment", "e.toml"], "the parameters do not line up"),
    "save nowhere": (["parity", "--epochs", "1", "--save", "none/new"], "--save none/new: there is no folder none"),
    "save into a file": (["parity", "--epochs", "1", "--save", "mine.json"], "--save mine.json: is no folder"),
    "save lockstep": (["parity", "--epochs", "1", "--save", "new", "--precision", "float64"], "--save is for rounded"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_line_and_exit_2(run, folder, arguments, message):
    """And nothing on stdout."""
    status, out, err = run(*arguments)

    assert (2, "", 1) == (status, out, err.count("\n"))
    assert err.startswith(f"error: {message}")


def test_a_trace_that_does_not_say_what_it_is_of(run, folder):
    """diagnose needs an experiment."""
    np.savez(folder / "t.npz", updates=[0, 1], W1=np.ones((2, 10, 8)))
    status, _, err = run("diagnose", "t.npz")

    assert (2, "error: t.npz: does not say which experiment it is of; --experiment FILE does\n") == (status, err)


def test_an_experiment_of_another_network(run, folder):
    """η, λ and the style are known, its gradients are not: they are worked out from the reference's updates."""
    rng = np.random.default_rng(0)
    w, slope = rng.normal(size=(3, 5)), rng.normal(size=(9, 3, 5))
    run_of = {"a": [w], "b": [w]}
    for g in slope:
        run_of["a"].append(run_of["a"][-1] - 0.01 * (g + 0.001 * np.sign(run_of["a"][-1])))
        run_of["b"].append(run_of["b"][-1] - 0.01 * (g + 0.004 * np.sign(run_of["b"][-1])))
    for name, states in run_of.items():
        np.savez(folder / f"{name}.npz", updates=range(10), **{"conv.weight": np.array(states)})
    status, out, _ = run("compare", "a.npz", "b.npz", "--experiment", "e.toml")

    assert 1 == status
    assert "gradients worked out from the reference's updates" in " ".join(out.split())
    assert "the candidate's λ is 0.004, 4 times what was asked for" in " ".join(out.split())


def test_a_run_with_other_names_is_diagnosed_with_a_map(run, folder, data):
    """As PyTorch has them."""
    with Recorder(folder / "torch.npz") as trace:
        for parameters in islice(train(replace(EXPERIMENT, style="none"), data), 50):
            (W1, b1), (W2, b2) = parameters
            trace.update({"0.weight": W1.T, "0.bias": b1, "2.weight": W2.T, "2.bias": b2})
    (folder / "names.toml").write_text(
        '"0.weight" = ["W1", "T"]\n"0.bias" = "b1"\n"2.weight" = ["W2", "T"]\n"2.bias" = "b2"\n'
    )
    status, out, _ = run("diagnose", "torch.npz", "--experiment", "e.toml", "--map", "names.toml")
    plain, _, err = run("diagnose", "torch.npz", "--experiment", "e.toml")

    assert (1, 2) == (status, plain)
    assert "the candidate has no L1; penalty was asked for" in " ".join(out.split())
    assert err.startswith("error: the parameters do not line up: the candidate's 0.weight (8, 10) has no counterpart")


def test_what_a_header_says_does_not_steer_the_terminal(run, folder):
    """Control signs of a foreign file are shown, not sent."""
    for name in "ab":
        np.savez(
            folder / f"{name}.npz",
            header=json.dumps({"framework": "\x1b[2Jmine", "experiment": {"lr\x1b[0m": f"\x07{name}"}}),
            updates=[0, 1, 2],
            W=np.arange(6.0).reshape(3, 2),
        )
    _, out, _ = run("compare", "a.npz", "b.npz")

    assert "mine" in out
    assert all(sign.isprintable() for sign in out if sign != "\n")


def test_what_a_header_says_is_not_trained(run, folder):
    """Three states up to update 10⁸ of 10⁹ epochs, and a network that was not recorded: nothing of it is begun."""
    states = {"W1": np.ones((3, 10, 8)), "b1": np.ones((3, 8)), "W2": np.ones((3, 8, 4)), "b2": np.ones((3, 4))}
    said = {"lr": 0.01, "lamda": 0.001, "style": "penalty", "data": "the article's data", "epochs": 10**9}
    for name, number in (("one", 10**8), ("other", 10**8 - 1)):
        moved = {key: w * np.arange(3.0).reshape(3, *[1] * (w.ndim - 1)) for key, w in states.items()}
        header = json.dumps({"experiment": {**said, "seed": number}})
        np.savez(folder / f"{name}.npz", header=header, updates=[0, number - 1, 10**8 + 1], **moved)
    np.savez(
        folder / "wide.npz",
        header=json.dumps({"experiment": {**said, "sizes": [10, 10**6, 4]}}),
        **states,
        updates=[0, 1, 2],
    )
    too_little = "too little is recorded for its experiment"

    assert run("compare", "one.npz", "other.npz")[0] in (0, 1, 3)
    for name in ("one", "wide"):
        status, out, err = run("diagnose", f"{name}.npz")
        assert (2, "", 1) == (status, out, err.count("\n"))
        assert too_little in err or "does not say which experiment" in err


def test_saved_runs_can_be_compared(run, folder):
    """Both sides of every experiment of a matrix; they are not overwritten."""
    command = ["parity", "--epochs", "1", "--style", "none", "--style", "proximal", "--save", "new"]
    status, *_ = run(*command)
    names = sorted(path.name for path in (folder / "new").iterdir())
    again, _, err = run(*command)

    assert (0, 2) == (status, again)
    assert [f"{i}-{side}.npz" for i in (1, 2) for side in ("candidate", "reference")] == names
    assert "error: --save new/1-reference.npz: the file exists; it is left as it is\n" == err
    assert 0 == run("compare", "new/2-reference.npz", "new/2-candidate.npz")[0]
    assert 0 == run("diagnose", "new/2-candidate.npz")[0]
    assert 1 == run("compare", "new/1-reference.npz", "new/2-candidate.npz")[0]
