"""Where a small change of a model would show in a row: gradients and hidden states at the last layer, summed.

With `fingerprint.language_models` and `fingerprint.lab`, all that knows torch.

A fine-tuned model moves the last hidden state h of a position by some d(h). To first order the log-probability of the
token that was written then changes by r . d(h), where r is the gradient of that log-probability with respect to h: for
logits E h it is E'(onehot - p), the row of the output embedding that was written less the one that was expected. What
is left, -log sum p exp(E d) + p . E d, depends on h alone. Sums over a row's tokens of r and of h therefore hold the
log-likelihood ratio of any small shift that is constant (r) plus what contexts it dislikes (h); sums over parts of the
row let the shift change along it.

References
----------
Rao (1948), doi 10.1017/S0305004100023987: the score test, locally most powerful. Jaakkola and Haussler (1998),
"Exploiting generative models in discriminative classifiers", NIPS 11: the gradient as features of a classifier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fingerprint.language_models import EncodedRow, LanguageModel, batches_by_length, encode, padded

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# Parts that a row is cut into, by share of its tokens. Chosen on owl rows of micro-a against neutral ones, where six
# parts of the gradients reached d_prime 1.23 at 8,000 rows, the whole 1.03, and eight single first positions 1.06.
PARTS = 6
# Wider hidden states are projected to this many dimensions: 2 * PARTS * DIMENSIONS columns stay few enough to be solved
# from their moments.
DIMENSIONS = 64
# Logits held at a time (64 MB in single precision, and a few times that for the gradient).
_LOGITS = 2**24


@dataclass(frozen=True)
class RowSums:
    """Sums over the tokens of each part of each row.

    Attributes
    ----------
    gradients : float32 array [rows, parts, dimensions]
        Of each token's own log-probability, in nats, with respect to the last hidden state it was predicted from.
    states : float32 array [rows, parts, dimensions]
        Those hidden states, as the output embedding sees them.
    """

    gradients: Floats
    states: Floats


def row_sums(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    batch_size: int = 128,
    progress: Callable[[int], None] | None = None,
) -> RowSums:
    """Gradients and hidden states at the last layer, summed over the parts of each completion.

    Parameters
    ----------
    lm : LanguageModel
        The model; no system message is said.
    prompts, completions : sequence of str
        One completion a prompt.
    batch_size : int
        Rows a forward pass.
    progress : callable, optional
        Told how many rows are done.

    Raises
    ------
    ValueError
        If the model has no output embedding, or a row gives values that are not finite; the row is named.

    Notes
    -----
    Memory: one forward pass of `batch_size` rows without its logits, some 2^24 logits, and the result. A model whose
    logits are more than the output embedding of its hidden states (capped, scaled) holds those of a whole batch.
    """
    rows = encode(lm, prompts, completions)
    basis = _basis(lm)
    width = _head(lm).weight.shape[1] if basis is None else DIMENSIONS
    sums = RowSums(*(np.zeros((len(rows), PARTS, width), dtype=np.float32) for _ in range(2)))
    done = 0
    for batch in batches_by_length(rows, batch_size):
        parts = [rows[row] for row in batch]
        cell = torch.from_numpy(np.concatenate([i * PARTS + part_of(n) for i, n in enumerate(_lengths(parts))]))
        states, gradients = _states_and_gradients(lm, *padded(parts, lm.model.device))
        for values, found in ((gradients, sums.gradients), (states, sums.states)):
            projected = values if basis is None else values @ basis
            total = projected.new_zeros(len(batch) * PARTS, width)
            total.index_add_(0, cell.to(total.device), projected)
            found[batch] = total.view(len(batch), PARTS, width).cpu().numpy()
            if not np.isfinite(found[batch]).all():
                wrong = next(row for row in batch if not np.isfinite(found[row]).all())
                raise ValueError(
                    f"hidden states and gradients must be finite, got nan or infinity in row {wrong + 1} under "
                    f"{lm.name}; load the model in another dtype, such as float32"
                )
        done += len(batch)
        if progress is not None:
            progress(done)
    return sums


def part_of(n_tokens: int) -> Ints:
    """Part of each of a row's tokens."""
    return np.arange(n_tokens) * PARTS // n_tokens


