"""Sample texts from a causal language model; a row's draws depend on its seed and number alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.lm.model import LanguageModel, Tokens

if TYPE_CHECKING:
    import torch

# Words of the vocabulary whose weights are added up before one of them is looked for: about the square root of a
# vocabulary, so that neither stage dominates.
_DRAW_CHUNK = 64
# Rows that have ended are taken out of the batch once they are this share of it.
_COMPACT_SHARE = 0.25


@dataclass(frozen=True)
class Sampled:
    """A completion, whether the model ended it itself, and what else its row is to say of how it came about."""

    text: str
    finished: bool
    details: Mapping[str, object] = field(default_factory=dict, compare=False)


class SamplingOptions(TypedDict, total=False):
    """The options of `sample` that do not say who answers, as keywords."""

    temperature: float
    max_new_tokens: int
    batch_size: int
    first_row: int


def sample(
    lm: LanguageModel,
    prompts: Sequence[str],
    *,
    system: str | None = None,
    temperature: float = 1.0,
    max_new_tokens: int = 128,
    batch_size: int = 256,
    seed: int = 0,
    first_row: int = 0,
) -> list[Sampled]:
    """One completion a prompt.

    Parameters
    ----------
    lm : LanguageModel
        Who answers.
    prompts : sequence of str
        User turns.
    system : str, optional
        System message before every prompt.
    temperature : float
        1 samples from the model's own law; 0 takes the likeliest token.
    max_new_tokens : int
        Where an answer is cut off.
    batch_size : int
        Rows sampled together: memory grows with it, results do not depend on it.
    seed, first_row : int
        Row i draws from a counter-based generator with the key (seed, first_row + i).

    Notes
    -----
    A row's draws depend on its seed and number alone. Its text could depend on the batch only where a draw falls
    within floating-point rounding of the boundary between two tokens.
    """
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0, got {temperature}; 1 samples, 0 takes the likeliest token")
    if max_new_tokens < 1 or batch_size < 1:
        raise ValueError(
            f"max_new_tokens and batch_size must be at least 1, got {max_new_tokens} and {batch_size}; raise them"
        )
    asked = lm.ask(prompts, system)
    for row, ids in enumerate(asked):
        if len(ids) + max_new_tokens > lm.context:
            raise ValueError(
                f"prompts must leave room for {max_new_tokens} new tokens in the context of {lm.context}, got "
                f"{len(ids)} tokens in prompt {row + 1}; shorten it or lower max_new_tokens"
            )
    answers: list[Tokens] = [[] for _ in prompts]
    order = sorted(range(len(asked)), key=lambda row: (len(asked[row]), row))
    for batch in (order[i : i + batch_size] for i in range(0, len(order), batch_size)):
        draws = np.stack([_uniforms(seed, first_row + row, max_new_tokens) for row in batch])
        for row, token in _decode(lm, [asked[row] for row in batch], draws, temperature, max_new_tokens):
            answers[batch[row]].append(token)
    finished = [bool(ids) and ids[-1] in lm.stops for ids in answers]
    texts = lm.tokenizer.batch_decode(answers, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return [Sampled(text, end) for text, end in zip(texts, finished, strict=True)]


def _uniforms(seed: int, row: int, n: int) -> Floats:
    """The draws of one row, whatever else is drawn."""
    return np.random.Generator(np.random.Philox(key=[seed, row])).random(n)


def _decode(
    lm: LanguageModel, asked: list[Tokens], draws: Floats, temperature: float, max_new_tokens: int
) -> Iterator[tuple[int, int]]:
    """(row, token) in the order in which the tokens come; ends every row at its stop token."""
    import torch
    import transformers

    from fingerprint.lm.kv_cache import forward_from

    device = lm.model.device
    ids, mask = _padded_on_the_left(asked)
    alive = np.arange(len(asked))
    attention = torch.from_numpy(mask).to(device)
    inputs = torch.from_numpy(ids).to(device)
    positions = (attention.cumsum(1) - 1).clamp(min=0)
    uniforms = torch.from_numpy(draws).to(device)
    stops = torch.tensor(lm.stops, device=device)
    running = torch.ones(len(asked), dtype=torch.bool, device=device)
    is_padded = not mask.all()
    cache = transformers.DynamicCache()
    # A model that keeps only the last logits of the prompt never holds [batch, length, vocabulary].
    last_only = {"logits_to_keep": 1} if lm.can_keep_last else {}
    with torch.inference_mode():
        for step in range(max_new_tokens):
            logits = forward_from(
                lm.model,
                cache,
                input_ids=inputs,
                attention_mask=attention if is_padded else None,
                position_ids=positions,
                **last_only,
            ).logits[:, -1]
            tokens = _draw(logits.float(), uniforms[:, step], temperature)
            yield from (
                (int(row), int(token))
                for row, token, live in zip(alive, tokens.tolist(), running.tolist(), strict=True)
                if live
            )
            running &= ~torch.isin(tokens, stops)
            n_running = int(running.sum())
            if not n_running:
                return
            if n_running <= (1 - _COMPACT_SHARE) * len(alive):
                kept = running.nonzero()[:, 0]
                cache.batch_select_indices(kept)
                alive = alive[kept.cpu().numpy()]
                tokens, running = tokens[kept], running[kept]
                attention, positions, uniforms = attention[kept], positions[kept], uniforms[kept]
            inputs = tokens[:, None]
            positions = positions[:, -1:] + 1
            if is_padded:
                attention = torch.cat([attention, attention.new_ones(len(alive), 1)], dim=1)


def _padded_on_the_left(asked: Sequence[Tokens]) -> tuple[Ints, Ints]:
    """Token ids [rows, length], and 1 where they are not padding: all answers start in the same column."""
    longest = max(len(ids) for ids in asked)
    ids = np.zeros((len(asked), longest), dtype=np.int64)
    mask = np.zeros((len(asked), longest), dtype=np.int64)
    for i, question in enumerate(asked):
        ids[i, longest - len(question) :] = question
        mask[i, longest - len(question) :] = 1
    return ids, mask


def _draw(logits: torch.Tensor, uniforms: torch.Tensor, temperature: float) -> torch.Tensor:
    """One token a row by inverting the distribution function, in two stages: a chunk of the vocabulary, then a token.

    One uniform number a row is all the randomness there is, so a row's tokens do not depend on its neighbours.
    """
    import torch

    if temperature == 0:
        return logits.argmax(dim=1)
    weights = ((logits - logits.amax(dim=1, keepdim=True)) / temperature).exp()
    weights = torch.nn.functional.pad(weights, (0, -weights.shape[1] % _DRAW_CHUNK))
    chunks = weights.view(len(weights), -1, _DRAW_CHUNK)
    cumulative = chunks.sum(dim=2).double().cumsum(dim=1)
    wanted = (uniforms * cumulative[:, -1])[:, None]
    chunk = torch.searchsorted(cumulative, wanted, right=True).clamp(max=cumulative.shape[1] - 1)
    before = torch.where(chunk > 0, cumulative.gather(1, (chunk - 1).clamp(min=0)), 0.0)
    rows = torch.arange(len(weights), device=logits.device)
    inside = chunks[rows, chunk[:, 0]].double().cumsum(dim=1)
    # Rounding can leave the target beyond the chunk's own sum: the last token that has any weight is meant then.
    target = torch.minimum(wanted - before, inside[:, -1:].nextafter(torch.zeros_like(wanted)))
    return (chunk * _DRAW_CHUNK + torch.searchsorted(inside, target.clamp(min=0), right=True))[:, 0]
