"""Wrong implementations: each turns the comparison red, at the right update."""

from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np
import pytest
import torch

import reference.train
import torch_impl.train
from comparisons.agreement.free_run import compare_runs
from comparisons.agreement.lockstep import lockstep
from reference.data import Dataset
from reference.experiment import Experiment, Memory, State, draw, rates, start
from reference.l1 import soft_threshold
from reference.network import DELTAS, backward, forward, softmax
from reference.optimizers import BETA_2, EPSILON, adam, momentum
from reference.train import fold, gradients, rule, to_float32_grid, update_weight
from torch_impl.l1 import Style
from torch_impl.train import Trainer

EXPERIMENT = Experiment(epochs=1)
TWO_EPOCHS = replace(EXPERIMENT, epochs=2)
TACK_ON = replace(EXPERIMENT, style="tack_on", lamda=0.0001)
PROXIMAL, CLIPPED, CUMULATIVE = (replace(EXPERIMENT, style=style) for style in ("proximal", "clipped", "cumulative"))
SCHEDULE = replace(EXPERIMENT, style="decoupled", lamda=0.1, lr_schedule="inverse")
MOMENTUM, ADAM = (replace(EXPERIMENT, optimizer=optimizer) for optimizer in ("momentum", "adam"))


def torch_with(**numbers):
    """PyTorch, trained with these numbers in place of the experiment's."""
    return lambda experiment, data: torch_impl.train.train(replace(experiment, **numbers), data)


def numpy_step(update):
    """The reference with another update, (w, g, η, λ, whether w is a bias) -> w⁺, rounded."""

    def step(state, x, t, experiment):
        after = [
            tuple(update(w, g, experiment.lr, experiment.lamda, w.ndim == 1) for w, g in zip(pair, slopes, strict=True))
            for pair, slopes in zip(state.parameters, gradients(state.parameters, x, t, experiment), strict=True)
        ]
        return state._replace(parameters=to_float32_grid(after))

    return lambda experiment, data: reference.train.train(experiment, data, step)


def numpy_optimizer(optimizer):
    """The reference's penalty through another optimizer's step, (w, g, η, β, *memory) -> v, memory."""

    def step(state, x, t, experiment):
        (lr, lamda), beta = rates(experiment, state.updates), experiment.momentum
        slopes = gradients(state.parameters, x, t, experiment)
        parameters, memory = [], []
        for (W, b), (dW, db), known in zip(state.parameters, slopes, state.memory, strict=True):
            V, of_W = optimizer(W, dW + lamda * np.sign(W), lr, beta, *known.W)
            c, of_b = optimizer(b, db, lr, beta, *known.b)
            parameters.append((V, c))
            memory.append(Memory(of_W, of_b))
        return State(to_float32_grid(parameters), memory, state.updates + 1)

    return lambda experiment, data: reference.train.train(experiment, data, step)


def torch_group(**numbers):
    """PyTorch, with these numbers in place of its optimizer's own."""

    def candidate(experiment, data):
        trainer = Trainer(experiment)
        for group in trainer.optimizer.param_groups:
            group |= numbers
        return torch_impl.train.fold(trainer, *draw(experiment, data))

    return candidate


def torch_style(around_step):
    """PyTorch, with this in place of the experiment's own style."""

    def candidate(experiment, data):
        with patch.dict(torch_impl.train.STYLES, {experiment.style: Style(around_step=around_step)}):
            trainer = Trainer(experiment)
        return torch_impl.train.fold(trainer, *draw(experiment, data))

    return candidate


def biases_penalised(w, g, lr, lamda, bias):
    """The penalty on every parameter, as model.parameters() gives them."""
    return w - lr * (g + lamda * np.sign(w))


def sign_after_the_step(w, g, lr, lamda, bias):
    """Tack-on whose sign is of the weight that the step made."""
    z = w - lr * g
    return z if bias else z - lamda * np.sign(z)


def sign_of_zero_is_one(w, g, lr, lamda, bias):
    """The penalty with the derivative of |w| at 0 taken as 1."""
    return w - lr * (g if bias else g + lamda * np.where(w >= 0, 1.0, -1.0))


def lr_missing(w, g, lr, lamda, bias):
    """The penalty tacked on without η."""
    return w - lr * g if bias else (w - lr * g) - lamda * np.sign(w)


def threshold_without_lr(w, g, lr, lamda, bias):
    """The proximal style with λ for its threshold."""
    v = w - lr * g
    return v if bias else soft_threshold(v, lamda)


