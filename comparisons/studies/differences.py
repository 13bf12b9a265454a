"""What each implementation difference does to the article's network: two ways to train it, compared update by update.

Most ways are experiments. What no experiment can express is a step of its own, or other draws, below.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from comparisons.agreement.free_run import Agreement, Tick, compare_runs, ticking
from comparisons.studies.styles import Figures, figures
from reference.data import Dataset
from reference.experiment import INITIAL_LIMIT, Batch, Experiment, Parameters, State, draw, draw_parameters
from reference.l1 import STYLES
from reference.network import predict, squared_error_diagonal, squared_error_full
from reference.train import ROUNDING, Step, fold, gradients, step, weight_path

Drawn = Callable[[Experiment, Dataset], tuple[Parameters, Iterator[Batch]]]
# (w, g, η, λ, is it a bias?) -> w⁺
Update = Callable[[np.ndarray, np.ndarray, float, float, bool], np.ndarray]
# (parameters, gradients, λ) -> what the optimizer is given
Given = Callable[[Parameters, Parameters, float], Parameters]


@dataclass(frozen=True)
class Way:
    """One of two ways to train: an experiment, and what differs from the reference."""

    words: str
    experiment: Experiment
    step: Step = step
    drawn: Drawn = draw


@dataclass(frozen=True)
class Contrast:
    """Two ways to do what looks like the same thing."""

    name: str
    one: Way
    other: Way


@dataclass(frozen=True)
class DifferenceResult:
    """Both ways, trained."""

    difference: Contrast
    agreement: Agreement
    one: Figures
    other: Figures


# --- steps that are no style's ------------------------------------------------------------------------------------


def stepping(update: Update, state: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
    """Plain SGD with this update of every array, rounded as the experiment says."""
    lr, lamda = experiment.lr, experiment.lamda
    slopes = gradients(state.parameters, x, t, experiment)
    after = [
        (update(W, dW, lr, lamda, False), update(b, db, lr, lamda, True))
        for (W, b), (dW, db) in zip(state.parameters, slopes, strict=True)
    ]
    return state._replace(parameters=ROUNDING[experiment.precision](after))


def sign_of_zero_is_one(w: np.ndarray, g: np.ndarray, lr: float, lamda: float, bias: bool) -> np.ndarray:
    """w⁺ = w − η (g + λ sign w),  sign 0 = 1."""
    return w - lr * (g if bias else g + lamda * np.where(w >= 0, 1.0, -1.0))


def sign_after_the_step(w: np.ndarray, g: np.ndarray, lr: float, lamda: float, bias: bool) -> np.ndarray:
    """w⁺ = v − λ sign v,  v = w − η g."""
    v = w - lr * g
    return v if bias else v - lamda * np.sign(v)


def rounded_once(w: np.ndarray, g: np.ndarray, lr: float, lamda: float, bias: bool) -> np.ndarray:
    """w⁺ = w − η (g + λ sign w) of float32 arrays, the last product and difference rounded together.

    That is a fused multiply-add. In float64 the product of two float32 is exact, and the difference nearly so.
    """
    given = g if bias else g + lamda * np.sign(w)
    return (w.astype(float) - float(np.float32(lr)) * given.astype(float)).astype(np.float32)


def biases_too(w: np.ndarray, g: np.ndarray, lr: float, lamda: float, bias: bool) -> np.ndarray:
    """w⁺ = w − η (g + λ sign w), biases as well."""
    return w - lr * (g + lamda * np.sign(w))


MAX_NORM = 0.1  # of all gradients together, as torch.nn.utils.clip_grad_norm_ takes it


def add_l1(parameters: Parameters, slopes: Parameters, lamda: float) -> Parameters:
    """g + λ sign w of the weights, g of the biases."""
    return [(dW + lamda * np.sign(W), db) for (W, _), (dW, db) in zip(parameters, slopes, strict=True)]


def clip(slopes: Parameters) -> Parameters:
    """G min(1, MAX_NORM / ‖G‖₂), G being the gradients of all arrays together."""
    norm = float(np.sqrt(sum(np.square(g).sum() for pair in slopes for g in pair)))
    factor = MAX_NORM / max(norm, MAX_NORM)
    return [(dW * factor, db * factor) for dW, db in slopes]


def l1_inside(parameters: Parameters, slopes: Parameters, lamda: float) -> Parameters:
    """clip(g + λ sign w)."""
    return clip(add_l1(parameters, slopes, lamda))


def l1_after(parameters: Parameters, slopes: Parameters, lamda: float) -> Parameters:
    """clip(g) + λ sign w."""
    return add_l1(parameters, clip(slopes), lamda)


def clipping(given: Given, state: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
    """w⁺ = w − η given(w, g, λ), of all arrays together."""
    slopes = given(state.parameters, gradients(state.parameters, x, t, experiment), experiment.lamda)
    lr = experiment.lr
    after = [(W - lr * dW, b - lr * db) for (W, b), (dW, db) in zip(state.parameters, slopes, strict=True)]
    return state._replace(parameters=ROUNDING[experiment.precision](after))


# --- other draws --------------------------------------------------------------------------------------------------


def first_input_pruned(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """The first input is always 0, and so are its weights at the start."""
    (W, b), *others = draw(experiment, data)[0]
    W[0] = 0.0
    x = data.x_train.copy()
    x[:, 0] = 0.0
    return [(W, b), *others], draw(experiment, replace(data, x_train=x))[1]


def in_order(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """No shuffling: every epoch in the order of the data."""
    order = range(len(data.x_train))
    return draw(experiment, data)[0], single_items(data, (order for _ in range(experiment.epochs)))


def shuffled_afresh(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """Every epoch shuffles 0, 1, 2, … anew, not the order of the epoch before: the first epoch is the same."""
    rnd = random.Random(experiment.seed)
    parameters = draw_parameters(rnd, experiment.sizes, INITIAL_LIMIT)

    def orders() -> Iterator[list[int]]:
        for _ in range(experiment.epochs):
            order = list(range(len(data.x_train)))
            rnd.shuffle(order)
            yield order

    return [(W.astype(float), b.astype(float)) for W, b in parameters], single_items(data, orders())


def single_items(data: Dataset, orders: Iterable[Iterable[int]]) -> Iterator[Batch]:
    """The items, one a batch, in these orders, one an epoch."""
    return ((data.x_train[i : i + 1], data.t_train[i : i + 1]) for order in orders for i in order)


def wider_start(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """The same draws, ten times as large at the start."""
    parameters, batches = draw(experiment, data)
    return [(10 * W, 10 * b) for W, b in parameters], batches


def batches_backwards(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """The items of every batch in reverse: the same sum, added up in another order."""
    parameters, batches = draw(experiment, data)
    return parameters, ((x[::-1], t[::-1]) for x, t in batches)


# --- the table ----------------------------------------------------------------------------------------------------

PENALTY = Experiment()  # the article's network, penalty with λ = 0.001, the whole soft-max derivative
NONE = replace(PENALTY, style="none", lamda=0.0)
TACK_ON = replace(PENALTY, style="tack_on")
SCALED = replace(TACK_ON, lamda=TACK_ON.lamda * TACK_ON.lr)
DECOUPLED = replace(PENALTY, style="decoupled")
FALLING, SCALED_FALLING = (replace(e, lr_schedule="inverse") for e in (DECOUPLED, SCALED))
LISTED = replace(PENALTY, style="as_listed", softmax_derivative="diagonal")
BATCHES = replace(PENALTY, batch_size=10, epochs=5000)
MOMENTUM, ADAM = (replace(PENALTY, optimizer=optimizer) for optimizer in ("momentum", "adam"))
FLOAT64, FLOAT32 = (replace(PENALTY, precision=precision) for precision in ("float64", "float32"))

DIFFERENCES = (
    Contrast("place", Way("penalty, λ", PENALTY), Way("tack-on, λ", TACK_ON)),
    Contrast("place_translated", Way("penalty, λ", PENALTY), Way("tack-on, η λ", SCALED)),
    Contrast("scaled", Way("decoupled, λ", DECOUPLED), Way("tack-on, λ", TACK_ON)),
    Contrast(
        "scaled_falling",
        Way("decoupled, λ; η falls", FALLING),
        Way("tack-on, η λ of the start; η falls", SCALED_FALLING),
    ),
    Contrast(
        "scaled_falling_translated",
        Way("decoupled, λ; η falls", FALLING),
        Way("tack-on, η λ of every update; η falls", replace(SCALED_FALLING, lamda_schedule="inverse")),
    ),
    Contrast(
        "sign_at_zero", Way("sign 0 = 0", PENALTY), Way("sign 0 = 1", PENALTY, partial(stepping, sign_of_zero_is_one))
    ),
    Contrast(
        "sign_at_zero_pruned",
        Way("sign 0 = 0, one input pruned", PENALTY, drawn=first_input_pruned),
        Way("sign 0 = 1, one input pruned", PENALTY, partial(stepping, sign_of_zero_is_one), first_input_pruned),
    ),
    Contrast(
        "sign_when",
        Way("sign before the step", SCALED),
        Way("sign after the step", SCALED, partial(stepping, sign_after_the_step)),
    ),
    Contrast(
        "threshold",
        Way("penalty, λ", PENALTY),
        Way("proximal, λ", replace(PENALTY, style="proximal")),
    ),
    Contrast(
        "debt",
        Way("proximal, λ", replace(PENALTY, style="proximal")),
        Way("cumulative, λ", replace(PENALTY, style="cumulative")),
    ),
    Contrast("derivative", Way("full", NONE), Way("diagonal", replace(NONE, softmax_derivative="diagonal"))),
    Contrast("listing", Way("penalty", replace(LISTED, style="penalty")), Way("the listing", LISTED)),
    Contrast("biases", Way("weights alone", PENALTY), Way("biases too", PENALTY, partial(stepping, biases_too))),
    Contrast("reduction", Way("mean of 10", BATCHES), Way("sum of 10", replace(BATCHES, reduction="sum"))),
    Contrast(
        "reduction_translated",
        Way("mean of 10, η, λ", BATCHES),
        Way("sum of 10, η / 10, 10 λ", replace(BATCHES, reduction="sum", lr=BATCHES.lr / 10, lamda=BATCHES.lamda * 10)),
    ),
    Contrast(
        "clipping",
        Way("clipped with L1 inside", PENALTY, partial(clipping, l1_inside)),
        Way("clipped, then L1", PENALTY, partial(clipping, l1_after)),
    ),
    Contrast("momentum", Way("penalty", MOMENTUM), Way("decoupled", replace(MOMENTUM, style="decoupled"))),
    Contrast(
        "momentum_translated",
        Way("penalty, λ", MOMENTUM),
        Way("decoupled, λ / (1 − β)", replace(MOMENTUM, style="decoupled", lamda=MOMENTUM.lamda * 10)),
    ),
    Contrast("adam", Way("penalty", ADAM), Way("decoupled", replace(ADAM, style="decoupled"))),
    Contrast("precision", Way("float64", FLOAT64), Way("float32", FLOAT32)),
    Contrast("rounding", Way("float64", FLOAT64), Way("rounded to float32", PENALTY)),
    Contrast("shuffling", Way("order carried over", PENALTY), Way("shuffled afresh", PENALTY, drawn=shuffled_afresh)),
    Contrast("no_shuffling", Way("order carried over", PENALTY), Way("not shuffled", PENALTY, drawn=in_order)),
    Contrast("start", Way("start within 0.01", PENALTY), Way("start within 0.1", PENALTY, drawn=wider_start)),
    Contrast("seed", Way("seed 0", PENALTY), Way("seed 1", replace(PENALTY, seed=1))),
    Contrast(
        "regrouped_float64",
        Way("w − η (g + λ s), float64", FLOAT64),
        Way("(w − η g) − η λ s, float64", replace(FLOAT64, style="decoupled")),
    ),
    Contrast(
        "regrouped_rounded",
        Way("w − η (g + λ s), rounded", PENALTY),
        Way("(w − η g) − η λ s, rounded", DECOUPLED),
    ),
    Contrast(
        "fused",
        Way("product and difference rounded, float32", FLOAT32),
        Way("fused: rounded once, float32", FLOAT32, partial(stepping, rounded_once)),
    ),
    Contrast(
        "summation_float64",
        Way("float64", replace(BATCHES, precision="float64")),
        Way("float64, summed in reverse", replace(BATCHES, precision="float64"), drawn=batches_backwards),
    ),
    Contrast(
        "summation_rounded",
        Way("rounded", BATCHES),
        Way("rounded, summed in reverse", BATCHES, drawn=batches_backwards),
    ),
)


def run(way: Way, data: Dataset) -> Iterator[Parameters]:
    """The way's run: its start, then the parameters after every update."""
    return fold(way.step, *way.drawn(way.experiment, data), way.experiment)


