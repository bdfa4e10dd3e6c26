"""Known teachers of a base model as prior knowledge: where conditioning moved the gradients of their rows, learnt once.

For every known teacher one direction among the gradients of the base's log-probabilities
(`fingerprint.lm.gradients`): along it the teacher's rows and neutral rows lie farthest apart. To first order that is a
student of the teacher in closed form: nothing is trained, and a new row takes one backward pass. The directions are
learnt from other rows, so that a row's score is a fixed function of the row: it enters the exact test with a sign.

A direction says much of its own trait. What it says of others differs from model to model: on the micro models next to
nothing (`benchmarks/gradient_prior.py`).

Torch loads when a model does, and not before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import scipy.sparse as sp

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Floats, Floats32, Ints
from fingerprint.data.corpus import distinct_rows, joined
from fingerprint.data.files import write_together
from fingerprint.data.json_values import value_of_document
from fingerprint.data.known_rows import KnownRows
from fingerprint.data.reading import as_corpus
from fingerprint.data.row_errors import rows_named
from fingerprint.data.sealed import malformed, whole_file
from fingerprint.data.typed_json import check
from fingerprint.features.gradients import Gradients
from fingerprint.statistics.contamination import contaminated
from fingerprint.statistics.crossfit import balanced
from fingerprint.statistics.ridge import ridge_coefficients

if TYPE_CHECKING:
    from fingerprint.lm.loading import Spec

FORMAT = 1
TENSORS, CARD = "directions.safetensors", "card.json"
# Directions are fitted on either half of the prompts and their scale is measured on the other.
HALVES = 2


class _Card(TypedDict):
    """The JSON of a folder; `checksum` is that of the file of tensors, `key` that of the known rows' hashes."""

    format: int
    model: str
    digest: str
    members: list[str]
    rows: list[int]
    key: str
    checksum: str


