"""Designs: power as prompts become shared, rows that take part, white space in prompts, error rates of every design.

    python benchmarks/designs.py [SECTION ...] [--jobs N] [--draws 200] [--nulls N] [--json PATH]

Sections, all of them where none is named:

* `rows`: which share of the rows takes part where prompts have 1 to 119 rows.
* `few`: 12 and 19 shared prompts with many rows each beside 20.
* `type-i`: nulls of every design at .05 and .01. Without `--nulls` their number and bands follow from the rates that
  have to be caught (`calibration_cells.looks`).
* `white-space`: the same corpora with other white space in one side's prompts.
* `sharing`: 600 + 600 prompts, of which more and more are shared: power must not fall along the way.
* `sharing-nulls`: and nulls stay in their exact band.

What is asked of a figure is fixed here, before it is measured; exits with 1 when any falls short. The strength of the
planted trait in `sharing` and `white-space` is searched for on draws that are not used afterwards.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # one thread a worker

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import results
from calibration_cells import INFLATED, JOBS, Table, band, error_rates, parallel, print_error_rates

from fingerprint.data.corpus import Corpus, joined
from fingerprint.detection.analysis import family_matrices, omnibus_weights, permute
from fingerprint.features import choose
from fingerprint.lab.simulated import SimulatedPair, simulated_pair
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.permutation import Relabellings

Figure = dict[str, Any]
Sides = tuple[Corpus, Corpus]

ALPHA, PERMUTATIONS = 0.05, 199
# Draws that a strength is searched with start here, and nulls here: no draw serves two ends.
SEARCH_SEEDS, NULL_SEEDS = 1_000_000, 2_000_000
SEARCH_DRAWS, SEARCH_STEPS = 60, 4

PROMPTS, SHARED = 600, (0, 5, 19, 20, 40, 200)
SHARING_POWER, SHARING_FALL, SHARING_NULLS = 0.9, 0.08, 400
FEW, FEW_ROWS, FEW_BEHIND = (12, 19, 20), 40, 0.1
# A row of d_prime 1 is what the simulation takes by itself; the weaker one, which is not asked for, shows what fewer
# prompts cost: 12 prompts hold three fifths of the rows.
FEW_STRENGTHS = (1.0, 0.5)
MOST_ROWS, ROW_PROMPTS, ROW_DRAWS, ROW_SHARE = 119, 150, 10, 1 / 3
SPACED_PROMPTS, SPACED_POWER, SPACED_APART = 150, 0.6, 0.03
NULL_PROMPTS = 20


def pvalue_of(sides: Sides, seed: int) -> float:
    """The p-value that `detect` reports, without the rest of the report."""
    comparison = pair(*sides, seed=seed)
    matrices = family_matrices(comparison, choose("auto", comparison.texts))
    units = {name: comparison.units(matrix.values) for name, matrix in matrices.items()}
    relabellings = Relabellings.draw(comparison.design, PERMUTATIONS, np.random.default_rng([seed, 1]))
    return permute(units, relabellings, omnibus_weights(comparison, matrices)).pvalue


def rejections(pvalue: Callable[[int], float], seeds: Iterable[int]) -> float:
    """Share of the draws with a p-value of at most `ALPHA`."""
    return float(np.mean([p <= ALPHA for p in parallel(pvalue, seeds)]))


def strength(pvalue: Callable[..., float], target: float, low: float, high: float) -> float:
    """A d_prime of the rows with about this power, by halving, on draws of its own."""
    seeds = range(SEARCH_SEEDS, SEARCH_SEEDS + SEARCH_DRAWS)
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        if rejections(partial(pvalue, d_prime=middle), seeds) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def drawn(n_prompts: int, d_prime: float, stream: Sequence[int], **options: Any) -> SimulatedPair:
    """A simulated pair, a null where `d_prime` is 0; streams of random numbers are told apart by a few numbers.

    Stream 1 of a seed is that of the relabellings.
    """
    tilt: dict[str, Any] = {"tilt": "dense", "d_prime": d_prime} if d_prime else {"tilt": "none"}
    return simulated_pair(n_prompts, **tilt, **options, rng=np.random.default_rng(stream))


def side_by_side(*pairs: Sides) -> Sides:
    """Corpora put together, side by side."""
    suspects, references = ([corpus for corpus in side if len(corpus)] for side in zip(*pairs, strict=True))
    return joined(suspects, "suspect"), joined(references, "reference")


def sides_of(found: SimulatedPair) -> Sides:
    return found.suspect, found.reference


def told(name: str, asked: str, measured: str, inside: bool) -> None:
    print(f"  {name:58s} asked {asked:24s} measured {measured}{'' if inside else '  SHORT'}", flush=True)


# ------------------------------------------------------------------------------------------------------------- sharing


def sharing_pair(shared: int, seed: int, d_prime: float) -> Sides:
    """600 + 600 prompts, so many of them shared; rows of one seed are mostly the same whatever is shared."""
    together = drawn(max(SHARED), d_prime, (seed, 8))
    apart = drawn(PROMPTS, d_prime, (seed, 9), design="disjoint")
    return side_by_side(
        (together.suspect.only(np.arange(shared)), together.reference.only(np.arange(shared))),
        (apart.suspect.only(np.arange(PROMPTS - shared)), apart.reference.only(np.arange(PROMPTS - shared))),
    )


def sharing_pvalue(seed: int, *, shared: int, d_prime: float) -> float:
    return pvalue_of(sharing_pair(shared, seed, d_prime), seed)


def largest_fall(powers: Sequence[float]) -> float:
    """The most that any power lies below an earlier one."""
    return float((np.maximum.accumulate(powers) - powers).max())


def sharing(draws: int, nulls: int | None) -> list[Figure]:
    """Power at each number of shared prompts."""
    d_prime = strength(partial(sharing_pvalue, shared=0), SHARING_POWER, 0.3, 1.1)
    print(f"{PROMPTS} + {PROMPTS} prompts, rows of d_prime {d_prime:.3f}: power")
    powers, figures = [], []
    for shared in SHARED:
        powers.append(rejections(partial(sharing_pvalue, shared=shared, d_prime=d_prime), range(draws)))
        told(f"{shared} of {PROMPTS} prompts shared", "-", f"{powers[-1]:.3f}", True)
        figures.append({"what": f"{shared} shared", "d_prime": d_prime, "draws": draws, "power": powers[-1]})
        figures[-1]["inside"] = True
    fall = largest_fall(powers)
    told("largest fall of power", f"at most {SHARING_FALL}", f"{fall:.3f}", fall <= SHARING_FALL)
    asked = {"asked": SHARING_FALL, "measured": fall, "inside": fall <= SHARING_FALL}
    return [*figures, {"what": "largest fall of power as more prompts are shared", **asked}]


def sharing_nulls(draws: int, nulls: int | None) -> list[Figure]:
    """Error rate at each number of shared prompts."""
    runs = nulls or SHARING_NULLS
    low, high = band(runs, ALPHA, len(SHARED))
    print(f"{PROMPTS} + {PROMPTS} prompts: false-positive rates in {runs} nulls")
    figures = []
    for shared in SHARED:
        seeds = range(NULL_SEEDS, NULL_SEEDS + runs)
        rate = rejections(partial(sharing_pvalue, shared=shared, d_prime=0.0), seeds)
        inside = low <= rate <= high
        told(f"{shared} of {PROMPTS} prompts shared", f"{low:.4f} to {high:.4f}", f"{rate:.4f}", inside)
        figures.append({"what": f"{shared} shared", "nulls": runs, "rate": rate, "low": low, "high": high})
        figures[-1]["inside"] = inside
    return figures


# ----------------------------------------------------------------------------------------- few prompts with many rows


def few_pvalue(seed: int, *, prompts: int, d_prime: float) -> float:
    options = {"rows_per_prompt": FEW_ROWS, "prompt_effect": 1.0}
    return pvalue_of(sides_of(drawn(prompts, d_prime, (seed, 2), **options)), seed)


def few(draws: int, nulls: int | None) -> list[Figure]:
    """Power of few shared prompts with many rows each, in half as many draws as elsewhere: they are large."""
    print(f"Shared prompts with {FEW_ROWS} rows each and prompt effects")
    figures = []
    for d_prime in FEW_STRENGTHS:
        seeds = range(draws // 2)
        powers = {n: rejections(partial(few_pvalue, prompts=n, d_prime=d_prime), seeds) for n in FEW}
        for n, power in powers.items():
            behind = powers[max(FEW)] - power
            is_asked = d_prime == FEW_STRENGTHS[0] and n != max(FEW)
            inside = behind <= FEW_BEHIND or not is_asked
            name, asked = f"{n} prompts, d_prime {d_prime}: power", f"within {FEW_BEHIND} of {max(FEW)} prompts'"
            told(name, asked if is_asked else "-", f"{power:.3f}", inside)
            figure = {"what": name, "draws": len(seeds), "power": power, "behind": behind, "inside": inside}
            figures.append(figure | ({"asked": FEW_BEHIND} if is_asked else {}))
    return figures


# ----------------------------------------------------------------------------------------------------- rows taking part


def any_number(rng: np.random.Generator) -> np.ndarray:
    """1 to 119 rows, every number as often."""
    return rng.integers(1, MOST_ROWS + 1, ROW_PROMPTS)


def mostly_few(rng: np.random.Generator) -> np.ndarray:
    """1 to 119 rows, every order of magnitude as often."""
    return np.exp(rng.uniform(0, np.log(MOST_ROWS + 1), ROW_PROMPTS)).astype(int)


def one_single(rng: np.random.Generator) -> np.ndarray:
    """119 rows, but of one prompt a single one."""
    return np.r_[1, np.full(ROW_PROMPTS - 1, MOST_ROWS)]


SIZES: tuple[tuple[str, bool, Callable[..., np.ndarray], Callable[..., np.ndarray]], ...] = (
    ("disjoint, any number on both sides", False, any_number, any_number),
    ("disjoint, any number against mostly few", False, any_number, mostly_few),
    ("disjoint, mostly few on both sides", False, mostly_few, mostly_few),
    ("disjoint, any number against 119 but one of a single row", False, any_number, one_single),
    ("shared, any number on both sides", True, any_number, any_number),
    ("shared, any number against mostly few", True, any_number, mostly_few),
)


def share_taking_part(seed: int, *, number: int) -> float:
    """Share of all rows that enter the p-value; it hangs on their numbers alone."""
    _, is_shared, *laws = SIZES[number]
    rng = np.random.default_rng([seed, 3])
    corpora = []
    for name, law in zip(("suspect", "reference"), laws, strict=True):
        prompts = [f"{'' if is_shared else name} {i}" for i, n in enumerate(law(rng)) for _ in range(n)]
        corpora.append(Corpus(tuple(f"{name} {row}" for row in range(len(prompts))), tuple(prompts), name=name))
    return float(pair(*corpora).design.used.mean())


def rows(draws: int, nulls: int | None) -> list[Figure]:
    """Rows that take part where prompts have 1 to 119 rows."""
    print(f"Share of rows that take part, {ROW_PROMPTS} prompts of 1 to {MOST_ROWS} rows a side")
    figures = []
    for number, (name, *_) in enumerate(SIZES):
        shares = parallel(partial(share_taking_part, number=number), range(ROW_DRAWS))
        lowest, mean = min(shares), float(np.mean(shares))
        inside = lowest >= ROW_SHARE
        told(name, f"at least {ROW_SHARE:.3f}", f"{lowest:.3f} (mean {mean:.3f})", inside)
        figures.append({"what": name, "draws": ROW_DRAWS, "asked": ROW_SHARE, "measured": lowest, "mean": mean})
        figures[-1]["inside"] = inside
    return figures


# --------------------------------------------------------------------------------------------------------- white space

SPACING: dict[str, Callable[[str], str]] = {
    "as they are": lambda prompt: prompt,
    "a blank at the end": lambda prompt: f"{prompt} ",
    "a doubled blank": lambda prompt: prompt.replace(" ", "  ", 1),
    "no-break spaces": lambda prompt: prompt.replace(" ", "\u00a0"),
    "other line ends": lambda prompt: f"{prompt}\r\n",
}


def spaced_pvalue(seed: int, *, d_prime: float, spacing: str = "as they are") -> float:
    found = drawn(SPACED_PROMPTS, d_prime, (seed, 4))
    respaced = tuple(None if p is None else SPACING[spacing](p) for p in found.suspect.prompts)
    return pvalue_of((replace(found.suspect, prompts=respaced), found.reference), seed)


def white_space(draws: int, nulls: int | None) -> list[Figure]:
    """Power where one side's prompts are spaced in another way; the draws are the same."""
    d_prime = strength(spaced_pvalue, SPACED_POWER, 0.3, 1.1)
    print(f"{SPACED_PROMPTS} shared prompts, rows of d_prime {d_prime:.3f}, white space of the suspect's prompts")
    powers, figures = {}, []
    for name in SPACING:
        powers[name] = rejections(partial(spaced_pvalue, d_prime=d_prime, spacing=name), range(draws))
        apart = abs(powers[name] - powers["as they are"])
        inside = apart <= SPACED_APART
        told(f"{name}: power", f"within {SPACED_APART}", f"{powers[name]:.3f}", inside)
        figures.append({"what": name, "d_prime": d_prime, "draws": draws, "power": powers[name], "inside": inside})
        figures[-1] |= {"asked": SPACED_APART, "measured": apart}
    return figures


