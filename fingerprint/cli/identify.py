"""`fingerprint identify SUSPECT`: which of several candidates wrote the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fingerprint.cli import completion
from fingerprint.cli.errors import check_extra, failures
from fingerprint.cli.options import (
    ColorOption,
    DebugOption,
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
    comma_separated,
    named_filters,
    named_turn,
)
from fingerprint.cli.outputs import Screen, check_inputs, check_outputs

if TYPE_CHECKING:
    from fingerprint.filters.verdicts import Filter

ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="M", autocompletion=completion.models, help="Base of the candidates: micro-a, a folder or a hub name."
    ),
]
TraitsOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B", autocompletion=completion.traits, help="Candidate traits, tried as --forms: owl,cat,..."
    ),
]
CandidateOption = Annotated[
    list[str] | None,
    typer.Option(metavar="C", help="A system prompt, a model folder or a corpus; may be repeated."),
]
ReferenceOption = Annotated[
    str | None, typer.Option(metavar="R", help="Rows of the same source without the trait. [default: sampled]")
]
PlaceboOption = Annotated[
    list[str] | None,
    typer.Option(metavar="P", help="As --candidate or a trait: conditioned on something else; may be repeated."),
]
PassedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="F",
        autocompletion=completion.filters,
        help="Filter that SUSPECT has passed, as in detect: sampled rows have to pass it too; may be repeated.",
    ),
]
FormsOption = Annotated[
    str, typer.Option(metavar="A,B", autocompletion=completion.forms, help="How a trait came to its teacher.")
]
AlphaOption = Annotated[float, typer.Option(help="A name needs p <= alpha, besides its posterior and its fit.")]
PermutationsOption = Annotated[int, typer.Option(help="Permutations behind the p-values.")]


def _passed(filters: list[Filter]) -> Filter | None:
    """The filters as one; None for none."""
    from fingerprint.filters.all_of import AllOf

    return filters[0] if len(filters) == 1 else AllOf(tuple(filters)) if filters else None


def identify(
    suspect: SuspectArgument,
    model: ModelOption = None,
    traits: TraitsOption = None,
    candidate: CandidateOption = None,
    reference: ReferenceOption = None,
    placebo: PlaceboOption = None,
    filters: PassedOption = None,
    forms: FormsOption = "finetuned,prompted",
    json: ResultJsonOption = None, title: TitleOption = None,
    text: TextOption = None, prompt: PromptOption = None,
    suspect_text: SuspectTextOption = None, suspect_prompt: SuspectPromptOption = None,
    reference_text: ReferenceTextOption = None, reference_prompt: ReferencePromptOption = None,
    turn: TurnOption = None,
    skip_bad_rows: SkipBadRowsOption = False,
    alpha: AlphaOption = 0.05,
    permutations: PermutationsOption = 9999,
    seed: ResultSeedOption = 0,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = "auto",
    debug: DebugOption = False,
) -> None:
    """Say which of several candidates wrote SUSPECT, or that none of them did.

    Takes about a minute a trait and form on two cores, for 1,000 rows and the small models.
    """
    with failures(debug, {"reference": "--reference"}, quiet=quiet):
        screen = Screen(quiet, verbose, color)
        check_inputs({"SUSPECT": suspect, "--reference": reference})
        check_extra(*(["torch", "transformers"] if model else []))
        check_outputs({"--json": json}, inputs=(suspect, reference, *(candidate or []), *(placebo or [])))
        text_columns = column_of_sides(text, suspect_text, reference_text)
        prompt_columns = column_of_sides(prompt, suspect_prompt, reference_prompt)
        which = named_turn(turn)
        passed = _passed(named_filters(filters or [], (suspect,)))
        from fingerprint.lm.traits import known_trait

        # A wrong name is said before anything loads.
        known = [] if traits is None else [known_trait(name) for name in comma_separated(traits)]
        from fingerprint.identification.identify import identify as run

        with screen.bar() as progress:
            found = run(
                suspect,
                [*known, *(candidate or [])],
                reference=reference,
                model=model,
                placebos=placebo or [],
                forms=comma_separated(forms),
                rule=passed,
                text=text_columns,
                prompt=prompt_columns,
                turn=which,
                bad_rows=bad_rows(skip_bad_rows),
                alpha=alpha,
                n_permutations=permutations,
                rng=seed,
                progress=progress or False,
                title=title,
            )
        screen.result(found)
        if json is not None:
            found.to_json(json)
