"""λ without effect: equal runs whose updates are those of the same run without L1 prove nothing of it."""

from dataclasses import asdict, replace
from itertools import islice

import numpy as np
import pytest

from comparisons.recorders.plain import Recorder
from comparisons.runs.names import as_state
from comparisons.same_training import compare
from reference.experiment import Experiment, draw
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS
from reference.train import fold, gradients, step, train

PULLING = [name for name, style in STYLES.items() if style.function]
EXPERIMENT = Experiment(epochs=1)


def recorded(path, said, trained, data, updates=40, **options):
    """A trace of one experiment whose header says another."""
    header = {**asdict(said), "data": data.name}
    with Recorder(path, experiment=header, **options) as trace:
        for parameters in islice(train(trained, data), updates + 1):
            trace.update(as_state(parameters))
    return path


@pytest.fixture(name="pair")
def make_pair(tmp_path, data):
    """pair(said, trained, …) -> what is found of two equal traces."""

    def pair(said, trained, **options):
        paths = [recorded(tmp_path / f"{name}.npz", said, trained, data, **options) for name in "ab"]
        return compare(*paths)

    return pair


@pytest.mark.parametrize("style", PULLING)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("options", [{}, {"every": 100}], ids=["rows", "digests"])
def test_runs_without_l1_prove_nothing_of_lamda(pair, style, optimizer, options):
    """They were told a style and a λ, and do nothing of it: exit 3. Twin: the runs that do."""
    said = replace(EXPERIMENT, style=style, optimizer=optimizer)
    found = pair(said, replace(said, style="none"), **options)

    assert (3, "nothing proved") == (found.exit_status, found.verdict)
    assert "λ = 0.001 has no effect: the updates are those without L1" in found.headline


@pytest.mark.parametrize("style", PULLING)
@pytest.mark.parametrize("options", [{}, {"every": 100}], ids=["rows", "digests"])
def test_lamda_with_effect(pair, style, options):
    """Equal, and nothing is left unchecked."""
    said = replace(EXPERIMENT, style=style)
    found = pair(said, said, **options)

    assert (0, "equal", ()) == (found.exit_status, found.verdict, found.remarks)


def test_a_lamda_that_rounding_swallows_has_no_effect(pair):
    """η λ = 1e-22 moves no float32 weight: equal, and no proof. Twin: λ = 0 and the style none need no effect."""
    tiny = replace(EXPERIMENT, lamda=1e-20)

    assert 3 == pair(tiny, tiny).exit_status


@pytest.mark.parametrize("said", [{"lamda": 0.0}, {"style": "none"}], ids=["λ = 0", "none"])
def test_without_l1_no_effect_is_needed(pair, said):
    """There is nothing to prove of it."""
    e = replace(EXPERIMENT, **said)

    assert (0, ()) == ((found := pair(e, e)).exit_status, found.remarks)


@pytest.mark.parametrize("applied", [True, False], ids=["with L1", "without"])
def test_recorded_gradients_tell_it_too(tmp_path, data, applied):
    """Of an experiment whose data are not known: a style that acts after the step."""
    said = replace(EXPERIMENT, style="proximal")
    trained = said if applied else replace(said, style="none")
    for name in "ab":
        parameters, batches = draw(trained, data)
        states = fold(step, parameters, draw(trained, data)[1], trained)
        with Recorder(tmp_path / f"{name}.npz", experiment=asdict(said)) as trace:
            trace.update(as_state(before := next(states)))
            for (x, t), after, _ in zip(batches, states, range(40), strict=False):
                trace.update(as_state(after), gradients=as_state(gradients(before, x, t, trained)))
                before = after
    found = compare(tmp_path / "a.npz", tmp_path / "b.npz")

    assert (0 if applied else 3) == found.exit_status


def test_what_cannot_be_checked_is_said(tmp_path):
    """Equal traces of an unknown experiment: the verdict stands."""
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", updates=np.arange(5), w=np.arange(10.0).reshape(5, 2))
    found = compare(tmp_path / "a.npz", tmp_path / "b.npz")

    assert 0 == found.exit_status
    assert "effect of λ: not checked" in found.report


# --- a network that only looks like the article's ---------------------------------------------------------------------


@pytest.mark.parametrize(("started", "known"), [({}, True), ({"seed": 7}, False)], ids=["the article's", "another's"])
def test_names_alone_do_not_make_it_the_articles_network(tmp_path, data, run, started, known):
    """W1, b1, W2, b2 of the same shapes, from another start: an experiment's file does not make them the article's."""
    (tmp_path / "e.toml").write_text('epochs = 1\nstyle = "penalty"\n')
    for name, lamda in (("a", 0.001), ("b", 0.002)):
        with Recorder(tmp_path / f"{name}.npz") as trace:
            for parameters in islice(train(replace(EXPERIMENT, **started, lamda=lamda), data), 41):
                trace.update(as_state(parameters))
    status, out, _ = run(
        "compare", *(str(tmp_path / name) for name in ("a.npz", "b.npz")), "--experiment", str(tmp_path / "e.toml")
    )

    assert (1, known) == (status, "computed by the reference" in out)
