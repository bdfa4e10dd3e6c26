"""The tables of `power.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from power_draws import ALPHA, OMNIBUS, OWN_PERMUTATIONS, Outcome
from power_rates import JOINT_LEVEL, SHORTFALL, Band, Difference, Rate, differences, rates


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


def print_power(found: list[Outcome]) -> list[Rate]:
    power = rates(found, lambda outcome: outcome.own)
    draws = max(rate.draws for rate in power)
    print(f"\nPower at alpha {ALPHA:g}, {draws} draws, {OWN_PERMUTATIONS} permutations")
    print("(a family's own p-value, unadjusted; min-P: any family rejects after adjustment)\n")
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
