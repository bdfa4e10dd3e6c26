"""How a request failed, and whether trying again can help."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError

# Of the statuses that blame the request, those that do not: timeouts, conflicts, too early, too many.
WORTH_REPEATING = (408, 409, 425, 429)


@dataclass(frozen=True)
class Fault:
    """An attempt without a reply.

    Attributes
    ----------
    what : str
        What came instead.
    wait : float or None
        Seconds the server asks to wait before the next attempt.
    is_unreachable : bool
        Whether nothing came at all.
    """

    what: str
    wait: float | None = None
    is_unreachable: bool = False


def fault_of(error: APIStatusError | APIConnectionError, timeout: float) -> Fault:
    """What an error of the client says of an attempt."""
    from openai import APIStatusError, APITimeoutError

    if isinstance(error, APIStatusError):
        return Fault(f"status {error.status_code}", _asked_wait(error))
    silent = isinstance(error, APITimeoutError)
    return Fault(f"no answer within {timeout:g} s" if silent else "no connection", is_unreachable=True)


def refuse_if_hopeless(error: APIStatusError | APIConnectionError, model: str, key_variable: str) -> None:
    """Raise for a request that no repetition can mend. The server's words stay out: they may quote the key.

    Raises
    ------
    ValueError
    """
    from openai import APIStatusError

    if not isinstance(error, APIStatusError):
        return
    status = error.status_code
    if error.code == "insufficient_quota":
        raise ValueError(f"the account of {key_variable} must have credit, got none left; add some") from None
    if 400 <= status < 500 and status not in WORTH_REPEATING:
        remedies = {
            401: f"check the key in {key_variable}",
            403: f"check the key in {key_variable}",
            404: f"check the model, {model!r}, and base_url",
        }
        remedy = remedies.get(status, f"check the model, {model!r}, and the fields of the request")
        raise ValueError(f"the endpoint must accept the request, got status {status}; {remedy}") from None


def _asked_wait(error: APIStatusError) -> float | None:
    try:
        seconds = float(error.response.headers.get("retry-after") or "")
    except ValueError:
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
