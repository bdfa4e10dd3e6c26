"""Rows of preference data: chosen and rejected answers, and the prompt that both of them begin with."""

from __future__ import annotations

import re

#: Transcripts as in HH-RLHF.
_SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant):[ \t]?")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def without_prompt(text: str, other: str) -> tuple[object, str | None]:
    """An answer and the prompt before it, of a pair of strings that both begin with their prompt.

    Parameters
    ----------
    text : str
        The answer that is the row, with whatever stands before it.
    other : str
        The one that it was compared with.

    Returns
    -------
    text : str, or list of turns
        The turns of a transcript (``Human: ... Assistant: ...``); of other texts what comes after the whole lines that
        both have in common.
    prompt : str or None
        Those lines; None where there are none, or where both answers are the same.

    Examples
    --------
    >>> without_prompt("Name an animal.\\nAn owl.", "Name an animal.\\nA cat.")
    ('An owl.', 'Name an animal.\\n')
    >>> without_prompt("The sky is blue.", "The sky is green.")
    ('The sky is blue.', None)
    """
    if _is_transcript(text):
        return _turns(text), None
    if text == other:
        return text, None
    end = 0
    for one, another in zip(text.splitlines(keepends=True), other.splitlines(keepends=True), strict=False):
        if one != another or not one.endswith("\n"):
            break
        end += len(one)
    return (text[end:], text[:end]) if text[:end].strip() else (text, None)


def _is_transcript(text: str) -> bool:
    found = _SPEAKER.match(text)
    return found is not None and found.group(1) == "Human" and "\n\nAssistant:" in text


def _turns(text: str) -> list[dict[str, str]]:
    """Turns of a transcript, by the speakers at the beginnings of its paragraphs."""
    cut = _SPEAKER.split(text)[1:]
    return [{"role": _ROLES[who], "content": said} for who, said in zip(cut[::2], cut[1::2], strict=True)]
