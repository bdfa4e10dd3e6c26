"""What a panel of known conditioning adds: power with it and without, error rates, and which base models are alike.

    python benchmarks/panels.py power  BASE:FOLDER ... [--pairs 25 50 100 200] [--draws 100] [--swap] [--json PATH]
    python benchmarks/panels.py type-i BASE:FOLDER ... [--draws 2000] [--swap] [--json PATH]
    python benchmarks/panels.py bases  BASE:FOLDER ... [--json PATH]
    python benchmarks/panels.py monitor BASE:FOLDER ... [--draws 100] [--swap] [--json PATH]

A folder holds `neutral.jsonl` and a file a trait, all of one base model; BASE names the model, and several folders may
have the same. Every set leaves its own trait out: panels are made of other traits, and of one half of the prompts (by
their hash); rows that are judged answer the other half. `shuffled` is a panel of the same base whose sides were swapped
prompt by prompt at random: it knows nothing. `monitor`: rows of the trait one by one, until the alarm.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import Pool as Processes
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import results
from monitor import rows_to_detection
from power_draws import Pool

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.detection.analysis import omnibus_weights
from fingerprint.detection.prior import Priors
from fingerprint.features import choose, data_kind
from fingerprint.features.scaling import FamilyMatrix, family_matrix
from fingerprint.panels.likeness import TokenRates, distance, likeness
from fingerprint.panels.panel import Panel
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.designs import Design
from fingerprint.statistics.intervals import exact_interval
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test, pvalue

ALPHAS = (0.05, 0.01)
PERMUTATIONS = 999
WITHOUT = "without"
KINDS = ("one", "same", "other", "all", "shuffled")
NEUTRAL = "neutral.jsonl"
# Prompts that both sides answer, that the suspect alone answers, and the reference alone.
DESIGNS = {
    "shared, 100": (100, 0, 0),
    "partly shared, 60 of 120": (60, 60, 60),
    "separate, 100 and 100": (0, 100, 100),
    "separate, 40 and 400": (0, 40, 400),
}
# Halves of the prompts: panels, and rows judged. Weights were chosen so on sets of large models, and the other way
# round (`--swap`) on a small one.
FIRST, SECOND = (1, 0) if "--swap" in sys.argv else (0, 1)
NULLS_A_POOL = 10  # nulls of the same rows: what takes time is looking at them
LONGEST = 400  # rows of a stream
BASE_ROWS = 100  # rows judged, for distances between base models


@dataclass(frozen=True)
class Set:
    """A trait's rows and neutral rows of one base model, in both halves of the prompts."""

    base: str
    trait: str
    conditioned: tuple[Corpus, Corpus]
    neutral: tuple[Corpus, Corpus]

    def shared(self, half: int) -> list[tuple[str, str, str]]:
        """Prompts of a half that both answer, with the first answer of either."""
        answers = [
            {prompt: text for prompt, text in zip(reversed(c.prompts), reversed(c.texts), strict=True) if prompt}
            for c in (self.conditioned[half], self.neutral[half])
        ]
        return [(p, answers[0][p], answers[1][p]) for p in sorted(answers[0].keys() & answers[1].keys())]



def corpus(texts: Iterable[str], prompts: Iterable[str | None], name: str = "corpus") -> Corpus:
    return Corpus(tuple(texts), tuple(prompts), name=name)


def halves(path: Path) -> tuple[Corpus, Corpus]:
    """A corpus by halves of its prompts."""
    rows = fingerprint.read(path)
    side = [hashlib.blake2b(str(p).strip().encode(), digest_size=4).digest()[0] & 1 for p in rows.prompts]
    found = []
    for half in (FIRST, SECOND):
        mine = [i for i, s in enumerate(side) if s == half]
        found.append(corpus([rows.texts[i] for i in mine], [rows.prompts[i] for i in mine], name=path.stem))
    return found[0], found[1]


@cache
def sets(folders: tuple[str, ...]) -> dict[str, Set]:
    """All sets by name."""
    found = {}
    for given in folders:
        base, _, folder = given.partition(":")
        neutral = halves(Path(folder) / NEUTRAL)
        for path in sorted(Path(folder).glob("*.jsonl")):
            if path.name != NEUTRAL:
                found[f"{base} {path.stem}"] = Set(base, path.stem, halves(path), neutral)
    return found


