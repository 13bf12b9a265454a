"""What a diagnosis says: of every style beside every other, of less evidence, of what is no bug, of what is unknown."""

import json
from dataclasses import asdict, replace
from itertools import chain, islice, permutations

import numpy as np
import pytest
import torch

import torch_impl.train
from comparisons.diagnosis.batches import nonnegative
from comparisons.diagnosis.evidence import COMPUTED, DERIVED, RECORDED, RELATIVE
from comparisons.diagnosis.words import sentence
from comparisons.recorders.plain import Recorder
from comparisons.runs.names import as_parameters, as_state
from comparisons.runs.trace import open_trace
from comparisons.same_training import Asked, finding_of
from reference.experiment import Experiment, State, draw, start
from reference.l1 import STYLES
from reference.train import fold, gradients, step, train
from tests.faults import by_hand, in_torch

EXPERIMENT = Experiment(epochs=1)


@pytest.fixture(name="trace")
def recorded(tmp_path):
    """trace(name, states, …) -> an opened trace of them."""

    def trace(name, run, **options):
        with Recorder(tmp_path / f"{name}.npz", **options) as recorder:
            for state in run:
                recorder.update(state if isinstance(state, dict) else as_state(state))
        return open_trace(tmp_path / f"{name}.npz")

    return trace


def says(finding):
    """The sentences of the explanations."""
    return [sentence(finding.evidence, finding.diagnosis, e) for e in finding.diagnosis.explanations]


def report(finding):
    """The report in one line."""
    return " ".join(finding.report.split())


def found(one, other, experiment=EXPERIMENT, data=None):
    """What is found of two traces."""
    return finding_of(one, other, Asked({}, experiment=experiment, data=data), "")


# --- every style beside every other ---------------------------------------------------------------------------------

SAME_WITH_SGD = {"penalty", "decoupled"}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_every_style_is_told_from_every_other(trace, data, optimizer):
    """56 pairs: each is named, and nothing that is not as good comes first; penalty and decoupled are one under SGD."""
    base = Experiment(epochs=2, optimizer=optimizer, lamda=0.003)
    traces = {style: trace(style, train(replace(base, style=style), data)) for style in STYLES}
    wrong = []
    for asked, done in permutations(STYLES, 2):
        result = found(traces[asked], traces[done], replace(base, style=asked), data)
        if optimizer == "sgd" and {asked, done} == SAME_WITH_SGD:
            wrong += [] if result.comparison.exit_status == 0 else [(asked, done)]
            continue
        alike = SAME_WITH_SGD if optimizer == "sgd" and done in SAME_WITH_SGD else {done}
        expected = "has no L1" if done == "none" else f"{done}, w⁺"
        kinds = [e.variant.words for e in result.diagnosis.explanations]
        named = any(expected in said for said in says(result))
        first = done == "none" or asked == "none" or kinds[0] in alike
        wrong += [] if named and first else [(asked, done, says(result))]

    assert [] == wrong


# --- sign of 0, and what is no bug ----------------------------------------------------------------------------------


class PrunedFirstInput(by_hand.SignOfZeroIsOne):
    """Its weights start at exactly 0, as after pruning."""

    def __init__(self, experiment, data):
        super().__init__(experiment, data)
        self.W1[0] = 0.0


def pruned(data):
    """The reference's run from there."""
    parameters, batches = draw(EXPERIMENT, data)
    parameters[0][0][0] = 0.0
    return fold(step, parameters, batches, EXPERIMENT)


def test_the_sign_of_zero(trace, data):
    """if w >= 0: shows where a weight is exactly 0, and is named."""
    result = found(trace("r", pruned(data)), trace("c", PrunedFirstInput(EXPERIMENT, data).run()), data=data)

    assert (1, ("W1",)) == (result.diagnosis.update, result.diagnosis.parameters)
    assert ["the candidate's L1 is sign 0 = 1", "the candidate's L1 is decoupled, sign 0 = 1"] == [
        said.split(", w⁺")[0] for said in says(result)
    ]  # which are the same under plain SGD


