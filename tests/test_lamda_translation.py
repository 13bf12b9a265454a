"""λ translated from one style to another: worked by hand, proved by training, and shown able to fail."""

import json
import sys
from dataclasses import replace
from functools import partial
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparisons.lamda.proof import exit_status, prove
from comparisons.lamda.translation import (
    ASYMPTOTIC,
    EXACT,
    IMPOSSIBLE,
    events_that_differ,
    shrinkage,
    translate_lamda,
)
from comparisons.lamda.units import L2_UNITS, UNITS, in_unit, to_lamda
from reference.errors import InputError
from reference.experiment import Experiment
from reference.l1 import STYLES
from reference.optimizers import OPTIMIZERS

PENALTY = Experiment(style="penalty", lamda=0.001, lr=0.01)
SHORT = replace(PENALTY, epochs=3, batch_size=5, lamda=0.003)  # 120 updates
TOWARD_ZERO = [style for style in STYLES if shrinkage(style)[0] == 1]


def test_a_style_is_asked_for_its_shrinkage():
    """s λ ηᵖ: none moves nothing, the listing away from zero, tack-on without η, all others by η λ toward zero."""
    expected = {"none": (0, 0), "as_listed": (-1, 1), "tack_on": (1, 0)}

    assert {style: expected.get(style, (1, 1)) for style in STYLES} == {style: shrinkage(style) for style in STYLES}


BY_HAND = {
    "penalty to tack-on": (PENALTY, "tack_on", 1e-5, EXACT),
    "tack-on to penalty": (replace(PENALTY, style="tack_on", lamda=1e-5), "penalty", 1e-3, EXACT),
    "penalty to decoupled": (PENALTY, "decoupled", 1e-3, EXACT),
    "penalty to proximal": (PENALTY, "proximal", 1e-3, ASYMPTOTIC),
    "clipped to tack-on": (replace(PENALTY, style="clipped"), "tack_on", 1e-5, ASYMPTOTIC),
    "listing to penalty": (replace(PENALTY, style="as_listed"), "penalty", 1e-3, IMPOSSIBLE),
    "penalty to none": (PENALTY, "none", None, IMPOSSIBLE),
    "none to penalty": (replace(PENALTY, style="none"), "penalty", 0.0, EXACT),
    "λ = 0": (replace(PENALTY, lamda=0.0), "proximal", 0.0, EXACT),
    "momentum": (replace(PENALTY, optimizer="momentum"), "decoupled", 1e-2, ASYMPTOTIC),
    "momentum, back": (replace(PENALTY, optimizer="momentum", style="decoupled"), "penalty", 1e-4, ASYMPTOTIC),
    "momentum to tack-on": (replace(PENALTY, optimizer="momentum"), "tack_on", 1e-4, ASYMPTOTIC),
    "after momentum": (replace(PENALTY, optimizer="momentum", style="decoupled"), "tack_on", 1e-5, EXACT),
    "momentum of 0": (replace(PENALTY, optimizer="momentum", momentum=0.0), "decoupled", 1e-3, EXACT),
    "Adam": (replace(PENALTY, optimizer="adam"), "decoupled", 1e-3, IMPOSSIBLE),
    "after Adam": (replace(PENALTY, optimizer="adam", style="decoupled"), "tack_on", 1e-5, EXACT),
    "schedule": (replace(PENALTY, lr_schedule="inverse"), "tack_on", 1e-5, EXACT),
    "schedule, same place": (replace(PENALTY, lr_schedule="inverse"), "decoupled", 1e-3, EXACT),
    "schedule against": (replace(PENALTY, lr_schedule="inverse", style="tack_on"), "penalty", 0.1, IMPOSSIBLE),
}


@pytest.mark.parametrize(("source", "style", "expected", "kind"), BY_HAND.values(), ids=BY_HAND)
def test_translation_by_hand(source, style, expected, kind):
    """η = 0.01, β = 0.9: λ' is λ η, λ / η, λ / (1 − β) or λ (1 − β)."""
    found = translate_lamda(source, style)

    assert kind == found.kind
    assert expected is None or pytest.approx(expected, rel=1e-14) == found.target.lamda


def test_a_schedule_is_handed_on():
    """Tack-on's λ takes over the schedule of η; where λ of a tack-on had that schedule, the penalty's is constant."""
    there = translate_lamda(replace(PENALTY, lr_schedule="inverse"), "tack_on")
    back = translate_lamda(there.target, "penalty")

    assert ("inverse", "constant") == (there.target.lamda_schedule, back.target.lamda_schedule)
    assert EXACT == back.kind


