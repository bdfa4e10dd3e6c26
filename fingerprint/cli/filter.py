"""`fingerprint filter CORPUS`: semantic filters over rows, with the reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fingerprint.cli.errors import failures
from fingerprint.cli.options import (
    ColorOption,
    DebugOption,
    EngineOption,
    FilterOption,
    PromptOption,
    SilentOption,
    SkipBadRowsOption,
    TextOption,
    TurnOption,
    bad_rows,
    named_filters,
    named_turn,
)
from fingerprint.cli.outputs import Screen, check_inputs, check_outputs


def filter_rows(
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="Rows to filter: a file or a quoted glob.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="All rows as JSONL, with kept and reasons.")],
    filters: FilterOption = None,
    kept: Annotated[Path | None, typer.Option("--kept", metavar="FILE", help="The kept rows alone, as JSONL.")] = None,
    text: TextOption = None,
    prompt: PromptOption = None,
    turn: TurnOption = None,
    skip_bad_rows: SkipBadRowsOption = False,
    engine: EngineOption = "local",
    quiet: SilentOption = False,
    color: ColorOption = "auto",
    debug: DebugOption = False,
) -> None:
    """Run semantic filters over CORPUS, write every row with the reasons against it, and print how many are kept.

    Takes a second for 100,000 rows on two cores, longer where a model judges.
    """
    with failures(debug, quiet=quiet):
        screen = Screen(quiet, color=color)
        check_inputs({"CORPUS": corpus})
        check_outputs({"--out": out, "--kept": kept}, inputs=(corpus,))
        chosen = named_filters(filters or [], (corpus,))
        if not chosen:
            raise ValueError("--filter must be given at least once, got none; for example --filter numbers")
        from fingerprint.data.cluster import named_engine
        from fingerprint.data.files import write_together
        from fingerprint.data.reading import read
        from fingerprint.filters.by_shard import apply_by_shard, numbered_through
        from fingerprint.filters.rows import apply, tally

        bad, which = bad_rows(skip_bad_rows), named_turn(turn)
        if named_engine(engine) == "ray":
            frames = apply_by_shard(corpus, chosen, text=text, prompt=prompt, turn=which, bad_rows=bad, engine="ray")
            rows = numbered_through(frames)
        else:
            with screen.bar() as progress:
                rows = apply(
                    read(corpus, text=text, prompt=prompt, turn=which, bad_rows=bad), chosen, progress=progress or False
                )
        written = {out: rows.write_ndjson()}
        if kept is not None:
            written[kept] = rows.filter("kept").select("prompt", "completion", "system").write_ndjson()
        write_together(written)
        screen.say(tally(rows))
