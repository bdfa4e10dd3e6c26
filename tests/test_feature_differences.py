"""Features that differ: their order, their spellings, every family's place among them, and the words for them."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import Any

import jsonschema
import numpy as np
import pytest
from conftest import build_report, full
from sklearn.base import BaseEstimator, TransformerMixin

from fingerprint import Corpus, Report, detect
from fingerprint.data.digests import number_of
from fingerprint.detection import feature_differences as module
from fingerprint.detection.feature_differences import effect_sizes
from fingerprint.detection.spellings import merged, normal_key
from fingerprint.features import NGrams, Numbers, Tokens
from fingerprint.features.family import Column
from fingerprint.report import sentences, text
from fingerprint.report.html import page
from fingerprint.report.layout import Page
from fingerprint.report.results import FeatureDifference
from fingerprint.statistics.comparison import pair

N = 200
QUICK: dict[str, Any] = {"ladder": False, "n_permutations": 1999}


def rows(seed: int, words: dict[str, float]) -> list[str]:
    """Rows of random numbers; each word in a share of them, spread evenly and at odds with the others."""
    draw = random.Random(seed)
    texts = [[str(draw.randrange(100, 1000)) for _ in range(6)] for _ in range(N)]
    for word, share in words.items():
        for i in draw.sample(range(N), round(share * N)):
            texts[i].insert(draw.randrange(len(texts[i])), word)
    return [", ".join(parts) for parts in texts]


@pytest.fixture(scope="module")
def planted() -> Report:
    """Words of which the rarest is the most telling; the greatest difference of rates is another's."""
    suspect = rows(1, {"yes": 0.75, "owls": 0.28, "Owls": 0.02, "perhaps": 0.1})
    reference = rows(2, {"yes": 0.35, "perhaps": 0.4})
    return detect(suspect, reference, features=["tokens", "ngrams"], **QUICK)


def entry(report: Report, name: str) -> FeatureDifference:
    (found,) = (item for item in report.differences if name in (item.feature, *item.spellings))
    return found


def test_ties_of_the_smallest_p_value_are_broken_by_effect_and_not_by_the_difference_of_rates(planted: Report) -> None:
    owls, yes, perhaps = (entry(planted, word) for word in ("'owls'", "'yes'", "'perhaps'"))
    assert owls.pvalue_adjusted == yes.pvalue_adjusted == perhaps.pvalue_adjusted == 1 / 2000
    assert yes.rate_suspect - yes.rate_reference > owls.rate_suspect - owls.rate_reference
    places = [planted.differences.index(item) for item in (owls, yes, perhaps)]
    assert places == sorted(places)
    assert places[0] == 0


def test_entries_come_by_adjusted_p_value_and_then_by_the_size_of_their_effect(planted: Report) -> None:
    keys = [(item.pvalue_adjusted, -round(abs(item.effect), 6)) for item in planted.differences]
    assert keys == sorted(keys)
    assert len({p for p, _ in keys}) > 3


def test_spellings_of_a_word_are_one_entry(planted: Report) -> None:
    assert len(planted.differences[0].spellings) >= 3
    for name in ("'owls'", "'Owls'", "tokens 'owls'", "tokens 'owls, '"):
        assert entry(planted, name) == planted.differences[0]
    assert planted.differences[0].families == ("tokens", "ngrams")


def test_pieces_of_a_word_in_the_same_rows_are_folded_under_it(planted: Report) -> None:
    assert entry(planted, "chars 'wl'") == planted.differences[0]
    assert entry(planted, "chars 'perha'").feature == "'perhaps'"


def test_rates_and_direction_are_the_words_own(planted: Report) -> None:
    owls, perhaps = entry(planted, "'owls'"), entry(planted, "'perhaps'")
    assert (owls.rate_suspect, owls.rate_reference) == (0.28, 0.0)
    assert owls.effect == pytest.approx(2 * np.arcsin(np.sqrt(0.28)), abs=1e-6)
    assert (owls.measure, owls.direction, perhaps.direction) == ("share of rows", "more", "less")
    assert (perhaps.rate_suspect, perhaps.rate_reference) == (0.1, 0.4)
    assert perhaps.effect < 0


