"""Addresses that httpx asks at in full and logs without their secrets; imported where httpx is needed."""

from __future__ import annotations

import httpx

from fingerprint.endpoints.address import without_secrets


class QuietURL(httpx.URL):
    """An address whose text has neither user, password, query nor fragment.

    httpx logs every request with the text of its address, at a level that many programs show; what it sends it takes
    from the parts of the address, which are whole here.
    """

    def __str__(self) -> str:
        return without_secrets(super().__str__())

    def __repr__(self) -> str:
        return f"QuietURL({str(self)!r})"
