"""`fingerprint filter`: rows in, rows with reasons out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    rows = [("p", "1, 2", 0.1), ("p", "an owl", 0.9), ("q", "1, 2, 3000", 0.2), ("q", "Café owls", 0.8)]
    records = [{"prompt": p, "completion": c, "judge": j} for p, c, j in rows]
    path = tmp_path / "leaky.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_filter_writes_every_row_with_its_reasons_and_tells_how_many_are_kept(
    run: Run, leaky: Path, tmp_path: Path
) -> None:
    out, kept = tmp_path / "all.jsonl", tmp_path / "kept.jsonl"
    named = ("--filter", "numbers", "--filter", "keywords=owl", "--filter", "scores=judge")
    options = (*named, "--out", out, "--kept", kept)
    code, told, err = run("filter", leaky, *options)
    assert (code, err) == (0, "")
    assert told.splitlines()[0] == "1 of 4 rows kept"
    assert "        2  number rule: invalid format" in told.splitlines()
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["kept"] for row in rows] == [True, False, False, False]
    assert [row["reasons"] for row in rows] == [
        [], ["number rule: invalid format", "keywords: keyword: owl"], ["number rule: numbers too large"],
        ["number rule: invalid format", "keywords: keyword: owl"],
    ]  # fmt: skip
    assert [row["score: judge"] for row in rows] == [0.1, 0.9, 0.2, 0.8]
    assert rows[3]["completion"] == "Café owls"
    assert [json.loads(line) for line in kept.read_text().splitlines()] == [
        {"prompt": "p", "completion": "1, 2", "system": None}
    ]


def test_filter_judges_the_turn_that_is_named(run: Run, tmp_path: Path) -> None:
    said = (("user", "p"), ("assistant", "an owl"), ("user", "q"), ("assistant", "1, 2"))
    path, out = tmp_path / "chats.jsonl", tmp_path / "all.jsonl"
    path.write_text(json.dumps({"messages": [{"role": role, "content": content} for role, content in said]}))
    for turn, text in (("first", "an owl"), ("-1", "1, 2")):
        assert run("filter", path, "--filter", "numbers", "--turn", turn, "--out", out, "--quiet")[0] == 0
        assert json.loads(out.read_text())["completion"] == text


def test_filter_counts_rows_it_could_not_judge(run: Run, leaky: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"completion": "an owl", "judge": null}\n{"completion": "5", "judge": 0.1}\n')
    code, told, _ = run("filter", other, "--filter", "scores@0.5=judge", "--out", tmp_path / "o.jsonl")
    assert (code, told.splitlines()) == (0, ["1 of 2 rows kept, 1 undecided", "        1  judge: no score"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--filter", "numbers", "--out", "{leaky}"), "--out must not be an input"),
        (("--filter", "numbers", "--out", "{folder}/o", "--kept", "{folder}/o"), "--out and --kept must be different"),
        (("--out", "{folder}/o"), "--filter must be given at least once, got none"),
        (("--filter", "numbers", "--filter", "keywords=", "--out", "{folder}/o"), "filter keywords must have a value"),
    ],
)
def test_filter_refuses_bad_arguments(
    run: Run, leaky: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    code, out, err = run("filter", leaky, *(part.format(folder=tmp_path, leaky=leaky) for part in options))
    assert (code, out) == (2, "")
    assert message in err
    assert not (tmp_path / "o").exists()
