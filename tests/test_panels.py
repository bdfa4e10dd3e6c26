"""Panels: known conditioning as prior knowledge; exact whatever they hold, worth most for their own base model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import scipy.sparse as sp
from conftest import full
from detector_rows import arm, rows, trained_detector

import fingerprint
from fingerprint import Fingerprint, Panel
from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import family_matrices, fresh_pvalue
from fingerprint.detection.options import Settings
from fingerprint.detection.prior import PANEL, PANEL_DIRECTION, PanelFamily, Priors
from fingerprint.features import choose
from fingerprint.features.counted import PooledCounts
from fingerprint.features.numbers import Numbers
from fingerprint.features.tokens import Tokens
from fingerprint.panels.directions import Directions
from fingerprint.panels.likeness import TokenRates, distance
from fingerprint.panels.member import products, squared_errors
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.intervals import exact_interval

QUICK: Settings = {"ladder": False, "n_permutations": 499}
Sides = tuple[Corpus, Corpus]


def sides(n_prompts: int, seed: int, trait: bool = True) -> Sides:
    """Conditioned and neutral rows; without a trait, sides that mean nothing."""
    corpus, labels = rows(n_prompts, seed, tilt="dense", d_prime=1.0)
    if not trait:
        labels = np.random.default_rng(seed).permutation(labels)
    return arm(corpus, labels, 1, f"trait {seed}"), arm(corpus, labels, 0, f"neutral {seed}")


@pytest.fixture(scope="module")
def known() -> Sides:
    return sides(700, 1)


@pytest.fixture(scope="module")
def panel(known: Sides) -> Panel:
    return Panel.of({"one": known, "two": sides(500, 2)}, base_model="base A")


@pytest.fixture(scope="module")
def judged() -> Sides:
    return sides(60, 20)


# ---------------------------------------------------------------------------------------------------- what a panel is


def test_panels_add_up_in_any_order_and_a_member_counts_once(panel: Panel, known: Sides) -> None:
    one, two = Panel.of({"one": known}, base_model="base A"), Panel.of({"two": sides(500, 2)}, base_model="base A")
    assert one + two == two + one == panel
    assert panel + one == panel
    assert [member.name for member in panel.members] == ["one", "two"]
    assert one != two


def test_a_panel_is_stored_and_read_back_byte_for_byte(panel: Panel, tmp_path: Path) -> None:
    path, again = tmp_path / "a.panel", tmp_path / "b.panel"
    panel.save(path)
    found = Panel.load(path)
    found.save(again)
    assert found == panel
    assert path.read_bytes() == again.read_bytes()
    assert found.bases == ("base A",)
    assert "never seen" not in str(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-10], "must be whole and unchanged"),
        (lambda b: b.replace(b"fingerprint panel 2", b"fingerprint panel 1"), "must have format 2, got 1; make"),
        (lambda b: b"PK" + b, "must be a file written by Panel.save"),
        (lambda b: b"", "must be a file written by Panel.save"),
    ],
)
def test_what_is_no_whole_panel_is_refused(
    panel: Panel, tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "a.panel"
    panel.save(path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=message):
        Panel.load(path)


def test_neutral_rows_that_members_share_are_stored_once(known: Sides, tmp_path: Path) -> None:
    other = sides(700, 3)[0]
    Panel.of({"one": known}).save(tmp_path / "one")
    Panel.of({"one": known, "two": (other, known[1])}).save(tmp_path / "both")
    Panel.of({"one": known, "two": sides(700, 3)}).save(tmp_path / "four")
    small, both, four = ((tmp_path / name).stat().st_size for name in ("one", "both", "four"))
    assert both < small * 1.7 < four


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        ("owl.jsonl", TypeError, "pairs must be a list"),
        (["owl.jsonl"], TypeError, r"pair 1 must be \(conditioned, neutral\)"),
        ([], ValueError, "pairs must be at least one"),
        ([("missing.jsonl", "missing.jsonl")], FileNotFoundError, "missing.jsonl"),
    ],
)
def test_bad_pairs_are_named(pairs: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Panel.of(pairs)  # type: ignore[arg-type]


def test_the_same_rows_twice_and_too_few_prompts_are_refused(known: Sides) -> None:
    with pytest.raises(ValueError, match="member 'x' must have two corpora, got the same rows twice"):
        Panel.of({"x": (known[1], known[1])})
    with pytest.raises(ValueError, match="must answer prompts in at least 32 of 64 cells, got"):
        Panel.of({"x": sides(20, 5)})


# --------------------------------------------------------------------------------------------------- without the noise


def test_products_of_shifts_hold_no_noise_even_where_members_share_neutral_rows() -> None:
    rng, cells, columns = np.random.default_rng(0), 64, 30
    truth = np.zeros((2, columns))
    truth[0, 0], truth[1, 1] = 1.0, 1.0  # at right angles, one unit long
    found = []
    for _ in range(300):
        neutral = rng.standard_normal((cells, columns)) / 8
        own = rng.standard_normal((2, cells, columns)) / 8
        found.append(products([truth[i] / cells + own[i] - neutral for i in (0, 1)]))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(300)
    assert np.all(np.abs(mean - np.eye(2)) < 4 * error)
    assert np.sqrt(300) * error[0, 1] > 1  # a single estimate is all noise, and the shared half of it is 30


def test_squared_lengths_of_shifts_come_with_their_standard_error() -> None:
    rng, cells, columns = np.random.default_rng(1), 64, 20
    lengths, errors = [], []
    for _ in range(300):
        drawn = np.eye(1, columns)[0] / cells + rng.standard_normal((2, cells, columns)) / 40
        lengths.append(np.diag(products(drawn)))
        errors.append(squared_errors(drawn))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(lengths), rel=0.15)


def rates(shares: np.ndarray, n: int, rng: np.random.Generator) -> TokenRates:
    """Of prompts with these shares of rows for each token [prompts, tokens], with `n` rows each."""
    sums = np.zeros((len(shares), Tokens().n_counts), dtype=np.int64)
    sums[:, : shares.shape[1]] = rng.binomial(n, shares)
    rows, total = np.full(len(shares), n), sums.sum(axis=0)
    return TokenRates.of(PooledCounts(int(rows.sum()), 10, total, total), sp.csr_matrix(sums), rows)


@pytest.mark.parametrize(("prompts", "rows_each"), [(80, 1), (10, 40)])
def test_the_distance_of_token_frequencies_holds_no_noise_of_rows_or_prompts(prompts: int, rows_each: int) -> None:
    rng = np.random.default_rng(1)
    shares = rng.uniform(0.1, 0.4, 200)
    other = np.clip(shares + rng.normal(0, 0.1, 200), 0.01, 0.9)

    def drawn(mean: np.ndarray, prompts: int, rows: int) -> TokenRates:
        return rates(np.clip(mean + rng.uniform(-0.1, 0.1, (prompts, 200)), 0, 1), rows, rng)

    known = drawn(shares, 300, 10)
    same = [distance(drawn(shares, prompts, rows_each), known) for _ in range(30)]
    apart = [distance(drawn(other, prompts, rows_each), known) for _ in range(10)]
    assert abs(np.mean(same)) < 4 * np.std(same) / np.sqrt(30)
    assert min(apart) > max(same)


def test_the_spectrum_shows_members_that_are_one_shift_and_noise_as_unknown(panel: Panel) -> None:
    found = panel.spectrum()
    assert found.cosine[0, 1] > 0.85
    assert found.error[0, 1] < 0.1
    assert found.table["member"].to_list() == ["one", "two"]
    noise = Panel.of({"noise": sides(700, 4, trait=False)})
    mixed = (panel + noise).spectrum()
    at = mixed.members.index("noise")
    assert mixed.reliability[at] < 0.2 < 0.5 < min(np.delete(mixed.reliability, at))
    axes = found.plot()
    assert [text.get_text() for text in axes.get_yticklabels()] == ["one", "two"]
    assert "one" in str(found)


# ------------------------------------------------------------------------------------------------------------ the test


def test_a_panel_makes_few_rows_enough_and_says_what_it_added(panel: Panel, tmp_path: Path) -> None:
    few = sides(40, 30)
    plain, found = (fingerprint.detect(*few, prior=prior, **QUICK) for prior in (None, panel))
    assert found.panel is not None
    assert found.panel.pvalue_without == plain.pvalue
    assert found.pvalue < plain.pvalue
    assert found.detected
    assert found.panel.closest in ("one", "two")
    assert found.panel.worth > 0.5
    text = full(found)
    assert "Panel of known conditioning" in text
    assert "never of which trait" in text
    assert "a likeness, not an attribution" in " ".join(text.split())
    jsonschema.validate(found.to_dict(), fingerprint.Report.json_schema())
    assert fingerprint.Report.from_dict(found.to_dict()) == found
    found.to_html(tmp_path / "report.html")
    assert "What known conditioning adds" in (tmp_path / "report.html").read_text(encoding="utf-8")


def directions(panel: Panel, judged: Sides) -> Directions:
    """What a panel says of rows that are judged."""
    whole = pair(*judged)
    family = family_matrices(whole, choose(["numbers", "layout"], whole.texts), Priors({}, panel))[PANEL].family
    assert isinstance(family, PanelFamily)
    return family.directions


def test_members_weigh_by_what_they_have_in_common(panel: Panel, known: Sides, judged: Sides) -> None:
    alike = directions(panel, judged)
    opposite = directions(Panel.of({"one": known, "against": sides(500, 2)[::-1]}), judged)
    single = directions(Panel.of({"one": known}), judged)
    assert single.consensus == 1.0  # of one alone nothing is known
    assert alike.consensus > 0.85
    same = float(opposite.shares @ opposite.shares)  # a member beside itself
    assert opposite.consensus == pytest.approx(same)
    assert opposite.worth < 0.6 * alike.worth
    # A loud member is no more of the direction than a quiet one: lengths are brought to 1.
    mean = np.concatenate([along[:, 0] for along in alike.signed.values()])
    each = np.vstack([shift / alike.lengths for shift in alike.shifts.values()])
    assert mean == pytest.approx(each @ alike.shares)


def test_shifts_of_noise_count_nothing_though_half_look_longer_than_they_are(judged: Sides) -> None:
    noise = Panel.of({str(seed): sides(300, seed, trait=False) for seed in range(50, 56)})
    found = directions(noise, judged)
    assert found.reliability.max() > 0.08
    assert found.worth < 0.05


def test_a_panel_of_shuffled_sides_weighs_next_to_nothing(judged: Sides) -> None:
    noise = Panel.of({"noise": sides(700, 4, trait=False)})
    plain, found = (fingerprint.detect(*judged, prior=prior, **QUICK) for prior in (None, noise))
    assert found.panel is not None
    assert found.panel.worth < 0.15
    assert abs(found.pvalue - plain.pvalue) < 0.02


def test_weights_and_directions_know_nothing_of_the_sides(panel: Panel, judged: Sides) -> None:
    there = fingerprint.detect(*judged, prior=panel, **QUICK)
    back = fingerprint.detect(*judged[::-1], prior=panel, **QUICK)
    assert there.panel is not None
    assert back.panel is not None
    assert there.panel.worth == pytest.approx(back.panel.worth, rel=1e-9)
    for first, second in zip(there.panel.members, back.panel.members, strict=True):
        assert first.likeness == pytest.approx(second.likeness, rel=1e-9)
        assert first.share == pytest.approx(second.share, rel=1e-9)
    one, other = (dict(zip(r.families["family"], r.families["statistic"], strict=True)) for r in (there, back))
    assert one[PANEL_DIRECTION] == pytest.approx(-other[PANEL_DIRECTION], rel=1e-4)
    assert one[PANEL] == pytest.approx(other[PANEL], rel=1e-3)


@pytest.mark.parametrize("design", ["shared", "separate"])
def test_nulls_are_rejected_as_often_as_alpha_says(panel: Panel, design: str) -> None:
    first, second = sides(90, 40)
    if design == "separate":
        first, second = first.only(np.arange(len(first)) < 45), second.only(np.arange(len(second)) >= 45)
    whole = pair(first, second).null_source()
    matrices = family_matrices(whole, choose(["numbers", "layout"], whole.texts), Priors({}, panel))
    assert matrices[PANEL_DIRECTION].family.weight_on("numbers") > 2
    runs = 400
    rejected = 0
    for run in range(runs):
        rng = np.random.default_rng(run)
        rejected += fresh_pvalue(whole.null(rng), matrices, 199, rng) <= 0.05
    low, high = exact_interval(rejected, runs, 0.99)
    assert low <= 0.05 <= high


def test_rows_and_prompts_of_a_panel_are_refused_or_dropped(panel: Panel, known: Sides, judged: Sides) -> None:
    suspect, reference = judged
    mixed = Corpus(suspect.texts + known[0].texts[:30], suspect.prompts + known[0].prompts[:30], name="mixed")
    with pytest.raises(ValueError, match="mixed must hold no rows or prompts that the panel was made from, got 30"):
        fingerprint.detect(mixed, reference, prior=panel, **QUICK)
    report = fingerprint.detect(mixed, reference, prior=panel, trained_rows="drop", ladder=False, n_permutations=499)
    assert report.settings["prior"]["left_out"] == {"suspect": 30, "reference": 0}
    assert report.pvalue == fingerprint.detect(suspect, reference, prior=panel, **QUICK).pvalue


def test_members_from_fingerprints_say_the_same_and_are_named_as_unchecked(
    panel: Panel, known: Sides, judged: Sides, tmp_path: Path
) -> None:
    paths = [tmp_path / "trait.fp", tmp_path / "neutral.fp"]
    for corpus, path in zip(known, paths, strict=True):
        Fingerprint.of(corpus).save(path)
    from_sums = Panel.of({"one": (paths[0], str(paths[1]))})
    from_rows = Panel.of({"one": known})
    found, expected = (fingerprint.detect(*judged, prior=prior, **QUICK) for prior in (from_sums, from_rows))
    assert found.panel is not None
    assert found.pvalue == expected.pvalue
    assert found.panel.unchecked == ("one",)
    assert not from_sums.trained_on(known[0]).any()
    assert from_rows.trained_on(known[0]).all()
    with pytest.raises(ValueError, match="must be a fingerprint of the families tokens, numbers, prose"):
        Panel.of([(Fingerprint.of(known[0], features="numbers"), known[1])])


def test_rows_stay_known_where_their_sums_come_along_without_them(known: Sides) -> None:
    conditioned, neutral = known
    sums = Fingerprint.of(neutral, features=("tokens", "numbers", "prose"), cells=64)
    other = sides(700, 3)[0]
    mixed = Panel.of({"a": (conditioned, neutral), "b": (other, sums)})
    without = Panel.of({"a": (Fingerprint.of(conditioned), sums)})
    for panel in (mixed, without + Panel.of({"a": known}), Panel.of({"a": known}) + without):
        assert panel.trained_on(neutral).all()
        assert panel.trained_on(conditioned).all()
        assert panel.without_rows == ()


def test_other_arguments_of_a_family_than_the_usual_do_no_harm(panel: Panel, judged: Sides) -> None:
    report = fingerprint.detect(*judged, prior=panel, features={"numbers": Numbers("single")}, **QUICK)
    usual = fingerprint.detect(*judged, prior=panel, features="numbers", **QUICK)
    one, other = (dict(zip(r.families["family"], r.families["statistic"], strict=True)) for r in (report, usual))
    assert one[PANEL_DIRECTION] == pytest.approx(other[PANEL_DIRECTION], rel=1e-6)


def test_a_panel_and_a_detector_join_together(panel: Panel, judged: Sides) -> None:
    detector = trained_detector()
    report = fingerprint.detect(*judged, prior=[panel, detector, panel], **QUICK)
    assert report.families["family"].to_list()[-3:] == ["prior", PANEL, PANEL_DIRECTION]
    assert [len(prior["trained_on"]) > 0 for prior in report.settings["prior"]] == [True, True]
    with pytest.raises(ValueError, match="features must not be named 'panel' beside a prior"):
        fingerprint.detect(*judged, prior=panel, features={"panel": "tokens"}, **QUICK)
    with pytest.raises(TypeError, match=r"prior must be a trained fingerprint.Detector or a fingerprint.Panel, got 3"):
        fingerprint.detect(*judged, prior=[panel, 3], **QUICK)  # type: ignore[list-item]


def test_directions_are_the_same_whatever_other_features_are_asked(panel: Panel, judged: Sides) -> None:
    usual, few = (
        fingerprint.detect(*judged, prior=panel, features=features, **QUICK) for features in ("auto", "layout")
    )
    one, other = (dict(zip(r.families["family"], r.families["statistic"], strict=True)) for r in (usual, few))
    assert one[PANEL_DIRECTION] == pytest.approx(other[PANEL_DIRECTION], rel=1e-6)
    assert "numbers" not in other


def test_a_family_that_does_not_vary_gives_a_panel_no_weight(panel: Panel, judged: Sides) -> None:
    """It is left out of the test: in proportion to what is in it, the panel would count for more."""

    class Flat(Numbers):
        def fit_transform(self, texts: Sequence[str], y: object = None) -> sp.csr_matrix:
            return sp.csr_matrix((len(texts), 2))

    comparison = pair(*judged)
    weights = []
    for families in (choose("numbers", comparison.texts), choose("numbers", comparison.texts) | {"flat": Flat()}):
        matrices = family_matrices(comparison, families, Priors({}, panel))
        weights.append([matrices[name].family.weight_on("numbers") for name in (PANEL, PANEL_DIRECTION)])
    assert matrices["flat"].n_columns == 0
    assert weights[0] == weights[1]
    assert weights[0][1] > 0


def test_rows_fitted_anew_lie_along_the_directions_as_the_rows_judged_do(panel: Panel, judged: Sides) -> None:
    comparison = pair(*judged)
    matrices = family_matrices(comparison, choose("auto", comparison.texts), Priors({}, panel))
    for name in (PANEL, PANEL_DIRECTION):
        family = matrices[name].family
        assert isinstance(family, PanelFamily)
        np.testing.assert_allclose(family.transform(comparison.texts), matrices[name].values.toarray(), rtol=1e-4)
    assert family.unfitted().transform(comparison.texts[:2]).shape == (2, 1)


def test_log_odds_of_rows_are_honest_on_new_rows(panel: Panel) -> None:
    conditioned, neutral = sides(400, 50)
    odds = np.concatenate([panel.decision_function(corpus) for corpus in (conditioned, neutral)])
    label = np.arange(len(odds)) < len(conditioned)
    calibrated = np.log1p(np.exp(-odds * np.where(label, 1, -1))).mean()
    for factor in (0.4, 2.5):  # neither too timid nor too sure
        assert calibrated < np.log1p(np.exp(-factor * odds * np.where(label, 1, -1))).mean()
    assert calibrated < np.log(2)


def test_the_command_line_takes_panels_and_detectors(
    panel: Panel, known: Sides, judged: Sides, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    panel.save(tmp_path / "a.panel")
    trained_detector().save(tmp_path / "a.detector")
    files = []
    for corpus, name in zip((*judged, known[0]), ("suspect", "reference", "known"), strict=True):
        files.append(tmp_path / f"{name}.jsonl")
        lines = (json.dumps({"prompt": p, "text": t}) for t, p in zip(corpus.texts, corpus.prompts, strict=True))
        files[-1].write_text("\n".join(lines), encoding="utf-8")
    priors = ["--prior", str(tmp_path / "a.panel"), "--prior", str(tmp_path / "a.detector"), "--no-ladder"]
    code, out, _ = run("detect", str(files[0]), str(files[1]), *priors, "--verbose")
    assert code == 0
    assert "panel direction" in out
    code, _, err = run("detect", str(files[2]), str(files[1]), *priors)
    assert code == 2
    assert "--drop-trained-rows" in err
