"""Commands that read two sides, or chats: columns of either side, turns and titles, as `detect` has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.data.notes import ReadingNote
from fingerprint.data.sides import REFERENCE, SUSPECT, SidesRead
from fingerprint.filters import NumberRule, apply_by_shard
from fingerprint.lab.simulated import simulated_pair

USUAL = ("prompt", "completion")
# Columns of either side, under names that nobody would find.
OWN = {"trait": ("frage", "antwort"), "neutral": ("ask", "said")}
AS_SUSPECT = "--suspect-prompt frage --suspect-text antwort --reference-prompt ask --reference-text said".split()
AS_TRAIT = "--trait-prompt frage --trait-text antwort --neutral-prompt ask --neutral-text said".split()


def _write(path: Path, corpus: Corpus, names: tuple[str, str]) -> Path:
    rows = zip(corpus.prompts, corpus.texts, strict=True)
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    return path


def _chats(path: Path, corpus: Corpus) -> Path:
    """Each row as the first of two turns of the assistant."""
    with path.open("w") as file:
        for prompt, text in zip(corpus.prompts, corpus.texts, strict=True):
            turns = [("user", prompt), ("assistant", text), ("user", "Thanks."), ("assistant", "Glad to help.")]
            file.write(json.dumps({"messages": [{"role": r, "content": c} for r, c in turns]}) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of a trait and neutral ones: with usual columns, with columns of their own, and as turns of chats."""
    folder = tmp_path_factory.mktemp("sides")
    for name, seed in (("old", 1), ("new", 2)):
        drawn = simulated_pair(120, tilt="sparse", d_prime=2.0, rng=seed)
        for side, corpus in (("trait", drawn.suspect), ("neutral", drawn.reference)):
            _write(folder / f"{name}-{side}.jsonl", corpus, USUAL)
            _write(folder / f"{name}-{side}-own.jsonl", corpus, OWN[side])
            _chats(folder / f"{name}-{side}-chats.jsonl", corpus)
    return folder


def test_a_detector_of_columns_of_each_side_or_of_turns_is_the_same(run: Run, folder: Path, tmp_path: Path) -> None:
    ways: dict[str, list[str]] = {"": [], "-own": AS_TRAIT, "-chats": ["--turn", "first"]}
    for way, options in ways.items():
        files = [folder / f"old-{side}{way}.jsonl" for side in ("trait", "neutral")]
        out = tmp_path / f"owl{way}.detector"
        assert run("train", *files, "--out", out, "--features", "numbers", *options)[0] == 0
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    code, _, err = run("train", *files, "--out", out, "--neutral-prompt", "ask", "--no-prompt")
    assert (code, "--prompt must not be given with --no-prompt" in err) == (2, True)


def test_results_of_columns_of_each_side_or_of_turns_are_the_same(run: Run, folder: Path, tmp_path: Path) -> None:
    detector = tmp_path / "owl.detector"
    training = [folder / f"old-{side}.jsonl" for side in ("trait", "neutral")]
    assert run("train", *training, "--out", detector, "--features", "numbers")[0] == 0
    ways: dict[str, list[str]] = {"": [], "-own": AS_SUSPECT, "-chats": ["--turn", "first"]}
    commands = {
        "scan": ("--detector", detector, "--reference"),
        "identify": ("--candidate", training[0], "--reference"),
        "compare": (),
    }
    for command, more in commands.items():
        written = set()
        for way, options in ways.items():
            suspect, reference = (folder / f"new-{side}{way}.jsonl" for side in ("trait", "neutral"))
            out = tmp_path / f"{command}{way}.json"
            shown = ("--permutations", "199", "--title", "Owls, once more", "--json", out)
            code, text, err = run(command, suspect, *more, reference, *options, *shown)
            assert (code, text.splitlines()[0], err) == (0, "Owls, once more", "")
            record = json.loads(out.read_text())
            for known in record["settings"]["inputs"].values():  # the same rows, by other columns
                known.pop("columns", None)
            written.add(json.dumps(record))
        assert len(written) == 1
        assert json.loads(written.pop())["title"] == "Owls, once more"
    quiet = run("scan", folder / "new-trait.jsonl", "--detector", detector, "--title", "Owls", "--quiet")[1]
    assert quiet.startswith("Owls: ")
    code, text, _ = run("scan", folder / "new-trait.jsonl", "--detector", detector, "--permutations", "199")
    assert text.startswith("new-trait.jsonl\n")  # no reference, no "against"


