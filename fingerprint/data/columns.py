"""Which columns hold text, prompt and system message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from fingerprint.data.chats import Which, checked_which, is_turn
from fingerprint.data.nearest import nearest
from fingerprint.data.quoting import listed, short, shown
from fingerprint.data.sources import OR_SKIP, BadRowError

#: Names under which published data sets keep the model-written text; the first that a row has is taken.
TEXT_COLUMNS = ("completion", "response", "output", "text")
#: Names of the prompt, in the same way.
PROMPT_COLUMNS = ("prompt", "question", "instruction", "query", "problem", "input")
#: Whole chats: lists of turns; looked for when no text column is there.
CHATS = ("messages", "conversations", "conversation")
#: Answers of preference data; the first of them is the row where no text and no chat is there.
CHOSEN, REJECTED = "chosen", "rejected"
#: Steps of an answer with a label each (stepwise supervision), and tool calls without a chat: looked for last.
STEPS, LABELS, TOOL_CALLS = "completions", "labels", "tool_calls"
#: Whether an answer was liked, where there is one a row.
LABEL = "label"
#: Alpaca's second half of the prompt, kept beside `instruction`.
ALPACA_INPUT = "input"
SYSTEM = "system"

#: Two texts of which a judge chose one: the chosen one first, or in the order in which the judge saw them.
PAIRS = (
    (CHOSEN, REJECTED),
    ("a", "b"),
    *(
        (f"{name}_{one}", f"{name}_{two}")
        for name in ("response", "text", "completion", "answer", "output")
        for one, two in ("ab", "12")
    ),
)
#: Which of two texts was chosen; and whether the chosen one was seen first.
CHOICES = ("winner", "choice", "preferred", "preference", LABEL)
CHOSEN_FIRST = "chosen_first"

_FOUND = (*TEXT_COLUMNS, *CHATS, CHOSEN, STEPS, TOOL_CALLS)
_CHOSEN = {*CHOICES, CHOSEN_FIRST, *(name for pair in PAIRS for name in pair)}
_KNOWN = {*_FOUND, *PROMPT_COLUMNS, *_CHOSEN, LABELS, SYSTEM}
_NAME_TEXT = 'name the column with text="..." (--text), and one of prompts with prompt="..." (--prompt)'
#: One name for both sides, or the suspect's and the reference's.
Sided: TypeAlias = str | tuple[str | None, str | None] | None


class Columns(NamedTuple):
    """Columns of text and prompt: as asked for (None: find it), or as found (text None: rows are plain strings).

    `turn` is which of the assistant's turns is the text of a chat; None as asked for: the last one.
    """

    text: str | None = None
    prompt: str | None = None
    turn: Which | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that have a name."""
        return tuple(name for name in self[:2] if name is not None)

    @property
    def is_chat(self) -> bool:
        """Whether the text is in a column of whole chats."""
        return self.text is not None and folded(self.text) in CHATS

    @property
    def is_implicit(self) -> bool:
        """Whether the answers of a pair may begin with the prompt, which has no column of its own."""
        return self.text is not None and self.prompt is None and folded(self.text) in (CHOSEN, REJECTED)

    @property
    def is_alpaca(self) -> bool:
        """Whether the prompt goes on in another column."""
        return self.prompt is not None and folded(self.prompt) == "instruction" and self.text != ALPACA_INPUT

    @property
    def is_plain(self) -> bool:
        """Whether text and prompt are what the columns hold, as far as that is strings."""
        return self.text is not None and not self.is_chat and not self.is_implicit


def asked_columns(text: object, prompt: object, turn: object = None) -> Columns:
    """The columns that a caller named, and which turn of a chat, checked.

    Raises
    ------
    TypeError, ValueError
        If one is no name, or both are the same.
    """
    if text is not None and text == prompt:
        raise ValueError(f"text and prompt must be two different columns, got {text!r} for both; leave one of them out")
    which = None if turn is None else checked_which(turn)
    return Columns(_column_name(text, "text"), _column_name(prompt, "prompt"), which)


def of_sides(name: object, argument: str) -> tuple[str | None, str | None]:
    """The column of the suspect and that of the reference: one name for both, or a pair.

    Raises
    ------
    TypeError, ValueError
        If one is no name.
    """
    pair = tuple(name) if isinstance(name, list | tuple) else (name, name)
    if len(pair) != 2:
        raise ValueError(
            f"{argument} must be a column, or two (the suspect's and the reference's), got {len(pair)}; leave the "
            "others out"
        )
    return _column_name(pair[0], argument), _column_name(pair[1], argument)


