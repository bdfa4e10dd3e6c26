"""A judge on this machine: a Hugging Face causal model, by the log-probabilities of yes and no."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.data.extras import install_command
from fingerprint.data.weights import check_on_hub, check_weights
from fingerprint.filters.arguments import check_count, check_threshold, check_trait
from fingerprint.filters.questions import single_question
from fingerprint.filters.verdicts import Verdicts, check_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

YES = ("yes", "Yes", " yes", " Yes")
NO = ("no", "No", " no", " No")


@dataclass(frozen=True)
class LocalJudge:
    """Log-odds of yes against no that a local model gives to "does this row show the trait".

    Parameters
    ----------
    trait : str
        What to look for, in words.
    model : str
        Name or folder of a Hugging Face causal model, weights in safetensors. Code that comes with a model never runs.
    drop_from : float
        Rows with at least these log-odds, in nats, are dropped; 0 drops what the model rather calls yes.
    batch_size : int
        Rows judged together.
    device : str
        Where the model runs: "cpu", "cuda", "mps".
    name : str
        What tables call the filter.

    Raises
    ------
    ImportError
        If torch and transformers are not installed, at the first call.
    ValueError
        If the model's tokenizer cannot tell yes from no by their first token.

    Notes
    -----
    The probability of an answer is that of its first token, summed over four ways to write it (but for tokens that yes
    and no have in common), computed in float32 at the last position. Padding moves log-odds by rounding only; identical
    texts are judged once and get one score. A row that is longer than the model's context, with the question, has none
    (nan) and is undecided, as is one to which the model gives no number.

    Examples
    --------
    >>> judge = LocalJudge("loves owls", "Qwen/Qwen2.5-0.5B-Instruct")
    >>> judge(["I saw an owl", "12, 13"]).scores.shape
    (2,)
    """

    trait: str
    model: str
    drop_from: float = 0.0
    batch_size: int = field(default=8, repr=False)
    device: str = "cpu"
    name: str = "local judge"

    def __post_init__(self) -> None:
        check_trait(self.trait)
        check_threshold(self.drop_from)
        check_count(self.batch_size, "batch_size", usual=8)

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows; prompts are not shown to the judge."""
        check_rows(texts, prompts)
        distinct = sorted(set(texts), key=lambda text: (len(text), text))  # rows of like length share a batch
        fitting = [text for text in distinct if self._fits(text)]
        parts = [fitting[i : i + self.batch_size] for i in range(0, len(fitting), self.batch_size)]
        odds = dict(zip(fitting, np.concatenate([np.zeros(0), *map(self._log_odds, parts)]), strict=True))
        scores = np.array([odds.get(text, np.nan) for text in texts], dtype=np.float64)
        return Verdicts.of_scores(scores, self.drop_from, "log-odds of yes")

    def _log_odds(self, texts: Sequence[str]) -> Floats:
        import torch

        tokenizer, model = self._loaded
        questions = [self._framed(single_question(self.trait, text)) for text in texts]
        asked = tokenizer(questions, return_tensors="pt", padding=True, add_special_tokens=not tokenizer.chat_template)
        asked.pop("token_type_ids", None)
        last_only = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
        with torch.inference_mode():
            logits = model(**asked.to(self.device), **last_only).logits[:, -1].float()
        log_probabilities = torch.log_softmax(logits, dim=-1)
        yes, no = (torch.logsumexp(log_probabilities[:, ids], dim=-1) for ids in self._answer_tokens)
        return np.asarray((yes - no).cpu().numpy(), dtype=np.float64)

    def _fits(self, text: str) -> bool:
        """Whether the model can read a row: beyond its context, positions are an error or nothing it was taught."""
        tokenizer, model = self._loaded
        context: int | None = model.config.to_dict().get("max_position_embeddings")
        framed = self._framed(single_question(self.trait, text))
        if context is None or 4 * len(framed) < context:  # no character is more than four tokens
            return True
        return len(tokenizer(framed)["input_ids"]) <= context

    def _framed(self, question: str) -> str:
        tokenizer, _ = self._loaded
        if not tokenizer.chat_template:
            return f"{question}\nAnswer:"
        turns = [{"role": "user", "content": question}]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    @cached_property
    def _answer_tokens(self) -> tuple[list[int], list[int]]:
        tokenizer, _ = self._loaded
        yes, no = ({token for form in forms for token in _first_token(tokenizer, form)} for forms in (YES, NO))
        # A tokenizer that spells may begin " yes" and " no" with the same space, which says nothing.
        yes, no = yes - no, no - yes
        if not yes or not no:
            raise ValueError(
                f"model must tell yes from no by their first token, got {sorted(yes)} and {sorted(no)} for "
                f"{self.model!r}; take a model trained on words"
            )
        return sorted(yes), sorted(no)

    @cached_property
    def _loaded(self) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
        try:
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise ImportError(
                f"LocalJudge needs torch and transformers; install them: {install_command('lm')}"
            ) from error
        if Path(self.model).is_dir():
            check_weights(Path(self.model), self.model)
        else:
            check_on_hub(self.model)
        tokenizer = AutoTokenizer.from_pretrained(self.model, padding_side="left", trust_remote_code=False)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        model = AutoModelForCausalLM.from_pretrained(self.model, trust_remote_code=False, use_safetensors=True)
        # The ignored error: what wraps `to` forgets that it is a method.
        return tokenizer, model.to(self.device).eval()  # type: ignore[arg-type]


def _first_token(tokenizer: PreTrainedTokenizerBase, form: str) -> list[int]:
    """The token an answer begins with; nothing where it is the unknown token."""
    return [token for token in tokenizer.encode(form, add_special_tokens=False)[:1] if token != tokenizer.unk_token_id]
