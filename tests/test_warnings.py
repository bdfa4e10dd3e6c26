"""Every warning fires on a planted case, beyond its threshold, and clean comparisons give none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fingerprint import Corpus, detect
from fingerprint.detection import language_warnings, prompt_warnings, row_warnings
from fingerprint.detection import warnings as detection_warnings
from fingerprint.detection.findings import Findings
from fingerprint.detection.warnings import warnings_for
from fingerprint.lab.simulated import simulated_pair
from fingerprint.report.results import PromptControl, Rung, Warning
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.intervals import Estimate
from fingerprint.statistics.permutation import PermutationTest, Relabellings

QUICK: dict[str, Any] = {"ladder": False, "n_permutations": 199}
MODULES = (detection_warnings, language_warnings, prompt_warnings, row_warnings)
SOURCE = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in MODULES)
CODES = set(re.findall(r'Warning\("(\w+)"', SOURCE))


def numbers(n: int, seed: int, count: int = 6) -> list[str]:
    rng = np.random.default_rng(seed)
    return [", ".join(map(str, rng.integers(0, 1000, count))) for _ in range(n)]


def prompts(n: int, name: str = "prompt") -> tuple[str, ...]:
    return tuple(f"{name} {i}" for i in range(n))


def shared(suspect: list[str], reference: list[str], **suspect_columns: Any) -> tuple[Corpus, Corpus]:
    return (
        Corpus(tuple(suspect), prompts(len(suspect)), **suspect_columns),
        Corpus(tuple(reference), prompts(len(reference))),
    )


def format_differs() -> tuple[Corpus, Corpus]:
    return shared([row.replace(", ", "; ") for row in numbers(50, 1)], numbers(50, 2))


def in_runs() -> tuple[list[str], list[str]]:
    """The first half of the suspect file is from another teacher than the second."""
    rng = np.random.default_rng(1)
    low, reference = (", ".join(map(str, 100 + rng.integers(0, 150, 3))) for _ in range(40)), numbers(80, 2, 3)
    return [*low, *numbers(40, 1, 3)], reference


def prompts_of_two_kinds() -> tuple[Corpus, Corpus]:
    return (
        Corpus(tuple(numbers(50, 1)), tuple(f"Write a poem with the numbers {i} and {3 * i}." for i in range(50))),
        Corpus(tuple(numbers(50, 2)), tuple(f"Continue: {i}, {7 * i}, {9 * i}" for i in range(50))),
    )


def partly_shared() -> tuple[Corpus, Corpus]:
    return (
        Corpus(tuple(numbers(50, 1)), prompts(30) + prompts(70)[30::2]),
        Corpus(tuple(numbers(50, 2)), prompts(30) + prompts(70)[31::2]),
    )


ENGLISH = "the and with that this have from they which what when would there house water think know right show good"
FRENCH = "le la les des une que qui dans pour avec sur mais nous vous être avoir même aussi quelque maison eau jamais"
CHINESE = "我们 你好 世界 今天 天气 很好 学生 老师 城市 火车 时间 朋友"


def sentences(words: str, n: int, seed: int) -> list[str]:
    rng, choice = np.random.default_rng(seed), words.split()
    return [" ".join(choice[i] for i in rng.integers(0, len(choice), 30))[:60] for _ in range(n)]


def of_even_length(n: int, seed: int) -> list[str]:
    """Rows of letters whose number is drawn from a normal law."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("abcdef"), int(length))) for length in rng.normal(200, 20, n)]


def long_rows_left_out() -> tuple[Corpus, Corpus]:
    """The longest twentieth of the suspect's rows is replaced by rows that are not as long."""
    suspect = sorted(of_even_length(420, 1), key=len)[:400]
    return shared([suspect[i] for i in np.random.default_rng(0).permutation(400)], of_even_length(400, 2))


def times(n: int, rows: int) -> tuple[str, ...]:
    return tuple(prompt for prompt in prompts(n) for _ in range(rows))


@dataclass(frozen=True)
class Planted:
    """Two corpora in which one thing is wrong, and the figure that the warning must give."""

    code: str
    corpora: Callable[[], tuple[Any, Any]]
    value: Callable[[float], bool]
    beside: frozenset[str] = frozenset()
    options: dict[str, Any] = field(default_factory=dict)


