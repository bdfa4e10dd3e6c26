"""Families of hashed columns: rows read in batches and threads, by compiled code or by the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fingerprint.data.arrays import Bools, Hashes, Ints
from fingerprint.features.characters import KIND, character_flags
from fingerprint.features.compiled import compiled, in_threads, n_threads
from fingerprint.features.counted import PieceCounts
from fingerprint.features.hashing import CONSTANTS, hash_runs, mix
from fingerprint.features.segments import Segments, characters

COMPILE_SECONDS = 2.5  # of one kernel; `python benchmarks/speed.py features`
# Characters that a thread reads at once: some 20 MB of entries of a sparse matrix.
BATCH = 2**18
# A row of n characters has at most n runs of each order: of 1 to 5 characters, and of 1 to 3 tokens.
RUNS_PER_CHARACTER = 8


class Runs(NamedTuple):
    """Pieces of text that are hashed: column and hash of each, and its first and last place + 1 in the joined rows."""

    column: Ints
    hashed: Hashes
    start: Ints
    end: Ints

    def where(self, which: Bools | slice) -> Runs:
        """Some of them."""
        return Runs(self.column[which], self.hashed[which], self.start[which], self.end[which])


class Kernels(NamedTuple):
    """Compiled loops of a family; see `fingerprint.features.kernels.hashed`."""

    fill: Callable[..., None]
    add: Callable[..., None]
    find: Callable[..., int]


@dataclass(frozen=True)
class TokenRows:
    """Rows as the reference reads them.

    Attributes
    ----------
    characters, tokens : Segments
        How many of each a row has.
    signs : uint64 array [characters]
        Mixed code points.
    hashed : uint64 array [tokens]
    start, end : int array [tokens]
        Where tokens lie in the joined rows.
    """

    characters: Segments
    tokens: Segments
    signs: Hashes
    hashed: Hashes
    start: Ints
    end: Ints


@cache
def kinds() -> NDArray[np.uint8]:
    """Kind of every code point [0x110000], as tokens see it."""
    return character_flags() & np.uint8(KIND)


def token_rows(texts: Sequence[str]) -> TokenRows:
    """Cut rows where the kind of character changes, and hash what lies between."""
    segments, codes = characters(texts)
    kind = kinds()[codes]
    is_last = np.ones(len(codes), dtype=bool)
    is_last[:-1] = kind[1:] != kind[:-1]
    is_last[np.cumsum(segments.counts)[segments.counts > 0] - 1] = True
    end = np.flatnonzero(is_last) + 1
    signs = mix(codes.astype(np.uint64))
    start = np.concatenate([[0], end])[: len(end)]
    return TokenRows(segments, segments.where(is_last), signs, hash_runs(signs, end), start, end)


def batches(texts: Sequence[str]) -> list[slice]:
    """Rows in runs of about `BATCH` characters, and of `BATCH` rows at most."""
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + 1
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // BATCH, prepend=0)).tolist()
    return [slice(first, last) for first, last in zip([0, *cuts], [*cuts, len(texts)], strict=True) if first < last]


class HashedFamily(PieceCounts):
    """Counts of hashed pieces of text. A subclass brings `reference`, `runs` and the kernels that equal them."""

    reference_speed: float  # characters a second

    def reference(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Counts of each row, int64 [rows, counts], without compiled code."""
        raise NotImplementedError

    def runs(self, texts: Sequence[str]) -> Runs:
        """Every hashed piece of the rows, without compiled code."""
        raise NotImplementedError

    def kernels(self) -> Kernels:
        """What equals both, compiled."""
        raise NotImplementedError

    def _compiled(self, task: str, texts: Sequence[str]) -> bool:
        name = f"hashed.{task}_{type(self).__name__.lower()}"
        return compiled(name, texts, compile_seconds=COMPILE_SECONDS, reference_speed=self.reference_speed)

    def counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        return self._counts_in(np.int64, texts)

    def single_counts(self, texts: Sequence[str]) -> sp.csr_matrix:
        return self._counts_in(np.float32, texts)

    def _counts_in(self, dtype: type[np.generic], texts: Sequence[str]) -> sp.csr_matrix:
        """The counts in a type of numbers: batches are turned into it before they are put together."""
        is_compiled, parts = self._compiled("fill", texts), batches(texts)

        def read(part: int) -> sp.csr_matrix:
            rows = texts[parts[part]]
            return self._filled(rows, dtype) if is_compiled else self.reference(rows).astype(dtype, copy=False)

        found = in_threads(read, len(parts))
        if len(found) == 1:
            return found[0]
        return sp.vstack([sp.csr_matrix((0, self.n_counts), dtype=dtype), *found], format="csr")

    def _filled(self, texts: Sequence[str], dtype: type[np.generic]) -> sp.csr_matrix:
        segments, codes = characters(texts)
        room = int(np.minimum(segments.counts * RUNS_PER_CHARACTER, self.n_counts).sum())
        indices, data = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int64)
        indptr = np.zeros(len(texts) + 1, dtype=np.int64)
        self.kernels().fill(*self._read_by_kernels(segments, codes), indptr, indices, data)
        used = int(indptr[-1])
        entries = data[:used].astype(dtype), indices[:used].copy(), indptr.astype(np.int32)
        matrix = sp.csr_matrix(entries, shape=(len(texts), self.n_counts))
        matrix.has_canonical_format = True  # columns rise within each row
        return matrix

    def _read_by_kernels(self, segments: Segments, codes: NDArray[np.uint32]) -> tuple[object, ...]:
        """What every kernel is given of some rows and this family."""
        return codes, np.cumsum(segments.counts), kinds(), CONSTANTS, self.n_counts, self.unit

    def add_sums(self, texts: Sequence[str], block: Ints, sums: Ints, squares: Ints) -> None:
        used = np.flatnonzero(block >= 0)
        used = used[np.argsort(block[used], kind="stable")]  # the sums of a block then stay in the processor's cache
        chosen, block = [texts[row] for row in used.tolist()], block[used]
        if not self._compiled("add", chosen):
            for part in batches(chosen):
                self.add_counts(self.reference(chosen[part]), block[part], sums, squares)
            return
        spans = _whole_blocks(block, n_threads())

        def add(span: int) -> Ints:
            own = np.zeros_like(squares)
            rows, of = chosen[spans[span]], block[spans[span]]
            for part in batches(rows):
                read = self._read_by_kernels(*characters(rows[part]))
                self.kernels().add(*read, of[part], self.squares_shift, sums, own)
            return own

        for own in in_threads(add, len(spans)):
            squares += own

    def _pieces(self, columns: Ints) -> dict[int, str]:
        """The most frequent piece of text of each column in the pooled rows (ties: the first, and the shortest)."""
        is_wanted = np.zeros(self.n_counts, dtype=bool)
        is_wanted[columns] = True
        find = self._found if self._compiled("find", self.texts_) else self._found_by_reference
        counts: dict[int, int] = {}
        pieces: dict[int, tuple[int, str]] = {}
        for part in batches(self.texts_):
            rows = self.texts_[part]
            found, joined = find(rows, is_wanted), "".join(rows)
            order = np.lexsort((found.end, found.start))
            _, first, times = np.unique(found.hashed[order], return_index=True, return_counts=True)
            for at in np.argsort(first, kind="stable").tolist():
                run = order[first[at]]
                hashed = int(found.hashed[run])
                if hashed not in counts:
                    pieces[hashed] = int(found.column[run]), joined[found.start[run] : found.end[run]]
                counts[hashed] = counts.get(hashed, 0) + int(times[at])
        best: dict[int, str] = {}
        for hashed in sorted(counts, key=lambda hashed: -counts[hashed]):
            column, piece = pieces[hashed]
            best.setdefault(column, piece)
        return best

    def _found_by_reference(self, texts: Sequence[str], is_wanted: Bools) -> Runs:
        runs = self.runs(texts)
        return runs.where(is_wanted[runs.column])

    def _found(self, texts: Sequence[str], is_wanted: Bools) -> Runs:
        segments, codes = characters(texts)
        room = len(codes) * RUNS_PER_CHARACTER
        column, start, end = (np.empty(room, dtype=np.int64) for _ in range(3))
        found = Runs(column, np.empty(room, dtype=np.uint64), start, end)
        n = self.kernels().find(*self._read_by_kernels(segments, codes), is_wanted, *found)
        return found.where(slice(n))


def _whole_blocks(block: Ints, most: int) -> list[slice]:
    """At most so many runs of rows of about equal length; rows of one block (ascending) stay together."""
    ideal = block[(np.arange(1, most) * len(block)) // most] if len(block) else block
    cuts = [0, *np.unique(np.searchsorted(block, ideal)).tolist(), len(block)]
    return [slice(first, last) for first, last in pairwise(cuts) if first < last]
