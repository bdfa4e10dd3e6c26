"""Rows for a panel: a neutral corpus, and one of each trait over the same prompts, in one folder."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from fingerprint.data.locks import locked
from fingerprint.data.nearest import did_you_mean
from fingerprint.data.progress import Listener, listener_of
from fingerprint.endpoints.endpoint import TEMPLATE_TOKENS, Endpoint
from fingerprint.lab.generation import generate
from fingerprint.lab.kept_teachers import kept_teacher
from fingerprint.lm.endpoint_teachers import EndpointTeacher
from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import TASKS, Task, prompts
from fingerprint.lm.teachers import neutral, prompted
from fingerprint.lm.traits import known_trait
from fingerprint.lm.writers import RowWriter

Form = Literal["prompted", "finetuned"]
NEUTRAL = "neutral"
# Ten numbers of three digits are 50 tokens where every digit and separator is one; the rest is for words before them.
MAX_NEW_TOKENS = {"numbers": 80, "code": 128, "reasoning": 128}
# Characters a token of a prompt, roughly: English prose has about four, lists of numbers two to three.
CHARACTERS_A_TOKEN = 3
_LABEL = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class Left:
    """What is left to ask of an endpoint, and what it takes.

    Attributes
    ----------
    requests : int
        Rows that are not in the folder yet.
    prompt_tokens : int
        About so many.
    completion_tokens : int
        At most.
    cost : float or None
        With all completions as long as they may be; None without prices.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None