@pytest.mark.parametrize("style", STYLES)
def test_float32_arithmetic_is_no_bug(trace, data, style):
    """PyTorch in float32 beside NumPy in float64: all of it is explained, nothing is named."""
    e = replace(EXPERIMENT, style=style, lamda=0.003, precision="float64")
    other = torch_impl.train.train(replace(e, precision="float32"), data)
    result = found(trace("r", train(e, data)), trace("c", other), e, data)

    assert (1, None, []) == (result.comparison.exit_status, result.diagnosis.update, says(result))
    assert "because arithmetic in float32 explains each of the 200 updates" in report(result)
    assert "equal up to rounding" == result.verdict


def test_float32_by_hand_is_no_bug(trace, data):
    """The collection's Right in float32."""
    result = found(trace("r", train(EXPERIMENT, data)), trace("c", in_torch.Float32(EXPERIMENT, data).run()), data=data)

    assert (1, None, []) == (result.comparison.exit_status, result.diagnosis.update, says(result))


E64 = replace(EXPERIMENT, precision="float64")


def near_zero_after_the_first_update(data):
    """The drawn parameters, with a weight that the first update brings to 0, but for roundings."""
    parameters, batches = draw(E64, data)
    x, t = next(batches)
    w = parameters[0][0]
    for _ in range(50):
        slope = gradients(parameters, x, t, E64)[0][0][0, 0]
        w[0, 0] = E64.lr * (slope + E64.lamda * np.sign(w[0, 0]))
    return parameters


def other_sign(state, x, t, experiment):
    """An update, and after the first one another rounding of W1[0, 0], on the other side of 0."""
    after = step(state, x, t, experiment)
    if after.updates == 1:
        W = after.parameters[0][0]
        assert abs(W[0, 0]) < 1e-17
        W[0, 0] = -1e-18 if W[0, 0] >= 0 else 1e-18
    return State(after.parameters, after.memory, after.updates)


def test_chatter_after_a_sign_event_is_no_bug(trace, data):
    """Rounding gives a weight near zero the other sign; from then on L1 pulls it the other way."""
    parameters = near_zero_after_the_first_update(data)
    one, other = (fold(by, parameters, draw(E64, data)[1], E64) for by in (step, other_sign))
    result = found(trace("r", one), trace("c", other), E64, data)

    assert (1, None, 2) == (result.comparison.exit_status, result.diagnosis.update, result.diagnosis.window.sign_event)
    assert result.comparison.parameters[0].largest_gap > E64.lr * E64.lamda
    assert "because rounding alone explains each of the" in report(result)
    assert "before update 2 rounding had given a weight near zero another sign" in report(result)


# --- evidence -------------------------------------------------------------------------------------------------------


def with_gradients(path, data, experiment, said):
    """The reference's run, with the gradients that its optimizer was given."""
    parameters, batches = draw(experiment, data)
    state = start(parameters)
    with Recorder(path, experiment=said) as recorder:
        recorder.update(as_state(parameters))
        for x, t in batches:
            before = as_state(state.parameters)
            slopes = as_state(gradients(state.parameters, x, t, experiment))
            given = {n: g + experiment.lamda * np.sign(before[n]) * (n[0] == "W") for n, g in slopes.items()}
            state = step(state, x, t, experiment)
            recorder.update(as_state(state.parameters), gradients=given)
    return open_trace(path)


NAMED = {
    "TackedOn": (by_hand.TackedOn, "L1 is tack_on"),
    "Halved": (by_hand.Halved, "λ is 0.0005, ½ times what was asked for"),
    "BiasesPenalised": (by_hand.BiasesPenalised, "L1 is on biases too"),
    "Momentum": (in_torch.Momentum, "optimizer is momentum, β = 0.9"),
    "TenTimesTheRate": (by_hand.TenTimesTheRate, "η is 0.1, 10 times"),
}


