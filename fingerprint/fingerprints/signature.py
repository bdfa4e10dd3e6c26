"""What tells the file of a fingerprint from others, without loading what reads it."""

from __future__ import annotations

import os
from typing import TypeGuard

MAGIC = b"fingerprint sums"


def is_fingerprint(path: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether this is the path of a file that begins as fingerprints do."""
    if not isinstance(path, str | os.PathLike) or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC
