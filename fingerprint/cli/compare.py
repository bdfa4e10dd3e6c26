"""`fingerprint compare SUSPECT REFERENCE`: two fingerprints, or rows that are sketched for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

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
    ResultJsonOption,
    ResultSeedOption,
    SkipBadRowsOption,
    TextOption,
    VerboseOption,
    bad_rows,
    prompt_column,
)
from fingerprint.cli.outputs import Screen, check_inputs, check_outputs, shards_bar, warnings_in_lines

if TYPE_CHECKING:
    from fingerprint.fingerprints.fingerprint import Fingerprint

PermutationsOption = Annotated[int, typer.Option(help="Random signs of cells behind the p-value.")]


def compare(
    suspect: Annotated[str, typer.Argument(metavar="SUSPECT", help="A fingerprint, or rows: a file or a quoted glob.")],
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="The same of the model without the trait.")],
    json: ResultJsonOption = None,
    text: TextOption = None,
    prompt: PromptOption = None,
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
    """Compare the fingerprints SUSPECT and REFERENCE, without any row. Takes about 5 seconds on two cores.

    Either may be rows, which are summed first, with the features and cells of the other; the options that name columns
    are for these.
    """
    with failures(debug, quiet=quiet):
        screen = Screen(quiet, verbose, color)
        column = prompt_column(prompt, no_prompt)
        check_inputs({"SUSPECT": suspect, "REFERENCE": reference})
        check_outputs({"--json": json}, inputs=(suspect, reference))
        from fingerprint.fingerprints.compare import compare as run
        from fingerprint.fingerprints.fingerprint import Fingerprint
        from fingerprint.fingerprints.signature import is_fingerprint

        names = (suspect, reference)
        known = {name: Fingerprint.load(name) for name in names if is_fingerprint(name)}
        like = next(iter(known.values()), None)
        for name in names:
            if name not in known:
                known[name] = _of_rows(name, like, text, column, bad_rows(skip_bad_rows), screen)
        with screen.bar() as progress:
            found = run(
                known[suspect], known[reference],
                alpha=alpha, n_permutations=permutations, rng=seed, progress=progress or False,
            )  # fmt: skip
        screen.result(found)
        if json is not None:
            found.to_json(json)
        fail_if(fail_if_detected and found.detected)


def _of_rows(
    name: str,
    like: Fingerprint | None,
    text: str | None,
    prompt: str | Literal[False] | None,
    bad: Literal["error", "skip"],
    screen: Screen,
) -> Fingerprint:
    """Rows as a fingerprint that compares with another one."""
    from fingerprint.data.shards import shard_paths
    from fingerprint.fingerprints.cells import CELLS
    from fingerprint.fingerprints.fingerprint import Fingerprint

    features, cells = ("all", CELLS) if like is None else (list(like.families), like.cells)
    with shards_bar(len(shard_paths(name)), screen) as progress, warnings_in_lines():
        return Fingerprint.of(
            name, text=text, prompt=prompt, features=features, cells=cells, bad_rows=bad, progress=progress
        )