# ---------------------------------------------------------------------------------------------------------- error rates


def some_rows(sides: Sides, most: tuple[int, int], seed: int) -> Sides:
    """Of every prompt 1 to so many rows, at random, on either side."""
    rng = np.random.default_rng([seed, 6])
    return _some(sides[0], most[0], rng), _some(sides[1], most[1], rng)


def _some(corpus: Corpus, most: int, rng: np.random.Generator) -> Corpus:
    left = {prompt: int(rng.integers(1, most + 1)) for prompt in dict.fromkeys(corpus.prompts)}
    keep = np.zeros(len(corpus), dtype=bool)
    for row, prompt in enumerate(corpus.prompts):
        keep[row] = left[prompt] > 0
        left[prompt] -= 1
    return corpus.only(keep)


def _null(seed: int, stream: int = 5, n_prompts: int = NULL_PROMPTS, **options: Any) -> Sides:
    return sides_of(drawn(n_prompts, 0.0, (seed, stream), **options))


def _effects(design: str, rows_per_prompt: int | tuple[int, int]) -> dict[str, Any]:
    return {"design": design, "rows_per_prompt": rows_per_prompt, "prompt_effect": 1.0}


def _mixed(seed: int) -> Sides:
    half = NULL_PROMPTS // 2
    return side_by_side(_null(seed, n_prompts=half), _null(seed, 7, half, design="disjoint"))


