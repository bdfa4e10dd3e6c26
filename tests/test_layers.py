"""Imports go down the list of folders and never round in a ring; and the checker of that can fail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import house
import pytest

ROOT = Path(__file__).parents[1]

# From top to bottom. The files of the root folder stand above all of them.
ORDER = (
    "cli",
    "lab",
    "identification",
    "detector",
    "preferences",
    "detection",
    "panels",
    "fingerprints",
    "report",
    "lm",
    "statistics",
    "filters",
    "endpoints",
    "features",
    "data",
)


@pytest.fixture(scope="module")
def package() -> Mapping[str, house.Module]:
    return house.modules_of(ROOT / "fingerprint")


def made_up(**sources: str) -> dict[str, house.Module]:
    """A package of sources by their dotted names, with `__` for a dot; `data__init` is the package `data` itself."""
    named = {name.replace("__", "."): source for name, source in sources.items()}
    modules = {"fingerprint": house.parsed("fingerprint", named.pop("init", ""), is_package=True)}
    for folder in {name.partition(".")[0] for name in named}:
        source = named.pop(f"{folder}.init", "")
        modules[f"fingerprint.{folder}"] = house.parsed(f"fingerprint.{folder}", source, is_package=True)
    modules |= {f"fingerprint.{name}": house.parsed(f"fingerprint.{name}", source) for name, source in named.items()}
    return modules


# --------------------------------------------------------------------------------------------------------- the package


def test_every_folder_has_its_place(package: Mapping[str, house.Module]) -> None:
    assert house.ORDER == ORDER
    assert {house.folder_of(name) for name in package} - {None} == set(ORDER)


def test_no_import_goes_up(package: Mapping[str, house.Module]) -> None:
    assert [str(found) for found in house.imports_upwards(package, ORDER)] == []


def test_no_imports_go_round_in_a_ring(package: Mapping[str, house.Module]) -> None:
    assert house.cycles(package) == []


def test_the_imports_of_the_package_are_seen(package: Mapping[str, house.Module]) -> None:
    """A checker that finds no import at all would find none upwards either."""
    found = house.all_imports(package)
    assert len(found) > len(package)
    assert {found.importer for found in found} > {"fingerprint.detection.detect", "fingerprint.cli.app", "fingerprint"}
    assert house.floors(package) > len(ORDER) / 2


# --------------------------------------------------------------------------------------------------- the checker fails


UPWARDS = {
    "at the top": "from fingerprint.detector.scan import scan",
    "as a module": "from fingerprint.detector import scan",
    "by its full name": "import fingerprint.detector.scan",
    "under TYPE_CHECKING": """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from fingerprint.detector.scan import scan
""",
    "inside a function": "def rows():\n    from fingerprint.detector.scan import scan\n    return scan",
    "inside a method": "class A:\n    def rows(self):\n        import fingerprint.detector.scan as s\n        return s",
    "in a try": "try:\n    from fingerprint.detector.scan import scan\nexcept ImportError:\n    scan = None",
    "relative": "from ..detector.scan import scan",
    "relative, as a module": "from ..detector import scan",
    "by a call": "import importlib\nscan = importlib.import_module('fingerprint.detector.scan')",
}


@pytest.mark.parametrize("source", UPWARDS.values(), ids=UPWARDS)
def test_an_import_upwards_is_found(source: str) -> None:
    modules = made_up(data__rows=source, detector__scan="def scan(): ...")
    (found,) = house.imports_upwards(modules)
    assert (found.importer, found.imported) == ("fingerprint.data.rows", "fingerprint.detector.scan")
    assert house.imports_upwards(made_up(detector__scan=UPWARDS["at the top"], data__rows="")) == []


def test_the_root_is_above_all_folders() -> None:
    for source in ("import fingerprint", "from fingerprint import detect", "from .. import detect"):
        (found,) = house.imports_upwards(made_up(cli__scan=source))
        assert found.imported == "fingerprint"
    assert house.imports_upwards(made_up(init="from fingerprint.cli import scan", cli__scan="")) == []


def test_a_folder_without_a_place_is_refused() -> None:
    with pytest.raises(KeyError, match="'helpers' has no place"):
        house.imports_upwards(made_up(helpers__dates="from fingerprint.data import rows", data__rows=""))


LATE = "def scan():\n    from fingerprint.data.rows import rows\n    return rows"


def test_a_ring_of_two_modules_is_found() -> None:
    modules = made_up(data__rows=UPWARDS["under TYPE_CHECKING"], detector__scan=LATE)
    assert house.cycles(modules) == [["fingerprint.data.rows", "fingerprint.detector.scan"]]


def test_a_ring_inside_one_folder_is_found() -> None:
    modules = made_up(
        data__rows="from fingerprint.data.shards import shards",
        data__shards="if TYPE_CHECKING:\n    from fingerprint.data.files import Opened",
        data__files="def opened():\n    from fingerprint.data import rows\n    return rows",
        data__formats="from fingerprint.data.rows import rows",
    )
    assert house.imports_upwards(modules) == []
    assert house.cycles(modules) == [["fingerprint.data.files", "fingerprint.data.rows", "fingerprint.data.shards"]]


def test_a_ring_through_a_package_is_found() -> None:
    modules = made_up(
        data__init="from fingerprint.data.rows import rows", data__rows="from fingerprint.data import rows_of"
    )
    assert house.cycles(modules) == [["fingerprint.data", "fingerprint.data.rows"]]


def test_folders_that_import_one_another_make_a_ring_though_no_modules_do() -> None:
    modules = made_up(data__rows=UPWARDS["at the top"], detector__scan="", detector__old=LATE)
    assert house.cycles(modules) == []
    assert house.rings(house.folder_graph(modules)) == [["fingerprint.data", "fingerprint.detector"]]


def test_floors_are_the_longest_chain() -> None:
    modules = made_up(
        data__a="", data__b="from fingerprint.data.a import x", data__c="from fingerprint.data.b import x"
    )
    assert house.floors(modules) == 3
