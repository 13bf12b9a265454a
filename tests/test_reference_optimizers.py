"""The optimizers' own steps: by hand, beside torch.optim, and what they remember, on both sides."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

import reference.train
import torch_impl.train
from reference.experiment import NOTHING, Experiment, Memory, State, draw, start
from reference.l1 import STYLES
from reference.optimizers import BETA_2, EPSILON, OPTIMIZERS, Optimizer, adam, momentum, sgd
from torch_impl.train import OF_STYLE, Trainer

EVERY = [
    pytest.param(
        Experiment(style=style, optimizer=optimizer, lamda=0.1, lr=0.5, batch_size=10, epochs=1),
        id=f"{style} {optimizer}",
    )
    for style, optimizer in product(STYLES, OPTIMIZERS)
]

OTHER_PRECISIONS = [
    pytest.param(
        Experiment(
            style="cumulative", optimizer="adam", lamda=0.1, lr=0.5, batch_size=10, epochs=1, precision=precision
        ),
        id=precision,
    )
    for precision in ("float64", "float32")
]


# --- by hand ------------------------------------------------------------------------------------------------------


def test_sgd_by_hand():
    """w = 2, g = 3, η = ½: 2 − 1½ = ½; nothing is remembered."""
    assert (0.5, ()) == sgd(2.0, 3.0, 0.5, 0.9)


def test_momentum_by_hand():
    """β = ½, η = ½, g = 4, 2, 0: m = 4, 4, 2, so w = 8, 6, 4, 3.  With dampening 1 − β it would be 8, 7, 6, 5½."""
    w, memory, path = 8.0, (), []
    for g in (4.0, 2.0, 0.0):
        w, memory = momentum(w, g, 0.5, 0.5, *memory)
        path.append((w, *memory))

    assert [(6.0, 4.0), (4.0, 4.0), (3.0, 2.0)] == path


def test_a_constant_gradient_comes_to_1_over_1_minus_beta():
    """m = g (1 − βᵗ) / (1 − β): with β = ½ and g = 1 it is 1, 1½, 1¾, and in the end 2."""
    memory, seen = (), []
    for _ in range(60):
        _, memory = momentum(0.0, 1.0, 1.0, 0.5, *memory)
        seen.append(*memory)

    assert [1.0, 1.5, 1.75, 2.0] == [*seen[:3], seen[-1]]


def test_adam_by_hand():
    """g = 3, then −1; η = ½, β = ½, β₂ = 0.999, and w = 1 − ½ = ½, but for ε.

    1: m = 1½, m̂ = 1½ / ½ = 3.  s = 0.001 · 9, ŝ = s / 0.001 = 9.  m̂ / √ŝ = 1: whatever |g| is, w moves by η.
    2: m = ½ · 1½ − ½ = ¼, m̂ = ¼ / ¾ = ⅓.  s = 0.999 · 0.009 + 0.001 = 0.009991, ŝ = s / 0.001999.
    """
    first, memory = adam(1.0, 3.0, 0.5, 0.5)
    second, (m, s, t) = adam(first, -1.0, 0.5, 0.5, *memory)

    assert pytest.approx(1 - 0.5 * 3 / (3 + 1e-8), rel=1e-15) == first
    assert pytest.approx(0.5, abs=1e-8) == first
    assert pytest.approx((0.25, 0.009991, 2), rel=1e-12) == (m, s, t)
    assert pytest.approx(first - 0.5 * (1 / 3) / ((0.009991 / 0.001999) ** 0.5 + 1e-8), rel=1e-13) == second


def test_bias_correction_of_a_constant_gradient():
    """m̂ = g and ŝ = g² in every update: w moves by η g / (|g| + ε), a large gradient or a small one."""
    for g in (1000.0, 0.25, -1e-3):
        w, memory = 0.0, ()
        for update in range(1, 20):
            w, memory = adam(w, g, 0.5, 0.9, *memory)
            assert pytest.approx(-update * 0.5 * g / (abs(g) + EPSILON), rel=1e-11) == w


def test_without_bias_correction_adam_is_another():
    """Twin: the first step would be (1 − β) / √(1 − β₂) = 3.16 times as long."""
    w, _ = adam(0.0, 1.0, 0.5, 0.9)
    m, s = (1 - 0.9) * 1.0, (1 - BETA_2) * 1.0

    assert pytest.approx(3.16, abs=0.005) == 0.5 * m / (s**0.5 + EPSILON) / -w


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_gradient_of_zero_moves_nothing(optimizer):
    """Before there is anything to remember."""
    w = np.array([1.0, -2.0, 0.0])

    assert w.tobytes() == optimizer.step(w, np.zeros(3), 0.5, 0.9)[0].tobytes()


# --- what a row says of its step ----------------------------------------------------------------------------------


def claims(row):
    """What the row says of its step."""
    return {name: getattr(row, name) for name in ("remembers", "has_beta", "accumulates", "normalises")}


def seen(step):
    """The same, asked of the step: 99 updates with a constant gradient, η = 1, β = ½."""

    def last_move(g, beta=0.5):
        w, memory = np.array(0.0), ()
        for _ in range(99):
            before, (w, memory) = w, step(w, np.array(g), 1.0, beta, *memory)
        return float(before - w)

    return {
        "remembers": step(np.array(1.0), np.array(1.0), 1.0, 0.5)[1] != (),
        "has_beta": any(last_of(step, [1.0, -0.25], beta) != last_of(step, [1.0, -0.25], 0.5) for beta in (0.25, 0.75)),
        "accumulates": last_move(1.0) == pytest.approx(2.0),
        "normalises": last_move(2.0) == pytest.approx(last_move(1.0)),
    }


def last_of(step, gradients, beta):
    """The weight after updates with these gradients."""
    w, memory = np.array(0.0), ()
    for g in gradients:
        w, memory = step(w, np.array(g), 1.0, beta, *memory)
    return float(w)


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_what_a_row_says_of_its_step_is_so(row):
    """Four facts, seen in the numbers that the step computes."""
    assert seen(row.step) == claims(row)


@pytest.mark.parametrize("field", ["remembers", "has_beta", "accumulates", "normalises"])
@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_row_that_says_something_else_is_noticed(row, field):
    """Twin: each of the facts, turned round."""
    assert seen(row.step) != claims(row._replace(**{field: not getattr(row, field)}))


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_row_has_the_formula_of_its_steps_docstring(row):
    """The first line, without the dot."""
    assert row.step.__doc__.splitlines()[0] == f"{row.formula}."
    assert row.about


def test_an_optimizer_that_is_only_a_step():
    """What a diagnosis tries: the other columns have defaults, which are those of a step that remembers."""
    row = Optimizer(sgd, has_beta=False)

    assert row.remembers
    assert row.tells_gradient
    assert 4.0 == row.lr_of_mean(4)
    assert (False, 1.0) == (OPTIMIZERS["adam"].tells_gradient, OPTIMIZERS["adam"].lr_of_mean(4))


# --- beside torch.optim -------------------------------------------------------------------------------------------


def by_torch(name, w, gradients, lr, beta):
    """The weights after every step of torch.optim, with no model and no hooks."""
    w = torch.nn.Parameter(torch.tensor(w))
    stock = {
        "sgd": lambda: torch.optim.SGD([w], lr=lr),
        "momentum": lambda: torch.optim.SGD([w], lr=lr, momentum=beta),
        "adam": lambda: torch.optim.Adam([w], lr=lr, betas=(beta, 0.999)),
        "AdamW without weight decay": lambda: torch.optim.AdamW([w], lr=lr, betas=(beta, 0.999), weight_decay=0.0),
    }[name]()
    for g in gradients:
        w.grad = torch.tensor(g)
        stock.step()
        yield w.detach().numpy().copy()


def by_reference(name, w, gradients, lr, beta):
    """The same by the formulas."""
    memory = ()
    for g in gradients:
        w, memory = OPTIMIZERS[name].step(w, g, lr, beta, *memory)
        yield w


SIDES = [(name, name) for name in OPTIMIZERS] + [("adam", "AdamW without weight decay")]


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(("name", "stock"), SIDES, ids=[stock for _, stock in SIDES])
def test_an_optimizer_is_torchs(name, stock, beta):
    """20 random gradients of sizes 1e-6 … 1e3, weights away from 0: every step within 1e-15, 20 within 4e-15."""
    rnd = np.random.default_rng(0)
    w = rnd.uniform(4, 8, size=50)
    gradients = rnd.normal(size=(20, 50)) * 10 ** rnd.uniform(-6, 0, size=50)
    sides = [by(side, w, gradients, 0.01, beta) for by, side in ((by_reference, name), (by_torch, stock))]

    for update, (expected, actual) in enumerate(zip(*sides, strict=True)):
        np.testing.assert_allclose(actual, expected, rtol=1e-15 if update == 0 else 4e-15, atol=0)
        assert (expected != w).all()


@pytest.mark.parametrize(("name", "other"), [("momentum", 0.89), ("adam", 0.89)])
def test_another_beta_is_not_torchs(name, other):
    """Twin: it is seen in the second step, which is the first to remember."""
    w, gradients = np.array([5.0, 6.0]), np.array([[1.0, -2.0], [0.5, 0.25]])
    mine, stock = (list(by(name, w, gradients, 0.01, beta)) for by, beta in ((by_reference, other), (by_torch, 0.9)))

    np.testing.assert_allclose(mine[0], stock[0], rtol=1e-15)
    assert (np.abs(mine[1] - stock[1]) > 1e-6).all()


@pytest.mark.parametrize(("name", "row"), torch_impl.train.OPTIMIZERS.items(), ids=OPTIMIZERS)
def test_torch_remembers_under_these_names(name, row):
    """torch.optim's state of a parameter, in our order, is the reference's memory of it."""
    rnd = np.random.default_rng(1)
    w, gradients = rnd.normal(size=(3, 2)), rnd.normal(size=(4, 3, 2))
    parameter = torch.nn.Parameter(torch.tensor(w))
    optimizer = row.kind([{"params": [parameter]}], lr=0.01, **row.options(0.9))
    memory = ()
    for g in gradients:
        parameter.grad = torch.tensor(g)
        optimizer.step()
        w, memory = OPTIMIZERS[name].step(w, g, 0.01, 0.9, *memory)
    known = {key: value for key, value in optimizer.state[parameter].items() if value is not None}

    assert set(row.remembers) == known.keys()
    assert len(row.remembers) == len(memory)
    for key, mine in zip(row.remembers, memory, strict=True):
        np.testing.assert_allclose(known[key].numpy(), mine, rtol=1e-14)


# --- what is remembered, handed back and forth --------------------------------------------------------------------


def bits(state):
    """All of a state as bytes, and its structure."""
    arrays = [
        np.asarray(value)
        for layer, known in zip(state.parameters, state.memory, strict=True)
        for part in (layer, *known)
        for value in part
    ]
    structure = [[len(part) for part in known] for known in state.memory]
    return structure, state.updates, [(array.dtype, array.shape, array.tobytes()) for array in arrays]


def reference_states(experiment, data):
    """The states of the reference's run, the start first."""
    parameters, batches = draw(experiment, data)
    state = start(parameters)
    yield state
    for x, t in batches:
        state = reference.train.step(state, x, t, experiment)
        yield state


