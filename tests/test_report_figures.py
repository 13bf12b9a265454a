"""The figures: both formats, the same bytes each time, nobody's files overwritten."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from comparisons.report import figures
from comparisons.report.pictures import NAMES
from comparisons.studies import boundary
from comparisons.studies.styles import chatter, rows, sweep
from reference.errors import InputError
from reference.experiment import Experiment

ROOT = Path(__file__).parents[1]


@pytest.fixture(name="drawn", scope="module")
def all_figures_twice(data, tmp_path_factory):
    """Two folders, drawn from the same short results; the two-feature networks are trained for a hundredth as long."""
    grid = [Experiment(epochs=1, lamda=value) for value in (0.001, 0.01)]
    outcomes = [sweep(row, lambda _: None, (0, 1), data) for row in rows(grid)]
    paths = chatter(Experiment(epochs=10), data)
    with pytest.MonkeyPatch.context() as patch:
        short = {name: replace(e, epochs=80) for name, e in boundary.NETWORKS.items()}
        patch.setattr(boundary, "NETWORKS", short)
        trained = [boundary.trained(network, lambda _: None) for network in short.items()]
        patch.setattr(figures, "boundaries", lambda: trained)
        folders = [tmp_path_factory.mktemp("figures") / "new" for _ in range(2)]
        for folder in folders:
            figures.save(figures.check_files(folder), outcomes, paths, data)
    return folders


def test_a_further_style_needs_no_line_here(data):
    """Rows beyond the lines are drawn too; a second time round, as the strength of one more row."""
    runs = sweep(rows([Experiment(epochs=1)])[0], lambda _: None, (0,), data)
    names = [f"style {n}" for n in range(len(figures.LINES) + 1)]
    figure = figures.strength([[runs[0]._replace(row=name)] for name in names], data)

    assert names == [text.get_text() for text in figure.legends[0].get_texts()]


def test_networks_that_diverged_are_drawn(data):
    """With nothing to see: no weight of theirs is a number, and none comes to zero."""
    e = Experiment(epochs=1, lr=1e200)
    outcomes = [sweep(row, lambda _: None, (0,), data) for row in rows([e])]
    for figure in (figures.weights(outcomes), figures.chatter(chatter(e, data)), figures.strength(outcomes, data)):
        figure.canvas.draw()


@pytest.mark.parametrize("name", NAMES)
def test_each_is_an_svg_and_a_png_of_the_same_bytes(drawn, name):
    """Drawn twice, nothing differs; both formats say who made them."""
    for kind in ("svg", "png"):
        one, other = ((folder / f"{name}.{kind}").read_bytes() for folder in drawn)
        assert one == other
        assert figures.MAKER.encode() in one


@pytest.mark.parametrize("name", NAMES)
def test_no_picture_is_blank(drawn, name):
    """A hundredth of the picture, or more, is not white, and that is not all of one colour."""
    picture = imread(drawn[0] / f"{name}.png")[::5, ::5]

    assert picture.shape[1] == 450
    assert (picture[..., :3] < 0.9).any(axis=2).mean() > 0.01
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 50


def test_figures_of_this_command_are_replaced(drawn):
    """An earlier figure, and an empty file."""
    figures.check_files(drawn[0])


@pytest.mark.parametrize("name", ["weights.svg", "boundary.png"])
@pytest.mark.parametrize("text", ["mine", "<svg><text>what l1-parity found</text></svg>"])
def test_a_file_of_the_user_is_not_overwritten(tmp_path, name, text):
    """It is named, and left as it is, even where it has our name in it."""
    (tmp_path / name).write_text(text)
    with pytest.raises(
        InputError, match=f"{name}: the file exists and is no figure of this command; it is left as it is"
    ):
        figures.check_files(tmp_path)
    assert text == (tmp_path / name).read_text()


def test_a_file_is_no_folder(tmp_path):
    """--figures wants a folder."""
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="is no folder"):
        figures.check_files(tmp_path / "f")


def test_without_matplotlib_it_is_one_line(tmp_path):
    """Exit 2 before any training, and what to install."""
    program = (
        "import sys; sys.modules['matplotlib'] = None;"
        "sys.argv = ['comparisons', 'styles', '--figures', sys.argv[1]];"
        "from comparisons.__main__ import main; sys.exit(main())"
    )
    call = [sys.executable, "-c", program, str(tmp_path / "f")]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (2, "") == (done.returncode, done.stdout)
    assert (
        "error: figures need matplotlib: install the clone with its report extra, pip install 'PATH[report]'\n"
        == done.stderr
    )


@pytest.mark.demo
def test_l1_mends_the_boundary():
    """Without L1 nearly every item is learnt, the wrong ones too; with it fewer, and more of the plane is right."""
    found = {one.name: one for one in boundary.boundaries()}
    without = found.pop("no L1")

    assert without.train > 0.95
    for one in found.values():
        assert one.train < without.train
        assert one.area > without.area
    assert 0 == without.zeros < found["proximal, λ = 0.01"].zeros


def test_the_items_have_wrong_labels():
    """Nine of sixty, so that a network can learn what is not so."""
    data = boundary.noisy_items()

    assert 9 == (boundary.true_class(data.x_train) != data.t_train.argmax(axis=1)).sum()