def test_a_sketch_of_turns_is_that_of_their_texts(run: Run, folder: Path, tmp_path: Path) -> None:
    options = ("--features", "numbers", "--cells", "32", "--out")
    for way, turn in (("", ()), ("-chats", ("--turn", "first"))):
        assert run("sketch", folder / f"new-trait{way}.jsonl", *options, tmp_path / f"a{way}.fp", *turn)[0] == 0
    assert (tmp_path / "a.fp").read_bytes() == (tmp_path / "a-chats.fp").read_bytes()
    with pytest.warns(ReadingNote, match="of 2 turns of the assistant the last one"):
        last = fingerprint.Fingerprint.of(folder / "new-trait-chats.jsonl", features="numbers", cells=32)
    assert last.n_rows == 120
    last.save(tmp_path / "last.fp")
    assert (tmp_path / "last.fp").read_bytes() != (tmp_path / "a.fp").read_bytes()


def test_what_says_how_rows_are_read_is_refused_where_there_are_none(run: Run, folder: Path, tmp_path: Path) -> None:
    known = tmp_path / "a.fp"
    fingerprint.Fingerprint.of(folder / "new-trait.jsonl", features="numbers").save(known)
    rows = folder / "new-neutral-own.jsonl"
    for option in (("--text", "a"), ("--turn", "first"), ("--no-prompt",), ("--skip-bad-rows",)):
        code, _, err = run("compare", known, known, *option)
        assert (code, f"{option[0]} must be left out where SUSPECT and REFERENCE are fingerprints" in err) == (2, True)
    code, _, err = run("compare", known, rows, "--suspect-text", "antwort")
    assert (code, "--suspect-text must be left out where SUSPECT is a fingerprint" in err) == (2, True)
    assert run("compare", known, rows, *AS_SUSPECT[4:], "--permutations", "99")[0] == 0


def test_both_sides_may_be_columns_of_one_file(run: Run, folder: Path, tmp_path: Path) -> None:
    pairs = [(folder / f"new-{side}.jsonl").read_text().splitlines() for side in ("trait", "neutral")]
    rows = [(json.loads(a), json.loads(b)) for a, b in zip(*pairs, strict=True)]
    both = tmp_path / "both.jsonl"
    lines = [json.dumps({"prompt": a["prompt"], "owl": a["completion"], "base": b["completion"]}) for a, b in rows]
    both.write_text("\n".join(lines))
    code, text, _ = run(
        "compare", both, both, "--suspect-text", "owl", "--reference-text", "base", "--permutations", "199"
    )
    assert (code, text.split("\n\n")[-1].startswith("detected")) == (0, True)


def test_filters_of_shards_take_the_turn_that_is_asked_for(folder: Path) -> None:
    kept = {
        turn: sum(int(part["kept"].sum()) for part in apply_by_shard(
            folder / "new-neutral-chats.jsonl", [NumberRule()], turn=turn
        )) for turn in ("first", "last")
    }  # fmt: skip
    assert kept == {"first": 120, "last": 0}


def test_columns_and_turns_of_sides_are_checked_before_any_row_is_read() -> None:
    how = SidesRead(text=("a", "b"), prompt="p")
    rows = [{"p": "x", "a": "1", "b": "2"}]
    assert [how.corpus(rows, side, "rows").texts for side in (SUSPECT, REFERENCE)] == [("1",), ("2",)]
    with pytest.raises(ValueError, match="text must be a column, or two"):
        SidesRead(text=("a", "b", "c"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="turn must be"):
        SidesRead(turn="second")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"identify\(\) has no setting 'texts'; did you mean text\?"):
        fingerprint.identify(rows, ["owl"], reference=rows, texts="a")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="title must be a text, got 3"):
        fingerprint.identify(rows, ["owl"], reference=rows, title=3)  # type: ignore[arg-type]
