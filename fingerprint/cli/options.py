"""Options that several commands have, declared once; and what the words given for them mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from fingerprint.cli import completion

if TYPE_CHECKING:
    from fingerprint.data.chats import Which
    from fingerprint.filters.verdicts import Filter

Named = TypeVar("Named", bound="str | tuple[str | None, str | None] | None")

SuspectArgument = Annotated[str, typer.Argument(metavar="SUSPECT", help="Corpus to judge: a file or a quoted glob.")]

# Rows and their columns
TextOption = Annotated[
    str | None,
    typer.Option(
        metavar="COL", autocompletion=completion.columns, help="Column of the text. [default: found by name]"
    ),
]
PromptOption = Annotated[
    str | None,
    typer.Option(
        metavar="COL", autocompletion=completion.columns, help="Column of the prompt. [default: found by name]"
    ),
]
SuspectTextOption = Annotated[
    str | None, typer.Option(metavar="COL", autocompletion=completion.columns, help="--text for SUSPECT alone.")
]
SuspectPromptOption = Annotated[
    str | None, typer.Option(metavar="COL", autocompletion=completion.columns, help="--prompt for SUSPECT alone.")
]
ReferenceTextOption = Annotated[
    str | None, typer.Option(metavar="COL", autocompletion=completion.columns, help="--text for REFERENCE alone.")
]
ReferencePromptOption = Annotated[
    str | None, typer.Option(metavar="COL", autocompletion=completion.columns, help="--prompt for REFERENCE alone.")
]
TurnOption = Annotated[
    str | None,
    typer.Option(metavar="T", help="Turn of a chat that is the text: last, first, all, or a number. [default: last]"),
]
NoPromptOption = Annotated[bool, typer.Option("--no-prompt", help="Ignore prompts: rows count as independent.")]
SkipBadRowsOption = Annotated[bool, typer.Option("--skip-bad-rows", help="Leave bad rows out, and count them.")]
BadShardsOption = Annotated[
    bool, typer.Option("--skip-bad-shards", help="Leave out files that cannot be used, and name them.")
]

EngineOption = Annotated[
    str,
    typer.Option(
        metavar="E", autocompletion=completion.engines, help="Where shards are read: local, or ray (a Ray cluster)."
    ),
]

# What is computed
FeaturesOption = Annotated[
    str, typer.Option(metavar="A,B", autocompletion=completion.families, help="Feature families, or auto.")
]
FilterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="F",
        autocompletion=completion.filters,
        help="numbers, numbers-banned, banned[=13,666], parses, keywords=A,B, substring=A, code-words=A, "
        "tfidf@0.3=TRAIT, embedding@0.4=TRAIT or scores@0.5=COLUMN; may be repeated.",
    ),
]
AlphaOption = Annotated[float, typer.Option(help="Error rate of the verdict.")]
PermutationsOption = Annotated[int, typer.Option(help="Permutations behind the p-value.")]
ResultSeedOption = Annotated[int, typer.Option(min=0, help="Seed: the same seed gives the same result.")]

# What comes out
FingerprintOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the fingerprint goes: FILE.fp.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the report as an HTML page.")]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON.")]
ScoresOption = Annotated[
    Path | None, typer.Option("--scores", metavar="FILE", help="Write the score of every row as Parquet.")
]
ResultJsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")]
FailIfDetectedOption = Annotated[bool, typer.Option("--fail-if-detected", help="Exit with 1 if detected.")]
DropTrainedRowsOption = Annotated[
    bool,
    typer.Option("--drop-trained-rows", help="Leave out rows and prompts that the detector or panel was made from."),
]
TitleOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What to call the comparison. [default: names of the files]")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the verdict, in one line.")]
SilentOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print everything.")]
ColorOption = Annotated[
    str, typer.Option(metavar="WHEN", autocompletion=completion.colors, help="Colours: auto, always or never.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")]


def prompt_column(prompt: Named, no_prompt: bool) -> Named | Literal[False]:
    """The column of ``--prompt``, or of both sides; False where ``--no-prompt`` says to ignore prompts."""
    if prompt is not None and no_prompt:
        raise ValueError(f"--prompt must not be given with --no-prompt, got --prompt {prompt}; leave one out")
    return False if no_prompt else prompt


def column_of_sides(
    both: str | None, suspect: str | None, reference: str | None
) -> str | tuple[str | None, str | None] | None:
    """The column of ``--text`` or ``--prompt``, or those of the two sides."""
    if suspect is None and reference is None:
        return both
    return (suspect or both, reference or both)


def named_turn(turn: str | None) -> Which | None:
    """The turn of ``--turn``; what is no word and no number is refused where it is used."""
    if turn is None:
        return None
    from fingerprint.data.chats import checked_which

    return checked_which(int(turn) if turn.lstrip("+-").isdecimal() else turn)


def bad_rows(is_skipping: bool) -> Literal["error", "skip"]:
    """What is done with bad rows."""
    return "skip" if is_skipping else "error"


def comma_separated(names: str) -> list[str]:
    """The names in ``A,B,C``."""
    return [name.strip() for name in names.split(",")]


def family_names(features: str) -> str | list[str]:
    """``auto``, or the families that were named."""
    names = comma_separated(features)
    if not all(names):
        raise ValueError(f"--features must be family names with commas between them, got {features!r}; or use auto")
    return "auto" if names == ["auto"] else names


def named_filters(specs: Sequence[str], corpora: Sequence[str | None]) -> list[Filter]:
    """The filters that were named; the files are where ``scores`` looks for its column."""
    if not specs:
        return []
    from fingerprint.filters.by_name import named

    return [named(spec, [corpus for corpus in corpora if corpus is not None]) for spec in specs]