def torch_states(experiment, data):
    """The states of a trainer's run."""
    parameters, batches = draw(experiment, data)
    trainer = Trainer(experiment)
    trainer.load(start(parameters))
    yield trainer.state()
    for x, t in batches:
        trainer.step(x, t)
        yield trainer.state()


@pytest.mark.parametrize("experiment", EVERY)
def test_a_state_remembers_what_its_rows_say(data, experiment):
    """() before the first update; then each part has as many values as the optimizer and the style have names."""
    first, second = list(reference_states(experiment, data))[:2]
    of_optimizer = len(torch_impl.train.OPTIMIZERS[experiment.optimizer].remembers)
    of_style = len(OF_STYLE) if STYLES[experiment.style].after_step_with_memory else 0

    assert [NOTHING, NOTHING] == first.memory
    assert [[of_optimizer, of_optimizer, of_style]] * 2 == [[len(part) for part in known] for known in second.memory]
    assert (0, 1) == (first.updates, second.updates)


@pytest.mark.parametrize("experiment", EVERY)
def test_a_step_leaves_the_state_that_it_is_given(data, experiment):
    """Pure, memory included: the same state gives the same bits twice."""
    parameters, batches = draw(experiment, data)
    x, t = next(batches)
    state = reference.train.step(start(parameters), x, t, experiment)
    before = bits(state)
    once, twice = (reference.train.step(state, x, t, experiment) for _ in range(2))

    assert before == bits(state)
    assert bits(once) == bits(twice) != before