@pytest.mark.parametrize("source", [COMPUTED, RECORDED, DERIVED])
@pytest.mark.parametrize(("code", "sentence"), NAMED.values(), ids=NAMED)
def test_gradients_are_taken_from_where_they_are_known_best(trace, data, tmp_path, source, code, sentence):
    """Computed, recorded, or worked out: the difference is named, and the report says from what."""
    said = asdict(EXPERIMENT)
    if source == RECORDED:
        one = with_gradients(tmp_path / "r.npz", data, EXPERIMENT, said)
    else:
        one = trace("r", train(EXPERIMENT, data), experiment=said)
    result = found(one, trace("c", code(EXPERIMENT, data).run()), None, None)
    if source == COMPUTED:
        result = found(one, result.comparison.candidate, EXPERIMENT, data)

    assert source == result.evidence.source
    assert sentence in says(result)[0]
    assert f"gradients {source}" in report(result)


def test_with_the_articles_data_in_its_header_gradients_are_computed(trace, data):
    """No option is needed for what this package has recorded."""
    one = trace("r", train(EXPERIMENT, data), experiment={**asdict(EXPERIMENT), "data": data.name})
    result = found(one, trace("c", by_hand.Diagonal(EXPERIMENT, data).run()), None)

    assert COMPUTED == result.evidence.source
    assert "gradient is that of the diagonal soft-max derivative" in says(result)[0]


def test_without_an_experiment_it_says_what_would_help(trace, data):
    """What λ and η are is not known: a factor of the step is, and a hint for the rest."""
    one = trace("r", train(EXPERIMENT, data))
    faster = found(one, trace("c", by_hand.TenTimesTheRate(EXPERIMENT, data).run()), None)
    unknown = found(one, trace("d", by_hand.Clipped(EXPERIMENT, data).run()), None)

    assert RELATIVE == faster.evidence.source
    assert ["the candidate's η is 10 times the reference's", "the candidate's loss is 10 times as large"] == says(
        faster
    )
    assert "more can be told if η, λ and the style are known: --experiment FILE" in report(unknown)


def test_a_window_does_not_tell_what_momentum_remembers(trace, data):
    """Recorded from update 50 on, the gradient is worked out instead, and a later fault is found all the same."""
    e = replace(EXPERIMENT, optimizer="momentum")

    class Later(by_hand.MomentumOfTheDataAlone):
        """L1 has a part in the momentum until update 100: the first that differs is the one after the next."""

        def step(self, name, w, g):
            if self.updates > 100:
                return super().step(name, w, g)
            self.m[name] = self.e.momentum * self.m[name] + g + self.penalty(name, w)
            return w - self.e.lr * self.m[name]

    options = {"every": 1000, "window": (50, 180)}
    result = found(trace("r", train(e, data), **options), trace("c", Later(e, data).run(), **options), e, data)

    assert (102, 102, DERIVED) == (
        result.comparison.first_update,
        result.diagnosis.update,
        result.evidence.source,
    )


def test_states_that_do_not_follow_each_other_tell_nothing(trace, data):
    """The digests tell the update, and how to record what is needed."""
    one = trace("r", train(EXPERIMENT, data), every=50)
    result = found(one, trace("c", by_hand.Clipped(EXPERIMENT, data).run(), every=50), data=data)

    assert "DIFFERENT at update 4, by their digests (200 updates, 4 parameters, 124 elements compared)" in report(
        result
    )
    assert "agrees everything before update 4" in report(result)
    assert "not known: no two states that follow each other were recorded where the runs part" in report(result)


# --- which side, and what cannot be known -----------------------------------------------------------------------------


