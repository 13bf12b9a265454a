"""assert_same_training: traces and trainers; what it says, and when it says nothing; its pytest plugin."""

import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import reference.train
import torch_impl.train
from comparisons.recorders.plain import Recorder
from comparisons.runs.names import as_state
from comparisons.same_training import GIVEN, TrainingDiffersError, assert_same_training, record_reference
from reference.errors import InputError
from reference.experiment import Experiment
from reference.l1 import STYLES

pytest_plugins = ["pytester"]

EXPERIMENT = Experiment(epochs=1)
NAMES = {"0.weight": ("W1", "T"), "0.bias": "b1", "2.weight": ("W2", "T"), "2.bias": "b2"}


class ByHand:
    """A regression network in NumPy, mean squared error, L1 by the penalty."""

    def __init__(self, lamda=0.001, lr=0.05):
        rng = np.random.default_rng(0)
        self.p = {"W1": rng.normal(size=(5, 6)), "b1": np.zeros(6), "W2": rng.normal(size=(6, 3)), "b2": np.zeros(3)}
        self.lamda, self.lr = lamda, lr

    def state(self):
        return self.p

    def load_state(self, state):
        self.p = {name: np.array(w) for name, w in state.items()}

    def step(self, x, t):
        p = self.p
        h = np.tanh(x @ p["W1"] + p["b1"])
        d = 2 * (h @ p["W2"] + p["b2"] - t) / t.size
        e = d @ p["W2"].T * (1 - h * h)
        slopes = {"W1": x.T @ e, "b1": e.sum(axis=0), "W2": h.T @ d, "b2": d.sum(axis=0)}
        self.p = {name: self.moved(name, w, slopes[name]) for name, w in p.items()}

    def moved(self, name, w, g):
        return w - self.lr * (g + (self.lamda * np.sign(w) if name[0] == "W" else 0))


class TackedOn(ByHand):
    """λ is not scaled by η."""

    def moved(self, name, w, g):
        return w - self.lr * g - (self.lamda * np.sign(w) if name[0] == "W" else 0)


class InTorch:
    """The same in PyTorch."""

    def __init__(self):
        self.model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05)

    def state(self):
        return {name: p.detach().numpy() for name, p in self.model.named_parameters()}

    def load_state(self, state):
        self.model.load_state_dict({name: torch.tensor(w) for name, w in state.items()})

    def step(self, x, t):
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(torch.from_numpy(x)), torch.from_numpy(t))
        (loss + 0.001 * sum(p.abs().sum() for p in self.model.parameters() if p.dim() > 1)).backward()
        self.optimizer.step()


@pytest.fixture(name="batches", scope="module")
def some_batches():
    """200 of 8 items."""
    rng = np.random.default_rng(1)
    return [(rng.normal(size=(8, 5)), rng.normal(size=(8, 3))) for _ in range(200)]


def test_two_trainers_that_are_the_same(batches):
    """NumPy by hand and PyTorch, in lockstep: bits."""
    found = assert_same_training(ByHand(), InTorch(), batches, names=NAMES).comparison

    assert (200, 4, 57) == (found.updates, len(found.parameters), found.elements)
    assert [] == found.vacuous


def test_two_trainers_that_are_not(batches):
    """A short first line; with η, λ and the style known the difference is named, and the λ that would do."""
    e = Experiment(style="tack_on", lr=0.05)
    with pytest.raises(TrainingDiffersError) as differs:
        assert_same_training(TackedOn(), InTorch(), batches, names=NAMES, experiment=e)
    report = " ".join(differs.value.finding.report.split())

    assert str(differs.value) == differs.value.finding.report
    assert report.startswith("DIFFERENT at update 1: W1[0, 0] (200 updates, 4 parameters, 57 elements compared) ")
    assert "the candidate's L1 is penalty" in report
    assert "tack_on was asked for (predicts every update from 1 to 61" in report
    assert "to agree λ = 0.02 in the candidate (exact" in report
    assert "agrees everything before update 1; b1, b2 after it" in report