@pytest.mark.parametrize("experiment", EVERY)
def test_both_sides_remember_the_same(data, experiment):
    """Of the same shapes, and within 1e-9, after every update; the parameters have the same bits."""
    for mine, theirs in zip(reference_states(experiment, data), torch_states(experiment, data), strict=True):
        (structure, updates, values), (other, count, others) = bits(mine), bits(theirs)

        assert (structure, updates) == (other, count)
        assert [shape for _, shape, _ in values] == [shape for _, shape, _ in others]
        for known, known_too in zip(mine.memory, theirs.memory, strict=True):
            for part, part_too in zip(known, known_too, strict=True):
                for value, value_too in zip(part, part_too, strict=True):
                    np.testing.assert_allclose(value_too, value, rtol=1e-9, atol=1e-15)
        for layer, layer_too in zip(mine.parameters, theirs.parameters, strict=True):
            assert all(map(np.array_equal, layer, layer_too))


@pytest.mark.parametrize("experiment", EVERY + OTHER_PRECISIONS)
def test_a_trainer_gives_back_what_it_was_loaded_with(data, experiment):
    """load(state), state(): the same bits, of the start and of every state that either side comes to."""
    trainer = Trainer(experiment)
    states = [*reference_states(experiment, data), *torch_states(experiment, data)]
    for state in states:
        trainer.load(state)

        assert bits(state) == bits(trainer.state())
    assert len({str(bits(state)) for state in states}) > 20


