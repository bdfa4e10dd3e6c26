"""Warnings about the rows of the two sides: how many, how long, and which of them are copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from fingerprint.data.arrays import Bools, Floats
from fingerprint.data.quoting import listed
from fingerprint.detection.findings import (
    SURE,
    Difference,
    Findings,
    degrees_of_freedom,
    difference_of_means,
    fisher_exact,
    one_row_a_group,
)
from fingerprint.features.row_kinds import ROW_KINDS, kinds_of_rows
from fingerprint.report.results import Warning

# Difference of mean log lengths, in standard deviations; it must also be significant at `SURE`.
LENGTH_DIFFERENCE = 0.2
# Share of one side's rows that are longer than every row of the other; it must also be significant at `SURE`, which
# takes eleven rows on sides of equal size. A shift of all lengths reaches this only where `lengths_differ` says so.
LONG_SHARE = 0.01
# ... or so many of all rows are counted as the longest, and one side has at most half of the other's share of them. A
# shift of all lengths by a tenth of a standard deviation takes less than a third away.
LONGEST = 0.05
# Share of one side's rows that have exactly the greatest length of that side; its odds over those of the other side's
# share, at that length or at its own greatest. In prose one row in a thousand is as long as any; of numbers in one form
# two rows in five are, on both sides, and 95 % once they are cut.
PILE_SHARE = 0.05
PILE_ODDS = 4.0
# ... or so large a share of the shorter side, if the longer one piles up at its own end too: six numbers of up to three
# digits are of one length in half of the rows, when nobody cuts them.
PILE_ALL = 0.9
# Difference of the shares of rows that hold numbers and nothing else, are source code, or are worked answers; it must
# also be significant at `SURE`, shared between the three. Filtered rows of six teachers were all like neutral ones; raw
# answers that tell their trait openly had .12 fewer numbers.
KIND_SHARE = 0.05
_TOLD_KINDS = {"numbers": "rows of numbers alone", "code": "rows of source code", "reasoning": "worked answers"}
# Prompts or rows of the smaller side in the p-value. At 30, simulated teachers with an exact row AUROC of .7 were
# found in 5 % of cases and of .8 in 24 %, at 20 in 7 % and 9 %: no more than alpha.
FEW = 30
# Share of one side's rows that the p-value cannot use: the test then sees far less than was sampled.
UNUSED_SHARE = 1 / 3
# Share of one side's rows whose text the same side holds already.
DUPLICATE_SHARE = 0.1
# Share of one side's rows that are one text, less its share on the other side; the difference must also be significant
# at `SURE`, shared between all frequent texts. From 1 % on copies among 2,000 null rows a side make the test reject.
FREQUENT_SHARE = 0.01
# Share of the suspect's rows whose text the reference holds too, each as often: one file was given twice, or a column
# of prompts instead of answers. Answers of two teachers are never all the same, unless next to nothing is in them.
SAME_SHARE = 1.0
# Larger arm over smaller arm.
SIZE_RATIO = 10.0


def lengths_differ(f: Findings) -> Iterator[Warning]:
    logs = np.log1p(np.array([len(text) for text in f.comparison.texts], dtype=np.float64))
    spread = float(np.sqrt(np.mean([logs[arm].var() for arm in f.comparison.sides])))
    difference = difference_of_means(f.comparison, logs)
    if spread < 1e-9 or difference.pvalue > SURE:  # rows of one length each: no unit, and `lengths_cut` tells them
        return
    if abs(difference.value) / spread >= LENGTH_DIFFERENCE:
        longer = "longer" if difference.value > 0 else "shorter"
        message = f"suspect rows are {longer} (mean log length, in sd): a length limit or the prompts may do that"
        yield Warning("lengths_differ", difference.value / spread, LENGTH_DIFFERENCE, message)


def lengths_cut(f: Findings) -> Iterator[Warning]:
    """The long end of one side is missing: its rows pile up at their end, or the longest of all are the other's.

    The longest must be missing also when all lengths of one side are multiplied so that mean log lengths are equal: of
    sides that are merely shorter by nature nothing is missing then.
    """
    first = one_row_a_group(f.comparison)
    lengths = np.array([len(text) for text in f.comparison.texts], dtype=np.float64)
    sides = [lengths[first & side] for side in f.comparison.sides]
    piled = list(_piled_up(*sides))
    if piled or any(lengths_differ(f)):
        yield from piled
        return  # sides of different lengths differ at their long ends too
    shift = difference_of_means(f.comparison, np.log1p(lengths)).value
    alike = (1 + lengths) * np.exp(-shift * f.comparison.suspect)
    for rule in (_run_of_longest, _long_rows_rare):
        found = rule(f, first, lengths)
        if found and rule(f, first, alike):
            yield found
            return


def _fisher(own: Bools, other: Bools) -> float:
    """Fisher's exact p-value of the two shares."""
    return fisher_exact((int(own.sum()), int(other.sum())), (len(own), len(other)))


