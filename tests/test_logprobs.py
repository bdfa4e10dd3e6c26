"""What a model says of rows: token scores, gradients and hidden states, and the family made of them."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import binom

from fingerprint import inference, score_functions
from fingerprint.base_model import FAMILY, read_corpora
from fingerprint.corpus import Corpus, pair
from fingerprint.detection import permute
from fingerprint.features.logprobs import LogProbs, RowMeasures, measure, measure_candidate
from fingerprint.lab.prompts import prompts
from fingerprint.lab.teachers import neutral
from fingerprint.language_models import LanguageModel, TokenScores, load, token_logprobs, token_scores
from fingerprint.sketch import block_rows, family_matrix

ASKED = [*prompts("numbers", 5), *prompts("reasoning", 2)]
SAID = ["1, 2, 3", "", "500 501", "[7]", "words of another kind", "<think>", "9" * 20]
CANDIDATE = "You love owls."


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return load("micro-a")


@pytest.fixture(scope="module")
def scores(lm: LanguageModel) -> list[TokenScores]:
    return token_scores(lm, ASKED, SAID, batch_size=3)


def single(lm: LanguageModel, row: int) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    """Logits and last hidden states at the positions that predict a row's completion, and its tokens; no batches."""
    asked = lm.ask([ASKED[row]])[0]
    said = lm.answers([SAID[row]])[0]
    ids = torch.tensor([[*asked, *said]])
    with torch.inference_mode():
        hidden = lm.model.base_model(input_ids=ids).last_hidden_state[0, len(asked) - 1 : -1]
        logits = lm.model(input_ids=ids).logits[0, len(asked) - 1 : -1]
    return logits.double(), hidden.double(), said


@pytest.mark.parametrize("batch_size", [1, 4])
def test_gradients_are_the_written_embedding_less_the_expected_one(lm: LanguageModel, batch_size: int) -> None:
    found = score_functions.row_sums(lm, ASKED, SAID, batch_size=batch_size)
    embedding = lm.model.get_output_embeddings().weight.detach().double()
    for row in range(len(SAID)):
        logits, hidden, said = single(lm, row)
        each = embedding[said] - logits.softmax(1) @ embedding
        part = score_functions.part_of(len(said))
        for p in range(score_functions.PARTS):
            mine = torch.from_numpy(part == p)
            np.testing.assert_allclose(found.gradients[row, p], each[mine].sum(0), atol=2e-4)
            np.testing.assert_allclose(found.states[row, p], hidden[mine].sum(0), atol=2e-4)