def test_what_l1_holds_at_zero_tells_no_gradient(trace, data):
    """Worked out from a soft threshold: elements at 0 are asked of nobody, but that they differ is seen."""
    e = replace(EXPERIMENT, style="proximal", lamda=0.01, lr=0.1)
    one = trace("r", train(e, data))
    results = {
        style: found(one, trace(style, train(replace(e, style=style), data)), e)
        for style in ("none", "tack_on", "decoupled", "clipped")
    }

    assert ["the candidate has no L1; proximal was asked for"] == says(results["none"])
    assert says(results["tack_on"])[0].startswith("the candidate's L1 is tack_on, w⁺")
    for style in ("decoupled", "clipped"):
        assert [] == says(results[style])
        assert "not known: update 1 differs in weights that L1 holds at 0 in the reference" in report(results[style])


BATCHES = replace(EXPERIMENT, batch_size=16, epochs=12)


def ordered(data, order):
    """The reference's run of BATCHES with its items in another order."""
    parameters, batches = draw(BATCHES, data)
    if order == "file":
        rows = [slice(i, i + 16) for _ in range(12) for i in range(0, 200, 16)]
        batches = ((data.x_train[row], data.t_train[row]) for row in rows)
    if order == "seed":
        batches = draw(replace(BATCHES, seed=7), data)[1]
    if order == "afresh":
        batches = by_hand.ShuffledAfresh(replace(BATCHES, batch_size=1), data).batches()
        rows = [list(islice(batches, 200)) for _ in range(12)]
        batches = (
            tuple(np.concatenate([one[side] for one in row[i : i + 16]]) for side in (0, 1))
            for row in rows
            for i in range(0, 200, 16)
        )
    return fold(step, parameters, batches, BATCHES)


ORDERS = {
    "file": (1, "from update 1 on, the candidate is given items in the order of the file, which are not shuffled"),
    "seed": (1, "from update 1 on, the candidate is given items in another order: that of the seed 7"),
    "afresh": (14, "from update 14 on, the candidate is given items in another order: every epoch shuffles the file's"),
}


@pytest.mark.parametrize("order", ORDERS)
def test_another_order_of_batches(trace, data, order):
    """That of the file, of another seed, or shuffled afresh: told from the gradients, with 16 items a batch."""
    update, sentence = ORDERS[order]
    result = found(trace("r", train(BATCHES, data)), trace("c", ordered(data, order)), BATCHES, data)

    assert update == result.diagnosis.update
    assert says(result)[0].startswith(sentence)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("twice", [False, True], ids=["once", "with replacement"])
def test_the_items_of_any_batch_are_told(trace, data, twice, reduction):
    """Drawn by a generator that nobody here knows: each update is a mixture of gradients that only these items have."""
    e, generator = replace(BATCHES, reduction=reduction, style="tack_on"), np.random.default_rng(5)
    rows = [generator.choice(200, 8, replace=twice) for _ in range(20)]
    other = fold(step, draw(e, data)[0], ((data.x_train[row], data.t_train[row]) for row in rows), e)
    result = found(trace("r", train(e, data)), trace("c", other), e, data)
    items = ", ".join(map(str, sorted(rows[0])))

    assert [f"from update 1 on, the candidate is given batches of other items: {items} in the first"] == says(result)
    assert (1, 5) == result.diagnosis.explanations[0].updates


@pytest.mark.parametrize(
    ("wanted", "shares"),
    [((300, 200), [100, 200]), ((200, 300), [0, 250]), ((-300, -200), [0, 0])],
    ids=["mixture", "outside", "none"],
)
def test_shares_of_a_mixture_are_not_negative(wanted, shares):
    """Of (1, 0) and (1, 1): what is a mixture is told; (200, 300) is nearest to 250 (1, 1) without any (1, 0)."""
    assert shares == pytest.approx(nonnegative(np.array([[1.0, 1.0], [0.0, 1.0]]), np.array(wanted, float)))