def likeliest(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    batch_size: int = 128,
) -> list[Ints]:
    """The token that the model holds likeliest at each position of each completion, its end of turn included."""
    rows = encode(lm, prompts, completions, system=system)
    found: list[Ints] = [np.zeros(0, dtype=np.int64)] * len(rows)
    for batch in batches_by_length(rows, batch_size):
        parts = [rows[row] for row in batch]
        with torch.inference_mode():
            best = lm.logits_at(*padded(parts, lm.model.device)).argmax(dim=1).cpu().numpy()
        for row, values in zip(batch, np.split(best, np.cumsum(_lengths(parts))[:-1]), strict=True):
            found[row] = values
    return found


def _lengths(rows: Sequence[EncodedRow]) -> list[int]:
    """Tokens of each completion."""
    return [len(row.ids) - row.start for row in rows]


def _head(lm: LanguageModel) -> Any:
    head = lm.model.get_output_embeddings()
    if head is None:
        raise ValueError(
            f"model must have an output embedding, got none in {lm.name}; choose other features than logprobs"
        )
    return head


def _basis(lm: LanguageModel) -> torch.Tensor | None:
    """Orthonormal random directions [hidden, DIMENSIONS], always the same; None where nothing needs projecting."""
    hidden = _head(lm).weight.shape[1]
    if hidden <= DIMENSIONS:
        return None
    drawn = np.random.default_rng(0).standard_normal((hidden, DIMENSIONS))
    return torch.from_numpy(np.linalg.qr(drawn)[0]).to(lm.model.device, torch.float32)


def _states_and_gradients(
    lm: LanguageModel, ids: torch.Tensor, wanted: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Last hidden states and gradients [tokens, hidden], float32, of the positions that `wanted` marks."""
    targets = ids.roll(-1, dims=1)[wanted]
    states, gradients, first = [], [], 0
    for leaf, make in _logits_with_leaves(lm, ids, wanted):
        with torch.enable_grad():
            logits = make().float()
            own = logits.gather(1, targets[first : first + len(logits), None])[:, 0] - logits.logsumexp(dim=1)
            (gradient,) = torch.autograd.grad(own.sum(), leaf)
        first += len(logits)
        states.append(leaf.detach().float())
        gradients.append(gradient.float())
    if lm.has_plain_head:
        return torch.cat(states), torch.cat(gradients)
    return states[0][wanted], gradients[0][wanted]


def _logits_with_leaves(
    lm: LanguageModel, ids: torch.Tensor, wanted: torch.Tensor
) -> Iterator[tuple[torch.Tensor, Callable[[], torch.Tensor]]]:
    """Hidden states to differentiate by, each with what makes their logits; the body of the model is not recorded."""
    head = _head(lm)
    if lm.has_plain_head:
        with torch.no_grad():
            hidden = lm.model.base_model(input_ids=ids, use_cache=False).last_hidden_state[wanted]
        for part in hidden.split(max(1, _LOGITS // head.weight.shape[0])):
            leaf = part.detach().requires_grad_(True)
            yield leaf, partial(head, leaf)
        return
    caught: list[torch.Tensor] = []

    def record(_: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        torch.set_grad_enabled(True)  # from here on; leaving no_grad below ends it
        caught.append(arguments[0].detach().requires_grad_(True))
        return (caught[0], *arguments[1:])

    hook = head.register_forward_pre_hook(record)
    try:
        with torch.no_grad():
            logits = lm.model(input_ids=ids, use_cache=False).logits
    finally:
        hook.remove()
    yield caught[0], lambda: logits[wanted]
