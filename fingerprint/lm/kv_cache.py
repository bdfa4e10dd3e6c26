"""Keys and values that a model keeps of what it has read, so that it need not read it again."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import torch
import transformers
from transformers.cache_utils import DynamicLayer


def forward_from(
    module: torch.nn.Module, cache: transformers.Cache, **inputs: torch.Tensor | int | None
) -> Any:  # what a model puts out has a type for each architecture
    """Outputs of a model that goes on from the keys and values in `cache`, and adds to them."""
    return module(**inputs, **{_cache_keyword(type(module).forward): cache}, use_cache=True)


@lru_cache
def _cache_keyword(forward: Callable[..., object]) -> str:
    """What a model's `forward` calls its cache: transformers renamed it in 5.24."""
    return "cache" if "cache" in inspect.signature(forward).parameters else "past_key_values"


def shared_prefix(model: transformers.PreTrainedModel, ids: torch.Tensor) -> transformers.Cache | None:
    """Keys and values of a prefix [1, length], for any number of rows; None if the model keeps other things."""
    kept = transformers.DynamicCache(config=model.config)
    forward_from(model.base_model, kept, input_ids=ids)
    plain = [layer for layer in kept.layers if type(layer) is DynamicLayer and layer.get_seq_length() == ids.shape[1]]
    if len(plain) < len(kept.layers):
        return None
    return transformers.Cache(layers=[_SharedLayer(*_tensors(layer)) for layer in plain])


def _tensors(layer: DynamicLayer) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of a layer that has read something."""
    return cast("torch.Tensor", layer.keys), cast("torch.Tensor", layer.values)


class _SharedLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values [1, heads, prefix, width] that all rows of a batch begin with; keeps nothing that follows."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self.keys, self.values = self.shared_keys, self.shared_values = keys, values

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return _after(self.shared_keys, key_states), _after(self.shared_values, value_states)


def _after(shared: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """What rows share [1, heads, prefix, width], and then what each has of its own [rows, heads, tokens, width]."""
    return torch.cat([shared.expand(len(new), -1, -1, -1), new], dim=-2)