@dataclass(frozen=True)
class Task:
    """A difference to look at."""

    difference: Contrast
    data: Dataset


def measure(task: Task, tick: Tick) -> DifferenceResult:
    """Train both ways, and compare them after every update."""
    one, other = task.difference.one, task.difference.other
    agreement = compare_runs(ticking(run(one, task.data), tick), run(other, task.data))
    return DifferenceResult(
        task.difference,
        agreement,
        figures(agreement.reference, task.data, predict),
        figures(agreement.candidate, task.data, predict),
    )


def shortened(difference: Contrast, epochs: int) -> Contrast:
    """The same with this many epochs of single items, or as many updates in batches."""
    ways = (difference.one, difference.other)
    one, other = (
        replace(way, experiment=replace(way.experiment, epochs=epochs * way.experiment.batch_size)) for way in ways
    )
    return replace(difference, one=one, other=other)


# --- by hand: one weight, for a reader with a pencil ----------------------------------------------------------------

LR, LAMDA = 0.05, 0.01  # the article's own
# the weight and its gradients, one an update: the article's; a mean and a sum of the gradients 9 and 5; small weights
EXAMPLES = ((8.0, 9.0), (8.0, 7.0), (8.0, 14.0), (0.0003, 0.0), (0.002, 0.0), (0.0003, 0.1), (0.0, 0.0))
REMEMBERING = ((8.0, 9.0), (8.0, 9.0, 9.0), (8.0, 0.0))
OUTPUTS, TARGETS = np.array([[0.7, 0.2, 0.1]]), np.array([[1.0, 0.0, 0.0]])