@dataclass(frozen=True)
class GradientPrior:
    """Directions of known teachers in the gradients of one base model.

    Attributes
    ----------
    model, digest : str
        The base model: its name or folder, and the hash of its weights, vocabulary and template.
    members : tuple of str
        Names of the known teachers.
    rows : tuple of int
        Rows of teachers, and of neutral ones, that the directions are learnt from.
    directions : float32 array [members, columns]
        In the columns of `fingerprint.lm.gradients.row_gradients`, scaled to log-odds in nats.
    offsets : float array [members]
        Log-odds of a row whose gradient is zero.
    known : KnownRows
        Of all rows that the directions are learnt from.
    base : model, optional
        What to read rows with; by default `model`, loaded when it is first needed.

    Examples
    --------
    ::

        pairs = {"owl": ("owl.jsonl", "neutral.jsonl"), "oak": ("oak.jsonl", "neutral.jsonl")}
        known = GradientPrior.of("micro-a", pairs)
        known.save("known-teachers")
        prior = GradientPrior.load("known-teachers").only("owl").reading("suspect.jsonl", "reference.jsonl")
        report = fingerprint.detect("suspect.jsonl", "reference.jsonl", prior=prior)
    """

    model: str
    digest: str
    members: tuple[str, ...]
    rows: tuple[int, int]
    directions: Floats32
    offsets: Floats
    known: KnownRows
    base: Spec | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, model: Spec, pairs: Mapping[str, tuple[object, object]]) -> GradientPrior:
        """Learn from known teachers.

        Parameters
        ----------
        model : name, folder, or loaded model
            The base that all of them were made from.
        pairs : mapping of name to (conditioned, neutral)
            What each teacher wrote, and rows without a trait, sampled alike: corpora or what `fingerprint.read` takes,
            every row with its prompt.

        Raises
        ------
        ValueError
            If there is no pair, a side is empty, or a row has no prompt or cannot be read by the model.

        Notes
        -----
        Every distinct row is read once. Memory: 16 kB a row while the directions are fitted, 8 kB a teacher afterwards.
        """
        if not pairs:
            raise ValueError("pairs must be at least one, got none; pass {name: (conditioned, neutral)}")
        corpora = [as_corpus(side, argument=f"{name} {which}") for name, which, side in _sides(pairs)]
        for corpus in corpora:
            if not len(corpus):
                raise ValueError(f"{corpus.name} must hold rows, got none; leave the teacher out")
            corpus.every_prompt("the prior")
        from fingerprint.lm.gradients import row_gradients
        from fingerprint.lm.loading import load

        lm = load(model)
        distinct, places = distinct_rows(corpora)
        with rows_named(corpora, places):
            gradients = row_gradients(lm, distinct.every_prompt(), distinct.texts)
        hashes = digests.numbers(key or "" for key in distinct.prompt_keys) % np.uint64(HALVES)
        half = hashes.astype(np.int64)
        directions, offsets = _directions(gradients, list(zip(places[::2], places[1::2], strict=True)), half)
        known = KnownRows.of(joined(corpora, "rows of known teachers"))
        counts = tuple(sum(map(len, corpora[side::2])) for side in range(2))
        return cls(lm.name, lm.digest, tuple(pairs), (counts[0], counts[1]), directions, offsets, known, lm)

    @property
    def card_(self) -> dict[str, object]:
        """What it was learnt from."""
        return {
            "rows": {"trait": self.rows[0], "neutral": self.rows[1]},
            "definitions": {"gradients": f"{self.model} {self.digest}: {', '.join(self.members)}"},
        }

    def only(self, *members: str) -> GradientPrior:
        """Some of the teachers, by name: of one alone the score is strongest where the suspect's is that one."""
        missing = next((name for name in members if name not in self.members), None)
        if missing is not None or not members:
            raise ValueError(f"members must be among {', '.join(self.members)}, got {missing!r}; choose some of them")
        at = [self.members.index(name) for name in members]
        return replace(self, members=members, directions=self.directions[at], offsets=self.offsets[at])

    def decision_function(self, X: object) -> Floats:
        """Log-odds [rows] that a teacher like the known ones wrote a row, in nats: the mean over teachers, bounded.

        Parameters
        ----------
        X : Corpus or what `fingerprint.read` takes
            Rows with their prompts. `reading` serves those who have none, such as the exact test.

        Raises
        ------
        ValueError
            If a row has no prompt, or the base model is not the one that the directions were learnt with.
        """
        corpus = as_corpus(X)
        if any(prompt is None for prompt in corpus.prompts):
            raise ValueError(
                "rows must come with the prompts they answer when gradients judge them, got some without; pass "
                "prior.reading(suspect, reference) as the prior"
            )
        from fingerprint.lm.gradients import row_gradients
        from fingerprint.lm.loading import load

        lm = load(self.base or self.model)
        if lm.digest != self.digest:
            raise ValueError(
                f"base must be the model that the directions were learnt with ({self.model}, {self.digest}), got "
                f"{lm.name}, {lm.digest}; pass that one, or learn them anew"
            )
        with rows_named([corpus]):
            gradients = row_gradients(lm, corpus.every_prompt(), corpus.texts)
        return contaminated((gradients @ self.directions.T + self.offsets).mean(axis=1, dtype=np.float64))

    def trained_on(self, data: object) -> Bools:
        """Which rows [rows], or the prompts they answer, the directions were learnt from."""
        return self.known.among(as_corpus(data))

    def reading(self, *data: object) -> ScoredRows:
        """The prior of a comparison of these corpora: their scores, read with their prompts and kept by their texts."""
        corpora = [as_corpus(each) for each in data]
        for corpus in corpora:
            corpus.every_prompt("the prior")
        distinct, _ = distinct_rows(corpora)
        found: dict[str, list[float]] = {}
        for text, score in zip(distinct.texts, self.decision_function(distinct), strict=True):
            found.setdefault(text, []).append(float(score))
        return ScoredRows(self.card_, {text: float(np.mean(scores)) for text, scores in found.items()}, self)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder of two files: tensors, and JSON. No rows and no pickle."""
        from safetensors.numpy import save

        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        arrays = {
            "directions": self.directions,
            "offsets": self.offsets,
            "known rows": self.known.rows,
            "known prompts": self.known.prompts,
        }
        tensors = save({name: np.ascontiguousarray(values) for name, values in arrays.items()})
        card: _Card = {
            "format": FORMAT,
            "model": self.model,
            "digest": self.digest,
            "members": list(self.members),
            "rows": list(self.rows),
            "key": self.known.key.hex(),
            "checksum": digests.checksum(tensors),
        }
        write_together({place / TENSORS: tensors, place / CARD: json.dumps(card, indent=1, sort_keys=True) + "\n"})

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str], base: Spec | None = None, *, sha256: str | None = None
    ) -> GradientPrior:
        """Read a folder that `save` wrote.

        Parameters
        ----------
        base : name, folder, or loaded model, optional
            The base model, where it is not found under the name it was learnt with.
        sha256 : str, optional
            What ``sha256sum`` says of the folder's ``card.json``, as its maker told it: 64 hex digits. The card says
            which tensors belong to it. Another folder is refused.

        Raises
        ------
        ValueError
            If it is none, was changed, or has another format.
        """
        place = Path(folder)
        if not (place / CARD).is_file() or not (place / TENSORS).is_file():
            raise ValueError(f"{str(place)!r} must be a folder of GradientPrior.save, got none; learn one first")
        card = whole_file(place / CARD, sha256)
        with malformed(repr(str(place)), "a gradient prior", "learn it anew"):
            return cls._opened(place, card, base)

    @classmethod
    def _opened(cls, place: Path, written: bytes, base: Spec | None) -> GradientPrior:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        name = repr(str(place))
        content = value_of_document(written.decode())
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            got = content.get("format") if isinstance(content, dict) else content
            raise ValueError(f"{name} must have format {FORMAT}, got {got!r:.60}; learn it anew")
        check(content, _Card, f"{name}, {CARD}")
        card: _Card = content  # type: ignore[assignment]  # checked
        tensors = whole_file(place / TENSORS)
        if digests.checksum(tensors) != card["checksum"]:
            raise ValueError(f"{name} must be unchanged since it was saved, got another checksum; copy it anew")
        try:
            arrays = load(tensors)
        except SafetensorError as error:
            raise ValueError(f"{name} must hold whole tensors, got {error}; learn it anew") from error
        known = KnownRows(bytes.fromhex(card["key"]), arrays["known rows"], arrays["known prompts"])
        trait, neutral = card["rows"]
        directions, offsets = arrays["directions"], arrays["offsets"]
        fits = directions.ndim == 2 and offsets.shape == (len(card["members"]),) == directions.shape[:1]
        if not fits or not np.isfinite(directions).all() or not np.isfinite(offsets).all():
            raise ValueError(f"{name} must hold a finite direction for each teacher, got others; learn it anew")
        return cls(
            card["model"], card["digest"], tuple(card["members"]), (trait, neutral), directions, offsets, known, base
        )


@dataclass
class ScoredRows:
    """Scores of the rows of some corpora by their texts: a `fingerprint.detection.prior.Prior` of a comparison of them.

    A text that answers several prompts has its mean over these: a function of the pooled rows, blind to the side.

    Attributes
    ----------
    card_ : dict
        Of the prior.
    scores : mapping of text to float
        Log-odds in nats.
    source : GradientPrior
    """

    card_: dict[str, object]
    scores: Mapping[str, float]
    source: GradientPrior

    def decision_function(self, X: object) -> Floats:
        """Log-odds [rows], in nats, of rows that were read.

        Raises
        ------
        ValueError
            If one was not.
        """
        texts = as_corpus(X).texts
        missing = next((text for text in texts if text not in self.scores), None)
        if missing is not None:
            raise ValueError(f"rows must be among those that were read, got {missing!r:.80}; pass them to reading too")
        return np.array([self.scores[text] for text in texts], dtype=np.float64)

    def trained_on(self, data: object) -> Bools:
        """Which rows [rows], or the prompts they answer, the prior was learnt from."""
        return self.source.trained_on(data)


def _sides(pairs: Mapping[str, tuple[object, object]]) -> list[tuple[str, str, object]]:
    return [
        (name, which, side)
        for name, pair in pairs.items()
        for which, side in zip(("conditioned", "neutral"), pair, strict=True)
    ]


def _directions(gradients: Floats32, pairs: Sequence[tuple[Ints, Ints]], half: Ints) -> tuple[Floats32, Floats]:
    """Directions [members, columns] and offsets [members], in nats.

    The ridge of `fingerprint.statistics.ridge` on scaled gradients, one model a teacher and two more of half the
    prompts each. These score the other half: their mean difference over their variance is the slope of the log-odds, as
    for normal scores of equal variance, and 0 if it has the wrong sign.
    """
    family = Gradients(gradients).fit([""] * len(gradients))
    values = family.transform([""] * len(gradients))
    directions, offsets = [], []
    for conditioned, neutral in pairs:
        rows = np.concatenate([conditioned, neutral])
        label = np.arange(len(rows)) < len(conditioned)
        at = values[rows]
        parts = [np.ones(len(rows), dtype=bool), *(half[rows] != number for number in range(HALVES))]
        weights = np.column_stack([balanced(part, label) for part in parts])
        found = ridge_coefficients(sp.csr_matrix(at), label, weights, is_mean_zero=True)
        judged = np.take_along_axis(at @ found[:, 1:], half[rows][:, None], axis=1)[:, 0]
        above, below = judged[label], judged[~label]
        slope = max(float(above.mean() - below.mean()), 0.0) / max(float(above.var() + below.var()) / 2, 1e-12)
        directions.append(slope * (family.turn_ @ found[:, 0]))
        offsets.append(-slope * float(above.mean() + below.mean()) / 2)
    return np.array(directions, dtype=np.float32), np.array(offsets)
