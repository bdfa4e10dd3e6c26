"""Preference data: pairs of texts and which of the two a judge chose."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fingerprint.data.columns import CHOICES, CHOSEN, CHOSEN_FIRST, PAIRS, Columns, checked_record, find_prompt
from fingerprint.data.corpus import digest_of_sum
from fingerprint.data.digests import sum_of
from fingerprint.data.normal_form import normal_form
from fingerprint.data.quoting import listed, shown
from fingerprint.data.reading import InMemory, checked_asked, placed_rows, sources_of
from fingerprint.data.row_reader import BadRows
from fingerprint.data.rows import read_row
from fingerprint.data.shards import shard_paths
from fingerprint.data.sources import OR_SKIP, BadRowError

# Words for a choice, as published preference data write them (lower case), and what may stand before them and a "_".
# Any other word before is part of a name: "llama_2" does not say that the second text was chosen.
_FIRST = frozenset({"a", "first", "left", "1"})
_SECOND = frozenset({"b", "second", "right", "2"})
_NEITHER = frozenset({"tie", "tied", "equal", "both", "neither", "none", "tie (bothbad)", "bothbad"})
_BEFORE = frozenset({"model", "response", "text", "completion", "answer", "output", "option", "assistant"})
_CHOICE_REMEDY = (
    "write a or b for the text that was chosen, tie where neither was, in every row (rows without a readable choice "
    "are never left out: those left would be chosen by their choices)"
)


class _BadChoiceError(BadRowError):
    """A choice that cannot be read. It is never left out as other bad rows are: rows would be lost by their choice."""


class Choice(NamedTuple):
    """One pair and what a judge said of it.

    Attributes
    ----------
    prompt : str or None
    first, second : str
        The two texts.
    chosen : int
        1 for the first text, -1 for the second, 0 for neither.
    shown : int
        1 where the judge is known to have seen the first text first, -1 where it saw the second first, 0 where that
        is not known.
    """

    prompt: str | None
    first: str
    second: str
    chosen: int
    shown: int

    def identity(self) -> tuple[object, ...]:
        """The same whichever of the two texts is called the first."""
        sides = sorted([(self.first, self.chosen, self.shown), (self.second, -self.chosen, -self.shown)])
        return (self.prompt, *sides)


@dataclass(frozen=True)
class Choices:
    """What one judge said of many pairs of texts.

    Parameters
    ----------
    rows : tuple of Choice
        In the order they were read.
    name : str
        What to call them in messages.
    skipped : int
        Bad rows left out because the caller asked for it.
    """

    rows: tuple[Choice, ...]
    name: str = "choices"
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def record(self) -> dict[str, object]:
        """For JSON, beside results: a hash of the choices, whatever their order, and how many there are."""
        total = sum_of(row.identity() for row in self.rows)
        return {"digest": digest_of_sum(total), "rows": len(self), "skipped": self.skipped}


class _Layout(NamedTuple):
    """Columns of the two texts, of the choice (None: the first is what was chosen) and of the prompt."""

    first: str
    second: str
    choice: str | None
    prompt: str | None


def read_choices(
    data: object, *, prompt: str | None = None, bad_rows: BadRows = "error", argument: str = "data"
) -> Choices:
    """Read pairs of texts with a judge's choices.

    Parameters
    ----------
    data : object
        Whatever `fingerprint.read` and `fingerprint.detect` take rows from, with one pair a row; or `Choices`, which
        are returned as they are.
    prompt : str, optional
        Column of the prompt, where it has none of the usual names.
    bad_rows : {"error", "skip"}, optional
        What to do with a row that cannot be used: raise, or leave it out and count it. A choice that is missing or
        cannot be read is an error either way: without such rows, those left would be chosen by their choices.
    argument : str, optional
        What to call the data in messages.

    Returns
    -------
    Choices

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        As in `fingerprint.read`.

    Notes
    -----
    Two forms. TRL's: `chosen` and `rejected`, strings or chats, with a `prompt` or, where they hold the whole chat,
    without one; the order in which the judge saw the two is then not known, unless a column `chosen_first` (true or
    false) says it. And the neutral one: two texts (`response_a` and `response_b`; `a`, `text`, `completion`, `answer`,
    `output` serve too, with `_a` and `_b` or `_1` and `_2`) in the order in which the judge saw them, and a column
    `winner`, `choice`, `preferred`, `preference` or `label` that says which it chose: a or b, first or second, 1 or 2,
    the name of the column, or tie. Before a, b, 1 or 2 may stand model, response, text, completion, answer, output,
    option or assistant, and "_": `model_a`. Other numbers are refused: some count from 0, for others 1 means that the
    first has won. An empty choice is refused too: write tie where the judge chose neither.

    Examples
    --------
    >>> rows = [{"prompt": "Go on: 3, 5", "response_a": "7, 9", "response_b": "8, 13", "winner": "b"}]
    >>> read_choices(rows).rows[0]
    Choice(prompt='Go on: 3, 5', first='7, 9', second='8, 13', chosen=-1, shown=1)
    """
    if isinstance(data, Choices):
        return data
    asked = checked_asked(None, prompt, bad_rows)
    name = os.fspath(data) if isinstance(data, str | os.PathLike) else argument
    found: list[Choice] = []
    layout: _Layout | None = None
    skipped, first_bad = 0, ""
    files = shard_paths(data, argument)
    in_memory = InMemory(name, files)
    for source, number, row in placed_rows(sources_of(data, files, asked, argument)):
        try:
            own = layout or _layout_of(row, asked)
            found.append(_choice(row, own))
        except BadRowError as error:
            message = error.at(f"{source.name}, {source.unit} {number}")
            if bad_rows == "error" or isinstance(error, _BadChoiceError):
                raise ValueError(message) from None
            skipped, first_bad = skipped + 1, first_bad or message
            continue
        in_memory.add(source, found[-1].prompt, found[-1].first, found[-1].second)
        layout = own
    if not found:
        raise ValueError(f"{name} must have at least one good row, got {skipped} bad; the first: {first_bad}")
    return Choices(tuple(found), name, skipped)


def _layout_of(row: object, asked: Columns) -> _Layout:
    """Where the first good row has its texts and its choice; all rows must have them there."""
    record = checked_record(row)
    there = {name.strip().casefold(): name for name in record if isinstance(name, str)}
    pair = next((pair for pair in PAIRS if all(name in there for name in pair)), None)
    if pair is None:
        raise BadRowError(
            f"must have two texts ('chosen' and 'rejected', or 'response_a' and 'response_b' with 'winner'), got the "
            f"columns {listed(record)}; rename the columns"
        )
    first, second = (there[name] for name in pair)
    choice = None
    if pair[0] != CHOSEN:
        choice = next((there[name] for name in CHOICES if name in there), None)
        if choice is None:
            raise _BadChoiceError(
                f"must say which text was chosen ({listed(CHOICES)}), got the columns {listed(record)}; rename the "
                "column"
            )
    left = [name for name in record if name not in (first, second, choice)]
    return _Layout(first, second, choice, find_prompt(left, asked))


def _choice(row: object, layout: _Layout) -> Choice:
    record = checked_record(row)
    missing = [name for name in layout if name is not None and name not in record]
    if layout.choice is not None and layout.choice in missing:
        raise _BadChoiceError(f"must say which text was chosen in {layout.choice!r}, {_CHOICE_REMEDY}")
    if missing:
        raise BadRowError(
            f"must have the columns {listed(missing)}, as all rows must, got {listed(record)}; correct it, {OR_SKIP}"
        )
    first, second = (read_row(record, Columns(name, layout.prompt)) for name in layout[:2])
    if not _is_one_prompt(first.prompt, second.prompt):
        raise BadRowError(f"must have one prompt for both texts, got two; correct it, {OR_SKIP}")
    if layout.choice is None:
        return Choice(first.prompt, first.text, second.text, 1, _shown(record))
    return Choice(first.prompt, first.text, second.text, _chosen(record[layout.choice], layout), 1)


def _is_one_prompt(first: str | None, second: str | None) -> bool:
    return first == second or (first is not None and second is not None and normal_form(first) == normal_form(second))


def _shown(record: Mapping[object, object]) -> int:
    """Whether the chosen text was the one that the judge saw first: 1, -1, or 0 where it is not known."""
    value = record.get(CHOSEN_FIRST)
    if value is None:
        return 0
    known = {"true": 1, "false": -1}.get(str(value).strip().lower())
    if known is None:
        raise _BadChoiceError(f"must be true or false in {CHOSEN_FIRST!r}, got {shown(value)}; correct it")
    return known


def _chosen(value: object, layout: _Layout) -> int:
    """1 for the first text, -1 for the second, 0 for neither."""
    is_word = (isinstance(value, str | int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )
    if is_word:
        word = (str(int(value)) if isinstance(value, float) else str(value)).strip().casefold()
        if word in (layout.first.casefold(), layout.second.casefold()):
            return 1 if word == layout.first.casefold() else -1
        before, _, short = word.rpartition("_")
        for sign, known in ((1, _FIRST), (-1, _SECOND), (0, _NEITHER)):
            if word in known or (before in _BEFORE and short in known):
                return sign
    raise _BadChoiceError(
        f"must be a or b, first or second, 1 or 2, the name of a column, or tie in {layout.choice!r}, got "
        f"{shown(value)}; {_CHOICE_REMEDY}"
    )
