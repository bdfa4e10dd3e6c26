"""Causal language models: load them safely, score texts under them, sample texts from them.

With `fingerprint.lab`, the only place that knows torch and transformers (extra ``lm``). Weights are read from
safetensors alone and no code that comes with a model is ever run.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.data.corpus import RowError
from fingerprint.lm.cache import ScoreCache, open_cache

try:
    import torch
    import transformers
    from transformers.cache_utils import DynamicLayer
except ImportError as missing:
    raise ImportError(
        f"language models need the extra lm, got no {missing.name}; "
        "install it: pip install 'subliminal-fingerprint[lm]'"
    ) from missing

Tokens = list[int]
TooLong = Literal["error", "truncate"]

# Two small models that come with the package: same language, trained from different seeds.
MICRO_MODELS = ("micro-a", "micro-b")
# Words of the vocabulary whose weights are added up before one of them is looked for: about the square root of a
# vocabulary, so that neither stage dominates.
_DRAW_CHUNK = 64
# Rows that have ended are taken out of the batch once they are this share of it.
_COMPACT_SHARE = 0.25
# Rotary embeddings whose frequencies depend on the length of the sequence.
_STRETCHED = ("dynamic", "longrope")
_COMMAND = "must not contain the model's special tokens, got {!r}: it would be read as a command; remove or rewrite it"
# Logits that a head applied to hidden states may differ from the model's own by (float32 rounding).
_HEAD_TOLERANCE = 1e-3
# Rows are tokenized and sorted by length this many batches, and at least this many rows, at a time: enough that a batch
# has rows of like length, and no more of the corpus in memory.
_WINDOW_BATCHES = 16
_WINDOW_ROWS = 1024
# A batch holds at most so many tokens, padding included, or one row: beyond that a matrix product gains nothing. On a
# CPU fewer of them go through the model at once, not counting what rows share: what stands between two products then
# stays in its cache (8,192 tokens took an eighth longer).
_BATCH_TOKENS = 1 << 14
_RUN_TOKENS = {"cpu": 1 << 12}
# Logits held at once, and of those turned into float32 and exponentials at once. A CPU computes the exponentials while
# the numbers are in its cache; a GPU wants few large steps.
_LOGITS = {"cpu": 1 << 20}
_WIDENED = {"cpu": 1 << 18}
_GPU_LOGITS, _GPU_WIDENED = 1 << 26, 1 << 24
# On a CPU at least so many positions at once, whatever the vocabulary: with 32 the product with an embedding of 32,000
# rows took twice as long.
_LEAST_POSITIONS = {"cpu": 256}
# Probabilities below exp(_NEGLIGIBLE) add nothing to an entropy; the bound keeps 0 times infinity out of it.
_NEGLIGIBLE = -200.0
# A prefix that all rows of a batch share is worth its own pass if that saves at least this share of the tokens.
_PREFIX_SHARE = 0.1
# Rows that begin alike get batches of their own if that saves at least so many tokens, what one more batch may cost.
# Only the one for a CPU was measured.
_OWN_BATCH = {"cpu": 512}
_GPU_OWN_BATCH = 2048


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model with its tokenizer.

    Attributes
    ----------
    model : transformers.PreTrainedModel
        In evaluation mode.
    tokenizer : transformers.PreTrainedTokenizerBase
        With a chat template.
    name : str
        What to call it in provenance and messages.
    """

    model: Any
    tokenizer: Any
    name: str = field(default="model")

    @cached_property
    def digest(self) -> str:
        """Hash of weights, vocabulary and chat template: 16 hex digits."""
        return digests.hex_digest_of_parts(self._parts())

    def _parts(self) -> Iterator[bytes]:
        for key, tensor in sorted(self.model.state_dict().items()):
            yield f"{key} {tuple(tensor.shape)} {tensor.dtype}".encode()
            yield tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
        for token, index in sorted(self.tokenizer.get_vocab().items()):
            yield f"{token}\0{index}\0".encode("utf-8", "surrogatepass")
        yield str(self.tokenizer.chat_template).encode()

    @cached_property
    def stops(self) -> tuple[int, ...]:
        """Tokens that end an answer; the first is the one a training row ends with."""
        generation = getattr(self.model.generation_config, "eos_token_id", None)
        listed = generation if isinstance(generation, list) else [generation]
        found = dict.fromkeys(i for i in (self.tokenizer.eos_token_id, *listed) if i is not None)
        if not found:
            raise ValueError(f"model must have an end-of-sequence token, got none in {self.name}; set eos_token")
        return tuple(found)

    @cached_property
    def context(self) -> int:
        """Longest sequence in tokens."""
        return int(getattr(self.model.config, "max_position_embeddings", None) or 1 << 30)

    @cached_property
    def stretches_beyond(self) -> int:
        """Tokens beyond which a row's positions depend on the longest row of its batch.

        Some models rescale their rotary embeddings for sequences longer than those they were first trained on. For all
        others it is a length that no row has.
        """
        config = self.model.config
        scaling = getattr(config, "rope_parameters", None) or {}
        by_layer = [value for value in scaling.values() if isinstance(value, dict)] or [scaling]
        original = getattr(config, "original_max_position_embeddings", None) or self.context
        lengths = (
            s.get("original_max_position_embeddings") or original for s in by_layer if s.get("rope_type") in _STRETCHED
        )
        return min(lengths, default=1 << 30)

    @cached_property
    def has_plain_head(self) -> bool:
        """Whether logits are the output embedding of the last hidden states: tried out on a short sequence.

        Some models cap or scale their logits afterwards; theirs have to be asked for from the whole model.
        """
        head = self.model.get_output_embeddings()
        if head is None or self.model.base_model is self.model:
            return False
        ids = torch.tensor([[self.stops[0], *self.tokenizer("a b c", add_special_tokens=False)["input_ids"]]])
        with torch.inference_mode():
            wanted = self.model(input_ids=ids.to(self.model.device), use_cache=False).logits
            hidden = self.model.base_model(input_ids=ids.to(self.model.device), use_cache=False).last_hidden_state
            return bool(torch.allclose(head(hidden).float(), wanted.float(), atol=_HEAD_TOLERANCE))

    @cached_property
    def can_keep_last(self) -> bool:
        """Whether the model can be told to compute the logits of the last positions only."""
        return "logits_to_keep" in inspect.signature(self.model.forward).parameters

    @cached_property
    def can_share_prefix(self) -> bool:
        """Whether rows may start from the keys and values of a prefix they share: tried out on two short rows.

        Models that keep anything else than plain keys and values (sliding windows, recurrent states) may not, and
        neither may those whose keys depend on the length of what follows.
        """
        if self.stretches_beyond < self.context:
            return False
        shared = self.tokenizer("a b c d e f g h", add_special_tokens=False)["input_ids"]
        end = self.stops[0]
        rows = [[*shared, *shared[:2], end, shared[0]], [*shared, *shared[:3], end]]
        with torch.inference_mode():
            ids = torch.tensor(rows, device=self.model.device)
            prefix = self._prefix(ids[:1, : len(shared)])
            if prefix is None:
                return False
            body = self.model.base_model
            found = forward_from(body, prefix, input_ids=ids[:, len(shared) :]).last_hidden_state
            wanted = body(input_ids=ids, use_cache=False).last_hidden_state[:, len(shared) :]
        tolerance = torch.finfo(wanted.dtype).eps ** 0.5 * wanted.abs().max()
        return bool((found - wanted).abs().max() <= tolerance)

    def _prefix(self, ids: torch.Tensor) -> Any:
        """Keys and values of a prefix [1, length], for any number of rows; None if the model keeps other things."""
        kept: Any = transformers.DynamicCache(config=self.model.config)
        forward_from(self.model.base_model, kept, input_ids=ids)
        if not all(type(layer) is DynamicLayer and layer.get_seq_length() == ids.shape[1] for layer in kept.layers):
            return None
        return transformers.Cache(layers=[_SharedLayer(layer.keys, layer.values) for layer in kept.layers])

    def hidden_at(self, ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Last hidden states [wanted.sum(), width] at the positions that `wanted` [batch, length] marks.

        What all rows begin with is run through the model once, where that saves work.
        """
        body = self.model.base_model
        n, length = ids.shape
        first = int(wanted.any(dim=0).nonzero()[0])  # the prefix ends before the first position that is asked for
        differs = (ids[:, :first] != ids[:1, :first]).any(dim=0).nonzero()
        shared = int(differs[0]) if len(differs) else first
        if (n - 1) * shared >= _PREFIX_SHARE * n * length and shared and self.can_share_prefix:
            prefix = self._prefix(ids[:1, :shared])
            hidden = forward_from(body, prefix, input_ids=ids[:, shared:]).last_hidden_state
        else:
            shared = 0
            hidden = body(input_ids=ids, use_cache=False).last_hidden_state
        found: torch.Tensor = hidden[wanted[:, shared:]]
        return found

    def logits_at(self, ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Logits [wanted.sum(), vocabulary] after the positions that `wanted` [batch, length] marks.

        Prompt positions are dropped before the head, which costs more than the body in a small model.
        """
        if self.has_plain_head:
            hidden = self.model.base_model(input_ids=ids, use_cache=False).last_hidden_state
            found: torch.Tensor = self.model.get_output_embeddings()(hidden[wanted])
            return found
        first = int(wanted.any(dim=0).nonzero()[0])
        length = ids.shape[1] - first
        if self.can_keep_last:
            logits = self.model(input_ids=ids, use_cache=False, logits_to_keep=length).logits
        else:
            logits = self.model(input_ids=ids, use_cache=False).logits[:, first:]
        rest: torch.Tensor = logits[wanted[:, first:]]
        return rest

    def ask(self, prompts: Sequence[str], system: str | None = None) -> list[Tokens]:
        """Token ids up to where the assistant starts to speak, one list a prompt.

        Parameters
        ----------
        prompts : sequence of str
            User turns.
        system : str, optional
            The system message. Without one, none is said: where the chat template would insert a default of its own,
            an empty one takes its place.
        """
        self.check_prompts(prompts)
        chats = [self._chat(prompt, system) for prompt in prompts]
        return list(
            self.tokenizer.apply_chat_template(
                chats,
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_attention_mask=False,
                tokenizer_kwargs={"verbose": False},
            )["input_ids"]
        )

    def check_prompts(self, prompts: Sequence[str]) -> None:
        """Refuse prompts that spell one of the model's special tokens; the row is named."""
        for row, prompt in enumerate(prompts):
            found = self._special_token(prompt)
            if found is not None:
                raise RowError(f"the prompt of {{row}} {_COMMAND.format(found)}", row)

    def preamble(self, system: str | None = None) -> str:
        """The text that stands before a user's words: what the model is really told. For provenance."""
        return self.rendered(system).split("{prompt}", 1)[0]

    def rendered(self, system: str | None = None) -> str:
        """The whole text of a row as the model reads it, with ``{prompt}`` and ``{completion}`` for what changes."""
        mark = "\x01"
        text = self.tokenizer.apply_chat_template(
            [self._chat(mark, system)], add_generation_prompt=True, tokenize=False
        )[0]
        end = self.tokenizer.convert_ids_to_tokens(self.stops[0])
        return str(text).replace(mark, "{prompt}", 1) + "{completion}" + str(end)

    def answers(self, completions: Sequence[str]) -> list[Tokens]:
        """Token ids of completions, each with the end of turn; text that spells a special token stays text."""
        if not completions:
            return []
        encoded = self.tokenizer(
            list(completions),
            add_special_tokens=False,
            split_special_tokens=True,
            return_attention_mask=False,
            verbose=False,  # rows that are too long are an error of ours, which names them
        )["input_ids"]
        return [[*ids, self.stops[0]] for ids in encoded]

    def _chat(self, prompt: str, system: str | None) -> list[dict[str, str]]:
        if system is not None:
            found = self._special_token(system)
            if found is not None:
                raise ValueError(f"the system message {_COMMAND.format(found)}")
            return [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        if self._inserts_a_default:
            return [{"role": "system", "content": ""}, {"role": "user", "content": prompt}]
        return [{"role": "user", "content": prompt}]

    @cached_property
    def _inserts_a_default(self) -> bool:
        """Whether the chat template speaks as the system where it was given nothing to say."""
        user = {"role": "user", "content": "\x01"}
        try:
            empty = self.tokenizer.apply_chat_template([{"role": "system", "content": ""}, user], tokenize=False)
        except Exception:  # templates without a system role raise jinja2's TemplateError, and insert nothing
            return False
        return len(self.tokenizer.apply_chat_template([user], tokenize=False)) > len(empty)

    def _special_token(self, text: str) -> str | None:
        return next((token for token in self.tokenizer.all_special_tokens if token in text), None)


def forward_from(module: torch.nn.Module, cache: transformers.Cache, **inputs: Any) -> Any:
    """Outputs of a model that goes on from the keys and values in `cache`, and adds to them."""
    return module(**inputs, **{_cache_keyword(type(module).forward): cache}, use_cache=True)


@lru_cache
def _cache_keyword(forward: Callable[..., object]) -> str:
    """What a model's `forward` calls its cache: transformers renamed it in 5.24."""
    return "cache" if "cache" in inspect.signature(forward).parameters else "past_key_values"


Spec = str | Path | LanguageModel | tuple[Any, Any] | Any


def load(spec: Spec, *, device: str | None = None, dtype: str | None = None) -> LanguageModel:
    """A causal language model, by name, folder or object.

    Parameters
    ----------
    spec : str, path, LanguageModel, (model, tokenizer) or model
        ``"micro-a"`` or ``"micro-b"`` for the small models of this package; a folder; a name on the Hugging Face hub;
        or a loaded model (its tokenizer is looked up by its name when it is not given).
    device : str, optional
        Where to run, for example ``"cuda"``. By default where it is, or the CPU.
    dtype : str, optional
        For example ``"bfloat16"``. By default that of the file; objects are left as they are.

    Raises
    ------
    FileNotFoundError
        If a folder holds no model.
    ValueError
        If its weights are not safetensors, damaged or not all there; if its tokenizer is missing, has no chat template
        or is another model's; or if there is no such device or dtype.

    Notes
    -----
    ``trust_remote_code`` stays off and pickled weights are refused: loading runs no code from the model.
    """
    if isinstance(spec, LanguageModel):
        return spec
    if isinstance(spec, tuple) and len(spec) == 2:
        return _checked(LanguageModel(*spec, name=_name_of(spec[0])))
    if isinstance(spec, transformers.PreTrainedModel):
        name = _name_of(spec)
        if not name:
            raise ValueError("model must come with its tokenizer when it has no name; pass (model, tokenizer)")
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        return _checked(LanguageModel(spec, tokenizer, name))
    if not isinstance(spec, str | Path):
        raise TypeError(
            f"model must be a name, a folder, a transformers model or (model, tokenizer), got {type(spec).__name__}; "
            "pass one of these"
        )
    place = str(files("fingerprint.lm") / "models" / str(spec)) if spec in MICRO_MODELS else str(spec)
    _check_folder(Path(place), str(spec))
    _check_device(device, dtype)
    with without_bars():
        model = _read_weights(place, str(spec), dtype)
        tokenizer = _read_tokenizer(place, str(spec))
    if device is not None:
        model.to(torch.device(device))
    return _checked(LanguageModel(model, tokenizer, str(spec)))


def _read_weights(place: str, name: str, dtype: str | None) -> Any:
    """A model whose every weight is the file's; transformers alone would draw missing ones at random, and warn."""
    from safetensors import SafetensorError  # transformers reads weights with it

    options: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False, "dtype": dtype or "auto"}
    read: Any = transformers.AutoModelForCausalLM.from_pretrained
    try:
        model, found = read(place, output_loading_info=True, ignore_mismatched_sizes=True, **options)
    except SafetensorError as error:
        raise ValueError(
            f"model must have whole safetensors files, got a damaged one in {name!r} ({error}); get a fresh copy"
        ) from error
    absent = sorted(found["missing_keys"])
    misshapen = sorted(str(entry[0] if isinstance(entry, tuple) else entry) for entry in found["mismatched_keys"])
    for keys, what in ((absent, "without"), (misshapen, "with another shape of")):
        if keys:
            raise ValueError(
                f"model must have all weights that its config.json asks for, got {name!r} {what} {keys[0]} "
                f"({len(keys)} in all); check that it is complete"
            )
    return model


def _read_tokenizer(place: str, name: str) -> Any:
    try:
        return transformers.AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"model must come with its tokenizer, got none that can be read in {name!r}; save it there with "
            "tokenizer.save_pretrained, or pass (model, tokenizer)"
        ) from error


