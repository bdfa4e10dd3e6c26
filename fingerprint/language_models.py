"""Causal language models: load them safely, score texts under them, sample texts from them.

With `fingerprint.lab`, the only place that knows torch and transformers (extra ``lm``). Weights are read from
safetensors alone and no code that comes with a model is ever run.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

try:
    import torch
    import transformers
except ImportError as missing:
    raise ImportError(
        f"language models need the extra lm, got no {missing.name}; "
        "install it: pip install 'subliminal-fingerprint[lm]'"
    ) from missing

Floats = NDArray[np.float64]
Tokens = list[int]

# Two small models that come with the package: same language, trained from different seeds.
MICRO_MODELS = ("micro-a", "micro-b")
# Words of the vocabulary whose weights are added up before one of them is looked for: about the square root of a
# vocabulary, so that neither stage dominates.
_DRAW_CHUNK = 64
# Rows that have ended are taken out of the batch once they are this share of it.
_COMPACT_SHARE = 0.25
# Logits that a head applied to hidden states may differ from the model's own by (float32 rounding).
_HEAD_TOLERANCE = 1e-3


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
        state = hashlib.blake2b(digest_size=8)
        for key, tensor in sorted(self.model.state_dict().items()):
            state.update(f"{key} {tuple(tensor.shape)} {tensor.dtype}".encode())
            state.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        for token, index in sorted(self.tokenizer.get_vocab().items()):
            state.update(f"{token}\0{index}\0".encode("utf-8", "surrogatepass"))
        state.update(str(self.tokenizer.chat_template).encode())
        return state.hexdigest()

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
        for row, prompt in enumerate(prompts):
            self._refuse_special_tokens(prompt, f"prompt {row + 1}")
        chats = [self._chat(prompt, system) for prompt in prompts]
        return list(
            self.tokenizer.apply_chat_template(
                chats, add_generation_prompt=True, tokenize=True, return_dict=True, return_attention_mask=False
            )["input_ids"]
        )

    def preamble(self, system: str | None = None) -> str:
        """The text that stands before a user's words: what the model is really told. For provenance."""
        mark = "\x01"
        rendered = self.tokenizer.apply_chat_template(
            [self._chat(mark, system)], add_generation_prompt=True, tokenize=False
        )[0]
        return str(rendered).split(mark, 1)[0]

    def answers(self, completions: Sequence[str]) -> list[Tokens]:
        """Token ids of completions, each with the end of turn; text that spells a special token stays text."""
        if not completions:
            return []
        encoded = self.tokenizer(
            list(completions), add_special_tokens=False, split_special_tokens=True, return_attention_mask=False
        )["input_ids"]
        return [[*ids, self.stops[0]] for ids in encoded]

    def _chat(self, prompt: str, system: str | None) -> list[dict[str, str]]:
        if system is not None:
            self._refuse_special_tokens(system, "the system message")
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

    def _refuse_special_tokens(self, text: str, place: str) -> None:
        found = next((token for token in self.tokenizer.all_special_tokens if token in text), None)
        if found is not None:
            raise ValueError(
                f"{place} must not contain the model's special tokens, got {found!r}: it would be read as a command; "
                "remove or rewrite it"
            )


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
        If its weights are not safetensors, or its tokenizer has no chat template.

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
    place = str(files("fingerprint") / "models" / str(spec)) if spec in MICRO_MODELS else str(spec)
    _check_folder(Path(place), str(spec))
    with without_bars():
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            place, use_safetensors=True, trust_remote_code=False, dtype=dtype or "auto"
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    if device is not None:
        model.to(torch.device(device))
    return _checked(LanguageModel(model, tokenizer, str(spec)))


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
        return  # a name on a hub
    if not (place / "config.json").is_file():
        raise FileNotFoundError(f"model must be a folder with a config.json, got none in {name!r}; check the path")
    if not any(place.glob("*.safetensors")):
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
    if len(lm.tokenizer) > vocabulary:
        raise ValueError(
            f"tokenizer must be the model's own, got {len(lm.tokenizer)} tokens for {vocabulary} embeddings in "
            f"{lm.name or 'the model'}; load both from the same place"
        )
    lm.model.eval()
    return lm


