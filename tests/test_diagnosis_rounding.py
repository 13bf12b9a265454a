"""Equal up to rounding: correct ports in float32, faults that are small beside the weights, and what is said."""

import json
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import reference.train
import torch_impl.train
from comparisons.recorders.plain import Recorder
from comparisons.recorders.pytorch import record
from comparisons.runs.names import as_state
from comparisons.same_training import TrainingDiffersError, assert_same_training, compare, record_reference
from reference.experiment import Experiment

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "leaky": lambda z: F.leaky_relu(z, 0.01)}


def train(
    path,
    lr,
    activation="relu",
    dtype=torch.float32,
    lamda=0.001,
    decay=0.0,
    updates=60,
    bad_buffers=False,
    recorded="Wb",
):
    """A network of three layers with L1, cross-entropy, plain SGD; its states in a trace."""
    random = torch.Generator().manual_seed(0)
    pairs = [(20, 32), (32, 32), (32, 5)]
    weights = [torch.randn(a, b, generator=random) / a**0.5 for a, b in pairs]
    parameters = [
        p.to(dtype).requires_grad_() for (_, b), w in zip(pairs, weights, strict=True) for p in (w, torch.zeros(b))
    ]
    x, t = torch.randn(512, 20, generator=random).to(dtype), torch.randint(0, 5, (512,), generator=random)
    act = ACTIVATIONS[activation]
    with Recorder(path) as trace:
        for update in range(updates + 1):
            state = {f"{'Wb'[i % 2]}{i // 2 + 1}": p.detach().numpy() for i, p in enumerate(parameters)}
            state = {name: array for name, array in state.items() if name[0] in recorded}
            trace.update(state, buffers={"mean": np.full(3, (1.0 + bad_buffers) * update)})
            items = torch.randint(0, 512, (16,), generator=random)
            W1, b1, W2, b2, W3, b3 = parameters
            z = act(act(x[items] @ W1 + b1) @ W2 + b2) @ W3 + b3
            loss = F.cross_entropy(z, t[items]) + lamda * sum(W.abs().sum() for W in (W1, W2, W3))
            slopes = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for p, g in zip(parameters, slopes, strict=True):
                    p -= lr * (g + decay * p)
    return path


@pytest.fixture(name="pair")
def make_pair(tmp_path):
    """pair(lr, …) -> the paths of the right run in float32, and of another."""

    def pair(lr, **other):
        return train(tmp_path / "one.npz", lr), train(tmp_path / "other.npz", lr, **other)

    return pair


@pytest.mark.parametrize("lr", [1e-3, 1e-2, 1e-1])
def test_a_correct_port_in_float32_is_equal_up_to_rounding(pair, lr):
    """Headline, share of an update, exit status 1, and 0 where the user allows it; nothing is named."""
    paths = pair(lr, dtype=torch.float64)
    found, allowed = compare(*paths), compare(*paths, allow_rounding=True)

    assert ("equal up to rounding", 1, 0, []) == (
        found.verdict,
        found.exit_status,
        allowed.exit_status,
        found.explanations,
    )
    assert found.headline.startswith("EQUAL UP TO ROUNDING (")
    assert " of an update of " in found.headline
    assert "DIFFERENT" not in found.report
    assert 0 < found.rounding.share < 0.01
    assert "equal up to rounding" == assert_same_training(*paths, allow_rounding=True).verdict
    with pytest.raises(TrainingDiffersError, match="EQUAL UP TO ROUNDING"):
        assert_same_training(*paths)