def _piled_up(suspect: Floats, reference: Floats) -> Iterator[Warning]:
    """Rows that were cut at a limit all have its length; where both sides end there, it is how the rows are made.

    A shorter side is told also where the longer one piles up at its own end: numbers in one form do, whole or cut.
    """
    for own, other, name in ((suspect, reference, "suspect"), (reference, suspect, "reference")):
        longest = own.max()
        if longest in (0, other.max()):
            continue
        at_end, there = own == longest, other == longest
        are_both = not _is_pile(at_end, other == other.max())
        share = float(at_end.mean())
        if _is_pile(at_end, there) and (not are_both or (longest < other.max() and share >= PILE_ALL)):
            why = (
                f"cut there or written in another form than the others, which end at {other.max():.0f}"
                if are_both
                else "cut there, unless a fixed form gives them that length"
            )
            message = (
                f"{share:.0%} of the {name} rows have exactly {longest:.0f} characters and none has more: they were "
                f"{why}; cut both sides alike"
            )
            yield Warning("lengths_cut", share, PILE_SHARE, message)
            return


def _is_pile(at_end: Bools, others: Bools) -> bool:
    """Whether many more of these rows than of the others are of one length; two sides and two lengths are looked at."""
    share, natural = float(at_end.mean()), float(others.mean())
    is_notable = share >= PILE_SHARE and share * (1 - natural) >= PILE_ODDS * natural * (1 - share)
    return is_notable and natural < share and 4 * _fisher(at_end, others) <= SURE


def _run_of_longest(f: Findings, first: Bools, lengths: Floats) -> Warning | None:
    """The longest rows of one side are longer than all of the other.

    Under the null the k longest of n rows are all from one side with a probability of its share of the rows to the k-th
    power, nearly; lengths that prompts of both sides share make such a run rarer.
    """
    sides = [lengths[first & side] for side in f.comparison.sides]
    for own, other, name in zip(sides, sides[::-1], ("suspect", "reference"), strict=True):
        beyond = int((other > own.max()).sum())
        run = np.arange(beyond)
        pvalue = 2 * float(np.prod((len(other) - run) / (len(own) + len(other) - run)))
        if beyond / len(other) >= LONG_SHARE and pvalue <= SURE:
            message = (
                f"this share of the other side's rows is longer than every {name} row ({own.max():.0f} characters): "
                f"{_missing(name)}"
            )
            return Warning("lengths_cut", beyond / len(other), LONG_SHARE, message)
    return None


def _long_rows_rare(f: Findings, first: Bools, lengths: Floats) -> Warning | None:
    """Some of the longest rows are missing where many are equally long, such as ten numbers of three digits.

    All rows of a group are looked at, and the error allows for their likeness.
    """
    long = lengths >= np.quantile(lengths, 1 - LONGEST)
    difference = difference_of_means(f.comparison, long.astype(np.float64))
    fewer, more = sorted(float(long[side].mean()) for side in f.comparison.sides)
    if abs(difference.value) < LONG_SHARE or fewer > more / 2 or difference.pvalue > SURE:
        return None
    name = "reference" if difference.value > 0 else "suspect"
    message = f"the longest rows of all are this much rarer among the {name} rows, at most half as frequent: "
    return Warning("lengths_cut", abs(difference.value), LONG_SHARE, message + _missing(name))


def _missing(name: str) -> str:
    return f"long {name} rows may have been cut or left out, or are shorter by nature; if cut, cut both sides alike"


def kinds_differ(f: Findings) -> Iterator[Warning]:
    """Numbers, code or worked answers are more of the rows of one side: the kind whose shares differ most."""
    kinds = kinds_of_rows(f.comparison.texts)
    said = one_row_a_group(f.comparison) & (kinds != ROW_KINDS.index("empty"))
    suspect, reference = (kinds[said & side] for side in f.comparison.sides)
    if not len(suspect) or not len(reference):
        return
    of_kind = {name: [side == ROW_KINDS.index(name) for side in (suspect, reference)] for name in _TOLD_KINDS}
    sure = {name: sides for name, sides in of_kind.items() if len(_TOLD_KINDS) * _fisher(*sides) <= SURE}
    shares = {name: [float(side.mean()) for side in sides] for name, sides in sure.items()}
    name = max(shares, key=lambda kind: abs(shares[kind][0] - shares[kind][1]), default=None)
    if name is not None and abs(shares[name][0] - shares[name][1]) >= KIND_SHARE:
        first, second = shares[name]
        message = (
            f"{_TOLD_KINDS[name]} are {first:.0%} of the suspect rows and {second:.0%} of the reference's: "
            "compare rows of one kind"
        )
        yield Warning("kinds_differ", abs(first - second), KIND_SHARE, message)