def test_text_explains_effects_and_the_floor_of_p_values(planted: Report) -> None:
    shown = " ".join(full(planted).split())
    assert "effect: standardised difference (Cohen's h for shares); p adj. is 1/2,000 at least" in shown
    assert min(item.pvalue_adjusted for item in planted.differences) == 1 / 2000


def test_direction_and_measure_stand_in_text_and_page(planted: Report) -> None:
    lines = full(planted).splitlines()
    (owls,) = (line for line in lines if line.startswith("  'owls'"))
    assert "more: share of rows     0.28          0" in owls
    assert any("'perhaps'" in line and "less: share of rows" in line for line in lines)
    html = page(planted)
    assert "more: share of rows" in html
    assert "less: share of rows" in html
    assert "tokens &#39;owls, &#39;" in html or "tokens 'owls, '" in html


def test_entries_survive_json_and_satisfy_the_schema(planted: Report) -> None:
    data = planted.to_dict()
    jsonschema.validate(data, Report.json_schema())
    assert Report.from_json(planted.to_json()) == planted
    assert Report.from_json(planted.to_json()).differences[0].spellings == planted.differences[0].spellings
    assert planted.features["spellings"].to_list()[0] == list(planted.differences[0].spellings)


def test_merging_invents_no_p_value(planted: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "merged", lambda families, *_: [[number] for number in range(len(families))])
    monkeypatch.setattr(module, "SHOWN_FEATURES", module.CANDIDATES)
    suspect = rows(1, {"yes": 0.75, "owls": 0.28, "Owls": 0.02, "perhaps": 0.1})
    reference = rows(2, {"yes": 0.35, "perhaps": 0.4})
    alone = detect(suspect, reference, features=["tokens", "ngrams"], **QUICK)
    own = {(item.family, item.feature): item.pvalue_adjusted for item in alone.differences}
    assert all(own[item.family, item.feature] == item.pvalue_adjusted for item in planted.differences)
    assert all(
        item.pvalue_adjusted <= own[family, name]
        for item in planted.differences for name in item.spellings for family in item.families if (family, name) in own
    )  # fmt: skip


def test_which_features_are_looked_at_does_not_depend_on_the_side() -> None:
    suspect, reference = rows(3, {"owls": 0.3}), rows(4, {})
    both = ((suspect, reference), (reference, suspect))
    found = [detect(*sides, features=["tokens"], **QUICK).differences for sides in both]
    one, other = ({item.feature: item.effect for item in differences} for differences in found)
    shared = one.keys() & other.keys()
    assert "'owls'" in shared
    assert len(shared) > 20
    assert all(one[name] == pytest.approx(-other[name]) for name in shared)


def test_other_sides_other_direction() -> None:
    other = detect(rows(4, {}), rows(3, {"owls": 0.3}), features=["tokens"], **QUICK)
    assert other.differences[0].direction == "less"


def answers(asked: Sequence[tuple[str, int, int]], seed: int) -> Corpus:
    """Rows of random numbers: for each name, so many prompts, and "owls" in so many of their rows."""
    draw = random.Random(seed)
    texts, prompts = [], []
    for name, n, holding in asked:
        prompts += [f"{number_of(f'{name} {i}') % 10**6} and so on" for i in range(n)]
        for i in range(n):
            text = ", ".join(str(draw.randrange(100, 1000)) for _ in range(6))
            texts.append(f"owls, {text}" if i < holding else text)
    return Corpus(tuple(texts), tuple(prompts))