def test_a_constant_tack_on_under_a_schedule_is_impossible():
    """--constant says so, and why."""
    found = translate_lamda(replace(PENALTY, lr_schedule="inverse"), "tack_on", constant=True)

    assert IMPOSSIBLE == found.kind
    assert "by 11 within 100,000 updates; λ would have to change with every update, to λ'_t = λ η_t" in found.reason
    assert "constant" == found.target.lamda_schedule


def test_a_product_of_two_schedules_has_no_row():
    """λ that has a schedule itself would need η_t λ_t."""
    source = replace(PENALTY, lr_schedule="inverse", lamda_schedule="inverse")

    assert IMPOSSIBLE == translate_lamda(source, "tack_on").kind
    assert EXACT == translate_lamda(source, "decoupled").kind
    assert (
        EXACT == translate_lamda(source, "decoupled", constant=True).kind
    )  # that λ has a schedule is no obstacle here
    assert "to λ'_t = λ_t η_t" in translate_lamda(source, "tack_on").reason


@pytest.mark.parametrize(
    ("style", "optimizer", "expected"),
    [
        ("penalty", "sgd", (0.1, 1e-4)),
        ("tack_on", "sgd", (0.1, 1e-3)),
        ("proximal", "momentum", (0.1, 1e-4)),
        ("penalty", "adam", (0.01, 1e-4)),
        ("proximal", "adam", (0.01, 1e-3)),
    ],
)
def test_a_sum_becomes_a_mean(style, optimizer, expected):
    """10 items a batch: η · 10 and λ / 10, but tack-on's λ, and under Adam η, and λ after its step, stay."""
    source = replace(PENALTY, style=style, optimizer=optimizer, reduction="sum", batch_size=10)
    there = translate_lamda(source, style, "mean")
    back = translate_lamda(there.target, style, "sum")

    assert pytest.approx(expected, rel=1e-14) == (there.target.lr, there.target.lamda)
    assert pytest.approx((source.lr, source.lamda), rel=1e-14) == (back.target.lr, back.target.lamda)


def test_where_styles_part():
    """What two styles with the same shrinkage do differently, asked of their formulas."""
    assert [] == events_that_differ("penalty", "tack_on") == events_that_differ("penalty", "decoupled")
    assert ["a weight leaves zero after it was held there"] == events_that_differ("proximal", "cumulative")
    assert "the pull takes a weight across zero" in events_that_differ("decoupled", "clipped")
    assert "the optimizer's step takes a weight across zero" in events_that_differ("clipped", "proximal")


# the styles that an exact translation leads to, from each other
EXACT_GROUPS = {
    "sgd": ("penalty", "tack_on", "decoupled"),
    "momentum": ("tack_on", "decoupled"),
    "adam": ("tack_on", "decoupled"),
}
EXACT_PAIRS = [(o, one, other) for o, group in EXACT_GROUPS.items() for one, other in permutations(group, 2)]


def test_which_translations_are_exact():
    """Among the styles that pull toward zero."""
    found = [
        (optimizer, one, other)
        for optimizer in OPTIMIZERS
        for one, other in permutations(TOWARD_ZERO, 2)
        if translate_lamda(replace(SHORT, style=one, optimizer=optimizer), other).kind == EXACT
    ]

    assert EXACT_PAIRS == found


@pytest.mark.parametrize(("optimizer", "one", "other"), EXACT_PAIRS)
def test_exact_translations_are_proved_by_the_bits(data, optimizer, one, other):
    """0 of 124 parameters differ, one side in NumPy and the other in PyTorch."""
    found = translate_lamda(replace(SHORT, style=one, optimizer=optimizer), other)
    proof = prove(found, lambda _: None, data)

    assert (120, 0, 0) == (proof.agreement.updates, proof.agreement.updates_apart, proof.agreement.differing)
    assert 0 == exit_status(found, proof)


EXACT_TOO = {
    "schedule": (replace(SHORT, lr_schedule="inverse"), "tack_on", None),
    "sum to mean": (replace(SHORT, reduction="sum"), "penalty", "mean"),
    "mean to sum, tack-on": (replace(SHORT, l2=0.01), "tack_on", "sum"),
    "sum to mean under momentum": (replace(SHORT, reduction="sum", optimizer="momentum"), "penalty", "mean"),
    "no λ": (replace(SHORT, lamda=0.0), "cumulative", None),
}


@pytest.mark.parametrize(("source", "style", "reduction"), EXACT_TOO.values(), ids=EXACT_TOO)
def test_schedules_and_sums_are_proved_too(data, source, style, reduction):
    """Exact, and 0 differ."""
    found = translate_lamda(source, style, reduction)

    assert EXACT == found.kind
    assert 0 == prove(found, lambda _: None, data).agreement.differing