def rows_unused(f: Findings) -> Iterator[Warning]:
    used = f.comparison.design.used
    shares = [float((~used[side]).mean()) for side in f.comparison.sides]
    if max(shares) > UNUSED_SHARE:
        side = "suspect" if shares[0] >= shares[1] else "reference"
        remedy = (
            "answer the same prompts on both sides, as many times each"
            if f.comparison.design.paired is not None
            else "sample as many rows of every prompt"
            if f.comparison.design.has_prompts
            else "sample more rows of the smaller side"
        )
        message = f"this share of the {side} rows takes no part in the p-value: {remedy}"
        yield Warning("rows_unused", max(shares), UNUSED_SHARE, message)


def few_rows(f: Findings) -> Iterator[Warning]:
    design, group = f.comparison.design, f.comparison.group
    units = min(len(np.unique(group[design.used & side])) for side in f.comparison.sides)
    if units < FEW and f.test.pvalue > f.alpha:
        what = "prompts" if design.has_prompts else "rows"
        message = f"so few {what} a side that almost nothing could have been found: this says nothing; sample more"
        yield Warning("few_rows", float(units), FEW, message)


def size_ratio(f: Findings) -> Iterator[Warning]:
    sizes = sorted(len(corpus) for corpus in f.corpora)
    ratio = sizes[1] / sizes[0]
    if ratio >= SIZE_RATIO:
        message = "one side is this many times larger: power is that of the smaller"
        yield Warning("arm_sizes", ratio, SIZE_RATIO, message)


def duplicates(f: Findings) -> Iterator[Warning]:
    for side, corpus in zip(("suspect", "reference"), f.corpora, strict=True):
        repeated = len(corpus) - len(Counter(corpus.texts))
        share = repeated / len(corpus)
        if share >= DUPLICATE_SHARE:
            message = f"{side} rows repeat texts of their own side: copies made later are not new evidence"
            yield Warning("duplicates", share, DUPLICATE_SHARE, message)


def frequent_text(f: Findings) -> Iterator[Warning]:
    """A text that is frequent on both sides alike ("yes") is no copy."""
    found = f.copies
    if found is None or found.excess < FREQUENT_SHARE:
        return
    degrees = degrees_of_freedom(f.comparison.only(f.comparison.design.used))
    if found.frequent * Difference(found.deviation, 1.0, degrees).pvalue > SURE:
        return
    once = "too few rows are left for a test" if found.pvalue_once is None else f"p = {found.pvalue_once:.2g}"
    message = (
        f"one text makes up this much more of the {found.side} rows than of the other side's: copies made later are no "
        f"new evidence; with every text counted once: {once}"
    )
    yield Warning("frequent_text", found.excess, FREQUENT_SHARE, message)


def same_texts(f: Findings) -> Iterator[Warning]:
    suspect, reference = (corpus.texts for corpus in f.corpora)
    if len(suspect) == len(reference) and sorted(suspect) == sorted(reference):
        message = "both sides hold the same texts: was one file given twice, or a column that is not the answers?"
        yield Warning("same_texts", 1.0, SAME_SHARE, message)


def empty_rows(f: Findings) -> Iterator[Warning]:
    counts = [sum(not text.strip() for text in corpus.texts) for corpus in f.corpora]
    if any(counts):
        message = f"empty rows ({counts[0]} suspect, {counts[1]} reference): refusals or lost text may be what differs"
        yield Warning("empty_rows", float(sum(counts)), 0.0, message)


def systems_differ(f: Findings) -> Iterator[Warning]:
    systems = [Counter(corpus.systems) for corpus in f.corpora]
    if any(any(system is not None for system in side) for side in systems):
        distinct = set(systems[0]) | set(systems[1])
        if set(systems[0]) != set(systems[1]):
            message = "system messages differ between the sides (they never enter the comparison of texts or prompts)"
            yield Warning("system_messages", float(len(distinct)), 1.0, message)


def shards_skipped(f: Findings) -> Iterator[Warning]:
    if f.skipped_shards:
        message = f"files were left out, as asked for: {listed(f.skipped_shards)}"
        yield Warning("shards_skipped", float(len(f.skipped_shards)), 0.0, message)


def skipped(f: Findings) -> Iterator[Warning]:
    skipped = sum(corpus.skipped for corpus in f.corpora)
    if skipped:
        yield Warning("rows_skipped", float(skipped), 0.0, "bad rows were left out, as asked for")