def test_rows_that_the_p_value_does_not_use_decide_no_direction() -> None:
    """Of all suspect rows 8 % have owls, of those that answer the reference's prompts 50 %."""
    suspect, reference = answers([("both", 60, 30), ("suspect", 300, 0)], 1), answers([("both", 60, 9)], 2)
    found = entry(detect(suspect, reference, features=["tokens"], **QUICK), "'owls'")
    assert (found.direction, found.rate_suspect, found.rate_reference) == ("more", 0.5, 0.15)
    assert found.effect == pytest.approx(np.pi / 2 - 2 * np.arcsin(np.sqrt(0.15)), abs=1e-6)
    assert found.pvalue_adjusted < 0.05


def test_the_direction_is_that_of_the_statistic_where_prompts_are_partly_shared() -> None:
    """More owls in the suspect's rows of either part, less in all together: the reference has few rows of its own."""
    suspect = answers([("both", 100, 90), ("suspect", 300, 30)], 1)
    reference = answers([("both", 100, 55), ("reference", 40, 0)], 2)
    found = entry(detect(suspect, reference, features=["tokens"], **QUICK), "'owls'")
    design = pair(suspect, reference).design
    assert design.kind == "mixed"
    assert found.direction == "more"
    assert found.pvalue_adjusted == 1 / 2000
    assert found.rate_suspect == pytest.approx(float(design.shares @ [0.9, 0.1]), abs=0.01)
    assert found.rate_reference == pytest.approx(float(design.shares @ [0.55, 0.0]), abs=0.01)


class Columns(TransformerMixin, BaseEstimator):
    """Coins that the text seeds, `count` of them, each 1 in half of the rows; or one: is "owls" there?"""

    def __init__(self, count: int) -> None:
        self.count = count

    def fit(self, texts: Sequence[str], y: object = None) -> Columns:
        return self

    def transform(self, texts: Sequence[str]) -> Any:
        if self.count == 1:
            return np.array([["owls" in text] for text in texts], dtype=float)
        return np.array([np.random.default_rng(number_of(text)).integers(0, 2, self.count) for text in texts], float)


def test_a_family_of_one_column_is_not_crowded_out_by_one_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FEATURES", 50)
    families = {"coins": Columns(80), "one": Columns(1)}
    report = detect(rows(5, {"owls": 0.15}), rows(6, {}), features=families, **QUICK)
    first = report.differences[0]
    assert (first.family, first.rate_suspect, first.pvalue_adjusted) == ("one", 0.15, 1 / 2000)
    assert len(report.differences) == 50
    assert "Families that differ, the strongest first: one (column 0, more)." in full(report)


def test_every_family_that_differs_stands_in_the_first_screen_however_weak_its_features() -> None:
    report = build_report("")
    template = report.differences[0]
    strong = [dataclasses.replace(template, feature=f"strong {i}") for i in range(60)]
    weak = dataclasses.replace(template, feature="weak", family="layout", families=("layout",), pvalue_adjusted=0.04)
    report = dataclasses.replace(report, differences=(*strong, weak))
    assert sentences.first_features(report, 8) == [*strong[:7], weak]
    assert sentences.first_features(report, 1) == [strong[0], weak]
    shown = "\n".join(text._features(report, Page(100))[:13])
    assert "  weak" in shown
    assert "and 53 more in report.features and JSON (--json), some in HTML (--html)" in " ".join(shown.split())
    assert "weak" in page(report)


def test_families_that_differ_come_by_their_statistic() -> None:
    report = build_report("")
    results = [dataclasses.replace(report.family_results[0], family=name, statistic=s, pvalue_adjusted=p)
               for name, s, p in (("a", 3, 0.001), ("b", 9, 0.001), ("c", 5, 0.001), ("d", 1, 0.3))]  # fmt: skip
    item = report.differences[0]
    found = [dataclasses.replace(item, feature=f"of {f}", families=(f,), pvalue_adjusted=p)
             for f, p in (("a", 0.01), ("c", 0.2), ("d", 0.3))]  # fmt: skip
    report = dataclasses.replace(report, family_results=tuple(results), differences=tuple(found))
    assert sentences.differing_families(report) == (
        "Families that differ, the strongest first: b (its columns have no names), "
        "c (no feature by itself, the closest of c, more), a (of a, more)."
    )
    assert sentences.differing_families(dataclasses.replace(report, alpha=1e-4)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("567", " 567"), ("567", "567, "), ("owls", "Owls"), ("an owl", " an owl."), ("**bold**", "bold")],
)
def test_spellings_share_a_normal_key(one: str, other: str) -> None:
    assert normal_key(one) == normal_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("567", "56"), ("us", "US"), (", ", ","), ("-5", "5"), ("s.", "s"), ("5%", "5"), ("\n", " ")]
)
def test_different_things_have_different_keys(one: str, other: str) -> None:
    assert normal_key(one) != normal_key(other)


