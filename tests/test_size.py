"""Files, functions and lists of parameters stay small, the root folder too, and `Any` rare; and the checks can fail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import house
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def package() -> Mapping[str, house.Module]:
    return house.modules_of(ROOT / "fingerprint")


def test_the_root_folder_holds_four_files_at_most() -> None:
    assert len(list((ROOT / "fingerprint").glob("*.py"))) <= house.MOST_ROOT_FILES


@pytest.mark.parametrize("folder", ["fingerprint", "tests", "benchmarks"])
def test_no_file_is_long(folder: str) -> None:
    assert house.long_files(house.modules_of(ROOT / folder)) == []


def test_no_function_is_long(package: Mapping[str, house.Module]) -> None:
    assert house.long_functions(package) == []


def test_no_public_function_has_many_parameters(package: Mapping[str, house.Module]) -> None:
    assert house.crowded_functions(package) == []


def test_any_is_rare(package: Mapping[str, house.Module]) -> None:
    found = {name: house.any_count(module) for name, module in package.items() if house.any_count(module)}
    assert sum(found.values()) <= house.MOST_ANY, found


# ---------------------------------------------------------------------------------------------------- the checks fail


def test_lines_of_a_function_leave_out_its_docstring() -> None:
    source = 'def f(a, b):\n    """One.\n\n    Two.\n    """\n    def g():\n        return a\n\n    return g\n'
    (f, g) = house.parsed("m", source).functions
    assert (f.place, f.lines, f.parameters, f.public) == ("m.f", 5, 2, True)
    assert (g.place, g.lines, g.parameters, g.public) == ("m.f.g", 2, 0, False)
    modules = {"m": house.parsed("m", source)}
    assert house.long_functions(modules, most=5) == []
    assert house.long_functions(modules, most=4) == ["m.f: 5 lines"]
    assert house.long_files(modules, most=8) == ["m: 9 lines"]
    assert house.long_files(modules, most=9) == []


def test_parameters_are_counted_of_every_kind_but_self() -> None:
    source = """
class A:
    def __init__(self, a, /, b, *c, d, **e): ...
    @staticmethod
    def g(a, b): ...
    def _h(self, a, b, c, d, e, f, g): ...
    @classmethod
    def i(cls, a): ...
class _B:
    def j(self, a, b, c, d, e, f, g): ...
def _k(a, b, c, d, e, f, g): ...
"""
    found = {f.place: (f.parameters, f.public) for f in house.parsed("m", source).functions}
    assert found["m.A.__init__"] == (5, True)
    assert found["m.A.g"] == (2, True)
    assert found["m.A.i"] == (1, True)
    assert not found["m.A._h"][1]
    assert not found["m._B.j"][1]
    assert not found["m._k"][1]
    assert house.crowded_functions({"m": house.parsed("m", source)}, most=4) == ["m.A.__init__: 5 parameters"]
    assert house.crowded_functions({"m": house.parsed("m.cli.a", source)}, most=4) == []


def test_any_is_counted_alone_and_inside_of_other_types() -> None:
    source = "from typing import Any\nx: Any = 1\ndef f(a: Any, b: dict[str, Any], *c: Any) -> Any:\n    y: list[Any]\n"
    module = house.parsed("m", source)
    assert (house.any_count(module), house.any_uses(module)) == (3, 6)


def test_the_table_puts_checkouts_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    house.main([str(ROOT), str(ROOT), "--rounds", "0"])
    table = capsys.readouterr().out.splitlines()
    assert {line.count("|") for line in table if line.startswith("|")} == {4}
    assert "| imports upwards | 0 | 0 |" in table
    assert "| modules in rings | 0 | 0 |" in table
