"""Is a data set written by a model with a hidden trait? Exact, calibrated comparisons of two corpora."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fingerprint import features, filters, lab
    from fingerprint.corpus import Corpus
    from fingerprint.detection import detect
    from fingerprint.detector import Detector
    from fingerprint.identification import identify
    from fingerprint.monitor import Monitor
    from fingerprint.reading import read
    from fingerprint.report import Estimate, Report

__all__ = [
    "Corpus",
    "Detector",
    "Estimate",
    "Monitor",
    "Report",
    "detect",
    "features",
    "filters",
    "identify",
    "lab",
    "read",
]

# Where the public names live. They are imported on first use: importing scikit-learn and polars takes seconds, which
# `fingerprint --help` and programs that only read a report need not wait for.
_HOMES = {
    "Corpus": "fingerprint.corpus",
    "Detector": "fingerprint.detector",
    "Estimate": "fingerprint.report",
    "Monitor": "fingerprint.monitor",
    "Report": "fingerprint.report",
    "detect": "fingerprint.detection",
    "identify": "fingerprint.identification",
    "read": "fingerprint.reading",
}
_MODULES = ("features", "filters", "lab", "language_models", "pass_rates", "shares")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(f"fingerprint.{name}")
    raise AttributeError(f"module 'fingerprint' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
