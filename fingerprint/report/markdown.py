"""Pieces of Markdown: strings from the data stay text, whatever they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fingerprint.report.formatting import visible

# What Markdown (CommonMark, and GitHub's tables, mentions and formulas) gives a meaning; any of these may be escaped.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&#$@!])")


def plain(text: str, limit: int | None = None) -> str:
    """Text that is shown as it is: no markup, no HTML, no mention of anybody, on one line."""
    return _SPECIAL.sub(r"\\\1", visible(text, limit))


def code(text: str, limit: int | None = None) -> str:
    """Text in a code span that may stand in a table."""
    shown = visible(text, limit).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    pad = " " if shown[:1] in ("`", " ", "") or shown[-1:] in ("`", " ") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table; cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
