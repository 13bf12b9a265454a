"""What styles do to a network, and that runs trained together are the runs themselves."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import reference.train
from comparisons.agreement.free_run import compare_runs
from comparisons.studies.styles import chatter, rows, sign_changes, sweep, train_together
from comparisons.studies.styles_words import MEASURES, fields, sentences, to_json
from reference.experiment import Experiment
from reference.l1 import STYLES

IRIS = Path(__file__).parents[1] / "data" / "iris.csv"
SHORT = Experiment(epochs=3, lamda=0.003)
ROWS = {row.name: row for row in rows([SHORT])}


def penalty(**numbers):
    """The penalty's row, with other numbers."""
    return ROWS["penalty"]._replace(experiment=replace(ROWS["penalty"].experiment, **numbers))


@pytest.mark.parametrize("row", ROWS)
def test_runs_trained_together_are_the_single_runs(data, row):
    """Stacked on a leading axis, each seed's run has the bits that it has alone."""
    experiments = [replace(ROWS[row].experiment, seed=seed, epochs=1) for seed in (0, 1, 2)]
    together = list(train_together(experiments, data))
    for number, experiment in enumerate(experiments):
        own = ([(W[number], b[number]) for W, b in parameters] for parameters in together)

        assert 0 == compare_runs(reference.train.train(experiment, data), own).exit_status


def test_another_order_of_the_seeds_is_another_run(data):
    """Twin: the first of the stacked runs is not the second seed's."""
    swapped = ([(W[0], b[0]) for W, b in p] for p in train_together([replace(SHORT, seed=s) for s in (1, 0)], data))

    assert 1 == compare_runs(reference.train.train(SHORT, data), swapped).exit_status


def test_every_style_has_a_row():
    """With λ; tack-on with η λ too; L2 alone and the elastic net have ½ λ₂ Σw²."""
    assert list(STYLES) == list(ROWS)[: len(STYLES)]
    assert 0.003 * 0.01 == ROWS["tack_on, η λ"].experiment.lamda
    assert (0.0, 0.003) == (ROWS["L2"].experiment.lamda, ROWS["L2"].experiment.l2)
    assert (0.003, 0.003) == (ROWS["elastic net"].experiment.lamda, ROWS["elastic net"].experiment.l2)


@pytest.fixture(name="outcomes", scope="module")
def every_row_on_two_seeds(data):
    """λ = 0.003, 20 epochs: 4,000 updates."""
    return [sweep(row, lambda _: None, (0, 1), data) for row in rows([replace(SHORT, epochs=20)])]


@pytest.fixture(name="paths", scope="module")
def dead_weights(data):
    """The weights of an input that is always 0, for 2,000 updates."""
    return chatter(Experiment(epochs=10), data)


def test_exact_zeros_come_only_from_styles_that_can_make_them(outcomes):
    """clipped, proximal and cumulative, and the elastic net on top of proximal; in every network of theirs."""
    zeros = {runs[0].row: [run.summary.zeros for run in runs] for runs in outcomes}

    assert ["clipped", "proximal", "cumulative", "elastic net"] == [row for row, found in zeros.items() if min(found)]
    assert all(max(found) == 0 for row, found in zeros.items() if not min(found))


def test_a_penalty_that_stops_at_zero_is_found(data, monkeypatch):
    """Twin: a planted fault, the threshold under the penalty's name; its zeros and its rest are told."""
    monkeypatch.setitem(reference.train.STYLES, "penalty", STYLES["proximal"])
    runs = sweep(penalty(epochs=20), lambda _: None, (0, 1), data)
    found = {path.style: path for path in chatter(Experiment(epochs=10), data)}

    assert all(run.summary.zeros for run in runs)
    assert (1, 0) == (found["penalty"].zeros, found["penalty"].crossings)