def threshold_before_the_step(w, g, lr, lamda, bias):
    """The threshold of the weight as it was, and then the step."""
    return (w if bias else soft_threshold(w, lr * lamda)) - lr * g


def not_clipped(w, g, lr, lamda, bias):
    """The clipped style without clipping."""
    v = w - lr * g
    return v if bias else v - lr * lamda * np.sign(w)


def clipped_by_the_new_sign(w, g, lr, lamda, bias):
    """The clipped style with the sign of the weight after the step: the proximal one."""
    v = w - lr * g
    return v if bias else soft_threshold(v, lr * lamda)


def received_without_its_sign(w, group):
    """The cumulative style, where what a weight has received is counted as positive."""
    mine = (yield)[w]
    due, received = mine.get("l1_due", 0.0) + group["lr"] * group["lamda"], mine.get("l1_received", 0.0)
    paid = torch.where(w > 0, (w - (due - received)).clamp(min=0), (w + (due - received)).clamp(max=0))
    mine |= {"l1_due": due, "l1_received": received + (w - paid).abs()}
    w.copy_(paid)


def stale_lr(w, group):
    """The decoupled style with the η that the experiment began with."""
    sign = w.sign()
    yield
    w.sub_(sign, alpha=EXPERIMENT.lr * group["lamda"])


def damped(w, g, lr, beta, m=0.0):
    """m⁺ = β m + (1 − β) g, from the first update on; torch's dampening begins with the second."""
    m = beta * m + (1 - beta) * g
    return w - lr * m, (m,)


def lr_inside(w, g, lr, beta, m=0.0):
    """m⁺ = β m + η g, v = w − m⁺: another momentum once η changes."""
    m = beta * m + lr * g
    return w - m, (m,)


def adam_with(correction=1, inside=0.0, outside=EPSILON):
    """Adam with its bias correction, or 0 for none, and ε inside the root or outside."""

    def step(w, g, lr, beta, m=0.0, s=0.0, updates=0):
        m, s, t = beta * m + (1 - beta) * g, BETA_2 * s + (1 - BETA_2) * g * g, updates + 1
        m_hat, s_hat = m / (1 - correction * beta**t), s / (1 - correction * BETA_2**t)
        return w - lr * m_hat / (np.sqrt(s_hat + inside) + outside), (m, s, t)

    return step


def forgotten_every(updates):
    """An optimizer that begins anew, with nothing remembered, after so many updates."""

    def step(state, x, t, experiment):
        memory = state.memory if state.updates % updates else start(state.parameters).memory
        return reference.train.step(state._replace(memory=memory), x, t, experiment)

    return lambda experiment, data: reference.train.train(experiment, data, step)


def left_from_another_run(experiment, data):
    """The optimizer remembers an update that these parameters have not seen."""
    trainer = Trainer(experiment)
    (parameters, batches), (_, (first, *_)) = draw(experiment, data), draw(experiment, data)
    trainer.load(start(parameters))
    trainer.step(*first)
    trainer.load(trainer.state()._replace(parameters=parameters))
    yield parameters
    for x, t in batches:
        trainer.step(x, t)
        yield trainer.arrays()


def schedule_ahead(experiment, data):
    """Every update has the next one's η."""

    def step(state, x, t, experiment):
        after = reference.train.step(state._replace(updates=state.updates + 1), x, t, experiment)
        return after._replace(updates=state.updates + 1)

    return reference.train.train(experiment, data, step)


def schedule_late(experiment, data):
    """Every update has the η and λ of the one before it."""

    def step(state, x, t, experiment):
        late = state._replace(updates=max(state.updates - 1, 0))
        return reference.train.step(late, x, t, experiment)._replace(updates=state.updates + 1)

    return reference.train.train(experiment, data, step)


def new_weights_in_backward(state, x, t, experiment):
    """The output layer is updated first, and the hidden layer's gradient is taken through its new weights."""
    lr, lamda, (hidden, output) = experiment.lr, experiment.lamda, state.parameters
    *h, z = forward(state.parameters, x)
    delta = DELTAS[experiment.loss, experiment.softmax_derivative](softmax(z), t) / len(x)
    _, (dW, db) = backward([hidden, output], h, delta)
    output = (update_weight(output[0], dW, lr, lamda, rule(experiment))[0], output[1] - lr * db)
    (dV, dc), _ = backward([hidden, output], h, delta)
    hidden = (update_weight(hidden[0], dV, lr, lamda, rule(experiment))[0], hidden[1] - lr * dc)
    return state._replace(parameters=to_float32_grid([hidden, output]))