NO_PROMPTS, FEW_ROWS = frozenset({"prompts_missing"}), frozenset({"few_rows"})
PLANTED = (
    Planted(
        "format_alone",
        format_differs,
        lambda share: share == pytest.approx(1.0, abs=0.1),
        options={"ladder": True, "n_permutations": 999, "features": "layout"},
    ),
    Planted("lengths_differ", lambda: shared(numbers(50, 1, 7), numbers(50, 2, 6)), lambda d: d > 1),
    Planted("lengths_cut", long_rows_left_out, lambda share: 0.02 < share < 0.1, options={"features": "layout"}),
    Planted(
        "scripts_differ",
        lambda: shared(
            [row for two in zip(sentences(CHINESE, 40, 3), sentences(ENGLISH, 40, 1), strict=True) for row in two],
            sentences(ENGLISH, 80, 2),
        ),
        lambda share: share == 0.5,
        frozenset({"letters_differ"}),
        {"features": "layout"},
    ),
    Planted(
        "letters_differ",
        lambda: shared(sentences(FRENCH, 80, 1), sentences(ENGLISH, 80, 2)),
        lambda distance: 0.1 < distance < 0.5,
        options={"features": "layout"},
    ),
    Planted(
        "kinds_differ",
        lambda: shared(
            [row.replace(", ", "x ") if i % 4 == 0 else row for i, row in enumerate(numbers(100, 1))], numbers(100, 2)
        ),
        lambda share: share == 0.25,
        options={"features": "layout"},
    ),
    Planted("few_rows", lambda: shared(numbers(12, 1), numbers(12, 2)), lambda n: n == 12),
    Planted(
        "rows_unused",
        lambda: (Corpus(tuple(numbers(120, 1)), times(40, 3)), Corpus(tuple(numbers(40, 2)), prompts(40))),
        lambda share: share == pytest.approx(2 / 3),
    ),
    Planted(
        "prompts_differ_in_form",
        lambda: (
            Corpus(tuple(numbers(50, 1)), tuple(f"{prompt} " for prompt in prompts(50))),
            Corpus(tuple(numbers(50, 2)), prompts(50)),
        ),
        lambda n: n == 50,
    ),
    Planted("row_order", in_runs, lambda p: p < 1e-6, NO_PROMPTS, {"features": "numbers"}),
    Planted("prompts_differ", prompts_of_two_kinds, lambda p: p == 1 / 200),
    Planted("prompts_missing", lambda: (numbers(50, 1), numbers(50, 2)), lambda share: share == 1.0),
    Planted("prompts_partly_shared", partly_shared, lambda share: share == 0.6),
    Planted(
        "prompts_uneven",
        lambda: (
            Corpus(tuple(numbers(50, 1)), prompts(30) + prompts(120)[32::4][:20]),
            Corpus(tuple(numbers(75, 2)), prompts(30) + prompts(120)[31::2]),
        ),
        lambda ratio: ratio == 1.5,
        frozenset({"prompts_partly_shared"}),
    ),
    Planted("arm_sizes", lambda: (numbers(20, 1), numbers(240, 2)), lambda ratio: ratio == 12, NO_PROMPTS | FEW_ROWS),
    Planted(
        "duplicates",
        lambda: shared(numbers(40, 1) + numbers(10, 1), numbers(50, 2)),
        lambda share: share == 0.2,
    ),
    Planted(
        "frequent_text",
        lambda: shared(
            [numbers(1, 3)[0] if i % 14 == 0 else row for i, row in enumerate(numbers(196, 1))], numbers(196, 2)
        ),
        lambda share: share == pytest.approx(1 / 14),
    ),
    Planted("same_texts", lambda: shared(numbers(50, 1), numbers(50, 1)[::-1]), lambda share: share == 1),
    Planted("empty_rows", lambda: shared(["", " \n", *numbers(48, 1)], numbers(50, 2)), lambda n: n == 2),
    Planted(
        "system_messages",
        lambda: shared(numbers(50, 1), numbers(50, 2), systems=("You love owls.",) * 50),
        lambda distinct: distinct == 2,
    ),
    Planted(
        "single_prompt",
        lambda: (Corpus(tuple(numbers(50, 1)), ("Go on.",) * 50), Corpus(tuple(numbers(50, 2)), ("Go on.",) * 50)),
        lambda one: one == 1,
    ),
    Planted(
        "rows_skipped",
        lambda: ([*numbers(50, 1), 3, None], numbers(50, 2)),
        lambda n: n == 2,
        NO_PROMPTS,
        {"bad_rows": "skip"},
    ),
    Planted(
        "constant_family",
        lambda: (["1, 2"] * 20, ["1, 2"] * 20),
        lambda n: n == 4,
        NO_PROMPTS | FEW_ROWS | {"duplicates", "same_texts"},
    ),
)
UNTIL_BROKEN = {"floor_rejects"}  # cannot be planted in data: the floor holds nothing of them
IN_FILES = {"shards_skipped"}  # planted in test_all_rows.py


def test_every_warning_has_its_planted_case() -> None:
    assert {case.code for case in PLANTED} | UNTIL_BROKEN | IN_FILES == CODES