@cache
def panel_of(folders: tuple[str, ...], name: str) -> Panel:
    """The panel of one set, of the first half."""
    mine = sets(folders)[name]
    return Panel.of({name: (mine.conditioned[FIRST], mine.neutral[FIRST])}, base_model=mine.base)


@cache
def shuffled_panel(folders: tuple[str, ...], names: tuple[str, ...]) -> Panel:
    """Panels of these sets, whose sides were swapped prompt by prompt at random."""
    rng = np.random.default_rng(0)
    pairs: dict[str, tuple[object, object]] = {}
    for name in names:
        rows = sets(folders)[name].shared(FIRST)
        swap = rng.integers(0, 2, len(rows))
        prompts = [row[0] for row in rows]
        sides = [[row[1 + (s ^ side)] for row, s in zip(rows, swap, strict=True)] for side in (0, 1)]
        pairs[name] = corpus(sides[0], prompts, name), corpus(sides[1], prompts, name)
    return Panel.of(pairs)


@cache
def panels(folders: tuple[str, ...], name: str) -> dict[str, Panel]:
    """Every kind of panel for a set, where there are members for it."""
    mine, others = sets(folders)[name], [n for n in sets(folders) if n != name]
    same = [n for n in others if sets(folders)[n].base == mine.base and sets(folders)[n].trait != mine.trait]
    other = [n for n in others if sets(folders)[n].base != mine.base]
    members = {"one": same[:1], "same": same, "other": other, "all": [*same, *other] if same and other else []}
    found = {}
    for kind, names in members.items():
        if names:
            whole = panel_of(folders, names[0])
            for each in names[1:]:
                whole = whole + panel_of(folders, each)
            found[kind] = whole
    if same:
        found["shuffled"] = shuffled_panel(folders, tuple(same))
    return found


@dataclass(frozen=True)
class Looked:
    """Features of the rows of a comparison, whichever side they are on, with every panel's beside them."""

    text: dict[str, FamilyMatrix]
    added: dict[str, dict[str, FamilyMatrix]]

    @classmethod
    def at(cls, comparison: Comparison, known: Mapping[str, Panel]) -> Looked:
        families = choose("auto", comparison.texts)
        text = {name: family_matrix(family, comparison.texts, name) for name, family in families.items()}
        kind = data_kind(comparison.texts)
        rows = comparison.texts, comparison.group
        added = {name: Priors({}, panel).matrices(*rows, kind, text) for name, panel in known.items()}
        return cls(text, added)

    def pvalues(self, comparison: Comparison, rng: np.random.Generator) -> dict[str, float]:
        """p-value of the omnibus without and with every panel, under the same relabellings."""
        matrices: dict[str, FamilyMatrix] = dict(self.text)
        for name, more in self.added.items():
            matrices |= {f"{name} {family}": matrix for family, matrix in more.items()}
        units = {name: comparison.units(matrix.values) for name, matrix in matrices.items()}
        signed = {name: u.sum(axis=1) for name, u in units.items() if matrices[name].family.is_signed}
        kernels = {name: gram(u) for name, u in units.items() if name not in signed}
        drawn = Relabellings.draw(comparison.design, PERMUTATIONS, rng)
        weights = omnibus_weights(comparison, matrices)
        test = permutation_test(kernels, drawn, signed, weights)
        totals = {name: weights[name] * part for name, part in test.parts.items()}
        base = np.sum([totals[name] for name in self.text if name in totals], axis=0)
        found = {WITHOUT: pvalue(base)}
        for name, more in self.added.items():
            mine = [totals[f"{name} {family}"] for family in more if f"{name} {family}" in totals]
            found[name] = pvalue(np.sum([base, *mine], axis=0))
        return found


