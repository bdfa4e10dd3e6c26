"""`fingerprint train TRAIT NEUTRAL`: a detector, trained and saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fingerprint.cli.errors import failures
from fingerprint.cli.options import (
    DebugOption,
    FeaturesOption,
    NoPromptOption,
    PromptOption,
    QuietOption,
    SkipBadRowsOption,
    TextOption,
    bad_rows,
    family_names,
    prompt_column,
)
from fingerprint.cli.outputs import check_outputs, show


def train(
    trait: Annotated[str, typer.Argument(metavar="TRAIT", help="Rows of a teacher that has the trait.")],
    neutral: Annotated[str, typer.Argument(metavar="NEUTRAL", help="Rows of the same model without it.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the detector goes.")],
    text: TextOption = None,
    prompt: PromptOption = None,
    no_prompt: NoPromptOption = False,
    features: FeaturesOption = "auto",
    fast: Annotated[bool, typer.Option("--fast", help="The closed form: mean differences.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed: the same seed gives the same detector.")] = 0,
    skip_bad_rows: SkipBadRowsOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a detector on TRAIT and NEUTRAL, and save it."""
    with failures(debug):
        column = prompt_column(prompt, no_prompt)
        check_outputs({"--out": out}, inputs=(trait, neutral))
        families = family_names(features)
        from fingerprint.detector.card import described  # numerical libraries load only when there is work
        from fingerprint.detector.detector import train as run

        trained = run(
            trait,
            neutral,
            text=text,
            prompt=column,
            bad_rows=bad_rows(skip_bad_rows),
            features=families,
            fast=fast,
            rng=seed,
        )
        trained.save(out)
        if not quiet:
            show(described(trained.card_))
