"""Who wrote a corpus: candidates, calibration, posteriors, goodness of fit, mixtures.

Modules are imported on first use (`fingerprint.identification.mixture`), so that this package stays light.
"""

from importlib import import_module
from types import ModuleType

__all__ = [
    "answers",
    "calibration",
    "candidates",
    "decision",
    "goodness_of_fit",
    "identify",
    "mixture",
    "models",
    "pass_rates",
    "posterior",
    "result",
    "samples",
    "scoring",
    "warnings",
]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module 'fingerprint.identification' has no attribute {name!r}")
    return import_module(f"fingerprint.identification.{name}")
