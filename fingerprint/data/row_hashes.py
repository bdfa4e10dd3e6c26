"""Hashes of many rows at once: those of `digests.number_of`, compiled where rows are of plain characters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Bytes, Hashes, Ints
from fingerprint.data.pairing import RowKeys


@dataclass(frozen=True)
class Strings:
    """Strings, some of which may be missing, beside their bytes.

    Attributes
    ----------
    values : sequence of str or None
    """

    values: Sequence[str | None]

    @cached_property
    def encoded(self) -> tuple[Bytes, Ints]:
        """All bytes one after another, and where each string begins [strings + 1]."""
        found = [b"" if value is None else value.encode("utf-8", "surrogatepass") for value in self.values]
        at = np.zeros(len(found) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, found), dtype=np.int64, count=len(found)), out=at[1:])
        return np.frombuffer(b"".join(found) or b"\0", dtype=np.uint8), at

    @cached_property
    def known(self) -> Bools:
        """Which are there [strings]."""
        return np.array([value is not None for value in self.values], dtype=bool)

    @cached_property
    def plain(self) -> Bools:
        """Which are there, and shown by `repr` as they are [strings]."""
        from fingerprint.data.blake2 import plain

        return np.asarray(self.known & plain(*self.encoded))


def hashes(
    pieces: tuple[str, str, str],
    first: Strings,
    second: Strings | None,
    rows: Ints,
    shown: Callable[[int], tuple[object, ...]],
    size: int = 8,
) -> Hashes:
    """Digests [rows, size / 8] of some rows, by what `repr` shows of them.

    Parameters
    ----------
    pieces : three str
        What `repr` shows before the first string of a row, between both and after the second.
    first, second : Strings
        The strings of all rows.
    rows : int array [rows]
        Which rows.
    shown : callable
        What is shown of a row: for those whose strings are not plain.
    """
    from fingerprint.data.blake2 import digests_of_strings

    plain = first.plain[rows] if second is None else first.plain[rows] & second.plain[rows]
    found = np.empty((len(rows), size // 8), dtype=np.uint64)
    nothing = (np.zeros(1, dtype=np.uint8), np.zeros(len(first.values) + 1, dtype=np.int64))
    around = (pieces[0].encode(), pieces[1].encode(), pieces[2].encode())
    quick, slow = rows[plain], rows[~plain]
    if len(quick):
        more = nothing if second is None else second.encoded
        found[plain] = digests_of_strings(around, first.encoded, more, quick, size)
    if len(slow):
        content = b"".join(digests.digest(repr(shown(row)), size) for row in slow.tolist())
        found[~plain] = np.frombuffer(content, dtype=">u8").reshape(len(slow), -1)
    return found


class CompiledRowKeys(RowKeys):
    """The same keys, compiled."""

    def __init__(self, owner: str, below: int = 1 << 64) -> None:
        super().__init__(owner, below)
        self._prompts = self._texts = Strings(())

    def _strings(self, values: Sequence[str | None]) -> Strings:
        """The strings with what is known of them already, where these were the last."""
        return next((known for known in (self._texts, self._prompts) if known.values is values), Strings(values))

    def first_keys(self, prompts: Sequence[str | None], texts: Sequence[str], known: Bools) -> Hashes:
        self._prompts, self._texts = self._strings(prompts), self._strings(texts)
        found = np.empty(len(texts), dtype=np.uint64)
        with_prompt, without = np.flatnonzero(known), np.flatnonzero(~known)
        found[known] = hashes(("('", "',)", ""), self._prompts, None, with_prompt, lambda row: (prompts[row],))[:, 0]
        found[~known] = hashes(
            ("(None, '", "', 0)", ""), self._texts, None, without, lambda row: (None, texts[row], 0)
        )[:, 0]
        return found

    def row_keys(self, prompts: Sequence[str | None], texts: Sequence[str], rows: Ints) -> Hashes:
        pieces = ("('", "', '", "', 0)")
        return hashes(pieces, self._prompts, self._texts, rows, lambda row: (prompts[row], texts[row], 0))[:, 0]

    def alone_keys(self, texts: Sequence[str], rows: Ints, occurrence: Ints) -> Hashes:
        found = np.empty(len(rows), dtype=np.uint64)
        once = occurrence == 0
        pieces = ("('", f"', 0, {self.owner!r})", "")
        found[once] = hashes(pieces, self._texts, None, rows[once], lambda row: (texts[row], 0, self.owner))[:, 0]
        found[~once] = super().alone_keys(texts, rows[~once], occurrence[~once])
        return found

    def sum_of_rows(
        self, texts: Sequence[str], prompts: Sequence[str | None], systems: Sequence[str | None]
    ) -> int:
        """What `fingerprint.data.corpus.sum_of_rows` gives."""
        first, second = self._strings(texts), self._strings(prompts)
        known, plain = second.known, np.array([system is None for system in systems], dtype=bool)
        total = 0

        def shown(row: int) -> tuple[object, ...]:
            return texts[row], prompts[row], systems[row]

        for rows, pieces, more in (
            (np.flatnonzero(plain & known), ("('", "', '", "', None)"), second),
            (np.flatnonzero(plain & ~known), ("('", "', None, None)", ""), None),
        ):
            total += _sum(hashes(pieces, first, more, rows, shown, 16))
        return total + digests.sum_of(shown(row) for row in np.flatnonzero(~plain).tolist())


def _sum(words: Hashes) -> int:
    """Sum of numbers of two words each [rows, 2]."""
    high, low = (words >> np.uint64(32)).sum(axis=0), (words & np.uint64(2**32 - 1)).sum(axis=0)
    first, second = (int(high[k]) * (1 << 32) + int(low[k]) for k in (0, 1))
    return first * (1 << 64) + second
