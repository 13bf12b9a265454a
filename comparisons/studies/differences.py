"""What each implementation difference does to the article's network: two ways to train it, compared update by update.

Most ways are experiments. What no experiment can express is another update rule or another draw, below.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice, repeat
from typing import Any, NamedTuple

import numpy as np

from comparisons.agreement.free_run import Agreement, Tick, compare_runs, ticking
from comparisons.diagnosis.batches import in_order, shuffled
from comparisons.diagnosis.other_formulas import OTHER_STYLES, clip_together
from comparisons.diagnosis.update_rule import UpdateRule, apply_rule, rule_of
from comparisons.runs.names import as_parameters, as_state
from comparisons.studies.styles import NetworkSummary, summary_of, without_first_input
from reference.data import Dataset
from reference.experiment import Batch, Experiment, Parameters, State, draw
from reference.l1 import STYLES
from reference.network import squared_error_diagonal, squared_error_full
from reference.optimizers import Optimizer, Stepped
from reference.train import ROUNDING, fold, gradients, step, weight_path

Drawn = Callable[[Experiment, Dataset], tuple[Parameters, Iterator[Batch]]]


class Way(NamedTuple):
    """One of two ways to train: an experiment, and what differs from the reference."""

    words: str
    experiment: Experiment
    change: str | None = None  # a key of CHANGES: what differs from the experiment's update rule
    drawn: Drawn = draw  # draws the start and the batches


class Contrast(NamedTuple):
    """Two ways to do what looks like the same thing."""

    name: str
    one: Way
    other: Way


class DifferenceResult(NamedTuple):
    """Both ways, trained."""

    contrast: Contrast
    agreement: Agreement
    one: NetworkSummary
    other: NetworkSummary


# --- other update rules -------------------------------------------------------------------------------------------

MAX_NORM = 0.1  # of all gradients together, as torch.nn.utils.clip_grad_norm_ takes it


def rounded_once(w: np.ndarray, g: np.ndarray, lr: float, beta: float) -> Stepped:
    """v = w − η g in float32, rounded once: a fused multiply-add.

    In float64 the product of two float32 numbers is exact, and the difference nearly so.
    """
    return (w.astype(float) - float(np.float32(lr)) * g.astype(float)).astype(np.float32), ()


# what is exchanged in an experiment's update rule
L1_INSIDE = {"clip": clip_together, "limit": MAX_NORM}
CHANGES: dict[str, dict[str, Any]] = {
    "sign 0 = 1": {"style": OTHER_STYLES["sign 0 = 1"]},  # w⁺ = w − η (g + λ sign w),  sign 0 = 1
    "sign after": {"style": OTHER_STYLES["tack_on, sign after the step"]},  # w⁺ = v − λ sign v,  v = w − η g
    "biases too": {"penalised": dict.fromkeys(("W1", "W2", "b1", "b2"), 1.0)},
    "L1 inside": L1_INSIDE,  # w⁺ = w − η clip(g + λ sign w)
    "L1 after": L1_INSIDE | {"clip_before": True},  # w⁺ = w − η (clip(g) + λ sign w)
    "fused": {"optimizer": Optimizer(rounded_once, remembers=False, has_beta=False)},
}


def step_by(rule: UpdateRule, state: State, x: np.ndarray, t: np.ndarray, experiment: Experiment) -> State:
    """One update by this rule, rounded as the experiment says. Nothing is remembered between updates."""
    before, slopes = as_state(state.parameters), as_state(gradients(state.parameters, x, t, experiment))
    after, _memory = apply_rule(rule, before, slopes, {}, state.updates)
    return state._replace(parameters=ROUNDING[experiment.precision](as_parameters(after)))


# --- other draws --------------------------------------------------------------------------------------------------


def first_input_pruned(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """The first input is always 0, and so are its weights at the start."""
    (W, b), *others = draw(experiment, data)[0]
    W[0] = 0.0
    return [(W, b), *others], draw(experiment, without_first_input(data))[1]


def not_shuffled(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """Every epoch in the order of the data."""
    return draw(experiment, data)[0], in_order(repeat(range(len(data.x_train)), experiment.epochs), experiment, data)


def shuffled_afresh(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """Every epoch shuffles 0, 1, 2, … anew, not the order of the epoch before: the first epoch is the same."""
    orders = islice(shuffled(experiment, len(data.x_train), afresh=True), experiment.epochs)
    return draw(experiment, data)[0], in_order(orders, experiment, data)


def wider_start(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """The same random numbers, but the start is ten times as large."""
    parameters, batches = draw(experiment, data)
    return [(10 * W, 10 * b) for W, b in parameters], batches


def batches_backwards(experiment: Experiment, data: Dataset) -> tuple[Parameters, Iterator[Batch]]:
    """The items of every batch in reverse: the same sum, added in another order."""
    parameters, batches = draw(experiment, data)
    return parameters, ((x[::-1], t[::-1]) for x, t in batches)


# --- the table ----------------------------------------------------------------------------------------------------

PENALTY = Experiment()  # the article's network, penalty with λ = 0.001, the full soft-max derivative
NONE = replace(PENALTY, style="none", lamda=0.0)
TACK_ON = replace(PENALTY, style="tack_on")
SCALED = replace(TACK_ON, lamda=TACK_ON.lamda * TACK_ON.lr)
DECOUPLED, PROXIMAL, CUMULATIVE = (replace(PENALTY, style=style) for style in ("decoupled", "proximal", "cumulative"))
FALLING, SCALED_FALLING = (replace(e, lr_schedule="inverse") for e in (DECOUPLED, SCALED))
LISTED = replace(PENALTY, style="as_listed", softmax_derivative="diagonal")
MEAN = replace(PENALTY, batch_size=10, epochs=5000)
SUM = replace(MEAN, reduction="sum")
MOMENTUM, ADAM = (replace(PENALTY, optimizer=optimizer) for optimizer in ("momentum", "adam"))
PAST_MOMENTUM, PAST_ADAM = (replace(e, style="decoupled") for e in (MOMENTUM, ADAM))
FLOAT64, FLOAT32 = (replace(PENALTY, precision=precision) for precision in ("float64", "float32"))
MEAN64, DECOUPLED64 = (replace(e, precision="float64") for e in (MEAN, DECOUPLED))

OF_PENALTY, OF_FALLING = Way("penalty, λ", PENALTY), Way("decoupled, λ; η falls", FALLING)
PRUNED = Way("sign 0 = 0, one input pruned", PENALTY, drawn=first_input_pruned)
FOLLOWING = Way("tack-on, η λ of every update; η falls", replace(SCALED_FALLING, lamda_schedule="inverse"))
SMALLER = Way("sum of 10, η / 10, 10 λ", replace(SUM, lr=SUM.lr / 10, lamda=SUM.lamda * 10))
STRONGER = Way("decoupled, λ / (1 − β)", replace(PAST_MOMENTUM, lamda=MOMENTUM.lamda * 10))
CARRIED_OVER = Way("order carried over", PENALTY)
FUSED = Way("fused: rounded once, float32", FLOAT32, "fused")

WAYS = {
    "place": (OF_PENALTY, Way("tack-on, λ", TACK_ON)),
    "place_translated": (OF_PENALTY, Way("tack-on, η λ", SCALED)),
    "scaled": (Way("decoupled, λ", DECOUPLED), Way("tack-on, λ", TACK_ON)),
    "scaled_falling": (OF_FALLING, Way("tack-on, η λ of the start; η falls", SCALED_FALLING)),
    "scaled_falling_translated": (OF_FALLING, FOLLOWING),
    "sign_at_zero": (Way("sign 0 = 0", PENALTY), Way("sign 0 = 1", PENALTY, "sign 0 = 1")),
    "sign_at_zero_pruned": (PRUNED, Way("sign 0 = 1, one input pruned", PENALTY, "sign 0 = 1", first_input_pruned)),
    "sign_when": (Way("sign before the step", SCALED), Way("sign after the step", SCALED, "sign after")),
    "threshold": (OF_PENALTY, Way("proximal, λ", PROXIMAL)),
    "debt": (Way("proximal, λ", PROXIMAL), Way("cumulative, λ", CUMULATIVE)),
    "derivative": (Way("full", NONE), Way("diagonal", replace(NONE, softmax_derivative="diagonal"))),
    "listing": (Way("penalty", replace(LISTED, style="penalty")), Way("the listing", LISTED)),
    "biases": (Way("weights alone", PENALTY), Way("biases too", PENALTY, "biases too")),
    "reduction": (Way("mean of 10", MEAN), Way("sum of 10", SUM)),
    "reduction_translated": (Way("mean of 10, η, λ", MEAN), SMALLER),
    "clipping": (Way("clipped with L1 inside", PENALTY, "L1 inside"), Way("clipped, then L1", PENALTY, "L1 after")),
    "momentum": (Way("penalty", MOMENTUM), Way("decoupled", PAST_MOMENTUM)),
    "momentum_translated": (Way("penalty, λ", MOMENTUM), STRONGER),
    "adam": (Way("penalty", ADAM), Way("decoupled", PAST_ADAM)),
    "precision": (Way("float64", FLOAT64), Way("float32", FLOAT32)),
    "rounding": (Way("float64", FLOAT64), Way("rounded to float32", PENALTY)),
    "shuffling": (CARRIED_OVER, Way("shuffled afresh", PENALTY, drawn=shuffled_afresh)),
    "no_shuffling": (CARRIED_OVER, Way("not shuffled", PENALTY, drawn=not_shuffled)),
    "start": (Way("start within 0.01", PENALTY), Way("start within 0.1", PENALTY, drawn=wider_start)),
    "seed": (Way("seed 0", PENALTY), Way("seed 1", replace(PENALTY, seed=1))),
    "regrouped_float64": (Way("w − η (g + λ s), float64", FLOAT64), Way("(w − η g) − η λ s, float64", DECOUPLED64)),
    "regrouped_rounded": (Way("w − η (g + λ s), rounded", PENALTY), Way("(w − η g) − η λ s, rounded", DECOUPLED)),
    "fused": (Way("product and difference rounded, float32", FLOAT32), FUSED),
    "summation_float64": (Way("float64", MEAN64), Way("float64, summed in reverse", MEAN64, drawn=batches_backwards)),
    "summation_rounded": (Way("rounded", MEAN), Way("rounded, summed in reverse", MEAN, drawn=batches_backwards)),
}
DIFFERENCES = tuple(Contrast(name, *ways) for name, ways in WAYS.items())


def run(way: Way, data: Dataset) -> Iterator[Parameters]:
    """The way's run: its start, then the parameters after every update."""
    rule = rule_of(way.experiment, tuple(f"W{layer}" for layer in range(1, len(way.experiment.sizes))))
    update = partial(step_by, replace(rule, **CHANGES[way.change])) if way.change else step
    return fold(update, *way.drawn(way.experiment, data), way.experiment)


