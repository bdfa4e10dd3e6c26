"""What a model says of rows: token scores and gradients, and the families made of them."""

# mypy: allow-untyped-calls
# torch and transformers leave some of their functions untyped.

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binom
from transformers import AutoModelForCausalLM, GPT2Config, OPTConfig, PretrainedConfig
from transformers.pytorch_utils import Conv1D

from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import fresh_pvalue
from fingerprint.detection.model_families import GRADIENTS, read_corpora
from fingerprint.features.gradients import Gradients
from fingerprint.features.logprobs import LogProbs, measure, measure_candidate
from fingerprint.features.scaling import family_matrix
from fingerprint.lm import gradients as score_functions
from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import prompts
from fingerprint.lm.scoring import TokenScores, token_logprobs, token_scores
from fingerprint.lm.teachers import neutral
from fingerprint.statistics.comparison import pair

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


def direct(lm: LanguageModel, row: int) -> list[torch.Tensor]:
    """Gradients of a row's log-probability by the weights of all layers that are sketched; no batches, no hooks."""
    asked, said = lm.ask([ASKED[row]])[0], lm.answers([SAID[row]])[0]
    weights = [layer.weight for layer in score_functions._layers(lm)]
    with torch.enable_grad():
        logits = lm.model(input_ids=torch.tensor([[*asked, *said]])).logits[0, len(asked) - 1 : -1].float()
        own = logits.log_softmax(1).gather(1, torch.tensor(said)[:, None]).sum()
        return list(torch.autograd.grad(own, weights))


def sketched(lm: LanguageModel, gradients: list[torch.Tensor]) -> torch.Tensor:
    found = torch.zeros(score_functions.COLUMNS)
    for number, (layer, gradient) in enumerate(zip(score_functions._layers(lm), gradients, strict=True)):
        sketch = score_functions._LayerSketch.draw(layer, number)
        narrow = gradient.T if isinstance(layer, Conv1D) else gradient
        narrow = narrow if sketch.output is None else sketch.output.T @ narrow
        narrow = narrow if sketch.input is None else narrow @ sketch.input
        found.index_add_(0, sketch.column, narrow.flatten() * sketch.sign)
    return found


@pytest.mark.parametrize(("batch_size", "dimensions"), [(1, 128), (4, 128), (4, 512), (3, 16)])
def test_row_gradients_are_those_by_the_weights(
    lm: LanguageModel, batch_size: int, dimensions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_functions, "DIMENSIONS", dimensions)
    found = score_functions.row_gradients(lm, ASKED, SAID, batch_size=batch_size)
    for row in range(len(SAID)):
        np.testing.assert_allclose(found[row], sketched(lm, direct(lm, row)), atol=5e-4)


@pytest.mark.parametrize(
    "config",
    [
        OPTConfig(vocab_size=1745, hidden_size=32, ffn_dim=48, num_hidden_layers=2, num_attention_heads=2),
        GPT2Config(vocab_size=1745, n_embd=32, n_layer=2, n_head=2),
    ],
)
def test_layers_of_other_architectures_are_all_seen(lm: LanguageModel, config: PretrainedConfig) -> None:
    """OPT lays rows end to end before some layers; the layers of GPT-2 hold their weights the other way round."""
    torch.manual_seed(0)
    other = LanguageModel(AutoModelForCausalLM.from_config(config).eval(), lm.tokenizer, config.model_type)
    found = score_functions.row_gradients(other, ASKED, SAID, batch_size=3)
    for row in range(len(SAID)):
        np.testing.assert_allclose(found[row], sketched(other, direct(other, row)), atol=5e-4)


def test_equal_rows_are_read_alike_whichever_corpus_they_are_in() -> None:
    """Rounding hangs on a batch: read corpus by corpus, rows of both would differ by it, and a test on it reject."""
    asked = prompts("numbers", 90)
    rows = [row.text for row in neutral("micro-a").sample(asked, seed=4, max_new_tokens=48)]
    corpora = [Corpus(tuple(rows[:60]), tuple(asked[:60])), Corpus(tuple(rows[30:]), tuple(asked[30:]))]
    first, second = read_corpora("micro-a", (CANDIDATE,), corpora).measures
    np.testing.assert_array_equal(first.gradients[30:], second.gradients[:30])
    for name, values in first.table.items():
        np.testing.assert_array_equal(values[30:], second.table[name][:30])
    swapped = read_corpora("micro-a", (CANDIDATE,), corpora[::-1]).measures
    np.testing.assert_array_equal(first.gradients, swapped[1].gradients)


