"""Constraints that hold pip to the lowest versions that pyproject.toml allows: ``make test-lowest``.

python benchmarks/lowest.py [EXTRA ...] > constraints.txt
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
OWN = "subliminal-fingerprint"
# A name, extras of it, and a lower bound: all that pyproject.toml says of a dependency.
REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)(?:\[([a-z, -]+)\])?(?:>=([0-9.]+))?")


def lowest(extras: Sequence[str], pyproject: Path = PYPROJECT) -> Iterator[str]:
    """``name==version`` of each direct dependency, and of those of extras, those that extras name included.

    Raises
    ------
    ValueError
        For a dependency without a lower bound, or with another one: nothing tells which version is the lowest.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    while wanted:
        text = wanted.pop(0)
        found = REQUIREMENT.fullmatch(text)
        if found is None or (found[1] != OWN and found[3] is None):
            raise ValueError(f"{text!r} must be a name and a lower bound, name>=version; state it in {pyproject.name}")
        if found[1] == OWN:
            names = found[2].replace(" ", "").split(",")
            wanted += [one for name in names for one in project["optional-dependencies"][name]]
        else:
            yield f"{found[1]}=={found[3]}"


if __name__ == "__main__":
    print("\n".join(lowest(sys.argv[1:])))