def shuffle_skipped(experiment, data):
    """The second epoch repeats the order of the first."""
    parameters, _ = draw(experiment, data)
    return fold(reference.train.step, parameters, iter(batches_with_shuffle_skipped(experiment, data)), experiment)


def swapped(data):
    """The last row of the training items in place of the first, and the first in place of the last."""
    order = [199, *range(1, 199), 0]
    return replace(data, x_train=data.x_train[order], t_train=data.t_train[order])


def last_row_swapped(experiment, data):
    """PyTorch on those items."""
    return torch_impl.train.train(experiment, swapped(data))


def nan_at_update_7(experiment, data):
    """One weight is NaN after update 7."""
    for update, parameters in enumerate(torch_impl.train.train(experiment, data)):
        if update == 7:
            parameters[1][0][2, 3] = np.nan
        yield parameters


# --- where each must be found, told without comparing the two runs ------------------------------------------------


def at_first(experiment, data):
    """At the first update: every weight feels the fault at once."""
    return 1


def at_7(experiment, data):
    """Where it was planted."""
    return 7


def at_second(experiment, data):
    """At the second update: the first one remembers nothing yet."""
    return 2


def where_it_computes_otherwise(wrong):
    """The first update of the right run at which the wrong formula makes another weight of the same w and g."""

    def where(experiment, data):
        parameters, batches = draw(experiment, data)
        state = start(parameters)
        for x, t in batches:
            slopes = gradients(state.parameters, x, t, experiment)
            weights = [
                (wrong(W, dW, experiment.lr, experiment.lamda, False), b)
                for (W, b), (dW, _) in zip(state.parameters, slopes, strict=True)
            ]
            state = reference.train.step(state, x, t, experiment)
            for (W, _), (V, _) in zip(state.parameters, to_float32_grid(weights), strict=True):
                if (W != V).any():
                    return state.updates
        raise AssertionError("the fault makes no other weight in this run")

    return where


def where_it_paid_with_the_other_sign(experiment, data):
    """The first update in which a weight that has paid (q) with its other sign owes more than the threshold for it."""
    parameters, batches = draw(experiment, data)
    state = start(parameters)
    for x, t in batches:
        slopes = gradients(state.parameters, x, t, experiment)
        for (W, _), (dW, _), known in zip(state.parameters, slopes, state.memory, strict=True):
            u, q = known.style or (0.0, np.zeros_like(W))
            v, u = W - experiment.lr * dW, u + experiment.lr * experiment.lamda
            if ((np.sign(q) * np.sign(v) > 0) & (np.abs(v) > u - np.abs(q))).any():
                return state.updates + 1
        state = reference.train.step(state, x, t, experiment)
    raise AssertionError("no weight pays with both signs in this run")


def at_201(experiment, data):
    """At the first update of the second epoch."""
    return 201


def where_batches_differ(other_batches):
    """The first update that is given another item."""

    def where(experiment, data):
        own = draw(experiment, data)[1]
        differ = [(x != y).any() for (x, _), (y, _) in zip(own, other_batches(experiment, data), strict=True)]
        return 1 + differ.index(True)

    return where


def batches_with_shuffle_skipped(experiment, data):
    """What shuffle_skipped trains on."""
    taken = list(draw(experiment, data)[1])
    return taken[:200] + taken[:200] + taken[400:]


def batches_with_rows_swapped(experiment, data):
    """What last_row_swapped trains on."""
    return draw(experiment, swapped(data))[1]


@dataclass(frozen=True)
class Fault:
    """A wrong implementation of an experiment, and the update at which it must be found."""

    candidate: object
    found_at: object = at_first
    experiment: Experiment = EXPERIMENT