@pytest.mark.parametrize("factor", [1.001, 100.0], ids=["λ' 0.1 % off", "λ not translated"])
def test_another_lamda_is_no_proof(data, factor):
    """Twin: the right style with another λ ends with other parameters, and that is exit status 1."""
    found = translate_lamda(SHORT, "tack_on")
    wrong = replace(found, target=replace(found.target, lamda=found.target.lamda * factor))
    proof = prove(wrong, lambda _: None, data)

    assert 1 == exit_status(wrong, proof)
    assert 1 == proof.agreement.first_difference.update


@pytest.mark.parametrize("other", ["clipped", "proximal", "cumulative"])
def test_asymptotic_is_equal_until_a_weight_comes_near_zero(data, other):
    """With weights that start far from zero for the pull, the first updates are equal; later ones are not."""
    source = replace(SHORT, lr=0.001, epochs=40)
    found = translate_lamda(source, other)
    proof = prove(found, lambda _: None, data)

    assert ASYMPTOTIC == found.kind
    assert 1 < proof.agreement.first_difference.update
    assert 0 < proof.agreement.largest_gap
    assert 0 == exit_status(found, proof)


def test_momentum_is_reached_in_the_long_run(data):
    """λ / (1 − β) is nearer than λ in Σ|w|, and not equal."""
    source = replace(SHORT, optimizer="momentum", lamda=0.001, epochs=20)
    found = translate_lamda(source, "decoupled")
    untranslated = replace(found, target=replace(found.target, lamda=source.lamda))
    gaps = []
    for translation in (found, untranslated):
        one, other = prove(translation, lambda _: None, data).sum_abs
        gaps.append(abs(one - other))

    assert 0 < gaps[0] < gaps[1] / 2


def test_nothing_trained_is_no_proof(data):
    """Zero epochs are exit status 3."""
    found = translate_lamda(replace(SHORT, epochs=0), "tack_on")

    assert 3 == exit_status(found, prove(found, lambda _: None, data))


POSITIVE = st.floats(1e-9, 1e3)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    one=st.sampled_from(TOWARD_ZERO),
    other=st.sampled_from(TOWARD_ZERO),
    optimizer=st.sampled_from(list(OPTIMIZERS)),
    value=POSITIVE,
    lr=POSITIVE,
    beta=st.floats(0, 0.999),
)
def test_there_and_back_is_the_identity(one, other, optimizer, value, lr, beta):
    """λ comes back, but for the rounding of two multiplications and two powers."""
    source = Experiment(style=one, lamda=value, lr=lr, optimizer=optimizer, momentum=beta)
    there = translate_lamda(source, other)
    back = translate_lamda(there.target, one)

    assert there.kind == back.kind
    assert pytest.approx(value, rel=4 * sys.float_info.epsilon) == back.target.lamda


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [("lamda", 0.5, 0.5), ("alpha", 0.5, 0.5), ("lasso", 0.5, 0.5), ("C", 0.5, 1 / 50)],
)
def test_units_by_hand(unit, value, expected):
    """100 items: C = 0.5 is λ = 1 / (100 · 0.5); α is λ beside a mean loss, and squares with ½. And back."""
    row = UNITS[unit]

    assert expected == row.to_lamda(value, 100)
    assert value == row.from_lamda(expected, 100)


def test_l2_without_a_half_is_twice_weight_decay():
    """Keras writes λ₂Σw², torch and scikit-learn ½λ₂Σw²."""
    assert 0.02 == L2_UNITS["keras"].to_lamda(0.01, 1)


def test_a_lamda_of_0_has_no_c():
    """C = 1 / nλ is infinite then; a C of 0 is refused."""
    assert float("inf") == in_unit(0.0, "C", 100)
    with pytest.raises(InputError, match=r"^value in the unit C must be a number > 0; got 0.0$"):
        to_lamda(0.0, "C", UNITS, 100)


REFUSED_BY_THE_LIBRARY = {
    "source": (replace(PENALTY, style="lasso"), "penalty", None, "style must be one of none, penalty"),
    "optimizer": (replace(PENALTY, optimizer="lion"), "penalty", None, "optimizer must be one of sgd, momentum, adam"),
    "style": (PENALTY, "lasso", None, "style must be one of none, penalty"),
    "reduction": (PENALTY, "penalty", "max", "reduction must be one of mean, sum; got max"),
}


