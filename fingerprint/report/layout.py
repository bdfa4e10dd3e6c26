"""Lines of a given width: wrapped sentences, and tables that lose columns before they grow too wide."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from fingerprint.report import formatting
from fingerprint.report.terminal import Style, head_painted, painted

_INTERVAL = re.compile(r"(\S+: )?\S+ \[[^][ ]+, [^][ ]+\]")  # a label, its figure and interval stay on one line
_JOIN = "\N{NO-BREAK SPACE}"  # in no text from the data: `visible` escapes it
_SHORTEST_NAME = 20  # of a table's first column, before columns are left out for its sake
_SHORTEST_LAST = 16  # of a last column that wraps

Row = tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """Where lines go: at most `width` characters each, in colours or not."""

    width: int
    colors: bool = False

    def headed(self, lines: list[str], style: Style = "bold") -> list[str]:
        """Lines of which the first one's head, up to its colon, is in a style."""
        return [head_painted(line, style, self.colors) if i == 0 else line for i, line in enumerate(lines)]

    def titled(self, title: str) -> list[str]:
        """What a result is called, as its first lines."""
        return [painted(line, "bold", self.colors) for line in self.wrap(formatting.visible(title), "  ")]

    def wrap(self, text: str, later: str = "", first: str = "") -> list[str]:
        """Lines of a text; `first` and `later` stand before the first and the other lines."""
        shown = "\n".join(map(formatting.visible, text.split("\n")))  # whatever file it is from
        whole = _INTERVAL.sub(lambda match: match[0].replace(" ", _JOIN), shown)
        lines = textwrap.wrap(
            whole, self.width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
        )
        return [line.replace(_JOIN, " ") for line in lines]

    def labelled(self, rows: Sequence[tuple[str, str]], most: int = 2) -> list[str]:
        """Texts beside their labels, `most` lines each; what does not fit is cut, and marked by an ellipsis."""
        indent = max((len(label) for label, _ in rows), default=0) + 2
        lines = []
        for label, text in rows:
            told = self.cut(self.wrap(text, " " * indent, f"{label:<{indent}}"), most)
            lines.append(painted(told[0][:indent], "bold", self.colors) + told[0][indent:])
            lines += told[1:]
        return lines

    def cut(self, lines: list[str], most: int) -> list[str]:
        """The first lines, the last of them with an ellipsis after a whole word where something was cut."""
        if len(lines) <= most:
            return lines
        last = lines[most - 1]
        if len(last) > self.width - 2:
            last = last[: self.width - 2].rpartition(" ")[0] or last[: self.width - 2]
        return [*lines[: most - 1], f"{last.rstrip()} …"]

    def table(self, header: Row, rows: Sequence[Row], left: Sequence[int], optional: Sequence[int] = ()) -> list[str]:
        """Lines of a table, rows indented by two under their header.

        Parameters
        ----------
        header : tuple of str
        rows : sequence of tuples of str
            As long as the header.
        left : sequence of int
            Columns that are flush left. The last one wraps where the line is full, if it is among them.
        optional : sequence of int
            Columns that are left out, in this order, where the others would not fit beside `_SHORTEST_NAME` characters
            of the first.
        """
        rows = [tuple(map(formatting.visible, row)) for row in rows]
        kept = [i for i in range(len(header)) if i not in self._left_out(header, rows, left, optional)]
        cells = [tuple(row[i] for i in kept) for row in (header, *((f"  {row[0]}", *row[1:]) for row in rows))]
        flush = [kept.index(i) for i in left if i in kept]
        widths = [max(len(row[i]) for row in cells) for i in range(len(kept))]
        wraps = len(kept) - 1 in flush
        others = sum(widths[1:-1] if wraps else widths[1:]) + 2 * (len(kept) - 1) + (_SHORTEST_LAST if wraps else 0)
        widths[0] = min(widths[0], max(self.width - others, _SHORTEST_NAME // 2))
        cells = [(formatting.shorten(row[0], widths[0]), *row[1:]) for row in cells]
        start = sum(widths[:-1]) + 2 * (len(kept) - 1)
        lines = []
        for row in cells:
            *parts, last = _aligned(row, widths, flush)
            room = max(self.width - start, 1)
            pieces = textwrap.wrap(last.rstrip(), room, drop_whitespace=False) if wraps else [last]
            first, *later = pieces or [""]
            lines.append("  ".join([*parts, first]).rstrip())
            if row is cells[0]:
                lines[0] = painted(lines[0], "bold", self.colors)
            lines += [" " * start + line.strip() for line in later]
        return lines

    def _left_out(self, header: Row, rows: Sequence[Row], left: Sequence[int], optional: Sequence[int]) -> set[int]:
        widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
        widths[0] = min(widths[0] + 2, _SHORTEST_NAME)
        if len(header) - 1 in left:
            widths[-1] = min(widths[-1], _SHORTEST_LAST)
        gone: set[int] = set()
        for column in optional:
            shown = [width for i, width in enumerate(widths) if i not in gone]
            if sum(shown) + 2 * (len(shown) - 1) <= self.width:
                break
            gone.add(column)
        return gone


def _aligned(row: Row, widths: Sequence[int], left: Sequence[int]) -> list[str]:
    pairs = zip(row, widths, strict=True)
    return [f"{cell:<{width}}" if i in left else f"{cell:>{width}}" for i, (cell, width) in enumerate(pairs)]
