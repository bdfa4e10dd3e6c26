"""How far the sums and scores of all rows have come, kept as a whole: work that is killed goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import cast

from fingerprint.data import digests
from fingerprint.data.arrays import Floats, Ints
from fingerprint.detection.block_sums import BlockSums
from fingerprint.detection.journal import Journal, packed, unpacked
from fingerprint.detection.row_scores import Ends, ScoredRow

_STEP, _PROGRESS, _FAMILY, _SCORES = "sums", "progress", "family ", "scores "


@dataclass
class KeptSums:
    """Where the pass over all rows stands.

    Attributes
    ----------
    journal : Journal or None
        Where it is kept; None where it is not.
    sums, ends, scores
        What the pass fills: `scores` [rows] of either side, empty where there are none.
    spans : pair of dicts
        Of either side, by shard the indices of its first row and of the one after its last among all of the side.
    digest : str
        Equal where rows go to the same blocks and are scored alike.
    done : set of str
        Shards of the side that is gone through, that are in the sums.
    """

    journal: Journal | None
    sums: BlockSums
    ends: Ends
    scores: tuple[Floats, Floats]
    spans: tuple[Mapping[str, tuple[int, int]], Mapping[str, tuple[int, int]]]
    digest: str
    done: set[str] = field(default_factory=set)
    _side: int = -1
    _is_found: bool = False
    _unwritten: list[str] = field(default_factory=list)

    def find(self) -> None:
        """Go on from what is kept, if anything is."""
        found = {} if self.journal is None else self.journal.found(_STEP, self.digest)
        if _PROGRESS not in found:
            return
        facts, _ = unpacked(found[_PROGRESS])
        self._side, self._is_found, self.done = facts["side"], True, set(facts["done"])
        self.sums.rows, self.sums.characters = facts["rows"], facts["characters"]
        for kept, rows in ((self.ends.highest, facts["highest"]), (self.ends.lowest, facts["lowest"])):
            kept[:] = [ScoredRow(*row) for row in rows]
        for name in self.sums.families:
            _, arrays = unpacked(found[_FAMILY + name])
            self.sums.restore(name, {part: cast("Ints", array) for part, array in arrays.items()})
        for name, content in found.items():
            if name.startswith(_SCORES):
                side, shard = json.loads(name.removeprefix(_SCORES))
                first, last = self.spans[side][shard]
                self.scores[side][first:last] = cast("Floats", unpacked(content)[1]["scores"])

    def begins(self, side: int) -> bool:
        """Whether there is anything to do of a side, which begins or goes on."""
        if side < self._side:
            return False
        if not self._is_found:
            self.sums.begin()
            self._side, self.done = side, set()
        self._is_found = False
        return True

    def note(self, shards: Sequence[str]) -> None:
        """Count shards as done: the sums hold them, and no row of any other."""
        self.done.update(shards)
        self._unwritten += shards
        if self.journal is not None and self.journal.is_due:
            self.write()

    def write(self) -> None:
        """Keep what is done, in one step."""
        if self.journal is not None and self._unwritten:
            self.journal.keep(_STEP, self.digest, self._parts(), self._unwritten)
            self._unwritten = []

    def _parts(self) -> Iterator[tuple[str, bytes]]:
        facts = {
            "side": self._side,
            "done": sorted(self.done),
            "rows": self.sums.rows,
            "characters": self.sums.characters,
            "highest": self.ends.highest,
            "lowest": self.ends.lowest,
        }
        yield _PROGRESS, packed(facts, {})
        for name in self.sums.families:
            yield _FAMILY + name, packed({}, self.sums.state(name))
        scores = self.scores[self._side]
        for shard in self._unwritten if len(scores) else ():
            span = slice(*self.spans[self._side][shard])
            yield _SCORES + json.dumps([self._side, shard]), packed({}, {"scores": scores[span]})


def sums_digest(
    families: Mapping[str, object], blocks: Sequence[Ints], scores: Sequence[Floats], arrays: Sequence[Floats]
) -> str:
    """Digest of all that sums and scores of rows hang on, beside the rows: families by what `repr` shows of them."""
    named = json.dumps([[name, repr(family)] for name, family in families.items()])
    parts = (array.tobytes() for array in (*blocks, *scores, *arrays))
    return digests.hex_digest_of_parts(chain([named.encode()], parts), 16)
