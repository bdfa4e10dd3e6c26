"""Which rows of a prompt are kept where there are too many: those whose texts hash lowest, in whatever order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from fingerprint.data.arrays import Bools, Hashes, Ints
from fingerprint.data.batches import Batch, Batches
from fingerprint.data.pairing import rank_within
from fingerprint.fingerprints.cells import row_keys
from fingerprint.fingerprints.sketch import Sketch

RowHashes: TypeAlias = dict[str, tuple[Hashes, Hashes]]  # of each shard, half keys of prompts and of texts [rows] each


def row_hashes(found: Batches, sketch: Sketch) -> RowHashes:
    """What `kept_rows` needs of each shard: 16 bytes a row."""
    parts: dict[str, list[tuple[Hashes, Hashes]]] = {}
    for batch in found:
        texts = row_keys(batch.texts, [None] * len(batch))[:, 0]
        parts.setdefault(batch.shard, []).append((sketch.keys(batch)[:, 0], texts))
    return {
        shard: (np.concatenate([part[0] for part in of_shard]), np.concatenate([part[1] for part in of_shard]))
        for shard, of_shard in parts.items()
    }


def kept_rows(hashes: RowHashes, most: int) -> dict[str, Bools]:
    """Whether a row is among the `most` of its prompt, for each shard [rows]."""
    if not hashes:
        return {}
    prompts, texts = (np.concatenate([pair[side] for pair in hashes.values()]) for side in range(2))
    group: Ints = np.unique(prompts, return_inverse=True)[1].astype(np.int64)
    order = np.argsort(texts, kind="stable")
    kept = np.zeros(len(group), dtype=bool)
    kept[order] = rank_within(group[order]) < most
    ends = np.cumsum([len(pair[0]) for pair in hashes.values()])[:-1]
    return dict(zip(hashes, np.split(kept, ends), strict=True))


def kept_of(batch: Batch, kept: Mapping[str, Bools] | None) -> Bools | None:
    """Which rows of a batch are kept; None for all.

    Raises
    ------
    ValueError
        If the shard holds other rows than when it was first read.
    """
    if kept is None:
        return None
    found = kept.get(batch.shard, np.zeros(0, dtype=bool))[batch.first_row : batch.first_row + len(batch)]
    if len(found) != len(batch):
        raise ValueError(f"{batch.shard} must stay as it is while it is read twice, got other rows; run it again")
    return found