@pytest.mark.parametrize(
    ("source", "style", "reduction", "message"), REFUSED_BY_THE_LIBRARY.values(), ids=REFUSED_BY_THE_LIBRARY
)
def test_the_library_speaks_of_its_own_arguments(source, style, reduction, message):
    """No option of the command line is in its errors."""
    with pytest.raises(InputError) as error:
        translate_lamda(source, style, reduction)

    assert str(error.value).startswith(message)
    assert "--" not in str(error.value)


def test_a_translation_shows_itself_in_one_line():
    """In a terminal, and with its reason in a notebook, where signs of HTML are escaped."""
    found = translate_lamda(PENALTY, "tack_on")
    html = replace(found, reason="λ < η")._repr_html_()

    assert "Translation(penalty, λ = 0.001 → tack_on, λ = 1e-05: exact, λ' = λ · η)" == repr(found)
    assert html.startswith("<p><code>Translation(penalty, λ = 0.001 → tack_on, λ = 1e-05: exact, λ")
    assert "<p>λ &lt; η</p>" in html


@pytest.fixture(name="run")
def run_command(run):
    """run(*options) of this command."""
    return partial(run, "lamda")


def test_the_command_of_the_article(run, tmp_path):
    """penalty 0.001 at η = 0.01 is tack-on 1e-05, exactly, and --prove shows it."""
    path = tmp_path / "r.json"
    status, out, _ = run(
        "--from", "penalty", "--to", "tack_on", "--lr", 0.01, "--lamda", 0.001, "--prove", "--epochs", 1, "--json", path
    )
    result = json.loads(path.read_text())

    assert 0 == status
    assert "penalty, λ = 0.001  →  tack_on: exact\n\nuse lamda 1e-05   (λ' = λ · η)\n" in out
    assert "0 of 124 parameters differ at the end, and none after any update." in " ".join(out.split())
    assert ("exact", 1e-5, 0) == (
        result["translation"]["kind"],
        result["translation"]["value"],
        result["proof"]["differing"],
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--to", "decoupled", "--optimizer", "adam"], "Impossible: Adam divides what penalty puts into the gradient"),
        (["--to", "tack_on", "--lr-schedule", "inverse", "--constant"], "Impossible: η scales λ in penalty alone"),
        (["--to", "as_listed"], "Impossible: penalty pulls weights toward zero and as_listed away from zero"),
        (["--to", "none"], "There is no λ' for it"),
    ],
    ids=["Adam", "schedule", "listing", "none"],
)
def test_what_is_impossible_is_said_to_be(run, options, words):
    """Exit status 0, and the reason."""
    status, out, _ = run("--from", "penalty", *options)

    assert 0 == status
    assert words in out


def test_l2_is_told_in_the_unit_of_weight_decay(run):
    """Keras' 0.01 is λ₂ = 0.02 beside ½ Σw²."""
    status, out, _ = run("--from", "penalty", "--to", "decoupled", "--l2", 0.01, "--l2-unit", "keras")

    assert 0 == status
    assert "λ₂ = 0.02, beside ½ Σw²." in out


REFUSED = {
    "from": (["--from", "lasso", "--to", "penalty"], "--from must be one of none, penalty"),
    "to": (["--from", "penalty", "--to", "lasso"], "--to must be one of none, penalty"),
    "no to": (["--from", "penalty"], "Missing option '--to'"),
    "lamda": (
        ["--from", "penalty", "--to", "tack_on", "--lamda", "-1"],
        "lamda must be a finite number >= 0; got -1.0",
    ),
    "unit": (
        ["--from", "penalty", "--to", "tack_on", "--lamda-unit", "nu"],
        "--lamda-unit must be one of lamda, alpha",
    ),
    "to unit": (["--from", "penalty", "--to", "tack_on", "--to-unit", "nu"], "--to-unit must be one of lamda, alpha"),
    "C": (
        ["--from", "penalty", "--to", "tack_on", "--lamda-unit", "C", "--lamda", "0"],
        "--lamda in the unit C must be",
    ),
    "items": (["--from", "penalty", "--to", "tack_on", "--items", "0"], "--items must be a whole number >= 1; got 0"),
    "reduction": (
        ["--from", "penalty", "--to", "tack_on", "--to-reduction", "max"],
        "--to-reduction must be one of mean",
    ),
    "batches": (
        ["--from", "penalty", "--to", "penalty", "--to-reduction", "sum", "--batch-size", "7", "--prove"],
        "--batch-size must divide the 200 training items of the article's data here; got 7",
    ),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_line_and_exit_2(run, options, message):
    """What was wrong, and what is allowed: one line on stderr, nothing on stdout."""
    status, out, err = run(*options)

    assert 2 == status
    assert err.startswith(f"error: {message}")
    assert 1 == err.count("\n")
    assert "" == out
