"""The experiment's numbers, and all randomness."""

import random
from dataclasses import replace

import numpy as np
import pytest

from reference.errors import InputError
from reference.experiment import Experiment, draw, updates_of

REFUSED = {
    "negative lamda": ({"lamda": -0.1}, "lamda must be a finite number >= 0; got -0.1"),
    "infinite lamda": ({"lamda": float("inf")}, "lamda must be a finite number >= 0; got inf"),
    "lamda not a number": ({"lamda": float("nan")}, "lamda must be a finite number >= 0; got nan"),
    "negative l2": ({"l2": -1.0}, "l2 must be a finite number >= 0; got -1.0"),
    "no lr": ({"lr": 0.0}, "lr must be a finite number > 0; got 0.0"),
    "negative lr": ({"lr": -0.01}, "lr must be a finite number > 0; got -0.01"),
    "lr not a number": ({"lr": float("nan")}, "lr must be a finite number > 0; got nan"),
    "negative epochs": ({"epochs": -1}, "epochs must be a whole number >= 0; got -1"),
    "negative seed": ({"seed": -1}, "seed must be a whole number >= 0; got -1"),
    "no batch": ({"batch_size": 0}, "batch_size must be a whole number >= 1; got 0"),
    "one size": ({"sizes": (10,)}, "sizes must be two or more numbers >= 1 (features … classes); got (10,)"),
    "precision": ({"precision": "half"}, "precision must be one of rounded, float64, float32; got half"),
}


@pytest.mark.parametrize(("numbers", "message"), REFUSED.values(), ids=REFUSED)
def test_numbers_that_cannot_be_trained_with_are_refused(numbers, message):
    """The error names the value and what is allowed."""
    with pytest.raises(InputError) as error:
        Experiment(**numbers)

    assert message == str(error.value)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"sizes": (9, 8, 4)}, "sizes must begin with 10 (features) and end with 4 (classes) for the article's data"),
        ({"batch_size": 201}, "batch_size must be at most 200, the training items of the article's data; got 201"),
    ],
    ids=["sizes", "batch size"],
)
def test_experiments_that_do_not_fit_the_data_are_refused(data, numbers, message):
    """The error names the value and what the data allows."""
    with pytest.raises(InputError) as error:
        draw(Experiment(**numbers), data)

    assert str(error.value).startswith(message)


def test_parameters_are_drawn_in_the_articles_order(data):
    """W₁ row-major, b₁, W₂ row-major, b₂: each −0.01 + 0.02 · random(), kept as float32."""
    rnd = random.Random(7)
    expected = [np.float32(-0.01 + 0.02 * rnd.random()) for _ in range(124)]

    parameters, _ = draw(Experiment(seed=7), data)

    assert expected == np.concatenate([array.ravel() for layer in parameters for array in layer]).tolist()


def test_one_list_of_indices_is_shuffled_by_the_same_generator(data):
    """The order of epoch two comes from shuffling that of epoch one, after the draws of the weights."""
    rnd = random.Random(0)
    for _ in range(124):
        rnd.random()
    order = list(range(200))
    expected = []
    for _ in range(2):
        rnd.shuffle(order)
        expected += order

    _, batches = draw(Experiment(epochs=2), data)

    assert (data.x_train[expected] == np.concatenate([x for x, _ in batches])).all()


def test_the_last_batch_of_an_epoch_may_be_smaller(data):
    """200 items in batches of 64: 64, 64, 64, 8."""
    experiment = Experiment(epochs=1, batch_size=64)
    _, batches = draw(experiment, data)

    assert [64, 64, 64, 8] == [len(x) for x, _ in batches]
    assert 4 == updates_of(experiment, data)


@pytest.mark.parametrize("precision", ["rounded", "float64", "float32"])
def test_everything_that_is_drawn_has_the_precisions_type(data, precision):
    """float32 computes in float32; the other two in float64."""
    parameters, batches = draw(Experiment(precision=precision), data)
    arrays = [*(array for layer in parameters for array in layer), *next(batches)]

    assert {np.dtype("float32" if precision == "float32" else "float64")} == {array.dtype for array in arrays}


def test_another_seed_is_another_start(data):
    """Twin of the draws above: the seed has an effect on the weights and on the order."""
    (one, batches), (other, other_batches) = (draw(replace(Experiment(), seed=seed), data) for seed in (0, 1))

    assert (one[0][0] != other[0][0]).all()
    assert any((x != y).any() for (x, _), (y, _) in zip(batches, other_batches, strict=True))


def test_repr_says_what_is_not_the_default():
    """Short, and enough to make the experiment again; in a notebook as HTML."""
    experiment = Experiment(style="none", lr=0.5)

    assert "Experiment(lr=0.5, style='none')" == repr(experiment)
    assert experiment == eval(repr(experiment))
    assert "<code>Experiment()</code>" == Experiment()._repr_html_()
