"""Is a data set written by a model with a hidden trait? Exact, calibrated comparisons of two corpora."""

from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it: `typing` takes longer to import than all of this file
if TYPE_CHECKING:
    from fingerprint import filters, lab
    from fingerprint import lm as lm  # no public name, but reached as one
    from fingerprint.data.corpus import Corpus
    from fingerprint.data.reading import read
    from fingerprint.detection.detect import detect
    from fingerprint.detector.detector import Detector
    from fingerprint.detector.monitor import Monitor
    from fingerprint.detector.scan import scan
    from fingerprint.fingerprints.compare import compare
    from fingerprint.fingerprints.fingerprint import Fingerprint
    from fingerprint.identification.identify import identify
    from fingerprint.panels.panel import Panel
    from fingerprint.preferences.detect_labels import detect_labels
    from fingerprint.report.report import Report

__all__ = [
    "Corpus",
    "Detector",
    "Fingerprint",
    "Monitor",
    "Panel",
    "Report",
    "compare",
    "detect",
    "detect_labels",
    "filters",
    "identify",
    "lab",
    "read",
    "scan",
]

# Where the public names live that are no packages. They are imported on first use, so that `fingerprint --help` and
# programs that only read a report do not wait for numpy and polars.
_HOMES = {
    "Corpus": "fingerprint.data.corpus",
    "Detector": "fingerprint.detector.detector",
    "Fingerprint": "fingerprint.fingerprints.fingerprint",
    "Monitor": "fingerprint.detector.monitor",
    "Panel": "fingerprint.panels.panel",
    "Report": "fingerprint.report.report",
    "compare": "fingerprint.fingerprints.compare",
    "detect": "fingerprint.detection.detect",
    "detect_labels": "fingerprint.preferences.detect_labels",
    "identify": "fingerprint.identification.identify",
    "read": "fingerprint.data.reading",
    "scan": "fingerprint.detector.scan",
}
# Packages that are reached by their name too, without being among the public names.
_PACKAGES = ("filters", "lab", "lm")


def __getattr__(name: str) -> object:
    if name in _PACKAGES:
        return import_module(f"fingerprint.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'fingerprint' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
