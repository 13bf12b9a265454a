"""What was not compared is not equal: ends of runs, rows and digests, arrays beside the parameters."""

import json

import numpy as np
import pytest

from comparisons.recorders.plain import Recorder
from comparisons.runs.trace import FORMAT, digest
from comparisons.same_training import compare
from reference.errors import InputError


def run(updates=20, **changes):
    """States that move, each with a gradient, a momentum and a buffer; changes: {"w" or "b": (update, value)}."""
    states = [
        {
            "w": np.array([[1.0, -2.0], [0.5, 0.25]]) * (1 + i / 8),
            "gradient": np.full((2, 2), 1.0 + i / 16),
            "momentum": np.full((2, 2), 2.0 + i / 16),
            "buffer": np.array([0.5, 1.0]) * i,
        }
        for i in range(updates + 1)
    ]
    for name, (update, value) in changes.items():
        states[update][name] = value
    return states


@pytest.fixture(name="record")
def make_traces(tmp_path):
    """record(name, states, beside) -> the path of a trace; beside: what is recorded beside the parameters."""

    def record(name, states, beside=(), **options):
        path = tmp_path / f"{name}.npz"
        with Recorder(path, **options) as trace:
            for state in states:
                more = {
                    "gradients": {"w": state["gradient"]},
                    "optimizer": {"momentum:w": state["momentum"]},
                    "buffers": {"mean": state["buffer"]},
                }
                trace.update({"w": state["w"]}, **{kind: more[kind] for kind in beside})
        return path

    return record


ALL = ("gradients", "optimizer", "buffers")


def verdict(one, other, **options):
    """The exit status, the headline and what was not compared."""
    found = compare(one, other, **options)
    return found.exit_status, found.headline, found.not_compared


def test_equal_to_the_end(record):
    """Twin: nothing is left out, and nothing is said to be."""
    status, headline, left = verdict(record("a", run(), ALL), record("b", run(), ALL))

    assert (0, []) == (status, left)
    assert "EQUAL bit for bit: 20 updates, 1 parameter, 4 elements compared" == headline


# what the candidate has: its states and how they are recorded; what the reference has; what is left out
UNFINISHED = {
    "ended early": ((run(12), {}), (run(), {}), "reference: 8 states after updates 13 … 20"),
    "trained longer": ((run(), {}), (run(19), {}), "candidate: the state after update 20"),
    "rows without digests": ((run(), {"every": 5}), (run(), "no digests"), "candidate: 15 states after updates 2 … 19"),
}
UNFINISHED["rows without digests"] = (
    (run(), {"every": 5}),
    (run()[::5], "no digests"),
    "candidate: 16 states after updates 1 … 19",
)


@pytest.mark.parametrize(("candidate", "reference", "left"), UNFINISHED.values(), ids=UNFINISHED)
def test_a_state_that_one_side_has_leaves_it_open(record, tmp_path, candidate, reference, left):
    """Exit 3; with partial exit 0, and the headline says so. A difference is one in any case."""
    states, how = reference
    if how == "no digests":
        one = tmp_path / "one.npz"
        np.savez(one, updates=np.arange(0, 21, 5), w=np.stack([state["w"] for state in states]))
    else:
        one = record("one", states, **how)
    other = record("other", candidate[0], **candidate[1])
    status, headline, not_compared = verdict(one, other)
    chosen = verdict(one, other, partial=True)
    wrong = [{**state, "w": state["w"] * (1 + (i >= 5))} for i, state in enumerate(candidate[0])]
    differs = verdict(one, record("wrong", wrong, **candidate[1]))

    assert (3, [left]) == (status, not_compared)
    assert headline.startswith("NOTHING PROVED: only the ")
    assert (0, [left]) == (chosen[0], chosen[2])
    assert "up to update" in chosen[1]
    assert 1 == differs[0]


def test_digests_of_all_updates_are_enough(record):
    """every=100 with digests of all updates on both sides: equal, though only the start has rows. Twin: one differs."""
    equal = verdict(record("a", run(), every=100), record("b", run(), every=100))
    differs = verdict(record("c", run(), every=100), record("d", run(w=(7, np.ones((2, 2)))), every=100))

    assert (0, "EQUAL bit for bit: 20 updates, 1 parameter, 4 elements compared", []) == equal
    assert (1, "DIFFERENT at update 7, by their digests") == (differs[0], differs[1].split(" (")[0])


