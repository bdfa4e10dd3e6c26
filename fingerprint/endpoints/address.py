"""Where an endpoint is: checked before anything is asked, and told without what must not be told."""

from __future__ import annotations

import os
import re
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

_ONE_WORD = re.compile(r"[^\s\x00-\x1f\x7f\\]+\Z")  # no blank, no control character, and no backslash for a slash
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# Words for secrets in the names of parameters, as gateways write them: Azure has code, sig and subscription-key.
_SECRETS = frozenset(
    {"apikey", "auth", "authorization", "code", "credential", "credentials", "key", "pass", "passwd", "password", "pwd"}
    | {"secret", "sig", "signature", "token"}
)
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


def server_of(url: str) -> str:
    """What of an address decides who answers: all that is sent, but for user, password and keys.

    It is what replies are known by again, so that they hold for another key of the same server, and not for another
    deployment there that the query names. Parameters named like a secret (`_SECRETS`) are left out, in whatever case.

    Examples
    --------
    >>> server_of("https://user:secret@gpu.example.org/v1?deployment=a&api-key=secret&AccessToken=secret")
    'https://gpu.example.org/v1?deployment=a'
    """
    parts = _parts(url)
    pairs = [] if parts is None else parse_qsl(parts.query, keep_blank_values=True)
    sent = urlencode([(name, value) for name, value in pairs if _SECRETS.isdisjoint(_words(name))])
    return without_secrets(url) + (f"?{sent}" if sent else "")


def _words(name: str) -> set[str]:
    """Words of a parameter's name, lower case: of "api-key", "api_key" and "apiKey" the same two."""
    return {word.lower() for word in _WORDS.findall(name)}


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a port that is no number is found when it is read
    except ValueError:
        return None
    return parts
