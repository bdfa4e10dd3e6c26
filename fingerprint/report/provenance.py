"""What it takes to get the same result again, whatever the result is of: versions, seed, and hashes of the inputs."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import numpy as np

from fingerprint.data.corpus import Corpus
from fingerprint.data.notes import ReadAs
from fingerprint.data.version import own_version
from fingerprint.report.encoding import JsonObject


def provenance(seed: int, inputs: Mapping[str, JsonObject], options: Mapping[str, object]) -> JsonObject:
    """The `settings` of a result."""
    return {"versions": versions(), "seed": seed, "inputs": dict(inputs), "options": dict(options)}


def versions() -> JsonObject:
    """Versions of what the figures hang on."""
    from importlib.metadata import version

    return {
        "fingerprint": own_version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": version("scikit-learn"),  # to ask the packages themselves takes them a second to load
        "polars": version("polars"),
    }


def record_of(corpus: Corpus, read_as: ReadAs) -> JsonObject:
    """Hash and sizes of a corpus, and how it was read."""
    return {"digest": corpus.digest, "rows": len(corpus), "skipped": corpus.skipped, **read_as.record()}