FAULTS = {
    "lamda 0.1 % off": Fault(torch_with(lamda=EXPERIMENT.lamda * 1.001)),
    "sign reversed": Fault(torch_with(style="as_listed")),
    "no L1": Fault(torch_with(style="none")),
    "biases penalised": Fault(numpy_step(biases_penalised)),
    "lr missing in L1": Fault(numpy_step(lr_missing)),
    "lr twice in L1": Fault(torch_with(lamda=TACK_ON.lamda * TACK_ON.lr), experiment=TACK_ON),
    "lr doubled": Fault(torch_with(lr=0.02)),
    "diagonal for full": Fault(torch_with(softmax_derivative="diagonal")),
    "cross-entropy for squared error": Fault(torch_with(loss="cross_entropy")),
    "sign after the step": Fault(
        numpy_step(sign_after_the_step), where_it_computes_otherwise(sign_after_the_step), TACK_ON
    ),
    "threshold without lr": Fault(numpy_step(threshold_without_lr), experiment=PROXIMAL),
    "threshold before the step": Fault(
        numpy_step(threshold_before_the_step), where_it_computes_otherwise(threshold_before_the_step), PROXIMAL
    ),
    "not clipped": Fault(numpy_step(not_clipped), where_it_computes_otherwise(not_clipped), CLIPPED),
    "clipped by the new sign": Fault(
        numpy_step(clipped_by_the_new_sign), where_it_computes_otherwise(clipped_by_the_new_sign), CLIPPED
    ),
    "no debt": Fault(torch_with(style="proximal"), where_it_computes_otherwise(clipped_by_the_new_sign), CUMULATIVE),
    "received without its sign": Fault(
        torch_style(received_without_its_sign), where_it_paid_with_the_other_sign, CUMULATIVE
    ),
    "stale lr": Fault(torch_style(stale_lr), at_second, SCHEDULE),
    "decoupled for penalty": Fault(torch_with(style="decoupled"), at_second, MOMENTUM),
    "dampening": Fault(torch_group(dampening=0.9), at_second, MOMENTUM),
    "Nesterov": Fault(torch_group(nesterov=True), experiment=MOMENTUM),
    "other momentum": Fault(torch_with(momentum=0.8), at_second, MOMENTUM),
    "dampening from the start": Fault(numpy_optimizer(damped), experiment=MOMENTUM),
    "lr inside the momentum": Fault(
        numpy_optimizer(lr_inside), at_second, replace(MOMENTUM, lr_schedule="inverse", lr=1.0)
    ),
    "momentum forgotten": Fault(forgotten_every(1), at_second, MOMENTUM),
    "momentum forgotten every epoch": Fault(forgotten_every(200), at_201, replace(MOMENTUM, epochs=2)),
    "momentum of another run": Fault(left_from_another_run, experiment=MOMENTUM),
    "no bias correction": Fault(numpy_optimizer(adam_with(correction=0)), experiment=ADAM),
    "epsilon inside the root": Fault(numpy_optimizer(adam_with(inside=EPSILON, outside=0.0)), experiment=ADAM),
    "other epsilon": Fault(torch_group(eps=1e-5), experiment=ADAM),
    "other beta 2": Fault(torch_group(betas=(0.9, 0.99)), at_second, ADAM),
    "Adam's moments forgotten": Fault(forgotten_every(1), at_second, ADAM),
    "decoupled L2": Fault(torch_group(decoupled_weight_decay=True), experiment=replace(ADAM, l2=0.1)),
    "schedule ahead": Fault(schedule_ahead, experiment=replace(EXPERIMENT, lr_schedule="inverse")),
    "schedule not followed": Fault(
        torch_with(lr_schedule="constant"), at_second, replace(EXPERIMENT, lr_schedule="inverse")
    ),
    "lr late": Fault(schedule_late, at_second, SCHEDULE),
    "lamda late": Fault(schedule_late, at_second, replace(SCHEDULE, lr_schedule="constant", lamda_schedule="inverse")),
    "new weights in backward": Fault(
        lambda experiment, data: reference.train.train(experiment, data, new_weights_in_backward)
    ),
    "one shuffle skipped": Fault(shuffle_skipped, where_batches_differ(batches_with_shuffle_skipped), TWO_EPOCHS),
    "last row swapped": Fault(last_row_swapped, where_batches_differ(batches_with_rows_swapped)),
    "other seed": Fault(torch_with(seed=1), lambda experiment, data: 0),
    "float32 arithmetic": Fault(torch_with(precision="float32")),
    "no rounding": Fault(torch_with(precision="float64")),
    "L2 added": Fault(torch_with(l2=0.0001)),
    "sum over the batch": Fault(torch_with(reduction="sum"), experiment=replace(EXPERIMENT, batch_size=4)),
    "NaN": Fault(nan_at_update_7, at_7),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_at_its_update(data, fault):
    """The comparison is red, and names the update at which the fault first acts."""
    found = compare_runs(reference.train.train(fault.experiment, data), fault.candidate(fault.experiment, data))

    assert 1 == found.exit_status
    assert fault.found_at(fault.experiment, data) == found.first_difference.update


def words(experiment):
    """In which numbers it is not the default one."""
    changed = (str(value) for name, value in vars(experiment).items() if value != getattr(Experiment(), name))
    return " ".join(changed)


@pytest.mark.parametrize("experiment", dict.fromkeys(f.experiment for f in FAULTS.values()), ids=words)
def test_without_a_fault_it_is_green(data, experiment):
    """Twin of all faults: the same experiments, rightly implemented, are equal."""
    found = compare_runs(reference.train.train(experiment, data), torch_impl.train.train(experiment, data))

    assert 0 == found.exit_status


def test_numpy_step_without_a_fault_is_the_reference(data):
    """The scaffold of the planted updates adds no fault of its own."""
    right = numpy_step(lambda w, g, lr, lamda, bias: w - lr * (g if bias else g + lamda * np.sign(w)))

    assert 0 == compare_runs(reference.train.train(EXPERIMENT, data), right(EXPERIMENT, data)).exit_status


@pytest.mark.parametrize(
    ("experiment", "optimizer"),
    [(MOMENTUM, momentum), (ADAM, adam), (ADAM, adam_with())],
    ids=["momentum", "Adam", "own Adam"],
)
def test_numpy_optimizer_without_a_fault_is_the_reference(data, experiment, optimizer):
    """The scaffold of the planted optimizers adds none either."""
    right = numpy_optimizer(optimizer)(experiment, data)

    assert 0 == compare_runs(reference.train.train(experiment, data), right).exit_status


def test_torch_group_and_torch_style_without_a_fault_are_equal(data):
    """The scaffolds of the planted optimizers and styles add no fault of their own."""
    for right in (torch_group(), torch_style(torch_impl.train.STYLES["cumulative"].around_step)):
        assert 0 == compare_runs(reference.train.train(CUMULATIVE, data), right(CUMULATIVE, data)).exit_status


def test_the_sign_of_zero_is_seen_once_a_weight_is_zero(data):
    """A feature that is always 0 leaves its weights to L1 alone; one of them is 0 after update 1, and differs at 2.

    η = ½ and λ = 2 |w| make W1[0, 0] exactly 0. Then its sign is 0 and it stays, or is taken as 1 and it moves.
    """
    x = data.x_train.copy()
    x[:, 0] = 0
    dead = replace(data, x_train=x)
    weight = float(draw(EXPERIMENT, dead)[0][0][0][0, 0])
    experiment = replace(EXPERIMENT, lr=0.5, lamda=2 * abs(weight))

    found = compare_runs(reference.train.train(experiment, dead), numpy_step(sign_of_zero_is_one)(experiment, dead))
    right = compare_runs(reference.train.train(experiment, dead), torch_impl.train.train(experiment, dead))

    assert (2, "W1", [0, 0], 0.0) == tuple(vars(found.first_difference).values())[:4]
    assert 0 == right.exit_status


LOCKSTEP_FAULTS = {
    "lamda 0.1 % off": {"lamda": EXPERIMENT.lamda * 1.001},
    "sign reversed": {"style": "as_listed"},
    "no L1": {"style": "none"},
    "lr doubled": {"lr": 0.02},
    "diagonal for full": {"softmax_derivative": "diagonal"},
    "L2 added": {"l2": 0.0001},
}


@pytest.mark.parametrize("precision", ["rounded", "float64"])
@pytest.mark.parametrize("numbers", LOCKSTEP_FAULTS.values(), ids=LOCKSTEP_FAULTS)
def test_lockstep_finds_it_too(data, numbers, precision):
    """Restarted before every update, the fault is outside the tolerance at the first one."""
    experiment = replace(EXPERIMENT, epochs=1, batch_size=20, precision=precision)
    found = lockstep(experiment, data, lambda e: torch_impl.train.stepper(replace(e, **numbers)))

    assert 1 == found.exit_status
    assert 1 == found.first_difference.update


def test_data_of_another_problem_is_another_run(data):
    """Twin of the data set: the labels have an effect."""
    other = Dataset("reversed", "", data.x_train, data.t_train[::-1], data.x_test, data.t_test)
    found = compare_runs(reference.train.train(EXPERIMENT, data), torch_impl.train.train(EXPERIMENT, other))

    assert 1 == found.exit_status