def test_clipping_as_torch_has_it_to_the_last_bits(trace, data):
    """clip_grad_norm_ divides by the norm + 1e-6: without rounding to float32 that can be seen."""
    e = replace(EXPERIMENT, precision="float64")
    fault = in_torch.ClippedWithL1(e, data)
    states = [
        fault.arrays(),
        *(fault.update(*map(torch.from_numpy, batch)) or fault.arrays() for batch in fault.batches),
    ]
    result = found(trace("r", train(e, data)), trace("c", states), e, data)

    assert ["the candidate's gradients are clipped: to the norm 0.05, L1 inside"] == says(result)


def test_l2_that_is_missing_or_twice_as_large(trace, data):
    """Beside a λ₂ that was asked for."""
    e = replace(EXPERIMENT, l2=0.01)
    one = trace("r", train(e, data))
    missing, twice = (says(found(one, trace(f"{l2}", train(replace(e, l2=l2), data)), e, data)) for l2 in (0.0, 0.02))

    assert ["the candidate has no L2"] == missing
    assert "the candidate's λ₂ is 0.02, 2 times what was asked for" == twice[0]


@pytest.mark.parametrize("times", [3.0, 0.5, 0.01])
def test_another_lamda_within_adam(trace, data, times):
    """Of which Adam's first update tells next to nothing."""
    e = replace(EXPERIMENT, optimizer="adam", lr=0.005, lamda=0.01)
    one, other = (trace(name, train(x, data)) for name, x in (("r", e), ("c", replace(e, lamda=times * e.lamda))))

    assert says(found(one, other, e, data))[0].startswith(f"the candidate's λ is {times * e.lamda:.4g}, ")


@pytest.mark.parametrize("style", ["tack_on", "none"])
def test_the_reference_may_be_the_one_that_is_wrong(trace, data, style):
    """Where the candidate is as was asked, the difference is in the reference, and it is said so."""
    one = trace("r", train(replace(EXPERIMENT, style=style), data))
    result = found(one, trace("c", train(EXPERIMENT, data)), data=data)

    assert "the reference" in says(result)[0]
    assert {"tack_on": "L1 is tack_on", "none": "has no L1"}[style] in says(result)[0]


def test_updates_that_cannot_be_looked_at_are_not_vouched_for(trace, data):
    """Rounding explains the first updates; once the runs are far apart, the reference's gradients say no more."""
    e = replace(EXPERIMENT, lr=0.5, precision="float64")
    other = torch_impl.train.train(replace(e, precision="float32"), data)
    result = found(trace("r", train(e, data)), trace("c", other), None)

    last = result.diagnosis.window.updates[-1].number

    assert result.diagnosis.update is None
    assert last < result.comparison.last_update
    assert "different" == result.verdict
    assert "not known: each of the" in report(result)
    assert "no bug" not in report(result)


class Noisy(by_hand.Right):
    """A disturbance of every weight."""

    def step(self, name, w, g):
        return super().step(name, w, g) + 1e-5 * np.random.default_rng(self.updates).normal(size=w.shape)


def test_what_fits_nothing_is_said_to_be_unknown(trace, data):
    """No name is made up."""
    result = found(trace("r", train(EXPERIMENT, data)), trace("c", Noisy(EXPERIMENT, data).run()), data=data)

    assert [] == says(result)
    assert "not known: update 1 of W1, b1, W2, b2 fits none of the differences that are looked for" in report(result)


def test_two_that_fit_equally_well_are_both_said(trace, data):
    """From plain SGD alone nobody can tell a loss that is twice as large, with half of λ, from twice η, with half."""

    class Both(by_hand.Right):
        """Twice the step, without L1."""

        def step(self, name, w, g):
            return w - 2 * self.e.lr * g

    e = replace(EXPERIMENT, style="none")
    result = found(trace("r", train(e, data)), trace("c", Both(e, data).run()), e, data)

    assert ["the candidate's η is 0.02, 2 times what was asked for", "the candidate's loss is 2 times as large"] == (
        says(result)
    )
    assert "or the candidate's loss is 2 times as large: the recording cannot tell this from the first" in (
        report(result)
    )


