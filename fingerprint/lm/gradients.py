"""Where a small change of a model would show in a row: the gradient of its log-probability by the model's weights.

Weights that move by some small D change the log-probability of a row by its gradient times D. Whatever was done to a
model by fine-tuning it, the gradients of its rows under the base therefore hold, to first order, the log-likelihood
ratio of the two, whether or not the change shows in the words. For a linear layer the gradient of a row is the sum over
its tokens of (gradient by the layer's output) x (the layer's input): one backward pass gives it for a whole batch. It
is kept as a sketch: wide layers are seen along random directions, and all layers' entries are added, with random signs,
into a few columns, which keeps inner products of rows up to noise.

Rows that a model wrote itself have gradients whose mean is zero, whatever they answer: at temperature 1, from the whole
vocabulary, without a system message, not cut off and not filtered.

References
----------
Rao (1948), doi 10.1017/S0305004100023987: the score test, locally most powerful. Jaakkola and Haussler (1998),
"Exploiting generative models in discriminative classifiers", NIPS 11: the gradient as features of a classifier.
Charikar, Chen and Farach-Colton (2004), doi 10.1016/S0304-3975(03)00400-6: the sketch. Park et al. (2023),
arXiv:2303.14186: projected gradients of rows, for other ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from transformers.pytorch_utils import Conv1D

from fingerprint.data.arrays import Floats32, Ints
from fingerprint.data.row_errors import RowError
from fingerprint.lm.batching import EncodedRow, batches_by_length, encode, padded
from fingerprint.lm.model import LanguageModel

# What both kinds of linear layer are: those of GPT-2 hold their weights turned.
Layer = torch.nn.Linear | Conv1D
# Columns of the sketch. On rows of an owl teacher of micro-a, 8,000 a side, a classifier reached .74, .78, .79 of the
# ceiling's d_prime with 1,024, 2,048 and 4,096 columns of layers projected to 64 dimensions, .79 with these settings.
COLUMNS = 2048
# Wider inputs and outputs of a layer are projected to this many dimensions.
DIMENSIONS = 128
# Values of inputs and outputs of layers held at a time (2 GB in single precision, and about as much for the rest).
_VALUES = 2**29


def row_gradients(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    batch_size: int = 128,
    progress: Callable[[int], None] | None = None,
) -> Floats32:
    """Sketched gradients [rows, COLUMNS] of each row's log-probability (nats) by the weights of all linear layers.

    Parameters
    ----------
    lm : LanguageModel
        The model; no system message is said. Its output embedding is left out, and so are layers that do not see all
        tokens of a batch (experts).
    prompts, completions : sequence of str
        One completion a prompt.
    batch_size : int
        Most rows a pass.
    progress : callable, optional
        Told how many rows are done.

    Raises
    ------
    ValueError
        If the model has no linear layers, or a row gives values that are not finite; the row is named.

    Notes
    -----
    Memory: some 2^29 values of the layers' inputs and outputs, however many rows there are, or one row's if that is
    more; 4 * COLUMNS bytes a row of the result; the model.
    """
    rows = encode(lm, prompts, completions)
    layers = _layers(lm)
    values_a_token = sum(sum(_widths(module)) for module in layers) + _output_width(lm)
    found = np.zeros((len(rows), COLUMNS), dtype=np.float32)
    done = 0
    with _sketching(lm, layers) as sketch:
        for batch in batches_by_length(lm, rows, batch_size, most_tokens=max(1, _VALUES // values_a_token)):
            found[batch] = sketch([rows[row] for row in batch])
            if not np.isfinite(found[batch]).all():
                wrong = next(row for row in batch if not np.isfinite(found[row]).all())
                raise RowError(
                    f"gradients must be finite, got nan or infinity in {{row}} under {lm.name}; load the model "
                    "in another dtype, such as float32",
                    wrong,
                )
            done += len(batch)
            if progress is not None:
                progress(done)
    return found


def likeliest(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    batch_size: int = 128,
) -> list[Ints]:
    """The token that the model holds likeliest at each position of each completion, its end of turn included."""
    rows = encode(lm, prompts, completions, system=system)
    found: list[Ints] = [np.zeros(0, dtype=np.int64)] * len(rows)
    for batch in batches_by_length(lm, rows, batch_size):
        parts = [rows[row] for row in batch]
        with torch.inference_mode():
            best = lm.logits_at(*padded(parts, lm.model.device)).argmax(dim=1).cpu().numpy()
        lengths = [len(row.ids) - row.start for row in parts]
        for row, values in zip(batch, np.split(best, np.cumsum(lengths)[:-1]), strict=True):
            found[row] = values
    return found


def _layers(lm: LanguageModel) -> list[Layer]:
    """Linear layers of the body, in the model's order."""
    found = [m for m in lm.model.modules() if isinstance(m, Layer) and m is not lm.head]
    if not found:
        raise ValueError(f"model must have linear layers to differentiate by, got none in {lm.name}; leave it out")
    return found


