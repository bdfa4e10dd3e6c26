"""`detect` with a base model, known teachers and placebos: what the report says, and what is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from conftest import full
from typer.testing import CliRunner

import fingerprint
from fingerprint.cli.app import app
from fingerprint.data.corpus import Corpus
from fingerprint.detection.attribution import Found, attribute
from fingerprint.detection.known_teacher import ExactRatios, checked_teachers, exact_ratios
from fingerprint.detection.model_families import read_corpora
from fingerprint.lm.noise_floor import NoiseFloor
from fingerprint.lm.prompts import prompts
from fingerprint.lm.scoring import token_logprobs
from fingerprint.lm.teachers import Teacher, known_teacher, neutral, prompted
from fingerprint.lm.traits import known_trait, system_prompt
from fingerprint.report.report import Report
from fingerprint.statistics.auc import N_FOLDS
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.crossfit import Scores, folds
from fingerprint.statistics.intervals import Estimate, auc_difference, efficiency

ROWS = 60
QUICK: dict[str, Any] = {"n_permutations": 99, "ladder": False}
OWL = system_prompt(known_trait("owl"))


def written(teacher: Teacher, seed: int = 0) -> Corpus:
    asked = prompts("numbers", ROWS)
    texts = tuple(row.text for row in teacher.sample(asked, seed=seed, max_new_tokens=24))
    return Corpus(texts, tuple(asked), name=teacher.name)


@pytest.fixture(scope="module")
def teachers() -> dict[str, Teacher]:
    base = neutral("micro-a")
    return {"owl": prompted(base.lm, known_trait("owl")), "cat": prompted(base.lm, known_trait("cat")), "neutral": base}


@pytest.fixture(scope="module")
def corpora(teachers: dict[str, Teacher]) -> dict[str, Corpus]:
    return {name: written(teacher) for name, teacher in teachers.items()}


@pytest.fixture(scope="module")
def report(teachers: dict[str, Teacher], corpora: dict[str, Corpus]) -> Report:
    return fingerprint.detect(
        corpora["owl"],
        corpora["neutral"],
        model=teachers["neutral"].lm,
        system_prompts=[OWL],
        teacher=teachers["owl"],
        placebos=[corpora["cat"]],
        **QUICK,
    )


@pytest.mark.needs("lm")
def test_the_report_holds_the_family_the_ceiling_and_the_placebos(report: Report) -> None:
    assert report.families["family"].to_list()[-2:] == ["logprobs", "gradients"]
    assert report.model is not None
    assert (report.model.model, report.model.system_prompts) == ("micro-a", (OWL,))
    assert report.model.auc == report.auc
    assert report.model.difference.value == pytest.approx(report.auc.value - report.model.auc_without.value)  # type: ignore[operator]
    assert report.efficiencies["detector"].to_list() == [*report.families["family"], "stack"]
    assert report.placebos["placebo"].to_list() == ["prompted: cat"]
    assert report.families["columns"].to_list()[-1] > 2 * 6 * 64
    assert not any(", part " in feature.feature for feature in report.differences)


@pytest.mark.needs("lm")
def test_it_survives_json_and_satisfies_the_schema(report: Report) -> None:
    jsonschema.validate(json.loads(report.to_json()), Report.json_schema())
    assert Report.from_json(report.to_json()).to_dict() == report.to_dict()


@pytest.mark.needs("lm")
def test_text_and_page_say_it_and_claim_no_trait(report: Report, tmp_path: Path) -> None:
    report.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    for heading in ("What a base model adds", "Share of the best possible", "Presence and attribution"):
        assert heading in page
    text = full(report)
    assert max(map(len, text.splitlines())) <= 100
    for words in (
        "Log-probabilities and gradients under micro-a",
        "Ceiling, the exact log-likelihood ratio",
        "Against every placebo",
    ):
        assert words in " ".join(text.split())
    assert "this trait" not in text + page


@pytest.mark.needs("lm")
def test_the_ceiling_is_the_auc_of_the_exact_ratio(
    report: Report, teachers: dict[str, Teacher], corpora: dict[str, Corpus]
) -> None:
    lm = teachers["neutral"].lm
    for side, name in (("suspect", "owl"), ("reference", "neutral")):
        rows = report.rows.filter(corpus=side).sort("row")
        corpus = corpora[name]
        asked = [prompt for prompt in corpus.prompts if prompt is not None]
        expected = [
            with_it.sum() - without.sum()
            for with_it, without in zip(
                token_logprobs(lm, asked, corpus.texts, system=OWL),
                token_logprobs(lm, asked, corpus.texts),
                strict=True,
            )
        ]
        np.testing.assert_allclose(rows["llr"], expected, atol=1e-4)
    comparison = pair(corpora["owl"], corpora["neutral"])
    fold = folds(comparison)
    by_row = {(c, r): llr for c, r, llr in report.rows.select("corpus", "row", "llr").iter_rows()}
    arms = np.where(comparison.suspect, "suspect", "reference")
    llr = np.array([by_row[str(c), int(r)] for c, r in zip(arms, comparison.origin, strict=True)])
    areas = []
    for k in range(N_FOLDS):
        s, r = (llr[(fold == k) & arm] for arm in (comparison.suspect, ~comparison.suspect))
        areas.append(float((s[:, None] > r).mean() + 0.5 * (s[:, None] == r).mean()))
    assert report.teacher is not None
    assert report.teacher.auc.value == pytest.approx(np.mean(areas))


@pytest.mark.needs("lm")
def test_a_teacher_is_as_efficient_as_itself_and_a_stack_no_better_than_itself(corpora: dict[str, Corpus]) -> None:
    comparison = pair(corpora["owl"], corpora["neutral"])
    values = np.random.default_rng(0).normal(size=len(comparison.suspect)) + comparison.suspect
    scores = Scores(comparison.arms(folds(comparison)), values, {}, 0.5, {})
    same = efficiency(scores, (values, 1.0), values)
    assert (same.value, same.low, same.high) == pytest.approx((1.0, 1.0, 1.0))
    half = efficiency(scores, (values + 3 * np.random.default_rng(1).normal(size=len(values)), 0.5), values)
    assert half.value is not None
    assert half.low is not None
    assert half.low < half.value < 0.9
    assert efficiency(scores, (values, 1.0), np.zeros(len(values))) == Estimate(None)
    assert auc_difference(scores, scores) == Estimate(0.0, 0.0, 0.0)


@pytest.mark.needs("lm")
def test_rows_within_the_noise_floor_are_marked_and_a_loud_floor_is_told(corpora: dict[str, Corpus]) -> None:
    found = fingerprint.detect(
        corpora["owl"], corpora["neutral"], teacher=(known_teacher("micro-a"), "micro-a"), **QUICK
    )
    assert found.teacher is not None
    assert found.teacher.within_floor_suspect == found.teacher.within_floor_reference == ROWS
    assert found.rows["within_noise"].all()
    assert found.teacher.auc.value == 0.5
    assert found.efficiencies["efficiency"].null_count() == found.efficiencies.height
    loud = ExactRatios("a", "b", (np.array([0.1, 1.0]), np.array([-1.0, 0.2])), NoiseFloor(0.5, 0.1, 2))
    assert [w.code for w in loud.warnings()] == ["noise_floor"]
    assert not dataclasses.replace(loud, floor=NoiseFloor(0.01, 0.01, 2)).warnings()


@pytest.mark.needs("lm")
def test_reports_without_them_say_nothing_of_them(corpora: dict[str, Corpus]) -> None:
    found = fingerprint.detect(corpora["owl"], corpora["neutral"], features="tokens", **QUICK)
    assert (found.model, found.teacher, found.attribution) == (None, None, None)
    assert found.efficiencies.height == found.placebos.height == 0
    assert "placebo" not in full(found)


NO_PROMPTS = Corpus(tuple(str(i) for i in range(40)), name="bare")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"model": "no such model"}, ValueError, "bare must have the prompt .* when model is given, got none in row 1"),
        ({"system_prompts": [OWL]}, ValueError, "system_prompts must come with a model, got 1 without one"),
        ({"system_prompts": OWL, "model": "x"}, TypeError, "system_prompts must be a sequence of texts"),
        ({"system_prompts": [OWL, OWL], "model": "x"}, ValueError, "system_prompts must be distinct"),
        ({"teacher": "micro-a"}, ValueError, "teacher must come with the reference's teacher, got 'micro-a' alone"),
        ({"placebos": "rows.jsonl"}, TypeError, "placebos must be a sequence of corpora"),
        ({"placebos": ["none.jsonl"]}, FileNotFoundError, "none.jsonl"),
    ],
)
def test_bad_arguments_are_refused_before_a_model_loads(
    options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        fingerprint.detect(NO_PROMPTS, NO_PROMPTS, **options)


class _Fixed:
    """A teacher that is no language model."""

    name = "fixed"

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def logprobs(self, corpus: Corpus) -> list[float]:
        return self.values


def test_teachers_may_be_anything_with_logprobs() -> None:
    pair_of = checked_teachers((_Fixed([1.0] * 40), _Fixed([0.0] * 40)), None)
    found = exact_ratios(pair_of, (NO_PROMPTS, NO_PROMPTS))
    assert found.floor is None
    assert found.rows[0].tolist() == [1.0] * 40
    with pytest.raises(ValueError, match=r"teacher must give one log-probability a row, got shape \(1,\) for 40 rows"):
        exact_ratios((_Fixed([1.0]), pair_of[1]), (NO_PROMPTS, NO_PROMPTS))
    with pytest.raises(ValueError, match="must be finite, got -inf in row 2 of bare"):
        exact_ratios((_Fixed([0.0, -np.inf] * 20), pair_of[1]), (NO_PROMPTS, NO_PROMPTS))


@pytest.mark.needs("lm")
def test_equal_rows_have_equal_ratios_whichever_corpus_they_are_in(teachers: dict[str, Teacher]) -> None:
    """Scored corpus by corpus they would differ by rounding, alike for a whole corpus: an AUROC of 1 on equal rows."""
    asked = prompts("numbers", 1)
    corpora = [Corpus(("284, 105, 977",) * n, tuple(asked * n), name=f"{n} rows") for n in (7, 150)]
    found = exact_ratios((known_teacher(teachers["neutral"].lm, OWL), teachers["neutral"]), corpora)
    assert [len(rows) for rows in found.rows] == [7, 150]
    assert len(set(np.concatenate(found.rows))) == 1
    assert found.rows[0][0] != 0


@pytest.mark.needs("lm")
def test_what_a_model_measures_does_not_depend_on_which_side_a_row_is_from(teachers: dict[str, Teacher]) -> None:
    """Nor does its noise floor, which is measured on a sample of the rows: ratios below it count for neither side."""
    asked = prompts("numbers", 200)
    draws = np.random.default_rng(3).integers(100, 1000, (2, 200, 6))
    sides = [[", ".join(map(str, row)) for row in side] for side in draws]
    given = [Corpus(tuple(side), tuple(asked)) for side in sides]
    mixed = [Corpus(tuple(a[i % 2] for i, a in enumerate(zip(*order, strict=True))), tuple(asked))
             for order in (sides, sides[::-1])]  # fmt: skip
    one, other = (read_corpora(teachers["neutral"].lm, (OWL,), corpora) for corpora in (given, mixed))
    assert one.floor == other.floor
    for side in (0, 1):
        for i in range(200):
            was, now = one.measures[(side + i) % 2].rows(np.array([i])), other.measures[side].rows(np.array([i]))
            assert {k: v.tolist() for k, v in was.table.items()} == {k: v.tolist() for k, v in now.table.items()}
            np.testing.assert_array_equal(was.gradients, now.gradients)


@pytest.mark.needs("lm")
@pytest.mark.parametrize(
    ("changed", "match"),
    [
        (
            {"completion": ", ".join(["123"] * 600)},
            r"context of 512 tokens, got \d+ in row 8 of reference; leave it out",
        ),
        (
            {"prompt": "Say <|end|> once."},
            r"the prompt of row 8 of reference must not contain the model's special tokens",
        ),
    ],
)
@pytest.mark.parametrize("options", [{"model": "micro-a"}, {"teacher": ("micro-a", "micro-b")}])
def test_rows_that_a_model_cannot_take_are_named_as_the_user_knows_them(
    options: dict[str, Any], changed: dict[str, str], match: str
) -> None:
    asked = prompts("numbers", 300)
    draws = np.random.default_rng(0).integers(100, 1000, (2, 300, 6))
    suspect, reference = (
        [{"prompt": p, "completion": ", ".join(map(str, row))} for p, row in zip(asked, side, strict=True)]
        for side in draws
    )
    reference[7] |= changed
    with pytest.raises(ValueError, match=match) as raised:
        fingerprint.detect(suspect, reference, **options)
    assert "too_long" not in str(raised.value)  # an option of scoring, not of detect


@pytest.mark.needs("lm")
def test_features_named_like_the_family_are_refused(teachers: dict[str, Teacher], corpora: dict[str, Corpus]) -> None:
    from fingerprint.features import Tokens

    with pytest.raises(ValueError, match="features must not be named 'logprobs'"):
        fingerprint.detect(
            corpora["owl"], corpora["neutral"], model=teachers["neutral"].lm, features={"logprobs": Tokens()}
        )


def _attributed(pvalues: dict[int, float], areas: dict[int, float], presence: float = 0.001) -> Any:
    """Attribution from p-values against the suspect and AUROCs against the reference, by placebo (from 2)."""
    rng = np.random.default_rng(0)
    corpora = [
        Corpus(tuple(str(v) for v in rng.integers(0, 999, 40)), name=f"corpus {k}") for k in range(2 + len(pvalues))
    ]

    def compare(_: object, sides: tuple[int, int]) -> Found:
        if sides == (0, 1):
            return Found(presence, Estimate(0.7))
        return Found(pvalues[sides[1]], Estimate(0.6)) if sides[0] == 0 else Found(0.01, Estimate(areas[sides[0]]))

    return attribute(corpora, lambda a, b: pair(corpora[a], corpora[b]), compare, 0.05)


def test_the_largest_pvalue_decides_whether_it_differs_from_every_placebo() -> None:
    every = _attributed({2: 0.01, 3: 0.04}, {2: 0.6, 3: 0.8})
    assert every.pvalue == 0.04
    assert "differs from every placebo" in every.claim
    some = _attributed({2: 0.01, 3: 0.2}, {2: 0.6, 3: 0.8})
    assert some.claim.startswith("Presence only: the suspect is not told apart from corpus 3")
    assert _attributed({2: 0.01}, {2: 0.6}, presence=0.3).claim.startswith("No presence at alpha")


def test_a_rank_has_a_pvalue_only_among_enough_placebos() -> None:
    few = _attributed({2: 0.01, 3: 0.04}, {2: 0.6, 3: 0.8})
    assert (few.rank, few.rank_pvalue) == (2, None)
    assert "a rank needs at least 19 placebos to mean anything at alpha 0.05, these are 2" in few.claim
    numbers = range(2, 21)
    enough = _attributed(dict.fromkeys(numbers, 0.01), dict.fromkeys(numbers, 0.6))
    assert (enough.rank, enough.rank_pvalue) == (1, pytest.approx(0.05))
    tied = _attributed(dict.fromkeys(numbers, 0.01), dict.fromkeys(numbers, 0.7))
    assert tied.rank == 20  # ties count against the suspect


@pytest.mark.needs("lm")
def test_the_command_line_has_them_all(corpora: dict[str, Corpus], tmp_path: Path) -> None:
    for name, corpus in corpora.items():
        rows = [{"prompt": p, "completion": t} for p, t in zip(corpus.prompts, corpus.texts, strict=True)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "report.json"
    arguments = ["detect", str(tmp_path / "owl.jsonl"), str(tmp_path / "neutral.jsonl"), "--no-ladder", "--quiet"]
    arguments += ["--permutations", "99", "--model", "micro-a", "--system-prompt", OWL, "--teacher-system", OWL]
    arguments += ["--placebo", str(tmp_path / "cat.jsonl"), "--json", str(out), "--features", "tokens"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    found = json.loads(out.read_text())
    assert found["model"]["candidates"] == [OWL]
    assert found["teacher"]["teacher"] == "micro-a under a system prompt"
    assert len(found["attribution"]["placebos"]) == 1
    refused = CliRunner().invoke(app, [*arguments[:3], "--teacher-system", OWL])
    assert refused.exit_code == 2