def _column_name(name: object, argument: str) -> str | None:
    if name is None or (isinstance(name, str) and name):
        return name
    kind = ValueError if isinstance(name, str) else TypeError
    raise kind(f"{argument} must be the name of a column, got {shown(name)}; leave it out to have the column found")


def is_needed(name: object, asked: Columns) -> bool:
    """Whether a row may be taken from a column of this name; others need not be read."""
    return name in asked.names or (isinstance(name, str) and folded(name) in _KNOWN)


def find_columns(row: object, asked: Columns) -> Columns:
    """Columns of the whole corpus, decided from one row.

    Parameters
    ----------
    row : object
        A mapping of column names to values, or a plain string.
    asked : Columns
        The columns that the caller named.

    Raises
    ------
    BadRowError
        If the row is no record, or has no text column.
    """
    if isinstance(row, str) and not asked.names:
        return asked
    if isinstance(row, str):
        (column, *_) = asked.names
        raise BadRowError(
            f"must have the column {column!r}, got the plain string {short(row)}; leave text and prompt out"
        )
    record = checked_record(row)
    text = asked.text or _first(_FOUND, record, asked.prompt)
    if text is None:
        raise BadRowError(
            f"must have a text column ({listed((*TEXT_COLUMNS, *CHATS[:2], CHOSEN))}), got the columns "
            f"{listed(record)}; {_remedy(record)}"
        )
    if text == STEPS and LABELS not in record:
        raise BadRowError(
            f"must have one answer a row, got several in {STEPS!r}; write a row for each (steps of one answer have "
            f"their {LABELS!r} beside them), or {_NAME_TEXT}"
        )
    found = Columns(text, asked.prompt, asked.turn)
    return found if found.is_chat else found._replace(prompt=find_prompt(record, asked, text))


def _remedy(record: Mapping[object, object]) -> str:
    """What to do about a row without a text column."""
    if not all(isinstance(name, str) for name in record):
        return "give the columns names that are strings"
    if len(record) == 1 and find_prompt(record, Columns()) is not None:
        return "these are prompts alone: sample answers to them first"
    if any(name.replace(".", "").isdigit() for name in record if isinstance(name, str)):
        return f"write a line of names above the rows, if this is the first of them, or {_NAME_TEXT}"
    return _NAME_TEXT


def find_prompt(names: Iterable[object], asked: Columns, text: str | None = None) -> str | None:
    """The column of the prompt among those of these names; None where there is none."""
    return asked.prompt or _first(PROMPT_COLUMNS, names, text)


def _first(known: Iterable[str], names: Iterable[object], taken: str | None) -> str | None:
    """The first known name that is there, in whatever case and between whatever blanks if none is as it is known."""
    there = [name for name in names if isinstance(name, str) and name != taken]
    alike = {folded(name): name for name in reversed(there)}
    exact = next((name for name in known if name in there), None)
    return exact or next((alike[name] for name in known if name in alike), None)


def folded(name: str) -> str:
    """A name as it is compared where none fits as it is written."""
    return name.strip().casefold()


def checked_record(row: object) -> Mapping[object, object]:
    """A row with named columns.

    Raises
    ------
    BadRowError
        If it is anything else, or could not be cut out of its file.
    """
    if isinstance(row, BadRowError):
        raise row
    if isinstance(row, list | tuple) and row and all(map(is_turn, row)):
        return {CHATS[0]: row}  # a chat without a name for it
    if not isinstance(row, Mapping):
        what = f"the plain string {short(row)}" if isinstance(row, str) else shown(row)
        raise BadRowError(
            f"must be an object with named columns (or every row a string), got {what}; correct it, {OR_SKIP}"
        )
    return row


def check_columns(record: Mapping[object, object], columns: Columns) -> None:
    """Refuse a row without the columns of the corpus, or with a prompt where the corpus has none.

    Raises
    ------
    BadRowError
    """
    for kind, name in (("text", columns.text), ("prompt", columns.prompt)):
        if name is not None and name not in record:
            near = nearest(name, map(str, record))
            guess = "" if near is None else f"did you mean {near!r}? Otherwise "
            raise BadRowError(
                f"must have the column {name!r}, as all rows must, got the columns {listed(record)}; "
                f'{guess}name another with {kind}="..." (--{kind}), '
                f"of one side alone with a pair (--suspect-{kind}), {OR_SKIP}"
            )
    if columns.prompt is None and not columns.is_chat and (extra := _prompt_beside(record, columns)):
        raise BadRowError(
            f"must have no column {extra!r}, as the first row has none, got the columns {listed(record)}; "
            f"give every row a prompt (null where it is unknown), {OR_SKIP}"
        )


def _prompt_beside(record: Mapping[object, object], columns: Columns) -> str | None:
    return next((name for name in PROMPT_COLUMNS if name in record and name != columns.text), None)
