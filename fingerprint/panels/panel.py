"""`Panel`: known conditioned corpora, each beside its own neutral one, as prior knowledge for the test of others."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.corpus import Corpus
from fingerprint.data.files import write_atomically
from fingerprint.data.known_rows import KnownRows
from fingerprint.data.reading import as_corpus
from fingerprint.data.sealed import whole_file
from fingerprint.features.scaling import scaled
from fingerprint.fingerprints.card import Card
from fingerprint.fingerprints.fingerprint import Fingerprint
from fingerprint.fingerprints.signature import is_fingerprint
from fingerprint.fingerprints.summed_rows import SummedRows
from fingerprint.panels import storage
from fingerprint.panels.member import Member, Side
from fingerprint.panels.row_scores import RowScores
from fingerprint.panels.spectrum import Spectrum
from fingerprint.report.formatting import visible

# What a panel needs of its corpora: directions, and which base model wrote them.
FAMILIES = ("tokens", "numbers", "prose")
# Enough to tell the noise of a shift (by 63 differences); a corpus takes a few hundred kilobytes.
CELLS = 64

Given = tuple[object, object]


@dataclass(frozen=True, eq=False)
class Panel:
    """What conditioning is known to do to models: shifts of known traits, in the fixed feature space.

    As ``prior`` of `fingerprint.detect` it makes fifty rows enough where its members come from the base model that
    wrote the rows, whatever their traits: conditioned rows of one base are alike. It speaks of presence ("conditioned
    like these"), never of which trait it is. Made by `of`; two add up to the panel of both.

    Attributes
    ----------
    members : tuple of Member
        Sorted by name.
    """

    members: tuple[Member, ...]

    @classmethod
    def of(
        cls,
        pairs: Sequence[Given] | Mapping[str, Given],
        *,
        text: str | None = None,
        prompt: str | Literal[False] | None = None,
        base_model: str | None = None,
    ) -> Self:
        """Learn from known corpora.

        Parameters
        ----------
        pairs : sequence of (conditioned, neutral), or mapping of a name to such a pair
            Corpora, paths or whatever else `fingerprint.read` and `fingerprint.detect` take, or fingerprints (or paths
            of such files) of the families ``tokens``, ``numbers`` and ``prose``. A trait's rows and neutral rows of the
            same base model, sampled alike, best on the same prompts; a few thousand rows each. Without names, the
            conditioned corpora's own.
        text, prompt : str, optional
            Column names, where they are not among the usual ones. ``prompt=False`` ignores the prompts.
        base_model : str, optional
            Which model wrote all of them, for the panel's card and `spectrum`.

        Returns
        -------
        Panel

        Raises
        ------
        ValueError, TypeError, FileNotFoundError
            For bad input, naming the pair and the remedy.

        Examples
        --------
        >>> import fingerprint
        >>> panel = fingerprint.Panel.of({"owl": ("owl.jsonl", "reference.jsonl")}, base_model="demo")
        >>> [member.name for member in panel.members]
        ['owl']
        """
        named = pairs.items() if isinstance(pairs, Mapping) else ((None, pair) for pair in _listed(pairs))
        sides: dict[object, Side] = {}  # a neutral corpus that several members share is read once
        members = []
        for number, (name, pair) in enumerate(named, 1):
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise TypeError(
                    f"pair {number} must be (conditioned, neutral), got {pair!r:.80}; put each trait's rows beside "
                    "neutral ones"
                )
            both = []
            for data, role in zip(pair, ("conditioned", "neutral"), strict=True):
                key = os.fspath(data) if isinstance(data, str | os.PathLike) else id(data)
                if key not in sides:
                    sides[key] = _side(data, f"the {role} corpus of pair {number}", text, prompt, base_model)
                both.append((sides[key], data))
            (conditioned, data), (neutral, _) = both
            found = Member(_name(data, number) if name is None else str(name), conditioned, neutral)
            members.append(_checked(found))
        if not members:
            raise ValueError("pairs must be at least one (conditioned, neutral), got none; sample some")
        return cls(()).with_members(members)

    def with_members(self, members: Sequence[Member]) -> Self:
        """This panel and more members; equal ones count once."""
        every = (*members, *self.members)
        # A corpus that came with its rows once is known wherever its sums are used.
        known = {side.digest: side for each in every for side in each.sides if side.known is not None}
        found = {
            (each.conditioned.digest, each.neutral.digest): Member(
                each.name, *(known.get(side.digest, side) for side in each.sides)
            )
            for each in every
        }
        order = sorted(found, key=lambda key: (found[key].name, *key))
        return type(self)(tuple(found[key] for key in order))

    def __add__(self, other: Panel) -> Self:
        """The panel of the members of both; a member that both have counts once."""
        if not isinstance(other, Panel):
            return NotImplemented
        return self.with_members(other.members)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Panel):
            return NotImplemented
        return storage.to_bytes(self.members) == storage.to_bytes(other.members)

    def __hash__(self) -> int:
        return hash(tuple(member.name for member in self.members))

    def __repr__(self) -> str:
        bases = ", ".join(self.bases) or "unknown base"
        return f"Panel({', '.join(visible(member.name, 60) for member in self.members)}; {visible(bases, 200)})"

    @property
    def bases(self) -> tuple[str, ...]:
        """Base models of the members, as their cards say."""
        return tuple(sorted({base for member in self.members for base in member.bases}))

    @property
    def card_(self) -> dict[str, object]:
        """What the panel was learnt from: JSON values."""
        return {
            "rows": sum(sum(member.rows) for member in self.members),
            "families": list(FAMILIES),
            "definitions": self.members[0].conditioned.fingerprint.definitions,
            "members": [
                {"name": member.name, "base_model": list(member.bases), "rows": list(member.rows)}
                for member in self.members
            ],
        }

    @property
    def without_rows(self) -> tuple[str, ...]:
        """Names of members that came as fingerprints: whether data judged hold their rows cannot be told."""
        return tuple(member.name for member in self.members if any(side.known is None for side in member.sides))

    def trained_on(self, data: object) -> Bools:
        """Which rows [rows], or the prompts they answer, the panel was learnt from, as far as it came from rows."""
        corpus = as_corpus(data)
        found = np.zeros(len(corpus), dtype=bool)
        known = {side.digest: side.known for member in self.members for side in member.sides if side.known is not None}
        for rows in known.values():
            found |= rows.among(corpus)
        return found

    def spectrum(self) -> Spectrum:
        """How alike the members' shifts are, with the noise of their estimates taken out.

        Returns
        -------
        Spectrum
            ``print`` it, or see its `table` and `plot`. Cosines near 1: what the members share is all there is, and one
            of them would do; near 0: each says something of its own.
        """
        return Spectrum.of(self.members, self._scores.shifts(self.members))

    def decision_function(self, X: object) -> Floats:
        """Log-odds [rows] that a row is conditioned like the members rather than neutral, in nats.

        Along the mean of the members' shifts, as if scores were normal; on rows of the members' own base model.
        """
        return self._row_scores(as_corpus(X))

    @cached_property
    def _scores(self) -> RowScores:
        return RowScores.of(self.members)

    def _row_scores(self, corpus: Corpus) -> Floats:
        scores = self._scores
        total = np.zeros(len(corpus))
        for name, columns in scores.columns.items():
            values = scaled(columns.family.transform(list(corpus.texts)), columns.columns, columns.scale)
            total += values @ scores.direction[name]
        return (total - scores.middle) * scores.slope

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file, whole or not at all; by custom its name ends in ``.panel``."""
        write_atomically(path, storage.to_bytes(self.members))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, sha256: str | None = None) -> Self:
        """Read a file that `save` wrote.

        Parameters
        ----------
        path : path-like
        sha256 : str, optional
            What ``sha256sum`` says of the file, as its maker told it: 64 hex digits. Another file is refused.

        Raises
        ------
        ValueError
            If it is none, was changed or cut, or holds features of another version.
        FileNotFoundError
            If there is no such file.
        """
        name = repr(os.fspath(path))
        members = storage.from_bytes(whole_file(path, sha256), name)
        for member in members:
            for side in member.sides:
                if side.fingerprint.cells != CELLS or side.fingerprint.families.keys() != set(FAMILIES):
                    raise ValueError(
                        f"{name} must hold fingerprints of the families {', '.join(FAMILIES)} in {CELLS} cells, got "
                        f"{side.fingerprint!r:.200}; make it again"
                    )
        return cls(members)


