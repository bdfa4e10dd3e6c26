"""`fingerprint labels SUSPECT [REFERENCE]`: which of two texts a judge chose, beside what a reference judge chose."""

from __future__ import annotations

from typing import Annotated

import typer

from fingerprint.cli.errors import fail_if, failures
from fingerprint.cli.options import (
    AlphaOption,
    ColorOption,
    DebugOption,
    FailIfDetectedOption,
    FeaturesOption,
    NoPromptOption,
    PermutationsOption,
    PromptOption,
    QuietOption,
    ResultJsonOption,
    ResultSeedOption,
    SkipBadRowsOption,
    TitleOption,
    VerboseOption,
    bad_rows,
    family_names,
    prompt_column,
)
from fingerprint.cli.outputs import Screen, check_outputs, warnings_in_lines

OtherPairsOption = Annotated[
    bool, typer.Option("--other-pairs", help="Compare pairs that one side alone has, if they were drawn alike.")
]


def labels(
    suspect: Annotated[str, typer.Argument(metavar="SUSPECT", help="Labelled pairs: a file or a quoted glob.")],
    reference: Annotated[
        str | None, typer.Argument(metavar="[REFERENCE]", help="The same pairs, labelled by a judge without the trait.")
    ] = None,
    json: ResultJsonOption = None,
    title: TitleOption = None,
    prompt: PromptOption = None,
    no_prompt: NoPromptOption = False,
    skip_bad_rows: SkipBadRowsOption = False,
    features: FeaturesOption = "auto",
    other_pairs: OtherPairsOption = False,
    alpha: AlphaOption = 0.05,
    permutations: PermutationsOption = 9999,
    seed: ResultSeedOption = 0,
    fail_if_detected: FailIfDetectedOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = "auto",
    debug: DebugOption = False,
) -> None:
    """Test whether the choices in SUSPECT differ from those in REFERENCE.

    Rows hold chosen and rejected (TRL), or response_a, response_b and winner. Length and position are told apart from
    what the texts say. Without REFERENCE: what the judge prefers, which is no trait.
    """
    with failures(debug, quiet=quiet):
        screen = Screen(quiet, verbose, color)
        column = prompt_column(prompt, no_prompt)
        check_outputs({"--json": json}, inputs=(suspect, reference))
        if fail_if_detected and reference is None:
            raise ValueError("--fail-if-detected must have a REFERENCE, got none; a judge alone has only preferences")
        families = family_names(features)
        from fingerprint.preferences.detect_labels import detect_labels

        with warnings_in_lines():
            found = detect_labels(
                suspect,
                reference,
                prompt=column,
                features=families,
                other_pairs=other_pairs,
                alpha=alpha,
                n_permutations=permutations,
                rng=seed,
                bad_rows=bad_rows(skip_bad_rows),
                title=title,
            )
        screen.result(found)
        if json is not None:
            found.to_json(json)
        fail_if(fail_if_detected and found.detected)