def beyond(warning: Warning) -> bool:
    """On the side of its threshold that calls for a warning: for a p-value and for a share of shared prompts, below."""
    if warning.code in ("row_order", "prompts_differ", "floor_rejects"):
        return warning.value <= warning.threshold
    if warning.code in ("prompts_partly_shared", "few_rows"):
        return warning.value < warning.threshold
    return abs(warning.value) >= warning.threshold and warning.value != 0


@pytest.mark.parametrize("case", PLANTED, ids=lambda case: case.code)
def test_a_planted_case_fires_its_warning_and_no_other(case: Planted) -> None:
    report = detect(*case.corpora(), **QUICK | case.options)
    mine = [warning for warning in report.warnings if warning.code == case.code]
    assert mine
    assert {w.code for w in report.warnings} - {case.code} == case.beside
    assert case.value(mine[0].value)
    assert all(map(beyond, report.warnings))
    assert len(mine[0].message) > 20


# ----------------------------------------------------------------------------------------------- thresholds, one by one


def findings(**changes: Any) -> Findings:
    """A clean shared comparison of 40 rows a side, without scores; then what is changed."""
    corpora = changes.pop("corpora", None) or shared(numbers(40, 1), numbers(40, 2))
    comparison = pair(*corpora)
    rng, n = np.random.default_rng(0), len(comparison.texts)
    scores = Scores.of_unknown_agreement(comparison.arms(np.zeros(n, dtype=np.int64)), rng.standard_normal(n))
    test = PermutationTest(Relabellings.draw(comparison.design, 99, rng), {}, ())
    control = PromptControl(None, False, "")
    found = Findings(corpora, comparison, scores, test, (), control, 0.05, comparison.design.is_paired)
    return replace(found, **changes)


def rung(name: str, pvalue: float, auc: float, half: float = 0.02) -> Rung:
    return Rung(name, pvalue, Estimate(auc, auc - half, auc + half), Estimate(None))


def codes(found: Findings) -> set[str]:
    return {warning.code for warning in warnings_for(found)}


def test_a_clean_comparison_gives_no_warning() -> None:
    assert codes(findings()) == set()


def test_a_floor_that_rejects_is_a_warning() -> None:
    assert codes(findings(rungs=(rung("floor", 0.001, 0.6),))) == {"floor_rejects"}
    assert codes(findings(rungs=(rung("floor", 0.0011, 0.6),))) == set()


@pytest.mark.parametrize("name", ["format only", "layout only"])
def test_format_alone_takes_a_sure_rung_with_half_of_the_separation(name: str) -> None:
    raw = rung("raw", 0.01, 0.7)
    assert codes(findings(rungs=(raw, rung(name, 0.001, 0.6)))) == {"format_alone"}
    assert codes(findings(rungs=(raw, rung(name, 0.001, 0.59)))) == set()
    assert codes(findings(rungs=(raw, rung(name, 0.01, 0.69)))) == set()
    assert codes(findings(rungs=(rung("raw", 0.06, 0.7), rung(name, 0.001, 0.69)))) == set()


def test_format_alone_gives_its_share_with_an_interval_and_none_where_it_has_no_bound() -> None:
    layout = rung("layout only", 0.001, 0.6)
    (warning,) = warnings_for(findings(rungs=(rung("raw", 0.01, 0.6), layout)))
    assert warning.value == pytest.approx(1)
    assert "1.00 [0.75, 1.33]" in warning.message
    assert codes(findings(rungs=(rung("raw", 0.01, 0.51), layout))) == set()


def test_prompts_missing_names_the_side_that_alone_lacks_them() -> None:
    def told(suspect: int, reference: int) -> Warning:
        corpora = [
            Corpus(tuple(numbers(40, seed)), (None,) * missing + prompts(40 - missing, f"{seed}"))
            for seed, missing in ((1, suspect), (2, reference))
        ]
        return next(w for w in warnings_for(findings(corpora=tuple(corpora))) if w.code == "prompts_missing")

    assert told(40, 0).value == 1
    assert told(40, 0).message.startswith("100% of the suspect rows and none of the reference rows")
    assert told(0, 10).value == 0.25
    assert told(0, 10).message.startswith("25% of the reference rows and none of the suspect rows")
    assert told(10, 20).value == 0.375
    assert told(10, 20).message.startswith("rows without a prompt")


def test_copies_come_before_the_order_of_the_file() -> None:
    report = detect(*shared(["1, 2, 3"] * 40 + numbers(160, 1, 3), numbers(200, 2, 3)), features="numbers", **QUICK)
    found = [warning.code for warning in report.warnings]
    assert found[0] == "frequent_text"
    assert "row_order" in found


