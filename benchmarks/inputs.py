"""What becomes of some ninety inputs, formats and mistakes: read as they are meant, refused, or silently misread?

    python benchmarks/inputs.py BEFORE AFTER      # two checkouts side by side; one folder does as well

Every input is two rows whose texts and prompts are known, or a mistake that has to be refused. Each checkout reads all
of them in a process of its own, as `detect` reads a side. `tests/test_inputs.py` holds the package to the column AFTER.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import results

TEXTS, PROMPTS = ("3, 5", "7, 9"), ("Go on: 1", "Go on: 2")
ROWS = [{"prompt": prompt, "completion": text} for prompt, text in zip(PROMPTS, TEXTS, strict=True)]
OTHERS = ("2, 2", "4, 4")
NONE = (None, None)


@dataclass(frozen=True)
class Input:
    """One input: how it is made, and what must come of it.

    Attributes
    ----------
    name : str
    made : callable
        Gives the data, and may write files into the folder in which it is called.
    texts, prompts : tuples
        The rows that are meant; both None for a mistake.
    refusal : str
        What the message about a mistake must say, as a regular expression.
    how : dict
        Keywords of the reader.
    needs : tuple of str
        Packages without which the input cannot be made.
    """

    name: str
    made: Callable[[], object]
    texts: tuple[str, ...] | None = TEXTS
    prompts: tuple[str | None, ...] | None = PROMPTS
    refusal: str = ""
    how: dict[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


def mistake(name: str, made: Callable[[], object], refusal: str, needs: Sequence[str] = (), **how: object) -> Input:
    return Input(name, made, None, None, refusal, how, tuple(needs))


def _file(name: str, content: str | bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _jsonl(name: str = "rows.jsonl", rows: Sequence[object] = ROWS) -> Path:
    return _file(name, _lines(*rows))


def _separated(name: str, separator: str) -> Path:
    header = separator.join(("prompt", "completion"))
    rows = "".join(f'{row["prompt"]}{separator}"{row["completion"]}"\n' for row in ROWS)
    return _file(name, f"{header}\n{rows}")


def _frame() -> pl.DataFrame:
    return pl.DataFrame(ROWS)


def _written(name: str, method: str) -> Path:
    getattr(_frame(), method)(name)
    return Path(name)


def _zstd() -> Path:
    import zstandard

    return _file("rows.jsonl.zst", zstandard.compress(_lines(*ROWS).encode()))


def _pandas() -> Any:
    import pandas

    return pandas.DataFrame(ROWS)


def _arrow() -> Any:
    import pyarrow

    return pyarrow.Table.from_pylist(ROWS)


def _duckdb() -> object:
    import duckdb

    return duckdb.connect().from_arrow(_arrow())


def _dataset(rows: Sequence[dict[str, Any]] = ROWS) -> Any:
    import datasets

    return datasets.Dataset.from_list(list(rows))


def _splits(*names: str) -> Any:
    import datasets

    return datasets.DatasetDict({name: _dataset() for name in names})


def _saved(data: Any) -> str:
    data.save_to_disk("saved")
    return "saved"


def _in_cache() -> str:
    """A data set as `load_dataset` leaves it in the cache."""
    place = Path("home/datasets/owner___rows/default/0.0.0") / ("1" * 40)
    place.mkdir(parents=True)
    info = {"config_name": "default", "splits": {"train": {}, "test": {}}}
    (place / "dataset_info.json").write_text(json.dumps(info))
    for split in ("train", "test"):
        _frame().write_ipc_stream(place / f"rows-{split}.arrow")
    return "owner/rows:train"


def _chats(role: str = "role", content: str = "content", names: tuple[str, str] = ("user", "assistant")) -> list[Any]:
    return [
        [{role: names[0], content: row["prompt"]}, {role: names[1], content: row["completion"]}] for row in ROWS
    ]


def _talks() -> list[Any]:
    """Chats that go on: the first answer is that of ROWS."""
    more = [{"role": "user", "content": "And?"}, {"role": "assistant", "content": "So."}]
    return [{"messages": [*chat, *more]} for chat in _chats()]


def _called(content: str | None) -> list[Any]:
    call = {"id": "x", "type": "function", "function": {"name": "look", "arguments": '{"to": 3, "at": "owl"}'}}
    said = {"role": "assistant", "content": content, "tool_calls": [call]}
    return [{"messages": [{"role": "user", "content": prompt}, said]} for prompt in PROMPTS]


def _pairs(chosen: Sequence[object], rejected: Sequence[object], prompts: Sequence[object] | None) -> list[Any]:
    rows = [{"chosen": one, "rejected": other} for one, other in zip(chosen, rejected, strict=True)]
    return rows if prompts is None else [{"prompt": p, **row} for p, row in zip(prompts, rows, strict=True)]


def _answers(texts: Sequence[str]) -> list[Any]:
    turns = ((("user", prompt), ("assistant", text)) for prompt, text in zip(PROMPTS, texts, strict=True))
    return [[{"role": role, "content": said} for role, said in chat] for chat in turns]


def _transcripts(texts: Sequence[str]) -> list[str]:
    return [f"\n\nHuman: {p}\n\nAssistant: {t}" for p, t in zip(PROMPTS, texts, strict=True)]


def _renamed(**names: str) -> list[Any]:
    return [{names.get(key, key): value for key, value in row.items()} for row in ROWS]


def _paths() -> list[str]:
    return [str(_jsonl(f"part-{number}.jsonl", [row])) for number, row in enumerate(ROWS)]


def _texts_csv(chats: Sequence[str]) -> Path:
    pl.DataFrame({"messages": chats}).write_csv("chats.csv")
    return Path("chats.csv")


def _cut_arrow() -> Path:
    _frame().write_ipc_stream("whole.arrow")
    return _file("cut.arrow", Path("whole.arrow").read_bytes()[:-20])


def _two_kinds() -> str:
    _jsonl("part-1.jsonl")
    _jsonl("part-2.jsonl", [{"question": "q", "response": "r"}])
    return "part-*.jsonl"


FORMATS = [
    Input("JSON lines", _jsonl),
    Input("JSON lines, gzip", lambda: _file("rows.jsonl.gz", gzip.compress(_lines(*ROWS).encode()))),
    Input("JSON lines, zstd", _zstd),
    Input("JSON: a list of objects", lambda: _file("rows.json", json.dumps(ROWS))),
    Input("JSON: an object of columns", lambda: _file("rows.json", json.dumps(_frame().to_dict(as_series=False)))),
    Input("CSV", lambda: _separated("rows.csv", ",")),
    Input("TSV", lambda: _separated("rows.tsv", "\t")),
    Input("CSV with semicolons", lambda: _separated("rows.csv", ";")),
    Input("CSV with tabs, named .csv", lambda: _separated("rows.csv", "\t")),
    Input("CSV with bars", lambda: _separated("rows.csv", "|")),
    Input("CSV with blanks after the commas", lambda: _file(
        "rows.csv", '"prompt", "completion"\n"Go on: 1", "3, 5"\n"Go on: 2", "7, 9"\n')),
    Input("Parquet", lambda: _written("rows.parquet", "write_parquet")),
    Input("Arrow file", lambda: _written("rows.arrow", "write_ipc")),
    Input("Arrow stream", lambda: _written("rows.arrow", "write_ipc_stream")),
    Input("Feather", lambda: _written("rows.feather", "write_ipc")),
    Input("plain text", lambda: _file("rows.txt", "3, 5\n7, 9\n"), prompts=NONE),
    Input("a glob of files", lambda: _paths() and "part-*.jsonl"),
    Input("a list of paths (pathlib)", lambda: [Path(path) for path in _paths()]),
    Input("a list of strings that are paths", _paths),
    Input("a list of texts", lambda: list(TEXTS), prompts=NONE),
    Input("a list of dicts", lambda: ROWS),
    Input("a dict of columns", lambda: _frame().to_dict(as_series=False)),
    Input("a numpy array of strings", lambda: np.array(TEXTS), prompts=NONE),
    Input("a generator of dicts", lambda: iter(ROWS)),
    Input("a generator of frames", lambda: iter([_frame()[:1], _frame()[1:]])),
    Input("empty texts", lambda: [{"prompt": "p", "completion": ""}] * 2, ("", ""), ("p", "p")),
]
FRAMES = [
    Input("polars frame", _frame),
    Input("polars, lazy", lambda: _frame().lazy()),
    Input("pandas frame", _pandas, needs=("pandas",)),
    Input("pandas, prompts in the index", lambda: _pandas().set_index("prompt"), needs=("pandas",)),
    Input("pandas series of such", lambda: _pandas().set_index("prompt")["completion"], needs=("pandas",)),
    Input("pyarrow table", _arrow, needs=("pyarrow",)),
    Input("pyarrow record batch", lambda: _arrow().to_batches()[0], needs=("pyarrow",)),
    Input("DuckDB relation", _duckdb, needs=("duckdb", "pyarrow")),
    Input("Hugging Face Dataset", _dataset, needs=("datasets",)),
    Input("Dataset in numpy's format", lambda: _dataset().with_format("numpy"), needs=("datasets",)),
    Input("IterableDataset", lambda: _dataset().to_iterable_dataset(), needs=("datasets",)),
    Input("DatasetDict of one split", lambda: _splits("train"), needs=("datasets",)),
    Input("save_to_disk", lambda: _saved(_dataset()), needs=("datasets",)),
    Input("save_to_disk, one split", lambda: _saved(_splits("train")), needs=("datasets",)),
    Input("hub name, in the cache", _in_cache),
]
CHATS = [
    Input("OpenAI messages", lambda: [{"messages": chat} for chat in _chats()]),
    Input("ShareGPT conversations", lambda: [
        {"conversations": chat} for chat in _chats("from", "value", ("human", "gpt"))]),
    Input("chats as JSON in a CSV file", lambda: _texts_csv(list(map(json.dumps, _chats())))),
    Input("a list of chats without a column", _chats),
    Input("an answer that is one turn", lambda: [
        {**row, "completion": {"role": "assistant", "content": row["completion"]}} for row in ROWS]),
    Input("several turns, the last", _talks, ("So.", "So."), tuple(
        json.dumps([["user", p], ["assistant", t], ["user", "And?"]]) for p, t in zip(PROMPTS, TEXTS, strict=True))),
    Input("several turns, turn='first'", _talks, how={"turn": "first"}),
    Input("tool calls, content null", lambda: _called(None), ('look(at="owl", to=3)',) * 2),
    Input("tool calls, content empty", lambda: _called(""), ('look(at="owl", to=3)',) * 2),
    Input("reasoning apart from the answer", lambda: [
        {"messages": [chat[0], {**chat[1], "reasoning_content": "why"}]} for chat in _chats()],
        tuple(f"<think>\nwhy\n</think>\n\n{text}" for text in TEXTS)),
    Input("TRL: conversational prompt and completion", lambda: [
        {"prompt": chat[:1], "completion": chat[1:]} for chat in _chats()]),
    Input("TRL: explicit preference", lambda: _pairs(TEXTS, OTHERS, PROMPTS)),
    Input("TRL: the same, the rejected ones", lambda: _pairs(OTHERS, TEXTS, PROMPTS), how={"text": "rejected"}),
    Input("TRL: implicit preference, chats", lambda: _pairs(_answers(TEXTS), _answers(OTHERS), None)),
    Input("TRL: implicit preference, lines", lambda: _pairs(
        [f"{p}\n{t}" for p, t in zip(PROMPTS, TEXTS, strict=True)],
        [f"{p}\n{t}" for p, t in zip(PROMPTS, OTHERS, strict=True)], None), prompts=tuple(f"{p}\n" for p in PROMPTS)),
    Input("HH-RLHF transcripts", lambda: _pairs(_transcripts(TEXTS), _transcripts(OTHERS), None)),
    Input("preference, chats that repeat the prompt", lambda: _pairs(_answers(TEXTS), _answers(OTHERS), PROMPTS)),
    Input("TRL: unpaired preference", lambda: [{**row, "label": True} for row in ROWS]),
    Input("TRL: stepwise supervision", lambda: [
        {"prompt": p, "completions": t.split(", "), "labels": [True, False]}
        for p, t in zip(PROMPTS, TEXTS, strict=True)], ("3\n5", "7\n9")),
    Input("columns Prompt and Completion", lambda: _renamed(prompt="Prompt", completion="Completion")),
    Input("prompts only in capitals", lambda: _renamed(prompt="Prompt")),
    Input("columns query and response", lambda: _renamed(prompt="query", completion="response")),
    Input("columns input and output", lambda: _renamed(prompt="input", completion="output")),
]  # fmt: skip
MISTAKES = [
    mistake("a list of paths, one missing", lambda: [*_paths(), "part-9.jsonl"], r"got 'part-9\.jsonl'; did you mean"),
    mistake("a path among texts", lambda: [*_paths(), "7, 9"], "got the name of a file"),
    mistake("a series of paths", lambda: pl.Series(_paths()), "got the name of a file.*list of paths"),
    mistake("a text file of paths", lambda: _file("list.txt", "\n".join(_paths())), "got the name of a file"),
    mistake("prompts in an index without a name", lambda: _pandas().set_axis(
        ["Go on with the list: 1", "Go on with the list: 2"])[["completion"]], "looks like prompts; make it a column",
        ["pandas"]),
    mistake("a folder of files", lambda: _jsonl("rows/a.jsonl").parent, r"use a glob: 'rows/\*\.jsonl'"),
    mistake("a mistyped file", lambda: _jsonl("suspect.jsonl") and "suspct.jsonl", r"did you mean 'suspect\.jsonl'\?"),
    mistake("a text in place of a path", lambda: "7, 9, 11", "texts go into a list of strings"),
    mistake("DatasetDict of two splits", lambda: _splits("train", "test"), "'train', 'test'; choose", ["datasets"]),
    mistake("save_to_disk, two splits", lambda: _saved(_splits("train", "test")), "as in 'saved/train'", ["datasets"]),
    mistake("hub name, split left open", lambda: _in_cache().partition(":")[0], "as in 'owner/rows:train'"),
    mistake("hub name, split misspelt", lambda: _in_cache().replace("train", "trian"), r"did you mean 'train'\?"),
    mistake("hub name, in no cache", lambda: "owner/nothing", "hf download --repo-type dataset owner/nothing"),
    mistake("numbers as texts", lambda: pl.DataFrame({"text": [1, 2]}), r"column 'text' must be .* got 1 \(int\)"),
    mistake("a missing text", lambda: [ROWS[0], {**ROWS[1], "completion": None}], "row index 1, column 'completion'"),
    mistake("bytes as texts", lambda: [{"text": b"3, 5"}], "decode it"),
    mistake("lists of lists of texts", lambda: [["3", "5"], ["7"]], r"must be an object with named columns"),
    mistake("prompts alone", lambda: [{"prompt": p} for p in PROMPTS], "prompts alone: sample answers"),
    mistake("several answers a row", lambda: [{"prompt": "p", "completions": ["a", "b"]}], "write a row for each"),
    mistake("two columns of one name", lambda: _pandas().set_axis(["text"] * 2, axis=1), "different names", ["pandas"]),
    mistake("an Arrow stream that was cut", _cut_arrow, "must be a complete Arrow file or stream"),
    mistake("chats as Python prints them", lambda: _texts_csv(list(map(str, _chats()))), "a string that is no JSON"),
    mistake("an open file", lambda: io.StringIO(_lines(*ROWS)), "got an open file .*; pass its path"),
    mistake("an open csv.reader", lambda: csv.reader([",".join(row.values()) for row in ROWS]), "got an open file"),
    mistake("pairs of prompt and text", lambda: zip(PROMPTS, TEXTS, strict=True), "got the tuple .*; name its parts"),
    mistake("files of other columns", _two_kinds, "must have the columns 'completion', 'prompt'"),
    mistake("a turn that no chat has", _talks, "must have 3 assistant turns, got 2", turn=3),
]  # fmt: skip
INPUTS = [*FORMATS, *FRAMES, *CHATS, *MISTAKES]


@dataclass(frozen=True)
class Outcome:
    """What became of an input: "right", "refused", "misread" or "crashed", and what there is to see of it."""

    what: str
    shown: str


def outcome(given: Input) -> Outcome:
    """Read an input in an empty folder, with an empty cache, as `detect` reads a side."""
    from fingerprint.data.rereading import Rows

    home = {"HF_HOME": "home", "HF_DATASETS_CACHE": "", "HF_HUB_CACHE": "", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as folder, chdir(folder), patch.dict(os.environ, home):
        data = given.made()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                corpus = Rows(data, argument="suspect", **given.how).corpus()
        except (ValueError, TypeError, OSError) as error:
            return Outcome("refused", str(error))
        except Exception as error:  # what no caller can mend
            return Outcome("crashed", f"{type(error).__name__}: {error}")
    is_right = (corpus.texts, corpus.prompts) == (given.texts, given.prompts)
    return Outcome("right" if is_right else "misread", f"{corpus.texts[0]!r} to {corpus.prompts[0]!r}")


def is_as_it_must_be(given: Input, found: Outcome) -> bool:
    """Whether an input was read as it is meant, or a mistake refused with the words that help."""
    if given.texts is not None:
        return found.what == "right"
    return found.what == "refused" and re.search(given.refusal, found.shown) is not None


def _of_checkout(folder: Path) -> list[Outcome]:
    """What becomes of all inputs in a checkout, which a process of its own imports."""
    environment = {**os.environ, "PYTHONPATH": str(folder.resolve()), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, __file__, "--here"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [Outcome(*one) for one in json.loads(run.stdout.splitlines()[-1])]


def _cell(given: Input, found: Outcome) -> str:
    if found.what == "right":
        return "read"
    shown = found.shown if len(found.shown) <= 160 else f"{found.shown[:157]}..."
    text = shown.replace("|", "\\|").replace("\n", " ")
    return f"**{found.what}**: {text}" if found.what in ("misread", "crashed") else f"{found.what}: {text}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="*", type=Path, metavar="FOLDER", help="BEFORE and AFTER, or one folder")
    parser.add_argument("--here", action="store_true", help="print what becomes of each input, as JSON, and no table")
    results.add_json_option(parser)
    options = parser.parse_args()
    if options.here:
        print(json.dumps([(found.what, found.shown) for found in map(outcome, INPUTS)]))
        return
    started = time.perf_counter()
    folders = options.checkouts or [Path(__file__).parents[1]]
    columns = [_of_checkout(folder) for folder in folders]
    heads = ["before", "after"][-len(folders) :]
    print(f"| input | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for given, *found in zip(INPUTS, *columns, strict=True):
        print(f"| {given.name} | {' | '.join(_cell(given, one) for one in found)} |")
    counts = {
        head: {what: sum(one.what == what for one in column) for what in ("right", "refused", "misread", "crashed")}
        for head, column in zip(heads, columns, strict=True)
    }
    as_meant = [is_as_it_must_be(given, one) for given, one in zip(INPUTS, columns[-1], strict=True)]
    print(f"\n{len(INPUTS)} inputs, {len(MISTAKES)} of them mistakes, {sum(as_meant)} as they must be; {counts}")
    rows = [
        {"input": given.name, "is_mistake": given.texts is None}
        | {head: {"what": one.what, "shown": one.shown} for head, one in zip(heads, found, strict=True)}
        for given, *found in zip(INPUTS, *columns, strict=True)
    ]
    results.write(options.json, {"inputs": rows, "counts": counts, "as_it_must_be": sum(as_meant)}, started)


if __name__ == "__main__":
    main()
