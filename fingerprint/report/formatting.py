"""How figures and strings from the data are written: shared by the terminal text, the HTML page and the pictures."""

from __future__ import annotations

import unicodedata

from fingerprint.report.encoding import finite
from fingerprint.statistics.intervals import Estimate

UNKNOWN = "n/a"
# Control, format (bidi overrides, zero width), surrogate, private, unassigned, line and paragraph separators.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def visible(text: str, limit: int | None = None) -> str:
    """Text from the data, fit to print: what would move the cursor or reorder the line is shown as an escape.

    Parameters
    ----------
    text : str
        Anything.
    limit : int, optional
        Greatest length; what is cut off is marked by an ellipsis.

    Notes
    -----
    A backslash that was in the data stays single, so the escape can be mistaken for data, never the reverse;
    `Report.to_dict` has the exact text.
    """
    text = text if limit is None else text[: limit + 1]  # enough to know whether it is cut; rows can be megabytes
    shown = "".join(_escape(character) for character in text)
    return shown if limit is None else shorten(shown, limit)


def _escape(character: str) -> str:
    category = unicodedata.category(character)
    if category not in _HIDDEN and (category != "Zs" or character == " "):
        return character
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def shorten(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, the last of them an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"


def name(text: str, limit: int | None = None) -> str:
    """A feature name fit to print, in quotes where blanks at its ends would be lost."""
    shown = visible(text, None if limit is None else limit - 2)
    return f"'{shown}'" if shown != shown.strip() or not shown else shown


def figure(value: float | None, digits: int = 3) -> str:
    """A figure with `digits` decimals; of what JSON holds, so that a report that was read back looks the same."""
    written = None if value is None else finite(value)
    return UNKNOWN if written is None else f"{written:.{digits}f}"


def rate(value: float | None) -> str:
    """A figure with three significant digits, of what JSON holds."""
    written = None if value is None else finite(value)
    return UNKNOWN if written is None else f"{written:.3g}"


def interval(estimate: Estimate, digits: int = 3) -> str:
    """The 95 % interval in brackets, empty where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{figure(estimate.low, digits)}, {figure(estimate.high, digits)}]"


def with_interval(estimate: Estimate, digits: int = 3) -> str:
    """A figure and its 95 % interval."""
    return f"{figure(estimate.value, digits)} {interval(estimate, digits)}".rstrip()


def probability(pvalue: float | None) -> str:
    """A p-value: four decimals, or two significant digits below that."""
    written = None if pvalue is None else finite(pvalue)
    if written is None:
        return UNKNOWN
    return f"{written:.4f}" if written >= 1e-4 else f"{written:.1e}"


def count(number: int | None) -> str:
    """A count with thousands separators."""
    return UNKNOWN if number is None else f"{number:,}"


def size(n_bytes: int) -> str:
    """How large a file is, in units of a thousand: 24 kB, 1.5 MB."""
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e6 else f"{max(n_bytes / 1e3, 1):.0f} kB"
