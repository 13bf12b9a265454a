"""A step and the fold over it."""

from dataclasses import replace

import numpy as np
import pytest

from reference.errors import InputError
from reference.experiment import Experiment, draw, start
from reference.l1 import STYLES
from reference.train import step, to_float32_grid, train, update

EXPERIMENT = Experiment(epochs=1)


@pytest.fixture(name="first")
def first_update(data):
    """The state before the first update, and the first batch."""
    parameters, batches = draw(EXPERIMENT, data)
    return start(parameters), *next(batches)


def test_biases_are_not_penalised(first):
    """λ changes every weight and no bias."""
    one, other = (update(*first, replace(EXPERIMENT, lamda=lamda)).parameters for lamda in (0.001, 0.1))

    for (W, b), (V, c) in zip(one, other, strict=True):
        assert (W != V).all()
        assert (b == c).all()


@pytest.mark.parametrize("style", [style for style, row in STYLES.items() if not row.after_step_with_memory])
def test_l2_adds_its_gradient_to_weights_alone(first, style):
    """Beside any style, λ₂ moves a weight by −η λ₂ w and a bias not at all."""
    experiment = replace(EXPERIMENT, style=style)
    without, with_l2 = (update(*first, replace(experiment, l2=l2)).parameters for l2 in (0.0, 0.5))

    for (W, _), (V, c), (U, d) in zip(first[0].parameters, without, with_l2, strict=True):
        assert pytest.approx(V - 0.01 * 0.5 * W, abs=1e-17) == U
        assert (c == d).all()


def test_an_update_does_not_change_its_arguments(first):
    """A step is a pure function."""
    before = [array.copy() for layer in first[0].parameters for array in layer]
    step(*first, EXPERIMENT)

    assert all((a == b).all() for a, b in zip(before, (a for layer in first[0].parameters for a in layer), strict=True))


def test_rounding_is_to_the_nearest_float32_ties_to_even():
    """1 + 2⁻²⁴ is half-way between 1 and 1 + 2⁻²³: it becomes 1; 1 + 3·2⁻²⁴ becomes 1 + 2⁻²²."""
    rounded = to_float32_grid([(np.array([[1 + 2**-24, 1 + 3 * 2**-24]]), np.array([0.1]))])

    assert [1.0, 1 + 2**-22] == rounded[0][0][0].tolist()
    assert np.float32(0.1) == rounded[0][1][0] != 0.1


def test_a_run_begins_with_its_start(data):
    """Item 0 is what was drawn; item k is the parameters after update k."""
    run = list(train(EXPERIMENT, data))
    parameters, batches = draw(EXPERIMENT, data)

    assert 201 == len(run)
    assert (parameters[0][0] == run[0][0][0]).all()
    assert (step(start(parameters), *next(batches), EXPERIMENT).parameters[0][0] == run[1][0][0]).all()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"style": "lasso"}, f"style must be one of {', '.join(STYLES)}; got lasso"),
        ({"optimizer": "lion"}, "optimizer must be one of sgd, momentum, adam; got lion"),
        ({"reduction": "max"}, "reduction must be one of mean, sum; got max"),
        ({"loss": "mse"}, "loss must be one of squared_error, cross_entropy; got mse"),
        (
            {"softmax_derivative": "half"},
            "softmax_derivative for squared_error must be one of full, diagonal; got half",
        ),
        (
            {"loss": "cross_entropy", "softmax_derivative": "diagonal"},
            "softmax_derivative for cross_entropy must be one of full; got diagonal",
        ),
    ],
    ids=["style", "optimizer", "reduction", "loss", "derivative", "pair"],
)
def test_unknown_names_are_refused(data, names, message):
    """A name that has no row in its table is an error that lists the rows, before the first update."""
    with pytest.raises(InputError) as error:
        train(replace(EXPERIMENT, **names), data)

    assert message == str(error.value)
