"""Power and false positives of the exact test on real corpora, beside the tests one would otherwise reach for.

    python benchmarks/power.py FOLDER --suspect eagle.jsonl --reference neutral.jsonl

Every draw takes pairs of rows that answer the same prompt, at random and without replacement, and goes the library's
own way from the texts on: pairing, families, block sums, permutation test. Nothing is fitted on rows outside the draw.
The peers see the same draws and the same relabellings: both sides of a pair change places, pair by pair. On null draws
the sides of each pair are exchanged at random before anything else happens.

Exit code 1 if a false-positive rate leaves its exact band, if the omnibus is below a peer by more than 1.64 standard
errors of the paired difference, or if `--all-rows` misses what is asked of it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import peers
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import binom
from threadpoolctl import threadpool_limits

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.features import choose
from fingerprint.features.scaling import FamilyMatrix, family_matrix
from fingerprint.features.tokens import tokenize
from fingerprint.statistics.comparison import MIN_SHARED, Comparison, pair
from fingerprint.statistics.designs import MAX_BLOCKS
from fingerprint.statistics.permutation import PermutationTest, Relabellings, gram, permutation_test
from fingerprint.statistics.permutation import pvalue as own_pvalue

Floats = NDArray[np.float64]

ALPHA = 0.05
JOINT_LEVEL = 1e-3  # that any of the false-positive cells leaves its band although all tests are exact
OWN_PERMUTATIONS = 999  # for the power and false-positive tables; the comparison uses as many as the peers
SHORTFALL = 1.64  # standard errors of the paired difference
BINS = ("numbers", "prose")  # the families that peers get as "bins"
OMNIBUS, MAXIMUM = "omnibus (sum)", "max-T"
BAG, BAG_AUC, SECONDS, GIGABYTES = 16, 0.88, 90.0, 2.0  # asked of --all-rows

# What the peers get was chosen for *their* power, in pilots on 30 to 60 draws with other seeds of the eagle and neutral
# numbers of Qwen2.5-14B; power at 100 and 200 pairs follows. Logistic regression, C from 1 to .0001, standardised or
# not: C .01 on raw token counts was best (.55, .74; C 1: .20, .43; standardised counts at best .30, .37), and C .0001
# on standardised bins (.58, .90; C .001: .52, .78; C .01: .37, .50; C 1: .25, .30): the smaller, the closer to a plain
# difference of means. The penalised likelihood of the fit did as well as 5-fold cross-validated AUROC at the same C, or
# better (bins, C .001, other draws: .45, .67 against .43, .60). MMD and energy distance did better on standardised
# token counts (.42, .64 and .43, .72) than on raw ones (.35, .44 and .35, .42).
LOGISTIC_C = {"tokens": 0.01, "bins": 0.0001}
DEFAULT_C = 1.0  # of scikit-learn, on standardised columns: what a first try would be; left out of the null draws


@dataclass(frozen=True)
class Pool:
    """Prompts that both corpora answer, and the texts that answer them."""

    prompts: tuple[str, ...]
    suspect: tuple[tuple[str, ...], ...]
    reference: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, suspect: Corpus, reference: Corpus) -> Pool:
        sides = [_texts_by_prompt(corpus) for corpus in (suspect, reference)]
        shared = tuple(sorted(sides[0].keys() & sides[1].keys()))
        return cls(shared, *(tuple(tuple(side[prompt]) for prompt in shared) for side in sides))

    def pairs(self, rng: np.random.Generator) -> Iterator[tuple[str, str, str]]:
        """All prompts in random order, each with one random text of either side."""
        for i in rng.permutation(len(self.prompts)):
            texts = (side[i][int(rng.integers(len(side[i])))] for side in (self.suspect, self.reference))
            yield self.prompts[i], *texts


def _texts_by_prompt(corpus: Corpus) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = defaultdict(list)
    for prompt, text in zip(corpus.prompts, corpus.texts, strict=True):
        if prompt is not None:
            texts[prompt].append(text)
    return texts


@dataclass(frozen=True)
class Task:
    """One draw: its first `sizes[0]` pairs, its first `sizes[1]` pairs, ..."""

    null: bool
    draw: int
    sizes: tuple[int, ...]
    seed: int
    permutations: int
    with_peers: bool

    def rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, int(self.null), self.draw, purpose])


@dataclass(frozen=True)
class Outcome:
    """p-values of one draw at one number of pairs, by method, and the seconds each took."""

    null: bool
    draw: int
    pairs: int
    own: dict[str, float]  # OWN_PERMUTATIONS relabellings
    compared: dict[str, float]  # as many as the peers, the peers among them
    seconds: dict[str, float]


# ------------------------------------------------------------------------------------------------------------- one draw


def outcomes(pool: Pool, task: Task) -> list[Outcome]:
    """All sizes of one draw. The smaller sizes are the first pairs of the larger ones."""
    drawn = list(islice(pool.pairs(task.rng(0)), max(task.sizes)))
    if task.null:
        swap = task.rng(1).integers(0, 2, size=len(drawn)).astype(bool)
        drawn = [(p, r, s) if change else (p, s, r) for (p, s, r), change in zip(drawn, swap, strict=True)]
    return [_outcome(drawn[:size], task) for size in task.sizes]


def _outcome(drawn: list[tuple[str, str, str]], task: Task) -> Outcome:
    clock = _Clock()
    comparison, matrices = _features(drawn)
    kernels = {name: gram(comparison.units(matrix.values)) for name, matrix in matrices.items()}
    relabellings = Relabellings.draw(comparison.design, OWN_PERMUTATIONS, task.rng(2 + len(drawn)))
    own = _own(permutation_test(kernels, relabellings), matrices)
    clock.note("this library, all families")
    few = Relabellings(relabellings.design, relabellings.contrasts[: task.permutations + 1])
    compared = {OMNIBUS: permutation_test(kernels, few).pvalue}
    if task.with_peers:
        compared |= _peers(comparison, matrices, few.contrasts.astype(np.float64), not task.null, clock)
    return Outcome(task.null, task.draw, len(drawn), own, compared, dict(clock.seconds))


def _features(drawn: list[tuple[str, str, str]]) -> tuple[Comparison, dict[str, FamilyMatrix]]:
    """Pairing and families of the drawn (prompt, suspect text, reference text), fitted on these rows alone."""
    prompts, suspect, reference = (tuple(column) for column in zip(*drawn, strict=True))
    comparison = pair(Corpus(suspect, prompts, name="suspect"), Corpus(reference, prompts, name="reference"))
    if not comparison.design.is_paired or comparison.design.n_blocks != len(drawn):
        blocks = comparison.design.n_blocks
        raise RuntimeError(f"every pair must be a block of its own, got {blocks} for {len(drawn)} pairs")
    families = choose("auto", comparison.texts)
    return comparison, {name: family_matrix(family, comparison.texts, name) for name, family in families.items()}


def _own(test: PermutationTest, families: Iterable[str]) -> dict[str, float]:
    """Unadjusted p-value of every family (1 where it does not vary), of their sum, and the least adjusted one."""
    single = {name: own_pvalue(test.families[name].statistics) if name in test.families else 1.0 for name in families}
    return single | {OMNIBUS: test.pvalue, MAXIMUM: min(test.adjusted().values(), default=1.0)}


def _peers(
    comparison: Comparison, matrices: dict[str, FamilyMatrix], signs: Floats, with_default: bool, clock: _Clock
) -> dict[str, float]:
    found: dict[str, float] = {}

    def record(name: str, statistics: Floats) -> None:
        found[name] = peers.pvalue(statistics)
        clock.note(name)

    clock.restart()
    for label, values in _inputs(comparison, matrices).items():
        C = LOGISTIC_C[label]
        record(f"logistic, {label}", peers.logistic_statistics(values.logistic, signs, C))
        record(f"logistic 5-fold AUC, {label}", peers.logistic_aucs(values.logistic, signs, C))
        if with_default:
            record(f"logistic C = 1, {label}", peers.logistic_statistics(values.standardised, signs, DEFAULT_C))
        apart = peers.distances(values.standardised)
        record(f"MMD, {label}", peers.mmd_statistics(peers.gaussian_kernel(apart), signs))
        record(f"energy, {label}", peers.energy_statistics(apart, signs))
    texts = _ordered_texts(comparison)
    for label, split in {"tokens": tokenize, "characters": list}.items():
        kernel = peers.hamming_kernel([split(text) for text in texts])
        record(f"model equality, {label}", peers.mmd_statistics(kernel, signs))
    return found


@dataclass(frozen=True)
class Inputs:
    """The same features, standardised and as the tuned logistic regression likes them best."""

    standardised: Floats
    logistic: Floats


def _inputs(comparison: Comparison, matrices: dict[str, FamilyMatrix]) -> dict[str, Inputs]:
    """Token counts and this library's own bins, rows in the order of `_pair_order`."""
    counts = peers.token_counts([tokenize(text) for text in _ordered_texts(comparison)])
    order = _pair_order(comparison)
    bins = sp.hstack([matrices[name].values for name in BINS if name in matrices]).tocsr()[order]
    scaled = peers.standardised(bins)
    return {
        "tokens": Inputs(peers.standardised(counts), counts - counts.mean(axis=0)),
        "bins": Inputs(scaled, scaled),
    }


