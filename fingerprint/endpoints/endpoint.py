"""A language model behind an OpenAI-compatible endpoint: thousands of requests to servers that fail.

Requests run side by side, at most so many a minute, and are tried again with growing waits where that can help.
Whatever a server answers to one question, the others are asked: a run ends when no question gets an answer.
"""

from __future__ import annotations

import asyncio
import copy
import json
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from fingerprint.endpoints.address import checked_url, host_of
from fingerprint.endpoints.exchange import Connection
from fingerprint.endpoints.faults import Fault
from fingerprint.endpoints.meter import Meter, Usage
from fingerprint.endpoints.portions import portions
from fingerprint.endpoints.replies import Reply, ReplyFile

FIRST_WAIT = 0.5  # seconds before the second attempt, doubled for each further one
LONGEST_WAIT = 60.0
# So many questions in a row without a reply mean that the server is gone, not that a question is difficult. Those
# during which another got its reply are none of them.
GIVE_UP_AFTER = 10
# Tokens that a chat template adds to a message, at most: templates of large models add 4 to 10.
TEMPLATE_TOKENS = 20
# Seconds until one looks again whether another process has the reply to what it is asking.
LOOK_AGAIN = 0.2
# Seconds of that until it is said on the screen: what a quick reply takes is nothing to be told.
TOLD_AFTER = 2.0
# Seconds until one looks again whether the caller is done with a reply: far below what a reply takes.
TAKEN_AFTER = 0.002
_LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Question:
    """What a model is asked.

    Attributes
    ----------
    text : str
        The user's turn.
    system : str or None
        The system message before it; None sends none.
    fields : mapping
        Fields of this request alone, such as a seed, beside those of the endpoint. A field of None is left out.
    """

    text: str
    system: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)

    @property
    def turns(self) -> list[dict[str, str]]:
        """The messages of the request."""
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*system, {"role": "user", "content": self.text}]