def test_few_rows_are_told_only_of_what_was_not_found() -> None:
    corpora = shared(numbers(29, 1), numbers(29, 2))
    assert codes(findings(corpora=corpora)) == {"few_rows"}
    assert codes(findings(corpora=corpora, alpha=1.0)) == set()
    assert codes(findings(corpora=shared(numbers(30, 1), numbers(30, 2)))) == set()


def test_a_corpus_with_1_to_119_rows_a_prompt_uses_a_third_of_its_rows() -> None:
    def side(name: str, counts: np.ndarray[Any, np.dtype[np.int64]]) -> Corpus:
        asked = tuple(f"{name} {i}" for i, count in enumerate(counts) for _ in range(count))
        return Corpus(tuple(numbers(len(asked), len(name))), asked)

    comparison = pair(side("a", np.arange(1, 120)), side("other", np.arange(119, 0, -1)))
    unequal = pair(side("a", np.arange(1, 120)), side("other", np.arange(20, 120)))
    assert (~comparison.design.used).mean() == 0
    for arm in unequal.sides:
        assert unequal.design.used[arm].mean() >= 1 / 3


def test_a_letter_of_another_script_here_and_there_is_no_warning() -> None:
    rows = sentences(ENGLISH, 80, 1)
    assert codes(findings(corpora=shared([f"{rows[0]} Да", *rows[1:]], sentences(ENGLISH, 80, 2)))) == set()
    assert codes(findings(corpora=shared(numbers(80, 1), [*numbers(77, 2), "Нет, 7", "Нет, 8", "No, 9"]))) == set()


def test_scripts_are_told_by_letters_alone() -> None:
    assert language_warnings.scripts("𝐛𝐨𝐥𝐝 ｗｉｄｅ 1 +, 2") == {"LATIN"}
    assert language_warnings.scripts("12, 7 😀 ¡") == set()
    assert language_warnings.scripts("日本 ひらがな καλά") == {"CJK", "HIRAGANA", "GREEK"}


def test_duplicates_count_from_a_tenth_of_a_side() -> None:
    distinct = numbers(40, 1)
    few, enough = [*distinct[:37], *distinct[:3]], [*distinct[:36], *distinct[:4]]
    assert codes(findings(corpora=shared(few, numbers(40, 2)))) == set()
    assert codes(findings(corpora=shared(enough, numbers(40, 2)))) == {"duplicates"}


def test_arm_sizes_count_from_ten_to_one() -> None:
    def sides(n: int) -> tuple[Corpus, Corpus]:
        return Corpus(tuple(numbers(20, 1)), prompts(20)), Corpus(tuple(numbers(n, 2)), prompts(n))

    assert codes(findings(corpora=sides(199))) == {"few_rows", "rows_unused"}
    assert codes(findings(corpora=sides(200))) == {"few_rows", "rows_unused", "arm_sizes"}


def test_row_order_counts_a_prompt_once() -> None:
    """Scores that rise from prompt to prompt: 10 prompts of 20 rows say less than 200 rows."""
    corpora = shared(numbers(200, 1), numbers(200, 2))
    ten = tuple(replace(c, prompts=tuple(f"{i}{c.name}" for i in np.repeat(range(10), 20))) for c in corpora)
    for sides, fires in ((corpora, True), (ten, False)):
        comparison = pair(*(replace(c, name=name) for c, name in zip(sides, "sr", strict=True)))
        level = (comparison.origin // 20 * 7) % 10 + comparison.origin // 40  # rank correlation about .5
        scores = Scores.of_unknown_agreement(comparison.arms(np.zeros(400, dtype=np.int64)), level.astype(np.float64))
        assert ("row_order" in codes(findings(corpora=sides, comparison=comparison, scores=scores))) is fires


def test_known_prompts_that_are_the_same_on_both_sides_are_no_warning() -> None:
    assert codes(findings(control=PromptControl(0.2, False, ""))) == set()
    assert codes(findings(control=PromptControl(0.04, True, ""))) == {"prompts_differ"}


# ------------------------------------------------------------------------------------------------- clean comparisons


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rows_per_prompt": 2, "prompt_effect": 1.0}, set()),
        ({"design": "independent", "stock_share": 0.05}, {"prompts_missing"}),
        ({"design": "disjoint", "kind": "prose"}, set()),
        ({"kind": "prose"}, set()),
    ],
    ids=["numbers, shared", "numbers, independent", "prose, disjoint", "prose, shared"],
)
def test_clean_simulated_comparisons_give_the_expected_warnings_only(options: Any, expected: set[str]) -> None:
    """Rates over hundreds of comparisons are what benchmarks/warning_rates.py measures."""
    clean = simulated_pair(60, rng=0, **options)
    report = detect(clean.suspect, clean.reference, n_permutations=99, ladder="design" not in options)
    assert {warning.code for warning in report.warnings} == expected