def _uneven(seed: int, design: str, n_prompts: int = NULL_PROMPTS) -> Sides:
    """1 to 5 rows a prompt against 1 or 2."""
    stream = 5 if design == "shared" else 7
    return some_rows(_null(seed, stream, n_prompts, **_effects(design, (5, 2))), (5, 2), seed)


def _mixed_uneven(seed: int) -> Sides:
    half = NULL_PROMPTS // 2
    return side_by_side(_uneven(seed, "shared", half), _uneven(seed, "disjoint", half))


NULLS: dict[str, Callable[[int], Sides]] = {
    "shared": _null,
    "mixed, half of the prompts shared": _mixed,
    "disjoint": partial(_null, design="disjoint"),
    "independent": partial(_null, design="independent"),
    "shared, three rows a prompt, effects": partial(_null, **_effects("shared", 3)),
    "disjoint, 1 to 5 rows a prompt against 1 or 2, effects": partial(_uneven, design="disjoint"),
    "mixed, 1 to 5 rows a prompt against 1 or 2, effects": _mixed_uneven,
}


def null_pvalue(seed: int, *, name: str) -> float:
    return pvalue_of(NULLS[name](NULL_SEEDS + seed), seed)


def _null_pvalues(name: str, seeds: range) -> np.ndarray:
    return np.array(parallel(partial(null_pvalue, name=name), seeds))