def test_an_experiment_that_cannot_be_one_is_said(trace, data):
    """A header with an unknown style: the diagnosis does without it, and says why."""
    one = trace("r", train(EXPERIMENT, data))
    said = {"experiment": {"lr": 0.01, "lamda": 0.001, "style": "lasso\x1b[2J"}}  # no recorder takes it
    np.savez(one.path, **{**np.load(one.path), "header": json.dumps(said)})
    one = open_trace(one.path)
    result = found(one, trace("c", by_hand.TackedOn(EXPERIMENT, data).run()), None)

    assert RELATIVE == result.evidence.source
    assert "style must be one of none, penalty" in report(result)
    assert "it is not used" in report(result)
    assert "\x1b" not in result.report


def test_skipped_and_repeated_batches_are_told_by_their_digests(trace, data, tmp_path):
    """Where no gradients can be computed."""

    def with_batches(name, code):
        run = code(EXPERIMENT, data)
        seen = []
        run._batches = (seen.append(batch) or batch for batch in run._batches)
        with Recorder(tmp_path / f"{name}.npz") as recorder:
            batches = list(chain([None], code(EXPERIMENT, data).batches()))
            for state, batch in zip(run.run(), batches, strict=False):
                recorder.update(state, batch=batch)
        return open_trace(tmp_path / f"{name}.npz")

    right = with_batches("r", by_hand.Right)
    skipped, repeated = with_batches("s", by_hand.OneSkipped), with_batches("t", by_hand.OneRepeated)

    assert ["the candidate is given other items: one batch was skipped, from update 10 on"] == says(
        found(right, skipped, None)
    )[:1]
    assert ["the candidate is given other items: one batch was repeated, from update 11 on"] == says(
        found(right, repeated, None)
    )[:1]


def test_parameters_go_there_and_back(data):
    """W1, b1, … and one (W, b) a layer."""
    parameters, _ = draw(EXPERIMENT, data)

    assert as_state(parameters).keys() == {"W1", "b1", "W2", "b2"}
    assert all(
        np.array_equal(a, b)
        for one, other in zip(parameters, as_parameters(as_state(parameters)), strict=True)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize("updates", [2_000, 40_000])
def test_a_late_parting_is_found_in_the_same_time(trace, data, updates):
    """Only what lies around it is looked at: λ is three times as large from there on."""
    e = Experiment(epochs=200)

    def late(state, x, t, experiment):
        return step(state, x, t, replace(experiment, lamda=0.003) if state.updates >= updates - 200 else experiment)

    one = trace("r", islice(train(e, data), updates + 1))
    result = found(one, trace("c", islice(train(e, data, late), updates + 1)), e, data)

    assert updates - 199 == result.diagnosis.update
    assert (
        f"from update {updates - 199:,} on, the candidate's λ is 0.003, 3 times what was asked for" in says(result)[0]
    )
    assert 261 >= result.diagnosis.window.looked_at


def test_torch_computes_in_one_thread():
    """Else the runs above would not be repeatable."""
    assert 1 == torch.get_num_threads()


def test_a_candidate_that_stops_being_finite(trace, data):
    """Nothing explains it, and it is said that it is so, at the update from which on it is."""
    states = [as_state(parameters) for parameters in train(EXPERIMENT, data)]
    broken = [
        {name: w * np.nan for name, w in state.items()} if update > 3 else state for update, state in enumerate(states)
    ]
    result = found(trace("r", states), trace("c", broken), EXPERIMENT, data)

    assert (4, []) == (result.diagnosis.update, says(result))
    assert "not known: the candidate is not finite there; update 4 of W1, b1, W2, b2 fits none" in report(result)
