"""The gallery: reports are made before pages are read, whenever the package has changed, and their pages copied."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
PACKAGE = DOCS.parent / "fingerprint"
SCRIPT = DOCS / "gallery.py"
MADE = DOCS / "gallery"
MADE_OF = MADE / "made-of.txt"
"""A digest of the package and the script that the reports were made by."""


def _digest() -> str:
    inside = (path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".jsonl", ".j2"))
    sources = [SCRIPT, *sorted(inside)]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def _make(app: Sphinx) -> None:
    digest = _digest()
    if MADE_OF.exists() and MADE_OF.read_text(encoding="utf-8") == digest:
        return
    shutil.rmtree(MADE, ignore_errors=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(DOCS.parent), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, str(SCRIPT), str(MADE)], check=True, env=environment)
    MADE_OF.write_text(digest, encoding="utf-8")


def _copy(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.name == "html":
        place = Path(app.outdir) / "gallery"
        place.mkdir(exist_ok=True)
        for page in MADE.glob("*.html"):
            shutil.copyfile(page, place / page.name)


def as_markdown() -> str:
    """A section for each report: what it is of, the code that makes it, what it prints, its pictures and its page."""
    sys.path.insert(0, str(DOCS))
    from gallery import REPORTS

    made = ((name, inspect.getdoc(make) or "", inspect.getsource(make)) for name, make in REPORTS.items())
    return "\n".join(_section(*one) for one in made)


def _section(name: str, said: str, source: str) -> str:
    title, _, text = said.partition("\n\n")
    body = dedent(re.sub(r'^def .*?""".*?"""\n', "", source, flags=re.DOTALL))
    code = re.sub(r"^return ", "report = ", body, flags=re.MULTILINE)
    printed = (MADE / f"{name}.txt").read_text(encoding="utf-8")
    blocks = (f"```python\n{code.rstrip()}\nprint(report)\n```", f"```output\n{printed.rstrip()}\n```")
    parts = [f"## {title}", text, *blocks]
    if (MADE / f"{name}.alt").exists():
        alt = json.dumps((MADE / f"{name}.alt").read_text(encoding="utf-8"), ensure_ascii=False)
        parts += [
            f"```{{image}} gallery/{name}-{scheme}.png\n:alt: {alt}\n:class: only-{scheme}\n:width: 100%\n```"
            for scheme in ("light", "dark")
        ]
    if (MADE / f"{name}.html").exists():
        parts += [f'<a class="reference" href="gallery/{name}.html">The whole page: {title}</a>']
    return "\n\n".join([*parts, ""])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", _make)
    app.connect("build-finished", _copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