def power_draw(task: tuple[tuple[str, ...], str, tuple[int, ...], int, bool]) -> dict[int, dict[str, float]]:
    """p-values of one draw, at each number of pairs."""
    folders, name, sizes, draw, is_null = task
    rows = sets(folders)[name].shared(SECOND)
    rng = np.random.default_rng([draw, is_null])
    order, swap = rng.permutation(len(rows)), rng.integers(0, 2, len(rows)) * is_null
    found = {}
    for size in sizes:
        some = [(rows[i], int(swap[i])) for i in order[:size]]
        prompts = [row[0] for row, _ in some]
        sides = [corpus([row[1 + (s ^ side)] for row, s in some], prompts) for side in (0, 1)]
        comparison = pair(sides[0], sides[1])
        found[size] = Looked.at(comparison, panels(folders, name)).pvalues(comparison, rng)
    return found


def power(options: argparse.Namespace) -> object:
    """Power at every number of pairs, with every kind of panel; nulls beside."""
    folders = tuple(options.folders)
    table: list[dict[str, Any]] = []
    for is_null, draws in ((False, options.draws), (True, options.nulls)):
        for name in sets(folders):
            tasks = [(folders, name, tuple(options.pairs), draw, is_null) for draw in range(draws)]
            with Processes(options.jobs) as processes:
                found = processes.map(power_draw, tasks, 4)
            for size in options.pairs:
                for kind in [k for k in (WITHOUT, *KINDS) if draws and k in found[0][size]]:
                    p = np.array([draw[size][kind] for draw in found])
                    rate = float((p <= ALPHAS[0]).mean())
                    row = {"set": name, "null": is_null, "pairs": size, "panel": kind, "rate": rate, "draws": draws}
                    table.append(row)
                    print(f"| {name} | {'null' if is_null else 'power'} | {size} | {kind} | {rate:.3f} |", flush=True)
    for size in options.pairs:
        mine = [row for row in table if row["pairs"] == size and not row["null"]]
        rates = {kind: [row["rate"] for row in mine if row["panel"] == kind] for kind in (WITHOUT, *KINDS)}
        print(f"{size} pairs, mean:", {k: round(float(np.mean(v)), 3) for k, v in rates.items() if v}, flush=True)
    return table


def null_draws(task: tuple[tuple[str, ...], str, int]) -> list[dict[str, dict[str, float]]]:
    """p-values of every design, `NULLS_A_POOL` times: rows drawn once, and their sides dealt anew each time."""
    folders, name, draw = task
    rows = sets(folders)[name].shared(SECOND)
    rng = np.random.default_rng([7, draw])
    found: list[dict[str, dict[str, float]]] = [{} for _ in range(NULLS_A_POOL)]
    for design, (both, mine, others) in DESIGNS.items():
        order, swap = rng.permutation(len(rows)), rng.integers(0, 2, len(rows))
        alone = order[both : both + mine], order[both + mine : both + mine + others]
        chosen = [[*order[:both], *rest] for rest in alone]
        sides = [
            corpus([rows[i][1 + (swap[i] ^ side)] for i in at], [rows[i][0] for i in at])
            for side, at in enumerate(chosen)
        ]
        comparison = pair(sides[0], sides[1])
        looked = Looked.at(comparison, panels(folders, name))
        for each in found:
            each[design] = looked.pvalues(dealt(comparison, mine, rng), rng)
    return found


def dealt(comparison: Comparison, mine: int, rng: np.random.Generator) -> Comparison:
    """The same rows: both of a prompt change sides at random, and `mine` of the other prompts are the suspect's."""
    group, n_groups = comparison.group, comparison.n_groups
    is_shared = np.bincount(group, minlength=n_groups) == 2
    flip = rng.integers(0, 2, n_groups).astype(bool)
    single = rng.permutation(np.flatnonzero(~is_shared))
    suspect = np.where(is_shared[group], comparison.suspect ^ flip[group], np.isin(group, single[:mine]))
    salts = (str(rng.integers(2**62)), str(rng.integers(2**62)))
    design = Design.of(group, suspect, np.ones(len(group), dtype=bool), salts, ("suspect", "reference"))
    return replace(comparison, suspect=suspect, design=design)


