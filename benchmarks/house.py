"""How the code is built: who imports whom, how long files and functions are, how long an import takes.

    python benchmarks/house.py BEFORE AFTER      # two checkouts side by side; one folder does as well

Files are parsed, never imported, but for the seconds. `tests/test_layers.py` and `tests/test_size.py` hold the package
to what is measured here.
"""

from __future__ import annotations

import argparse
import ast
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import results

PACKAGE = "fingerprint"
ORDER = (
    "cli", "lab", "identification", "detector", "preferences", "detection", "panels", "fingerprints", "report", "lm",
    "statistics", "filters", "endpoints", "features", "data",
)  # fmt: skip
"""The folders of the package from top to bottom: a module imports from its own folder and from those below.

The root files, `fingerprint/__init__.py` and `fingerprint/__main__.py`, stand above all of them.
"""

LONGEST_FILE = 420
LONGEST_FUNCTION = 60
"""Lines, the docstring left out."""
MOST_PARAMETERS = 14
MOST_ANY = 40
MOST_ROOT_FILES = 4


@dataclass(frozen=True)
class Module:
    """A file, parsed once that is asked for: its dotted name, whether it is a package's `__init__.py`, its text."""

    name: str
    is_package: bool
    source: str

    @cached_property
    def lines(self) -> int:
        return len(self.source.splitlines())

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[Function]:
        """Every function and method, those inside of others included."""
        return list(_functions(self.tree, self.name, public=True, in_class=False))


@dataclass(frozen=True)
class Import:
    """One module imports another, at a line."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer} (line {self.line}) imports {self.imported}"


@dataclass(frozen=True)
class Function:
    """A function or method, where it stands, its lines without the docstring, its parameters without self."""

    place: str
    lines: int
    parameters: int
    public: bool


def parsed(name: str, source: str, is_package: bool = False) -> Module:
    """The module `name` of a source text."""
    return Module(name, is_package, source)


@cache
def modules_of(folder: Path) -> Mapping[str, Module]:
    """Every Python file below `folder` as it is at the first call, by its name, whose first part is the folder's."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = (folder.name, *path.relative_to(folder).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = parsed(name, path.read_text(encoding="utf-8"), is_package)
    return found


# ---------------------------------------------------------------------------------------------------- who imports whom


def imports_of(module: Module, names: Sequence[str] | Mapping[str, object]) -> list[Import]:
    """The modules among `names` that a module imports: at its top, under TYPE_CHECKING and inside functions alike."""
    found = []
    for node in module.nodes:
        for dotted in _imported_names(node, module):
            target = _module_among(dotted, names)
            if target is not None and target != module.name:
                found.append(Import(module.name, target, node.lineno))  # type: ignore[attr-defined]
    return found


def _imported_names(node: ast.AST, module: Module) -> Iterator[str]:
    """Dotted names that a statement or call imports; the last part may be a function or class."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = node.module or ""
        if node.level:
            above = module.name.split(".")
            above = above[: len(above) - node.level + module.is_package]
            start = ".".join([*above, *([node.module] if node.module else [])])
        yield from (start if alias.name == "*" else f"{start}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            yield node.args[0].value


def _module_among(dotted: str, names: Sequence[str] | Mapping[str, object]) -> str | None:
    """The longest beginning of a dotted name that is a module."""
    while dotted and dotted not in names:
        dotted = dotted.rpartition(".")[0]
    return dotted or None


def all_imports(modules: Mapping[str, Module]) -> list[Import]:
    return [found for module in modules.values() for found in imports_of(module, modules)]


def folder_of(name: str) -> str | None:
    """The folder of a module within the package; None for the package itself and `__main__`."""
    parts = name.split(".")
    return None if len(parts) == 1 or parts[1] == "__main__" else parts[1]


def rank(name: str, order: Sequence[str] = ORDER) -> int:
    """0 for the root files, then one more for every folder further down; KeyError for a folder without a place."""
    folder = folder_of(name)
    if folder is None:
        return 0
    if folder not in order:
        raise KeyError(f"{name}: the folder {folder!r} has no place in the order {', '.join(order)}")
    return order.index(folder) + 1


def imports_upwards(modules: Mapping[str, Module], order: Sequence[str] = ORDER) -> list[Import]:
    """Imports of a module in a folder above one's own."""
    return [found for found in all_imports(modules) if rank(found.imported, order) < rank(found.importer, order)]


