"""Experiments of the library's own: corpora whose truth is known, from simulated teachers to trained ones.

Modules are imported on first use (`fingerprint.lab.simulated`), so that this package stays light.
"""

from importlib import import_module
from types import ModuleType

__all__ = [
    "digits",
    "example_corpora",
    "experiment",
    "generation",
    "judges",
    "kept_teachers",
    "micro_language",
    "model_judges",
    "panel_rows",
    "perturbations",
    "row_removal",
    "simulated",
    "students",
    "train_micro",
]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module 'fingerprint.lab' has no attribute {name!r}")
    return import_module(f"fingerprint.lab.{name}")