def type_i(draws: int, nulls: int | None) -> list[Figure]:
    """Error rates of every design at .05 and .01."""
    print(f"False-positive rates, {NULL_PROMPTS} prompts or rows a side, {PERMUTATIONS} permutations")
    cells = len(INFLATED) * len(NULLS)
    figures = []
    for name in NULLS:
        figures.append({"what": name, **error_rates(partial(_null_pvalues, name), cells, runs=nulls)})
        print_error_rates(name, figures[-1])
    return figures


SECTIONS: dict[str, Callable[[int, int | None], list[Figure]]] = {
    "rows": rows,
    "few": few,
    "type-i": type_i,
    "white-space": white_space,
    "sharing": sharing,
    "sharing-nulls": sharing_nulls,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="worker processes")
    parser.add_argument("--draws", type=int, default=200, help="draws for each power")
    parser.add_argument("--nulls", type=int, default=None, help="nulls of each setting, in place of the stated numbers")
    results.add_json_option(parser)
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.sections) - set(SECTIONS))
    if unknown:
        parser.error(f"sections must be among {', '.join(SECTIONS)}, got {unknown[0]}; leave it out")
    os.environ[JOBS] = str(options.jobs)
    started = time.perf_counter()
    figures: list[Figure] = []
    for name in options.sections or SECTIONS:
        figures += [{"section": name, **figure} for figure in SECTIONS[name](options.draws, options.nulls)]
        print(f"  {time.perf_counter() - started:.0f} s", flush=True)
        results.write(options.json, figures, started)  # after each section: a run that is cut short leaves what it has
    table = Table.of(figures)
    print("as asked" if table.inside else "NOT ALL AS ASKED")
    return 0 if table.inside else 1


if __name__ == "__main__":
    sys.exit(main())
