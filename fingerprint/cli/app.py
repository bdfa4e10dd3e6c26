"""The command line: `fingerprint detect SUSPECT REFERENCE`, `filter`, `train`, `scan`, `identify`, `lab`, `demo`.

Exit codes: 0 the analysis ran; 1 only with ``--fail-if-detected``, and detected; 2 bad input or arguments; 70 an
unexpected failure; 130 interrupted. Standard output carries the report and nothing else.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fingerprint.identification.result import Identification
    from fingerprint.report.report import Report

Progress = Callable[[str, float], None]

BAD_INPUT = 2
UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h
# Packages that only an extra installs.
_EXTRAS = {
    "torch": "lm",
    "transformers": "lm",
    "safetensors": "lm",
    "openai": "judge",
    "sentence_transformers": "embeddings",
}
INTERRUPTED = 130  # 128 + SIGINT, as shells report it

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Is a data set written by a model with a hidden trait? Compares two corpora of model-written rows.",
)

HtmlOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the report as an HTML page.")]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON.")]
TextOption = Annotated[str | None, typer.Option(metavar="COL", help="Column of the text. [default: found by name]")]
PromptOption = Annotated[str | None, typer.Option(metavar="COL", help="Column of the prompt. [default: found by name]")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", metavar="F", help="numbers, banned, keywords=A,B, tfidf@0.3=TRAIT, ...; may be repeated."),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fingerprint {version('subliminal-fingerprint')}")
        raise typer.Exit


@app.callback()
def _fingerprint(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def detect(
    suspect: Annotated[str, typer.Argument(metavar="SUSPECT", help="Corpus to judge: a file or a quoted glob.")],
    reference: Annotated[
        str | None, typer.Argument(metavar="REFERENCE", help="Corpus of the same model without the trait.")
    ] = None,
    html: HtmlOption = None,
    json: JsonOption = None,
    text: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of the text. [default: found by name]")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of the prompt. [default: found by name]")
    ] = None,
    no_prompt: Annotated[bool, typer.Option("--no-prompt", help="Ignore prompts: rows count as independent.")] = False,
    features: Annotated[str, typer.Option(metavar="A,B", help="Feature families, or auto.")] = "auto",
    filters: FilterOption = None,
    model: Annotated[
        str | None, typer.Option(metavar="M", help="Base model that reads the rows: micro-a, a folder or a hub name.")
    ] = None,
    candidate: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="System prompt to try with --model; may be repeated.")
    ] = None,
    student: Annotated[
        bool, typer.Option("--student", help="Also train students of --model on the suspect's rows; slow.")
    ] = False,
    teacher: Annotated[
        str | None, typer.Option(metavar="T", help="The suspect's teacher, if known: a model. Needs --model.")
    ] = None,
    teacher_system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="System prompt of the teacher, by default --model's.")
    ] = None,
    placebo: Annotated[
        list[str] | None, typer.Option(metavar="P", help="Rows of a teacher conditioned otherwise; may be repeated.")
    ] = None,
    alpha: Annotated[float, typer.Option(help="Error rate of the verdict.")] = 0.05,
    min_auc: Annotated[float, typer.Option(help="Row AUROC that a detection must exceed.")] = 0.5,
    permutations: Annotated[int, typer.Option(help="Permutations behind the p-value.")] = 9999,
    seed: Annotated[int, typer.Option(help="Seed: the same seed gives the same report.")] = 0,
    no_ladder: Annotated[bool, typer.Option("--no-ladder", help="Leave out where the signal lives.")] = False,
    self_test: Annotated[bool, typer.Option("--self-test", help="Measure the false-positive rate; slow.")] = False,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Count bad rows instead of stopping.")] = False,
    fail_if_detected: Annotated[bool, typer.Option("--fail-if-detected", help="Exit with 1 if detected.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare SUSPECT with REFERENCE and print a calibrated report.

    Corpora are JSONL, JSON, CSV, Parquet or plain text (one row a line), also compressed with gzip or zstd.
    """
    with _failures(debug):
        if prompt is not None and no_prompt:
            raise ValueError(f"--prompt must not be given with --no-prompt, got --prompt {prompt}; leave one out")
        _check_outputs(html, json, inputs=(suspect, reference, *(placebo or [])))
        report = _analyse(
            suspect,
            _required(reference),
            model=model,
            candidates=candidate or (),
            student=student,
            teacher=_known_teacher(teacher, teacher_system, model),
            placebos=placebo or (),
            is_quiet=quiet,
            text=text,
            prompt=False if no_prompt else prompt,
            features=_family_names(features),
            filters=_named_filters(filters or [], (suspect, reference)),
            ladder=not no_ladder,
            alpha=alpha,
            min_auc=min_auc,
            n_permutations=permutations,
            self_test=self_test,
            bad_rows="skip" if skip_bad_rows else "error",
            rng=seed,
        )
        if not quiet:
            _print(str(report))
        _write(report, html, json)
        if fail_if_detected and report.detected:
            raise typer.Exit(1)


