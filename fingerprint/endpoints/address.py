"""Where an endpoint is: checked before anything is asked, and told without what must not be told."""

from __future__ import annotations

import os
import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

_ONE_WORD = re.compile(r"[^\s\x00-\x1f\x7f\\]+\Z")  # no blank, no control character, and no backslash for a slash
OPENAI_URL = "https://api.openai.com/v1"
"""Where the `openai` client goes by itself."""


def checked_url(base_url: str | None) -> str:
    """The address that requests go to: the one given, that of ``OPENAI_BASE_URL``, or OpenAI's own.

    Raises
    ------
    ValueError
        If it is no address of a web server. A name and password, or a query, are not quoted: they may be secrets.

    Examples
    --------
    >>> checked_url("http://localhost:8000/v1/")
    'http://localhost:8000/v1'
    """
    url = (base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL).strip()
    parts = _parts(url)
    is_web = parts is not None and parts.scheme in ("http", "https") and _is_host(parts.hostname)
    if not is_web or not _ONE_WORD.match(url):
        # Where no address can be read, nobody knows which part of it is the password.
        quoted = "one with @, ? or #, not quoted here" if set("@?#") & set(url) else repr(url)
        raise ValueError(
            f"base_url must be http://HOST:PORT/v1 or https://HOST/v1, got {quoted}; see where the server listens"
        )
    return url.rstrip("/")


def _is_host(name: str | None) -> bool:
    try:
        return bool(name) and bool(str(name).encode("idna"))
    except UnicodeError:
        return False


def host_of(url: str) -> str:
    """The host of an address, without port, user, password, path and query.

    Examples
    --------
    >>> host_of("https://user:secret@gpu.example.org:8000/v1?key=secret")
    'gpu.example.org'
    """
    parts = _parts(url)
    return (parts.hostname if parts is not None else None) or ""


def without_secrets(url: str) -> str:
    """An address without user, password, query and fragment, any of which may be a secret.

    Examples
    --------
    >>> without_secrets("https://user:secret@gpu.example.org:8000/v1?key=secret")
    'https://gpu.example.org:8000/v1'
    """
    parts = _parts(url)
    if parts is None:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a port that is no number is found when it is read
    except ValueError:
        return None
    return parts
