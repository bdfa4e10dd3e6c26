"""`fingerprint scan CORPUS`: a corpus judged by a trained detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fingerprint.cli.errors import fail_if, failures
from fingerprint.cli.options import (
    AlphaOption,
    ColorOption,
    DebugOption,
    DropTrainedRowsOption,
    FailIfDetectedOption,
    PermutationsOption,
    PromptOption,
    QuietOption,
    ReferencePromptOption,
    ReferenceTextOption,
    ResultJsonOption,
    ResultSeedOption,
    SkipBadRowsOption,
    SuspectArgument,
    SuspectPromptOption,
    SuspectTextOption,
    TextOption,
    TitleOption,
    TurnOption,
    VerboseOption,
    bad_rows,
    column_of_sides,
    named_turn,
)
from fingerprint.cli.outputs import Screen, check_inputs, check_outputs

DetectorOption = Annotated[Path, typer.Option("--detector", metavar="FILE", help="Detector written by train.")]
DetectorDigestOption = Annotated[
    str | None,
    typer.Option("--detector-sha256", metavar="HEX", help="SHA-256 that the file of --detector has to have."),
]
ReferenceOption = Annotated[
    str | None,
    typer.Option(metavar="R", help="Rows of the same source without the trait. [default: those held out in training]"),
]


def scan(
    suspect: SuspectArgument,
    detector: DetectorOption,
    detector_sha256: DetectorDigestOption = None,
    reference: ReferenceOption = None,
    json: ResultJsonOption = None, title: TitleOption = None,
    text: TextOption = None, prompt: PromptOption = None,
    suspect_text: SuspectTextOption = None, suspect_prompt: SuspectPromptOption = None,
    reference_text: ReferenceTextOption = None, reference_prompt: ReferencePromptOption = None,
    turn: TurnOption = None,
    alpha: AlphaOption = 0.05,
    permutations: PermutationsOption = 9999,
    seed: ResultSeedOption = 0,
    drop_trained_rows: DropTrainedRowsOption = False,
    skip_bad_rows: SkipBadRowsOption = False,
    fail_if_detected: FailIfDetectedOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = "auto",
    debug: DebugOption = False,
) -> None:
    """Judge SUSPECT by a trained detector, with or without neutral rows of the same source.

    Takes a few seconds.
    """
    with failures(debug, {"neutral": "--reference", "corpus": "SUSPECT"}, quiet=quiet):
        screen = Screen(quiet, verbose, color)
        check_inputs({"SUSPECT": suspect, "--reference": reference})
        check_outputs({"--json": json}, inputs=(suspect, reference, str(detector)))
        text_columns = column_of_sides(text, suspect_text, reference_text)
        prompt_columns = column_of_sides(prompt, suspect_prompt, reference_prompt)
        which = named_turn(turn)
        from fingerprint.detector.detector import Detector
        from fingerprint.detector.scan import scan as run

        with screen.bar() as progress:
            found = run(
                suspect,
                Detector.load(detector, sha256=detector_sha256),
                neutral=reference,
                text=text_columns,
                prompt=prompt_columns,
                turn=which,
                alpha=alpha,
                n_permutations=permutations,
                trained_rows="drop" if drop_trained_rows else "error",
                bad_rows=bad_rows(skip_bad_rows),
                rng=seed,
                progress=progress or False,
                title=title,
            )
        screen.result(found)
        if json is not None:
            found.to_json(json)
        fail_if(fail_if_detected and found.detected)
