"""µs per update of both sides, beside the loops that people write by hand. Run: make bench.

Every contender trains the article's network (10-8-4, one item an update, squared error, full soft-max derivative,
rounded to float32 after every update), with no L1 and with the explicit penalty. They take turns, a few hundred
updates each, A B A B …: the ratios are of turns that lie side by side, and their median is printed, because a
machine's speed drifts. All contenders end with the same bits, or this script fails.
"""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterator

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

import reference.data
import reference.train
import torch_impl.train
from reference.experiment import Batch, Experiment, Parameters, draw

LR, LAMDA = 0.01, 0.001
TURNS, UPDATES = 25, 400  # the first turn is not counted

Contender = Callable[[Experiment, Parameters, Iterator[Batch]], Iterator[Parameters]]


def on_float32_grid(array: np.ndarray) -> np.ndarray:
    """Rounded to float32, kept in float64."""
    return array.astype(np.float32).astype(np.float64)


class ArticleLoops:
    """The article's shape: node by node, arrays on the object, every gradient stored, then every weight updated."""

    def __init__(self, parameters: Parameters) -> None:
        (self.ih, self.hb), (self.ho, self.ob) = [(W.copy(), b.copy()) for W, b in parameters]
        self.ni, self.nh, self.no = 10, 8, 4

    def outputs(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hidden nodes and soft-max outputs of one item."""
        h, z = np.zeros(self.nh), np.zeros(self.no)
        for j in range(self.nh):
            for i in range(self.ni):
                h[j] += x[i] * self.ih[i, j]
            h[j] = math.tanh(h[j] + self.hb[j])
        for k in range(self.no):
            for j in range(self.nh):
                z[k] += h[j] * self.ho[j, k]
            z[k] += self.ob[k]
        exps = [math.exp(v - max(z)) for v in z]
        return h, np.array([e / sum(exps) for e in exps])

    def update(self, x: np.ndarray, t: np.ndarray, lamda: float) -> None:
        """One item's gradients, penalty included, then the step."""
        h, o = self.outputs(x)
        ho_grads, ih_grads = np.zeros((self.nh, self.no)), np.zeros((self.ni, self.nh))
        o_signals, h_signals = np.zeros(self.no), np.zeros(self.nh)
        mean = sum(o[k] * (o[k] - t[k]) for k in range(self.no))
        for k in range(self.no):
            o_signals[k] = o[k] * ((o[k] - t[k]) - mean)
        for j in range(self.nh):
            for k in range(self.no):
                ho_grads[j, k] = o_signals[k] * h[j]
                if self.ho[j, k] > 0.0:
                    ho_grads[j, k] += lamda
                elif self.ho[j, k] < 0.0:
                    ho_grads[j, k] -= lamda
        for j in range(self.nh):
            for k in range(self.no):
                h_signals[j] += o_signals[k] * self.ho[j, k]
            h_signals[j] *= 1 - h[j] * h[j]
        for i in range(self.ni):
            for j in range(self.nh):
                ih_grads[i, j] = h_signals[j] * x[i]
                if self.ih[i, j] > 0.0:
                    ih_grads[i, j] += lamda
                elif self.ih[i, j] < 0.0:
                    ih_grads[i, j] -= lamda
        for i in range(self.ni):
            for j in range(self.nh):
                self.ih[i, j] -= LR * ih_grads[i, j]
        for j in range(self.nh):
            self.hb[j] -= LR * h_signals[j]
        for j in range(self.nh):
            for k in range(self.no):
                self.ho[j, k] -= LR * ho_grads[j, k]
        for k in range(self.no):
            self.ob[k] -= LR * o_signals[k]


def article_loops(experiment: Experiment, parameters: Parameters, batches: Iterator[Batch]) -> Iterator[Parameters]:
    """The article's loops, rounded like everything else here."""
    network = ArticleLoops(parameters)
    lamda = experiment.lamda if experiment.style == "penalty" else 0.0
    for (x,), (t,) in batches:
        network.update(x, t, lamda)
        network.ih, network.hb = on_float32_grid(network.ih), on_float32_grid(network.hb)
        network.ho, network.ob = on_float32_grid(network.ho), on_float32_grid(network.ob)
        yield [(network.ih, network.hb), (network.ho, network.ob)]


def plain_numpy(experiment: Experiment, parameters: Parameters, batches: Iterator[Batch]) -> Iterator[Parameters]:
    """The 15 vectorised lines that one writes for this one network and one item at a time."""
    (W1, b1), (W2, b2) = parameters
    penalised = experiment.style == "penalty"
    for (x,), (t,) in batches:
        h = np.tanh(x @ W1 + b1)
        z = h @ W2 + b2
        e = np.exp(z - z.max())
        o = e / e.sum()
        d = o - t
        d2 = o * (d - (o * d).sum())
        d1 = (W2 @ d2) * (1 - h * h)
        g1, g2 = np.outer(x, d1), np.outer(h, d2)
        if penalised:
            g1, g2 = g1 + LAMDA * np.sign(W1), g2 + LAMDA * np.sign(W2)
        W1, b1 = on_float32_grid(W1 - LR * g1), on_float32_grid(b1 - LR * d1)
        W2, b2 = on_float32_grid(W2 - LR * g2), on_float32_grid(b2 - LR * d2)
        yield [(W1, b1), (W2, b2)]


def our_reference(experiment: Experiment, parameters: Parameters, batches: Iterator[Batch]) -> Iterator[Parameters]:
    """reference.train, as the comparisons run it."""
    run = reference.train.fold(reference.train.step, parameters, batches, experiment)
    next(run)  # the start
    return run


def plain_torch(experiment: Experiment, parameters: Parameters, batches: Iterator[Batch]) -> Iterator[Parameters]:
    """The eager loop that one writes: nn.Sequential, autograd, optim.SGD, the penalty spelt out, rounding in place."""
    model = nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 4)).double()
    layers = (model[0], model[2])
    with torch.no_grad():
        for layer, (W, b) in zip(layers, parameters, strict=True):
            layer.weight.copy_(torch.from_numpy(W.T))
            layer.bias.copy_(torch.from_numpy(b))
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    penalised = experiment.style == "penalty"
    for x, t in batches:
        optimizer.zero_grad()
        o = torch.softmax(model(torch.from_numpy(x)), dim=1)
        loss = 0.5 * ((o - torch.from_numpy(t)) ** 2).sum()
        if penalised:
            loss = loss + LAMDA * sum(layer.weight.abs().sum() for layer in layers)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(p.float())
        yield [(layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy()) for layer in layers]


