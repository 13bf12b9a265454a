"""The rest of the article's table on the NumPy side, and what is printed of figures that do not come out."""

from dataclasses import replace

import numpy as np
import pytest

import reference.train
from comparisons.agreement.bits import FirstDifference
from comparisons.agreement.free_run import Agreement
from comparisons.studies import article
from comparisons.studies.styles import NetworkSummary, summary_of
from comparisons.tables.article import print_table, status

FURTHER = {
    ("none", "squared_error"): (189, 24, 75.71, 0, 0),
    ("penalty", "squared_error"): (183, 26, 41.73, 16, 0),
    ("none", "cross_entropy"): (188, 25, 126.44, 0, 0),
    ("penalty", "cross_entropy"): (187, 26, 93.55, 0, 0),
}


@pytest.mark.demo
@pytest.mark.parametrize("row", article.FURTHER_ROWS, ids=lambda row: row.name)
def test_further_rows(data, row):
    """The full soft-max derivative, and cross-entropy; `article --all` trains them in PyTorch too."""
    *_, end = reference.train.train(row.experiment, data)
    found = summary_of(end, data)

    expected = FURTHER[row.experiment.style, row.experiment.loss]
    assert expected == (found.train, found.test, round(found.sum_abs, 2), found.small, found.zeros)


def results(rows=article.ROWS, **changes):
    """A result for every row, made up; changes are of the first."""
    end = [(np.array([[1.0]]), np.array([1.0]))]
    found = []
    for row in rows:
        published = row.published or article.Published(1, 1)
        side = NetworkSummary(published.train, published.test, 64.11, 0, 0)
        found.append(article.TrainedRow(row, side, side, Agreement(100_000, 2, 0, 0, None, True, end, end), 17))
    return [found[0]._replace(**changes), *found[1:]]


def test_all_well_is_exit_0(capsys):
    """Equal bits and the published figures."""
    print_table(results())

    assert "NOT" not in capsys.readouterr().out
    assert 0 == status(results())


def test_every_row_has_a_line_of_its_own(capsys):
    """The longest names too: no cell is broken or cut off."""
    rows = article.ROWS + article.FURTHER_ROWS
    print_table(results(rows))
    lines = capsys.readouterr().out.splitlines()

    assert len(rows) == sum(line.endswith("0 of 2      17") for line in lines)
    assert not any("…" in line for line in lines)


def test_figures_that_do_not_come_out_are_exit_1(capsys):
    """One item fewer than published is not reproduced, and it is said."""
    wrong = results(torch=NetworkSummary(187, 22, 64.11, 0, 0))
    print_table(wrong)

    assert "NOT reproduced: the published figures for no L1." in capsys.readouterr().out
    assert 1 == status(wrong)


def test_bits_that_differ_are_exit_1(capsys):
    """A differing element is named in the table."""
    end = [(np.array([[1.0]]), np.array([1.0]))]
    apart = Agreement(100_000, 2, 1, 99_996, FirstDifference(5, "W1", [0, 0], 1.0, 2.0), True, end, end)
    wrong = results(agreement=apart)
    print_table(wrong)

    assert "NOT equal: no L1 at update 5, W1[0, 0]: reference 1.0, candidate 2.0." in " ".join(
        capsys.readouterr().out.split()
    )
    assert 1 == status(wrong)


def test_the_penalty_and_the_scaled_tack_on_are_compared(capsys):
    """Equal bits are told as such; twin: one bit more in one network is reported."""
    found = results()
    print_table(found)
    assert "With η·λ it gives the same bits as the penalty, in NumPy" in " ".join(capsys.readouterr().out.split())

    number, other = article.ROWS.index(article.TACK_ON_SCALED), [(np.array([[1.5]]), np.array([1.0]))]
    found[number] = found[number]._replace(agreement=replace(found[number].agreement, candidate=other))
    print_table(found)
    assert "it gives NOT the same bits as the penalty: 1 differ" in " ".join(capsys.readouterr().out.split())
