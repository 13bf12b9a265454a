"""What recording costs, and what comparing does. Run: make bench.

Recording: an eager PyTorch run of the article's network with and without a recorder (digests of every update, full
states every 100), a few hundred updates in turn, A B A B. Comparing: two traces of 100,000 updates × 124 parameters.
Memory: the peak of comparing 20,000 and 200,000 updates, each in a process of its own.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import torch
from torch import nn

import reference.data
from comparisons.agreement.traces import compare_traces
from comparisons.recorders.pytorch import record
from comparisons.runs.trace import open_trace
from reference.experiment import Experiment, draw

TURNS, UPDATES = 25, 400  # the first turn is not counted


class EagerLoop:
    """The eager loop that one writes: nn.Sequential, autograd, optim.SGD, the penalty spelt out."""

    def __init__(self) -> None:
        parameters, self.batches = draw(Experiment(epochs=100), reference.data.article())
        self.model = nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 4)).double()
        self.layers = self.model[0], self.model[2]
        with torch.no_grad():
            for layer, (W, b) in zip(self.layers, parameters, strict=True):
                layer.weight.copy_(torch.from_numpy(W.T))
                layer.bias.copy_(torch.from_numpy(b))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)

    def turn(self) -> float:
        """Seconds of some updates."""
        began = time.perf_counter()
        for _ in range(UPDATES):
            x, t = next(self.batches)
            self.optimizer.zero_grad()
            o = torch.softmax(self.model(torch.from_numpy(x)), dim=1)
            loss = 0.5 * ((o - torch.from_numpy(t)) ** 2).sum()
            (loss + 0.001 * sum(layer.weight.abs().sum() for layer in self.layers)).backward()
            self.optimizer.step()
        return time.perf_counter() - began


def recording(folder: Path) -> None:
    """Print the ratio of turns that lie side by side."""
    with ExitStack() as stack:
        plain, recorded = EagerLoop(), EagerLoop()
        stack.enter_context(record(folder / "recorded.npz", recorded.model, recorded.optimizer, every=100))
        pairs = [(plain.turn(), recorded.turn()) for _ in range(TURNS)][1:]
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"an eager run, recorded / not recorded   {ratio:.3f}   (aim: at most 1.1)")


def write(path: Path, updates: int, run: str) -> None:
    """A trace of a random walk."""
    steps = np.random.default_rng(0).normal(size=(updates + 1, 124)).cumsum(axis=0)
    parts = {"W1": (10, 8), "b1": (8,), "W2": (8, 4), "b2": (4,)}
    ends = np.cumsum([int(np.prod(shape)) for shape in parts.values()])[:-1]
    columns = dict(zip(parts, np.split(steps, ends, axis=1), strict=True))
    arrays = {name: column.reshape(-1, *parts[name]) for name, column in columns.items()}
    np.savez(path, header=f'{{"run": "{run}"}}', updates=np.arange(updates + 1), **arrays)


def comparing(folder: Path) -> None:
    """Print the seconds of a comparison."""
    for name in "ab":
        write(folder / f"{name}.npz", 100_000, name)
    began = time.perf_counter()
    found = compare_traces(open_trace(folder / "a.npz"), open_trace(folder / "b.npz"), {})
    took = time.perf_counter() - began
    assert (found.exit_status, found.updates, found.elements) == (0, 100_000, 124)
    print(f"comparing 100,000 updates × 124 numbers   {took:.2f} s   (aim: at most 2 s)")


MEASURE = """
import sys
from pathlib import Path
from comparisons.agreement.traces import compare_traces
from comparisons.runs.trace import open_trace
folder = Path(sys.argv[1])
assert compare_traces(open_trace(folder / "a.npz"), open_trace(folder / "b.npz"), {}).exit_status == 0
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


def memory(folder: Path) -> None:
    """Print the peak memory of two comparisons."""
    for updates in (20_000, 200_000):
        for name in "ab":
            write(folder / f"{name}.npz", updates, name)
        peak = subprocess.run(
            [sys.executable, "-c", MEASURE, folder], capture_output=True, text=True, check=True
        ).stdout.strip()
        size = (folder / "a.npz").stat().st_size // 2**20
        print(f"peak memory of comparing {updates:,} updates   {peak} MiB   (two traces of {size} MiB)")


def main() -> None:
    """All three."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for measure in (recording, comparing, memory):
            measure(Path(folder))


if __name__ == "__main__":
    main()
