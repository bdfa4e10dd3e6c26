"""Every warning that the package can give, read from its source: code, words, threshold, and how that was chosen."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "fingerprint"
TITLES = {
    "detection/warnings.py": "What was found",
    "detection/findings.py": "What was found",
    "detection/prompt_warnings.py": "Prompts",
    "detection/row_warnings.py": "Rows",
    "detection/language_warnings.py": "Languages",
    "detection/filter_warnings.py": "Filters",
    "detection/attribution.py": "Placebos",
    "detection/hardness.py": "Base models",
    "detection/model_families.py": "Base models",
    "detection/known_teacher.py": "Base models",
    "detection/against_fingerprint.py": "A stored fingerprint as the reference",
    "preferences/detect_labels.py": "Preference labels (`detect_labels`)",
    "identification/warnings.py": "Identification (`identify`)",
}
"""Sections, in their order, and the modules whose warnings stand in each; a module that is not named has its own."""


@dataclass(frozen=True)
class Code:
    """A warning as the source has it.

    Attributes
    ----------
    code, message : str
        An ellipsis stands where a figure of the data comes.
    threshold : str
        Its value, or what it is reckoned from.
    reason : str
        The comment above the constant: how it was chosen.
    """

    section: str
    code: str
    message: str
    threshold: str
    reason: str


def every() -> list[Code]:
    """All of them, in the order of their sections."""
    paths = sorted(path for path in PACKAGE.rglob("*.py") if "Warning(" in path.read_text(encoding="utf-8"))
    order = list(dict.fromkeys(TITLES.values()))
    found = dict.fromkeys(code for path in paths for code in _of_module(path))
    return sorted(found, key=lambda code: order.index(code.section) if code.section in order else len(order))


def as_markdown() -> str:
    """A table for each section."""
    codes = every()
    lines: list[str] = []
    for section in dict.fromkeys(code.section for code in codes):
        lines += [f"## {section}", "", "| code | what it says | threshold | how that was chosen |", "|---|---|---|---|"]
        seen: set[str] = set()
        for code in (code for code in codes if code.section == section):
            known = code.code in seen  # several rules of one code: its threshold stands there once for each
            cells = ("" if known else f"`{code.code}`", code.message, code.threshold, code.reason)
            lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
            seen.add(code.code)
        lines.append("")
    return "\n".join(lines)


def _of_module(path: Path) -> Iterator[Code]:
    module = Module(path.read_text(encoding="utf-8"))
    within = str(path.relative_to(PACKAGE))
    section = TITLES.get(within, within)
    functions = {node.name: node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef)}
    for function in functions.values():
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Warning":
                code, _, threshold, message = call.args
                if isinstance(code, ast.Constant):
                    said = _words(message, function, functions)
                    yield Code(section, code.value, said, *_threshold(threshold, function, module))


def _threshold(node: ast.expr, function: ast.FunctionDef, module: Module) -> tuple[str, str]:
    """What it is: constants by their values, functions by what they return; and the comment above the constant."""
    if isinstance(node, ast.Name) and module.constant(node.id) is None:
        set_here = {ast.unparse(one.targets[0]): one.value for one in ast.walk(function) if isinstance(one, ast.Assign)}
        node = set_here.get(node.id, node)
    spelled = _Spelled(module)
    shown = ast.unparse(spelled.visit(ast.parse(ast.unparse(node), mode="eval")).body)
    return (shown if re.fullmatch(r"[\d./ ]+", shown) else f"`{shown}`"), spelled.reason


@dataclass(frozen=True)
class Module:
    """A file of the package, and where its names come from."""

    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    def imported(self, name: str) -> Module | None:
        """The module that a name is imported from."""
        for statement in self.tree.body:
            if isinstance(statement, ast.ImportFrom) and name in {alias.name for alias in statement.names}:
                path = PACKAGE.parent / f"{(statement.module or '').replace('.', '/')}.py"
                return Module(path.read_text(encoding="utf-8"))
        return None

    def constant(self, name: str) -> tuple[str, str] | None:
        """Its value, and the comment above."""
        for statement in self.tree.body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
                return ast.unparse(statement.value), _comment_above(self.source.splitlines(), statement.lineno - 1)
        other = self.imported(name)
        return None if other is None else other.constant(name)

    def function(self, name: str) -> tuple[ast.FunctionDef, Module] | None:
        """A function, and the module that it stands in."""
        for statement in self.tree.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == name:
                return statement, self
        other = self.imported(name)
        return None if other is None else other.function(name)


class _Spelled(ast.NodeTransformer):
    """Puts values in the place of constants, and what is returned in the place of calls; "x.alpha" is alpha."""

    def __init__(self, module: Module) -> None:
        self.module, self.reason = module, ""

    def visit_Name(self, node: ast.Name) -> ast.expr:  # as `ast` calls it
        found = self.module.constant(node.id)
        if found is None:
            return node
        self.reason = self.reason or found[1]
        return ast.parse(found[0], mode="eval").body

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return ast.Name(node.attr)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        found = self.module.function(node.func.id) if isinstance(node.func, ast.Name) else None
        if found is None or not isinstance(found[0].body[-1], ast.Return) or found[0].body[-1].value is None:
            return self.generic_visit(node)  # type: ignore[return-value]
        inner = _Spelled(found[1])
        spelled: ast.expr = inner.visit(ast.parse(ast.unparse(found[0].body[-1].value), mode="eval")).body
        self.reason = self.reason or inner.reason
        return spelled


def _comment_above(lines: list[str], at: int) -> str:
    first = at
    while first and lines[first - 1].startswith("#"):
        first -= 1
    return " ".join(line.lstrip("# ") for line in lines[first:at])


def _words(node: ast.expr, function: ast.FunctionDef, functions: dict[str, ast.FunctionDef], depth: int = 0) -> str:
    """A message, with an ellipsis in the place of what the data say."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_words(part, function, functions, depth) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        inner = _words(node.value, function, functions, depth + 1)
        return inner if len(inner) > 20 else "…"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _words(node.left, function, functions, depth) + _words(node.right, function, functions, depth)
    if isinstance(node, ast.IfExp):
        choices = [_words(choice, function, functions, depth) for choice in (node.body, node.orelse)]
        return " / ".join(choices)
    if isinstance(node, ast.Name) and depth < 4:
        for statement in ast.walk(function):
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == node.id:
                return _words(statement.value, function, functions, depth + 1)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions and depth < 4:
        called = functions[node.func.id]
        for statement in called.body:
            if isinstance(statement, ast.Return) and statement.value is not None:
                return _words(statement.value, called, functions, depth + 1)
    return "…"