def type_i(options: argparse.Namespace) -> object:
    """Rates of rejection under nulls, of every design and kind of panel, over all sets in turn."""
    folders = tuple(options.folders)
    names = list(sets(folders))
    tasks = [(folders, names[draw % len(names)], draw) for draw in range(-(-options.draws // NULLS_A_POOL))]
    with Processes(options.jobs) as processes:
        draws = [draw for pool in processes.map(null_draws, tasks, 1) for draw in pool]
    table = []
    for design in DESIGNS:
        for kind in (WITHOUT, *KINDS):
            p = np.array([draw[design][kind] for draw in draws if kind in draw[design]])
            if not len(p):
                continue
            row: dict[str, Any] = {"design": design, "panel": kind, "draws": len(p)}
            for alpha in ALPHAS:
                row[f"rate at {alpha}"] = float((p <= alpha).mean())
                row[f"interval at {alpha}"] = list(exact_interval(int((p <= alpha).sum()), len(p)))
            table.append(row)
            print(f"| {design} | {kind} | {row['rate at 0.05']:.4f} | {row['rate at 0.01']:.4f} |", flush=True)
    return table


def bases(options: argparse.Namespace) -> object:
    """Distances of a hundred rows of one set (second half) to the whole of another (first half)."""
    folders, rng = tuple(options.folders), np.random.default_rng(0)
    table = []
    for name, mine in sets(folders).items():
        sides = mine.conditioned[SECOND], mine.neutral[SECOND]
        rows = [row for corpus in sides for row in zip(corpus.texts, corpus.prompts, strict=True)]
        some = [rows[i] for i in rng.choice(len(rows), min(BASE_ROWS, len(rows)), replace=False)]
        prompt = np.unique([str(prompt) for _, prompt in some], return_inverse=True)[1]
        judged = TokenRates.of_rows([text for text, _ in some], prompt)
        for other in sets(folders):
            apart = distance(judged, panel_of(folders, other).members[0].tokens)
            alike = float(likeness(np.array([apart]))[0])
            table.append({"rows": name, "member": other, "distance": apart, "likeness": alike})
            print(f"| {name} | {other} | {apart:.4f} | {alike:.2f} |", flush=True)
    return table


def monitor_draw(task: tuple[tuple[str, ...], str, int]) -> dict[str, int]:
    """Rows to the alarm of one stream, without and with panels."""
    folders, name, draw = task
    prompts, suspect, reference = zip(*sets(folders)[name].shared(SECOND), strict=True)
    pool = Pool(prompts, tuple((text,) for text in suspect), tuple((text,) for text in reference))
    known = panels(folders, name)
    priors: dict[str, Panel | None] = {WITHOUT: None}
    priors |= {kind: known[kind] for kind in ("same", "other") if kind in known}
    return {kind: rows_to_detection(pool, prior, draw, LONGEST) for kind, prior in priors.items()}


def monitor(options: argparse.Namespace) -> object:
    """Median rows to the alarm of streams of conditioned rows."""
    folders, table = tuple(options.folders), []
    for name in sets(folders):
        with Processes(options.jobs) as processes:
            found = processes.map(monitor_draw, [(folders, name, draw) for draw in range(options.draws)], 4)
        for kind in found[0]:
            rows = [draw[kind] for draw in found]
            table.append({"set": name, "panel": kind, "median rows": float(np.median(rows)), "streams": len(rows)})
            print(f"| {name} | {kind} | {np.median(rows):.0f} |", flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("power", "type-i", "bases", "monitor"))
    parser.add_argument("folders", nargs="+", metavar="BASE:FOLDER")
    parser.add_argument("--pairs", nargs="+", type=int, default=[25, 50, 100, 200])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--nulls", type=int, default=0, help="null draws beside the power")
    parser.add_argument("--swap", action="store_true", help="judge the half that panels are of otherwise")
    parser.add_argument("--jobs", type=int, default=2)
    results.add_json_option(parser)
    options, started = parser.parse_args(), time.perf_counter()
    figures = {"power": power, "type-i": type_i, "bases": bases, "monitor": monitor}[options.what](options)
    results.write(options.json, figures, started)


if __name__ == "__main__":
    main()
