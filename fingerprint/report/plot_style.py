"""How pictures look: colours, sizes and fonts, for papers and notebooks, the page and the lab alike.

Blue against vermilion are the two colours of Okabe and Ito (2008, Color Universal Design) that all common kinds of
colour vision tell apart, made darker on white paper and lighter on dark, so that text in them has a contrast of 4.5:1.
Nothing is told by colour alone: markers, line styles or sides differ too.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup, escape

from fingerprint.report import formatting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN = 8.5 / 2.54
"""Width of a picture in inches: a column of a paper."""
TEXT = 8.0
"""Points of the text of such a picture."""
_LAST_PLAIN = 0x52F
"""Latin, Greek and Cyrillic are in the usual fonts; matplotlib warns about every character that a font lacks."""


@dataclass(frozen=True)
class Palette:
    """Colours by what they are for: `accent` is the suspect's and what was found, `second` what it is held against."""

    paper: str
    ink: str
    muted: str
    rule: str
    soft: str
    accent: str
    second: str
    fill: str

    def css(self) -> str:
        """As variables of a style sheet."""
        return " ".join(f"--fp-{name}: {color};" for name, color in asdict(self).items())


LIGHT = Palette("#ffffff", "#1b1f24", "#59636e", "#dce0e5", "#f5f6f8", "#b3470b", "#1f5f99", "#c9d1da")
DARK = Palette("#14171b", "#e4e7eb", "#9aa5b1", "#313840", "#1c2126", "#f2955f", "#79b4ea", "#46505b")
PRINT = Palette("#ffffff", "#000000", "#444444", "#cccccc", "#ffffff", "#a03c05", "#1f5f99", "#c9d1da")
# Stand-ins that matplotlib can draw with, each replaced by a CSS variable of the page.
PAGE = Palette(*(f"#01020{i}" for i in range(8)))

_STYLE: dict[str, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fingerprint",  # ids depend on what is drawn alone, so pages are reproducible
    "font.family": "DejaVu Sans",  # shipped with matplotlib: text is measured alike everywhere
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a "$" from the data is a dollar sign
}


@contextmanager
def own_style() -> Iterator[None]:
    """The style of new figures; what the caller has set in matplotlib is neither used nor changed."""
    import matplotlib.style

    with matplotlib.style.context(["default", _STYLE]):
        yield


def bare_figure(width: float, height: float) -> Figure:
    """A figure in inches that no window or notebook knows of, within `own_style`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="none")


def shown_figure(width: float, height: float, palette: Palette) -> Figure:
    """A figure in inches that a notebook shows, and `matplotlib.pyplot.show`.

    To be made outside `own_style`: the first one loads a backend, which tells matplotlib to show figures from then on.
    """
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(width, height), layout="constrained", facecolor=palette.paper)


def dress(ax: Axes, palette: Palette, grid: Literal["x", "y"]) -> None:
    """The colours of all that is on some axes and not drawn by us; a grid along "x" or "y"."""
    ax.set_facecolor("none")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(palette.rule)
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
        label.set_color(palette.ink if label is ax.title else palette.muted)
    ax.tick_params(color=palette.rule, labelcolor=palette.muted)
    ax.grid(axis=grid, color=palette.rule, linewidth=0.6)
    for text in (*ax.get_xticklabels(), *ax.get_yticklabels()):
        text.set_parse_math(False)


def plain(text: str, limit: int = 24) -> str:
    """A short label from the data, in characters that every usual font has."""
    shown = formatting.visible(text, limit)
    return "".join(
        c if ord(c) <= _LAST_PLAIN else "..." if c == "…" else c.encode("ascii", "backslashreplace").decode()
        for c in shown
    )


def drawing(figure: Figure) -> str:
    """A figure as an SVG document."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def element(drawn: str, name: str, description: str, variables: Mapping[str, str]) -> Markup:
    """A drawing as an `svg` element that scales with the page, takes its font and says what it shows.

    Parameters
    ----------
    drawn : str
        An SVG document.
    name : str
        Begins all ids in the element: two pictures of a page have none in common.
    description : str
        What it shows, for those who do not see it.
    variables : mapping of color to str
        What stands for each colour that was drawn with.
    """
    box, body = _content(drawn)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r'(\sid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"'DejaVu Sans'[^;\"<]*", "var(--fp-font)", body)
    for color, variable in variables.items():
        body = body.replace(color, variable)
    return Markup(f'<svg {box} role="img" aria-label="{escape(description)}">' + body.strip())


def document(drawn: str, title: str, description: str) -> str:
    """A drawing in `LIGHT` as an SVG file with a title and a description, which screen readers read.

    On a dark screen its colours are those of `DARK`; programs that know nothing of screens draw it as it is.
    """
    head, _, rest = drawn.partition("<svg ")
    opened, _, body = rest.partition(">")
    pairs = zip(asdict(LIGHT).values(), asdict(DARK).values(), strict=True)
    rules = [
        f'[style*="{what}: {light}"] {{ {what}: {dark} !important }}'
        for light, dark in pairs
        for what in ("fill", "stroke")
    ]
    body = f"<style>@media (prefers-color-scheme: dark) {{ {' '.join(rules)} }}</style>{body}"
    told = f'<title id="title">{escape(title)}</title>\n<desc id="description">{escape(description)}</desc>'
    return f'{head}<svg role="img" aria-labelledby="title description" {opened}>\n{told}{body}'


def page_colors() -> dict[str, str]:
    """The stand-ins of `PAGE`, and the variable that takes the place of each."""
    return {color: f"var(--fp-{name})" for name, color in asdict(PAGE).items()}


def _content(drawn: str) -> tuple[str, str]:
    """The `viewBox` of an SVG document and what is in it, without comments, metadata and global styles."""
    found = re.search(r'<svg [^>]*(viewBox="[^"]*")[^>]*>(.*)', drawn, flags=re.S)
    if found is None:  # pragma: no cover
        raise RuntimeError("matplotlib wrote no svg element")
    return found[1], re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", found[2], flags=re.S)