def test_digests_that_nothing_moves_prove_nothing(record):
    """All of them equal to the first."""
    still = [{**run(0)[0]} for _ in range(5)]
    status, headline, _ = verdict(record("a", still, every=100), record("b", still, every=100))

    assert 3 == status
    assert "nothing moved" in headline


@pytest.mark.parametrize(
    ("kind", "key", "what"),
    [
        ("gradients", "gradient", "gradients"),
        ("optimizer", "momentum", "optimizer state"),
        ("buffers", "buffer", "buffers"),
    ],
    ids=ALL,
)
def test_what_stands_beside_the_parameters_is_compared(record, kind, key, what):
    """Twice as large, or NaN on one side: exit 1. Rounding: equal. On one side only: told, and no more."""
    doubled = [{**state, key: 2 * state[key]} for state in run()]
    rounded = [{**state, key: state[key] * (1 + 2.0**-52)} for state in run()]
    one = record("a", run(), [kind])
    status, headline, _ = verdict(one, record("b", doubled, [kind]))
    nan = verdict(one, record("c", run(**{key: (9, run()[9][key] * np.nan)}), [kind]))
    alone = verdict(one, record("d", run()))

    assert (1, True) == (
        status,
        headline.startswith(f"DIFFERENT: parameters equal, recorded {what} differ at update 1"),
    )
    assert (1, True) == (nan[0], "at update 9" in nan[1])
    assert 0 == verdict(one, record("e", rounded, [kind]))[0]
    assert (0, 1, True) == (alone[0], len(alone[2]), alone[2][0].startswith("reference: "))


def test_buffers_of_whole_numbers_are_compared_exactly(record, tmp_path):
    """One batch more or less is no rounding, however many there were."""
    for name, counted in (("a", 0), ("b", 1)):
        with Recorder(tmp_path / f"{name}.npz") as trace:
            for i, state in enumerate(run()):
                trace.update({"w": state["w"]}, buffers={"batches": np.array(10**6 + i + counted)})

    assert 1 == verdict(tmp_path / "a.npz", tmp_path / "b.npz")[0]


# --- signs of zero, and what is not finite ---------------------------------------------------------------------------

ZERO = np.array([[1.0, 0.0], [2.0, 3.0]])


def test_minus_zero_is_zero(record):
    """No difference, but a note; by digests, too."""
    signed = ZERO * np.array([[1.0, -1.0], [1.0, 1.0]])
    rows = compare(record("a", run(w=(4, ZERO))), record("b", run(w=(4, signed))))
    hashed = verdict(record("c", run(w=(4, ZERO)), every=100), record("d", run(w=(4, signed)), every=100))

    assert 0 == rows.exit_status
    assert ["some zeros are +0 in one run and −0 in the other"] == [n.split(":")[0] for n in rows.comparison.notes]
    assert 0 == hashed[0]


def test_digests_of_an_older_trace_know_minus_zero(record, tmp_path):
    """A digest that differs beside equal rows is no difference there; without rows it is one. Twin: the new format."""
    for name, sign in (("one", 1.0), ("other", -1.0)):
        w = np.stack([np.array([[1.0 + i, sign * 0.0]]) for i in range(5)])
        bits = np.frombuffer(b"".join(old_digest(row) for row in w), np.uint8).reshape(5, 16)
        for kind, header in (("old", {}), ("new", {"format": FORMAT})):
            columns = {
                "digest:updates": np.arange(5),
                "digest:parameters": bits,
                "header": np.array(json.dumps(header)),
            }
            np.savez(tmp_path / f"{kind}-{name}.npz", updates=np.arange(5), w=w, **columns)
            np.savez(tmp_path / f"{kind}-{name}-few.npz", updates=np.arange(1), w=w[:1], **columns)
    status = {
        kind: verdict(
            tmp_path / f"{kind.replace('-', '-one-', 1) if 'few' in kind else kind + '-one'}.npz",
            tmp_path / f"{kind.replace('-', '-other-', 1) if 'few' in kind else kind + '-other'}.npz",
        )[0]
        for kind in ("old", "new", "old-few")
    }

    assert {"old": 0, "new": 1, "old-few": 1} == status
    assert digest([np.array([0.0])]) == digest([np.array([-0.0])])