def test_the_sketch_keeps_inner_products_of_rows(lm: LanguageModel) -> None:
    found = score_functions.row_gradients(lm, ASKED, SAID).astype(np.float64)
    whole = np.stack([torch.cat([g.flatten() for g in direct(lm, row)]).numpy() for row in range(len(SAID))])
    wanted = whole @ whole.T
    size = np.sqrt(np.diag(wanted))
    np.testing.assert_allclose((found @ found.T) / np.outer(size, size), wanted / np.outer(size, size), atol=0.12)


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
    found = score_functions.row_gradients(capped, ASKED, SAID, batch_size=3)
    for row in range(len(SAID)):
        np.testing.assert_allclose(found[row], sketched(capped, direct(capped, row)), atol=5e-4)


def test_rows_of_the_model_itself_have_gradients_of_mean_zero(lm: LanguageModel) -> None:
    asked = prompts("numbers", 300)
    own = [row.text for row in neutral("micro-a").sample(asked, seed=3, max_new_tokens=48)]
    other = [row.text for row in neutral("micro-b").sample(asked, seed=3, max_new_tokens=48)]
    noise = []
    for texts in (own, other):
        found = score_functions.row_gradients(lm, asked, texts).astype(np.float64)
        mean = found.mean(axis=0)
        noise.append((mean**2).sum() * len(found) / ((found - mean) ** 2).sum(axis=1).mean())
    assert noise[0] == pytest.approx(1, abs=0.5)  # what a mean of 300 rows has by chance alone
    assert noise[1] > 3


def test_gradients_leave_the_model_as_it_was(lm: LanguageModel) -> None:
    before = lm.model(input_ids=torch.tensor([[1, 2, 3]])).logits
    score_functions.row_gradients(lm, ASKED, SAID)
    after = lm.model(input_ids=torch.tensor([[1, 2, 3]])).logits
    assert torch.equal(before, after)
    assert all(p.grad is None for p in lm.model.parameters())
    assert not any(layer._forward_hooks for layer in lm.model.modules())


def test_gradients_that_are_no_numbers_name_the_row(lm: LanguageModel) -> None:
    broken = copy.deepcopy(lm.model)
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    other = LanguageModel(broken, lm.tokenizer, "broken")
    other.__dict__["has_plain_head"] = True
    with pytest.raises(ValueError, match=r"must be finite, got nan or infinity in row \d+ under broken"):
        score_functions.row_gradients(other, ASKED, SAID)


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


def test_pooled_rows_vary_alike_along_every_direction_that_is_no_noise() -> None:
    rng = np.random.default_rng(0)
    spread = np.r_[100.0, 10.0, 1.0, 0.0]
    gradients = (rng.normal(size=(4000, 4)) * spread).astype(np.float32)
    texts = [str(i) for i in range(4000)]
    matrix = family_matrix(Gradients(gradients), texts, GRADIENTS)
    found = np.linalg.eigvalsh(np.cov(matrix.values.toarray().T))[::-1]
    noise = (spread**2).sum() / (4000 * 0.1)
    np.testing.assert_allclose(found, spread[: len(found)] ** 2 / (spread[: len(found)] ** 2 + noise), rtol=0.06)
    assert isinstance(matrix.family, Gradients)
    assert len(matrix.family.get_feature_names_out()) == 4


def test_gradients_that_never_differ_give_no_columns() -> None:
    assert family_matrix(Gradients(np.ones((5, 3), dtype=np.float32)), list("abcde"), GRADIENTS).n_columns == 0


def test_the_families_refuse_rows_that_the_model_has_not_read() -> None:
    for family in (LogProbs({"a": np.zeros(3)}), Gradients(np.zeros((3, 2), dtype=np.float32))):
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
        matrices = {
            name: family_matrix(family, comparison.texts, name)
            for name, family in replace(reading, measures=measures).families(comparison).items()
        }
        rejected += fresh_pvalue(comparison, matrices, 199, np.random.default_rng([3, draw])) <= 0.05
    assert binom.ppf(5e-4, draws, 9 / 200) <= rejected <= binom.ppf(1 - 5e-4, draws, 0.05)
