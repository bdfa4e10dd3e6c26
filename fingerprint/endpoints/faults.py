"""How a request failed, whether trying again can help, and whether it says that nothing will work."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

# Of the statuses that blame the request, those that do not: timeouts, conflicts, too early, too many.
WORTH_REPEATING = (408, 409, 425, 429)
# Statuses that blame what all requests have in common: key, model, address. Before the first reply they end the run;
# later, one server of several may be wrong, and they are tried again a few times. Not so 403: what guards a server may
# take offence at a single row.
_COMMON = (401, 402, 404, 405, 407, 410)
_COMMON_ATTEMPTS = 3
# Attempts where an answer came that was paid for and is of no use: another may cost as much.
WHOLE_ATTEMPTS = 2


@dataclass(frozen=True)
class Fault:
    """An attempt without a reply.

    Attributes
    ----------
    what : str
        What came instead. The server's words stay out: they may quote the key.
    wait : float or None
        Seconds the server asks to wait before the next attempt.
    is_unreachable : bool
        Whether no answer came at all.
    most_attempts : int or None
        Attempts at a question that are worth making, where they are fewer than usual.
    refusal : str or None
        Why the run cannot work, if no request gets another answer: a message with its remedy in which ``{model}`` and
        ``{key}`` stand for the model and the variable of the key.
    is_common : bool
        Whether what is refused is not the question but what all have in common.
    is_of_question : bool
        Whether it says nothing of the server: other questions get answers.
    paid_tokens : (int, int) or None
        Tokens of prompt and completion that may have to be paid for all the same, as far as they were told, else 0;
        None where the model was not at work.
    """

    what: str
    wait: float | None = None
    is_unreachable: bool = False
    most_attempts: int | None = None
    refusal: str | None = None
    is_common: bool = False
    is_of_question: bool = False
    paid_tokens: tuple[int, int] | None = None


def fault_of_status(status: int, retry_after: str | None, body: bytes | None) -> Fault:
    """What an answer says that is no success."""
    what = f"status {status}"
    if _code_in(body) == "insufficient_quota":
        refusal = "the account of {key} must have credit, got none left; add some"
        return Fault(what, most_attempts=1, refusal=refusal, is_common=True)
    if status in WORTH_REPEATING or status >= 500 or 200 <= status < 300:
        return Fault(what, asked_wait(retry_after))
    key = "check the key in {key}"
    remedy = {401: key, 403: key, 404: "check the model, {model}, and base_url"}
    if 300 <= status < 400:
        usual = "give the address it moved to as base_url: rows are sent to no other place than that"
    else:
        usual = "check the model, {model}, and the fields of the request"
    refusal = f"the endpoint must accept the request, got status {status}; {remedy.get(status, usual)}"
    is_common = status in _COMMON or status < 400
    attempts = _COMMON_ATTEMPTS if is_common else 1
    return Fault(what, None, False, attempts, refusal, is_common=is_common, is_of_question=not is_common)


def asked_wait(retry_after: str | None) -> float | None:
    """Seconds that a server asks to wait, by a number or a date; None where it asks for nothing that is one.

    Examples
    --------
    >>> asked_wait("1.5"), asked_wait("-3"), asked_wait("nan"), asked_wait("Fri, 31 Dec 1999 23:59:59 GMT")
    (1.5, 0.0, None, 0.0)
    """
    seconds = math.nan
    with suppress(ValueError, TypeError, OverflowError):
        seconds = float(retry_after or "")
    if retry_after and math.isnan(seconds):
        with suppress(ValueError, TypeError, OverflowError):
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _code_in(body: bytes | None) -> object:
    """The code of an error, as OpenAI's servers name it."""
    try:
        found = json.loads(body or b"")
    except (ValueError, RecursionError):
        return None
    error = found.get("error", found) if isinstance(found, dict) else None
    return error.get("code") if isinstance(error, dict) else None
