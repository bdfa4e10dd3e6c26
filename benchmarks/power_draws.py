"""Draws of prompt pairs from real corpora, and the p-values that the library and its peers give each."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import peers
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from fingerprint.data.corpus import Corpus
from fingerprint.features import choose
from fingerprint.features.scaling import FamilyMatrix, family_matrix
from fingerprint.features.tokens import tokenize
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.permutation import PermutationTest, Relabellings, gram, permutation_test
from fingerprint.statistics.permutation import pvalue as own_pvalue

Floats = NDArray[np.float64]

ALPHA = 0.05
OWN_PERMUTATIONS = 999  # for the power and false-positive tables; the comparison uses as many as the peers
BINS = ("numbers", "prose")  # the families that peers get as "bins"
OMNIBUS, MAXIMUM = "omnibus (sum)", "min-P"

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


def outcomes(pool: Pool, task: Task) -> list[Outcome]:
    """All sizes of one draw. The smaller sizes are the first pairs of the larger ones."""
    drawn = list(islice(pool.pairs(task.rng(0)), max(task.sizes)))
    if task.null:
        swap = task.rng(1).integers(0, 2, size=len(drawn)).astype(bool)
        drawn = [(p, r, s) if change else (p, s, r) for (p, s, r), change in zip(drawn, swap, strict=True)]
    return [_outcome(drawn[:size], task) for size in task.sizes]


def _outcome(drawn: list[tuple[str, str, str]], task: Task) -> Outcome:
    clock = _Clock()
    comparison, matrices = features_of(drawn)
    kernels = {name: gram(comparison.units(matrix.values)) for name, matrix in matrices.items()}
    relabellings = Relabellings.draw(comparison.design, OWN_PERMUTATIONS, task.rng(2 + len(drawn)))
    own = _own(permutation_test(kernels, relabellings), matrices)
    clock.note("this library, all families")
    few = Relabellings(relabellings.design, relabellings.contrasts[: task.permutations + 1])
    compared = {OMNIBUS: permutation_test(kernels, few).pvalue}
    if task.with_peers:
        compared |= _peers(comparison, matrices, few.contrasts.astype(np.float64), not task.null, clock)
    return Outcome(task.null, task.draw, len(drawn), own, compared, dict(clock.seconds))


def features_of(drawn: list[tuple[str, str, str]]) -> tuple[Comparison, dict[str, FamilyMatrix]]:
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
    for label, values in inputs_of(comparison, matrices).items():
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


def inputs_of(comparison: Comparison, matrices: dict[str, FamilyMatrix]) -> dict[str, Inputs]:
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
    return np.lexsort((comparison.design.block, ~comparison.suspect))


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
