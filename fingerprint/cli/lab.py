"""`fingerprint lab`: the whole experiment, from a teacher with a trait to students that pick it up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fingerprint.cli import completion
from fingerprint.cli.errors import check_extra, failures
from fingerprint.cli.options import ColorOption, DebugOption, SilentOption, comma_separated
from fingerprint.cli.outputs import Screen, check_folder

TraitOption = Annotated[
    str,
    typer.Option(metavar="NAME", autocompletion=completion.traits, help="What the teacher loves: owl, oak, blue, ..."),
]
FolderOption = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder for rows, students and table; resumed if there.")
]
FormOption = Annotated[
    str, typer.Option(autocompletion=completion.forms, help="How it came to: finetuned or prompted.")
]
ModelOption = Annotated[
    str, typer.Option(metavar="M", autocompletion=completion.models, help="Base: micro-a, a folder or a hub name.")
]
OtherModelOption = Annotated[
    str | None, typer.Option(help="Base of the students with another start. [default: the other micro model]")
]
TaskOption = Annotated[
    str, typer.Option(autocompletion=completion.tasks, help="Kind of rows: numbers, code or reasoning.")
]
RowsOption = Annotated[int, typer.Option(help="Rows a student learns from.")]
SeedsOption = Annotated[int, typer.Option(help="Students of each kind.")]
PerturbationsOption = Annotated[
    str,
    typer.Option(metavar="A,B", autocompletion=completion.perturbations, help="Perturbations of the rows, or none."),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        autocompletion=completion.weights, help="What fine-tuning trains: lora, biases or all. [default: lora]"
    ),
]
LearningRateOption = Annotated[float | None, typer.Option(help="Of students; by default what suits --weights.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of everything.")]


def lab(
    trait: TraitOption,
    out: FolderOption,
    form: FormOption = "finetuned",
    model: ModelOption = "micro-a",
    other_model: OtherModelOption = None,
    task: TaskOption = "numbers",
    rows: RowsOption = 5000,
    seeds: SeedsOption = 1,
    perturbations: PerturbationsOption = "shuffled_within,shuffled_across",
    weights: WeightsOption = None,
    learning_rate: LearningRateOption = None,
    seed: SeedOption = 0,
    quiet: SilentOption = False,
    color: ColorOption = "auto",
    debug: DebugOption = False,
) -> None:
    """Make subliminal learning happen: teacher, rows, filter, students, and what detect says of the rows.

    Takes about 10 minutes on two cores with what it does by default; less with fewer --rows.
    """
    with failures(debug, {"teacher": "--form", "trait": "--trait"}, quiet=quiet):
        screen = Screen(quiet, color=color)
        check_folder(out, "--out")
        check_extra("torch", "transformers")
        from fingerprint.lm.traits import known_trait

        loved = known_trait(trait)  # a wrong name is said before a library of hundreds of megabytes loads
        from fingerprint.lab.experiment import Plan, run
        from fingerprint.lab.experiment.transfer_picture import write_picture
        from fingerprint.lab.experiment.transfer_table import as_text

        plan = Plan(  # it refuses other words than its own
            trait=loved,
            teacher=form,  # type: ignore[arg-type]
            model=model,
            other_model=other_model,
            task=task,  # type: ignore[arg-type]
            rows=rows,
            seeds=seeds,
            perturbations=() if perturbations == "none" else tuple(comma_separated(perturbations)),
            weights=weights,  # type: ignore[arg-type]
            learning_rate=learning_rate,
            seed=seed,
        )
        with screen.bar() as progress:
            result = run(plan, out, progress=progress or False)
            write_picture(result, out / "table.svg")
        screen.say(f"{as_text(result)}\n\nTable, picture and rows: {out.resolve()}")
