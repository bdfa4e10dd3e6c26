"""`detect_labels`: a judge's choices in, one calibrated result out. Read top to bottom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from fingerprint.data.arrays import Ints
from fingerprint.data.choices import read_choices
from fingerprint.data.row_reader import BadRows
from fingerprint.detection.feature_differences import Compared, feature_differences
from fingerprint.features import choose, data_kind
from fingerprint.features.compiled import own_threads
from fingerprint.features.scaling import FamilyMatrix
from fingerprint.preferences.contrasts import Contrasts, contrasts
from fingerprint.preferences.directions import cosine_with_own, foretold, rates
from fingerprint.preferences.exact_test import LENGTH, POSITION, ChoiceTest, Sides, pairs_pvalue, permuted
from fingerprint.preferences.pairs import JudgedPairs, matched
from fingerprint.preferences.power import pairs_needed, planted_powers
from fingerprint.preferences.result import Bias, ChoiceFamily, LabelsResult
from fingerprint.preferences.verdict import FEATURES, assumption, verdict
from fingerprint.report.provenance import provenance
from fingerprint.report.results import FeatureDifference, Warning
from fingerprint.report.title import title_of
from fingerprint.statistics.comparison import Comparison
from fingerprint.statistics.permutation import PermutationTest
from fingerprint.statistics.streams import LabelsStream, generator

# Where length or position differs, what is claimed beyond them has to reach this share of alpha: taking them out is
# exact where the judges are alike, and near where they are not. With the whole of alpha, one honest judge in twenty
# that likes long texts would be called more than that.
STRICTER = 0.2
# Pairs that one side alone judged are taken for different below this; as for prompts in `detect`, rarely by chance.
PAIRS_ALPHA = 0.01
# Share of the texts of pairs without prompts that stand in another pair too: halfway to where pairs are no evidence by
# themselves; pairs made for a comparison share none.
SHARED_TEXTS = 0.05
# Cosine from which the judges differ by what the reference prefers itself: -1 where the suspect is the reference with
# noise, 0 where it prefers something else; midway on the scale of squares.
OWN_PREFERENCE = 0.7
SHOWN_FEATURES = 30


def detect_labels(
    suspect: object,
    reference: object = None,
    *,
    prompt: str | Literal[False] | None = None,
    features: object = "auto",
    other_pairs: bool = False,
    alpha: float = 0.05,
    n_permutations: int = 9999,
    rng: int = 0,
    bad_rows: BadRows = "error",
    title: str | None = None,
) -> LabelsResult:
    """Do a judge's choices differ from a reference judge's, in what the texts say beyond length and position?

    Preference labels can carry a trait although every text is neutral: the judge picks, and a student trained on what
    it picked takes the trait up.

    Parameters
    ----------
    suspect : path, glob, list of dicts, frame, or Hugging Face Dataset
        Pairs of texts with the choices of the judge under suspicion: TRL's `chosen` and `rejected`, or two texts and
        which was chosen; see `fingerprint.data.choices.read_choices`.
    reference : the same, optional
        The same pairs labelled by a judge without the trait, best its base model, asked in the same way. Pairs are
        matched by prompt and texts, in whatever order. Without it, the choices are held against coin flips: what is
        found then is a preference, which every judge has.
    prompt : str, optional
        Column of the prompt, where it has none of the usual names. ``prompt=False`` ignores the prompts.
    features : "auto", family names, or scikit-learn transformers
        Feature families; see `fingerprint.features`.
    other_pairs : bool
        Compare pairs that one side alone judged too, side by side: valid if the pairs of both sides were drawn alike.
        By default they are counted and left out.
    alpha : float
        Level of the test, in (0, 1).
    n_permutations : int
        Relabellings drawn; the smallest possible p-value is 1 / (n_permutations + 1).
    rng : int
        Seed.
    bad_rows : {"error", "skip"}
        What to do with a row that cannot be used.
    title : str, optional
        What to call the comparison on the screen and in JSON; by default the names of the files.

    Returns
    -------
    LabelsResult

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        For bad input, naming the argument or the file and line, and the remedy; where too few pairs are shared.

    Notes
    -----
    The p-value is exact: P(p <= alpha) <= alpha at any sample size, if under the null the choices of the two judges are
    exchangeable, prompt by prompt. Only pairs on which they disagree count.

    An honest judge that likes long answers, or the one it saw first, is named as such: length and order are tested by
    themselves, and all that they tell of a contrast is taken out of it before the features are tested.

    Detectable is not harmful, and not detected is not clean: see the power beside the verdict.

    Examples
    --------
    >>> import random
    >>> from fingerprint.preferences.detect_labels import detect_labels
    >>> draw = random.Random(0)
    >>> rows = [[" ".join(str(draw.randrange(10, 100)) for _ in range(6)) for _ in range(2)] for _ in range(300)]
    >>> def judged(prefers):
    ...     keys = ("response_a", "response_b")
    ...     return [dict(zip(keys, pair), winner="a" if prefers(pair) else "b") for pair in rows]
    >>> def likes_seven(pair):
    ...     first, second = (text.count("7") + draw.random() for text in pair)
    ...     return first > second
    >>> result = detect_labels(judged(likes_seven), judged(lambda pair: draw.random() < 0.5))
    >>> result.detected, result.differs_by
    (True, ('features',))
    """
    _check(alpha, n_permutations)
    named = title_of(title, suspect, reference)
    column = None if prompt is False else prompt
    sides = [
        read_choices(data, prompt=column, bad_rows=bad_rows, argument=name)
        for data, name in ((suspect, "suspect"), (reference, "reference"))
        if data is not None or name == "suspect"
    ]
    other = sides[1] if reference is not None else None
    pairs = matched(sides[0], other, use_prompts=prompt is not False, other_pairs=other_pairs)
    if not other_pairs:
        _check_shared(pairs)
        pairs = pairs.only(pairs.shared)
    with own_threads():
        found = _result(pairs, features, alpha, n_permutations, rng, named)
    inputs = {name: side.record() for name, side in zip(("suspect", "reference"), sides, strict=False)}
    asked = {"alpha": alpha, "n_permutations": n_permutations, "other_pairs": other_pairs, "bad_rows": bad_rows}
    return replace(found, settings=provenance(rng, inputs, asked))


def _check(alpha: float, n_permutations: int) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}; .05 is usual")
    least = max(99, int(np.ceil(round(1 / (alpha * STRICTER), 6))) - 1)
    if n_permutations < least:
        raise ValueError(
            f"n_permutations must be at least {least:,} to reach alpha = {alpha:g}, and the fifth of it that counts "
            f"where length or position differ, got {n_permutations}; 9999 is usual"
        )


def _check_shared(pairs: JudgedPairs) -> None:
    counts = pairs.counts
    if counts.shared == 0:
        raise ValueError(
            f"reference must hold the pairs of the suspect, got none of its {counts.suspect:,} among "
            f"{counts.reference:,}; have the reference judge label the same pairs (same prompts, same texts), or pass "
            "other_pairs=True if the pairs of both sides were drawn alike"
        )


def _result(
    pairs: JudgedPairs, features: object, alpha: float, n_permutations: int, rng: int, title: str
) -> LabelsResult:
    """Contrasts, the exact test, and what a reader is told of it."""
    texts = [*pairs.texts[0], *pairs.texts[1]]
    families = choose(features, texts)
    sides = Sides.of(pairs)
    if sides.design.distinct_relabellings * alpha < 1:
        raise ValueError(
            f"alpha must be reached by at least one relabelling, got {alpha:g} with {sides.design.n_blocks} prompts "
            "(or pairs without prompts) in common; label more"
        )
    weights = {name: family.weight_on(data_kind(texts)) for name, family in families.items()}
    found = contrasts(pairs, families)
    test = permuted(pairs, found, sides, weights, n_permutations, generator(rng, LabelsStream.PERMUTATIONS))
    others = not sides.design.is_paired
    draw = generator(rng, LabelsStream.OTHER_PAIRS)
    content = pairs_pvalue(found, sides, weights, n_permutations, draw) if others else None
    differ = content is not None and content <= PAIRS_ALPHA
    adjusted = test.biases.adjusted()
    biased = tuple(name for name in (LENGTH, POSITION) if adjusted.get(name, 1.0) <= alpha)
    level = alpha * (STRICTER if biased else 1.0)
    is_found = test.beyond.pvalue <= level
    differs_by = (*([FEATURES] if is_found else []), *biased)
    planted = planted_powers(found, test, weights, level, generator(rng, LabelsStream.PLANTED))
    has_reference = not pairs.is_alone
    return LabelsResult(
        title=title,
        verdict=verdict(
            differs_by=differs_by,
            pvalue=test.beyond.pvalue,
            level=level,
            powers=planted,
            has_reference=has_reference,
            disagreements=pairs.counts.disagreements if sides.design.is_paired else 1,
            pairs_pvalue=content if differ else None,
        ),
        detected=is_found and has_reference and not differ,
        differs_by=differs_by,
        pvalue=test.beyond.pvalue,
        pvalue_all=test.pvalue_all,
        alpha=alpha,
        level=level,
        has_reference=has_reference,
        agreement=1 - pairs.counts.disagreements / max(pairs.counts.shared, 1) if has_reference else None,
        foretold=foretold(pairs, found, test),
        biases=tuple(_biases(pairs, found, adjusted)),
        families=tuple(_families(test.beyond, found)),
        features=_differences(pairs, found, test),
        planted=planted,
        needed=pairs_needed(test, level) if is_found else (),
        pairs=pairs.counts,
        pairs_pvalue=content,
        warnings=tuple(_warnings(pairs, found, test, level, is_found and has_reference)),
        assumption=assumption(has_reference=has_reference, others=others, has_prompts=bool(pairs.has_prompt.all())),
        settings={},
    )


def _biases(pairs: JudgedPairs, found: Contrasts, adjusted: dict[str, float]) -> Iterator[Bias]:
    by_length, by_position = rates(pairs, found.length[:, 0])
    for name, both in ((LENGTH, by_length), (POSITION, by_position)):
        known = [float(rate) if np.isfinite(rate) else None for rate in both]
        if name == LENGTH or None not in known:
            yield Bias(name, known[0], None if pairs.is_alone else known[1], adjusted.get(name))


def _families(test: PermutationTest, found: Contrasts) -> Iterator[ChoiceFamily]:
    adjusted = test.adjusted()
    for name, matrix in found.matrices.items():
        statistics = test.parts.get(name)
        observed = None if statistics is None else float(statistics[0])
        yield ChoiceFamily(name, matrix.n_columns, observed, adjusted.get(name))


def _differences(pairs: JudgedPairs, found: Contrasts, test: ChoiceTest) -> tuple[FeatureDifference, ...]:
    """What the texts that the suspect chose have more or less of than those that the reference chose."""
    sides, n = test.sides, len(pairs.group)
    chosen = np.where(sides.choice >= 0, sides.pair, sides.pair + n)
    comparison = Comparison(
        texts=[pairs.texts[row // n][row % n] for row in chosen.tolist()],
        suspect=sides.suspect,
        origin=sides.pair,
        group=sides.design.group,
        design=sides.design,
        prompts=(set(), set()),
    )
    matrices = {name: _rows_of(matrix, chosen) for name, matrix in found.matrices.items()}
    return feature_differences(Compared(comparison, matrices, test.units, test.beyond))[:SHOWN_FEATURES]


def _rows_of(matrix: FamilyMatrix, rows: Ints) -> FamilyMatrix:
    return replace(matrix, values=matrix.values[rows])


def _warnings(
    pairs: JudgedPairs, found: Contrasts, test: ChoiceTest, level: float, is_detected: bool
) -> Iterator[Warning]:
    """What a reader must know."""
    differing = len(np.unique(pairs.group[pairs.turns != 0]))
    least = 2.0 ** (1 - differing)  # exchanging the judges for each of so many prompts, two relabellings always alike
    if pairs.shared.all() and differing and least > level:
        yield Warning(
            "level_out_of_reach",
            least,
            level,
            f"no p-value below this can come of the {differing} prompts (or pairs without prompts) whose choices "
            "differ, and the features have to reach the level: label more pairs",
        )
    if not pairs.has_prompt.any():
        texts = [*pairs.texts[0], *pairs.texts[1]]
        share = 1 - len(set(texts)) / len(texts)
        if share >= SHARED_TEXTS:
            yield Warning(
                "texts_in_many_pairs",
                share,
                SHARED_TEXTS,
                "this share of the texts stands in another pair too, and pairs without prompts count as independent: "
                "give the prompts, or use each text once",
            )
    cosine = cosine_with_own(pairs, found, test) if is_detected else None
    if cosine is not None and abs(cosine) >= OWN_PREFERENCE:
        how = "less" if cosine < 0 else "more"
        yield Warning(
            "own_preference",
            cosine,
            OWN_PREFERENCE,
            f"the suspect differs by following the reference's own preference {how}, as a judge with "
            f"{'more' if cosine < 0 else 'less'} noise does: sample both judges at the same temperature",
        )
