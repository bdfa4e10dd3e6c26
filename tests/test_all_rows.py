"""Corpora that are not held: the p-value is that of all rows, the rest a sample's that hangs on hashes alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import polars as pl
import pytest
from conftest import full
from detector_rows import arm, rows, trained_detector

from fingerprint import detect
from fingerprint.data.corpus import Corpus
from fingerprint.data.rereading import Rows
from fingerprint.data.row_keys import PooledKeys, side_keys
from fingerprint.detection import prompt_control, streamed
from fingerprint.features import data_kind
from fingerprint.lab.simulated import simulated_pair
from fingerprint.report.report import Report

QUICK: dict[str, Any] = {"ladder": False, "n_permutations": 499}


@pytest.fixture
def few_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "HELD_ROWS", 150)
    monkeypatch.setattr(streamed, "SAMPLE_ROWS", 120)


def compared(monkeypatch: pytest.MonkeyPatch, first: object, second: object, **asked: Any) -> tuple[Report, Report]:
    """The report of rows that are held, and of the same that are not."""
    held = detect(first, second, **QUICK, **asked)
    monkeypatch.setattr(streamed, "HELD_ROWS", 50)
    monkeypatch.setattr(streamed, "SAMPLE_ROWS", 120)
    return held, detect(first, second, **QUICK, **asked)


def mixed(drawn: Any) -> tuple[Corpus, Corpus]:
    """Some prompts of both sides, some of one, some with several rows, some rows without a prompt."""
    first, second = drawn.suspect, drawn.reference
    of_first = [f"{p} again" if i % 3 == 0 else p for i, p in enumerate(first.prompts)]
    of_second = [None if i % 40 == 1 else p for i, p in enumerate(second.prompts)]
    more = range(30, 90)
    return (
        Corpus((*first.texts, *(first.texts[i] for i in more)), (*of_first, *(of_first[i] for i in more)), name="a"),
        Corpus(second.texts, tuple(of_second), name="b"),
    )


@pytest.mark.parametrize(
    ("design", "kind"),
    [("shared", "numbers"), ("disjoint", "prose"), ("independent", "numbers"), ("mixed", "numbers")],
)
def test_the_p_value_is_that_of_all_rows_in_memory(design: Any, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: Any = "shared" if design == "mixed" else design
    drawn = simulated_pair(200, kind=kind, tilt="dense", d_prime=0.4, rng=3, design=laid_out)
    first, second = mixed(drawn) if design == "mixed" else (drawn.suspect, drawn.reference)
    held, found = compared(monkeypatch, first, second)
    assert held.sample is None
    assert found.sample is not None
    assert found.sample.covers_all
    assert found.sample.rows_suspect <= 120 < found.design.rows_suspect
    assert found.design == held.design
    assert found.pvalue == held.pvalue
    assert found.settings["inputs"] == held.settings["inputs"]
    for one, other in zip(found.family_results, held.family_results, strict=True):
        assert (one.family, one.columns) == (other.family, other.columns)
        assert one.statistic == pytest.approx(other.statistic, abs=1e-6)


def sample_of(monkeypatch: pytest.MonkeyPatch, first: Corpus, second: Corpus) -> tuple[Corpus, Corpus]:
    monkeypatch.setattr(streamed, "HELD_ROWS", 50)
    monkeypatch.setattr(streamed, "SAMPLE_ROWS", 120)
    return streamed.opened((Rows(first), Rows(second)), True, lambda note, share: None)[0]


@pytest.mark.parametrize(("share", "of_all", "of_sample"), [(0.07, "both", "numbers"), (0.045, "numbers", "both")])
def test_families_and_their_weights_are_those_of_the_kind_of_all_rows(
    share: float, of_all: str, of_sample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = simulated_pair(200, tilt="dense", d_prime=0.2, rng=3)
    for seed in range(99):  # until the sample, which hashes choose, is of another kind
        prose = np.random.default_rng(seed).permutation(400) < share * 400
        sides = [
            Corpus(tuple("as words: " * odd + t for t, odd in zip(c.texts, mine.tolist(), strict=True)), c.prompts)
            for c, mine in zip((drawn.suspect, drawn.reference), (prose[:200], prose[200:]), strict=True)
        ]
        with monkeypatch.context() as only_here:
            sample = sample_of(only_here, sides[0], sides[1])
        if data_kind([text for side in sample for text in side.texts]) == of_sample:
            break
    assert data_kind([text for side in sides for text in side.texts]) == of_all
    assert data_kind([text for side in sample for text in side.texts]) == of_sample
    held, found = compared(monkeypatch, *sides)
    assert [one.family for one in found.family_results] == [one.family for one in held.family_results]
    assert found.pvalue == held.pvalue
    assert found.null.observed == pytest.approx(held.null.observed, abs=1e-5)


def partly_shared(alike: int) -> tuple[Corpus, Corpus]:
    """A third of 600 prompts of both sides; of the others, all but some are of words that the other side's lack."""
    drawn = simulated_pair(600, tilt="dense", d_prime=0.3, rng=3)
    rng = np.random.default_rng(5)

    def prompts(word: str) -> tuple[str | None, ...]:
        words = ["write"] * alike + [word] * (400 - alike)
        return (*drawn.suspect.prompts[:200], *(f"{word} {rng.integers(10**9)}" for word in words))

    return (
        Corpus(drawn.suspect.texts, prompts("name"), name="a"),
        Corpus(drawn.reference.texts, prompts("list"), name="b"),
    )


