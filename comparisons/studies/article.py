"""The article's table: the published figures against both implementations."""

from dataclasses import replace
from typing import NamedTuple

import torch

import reference.data
import reference.train
import torch_impl.l1
import torch_impl.network
import torch_impl.train
from comparisons.agreement.bits import differing_bits
from comparisons.agreement.free_run import Agreement, Tick, compare_runs, flatten, ticking
from comparisons.agreement.ties import ClosestCall
from comparisons.studies.styles import NetworkSummary, summary_of
from reference.experiment import Experiment


class Published(NamedTuple):
    """Correct items, of 200 and 40: 94.00 % and 55.00 %, or 94.50 % and 67.50 %."""

    train: int
    test: int


class ArticleRow(NamedTuple):
    """A network of the article's table, and the figures that the article published for it."""

    name: str
    experiment: Experiment
    published: Published | None = None


# 10-8-4, seed 0, η = 0.01, 500 epochs of 200 items, one item an update
PLAIN = Experiment(style="none", lamda=0.0, softmax_derivative="diagonal")

WITHOUT_L1 = ArticleRow("no L1", PLAIN, Published(188, 22))
AS_LISTED = ArticleRow("L1 as listed", replace(PLAIN, style="as_listed", lamda=0.001), Published(189, 27))
PENALTY = ArticleRow("explicit penalty", replace(PLAIN, style="penalty", lamda=0.001))
TACK_ON = ArticleRow("tack-on", replace(PLAIN, style="tack_on", lamda=0.001))
TACK_ON_SCALED = ArticleRow("tack-on", replace(PLAIN, style="tack_on", lamda=0.00001))

ROWS = (WITHOUT_L1, AS_LISTED, PENALTY, TACK_ON, TACK_ON_SCALED)

# the same network with the full soft-max derivative, and with cross-entropy
FURTHER_ROWS = tuple(
    ArticleRow(f"{row}, {words}", replace(experiment, softmax_derivative="full", loss=loss))
    for loss, words in (("squared_error", "full"), ("cross_entropy", "cross-entropy"))
    for row, experiment in (("no L1", PLAIN), ("penalty", PENALTY.experiment))
)


class TrainedRow(NamedTuple):
    """A row, trained on both sides."""

    row: ArticleRow
    numpy: NetworkSummary
    torch: NetworkSummary
    agreement: Agreement
    closest_call_ulps: int


def train_row(row: ArticleRow, tick: Tick) -> TrainedRow:
    """Train the row's network on both sides, comparing them after every update."""
    torch.set_num_threads(1)
    data, closest_call = reference.data.article(), ClosestCall()
    one = ticking(reference.train.train(row.experiment, data, closest_call.step), tick)
    agreement = compare_runs(one, torch_impl.train.train(row.experiment, data))
    numpy = summary_of(agreement.reference, data)
    pytorch = summary_of(agreement.candidate, data, torch_impl.network.predict)
    return TrainedRow(row, numpy, pytorch, agreement, closest_call.ulps)


def unequal_bits(one: TrainedRow, other: TrainedRow) -> int:
    """In how many parameters two rows differ: the most over NumPy and PyTorch for each of the two."""
    ends = [flatten([r.agreement.reference, r.agreement.candidate]) for r in (one, other)]
    return max(int(differing_bits(a, b).sum()) for a in ends[0] for b in ends[1])


# The article's worked example: a weight 8.0 whose data gradient is 9.0, η = 0.05, λ = 0.01.
WEIGHT, GRADIENT, LR, LAMDA = 8.0, 9.0, 0.05, 0.01


def numpy_example(style: str) -> float:
    """The worked example by the reference's update of a weight."""
    return reference.train.weight_path(WEIGHT, [GRADIENT], Experiment(style=style, lr=LR, lamda=LAMDA))[-1]


def torch_example(style: str) -> float:
    """The worked example by autograd of the loss 9 w, torch.optim.SGD and the style's place."""
    w = torch.nn.Parameter(torch.tensor([WEIGHT], dtype=torch.float64))
    optimizer = torch.optim.SGD([{"params": [w], "lamda": LAMDA}], lr=LR)
    if torch_impl.l1.STYLES[style].around_step:
        torch_impl.l1.attach(style, optimizer)
    torch_impl.l1.with_penalty(GRADIENT * w.sum(), style, optimizer).backward()
    optimizer.step()
    return float(w.detach())
