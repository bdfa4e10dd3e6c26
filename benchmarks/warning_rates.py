"""How often each warning of a report fires on clean simulated comparisons, in which both sides follow one law.

    python benchmarks/warning_rates.py [--runs 300] [--ladder-runs 20] [--only WORDS] [--seed 0]

Without the ladder only what warnings are drawn from is computed; the first comparisons of a setting run all of detect.

One cell is one warning in one setting. A cell is red when its count is above the highest that a rate of 1 % allows:
the exact binomial quantile, with 1e-3 shared between all cells that must not fire. Exit code 1 if any cell is red.

prompts_missing fires by definition in the settings without prompts, prompts_partly_shared where prompts are mixed;
these cells are printed and not judged.
prompts_differ fires where prompts are disjoint at the level of its own exact test, 1 %: what the bound allows.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import results
import scipy
import sklearn
from scipy.stats import binom

from fingerprint import Corpus, detect
from fingerprint.data.corpus import joined
from fingerprint.detection import power
from fingerprint.detection.analysis import analyse
from fingerprint.detection.case import Case
from fingerprint.detection.copies import copies
from fingerprint.detection.findings import Findings
from fingerprint.detection.options import Options
from fingerprint.detection.prompt_control import laid_out
from fingerprint.detection.warnings import warnings_for
from fingerprint.features import choose
from fingerprint.lab.simulated import simulated_pair

RATE = 0.01
JOINT_LEVEL = 1e-3
CODES = (
    "floor_rejects",
    "frequent_text",
    "kinds_differ",
    "format_alone",
    "lengths_differ",
    "lengths_cut",
    "scripts_differ",
    "letters_differ",
    "row_order",
    "prompts_differ",
    "prompts_missing",
    "prompts_partly_shared",
    "prompts_uneven",
    "prompts_differ_in_form",
    "few_rows",
    "rows_unused",
    "arm_sizes",
    "duplicates",
    "empty_rows",
    "system_messages",
    "single_prompt",
    "rows_skipped",
    "constant_family",
)
NEEDS_LADDER = ("floor_rejects", "format_alone")


@dataclass(frozen=True)
class Setting:
    """A law that both sides follow, and the warnings that belong to it."""

    name: str
    size: int  # prompts, or rows where there are none
    options: dict[str, Any]
    by_definition: tuple[str, ...] = ()


SETTINGS = (
    Setting("numbers, shared", 200, {}),
    Setting("numbers, shared, 4 rows a prompt, prompt effect", 60, {"rows_per_prompt": 4, "prompt_effect": 1.0}),
    Setting("numbers, disjoint", 200, {"design": "disjoint"}),
    Setting(
        "numbers, disjoint, 5 rows a prompt, prompt effect",
        50,
        {"design": "disjoint", "rows_per_prompt": 5, "prompt_effect": 1.0},
    ),
    Setting("numbers, mixed", 120, {"design": "mixed"}, ("prompts_partly_shared",)),
    Setting("numbers, independent", 300, {"design": "independent"}, ("prompts_missing",)),
    Setting("numbers, independent, 5 % stock rows", 300, {"design": "independent", "stock_share": 0.05},
            ("prompts_missing",)),
    Setting("numbers, independent, 400 against 100", 400, {"design": "independent", "n_reference": 100},
            ("prompts_missing",)),
    Setting("prose, shared", 200, {"kind": "prose"}),
    Setting("prose, mixed", 120, {"kind": "prose", "design": "mixed"}, ("prompts_partly_shared",)),
    Setting("prose, disjoint", 200, {"kind": "prose", "design": "disjoint"}),
    Setting(
        "prose, disjoint, 5 rows a prompt",
        50,
        {"kind": "prose", "design": "disjoint", "rows_per_prompt": 5},
    ),
    Setting("prose, independent", 300, {"kind": "prose", "design": "independent"}, ("prompts_missing",)),
)  # fmt: skip


@dataclass
class Counts:
    """Reports seen, and in how many each warning fired."""

    runs: int = 0
    ladders: int = 0
    fired: Counter[str] = field(default_factory=Counter)


def sides(setting: Setting, rng: np.random.Generator) -> tuple[Corpus, Corpus]:
    """A fresh pair of one law; in a mixed design half of the prompts are shared."""
    options = dict(setting.options)
    if options.get("design") != "mixed":
        pair = simulated_pair(setting.size, rng=rng, **options)
        return pair.suspect, pair.reference
    parts = [
        simulated_pair(setting.size, rng=rng, **{**options, "design": design}) for design in ("shared", "disjoint")
    ]
    return joined([p.suspect for p in parts], "suspect"), joined([p.reference for p in parts], "reference")


def quick_codes(corpora: tuple[Corpus, Corpus], features: list[str], seed: int) -> set[str]:
    """Codes of the warnings that look at no ladder, from no more than they are drawn from."""
    case = Case.of(
        *corpora, text=None, prompt=None, features=features, filters=(), prior=None, model=None, placebos=(),
        alpha=0.05, rng=seed, options=Options(ladder=False, n_permutations=99),
    )  # fmt: skip
    laid = laid_out(case, *case.corpora)
    main = analyse(case, laid.comparison, choose(features, laid.comparison.texts))
    found = Findings(
        case.corpora, main.comparison, main.scores, main.test, (), laid.control, case.alpha,
        main.comparison.design.is_paired, copies(case, main),
    )
    return {warning.code for warning in warnings_for(found)}


def measure(setting: Setting, runs: int, ladder_runs: int, seed: int) -> Counts:
    """Run detect on fresh pairs; the first `ladder_runs` of them with the ladder and permutations enough for it."""
    counts = Counts()
    for run in range(runs):
        rng = np.random.default_rng([seed, SETTINGS.index(setting), run])
        corpora = sides(setting, rng)
        if run < ladder_runs:
            report = detect(*corpora, n_permutations=999, rng=run)
            codes = {warning.code for warning in report.warnings}
        else:
            # No warning without a rung looks at anything but scores, for which one family will do.
            codes = quick_codes(corpora, ["layout"], run)
        counts.runs += 1
        counts.ladders += run < ladder_runs
        counts.fired.update(codes)
    return counts


def trials(code: str, counts: Counts) -> int:
    return counts.ladders if code in NEEDS_LADDER else counts.runs


def judged_cells(runs: int, ladder_runs: int) -> int:
    """How many cells share the joint level."""
    return sum(
        code not in setting.by_definition and (ladder_runs if code in NEEDS_LADDER else runs) > 0
        for setting in SETTINGS
        for code in CODES
    )


def allowed(n: int, cells: int) -> int:
    """Highest count that a rate of `RATE` exceeds with a probability of at most its share of `JOINT_LEVEL`."""
    return int(binom.ppf(1 - JOINT_LEVEL / cells, n, RATE))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300, help="comparisons a setting")
    parser.add_argument("--ladder-runs", type=int, default=20, help="how many of them run the ladder too")
    parser.add_argument("--only", default="", help="only settings whose name contains this")
    parser.add_argument("--seed", type=int, default=0)
    results.add_json_option(parser)
    options = parser.parse_args()
    power.PLANTED_RUNS = 50  # no warning looks at the power
    versions = f"python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    print(f"{versions}, scikit-learn {sklearn.__version__}; {options.runs} comparisons a setting, of which "
          f"{min(options.runs, options.ladder_runs)} with the ladder")  # fmt: skip
    cells = judged_cells(options.runs, options.ladder_runs)
    red = []
    figures = []
    totals = dict.fromkeys(CODES, (0, 0))
    begin = time.perf_counter()
    for setting in (s for s in SETTINGS if options.only in s.name):
        counts = measure(setting, options.runs, options.ladder_runs, options.seed)
        print(f"\n{setting.name}", flush=True)
        unknown = set(counts.fired) - set(CODES)
        red += [(setting.name, code) for code in sorted(unknown)]
        for code in CODES:
            n, fired = trials(code, counts), counts.fired[code]
            figures.append({"setting": setting.name, "warning": code, "fired": fired, "comparisons": n})
            if code not in setting.by_definition:
                totals[code] = totals[code][0] + fired, totals[code][1] + n
            verdict = "by definition" if code in setting.by_definition else f"allowed {allowed(n, cells)}"
            if code not in setting.by_definition and fired > allowed(n, cells):
                verdict += "  RED"
                red.append((setting.name, code))
            if fired or n == 0:
                share = f"{fired / n:.4f}" if n else "-"
                print(f"  {code:24s} {fired:4d} of {n:4d}  {share:>7s}  {verdict}", flush=True)
        silent = [code for code in CODES if trials(code, counts) and not counts.fired[code]]
        print(f"  never: {', '.join(silent)}", flush=True)
    print("\nall settings together, less those where it fires by definition")
    for code in CODES:
        fired, n = totals[code]
        print(f"  {code:24s} {fired:4d} of {n:5d}")
    print(f"\n{time.perf_counter() - begin:.0f} s; {cells} cells judged, {len(red)} red"
          + "".join(f"\n  {name}: {code}" for name, code in red))  # fmt: skip
    results.write(options.json, figures, begin)
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
