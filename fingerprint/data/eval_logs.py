"""Logs of evaluations by inspect_ai (extra ``inspect``): a row for each sample and epoch.

The text is the answer of the model, the prompt the input of the sample, whatever turns came between them: answers of
two models to one sample are then paired, and several epochs of it are several answers to one prompt. System messages of
the conversation are kept apart, as everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeGuard

from fingerprint.data.extras import install_command
from fingerprint.data.notes import note
from fingerprint.data.quoting import short
from fingerprint.data.sources import BadRowError, NumberedRows
from fingerprint.data.zipped import check_zip

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.model import ChatMessage

# What no row needs, and what makes logs of agents large.
_UNREAD = {"events", "store"}


def is_eval_log(data: object) -> TypeGuard[EvalLog]:
    """Whether this is a log that inspect_ai read or made; the package is not imported to ask that."""
    log = sys.modules.get("inspect_ai.log")
    return log is not None and isinstance(data, log.EvalLog)


def rows_of_eval_file(file: str) -> NumberedRows:
    """The samples of an ``.eval`` file, by inspect_ai's own reader, by id and epoch, numbered from 1.

    Raises
    ------
    ImportError
        If inspect_ai, or what it needs, is not installed.
    ValueError
        If the file is no log, or takes more to read than one of its size may.
    """
    check_zip(file, "a log that inspect_ai can read")
    try:
        from inspect_ai.log import read_eval_log, read_eval_log_samples
    except ImportError as missing:
        raise ImportError(
            f"{file} needs the extra inspect, got no {missing.name}; install it: {install_command('inspect')}"
        ) from missing
    try:
        header = read_eval_log(file, header_only=True)
        samples = read_eval_log_samples(
            file, all_samples_required=False, resolve_attachments="core", exclude_fields=_UNREAD
        )
        rows = [(_key(sample), _row(sample)) for sample in samples]
    except (MemoryError, ImportError):  # of this machine, not of the file
        raise
    except Exception as error:  # whatever its reader raises: of hostile files there is no list of that
        told = short(str(error) or type(error).__name__)
        raise ValueError(
            f"{file} must be a log that inspect_ai can read, got {told}; run the evaluation again"
        ) from error
    _note_on_status(header, file)
    yield from _in_order(rows, start=1)


def rows_of_eval_log(log: EvalLog) -> NumberedRows:
    """The samples of a log in memory, by id and epoch, numbered from 0.

    Raises
    ------
    ValueError
        If only the header of the log was read.
    """
    if log.samples is None:
        raise ValueError("a log must come with its samples, got its header; read it with header_only=False")
    _note_on_status(log, "log")
    yield from _in_order([(_key(sample), _row(sample)) for sample in log.samples], start=0)


_Key = tuple[bool, int, str, int]


def _key(sample: EvalSample) -> _Key:
    """Sorts by id, numbers before words, and then by epoch."""
    is_word = isinstance(sample.id, str)
    return is_word, 0 if isinstance(sample.id, str) else sample.id, str(sample.id), sample.epoch


def _in_order(rows: Iterable[tuple[_Key, object]], start: int) -> NumberedRows:
    """Rows by their keys: samples stand in a log in the order in which they ended, which says nothing of them."""
    for number, (_, row) in enumerate(sorted(rows, key=lambda pair: pair[0]), start):
        yield number, row


def _row(sample: EvalSample) -> object:
    """Prompt, answer and system messages of a sample, by their usual names; what is wrong where it has no answer."""
    name = f"sample {sample.id!r}, epoch {sample.epoch}"
    if sample.error is not None:
        return BadRowError("must have an answer, got an error of the evaluation; run it again", within=name)
    if not sample.output.choices:
        return BadRowError("must have an answer, got none from the model; run it again", within=name)
    asked = sample.input
    prompt = asked if isinstance(asked, str) else [_turn(turn) for turn in asked if turn.role != "system"]
    given = [] if isinstance(asked, str) else [turn.text for turn in asked if turn.role == "system"]
    system = [turn.text for turn in sample.messages if turn.role == "system"] or given
    return {"prompt": prompt, "completion": sample.output.completion, "system": "\n\n".join(system) or None}


def _turn(turn: ChatMessage) -> dict[str, str]:
    return {"role": turn.role, "content": turn.text}


def _note_on_status(log: EvalLog, name: str) -> None:
    if log.status != "success":
        note(name, f"the evaluation did not run to its end (status {log.status}); its rows are the samples that did")
