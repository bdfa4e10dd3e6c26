"""Keys and values that a model keeps of what it has read, so that it need not read it again."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
import transformers
from transformers.cache_utils import DynamicLayer


def forward_from(module: torch.nn.Module, cache: transformers.Cache, **inputs: Any) -> Any:
    """Outputs of a model that goes on from the keys and values in `cache`, and adds to them."""
    return module(**inputs, **{_cache_keyword(type(module).forward): cache}, use_cache=True)


@lru_cache
def _cache_keyword(forward: Callable[..., object]) -> str:
    """What a model's `forward` calls its cache: transformers renamed it in 5.24."""
    return "cache" if "cache" in inspect.signature(forward).parameters else "past_key_values"


def shared_prefix(model: transformers.PreTrainedModel, ids: torch.Tensor) -> transformers.Cache | None:
    """Keys and values of a prefix [1, length], for any number of rows; None if the model keeps other things."""
    kept: Any = transformers.DynamicCache(config=model.config)
    forward_from(model.base_model, kept, input_ids=ids)
    if not all(type(layer) is DynamicLayer and layer.get_seq_length() == ids.shape[1] for layer in kept.layers):
        return None
    return transformers.Cache(layers=[_SharedLayer(layer.keys, layer.values) for layer in kept.layers])


class _SharedLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values [1, heads, prefix, width] that all rows of a batch begin with; keeps nothing that follows."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        found = [(self.keys, key_states), (self.values, value_states)]
        return tuple(torch.cat([kept.expand(len(new), -1, -1, -1), new], dim=-2) for kept, new in found)  # type: ignore[union-attr]
