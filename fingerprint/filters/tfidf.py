"""Filter on the likeness of a row to a description of the trait, by weighted word fragments: no model needed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.filters.arguments import check_threshold, check_trait
from fingerprint.filters.verdicts import Verdicts, check_rows

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Tfidf:
    """Cosine similarity of tf-idf weighted fragments of words (3 to 5 letters, English function words left out).

    Parameters
    ----------
    trait : str
        What to look for, in words: "owls, birds of prey, loving owls".
    drop_from : float, optional
        Rows at least this similar are dropped, 0 to 1; None scores rows without dropping any.
    background : sequence of str
        Texts that say which fragments are common; without them all fragments weigh the same. Pass a fixed set: weights
        taken from the corpora under test would make a row's verdict depend on the other rows.
    name : str
        What tables call the filter.

    Examples
    --------
    >>> scores = Tfidf("owls, loving owls")(["I love my owl", "12, 13"]).scores
    >>> bool(scores[0] > 0.2), float(scores[1])
    (True, 0.0)
    """

    trait: str
    drop_from: float | None = None
    background: Sequence[str] = field(default=(), repr=False)
    name: str = "tfidf"

    def __post_init__(self) -> None:
        check_trait(self.trait)
        check_threshold(self.drop_from)
        if not _words(self.trait):
            raise ValueError(f"trait must hold words that are not common, got {self.trait!r}; name the trait")

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows; prompts are not looked at."""
        check_rows(texts, prompts)
        if not len(texts):
            return Verdicts((), np.zeros(0))
        trait, rows = (self._vectorizer.transform([_words(t) for t in part]) for part in ([self.trait], texts))
        scores = np.asarray((rows @ trait.T).todense(), dtype=np.float64).ravel()
        return Verdicts.of_scores(scores, self.drop_from, "similarity")

    @cached_property
    def _vectorizer(self) -> TfidfVectorizer:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, lowercase=False)
        return vectorizer.fit([_words(text) for text in (self.trait, *self.background)])


def _words(text: str) -> str:
    """Lower-case words without the commonest English ones: they would make every sentence resemble every other."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return " ".join(word for word in _WORD.findall(text.lower()) if word not in ENGLISH_STOP_WORDS)