def _check_device(device: str | None, dtype: str | None) -> None:
    """Say before any weights are read that they could not be put there."""
    if dtype not in (None, "auto") and not getattr(getattr(torch, str(dtype), None), "is_floating_point", False):
        raise ValueError(f"dtype must be a floating type of torch, got {dtype!r}; try 'float32' or 'bfloat16'")
    if device is not None:
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:  # AssertionError: a build of torch without CUDA
            raise ValueError(
                f"device must be one that this machine has, got {device!r} ({str(error).splitlines()[0]}); "
                "leave it out to stay on the CPU"
            ) from error


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep transformers from drawing its own progress bars, also into pipes."""
    bars: Any = transformers.utils.logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


def _name_of(model: Any) -> str:
    return str(getattr(model.config, "_name_or_path", "") or "")


def _check_folder(place: Path, name: str) -> None:
    """Say what is wrong with a folder before transformers does, at length."""
    if not place.is_dir():
        if place.exists() or name.startswith((".", "/", "~")):
            raise FileNotFoundError(
                f"model must be a folder or a name, got {name!r}, which is no folder; check the path"
            )
        if "/" not in name:
            raise FileNotFoundError(
                f"model must be {', '.join(MICRO_MODELS)}, a folder, or a name on the hub such as owner/name, got "
                f"{name!r}, which is none of them; check the spelling"
            )
        return  # a name on a hub
    if not (place / "config.json").is_file():
        raise FileNotFoundError(f"model must be a folder with a config.json, got none in {name!r}; check the path")
    weights = [path.name for path in place.glob("*.safetensors")]
    if weights and all(weight.startswith("adapter") for weight in weights):
        raise FileNotFoundError(
            f"model must have weights of its own, got an adapter alone in {name!r}; merge it into its base first"
        )
    if not weights:
        pickled = sorted(path.name for kind in ("*.bin", "*.pt", "*.pth") for path in place.glob(kind))
        if pickled:
            raise ValueError(
                f"model must have safetensors weights, got the pickle {pickled[0]} in {name!r}: a pickle can run "
                "code when it is loaded; convert it where that is safe, with save_pretrained(safe_serialization=True)"
            )
        raise FileNotFoundError(f"model must have safetensors weights, got none in {name!r}; check that it is complete")


def _checked(lm: LanguageModel) -> LanguageModel:
    if not getattr(lm.tokenizer, "chat_template", None):
        raise ValueError(
            f"model must have a chat template, got none in {lm.name or 'the tokenizer'}; "
            "use an instruction-tuned model, or set tokenizer.chat_template"
        )
    vocabulary = lm.model.get_input_embeddings().weight.shape[0]
    needed = 1 + max(lm.tokenizer.get_vocab().values())  # ids may have holes
    if needed > vocabulary:
        raise ValueError(
            f"tokenizer must be the model's own, got {needed} tokens for {vocabulary} embeddings in "
            f"{lm.name or 'the model'}; load both from the same place"
        )
    lm.model.eval()
    return lm


# -------------------------------------------------------------------------------------------------------------- scoring


@dataclass(frozen=True)
class TokenScores:
    """What a model makes of the tokens of one completion.

    Attributes
    ----------
    ids : tuple of int
        Tokens of the completion, its end of turn last.
    logprobs : float array [tokens]
        Log-probability of each token given all before it, in nats; their sum is that of the completion.
    entropies : float array [tokens]
        Entropy in nats of the model's prediction at each position.
    ranks : int array [tokens]
        1 + number of tokens of the vocabulary that are more probable.
    truncated : int
        Tokens cut off the end of the completion, its end of turn among them; 0 where the row fits the context.
    """

    ids: tuple[int, ...]
    logprobs: Floats
    entropies: Floats
    ranks: Ints
    truncated: int = 0


def token_scores(
    lm: Spec,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    batch_size: int = 128,
    cache: str | os.PathLike[str] | None = None,
    too_long: TooLong = "error",
    progress: Callable[[int], None] | None = None,
) -> list[TokenScores]:
    """Log-probability, entropy and rank of every token of every completion, given its prompt.

    Parameters
    ----------
    lm : LanguageModel, or what `load` takes
        The model to score under.
    prompts, completions : sequence of str
        One completion a prompt.
    system : str, optional
        System message that stood before every prompt. Without one none is said; `LanguageModel.rendered` shows the
        text around a row.
    batch_size : int
        Rows scored together, at most; a batch of long rows has fewer, see Notes.
    cache : path-like, optional
        Folder that keeps the scores of every batch: run again, also after a kill, the work goes on from there.
    too_long : "error" or "truncate"
        What to do with a row longer than the model's context: raise, or cut tokens off the *end of its completion*
        (the prompt stays whole, and what is left is scored exactly) and say in `TokenScores.truncated` how many.
    progress : callable, optional
        Told how many rows are done.

    Returns
    -------
    list of TokenScores
        In the order of the rows.

    Raises
    ------
    ValueError
        If a prompt spells a special token, a row is longer than the context (with ``too_long="truncate"``: its prompt
        alone), a score is not a number, or a file of the cache is damaged; row or file is named.
    NotADirectoryError
        If `cache` is a file.
    OSError
        If there is no room on the disk; the batches written so far are kept.

    Notes
    -----
    Log-probabilities are those of the completion's own tokenization: `LanguageModel.answers`, with the end of turn.
    Log-softmax is taken in float32 (float64 for a float64 model) whatever the model's dtype is.

    Batches are fixed: rows are taken max(16 batch_size, 1024) at a time, put together with rows that begin alike where
    that saves work, sorted by length, and cut into batches of at most `batch_size` rows and 16,384 tokens with padding.
    What all rows of a batch begin with goes through the model once, and on a CPU no more than 4,096 tokens do at once.
    Which other rows share a batch moves a score by rounding; `noise_floor` measures by how much.

    Memory beyond the weights, in numbers of the model's dtype unless said otherwise, does not grow with the number of
    rows. With M = max(16384, context) tokens a batch, N of them through the model at once (max(4096, context) on a
    CPU, elsewhere M), T the longest row, d the width, f that of the widest layer inside a block, k the width of keys
    and values of L layers, V the vocabulary, W rows at a time::

        N (6 d + 3 f) + 4 M k    inside the model
        + 2 L k T + (N T bytes)  a shared prefix, and its mask
        + N d + B                hidden states, and logits: B = max(2^20, 256 V) on a CPU, max(2^26, V) elsewhere
        + 12 C bytes             logits widened to float32, and exponentials: C = 2^18 on a CPU, 2^24 elsewhere
        + 40 W T bytes           tokens of the rows at hand

    Besides that only the results grow: about 60 bytes a token and 600 a row. A model whose logits are not its output
    embedding of the last hidden states (it caps or scales them) has to be asked for the logits of whole rows; its B is
    at least T V. Attention is assumed not to hold its weights ("sdpa", not "eager").
    """
    lm = load(lm)
    _check_scoring(lm, prompts, completions, batch_size, too_long)
    store = None if cache is None else open_cache(cache, _description(lm, system))
    found = []
    hint = ", or cut its end with too_long='truncate'"
    for first, rows in _windows(lm, prompts, completions, system, batch_size, too_long, hint):
        tables = _score(lm, rows, batch_size, first_row=first, is_full=True, store=store, progress=progress)
        found += [
            TokenScores(
                tuple(row.ids[row.start :]), table[0].copy(), table[1].copy(), table[2].astype(np.int64), row.cut
            )
            for row, table in zip(rows, tables, strict=True)
        ]
    return found


def token_logprobs(
    lm: Spec,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    batch_size: int = 128,
    cache: str | os.PathLike[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Floats]:
    """Log-probability in nats of every token of every completion, its end of turn included, given its prompt.

    Parameters are those of `token_scores`, which says more of each token and takes a little longer.

    Returns
    -------
    list of float arrays [tokens + 1]
        In the order of the rows. Their sum is the exact log-probability of the completion as it is tokenized.

    Raises
    ------
    ValueError
        If a row is longer than the model's context, or a score is not a number; the row is named.
    """
    if cache is not None:  # the cache holds full scores, whoever asks
        scores = token_scores(
            lm, prompts, completions, system=system, batch_size=batch_size, cache=cache, progress=progress
        )
        return [score.logprobs for score in scores]
    lm = load(lm)
    _check_scoring(lm, prompts, completions, batch_size, "error")
    found: list[Floats] = []
    for first, rows in _windows(lm, prompts, completions, system, batch_size, "error"):
        tables = _score(lm, rows, batch_size, first_row=first, progress=progress)
        found += [table[0] for table in tables]
    return found


def score_rows(
    lm: LanguageModel,
    rows: Sequence[EncodedRow],
    *,
    batch_size: int = 128,
    progress: Callable[[int], None] | None = None,
) -> list[Floats]:
    """Log-probabilities in nats of the tokens of encoded rows from their start on; see `token_logprobs`."""
    return [table[0] for table in _score(lm, rows, batch_size, progress=progress)]


@dataclass(frozen=True)
class NoiseFloor:
    """By how much scores move when nothing but the batches they are computed in changes.

    Attributes
    ----------
    row, token : float
        Largest difference between two batch sizes of the log-probability of a row, and of a token, in nats.
    row_quantile, token_quantile : float
        Their quantiles at .99.
    rows : int
        Rows that were scored again.
    batch_sizes : tuple of int
        In which batches.

    Notes
    -----
    `row` is what to hold a margin between two scores of a row against: a smaller one may be rounding. It is the largest
    difference of a sample, so rows that were not in it may differ by more.
    """

    row: float
    token: float
    row_quantile: float
    token_quantile: float
    rows: int
    batch_sizes: tuple[int, ...]

    def hides(self, margins: Floats) -> Bools:
        """Whether each margin between log-probabilities of rows, in nats, is no larger than the floor."""
        return np.asarray(np.abs(margins) <= self.row)


def noise_floor(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    n: int = 256,
    batch_sizes: Sequence[int] = (1, 128),
    seed: int = 0,
    too_long: TooLong = "error",
) -> NoiseFloor:
    """Score a random sample of the rows in batches of several sizes, and compare.

    Parameters
    ----------
    lm, prompts, completions, system, too_long
        As for `token_scores`.
    n : int
        Rows in the sample; all of them where there are fewer.
    batch_sizes : sequence of int
        At least two different ones.
    seed : int
        Of the sample.

    Raises
    ------
    ValueError
        If there are no rows, or fewer than two batch sizes; and as `token_scores` does.
    """
    sizes = tuple(dict.fromkeys(batch_sizes))
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"batch_sizes must be at least two different ones from 1, got {sizes}; try (1, 128)")
    if n < 1 or not completions:
        raise ValueError(f"n must be at least 1 and rows must be given, got n {n} and {len(completions)} rows")
    _check_scoring(lm, prompts, completions, min(sizes), too_long)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(completions))[:n])
    sample_prompts, sample_texts = [prompts[row] for row in chosen], [completions[row] for row in chosen]
    try:
        scored = [
            token_scores(lm, sample_prompts, sample_texts, system=system, batch_size=size, too_long=too_long)
            for size in sizes
        ]
    except RowError as error:
        raise error.moved(int(chosen[error.row])) from error
    tokens = np.array([np.concatenate([row.logprobs for row in rows]) for rows in scored])
    totals = np.array([[row.logprobs.sum() for row in rows] for rows in scored])
    moved = [np.ptp(values, axis=0) for values in (totals, tokens)]
    row, token = (float(values.max()) for values in moved)
    row_quantile, token_quantile = (float(np.quantile(values, 0.99)) for values in moved)
    return NoiseFloor(row, token, row_quantile, token_quantile, len(chosen), sizes)


@dataclass(frozen=True)
class EncodedRow:
    """A prompt and its completion as tokens; the completion starts at `start` and was cut by `cut` tokens."""

    ids: Tokens
    start: int
    cut: int = 0


def encode(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    too_long: TooLong = "error",
    first_row: int = 0,
    hint: str = "",
) -> list[EncodedRow]:
    """Rows as the model reads them, each with its end of turn; messages count rows from `first_row`.

    `hint` is what else a caller can do about a row that is too long and whose prompt is not.
    """
    asked = dict(zip(dict.fromkeys(prompts), lm.ask(list(dict.fromkeys(prompts)), system), strict=True))
    rows = []
    for row, (prompt, tail) in enumerate(zip(prompts, lm.answers(completions), strict=True), first_row):
        ids, start = [*asked[prompt], *tail], len(asked[prompt])
        if not start:
            raise RowError(
                "prompts must be at least one token in the chat template, got none in {row}; "
                "use a template that marks the turns",
                row,
            )
        cut = max(0, len(ids) - lm.context)
        if cut and (too_long == "error" or start >= lm.context):
            raise RowError(
                f"rows must fit the model's context of {lm.context} tokens, got {len(ids)} in {{row}}; "
                "leave it out, shorten it, or use a model with a longer context",
                row,
                hint if start < lm.context else "",
            )
        rows.append(EncodedRow(ids[: len(ids) - cut], start, cut))
    return rows


def _check_scoring(
    lm: LanguageModel, prompts: Sequence[str], completions: Sequence[str], batch_size: int, too_long: TooLong
) -> None:
    """What can be found wrong before any row is scored."""
    if len(prompts) != len(completions):
        raise ValueError(
            f"prompts must have one entry a completion, got {len(prompts)} for {len(completions)}; pair them first"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}; 128 is usual")
    if too_long not in get_args(TooLong):
        raise ValueError(f"too_long must be one of {', '.join(get_args(TooLong))}, got {too_long!r}; choose one")
    missing = next((row for row, prompt in enumerate(prompts) if not isinstance(prompt, str)), None)
    if missing is not None:
        raise RowError("prompts must be texts, got none in {row}; a model scores completions of prompts", missing)
    lm.check_prompts(prompts)


def _windows(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    system: str | None,
    batch_size: int,
    too_long: TooLong,
    hint: str = "",
) -> Iterator[tuple[int, list[EncodedRow]]]:
    """Encoded rows, some batches at a time, with the number of the first."""
    size = max(_WINDOW_BATCHES * batch_size, _WINDOW_ROWS)
    for row in _suspiciously_long(lm, prompts, completions):  # before hours of scoring, not after
        encode(lm, [prompts[row]], [completions[row]], system=system, too_long=too_long, first_row=row, hint=hint)
    for first in range(0, len(prompts), size):
        part = slice(first, first + size)
        rows = encode(
            lm, prompts[part], completions[part], system=system, too_long=too_long, first_row=first, hint=hint
        )
        yield first, rows


def _suspiciously_long(lm: LanguageModel, prompts: Sequence[str], completions: Sequence[str]) -> Iterator[int]:
    """Rows that may be beyond the context by their bytes: a token is rarely less than one."""
    for row, texts in enumerate(zip(prompts, completions, strict=True)):
        n_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        if n_bytes >= lm.context // 2:
            yield row


def batches_by_length(
    lm: LanguageModel,
    rows: Sequence[EncodedRow],
    batch_size: int,
    *,
    most_tokens: int | None = None,
    among: Iterable[int] | None = None,
    shared: int = 0,
) -> list[list[int]]:
    """Indices of rows (of those `among`) in batches of like length, the longest first: too little memory shows at once.

    A batch has at most `batch_size` rows, and a number of tokens with padding (`most_tokens`, by default what a model
    gains from on its device, where the first `shared` tokens of a row do not count) unless it is one row. Which rows
    share a batch does not depend on their order.
    """
    most_read = min(_BATCH_TOKENS, most_tokens or _BATCH_TOKENS)
    most_run = min(_RUN_TOKENS.get(lm.model.device.type, most_read), most_read)
    order = sorted(range(len(rows)) if among is None else among, key=lambda row: (-len(rows[row].ids), rows[row].ids))
    batches = []
    while order:
        longest = len(rows[order[0]].ids)
        size = max(1, min(batch_size, most_run // (longest - shared), most_read // longest))
        if longest > lm.stretches_beyond:
            size = next((i for i, row in enumerate(order[:size]) if len(rows[row].ids) < longest), size)
        batches.append(order[:size])
        order = order[size:]
    return batches


def groups_by_prefix(rows: Sequence[EncodedRow], own_batch: int) -> list[tuple[int, list[int]]]:
    """Rows that begin alike: (tokens they share at least, their indices) for each group.

    What is shared may be a system message, a template or a whole prompt: groups are taken from the tree of prefixes.
    Rows are a group of their own if running what they share once, rather than only what they share with the group
    around them, saves at least `own_batch` tokens.
    """
    begins = [np.asarray(row.ids[: row.start - 1], dtype=">u4").tobytes() for row in rows]
    order = sorted(range(len(rows)), key=begins.__getitem__)
    alike = np.array([0, *(_shared_tokens(begins[one], begins[other]) for one, other in pairwise(order))])
    depths, parents, members = [0], [0], [list[int]()]  # nodes of the tree, each after its parent
    branches = [(0, len(order), 0)]
    while branches:
        first, last, node = branches.pop()
        within = alike[first + 1 : last]
        if (last - first) * (within.max(initial=0) - depths[node]) <= own_batch:
            members[node] += order[first:last]
            continue
        depth = int(within.min())
        if depth > depths[node]:
            depths.append(depth)
            parents.append(node)
            members.append([])
            node = len(depths) - 1
        edges = [first, *(first + 1 + (within == depth).nonzero()[0]).tolist(), last]
        branches += [(start, end, node) for start, end in pairwise(edges)]
    for node in range(len(depths) - 1, 0, -1):  # what deeper nodes have not taken for themselves
        parent, depth = parents[node], depths[node]
        if len(members[node]) * (depth - depths[parent]) - depth < own_batch:
            members[parent] += members[node]
            members[node] = []
    return [(depth, group) for depth, group in zip(depths, members, strict=True) if group]


def _shared_tokens(one: bytes, other: bytes) -> int:
    """Tokens that two rows of them, four bytes each, begin with."""
    most = min(len(one), len(other)) // 4
    differs = np.frombuffer(one, np.uint32, most) != np.frombuffer(other, np.uint32, most)
    return int(differs.argmax()) if differs.any() else most


def _batches(lm: LanguageModel, rows: Sequence[EncodedRow], batch_size: int) -> list[list[int]]:
    """Indices of rows in batches, the longest first, of rows that begin alike if the model can make use of that."""
    groups = [(0, list(range(len(rows))))]
    if len(rows) > 1 and lm.has_plain_head and lm.can_share_prefix:
        groups = groups_by_prefix(rows, _OWN_BATCH.get(lm.model.device.type, _GPU_OWN_BATCH))
    found = [
        batch
        for shared, group in groups
        for batch in batches_by_length(lm, rows, batch_size, among=group, shared=shared)
    ]
    return sorted(found, key=lambda batch: -len(rows[batch[0]].ids))


def padded(rows: Sequence[EncodedRow], device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids [batch, length], and which positions are followed by a token of a completion.

    Padding stands on the right, where a causal model never looks; its tokens are arbitrary.
    """
    longest = max(len(row.ids) for row in rows)
    ids = np.empty((len(rows), longest), dtype=np.int64)
    wanted = np.zeros((len(rows), longest), dtype=bool)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = row.ids
        ids[i, len(row.ids) :] = row.ids[row.start - 1]  # no pad token: models warn when they see one without a mask
        wanted[i, row.start - 1 : len(row.ids) - 1] = True
    return torch.from_numpy(ids).to(device), torch.from_numpy(wanted).to(device)


