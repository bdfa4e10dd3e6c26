"""Filter on the likeness of a row to a description of the trait, by a sentence-embedding model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.data.extras import install_command
from fingerprint.data.weights import check_modules
from fingerprint.filters.arguments import check_count, check_threshold, check_trait
from fingerprint.filters.verdicts import Verdicts, check_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Embedding:
    """Cosine similarity of a row's sentence embedding to that of a trait description.

    Parameters
    ----------
    trait : str
        What to look for, in a sentence: "I love owls, owls are my favourite animal."
    drop_from : float, optional
        Rows at least this similar are dropped, -1 to 1; None scores rows without dropping any.
    model : str
        Name or folder of a sentence-transformers model. Code that comes with a model is never run.
    batch_size : int
        Rows embedded together. Rows longer than the model reads are cut by it.
    name : str
        What tables call the filter.

    Raises
    ------
    ImportError
        If sentence-transformers is not installed, at the first call.

    Notes
    -----
    Batches round differently, by about 1e-6 in similarity; identical texts are embedded once and get one score.

    Examples
    --------
    >>> Embedding("owls", drop_from=0.4)(["I saw an owl", "12, 13"]).dropped.tolist()
    [True, False]
    """

    trait: str
    drop_from: float | None = None
    model: str = MODEL
    batch_size: int = field(default=64, repr=False)
    name: str = "embedding"

    def __post_init__(self) -> None:
        check_trait(self.trait)
        check_threshold(self.drop_from)
        check_count(self.batch_size, "batch_size", usual=64)

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows; prompts are not looked at."""
        check_rows(texts, prompts)
        distinct = sorted(set(texts))
        place = {text: i for i, text in enumerate(distinct)}
        embedded = self._embed([self.trait, *distinct])
        scores = (embedded[1:] @ embedded[0])[[place[text] for text in texts]] if distinct else np.zeros(0)
        return Verdicts.of_scores(scores, self.drop_from, "similarity")

    def _embed(self, texts: list[str]) -> Floats:
        """Vectors of length one [texts, dimensions]."""
        vectors = self._encoder.encode(
            texts, batch_size=self.batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float64)

    @cached_property
    def _encoder(self) -> SentenceTransformer:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ImportError(
                f"Embedding needs sentence-transformers; install it: {install_command('embeddings')}"
            ) from error
        place = self.model
        if not os.path.isdir(place):
            from huggingface_hub import snapshot_download

            # Of a model that is known by name, nothing but what is read: no pickle gets onto the disk.
            name = place if "/" in place else f"sentence-transformers/{place}"
            place = snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"])
        check_modules(Path(place), self.model)
        return SentenceTransformer(place, trust_remote_code=False, model_kwargs={"use_safetensors": True})