def old_digest(row):
    """As traces without a format have it: with the sign of zero."""
    import hashlib

    return hashlib.blake2b(row.astype(np.float32).tobytes(), digest_size=16).digest()


def test_nan_on_both_sides_hides_nothing(record):
    """A finite difference of the same update is one; NaN on both sides alone proves nothing."""
    nan, apart = np.array([[np.nan, 1.0], [1.0, 1.0]]), np.array([[np.nan, 1.0], [1.0, 9.0]])
    one = record("a", run(w=(4, nan)))
    differs = compare(one, record("b", run(w=(4, apart))))
    both = verdict(one, record("c", run(w=(4, nan))))

    assert (1, 4, [1, 1]) == (differs.exit_status, differs.first_difference.update, differs.first_difference.index)
    assert (3, True) == (both[0], "neither run is finite" in both[1])


# --- tolerances ------------------------------------------------------------------------------------------------------


def test_a_tolerance_must_be_a_small_share_of_an_update(record):
    """16 ULPs are nothing beside steps of 1/8, and more than a step of 1e-6: nothing is proved there."""
    small = [{**state, "w": np.float32([[1.0, -2.0]]) * np.float32(1 + 1e-6 * i)} for i, state in enumerate(run())]
    wide = verdict(record("a", small), record("b", small), ulps=16)
    narrow = verdict(record("c", run()), record("d", run()), ulps=16)

    assert (3, True) == (wide[0], "16 ULPs are" in wide[1])
    assert 0 == narrow[0]


# --- found by those who attacked it ---------------------------------------------------------------------------------

U = np.arange(20)
WALK = np.random.default_rng(0).normal(size=(20, 2, 3)).cumsum(axis=0).astype(np.float32)


@pytest.fixture(name="pair")
def make_pairs(tmp_path):
    """pair(reference's arrays, candidate's) -> the paths of two traces, written with NumPy, that share the rest."""

    def pair(one, other, **shared):
        for name, arrays in (("one", one), ("other", other)):
            np.savez(tmp_path / f"{name}.npz", **{"updates": U, "W": WALK} | shared | arrays)
        return tmp_path / "one.npz", tmp_path / "other.npz"

    return pair


def changed(array, *where, by):
    """The array with some values changed."""
    array = array.copy()
    array[where] = by
    return array


LARGE = np.random.default_rng(1).normal(size=(4, 300_000))
BESIDE_APART = {
    "infinities": ("buffer:n", np.full(20, np.inf), np.full(20, -np.inf), 0),
    "infinity and NaN": ("optimizer:m:W", np.full(20, np.inf), np.full(20, np.nan), 1),
    "beyond 2⁵³": ("buffer:n", U + 2**53, U + 2**53 + (U == 3), 3),
    "large float64 arrays": ("buffer:n", LARGE, LARGE * (1 + 1e-6), 0),
}


@pytest.mark.parametrize(("name", "one", "other", "update"), BESIDE_APART.values(), ids=BESIDE_APART)
def test_values_beside_parameters_that_are_not_equal(pair, name, one, other, update):
    """Not finite, too large for float64, or in rows that are a block each."""
    few = {"updates": U[: len(one)], "W": WALK[: len(one)]}
    found = compare(*pair({name: one}, {name: other}, **few))

    assert (1, name, update) == (found.exit_status, found.first_difference.parameter, found.first_difference.update)


def test_nothing_is_hidden_by_a_name(pair):
    """Of names with ':' only the known ones are taken."""
    for name in ("fc:weight", "grad:W", "loss:train"):
        with pytest.raises(InputError, match=f"{name} cannot be a parameter's name"):
            compare(*pair({name: WALK}, {name: WALK + 1}))


