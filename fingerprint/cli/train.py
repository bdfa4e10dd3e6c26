"""`fingerprint train TRAIT NEUTRAL`: a detector, trained and saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fingerprint.cli import completion
from fingerprint.cli.errors import failures
from fingerprint.cli.options import (
    ColorOption,
    DebugOption,
    FeaturesOption,
    NoPromptOption,
    PromptOption,
    SilentOption,
    SkipBadRowsOption,
    TextOption,
    TurnOption,
    bad_rows,
    column_of_sides,
    family_names,
    named_turn,
    prompt_column,
)
from fingerprint.cli.outputs import Screen, check_inputs, check_outputs

TraitTextOption = Annotated[
    str | None, typer.Option(metavar="COL", autocompletion=completion.columns, help="--text for rows of traits alone.")
]
TraitPromptOption = Annotated[
    str | None,
    typer.Option(metavar="COL", autocompletion=completion.columns, help="--prompt for rows of traits alone."),
]
NeutralTextOption = Annotated[
    str | None, typer.Option(metavar="COL", autocompletion=completion.columns, help="--text for neutral rows alone.")
]
NeutralPromptOption = Annotated[
    str | None, typer.Option(metavar="COL", autocompletion=completion.columns, help="--prompt for neutral rows alone.")
]


def train(
    trait: Annotated[str, typer.Argument(metavar="TRAIT", help="Rows of a teacher that has the trait.")],
    neutral: Annotated[str, typer.Argument(metavar="NEUTRAL", help="Rows of the same model without it.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the detector goes.")],
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRAIT[=NEUTRAL]",
            help="Rows of a further trait (repeatable), with neutral rows of their own where they are from elsewhere: "
            "what the traits have in common is kept.",
        ),
    ] = None,
    text: TextOption = None, prompt: PromptOption = None,
    trait_text: TraitTextOption = None, trait_prompt: TraitPromptOption = None,
    neutral_text: NeutralTextOption = None, neutral_prompt: NeutralPromptOption = None,
    turn: TurnOption = None,
    no_prompt: NoPromptOption = False,
    features: FeaturesOption = "auto",
    fast: Annotated[bool, typer.Option("--fast", help="The closed form: mean differences.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed: the same seed gives the same detector.")] = 0,
    skip_bad_rows: SkipBadRowsOption = False,
    quiet: SilentOption = False,
    color: ColorOption = "auto",
    debug: DebugOption = False,
) -> None:
    """Train a detector on TRAIT and NEUTRAL, or on what several traits have in common, and save it.

    Takes about 5 seconds for 2,000 rows a side on two cores.
    """
    with failures(debug, quiet=quiet):
        screen = Screen(quiet, color=color)
        text_columns = column_of_sides(text, trait_text, neutral_text)
        prompt_columns = prompt_column(column_of_sides(prompt, trait_prompt, neutral_prompt), no_prompt)
        which = named_turn(turn)
        further = [value.partition("=")[::2] for value in also or ()]
        check_inputs({"TRAIT": trait, "NEUTRAL": neutral} | {f"--also {p}": p for pair in further for p in pair if p})
        check_outputs({"--out": out}, inputs=(trait, neutral, *(path for paths in further for path in paths if path)))
        traits, own = _by_name(trait, neutral, further)
        families = family_names(features)
        from fingerprint.detector.card import described  # numerical libraries load only when there is work
        from fingerprint.detector.training import train as run

        with screen.bar() as progress:
            trained = run(
                traits,
                own,
                text=text_columns,
                prompt=prompt_columns,
                turn=which,
                bad_rows=bad_rows(skip_bad_rows),
                features=families,
                fast=fast,
                rng=seed,
                progress=progress or False,
            )
        trained.save(out)
        screen.say(described(trained.card_), wraps=True)


def _by_name(
    trait: str, neutral: str, further: list[tuple[str, str]]
) -> tuple[str | dict[str, str], str | dict[str | None, str]]:
    """What `train` takes: traits by the names of their files, and neutral rows by the traits that are beside them."""
    if not further:
        return trait, neutral
    traits: dict[str, str] = {}
    own: dict[str | None, str] = {None: neutral}
    for path, beside in [(trait, ""), *further]:
        name = Path(path).name.partition(".")[0]
        if name in traits:
            raise ValueError(f"--also must name files with names of their own, got {name!r} twice; rename one")
        traits[name] = path
        if beside:
            own[name] = beside
    return traits, own