class Transposing(InTorch):
    """load_state forgets that it is given float64."""

    def load_state(self, state):
        super().load_state({name: np.float32(w).astype(np.float16) for name, w in state.items()})


def test_a_load_state_that_does_not_load_is_refused(batches):
    """Before anything is trained; one line, with the element and both values."""
    with pytest.raises(InputError, match=r"^the candidate: load_state does not load: 0.weight\[0, 0\] is \S+, and was"):
        assert_same_training(ByHand(), Transposing(), batches, names=NAMES)


class InPlace(ByHand):
    """Keeps what it is given, and works in place; spoils its batch."""

    right = 1.0  # the factor of the step

    def load_state(self, state):
        self.p = state

    def step(self, x, t):
        given = dict(self.p)
        super().step(x, t)
        for name, w in given.items():
            w += self.right * (self.p[name] - w)
        self.p = given
        x *= 0.5
        t[:] = 0.0


class Wrong(InPlace):
    """Any wrong code: the same, with another step."""

    def __init__(self, factor):
        super().__init__()
        self.right = factor


@pytest.mark.parametrize("factor", [-1.0, 3.0, 0.0], ids=["reversed", "three steps", "no step"])
def test_each_side_has_copies_of_its_own(batches, factor):
    """Of states and of batches, at every update: what one does to them, the other does not see. Twin: right."""
    kept = [tuple(array.copy() for array in batch) for batch in batches]
    with pytest.raises(TrainingDiffersError, match="DIFFERENT at update 1"):
        assert_same_training(InPlace(), Wrong(factor), batches)
    with pytest.raises(TrainingDiffersError, match="DIFFERENT at update 1"):
        assert_same_training(InPlace(), Wrong(factor), batches, rounded=False)

    assert 200 == assert_same_training(InPlace(), ByHand(), batches).comparison.updates
    assert all(
        np.array_equal(x, y) for ours, was in zip(batches, kept, strict=True) for x, y in zip(ours, was, strict=True)
    )


def test_a_batch_that_cannot_be_copied_is_refused(batches):
    """One line, instead of a batch that both sides share."""
    with pytest.raises(InputError, match=r"^a batch cannot be copied, so that each side has its own: "):
        assert_same_training(ByHand(), ByHand(), [(x for x in batches[0])])


class FromFloat32(ByHand):
    """As people write it: the start is float32, and w − η g is float64 from the first update on."""

    def __init__(self):
        super().__init__()
        self.p = {name: w.astype(np.float32) for name, w in self.p.items()}


@pytest.mark.parametrize("sides", [(FromFloat32, ByHand), (ByHand, FromFloat32)], ids=["reference", "candidate"])
def test_a_start_of_a_narrower_type_than_the_updates(batches, sides):
    """It is the same training, and nothing is narrowed when it is recorded."""
    one, other = (side() for side in sides)
    one.p = {name: w.astype(np.float32).astype(w.dtype) for name, w in one.p.items()}

    assert 0 == assert_same_training(one, other, batches).exit_status


class Sharing(ByHand):
    """Writes into the arrays of another."""

    def __init__(self, other):
        super().__init__()
        self.p = other.p

    def load_state(self, state):
        for name, w in state.items():
            self.p[name][:] = w


def test_a_trainer_beside_itself_is_refused(batches):
    """The same object, or another one around the same arrays: they would agree whatever they do."""
    one = ByHand()
    keeping = Sharing(one)
    for both in ((one, one), (keeping, Sharing(keeping))):
        with pytest.raises(InputError, match="the two share their parameters: loading the candidate changed it"):
            assert_same_training(*both, batches)


def test_another_start_is_said(batches):
    """The candidate is given the reference's; by itself it would begin elsewhere."""
    found = assert_same_training(ByHand(), InTorch(), batches, names=NAMES)

    assert [f"{GIVEN} W1, b1, W2, b2"] == found.comparison.notes
    assert [] == assert_same_training(ByHand(), ByHand(), batches).comparison.notes