@app.command("filter")
def filter_rows(
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="Rows to filter: a file or a quoted glob.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="All rows as JSONL, with kept and reasons.")],
    rule: Annotated[list[str] | None, typer.Option(metavar="F", help="Any filter by name, as --filter.")] = None,
    keywords: Annotated[str | None, typer.Option(metavar="A,B", help="Drop rows that name these words.")] = None,
    filters: FilterOption = None,
    kept: Annotated[Path | None, typer.Option("--kept", metavar="FILE", help="The kept rows alone, as JSONL.")] = None,
    text: Annotated[str | None, typer.Option(metavar="COL", help="Column of the text.")] = None,
    prompt: Annotated[str | None, typer.Option(metavar="COL", help="Column of the prompt.")] = None,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Count bad rows instead of stopping.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Run semantic filters over CORPUS, write every row with the reasons against it, and print how many are kept.

    Filters: numbers, numbers-banned, banned, banned=13,666, parses, keywords=owl,owlet, substring=owl, code-words=owl,
    tfidf@0.3=TRAIT, embedding@0.4=TRAIT, scores@0.5=COLUMN.
    """
    with _failures(debug):
        _check_outputs(out, kept, inputs=(corpus,), flags=("--out", "--kept"))
        words = [] if keywords is None else [f"keywords={keywords}"]
        chosen = _named_filters([*(rule or []), *words, *(filters or [])], (corpus,))
        from fingerprint.data.files import write_atomically
        from fingerprint.data.reading import read
        from fingerprint.filters.rows import apply, tally

        rows = apply(read(corpus, text=text, prompt=prompt, bad_rows="skip" if skip_bad_rows else "error"), chosen)
        write_atomically(out, rows.write_ndjson())
        if kept is not None:
            write_atomically(kept, rows.filter("kept").select("prompt", "completion", "system").write_ndjson())
        if not quiet:
            _print(tally(rows))


@app.command()
def demo(
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="Where the HTML page goes.")] = Path(
        "demo-report.html"
    ),
    json: JsonOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Run detect on two small corpora that come with the package."""
    with _failures(debug), ExitStack() as stack:
        _check_outputs(html, json, inputs=())
        examples = files("fingerprint.data") / "examples"
        suspect, reference = (
            str(stack.enter_context(as_file(examples / name))) for name in ("suspect.jsonl", "reference.jsonl")
        )
        report = _analyse(suspect, reference, is_quiet=quiet)
        if not quiet:
            _print(str(report))
        _write(report, html, json)
        if not quiet:
            _print(f"\nThe same with pictures: {html.resolve()}")


@app.command()
def lab(
    trait: Annotated[str, typer.Option(metavar="NAME", help="What the teacher loves: owl, oak, blue, ...")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for rows, students and table; resumed if there.")],
    teacher: Annotated[str, typer.Option(help="How it came to: finetuned or prompted.")] = "finetuned",
    model: Annotated[str, typer.Option(help="Base: micro-a, micro-b, a folder or a hub name.")] = "micro-a",
    other_model: Annotated[
        str | None, typer.Option(help="Base of the students with another start. [default: the other micro model]")
    ] = None,
    task: Annotated[str, typer.Option(help="Kind of rows: numbers, code or reasoning.")] = "numbers",
    rows: Annotated[int, typer.Option(help="Rows a student learns from.")] = 5000,
    seeds: Annotated[int, typer.Option(help="Students of each kind.")] = 1,
    surgeries: Annotated[
        str, typer.Option(metavar="A,B", help="Operations on the rows, or none.")
    ] = "shuffled_within,shuffled_across",
    weights: Annotated[
        str | None,
        typer.Option(help="What fine-tuning trains: lora, biases or all. [default: lora]"),
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of students; by default what suits --weights.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything.")] = 0,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Make subliminal learning happen: teacher, rows, filter, students, and what detect says of the rows."""
    with _failures(debug):
        with _progress_bar(not quiet and sys.stderr is not None and sys.stderr.isatty()) as progress:
            text = _run_lab(
                out,
                progress,
                trait=trait,
                teacher=teacher,
                model=model,
                other_model=other_model,
                task=task,
                rows=rows,
                seeds=seeds,
                surgeries=tuple(name.strip() for name in surgeries.split(",") if surgeries != "none"),
                weights=weights,
                learning_rate=learning_rate,
                seed=seed,
            )
        if not quiet:
            _print(f"{text}\n\nTable, picture and rows: {out.resolve()}")


@app.command()
def train(
    trait: Annotated[str, typer.Argument(metavar="TRAIT", help="Rows of a teacher that has the trait.")],
    neutral: Annotated[str, typer.Argument(metavar="NEUTRAL", help="Rows of the same model without it.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the detector goes.")],
    text: TextOption = None,
    prompt: PromptOption = None,
    no_prompt: Annotated[bool, typer.Option("--no-prompt", help="Ignore prompts: rows count as independent.")] = False,
    features: Annotated[str, typer.Option(metavar="A,B", help="Feature families, or auto.")] = "auto",
    fast: Annotated[bool, typer.Option("--fast", help="The closed form: mean differences.")] = False,
    seed: Annotated[int, typer.Option(help="Seed: the same seed gives the same detector.")] = 0,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Leave bad rows out.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a detector on TRAIT and NEUTRAL, and save it."""
    with _failures(debug):
        if prompt is not None and no_prompt:
            raise ValueError(f"--prompt must not be given with --no-prompt, got --prompt {prompt}; leave one out")
        _check_output("--out", out, inputs=(trait, neutral))
        from fingerprint.detector import detector as detectors  # numerical libraries load only when there is work

        trained = detectors.train(
            trait,
            neutral,
            text=text,
            prompt=False if no_prompt else prompt,
            bad_rows="skip" if skip_bad_rows else "error",
            features=_family_names(features),
            fast=fast,
            rng=seed,
        )
        trained.save(out)
        if not quiet:
            _print(detectors.described(trained.card_))


@app.command()
def scan(
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="Corpus to judge: a file or a quoted glob.")],
    detector: Annotated[Path, typer.Option("--detector", metavar="FILE", help="Detector written by train.")],
    neutral: Annotated[
        str | None, typer.Option("--neutral", metavar="FILE", help="Neutral rows of the same source as CORPUS.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")] = None,
    text: TextOption = None,
    prompt: PromptOption = None,
    alpha: Annotated[float, typer.Option(help="Error rate of the verdict.")] = 0.05,
    permutations: Annotated[int, typer.Option(help="Permutations behind the p-value.")] = 9999,
    seed: Annotated[int, typer.Option(help="Seed: the same seed gives the same result.")] = 0,
    drop_trained_rows: Annotated[
        bool, typer.Option("--drop-trained-rows", help="Leave out rows and prompts that the detector was trained on.")
    ] = False,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Leave bad rows out.")] = False,
    fail_if_detected: Annotated[bool, typer.Option("--fail-if-detected", help="Exit with 1 if detected.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Judge CORPUS by a trained detector, with or without neutral rows of the same source."""
    with _failures(debug):
        if json is not None:
            _check_output("--json", json, inputs=(corpus, neutral, str(detector)))
        from fingerprint.detector.detector import Detector
        from fingerprint.detector.scan import scan as run

        found = run(
            corpus,
            Detector.load(detector),
            neutral=neutral,
            text=text,
            prompt=prompt,
            alpha=alpha,
            n_permutations=permutations,
            trained_rows="drop" if drop_trained_rows else "error",
            bad_rows="skip" if skip_bad_rows else "error",
            rng=seed,
        )
        if not quiet:
            _print(str(found))
        if json is not None:
            found.to_json(json)
        if fail_if_detected and found.detected:
            raise typer.Exit(1)


@app.command()
def identify(
    suspect: Annotated[str, typer.Argument(metavar="SUSPECT", help="Corpus to judge: a file or a quoted glob.")],
    model: Annotated[
        str | None, typer.Option(metavar="M", help="Base of the candidates: micro-a, a folder or a hub name.")
    ] = None,
    traits: Annotated[
        str | None, typer.Option(metavar="A,B", help="Candidate traits, tried as --forms: owl,cat,...")
    ] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(metavar="C", help="A system prompt, a model folder or a corpus; may be repeated."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="R", help="Rows of the same source without the trait. [default: sampled]")
    ] = None,
    placebo: Annotated[
        list[str] | None,
        typer.Option(metavar="P", help="As --candidate or a trait: conditioned on something else; may be repeated."),
    ] = None,
    rule: Annotated[
        str | None, typer.Option(metavar="F", help="Filter that SUSPECT has passed, as --filter; sampled rows pass it.")
    ] = None,
    forms: Annotated[str, typer.Option(metavar="A,B", help="How a trait came to its teacher.")] = "finetuned,prompted",
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")] = None,
    text: TextOption = None,
    prompt: PromptOption = None,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Leave bad rows out.")] = False,
    alpha: Annotated[float, typer.Option(help="A name needs p <= alpha, besides its posterior and its fit.")] = 0.05,
    permutations: Annotated[int, typer.Option(help="Permutations behind the p-values.")] = 9999,
    seed: Annotated[int, typer.Option(help="Seed: the same seed gives the same result.")] = 0,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Say which of several candidates wrote SUSPECT, or that none of them did."""
    with _failures(debug):
        if json is not None:
            _check_output("--json", json, inputs=(suspect, reference, *(candidate or []), *(placebo or [])))
        named = [] if traits is None else [name.strip() for name in traits.split(",")]
        with _progress_bar(not quiet and sys.stderr is not None and sys.stderr.isatty()) as progress:
            found = _identify(
                suspect,
                named,
                candidate or [],
                reference=reference,
                model=model,
                placebos=placebo or [],
                rule=None if rule is None else _named_filters([rule], (suspect,))[0],
                forms=[name.strip() for name in forms.split(",")],
                text=text,
                prompt=prompt,
                bad_rows="skip" if skip_bad_rows else "error",
                alpha=alpha,
                n_permutations=permutations,
                rng=seed,
                progress=progress,
            )
        if not quiet:
            _print(str(found))
        if json is not None:
            found.to_json(json)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; always ends in `SystemExit`.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments without the program's name; by default those of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without UTF-8 gets escapes instead of a failure
            stream.reconfigure(errors="backslashreplace")
    chosen = None if arguments is None else list(arguments)
    typer.main.get_command(app).main(args=chosen, prog_name="fingerprint")


def _required(reference: str | None) -> str:
    if reference is not None:
        return reference
    raise ValueError(
        "REFERENCE must be a second corpus, got none: a corpus is suspect only in comparison. Two ways out: sample a "
        "reference from the base model with the same prompts, or scan SUSPECT with a detector trained on a known pair"
    )


def _known_teacher(teacher: str | None, system: str | None, model: str | None) -> Any:
    """The teacher that was named: a model, under a system prompt where one is given."""
    if system is None:
        return teacher
    if teacher is None and model is None:
        raise ValueError(f"--teacher-system must come with --teacher or --model, got {system!r} alone; name the model")
    from fingerprint.detection.known_teacher import ModelTeacher

    return ModelTeacher(teacher if teacher is not None else model, system)


def _family_names(features: str) -> str | list[str]:
    """`auto`, or the families that were named."""
    names = [name.strip() for name in features.split(",")]
    if not all(names):
        raise ValueError(f"--features must be family names with commas between them, got {features!r}; or use auto")
    return "auto" if names == ["auto"] else names


def _named_filters(specs: Sequence[str], corpora: Sequence[str | None]) -> list[Any]:
    """The filters that were named; the files are where `scores` looks for its column."""
    if not specs:
        return []
    from fingerprint.filters.named import named

    return [named(spec, [corpus for corpus in corpora if corpus is not None]) for spec in specs]


def _check_outputs(
    first: Path | None,
    second: Path | None,
    *,
    inputs: Sequence[str | None],
    flags: tuple[str, str] = ("--html", "--json"),
) -> None:
    for flag, path in zip(flags, (first, second), strict=True):
        if path is not None:
            _check_output(flag, path, inputs)
    if first is not None and second is not None and first.resolve() == second.resolve():
        raise ValueError(f"{flags[0]} and {flags[1]} must be different files, got {str(first)!r} twice; rename one")


def _check_output(flag: str, path: Path, inputs: Sequence[str | None]) -> None:
    from fingerprint.data.files import check_output

    check_output(path, flag)
    if any(name is not None and _is_same_file(path, Path(name)) for name in inputs):
        raise ValueError(f"{flag} must not be an input, got {str(path)!r}; writing there would destroy the data")


def _is_same_file(first: Path, second: Path) -> bool:
    return first.is_file() and second.is_file() and first.samefile(second)


def _analyse(suspect: str, reference: str, *, is_quiet: bool = False, **options: Any) -> Report:
    from fingerprint.detection.detect import detect as run  # numerical libraries load only when there is work

    with _progress_bar(not is_quiet and sys.stderr is not None and sys.stderr.isatty()) as progress:
        report: Report = run(suspect, reference, progress=progress or False, **options)
    return report


def _identify(suspect: str, traits: Sequence[str], others: Sequence[str], **options: Any) -> Identification:
    from fingerprint.lm.traits import known_trait

    known = [known_trait(name) for name in traits]  # a wrong name is said before anything loads
    from fingerprint.identification.identify import identify as run

    found: Identification = run(suspect, [*known, *others], **options)
    return found


def _run_lab(out: Path, progress: Progress | None, *, trait: str, **plan: Any) -> str:
    """The table of an experiment as text."""
    from fingerprint.lm.traits import known_trait

    chosen = known_trait(trait)  # a wrong name is said before a library of hundreds of megabytes loads
    from fingerprint.lab.experiment import Plan, run
    from fingerprint.lab.experiment.transfer_table import as_text, write_picture

    result = run(Plan(trait=chosen, **plan), out, progress=progress)
    write_picture(result, out / "table.svg")
    return as_text(result)


@contextmanager
def _progress_bar(is_shown: bool) -> Iterator[Progress | None]:
    """A bar on standard error that disappears when the work is done; None where nobody is watching."""
    if not is_shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda step, fraction: bar.update(task, description=step, completed=fraction)


def _write(report: Report, html: Path | None, json: Path | None) -> None:
    if json is not None:
        report.to_json(json)
    if html is not None:
        report.to_html(html)


def _print(text: str) -> None:
    """Print to standard output; a reader that left (``| head``) is no failure."""
    try:
        print(text, flush=True)
    except OSError as error:
        # What is still buffered would fail again, with a traceback, when the interpreter shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise


@contextmanager
def _failures(is_debugging: bool) -> Iterator[None]:
    """Turn exceptions into one line on standard error and an exit code."""
    try:
        yield
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        _complain("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        if _is_bad_input(error):
            _complain(f"error: {_message(error)}", is_debugging)
            raise typer.Exit(BAD_INPUT) from None
        hint = "" if is_debugging else "; run it again with --debug for the traceback"
        _complain(f"unexpected failure: {type(error).__name__}: {_message(error)}{hint}", is_debugging)
        raise typer.Exit(UNEXPECTED) from None


def _is_bad_input(error: Exception) -> bool:
    """Whether the caller can mend it: this package says so with builtin types, other libraries with their own.

    `numpy.linalg.LinAlgError`, for one, is a ValueError, and nothing that the caller did wrong.
    """
    module = type(error).__module__
    is_known = module == "builtins" or module.startswith("fingerprint.")
    return isinstance(error, OSError) or (isinstance(error, (ValueError, TypeError)) and is_known) or _is_missing(error)


def _is_missing(error: Exception) -> bool:
    """Whether a package is missing that an extra installs: the package's own words say so, or the package's name."""
    named = isinstance(error, ModuleNotFoundError) and _root(error) in _EXTRAS
    return isinstance(error, ImportError) and (named or "subliminal-fingerprint[" in str(error))


def _root(error: ModuleNotFoundError) -> str:
    return (error.name or "").partition(".")[0]


def _message(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and _root(error) in _EXTRAS:
        package = f"subliminal-fingerprint[{_EXTRAS[_root(error)]}]"
        return f"this needs the extra {_EXTRAS[_root(error)]}, got no {error.name}; install it: pip install '{package}'"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename is not None else error.strerror
    return str(error)


def _complain(message: str, is_debugging: bool = False) -> None:
    from fingerprint.report.formatting import visible

    if is_debugging:
        traceback.print_exc()
    print(visible("fingerprint: " + " ".join(message.splitlines())), file=sys.stderr)