class _SharedLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values [1, heads, prefix, width] that all rows of a batch begin with; keeps nothing that follows."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
        found = [(self.keys, key_states), (self.values, value_states)]
        return tuple(torch.cat([kept.expand(len(new), -1, -1, -1), new], dim=-2) for kept, new in found)  # type: ignore[union-attr]


def _score(
    lm: LanguageModel,
    rows: Sequence[EncodedRow],
    batch_size: int,
    *,
    first_row: int = 0,
    is_full: bool = False,
    store: ScoreCache | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Floats]:
    """Tables [kinds, tokens] of encoded rows: log-probabilities, and where `is_full` entropies and ranks."""
    found: list[Floats] = [np.zeros((0, 0))] * len(rows)
    done = first_row
    for batch in _batches(lm, rows, batch_size):
        chosen = [rows[row] for row in batch]
        ends = np.cumsum([len(row.ids) - row.start for row in chosen])
        table, path = None, None
        if store is not None:
            path = store.path([row.ids for row in chosen], [row.start for row in chosen])
            table = store.read(path, (3, int(ends[-1])))
        if table is None:
            table = _scored(lm, chosen, is_full)
            bad = ~np.isfinite(table).all(axis=0)
            if bad.any():
                place = int(bad.argmax())
                row = batch[int(np.searchsorted(ends, place, side="right"))]
                raise RowError(
                    f"scores must be numbers, got {table[:, place][~np.isfinite(table[:, place])][0]} in {{row}} under "
                    f"{lm.name}; load the model in another dtype, such as float32",
                    first_row + row,
                )
            if store is not None and path is not None:
                store.write(path, table)
        for row, values in zip(batch, np.split(table, ends[:-1], axis=1), strict=True):
            found[row] = values
        done += len(batch)
        if progress is not None:
            progress(done)
    return found