class WithMomentum(ByHand):
    """v = β v + g."""

    nesterov = False

    def __init__(self):
        super().__init__()
        self.v = dict.fromkeys(self.p, 0.0)

    def moved(self, name, w, g):
        g = g + (self.lamda * np.sign(w) if name[0] == "W" else 0)
        self.v[name] = 0.9 * self.v[name] + g
        return w - self.lr * (g + 0.9 * self.v[name] if self.nesterov else self.v[name])


class WithNesterov(WithMomentum):
    """Looks ahead."""

    nesterov = True


def test_lockstep_leaves_an_optimizer_its_memory(batches):
    """Momentum beside momentum is equal; beside Nesterov's it is named."""
    e = Experiment(lr=0.05, optimizer="momentum")
    with pytest.raises(TrainingDiffersError) as differs:
        assert_same_training(WithMomentum(), WithNesterov(), batches, experiment=e)

    assert 200 == assert_same_training(WithMomentum(), WithMomentum(), batches, experiment=e).comparison.updates
    assert "the candidate's optimizer is Nesterov momentum, β = 0.9" in " ".join(differs.value.finding.report.split())


def test_without_an_experiment_the_difference_is_measured(batches):
    """η λ − λ a weight and update."""
    with pytest.raises(TrainingDiffersError) as differs:
        assert_same_training(TackedOn(), InTorch(), batches, names=NAMES)

    report = " ".join(differs.value.finding.report.split())
    assert "every update moves W1, W2 by 0.00095 less toward zero than in the reference" in report


class BiasesToo(ByHand):
    """L1 on biases."""

    def moved(self, name, w, g):
        return w - self.lr * (g + self.lamda * np.sign(w))


def test_without_an_experiment_it_is_told_in_what_parameters(batches):
    """η λ on the biases alone."""
    with pytest.raises(TrainingDiffersError) as differs:
        assert_same_training(ByHand(), BiasesToo(), batches)

    report = " ".join(differs.value.finding.report.split())
    assert "every update moves b1, b2 by 5e-05 more toward zero than in the reference" in report


class Planned:
    """A weight whose gradients are what it is given: g = −sign(w) sends it 0.05 away, and a tack-on of 0.05 back."""

    def __init__(self, scale):
        self.w, self.scale = np.random.default_rng(0).uniform(-0.001, 0.001, size=(20, 20)).astype(np.float32), scale

    def state(self):
        return {"w": self.w.astype(float)}

    def load_state(self, state):
        self.w = np.array(state["w"])

    def step(self, g):
        self.w = self.w - 0.05 * g - self.scale * 0.05 * np.sign(self.w)


def test_a_gradient_is_as_coarse_as_the_state_that_it_was_worked_out_from():
    """The reference goes to where float32 is coarser than near zero, to which a tack-on takes the candidate back."""
    sign = np.sign(Planned(0).w)
    batches = [(-sign * np.random.default_rng(update).uniform(0.99, 1.01, sign.shape),) for update in range(3)]
    with pytest.raises(TrainingDiffersError) as differs:
        assert_same_training(
            Planned(0.05), Planned(1), batches, experiment=Experiment(style="penalty", lr=0.05, lamda=0.05)
        )

    assert not differs.value.finding.diagnosis.window.float32_arithmetic
    assert "the candidate's L1 is tack_on, w⁺ = v − λ sign w" in " ".join(differs.value.finding.report.split())


class WithAdam(InTorch):
    """Adam, and what it was given."""

    def __init__(self, lamda):
        super().__init__()
        self.optimizer, self.lamda = torch.optim.Adam(self.model.parameters(), lr=0.05), lamda

    def step(self, x, t):
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(torch.from_numpy(x)), torch.from_numpy(t))
        (loss + self.lamda * sum(p.abs().sum() for p in self.model.parameters() if p.dim() > 1)).backward()
        self.optimizer.step()

    def gradients(self):
        return {name: p.grad.numpy() for name, p in self.model.named_parameters()}


class WithoutGradients(WithAdam):
    """Adam, and nothing of what it was given."""

    gradients = None


