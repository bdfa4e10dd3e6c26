"""Source code and worked answers as kinds of rows: power, error rates, ladders, speed, and how rows are recognised.

    python benchmarks/code_and_reasoning.py power
    python benchmarks/code_and_reasoning.py type-i --few 24 --permutations 99 --nulls 1000
    python benchmarks/code_and_reasoning.py ladder
    python benchmarks/code_and_reasoning.py speed
    python benchmarks/code_and_reasoning.py kinds FOLDER      # JSON Lines with "completion" or "text"

Rows are those of simulated teachers whose choices carry no meaning (`fingerprint.lab.simulated`). `power` compares the
families of prose, which such rows had before, with their own, on the same rows and relabellings.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import results
from calibration_type_i import pvalue_of
from pygments.lexers import PythonLexer
from scipy.stats import beta

from fingerprint import detect
from fingerprint.detection.rungs import rung_steps
from fingerprint.features import FAMILIES, data_kind
from fingerprint.features.choice import KindCounts
from fingerprint.features.scanner import kinds, tokens
from fingerprint.lab.simulated import simulated_pair
from fingerprint.lab.simulated.choices import parts_of

KINDS = ("code", "reasoning")
BAG_PROMPTS = 320  # twenty bags of 16, from which on a report has their AUROC
AS_PROSE = ("tokens", "ngrams", "prose", "layout")
OWN = {"code": ("tokens", "ngrams", "code", "syntax", "layout"),
       "reasoning": ("tokens", "ngrams", "reasoning", "templates", "layout")}  # fmt: skip


def analysed(pair: Any, features: tuple[str, ...], permutations: int) -> dict[str, float]:
    found = detect(pair.suspect, pair.reference, features=list(features), ladder=False, n_permutations=permutations)
    bag = next((b.auc.value for b in found.bag_results if b.k == 16), None)
    return {"auc": float(found.auc.value or 0.5), "bag16": float("nan" if bag is None else bag), "p": found.pvalue}


def power(given: argparse.Namespace) -> dict[str, Any]:
    """The same rows, with the families of prose and with their own."""
    lines = []
    for kind in given.kinds:
        for prompts, d_prime, draws in ((given.few, 0.8, given.draws_few), (500, 0.6, given.draws)):
            found: dict[str, list[dict[str, float]]] = {"prose": [], "own": []}
            for seed in range(draws):
                pair = simulated_pair(prompts, kind=kind, tilt="dense", d_prime=d_prime, trait_seed=seed, rng=seed)
                for name, features in (("prose", AS_PROSE), ("own", OWN[kind])):
                    found[name].append(analysed(pair, features, 399))
            line: dict[str, Any] = {"kind": kind, "prompts": prompts, "d_prime": d_prime, "draws": draws}
            for name, runs in found.items():
                keys = ("auc", "bag16") if prompts >= BAG_PROMPTS else ("auc",)
                line[name] = {key: float(np.mean([run[key] for run in runs])) for key in keys}
                line[name]["power"] = float(np.mean([run["p"] <= 0.05 for run in runs]))
            for key in ("auc", "bag16") if prompts >= BAG_PROMPTS else ("auc",):
                gain = np.array([o[key] - p[key] for o, p in zip(found["own"], found["prose"], strict=True)])
                line[f"gain {key}"] = [float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain)))]
            lines.append(line)
            print(json.dumps(line), flush=True)
    return {"power": lines}


DESIGNS: dict[str, dict[str, Any]] = {
    "shared": {"prompt_effect": 1.0},
    "disjoint": {"prompt_effect": 1.0, "design": "disjoint", "rows_per_prompt": 2},
}


def type_i(given: argparse.Namespace) -> dict[str, Any]:
    """Nulls of small corpora: how often the report's p-value is at most .05, with its exact 95 % interval."""
    lines = []
    for kind in given.kinds:
        for design, options in DESIGNS.items():
            hits = 0
            for seed in range(given.nulls):
                pair = simulated_pair(given.few, kind=kind, rng=given.first_seed + seed, **options)
                hits += pvalue_of(pair.suspect, pair.reference, seed, given.permutations) <= 0.05
            low = float(beta.ppf(0.025, hits, given.nulls - hits + 1)) if hits else 0.0
            high = float(beta.ppf(0.975, hits + 1, given.nulls - hits))
            of = {"kind": kind, "design": design, "prompts": given.few, "first_seed": given.first_seed}
            of |= {"nulls": given.nulls}
            lines.append(of | {"permutations": given.permutations, "hits": int(hits), "interval": [low, high]})
            print(json.dumps(lines[-1]), flush=True)
    return {"type_i": lines}


