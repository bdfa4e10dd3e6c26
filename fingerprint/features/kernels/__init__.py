"""Compiled loops over characters. Importing this loads numba: import it where it is used, never at the top of a file.

A kernel and the functions it calls stand in one file, and take constants of other files as arguments: the compiler's
cache on disk knows of changes in a kernel's own file alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile a function on its first call, without Python's lock, and keep it on disk where that is possible.

    The cache is `__pycache__` beside the file, or the user's cache folder where that cannot be written; numba's
    NUMBA_CACHE_DIR names another. Where no folder can be written, every process compiles again.
    """
    try:
        return cast("F", njit(nogil=True, cache=True)(function))
    except RuntimeError:  # numba's word for "nowhere to write"
        return cast("F", njit(nogil=True)(function))


def is_on_disk(kernels: str) -> bool:
    """Whether kernels were compiled before, by any process, with this interpreter.

    Parameters
    ----------
    kernels : str
        A module of this folder, or "module.function".
    """
    folder = _cache_folder()
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    return folder is not None and any(folder.glob(f"{kernels}[.-]*.{version}*.nbi"))


def _cache_folder() -> Path | None:
    """Where numba keeps what it compiles from files of this folder."""
    try:
        path = FunctionCache(_nothing).cache_path  # type: ignore[no-untyped-call]  # what `njit(cache=True)` asks
    except RuntimeError:
        return None
    return Path(path) if path else None


def _nothing() -> None:
    """Stands in this folder, which is all that its cache's place hangs on."""