def merge(
    columns: Sequence[Column], is_more: Sequence[bool], r: float, families: Sequence[str] = ()
) -> list[list[int]]:
    n = len(columns)
    return merged(families or ["f"] * n, columns, is_more, np.full((n, n), r) + (1 - r) * np.eye(n))


def test_merged_spellings_go_the_same_way() -> None:
    both = [Column("'567'", "567", is_text=True), Column("' 567'", " 567", is_text=True)]
    assert merge(both, [True, True], 0.0) == [[0, 1]]
    assert merge(both, [True, False], 0.0) == [[0], [1]]


def test_a_piece_is_folded_only_where_it_stands_in_the_same_rows() -> None:
    both = [Column("'owls'", "owls", is_text=True), Column("chars 'wl'", "wl", is_text=True)]
    assert merge(both, [True, True], 0.95) == [[0, 1]]
    assert merge(both, [True, True], 0.8) == [[0], [1]]
    assert merge([both[0], Column("'birds'", "birds", is_text=True)], [True, True], 1.0) == [[0], [1]]


def test_bins_of_a_measurement_are_one_thing_in_their_family_alone() -> None:
    bins = [Column("lines (rank)", "lines"), Column("lines > 2", "lines")]
    assert merge(bins, [True, False], 0.0) == [[0, 1]]
    assert merge(bins, [True, False], 0.0, ["layout", "mine"]) == [[0], [1]]
    assert merge(bins, [True, False], -0.995, ["layout", "mine"]) == [[0, 1]]


def test_a_word_goes_with_a_measurement_only_if_that_names_it() -> None:
    mark, count, words = Column("'!'", "!", is_text=True), Column("count > 0", "count of '!'"), Column("words", "words")
    assert merge([mark, count], [True, False], 0.995) == [[0, 1]]
    assert merge([count, mark], [False, True], -0.995) == [[0, 1]]
    assert merge([mark, count], [True, True], 0.95) == [[0], [1]]
    assert merge([words, mark], [True, True], 1.0) == [[0], [1]]
    assert merge([mark, words], [True, True], 1.0) == [[0], [1]]


def test_effect_sizes_are_cohens() -> None:
    half, quarter = np.array([0.5]), np.array([0.25])
    assert effect_sizes(half, quarter, half, np.array([True]))[0] == pytest.approx(np.pi / 6)
    assert effect_sizes(half, quarter, half, np.array([False]))[0] == 0.5
    assert effect_sizes(half, half, np.zeros(1), np.array([False]))[0] == 0.0


def test_families_say_what_their_columns_are_about() -> None:
    texts = ["5, 6, 700", "Owls 5, 8"]
    tokens = Tokens().fit(texts)
    (column,) = tokens.describe(tokens.transform(["Owls"]).indices)
    assert column == Column("'Owls'", "Owls", is_text=True)
    ngrams = NGrams().fit(texts)
    described = ngrams.describe(ngrams.transform(["Owls"]).indices)
    assert Column("chars 'Ow'", "Ow", True, "scaled count") in described
    assert Column("tokens 'Owls'", "Owls", True) in described
    numbers = Numbers().fit(texts)
    names = numbers.get_feature_names_out().tolist()
    rank, low = numbers.describe(np.array([names.index("least (rank)"), names.index("least missing")]))
    assert (rank.subject, rank.measure, low.subject) == ("least", "mean rank", "least")