def cycles(modules: Mapping[str, Module]) -> list[list[str]]:
    """Modules that import one another, directly or by way of others: one sorted list a ring."""
    return rings(_graph(modules))


def folder_graph(modules: Mapping[str, Module]) -> dict[str, set[str]]:
    """Who imports whom, a folder being one module; files of the root stay what they are."""
    packages = {name for name, module in modules.items() if module.is_package}
    graph: dict[str, set[str]] = {}
    for name, below in _graph(modules).items():
        units = [_unit(one, packages) for one in (name, *below)]
        graph.setdefault(units[0], set()).update(set(units[1:]) - {units[0]})
    return graph


def _unit(name: str, packages: set[str]) -> str:
    first = ".".join(name.split(".")[:2])
    return first if first in packages else name


def rings(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Nodes of a graph that can be reached from one another, sorted."""
    return sorted(sorted(ring) for ring in _components(graph) if len(ring) > 1)


def floors(modules: Mapping[str, Module]) -> int:
    """Modules on the longest chain of imports; a ring of modules counts as one."""
    graph = _graph(modules)
    components = _components(graph)
    component = {name: i for i, names in enumerate(components) for name in names}
    height: list[int] = []
    for i, names in enumerate(components):  # what is imported comes first
        below = {component[imported] for name in names for imported in graph[name]} - {i}
        height.append(1 + max((height[j] for j in below), default=0))
    return max(height, default=0)


def _graph(modules: Mapping[str, Module]) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for found in all_imports(modules):
        graph[found.importer].add(found.imported)
    return graph


def _components(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components, each after those it imports (Tarjan, doi:10.1137/0201010)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        open_.append(name)
        for imported in sorted(graph[name]):
            if imported not in index:
                visit(imported)
                low[name] = min(low[name], low[imported])
            elif imported in open_:
                low[name] = min(low[name], index[imported])
        if low[name] == index[name]:
            at = open_.index(name)
            found.append(open_[at:])
            del open_[at:]

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


# ------------------------------------------------------------------------------------------------------------- lengths


def _functions(node: ast.AST, place: str, public: bool, in_class: bool) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            inside = f"{place}.{child.name}"
            yield from _functions(child, inside, public and not child.name.startswith("_"), in_class=True)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = f"{place}.{child.name}"
            is_public = public and (child.name == "__init__" or not child.name.startswith("_"))
            yield Function(inside, _lines(child), _parameters(child, in_class), is_public)
            yield from _functions(child, inside, public=False, in_class=False)
        elif not isinstance(child, ast.expr):
            yield from _functions(child, place, public, in_class)


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the last, without those of the docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or 0) - docstring.lineno + 1)


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef, is_method: bool) -> int:
    names = function.args
    count = len([*names.posonlyargs, *names.args, *names.kwonlyargs, *filter(None, [names.vararg, names.kwarg])])
    is_static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list)
    return count - (is_method and not is_static)


def any_count(module: Module) -> int:
    """Parameters and returns that are annotated with `Any` and nothing else."""
    annotations = [node.annotation for node in module.nodes if isinstance(node, ast.arg)]
    annotations += [node.returns for node in module.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return sum(map(_is_any, annotations))


def any_uses(module: Module) -> int:
    """How often the name `Any` is used at all: also as in `dict[str, Any]`, of variables and fields."""
    return sum(map(_is_any, module.nodes))


def _is_any(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Name) and node.id == "Any"


def docstrings_of(module: Module) -> list[str]:
    """Docstrings of the module, its classes and functions."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [text for node in module.nodes if isinstance(node, kinds) and (text := ast.get_docstring(node))]


def long_files(modules: Mapping[str, Module], most: int = LONGEST_FILE) -> list[str]:
    return [f"{module.name}: {module.lines} lines" for module in modules.values() if module.lines > most]


def long_functions(modules: Mapping[str, Module], most: int = LONGEST_FUNCTION) -> list[str]:
    found = [function for module in modules.values() for function in module.functions]
    return [f"{function.place}: {function.lines} lines" for function in found if function.lines > most]


def crowded_functions(modules: Mapping[str, Module], most: int = MOST_PARAMETERS) -> list[str]:
    """Public functions with more than `most` parameters; not those of `cli`, which are the command line's options."""
    public = [
        function
        for module in modules.values()
        if folder_of(module.name) != "cli"
        for function in module.functions
        if function.public
    ]
    return [f"{function.place}: {function.parameters} parameters" for function in public if function.parameters > most]


# ----------------------------------------------------------------------------------------------------------- the table


def seconds_to_run(program: str, checkout: Path, rounds: int = 5) -> float:
    """Median seconds of a fresh interpreter that runs `program`, less those of one that does nothing."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def once(text: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", text], env=environment, cwd=checkout, check=True)
        return time.perf_counter() - started

    once(program)  # byte code is written, files are in memory
    return statistics.median(once(program) - once("pass") for _ in range(rounds))


def figures(checkout: Path, rounds: int = 5) -> dict[str, str]:
    """What the table says of one checkout, by the row's name.

    Parameters
    ----------
    checkout : Path
        The folder that holds the package.
    rounds : int
        Interpreters started for each of the seconds; 0 leaves the seconds out.
    """
    modules = modules_of(checkout / PACKAGE)
    functions = [function for module in modules.values() for function in module.functions]
    longest = max(modules.values(), key=lambda module: module.lines)
    function = max(functions, key=lambda function: function.lines)
    outside = [f for name, m in modules.items() if folder_of(name) != "cli" for f in m.functions if f.public]
    crowded = max(outside, key=lambda function: function.parameters)
    found = {
        "files": f"{len(modules)}",
        "files in the root folder": f"{len(list((checkout / PACKAGE).glob('*.py')))}",
        "folders": f"{sum(module.is_package for module in modules.values())}",
        "lines": f"{sum(module.lines for module in modules.values()):,}",
        "longest file": f"{longest.lines} ({longest.name.removeprefix(PACKAGE + '.')})",
        f"files over {LONGEST_FILE} lines": f"{len(long_files(modules))}",
        "longest function, without docstring": f"{function.lines} ({_last_names(function.place)})",
        f"functions over {LONGEST_FUNCTION} lines": f"{len(long_functions(modules))}",
        "median function": f"{statistics.median(function.lines for function in functions):g}",
        "most parameters of a public function": f"{crowded.parameters} ({_last_names(crowded.place)})",
        f"public functions over {MOST_PARAMETERS} parameters": f"{len(crowded_functions(modules))}",
        "parameters and returns that are Any": f"{sum(map(any_count, modules.values()))}",
        "uses of Any": f"{sum(map(any_uses, modules.values()))}",
        "floors of imports": f"{floors(modules)}",
        "imports upwards": _upwards(modules),
        "modules in rings": _in_rings(cycles(modules)),
        "and when a folder counts as one module": _in_rings(rings(folder_graph(modules))),
    }
    if rounds:
        detect = seconds_to_run(f"from {PACKAGE} import detect", checkout, rounds)
        arrays = seconds_to_run("import numpy, polars, scipy.sparse", checkout, rounds)
        found["seconds to import detect"] = f"{detect:.2f}"
        found["over numpy, polars, scipy.sparse"] = f"{detect / arrays:.2f} times"
    return found


def _last_names(place: str) -> str:
    return ".".join(place.split(".")[-2:])


def _in_rings(found: Sequence[Sequence[str]]) -> str:
    return f"{sum(map(len, found))} (in {len(found)})" if found else "0"


def _upwards(modules: Mapping[str, Module]) -> str:
    """How many imports go up; nobody can say of a package whose folders are not those of the order."""
    try:
        return f"{len(imports_upwards(modules))}"
    except KeyError:
        return "no order"


def table(checkouts: Sequence[Path], columns: Sequence[Mapping[str, str]]) -> str:
    """A Markdown table, one column a checkout, and the rings of imports of each below."""
    lines = [f"| | {' | '.join(checkout.name for checkout in checkouts)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(column[name] for column in columns)} |" for name in columns[0]]
    for checkout in checkouts:
        modules = modules_of(checkout / PACKAGE)
        lines += [f"ring of {checkout.name}: {', '.join(ring)}" for ring in cycles(modules)]
        lines += [f"ring of {checkout.name}, by folder: {', '.join(ring)}" for ring in rings(folder_graph(modules))]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="How the code is built, of one checkout or of several side by side.")
    parser.add_argument("checkouts", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=5, help="imports that are timed; 0: none")
    results.add_json_option(parser)
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    checkouts = [checkout.resolve() for checkout in options.checkouts]
    columns = [figures(checkout, options.rounds) for checkout in checkouts]
    print(table(checkouts, columns))
    named = [{"checkout": checkout.name, **column} for checkout, column in zip(checkouts, columns, strict=True)]
    results.write(options.json, named, started)


if __name__ == "__main__":
    main()
