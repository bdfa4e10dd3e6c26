"""What `benchmarks/designs.py` measures is what it says: its corpora, the fall of a power, and that it can fail."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import calibration_cells
import designs
import numpy as np
import pytest

from fingerprint.data.corpus import Corpus
from fingerprint.statistics.comparison import pair


@pytest.mark.parametrize("shared", [0, 5, 200])
def test_so_many_prompts_are_shared_and_most_rows_stay(shared: int) -> None:
    sides, fewer = (designs.sharing_pair(n, 3, 0.5) for n in (shared, 0))
    assert [len(side) for side in sides] == [600, 600]
    prompts = [set(side.prompts) for side in sides]
    assert [len(known) for known in prompts] == [600, 600]
    assert len(prompts[0] & prompts[1]) == shared
    assert all(len(set(side.texts) & set(base.texts)) >= 590 - shared for side, base in zip(sides, fewer, strict=True))
    assert pair(*sides).design.n_pairs == (shared or None)


def test_the_largest_fall_is_measured_from_the_highest_power_before() -> None:
    assert designs.largest_fall([0.5, 0.9, 0.88, 0.84, 0.9]) == pytest.approx(0.06)
    assert designs.largest_fall([0.5, 0.6, 0.9]) == 0.0


@pytest.mark.parametrize("name", designs.NULLS)
def test_nulls_are_of_the_design_they_are_named_after(name: str) -> None:
    sides = designs.NULLS[name](1)
    design = pair(*sides).design
    assert design.kind == name.partition(",")[0]
    sizes = [Counter(side.prompts).values() for side in sides]
    if "1 to 5" in name:
        assert [max(counts) for counts in sizes] == [5, 2]
        assert [min(counts) for counts in sizes] == [1, 1]
        assert not design.used.all()
    elif "three" in name:
        assert {*sizes[0], *sizes[1]} == {3}
    else:
        assert design.used.all()


def test_spacings_change_every_prompt_and_no_design() -> None:
    plain = designs.drawn(20, 0.5, (1, 4))
    for spacing, respaced in designs.SPACING.items():
        prompts = tuple(respaced(str(prompt)) for prompt in plain.suspect.prompts)
        assert (set(prompts) & set(plain.suspect.prompts) == set()) == (spacing != "as they are")
        assert pair(Corpus(plain.suspect.texts, prompts), plain.reference).design.n_pairs == 20


def test_a_strength_is_found_by_halving(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that rejects from .7 on is at any power there."""
    monkeypatch.setattr(designs, "parallel", lambda function, jobs: list(map(function, jobs)))
    found = designs.strength(lambda seed, d_prime: 0.01 if d_prime >= 0.7 else 1.0, 0.9, 0.3, 1.1)
    assert found == pytest.approx(0.7, abs=0.05)


def test_too_few_rows_taking_part_are_a_shortfall(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(calibration_cells.JOBS, "1")  # which the command line sets, and is taken back here
    monkeypatch.setattr(designs, "ROW_PROMPTS", 20)
    monkeypatch.setattr(designs, "ROW_DRAWS", 2)
    monkeypatch.setattr(designs, "SIZES", designs.SIZES[-2:-1])
    assert designs.main(["rows", "--jobs", "1", "--json", str(tmp_path / "rows.json")]) == 0
    monkeypatch.setattr(designs, "share_taking_part", lambda seed, number: 0.02)
    assert designs.main(["rows", "--jobs", "1"]) == 1
    assert "SHORT" in capsys.readouterr().out
    assert "shared" in (tmp_path / "rows.json").read_text(encoding="utf-8")


def test_sizes_lie_between_one_and_the_most() -> None:
    for law in (designs.any_number, designs.mostly_few, designs.one_single):
        sizes = law(np.random.default_rng(0))
        assert len(sizes) == designs.ROW_PROMPTS
        assert 1 <= sizes.min() <= sizes.max() <= designs.MOST_ROWS