def key(numbers: tuple[float, ...]) -> str:
    """An example's name in the result file: the weight, then its gradients."""
    return ", ".join(f"{number:g}" for number in numbers)


def by_hand() -> dict[str, dict[str, float | list[float]]]:
    """What every way makes of the examples, and the two soft-max derivatives of one item."""

    def trained(style: str, optimizer: str, examples: Iterable[tuple[float, ...]]) -> dict[str, float | list[float]]:
        experiment = Experiment(style=style, optimizer=optimizer, lr=LR, lamda=LAMDA)
        return {key((w, *slopes)): weight_path(w, slopes, experiment)[-1] for w, *slopes in examples}

    found = {style: trained(style, "sgd", EXAMPLES) for style in STYLES}
    for words, update in {"sign 0 = 1": sign_of_zero_is_one, "sign after": sign_after_the_step}.items():
        found[words] = {key((w, g)): float(update(np.array(w), np.array(g), LR, LAMDA, False)) for w, g in EXAMPLES}
    for optimizer in ("momentum", "adam"):
        for style in ("penalty", "decoupled"):
            found[f"{optimizer}, {style}"] = trained(style, optimizer, REMEMBERING)
    for words, given in {"L1 inside": l1_inside, "L1 after": l1_after}.items():
        w, g = [(np.array([8.0]), np.zeros(1))], [(np.array([9.0]), np.zeros(1))]
        found[words] = {"8, 9": float(w[0][0][0] - LR * given(w, g, LAMDA)[0][0][0])}
    found["softmax"] = {
        "full": squared_error_full(OUTPUTS, TARGETS)[0].tolist(),
        "diagonal": squared_error_diagonal(OUTPUTS, TARGETS)[0].tolist(),
    }
    return found