def _pair_order(comparison: Comparison) -> NDArray[np.int64]:
    """Rows by side, suspect first, and within a side by pair: what `peers` asks for."""
    return np.lexsort((comparison.block, ~comparison.suspect))


def _ordered_texts(comparison: Comparison) -> list[str]:
    return [comparison.texts[i] for i in _pair_order(comparison)]


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.restart()

    def restart(self) -> None:
        self._since = time.process_time()

    def note(self, name: str) -> None:
        """Book the processor time since the last note."""
        self.seconds[name] += time.process_time() - self._since
        self.restart()


# ------------------------------------------------------------------------------------------------------------ all draws


_pool: Pool  # one copy in each worker process


def _start_worker(pool: Pool) -> None:
    global _pool
    _pool = pool
    threadpool_limits(1)


def _work(task: Task) -> list[Outcome]:
    return outcomes(_pool, task)


def run(pool: Pool, tasks: list[Task], jobs: int) -> list[Outcome]:
    """Outcomes of all tasks, in the order of the tasks; progress goes to stderr."""
    if jobs == 1:
        with threadpool_limits(1):
            return _gathered((outcomes(pool, task) for task in tasks), len(tasks))
    with multiprocessing.get_context("spawn").Pool(jobs, _start_worker, (pool,)) as workers:
        return _gathered(workers.imap(_work, tasks), len(tasks))


