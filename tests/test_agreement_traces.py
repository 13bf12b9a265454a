"""Two traces: equal or not, where they part, and when equal traces prove nothing."""

import itertools
import json
import shutil
import zipfile

import numpy as np
import pytest

import comparisons.runs.trace
from comparisons.agreement.bits import FirstDifference
from comparisons.agreement.columns import aligned
from comparisons.agreement.free_run import compare_runs
from comparisons.agreement.traces import compare_traces
from comparisons.recorders.plain import Recorder
from comparisons.runs.trace import open_trace
from reference.errors import InputError

RUNS = itertools.count()


def states(updates=9, **changes):
    """States that move; changes: {"W": (update, index, value)}."""
    run = [{"W": np.arange(6.0).reshape(2, 3) - i / 4, "b": np.full(3, i / 8)} for i in range(updates + 1)]
    for name, (update, index, value) in changes.items():
        run[update][name][index] = value
    return run


@pytest.fixture(name="trace")
def make_traces(tmp_path):
    """trace(states, …) -> an opened trace of them."""

    def trace(run, gradients=None, batches=None, **options):
        path = tmp_path / f"{next(RUNS)}.npz"
        with Recorder(path, **options) as recorder:
            for update, state in enumerate(run):
                batch = None if batches is None or update == 0 else (np.array(batches[update - 1], float),)
                recorder.update(state, gradients=gradients and {n: g for n, g in gradients.items()}, batch=batch)
        return open_trace(path)

    return trace


def test_equal_traces(trace):
    """Everything compared is counted."""
    found = compare_traces(trace(states()), trace(states()), {})

    assert (0, 9, 2, 9, 9) == (found.exit_status, found.updates, len(found.parameters), found.elements, found.digests)
    assert (None, None, [], []) == (found.first_difference, found.parted, found.notes, found.vacuous)
    assert [0, 0] == [outcome.differing for outcome in found.parameters]


def test_two_runs_and_their_traces_are_compared_alike(trace):
    """The same first difference, and as many elements that differ at the end, of a free run and of its traces."""
    runs = [[{"W1": s["W"], "b1": s["b"]} for s in states(W=change)] for change in ((0, (0, 0), 0.0), (4, (1, 2), 7.0))]
    runs[1][9]["b1"][1] = 5.0
    in_memory = compare_runs(*([[(s["W1"], s["b1"])] for s in run] for run in runs))
    recorded = compare_traces(*map(trace, runs), {})

    assert FirstDifference(4, "W1", [1, 2], 4.0, 7.0) == in_memory.first_difference == recorded.first_difference
    assert 1 == in_memory.differing == sum(parameter.differing for parameter in recorded.parameters)
    assert 9 == in_memory.updates == recorded.updates


CHANGED = {
    "a value": ("W", 4, (1, 2), 7.0),
    "one bit": ("W", 4, (1, 2), np.nextafter(4.0, 5)),
    "the last update": ("b", 9, (0,), 1.0),
    "the start": ("W", 0, (0, 0), -1.0),
    "nan on one side": ("W", 4, (0, 1), np.nan),
    "inf on one side": ("W", 4, (0, 1), np.inf),
}


@pytest.mark.parametrize(("name", "update", "index", "value"), CHANGED.values(), ids=CHANGED)
def test_one_change_is_found_where_it_is(trace, name, update, index, value):
    """At its update and element, with both values; and nowhere else."""
    found = compare_traces(trace(states()), trace(states(**{name: (update, index, value)})), {})
    first = found.first_difference
    outcome = {o.pair.reference: o for o in found.parameters}

    assert 1 == found.exit_status
    assert (update, name, list(index)) == (first.update, first.parameter, first.index)
    assert states()[update][name][index] == first.reference
    assert np.array_equal(value, first.candidate, equal_nan=True)
    assert update == outcome[name].first_update
    assert int(update == 9) == outcome[name].differing
    assert [None] == [o.first_update for o in found.parameters if o.pair.reference != name]