def test_gradients_of_a_trainer_let_more_be_told(batches):
    """Adam's updates do not tell them: with them λ is, without them that is said."""
    e = Experiment(lr=0.05, lamda=0.02, optimizer="adam")
    reports = []
    for one in (WithAdam(0.02), WithoutGradients(0.02)):
        with pytest.raises(TrainingDiffersError) as differs:
            assert_same_training(one, WithAdam(0.04), batches, experiment=e)
        reports.append(" ".join(differs.value.finding.report.split()))

    assert "the candidate's λ is 0.04, 2 times what was asked for (predicts every update from 1 to 61" in reports[0]
    assert "more can be told if the reference records its gradients" in reports[1]


def test_unrounded_trainers_need_a_tolerance(batches):
    """1e-16 is a difference of bits; what would have passed is told."""
    with pytest.raises(TrainingDiffersError) as differs:
        assert_same_training(ByHand(), InTorch(), batches, names=NAMES, rounded=False)
    found = differs.value.finding
    ulps = found.comparison.least_ulps

    assert ulps < 8
    assert "rounding alone explains each of the 200 updates" in " ".join(found.report.split())
    assert_same_training(ByHand(), InTorch(), batches, names=NAMES, rounded=False, ulps=ulps)


def test_traces_are_kept_where_they_are_asked_for(batches, tmp_path):
    """And the command that compares them again is told."""
    with pytest.raises(TrainingDiffersError) as differs:
        assert_same_training(TackedOn(), InTorch(), batches, names=NAMES, folder=tmp_path)

    assert ["candidate.npz", "reference.npz"] == sorted(path.name for path in tmp_path.iterdir())
    assert f"again python -m comparisons compare {tmp_path}/reference.npz" in " ".join(
        differs.value.finding.report.split()
    )


@pytest.mark.parametrize("ulps", [math.inf, math.nan, -1.0, "16", True], ids=str)
def test_a_tolerance_that_is_none_is_refused(batches, ulps):
    """Before anything is trained."""
    with pytest.raises(InputError, match=r"^ulps must be a number >= 0; got "):
        assert_same_training(ByHand(), TackedOn(), batches, ulps=ulps)


def test_nothing_to_train_with_proves_nothing(batches):
    """No batches; gradients that are zero move nothing."""
    with pytest.raises(TrainingDiffersError, match="NOTHING PROVED: updates compared: 0"):
        assert_same_training(ByHand(), InTorch(), [], names=NAMES)
    with pytest.raises(TrainingDiffersError, match="NOTHING PROVED: nothing moved"):
        assert_same_training(ByHand(lr=0), ByHand(lr=0), batches)


@pytest.mark.parametrize("arguments", [("a.npz", ByHand()), (ByHand(), ByHand())], ids=["mixed", "no batches"])
def test_what_cannot_be_compared(arguments):
    """One line."""
    with pytest.raises(InputError, match="two traces are needed, or two training codes and batches"):
        assert_same_training(*arguments)


def test_lamda_without_effect(data, tmp_path):
    """Both were told λ, neither applies it: equal, and proof of nothing."""
    said = replace(EXPERIMENT, lamda=0.001, style="penalty")
    for name in ("a", "b"):
        with Recorder(tmp_path / f"{name}.npz", experiment=vars(said)) as trace:
            for parameters in reference.train.train(replace(said, style="none"), data):
                trace.update(as_state(parameters))
    paths = tmp_path / "a.npz", tmp_path / "b.npz"
    with pytest.raises(TrainingDiffersError, match=r"NOTHING PROVED: λ = 0.001 has no effect"):
        assert_same_training(*paths, experiment=said, data=data)

    assert_same_training(*paths, experiment=replace(said, style="none"), data=data)


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_equal_runs_raise_no_alarm(data, tmp_path, style):
    """125 seeds, a thousand runs over all styles, NumPy and PyTorch, 60 updates each: equal, and λ has its effect."""
    short = replace(data, x_train=data.x_train[:60], t_train=data.t_train[:60])
    alarms = []
    for seed in range(125):
        e = replace(EXPERIMENT, style=style, seed=seed)
        place = tmp_path / f"{seed}"
        place.mkdir()
        record_reference(place / "a.npz", e, short, 60)
        with Recorder(place / "b.npz") as trace:
            for parameters in torch_impl.train.train(e, short):
                trace.update(as_state(parameters))
        try:
            found = assert_same_training(place / "a.npz", place / "b.npz", experiment=e, data=short)
        except TrainingDiffersError as error:
            alarms.append(f"seed {seed}: {error}")
        else:
            alarms += [f"seed {seed}: diagnosed"] if found.diagnosis else []

    assert [] == alarms


