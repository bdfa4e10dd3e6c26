"""One request to a server that may answer anything: in bounded time and memory, to that server and to no other.

Redirects are not followed: rows would go to a place that nobody named. Bodies are read up to `MOST_BYTES`, as they are
sent and as they are unpacked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from fingerprint.data.extras import install_command
from fingerprint.data.version import own_version
from fingerprint.endpoints.address import OPENAI_URL, host_of
from fingerprint.endpoints.faults import WHOLE_ATTEMPTS, Fault, fault_of_status
from fingerprint.endpoints.replies import Reply, reply_in

if TYPE_CHECKING:
    import httpx

# Bytes of a body. A reply of 100,000 tokens takes half a megabyte, with the log-probabilities of 20 tokens each some 5.
MOST_BYTES = 8 << 20
# What a header may hold: printable ASCII. A line break would begin another header.
_KEY = re.compile(r"[!-~]+( [!-~]+)*")
# Who pays at OpenAI, where an account has several: as its own client sends it.
_OPENAI_HEADERS = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}


class Connection:
    """Requests to one server, with one key.

    Parameters
    ----------
    url : str
        From `fingerprint.endpoints.address.checked_url`.
    key_variable : str
        Environment variable with the key.
    timeout, deadline : float
        Seconds to connect, and to send the request; and in all, until the last byte of the answer: a model that thinks
        is silent for minutes.

    Raises
    ------
    ImportError
        If httpx is not installed.
    ValueError
        If there is no key or one that no header can hold, or the address is none. Neither is quoted.
    """

    def __init__(self, url: str, key_variable: str, timeout: float, deadline: float) -> None:
        try:
            import httpx

            from fingerprint.endpoints.quiet import QuietURL
        except ImportError as error:
            raise ImportError(
                f"endpoints need the httpx package; install it: {install_command('endpoints')}"
            ) from error
        headers = {
            "Authorization": f"Bearer {_key_in(key_variable)}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"fingerprint/{own_version()}",
        }
        if host_of(url) == host_of(OPENAI_URL):
            headers |= {name: os.environ[from_] for name, from_ in _OPENAI_HEADERS.items() if os.environ.get(from_)}
        parts = urlsplit(url)
        try:
            self._url = QuietURL(urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/chat/completions")))
        except httpx.InvalidURL:
            raise ValueError(
                f"base_url must be an address of the web, got one at {host_of(url)!r} that is none; correct it"
            ) from None
        self._timeout, self._deadline = timeout, deadline
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(timeout, read=None),
            follow_redirects=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )

    async def __aenter__(self) -> Connection:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    async def ask(self, request: Mapping[str, object]) -> Reply | Fault:
        """The reply to a request, or why there is none."""
        import httpx

        content = json.dumps(request).encode()
        try:
            async with asyncio.timeout(self._deadline):
                asked = self._client.build_request("POST", self._url, content=content)
                asked.url = self._url  # httpx has made an address of its own of it, which it logs in full
                response = await self._client.send(asked, stream=True)
                async with contextlib.aclosing(response):
                    body = await _body(response)
        except TimeoutError:
            return Fault(f"no whole answer within {self._deadline:g} s", is_unreachable=True, paid_tokens=(0, 0))
        except httpx.TimeoutException as error:
            paid = (0, 0) if isinstance(error, httpx.WriteTimeout) else None
            return Fault(f"no connection within {self._timeout:g} s", is_unreachable=True, paid_tokens=paid)
        except httpx.ConnectError:
            return Fault("no connection", is_unreachable=True)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, zlib.error) as error:
            return Fault(f"a broken answer ({type(error).__name__})", is_unreachable=True, paid_tokens=(0, 0))
        if response.status_code != httpx.codes.OK:
            return fault_of_status(response.status_code, response.headers.get("retry-after"), body)
        if body is None:
            what = f"an answer of more than {MOST_BYTES >> 20} MiB"
            return Fault(what, most_attempts=WHOLE_ATTEMPTS, paid_tokens=(0, 0))
        return reply_in(body)


def _key_in(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ValueError(
            f"{variable} must hold the endpoint's API key, got nothing; export it (any word will do for a local server "
            "that asks for none)"
        )
    if not _KEY.fullmatch(key):
        raise ValueError(f"{variable} must hold printable ASCII, got other characters; export the key as it was given")
    return key


async def _body(response: httpx.Response) -> bytes | None:
    """The body, unpacked; None for one that is too long.

    Raises
    ------
    zlib.error, httpx.HTTPError
        If it is broken, or packed in a way that was not asked for and is not known here.
    """
    import httpx

    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise httpx.DecodingError(f"packed by {packing[:20]}")
    unpacker = None if packing in ("", "identity") else zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: either header
    found, n_raw = bytearray(), 0
    async for chunk in response.aiter_raw():
        n_raw += len(chunk)
        if unpacker is not None:
            chunk = unpacker.decompress(chunk, MOST_BYTES + 1 - len(found))
        found += chunk
        if len(found) > MOST_BYTES or n_raw > MOST_BYTES:
            return None
    if unpacker is not None and not unpacker.eof:
        raise httpx.DecodingError("cut off")
    return bytes(found)
