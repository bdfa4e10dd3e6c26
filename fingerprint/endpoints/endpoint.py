"""A language model behind an OpenAI-compatible endpoint: thousands of requests to servers that fail.

Requests run side by side, at most so many a minute, and are tried again with growing waits where that can help. The
`openai` client could do part of that by itself; here one loop does all, because the number of requests a minute, a
budget, answers that are no completions, and a server that is gone concern every attempt and not every question.
"""

from __future__ import annotations

import asyncio
import copy
import math
import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from fingerprint.data.extras import install_command
from fingerprint.endpoints.address import checked_url, host_of
from fingerprint.endpoints.faults import Fault, fault_of, refuse_if_hopeless
from fingerprint.endpoints.meter import Meter, Usage
from fingerprint.endpoints.portions import portions
from fingerprint.endpoints.replies import Reply, reply_in

if TYPE_CHECKING:
    from openai import AsyncOpenAI

FIRST_WAIT = 0.5  # seconds before the second attempt, doubled for each further one
LONGEST_WAIT = 60.0
# So many questions in a row without a reply mean that the server is gone, not that a question is difficult.
GIVE_UP_AFTER = 10
# Tokens that a chat template adds to a message, at most: templates of large models add 4 to 10.
TEMPLATE_TOKENS = 20
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
        Seconds without a sign from the server until a request is given up and tried again.
    deadline : float
        Seconds until a request is given up, however many signs there are: some servers send a blank now and then.
    max_attempts : int
        Attempts a question, with waits of .5, 1, 2, ... up to 60 seconds or as the server asks: three minutes in all
        by default.
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

    def replies(self, questions: Mapping[Key, Question]) -> Iterator[dict[Key, Reply | None]]:
        """Replies by the keys of their questions, in portions, as they come.

        Parameters
        ----------
        questions : mapping of Question
            In the order in which they are asked.

        Yields
        ------
        dict
            None for a question that got no reply in `max_attempts` attempts.

        Raises
        ------
        ImportError
            If the `openai` package is not installed.
        ValueError
            If the key is not in the environment, the endpoint refuses the request itself (wrong key, model or fields),
            or the budget is spent.
        ConnectionError
            If the server cannot be reached, or `GIVE_UP_AFTER` questions in a row got no reply.
        """
        if not questions:
            return
        client = self._connected()  # a missing key or package is told before anything starts

        async def work(found: Callable[[tuple[Key, Reply | None]], None]) -> None:
            await _Asking(self, client).all(questions, found)

        for portion in portions(work):
            yield dict(portion)

    def _connected(self) -> AsyncOpenAI:
        try:
            import openai
        except ImportError as error:
            raise ImportError(
                f"endpoints need the openai package; install it: {install_command('endpoints')}"
            ) from error
        key = os.environ.get(self.key_variable)
        if not key:
            raise ValueError(
                f"{self.key_variable} must hold the endpoint's API key, got nothing; export it (any word will do for a "
                "local server that asks for none)"
            )
        return openai.AsyncOpenAI(api_key=key, base_url=self.url, timeout=self.timeout, max_retries=0)

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


class _Asking:
    """Questions to an endpoint, from the first to the last."""

    def __init__(self, endpoint: Endpoint, client: AsyncOpenAI) -> None:
        self.endpoint, self.client, self.meter = endpoint, client, endpoint.meter
        self.is_spent = False
        self.replied = self.failures_in_a_row = 0
        self.last_fault: Fault | None = None

    async def all(
        self, questions: Mapping[Key, Question], found: Callable[[tuple[Key, Reply | None]], None]
    ) -> None:
        """Ask them side by side."""
        waiting = iter(questions.items())

        async def work() -> None:
            for key, question in waiting:
                reply = await self._reply(question)
                if self.is_spent and reply is None:
                    return
                found((key, reply))

        async with self.client:
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
        if self.last_fault is not None and self.last_fault.is_unreachable and not self.replied:
            raise self._gone(f"{len(questions)} questions")

    async def _reply(self, question: Question) -> Reply | None:
        """A reply; None when every attempt failed, or the budget is spent."""
        endpoint, meter = self.endpoint, self.meter
        most = meter.cost(*endpoint.most_tokens(question)) or 0.0
        for attempt in range(endpoint.max_attempts):
            if self.failures_in_a_row >= GIVE_UP_AFTER:
                break  # another question found the server gone
            await meter.begin()
            if self.is_spent or not meter.reserve(most):
                self.is_spent = True
                return None
            meter.count(requests=1, retries=int(attempt > 0))
            try:
                answer = await self._attempt(question)
            finally:
                meter.release(most)
            if isinstance(answer, Reply):
                meter.count(reply=answer)
                self.replied += 1
                self.failures_in_a_row = 0
                return answer
            self.last_fault, meter.last_fault = answer, answer.what
            if attempt + 1 < endpoint.max_attempts:
                usual = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)
                await asyncio.sleep(usual if answer.wait is None else min(answer.wait, LONGEST_WAIT))
        meter.count(failures=1)
        self.failures_in_a_row += 1
        if self.failures_in_a_row >= GIVE_UP_AFTER:
            raise self._gone(f"{GIVE_UP_AFTER} questions in a row")
        return None

    async def _attempt(self, question: Question) -> Reply | Fault:
        import openai

        endpoint = self.endpoint
        try:
            async with asyncio.timeout(endpoint.deadline):
                response = await self.client.chat.completions.with_raw_response.create(
                    model=endpoint.model,
                    messages=question.turns,  # type: ignore[arg-type]  # the client has a type for each role
                    extra_body=endpoint.fields(question),
                )
            return reply_in(response.content) or Fault("an answer that is no completion")
        except TimeoutError:
            return Fault(f"no whole answer within {endpoint.deadline:g} s", is_unreachable=True)
        except (openai.APIStatusError, openai.APIConnectionError) as error:  # a timeout is a connection error
            refuse_if_hopeless(error, endpoint.model, endpoint.key_variable)
            return fault_of(error, endpoint.timeout)

    def _gone(self, asked: str) -> ConnectionError:
        why = f" (the last: {self.last_fault.what})" if self.last_fault is not None else ""
        return ConnectionError(
            f"the endpoint at {self.endpoint.host} must reply, got no reply to {asked}{why}; start the server, or "
            "correct its address, and run again"
        )
