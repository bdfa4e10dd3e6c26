"""`fingerprint detect SUSPECT REFERENCE`: the comparison of two corpora."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

import typer

from fingerprint.cli import completion
from fingerprint.cli.errors import check_extra, failures, leave
from fingerprint.cli.options import (
    AlphaOption,
    BadShardsOption,
    ColorOption,
    DebugOption,
    DropTrainedRowsOption,
    EngineOption,
    FeaturesOption,
    FilterOption,
    HtmlOption,
    JsonOption,
    NoPromptOption,
    PermutationsOption,
    PromptOption,
    QuietOption,
    ReferencePromptOption,
    ReferenceTextOption,
    ScoresOption,
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
    family_names,
    named_filters,
    named_turn,
    prompt_column,
)
from fingerprint.cli.outputs import Screen, check_inputs
from fingerprint.cli.priors import PriorDigestOption, PriorOption, ReferenceDigestOption, fingerprint_of, priors
from fingerprint.cli.report_files import ReportFiles

if TYPE_CHECKING:
    from fingerprint.data.chats import Which
    from fingerprint.fingerprints.fingerprint import Fingerprint
    from fingerprint.lm.teachers import Teacher

ReferenceArgument = Annotated[
    str | None, typer.Argument(metavar="REFERENCE", help="Corpus of the same model without the trait.")
]
# A base model, a known teacher, placebos
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="M",
        autocompletion=completion.models,
        help="Base model that reads the rows: micro-a, a folder or a hub name.",
    ),
]
SystemPromptOption = Annotated[
    list[str] | None, typer.Option(metavar="TEXT", help="System prompt to try with --model; may be repeated.")
]
StudentOption = Annotated[bool, typer.Option("--student", help="Also train students of --model on the suspect's rows.")]
TeacherOption = Annotated[
    str | None, typer.Option(metavar="T", help="The suspect's teacher, if known: a model. Needs --model.")
]
TeacherSystemOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="System prompt of the teacher, by default --model's.")
]
PlaceboOption = Annotated[
    list[str] | None, typer.Option(metavar="P", help="Rows of a teacher conditioned otherwise; may be repeated.")
]
# The verdict and its sections
MinAucOption = Annotated[float, typer.Option(help="Row AUROC that a detection must exceed.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed: the same seed gives the same report.")]
NoLadderOption = Annotated[bool, typer.Option("--no-ladder", help="Leave out where the signal lives.")]
SelfTestOption = Annotated[bool, typer.Option("--self-test", help="Measure the false-positive rate; slow.")]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Keep what is done of shards in F.part; the same command goes on from there.")
]
# The gate: what a pipeline asks for
FailIfDetected = Annotated[
    bool, typer.Option("--fail-if-detected", help="Exit with 1 if detected; not where prompts differ.")
]
MinEffect = Annotated[
    float | None,
    typer.Option(
        metavar="AUC",
        help="Let a detection pass if the row AUROC that a score learnt from these rows reaches is below, with its "
        "whole 95 % interval: a floor on what these rows teach, not on harm; the trait's own effect can be larger. "
        "Power is stated for AUC.",
    ),
]
RequirePower = Annotated[
    float | None,
    typer.Option(
        metavar="P",
        help="Exit with 3 if not detected and the power against --min-effect (else .55) is below P, or the rows differ "
        "all the same. A detection exits with 0 without --fail-if-detected.",
    ),
]
JunitOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write verdict, power, prompts and filters as JUnit test cases.")
]
SummaryOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write Markdown for a job; appended to $GITHUB_STEP_SUMMARY.")
]


def detect(
    suspect: SuspectArgument,
    reference: ReferenceArgument = None, reference_sha256: ReferenceDigestOption = None,
    html: HtmlOption = None, json: JsonOption = None, scores: ScoresOption = None, title: TitleOption = None,
    junit: JunitOption = None, summary: SummaryOption = None,
    text: TextOption = None, prompt: PromptOption = None,
    suspect_text: SuspectTextOption = None, suspect_prompt: SuspectPromptOption = None,
    reference_text: ReferenceTextOption = None, reference_prompt: ReferencePromptOption = None,
    turn: TurnOption = None, no_prompt: NoPromptOption = False,
    features: FeaturesOption = "auto",
    filters: FilterOption = None,
    prior: PriorOption = None, prior_sha256: PriorDigestOption = None,
    drop_trained_rows: DropTrainedRowsOption = False,
    model: ModelOption = None, system_prompt: SystemPromptOption = None, student: StudentOption = False,
    teacher: TeacherOption = None, teacher_system: TeacherSystemOption = None, placebo: PlaceboOption = None,
    alpha: AlphaOption = 0.05,
    min_auc: MinAucOption = 0.5,
    permutations: PermutationsOption = 9999, seed: SeedOption = 0,
    no_ladder: NoLadderOption = False, self_test: SelfTestOption = False,
    skip_bad_rows: SkipBadRowsOption = False, skip_bad_shards: BadShardsOption = False,
    engine: EngineOption = "local", resume: ResumeOption = False,
    fail_if_detected: FailIfDetected = False,
    min_effect: MinEffect = None, require_power: RequirePower = None,
    quiet: QuietOption = False, verbose: VerboseOption = False, color: ColorOption = "auto", debug: DebugOption = False,
) -> None:
    """Compare SUSPECT with REFERENCE and print a calibrated report.

    Takes about 4 seconds for 2,000 rows a side on two cores and 8 for 20,000; with a filter, a base model or a
    self-test a minute or more.

    Corpora are JSONL, JSON, CSV, Parquet or plain text (one row a line), also compressed with gzip or zstd; a quoted
    glob of many files is one corpus, of any size.
    """
    with failures(debug, quiet=quiet):
        screen, files = Screen(quiet, verbose, color), ReportFiles(html, json, scores, junit, summary)
        check_inputs({"SUSPECT": suspect, "REFERENCE": reference} | {f"--placebo {p}": p for p in placebo or ()})
        check_extra(*(["torch", "transformers"] if model else []), *(["ray"] if engine == "ray" else []))
        files.check(inputs=(suspect, reference, *(placebo or ()), *map(str, prior or ())))
        kept = files.kept_work() if resume else None
        from fingerprint.detection.detect import detect as run  # numerical libraries load only when there is work
        from fingerprint.detection.journal import forget

        known, named = _pinned(suspect, reference, reference_sha256, title)
        _check_gate(fail_if_detected, min_effect, require_power, min_auc)
        with files.draft_of_scores() as draft, screen.bar() as progress:
            report = run(
                suspect,
                known,
                text=column_of_sides(text, suspect_text, reference_text),
                prompt=prompt_column(column_of_sides(prompt, suspect_prompt, reference_prompt), no_prompt),
                features=family_names(features), filters=named_filters(filters or [], (suspect, reference)),
                ladder=not no_ladder, prior=priors(prior, prior_sha256),
                alpha=alpha, min_auc=min_auc, min_effect=min_effect,
                n_permutations=permutations, self_test=self_test,
                rng=seed, progress=progress or False, scores=draft, title=named, resume=kept,
                **_models(model, system_prompt, student, teacher, teacher_system, placebo),
                **_reading(turn, skip_bad_rows, skip_bad_shards, drop_trained_rows, engine),
            )
            judgement = report.gate(min_effect=min_effect, require_power=require_power)
            files.write(report, judgement, min_effect, draft)
        if kept is not None:
            forget(kept)
        screen.result(report)
        if min_effect is not None or require_power is not None:
            unasked = judgement.outcome == "failed" and not fail_if_detected
            exits = " Exit code 0 all the same, without --fail-if-detected." if unasked else ""
            screen.say(f"Gate: {judgement.outcome}: {judgement.reason}.{exits}")
        leave(judgement, fails_if_detected=fail_if_detected, requires_power=require_power is not None)


def _check_gate(
    fails_if_detected: bool, min_effect: float | None, require_power: float | None, min_auc: float
) -> None:
    """Refuse a gate that could not do what it says, before any work."""
    from fingerprint.report.gate import check_gate

    check_gate(min_effect, require_power, min_auc)
    if min_effect is not None and not fails_if_detected and require_power is None:
        raise ValueError(
            "min_effect must come with --fail-if-detected, --require-power P or both, got it alone, where no exit code "
            "depends on it; add one"
        )


class _Models(TypedDict):
    """What language models there are, and rows of other ones."""

    model: str | None
    system_prompts: Sequence[str]
    student: bool
    teacher: str | Teacher | None
    placebos: Sequence[str]


def _models(
    model: str | None,
    system_prompts: list[str] | None,
    student: bool,
    teacher: str | None,
    teacher_system: str | None,
    placebos: list[str] | None,
) -> _Models:
    """The base model, and what is known of teachers."""
    return {
        "model": model,
        "system_prompts": system_prompts or (),
        "student": student,
        "teacher": _known_teacher(teacher, teacher_system, model),
        "placebos": placebos or (),
    }


class _Reading(TypedDict):
    """Settings of how rows are read."""

    turn: Which | None
    bad_rows: Literal["error", "skip"]
    bad_shards: Literal["error", "skip"]
    trained_rows: Literal["error", "drop"]
    engine: Literal["local", "ray"]


def _reading(
    turn: str | None, skip_bad_rows: bool, skip_bad_shards: bool, drop_trained_rows: bool, engine: str
) -> _Reading:
    """How shards are read, and what is left out."""
    from fingerprint.data.cluster import named_engine

    return {
        "turn": named_turn(turn),
        "bad_rows": bad_rows(skip_bad_rows),
        "bad_shards": bad_rows(skip_bad_shards),
        "trained_rows": "drop" if drop_trained_rows else "error",
        "engine": named_engine(engine),
    }


def _required(reference: str | None) -> str:
    if reference is not None:
        return reference
    raise ValueError(
        "REFERENCE must be a second corpus, got none: a corpus is suspect only in comparison. Two ways out: sample a "
        "reference from the base model with the same prompts, or scan SUSPECT with a detector trained on a known pair"
    )


def _pinned(
    suspect: str, reference: str | None, sha256: str | None, title: str | None
) -> tuple[str | Fingerprint, str | None]:
    """The reference and the title; of a pinned fingerprint its sums: what has the digest is compared."""
    from fingerprint.report.title import title_of

    name = _required(reference)
    known = None if sha256 is None else fingerprint_of(name, sha256)
    return (name, title) if known is None else (known, title_of(title, suspect, name))


def _known_teacher(teacher: str | None, system: str | None, model: str | None) -> str | Teacher | None:
    """The teacher that was named: a model, under a system prompt where one is given."""
    if system is None:
        return teacher
    named = teacher if teacher is not None else model
    if named is None:
        raise ValueError(f"--teacher-system must come with --teacher or --model, got {system!r} alone; name the model")
    from fingerprint.lm.teachers import known_teacher

    return known_teacher(named, system)
