"""`fingerprint compare SUSPECT REFERENCE`: two fingerprints, or rows that are sketched for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

import typer

from fingerprint.cli.errors import fail_if, failures
from fingerprint.cli.options import (
    AlphaOption,
    ColorOption,
    DebugOption,
    FailIfDetectedOption,
    NoPromptOption,
    PromptOption,
    QuietOption,
    ReferencePromptOption,
    ReferenceTextOption,
    ResultJsonOption,
    ResultSeedOption,
    SkipBadRowsOption,
    SuspectPromptOption,
    SuspectTextOption,
    TextOption,
    TitleOption,
    TurnOption,
    VerboseOption,
    bad_rows,
    named_turn,
    prompt_column,
)
from fingerprint.cli.outputs import Screen, check_inputs, check_outputs, shards_bar, warnings_in_lines
from fingerprint.cli.priors import ReferenceDigestOption, fingerprint_of

if TYPE_CHECKING:
    from fingerprint.data.chats import Which
    from fingerprint.fingerprints.fingerprint import Fingerprint

_SIDES = ("SUSPECT", "REFERENCE")
PermutationsOption = Annotated[int, typer.Option(help="Random signs of cells behind the p-value.")]

SuspectDigestOption = Annotated[
    str | None, typer.Option("--suspect-sha256", metavar="HEX", help="SHA-256 that the file SUSPECT has to have.")
]


def compare(
    suspect: Annotated[str, typer.Argument(metavar="SUSPECT", help="A fingerprint, or rows: a file or a quoted glob.")],
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="The same of the model without the trait.")],
    suspect_sha256: SuspectDigestOption = None, reference_sha256: ReferenceDigestOption = None,
    json: ResultJsonOption = None, title: TitleOption = None,
    text: TextOption = None, prompt: PromptOption = None,
    suspect_text: SuspectTextOption = None, suspect_prompt: SuspectPromptOption = None,
    reference_text: ReferenceTextOption = None, reference_prompt: ReferencePromptOption = None,
    turn: TurnOption = None,
    no_prompt: NoPromptOption = False,
    skip_bad_rows: SkipBadRowsOption = False,
    alpha: AlphaOption = 0.05,
    permutations: PermutationsOption = 9999,
    seed: ResultSeedOption = 0,
    fail_if_detected: FailIfDetectedOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = "auto",
    debug: DebugOption = False,
) -> None:
    """Compare the fingerprints SUSPECT and REFERENCE, without any row. Takes about 2 seconds on two cores.

    Either may be rows, which are summed first, with the features and cells of the other; the options that name columns
    or say how rows are read are for these.
    """
    with failures(debug, quiet=quiet):
        screen = Screen(quiet, verbose, color)
        which, bad = named_turn(turn), bad_rows(skip_bad_rows)
        how: list[_HowRead] = [
            {"text": its_text or text, "prompt": prompt_column(its_prompt or prompt, no_prompt), "turn": which,
             "bad_rows": bad}
            for its_text, its_prompt in ((suspect_text, suspect_prompt), (reference_text, reference_prompt))
        ]  # fmt: skip
        check_inputs({"SUSPECT": suspect, "REFERENCE": reference})
        check_outputs({"--json": json}, inputs=(suspect, reference))
        from fingerprint.fingerprints.compare import compare as run
        from fingerprint.report.title import title_of

        names = (suspect, reference)
        known = _loaded(names, (suspect_sha256, reference_sha256))
        _check_used([found is None for found in known], {
            "--suspect-text": (suspect_text, 0), "--suspect-prompt": (suspect_prompt, 0),
            "--reference-text": (reference_text, 1), "--reference-prompt": (reference_prompt, 1),
            "--text": (text, None), "--prompt": (prompt, None), "--turn": (turn, None),
            "--no-prompt": (no_prompt, None), "--skip-bad-rows": (skip_bad_rows, None),
        })  # fmt: skip
        like = next((found for found in known if found is not None), None)
        for side, name in enumerate(names):
            if known[side] is None:
                known[side] = _of_rows(name, like, how[side], screen)
        with screen.bar() as progress:
            found = run(
                *(one for one in known if one is not None),
                alpha=alpha, n_permutations=permutations, rng=seed, progress=progress or False,
                title=title_of(title, suspect, reference),
            )  # fmt: skip
        screen.result(found)
        if json is not None:
            found.to_json(json)
        fail_if(fail_if_detected and found.detected)


def _loaded(names: Sequence[str], pins: Sequence[str | None]) -> list[Fingerprint | None]:
    """The fingerprints among two files; None for rows, which have no digest."""
    from fingerprint.features.compiled import side_by_side

    return [done() for done in side_by_side(lambda side: fingerprint_of(names[side], pins[side]), range(len(names)))]


class _HowRead(TypedDict):
    """How the rows of one side are read."""

    text: str | None
    prompt: str | Literal[False] | None
    turn: Which | None
    bad_rows: Literal["error", "skip"]


def _check_used(are_rows: Sequence[bool], options: Mapping[str, tuple[object, int | None]]) -> None:
    """Refuse what says how to read rows where there are none: options by name, with the side that they are for."""
    for option, (value, side) in options.items():
        if value and not (any(are_rows) if side is None else are_rows[side]):
            whose = "SUSPECT and REFERENCE are fingerprints" if side is None else f"{_SIDES[side]} is a fingerprint"
            raise ValueError(f"{option} must be left out where {whose}, without rows; sketch the rows with it")


def _of_rows(name: str, like: Fingerprint | None, how: _HowRead, screen: Screen) -> Fingerprint:
    """Rows as a fingerprint that compares with another one."""
    from fingerprint.data.shards import shard_paths
    from fingerprint.fingerprints.cells import CELLS
    from fingerprint.fingerprints.fingerprint import Fingerprint

    features, cells = ("all", CELLS) if like is None else (list(like.families), like.cells)
    with shards_bar(len(shard_paths(name)), screen) as progress, warnings_in_lines():
        return Fingerprint.of(name, **how, features=features, cells=cells, progress=progress)
