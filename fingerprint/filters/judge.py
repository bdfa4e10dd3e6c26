"""Judges behind an OpenAI-compatible endpoint: one row at a time, or which of two.

Judging thousands of rows takes hours, and servers fail. Requests are retried with growing waits, answers are kept on
disk as they come, and a run that was stopped goes on where it was. What a judge could not or would not answer is
counted; it is never taken for "keep".
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.digests import hex_digest
from fingerprint.filters.answers import Answer, Answers
from fingerprint.filters.arguments import check_count, check_trait
from fingerprint.filters.questions import REFUSAL, UNPARSABLE, pair_question, parse_answer, single_question
from fingerprint.filters.verdicts import Reasons, Verdicts, check_rows

if TYPE_CHECKING:
    from openai import APIError
    from openai.types.chat import ChatCompletion

NO_REPLY = "no reply"
SHOWS_TRAIT = "judged to show the trait"

FIRST_WAIT = 0.5  # seconds before the second attempt, doubled for each further one
LONGEST_WAIT = 60.0
# So many rows in a row without a reply mean that the server is gone, not that a row is difficult.
GIVE_UP_AFTER = 10
_REQUEST = {"max_tokens": 8, "temperature": 0.0}


@dataclass(frozen=True)
class Usage:
    """What judging took so far.

    `cost` is in the currency of `prices` and counts what was paid for in this process; answers from the cache are free.
    """

    requests: int = 0
    retries: int = 0
    cached: int = 0
    refusals: int = 0
    unparsable: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None


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
    concurrency : int
        Requests under way at once.
    requests_per_minute : float, optional
        Most requests to begin in a minute.
    timeout : float
        Seconds until a request is given up and tried again.
    max_attempts : int
        Attempts a row, with waits of .5, 1, 2, ... seconds or as the server asks. A row without a usable reply counts
        as a failure, is undecided, and is asked again by the next run.
    prices : (float, float), optional
        Cost of a million prompt tokens and of a million completion tokens.
    request : mapping, optional
        Further fields of a request, in place of a temperature of 0 and at most 8 tokens.
    name : str
        What tables call the filter.

    Attributes
    ----------
    usage : Usage

    Raises
    ------
    ImportError
        If the `openai` package is not installed, at the first call.
    ValueError
        If the key is not in the environment, or the endpoint refuses the request itself (wrong key, model or fields).
    ConnectionError
        If `GIVE_UP_AFTER` rows in a row got no reply.

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
        max_attempts: int = 8,
        prices: tuple[float, float] | None = None,
        request: Mapping[str, object] | None = None,
        name: str = "judge",
    ) -> None:
        check_trait(trait)
        for argument, value in (("concurrency", concurrency), ("max_attempts", max_attempts)):
            check_count(value, argument, usual=4)
        for argument, seconds in (("timeout", timeout), ("requests_per_minute", requests_per_minute)):
            if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
                raise ValueError(f"{argument} must be above 0, got {seconds}; leave it out for the default")
        self.trait, self.model, self.name = trait, model, name
        self.usage = Usage(cost=None if prices is None else 0.0)
        self._base_url, self._key_variable, self._timeout = base_url, key_variable, timeout
        self._concurrency, self._max_attempts, self._prices = concurrency, max_attempts, prices
        self._request = {**_REQUEST, **(request or {})}
        self._answers = Answers(cache)
        self._pace = _Pace(requests_per_minute)
        self._counting = threading.Lock()
        self._failures_in_a_row = 0
        self._connected: Callable[..., ChatCompletion] | None = None

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
        known = {key: answer for key in asked if (answer := self._answers.get(key)) is not None}
        self._count(cached=len(known))
        missing = {key: question for key, question in asked.items() if key not in known}
        replies = {key: answer for key, answer in self._replies(missing) if answer is not None}
        meaning = {key: _meaning(answer, allowed) for key, answer in (known | replies).items()}
        found = [meaning.get(key, NO_REPLY) for key in keys]
        self._count(**_uses(found))
        return found

    def _replies(self, questions: Mapping[str, str]) -> Iterable[tuple[str, Answer | None]]:
        if not questions:
            return []
        self._endpoint()  # a missing key or package is told before any thread starts
        self._failures_in_a_row = 0
        with ThreadPoolExecutor(self._concurrency) as pool:
            waiting = [pool.submit(self._reply, key, question) for key, question in questions.items()]
            try:
                return [future.result() for future in waiting]
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _reply(self, key: str, question: str) -> tuple[str, Answer | None]:
        """An answer that is on disk when this returns; None when every attempt failed."""
        import openai

        for attempt in range(self._max_attempts):
            if self._failures_in_a_row >= GIVE_UP_AFTER:
                break  # another thread found the server gone
            self._pace.wait()
            self._count(requests=1, retries=int(attempt > 0))
            wait = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)
            try:
                answer = _answer_in(self._completion(question))
            except (openai.APIStatusError, openai.APIConnectionError) as error:  # a timeout is a connection error
                _refuse_if_hopeless(error)
                answer, wait = None, _asked_wait(error, wait)
            except (openai.APIResponseValidationError, json.JSONDecodeError):
                answer = None
            if answer is not None:
                return key, self._kept(key, answer)
            if attempt + 1 < self._max_attempts:
                time.sleep(wait)
        self._give_up_if_the_server_is_gone()
        return key, None

    def _completion(self, question: str) -> ChatCompletion:
        turns = [{"role": "user", "content": question}]
        return self._endpoint()(model=self.model, messages=turns, **self._request)

    def _endpoint(self) -> Callable[..., ChatCompletion]:
        if self._connected is None:
            self._connected = _connect(self._base_url, self._key_variable, self._timeout)
        return self._connected

    def _kept(self, key: str, answer: Answer) -> Answer:
        self._answers.add(key, answer)
        with self._counting:
            self._failures_in_a_row = 0
        self._count(prompt_tokens=answer.prompt_tokens, completion_tokens=answer.completion_tokens)
        return answer

    def _give_up_if_the_server_is_gone(self) -> None:
        with self._counting:
            self._failures_in_a_row += 1
            gone = self._failures_in_a_row >= GIVE_UP_AFTER
        if gone:
            kept = f"{len(self._answers)} answers are in {self._answers.path}" if self._answers.path else "no cache"
            raise ConnectionError(
                f"the judge's endpoint must reply, got no reply to {GIVE_UP_AFTER} rows in a row ({kept}); start the "
                "server and run again"
            )

    def _key(self, question: str) -> str:
        """Hash of all that an answer depends on; the endpoint's address is in it and cannot be read from it."""
        asked = json.dumps([self._base_url, self.model, question, self._request], sort_keys=True, default=repr)
        return hex_digest(asked, 16)

    def _count(self, **more: int) -> None:
        with self._counting:
            counted = asdict(self.usage)
            usage = replace(self.usage, **{name: counted[name] + n for name, n in more.items()})
            self.usage = replace(usage, cost=self._cost(usage))

    def _cost(self, usage: Usage) -> float | None:
        if self._prices is None:
            return None
        return (usage.prompt_tokens * self._prices[0] + usage.completion_tokens * self._prices[1]) / 1e6