def test_l2_shrinks_all_weights_and_zeroes_none(outcomes):
    """Σ|w| is smaller for every seed; the elastic net's is smaller than that."""
    sums = {runs[0].row: [run.summary.sum_abs for run in runs] for runs in outcomes}

    assert all(a < b < c for a, b, c in zip(sums["elastic net"], sums["L2"], sums["none"], strict=True))


def test_tack_on_with_lr_times_lamda_is_the_penalty(outcomes):
    """The same weights, to the bit; with λ it is not."""
    by_row = {runs[0].row: runs for runs in outcomes}
    for scaled, plain, penalty in zip(*(by_row[row] for row in ("tack_on, η λ", "tack_on", "penalty")), strict=True):
        assert np.array_equal(scaled.weights, penalty.weights)
        assert not np.array_equal(plain.weights, penalty.weights)


def test_the_objective_by_hand(outcomes):
    """Loss + λ Σ|w| + ½ λ₂ Σw², λ the grid's and λ₂ the row's."""
    for run in (runs[0] for runs in outcomes):
        l1, l2 = np.abs(run.weights).sum(), 0.5 * run.experiment.l2 * np.square(run.weights).sum()
        assert pytest.approx(run.loss + 0.003 * l1 + l2, rel=1e-12) == run.objective


def test_sub_gradients_chatter_by_one_pull(paths):
    """Penalty and decoupled cross zero at every update, by less than η λ; tack-on by less than λ; they never settle."""
    found = {path.style: path for path in paths}
    for style, pull in (("penalty", 1e-5), ("decoupled", 1e-5), ("tack_on", 1e-3)):
        assert 1 == found[style].crossings
        assert pull / 2 < found[style].amplitude < pull
        assert pytest.approx(pull, rel=1e-3) == found[style].largest_step
        assert 0 == found[style].zeros


def test_under_adam_the_chatter_does_not_depend_on_lamda(data):
    """Its step does not know the size of a gradient: the penalty's weights end half of η from 0, whatever λ is."""
    for lamda in (0.0001, 0.01):
        found = {path.style: path for path in chatter(Experiment(epochs=10, optimizer="adam", lamda=lamda), data)}

        assert pytest.approx(0.518 * found["penalty"].lr, rel=0.01) == found["penalty"].amplitude


def test_a_diverging_network_is_told(data):
    """nan in its figures, and not a word on stderr: warnings are errors here."""
    with np.errstate(all="warn"):
        (run,) = sweep(penalty(epochs=1, lr=1e200), lambda _: None, (0,), data)

    assert np.isnan(run.loss)
    assert np.isnan(run.summary.sum_abs)


def test_thresholds_bring_weights_to_rest(paths):
    """Clipped, proximal and cumulative end at exactly 0; none and the listing never come near."""
    found = {path.style: path for path in paths}
    for style in ("clipped", "proximal", "cumulative"):
        assert (1, 0, 0) == (found[style].zeros, found[style].crossings, found[style].amplitude)
    assert not found["none"].arrives
    assert not found["as_listed"].arrives


def test_sign_changes_by_hand():
    """From −1 through 0 to 1 is one; from 1 to 0 and back is none."""
    path = [[(np.array([[[a, b]]]), np.zeros((1, 2)))] for a, b in ((-1.0, 1.0), (0.0, 0.0), (1.0, 1.0))]

    assert [[True, False]] == sign_changes(path).tolist()


def test_the_sentences_say_what_is_so(outcomes, paths, data):
    """Every fact in words."""
    zeros, l2, chattering = sentences(to_json(outcomes, paths, data))

    assert zeros.startswith("Exact zeros: clipped (up to ")
    assert "None in any network of: none; penalty; as_listed; tack_on; decoupled; tack_on, η λ; L2." in zeros
    assert "shrinks the weights of every network" in l2
    assert "makes none of them 0; the elastic net does both" in l2
    assert "at rest at exactly 0 under clipped, proximal, cumulative" in chattering
    assert "penalty (100% of the updates, |w| up to 9.07e-06), tack_on (100% of the updates" in chattering


