"""How results are printed: a short text for `print`, all of it for `show`, one line for those in a hurry."""

from __future__ import annotations

import sys
from typing import Protocol

from fingerprint.report.formatting import visible
from fingerprint.report.layout import Page
from fingerprint.report.results import Warning
from fingerprint.report.terminal import Style, columns, takes_colors

# Said where a short text ends.
MORE_OF_RESULT = "Everything: -v, in Python show()."


class Judged(Protocol):
    """What has a yes or no."""

    @property
    def detected(self) -> bool: ...


def verdict_style(found: Judged) -> Style:
    """How the head of a verdict is painted; a non-detection is nothing to be green about."""
    return "alarm" if found.detected else "bold"


class Shown:
    """A result that is fit to print, as wide as the terminal."""

    title: str
    verdict: str

    def text(self, page: Page, *, full: bool = False) -> str:
        """The result as lines of a page: about a dozen, the verdict last; or everything."""
        raise NotImplementedError

    @property
    def headline(self) -> str:
        """What was looked at, and the verdict, in one line, however long."""
        return f"{visible(self.title)}: {visible(self.verdict)}"

    def show(self) -> None:
        """Print everything; on a terminal that takes them, in colours."""
        print(self.text(Page(columns(), takes_colors(sys.stdout)), full=True))

    def __str__(self) -> str:
        return self.text(Page(columns()))


class Warned(Shown):
    """A result with warnings, which the whole text explains."""

    warnings: tuple[Warning, ...]

    @property
    def headline(self) -> str:
        """What was looked at, the verdict, and the codes of warnings, in one line, however long."""
        codes = ", ".join(warning.code for warning in self.warnings)
        return f"{super().headline} Warnings: {codes}." if codes else super().headline