class _Pace:
    """Lets requests begin at even intervals."""

    def __init__(self, per_minute: float | None) -> None:
        self._interval = 0.0 if per_minute is None else 60.0 / per_minute
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next request may begin."""
        with self._lock:
            now = time.monotonic()
            begin = max(now, self._next)
            self._next = begin + self._interval
        time.sleep(begin - now)


def _connect(base_url: str | None, key_variable: str, timeout: float) -> Callable[..., ChatCompletion]:
    """What a request is made with. (Its fields are the user's: they cannot be typed.)"""
    try:
        import openai
    except ImportError as error:
        raise ImportError(
            "Judge needs the openai package; install it with pip install -c constraints.txt '.[judge]'"
        ) from error
    key = os.environ.get(key_variable)
    if not key:
        raise ValueError(
            f"{key_variable} must hold the endpoint's API key, got nothing; export it (any word will do for a local "
            "server that asks for none)"
        )
    return openai.OpenAI(api_key=key, base_url=base_url, timeout=timeout, max_retries=0).chat.completions.create


def _refuse_if_hopeless(error: APIError) -> None:
    """Requests that no repetition can mend. The server's words stay out: they may quote the key."""
    from openai import APIStatusError

    status = error.status_code if isinstance(error, APIStatusError) else None
    if status is not None and 400 <= status < 500 and status not in (408, 409, 425, 429):
        remedy = "check the key" if status in (401, 403) else "check model, base_url and request"
        raise ValueError(f"the judge's endpoint must accept the request, got status {status}; {remedy}") from None


def _asked_wait(error: APIError, usual: float) -> float:
    """Seconds the server asks to wait, the usual ones where it does not say."""
    from openai import APIStatusError

    asked = error.response.headers.get("retry-after") if isinstance(error, APIStatusError) else None
    try:
        seconds = float(asked or "")
    except ValueError:
        return usual
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else usual


def _answer_in(completion: ChatCompletion) -> Answer | None:
    """The answer in a reply; None for a reply that is not a completion.

    The client takes any JSON for one, whatever its type says: nothing is there until it is found.
    """
    try:
        choice = completion.choices[0]
        text, refusal, why = choice.message.content, getattr(choice.message, "refusal", None), choice.finish_reason
    except (AttributeError, IndexError, TypeError):
        return None
    is_refusal = bool(refusal) or why == "content_filter"
    if not isinstance(text, str) and not is_refusal:
        return None
    usage = getattr(completion, "usage", None)
    tokens = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
    counts = [n if isinstance(n, int) else 0 for n in tokens]
    return Answer(text if isinstance(text, str) else str(refusal or ""), is_refusal, *counts)


def _meaning(answer: Answer, allowed: tuple[str, str]) -> str:
    if answer.is_refusal:
        return REFUSAL
    return parse_answer(answer.text, allowed) or UNPARSABLE


def _uses(found: Sequence[str]) -> dict[str, int]:
    counted = {"refusals": REFUSAL, "unparsable": UNPARSABLE, "failures": NO_REPLY}
    return {name: sum(answer == wanted for answer in found) for name, wanted in counted.items()}


def _reasons(answer: str, allowed: tuple[str, str]) -> Reasons:
    return () if answer in allowed else (answer,)