@pytest.mark.parametrize("alike", [375, 400])
def test_whether_shared_prompts_stand_alone_all_prompts_decide(alike: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = partly_shared(alike)
    with monkeypatch.context() as only_here:
        sample = sample_of(only_here, first, second)
    of_sample = detect(sample[0], sample[1], features="numbers", **QUICK)
    held, found = compared(monkeypatch, first, second, features="numbers")
    assert held.prompt_control.differs == (alike == 375)
    assert not of_sample.prompt_control.differs
    assert found.prompt_control == held.prompt_control
    assert found.design == held.design
    assert found.design.is_paired == held.prompt_control.differs
    assert (found.pvalue, found.detected) == (held.pvalue, held.detected)
    told = [[w for w in report.warnings if w.code == "prompts_differ"] for report in (found, held)]
    assert told[0] == told[1]


@pytest.mark.parametrize("given", ["one", "none", "ignored", "one ignored", "no suspect's", "some missing", "few"])
def test_what_is_said_of_the_prompts_is_said_of_all_rows(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = simulated_pair(200, tilt="dense", d_prime=0.4, rng=3)
    many: list[str | None] = [*drawn.suspect.prompts]
    one: list[str | None] = ["one"] * 200
    sides: dict[str, tuple[list[str | None], list[str | None]]] = {
        "one": (one, one),
        "none": ([None] * 200, [None] * 200),
        "ignored": (many, many),
        "one ignored": (one, one),
        "no suspect's": ([None] * 200, many),
        "some missing": ([*many[:-1], None], many),
        "few": (many, [*many[:-1], "another"]),
    }
    suspect, reference = sides[given]
    asked: dict[str, Any] = {"features": "layout", **({"prompt": False} if "ignored" in given else {})}
    first = Corpus(drawn.suspect.texts, tuple(suspect), name="a")
    held, found = compared(monkeypatch, first, Corpus(drawn.reference.texts, tuple(reference), name="b"), **asked)
    assert found.prompt_control == held.prompt_control
    assert (found.design, found.pvalue) == (held.design, held.pvalue)


def test_many_prompts_are_controlled_by_those_of_the_least_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "CONTROL_PROMPTS", 70)
    monkeypatch.setattr(prompt_control, "CONTROL_PROMPTS", 70)
    held, found = compared(monkeypatch, *partly_shared(100), features="layout")
    assert held.prompt_control.pvalue is not None
    assert found.prompt_control == held.prompt_control


def test_shards_rows_and_threads_change_nothing(
    tmp_path: Path, few_held: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = simulated_pair(200, tilt="dense", d_prime=0.4, rng=3)
    sides = []
    for name, corpus in (("a", drawn.suspect), ("b", drawn.reference)):
        frame = pl.DataFrame({"prompt": corpus.prompts, "completion": corpus.texts})
        for shard in range(4):
            frame.slice(shard * 60, 60 if shard < 3 else None).write_parquet(tmp_path / f"{name}-{shard}.parquet")
        sides.append(frame)
    whole = detect(*sides, **QUICK)
    files = [str(tmp_path / f"{name}-*.parquet") for name in "ab"]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    sharded = detect(*files, scores=tmp_path / "scores.parquet", **QUICK)
    lazy = detect(pl.scan_parquet(files[0]), (frame for frame in sides[1].iter_slices(37)), **QUICK)
    for other in (sharded, lazy):
        assert (other.pvalue, other.null, other.auc, other.family_results) == (
            whole.pvalue, whole.null, whole.auc, whole.family_results,
        )  # fmt: skip
    scores = pl.read_parquet(tmp_path / "scores.parquet")
    assert scores.columns == ["side", "shard", "row", "score"]
    assert scores.height == 400
    assert scores.get_column("score").is_finite().all()
    assert scores.get_column("shard").n_unique() == 8
    assert scores.filter(pl.col("shard") == str(tmp_path / "a-3.parquet")).get_column("row").to_list() == list(
        range(20)
    )


def test_the_report_keeps_both_ends_of_all_rows_under_their_numbers(few_held: None, tmp_path: Path) -> None:
    drawn = simulated_pair(400, tilt="dense", d_prime=1.5, rng=4)
    report = detect(drawn.suspect, drawn.reference, scores=tmp_path / "s.parquet", **QUICK)
    scores = pl.read_parquet(tmp_path / "s.parquet").sort("score")
    assert report.rows.get_column("score")[0] == scores.get_column("score")[-1]
    assert report.rows.get_column("score")[-1] == scores.get_column("score")[0]
    for corpus, row, text, prompt, score in report.rows.iter_rows():
        side = drawn.suspect if corpus == "suspect" else drawn.reference
        assert (side.texts[row], side.prompts[row]) == (text, prompt)
        mine = (pl.col("side") == corpus) & (pl.col("row") == row)
        assert scores.filter(mine).get_column("score").item() == score
    values = {
        side: scores.filter(pl.col("side") == side).get_column("score").to_numpy() for side in ("suspect", "reference")
    }
    above = (values["suspect"][:, None] > values["reference"]).mean()
    assert above > 0.7  # the model of 120 rows a side sees the tilt in the others too


def test_scores_of_rows_that_are_held_are_the_cross_fitted_ones(tmp_path: Path) -> None:
    drawn = simulated_pair(60, tilt="dense", d_prime=1.0, rng=4)
    report = detect(drawn.suspect, drawn.reference, scores=tmp_path / "s.parquet", **QUICK)
    scores = pl.read_parquet(tmp_path / "s.parquet").rename({"side": "corpus"}).drop("shard")
    both = report.rows.join(scores, on=["corpus", "row"], suffix="_written")
    assert both.height == 120
    assert (both.get_column("score") == both.get_column("score_written")).all()


def test_what_is_no_sum_of_counts_makes_all_of_it_the_samples(few_held: None, tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    drawn = simulated_pair(200, tilt="dense", d_prime=0.4, rng=3)
    features = {"tokens": "tokens", "mine": CountVectorizer()}
    report = detect(drawn.suspect, drawn.reference, features=features, **QUICK)
    assert report.sample is not None
    assert not report.sample.covers_all
    assert report.sample.reason == "these families are no sums of counts: mine"
    assert report.pvalue == report.sample.pvalue
    assert report.design.rows_suspect == report.sample.rows_suspect == 120
    assert "these families are no sums of counts: mine" in full(report)
    with pytest.raises(ValueError, match=r"^scores must be of all rows, but these families"):
        detect(drawn.suspect, drawn.reference, features=features, scores=tmp_path / "s.parquet", **QUICK)


def test_rows_that_a_prior_knows_leave_the_numbers_the_counts_and_the_prompts_of_the_others(few_held: None) -> None:
    trained = trained_detector()
    old, _ = rows(500, 1)
    new, labels = rows(100, 10)

    def side(label: int, known: slice) -> Corpus:
        mine = arm(new, labels, label)
        return Corpus(old.texts[known] + mine.texts, old.prompts[known] + mine.prompts, name=f"side {label}")

    sides = {"suspect": side(1, slice(0, 60)), "reference": side(0, slice(60, 120))}
    report = detect(*sides.values(), prior=trained, trained_rows="drop", features="layout", **QUICK)
    left_out = report.settings["prior"]["left_out"]
    assert report.sample is not None
    assert left_out["suspect"] > 10 < left_out["reference"]
    assert report.sample.rows_suspect == report.design.rows_suspect == 120 - left_out["suspect"]
    assert report.sample.rows_reference == report.design.rows_reference == 120 - left_out["reference"]
    named = report.rows.select("corpus", "row", "text").rows()
    assert len(named) == report.sample.rows_suspect + report.sample.rows_reference
    assert all(sides[side].texts[row] == text for side, row, text in named)
    assert report.prompt_control.note == "both sides answer the same prompts"
    assert f"Left out of the sample before any of this: {left_out['suspect']} suspect rows" in " ".join(
        full(report).split()
    )


def test_a_report_of_a_sample_says_so_and_follows_the_schema(few_held: None) -> None:
    drawn = simulated_pair(200, tilt="dense", d_prime=0.4, rng=3)
    report = detect(drawn.suspect, drawn.reference, **QUICK)
    jsonschema.validate(json.loads(report.to_json()), Report.json_schema())
    assert Report.from_json(report.to_json()) == report
    assert "120 suspect and 120 reference rows of whole prompts" in " ".join(full(report).split())


def keyed(first: Corpus, second: Corpus, kept: int = 10**6) -> PooledKeys:
    one = side_keys(Rows(first), use_prompts=True, kept=kept)
    return PooledKeys.of(one, side_keys(Rows(second), use_prompts=True, kept=kept, below=one.below))


def test_a_sample_takes_whole_prompts_and_shared_ones_on_both_sides() -> None:
    drawn = simulated_pair(300, rows_per_prompt=3, rng=2)
    pooled = keyed(drawn.suspect, drawn.reference)
    taken = pooled.sample(200)
    groups = [set(pooled.group[taken & side].tolist()) for side in pooled.sides]
    assert groups[0] == groups[1]
    assert 60 <= len(groups[0]) <= 66
    assert (np.isin(pooled.group, list(groups[0])) == taken).all()


def test_a_small_side_is_taken_whole_and_the_other_filled_up() -> None:
    drawn = simulated_pair(40, rng=2)
    other = simulated_pair(500, rng=5).reference
    pooled = keyed(
        drawn.suspect, Corpus((*drawn.reference.texts, *other.texts), (*drawn.reference.prompts, *other.prompts))
    )
    taken = pooled.sample(100)
    assert [int((taken & side).sum()) for side in pooled.sides] == [40, 100]


def test_a_prompt_of_many_rows_gives_some_of_them() -> None:
    texts = tuple(f"{i}, {i * i}" for i in range(900))
    corpus = Corpus(texts, tuple(f"prompt {i % 3}" for i in range(900)))
    pooled = keyed(corpus, corpus)
    taken = pooled.sample(300)
    assert [int((taken & side).sum()) for side in pooled.sides] == [300, 300]
    assert np.bincount(pooled.group[taken]).tolist() == [200, 200, 200]


def test_beyond_the_rows_whose_keys_are_kept_a_share_of_the_prompts_stands_for_all() -> None:
    drawn = simulated_pair(400, rng=2)
    whole, part = keyed(drawn.suspect, drawn.reference), keyed(drawn.suspect, drawn.reference, kept=150)
    assert whole.share == 1
    assert part.share in (0.25, 0.125)
    assert part.prompts()[0] == part.prompts()[2] == len(np.unique(part.group)) <= 150
    kept = {(s, o) for s, o in zip(part.suspect.tolist(), part.origin.tolist(), strict=True)}
    both = {o for s, o in kept if s} ^ {o for s, o in kept if not s}
    assert not both  # rows of the i-th prompt stand in the same place on both sides


@pytest.mark.parametrize("plain", [True, False])
def test_compiled_keys_are_those_of_rows_that_are_held(plain: bool) -> None:
    from fingerprint.data.corpus import sum_of_rows
    from fingerprint.data.normal_form import normal_form, normal_forms
    from fingerprint.data.pairing import RowKeys
    from fingerprint.data.row_hashes import CompiledRowKeys

    rng = np.random.default_rng(5)
    letters = np.array(list("abc 0,19" if plain else "ab '\"\\\n\xe4\u2028\U0001f600\0~\x7f "))
    strings = ["".join(rng.choice(letters, size=n)) for n in (0, 1, 5, 90, 121, 122, 123, 250, 300) * 12]
    prompts = [None if i % 4 == 1 else strings[-i] for i in range(len(strings))]
    texts, prompts = [*strings, *strings[:50]], [*prompts, *prompts[:50]]
    systems = [None if i % 9 else f"s'{i}" for i in range(len(texts))]
    for below in (1 << 64, 1 << 63):
        slow, fast = RowKeys("it's", below), CompiledRowKeys("it's", below)
        for part in (slice(0, 60), slice(60, None)):
            for one, other in zip(
                slow.next(prompts[part], texts[part]), fast.next(prompts[part], texts[part]), strict=True
            ):
                np.testing.assert_array_equal(one, other)
    assert fast.sum_of_rows(texts, prompts, systems) == sum_of_rows(texts, prompts, systems)
    assert list(normal_forms(prompts)) == [None if p is None else normal_form(p) for p in prompts]


def test_progress_says_how_many_rows_have_been_read(few_held: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from fingerprint.data import progress

    monkeypatch.setattr(progress, "NOTE_SECONDS", 0.0)
    heard: list[tuple[str, float]] = []
    drawn = simulated_pair(200, rng=3)
    detect(drawn.suspect, drawn.reference, progress=lambda name, done: heard.append((name, done)), **QUICK)
    notes = [name for name, _ in heard if " a second" in name]
    assert notes[0].startswith("pairing prompts: 200 rows, ")
    assert notes[-1].startswith("all rows: 400 rows, ")
    assert notes[-1].endswith(" a second, 0 s left")
    shares = [done for _, done in heard]
    assert shares == sorted(shares)


def test_a_side_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"{i}"}) + "\n" for i in range(30)))
    rows = Rows(path)
    assert sum(map(len, rows)) == 30
    path.write_text(json.dumps({"text": "1"}) + "\n")
    with pytest.raises(ValueError, match="must stay as it is while it is read, got 1 rows after 30"):
        list(rows)


def test_skipped_shards_are_named_in_a_warning(tmp_path: Path) -> None:
    drawn = simulated_pair(60, rng=3)
    for name, corpus in (("a", drawn.suspect), ("b", drawn.reference)):
        pl.DataFrame({"prompt": corpus.prompts, "text": corpus.texts}).write_parquet(tmp_path / f"{name}0.parquet")
    (tmp_path / "a1.parquet").write_bytes((tmp_path / "a0.parquet").read_bytes())
    asked = {**QUICK, "features": "layout"}
    with pytest.raises(ValueError, match=r"a1.parquet must hold rows of its own.* bad_shards=.skip."):
        detect(tmp_path / "a*.parquet", tmp_path / "b0.parquet", **asked)
    report = detect(tmp_path / "a*.parquet", tmp_path / "b0.parquet", bad_shards="skip", **asked)
    (warning,) = (warning for warning in report.warnings if warning.code == "shards_skipped")
    assert "a1.parquet" in warning.message
    assert report.design.rows_suspect == 60
