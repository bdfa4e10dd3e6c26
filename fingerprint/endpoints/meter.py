"""What is asked of a server, by however many models of it: pace, usage and cost."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Usage:
    """What an endpoint was asked so far, in this process.

    `cost` is in the currency of `prices`; it counts all that the model may have worked for, replies and what came in
    place of one alike, as the server counts the tokens, and where it does not as the most that they can be.
    """

    requests: int = 0
    retries: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None


class Meter:
    """Lets requests begin, at even intervals and within a budget, and counts what comes of them.

    Parameters
    ----------
    per_minute : float or None
        Most requests to begin in a minute.
    prices : (float, float) or None
        Cost of a million prompt tokens and of a million completion tokens.
    budget : float or None
        What may be spent, in the currency of `prices`.
    """

    def __init__(
        self, per_minute: float | None, prices: tuple[float, float] | None, budget: float | None
    ) -> None:
        self.prices, self.budget = prices, budget
        self.usage = Usage(cost=None if prices is None else 0.0)
        self.last_fault = ""
        self.heard: set[str] = set()  # models that have answered
        self._interval = 0.0 if per_minute is None else 60.0 / per_minute
        self._next = 0.0  # when the next request may begin, on the clock of time.monotonic
        self._reserved = 0.0  # what requests under way can cost

    async def begin(self) -> None:
        """Return when the next request may begin."""
        now = time.monotonic()
        begin = max(now, self._next)
        self._next = begin + self._interval
        await asyncio.sleep(begin - now)

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float | None:
        """What tokens cost; None without prices."""
        if self.prices is None:
            return None
        return (prompt_tokens * self.prices[0] + completion_tokens * self.prices[1]) / 1e6

    def reserve(self, most: float) -> bool:
        """Set aside what a request can cost at most; False where that is more than is left of the budget."""
        if self.budget is not None and (self.usage.cost or 0.0) + self._reserved + most > self.budget:
            return False
        self._reserved += most
        return True

    def release(self, most: float) -> None:
        """Take back what was set aside."""
        self._reserved -= most

    def count(
        self,
        *,
        requests: int = 0,
        retries: int = 0,
        failures: int = 0,
        paid_tokens: tuple[int, int] | None = None,
        most_tokens: tuple[int, int] = (0, 0),
    ) -> None:
        """Add to the usage; `most_tokens` are those of a request that was paid for, for servers that do not count."""
        usage = self.usage
        self.usage = replace(
            usage,
            requests=usage.requests + requests,
            retries=usage.retries + retries,
            failures=usage.failures + failures,
        )
        if paid_tokens is None:
            return
        paid = self.cost(*(paid_tokens if paid_tokens[0] else most_tokens))
        self.usage = replace(
            self.usage,
            prompt_tokens=usage.prompt_tokens + paid_tokens[0],
            completion_tokens=usage.completion_tokens + paid_tokens[1],
            cost=None if paid is None or usage.cost is None else usage.cost + paid,
        )