def ladder(given: argparse.Namespace) -> dict[str, Any]:
    """A trait of one part alone: AUROC and p-value rung by rung, tokens and n-grams on every rung."""
    lines = []
    for kind in given.kinds:
        for part in parts_of(kind):
            pair = simulated_pair(400, kind=kind, tilt=part, d_prime=1.5, trait_seed=given.seed, rng=given.seed)
            report = detect(pair.suspect, pair.reference, n_permutations=999)
            assert [rung.rung for rung in report.rungs] == [step.rung for step in rung_steps(kind, [])]
            rungs = {rung.rung: [rung.pvalue, rung.auc.value] for rung in report.rungs}
            lines.append({"kind": kind, "part": part, "rungs": rungs})
            print(kind, part, {rung: [round(v, 3) for v in values if v is not None] for rung, values in rungs.items()},
                  flush=True)  # fmt: skip
    return {"ladder": lines}


def by_scanner(texts: Sequence[str]) -> object:
    return [kinds(tokens(text)) for text in texts]


def by_pygments(texts: Sequence[str]) -> object:
    lexer = PythonLexer()
    return [list(lexer.get_tokens_unprocessed(text)) for text in texts]


def speed(given: argparse.Namespace) -> dict[str, Any]:
    """Rows and characters in a processor second, features of one family at a time."""
    found: dict[str, Any] = {}
    for kind in given.kinds:
        rows = list(simulated_pair(2000, kind=kind, rng=1).suspect.texts)
        characters = sum(map(len, rows))
        tasks: dict[str, Callable[[Sequence[str]], object]] = {n: FAMILIES[n]().counts for n in OWN[kind][2:4]}
        tasks["kind of rows"] = data_kind
        if kind == "code":
            tasks |= {"scanner": by_scanner, "Pygments": by_pygments}
        for name, task in tasks.items():
            task(rows[:50])
            began = time.process_time()
            task(rows)
            rate = len(rows) / (time.process_time() - began)
            found[f"{kind}: {name}"] = {"rows": rate, "characters": rate * characters / len(rows)}
            print(f"{kind:10s} {name:14s} {rate:9,.0f} rows, {rate * characters / len(rows) / 1e6:6.2f} MB a second")
    return {"speed": found}


def kinds_of(given: argparse.Namespace) -> dict[str, Any]:
    """What the rows of other corpora are taken for."""
    found = {}
    for path in sorted(given.folder.rglob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for _, line in zip(range(20_000), lines, strict=False)]
        key = next((name for name in ("completion", "text") if name in rows[0]), None)
        if key is None:
            continue
        counts = KindCounts.of([row[key] if isinstance(row[key], str) else "" for row in rows])
        found[f"{path.parent.name}/{path.name}"] = {**vars(counts), "kind": counts.kind}
        print(f"{path.parent.name}/{path.name}", counts, counts.kind)
    return {"kinds": found}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["power", "type-i", "ladder", "speed", "kinds"])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--kind", dest="kinds", action="append", choices=KINDS)
    parser.add_argument("--draws", type=int, default=20, help="of 500 prompts")
    parser.add_argument("--draws-few", type=int, default=100, help="of few prompts")
    parser.add_argument("--few", type=int, default=60, help="prompts of small corpora")
    parser.add_argument("--nulls", type=int, default=400)
    parser.add_argument("--permutations", type=int, default=199)
    parser.add_argument("--seed", type=int, default=1, help="of ladders")
    parser.add_argument("--first-seed", type=int, default=10_000, help="of nulls")
    results.add_json_option(parser)
    options = parser.parse_args()
    options.kinds = options.kinds or list(KINDS)
    started = time.perf_counter()
    run = {"power": power, "type-i": type_i, "ladder": ladder, "speed": speed, "kinds": kinds_of}[options.what]
    results.write(options.json, run(options), started)
