"""Recorders of PyTorch, Keras and JAX: every parameter after every update, and nothing about the training changes."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from comparisons.recorders.pytorch import record
from comparisons.runs.trace import digest, open_trace
from reference.errors import InputError
from torch_impl.l1 import STYLES, attach


def model_of(seed=0, dtype=torch.float64):
    """A small convolutional network with batch norm."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(9, 2)).to(dtype)


def items(updates=5):
    """(x, t) of one update after another."""
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(6, 2, 4, generator=generator).double(), torch.randn(6, 2, generator=generator).double())
        for _ in range(updates)
    ]


def train(model, optimizer, trace=None, seen=None):
    """A loop as people write it; seen collects the parameters."""
    for x, t in items():
        if trace:
            trace.batch(x, t)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), t).backward()
        optimizer.step()
        if seen is not None:
            seen.append({name: p.detach().numpy().copy() for name, p in model.named_parameters()})


@pytest.mark.parametrize("style", ["none", "proximal"])
def test_pytorch_every_parameter_after_every_step(tmp_path, style):
    """What a hook that was attached before does to them is in it; the run is the one without a recorder."""
    plain, recorded = model_of(), model_of()
    seen = []
    for model, keep in ((plain, seen), (recorded, None)):
        optimizer = torch.optim.Adam([{"params": model.parameters(), "lamda": 0.1}], lr=0.1)
        attach(STYLES[style], optimizer)
        if keep is not None:
            train(model, optimizer, seen=keep)
        else:
            with record(tmp_path / "r.npz", model, optimizer, experiment={"lr": 0.1}) as trace:
                train(model, optimizer, trace)
    trace = open_trace(tmp_path / "r.npz")

    assert list(dict(plain.named_parameters())) == list(trace.parameters)
    assert (f"PyTorch {torch.__version__}", {"lr": 0.1}) == (trace.header["framework"], trace.header["experiment"])
    for name in trace.parameters:
        assert np.array_equal([state[name] for state in seen], trace.read(name)[1:])
    assert [digest([x.numpy(), t.numpy()]) for x, t in items()] == [bytes(d) for d in trace.read("digest:batch")[1:]]


@pytest.mark.parametrize("set_to_none", [True, False], ids=["grad none", "grad zeroed"])
def test_pytorch_what_is_done_after_the_step_belongs_to_the_update(tmp_path, set_to_none):
    """L1 by hand after optimizer.step(), and gradients that are cleared then: w ± 1, g 2, η 1/8, λ 1/4."""
    w = nn.Parameter(torch.tensor([1.0, -1.0], dtype=torch.float64))
    optimizer = torch.optim.SGD([w], lr=0.125)
    with record(tmp_path / "r.npz", {"w": w}, optimizer, gradients=True):
        for _ in range(2):
            (2 * w).sum().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none)
            with torch.no_grad():
                w -= 0.25 * w.sign()
    trace = open_trace(tmp_path / "r.npz")

    assert [[1, -1], [0.5, -1], [0, -1]] == trace.read("w").tolist()
    assert [[2, 2], [2, 2]] == trace.read("gradient:w")[1:].tolist()


def test_pytorch_gradients_and_optimizer_state(tmp_path):
    """On request; a frozen parameter has the gradient 0."""
    model = model_of()
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    with record(tmp_path / "r.npz", model, optimizer, gradients=True, optimizer_state=True) as hooks:
        train(model, optimizer)
    assert "<recorder of r.npz: 6 states so far> by hooks on SGD" == repr(hooks)
    trace = open_trace(tmp_path / "r.npz")
    weight, slope = trace.read("3.weight"), trace.read("gradient:3.weight")
    m = trace.read("optimizer:momentum_buffer:3.weight")

    assert not trace.read("gradient:0.bias")[1:].any()
    assert np.array_equal(m[2], 0.5 * m[1] + slope[2])
    assert weight[2] == pytest.approx(weight[1] - 0.1 * m[2], rel=1e-13)


def test_pytorch_detaches(tmp_path):
    """After the block a step is recorded no more, and the optimizer is a stock one."""
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(tmp_path / "r.npz", model, optimizer):
        train(model, optimizer)
    train(model, optimizer)

    assert 6 == open_trace(tmp_path / "r.npz").rows
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_pytorch_an_error_while_training_leaves_a_trace(tmp_path):
    """Of all updates but the last, which it may have cut short."""
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def interrupted():
        with record(tmp_path / "r.npz", model, optimizer):
            train(model, optimizer)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert 5 == open_trace(tmp_path / "r.npz").rows


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_pytorch_other_types(tmp_path, dtype):
    """bfloat16 becomes float32, which has all its values."""
    w = nn.Parameter(torch.tensor([1.0, -2.0], dtype=dtype))
    module = nn.ParameterDict({"w": w})
    optimizer = torch.optim.SGD([w], lr=0.5)
    with record(tmp_path / "r.npz", module, optimizer):
        for _ in range(2):
            w.grad = torch.ones_like(w)
            optimizer.step()
    found = open_trace(tmp_path / "r.npz").read("w")

    assert [[1, -2], [0.5, -2.5], [0, -3]] == found.tolist()
    assert found.dtype == (np.float16 if dtype == torch.float16 else np.float32)