def our_torch(experiment: Experiment, parameters: Parameters, batches: Iterator[Batch]) -> Iterator[Parameters]:
    """torch_impl.train, as the comparisons run it."""
    run = torch_impl.train.fold(torch_impl.train.Trainer(experiment), parameters, batches)
    next(run)  # the start
    return run


CONTENDERS: dict[str, Contender] = {
    "the article's loops": article_loops,
    "plain vectorised NumPy": plain_numpy,
    "reference": our_reference,
    "hand-written eager PyTorch": plain_torch,
    "torch_impl": our_torch,
}
RATIOS = [
    ("reference", "plain vectorised NumPy", "at most 1.1"),
    ("the article's loops", "reference", "about 7"),
    ("torch_impl", "hand-written eager PyTorch", "at most 1"),
]


def measure(style: str) -> dict[str, list[float]]:
    """µs per update of every contender's every turn but the first."""
    data = reference.data.article()
    experiment = Experiment(style=style, lamda=LAMDA, epochs=math.ceil(TURNS * UPDATES / 200))
    runs = {name: contender(experiment, *draw(experiment, data)) for name, contender in CONTENDERS.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(TURNS):
        ends = {}
        for name, run in runs.items():
            began = time.perf_counter()
            for _ in range(UPDATES):
                ends[name] = next(run)
            times[name].append((time.perf_counter() - began) / UPDATES * 1e6)
        for name, end in ends.items():
            for layer, expected in zip(end, ends["reference"], strict=True):
                if not all(np.array_equal(a, b) for a, b in zip(layer, expected, strict=True)):
                    raise SystemExit(f"{name} does not compute what the reference computes: nothing was measured")
    return {name: turns[1:] for name, turns in times.items()}


def main() -> None:
    """Print µs per update and the ratios."""
    torch.set_num_threads(1)
    table = Table(box=None, header_style="bold")
    table.add_column("median of turns")
    styles = ("none", "penalty")
    for style in styles:
        table.add_column(style, justify="right")
    table.add_column("aim")
    times = {style: measure(style) for style in styles}
    for name in CONTENDERS:
        table.add_row(name, *(f"{statistics.median(times[style][name]):.0f} µs" for style in styles))
    table.add_row()
    for one, other, aim in RATIOS:
        ratios = [[a / b for a, b in zip(times[s][one], times[s][other], strict=True)] for s in styles]
        table.add_row(f"{one} / {other}", *(f"{statistics.median(ratio):.2f}" for ratio in ratios), aim)
    Console(width=96).print(table)


if __name__ == "__main__":
    main()
