"""Directives whose text is made from the package and from what benchmarks have measured, whenever pages are built."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable

import gallery_pages
import json_keys
import measured
import warning_codes
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def names_of(module: str) -> str:
    """Every public name of a module, by autodoc; packages among them are named alone."""
    found = importlib.import_module(module)
    lines = ["```{eval-rst}"]
    for name in found.__all__:
        value = getattr(found, name)
        if inspect.ismodule(value):
            continue
        kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
        lines += [f".. auto{kind}:: {module}.{name}", *(_members(value) if kind == "class" else []), ""]
    return "\n".join([*lines, "```"])


def _members(kind: type) -> list[str]:
    """Options that show what a class has and inherits, but for what scikit-learn or Python bring along."""
    foreign = [base.__name__ for base in kind.__mro__ if base.__module__.partition(".")[0] != "fingerprint"]
    made = [name for name in dir(kind) if name.startswith("set_") and name.endswith("_request")]
    hidden = [f"   :exclude-members: {', '.join(made)}"] if made else []
    return ["   :members:", f"   :inherited-members: {', '.join(foreign)}", *hidden]


MADE: dict[str, Callable[..., str]] = {
    "gallery": gallery_pages.as_markdown,
    "warning-codes": warning_codes.as_markdown,
    "json-keys": json_keys.as_markdown,
    "names-of": names_of,
    "calibration-table": measured.calibration_table,
    "warning-rates": measured.warning_rates,
    "mutants": measured.mutants,
}


class Made(SphinxDirective):
    """Markdown that a function makes, in the place of the directive."""

    optional_arguments = 1
    has_content = False

    def run(self) -> list[nodes.Node]:
        text = MADE[self.name](*self.arguments)
        node = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), self.name), self.content_offset, node, True)
        return node.children


def setup(app: Sphinx) -> dict[str, bool]:
    for name in MADE:
        app.add_directive(name, Made)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