# --- the plugin -----------------------------------------------------------------------------------------------------

TESTS = """
import numpy as np
from comparisons.same_training import assert_same_training

class Right:
    def __init__(self):
        self.w = {"W": np.ones((2, 3))}
    def state(self):
        return self.w
    def load_state(self, state):
        self.w = {"W": np.array(state["W"])}
    def step(self, g):
        self.w = {"W": self.w["W"] - 0.5 * g}

class Wrong(Right):
    def step(self, g):
        self.w = {"W": self.w["W"] - g}

BATCHES = [(np.full((2, 3), i),) for i in range(1, 6)]

def test_good(same_training):
    same_training(Right(), Right(), BATCHES)

def test_bad():
    assert_same_training(Right(), Wrong(), BATCHES)
"""


def test_the_plugin(pytester):
    """The report is the error's message; files where they are asked for, figures in JUnit's XML."""
    pytester.makepyfile(TESTS)
    ran = pytester.runpytest_subprocess("--parity-report=out", "--junitxml=junit.xml")
    page, result = sorted((pytester.path / "out").iterdir())
    cases = {case.get("name"): case for case in ET.parse(pytester.path / "junit.xml").getroot().iter("testcase")}
    figures = {name: {p.get("name"): p.get("value") for p in case.iter("property")} for name, case in cases.items()}

    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["E *TrainingDiffersError: DIFFERENT at update 1: W*", "E *because *"])
    assert page.suffix == ".html"
    assert "DIFFERENT at update 1" in page.read_text()
    assert 1 == json.loads(result.read_text())["comparison"]["exit_status"]
    assert ("5", "0") == (figures["test_good"]["parity_updates"], figures["test_good"]["parity_exit_status"])
    assert "1" == figures["test_bad"]["parity_exit_status"]


class Linear:
    """Least squares in one type; s is a parameter without axes."""

    def __init__(self, kind, slope=1.0):
        self.kind, self.slope = kind, slope
        rng = np.random.default_rng(0)
        self.p = {"W": rng.normal(size=(6, 3)).astype(kind), "s": np.array(0.5, kind)}

    def state(self):
        return self.p

    def load_state(self, state):
        self.p = {name: np.array(w, self.kind) for name, w in state.items()}

    def step(self, x, t):
        x, t, p = x.astype(self.kind), t.astype(self.kind), self.p
        d = self.slope * (x @ p["W"] + p["s"] - t) / self.kind(t.size)
        lr = self.kind(0.1)
        self.p = {"W": p["W"] - lr * (x.T @ d), "s": np.array(p["s"] - lr * d.sum(), self.kind)}


@pytest.mark.parametrize("kinds", [(np.float64, np.float32), (np.float32, np.float64)], ids=["wide", "narrow"])
def test_training_codes_of_two_types(kinds):
    """The float32 side may round as float32 does, whichever side it is; twin: a gradient 1 % too long is different."""
    rng = np.random.default_rng(1)
    batches = [(rng.normal(size=(8, 6)), rng.normal(size=(8, 3))) for _ in range(20)]
    one, other = (Linear(kind) for kind in kinds)

    assert "equal up to rounding" == assert_same_training(one, other, batches, allow_rounding=True).verdict
    with pytest.raises(TrainingDiffersError, match="DIFFERENT"):
        assert_same_training(Linear(kinds[0]), Linear(kinds[1], 1.01), batches, allow_rounding=True)


def test_a_parameter_without_axes():
    """It is compared as it is."""
    rng = np.random.default_rng(1)
    batches = [(rng.normal(size=(8, 6)), rng.normal(size=(8, 3))) for _ in range(5)]

    assert "equal" == assert_same_training(Linear(np.float64), Linear(np.float64), batches).verdict
