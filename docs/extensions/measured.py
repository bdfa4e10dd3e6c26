"""Tables of what benchmarks have measured, from the files that they wrote."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
COVERED = 1.96  # standard errors on either side of a band that holds 95 % of the rates


def _figures(name: str) -> Any:  # JSON of whatever shape the benchmark gave it
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["figures"]


def _command(name: str) -> str:
    words: list[str] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["command"]
    return " ".join(words[: words.index("--json")])


def calibration_table() -> str:
    """False-positive rates, one row a design, and the commands that measured them."""
    lines = ["| test | nulls | rate at .05 | band | rate at .01 | band |", "|---|---|---|---|---|---|"]
    sources: list[str] = []
    for name, what, nulls, rates in _nulls():
        cells = [what, f"{nulls:,}"]
        for level in (0.05, 0.01):
            rate = rates.get(level)
            cells += ["", ""] if rate is None else [_figure(rate), _band(level, nulls)]
        lines.append(f"| {' | '.join(cells)} |")
        sources.append(name)
    commands = [f"* `{_command(name)}` (`results/{name}.json`)" for name in dict.fromkeys(sources)]
    return "\n".join([*lines, "", "By", "", *commands, ""])


def _nulls() -> Iterator[tuple[str, str, int, dict[float, float]]]:
    """File, test, number of nulls, and the rate at each level."""
    for row in _figures("designs"):
        if row["section"] == "type-i":
            yield "designs", f"`detect`, {row['what']}", row["runs"], {
                level: row[f"at {level}"]["rate"] for level in (0.05, 0.01)
            }
    for row in _figures("designs-sharing-nulls"):
        what = f"`detect`, 600 + 600 prompts, {row['what']}"
        yield "designs-sharing-nulls", what, row["nulls"], {0.05: row["rate"]}
    for row in _figures("streamed-nulls"):
        rates = {level: row[f"rejected at {level}"][0] for level in (0.05, 0.01)}
        yield "streamed-nulls", f"`detect` on rows that are not held, {row['design']}", row["nulls"], rates
    for name, what in (("fingerprints-type-i", "`compare`"), ("panels-type-i", "`detect`")):
        for row in _figures(name):
            panel = f", panel: {row['panel']}" if "panel" in row else ""
            rates = {level: row[f"rate at {level}"] for level in (0.05, 0.01)}
            yield name, f"{what}, {row['design']}{panel}", row["draws"], rates


def _figure(rate: float) -> str:
    return f"{rate:.4f}".removeprefix("0").rstrip("0") if rate else "0"


def _band(level: float, nulls: int) -> str:
    half = COVERED * math.sqrt(level * (1 - level) / nulls)
    low, high = (_figure(round(end, 3)) for end in (max(level - half, 0), level + half))
    return f"{low}\u00a0to\u00a0{high}"


def warning_rates() -> str:
    """How often each warning fired, of all comparisons but those whose setting it is to have it (a mixed design has
    prompts that are shared in part).
    """
    fired: dict[str, int] = defaultdict(int)
    comparisons: dict[str, int] = defaultdict(int)
    for row in _figures("warning-rates"):
        if row["fired"] == row["comparisons"]:
            continue
        fired[row["warning"]] += row["fired"]
        comparisons[row["warning"]] += row["comparisons"]
    rows = [
        f"| `{code}` | {fired[code]} | {comparisons[code]:,} |"
        for code in sorted(fired, key=lambda code: (-fired[code], code))
        if fired[code]
    ]
    silent = sorted(f"`{code}`" for code in fired if not fired[code])
    return "\n".join(
        [
            "| warning | fired | comparisons |", "|---|---|---|", *rows, "",
            f"Never, in as many: {', '.join(silent)}. (Those that look at the ladder were asked in fewer.)", "",
            f"By `{_command('warning-rates')}` (`results/warning-rates.json`).", "",
        ]
    )  # fmt: skip


def mutants() -> str:
    """Every trap, the test that catches it, and whether it did."""
    rows = [
        f"| {row['trap']} | `{row['test'].partition('::')[2]}` | {'yes' if row['caught'] else '**no**'} |"
        for row in _figures("mutants")
    ]
    return "\n".join(["| trap | test | caught |", "|---|---|---|", *rows, "", f"By `{_command('mutants')}`.", ""])