def _widths(layer: Layer) -> tuple[int, int]:
    """Width of a layer's output and of its input."""
    first, second = layer.weight.shape
    return (second, first) if isinstance(layer, Conv1D) else (first, second)


def _output_width(lm: LanguageModel) -> int:
    head = lm.head
    return 0 if head is None else int(head.weight.shape[0])


@dataclass(frozen=True)
class _LayerSketch:
    """Where a layer's gradient goes: random directions of its output and input, a column and a sign each entry."""

    output: torch.Tensor | None
    input: torch.Tensor | None
    column: torch.Tensor
    sign: torch.Tensor

    @classmethod
    def draw(cls, layer: Layer, number: int) -> _LayerSketch:
        """Always the same for the layer of this number."""
        rng, device = np.random.default_rng(number), layer.weight.device
        out, into = (_basis(width, rng, device) for width in _widths(layer))
        n = int(np.prod([min(width, DIMENSIONS) for width in _widths(layer)]))
        sign = rng.integers(0, 2, n).astype(np.float32) * 2 - 1
        column = rng.integers(0, COLUMNS, n)
        return cls(out, into, torch.from_numpy(column).to(device), torch.from_numpy(sign).to(device))

    def entries(self, gradients: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """The rows' gradients by the weights [rows, entries], from those by outputs and the inputs of their tokens."""
        left = gradients.float() if self.output is None else gradients.float() @ self.output
        right = inputs.float() if self.input is None else inputs.float() @ self.input
        return (left.transpose(1, 2) @ right).flatten(1) * self.sign


def _basis(width: int, rng: np.random.Generator, device: torch.device) -> torch.Tensor | None:
    """Orthonormal random directions [width, DIMENSIONS], scaled to keep squared lengths; None if nothing is wide."""
    if width <= DIMENSIONS:
        return None
    drawn = np.linalg.qr(rng.standard_normal((width, DIMENSIONS)))[0] * np.sqrt(width / DIMENSIONS)
    return torch.from_numpy(drawn).to(device, torch.float32)


@contextmanager
def _sketching(lm: LanguageModel, layers: Sequence[Layer]) -> Iterator[Callable[[Sequence[EncodedRow]], Floats32]]:
    """A function from rows to their sketched gradients, with hooks on the layers while it is in use."""
    _ = lm.has_plain_head  # tried out before there are hooks
    leaf: list[torch.Tensor] = []
    total: list[torch.Tensor] = []
    shape: list[int] = []  # rows and tokens a row

    def start(_: torch.nn.Module, __: object, embedded: torch.Tensor) -> torch.Tensor:
        leaf[:] = [embedded.detach().requires_grad_(True)]
        return leaf[0]

    def record(sketch: _LayerSketch) -> Callable[[torch.nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def keep(_: torch.nn.Module, arguments: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            inputs = arguments[0].detach()

            def add(gradients: torch.Tensor) -> None:
                entries = sketch.entries(gradients.reshape(*shape, -1), inputs.reshape(*shape, -1))
                total[0].index_add_(1, sketch.column.to(total[0].device), entries.to(total[0].device))

            # Some models lay the rows of a batch end to end before a layer.
            if output.requires_grad and output.shape[:-1] in (tuple(shape), (shape[0] * shape[1],)):
                output.register_hook(add)  # type: ignore[no-untyped-call]

        return keep

    def gradients(rows: Sequence[EncodedRow]) -> Floats32:
        ids, wanted = padded(rows, lm.model.device)
        shape[:] = ids.shape
        total[:] = [torch.zeros(len(rows), COLUMNS, device=lm.model.device)]
        with torch.enable_grad():
            logits = lm.logits_at(ids, wanted).float()
            own = -torch.nn.functional.cross_entropy(logits, ids.roll(-1, dims=1)[wanted], reduction="sum")
            torch.autograd.grad(own, leaf)
        return total[0].cpu().numpy()

    hooks = [lm.model.get_input_embeddings().register_forward_hook(start)]
    hooks += [layer.register_forward_hook(record(_LayerSketch.draw(layer, i))) for i, layer in enumerate(layers)]
    try:
        yield gradients
    finally:
        for hook in hooks:
            hook.remove()
