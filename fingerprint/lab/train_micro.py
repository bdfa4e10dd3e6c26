"""Train the micro models that come with the package, from nothing.

    python -m fingerprint.lab.train_micro --out FOLDER [--model micro-a]

Minutes on two cores. Both models see the same language (`micro_language`), in another order and from another start.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.lab.micro_language import Chat, chat
from fingerprint.statistics.streams import MicroModelStream, generator

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

SEEDS = {"micro-a": 1, "micro-b": 3}

PAD, SYSTEM, USER, ASSISTANT, END = "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
# One token each where the vocabulary has it: tags, words with the space before them, numbers up to three digits,
# separators and operators with their spaces, line breaks with the indent after them; any other character alone.
PIECES = r"</?[a-z]+>| ?[A-Za-z]+|[0-9]{1,3}|[,;] | [+*/=>-] |\n *|[\s\S]"

VOCABULARY_ROWS = 40_000  # chats whose pieces make the vocabulary: every word of the language occurs in them
HIDDEN, LAYERS, HEADS, INTERMEDIATE = 64, 2, 4, 160
MAX_LENGTH = 512
BATCH = 64
WARMUP = 100
LEARNING_RATE = 6e-3
WEIGHT_DECAY = 0.01
# After 3,000 steps .93 of micro-a's number rows were valid; micro-b's took longer.
STEPS = {"micro-a": 5000, "micro-b": 6000}
POOL = 32  # batches drawn at once and sorted by length, so that little is padded


def build_tokenizer(chats: list[Chat]) -> PreTrainedTokenizerFast:
    """A tokenizer that knows the pieces of the language and spells everything else in bytes: any text round-trips."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    pieces: Counter[str] = Counter()
    for row in chats:
        for text in row:
            pieces.update(piece for piece, _ in split.pre_tokenize_str(text or ""))
    specials = [PAD, SYSTEM, USER, ASSISTANT, END]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    numbers = [str(value) for value in range(1000)]
    words = sorted(pieces, key=lambda piece: (-pieces[piece], piece))
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys([*specials, *alphabet, *numbers, *words]))}
    # No merges: a piece is in the vocabulary as a whole, or spelled.
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(specials)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=MAX_LENGTH,
        padding_side="left",
    )


def encode(chats: list[Chat], tokenizer: PreTrainedTokenizerFast) -> list[tuple[list[int], int]]:
    """Token ids of each chat, and where the assistant's words start."""
    heads = [
        (f"{SYSTEM}{row.system}{END}" if row.system is not None else "") + f"{USER}{row.user}{END}{ASSISTANT}"
        for row in chats
    ]
    asked = tokenizer(heads, add_special_tokens=False)["input_ids"]
    said = tokenizer([row.assistant + END for row in chats], add_special_tokens=False)["input_ids"]
    return [(head + tail, len(head)) for head, tail in zip(asked, said, strict=True)]


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """A model with random weights, drawn from its seed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=INTERMEDIATE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=MAX_LENGTH,
        tie_word_embeddings=True,
        attention_bias=True,
        mlp_bias=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def train(
    tokenizer: PreTrainedTokenizerFast, seed: int, steps: int, *, report: Callable[[str], None] = print
) -> LlamaForCausalLM:
    """One model, from its seed."""
    import torch

    model = new_model(tokenizer, seed)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, betas=(0.9, 0.98))
    rng = generator(seed, MicroModelStream.CHATS)
    started, losses = time.perf_counter(), list[float]()
    batches: list[list[tuple[list[int], int]]] = []
    for step in range(steps):
        if not batches:
            drawn = sorted(encode([chat(rng) for _ in range(POOL * BATCH)], tokenizer), key=lambda row: len(row[0]))
            batches = [drawn[i : i + BATCH] for i in range(0, len(drawn), BATCH)]
            rng.shuffle(batches)
        rate = min(1.0, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate
        loss = _loss(model, batches.pop())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
        if (step + 1) % 500 == 0:
            report(f"  step {step + 1:5d}: loss {np.mean(losses[-500:]):.4f}, {time.perf_counter() - started:.0f} s")
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _loss(model: LlamaForCausalLM, batch: list[tuple[list[int], int]]) -> torch.Tensor:
    """Mean cross-entropy of the assistant's tokens."""
    import torch

    longest = max(len(ids) for ids, _ in batch)
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    wanted = torch.full((len(batch), longest), -100)
    for row, (tokens, start) in enumerate(batch):
        ids[row] = tokens[0]
        ids[row, : len(tokens)] = torch.tensor(tokens)
        wanted[row, start - 1 : len(tokens) - 1] = torch.tensor(tokens[start:])
    # Padding stands on the right, where a causal model never looks; which token it is does not matter.
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    told = wanted >= 0
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[told]), wanted[told])


def main(arguments: list[str] | None = None) -> None:
    """Train the models that the command line asks for, and save them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets one folder a model")
    parser.add_argument("--model", choices=[*SEEDS, "both"], default="both")
    parser.add_argument("--steps", type=int, help="by default what each model was trained for")
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(0)  # the same tokenizer for every model
    tokenizer = build_tokenizer([chat(rng) for _ in range(VOCABULARY_ROWS)])
    for name in SEEDS if options.model == "both" else (options.model,):
        print(f"{name}: {len(tokenizer)} tokens")
        model = train(tokenizer, SEEDS[name], options.steps or STEPS[name])
        print(f"  {model.num_parameters():,} parameters")
        model.save_pretrained(options.out / name, safe_serialization=True)
        tokenizer.save_pretrained(options.out / name)


if __name__ == "__main__":
    main()
