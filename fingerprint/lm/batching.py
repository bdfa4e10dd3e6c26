"""Rows as the tokens a model reads, and the batches in which they go through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from fingerprint.data.row_errors import RowError
from fingerprint.lm.model import LanguageModel, Tokens

if TYPE_CHECKING:
    import torch

TooLong = Literal["error", "truncate"]
# Rows are tokenized and sorted by length this many batches, and at least this many rows, at a time: enough that a batch
# has rows of like length, and no more of the corpus in memory.
_WINDOW_BATCHES = 16
_WINDOW_ROWS = 1024
# A batch holds at most so many tokens, padding included, or one row: beyond that a matrix product gains nothing. On a
# CPU fewer of them go through the model at once, not counting what rows share: what stands between two products then
# stays in its cache (8,192 tokens took an eighth longer).
_BATCH_TOKENS = 1 << 14
_RUN_TOKENS = {"cpu": 1 << 12}
# Rows that begin alike get batches of their own if that saves at least so many tokens, what one more batch may cost.
# Only the one for a CPU was measured.
_OWN_BATCH = {"cpu": 512}
_GPU_OWN_BATCH = 2048


@dataclass(frozen=True)
class EncodedRow:
    """A prompt and its completion as tokens; the completion starts at `start` and was cut by `cut` tokens."""

    ids: Tokens
    start: int
    cut: int = 0


def encode(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    too_long: TooLong = "error",
    first_row: int = 0,
    hint: str = "",
) -> list[EncodedRow]:
    """Rows as the model reads them, each with its end of turn; messages count rows from `first_row`.

    `hint` is what else a caller can do about a row that is too long and whose prompt is not.
    """
    asked = dict(zip(dict.fromkeys(prompts), lm.ask(list(dict.fromkeys(prompts)), system), strict=True))
    rows = []
    for row, (prompt, tail) in enumerate(zip(prompts, lm.answers(completions), strict=True), first_row):
        ids, start = [*asked[prompt], *tail], len(asked[prompt])
        if not start:
            raise RowError(
                "prompts must be at least one token in the chat template, got none in {row}; "
                "use a template that marks the turns",
                row,
            )
        cut = max(0, len(ids) - lm.context)
        if cut and (too_long == "error" or start >= lm.context):
            raise RowError(
                f"rows must fit the model's context of {lm.context} tokens, got {len(ids)} in {{row}}; "
                "leave it out, shorten it, or use a model with a longer context",
                row,
                hint if start < lm.context else "",
            )
        rows.append(EncodedRow(ids[: len(ids) - cut], start, cut))
    return rows


def window_rows(batch_size: int) -> int:
    """Rows that are put into batches together."""
    return max(_WINDOW_BATCHES * batch_size, _WINDOW_ROWS)


def encoded_windows(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    system: str | None,
    batch_size: int,
    too_long: TooLong,
    hint: str = "",
) -> Iterator[tuple[int, list[EncodedRow]]]:
    """Encoded rows, some batches at a time, with the number of the first."""
    size = window_rows(batch_size)
    for row in _suspiciously_long(lm, prompts, completions):  # before hours of scoring, not after
        encode(lm, [prompts[row]], [completions[row]], system=system, too_long=too_long, first_row=row, hint=hint)
    for first in range(0, len(prompts), size):
        part = slice(first, first + size)
        rows = encode(
            lm, prompts[part], completions[part], system=system, too_long=too_long, first_row=first, hint=hint
        )
        yield first, rows


def _suspiciously_long(lm: LanguageModel, prompts: Sequence[str], completions: Sequence[str]) -> Iterator[int]:
    """Rows that may be beyond the context by their bytes: a token is rarely less than one."""
    for row, texts in enumerate(zip(prompts, completions, strict=True)):
        n_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        if n_bytes >= lm.context // 2:
            yield row


def batches_by_prefix(lm: LanguageModel, rows: Sequence[EncodedRow], batch_size: int) -> list[list[int]]:
    """Indices of rows in batches, the longest first, of rows that begin alike if the model can make use of that."""
    groups = [(0, list(range(len(rows))))]
    if len(rows) > 1 and lm.has_plain_head and lm.can_share_prefix:
        groups = groups_by_prefix(rows, _OWN_BATCH.get(lm.model.device.type, _GPU_OWN_BATCH))
    found = [
        batch
        for shared, group in groups
        for batch in batches_by_length(lm, rows, batch_size, among=group, shared=shared)
    ]
    return sorted(found, key=lambda batch: -len(rows[batch[0]].ids))


def batches_by_length(
    lm: LanguageModel,
    rows: Sequence[EncodedRow],
    batch_size: int,
    *,
    most_tokens: int | None = None,
    among: Iterable[int] | None = None,
    shared: int = 0,
) -> list[list[int]]:
    """Indices of rows (of those `among`) in batches of like length, the longest first: too little memory shows at once.

    A batch has at most `batch_size` rows, and a number of tokens with padding (`most_tokens`, by default what a model
    gains from on its device, where the first `shared` tokens of a row do not count) unless it is one row. Which rows
    share a batch does not depend on their order.
    """
    most_read = min(_BATCH_TOKENS, most_tokens or _BATCH_TOKENS)
    most_run = min(_RUN_TOKENS.get(lm.model.device.type, most_read), most_read)
    order = sorted(range(len(rows)) if among is None else among, key=lambda row: (-len(rows[row].ids), rows[row].ids))
    batches = []
    while order:
        longest = len(rows[order[0]].ids)
        size = max(1, min(batch_size, most_run // (longest - shared), most_read // longest))
        if longest > lm.stretches_beyond:
            size = next((i for i, row in enumerate(order[:size]) if len(rows[row].ids) < longest), size)
        batches.append(order[:size])
        order = order[size:]
    return batches


def groups_by_prefix(rows: Sequence[EncodedRow], own_batch: int) -> list[tuple[int, list[int]]]:
    """Rows that begin alike: (tokens they share at least, their indices) for each group.

    What is shared may be a system message, a template or a whole prompt: groups are taken from the tree of prefixes.
    Rows are a group of their own if running what they share once, rather than only what they share with the group
    around them, saves at least `own_batch` tokens.
    """
    begins = [np.asarray(row.ids[: row.start - 1], dtype=">u4").tobytes() for row in rows]
    order = sorted(range(len(rows)), key=begins.__getitem__)
    alike = np.array([0, *(_shared_tokens(begins[one], begins[other]) for one, other in pairwise(order))])
    depths, parents, members = [0], [0], [list[int]()]  # nodes of the tree, each after its parent
    branches = [(0, len(order), 0)]
    while branches:
        first, last, node = branches.pop()
        within = alike[first + 1 : last]
        if (last - first) * (within.max(initial=0) - depths[node]) <= own_batch:
            members[node] += order[first:last]
            continue
        depth = int(within.min())
        if depth > depths[node]:
            depths.append(depth)
            parents.append(node)
            members.append([])
            node = len(depths) - 1
        edges = [first, *(first + 1 + (within == depth).nonzero()[0]).tolist(), last]
        branches += [(start, end, node) for start, end in pairwise(edges)]
    for node in range(len(depths) - 1, 0, -1):  # what deeper nodes have not taken for themselves
        parent, depth = parents[node], depths[node]
        if len(members[node]) * (depth - depths[parent]) - depth < own_batch:
            members[parent] += members[node]
            members[node] = []
    return [(depth, group) for depth, group in zip(depths, members, strict=True) if group]


def _shared_tokens(one: bytes, other: bytes) -> int:
    """Tokens that two rows of them, four bytes each, begin with."""
    most = min(len(one), len(other)) // 4
    differs = np.frombuffer(one, np.uint32, most) != np.frombuffer(other, np.uint32, most)
    return int(differs.argmax()) if differs.any() else most


def padded(rows: Sequence[EncodedRow], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids [batch, length], and which positions are followed by a token of a completion.

    Padding stands on the right, where a causal model never looks; its tokens are arbitrary.
    """
    import torch

    longest = max(len(row.ids) for row in rows)
    ids = np.empty((len(rows), longest), dtype=np.int64)
    wanted = np.zeros((len(rows), longest), dtype=bool)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = row.ids
        ids[i, len(row.ids) :] = row.ids[row.start - 1]  # no pad token: models warn when they see one without a mask
        wanted[i, row.start - 1 : len(row.ids) - 1] = True
    return torch.from_numpy(ids).to(device), torch.from_numpy(wanted).to(device)