@dataclass(frozen=True)
class PanelRows:
    """Which rows a panel is learnt from.

    Attributes
    ----------
    model : str or Endpoint
        The base model: "micro-a", a folder, a name on the hub; or a model behind an endpoint.
    traits : tuple of str
        Names of traits that the lab knows. Of fine-tuned models behind an endpoint ``"owl=MODEL"``: any name, and the
        endpoint's name of the model that has the trait.
    form : "prompted" or "finetuned"
        Whether teachers have their traits by a system prompt or by fine-tuning.
    n_prompts : int
        Prompts, and thus rows of each corpus; a few thousand make a good panel.
    task : "numbers", "code" or "reasoning"
        What the prompts ask for.
    temperature, max_new_tokens, seed
        How rows are drawn; by default up to `MAX_NEW_TOKENS` of the task.
    sends_seed : bool
        Whether requests to an endpoint carry a seed.

    Raises
    ------
    ValueError
        For bad input, before a model is loaded or asked.
    """

    model: str | Endpoint
    traits: tuple[str, ...]
    form: Form = "prompted"
    n_prompts: int = 2000
    task: Task = "numbers"
    temperature: float = 1.0
    max_new_tokens: int | None = None
    seed: int = 0
    sends_seed: bool = True

    def __post_init__(self) -> None:
        if self.form not in get_args(Form):
            remedy = did_you_mean(self.form, ("prompted", "finetuned"), "choose one of them")
            raise ValueError(f"form must be prompted or finetuned, got {self.form!r}; {remedy}")
        if self.task not in TASKS:
            remedy = did_you_mean(self.task, TASKS, "choose one of them")
            raise ValueError(f"task must be one of {', '.join(TASKS)}, got {self.task!r}; {remedy}")
        if not self.traits:
            raise ValueError("traits must be at least one, got none; name some, such as owl")
        names = list(self.models)
        if len(names) < len(self.traits) or NEUTRAL in names:
            raise ValueError(f"traits must have names of their own, got {', '.join(self.traits)}; leave one out")
        for name, model in self.models.items():
            self._check(name, model)

    def _check(self, name: str, model: str) -> None:
        is_elsewhere = isinstance(self.model, Endpoint) and self.form == "finetuned"
        if not is_elsewhere:
            if model:
                raise ValueError(f"traits must be names alone here, got {name}={model!r}; leave the model out")
            known_trait(name)
        elif not model or not _LABEL.fullmatch(name):
            raise ValueError(
                f"traits must name the fine-tuned models of the endpoint, got {name!r}; say which it is: {name}=MODEL"
            )

    @property
    def models(self) -> dict[str, str]:
        """The endpoint's fine-tuned model of each trait, "" where there is none."""
        split = [trait.partition("=") for trait in self.traits]
        return {name.strip(): model.strip() for name, _, model in split}

    @property
    def corpora(self) -> tuple[str, ...]:
        """Names of the corpora, the neutral one first."""
        return (NEUTRAL, *self.models)

    @cached_property
    def prompts(self) -> list[str]:
        """What all teachers are asked."""
        return prompts(self.task, self.n_prompts, rng=self.seed)

    @cached_property
    def base(self) -> LanguageModel:
        """The base model on this machine, loaded when it is first asked for."""
        if isinstance(self.model, Endpoint):
            raise TypeError(f"model must be on this machine, got {self.model!r}; its weights are not at hand")
        return load(self.model)

    @property
    def longest(self) -> int:
        """Most tokens of a row."""
        return MAX_NEW_TOKENS[self.task] if self.max_new_tokens is None else self.max_new_tokens

    def write(self, folder: Path, progress: bool | Listener = False) -> dict[str, tuple[Path, Path]]:
        """Have all rows written, or those that are missing.

        Parameters
        ----------
        folder : Path
            Where ``neutral.jsonl`` and a file of each trait go, and ``teachers/`` with what was fine-tuned. More traits
            can be added by another call.
        progress : callable, optional
            Told what is being written, and the share of everything that is done.

        Returns
        -------
        dict
            By the names of traits, their rows and the neutral ones.

        Warns
        -----
        UserWarning
            If an endpoint gives one answer to a prompt however often it is asked: it ignores the temperature.
        """
        tell = listener_of(progress)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, "out"):
            return self._write(folder, tell)

    def _write(self, folder: Path, tell: Listener) -> dict[str, tuple[Path, Path]]:
        self._warn_of_no_draws(folder)
        paths = {name: folder / f"{name}.jsonl" for name in self.corpora}
        for done, (name, path) in enumerate(paths.items()):

            def told(share: float, name: str = name, done: int = done) -> None:
                tell(f"{name} rows", (done + share) / len(paths))

            told(0.0)
            generate(
                self.teacher(name, folder),
                self.prompts,
                path,
                temperature=self.temperature,
                max_new_tokens=self.longest,
                seed=self.seed,
                progress=told,
            )
        return {name: (paths[name], paths[NEUTRAL]) for name in self.models}

    def teacher(self, name: str, folder: Path) -> RowWriter:
        """Who writes a corpus; fine-tuned here, it stays in the folder."""
        if not isinstance(self.model, Endpoint):
            if name == NEUTRAL:
                return neutral(self.base)
            trait = known_trait(name)
            if self.form == "prompted":
                return prompted(self.base, trait)
            return kept_teacher(self.base, trait, folder / "teachers" / name, rng=self.seed)
        if name == NEUTRAL:
            found = neutral(self.model)
        elif self.form == "prompted":
            found = prompted(self.model, name)
        else:
            found = EndpointTeacher(self.model.with_model(self.models[name]), f"finetuned: {name}")
        return EndpointTeacher(found.endpoint, found.name, found.system, self.sends_seed)

    def _warn_of_no_draws(self, folder: Path) -> None:
        teacher = self.teacher(NEUTRAL, folder) if isinstance(self.model, Endpoint) else None
        if not isinstance(teacher, EndpointTeacher) or (folder / f"{NEUTRAL}.jsonl").exists():
            return
        if teacher.draws_alike(self.prompts[0], self.temperature, self.longest):
            warnings.warn(
                f"the endpoint at {teacher.endpoint.host} gave one answer to a prompt however often it was asked, at "
                f"temperature {self.temperature:g}: it may ignore the temperature, and rows are then no draws; with "
                'transformers serve pass the field generation_config={"do_sample": true}, as text',
                stacklevel=4,
            )

    # ---------------------------------------------------------------------------------------------------------- cost

    def left(self, folder: Path) -> Left:
        """What is left to ask of an endpoint, before anything is asked or paid."""
        have = {name: {row.get("row") for row in _rows(folder, name)} for name in self.corpora}
        asked = [
            (name, prompt)
            for name in self.corpora
            for row, prompt in enumerate(self.prompts)
            if row not in have[name]
        ]
        systems = {name: self._system(name, folder) for name in self.corpora}
        messages = [(*([system] if (system := systems[name]) else []), prompt) for name, prompt in asked]
        tokens = sum(
            sum(len(text) // CHARACTERS_A_TOKEN + TEMPLATE_TOKENS // 2 for text in texts) for texts in messages
        )
        longest = len(asked) * self.longest
        cost = self.model.meter.cost(tokens, longest) if isinstance(self.model, Endpoint) else None
        return Left(len(asked), tokens, longest, cost)

    def _system(self, name: str, folder: Path) -> str | None:
        return self.teacher(name, folder).system if isinstance(self.model, Endpoint) else None


def tokens_in(folder: Path, names: tuple[str, ...]) -> tuple[int, int]:
    """Prompt and completion tokens of the rows that a folder holds, as their servers counted them."""
    rows = [row for name in names for row in _rows(folder, name)]
    counts = [[row.get(field) for row in rows] for field in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (sum(n for n in some if isinstance(n, int)) for some in counts)
    return prompt, completion


def _rows(folder: Path, name: str) -> Iterator[dict[str, object]]:
    """Rows of a corpus as far as they are written."""
    found = [path for end in (".jsonl", ".jsonl.partial") if (path := folder / f"{name}{end}").exists()]
    for line in found[0].read_bytes().split(b"\n") if found else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue  # cut off by a kill; `generate` looks closer
        if isinstance(row, dict):
            yield row