@pytest.mark.parametrize("block", [1, 64, 2**22], ids=["a row", "some rows", "all"])
def test_blocks_do_not_matter(trace, monkeypatch, block):
    """However many rows are read in one go."""
    monkeypatch.setattr(comparisons.runs.trace, "BLOCK_BYTES", block)
    found = compare_traces(trace(states()), trace(states(W=(4, (1, 2), 7.0))), {})

    assert (9, 4, 7.0) == (found.updates, found.first_difference.update, found.first_difference.candidate)


def test_only_updates_that_both_have_are_compared(trace, monkeypatch):
    """Every third and every second meet at every sixth; a difference between them is told by the digests."""
    monkeypatch.setattr(comparisons.runs.trace, "BLOCK_BYTES", 200)
    one, other = trace(states(20), every=3), trace(states(20, W=(7, (0, 0), 5.0)), every=2)
    met = [update for updates, *_ in aligned(one, other, "updates", ["W"], ["W"]) for update in updates.tolist()]
    found = compare_traces(one, other, {})

    assert [0, 6, 12, 18] == met
    assert (1, 20, None, 7) == (found.exit_status, found.updates, found.first_difference, found.parted)


def test_a_run_that_ends_earlier(trace):
    """What both have is compared."""
    assert 4 == compare_traces(trace(states()), trace(states(4)), {}).updates


def test_other_names_and_axes(trace):
    """With a map; digests are of other layouts, and are not compared."""
    turned = [{"fc.weight": state["W"].T, "fc.bias": state["b"]} for state in states()]
    names = {"fc.weight": ("W", "T"), "fc.bias": "b"}
    found = compare_traces(trace(states()), trace(turned), names)
    turned[3]["fc.weight"][2, 1] = 9.0
    parted = compare_traces(trace(states()), trace(turned), names).first_difference

    assert (0, 9, 0) == (found.exit_status, found.updates, found.digests)
    assert (3, "W", [1, 2], 9.0) == (parted.update, parted.parameter, parted.index, parted.candidate)


def test_digests_do_not_depend_on_the_order_of_names(trace):
    """Nor on the type: float64 on the float32 grid."""
    shuffled = [{"b": s["b"].astype(np.float32), "W": s["W"].astype(np.float32)} for s in states()]
    found = compare_traces(trace(states()), trace(shuffled), {})

    assert (0, 9, None) == (found.exit_status, found.digests, found.parted)
    assert ["W is float64 in the reference and float32 in the candidate"] == found.notes[:1]


# --- tolerance ------------------------------------------------------------------------------------------------------


def test_a_tolerance_only_when_it_is_asked_for(trace):
    """2 ULPs of the largest element are told, allowed with 2, and not with 1."""
    off = states()[4]["W"][0, 1] + 2 * np.finfo(np.float32).eps * np.abs(states()[4]["W"]).max()
    one, other = trace(states()), trace(states(W=(4, (0, 1), float(np.float32(off)))))
    strict, tight, wide = (compare_traces(one, other, {}, ulps) for ulps in (0.0, 1.0, 2.01))

    assert [1, 1] == [strict.exit_status, tight.exit_status]
    assert 2 == pytest.approx(strict.least_ulps, rel=1e-3)
    assert wide.first_difference is None
    assert 4 == tight.first_difference.update


def test_a_hash_has_no_tolerance(trace):
    """Digests of float32 values that differ by a bit differ, too; with a tolerance they are not compared."""
    off = float(np.nextafter(np.float32(states()[4]["W"][0, 1]), np.float32(9)))
    one, other = trace(states()), trace(states(W=(4, (0, 1), off)))
    strict, wide = (compare_traces(one, other, {}, ulps) for ulps in (0.0, 2.0))

    assert (1, 4, 9) == (strict.exit_status, strict.parted, strict.digests)
    assert (0, None, 0) == (wide.exit_status, wide.parted, wide.digests)


def test_nan_is_within_no_tolerance(trace):
    """However wide."""
    found = compare_traces(trace(states()), trace(states(W=(4, (0, 1), np.nan))), {}, ulps=1e300)

    assert 1 == found.exit_status


