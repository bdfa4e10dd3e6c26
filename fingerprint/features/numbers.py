"""Family `numbers`: what a row of numbers says beyond its tokens: values, digits, steps, habits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from fingerprint.data.arrays import Bools, Codes, Flags, Floats, Ints
from fingerprint.features.characters import SPACE, character_flags
from fingerprint.features.grids import COUNTS, STEP_MEANS, STEPS, VALUE_MEANS, VALUES, Grid
from fingerprint.features.measured import Kernel, batches, code_points
from fingerprint.features.quantiles import QuantileFamily
from fingerprint.features.segments import Segments

DIGITS = re.compile(r"[0-9]+")
_SEPARATORS = "[](){},;:|.-+/"  # of numbers in a row
_DIGIT, _SEPARATOR, _BLANK, _OTHER = 1, 2, 4, 8  # what a code point is in a row of numbers
_BEGINNING = 10_000
VALUE_CAP = 10**9  # longer digit runs (phone numbers, hashes) count as this value; their length is kept
POSITIONS = 10


def number_rows(texts: Sequence[str]) -> tuple[Bools, Bools]:
    """Which rows hold digit runs and separators only, and which are empty (white space at most).

    Of a row longer than 10,000 characters, its beginning says what it is.
    """
    texts = [text if len(text) <= _BEGINNING else text[:_BEGINNING] for text in texts]
    seen = np.zeros(len(texts), dtype=np.uint8)
    for rows, starts in batches(texts):
        filled = np.diff(starts) > 0
        kinds = _in_number_rows()[code_points(texts[rows])]
        if len(kinds):
            seen[rows][filled] = np.bitwise_or.reduceat(kinds, starts[:-1][filled])
    return seen & (_DIGIT | _OTHER) == _DIGIT, seen & ~np.uint8(_BLANK) == 0


@cache
def _in_number_rows() -> Flags:
    """What every code point is in a row of numbers."""
    kinds = np.where(character_flags() & SPACE, _BLANK, _OTHER).astype(np.uint8)
    kinds[[ord(sign) for sign in "0123456789"]] = _DIGIT
    kinds[[ord(sign) for sign in _SEPARATORS]] = _SEPARATOR
    return kinds


def parse(texts: Sequence[str]) -> tuple[Segments, Ints, Ints]:
    """Values and written lengths of all ASCII digit runs, row after row."""
    runs = [DIGITS.findall(text) for text in texts]
    segments = Segments(np.fromiter((len(run) for run in runs), dtype=np.int64, count=len(runs)))
    strings = [string for run in runs for string in run]
    values = np.fromiter((_value(s) for s in strings), dtype=np.int64, count=len(strings))
    lengths = np.fromiter((len(s) for s in strings), dtype=np.int64, count=len(strings))
    return segments, values, lengths


def _value(digits: str) -> int:
    return int(digits) if len(digits) <= 9 else VALUE_CAP


_GRIDS = {
    **dict.fromkeys(("mean", "spread", "step size", "step spread"), VALUE_MEANS),
    **dict.fromkeys(("least", "greatest", "last number", "smallest step"), VALUES),
    **{f"number {position + 1}": VALUES for position in range(POSITIONS)},
    "step mean": STEP_MEANS,
    **dict.fromkeys(("lowest step", "highest step", "distinct numbers less count"), STEPS),
    **{f"step {position}": STEPS for position in range(1, 6)},
}

# On rows of numbers the omnibus counts `numbers` this many times. Chosen on one half of the prompts of five sets of
# Qwen2.5 7B and 14B (80 draws; mean power at 100 pairs .45 at weight 1, .51 at 2, .53 at 3, .54 at 4 and 6).
WEIGHT_ON_NUMBERS = 3.0


class Numbers(QuantileFamily):
    """Structured bins of the numbers in a row.

    First, last, least, greatest, mean and spread; values by position; digits by place; digit steps inside a number
    (123, 345); steps between numbers and how constant they are; repeats and parity. The habits of a model show here
    long before single numbers do: at 200 prompt pairs of an eagle teacher (Qwen2.5-14B), power .87 against .69 for
    token presence.

    Parameters
    ----------
    parts : "all" or "single"
        "single" keeps what is a sum over single numbers: no order, no neighbours.
    """

    definition = "numbers-2"
    kernels = "measured_numbers"

    def __init__(self, parts: str = "all") -> None:
        self.parts = parts

    def weight_on(self, kind: str) -> float:
        return WEIGHT_ON_NUMBERS if kind == "numbers" else 1.0

    def grid(self, measurement: str) -> Grid:
        return _GRIDS.get(measurement, COUNTS)

    def measurements(self) -> tuple[str, ...]:
        return _names(self.parts)

    def kernel(self) -> Kernel:
        from fingerprint.features.kernels.measured_numbers import measure_numbers

        single = self.parts == "single"

        def fill(codes: Codes, starts: Ints, out: Floats) -> None:
            work = np.empty((3, 2 * int(np.diff(starts).max()) + 4), dtype=np.int64)
            measure_numbers(codes, starts, single, work, out)

        return fill

    def measure(self, texts: Sequence[str]) -> dict[str, Floats]:
        segments, values, lengths = parse(texts)
        single = _digits(segments, values, lengths) | _bands(segments, values, lengths)
        if self.parts == "single":
            return single
        return _values(segments, values) | single | _steps(segments, values, lengths)


@cache
def _names(parts: str) -> tuple[str, ...]:
    return tuple(Numbers(parts).measure([""]))


def _values(segments: Segments, values: Ints) -> dict[str, Floats]:
    table = {
        "count of numbers": segments.counts.astype(np.float64),
        "mean": segments.mean(values),
        "spread": segments.spread(values.astype(np.float64)),
        "least": segments.reduce(np.minimum, values),
        "greatest": segments.reduce(np.maximum, values),
        "last number": segments.at(values, -1),
    }
    for position in range(POSITIONS):
        table[f"number {position + 1}"] = segments.at(values, position)
    return table


def _digits(segments: Segments, values: Ints, lengths: Ints) -> dict[str, Floats]:
    digit = [(values // 10**place) % 10 for place in range(3)]
    three = lengths == 3
    up, down = digit[1] - digit[2], digit[0] - digit[1]  # steps between neighbouring digits of a 3-digit number
    table: dict[str, Floats] = {}
    for place, name in enumerate(("units", "tens", "hundreds")):
        for d in range(10):
            table[f"{name} digit {d}"] = segments.total((lengths > place) & (digit[place] == d))
    shapes = {
        "digits ascend by 1 (123)": (up == 1) & (down == 1),
        "digits descend by 1 (321)": (up == -1) & (down == -1),
        "three equal digits": (up == 0) & (down == 0),
        "equal digit steps (135)": up == down,
        "palindrome (121)": digit[0] == digit[2],
        "first two digits equal": up == 0,
        "last two digits equal": down == 0,
        "digits rise": (up > 0) & (down > 0),
        "digits fall": (up < 0) & (down < 0),
        "middle digit highest": (up > 0) & (down < 0),
        "middle digit lowest": (up < 0) & (down > 0),
    }
    table |= {name: segments.total(three & shape) for name, shape in shapes.items()}
    for step in range(-9, 10):
        table[f"hundreds to tens {step:+d}"] = segments.total(three & (up == step))
        table[f"tens to units {step:+d}"] = segments.total(three & (down == step))
    return table


def _bands(segments: Segments, values: Ints, lengths: Ints) -> dict[str, Floats]:
    table = {f"numbers of {k} digits": segments.total(lengths == k) for k in (1, 2, 3)}
    table["numbers of 4 or more digits"] = segments.total(lengths > 3)
    table["even numbers"] = segments.total(values % 2 == 0)
    table["multiples of 10"] = segments.total(values % 10 == 0)
    table["multiples of 111"] = segments.total((lengths == 3) & (values % 111 == 0))
    return table


def _steps(segments: Segments, values: Ints, lengths: Ints) -> dict[str, Floats]:
    inner = segments.position > 0
    steps = segments.where(inner)
    step = np.diff(values, prepend=0)[inner]
    size = np.abs(step)
    table = {
        "step mean": steps.mean(step),
        "step size": steps.mean(size),
        "step spread": steps.spread(step.astype(np.float64)),
        "lowest step": steps.reduce(np.minimum, step),
        "highest step": steps.reduce(np.maximum, step),
        "smallest step": steps.reduce(np.minimum, size),
        "upward steps": steps.total(step > 0),
        "zero steps": steps.total(step == 0),
        "small steps": steps.total(size <= 12),
        "steps by 111": steps.total(np.isin(size, (111, 222, 333))),
        "steps by tens": steps.total(step % 10 == 0),
        "steps by hundreds": steps.total(step % 100 == 0),
        "distinct numbers less count": segments.distinct(values) - segments.counts,
    }
    for position in range(1, 6):
        table[f"step {position}"] = steps.at(step, position - 1)
    return table | _constant(steps, step) | _chains(segments, steps, values, lengths, inner)


def _constant(steps: Segments, step: Ints) -> dict[str, Floats]:
    later = steps.position > 0
    previous = np.roll(step, 1)
    return {
        "equal steps in a row": steps.total(later & (step == previous)),
        "turns": steps.total(later & (np.sign(step) != np.sign(previous))),
    }


def _chains(
    segments: Segments, steps: Segments, values: Ints, lengths: Ints, inner: Bools
) -> dict[str, Floats]:
    """How a number takes up digits of the one before it."""
    units = values % 10
    leading = values // 10 ** np.minimum(np.maximum(lengths - 1, 0), 9)
    before_units, before_leading = np.roll(units, 1)[inner], np.roll(leading, 1)[inner]
    return {
        "leading digit repeats units digit before": steps.total(leading[inner] == before_units),
        "leading digit repeats": steps.total(leading[inner] == before_leading),
        "units digit repeats": steps.total(units[inner] == before_units),
    }
