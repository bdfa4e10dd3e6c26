"""How a command fails: one line on standard error, and an exit code.

Exit codes: 0 the analysis ran; 1 only with ``--fail-if-detected``, and detected; 2 bad input or arguments; 3 only with
``--require-power``, where the comparison could not have found what was asked for, or found a difference that is not
called detected; 70 an unexpected failure; 130 interrupted, 143 terminated (see `fingerprint.cli.stopping`).
"""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer

from fingerprint.cli.stopping import Stopped, was_stopped
from fingerprint.data.extras import EXTRAS, install_command

if TYPE_CHECKING:
    from fingerprint.report.gate import Judgement

_DETECTED = 1
BAD_INPUT = 2
_NOT_FOUND_OUT = 3
_UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# Arguments as messages of the library begin with them, where the command line has another word.
_OPTIONS = {
    "bad_rows": "--skip-bad-rows",
    "candidates": "--candidate",
    "filter": "--filter",
    "filters": "--filter",
    "forms": "--forms",
    "model": "--model",
    "other_model": "--other-model",
    "perturbations": "--perturbations",
    "placebos": "--placebo",
    "prior": "--prior",
    "prompt": "--prompt",
    "prompts": "--prompts",
    "reference": "REFERENCE",
    "rng": "--seed",
    "rule": "--filter",
    "scores": "--scores",
    "seeds": "--seeds",
    "suspect": "SUSPECT",
    "temperature": "--temperature",
    "text": "--text",
    "title": "--title",
    "trait": "--traits",
    "weights": "--weights",
    "alpha": "--alpha",
    "base_url": "--endpoint",
    "budget": "--budget",
    "card": "--card",
    "cells": "--cells",
    "concurrency": "--concurrency",
    "data": "rows",
    "deadline": "--deadline",
    "engine='ray'": "--engine ray",
    "engine": "--engine",
    "features": "--features",
    "form": "--form",
    "max_attempts": "--attempts",
    "max_auc": "--max-auc",
    "min_auc": "--min-auc",
    "min_effect": "--min-effect",
    "min_rows": "--min-rows",
    "n_permutations": "--permutations",
    "prices": "--prices",
    "request": "--field",
    "requests_per_minute": "--requests-per-minute",
    "require_power": "--require-power",
    "resume": "--resume",
    "rows_per_prompt": "--rows-per-prompt",
    "student": "--student",
    "system_prompts": "--system-prompt",
    "task": "--task",
    "teacher": "--teacher",
    "timeout": "--timeout",
    "traits": "--traits",
    "turn": "--turn",
}
_ITEM = re.compile(r"([a-z_]+)\[\d+\]")
_PHRASES = {
    'bad_rows="skip" (--skip-bad-rows)': "--skip-bad-rows",
    "(trained_rows='drop', --drop-trained-rows)": "(--drop-trained-rows)",
    ", or scikit-learn transformers, got": ", got",
    " Or say what it is compared with: known_trait(name, category)": "",
    " or pass fingerprint.lm.traits.known_trait(name, category)": "",
    ", in Python prompt=False": "",
    "prompt=False, --no-prompt": "--no-prompt",
    "prompt=False (--no-prompt)": "--no-prompt",
    "(prompt=False)": "(--no-prompt)",
    'text="..." and prompt="..." (--text, --prompt)': "--text and --prompt",
    'text="..." (--text)': "--text COL",
    "of one side alone with a pair (--suspect-text)": "of one side alone with --suspect-text or --reference-text",
    "of one side alone with a pair (--suspect-prompt)": "of one side alone with --suspect-prompt or --reference-prompt",
    'prompt="..." (--prompt)': "--prompt COL",
    "pass other_pairs=True": "pass --other-pairs",
    "max_auc (--max-auc)": "--max-auc",
    "pass model=": "pass --model",
    ", and base_url": ", and --endpoint",
    "got student=True": "got --student",
    "got prompt=False": "got --no-prompt",
    ", or teacher=(suspect's, reference's)": "",  # the command line has one teacher
    "features=['tokens', 'layout']": "--features tokens,layout",
}