@pytest.mark.parametrize("interrupted", [1, 13])
@pytest.mark.parametrize("experiment", EVERY + OTHER_PRECISIONS)
def test_an_interrupted_run_is_the_uninterrupted_one(data, experiment, interrupted):
    """After update 1 or 13 of 20 another trainer goes on from the state, with η and λ on schedules."""
    experiment = replace(experiment, lr_schedule="inverse", lamda_schedule="inverse", l2=0.01)
    states = list(torch_states(experiment, data))
    _, batches = draw(experiment, data)
    left = list(batches)[interrupted:]
    trainer = Trainer(experiment)
    trainer.load(states[interrupted])
    for x, t in left:
        trainer.step(x, t)

    assert left
    assert bits(states[-1]) == bits(trainer.state())


@pytest.mark.parametrize(
    ("forgotten", "experiment"),
    [
        ("W", Experiment(optimizer="momentum", epochs=1, batch_size=5)),
        ("b", Experiment(optimizer="adam", epochs=1, batch_size=5)),
        ("style", Experiment(style="cumulative", lamda=0.1, epochs=1, batch_size=5)),
        ("updates", Experiment(lr_schedule="inverse", epochs=1, batch_size=5)),
    ],
    ids=["momentum", "Adam's moments of biases", "cumulative's debt", "the place in the schedule"],
)
def test_what_a_state_holds_is_needed(data, forgotten, experiment):
    """Twin: with any part of it left out, the run goes on another way."""
    states = list(torch_states(experiment, data))
    batches = list(draw(experiment, data)[1])[10:]
    whole = states[10]
    less = {
        "updates": whole._replace(updates=0),
        **{
            part: whole._replace(memory=[known._replace(**{part: ()}) for known in whole.memory])
            for part in Memory._fields
        },
    }[forgotten]
    ends = []
    for state in (whole, less):
        trainer = Trainer(experiment)
        trainer.load(state)
        for x, t in batches:
            trainer.step(x, t)
        ends.append(bits(trainer.state()._replace(updates=0)))

    assert ends[0] != ends[1]
    assert bits(states[-1]._replace(updates=0)) == ends[0]


def test_a_loaded_trainer_forgets_what_it_knew(data):
    """load() of a state without memory is a fresh trainer, whatever was trained before."""
    experiment = Experiment(style="cumulative", optimizer="adam", epochs=1, batch_size=10)
    trainer = Trainer(experiment)
    ends = []
    for _ in range(2):
        parameters, batches = draw(experiment, data)
        trainer.load(start(parameters))
        for x, t in batches:
            trainer.step(x, t)
        ends.append(bits(trainer.state()))

    assert ends[0] == ends[1]


def test_state_is_a_copy(data):
    """A later step changes nothing in a state that was taken before."""
    experiment = Experiment(style="cumulative", optimizer="adam", epochs=1, batch_size=10)
    states = list(torch_states(experiment, data))
    trainer = Trainer(experiment)
    trainer.load(states[3])
    before = bits(states[3])
    trainer.step(*next(draw(experiment, data)[1]))

    assert isinstance(states[3], State)
    assert before == bits(states[3])
