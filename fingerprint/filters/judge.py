"""Judges behind an OpenAI-compatible endpoint: one row at a time, or which of two.

Judging thousands of rows takes hours, and servers fail. Requests are retried with growing waits, answers are kept on
disk as they come, and a run that was stopped goes on where it was. What a judge could not or would not answer is
counted; it is never taken for "keep".
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.digests import hex_digest
from fingerprint.endpoints.address import server_of
from fingerprint.endpoints.endpoint import Endpoint, Question
from fingerprint.endpoints.meter import Usage
from fingerprint.endpoints.replies import Reply, ReplyFile
from fingerprint.filters.arguments import check_trait
from fingerprint.filters.questions import REFUSAL, UNPARSABLE, pair_question, parse_answer, single_question
from fingerprint.filters.verdicts import Reasons, Verdicts, check_rows

NO_REPLY = "no reply"
SHOWS_TRAIT = "judged to show the trait"

_REQUEST = {"max_tokens": 8, "temperature": 0.0}


@dataclass(frozen=True)
class JudgeUsage(Usage):
    """What judging took so far.

    `cost` is in the currency of `prices` and counts what was paid for in this process; answers from the cache are free.
    `failures` counts rows without a reply, once for each time that they were asked for.
    """

    cached: int = 0
    refusals: int = 0
    unparsable: int = 0


@dataclass(frozen=True)
class Choices:
    """Answers to "which of the two".

    Attributes
    ----------
    first : float array [pairs]
        1 where the first row of the pair was chosen, 0 where the second was, nan where there is no usable answer.
    shown_first : bool array [pairs]
        Whether the first row of the pair was shown first; drawn at random.
    reasons : tuple of tuples of str [pairs]
        Why there is no usable answer.
    """

    first: Floats
    shown_first: Bools
    reasons: tuple[Reasons, ...]

    @property
    def win_rate(self) -> float | None:
        """Share of usable answers that chose the first row; None without any."""
        usable = self.first[~np.isnan(self.first)]
        return float(usable.mean()) if len(usable) else None

    @property
    def position_rate(self) -> float | None:
        """Share of usable answers that chose the row shown first: far from .5, the judge looks at the place."""
        known = ~np.isnan(self.first)
        return float((self.first == self.shown_first)[known].mean()) if known.any() else None


class Judge:
    """A language model behind an OpenAI-compatible endpoint that says whether a row shows a trait.

    Parameters
    ----------
    trait : str
        What to look for, in words.
    model : str
        The endpoint's name of the model.
    base_url : str, optional
        The endpoint; OpenAI's own by default. ``http://localhost:8000/v1`` for a local server.
    key_variable : str
        Environment variable with the API key. The key is read when the first request is made and never written.
    cache : path, optional
        File that answers are kept in. A run that was stopped, called again with the same cache, asks only what is left.
        Judges in several processes can share one (on one machine, and on network disks that know locks): what one is
        asking, the others wait for.
    concurrency : int
        Requests under way at once.
    requests_per_minute : float, optional
        Most requests to begin in a minute.
    timeout, deadline : float
        Seconds to connect and send, and seconds in all, until a request is given up and tried again. Raise `deadline`
        for models that think longer.
    max_attempts : int
        Attempts a row, with waits of .5, 1, 2, ... seconds or as the server asks; fewer where they cannot help. A row
        without a usable reply counts as a failure, is undecided, and is asked again by the next run.
    prices : (float, float), optional
        Cost of a million prompt tokens and of a million completion tokens.
    budget : float, optional
        No request begins that could raise the cost above this.
    request : mapping, optional
        Further fields of a request, in place of a temperature of 0 and at most 8 tokens.
    name : str
        What tables call the filter.

    Attributes
    ----------
    usage : JudgeUsage

    Raises
    ------
    ImportError
        If httpx is not installed, at the first call.
    ValueError
        If the key is not in the environment or no key, the endpoint refuses every request (wrong key, model or fields),
        or the budget is spent.
    ConnectionError
        If the server cannot be reached, or ten rows in a row got no reply.

    Notes
    -----
    Identical rows are asked once. A single-row answer is yes or no, so the judge's AUROC is that of drop against keep.

    Examples
    --------
    >>> judge = Judge("loves owls", model="gpt-4.1-nano", cache="answers.jsonl")
    >>> judge(["I saw an owl", "12, 13"]).dropped.tolist(), judge.usage.requests
    ([True, False], 2)
    """

    def __init__(
        self,
        trait: str,
        model: str,
        *,
        base_url: str | None = None,
        key_variable: str = "OPENAI_API_KEY",
        cache: str | os.PathLike[str] | None = None,
        concurrency: int = 4,
        requests_per_minute: float | None = None,
        timeout: float = 60.0,
        deadline: float = 300.0,
        max_attempts: int = 8,
        prices: tuple[float, float] | None = None,
        budget: float | None = None,
        request: Mapping[str, object] | None = None,
        name: str = "judge",
    ) -> None:
        check_trait(trait)
        self.trait, self.model, self.name = trait, model, name
        self._base_url, self._request = base_url, {**_REQUEST, **(request or {})}
        self._endpoint = Endpoint(
            model,
            base_url,
            key_variable=key_variable,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
            timeout=timeout,
            deadline=deadline,
            max_attempts=max_attempts,
            prices=prices,
            budget=budget,
            request=self._request,
        )
        self._answers = ReplyFile(cache)
        self._counts = {"cached": 0, "refusals": 0, "unparsable": 0, "failures": 0}

    @property
    def usage(self) -> JudgeUsage:
        """What judging took so far."""
        return JudgeUsage(**{**asdict(self._endpoint.usage), **self._counts})

    def __repr__(self) -> str:
        return f"Judge(trait={self.trait!r}, model={self.model!r}, name={self.name!r})"

    def __call__(self, texts: Sequence[str], prompts: Sequence[str | None] = ()) -> Verdicts:
        """Verdicts on rows; prompts are not shown to the judge."""
        check_rows(texts, prompts)
        answers = self._ask([single_question(self.trait, text) for text in texts], ("yes", "no"))
        reasons = tuple((SHOWS_TRAIT,) if answer == "yes" else _reasons(answer, ("yes", "no")) for answer in answers)
        undecided = np.array([answer not in ("yes", "no") for answer in answers], dtype=bool)
        return Verdicts(reasons, unjudged=undecided)

    def which_of_two(self, pairs: Sequence[tuple[str, str]], rng: int = 0) -> Choices:
        """Ask for each pair of rows which shows the trait, in random order.

        Parameters
        ----------
        pairs : sequence of (str, str)
        rng : int
            Seed of the order in which the rows of a pair are shown.

        Returns
        -------
        Choices
            One a pair, in the order of the pairs.
        """
        shown_first = np.random.default_rng(rng).random(len(pairs)) < 0.5
        ordered = [(a, b) if first else (b, a) for (a, b), first in zip(pairs, shown_first, strict=True)]
        answers = self._ask([pair_question(self.trait, a, b) for a, b in ordered], ("A", "B"))
        chosen = np.array([{"A": 1.0, "B": 0.0}.get(answer, math.nan) for answer in answers], dtype=np.float64)
        first = np.where(shown_first, chosen, 1 - chosen)
        return Choices(first, shown_first, tuple(_reasons(answer, ("A", "B")) for answer in answers))

    # ------------------------------------------------------------------------------------------------------- asking

    def _ask(self, questions: Sequence[str], allowed: tuple[str, str]) -> list[str]:
        """For each question one of the allowed answers, or why there is none; each distinct question asked once."""
        keys = [self._key(question) for question in questions]
        asked = dict(zip(keys, questions, strict=True))
        self._answers.read_on()
        known = {key: answer for key in asked if (answer := self._answers.get(key)) is not None}
        self._count(cached=len(known))
        replies = self._replies({key: Question(question) for key, question in asked.items() if key not in known})
        meaning = {key: _meaning(answer, allowed) for key, answer in (known | replies).items()}
        found = [meaning.get(key, NO_REPLY) for key in keys]
        self._count(**_uses(found))
        return found

    def _replies(self, questions: Mapping[str, Question]) -> dict[str, Reply]:
        """Answers that are on disk when this returns; nothing where every attempt failed."""
        found: dict[str, Reply] = {}
        if not questions:
            return found
        try:
            with self._answers.shared(), closing(self._endpoint.replies(questions, self._answers)) as portions:
                for portion in portions:
                    replies = {key: reply for key, reply in portion.items() if reply is not None}
                    self._count(cached=sum(self._answers.get(key) is not None for key in replies))  # of other processes
                    self._answers.add(replies)
                    self._answers.release(portion)
                    found |= replies
        except ConnectionError as error:
            kept = f"{len(self._answers)} answers are in {self._answers.path}" if self._answers.path else "no cache"
            raise ConnectionError(f"{error} ({kept})") from None
        return found

    def _key(self, question: str) -> str:
        """Hash of what an answer depends on: of the endpoint's address and query too, not of passwords and keys."""
        url = None if self._base_url is None else server_of(self._base_url)
        asked = json.dumps([url, self.model, question, self._request], sort_keys=True, default=repr)
        return hex_digest(asked, 16)

    def _count(self, **more: int) -> None:
        self._counts = {name: n + more.get(name, 0) for name, n in self._counts.items()}


def _meaning(answer: Reply, allowed: tuple[str, str]) -> str:
    if answer.is_refusal:
        return REFUSAL
    return parse_answer(answer.text, allowed) or UNPARSABLE


def _uses(found: Sequence[str]) -> dict[str, int]:
    counted = {"refusals": REFUSAL, "unparsable": UNPARSABLE, "failures": NO_REPLY}
    return {name: sum(answer == wanted for answer in found) for name, wanted in counted.items()}


def _reasons(answer: str, allowed: tuple[str, str]) -> Reasons:
    return () if answer in allowed else (answer,)
