"""What a shell offers when the tab key is pressed: names of filters, families, traits, models, tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

import typer

from fingerprint.report.terminal import COLORS

# Bytes at the head of a file in which its first row is looked for.
_HEAD = 1 << 16


def _offer(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Names that begin with what was typed, also after the last comma of a list."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in names() if name.startswith(last)]

    return complete


def _filters() -> Iterable[str]:
    from fingerprint.filters.by_name import WORDS

    return WORDS


def _families() -> Iterable[str]:
    from fingerprint.features import FAMILIES

    return ("auto", *FAMILIES)


def _traits() -> Iterable[str]:
    from fingerprint.lm.traits import CATEGORIES

    return chain.from_iterable(CATEGORIES.values())


def _perturbations() -> Iterable[str]:
    from fingerprint.lab.perturbations import PERTURBATIONS

    return ("none", *PERTURBATIONS)


def columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Columns of the first row of the corpora that were typed already, where they are JSON lines or CSV."""
    typed = [value for key in ("suspect", "reference", "corpus", "trait", "neutral") if (value := ctx.params.get(key))]
    names = dict.fromkeys(name for file in typed for name in _columns_of(Path(str(file))))
    return [name for name in names if name.startswith(incomplete)]


def _columns_of(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            line = file.read(_HEAD).decode("utf-8", "replace").partition("\n")[0]
        if path.suffix in (".csv", ".tsv"):
            return [name.strip('" \r') for name in line.split("\t" if path.suffix == ".tsv" else ",")]
        row = json.loads(line)
    except (OSError, ValueError):
        return []
    return list(row) if isinstance(row, dict) else []


filters = _offer(_filters)
families = _offer(_families)
traits = _offer(_traits)
perturbations = _offer(_perturbations)
models = _offer(lambda: ("micro-a", "micro-b"))
tasks = _offer(lambda: ("numbers", "code", "reasoning"))
forms = _offer(lambda: ("finetuned", "prompted"))
weights = _offer(lambda: ("lora", "biases", "all"))
corrections = _offer(lambda: ("bh", "by"))
engines = _offer(lambda: ("local", "ray"))
colors = _offer(lambda: COLORS)
