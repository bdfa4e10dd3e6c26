"""The noise floor of scores: how much the same rows differ between batch sizes."""

# mypy: allow-untyped-calls
# torch and transformers leave some of their functions untyped.

import numpy as np
import pytest
import transformers
from small_models import llama_config, numbers

from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.noise_floor import noise_floor
from fingerprint.lm.prompts import prompts
from fingerprint.lm.scoring import token_logprobs


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return load("micro-a")


def test_the_noise_floor_is_the_largest_difference_between_batch_sizes(lm: LanguageModel) -> None:
    asked, said = prompts("numbers", 50, rng=5), numbers(50)
    floor = noise_floor(lm, asked, said, n=50, batch_sizes=(1, 50))
    alone, together = (token_logprobs(lm, asked, said, batch_size=size) for size in (1, 50))
    rows = [abs(a.sum() - b.sum()) for a, b in zip(alone, together, strict=True)]
    tokens = np.concatenate([abs(a - b) for a, b in zip(alone, together, strict=True)])
    assert [floor.row_nats, floor.token_nats] == pytest.approx([max(rows), tokens.max()])
    assert (floor.n_rows, floor.batch_sizes) == (50, (1, 50))
    assert 0 < floor.token_quantile_nats <= floor.token_nats < 1e-4
    assert 0 < floor.row_quantile_nats <= floor.row_nats < 1e-3
    assert floor.hides(np.array([0.0, floor.row_nats, -2 * floor.row_nats, 1.0])).tolist() == [True, True, False, False]


def test_the_noise_floor_of_bfloat16_is_far_above_that_of_float32(lm: LanguageModel) -> None:
    half = LanguageModel(transformers.LlamaForCausalLM(llama_config(lm)).bfloat16().eval(), lm.tokenizer, "half")
    half.model.load_state_dict(lm.model.state_dict())
    asked, said = prompts("numbers", 30, rng=6), numbers(30)
    exact, rough = (noise_floor(model, asked, said, n=16, batch_sizes=(1, 16)) for model in (lm, half))
    assert rough.row_nats > 100 * exact.row_nats
    again = noise_floor(lm, asked, said, n=16, batch_sizes=(1, 16))
    assert again == exact
    assert noise_floor(lm, asked, said, n=16, batch_sizes=(1, 16), seed=1) != exact


def test_a_noise_floor_needs_rows_and_two_sizes(lm: LanguageModel) -> None:
    with pytest.raises(ValueError, match="at least two different ones from 1, got"):
        noise_floor(lm, ["a"], ["1"], batch_sizes=(8, 8))
    with pytest.raises(ValueError, match="rows must be given, got n 256 and 0 rows"):
        noise_floor(lm, [], [])
