"""Error rates and power of `compare`, which sees sums alone.

    python benchmarks/fingerprints.py type-i SUSPECT.jsonl REFERENCE.jsonl --draws 2000 [--jobs 2] [--json PATH]
    python benchmarks/fingerprints.py power FOLDER:SUSPECT:REFERENCE ... --draws 150 [--jobs 2] [--json PATH]

`type-i`: nulls of two corpora that share prompts; on each draw the two rows of every prompt change places at random,
and prompts are dealt to the sides as the design says. `power`: draws of prompt pairs, tested row by row as `detect`
does and by sums of the same rows.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from itertools import islice
from multiprocessing import Pool as Processes
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import results
import scipy.sparse as sp
from power_draws import Pool, features_of

import fingerprint
from fingerprint.detection.analysis import omnibus_weights
from fingerprint.features import FAMILIES
from fingerprint.fingerprints.cells import cells_of, row_keys
from fingerprint.fingerprints.compare import tested
from fingerprint.fingerprints.layout import Cells
from fingerprint.fingerprints.summed_rows import SummedRows
from fingerprint.fingerprints.sums import FamilySums
from fingerprint.statistics.intervals import exact_interval
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test

ALPHAS = (0.05, 0.01)
PERMUTATIONS = 999
CELLS = 128  # more would be put together: each has a row at least
FEATURES = ("tokens", "ngrams", "numbers", "layout")
# Prompts that both sides answer, that the suspect alone answers, and the reference alone.
DESIGNS = {
    "shared, 200": (200, 0, 0),
    "partly shared, 100 of 200": (100, 100, 100),
    "separate, 200 and 200": (0, 200, 200),
    "separate, 200 and 240": (0, 200, 240),
    "separate, 60 and 600": (0, 60, 600),
    "separate, 600 and 60": (0, 600, 60),
    "separate, 300 and 3,000": (0, 300, 3000),
    "partly shared, 60 of 600": (60, 0, 540),
    "separate, 60 and 60": (0, 60, 60),
}


class Counted:
    """Rows whose counts are made once, for fingerprints of many draws of them."""

    def __init__(self, texts: Sequence[str], prompts: Sequence[str]) -> None:
        self.keys, self.lengths = row_keys(texts, prompts), np.array([len(text) for text in texts])
        self.families = {name: FAMILIES[name]() for name in FEATURES}
        self.counts = {name: family.counts(texts).tocsr() for name, family in self.families.items()}
        self.squares = {n: sp.csr_matrix((self.families[n].squared(c.data), c.indices, c.indptr), c.shape)
                        for n, c in self.counts.items()}  # fmt: skip

    def fingerprint(self, rows: np.ndarray, salt: np.uint64) -> SummedRows:
        """Of some rows; a salt deals prompts to other cells."""
        keys = (self.keys[rows] ^ salt) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(32)
        keys *= np.uint64(0x9E3779B97F4A7C15)
        cell, n = cells_of(keys, CELLS), len(rows)
        of_cell = sp.csr_matrix((np.ones(n, np.int64), (cell, np.arange(n))), (CELLS, n))
        prompts = np.zeros((CELLS, 2), dtype=np.uint64)
        for half in range(2):
            np.add.at(prompts[:, half], cell, keys[:, half])
        families = {
            name: FamilySums(
                str(family.definition),
                (of_cell @ self.counts[name][rows]).toarray(),
                np.asarray(self.squares[name][rows].sum(axis=0))[0],
            )
            for name, family in self.families.items()
        }
        by_cell = np.bincount(cell, minlength=CELLS)
        return SummedRows(by_cell, prompts, families, int(self.lengths[rows].sum()), n, 0, 0)


_counted: dict[str, Counted] = {}


def null_pvalues(task: tuple[str, str, int, int, tuple[str, ...]]) -> dict[str, float]:
    """p-values of one draw of every design asked for."""
    suspect, reference, number, seed, designs = task
    if not _counted:
        pool = Pool.of(fingerprint.read(suspect), fingerprint.read(reference))
        first = [(prompt, s[0], r[0]) for prompt, s, r in zip(pool.prompts, pool.suspect, pool.reference, strict=True)]
        texts = [text for _, s, r in first for text in (s, r)]
        _counted["rows"] = Counted(texts, [prompt for prompt, _, _ in first for _ in range(2)])
    rows, rng = _counted["rows"], np.random.default_rng([seed, number])
    n_prompts = len(rows.keys) // 2
    found = {}
    for name in designs:
        both, mine, others = DESIGNS[name]
        order, swap = rng.permutation(n_prompts), rng.integers(0, 2, n_prompts)
        a, b = 2 * order + swap, 2 * order + 1 - swap
        salt = rng.integers(2**63, dtype=np.uint64)
        suspect_rows = np.r_[a[:both], a[both : both + mine]]
        reference_rows = np.r_[b[:both], a[both + mine : both + mine + others]]
        cells = Cells.of(*(rows.fingerprint(part, salt) for part in (suspect_rows, reference_rows)), min(ALPHAS))
        found[name] = tested(cells, cells.families(), PERMUTATIONS, rng).pvalue
    return found


def type_i(options: argparse.Namespace) -> object:
    """Rates of rejection of every design, with the band that a true rate would lie in."""
    designs = tuple(options.design or DESIGNS)
    tasks = [(*options.corpora, number, options.seed, designs) for number in range(options.draws)]
    with Processes(options.jobs) as processes:
        draws = processes.map(null_pvalues, tasks, 5)
    table = []
    for name in designs:
        pvalues = np.array([draw[name] for draw in draws])
        row: dict[str, object] = {"design": name, "draws": len(pvalues)}
        for alpha in ALPHAS:
            row[f"rate at {alpha}"] = float((pvalues <= alpha).mean())
            row[f"interval at {alpha}"] = list(exact_interval(int((pvalues <= alpha).sum()), len(pvalues)))
        table.append(row)
        print(f"| {name} | {row['rate at 0.05']:.4f} | {row['rate at 0.01']:.4f} |", flush=True)
    return table


def both_tests(task: tuple[Pool, int, tuple[int, ...], int]) -> dict[str, bool]:
    """Whether rows and their sums reject on one draw, at each number of pairs."""
    pool, number, sizes, seed = task
    pairs = list(islice(pool.pairs(np.random.default_rng([seed, number])), max(sizes)))
    found = {}
    for size in sizes:
        some = pairs[:size]
        comparison, matrices = features_of(some)
        kernels = {name: gram(comparison.units(matrix.values)) for name, matrix in matrices.items()}
        rng = np.random.default_rng([seed, number, size])
        drawn = Relabellings.draw(comparison.design, PERMUTATIONS, rng)
        by_row = permutation_test(kernels, drawn, weights=omnibus_weights(comparison, matrices))
        found[f"{size} rows"] = by_row.pvalue <= ALPHAS[0]
        corpora = [fingerprint.Corpus(tuple(p[side] for p in some), tuple(p[0] for p in some)) for side in (1, 2)]
        cells = Cells.of(*(fingerprint.Fingerprint.of(corpus) for corpus in corpora), ALPHAS[0])
        found[f"{size} sums"] = tested(cells, cells.families(), PERMUTATIONS, rng).pvalue <= ALPHAS[0]
    return found


def power(options: argparse.Namespace) -> object:
    """Power of both tests on every set, and their paired difference."""
    sizes, table = (100, 200), []
    for place in options.corpora:
        folder, suspect, reference = place.rsplit(":", 2)
        pool = Pool.of(*(fingerprint.read(Path(folder) / f"{name}.jsonl") for name in (suspect, reference)))
        with Processes(options.jobs) as processes:
            tasks = [(pool, number, sizes, options.seed) for number in range(options.draws)]
            draws = processes.map(both_tests, tasks, 1)
        for size in sizes:
            kinds = (f"{size} rows", f"{size} sums")
            rows, sums = (np.array([draw[kind] for draw in draws], dtype=float) for kind in kinds)
            change = sums - rows
            figures = {"rows": rows.mean(), "sums": sums.mean(), "difference": change.mean()}
            error = float(change.std(ddof=1) / np.sqrt(len(change)))
            table.append({"corpus": suspect, "pairs": size, "draws": len(draws), **figures, "error": error})
            difference = f"{change.mean():+.3f} ± {error:.3f}"
            print(f"| {suspect} | {size} | {rows.mean():.3f} | {sums.mean():.3f} | {difference} |", flush=True)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=("type-i", "power"))
    parser.add_argument("corpora", nargs="+", metavar="CORPUS")
    parser.add_argument("--draws", type=int, default=150)
    parser.add_argument("--design", action="append", choices=DESIGNS, help="for type-i: this one alone; repeatable")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    results.add_json_option(parser)
    options = parser.parse_args()
    started = time.perf_counter()
    if options.table == "type-i" and len(options.corpora) != 2:
        parser.error("type-i needs two files that answer the same prompts")
    figures = type_i(options) if options.table == "type-i" else power(options)
    results.write(options.json, figures, started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