def test_the_sentences_say_what_is_not_so(outcomes, paths, data):
    """Twin: rows under each other's names, and chatter at rest, are told as they are."""
    swap = {"none": "L2", "L2": "none", "elastic net": "penalty", "penalty": "elastic net"}
    swapped = [[run._replace(row=swap.get(run.row, run.row)) for run in runs] for runs in outcomes]
    still = [path._replace(path=np.zeros((20, 1))) for path in paths]
    zeros, l2, chattering = sentences(to_json(swapped, still, data))

    assert "penalty (up to" in zeros
    assert "does NOT shrink" in l2
    assert "does NOT do both" in l2
    assert "across zero again and again under no style" in chattering


@pytest.fixture(name="run")
def run_command(run):
    """run(*options) of this command."""
    return partial(run, "styles")


def test_the_command_writes_every_run(run, tmp_path):
    """A row for each style and λ, a run for each seed, all measures of both."""
    path = tmp_path / "r.json"
    status, out, _ = run("--epochs", 1, "--lamda", 0.001, "--lamda", 0.01, "--seed", 0, "--seed", 1, "--json", path)
    result = json.loads(path.read_text())
    grid = [Experiment(lamda=lamda, epochs=1) for lamda in (0.001, 0.01)]
    trained = {(row.name, row.lamda): row.experiment for row in rows(grid)}

    assert 0 == status
    assert list(trained) == [(r["row"], r["lamda"]) for r in result["rows"]]
    for row in result["rows"]:
        assert row["experiment"] == {
            **fields(trained[row["row"], row["lamda"]]),
            "sizes": [10, 8, 4],
        }
        assert [0, 1] == [one["seed"] for one in row["runs"]]
        assert set(MEASURES) <= set(row) & set(row["runs"][0])
        assert pytest.approx(sum(one["sum_abs"] for one in row["runs"]) / 2) == row["sum_abs"]
    assert list(STYLES) == [entry["style"] for entry in result["chatter"]]
    assert "elastic net   0.01" in out


def test_the_command_on_a_file(run, tmp_path):
    """Its sizes follow the data; λ is sorted, and each λ and each seed is trained once."""
    path = tmp_path / "r.json"
    options = ["--lamda", 0.01, "--lamda", 0.001, "--lamda", 0.01, "--seed", 1, "--seed", 1, "--data", IRIS]
    status, out, _ = run("--epochs", 1, *options, "--json", path)
    result = json.loads(path.read_text())

    assert 0 == status
    assert ([0.001, 0.01], [1], [4, 8, 3]) == tuple(result["styles"][key] for key in ("lamda", "seeds", "sizes"))
    assert {"name": "iris.csv", "train": 120, "test": 30} == result["styles"]["data"]
    assert 2 * len(ROWS) == len(result["rows"])
    assert "iris.csv: means over 1 seed; 56 weights a network." in out
    assert "at rest at exactly 0 under clipped, proximal, cumulative;" in " ".join(out.split())


REFUSED = {
    "lamda": (["--lamda", "0"], "epochs and every lamda must be > 0 here; got 500 and [0.0]"),
    "epochs": (["--epochs", "0"], "epochs and every lamda must be > 0 here; got 0 and [0.0003, 0.001, 0.003]"),
    "seed": (["--seed", "-1"], "seed must be a whole number >= 0; got -1"),
    "loss": (["--loss", "mse"], "loss must be one of squared_error, cross_entropy; got mse"),
    "optimizer": (["--optimizer", "lion"], "optimizer must be one of sgd, momentum, adam; got lion"),
    "data": (["--data", "none.csv"], "none.csv: cannot be read (No such file or directory)"),
    "figures": (["--figures", "none/figures"], "--figures none/figures: there is no folder none"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_line_and_exit_2(run, tmp_path, monkeypatch, options, message):
    """What was wrong, and what is allowed: one line on stderr, nothing on stdout."""
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*options)

    assert (2, "", f"error: {message}\n") == (status, out, err)
