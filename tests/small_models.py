"""Small language models with random weights, rows for them, and scores of one row at a time."""

# mypy: allow-untyped-calls
# torch and transformers leave some of their functions untyped.

from typing import Any

import numpy as np
import tokenizers
import torch
import transformers

from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import prompts
from fingerprint.lm.scoring import TokenScores

SYSTEM = "You like short answers and clear words, and you never say more than you were asked for."
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"  # noqa: E501


def byte_tokenizer(padding_side: str) -> Any:
    """Bytes as tokens, some merged, with a chat template."""
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["</s>", "<pad>"],
        show_progress=False,
    )
    inner.train_from_iterator([*prompts("numbers", 50), *prompts("reasoning", 50)], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="</s>",
        pad_token="<pad>",
        padding_side=padding_side,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


SMALL: dict[str, Any] = {
    "vocab_size": 410,
    "num_attention_heads": 4,
    "max_position_embeddings": 300,
    "eos_token_id": 0,
    "bos_token_id": None,
}


def made(kind: str) -> LanguageModel:
    """A small model with random weights, far from uniform."""
    torch.manual_seed(3)
    if kind == "gpt2":
        config: Any = transformers.GPT2Config(
            vocab_size=420, n_embd=48, n_layer=3, n_head=4, n_positions=300, initializer_range=0.15
        )
        model: Any = transformers.GPT2LMHeadModel(config)
    else:
        config = transformers.LlamaConfig(
            **SMALL,
            hidden_size=48,
            intermediate_size=80,
            num_hidden_layers=3,
            num_key_value_heads=2,
            initializer_range=0.15,
        )
        model = transformers.LlamaForCausalLM(config)
    return LanguageModel(model.eval(), byte_tokenizer("left" if kind == "gpt2" else "right"), kind)


def llama_config(lm: LanguageModel) -> transformers.LlamaConfig:
    assert isinstance(lm.model.config, transformers.LlamaConfig)
    return lm.model.config


def numbers(n: int, seed: int = 0) -> list[str]:
    draws = np.random.default_rng(seed)
    return [", ".join(map(str, draws.integers(100, 1000, draws.integers(1, 9)))) for _ in range(n)]


def direct(lm: LanguageModel, prompt: str, completion: str, system: str | None = None) -> TokenScores:
    """One row through the whole model with Hugging Face alone: no batch, padding, cache or shortcut; in float64."""
    chat = [{"role": "user", "content": prompt}]
    if system is not None:
        chat.insert(0, {"role": "system", "content": system})
    asked: Any = lm.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)
    said = [*lm.tokenizer(completion, add_special_tokens=False)["input_ids"], lm.tokenizer.eos_token_id]
    with torch.inference_mode():
        logits = lm.model(input_ids=torch.tensor([[*asked["input_ids"], *said]])).logits[0].double()
    law = logits.log_softmax(1)[len(asked["input_ids"]) - 1 : -1].numpy()
    values = np.array([law[i, token] for i, token in enumerate(said)])
    ranks = np.array([1 + (law[i] > values[i]).sum() for i in range(len(said))])
    return TokenScores(tuple(said), values, -(np.exp(law) * law).sum(1), ranks)


def assert_same(found: list[TokenScores], wanted: list[TokenScores]) -> None:
    """Bit for bit."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert (one.ids, one.truncated) == (other.ids, other.truncated)
        for name in ("logprobs", "entropies", "ranks"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
