"""Tutorials are the notebooks of the repository: copied beside the tutorials' index before pages are read."""

from __future__ import annotations

import shutil
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
NOTEBOOKS = DOCS.parent / "notebooks"


def _copy(app: Sphinx) -> None:
    kept = set()
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        place = DOCS / "tutorials" / notebook.name
        if not place.exists() or place.read_bytes() != notebook.read_bytes():
            shutil.copyfile(notebook, place)
        kept.add(place)
    for old in (DOCS / "tutorials").glob("*.ipynb"):
        if old not in kept:
            old.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", _copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