def _gathered(parts: Iterable[list[Outcome]], n_tasks: int) -> list[Outcome]:
    found: list[Outcome] = []
    start = time.perf_counter()
    for done, part in enumerate(parts, 1):
        found += part
        if done % max(1, n_tasks // 50) == 0 or done == n_tasks:
            print(f"{done} of {n_tasks} draws, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return found


@dataclass(frozen=True)
class Rate:
    """How often a method rejects."""

    method: str
    pairs: int
    rejected: int
    draws: int

    @property
    def share(self) -> float:
        return self.rejected / self.draws


def rates(found: list[Outcome], pvalues: Callable[[Outcome], dict[str, float]]) -> list[Rate]:
    """Rejections at `ALPHA` by method and number of pairs; methods in the order in which they first appear."""
    cells: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for outcome in found:
        for method, value in pvalues(outcome).items():
            cells[method, outcome.pairs].append(value <= ALPHA)
    return [Rate(method, pairs, sum(cell), len(cell)) for (method, pairs), cell in cells.items()]


@dataclass(frozen=True)
class Band:
    """Counts of rejections that an exact test stays inside, all cells together, with probability 1 - `JOINT_LEVEL`."""

    low: int
    high: int

    @classmethod
    def of(cls, draws: int, cells: int) -> Band:
        """Two-sided; each side of each cell gets an equal share of the level (Bonferroni)."""
        tail = JOINT_LEVEL / cells / 2
        low, high = int(binom.ppf(tail, draws, ALPHA)), int(binom.isf(tail, draws, ALPHA))
        return cls(low, high)  # P(count < low) <= tail and P(count > high) <= tail

    def holds(self, rate: Rate) -> bool:
        return self.low <= rate.rejected <= self.high


@dataclass(frozen=True)
class Difference:
    """Power of the omnibus minus that of a peer over the same draws, with the standard error of the paired mean."""

    peer: str
    pairs: int
    value: float
    error: float

    @property
    def below(self) -> bool:
        return self.value < -SHORTFALL * self.error


def differences(found: list[Outcome]) -> list[Difference]:
    cells: dict[tuple[str, int], list[int]] = defaultdict(list)
    for outcome in found:
        ours = outcome.compared[OMNIBUS] <= ALPHA
        for method, value in outcome.compared.items():
            if method != OMNIBUS:
                cells[method, outcome.pairs].append(int(ours) - int(value <= ALPHA))
    return [
        Difference(method, pairs, float(np.mean(cell)), float(np.std(cell, ddof=1) / np.sqrt(len(cell))))
        for (method, pairs), cell in cells.items()
    ]


# ------------------------------------------------------------------------------------------------------------- printing


def _table(cells: Iterable[tuple[str, int, str]], width: int = 12) -> str:
    """Text with a row a method and a column a number of pairs."""
    by_method: dict[str, dict[int, str]] = defaultdict(dict)
    for method, pairs, text in cells:
        by_method[method][pairs] = text
    sizes = sorted({pairs for row in by_method.values() for pairs in row})
    lines = [f"{'':<28}" + "".join(f"{f'{size} pairs':>{width}}" for size in sizes)]
    for method, row in by_method.items():
        lines.append(f"{method:<28}" + "".join(f"{row.get(size, ''):>{width}}" for size in sizes).rstrip())
    return "\n".join(lines)


def _environment(jobs: int) -> dict[str, str]:
    names = ("subliminal-fingerprint", "numpy", "scipy", "scikit-learn", "hyppo")
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in names},
        "machine": f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "processes": f"{jobs}, one thread each",
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def print_power(found: list[Outcome]) -> list[Rate]:
    power = rates(found, lambda outcome: outcome.own)
    draws = max(rate.draws for rate in power)
    print(f"\nPower at alpha {ALPHA:g}, {draws} draws, {OWN_PERMUTATIONS} permutations")
    print("(a family's own p-value, unadjusted; max-T: any family rejects after adjustment)\n")
    print(_table((rate.method, rate.pairs, f"{rate.share:.2f}") for rate in power))
    return power


def print_false_positives(found: list[Outcome]) -> tuple[list[Rate], Band, bool]:
    """The rates, their common band, and whether all rates are inside."""
    measured = rates(found, lambda outcome: outcome.own | _without_omnibus(outcome.compared))
    draws = max(rate.draws for rate in measured)
    band = Band.of(draws, len(measured))
    low, high = band.low / draws, band.high / draws
    print(f"\nFalse positives at alpha {ALPHA:g}, {draws} draws, the sides of each pair swapped at random")
    print(
        f"(exact two-sided binomial band for all {len(measured)} cells together at level {JOINT_LEVEL:g}: "
        f"{band.low} to {band.high} rejections, {low:.4f} to {high:.4f}; * outside)\n"
    )
    # A family that only some draws call for (mixed corpora) has a band of its own.
    held = [Band.of(rate.draws, len(measured)).holds(rate) for rate in measured]
    texts = (f"{rate.share:.4f}{' ' if holds else '*'}" for rate, holds in zip(measured, held, strict=True))
    print(_table((rate.method, rate.pairs, text) for rate, text in zip(measured, texts, strict=True)))
    return measured, band, all(held)


def _without_omnibus(pvalues: dict[str, float]) -> dict[str, float]:
    return {method: value for method, value in pvalues.items() if method != OMNIBUS}


def print_comparison(found: list[Outcome], permutations: int) -> tuple[list[Rate], list[Difference]]:
    power = rates(found, lambda outcome: outcome.compared)
    print(f"\nPower on the same draws with the same {permutations} permutations\n")
    print(_table((rate.method, rate.pairs, f"{rate.share:.2f}") for rate in power))
    compared = differences(found)
    print("\nOmnibus minus peer, in brackets the standard error of the paired difference")
    print(f"(* below by more than {SHORTFALL:g} of them)\n")
    texts = (f"{d.value:+.2f} ({d.error:.3f}){'*' if d.below else ' '}" for d in compared)
    print(_table(((d.peer, d.pairs, text) for d, text in zip(compared, texts, strict=True)), width=16))
    return power, compared


def print_seconds(found: list[Outcome]) -> dict[str, float]:
    seconds: dict[str, float] = defaultdict(float)
    for outcome in found:
        for method, spent in outcome.seconds.items():
            seconds[method] += spent
    print("\nProcessor seconds, all draws and sizes")
    print("(this library: from texts to p-values, 999 permutations; peers: from features to p-value)\n")
    for method, spent in seconds.items():
        print(f"{method:<28}{spent:>12.1f}")
    return dict(seconds)


# ------------------------------------------------------------------------------------------------------------- all rows


def all_rows(suspect: Path, reference: Path) -> dict[str, float | bool | None]:
    """`fingerprint detect` on both files in a process of its own: bags, wall seconds, peak resident memory."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "fingerprint", "detect", str(suspect), str(reference), "--quiet"]
        start = time.perf_counter()
        process = subprocess.Popen([*command, "--json", str(report), "--html", str(report.with_suffix(".html"))])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"fingerprint detect must run, got exit code {process.returncode}; see above")
        bags = json.loads(report.read_text(encoding="utf-8"))["bags"]
    auc = next(bag["auc"]["value"] for bag in bags if bag["k"] == BAG)
    gigabytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    met = auc is not None and auc >= BAG_AUC and seconds < SECONDS and gigabytes < GIGABYTES
    print(f"\nAll rows: fingerprint detect {suspect.name} {reference.name}, everything in the report, JSON and HTML\n")
    for name, value, asked in (
        (f"AUROC of bags of {BAG}", "none" if auc is None else f"{auc:.3f}", f"at least {BAG_AUC:g}"),
        ("wall seconds, start included", f"{seconds:.1f}", f"under {SECONDS:g}"),
        ("peak memory, GB", f"{gigabytes:.2f}", f"under {GIGABYTES:g}"),
    ):
        print(f"{name:<32}{value:>8}   asked: {asked}")
    return {"bag_auc": auc, "seconds": seconds, "gigabytes": gigabytes, "met": met}


# ----------------------------------------------------------------------------------------------------------------- main


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the two corpora are")
    parser.add_argument("--suspect", default="eagle.jsonl")
    parser.add_argument("--reference", default="neutral.jsonl")
    parser.add_argument("--draws", type=int, default=100, help="draws for power (0: none)")
    parser.add_argument("--pairs", type=_sizes, default=(50, 100, 200), help="pairs a draw, for example 50,100,200")
    parser.add_argument("--permutations", type=int, default=199, help="in the comparison with the peers")
    parser.add_argument("--null-draws", type=int, default=400, help="draws for false positives (0: none)")
    parser.add_argument("--null-pairs", type=_sizes, default=(200,))
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--all-rows", action="store_true", help="also run fingerprint detect on the whole files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--json", type=Path, help="write everything, p-values of every draw included, to this file")
    options = parser.parse_args(given)
    if not 19 <= options.permutations <= OWN_PERMUTATIONS:
        parser.error(f"--permutations must be from 19 to {OWN_PERMUTATIONS}, got {options.permutations}; 199 is usual")
    if options.draws == 1:
        parser.error("--draws must be 0 or at least 2, got 1; a standard error needs two")
    return options


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted({int(size) for size in text.split(",")}))
    if not MIN_SHARED <= sizes[0] <= sizes[-1] <= MAX_BLOCKS:
        raise argparse.ArgumentTypeError(
            f"numbers of pairs must be from {MIN_SHARED} (fewer are not paired) to {MAX_BLOCKS} (more share blocks), "
            f"got {text}"
        )
    return sizes


def main(given: list[str] | None = None) -> int:
    """Run what was asked for, print the tables, return the exit code."""
    options = _arguments(given)
    start = time.perf_counter()
    paths = [options.folder / name for name in (options.suspect, options.reference)]
    pool = Pool.of(*(fingerprint.read(path) for path in paths))
    most = max([0, *(options.pairs if options.draws else ()), *(options.null_pairs if options.null_draws else ())])
    if len(pool.prompts) < most:
        raise SystemExit(f"the corpora must share {most} prompts or more, got {len(pool.prompts)}; ask for fewer pairs")
    environment = _environment(options.jobs)
    print(f"{options.suspect} against {options.reference}: {len(pool.prompts)} shared prompts, seed {options.seed}")
    print("; ".join(f"{name} {value}" for name, value in environment.items()))
    print("A relabelling swaps the two sides of pairs at random, the same swaps for all methods. The smaller numbers")
    print("of pairs are the first of each draw.")
    record: dict[str, Any] = {"options": {k: str(v) for k, v in vars(options).items()}, "environment": environment}
    shared = (options.seed, options.permutations, options.peers)
    tasks = [Task(False, draw, options.pairs, *shared) for draw in range(options.draws)]
    tasks += [Task(True, draw, options.null_pairs, *shared) for draw in range(options.null_draws)]
    found = run(pool, tasks, options.jobs) if tasks else []
    good = _reported(found, options, record)
    if options.peers and options.draws:
        record["hyppo"] = print_hyppo(pool, options)
    if options.all_rows:
        record["all_rows"] = all_rows(*paths)
        good &= bool(record["all_rows"]["met"])
    record["wall_seconds"] = time.perf_counter() - start
    print(f"\n{record['wall_seconds']:.0f} s wall clock in all; {'every bound holds' if good else 'a bound is broken'}")
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0 if good else 1


def _reported(found: list[Outcome], options: argparse.Namespace, record: dict[str, Any]) -> bool:
    """Print the tables that there are draws for, note them in the record; whether every bound holds."""
    good = True
    drawn, null = ([outcome for outcome in found if outcome.null is kind] for kind in (False, True))
    if drawn:
        record["power"] = [asdict(rate) for rate in print_power(drawn)]
    if null:
        measured, band, inside = print_false_positives(null)
        record["false_positives"] = {"band": asdict(band), "rates": [asdict(rate) for rate in measured]}
        good &= inside
    if drawn and options.peers:
        power, compared = print_comparison(drawn, options.permutations)
        record["compared"] = [asdict(rate) for rate in power]
        record["differences"] = [asdict(difference) | {"below": difference.below} for difference in compared]
        good &= not any(difference.below for difference in compared)
    if found:
        record["processor_seconds"] = print_seconds(found)
        record["outcomes"] = [asdict(outcome) for outcome in found]
    return good


def print_hyppo(pool: Pool, options: argparse.Namespace, draws: int = 3) -> float | None:
    """MMD and energy statistics against hyppo's on a few draws; None where hyppo is not installed."""
    if _version("hyppo") == "not installed":
        print("\nhyppo is not installed: MMD and energy were not checked against it (pip install hyppo)")
        return None
    worst = 0.0
    for draw in range(draws):
        task = Task(False, draw, options.pairs, options.seed, options.permutations, True)
        comparison, matrices = _features(list(islice(pool.pairs(task.rng(0)), task.sizes[0])))
        for values in _inputs(comparison, matrices).values():
            worst = max(worst, peers.hyppo_difference(values.standardised, task.sizes[0]))
    print(f"\nMMD and energy statistics differ from hyppo's by at most {worst:.0e} of their size on {draws} draws")
    return worst


if __name__ == "__main__":
    sys.exit(main())
