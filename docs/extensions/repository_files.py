"""Pages that stand at the root of the repository, and links that work there and here.

A page in `docs/project/` is a stand-in: its text is that of the file it is named for. Links to files of the repository
lead to the page that holds them, where there is one, and otherwise name the file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
STANDINS = {
    "project/changelog": ROOT / "CHANGELOG.md",
    "project/contributing": ROOT / "CONTRIBUTING.md",
    "project/security": ROOT / "SECURITY.md",
    "project/benchmarks": ROOT / "benchmarks" / "README.md",
}
OF_FILE = {path: name for name, path in STANDINS.items()} | {ROOT / "README.md": "index"}
LINK = re.compile(r"\[([^\]\[]+)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")
CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".md":
        return
    path = STANDINS.get(docname, path)
    text = path.read_text(encoding="utf-8")
    parts = CODE.split(text)
    source[0] = "".join(part if part.startswith("```") else _relinked(part, path, docname) for part in parts)


def _relinked(text: str, path: Path, docname: str) -> str:
    page_folder = (DOCS / docname).parent

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        file = Path(os.path.normpath(path.parent / target))
        if file in OF_FILE:
            page = DOCS / f"{OF_FILE[file]}.md"
        elif file.suffix == ".ipynb" and file.parent == ROOT / "notebooks":
            page, anchor = DOCS / "tutorials" / file.name, ""
        elif file.is_relative_to(DOCS):
            page = file
        else:
            return f"{words} (`{file.relative_to(ROOT)}`)" if words != file.name else f"`{file.relative_to(ROOT)}`"
        return f"[{words}]({os.path.relpath(page, page_folder)}{anchor})"

    return LINK.sub(link, text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