class Endpoint:
    """A model behind an OpenAI-compatible endpoint: vLLM, `transformers serve`, OpenAI.

    Parameters
    ----------
    model : str
        The endpoint's name of the model.
    base_url : str, optional
        ``http://localhost:8000/v1`` for a local server. By default what ``OPENAI_BASE_URL`` says, or OpenAI's own.
    key_variable : str
        Environment variable with the API key. The key is read when the first request is made and never written.
    concurrency : int
        Requests under way at once.
    requests_per_minute : float, optional
        Most requests to begin in a minute.
    timeout : float
        Seconds to connect, and to send a request, until it is given up and tried again.
    deadline : float
        Seconds of a whole request until it is given up and tried again, whether the server is silent or sends a blank
        now and then. Raise it for models that think longer.
    max_attempts : int
        Attempts a question, with waits of .5, 1, 2, ... up to 60 seconds or as the server asks: three minutes in all
        by default. Fewer where they cannot help: one where the server refuses the question itself, two where an answer
        is longer than 8 MiB or a completion without text.
    prices : (float, float), optional
        Cost of a million prompt tokens and of a million completion tokens.
    budget : float, optional
        No request begins that could raise the cost above this, in the currency of `prices`.
    request : mapping, optional
        Further fields of every request, such as ``{"top_p": 1.0}``. A field of None is left out.

    Attributes
    ----------
    usage : Usage
    host : str
        Where it is, for provenance: without port, user, password, path and query.

    Examples
    --------
    >>> endpoint = Endpoint("gpt-4.1-nano", prices=(0.1, 0.4))
    >>> replies = endpoint.ask([Question("Which numbers come after 5, 7?"), Question("And after 9?", "You love owls.")])
    >>> [reply.finish_reason for reply in replies], endpoint.usage.requests
    (['stop', 'stop'], 2)
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        *,
        key_variable: str = "OPENAI_API_KEY",
        concurrency: int = 4,
        requests_per_minute: float | None = None,
        timeout: float = 60.0,
        deadline: float = 300.0,
        max_attempts: int = 10,
        prices: tuple[float, float] | None = None,
        budget: float | None = None,
        request: Mapping[str, object] | None = None,
    ) -> None:
        for argument, value, usual in (("concurrency", concurrency, 4), ("max_attempts", max_attempts, 10)):
            if value < 1:
                raise ValueError(f"{argument} must be at least 1, got {value}; {usual} is usual")
        limits = {"timeout": timeout, "deadline": deadline, "requests_per_minute": requests_per_minute}
        for argument, limit in (*limits.items(), ("budget", budget)):
            if limit is not None and not (limit > 0 and math.isfinite(limit)):
                raise ValueError(f"{argument} must be above 0, got {limit}; leave it out for the default")
        if prices is not None and not all(price >= 0 and math.isfinite(price) for price in prices):
            raise ValueError(f"prices must be at least 0, got {prices}; state them for a million tokens")
        if budget is not None and prices is None:
            raise ValueError("budget must come with prices, got none; state what a million tokens cost")
        self.model, self.url = _model_name(model), checked_url(base_url)
        self.host = host_of(self.url)
        self.key_variable, self.concurrency = key_variable, concurrency
        self.timeout, self.deadline, self.max_attempts = timeout, deadline, max_attempts
        self.request = dict(request or {})
        _check_json(self.request)
        self.meter = Meter(requests_per_minute, prices, budget)

    @property
    def usage(self) -> Usage:
        """What was asked so far, with the other models of `with_model`."""
        return self.meter.usage

    def with_model(self, model: str) -> Endpoint:
        """Another model of the same server: both share pace, usage and budget."""
        other = copy.copy(self)
        other.model = _model_name(model)
        return other

    def __repr__(self) -> str:
        return f"Endpoint(model={self.model!r}, host={self.host!r})"

    def ask(self, questions: list[Question]) -> list[Reply]:
        """A reply to each question.

        Raises
        ------
        ConnectionError
            If a question got no reply.
        """
        found = {key: reply for part in self.replies(dict(enumerate(questions))) for key, reply in part.items()}
        missing = sum(reply is None for reply in found.values())
        if missing:
            raise ConnectionError(f"{self} must reply, got no reply to {missing} of {len(questions)}; run it again")
        return [reply for _, reply in sorted(found.items()) if reply is not None]

    def replies(
        self, questions: Mapping[Key, Question], shared: ReplyFile | None = None
    ) -> Generator[dict[Key, Reply | None], None, None]:
        """Replies by the keys of their questions, in portions, as they come.

        Parameters
        ----------
        questions : mapping of Question
            In the order in which they are asked.
        shared : ReplyFile, optional
            Which other processes use: what one asks the others wait for. It is the caller who adds replies and releases
            what was claimed.

        Yields
        ------
        dict
            None for a question that got no reply: in `max_attempts` attempts, or because the server refused it.

        Raises
        ------
        ImportError
            If httpx is not installed.
        ValueError
            If the key is not in the environment or no key, the endpoint refuses every request (wrong key, model or
            fields), or the budget is spent.
        ConnectionError
            If the server cannot be reached, or `GIVE_UP_AFTER` questions in a row got no reply.
        """
        if not questions:
            return
        # A missing key or package is told before anything starts.
        connection = Connection(self.url, self.key_variable, self.timeout, self.deadline)

        asking = _Asking(self, connection, shared)

        async def work(found: Callable[[tuple[Key, Reply | None]], None]) -> None:
            await asking.all(questions, found)

        for portion in portions(work):
            yield dict(portion)
            asking.taken += len(portion)  # the caller has done with them what it does

    def fields(self, question: Question) -> dict[str, object]:
        """All fields of a request but model and messages."""
        merged = {**question.fields, **self.request}
        return {name: value for name, value in merged.items() if value is not None}

    def most_tokens(self, question: Question) -> tuple[int, int]:
        """The most tokens of a question and of its reply: a token is at least a byte; 0 where no length is set."""
        prompt = sum(len(turn["content"].encode()) + TEMPLATE_TOKENS for turn in question.turns)
        fields = self.fields(question)
        limits = [limit for name in _LENGTH_FIELDS if isinstance(limit := fields.get(name), int)]
        return prompt, min(limits, default=0)


def _model_name(model: str) -> str:
    if not model.strip():
        raise ValueError(f"model must be the endpoint's name of a model, got {model!r}; GET /v1/models lists them")
    return model


def _check_json(request: Mapping[str, object]) -> None:
    try:
        json.dumps(request, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"request must hold what JSON can say, got {error}; correct the field") from None


class _Asking:
    """Questions to an endpoint, from the first to the last."""

    def __init__(self, endpoint: Endpoint, connection: Connection, shared: ReplyFile | None) -> None:
        self.endpoint, self.connection, self.meter = endpoint, connection, endpoint.meter
        self.shared = ReplyFile() if shared is None else shared
        self.is_spent = self.is_told = False
        self.waits_since: float | None = None  # since when all rows that were looked at were of others
        self.replied = self.failures_in_a_row = 0
        self.given = self.taken = 0  # replies that the caller can have, and those it is done with
        self.last_fault: Fault | None = None

    @property
    def was_heard(self) -> bool:
        """Whether the model has ever answered: now, before, or in the file of replies."""
        return self.endpoint.model in self.meter.heard or len(self.shared) > 0

    async def all(
        self, questions: Mapping[Key, Question], found: Callable[[tuple[Key, Reply | None]], None]
    ) -> None:
        """Ask them side by side."""
        waiting, of_others = iter(questions.items()), deque[Key]()

        async def ask(key: Key) -> None:
            reply = self.shared.get(str(key)) or await self._reply(questions[key])
            if reply is not None or not self.is_spent:
                found((key, reply))
                self.given += 1
                place = self.given
                while self.taken < place:  # or replies that were paid for would pile up, to be lost with the process
                    await asyncio.sleep(TAKEN_AFTER)

        async def work() -> None:
            for key, _ in waiting:
                if not self.shared.claim(str(key)):
                    of_others.append(key)
                elif not self.is_spent:
                    await ask(key)
            while of_others and not self.is_spent:
                key = of_others.popleft()
                if self.shared.claim(str(key)):
                    self.waits_since = None
                    await ask(key)
                else:
                    of_others.append(key)
                    self._tell_waiting(len(of_others))
                    await asyncio.sleep(LOOK_AGAIN)

        async with self.connection:
            tasks = [asyncio.create_task(work()) for _ in range(min(self.endpoint.concurrency, len(questions)))]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        if self.is_spent:
            spent, budget = self.meter.usage.cost or 0.0, self.meter.budget
            raise ValueError(f"budget must cover all requests, got {budget:g} with {spent:.4g} spent; raise it")
        fault = self.last_fault
        if fault is None or self.replied:
            return
        if fault.is_unreachable or (fault.refusal is not None and not (fault.is_of_question and self.was_heard)):
            raise self._hopeless(f"{len(questions)} questions", fault)

    def _tell_waiting(self, count: int) -> None:
        """Say once, when it has taken a while, why nothing is asked."""
        if self.waits_since is None:
            self.waits_since = time.monotonic()
        elif time.monotonic() - self.waits_since > TOLD_AFTER and not self.is_told and sys.stderr is not None:
            self.is_told = True
            rows = "a row" if count == 1 else f"{count:,} rows"
            print(
                f"fingerprint: waiting for {rows} that another process is asking for, by {self.shared.path}",
                file=sys.stderr,
                flush=True,
            )

    async def _reply(self, question: Question) -> Reply | None:
        """A reply; None when every attempt failed, or the budget is spent."""
        endpoint, meter, replied_before = self.endpoint, self.meter, self.replied
        most_tokens = endpoint.most_tokens(question)
        most = meter.cost(*most_tokens) or 0.0
        for attempt in range(endpoint.max_attempts):
            if self.failures_in_a_row >= GIVE_UP_AFTER:
                break  # another question found the server gone
            await meter.begin()
            if self.is_spent or not meter.reserve(most):
                self.is_spent = True
                return None
            meter.count(requests=1, retries=int(attempt > 0))
            try:
                answer = await self.connection.ask(
                    {"messages": question.turns, "model": endpoint.model, **endpoint.fields(question)}
                )
            finally:
                meter.release(most)
            if isinstance(answer, Reply):
                meter.count(paid_tokens=(answer.prompt_tokens, answer.completion_tokens), most_tokens=most_tokens)
                meter.heard.add(endpoint.model)
                self.replied += 1
                self.failures_in_a_row = 0
                return answer
            meter.count(paid_tokens=answer.paid_tokens, most_tokens=most_tokens)
            self.last_fault, meter.last_fault = answer, answer.what
            if answer.is_common and not self.was_heard:
                raise self._hopeless("", answer)
            if attempt + 1 >= min(endpoint.max_attempts, answer.most_attempts or endpoint.max_attempts):
                break
            usual = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)
            await asyncio.sleep(usual if answer.wait is None else min(answer.wait, LONGEST_WAIT))
        meter.count(failures=1)
        fault = self.last_fault
        if self.replied == replied_before and not (fault is not None and fault.is_of_question and self.was_heard):
            self.failures_in_a_row += 1
        if self.failures_in_a_row >= GIVE_UP_AFTER:
            raise self._hopeless(f"{GIVE_UP_AFTER} questions in a row", fault)
        return None

    def _hopeless(self, asked: str, fault: Fault | None) -> ValueError | ConnectionError:
        """Why the run ends: all requests are refused, or none gets an answer."""
        if fault is not None and fault.refusal is not None:
            names = {"{model}": repr(self.endpoint.model), "{key}": self.endpoint.key_variable}
            message = fault.refusal
            for name, value in names.items():
                message = message.replace(name, value)
            return ValueError(message)
        why = "" if fault is None else f" (the last: {fault.what})"
        return ConnectionError(
            f"the endpoint at {self.endpoint.host} must reply, got no reply to {asked}{why}; start the server, or "
            "correct its address, and run again"
        )