FAULTS = {
    "tanh": {"activation": "tanh"},
    "leaky": {"activation": "leaky"},
    "no L1": {"lamda": 0.0},
    "L2": {"decay": 0.01},
    "buffers": {"dtype": torch.float64, "bad_buffers": True},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("lr", [1e-5, 1e-4, 1e-2])
def test_a_fault_that_is_small_beside_the_weights_is_no_rounding(pair, lr, fault):
    """tanh for ReLU at η = 1e-5 moves a weight by less than 64 ULPs, and is most of an update."""
    found = compare(*pair(lr, **fault), allow_rounding=True)

    assert ("different", 1) == (found.verdict, found.exit_status)
    assert "no bug" not in found.report


def test_rounding_that_hides_faults_is_no_proof(pair):
    """At η = 1e-7 a step is smaller than the rounding of a weight: that is said, and not that there is no bug."""
    found = compare(*pair(1e-7, dtype=torch.float64), allow_rounding=True)

    assert ("nothing proved", 3) == (found.verdict, found.exit_status)
    assert "cannot be told from it" in found.headline
    assert "no bug" not in found.report


def test_a_tolerance_in_ulps_that_hides_a_fault_proves_nothing(tmp_path):
    """16 ULPs pass LeakyReLU for ReLU at η = 5e-5; their share of an update is said, and the exit status is 3."""
    few = {"updates": 2, "recorded": "W"}
    one = train(tmp_path / "one.npz", 5e-5, **few)
    found = compare(one, train(tmp_path / "other.npz", 5e-5, activation="leaky", **few), ulps=16)

    assert ("nothing proved", 3) == (found.verdict, found.exit_status)
    assert "16 ULPs are" in found.headline
    assert "% of an update" in found.headline


def test_rounding_up_to_the_end(pair, tmp_path):
    """A run that ended early is not equal up to rounding, unless that is enough."""
    one = train(tmp_path / "one.npz", 0.01)
    short = train(tmp_path / "short.npz", 0.01, dtype=torch.float64, updates=40)

    assert ("nothing proved", 3) == (compare(one, short).verdict, compare(one, short, allow_rounding=True).exit_status)
    assert 0 == compare(one, short, allow_rounding=True, partial=True).exit_status


def test_the_result_file_says_the_verdict(pair):
    """Beside what it said before."""
    result = compare(*pair(0.01, lamda=0.0)).to_json()

    assert ["verdict", "exit_status", "not_compared", "explanations", "comparison", "diagnosis"] == list(result)
    assert ("different", 1, []) == (result["verdict"], result["exit_status"], result["not_compared"])
    assert all(["name", "number", "holds", "sentence"] == list(e) for e in result["explanations"])


# --- what is not rounding, however small ----------------------------------------------------------------------------


def runaway(walk, updates):
    """A weight of another sign goes its own way."""
    walk[1:, 0, 0] = 1e-9
    other = walk.copy()
    other[1, 0, 0] = -1e-9
    other[2:, 0, 0] = -np.linspace(0.5, 3, updates - 2)
    return other


def growing(walk, updates):
    """The runs are five times as far apart after every update."""
    return walk + np.minimum(3e-8 * 5.0 ** np.arange(updates), 0.2)[:, None, None].astype(np.float32)


@pytest.mark.parametrize("fault", [runaway, growing])
def test_what_grows_is_no_rounding(tmp_path, fault):
    """Without an experiment, too."""
    walk = np.random.default_rng(0).normal(size=(40, 2, 4)).cumsum(axis=0).astype(np.float32)
    other = fault(walk, 40)
    for name, states in (("one", walk), ("other", other)):
        np.savez(tmp_path / f"{name}.npz", updates=np.arange(40), W=states)
    found = compare(tmp_path / "one.npz", tmp_path / "other.npz", allow_rounding=True)

    assert ("different", 1) == (found.verdict, found.exit_status)
    assert "no bug" not in found.report


SMALL = Experiment(epochs=1)
FAULTY = {  # λ and η, what is wrong, what is said at most
    "no fault": (1e-3, 0.01, {}, {"equal up to rounding"}),
    "no L1": (1e-6, 0.01, {"lamda": 0.0}, {"different"}),
    "½ λ": (1e-6, 0.01, {"lamda": 5e-7}, {"different", "nothing proved"}),
    "2 λ": (1e-6, 0.01, {"lamda": 2e-6}, {"different"}),
    "sign reversed": (3e-7, 0.1, {"style": "as_listed"}, {"different", "nothing proved"}),
    "L2": (1e-3, 0.01, {"l2": 1e-4}, {"different"}),
    "below rounding": (1e-9, 0.01, {"lamda": 0.0}, {"nothing proved"}),
    "below rounding, right": (1e-9, 0.01, {}, {"nothing proved"}),
}


@pytest.mark.parametrize(("lamda", "lr", "wrong", "verdicts"), FAULTY.values(), ids=FAULTY)
def test_a_wrong_l1_below_the_rounding_of_a_weight(tmp_path, data, lamda, lr, wrong, verdicts):
    """A port in float32, whose L1 moves a weight by parts of an ULP: seen over many updates, or not judged."""
    e = replace(SMALL, lamda=lamda, lr=lr)
    record_reference(tmp_path / "one.npz", e, data, 200)
    with Recorder(tmp_path / "other.npz") as trace:
        for parameters in torch_impl.train.train(replace(e, precision="float32", **wrong), data):
            trace.update({n: w.astype(np.float32) for n, w in as_state(parameters).items()})
    found = compare(tmp_path / "one.npz", tmp_path / "other.npz", experiment=e, data=data, allow_rounding=True)

    assert found.verdict in verdicts, found.report
    assert ("no bug" in found.report) == (not wrong and lamda == 1e-3)


@pytest.mark.parametrize("lr", [1e-3, 1e-2])
def test_the_error_of_a_lamda_in_float32_is_no_fault(tmp_path, data, lr):
    """tack_on subtracts the same λ, with the same error, in every update."""
    e = replace(SMALL, style="tack_on", lr=lr)
    record_reference(tmp_path / "one.npz", e, data, 100)
    with Recorder(tmp_path / "other.npz") as trace:
        for parameters in islice(torch_impl.train.train(replace(e, precision="float32"), data), 101):
            trace.update({n: w.astype(np.float32) for n, w in as_state(parameters).items()})
    found = compare(tmp_path / "one.npz", tmp_path / "other.npz", allow_rounding=True)

    assert ("equal up to rounding", 0) == (found.verdict, found.exit_status), found.report


def test_a_start_that_was_rounded_to_float32_is_no_other_start(tmp_path):
    """A float64 run that does not start on the grid, and its port in float32."""
    walk = np.random.default_rng(0).normal(size=(40, 4, 4)).cumsum(axis=0)
    for name, states in (("one", walk), ("other", walk.astype(np.float32))):
        np.savez(tmp_path / f"{name}.npz", updates=np.arange(40), W=states)
    found = compare(tmp_path / "one.npz", tmp_path / "other.npz")

    assert ("equal up to rounding", []) == (found.verdict, found.explanations)


def test_one_element_that_is_off_in_rounded_precision(tmp_path, data):
    """A part in 100,000 of the largest weight, once: both sides compute in float64, which has no such error."""
    e = replace(SMALL, style="none", lamda=0.0, lr=0.1)
    runs = [list(islice(reference.train.train(e, data), 41)) for _ in range(2)]
    for parameters in runs[1][7:]:
        W = parameters[0][0]
        W[0, 0] = np.float32(W[0, 0] + 1e-5 * np.abs(W).max())
    for name, states in zip(("one", "other"), runs, strict=True):
        with Recorder(tmp_path / f"{name}.npz") as trace:
            for parameters in states:
                trace.update(as_state(parameters))
    found = compare(tmp_path / "one.npz", tmp_path / "other.npz", experiment=e, data=data, allow_rounding=True)

    assert ("different", 1) == (found.verdict, found.exit_status)
    assert "no bug" not in found.report


def test_what_is_not_judged_is_not_headed_different(tmp_path, data):
    """Headline, verdict and exit status say the same; the result file is JSON."""
    e = replace(SMALL, lamda=1e-9)
    record_reference(tmp_path / "one.npz", e, data, 100)
    with Recorder(tmp_path / "other.npz") as trace:
        for parameters in islice(torch_impl.train.train(replace(e, precision="float32"), data), 101):
            trace.update({n: w.astype(np.float32) for n, w in as_state(parameters).items()})
    found = compare(tmp_path / "one.npz", tmp_path / "other.npz")

    assert 3 == found.exit_status
    assert found.headline.startswith("NOTHING PROVED: λ pulls ")
    assert json.dumps(found.to_json(), allow_nan=False)


# --- rounding that something makes larger ---------------------------------------------------------------------------


def train_normalised(path, optimizer, dtype=torch.float32, lamda=0.001, l1_on=(2,), frozen="", **options):
    """Linear, BatchNorm, ReLU, Linear: the first bias has no effect, so that its gradient is rounding."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(12, 24), torch.nn.BatchNorm1d(24), torch.nn.ReLU(), torch.nn.Linear(24, 5)]
    model = torch.nn.Sequential(*layers).to(dtype)
    x, t = torch.randn(256, 12, dtype=torch.float32).to(dtype), torch.randint(0, 5, (256,))
    used = optimizer(model.parameters(), **options)
    with record(path, model, used, gradients=True):
        for items in torch.randint(0, 256, (40, 16)):
            used.zero_grad()
            F.cross_entropy(model(x[items]), t[items]).backward()
            for name, p in model.named_parameters():
                p.grad += lamda * p.detach().sign() if p.ndim in l1_on else 0.0
                p.grad *= name != frozen
            used.step()
    return path


SGD, ADAM = (torch.optim.SGD, {"lr": 0.05}), (torch.optim.Adam, {"lr": 0.005})


@pytest.mark.parametrize(
    ("optimizer", "expected"), [(SGD, ("equal up to rounding", 0)), (ADAM, ("nothing proved", 3))], ids=["SGD", "Adam"]
)
def test_a_gradient_that_is_rounding_is_no_fault(tmp_path, optimizer, expected):
    """SGD makes a step of rounding of it; Adam divides it by its size and makes a full step, which may be a fault."""
    kind, options = optimizer
    one = train_normalised(tmp_path / "one.npz", kind, **options)
    found = compare(one, train_normalised(tmp_path / "other.npz", kind, torch.float64, **options), allow_rounding=True)

    assert expected == (found.verdict, found.exit_status), found.report
    assert "no bug" not in found.report
    assert ("steps of 0.bias may be rounding" in found.headline) == (optimizer == ADAM)
    assert ("0.bias moves by rounding alone" in " ".join(found.report.split())) == (optimizer == SGD)


WRONG = {
    "no L1": {"lamda": 0.0},
    "2 λ": {"lamda": 0.002},
    "½ λ": {"lamda": 0.0005},
    "sign reversed": {"lamda": -0.001},
    "η": {"lr": 0.0051},
    "a frozen bias": {"frozen": "3.bias"},
    "a frozen layer": {"frozen": "3.weight"},
    "weight decay": {"weight_decay": 0.01},
}


@pytest.mark.parametrize("fault", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("optimizer", [SGD, ADAM], ids=["SGD", "Adam"])
def test_a_fault_beside_a_gradient_that_is_rounding(tmp_path, optimizer, fault):
    """Beside it everything is judged as ever."""
    kind, options = optimizer
    one = train_normalised(tmp_path / "one.npz", kind, **options)
    wrong = train_normalised(tmp_path / "wrong.npz", kind, torch.float64, **{**options, **fault})
    found = compare(one, wrong, allow_rounding=True)

    assert ("different", 1) == (found.verdict, found.exit_status), found.report


def test_a_learning_rate_that_is_a_hundred_thousandth_too_large(tmp_path, data):
    """It is less than a report could name, and more than the rounding of a step: it is not said to be no bug."""
    e = replace(SMALL, lr=0.1)
    record_reference(tmp_path / "one.npz", e, data, 200)
    for name, lr in (("right", 0.1), ("wrong", 0.1 * (1 + 1e-5))):
        with Recorder(tmp_path / f"{name}.npz") as trace:
            for parameters in torch_impl.train.train(replace(e, precision="float32", lr=lr), data):
                trace.update({n: w.astype(np.float32) for n, w in as_state(parameters).items()})
    right, wrong = (compare(tmp_path / "one.npz", tmp_path / f"{name}.npz") for name in ("right", "wrong"))

    assert "no bug" in right.report
    assert "no bug" not in wrong.report