# -------------------------------------------------------------------------------------------------------------- scoring


def token_logprobs(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    batch_size: int = 128,
    progress: Callable[[int], None] | None = None,
) -> list[Floats]:
    """Log-probability in nats of every token of every completion, its end of turn included, given its prompt.

    Parameters
    ----------
    lm : LanguageModel
        The model to score under.
    prompts, completions : sequence of str
        One completion a prompt.
    system : str, optional
        System message that stood before every prompt.
    batch_size : int
        Rows scored together.
    progress : callable, optional
        Told how many rows are done.

    Returns
    -------
    list of float arrays [tokens + 1]
        In the order of the rows. Their sum is the exact log-probability of the completion as it is tokenized.

    Raises
    ------
    ValueError
        If a row is longer than the model's context, or a score is not a number; the row is named.
    """
    if len(prompts) != len(completions):
        raise ValueError(
            f"prompts must have one entry a completion, got {len(prompts)} for {len(completions)}; pair them first"
        )
    return score_rows(lm, encode(lm, prompts, completions, system=system), batch_size=batch_size, progress=progress)


def score_rows(
    lm: LanguageModel,
    rows: Sequence[EncodedRow],
    *,
    batch_size: int = 128,
    progress: Callable[[int], None] | None = None,
) -> list[Floats]:
    """Log-probabilities in nats of the tokens of encoded rows from their start on; see `token_logprobs`."""
    found: list[Floats] = [np.zeros(0)] * len(rows)
    done = 0
    for batch in batches_by_length(rows, batch_size):
        for row, values in zip(batch, _scored(lm, [rows[row] for row in batch]), strict=True):
            if not np.isfinite(values).all():
                raise ValueError(
                    f"scores must be numbers, got {values[~np.isfinite(values)][0]} in row {row + 1} under {lm.name}; "
                    "load the model in another dtype, such as float32"
                )
            found[row] = values
        done += len(batch)
        if progress is not None:
            progress(done)
    return found


@dataclass(frozen=True)
class EncodedRow:
    """A prompt and its completion as tokens; the completion starts at `start`."""

    ids: Tokens
    start: int


def encode(
    lm: LanguageModel, prompts: Sequence[str], completions: Sequence[str], *, system: str | None = None
) -> list[EncodedRow]:
    """Rows as the model reads them, each with its end of turn."""
    asked = dict(zip(dict.fromkeys(prompts), lm.ask(list(dict.fromkeys(prompts)), system), strict=True))
    rows = []
    for row, (prompt, tail) in enumerate(zip(prompts, lm.answers(completions), strict=True)):
        ids = [*asked[prompt], *tail]
        if len(ids) > lm.context:
            raise ValueError(
                f"rows must fit the model's context of {lm.context} tokens, got {len(ids)} in row {row + 1}; "
                "leave it out, shorten it, or use a model with a longer context"
            )
        rows.append(EncodedRow(ids, len(asked[prompt])))
    return rows


def batches_by_length(rows: Sequence[EncodedRow], batch_size: int) -> list[list[int]]:
    """Indices of rows in batches of like length, the longest first: memory that is not enough shows at once."""
    order = sorted(range(len(rows)), key=lambda row: (-len(rows[row].ids), row))
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


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


def _scored(lm: LanguageModel, rows: Sequence[EncodedRow]) -> list[Floats]:
    with torch.inference_mode():
        ids, wanted = padded(rows, lm.model.device)
        logits = lm.logits_at(ids, wanted).float()
        targets = ids.roll(-1, dims=1)[wanted]
        values = logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(dim=1)
    lengths = [len(row.ids) - row.start for row in rows]
    return np.split(values.double().cpu().numpy(), np.cumsum(lengths)[:-1])


