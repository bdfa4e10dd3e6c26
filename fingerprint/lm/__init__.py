"""Language models: loading, scoring, sampling, gradients, training, teachers.

Torch and transformers are known here, in `fingerprint.lab`, and to filters that load a model of their own. Modules are
imported on first use (`fingerprint.lm.scoring`), so that this package stays light.
"""

from importlib import import_module
from types import ModuleType

__all__ = [
    "batching",
    "cache",
    "endpoint_teachers",
    "gradients",
    "kv_cache",
    "loading",
    "model",
    "noise_floor",
    "prompts",
    "ray_scoring",
    "sampling",
    "scoring",
    "teachers",
    "training",
    "traits",
    "writers",
]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(f"module 'fingerprint.lm' has no attribute {name!r}")
    return import_module(f"fingerprint.lm.{name}")
