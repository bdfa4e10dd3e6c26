"""A causal language model with its tokenizer: what it reads, and what it predicts after each token.

Nothing here imports torch or transformers (extra ``lm``) before a model is asked.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, cast

from fingerprint.data import digests
from fingerprint.data.row_errors import RowError

if TYPE_CHECKING:
    import torch
    import transformers

Tokens = list[int]
# Rotary embeddings whose frequencies depend on the length of the sequence.
_STRETCHED = ("dynamic", "longrope")
_COMMAND = "must not contain the model's special tokens, got {!r}: it would be read as a command; remove or rewrite it"
# Logits that a head applied to hidden states may differ from the model's own by (float32 rounding).
_HEAD_TOLERANCE = 1e-3
# A prefix that all rows of a batch share is worth its own pass if that saves at least this share of the tokens.
_PREFIX_SHARE = 0.1


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

    model: transformers.PreTrainedModel
    tokenizer: transformers.PreTrainedTokenizerBase
    name: str = field(default="model")

    @cached_property
    def digest(self) -> str:
        """Hash of weights, vocabulary and chat template: 16 hex digits."""
        return digests.hex_digest_of_parts(self._parts())

    def _parts(self) -> Iterator[bytes]:
        import torch

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

    @property
    def head(self) -> torch.nn.Linear | None:
        """The output embedding, from hidden states [..., width] to logits [..., vocabulary]; None if there is none."""
        found: torch.nn.Linear | None = self.model.get_output_embeddings()  # type: ignore[no-untyped-call]
        return found

    @property
    def n_embeddings(self) -> int:
        """Tokens that the model has an embedding for: the vocabulary, and what it may be padded with."""
        return int(cast("torch.nn.Embedding", self.model.get_input_embeddings()).weight.shape[0])

    @cached_property
    def has_plain_head(self) -> bool:
        """Whether logits are the output embedding of the last hidden states: tried out on a short sequence.

        Some models cap or scale their logits afterwards; theirs have to be asked for from the whole model.
        """
        import torch

        head = self.head
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
        import torch

        from fingerprint.lm.kv_cache import forward_from, shared_prefix

        if self.stretches_beyond < self.context:
            return False
        shared = self.tokenizer("a b c d e f g h", add_special_tokens=False)["input_ids"]
        end = self.stops[0]
        rows = [[*shared, *shared[:2], end, shared[0]], [*shared, *shared[:3], end]]
        with torch.inference_mode():
            ids = torch.tensor(rows, device=self.model.device)
            prefix = shared_prefix(self.model, ids[:1, : len(shared)])
            if prefix is None:
                return False
            body = self.model.base_model
            found = forward_from(body, prefix, input_ids=ids[:, len(shared) :]).last_hidden_state
            wanted = body(input_ids=ids, use_cache=False).last_hidden_state[:, len(shared) :]
        tolerance = torch.finfo(wanted.dtype).eps ** 0.5 * wanted.abs().max()
        return bool((found - wanted).abs().max() <= tolerance)

    def hidden_at(self, ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Last hidden states [wanted.sum(), width] at the positions that `wanted` [batch, length] marks.

        What all rows begin with is run through the model once, where that saves work.
        """
        from fingerprint.lm.kv_cache import forward_from, shared_prefix

        body = self.model.base_model
        n, length = ids.shape
        first = int(wanted.any(dim=0).nonzero()[0])  # the prefix ends before the first position that is asked for
        differs = (ids[:, :first] != ids[:1, :first]).any(dim=0).nonzero()
        shared = int(differs[0]) if len(differs) else first
        prefix = None
        if (n - 1) * shared >= _PREFIX_SHARE * n * length and shared and self.can_share_prefix:
            prefix = shared_prefix(self.model, ids[:1, :shared])
        if prefix is not None:
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
        if self.has_plain_head and (head := self.head) is not None:
            hidden = self.model.base_model(input_ids=ids, use_cache=False).last_hidden_state
            found: torch.Tensor = head(hidden[wanted])
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
        found = self.tokenizer.apply_chat_template(
            chats,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_attention_mask=False,
            tokenizer_kwargs={"verbose": False},
        )
        return list(cast("dict[str, list[Tokens]]", found)["input_ids"])

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
        texts = self.tokenizer.apply_chat_template(
            [self._chat(mark, system)], add_generation_prompt=True, tokenize=False
        )
        text = cast("list[str]", texts)[0]
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
