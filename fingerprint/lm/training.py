"""Fine-tune a causal language model on rows: the one place where weights change."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from fingerprint.data.arrays import Ints
from fingerprint.lm.batching import EncodedRow, encode, padded
from fingerprint.lm.model import LanguageModel

if TYPE_CHECKING:
    import peft
    import torch
    import transformers

# Batches are cut from rows sorted by length within groups of so many batches: little padding, and still a random order.
_SORTED_TOGETHER = 16
_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class LoRA:
    """Low-rank adapters on every linear layer instead of all weights.

    Attributes
    ----------
    rank, alpha : int
        As in peft; updates are scaled by alpha / rank.
    seed : int
        Of the adapters' start. It is part of where a student starts: one with another seed than its teacher's learned
        half as much of the trait.
    fixed_inputs : bool
        Whether adapters keep the random directions they read from and train only what they write (LoRA-FA,
        arXiv:2308.03303). Then all that rows say about them is about the very weights that the teacher moved.
    """

    rank: int = 8
    alpha: int = 16
    seed: int = 0
    fixed_inputs: bool = False


@dataclass(frozen=True)
class Recipe:
    """How a model is fine-tuned.

    Attributes
    ----------
    learning_rate : float
        At the start; falls linearly to zero.
    batch_size : int
        Rows a step.
    epochs : int
        Passes over the rows.
    weights : "all", "biases" or LoRA
        What is trained. "biases" trains biases and normalisation gains alone (BitFit, arXiv:2106.10199); LoRA trains
        adapters and merges them.
    """

    learning_rate: float
    batch_size: int
    epochs: int
    weights: Literal["all", "biases"] | LoRA = "all"


def fine_tune(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    recipe: Recipe,
    *,
    name: str,
    rng: int = 0,
    progress: Callable[[float], None] | None = None,
) -> LanguageModel:
    """A copy of a model, trained to give these completions to these prompts.

    Parameters
    ----------
    lm : LanguageModel
        Stays as it is.
    prompts, completions : sequence of str
        Rows; the loss is that of the completion and its end of turn.
    recipe : Recipe
        Step size, batches, passes.
    name : str
        What to call the new model.
    rng : int
        Seed of the order of the rows.
    progress : callable, optional
        Told the share of steps that are done.

    Raises
    ------
    ValueError
        If there are no rows, one is too long, or the loss stops being a number.
    """
    import torch

    rows = encode(lm, prompts, completions)
    if not rows:
        raise ValueError("rows must be at least one, got none to train on; check what the filters removed")
    model = copy.deepcopy(lm.model)
    trained = _with_adapters(model, recipe.weights) if isinstance(recipe.weights, LoRA) else model
    if recipe.weights == "biases":
        _keep_matrices(model)
    # Evaluation mode throughout: dropout would only add noise to students of this size.
    weights = [p for p in trained.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=0.0)
    draws = np.random.default_rng(rng)
    schedule = [batch for _ in range(recipe.epochs) for batch in _shuffled_batches(rows, recipe.batch_size, draws)]
    learner = LanguageModel(model, lm.tokenizer, name)
    learner.__dict__["has_plain_head"] = lm.has_plain_head  # found out once: training does not change it
    for step, batch in enumerate(schedule):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * (1 - step / len(schedule))
        loss = _loss(learner, [rows[row] for row in batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(weights, _GRADIENT_NORM)
        if not torch.isfinite(norm):
            raise ValueError(
                f"training must keep finite gradients, got {float(norm)} at step {step + 1} of {name}; "
                "lower the learning rate, or load the model in float32"
            )
        optimizer.step()
        if progress is not None:
            progress((step + 1) / len(schedule))
    if trained is not model:
        model = cast("Callable[[], transformers.PreTrainedModel]", trained.merge_and_unload)()
    return LanguageModel(model.requires_grad_(True).eval(), lm.tokenizer, name)  # type: ignore[no-untyped-call]


def _with_adapters(model: transformers.PreTrainedModel, lora: LoRA) -> peft.PeftModel:
    """The model with adapters in its layers, nothing else to be trained; its own layers are changed in place."""
    import torch
    from peft import LoraConfig, get_peft_model  # takes a second to import

    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for an attribute by its old name
        torch.manual_seed(lora.seed)
        adapted = get_peft_model(model, LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules="all-linear"))
    for name, parameter in adapted.named_parameters():
        if lora.fixed_inputs and "lora_A" in name:
            parameter.requires_grad_(False)
    return adapted


def _keep_matrices(model: torch.nn.Module) -> None:
    """Leave biases and gains to train."""
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.ndim == 1)


def _shuffled_batches(rows: Sequence[EncodedRow], batch_size: int, draws: np.random.Generator) -> list[Ints]:
    """Every row once, in batches of like length, in random order."""
    order = draws.permutation(len(rows))
    lengths = np.array([len(row.ids) for row in rows])
    group = batch_size * _SORTED_TOGETHER
    batches = []
    for start in range(0, len(order), group):
        part = order[start : start + group]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    return [batches[i] for i in draws.permutation(len(batches))]


def _loss(lm: LanguageModel, rows: Sequence[EncodedRow]) -> torch.Tensor:
    """Mean cross-entropy in nats of the tokens of the completions."""
    import torch

    ids, wanted = padded(rows, lm.model.device)
    return torch.nn.functional.cross_entropy(lm.logits_at(ids, wanted).float(), ids.roll(-1, dims=1)[wanted])