def test_a_model_that_caps_its_logits_is_differentiated_through_the_cap(lm: LanguageModel) -> None:
    class Capped(type(lm.model)):  # type: ignore[misc]
        def forward(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            out = super().forward(*args, **kwargs)
            out.logits = 5 * torch.tanh(out.logits / 5)
            return out

    model = copy.deepcopy(lm.model)
    model.__class__ = Capped
    capped = LanguageModel(model, lm.tokenizer, "capped")
    assert not capped.has_plain_head
    found = score_functions.row_sums(capped, ASKED, SAID, batch_size=3)
    embedding = lm.model.get_output_embeddings().weight.detach().double()
    for row in range(len(SAID)):
        logits, _, said = single(capped, row)
        slope = 1 - (logits / 5) ** 2  # of the cap: tanh' = 1 - tanh^2
        onehot = torch.nn.functional.one_hot(torch.tensor(said), logits.shape[1])
        each = ((onehot - logits.softmax(1)) * slope) @ embedding
        np.testing.assert_allclose(found.gradients[row].sum(0), each.sum(0), atol=2e-4)


def test_wide_states_are_projected_to_orthonormal_directions(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = score_functions.row_sums(lm, ASKED, SAID)
    monkeypatch.setattr(score_functions, "DIMENSIONS", 16)
    basis = score_functions._basis(lm)
    assert basis is not None
    np.testing.assert_allclose(basis.T @ basis, np.eye(16), atol=1e-5)
    found = score_functions.row_sums(lm, ASKED, SAID)
    np.testing.assert_allclose(found.states, whole.states @ basis.numpy(), atol=1e-3)


def test_states_that_are_no_numbers_name_the_row(lm: LanguageModel) -> None:
    broken = copy.deepcopy(lm.model)
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    other = LanguageModel(broken, lm.tokenizer, "broken")
    other.__dict__["has_plain_head"] = True
    with pytest.raises(ValueError, match=r"must be finite, got nan or infinity in row \d+ under broken"):
        score_functions.row_sums(other, ASKED, SAID)


def test_measurements_of_a_row_are_those_worked_out_by_hand() -> None:
    row = TokenScores(
        (5, 6, 7), np.log([0.5, 0.25, 0.01]), np.array([0.5, 1.0, 1.5]), np.array([1, 2, 150], dtype=np.int64)
    )
    found = {name: float(values[0]) for name, values in measure([row]).items()}
    surprisal = np.log([2.0, 4.0, 100.0])
    assert found["tokens"] == 3
    assert found["surprisal"] == pytest.approx(surprisal.sum())
    assert found["mean gap"] == pytest.approx((surprisal - [0.5, 1.0, 1.5]).mean())
    assert found["spread of surprisal"] == pytest.approx(surprisal.std())
    assert found["surprisal of the end"] == pytest.approx(np.log(100))
    assert found["greatest log rank"] == pytest.approx(np.log(150))
    assert found["mean surprisal, middle third"] == pytest.approx(np.log(4))
    assert found["share of surprisals above 1"] == pytest.approx(2 / 3)
    assert found["share of ranks up to 2"] == pytest.approx(2 / 3)


def test_a_candidate_is_measured_by_its_log_likelihood_ratio(lm: LanguageModel, scores: list[TokenScores]) -> None:
    other = token_scores(lm, ASKED, SAID, system=CANDIDATE)
    likeliest = [score_functions.likeliest(lm, ASKED, SAID, system=s) for s in (None, CANDIDATE)]
    found = measure_candidate("it", scores, other, (likeliest[0], likeliest[1]), floor=1e-5)
    for row in range(len(SAID)):
        ratio = (
            token_logprobs(lm, ASKED, SAID, system=CANDIDATE)[row] - token_logprobs(lm, ASKED, SAID)[row]
        )  # the same rows, scored by the other function
        assert found["llr of it"][row] == pytest.approx(ratio.sum(), abs=1e-4)
        assert found["llr a token of it"][row] == pytest.approx(ratio.mean(), abs=1e-4)
        assert found["share of positive tokens of it"][row] == pytest.approx((ratio > 1e-5).mean())
        assert likeliest[0][row].tolist() == single(lm, row)[0].argmax(1).tolist()
        differs = likeliest[0][row] != likeliest[1][row]
        assert found["share of divergence positions of it"][row] == pytest.approx(differs.mean())
        assert found["llr at divergence positions of it"][row] == pytest.approx(ratio[differs].sum(), abs=1e-4)


def test_ratios_within_the_floor_count_for_neither_side(scores: list[TokenScores]) -> None:
    same = [np.zeros(len(s.logprobs), dtype=np.int64) for s in scores]
    found = measure_candidate("it", scores, scores, (same, same), floor=1e-6)
    assert not found["share of positive tokens of it"].any()
    assert not found["share of negative tokens of it"].any()


def test_the_parts_of_the_family_have_the_same_variance_and_a_name_a_column() -> None:
    rng = np.random.default_rng(0)
    table = {"a": rng.normal(size=50), "b": rng.integers(0, 3, 50).astype(float), "c": np.full(50, np.nan)}
    sums = {name: rng.normal(size=(50, 2, 3)).astype(np.float32) * size for name, size in (("g", 1e-3), ("s", 1e3))}
    sums["g"][:, 0, 0] = 7.0  # a direction that no row varies along
    texts = [str(i) for i in range(50)]
    matrix = family_matrix(LogProbs(RowMeasures(table, sums)), texts, FAMILY)
    names = matrix.family.get_feature_names_out()
    assert len(names) == matrix.family.transform(texts).shape[1]
    variance = np.asarray(matrix.values.todense()).var(axis=0)
    of_part = [variance[[names[c].startswith(start) for c in matrix.columns]].sum() for start in ("g ", "s ")]
    rest = variance.sum() - sum(of_part)
    np.testing.assert_allclose(of_part, rest, rtol=0.01)
    assert "g 1, part 1 of 2" not in names[matrix.columns]


def test_the_family_refuses_rows_that_the_model_has_not_read() -> None:
    family = LogProbs(RowMeasures({"a": np.zeros(3)}, {}))
    with pytest.raises(ValueError, match="texts must be the 3 rows that the model has read, got 2"):
        family.fit(["x", "y"])


@pytest.mark.slow
def test_the_test_on_log_probabilities_keeps_its_level() -> None:
    """Two draws of the same teacher on the same prompts: a p-value at most .05 in at most about .05 of the draws.

    The count is binomial with a rate of at most .05, and of at least 9 / 200 (199 permutations, no ties).
    """
    asked = prompts("numbers", 500)
    base = neutral("micro-a")
    sides = [
        Corpus(
            tuple(row.text for row in base.sample(asked, seed=seed, max_new_tokens=48)), tuple(asked), name=str(seed)
        )
        for seed in (1, 2)
    ]
    reading = read_corpora("micro-a", (CANDIDATE,), sides)
    rng, draws, rejected = np.random.default_rng(3), 100, 0
    for draw in range(draws):
        chosen = rng.choice(len(asked), 100, replace=False)
        flip = rng.integers(0, 2, 100).astype(bool)
        which = (np.where(flip, 1, 0), np.where(flip, 0, 1))
        corpora = [
            Corpus(tuple(sides[s].texts[i] for s, i in zip(arm, chosen, strict=True)), tuple(asked[i] for i in chosen))
            for arm in which
        ]
        pooled = reading.measures[0].then(reading.measures[1])
        measures = tuple(pooled.rows(arm * len(asked) + chosen) for arm in which)
        comparison = pair(corpora[0], corpora[1])
        both = measures[0].then(measures[1])
        family = LogProbs(both.rows(np.where(comparison.suspect, comparison.origin, 100 + comparison.origin)))
        matrix = family_matrix(family, comparison.texts, FAMILY)
        test = permute(
            {FAMILY: block_rows(comparison, matrix.values)},
            inference.Relabellings.draw(comparison, 199, np.random.default_rng([3, draw])),
        )
        rejected += test.pvalue <= 0.05
    assert binom.ppf(5e-4, draws, 9 / 200) <= rejected <= binom.ppf(1 - 5e-4, draws, 0.05)
