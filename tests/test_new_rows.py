"""A new optimizer and a new style are one function and one row on each side; every command takes them from there."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

import reference.l1
import reference.optimizers
import torch_impl.l1
import torch_impl.train
from comparisons.agreement.free_run import compare_runs
from comparisons.commands.report import lasting
from comparisons.studies import article, boundary
from reference.experiment import Experiment

pytestmark = pytest.mark.usefixtures("in_one_process")


def nesterov(w, g, lr, beta, m=0.0):
    """m⁺ = β m + g,  v = w − η (g + β m⁺)."""
    m = beta * m + g
    return w - lr * (g + beta * m), (m,)


def sparing(w, v, lr, lamda):
    """w⁺ = v − η λ sign v if |v| > η λ, else v."""
    return np.where(np.abs(v) > lr * lamda, v - lr * lamda * np.sign(v), v)


def sparing_in_torch(w, group):
    """The same around optimizer.step()."""
    yield
    t = torch_impl.l1.shrinkage(group)
    w.copy_(torch.where(w.abs() > t, w - t * w.sign(), w))


def first_line(function):
    """The formula."""
    return function.__doc__.splitlines()[0].rstrip(".")


@pytest.fixture
def new_rows(monkeypatch):
    """Nesterov momentum, and an L1 that spares weights smaller than its step, in the tables of both sides."""
    monkeypatch.setitem(
        reference.optimizers.OPTIMIZERS,
        "nesterov",
        reference.optimizers.Optimizer(
            nesterov,
            formula=first_line(nesterov),
            about="Nesterov.",
            accumulates=True,
        ),
    )
    monkeypatch.setitem(
        torch_impl.train.OPTIMIZERS,
        "nesterov",
        torch_impl.train.StockOptimizer(
            torch.optim.SGD, lambda beta: {"momentum": beta, "nesterov": True}, ("momentum_buffer",)
        ),
    )
    monkeypatch.setitem(
        reference.l1.STYLES,
        "sparing",
        reference.l1.Style(after_step=sparing, formula=first_line(sparing), about="Small weights are left alone."),
    )
    monkeypatch.setitem(torch_impl.l1.STYLES, "sparing", torch_impl.l1.Style(around_step=sparing_in_torch))


SHORT = ("--epochs", 1, "--batch-size", 20)


@pytest.mark.parametrize("precision", ["rounded", "float64", "float32"])
def test_parity_of_every_style_and_optimizer(run, new_rows, tmp_path, precision):
    """The new style with every optimizer, the new optimizer with every style; rounded runs are certified."""
    new = [("sparing", optimizer) for optimizer in reference.optimizers.OPTIMIZERS]
    new += [(style, "nesterov") for style in reference.l1.STYLES]
    for style, optimizer in dict.fromkeys(new):
        path = tmp_path / "r.json"
        status, out, err = run(
            "parity", "--style", style, "--optimizer", optimizer, "--precision", precision, "--lamda", 0.003,
            "--certify", *SHORT, "--json", path,
        )  # fmt: skip
        (found,) = json.loads(path.read_text())["experiments"]

        assert (0, "") == (status, err), out
        assert (10, 0) == (found["updates"], found["differing"])
        assert 0 < found["tolerance_used"] <= 1
        assert (found["certified"] is True) == (precision == "rounded")


def test_parity_of_a_row_that_is_another_on_one_side_is_exit_1(run, new_rows, monkeypatch):
    """Twin: torch's heavy ball under the name nesterov, and torch's proximal under the name sparing."""
    monkeypatch.setitem(torch_impl.train.OPTIMIZERS, "nesterov", torch_impl.train.OPTIMIZERS["momentum"])
    monkeypatch.setitem(torch_impl.l1.STYLES, "sparing", torch_impl.l1.STYLES["proximal"])

    for options in (("--optimizer", "nesterov"), ("--style", "sparing", "--lamda", 1)):
        status, out, _ = run("parity", *options, *SHORT)
        assert 1 == status
        assert "DIFFERENT, free run: first at update 1" in out


KINDS = {
    ("sparing", "decoupled"): "asymptotic",
    ("decoupled", "sparing"): "asymptotic",
    ("penalty", "sparing"): "asymptotic",
    ("none", "sparing"): "exact",
    ("sparing", "none"): "impossible",
    ("as_listed", "sparing"): "impossible",
    ("sparing", "sparing"): "exact",
    ("tack_on", "decoupled"): "exact",
}


def test_lamda_from_and_to_every_style(run, new_rows, tmp_path):
    """With every optimizer and both reductions; a λ that goes through Nesterov momentum counts 1 / (1 − β) times."""
    styles, path = reference.l1.STYLES, tmp_path / "r.json"
    found = {}
    for optimizer, to in product(reference.optimizers.OPTIMIZERS, ("mean", "sum")):
        pairs = [("sparing", style) for style in styles] + [(style, "sparing") for style in styles]
        for one, other in [*pairs, ("tack_on", "decoupled"), ("penalty", "decoupled")]:
            status, _, err = run(
                "lamda", "--from", one, "--to", other, "--optimizer", optimizer, "--to-reduction", to,
                "--batch-size", 10, "--json", path,
            )  # fmt: skip
            assert (0, "") == (status, err)
            found[one, other, optimizer, to] = json.loads(path.read_text())["translation"]

    assert {pair: found[*pair, "nesterov", "mean"]["kind"] for pair in KINDS} == KINDS
    through = found["penalty", "decoupled", "nesterov", "mean"]
    assert ("asymptotic", "λ' = λ / (1 − β)") == (through["kind"], through["formula"])
    assert through["reason"].startswith("nesterov adds up what penalty puts into the gradient")


def test_lamda_is_proved_with_a_new_optimizer(run, new_rows):
    """Tack-on and decoupled under Nesterov momentum: 0 of 124 parameters differ; sum and mean too."""
    options = ("--optimizer", "nesterov", "--to-reduction", "sum", "--lamda", 0.01, "--prove", *SHORT)
    status, out, _ = run("lamda", "--from", "tack_on", "--to", "decoupled", *options)

    assert 0 == status
    assert "0 of 124 parameters differ at the end, and none after any update." in " ".join(out.split())


def shorten_the_article(monkeypatch):
    """Its rows are trained for one epoch."""
    for name in ("WITHOUT_L1", "AS_LISTED", "PENALTY", "TACK_ON", "TACK_ON_SCALED"):
        monkeypatch.setattr(article, name, lasting(getattr(article, name), 1))
    monkeypatch.setattr(article, "ROWS", tuple(lasting(row, 1) for row in article.ROWS))


def test_what_was_there_before_stays(run, monkeypatch, request, tmp_path):
    """`article` prints and writes the same; `differences` has the same differences, and the new style by hand."""
    shorten_the_article(monkeypatch)
    said, written = [], []
    for number in range(2):
        if number:
            request.getfixturevalue("new_rows")
        paths = [tmp_path / f"{command}{number}.json" for command in ("article", "differences")]
        said.append([run("article", "--json", paths[0]), run("differences", "--epochs", 1, "--json", paths[1])])
        written.append([json.loads(path.read_text()) for path in paths])
    (article_before, before), (article_after, after) = written

    assert said[0] == said[1]
    assert article_before == article_after
    assert before["differences"] == after["differences"]
    assert {"sparing"} == set(after["by_hand"]) - set(before["by_hand"])


def test_the_report_of_a_new_style(run, new_rows, monkeypatch, tmp_path):
    """`styles` has a row for it under the new optimizer; the page has its formula, and that of the optimizer."""
    monkeypatch.setattr(boundary, "NETWORKS", {name: replace(e, epochs=3) for name, e in boundary.NETWORKS.items()})
    monkeypatch.setattr("comparisons.commands.styles.CHATTER_UPDATES", 200)
    shorten_the_article(monkeypatch)
    options = ("--epochs", 1, "--lamda", 0.001, "--seed", 0, "--optimizer", "nesterov")
    done = [
        run("article", "--json", tmp_path / "article.json"),
        run("styles", *options, "--figures", tmp_path, "--json", tmp_path / "styles.json"),
        run("report", "--results", tmp_path, "--out", tmp_path),
    ]
    rows = {row["row"]: row["experiment"] for row in json.loads((tmp_path / "styles.json").read_text())["rows"]}
    html = (tmp_path / "index.html").read_text()

    assert [(0, "")] * 3 == [(status, err) for status, _, err in done]
    assert ("sparing", "nesterov") == (rows["sparing"]["style"], rows["sparing"]["optimizer"])
    for name in ("sparing", "nesterov"):
        assert f'<th scope="row" role="rowheader"><code>{name}</code></th>' in html
    assert "Small weights are left alone." in html


@pytest.mark.parametrize(
    ("one", "other", "told", "named"),
    [
        (
            ("penalty", "sgd"),
            ("sparing", "sgd"),
            "style is penalty in the reference and sparing in the candidate",
            "sparing, w⁺ = v − η λ sign v if |v| > η λ, else v",
        ),
        (
            ("penalty", "momentum"),
            ("penalty", "nesterov"),
            "optimizer is momentum in the reference and nesterov in the candidate",
            "optimizer is nesterov, β = 0.9",
        ),
    ],
    ids=["style", "optimizer"],
)
def test_two_traces_of_new_rows_are_compared(run, new_rows, tmp_path, one, other, told, named):
    """Equal where both are the same; else 1: what the traces say of themselves, and what their numbers show."""
    for name, (style, optimizer) in {"one": one, "other": other}.items():
        options = ("--style", style, "--optimizer", optimizer, "--lamda", 0.01)
        assert 0 == run("parity", *options, *SHORT, "--save", tmp_path / name)[0]
    right, wrong, equal = (tmp_path / name for name in ("one/1-reference", "other/1-reference", "other/1-candidate"))

    assert 0 == run("compare", f"{wrong}.npz", f"{equal}.npz")[0]
    status, out, err = run("compare", f"{right}.npz", f"{wrong}.npz")
    differs, because = " ".join(out.split()).split(" because ")
    assert (1, "") == (status, err)
    assert told in differs
    assert named in because


def test_the_rows_are_not_there_without_the_fixture(data):
    """Twin: both sides refuse names that have no row."""
    for wrong in ({"style": "sparing"}, {"optimizer": "nesterov"}):
        for side in (reference.train, torch_impl.train):
            with pytest.raises(ValueError, match=r"must be one of .*; got (sparing|nesterov)"):
                compare_runs(side.train(Experiment(**wrong), data), iter(()))
