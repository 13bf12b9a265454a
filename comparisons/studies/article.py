"""The article's table: the published figures against both implementations."""

from dataclasses import dataclass

import torch

import reference.data
import reference.network
import reference.train
import torch_impl.l1
import torch_impl.network
import torch_impl.train
from comparisons.agreement.free_run import Agreement, ClosestCall, Tick, compare_runs, differing_bits, flatten, ticking
from comparisons.studies.styles import Figures, figures
from reference.experiment import Experiment


@dataclass(frozen=True)
class Published:
    """Correct items, of 200 and 40: 94.00 % and 55.00 %, or 94.50 % and 67.50 %."""

    train: int
    test: int


@dataclass(frozen=True)
class Row:
    """A network of the article's table, and what the article published of it."""

    name: str
    experiment: Experiment
    published: Published | None = None


def experiment(
    style: str, lamda: float, softmax_derivative: str = "diagonal", loss: str = "squared_error"
) -> Experiment:
    """The article's experiment: 10-8-4, seed 0, η = 0.01, 500 epochs of 200 items, one item an update."""
    return Experiment(style=style, lamda=lamda, softmax_derivative=softmax_derivative, loss=loss)


NO_L1 = Row("no L1", experiment("none", 0.0), Published(188, 22))
AS_LISTED = Row("L1 as listed", experiment("as_listed", 0.001), Published(189, 27))
PENALTY = Row("explicit penalty", experiment("penalty", 0.001))
TACK_ON = Row("tack-on", experiment("tack_on", 0.001))
TACK_ON_SCALED = Row("tack-on", experiment("tack_on", 0.00001))

ROWS = (NO_L1, AS_LISTED, PENALTY, TACK_ON, TACK_ON_SCALED)

# the same network with the whole soft-max derivative, and with cross-entropy
FURTHER_ROWS = tuple(
    Row(f"{name}, {words}", experiment(style, lamda, "full", loss))
    for loss, words in (("squared_error", "full"), ("cross_entropy", "cross-entropy"))
    for name, style, lamda in (("no L1", "none", 0.0), ("penalty", "penalty", 0.001))
)


@dataclass(frozen=True)
class Result:
    """A trained row."""

    row: Row
    numpy: Figures
    torch: Figures
    agreement: Agreement
    closest_call_ulps: int

    @property
    def reproduced(self) -> bool:
        """Do both sides give the published figures? True where none were published."""
        published = self.row.published
        return published is None or all(
            (side.train, side.test) == (published.train, published.test) for side in (self.numpy, self.torch)
        )


def train_row(row: Row, tick: Tick) -> Result:
    """Train the row's network on both sides, comparing them after every update."""
    torch.set_num_threads(1)
    data, closest_call = reference.data.article(), ClosestCall()
    agreement = compare_runs(
        ticking(reference.train.train(row.experiment, data, closest_call.step), tick),
        torch_impl.train.train(row.experiment, data),
    )
    return Result(
        row,
        figures(agreement.reference, data, reference.network.predict),
        figures(agreement.candidate, data, torch_impl.network.predict),
        agreement,
        closest_call.ulps,
    )


def unequal_bits(one: Result, other: Result) -> int:
    """The most parameters in which a network of one row differs from a network of the other, on any two sides."""
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
    torch_impl.l1.attach(torch_impl.l1.STYLES[style], optimizer)
    torch_impl.l1.with_penalty(GRADIENT * w.sum(), torch_impl.l1.STYLES[style], optimizer).backward()
    optimizer.step()
    return float(w.detach())
