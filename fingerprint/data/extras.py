"""Extras: packages that only some of what this package does needs, and the command that installs them."""

from __future__ import annotations

# Packages that only an extra installs, and the extra.
EXTRAS = {
    "torch": "lm",
    "transformers": "lm",
    "safetensors": "lm",
    "peft": "lm",
    "httpx": "endpoints",
    "datasets": "hf",
    "inspect_ai": "inspect",
    "ray": "ray",
    "sentence_transformers": "embeddings",
}


def install_command(extra: str) -> str:
    """The command that installs an extra, whether this package came from an index or from a clone.

    pip takes the package that is installed, in whatever way, and adds what the extra asks for.
    """
    return f"pip install 'subliminal-fingerprint[{extra}]'"
