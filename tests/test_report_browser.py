"""The report as a whole: trained, written, and seen in a real browser where one is installed."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html import escape, unescape

import numpy as np
import pytest
from PIL import Image

from comparisons.__main__ import main
from comparisons.studies import boundary

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
PHONE, DESKTOP = 390, 1280
SCHEMES = {"light": 1, "dark": 0}  # Blink's own numbers
HEIGHT = 2000

pytestmark = pytest.mark.slow
in_a_browser = pytest.mark.skipif(BROWSER is None, reason=f"no browser: none of {', '.join(BROWSERS)} is installed")

# the page stands in a frame, as windows cannot be as narrow as a phone; this is run beside the frame
MEASURE = """
const page = document.querySelector("iframe").contentDocument;
page.querySelectorAll("details").forEach((details) => { details.open = true; });
const boxes = (name) => [...page.querySelectorAll(name)].map((e) => e.getBoundingClientRect());
const laidOut = (name) => boxes(name).filter((box) => box.width > 0 && box.height > 0).length;
document.body.dataset.measured = JSON.stringify({
  frame: page.defaultView.innerWidth,
  width: page.documentElement.scrollWidth,
  height: page.documentElement.scrollHeight,
  background: page.defaultView.getComputedStyle(page.body).backgroundColor,
  mathsLaidOut: laidOut("math"),
  roots: laidOut("msqrt"),
  figures: laidOut("figure svg"),
  rows: laidOut("tbody tr"),
});
"""


def look(html, folder, width, scheme):
    """What the browser measured, and what it showed."""
    page, picture = folder / "framed.html", folder / f"{width}-{scheme}.png"
    frame = f"border: 0; width: {width}px; height: {HEIGHT}px"
    page.write_text(
        '<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f'<body style="margin: 0"><iframe style="{frame}" srcdoc="{escape(html)}">'
        f"</iframe><script>onload = () => {{{MEASURE}}}</script></body>"
    )
    options = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    done = subprocess.run(
        [
            *(BROWSER, "--headless", *options.split(), "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{HEIGHT}", "--hide-scrollbars"),
            *(f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", f"--screenshot={picture}", "--dump-dom"),
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    measured = re.search(r'data-measured="([^"]*)"', done.stdout)[1]
    return json.loads(unescape(measured)), Image.open(picture).convert("RGB")


@pytest.fixture(name="folder", scope="module")
def a_trained_report(tmp_path_factory):
    """What `python -m comparisons report` writes, one epoch for every network and 20 for those of the boundaries."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        short = {name: replace(experiment, epochs=20) for name, experiment in boundary.NETWORKS.items()}
        patch.setattr(boundary, "NETWORKS", short)
        patch.setattr("comparisons.commands.styles.CHATTER_UPDATES", 200)
        patch.setattr(sys, "argv", ["comparisons", "report", "--out", str(folder), "--epochs", "1"])
        assert 0 == main()
    return folder


@pytest.fixture(name="report_html", scope="module")
def its_page(folder):
    """The page in it."""
    return (folder / "index.html").read_text()


@pytest.fixture(name="seen", scope="module")
def the_page_as_it_is_seen(report_html, tmp_path_factory):
    """(measured, picture) by width and scheme."""
    folder = tmp_path_factory.mktemp("browser")
    return {
        (width, scheme): look(report_html, folder, width, scheme) for width in (PHONE, DESKTOP) for scheme in SCHEMES
    }


def test_the_page_can_be_made_again(folder, report_html, run, tmp_path):
    """From the results beside it: the same page, but for the sentence that says where they come from."""
    status, *_ = run("report", "--out", tmp_path, "--results", folder)

    assert 0 == status
    one, other = report_html.splitlines(), (tmp_path / "index.html").read_text().splitlines()
    removed = [line for line in one if line not in other]
    assert ["<p>Every network of this page was trained for it, on this computer.</p>"] == removed
    assert 4 == report_html.count("<svg ")


@in_a_browser
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nothing_is_wider_than_the_window(seen, width, scheme):
    """The page scrolls down and not sideways; what is wide scrolls in its own frame."""
    measured, _ = seen[width, scheme]

    assert width == measured["frame"] == measured["width"]
    assert HEIGHT < measured["height"]


@in_a_browser
def test_something_wider_is_noticed(report_html, tmp_path):
    """Twin: an element of 2000 pixels makes the page scroll sideways."""
    wide = report_html.replace("<main>", '<main><div style="width: 2000px">x</div>')
    measured, _ = look(wide, tmp_path, PHONE, "light")

    assert PHONE < measured["width"]


@in_a_browser
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_formulas_figures_and_rows_have_a_size(seen, report_html, width):
    """Each <math>, each <svg> and each row of a table is laid out; a formula's root is drawn."""
    measured, _ = seen[width, "light"]

    assert report_html.count("<math") == measured["mathsLaidOut"] > 0
    assert report_html.count("<svg") == measured["figures"] > 0
    assert report_html.count("<tbody") < measured["rows"]
    assert 1 == measured["roots"]


@in_a_browser
def test_light_and_dark(seen):
    """The reader's choice decides: dark ink on light paper, or light ink on dark paper."""
    for width in (PHONE, DESKTOP):
        (light, bright), (dark, dim) = (seen[width, scheme] for scheme in ("light", "dark"))
        assert light["background"] != dark["background"]
        assert 230 < np.median(bright)
        assert 90 > np.median(dim)


@in_a_browser
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_there_is_something_to_see(seen, width, scheme):
    """In every quarter of the screen, from above to below, more than the background."""
    grey = np.array(seen[width, scheme][1].convert("L"))

    assert (HEIGHT, width) == grey.shape
    assert all(np.ptp(quarter) > 100 for quarter in np.split(grey, 4))
