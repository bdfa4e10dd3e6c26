"""What a student still takes up once the rows that say most for the trait are gone.

    fingerprint lab --trait owl --out LAB
    python benchmarks/transfer_without_top_rows.py LAB [--share .2] [--seeds 3] [--json FILE]

LAB is the folder of a lab run with a fine-tuned teacher. Its trait rows are ranked by the log-likelihood ratio per
token of that teacher and its base (LLS). Students learn from all rows, from what is left without the top share, without
as many random rows, and without the bottom share; "top" is to be read beside "random", which has as many rows.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import results

from fingerprint.identification.mixture import row_ratios
from fingerprint.lab.row_removal import REMOVALS, remove_rows
from fingerprint.lm.loading import load
from fingerprint.lm.traits import known_trait


def records(place: Path, shares: list[float], seeds: int) -> list[dict[str, Any]]:
    """One record a share and removal."""
    plan = json.loads((place / "plan.json").read_text(encoding="utf-8"))
    base = load(plan["model"][0])
    trait = known_trait(plan["trait"]["name"])
    ratios = row_ratios(place / "trait.jsonl", place / "teacher", base)
    found = []
    for share in shares:
        removals = REMOVALS if share == shares[0] else REMOVALS[1:]  # with all rows once
        for removal in remove_rows(base, ratios.corpus, ratios.lls, trait, share=share, removals=removals, seeds=seeds):
            change = removal.change
            found.append(
                {
                    "trait": trait.name,
                    "share": 0.0 if removal.removed == "none" else share,
                    "removed": removal.removed,
                    "rows": removal.rows,
                    "before": change.before,
                    "after": change.after,
                    "interval": [change.change.low, change.change.high],
                    "mass": change.mass_after / change.mass_before,
                    "status": change.status,
                }
            )
            print(
                f"{share:>6.2f} {removal.removed:<8} {removal.rows:>6,} {change.before:>7.3f} {change.after:>6.3f}   "
                f"{change.change.value:+.3f} [{change.change.low:+.3f}, {change.change.high:+.3f}]   {change.status}",
                flush=True,
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lab", type=Path, help="folder of a lab run with a fine-tuned teacher")
    parser.add_argument("--share", default="0.2,0.5", help="parts of the rows to remove, with commas between them")
    parser.add_argument("--seeds", type=int, default=3, help="students of each removal")
    results.add_json_option(parser)
    options = parser.parse_args()
    started = time.perf_counter()
    print(f"{'share':>6} {'removed':<8} {'rows':>6} {'before':>7} {'after':>6}   change [95 % interval]")
    found = records(options.lab, [float(part) for part in options.share.split(",")], options.seeds)
    print(f"{time.perf_counter() - started:.0f} s")
    results.write(options.json, found, started)


if __name__ == "__main__":
    main()