def test_pytorch_buffers(tmp_path):
    """Running statistics as they are after each step, though the next forward pass has changed them by then."""
    model = model_of()
    model.register_buffer("mask", torch.tensor([True, False]))
    model.register_buffer("turn", torch.tensor([1 + 2j]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = [model[1].running_mean.tolist()]
    with record(tmp_path / "r.npz", model, optimizer):
        for x, t in items():
            nn.functional.mse_loss(model(x), t).backward()
            optimizer.step()
            seen.append(model[1].running_mean.tolist())
    trace = open_trace(tmp_path / "r.npz")

    assert seen == trace.read("buffer:1.running_mean").tolist()
    assert [0, 1, 2, 3, 4, 5] == trace.read("buffer:1.num_batches_tracked").tolist()
    assert ([1, 0], [[1, 2]]) == (trace.read("buffer:mask")[5].tolist(), trace.read("buffer:turn")[5].tolist())


def replaced(model):
    """The bias is another one, which the optimizer does not have."""
    model[3].bias = nn.Parameter(torch.zeros(2).double())


def added(model):
    """A parameter more, in a new layer."""
    model.append(nn.Linear(2, 2).double())


def removed(model):
    """A layer less."""
    del model[3]


CHANGES = {
    "replaced": (replaced, "3.bias"),
    "added": (added, "4.bias, 4.weight"),
    "removed": (removed, "3.bias, 3.weight"),
}


@pytest.mark.parametrize("every", [None, 100])
@pytest.mark.parametrize(("change", "names"), CHANGES.values(), ids=CHANGES)
def test_pytorch_a_parameter_that_comes_or_goes(tmp_path, change, names, every):
    """One line names it, at the next state that is written in full, or at the end."""
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def run():
        with record(tmp_path / "r.npz", model, optimizer, every=every):
            train(model, optimizer)
            change(model)
            if every is None:
                optimizer.step()

    with pytest.raises(InputError, match=rf"r.npz: {names} came, went, or was replaced while the model was recorded"):
        run()
    assert 4 == open_trace(tmp_path / "r.npz").read("digest:updates")[-1]


def test_pytorch_a_named_tensor_that_is_replaced(tmp_path):
    """As of a model."""
    tensors = {"w": nn.Parameter(torch.ones(2))}
    optimizer = torch.optim.SGD(tensors.values(), lr=0.1)

    def run():
        with record(tmp_path / "r.npz", tensors, optimizer):
            tensors["w"] = nn.Parameter(torch.zeros(2))

    with pytest.raises(InputError, match=r"r.npz: w came, went, or was replaced"):
        run()


def test_pytorch_a_batch_buffer_that_is_used_again(tmp_path):
    """The digest is of the items that the step was made with."""
    model, x, t = model_of(), *map(torch.empty_like, items()[0])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(tmp_path / "r.npz", model, optimizer) as trace:
        for given, wanted in items():
            x.copy_(given)
            t.copy_(wanted)
            trace.batch(x, t)
            optimizer.step()

    digests = open_trace(tmp_path / "r.npz").read("digest:batch")[1:]
    assert [digest([x.numpy(), t.numpy()]) for x, t in items()] == [bytes(d) for d in digests]


def test_pytorch_another_view_of_the_same_memory(tmp_path):
    """w.data = w.data.T is recorded as it is; another shape is refused."""
    w = nn.Parameter(torch.arange(4.0).reshape(2, 2))
    optimizer = torch.optim.SGD([w], lr=0.1)

    def run():
        with record(tmp_path / "r.npz", {"w": w}, optimizer):
            optimizer.step()
            optimizer.step()
            w.data = w.data.T
            optimizer.step()
            w.data = w.data[:1]

    with pytest.raises(InputError, match=r"w had the shape \(2, 2\), and has \(1, 2\) at update 3"):
        run()
    assert [[0, 2], [1, 3]] == open_trace(tmp_path / "r.npz").read("w")[2].tolist()


class Graph(nn.Module):
    """A layer with a sparse buffer."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(2))
        self.register_buffer("adjacency", torch.eye(2).to_sparse())


ODD = {
    "a sparse buffer": (Graph, {}, r"adjacency \(torch.sparse_coo, torch.float32 on cpu\) cannot be recorded; dict"),
    "no values": (lambda: nn.Linear(2, 2, device="meta"), {}, r"weight \(torch.strided, .* on meta\) cannot be"),
    "no model": (lambda: None, {}, "the model must be a torch.nn.Module or named tensors; got NoneType"),
    "arrays": (lambda: {"w": np.ones(2)}, {}, "w must be a tensor; got ndarray"),
    "no optimizer": (lambda: nn.Linear(2, 2), {"optimizer": None}, "optimizer must be a torch.optim.Optimizer"),
}


@pytest.mark.parametrize(("make", "arguments", "said"), ODD.values(), ids=ODD)
def test_pytorch_what_cannot_be_recorded(tmp_path, make, arguments, said):
    """One line, and no file is left."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    with (
        pytest.raises(InputError, match=said),
        record(tmp_path / "r.npz", make(), **{"optimizer": optimizer} | arguments),
    ):
        pass
    assert [] == list(tmp_path.iterdir())


def test_pytorch_sparse_gradients(tmp_path):
    """They are recorded as dense ones."""
    model = nn.Embedding(4, 2, sparse=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(tmp_path / "r.npz", model, optimizer, gradients=True):
        model(torch.tensor([1])).sum().backward()
        optimizer.step()

    assert [[0, 0], [1, 1], [0, 0], [0, 0]] == open_trace(tmp_path / "r.npz").read("gradient:weight")[1].tolist()


def test_pytorch_a_lazy_layer(tmp_path):
    """It is refused until it has a shape; the name can be used then."""
    model = nn.Sequential(nn.LazyLinear(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with (
        pytest.raises(InputError, match=r"0.weight has no shape yet; run the model once"),
        record(tmp_path / "r.npz", model, optimizer),
    ):
        pass
    model(torch.ones(1, 3))
    with record(tmp_path / "r.npz", model, optimizer):
        optimizer.step()

    assert 2 == open_trace(tmp_path / "r.npz").rows


def test_pytorch_a_second_run_of_a_script(tmp_path):
    """It is refused in one line, which names overwrite=True; that replaces the first."""
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for overwrite, states in ((False, 6), (True, 6)):
        with record(tmp_path / "r.npz", model, optimizer, overwrite=overwrite):
            train(model, optimizer)
        assert states == open_trace(tmp_path / "r.npz").rows
    with pytest.raises(InputError, match="overwrite=True"), record(tmp_path / "r.npz", model, optimizer):
        pass


KERAS = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import json
import keras
import numpy as np
from comparisons.recorders.keras import TraceCallback

keras.utils.set_random_seed(0)
layers = [keras.layers.Dense(3, activation="tanh", name="a"), keras.layers.Dense(2, name="b")]
norm = keras.layers.BatchNormalization(name="n", center=False, scale=False)
model = keras.Sequential([keras.Input((4,)), *layers, norm])
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
x, t = np.random.default_rng(0).normal(size=(2, 12, 4))
seen = []

class Seen(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        seen.append([float(keras.ops.sum(v)) for v in self.model.trainable_variables])

callbacks = [Seen(), TraceCallback("r.npz", experiment={"lr": 0.1})]
model.fit(x, t[:, :2], batch_size=4, epochs=2, verbose=0, callbacks=callbacks)
print(json.dumps(seen))
"""

JAX = """
import json
import jax
import optax
from flax import linen as nn
from comparisons.recorders.jax import framework, named
from comparisons.recorders.plain import Recorder

net = nn.Dense(3)
x = jax.random.normal(jax.random.key(0), (5, 4))
parameters = net.init(jax.random.key(1), x)
optimizer = optax.sgd(0.1)
state = optimizer.init(parameters)
seen = []
with Recorder("r.npz", framework=framework(), experiment={"lr": 0.1}) as trace:
    trace.update(named(parameters))
    for _ in range(6):
        slopes = jax.grad(lambda p: (net.apply(p, x) ** 2).mean())(parameters)
        updates, state = optimizer.update(slopes, state)
        parameters = optax.apply_updates(parameters, updates)
        trace.update(named(parameters))
        seen.append([float(leaf.sum()) for leaf in jax.tree.leaves(parameters)])
assert list(named({"a": [1.0, 2.0], "b": state})) == ["a.0", "a.1"]
assert list(named((optax.ScaleByScheduleState(count=x),))) == ["0.count"]
print(json.dumps(seen))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "names", "buffers", "framework"),
    [
        (KERAS, ["a.kernel", "a.bias", "b.kernel", "b.bias"], ["n.moving_mean", "n.moving_variance"], "Keras"),
        (JAX, ["params.bias", "params.kernel"], [], "JAX"),
    ],
    ids=["Keras", "JAX"],
)
def test_other_frameworks(tmp_path, program, names, buffers, framework):
    """A program of its own, in which the framework is the only one: names, and the values of every update."""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert 0 == ran.returncode, ran.stderr
    seen = json.loads(ran.stdout.splitlines()[-1])
    trace = open_trace(tmp_path / "r.npz")

    assert names == list(trace.parameters)
    assert buffers == [name.removeprefix("buffer:") for name in trace.columns if name.startswith("buffer:")]
    assert trace.header["framework"].startswith(framework)
    assert 7 == trace.rows
    for name, sums in zip(names, zip(*seen, strict=True), strict=True):
        column = trace.read(name)[1:]
        assert sums == pytest.approx(column.reshape(6, -1).sum(axis=1), rel=1e-5, abs=1e-6)