def _scored(lm: LanguageModel, rows: Sequence[EncodedRow], is_full: bool) -> Floats:
    """Table [kinds, tokens] of one batch."""
    with torch.inference_mode():
        ids, wanted = padded(rows, lm.model.device)
        targets = ids.roll(-1, dims=1)[wanted]
        parts, done = [], 0
        for logits in _logits(lm, ids[:, :-1], wanted[:, :-1]):  # no row asks what follows its last token
            parts.append(_statistics(logits, targets[done : done + len(logits)], is_full))
            done += len(logits)
        return np.asarray(torch.cat(parts, dim=1).cpu().numpy(), dtype=np.float64)


def _logits(lm: LanguageModel, ids: torch.Tensor, wanted: torch.Tensor) -> Iterator[torch.Tensor]:
    """Logits [positions, vocabulary] after the positions that `wanted` [batch, length] marks, a block at a time."""
    vocabulary = lm.model.get_input_embeddings().weight.shape[0]
    device = lm.model.device.type
    most = max(_LOGITS.get(device, _GPU_LOGITS), _LEAST_POSITIONS.get(device, 1) * vocabulary)
    if lm.has_plain_head:
        head = lm.model.get_output_embeddings()
        for hidden in torch.split(lm.hidden_at(ids, wanted), most // vocabulary):
            yield head(hidden)
    else:
        step = max(1, most // (vocabulary * ids.shape[1]))
        for first in range(0, len(ids), step):
            yield lm.logits_at(ids[first : first + step], wanted[first : first + step])


def _statistics(logits: torch.Tensor, targets: torch.Tensor, is_full: bool) -> torch.Tensor:
    """Log-probabilities of `targets` [positions], and where `is_full` entropies and ranks: [kinds, positions].

    Goes over the vocabulary in chunks, so that only so many logits are widened to float32 at a time.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    widened = _WIDENED.get(logits.device.type, _GPU_WIDENED)
    targeted = logits.gather(1, targets[:, None])
    top = logits.amax(dim=1, keepdim=True).to(wide)
    total = torch.zeros_like(top)  # sum of exp(logit - top)
    moment = torch.zeros_like(top)  # sum of (logit - top) exp(logit - top)
    above = torch.zeros_like(top)
    for part in torch.split(logits, max(1, widened // len(logits)), dim=1):
        shifted = part.to(wide) - top
        weights = shifted.exp() if is_full else shifted.exp_()
        total += weights.sum(dim=1, keepdim=True)
        if is_full:
            moment += shifted.clamp_(min=_NEGLIGIBLE).mul_(weights).sum(dim=1, keepdim=True)
            above += (part > targeted).sum(dim=1, keepdim=True)
    found = [targeted.to(wide) - top - total.log()]
    if is_full:
        found += [(total.log() - moment / total).clamp(min=0.0), above + 1]
    return torch.cat(found, dim=1).T


def _description(lm: LanguageModel, system: str | None) -> dict[str, Any]:
    """Everything besides the tokens of its rows that the scores of a batch depend on, on one machine."""
    config = {k: v for k, v in lm.model.config.to_dict().items() if k not in ("_name_or_path", "transformers_version")}
    settings = json.dumps(config, sort_keys=True, default=str)
    return {
        "weights, vocabulary and chat template": lm.digest,
        "architecture": f"{type(lm.model).__module__}.{type(lm.model).__qualname__}",
        "configuration": digests.hex_digest(settings),
        "attention": str(getattr(lm.model.config, "_attn_implementation", None)),
        "dtype": str(lm.model.dtype),
        "device": lm.model.device.type,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "text": lm.rendered(system),
    }


# ------------------------------------------------------------------------------------------------------------- sampling


@dataclass(frozen=True)
class Sampled:
    """A completion, and whether the model ended it itself."""

    text: str
    finished: bool


def sample(
    lm: LanguageModel,
    prompts: Sequence[str],
    *,
    system: str | None = None,
    temperature: float = 1.0,
    max_new_tokens: int = 128,
    batch_size: int = 256,
    seed: int = 0,
    first_row: int = 0,
) -> list[Sampled]:
    """One completion a prompt.

    Parameters
    ----------
    lm : LanguageModel
        Who answers.
    prompts : sequence of str
        User turns.
    system : str, optional
        System message before every prompt.
    temperature : float
        1 samples from the model's own law; 0 takes the likeliest token.
    max_new_tokens : int
        Where an answer is cut off.
    batch_size : int
        Rows sampled together: memory grows with it, results do not depend on it.
    seed, first_row : int
        Row i draws from a counter-based generator with the key (seed, first_row + i).

    Notes
    -----
    A row's draws depend on its seed and number alone. Its text could depend on the batch only where a draw falls
    within floating-point rounding of the boundary between two tokens.
    """
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0, got {temperature}; 1 samples, 0 takes the likeliest token")
    if max_new_tokens < 1 or batch_size < 1:
        raise ValueError(
            f"max_new_tokens and batch_size must be at least 1, got {max_new_tokens} and {batch_size}; raise them"
        )
    asked = lm.ask(prompts, system)
    for row, ids in enumerate(asked):
        if len(ids) + max_new_tokens > lm.context:
            raise ValueError(
                f"prompts must leave room for {max_new_tokens} new tokens in the context of {lm.context}, got "
                f"{len(ids)} tokens in prompt {row + 1}; shorten it or lower max_new_tokens"
            )
    answers: list[Tokens] = [[] for _ in prompts]
    order = sorted(range(len(asked)), key=lambda row: (len(asked[row]), row))
    for batch in (order[i : i + batch_size] for i in range(0, len(order), batch_size)):
        draws = np.stack([_uniforms(seed, first_row + row, max_new_tokens) for row in batch])
        for row, token in _decode(lm, [asked[row] for row in batch], draws, temperature, max_new_tokens):
            answers[batch[row]].append(token)
    finished = [bool(ids) and ids[-1] in lm.stops for ids in answers]
    texts = lm.tokenizer.batch_decode(answers, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return [Sampled(text, end) for text, end in zip(texts, finished, strict=True)]


def _uniforms(seed: int, row: int, n: int) -> Floats:
    """The draws of one row, whatever else is drawn."""
    return np.random.Generator(np.random.Philox(key=[seed, row])).random(n)


def _decode(
    lm: LanguageModel, asked: list[Tokens], draws: Floats, temperature: float, max_new_tokens: int
) -> Iterator[tuple[int, int]]:
    """(row, token) in the order in which the tokens come; ends every row at its stop token."""
    device = lm.model.device
    lengths = np.array([len(ids) for ids in asked])
    longest = int(lengths.max())
    ids = np.zeros((len(asked), longest), dtype=np.int64)
    mask = np.zeros((len(asked), longest), dtype=np.int64)
    for i, question in enumerate(asked):  # padded on the left: all answers start in the same column
        ids[i, longest - len(question) :] = question
        mask[i, longest - len(question) :] = 1
    alive = np.arange(len(asked))
    attention = torch.from_numpy(mask).to(device)
    inputs = torch.from_numpy(ids).to(device)
    positions = (attention.cumsum(1) - 1).clamp(min=0)
    uniforms = torch.from_numpy(draws).to(device)
    stops = torch.tensor(lm.stops, device=device)
    running = torch.ones(len(asked), dtype=torch.bool, device=device)
    is_padded = bool((lengths < longest).any())
    cache = transformers.DynamicCache()
    # A model that keeps only the last logits of the prompt never holds [batch, length, vocabulary].
    last_only = {"logits_to_keep": 1} if lm.can_keep_last else {}
    with torch.inference_mode():
        for step in range(max_new_tokens):
            logits = forward_from(
                lm.model,
                cache,
                input_ids=inputs,
                attention_mask=attention if is_padded else None,
                position_ids=positions,
                **last_only,
            ).logits[:, -1]
            tokens = _draw(logits.float(), uniforms[:, step], temperature)
            yield from (
                (int(row), int(token))
                for row, token, live in zip(alive, tokens.tolist(), running.tolist(), strict=True)
                if live
            )
            running &= ~torch.isin(tokens, stops)
            n_running = int(running.sum())
            if not n_running:
                return
            if n_running <= (1 - _COMPACT_SHARE) * len(alive):
                kept = running.nonzero()[:, 0]
                cache.batch_select_indices(kept)
                alive = alive[kept.cpu().numpy()]
                tokens, running = tokens[kept], running[kept]
                attention, positions, uniforms = attention[kept], positions[kept], uniforms[kept]
            inputs = tokens[:, None]
            positions = positions[:, -1:] + 1
            if is_padded:
                attention = torch.cat([attention, attention.new_ones(len(alive), 1)], dim=1)


def _draw(logits: torch.Tensor, uniforms: torch.Tensor, temperature: float) -> torch.Tensor:
    """One token a row by inverting the distribution function, in two stages: a chunk of the vocabulary, then a token.

    One uniform number a row is all the randomness there is, so a row's tokens do not depend on its neighbours.
    """
    if temperature == 0:
        return logits.argmax(dim=1)
    weights = ((logits - logits.amax(dim=1, keepdim=True)) / temperature).exp()
    weights = torch.nn.functional.pad(weights, (0, -weights.shape[1] % _DRAW_CHUNK))
    chunks = weights.view(len(weights), -1, _DRAW_CHUNK)
    cumulative = chunks.sum(dim=2).double().cumsum(dim=1)
    wanted = (uniforms * cumulative[:, -1])[:, None]
    chunk = torch.searchsorted(cumulative, wanted, right=True).clamp(max=cumulative.shape[1] - 1)
    before = torch.where(chunk > 0, cumulative.gather(1, (chunk - 1).clamp(min=0)), 0.0)
    rows = torch.arange(len(weights), device=logits.device)
    inside = chunks[rows, chunk[:, 0]].double().cumsum(dim=1)
    # Rounding can leave the target beyond the chunk's own sum: the last token that has any weight is meant then.
    target = torch.minimum(wanted - before, inside[:, -1:].nextafter(torch.zeros_like(wanted)))
    return (chunk * _DRAW_CHUNK + torch.searchsorted(inside, target.clamp(min=0), right=True))[:, 0]
