"""Score texts under a causal language model: log-probability, entropy and rank of every token of a completion."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.cluster import Engine, named_engine
from fingerprint.data.row_errors import RowError
from fingerprint.lm.batching import EncodedRow, TooLong, batches_by_prefix, encoded_windows, padded
from fingerprint.lm.cache import ScoreCache, open_cache
from fingerprint.lm.loading import Spec, load
from fingerprint.lm.model import LanguageModel

if TYPE_CHECKING:
    import torch

# Logits held at once, and of those turned into float32 and exponentials at once. A CPU computes the exponentials while
# the numbers are in its cache; a GPU wants few large steps.
_LOGITS = {"cpu": 1 << 20}
_WIDENED = {"cpu": 1 << 18}
_GPU_LOGITS, _GPU_WIDENED = 1 << 26, 1 << 24
# On a CPU at least so many positions at once, whatever the vocabulary: with 32 the product with an embedding of 32,000
# rows took twice as long.
_LEAST_POSITIONS = {"cpu": 256}
# Probabilities below exp(_NEGLIGIBLE) add nothing to an entropy; the bound keeps 0 times infinity out of it.
_NEGLIGIBLE = -200.0


@dataclass(frozen=True)
class TokenScores:
    """What a model makes of the tokens of one completion.

    Attributes
    ----------
    ids : tuple of int
        Tokens of the completion, its end of turn last.
    logprobs : float array [tokens]
        Log-probability of each token given all before it, in nats; their sum is that of the completion.
    entropies : float array [tokens]
        Entropy in nats of the model's prediction at each position.
    ranks : int array [tokens]
        1 + number of tokens of the vocabulary that are more probable.
    truncated : int
        Tokens cut off the end of the completion, its end of turn among them; 0 where the row fits the context.
    """

    ids: tuple[int, ...]
    logprobs: Floats
    entropies: Floats
    ranks: Ints
    truncated: int = 0


def token_scores(
    lm: Spec,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    batch_size: int = 128,
    cache: str | os.PathLike[str] | None = None,
    too_long: TooLong = "error",
    progress: Callable[[int], None] | None = None,
    engine: Engine = "local",
) -> list[TokenScores]:
    """Log-probability, entropy and rank of every token of every completion, given its prompt.

    Parameters
    ----------
    lm : LanguageModel, or what `load` takes
        The model to score under.
    prompts, completions : sequence of str
        One completion a prompt.
    system : str, optional
        System message that stood before every prompt. Without one none is said; `LanguageModel.rendered` shows the
        text around a row.
    batch_size : int
        Rows scored together, at most; a batch of long rows has fewer, see Notes.
    cache : path-like, optional
        Folder that keeps the scores of every batch: run again, also after a kill, the work goes on from there.
    too_long : "error" or "truncate"
        What to do with a row longer than the model's context: raise, or cut tokens off the *end of its completion*
        (the prompt stays whole, and what is left is scored exactly) and say in `TokenScores.truncated` how many.
    progress : callable, optional
        Told how many rows are done.
    engine : "local" or "ray"
        Where rows are scored: here, or by actors on a Ray cluster (extra ``ray``) that each hold the model; see
        `fingerprint.lm.ray_scoring.token_scores_by_ray`.

    Returns
    -------
    list of TokenScores
        In the order of the rows.

    Raises
    ------
    ValueError
        If a prompt spells a special token, a row is longer than the context (with ``too_long="truncate"``: its prompt
        alone), a score is not a number, or a file of the cache is damaged; row or file is named.
    NotADirectoryError
        If `cache` is a file.
    OSError
        If there is no room on the disk; the batches written so far are kept.

    Notes
    -----
    Log-probabilities are those of the completion's own tokenization: `LanguageModel.answers`, with the end of turn.
    Log-softmax is taken in float32 (float64 for a float64 model) whatever the model's dtype is.

    Batches are fixed: rows are taken max(16 batch_size, 1024) at a time, put together with rows that begin alike where
    that saves work, sorted by length, and cut into batches of at most `batch_size` rows and 16,384 tokens with padding.
    What all rows of a batch begin with goes through the model once, and on a CPU no more than 4,096 tokens do at once.
    Which other rows share a batch moves a score by rounding; `noise_floor` measures by how much.

    Memory beyond the weights, in numbers of the model's dtype unless said otherwise, does not grow with the number of
    rows. With M = max(16384, context) tokens a batch, N of them through the model at once (max(4096, context) on a
    CPU, elsewhere M), T the longest row, d the width, f that of the widest layer inside a block, k the width of keys
    and values of L layers, V the vocabulary, W rows at a time::

        N (6 d + 3 f) + 4 M k    inside the model
        + 2 L k T + (N T bytes)  a shared prefix, and its mask
        + N d + B                hidden states, and logits: B = max(2^20, 256 V) on a CPU, max(2^26, V) elsewhere
        + 12 C bytes             logits widened to float32, and exponentials: C = 2^18 on a CPU, 2^24 elsewhere
        + 40 W T bytes           tokens of the rows at hand

    Besides that only the results grow: about 60 bytes a token and 600 a row. A model whose logits are not its output
    embedding of the last hidden states (it caps or scales them) has to be asked for the logits of whole rows; its B is
    at least T V. Attention is assumed not to hold its weights ("sdpa", not "eager").
    """
    if named_engine(engine) == "ray":
        from fingerprint.lm.ray_scoring import token_scores_by_ray  # few need it

        return token_scores_by_ray(
            token_scores,
            lm,
            prompts,
            completions,
            system=system,
            batch_size=batch_size,
            cache=cache,
            too_long=too_long,
            progress=progress,
        )
    lm = load(lm)
    check_scoring(lm, prompts, completions, batch_size, too_long)
    store = None if cache is None else open_cache(cache, _description(lm, system))
    found = []
    hint = ", or cut its end with too_long='truncate'"
    for first, rows in encoded_windows(lm, prompts, completions, system, batch_size, too_long, hint):
        tables = _score(lm, rows, batch_size, first_row=first, is_full=True, store=store, progress=progress)
        found += [
            TokenScores(
                tuple(row.ids[row.start :]), table[0].copy(), table[1].copy(), table[2].astype(np.int64), row.cut
            )
            for row, table in zip(rows, tables, strict=True)
        ]
    return found


def token_logprobs(
    lm: Spec,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    batch_size: int = 128,
    cache: str | os.PathLike[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Floats]:
    """Log-probability in nats of every token of every completion, its end of turn included, given its prompt.

    Parameters are those of `token_scores`, which says more of each token and takes a little longer.

    Returns
    -------
    list of float arrays [tokens + 1]
        In the order of the rows. Their sum is the exact log-probability of the completion as it is tokenized.

    Raises
    ------
    ValueError
        If a row is longer than the model's context, or a score is not a number; the row is named.
    """
    if cache is not None:  # the cache holds full scores, whoever asks
        scores = token_scores(
            lm, prompts, completions, system=system, batch_size=batch_size, cache=cache, progress=progress
        )
        return [score.logprobs for score in scores]
    lm = load(lm)
    check_scoring(lm, prompts, completions, batch_size, "error")
    found: list[Floats] = []
    for first, rows in encoded_windows(lm, prompts, completions, system, batch_size, "error"):
        tables = _score(lm, rows, batch_size, first_row=first, progress=progress)
        found += [table[0] for table in tables]
    return found


def score_rows(
    lm: LanguageModel,
    rows: Sequence[EncodedRow],
    *,
    batch_size: int = 128,
    progress: Callable[[int], None] | None = None,
) -> list[Floats]:
    """Log-probabilities in nats of the tokens of encoded rows from their start on; see `token_logprobs`."""
    return [table[0] for table in _score(lm, rows, batch_size, progress=progress)]


def check_scoring(
    lm: LanguageModel, prompts: Sequence[str], completions: Sequence[str], batch_size: int, too_long: TooLong
) -> None:
    """What can be found wrong before any row is scored."""
    if len(prompts) != len(completions):
        raise ValueError(
            f"prompts must have one entry a completion, got {len(prompts)} for {len(completions)}; pair them first"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}; 128 is usual")
    if too_long not in get_args(TooLong):
        raise ValueError(f"too_long must be one of {', '.join(get_args(TooLong))}, got {too_long!r}; choose one")
    missing = next((row for row, prompt in enumerate(prompts) if not isinstance(prompt, str)), None)
    if missing is not None:
        raise RowError("prompts must be texts, got none in {row}; a model scores completions of prompts", missing)
    lm.check_prompts(prompts)


def _score(
    lm: LanguageModel,
    rows: Sequence[EncodedRow],
    batch_size: int,
    *,
    first_row: int = 0,
    is_full: bool = False,
    store: ScoreCache | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Floats]:
    """Tables [kinds, tokens] of encoded rows: log-probabilities, and where `is_full` entropies and ranks."""
    found: list[Floats] = [np.zeros((0, 0))] * len(rows)
    done = first_row
    for batch in batches_by_prefix(lm, rows, batch_size):
        chosen = [rows[row] for row in batch]
        ends = np.cumsum([len(row.ids) - row.start for row in chosen])
        table, path = None, None
        if store is not None:
            path = store.path([row.ids for row in chosen], [row.start for row in chosen])
            table = store.read(path, (3, int(ends[-1])))
        if table is None:
            table = _scored(lm, chosen, is_full)
            bad = ~np.isfinite(table).all(axis=0)
            if bad.any():
                row = batch[int(np.searchsorted(ends, bad.argmax(), side="right"))]
                raise _no_number(table[:, bad.argmax()], first_row + row, lm)
            if store is not None and path is not None:
                store.write(path, table)
        for row, values in zip(batch, np.split(table, ends[:-1], axis=1), strict=True):
            found[row] = values
        done += len(batch)
        if progress is not None:
            progress(done)
    return found


def _no_number(scores: Floats, row: int, lm: LanguageModel) -> RowError:
    """What to say of the scores of a token [kinds], not all of them finite."""
    return RowError(
        f"scores must be numbers, got {scores[~np.isfinite(scores)][0]} in {{row}} under {lm.name}; "
        "load the model in another dtype, such as float32",
        row,
    )


def _scored(lm: LanguageModel, rows: Sequence[EncodedRow], is_full: bool) -> Floats:
    """Table [kinds, tokens] of one batch."""
    import torch

    with torch.inference_mode():
        ids, wanted = padded(rows, lm.model.device)
        targets = ids.roll(-1, dims=1)[wanted]
        parts, done = [], 0
        for logits in _logits(lm, ids[:, :-1], wanted[:, :-1]):  # no row asks what follows its last token
            parts.append(_statistics(logits, targets[done : done + len(logits)], is_full))
            done += len(logits)
        return np.asarray(torch.cat(parts, dim=1).cpu().numpy(), dtype=np.float64)


def _logits(lm: LanguageModel, ids: torch.Tensor, wanted: torch.Tensor) -> Iterator[torch.Tensor]:
    """Logits [positions, vocabulary] after the positions that `wanted` [batch, length] marks, a block at a time."""
    import torch

    vocabulary = lm.n_embeddings
    device = lm.model.device.type
    most = max(_LOGITS.get(device, _GPU_LOGITS), _LEAST_POSITIONS.get(device, 1) * vocabulary)
    if lm.has_plain_head and (head := lm.head) is not None:
        for hidden in torch.split(lm.hidden_at(ids, wanted), most // vocabulary):
            yield head(hidden)
    else:
        step = max(1, most // (vocabulary * ids.shape[1]))
        for first in range(0, len(ids), step):
            yield lm.logits_at(ids[first : first + step], wanted[first : first + step])


def _statistics(logits: torch.Tensor, targets: torch.Tensor, is_full: bool) -> torch.Tensor:
    """Log-probabilities of `targets` [positions], and where `is_full` entropies and ranks: [kinds, positions].

    Goes over the vocabulary in chunks, so that only so many logits are widened to float32 at a time.
    """
    import torch

    wide = torch.promote_types(logits.dtype, torch.float32)
    widened = _WIDENED.get(logits.device.type, _GPU_WIDENED)
    targeted = logits.gather(1, targets[:, None])
    top = logits.amax(dim=1, keepdim=True).to(wide)
    total = torch.zeros_like(top)  # sum of exp(logit - top)
    moment = torch.zeros_like(top)  # sum of (logit - top) exp(logit - top)
    above = torch.zeros_like(top)
    for part in torch.split(logits, max(1, widened // len(logits)), dim=1):
        shifted = part.to(wide) - top
        weights = shifted.exp() if is_full else shifted.exp_()
        total += weights.sum(dim=1, keepdim=True)
        if is_full:
            moment += shifted.clamp_(min=_NEGLIGIBLE).mul_(weights).sum(dim=1, keepdim=True)
            above += (part > targeted).sum(dim=1, keepdim=True)
    found = [targeted.to(wide) - top - total.log()]
    if is_full:
        found += [(total.log() - moment / total).clamp(min=0.0), above + 1]
    return torch.cat(found, dim=1).T


def _description(lm: LanguageModel, system: str | None) -> dict[str, str]:
    """Everything besides the tokens of its rows that the scores of a batch depend on, on one machine."""
    import torch
    import transformers

    config = {k: v for k, v in lm.model.config.to_dict().items() if k not in ("_name_or_path", "transformers_version")}
    settings = json.dumps(config, sort_keys=True, default=str)
    return {
        "weights, vocabulary and chat template": lm.digest,
        "architecture": f"{type(lm.model).__module__}.{type(lm.model).__qualname__}",
        "configuration": digests.hex_digest(settings),
        "attention": str(getattr(lm.model.config, "_attn_implementation", None)),
        "dtype": str(lm.model.dtype),
        "device": lm.model.device.type,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "text": lm.rendered(system),
    }
