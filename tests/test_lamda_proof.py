"""lamda --prove: what is said to be proved was compared, and could have been different."""

import json

import pytest

NOTHING = {
    "λ without effect": (("--from", "penalty", "--to", "decoupled", "--lamda", "1e-300"), "λ = 1e-300 has no effect"),
    "infinite on both sides": (("--from", "penalty", "--to", "tack_on", "--lr", "1e300"), "NaN or infinite on both"),
}


@pytest.mark.parametrize(("options", "reason"), NOTHING.values(), ids=NOTHING)
def test_what_proves_nothing_is_exit_3(run, tmp_path, options, reason):
    """Twin: the article's λ is proved."""
    status, out, _ = run("lamda", *options, "--prove", "--epochs", 1, "--json", tmp_path / "r.json")

    assert 3 == status
    assert "NOTHING PROVED" in out
    assert reason in " ".join(out.split())
    assert "Proved" not in out
    assert json.loads((tmp_path / "r.json").read_text())["proof"]["parameters"] == 124
    assert 0 == run("lamda", "--from", "penalty", "--to", "tack_on", "--prove", "--epochs", 1)[0]


def test_a_lamda_that_is_no_number_is_refused(run):
    """One line says which numbers were given."""
    status, _, err = run("lamda", "--from", "tack_on", "--to", "proximal", "--lr", "1e-310", "--lamda", "1e308")

    assert 2 == status
    assert "give a finite λ for proximal; got lamda 1e+308 and lr 1e-310" in " ".join(err.split())


def test_the_control_of_the_largest_lamda_is_no_error(run):
    """2 λ is no number there: the run itself is judged, and is not finite."""
    assert 3 == run("parity", "--lamda", "1e308", "--style", "penalty", "--epochs", 1)[0]
