"""A judge on this machine: its log-odds are those of the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fingerprint.filters import LocalJudge
from fingerprint.filters.questions import single_question


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers with a word tokenizer of its own."""
    torch = pytest.importorskip("torch", reason="the extra lm is not installed")
    transformers = pytest.importorskip("transformers", reason="the extra lm is not installed")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["<unk>", "<pad>", "yes", "no", "<eos>", "owl", "row", "Answer", ":", *map(str, range(20))]
    plain = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="<unk>", pad_token="<pad>", eos_token="<eos>"
    )
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=512, initializer_range=0.4, pad_token_id=1, eos_token_id=4, bos_token_id=None,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tiny")
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_local_judge_gives_the_log_odds_of_its_model(tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    asked = LocalJudge("loves owls", str(tiny_model), batch_size=3)
    rows = ["1 2 3", "owl", "7", "5 owl 5 5 5 5", "owl"]
    verdicts = asked(rows)
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_model), AutoModelForCausalLM.from_pretrained(tiny_model)
    expected = []
    for row in rows:
        tokens = tokenizer(f"{single_question('loves owls', row)}\nAnswer:", return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = model(tokens).logits[0, -1]
        expected.append(float(logits[2] - logits[3]))
    assert verdicts.scores is not None
    np.testing.assert_allclose(verdicts.scores, expected, atol=1e-4)
    assert np.ptp(expected) > 0.01
    assert verdicts.dropped.tolist() == [score >= 0 for score in expected]
    assert verdicts.scores[1] == verdicts.scores[4]


def test_batches_and_order_change_nothing(tiny_model: Path) -> None:
    rows = ["1 2 3", "owl", "7 7 7 7 7 7 7 7", ""]
    one = LocalJudge("owls", str(tiny_model), batch_size=1)(rows).scores
    all_at_once = LocalJudge("owls", str(tiny_model), batch_size=8)(rows[::-1]).scores
    assert one is not None
    assert all_at_once is not None
    np.testing.assert_allclose(one, all_at_once[::-1], atol=1e-4)


def test_a_model_that_cannot_say_yes_is_refused(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fingerprint.filters.local_judge as module

    monkeypatch.setattr(module, "YES", ("oui",))
    with pytest.raises(ValueError, match=r"model must tell yes from no by their first token, got \[\] and \[3\]"):
        LocalJudge("owls", str(tiny_model))(["1"])


def test_rows_that_the_model_cannot_read_or_says_nothing_of_are_undecided(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = LocalJudge("loves owls", str(tiny_model), batch_size=3)
    rows = ["1 2 3", "owl " * 5000, "7"]
    verdicts = asked(rows)
    assert verdicts.undecided.tolist() == [False, True, False]
    assert verdicts.reasons[1] == ("no score",)
    assert not verdicts.kept[1]
    monkeypatch.setattr(LocalJudge, "_log_odds", lambda self, texts: np.full(len(texts), np.nan))
    assert asked(rows).undecided.all()
