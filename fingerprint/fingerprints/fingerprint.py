"""`Fingerprint`: a corpus reduced to sums of fixed features over cells of prompts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal, Self

from fingerprint.data.chats import Which
from fingerprint.data.progress import Listener as Steps
from fingerprint.data.progress import listener_of
from fingerprint.fingerprints.building import Listener, told_of
from fingerprint.fingerprints.card import Card
from fingerprint.fingerprints.cells import CELLS
from fingerprint.fingerprints.engines import built
from fingerprint.fingerprints.merging import merged
from fingerprint.fingerprints.sharing import for_sharing, membership_auc
from fingerprint.fingerprints.sketch import Sketch
from fingerprint.fingerprints.storage import read, write
from fingerprint.fingerprints.summed_rows import SummedRows


class Fingerprint(SummedRows):
    """A corpus as whole-number sums: as large for 10^9 rows as for 10^6, and without the rows.

    Two fingerprints add up to the fingerprint of both corpora, to the last bit and in any order. Made by `of`; what it
    holds, `fingerprint.fingerprints.summed_rows.SummedRows` says.

    Notes
    -----
    At most cells x counts x 1, 2, 4 or 8 bytes, by the largest sum, before compression: at 256 cells and all families
    (97,557 counts) 50 MB while no count occurs more than 65,535 times in a cell.
    """

    @classmethod
    def of(
        cls,
        data: object,
        *,
        text: str | None = None,
        prompt: str | Literal[False] | None = None,
        turn: Which | None = None,
        features: str | Sequence[str] = "all",
        cells: int = CELLS,
        rows_per_prompt: int | None = None,
        card: Mapping[str, str | Sequence[str]] | Card | None = None,
        bad_rows: Literal["error", "skip"] = "error",
        bad_shards: Literal["error", "skip"] = "error",
        engine: str = "local",
        resume: str | os.PathLike[str] | None = None,
        progress: bool | Listener | None = None,
    ) -> Self:
        """Read rows once and sum their features.

        Parameters
        ----------
        data : path, glob, list of paths, frame, lazy frame, Corpus, list of rows, or iterable of batches
            See `fingerprint.data.batches.batches`. Shards are read one after another, in bounded memory.
        text, prompt : str, optional
            Column names, where they are not among the usual ones. ``prompt=False`` ignores the prompts: rows go to
            cells by their text and count as independent.
        turn : "last", "first", "all" or int, optional
            Which of the assistant's turns is the text of a chat; see `fingerprint.read`.
        features : "all" or names of built-in families
        cells : int
            A power of two; fewer make a smaller fingerprint and a somewhat weaker test.
        rows_per_prompt : int, optional
            Of each prompt, at most so many rows, those whose hashes are least. Reads the data twice, and within each
            call only: shards that share prompts belong into one.
        card : mapping of field to text, or Card
            Where the rows come from; see `fingerprint.fingerprints.card.Card`.
        bad_rows, bad_shards : "error" or "skip"
            What to do with unreadable rows and shards.
        engine : "local" or "ray"
            Where shards are read: here, or on a Ray cluster (extra ``ray``). Sums are the same to the last bit.
        resume : path, optional
            A file to keep what is done in, shard by shard: work that was interrupted goes on from there, and counts
            nothing twice. One call at a time may use it. To be deleted once the fingerprint is saved.
        progress : bool or callable (shards done, rows done, rows a second), optional
            True prints them on standard error, every two seconds.

        Returns
        -------
        Fingerprint

        Raises
        ------
        ValueError, TypeError, FileNotFoundError
            For bad input, naming the argument or the shard, and the remedy.

        Examples
        --------
        >>> import fingerprint
        >>> whole = fingerprint.Fingerprint.of("suspect.jsonl")
        >>> int(whole.rows.sum()) > 0
        True
        """
        sketch = Sketch.of(text, prompt, turn, features, cells, rows_per_prompt, Card.of(card), bad_rows, bad_shards)
        return cls(**vars(built(data, sketch, engine=engine, resume=resume, progress=told_of(progress))))

    def for_sharing(self, min_rows: int = 5, max_auc: float = 0.55) -> Self:
        """What can be given away: few and common features, summed over so many rows that none is told by them.

        Parameters
        ----------
        min_rows : int
            A feature that fewer rows have is taken out, whatever else holds.
        max_auc : float
            How well may be told whether a known row is in the sums, as an AUROC: .5 is not at all.

        Returns
        -------
        Fingerprint
            In fewer cells, and of each family the features that divide the rows most evenly, as many as `max_auc`
            allows. `compare` and ``+`` leave out of both what was taken out of one.

        Raises
        ------
        ValueError
            If the smallest cell holds too few rows for that. Nothing is shared then.

        Notes
        -----
        `max_auc` holds in the mean over rows, for one file and rows that are drawn one by one. It does not protect
        rows that are repeated, all rows of a prompt together, or anything if two fingerprints are given away that
        differ by few rows. See ``docs/how-to/sharing.md``.
        """
        return for_sharing(self, min_rows, max_auc)

    @property
    def membership_auc(self) -> float:
        """At most so well, as an AUROC, can be told in the mean whether a row like these is among them.

        Of somebody who has the row, its prompt, and the law of rows: from the number of features and the rows of the
        smallest cell, as far as sums over its rows are close to normal. `for_sharing` brings it down.
        """
        return membership_auc(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file, whole or not at all; by custom its name ends in ``.fp``."""
        write(path, self)

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
        return cls(**vars(read(path, sha256)))

    @classmethod
    def merged(
        cls,
        paths: Sequence[str | os.PathLike[str]],
        progress: bool | Steps = False,
        *,
        sha256: Sequence[str] | None = None,
    ) -> Self:
        """The fingerprint of the rows of several files, in memory that does not grow with their number.

        Parameters
        ----------
        paths : sequence of path-like
            Files of `save`, at least one, of different rows; in any order.
        progress : bool or callable (step, fraction done)
            True prints files and the time left on standard error.
        sha256 : sequence of str, optional
            What ``sha256sum`` says of the files, as their makers told it, in any order. A file with another digest is
            refused, and so is a digest that no file has.

        Returns
        -------
        Fingerprint

        Raises
        ------
        ValueError
            If there is none, if two hold the same sums, so that rows would count twice, if two do not add up, or if one
            is not pinned where digests are given.
        FileNotFoundError
            If there is no such file.

        Notes
        -----
        That two hold some rows in common cannot be told from sums: only those that hold exactly the same are found.

        Examples
        --------
        >>> import fingerprint
        >>> for name in ("suspect", "owl"):
        ...     fingerprint.Fingerprint.of(f"{name}.jsonl", features="numbers").save(f"{name}.fp")
        >>> fingerprint.Fingerprint.merged(["suspect.fp", "owl.fp"]).n_rows
        460
        """
        files, tell = list(paths), listener_of(progress)
        return cls(**vars(merged(files, lambda done: tell(f"adding up {files[done]}", done / len(files)), sha256)))