# --- it cannot pass vacuously ---------------------------------------------------------------------------------------


def test_nothing_moved(trace):
    """Equal weights that no training changed."""
    still = [states()[0]] * 10
    found = compare_traces(trace(still), trace(still), {})

    assert (3, ["nothing moved: training changed no parameter in either run"]) == (found.exit_status, found.vacuous)


@pytest.mark.parametrize("updates", [0, 1])
def test_too_few_updates(trace, updates):
    """A start, or one update."""
    found = compare_traces(trace(states(updates)), trace(states(updates)), {})

    assert 3 == found.exit_status
    assert f"updates compared: {updates}; two or more are needed" in found.vacuous


def test_no_update_in_common(tmp_path):
    """Rows for other updates; no rows at all."""
    for name, updates in (("a", [0, 2]), ("b", [1, 3]), ("c", np.empty(0, int))):
        np.savez(tmp_path / f"{name}.npz", updates=updates, W=np.ones((len(updates), 2)))
    traces = {name: open_trace(tmp_path / f"{name}.npz") for name in "abc"}
    for other in "bc":
        found = compare_traces(traces["a"], traces[other], {})

        assert (3, 0) == (found.exit_status, found.updates)
        assert "no update was recorded in both" in found.vacuous


def test_a_trace_beside_itself(trace, tmp_path):
    """The same file, and a copy of the same run."""
    one = trace(states())
    shutil.copy(one.path, tmp_path / "copy.npz")

    assert ["both are the same file"] == compare_traces(one, one, {}).vacuous
    found = compare_traces(one, open_trace(tmp_path / "copy.npz"), {})
    assert 3 == found.exit_status
    assert [f"both are the same run ({one.header['run']}), recorded once"] == found.vacuous


def test_gradients_that_are_all_zero(trace):
    """Recorded, and 0: nothing was learnt, whatever moved."""
    zero = {"W": np.zeros((2, 3)), "b": np.zeros(3)}
    found = compare_traces(trace(states(), gradients=zero), trace(states()), {})

    assert 3 == found.exit_status
    assert found.vacuous[0].endswith("every recorded gradient is 0")


def test_both_not_finite(trace):
    """From the same update on: it agrees with nothing, and proves nothing."""
    nan = states(W=(4, (1, 2), np.nan))
    found = compare_traces(trace(nan), trace(nan), {})

    assert (3, None) == (found.exit_status, found.first_difference)
    assert ["neither run is finite: update 4, W[1, 2]: reference nan, candidate nan"] == found.vacuous


# --- preflight ------------------------------------------------------------------------------------------------------


def test_what_differs_before_training_is_said(trace):
    """The start, the items, the numbers, the types."""
    one = trace(states(), batches=[[i] for i in range(9)], experiment={"lr": 0.1, "lamda": 1.0, "seed": 3})
    other = trace(
        states(W=(0, (0, 0), 9.0)),
        batches=[[i if i < 5 else 10 - i] for i in range(9)],
        experiment={"lr": 0.1, "lamda": 2.0},
    )

    assert [
        "the runs do not start from the same parameters",
        "the runs are given other items from update 7 on: the batches hold other items, or in another order",
        "lamda is 1.0 in the reference and 2.0 in the candidate",
    ] == compare_traces(one, other, {}).notes


def test_parameters_that_do_not_line_up(trace):
    """An error, not a difference."""
    with pytest.raises(InputError, match="do not line up"):
        compare_traces(trace(states()), trace([{"W": state["W"]} for state in states()]), {})


def test_a_trace_that_changes_while_it_is_read(trace):
    """Opened as one, read as another: refused."""
    one, other = trace(states()), trace(states())
    with zipfile.ZipFile(other.path, "w") as file:
        for name in ("updates", "W", "b"):
            with file.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.zeros((5, 1)))
        file.writestr("header.npy", json.dumps({}))
    with pytest.raises(InputError, match=r"was changed while it was read|is no trace"):
        compare_traces(one, other, {})