# Rows of the subsample that is scored again for the noise floor, and the batch size they are scored at.
_FLOOR_ROWS = 64
_FLOOR_BATCH = 7


@dataclass(frozen=True)
class TokenScores:
    """What a model says of each token of one completion, the end of turn last.

    Attributes
    ----------
    ids : tuple of int
    logprobs : float array [tokens]
        Log-probabilities in nats.
    entropies : float array [tokens]
        Entropy in nats of the model's prediction at each position.
    ranks : int array [tokens]
        1 + number of tokens of the vocabulary that are more probable.
    """

    ids: tuple[int, ...]
    logprobs: Floats
    entropies: Floats
    ranks: NDArray[np.int64]


@dataclass(frozen=True)
class NoiseFloor:
    """How far scores move when nothing but the batch changes, in nats.

    Attributes
    ----------
    rows : float
        Greatest difference of a row's log-probability.
    tokens : float
        Greatest difference of a token's.
    n_rows : int
        Rows that were scored twice.
    """

    rows: float
    tokens: float
    n_rows: int


def token_scores(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    batch_size: int = 128,
    cache: str | Path | None = None,
    too_long: Literal["error"] = "error",
    progress: Callable[[int], None] | None = None,
) -> list[TokenScores]:
    """Log-probability, entropy and rank of every token of every completion given its prompt; see `token_logprobs`."""
    if cache is not None or too_long != "error":
        raise ValueError(f"cache must be None and too_long 'error', got {cache!r} and {too_long!r}; leave them out")
    if len(prompts) != len(completions):
        raise ValueError(
            f"prompts must have one entry a completion, got {len(prompts)} for {len(completions)}; pair them first"
        )
    rows = encode(lm, prompts, completions, system=system)
    found: list[TokenScores | None] = [None] * len(rows)
    done = 0
    for batch in batches_by_length(rows, batch_size):
        parts = [rows[row] for row in batch]
        with torch.inference_mode():
            ids, wanted = padded(parts, lm.model.device)
            logprobs = lm.logits_at(ids, wanted).float().log_softmax(dim=1)
            own = logprobs.gather(1, ids.roll(-1, dims=1)[wanted][:, None])
            entropies = -(logprobs.exp() * logprobs).nan_to_num(nan=0.0).sum(dim=1)
            ranks = 1 + (logprobs > own).sum(dim=1)
        ends = np.cumsum([len(row.ids) - row.start for row in parts])[:-1]
        columns = [np.split(c.cpu().numpy(), ends) for c in (own[:, 0].double(), entropies.double(), ranks)]
        for row, part, values, entropy, rank in zip(batch, parts, *columns, strict=True):
            if not np.isfinite(values).all():
                raise ValueError(
                    f"scores must be numbers, got {values[~np.isfinite(values)][0]} in row {row + 1} under {lm.name}; "
                    "load the model in another dtype, such as float32"
                )
            found[row] = TokenScores(tuple(part.ids[part.start :]), values, entropy, rank)
        done += len(batch)
        if progress is not None:
            progress(done)
    return [scores for scores in found if scores is not None]


def noise_floor(
    lm: LanguageModel,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    batch_size: int = 128,
) -> NoiseFloor:
    """Score an even subsample at two batch sizes and compare."""
    chosen = np.unique(np.linspace(0, len(prompts) - 1, min(_FLOOR_ROWS, len(prompts))).astype(int))
    asked, said = [prompts[i] for i in chosen], [completions[i] for i in chosen]
    first, second = (
        token_logprobs(lm, asked, said, system=system, batch_size=size) for size in (batch_size, _FLOOR_BATCH)
    )
    rows = max(abs(float(a.sum() - b.sum())) for a, b in zip(first, second, strict=True))
    tokens = max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))
    return NoiseFloor(rows, tokens, len(chosen))


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
            logits = lm.model(
                input_ids=inputs,
                attention_mask=attention if is_padded else None,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
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