def measure(contrast: Contrast, tick: Tick, data: Dataset) -> DifferenceResult:
    """Train both ways, and compare them after every update."""
    agreement = compare_runs(ticking(run(contrast.one, data), tick), run(contrast.other, data))
    one, other = (summary_of(end, data) for end in (agreement.reference, agreement.candidate))
    return DifferenceResult(contrast, agreement, one, other)


def shortened(contrast: Contrast, epochs: int) -> Contrast:
    """The same with this many epochs of single items; with batches, as many updates."""

    def short(way: Way) -> Way:
        return way._replace(experiment=replace(way.experiment, epochs=epochs * way.experiment.batch_size))

    return Contrast(contrast.name, short(contrast.one), short(contrast.other))


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
    """What each way makes of the examples, and the two soft-max derivatives of one item."""

    def trained(style: str, optimizer: str, examples: Iterable[tuple[float, ...]]) -> dict[str, float | list[float]]:
        experiment = Experiment(style=style, optimizer=optimizer, lr=LR, lamda=LAMDA)
        return {key((w, *slopes)): weight_path(w, slopes, experiment)[-1] for w, *slopes in examples}

    def changed(change: str, examples: Iterable[tuple[float, float]]) -> dict[str, float | list[float]]:
        rule = replace(rule_of(Experiment(lr=LR, lamda=LAMDA), ("w",)), **CHANGES[change])
        pairs = {key(pair): ({"w": np.array(part)} for part in pair) for pair in examples}
        return {name: float(apply_rule(rule, w, g, {}, 0)[0]["w"]) for name, (w, g) in pairs.items()}

    found = {style: trained(style, "sgd", EXAMPLES) for style in STYLES}
    found |= {name: changed(name, EXAMPLES) for name in ("sign 0 = 1", "sign after")}
    found |= {f"{o}, {s}": trained(s, o, REMEMBERING) for o in ("momentum", "adam") for s in ("penalty", "decoupled")}
    found |= {name: changed(name, EXAMPLES[:1]) for name in ("L1 inside", "L1 after")}
    full, diagonal = (slope(OUTPUTS, TARGETS)[0].tolist() for slope in (squared_error_full, squared_error_diagonal))
    return found | {"softmax": {"full": full, "diagonal": diagonal}}