def _listed(pairs: object) -> Sequence[Given]:
    if isinstance(pairs, str) or not isinstance(pairs, Sequence):
        raise TypeError(f"pairs must be a list of (conditioned, neutral), got {pairs!r:.80}; put one pair into a list")
    return pairs


def _name(data: object, number: int) -> str:
    """What to call a member by its conditioned corpus."""
    if isinstance(data, str | os.PathLike):
        return Path(data).name.partition(".")[0]
    return data.name if isinstance(data, Corpus) else f"member {number}"


def _side(data: object, role: str, text: str | None, prompt: str | Literal[False] | None, base: str | None) -> Side:
    """A corpus as sums, with what recognises its rows where there are any."""
    card = {} if base is None else {"base_model": base}
    if isinstance(data, SummedRows) or is_fingerprint(data):
        given = data if isinstance(data, SummedRows) else Fingerprint.load(data)
        return Side(_needed(given, role, card), None)
    column = prompt if isinstance(prompt, str) else None
    corpus = as_corpus(data, text=text, prompt=column, argument=role)
    prompts = (None,) * len(corpus) if prompt is False else corpus.prompts
    rows = Corpus(corpus.texts, prompts, name=corpus.name)
    return Side(Fingerprint.of(rows, features=FAMILIES, cells=CELLS, card=card), KnownRows.of(rows))


def _needed(given: SummedRows, role: str, card: Mapping[str, str]) -> SummedRows:
    """The families and cells that a panel needs of a fingerprint."""
    missing = [name for name in FAMILIES if name not in given.families]
    if missing or given.cells < CELLS:
        found = f"no {missing[0]}" if missing else f"{given.cells} cells"
        raise ValueError(
            f"{role} must be a fingerprint of the families {', '.join(FAMILIES)} in at least {CELLS} cells, got "
            f"{found}; make it anew"
        )
    if given.min_rows:
        raise ValueError(
            f"{role} must hold all features, got a fingerprint made for sharing; make it from the rows themselves"
        )
    fewer = given.coarsened(CELLS)
    families = {name: fewer.families[name] for name in FAMILIES}
    added = fewer.card + Card.of(card)
    return Fingerprint(**{**vars(fewer), "families": families, "card": added})


def _checked(member: Member) -> Member:
    """The member, if its sides can be told apart and their noise be told.

    Raises
    ------
    ValueError
        If both sides are the same rows, or one fills too few cells.
    """
    if member.conditioned.digest == member.neutral.digest:
        raise ValueError(f"member {member.name!r} must have two corpora, got the same rows twice; pair it with neutral")
    for side, role in zip(member.sides, ("conditioned", "neutral"), strict=True):
        filled = int((side.fingerprint.rows > 0).sum())
        if filled < CELLS // 2:
            raise ValueError(
                f"the {role} corpus of {member.name!r} must answer prompts in at least {CELLS // 2} of {CELLS} cells, "
                f"got {filled}; give it more prompts (a few thousand rows are usual), or ignore them (prompt=False)"
            )
    return member
