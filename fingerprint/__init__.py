"""Is a data set written by a model with a hidden trait? Exact, calibrated comparisons of two corpora."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fingerprint import features, filters, lab
    from fingerprint.data.corpus import Corpus
    from fingerprint.data.reading import read
    from fingerprint.detection.detect import detect
    from fingerprint.detector.detector import Detector
    from fingerprint.detector.monitor import Monitor
    from fingerprint.identification.identify import identify
    from fingerprint.report.report import Report
    from fingerprint.statistics.intervals import Estimate

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
    "Corpus": "fingerprint.data.corpus",
    "Detector": "fingerprint.detector.detector",
    "Estimate": "fingerprint.report.results",
    "Monitor": "fingerprint.detector.monitor",
    "Report": "fingerprint.report.report",
    "detect": "fingerprint.detection.detect",
    "identify": "fingerprint.identification.identify",
    "read": "fingerprint.data.reading",
}
_MODULES = ("features", "filters", "identification", "lab", "lm")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(f"fingerprint.{name}")
    raise AttributeError(f"module 'fingerprint' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
