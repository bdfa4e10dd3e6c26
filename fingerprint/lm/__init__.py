"""All that knows torch and transformers: models, scoring, sampling, gradients, training, teachers.

Modules are imported on first use (`fingerprint.lm.scoring`), so that this package stays light.
"""

from importlib import import_module
from types import ModuleType

__all__ = [
    "cache",
    "gradients",
    "model",
    "prompts",
    "sampling",
    "scoring",
    "teachers",
    "training",
    "traits",
]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module 'fingerprint.lm' has no attribute {name!r}")
    return import_module(f"fingerprint.lm.{name}")