@contextmanager
def failures(
    is_debugging: bool, words: Mapping[str, str] = MappingProxyType({}), *, quiet: bool = False
) -> Iterator[None]:
    """Turn exceptions into one line on standard error and an exit code; and notes on how rows were read into lines.

    `words` are what arguments of the library are called in this command, where it is not what others call them.
    """
    try:
        with _notes_in_lines(quiet):
            yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(_INTERRUPTED) from None
    except Exception as error:
        if was_stopped():
            raise Stopped from None  # a library made another error of it
        if _is_bad_input(error):
            complain(f"error: {_message(error, words)}", is_debugging)
            raise typer.Exit(BAD_INPUT) from None
        hint = "" if is_debugging else "; run it again with --debug for the traceback"
        complain(f"unexpected failure: {type(error).__name__}: {_message(error, words)}{hint}", is_debugging)
        raise typer.Exit(_UNEXPECTED) from None


@contextmanager
def _notes_in_lines(quiet: bool) -> Iterator[None]:
    """Each note on how rows were read as a line on standard error, once; other warnings as they would be."""
    from fingerprint.data.notes import ReadingNote

    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", ReadingNote)
        show = warnings.showwarning

        def show_note(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if not issubclass(category, ReadingNote):
                show(message, category, *where, **more)
            elif not quiet and str(message) not in said:
                said.add(str(message))
                complain(f"note: {message}")

        warnings.showwarning = show_note
        yield


def check_extra(*packages: str) -> None:
    """Say that an extra is missing before any row is read.

    Raises
    ------
    ModuleNotFoundError
        Which `failures` knows the remedy of.
    """
    for package in packages:
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)


def fail_if(is_detected: bool) -> None:
    """Exit with the code that ``--fail-if-detected`` promises; after everything was written."""
    if is_detected:
        raise typer.Exit(_DETECTED)


def leave(judgement: Judgement, *, fails_if_detected: bool, requires_power: bool) -> None:
    """Exit with the code that the gate's options promise; after everything was written."""
    if fails_if_detected and judgement.outcome == "failed":
        raise typer.Exit(_DETECTED)
    if requires_power and judgement.outcome == "unknown":
        raise typer.Exit(_NOT_FOUND_OUT)


def _is_bad_input(error: Exception) -> bool:
    """Whether the caller can mend it: this package says so with builtin types, other libraries with their own.

    `numpy.linalg.LinAlgError`, for one, is a ValueError, and nothing that the caller did wrong. That an extra is
    missing follows from the name of the package, or this package's own words say so.
    """
    module = type(error).__module__
    if isinstance(error, ImportError):
        return _missing_extra(error) is not None or "pip install" in str(error)
    is_known = module == "builtins" or module.startswith("fingerprint.")
    return isinstance(error, OSError) or (isinstance(error, (ValueError, TypeError)) and is_known)


def _missing_extra(error: Exception) -> str | None:
    """The extra that installs the package that was not found; None where something else went wrong."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    return EXTRAS.get((error.name or "").partition(".")[0])


def _message(error: Exception, words: Mapping[str, str]) -> str:
    if isinstance(error, ImportError) and (extra := _missing_extra(error)) is not None:
        return f"this needs the extra {extra}, got no {error.name}; install it: {install_command(extra)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.strerror}: {error.filename}{_near(error)}"
    return _in_options(str(error), words)


def _near(error: OSError) -> str:
    """The file that a missing one may stand for, by its name."""
    from fingerprint.data.nearest import nearest

    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | os.PathLike) else None
    if path is None or error.errno != errno.ENOENT or not path.parent.is_dir():
        return ""
    near = nearest(path.name, (other.name for other in path.parent.iterdir()))
    return "" if near is None else f"; did you mean {path.with_name(near)}?"


def _in_options(message: str, words: Mapping[str, str]) -> str:
    """A message in the words of the command line: the argument it begins with, and what it says to pass."""
    first, blank, rest = message.partition(" ")
    if (item := _ITEM.fullmatch(first)) is not None:  # candidates[0], of which each has an option of its own
        first = item[1]
    message = words.get(first, _OPTIONS.get(first, first)) + blank + rest
    for phrase, option in _PHRASES.items():
        message = message.replace(phrase, option)
    return message


def complain(message: str, is_debugging: bool = False) -> None:
    """One line on standard error."""
    from fingerprint.report.formatting import visible

    if is_debugging:
        traceback.print_exc()
    print(visible("fingerprint: " + " ".join(message.splitlines())), file=sys.stderr)
