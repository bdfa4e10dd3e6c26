"""The pictures of a report: drawn into a column of a paper, readable, and told apart by every eye."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import HOSTILE, MATHTEXT, build_report
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from fingerprint.report.plot_style import COLUMN, DARK, LIGHT, PRINT, Palette
from fingerprint.report.plots import PICTURES, alt_text, plot
from fingerprint.report.report import Report
from fingerprint.report.results import Null

Color = tuple[float, float, float]


@pytest.fixture(autouse=True)
def no_windows() -> Iterator[None]:
    backend = matplotlib.get_backend()
    matplotlib.use("agg")
    yield
    plt.close("all")
    matplotlib.use(backend)


@pytest.fixture(scope="module")
def report() -> Report:
    return build_report("")


def figure_of(axes: Axes) -> Figure:
    assert isinstance(axes.figure, Figure)
    return axes.figure


def texts_of(figure: Figure) -> list[tuple[Text, tuple[float, float, float, float]]]:
    """What is written in a figure, and from where to where in pixels."""
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer: RendererBase = canvas.get_renderer()  # type: ignore[no-untyped-call]
    shown = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
    boxes = [text.get_window_extent(renderer) for text in shown]
    return [(text, (box.x0, box.y0, box.x1, box.y1)) for text, box in zip(shown, boxes, strict=True)]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_fits_a_column_of_a_paper_with_text_of_seven_points_or_more(name: str, report: Report) -> None:
    figure = figure_of(plot(name, report))
    width, height = figure.bbox.width, figure.bbox.height
    assert figure.get_figwidth() == pytest.approx(8.5 / 2.54)
    found = texts_of(figure)
    drawn = [(text, box) for text, box in found if _in_view(text)]
    assert len(drawn) > 5
    for text, (left, low, right, high) in drawn:
        assert (left >= -1, low >= -1, right <= width + 1, high <= height + 1) == (True,) * 4, text
        assert float(text.get_fontsize()) >= 6.6, text  # what matplotlib calls small: 8 / 1.2


def _in_view(text: Text) -> bool:
    """Whether it is drawn: ticks beyond the ends of an axis are made and left out."""
    (axes,) = [] if text.figure is None else text.figure.axes
    for labels, limits in ((axes.get_xticklabels(), axes.get_xlim()), (axes.get_yticklabels(), axes.get_ylim())):
        if text in labels:
            place = text.get_position()[0 if labels == axes.get_xticklabels() else 1]
            return bool(min(limits) <= place <= max(limits))
    return True


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_into_the_callers_axes_and_nowhere_else(name: str, report: Report) -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    method = getattr(report, f"plot_{name}")
    assert method(right, dark=True) is right
    assert not left.get_children()[0].get_label().startswith("observed")
    assert len(left.lines) + len(left.patches) + len(left.collections) == 0
    assert len(right.lines) + len(right.patches) > 0
    assert plt.get_fignums() == []


def test_the_overview_has_every_picture_that_there_is(report: Report, quiet_report: Report) -> None:
    assert list(report.plot()) == list(PICTURES) == ["bags", "null", "ladder", "families", "filters", "features"]
    assert list(quiet_report.plot(dark=True)) == ["bags", "null", "families"]
    titles = [axes.get_title(loc="left") for axes in report.plot().values()]
    assert titles == [picture.title for picture in PICTURES.values()]


def test_a_picture_of_nothing_says_why(quiet_report: Report) -> None:
    with pytest.raises(ValueError, match="got none of it: it was made without the ladder"):
        quiet_report.plot_ladder()
    with pytest.raises(ValueError, match="No single feature differs"):
        quiet_report.plot_features()


@pytest.mark.parametrize("name", PICTURES)
def test_hostile_names_are_drawn_as_they_are_written(name: str) -> None:
    """A font that lacks a character, and mathtext that does not end, would warn or raise."""
    report = build_report(f"{MATHTEXT} {HOSTILE} 漢字")
    shown = [text.get_text() for text, _ in texts_of(figure_of(plot(name, report)))]
    assert all(ord(character) < 0x3000 for text in shown for character in text)
    assert ("$x^$" in " ".join(shown)) == (name not in ("bags", "null", "families"))
    assert "<" not in alt_text(name, build_report("")).replace("<=", "")


def strong(observed: float) -> Null:
    null = build_report("").null
    return dataclasses.replace(null, observed=observed)


@pytest.mark.parametrize("observed", [9.0, 24.7, 483.0, 1e6])
def test_a_strong_signal_leaves_the_null_wide_enough_to_be_read(observed: float, report: Report) -> None:
    axes = dataclasses.replace(report, null=strong(observed)).plot_null()
    ends = axes.transAxes.inverted().transform(axes.transData.transform([(-4, 0), (4, 0), (observed, 0)]))[:, 0]
    assert ends[1] - ends[0] > 0.5
    assert ends[1] + 0.1 < ends[2] < 1
    assert f"{observed:.3g}" in [label.get_text() for label in axes.get_xticklabels()]


def test_the_picture_says_how_many_standard_deviations_of_the_null_away(report: Report) -> None:
    null = Null(12.0, (-3.0, -1.0, 1.0, 3.0), (1, 2, 1))  # mean 0, variance 2
    assert null.deviations == pytest.approx(12 / np.sqrt(2))
    assert Null(1.0, (0.0, 1.0), (5,)).deviations is None
    assert Null(None, (), ()).deviations is None
    drawn = texts_of(figure_of(dataclasses.replace(report, null=null).plot_null()))
    told = " ".join(text.get_text() for text, _ in drawn)
    assert "8.5 null sd above the mean" in told
    assert "8.5 null sd above the mean" in alt_text("null", dataclasses.replace(report, null=null))


def test_matplotlib_is_loaded_by_the_first_picture_and_not_before() -> None:
    code = "import sys, fingerprint.report.plots, fingerprint.report.report; print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_the_settings_of_matplotlib_stay_as_they_were(report: Report) -> None:
    before = dict(matplotlib.rcParams)
    report.plot_bags()
    report.plot(dark=True)
    assert dict(matplotlib.rcParams) == before


# -------------------------------------------------------------------------------------------------------------- colours

# Machado, Oliveira and Fernandes (2009), severity 1: what linear RGB looks like to the three kinds of dichromats.
DICHROMATS = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(color: str) -> np.ndarray:
    values = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* of linear RGB, white D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(first: str, second: str) -> float:
    """Of WCAG 2: from 1 to 21."""
    bright, dark = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (first, second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK, PRINT], ids=["light", "dark", "print"])
def test_text_has_a_contrast_of_4_5_on_its_paper(palette: Palette) -> None:
    for paper in (palette.paper, palette.soft):
        for color in (palette.ink, palette.muted, palette.accent, palette.second):
            assert contrast(color, paper) >= 4.5, (color, paper)


@pytest.mark.parametrize("palette", [LIGHT, DARK, PRINT], ids=["light", "dark", "print"])
@pytest.mark.parametrize("kind", DICHROMATS)
def test_the_two_colours_are_told_apart_by_dichromats(kind: str, palette: Palette) -> None:
    """Twenty units of L*a*b* are seen at a glance; about two can just be told apart side by side."""
    seen = [lab(np.array(DICHROMATS[kind]) @ linear(color)) for color in (palette.accent, palette.second)]
    assert float(np.linalg.norm(seen[0] - seen[1])) > 20
    red, green = (lab(np.array(DICHROMATS["deutan"]) @ linear(c)) for c in ("#a05050", "#608040"))
    assert float(np.linalg.norm(red - green)) < 20  # the measure can fail


def test_a_column_is_8_5_centimetres() -> None:
    assert pytest.approx(8.5) == COLUMN * 2.54
