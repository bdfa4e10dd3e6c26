"""What semantic filters catch, and what is still detectable on the rows they keep: any corpora against any filters.

    python benchmarks/detectability_vs_filtering.py FOLDER --pair eagle.jsonl:neutral.jsonl --filter banned \\
        --filter keywords=eagle --out RESULTS

For each pair of corpora (suspect:reference, in FOLDER) and each filter, and for all filters in sequence, one row: what
is removed on either side, the filter's own AUROC and p-value, what is left on the rows it keeps, the same after random
removal matched on rows and pairs, and, on the half of the groups that a detector was not fitted on, the row AUROC left
by the filter, by random removal and by the detector's own removal of as many rows.

RESULTS gets table.md, results.json (the report's records) and picture.svg. `--transfer FILE` adds the column
"transfer", how far students of the kept rows take up the trait: a JSON object {pair: {filter: {"value", "low",
"high"}}} as `transfer_after_filtering.py` writes it, with "none" and other kinds of removal among the filters.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import results

import fingerprint
from fingerprint.filters import named
from fingerprint.report.formatting import figure, probability, with_interval
from fingerprint.report.report import Report
from fingerprint.report.results import FilterResult
from fingerprint.statistics.intervals import Estimate

HEADER = (
    "pair", "filter", "removed %, suspect / reference", "own AUROC", "own, bags of 16", "own p", "pairs (or rows) kept",
    "left: AUROC", "left: bags of 16", "left: p", "power at .55", "random: bags of 16 (range)",
    "half: filter / random / detector",
)  # fmt: skip
NO_FILTER = "none"
Transfer = Mapping[str, Mapping[str, Mapping[str, float | None]]]


@dataclass(frozen=True)
class Measured:
    """One pair of corpora with its report."""

    name: str
    report: Report
    seconds: float


def measure(folder: Path, pair: str, specs: Sequence[str], options: argparse.Namespace) -> Measured:
    suspect, _, reference = pair.partition(":")
    paths = [folder / suspect, folder / reference]
    started = time.perf_counter()
    report = fingerprint.detect(
        *paths,
        filters=[named(spec, paths) for spec in specs],
        ladder=False,
        n_permutations=options.permutations,
        rng=options.seed,
    )
    return Measured(pair, report, time.perf_counter() - started)


# --------------------------------------------------------------------------------------------------------------- table


def table(measured: Sequence[Measured], transfer: Transfer) -> str:
    """The whole comparison in Markdown."""
    header = HEADER + (("transfer",) if transfer else ())
    rows = [row for found in measured for row in _rows(found, transfer)]
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _rows(found: Measured, transfer: Transfer) -> list[tuple[str, ...]]:
    report = found.report
    bag = next((bag.auc for bag in report.bag_results if bag.k == 16), Estimate(None))
    power = next((planted.power.value for planted in report.planted if planted.auc == 0.55), None)
    kept = report.design.pairs or f"{report.design.rows_suspect} / {report.design.rows_reference}"
    whole = (found.name, NO_FILTER, "0", "", "", "", str(kept), with_interval(report.auc), with_interval(bag))
    first = (*whole, probability(report.pvalue), figure(power, 2), "", "")
    rows = [first, *(_row(found.name, result) for result in report.filter_results)]
    if not transfer:
        return rows
    # Removals that are no filters of this report, such as the detector's, have nothing but their transfer.
    others = transfer.get(found.name, {}).keys() - {row[1] for row in rows}
    rows += [(found.name, name, *[""] * (len(HEADER) - 2)) for name in sorted(others)]
    return [(*row, _transferred(transfer, found.name, row[1])) for row in rows]


def _row(pair: str, result: FilterResult) -> tuple[str, ...]:
    left, random, half = result.residual, result.controls.random, result.controls.detector
    removed = (result.removed_suspect.value or 0.0, result.removed_reference.value or 0.0)
    kept = f"{left.rows_kept_suspect} / {left.rows_kept_reference}" if left.pairs_kept is None else str(left.pairs_kept)
    power = next((planted.power.value for planted in left.power if planted.auc == 0.55), None)
    halves = () if half is None else (half.filter.auc, half.random and half.random.auc, half.detector.auc)
    return (
        pair,
        result.filter,
        " / ".join(f"{100 * share:.1f}" for share in removed),
        with_interval(result.auc),
        with_interval(result.bag16_auc),
        probability(result.pvalue),
        kept,
        left.reason or with_interval(left.auc),
        with_interval(left.bag16_auc),
        probability(left.pvalue),
        figure(power, 2),
        "" if random is None else with_interval(random.bag16_auc),
        " / ".join(figure(area.value) if area else "n/a" for area in halves),
    )


def _transferred(transfer: Transfer, pair: str, name: str) -> str:
    found = transfer.get(pair, {}).get(name)
    return "" if found is None else with_interval(Estimate(found["value"], found.get("low"), found.get("high")))


# ------------------------------------------------------------------------------------------------------------- picture


def picture(measured: Sequence[Measured], path: Path) -> None:
    """A row a filter: what it sees itself (open), what is left after it (full), what random removal leaves (bar)."""
    from matplotlib.figure import Figure

    rows = [(found.name, result) for found in measured for result in found.report.filter_results]
    drawing = Figure(figsize=(8, 1.4 + 0.34 * len(rows)), layout="constrained")
    axes = drawing.add_subplot()
    for y, (_, result) in enumerate(rows):
        _interval(axes, y + 0.12, result.bag16_auc, "o", "white", "its own AUROC" if y == 0 else None)
        _interval(
            axes, y - 0.12, result.residual.bag16_auc, "o", "#b3470b", "left on the rows it keeps" if y == 0 else None
        )
        random = result.controls.random
        if random is not None and random.bag16_auc.value is not None:
            axes.plot(
                [random.bag16_auc.low, random.bag16_auc.high], [y - 0.28] * 2, color="#1f5f99", linewidth=4, alpha=0.6,
                label="left by random removal of the same size (range)" if y == 0 else None,
            )  # fmt: skip
    axes.axvline(0.5, color="grey", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(rows)), [f"{pair.replace('.jsonl', '')}\n{result.filter}" for pair, result in rows])
    axes.set(xlabel="AUROC of bags of 16, with 95 % intervals", ylim=(len(rows) - 0.4, -0.6))
    axes.tick_params(labelsize=7)
    drawing.legend(loc="outside upper center", ncols=3, fontsize=7, frameon=False)
    drawing.savefig(path, metadata={"Date": None})


def _interval(axes: Any, y: float, area: Estimate, marker: str, fill: str, label: str | None) -> None:
    if area.value is None:
        return
    ends = [[area.value - (area.low or area.value)], [(area.high or area.value) - area.value]]
    axes.errorbar(
        [area.value], [y], xerr=ends, marker=marker, color="#b3470b", markerfacecolor=fill, markersize=5, label=label
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pair", action="append", required=True, metavar="SUSPECT:REFERENCE")
    parser.add_argument("--filter", action="append", required=True, dest="filters", metavar="F")
    parser.add_argument("--transfer", type=Path, metavar="FILE")
    parser.add_argument("--permutations", type=int, default=9999)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    results.add_json_option(parser)
    options = parser.parse_args()
    begun = time.perf_counter()
    transfer = {} if options.transfer is None else json.loads(options.transfer.read_text(encoding="utf-8"))
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"numpy {np.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores", file=sys.stderr)
    measured = []
    for pair in options.pair:
        measured.append(measure(options.folder, pair, options.filters, options))
        print(f"{pair}: {measured[-1].seconds:.0f} s", file=sys.stderr)
    shown = table(measured, transfer)
    (options.out / "table.md").write_text(shown, encoding="utf-8")
    records = {found.name: found.report.to_dict() for found in measured}
    (options.out / "results.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    picture(measured, options.out / "picture.svg")
    results.write(options.json, records, begun)
    print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
