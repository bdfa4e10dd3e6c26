"""Version of this package."""

from __future__ import annotations


def own_version() -> str:
    """Version of this package; "unknown" where it runs from a source tree that was never installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("subliminal-fingerprint")
    except PackageNotFoundError:
        return "unknown"