def test_arrays_beside_parameters_without_a_row_in_common(record):
    """They are said not to be compared."""
    one = record("one", run(), ["gradients"], every=5)
    found = compare(one, record("other", run(), ["gradients"], window=(1, 4)))

    assert 0 == found.exit_status
    assert ["what stands beside the parameters, after updates that only one side wrote in full: 8 rows"] == (
        found.not_compared
    )


def test_digests_of_float64_numbers_prove_float32(tmp_path):
    """Rows every 10th: the headline says how the other states were compared."""
    for name, error in (("one", 0.0), ("other", 1e-14)):
        with Recorder(tmp_path / f"{name}.npz", every=10) as trace:
            for i in U:
                trace.update({"W": WALK[i].astype(float) / 3 * (1 + error * (i % 10 > 0))})
    found = compare(tmp_path / "one.npz", tmp_path / "other.npz")

    assert 0 == found.exit_status
    assert found.headline.startswith(
        "EQUAL as float32, in 18 states by digests alone, and else bit for bit: 19 updates"
    )


def test_ulps_pass_nothing_that_is_no_rounding(pair):
    """Neither another gradient, nor a parameter that should not move, nor what infinity stands beside."""
    gradient, still = {"gradient:W": WALK}, np.ones((20, 3), np.float32)
    drift, endless = still * (1 + 1e-7 * U[:, None]).astype(np.float32), changed(WALK, slice(4, None), 0, 0, by=np.inf)
    off = changed(endless, slice(5, None), 1, 1, by=9)

    assert 1 == compare(*pair(gradient, {"gradient:W": WALK * 1.1}), ulps=3e4).exit_status
    assert 3 == compare(*pair({"b": still}, {"b": drift}), ulps=16).exit_status
    assert 1 == compare(*pair({"W": endless}, {"W": off}), ulps=4000).exit_status
    with pytest.raises(InputError, match="ulps must be a number"):
        compare(*pair({}, {}), ulps="1")


@pytest.mark.parametrize("side", [0, 1], ids=["reference", "candidate"])
def test_one_run_that_is_not_finite(pair, side):
    """They differ, and the report can be read."""
    arrays = [{"W": changed(WALK, slice(4, None), 0, 0, by=np.nan)}, {}]
    found = compare(*pair(*(arrays if side == 0 else arrays[::-1])))

    assert (1, 4) == (found.exit_status, found.first_difference.update)
    assert "DIFFERENT" in found.report


def test_a_parameter_without_elements(pair):
    """It changes nothing in what is said of the others."""
    empty = {"e": np.zeros((20, 0, 3), np.float32)}
    found = compare(*pair(empty, empty | {"W": WALK + (U > 5)[:, None, None]}))

    assert (1, 6) == (found.exit_status, found.first_difference.update)
    assert "because" in found.report


def test_parameters_without_weights(record, tmp_path):
    """A factor between two runs is no share of a number of weights that is 0."""
    for name, factor in (("one", 1.0), ("other", 1.1)):
        with Recorder(tmp_path / f"{name}.npz", experiment={"lr": 0.1, "lamda": 0.1, "style": "penalty"}) as trace:
            for i in range(6):
                trace.update({"b": np.ones(2) * i * factor})

    assert "DIFFERENT" in compare(tmp_path / "one.npz", tmp_path / "other.npz").report


def test_a_buffer_can_be_mapped(pair):
    """By the names without buffer:."""
    mean = np.arange(20.0)[:, None]

    assert 0 == compare(*pair({"buffer:x": mean}, {"buffer:y": mean}), names={"y": "x"}).exit_status
    assert 1 == compare(*pair({"buffer:x": mean}, {"buffer:y": mean + 1}), names={"y": "x"}).exit_status


@pytest.mark.parametrize("other", [-np.inf, np.inf, 0.0])
def test_a_mask_of_infinities_is_compared(tmp_path, other):
    """A causal mask is the same in both runs; twins: another sign, and no mask."""
    for name, value in (("one", -np.inf), ("other", other)):
        with Recorder(tmp_path / f"{name}.npz") as trace:
            for number in range(4):
                trace.update({"w": np.full(3, float(number))}, buffers={"mask": np.array([0.0, value])})
    found = compare(tmp_path / "one.npz", tmp_path / "other.npz")

    assert ("equal" if other == -np.inf else "different") == found.verdict
