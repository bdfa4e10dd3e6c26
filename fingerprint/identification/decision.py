"""What is said of a suspect: how each candidate differs from the reference, and whether the likeliest is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from fingerprint.data.arrays import Floats
from fingerprint.data.pairing import n_prompts
from fingerprint.identification.calibration import Calibration
from fingerprint.identification.candidates import UNLISTED
from fingerprint.identification.goodness_of_fit import PLACEBO, Writer
from fingerprint.identification.result import Identification, NoneOf, Ranked
from fingerprint.identification.scoring import Rows
from fingerprint.report import formatting
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.permutation import Relabellings, permutation_test
from fingerprint.statistics.streams import IdentificationStream, generator

# A candidate is named when it is likelier than all else together.
LEAST_POSTERIOR = 0.5
# ... and not when the suspect is as unlike the candidate's own rows as only 1 in 100 of its corpora is.
LEAST_FIT = 0.01


@dataclass(frozen=True)
class Presence:
    """Standardised contrast of a candidate's share, suspect against reference, and its p-value, adjusted by min-P."""

    score: float = 0.0
    pvalue: float = 1.0


def presence_of(calibration: Calibration, suspect: Rows, n_permutations: int, rng: int) -> dict[int, Presence]:
    """How each candidate's share in the suspect differs from that in the reference, by the candidate's column.

    A row's share is the candidate's in the likelihood of itself and the base: for a ratio near 1 a straight line in the
    log-likelihood ratio, the best score for telling the two apart, and bounded, so that no row outweighs the rest.
    Scores centred over candidates would ask as well which of them it is: where candidates resemble one another, as
    prompts do, next to nothing is left of them, and which one it is, is for the posterior to say. The same relabellings
    serve all candidates. Exact if, with one writer, the two rows of a prompt are exchangeable (shared prompts), or the
    prompts are.
    """
    comparison = pair(suspect.corpus, calibration.reference.corpus, seed=rng)
    place = np.where(comparison.suspect, 0, len(suspect.corpus)) + comparison.origin
    shares = expit(np.concatenate([suspect.evidence, calibration.reference.evidence]))[place]
    units = comparison.units(sp.csr_matrix(shares))
    draws = generator(rng, IdentificationStream.PERMUTATIONS)
    relabellings = Relabellings.draw(comparison.design, n_permutations, draws)
    wanted = {str(w.column): units[:, w.column].astype(np.float64) for w in calibration.writers if w.is_candidate}
    test = permutation_test({}, relabellings, wanted)
    adjusted = test.adjusted()
    return {
        int(name): Presence(float(test.signed[name].statistics[0]), adjusted[name]) if name in adjusted else Presence()
        for name in wanted
    }


def decide(
    calibration: Calibration,
    suspect: Rows,
    evidence: Floats,
    fit_pvalues: Floats,
    probability: Floats,
    presence: Mapping[int, Presence],
    alpha: float,
) -> Identification:
    """What comes out: everybody by posterior, and the likeliest candidate named, or why none is.

    Parameters
    ----------
    calibration : Calibration
    suspect : Rows
    evidence, fit_pvalues : float array [writers]
    probability : float array [1 + writers]
        Posterior, that of "unlisted" last.
    presence : mapping of column to Presence
    alpha : float
    """
    forms = _by_form(calibration.writers, fit_pvalues, probability, presence)
    ranking = _by_candidate(forms)
    nones = [NoneOf(w.name, float(probability[w.column])) for w in calibration.writers if not w.is_candidate]
    nones.append(NoneOf(UNLISTED, float(probability[-1])))
    first, none = ranking[0], sum(part.posterior for part in nones)
    why = _why_not(first, alpha, none, _nearest_placebo(calibration, evidence, first))
    is_named = why is None
    return Identification(
        title=suspect.corpus.name,
        verdict=_verdict(first, why),
        answer=first.candidate if is_named else None,
        form=first.form if is_named else None,
        alpha=alpha,
        none=none,
        ranking=ranking,
        forms=forms,
        nones=tuple(nones),
        temperature=calibration.temperature,
        rows=len(suspect.corpus),
        prompts=n_prompts(suspect.corpus),
        reference=calibration.anchor,
        warnings=(),
        settings={},
    )


def _by_form(
    writers: Sequence[Writer], fit_pvalues: Floats, probability: Floats, presence: Mapping[int, Presence]
) -> tuple[Ranked, ...]:
    found = []
    for w in writers:
        if w.is_candidate:
            here, fitting = presence[w.column], float(fit_pvalues[w.column])
            found.append(Ranked(w.name, w.form, float(probability[w.column]), here.score, here.pvalue, fitting))
    return tuple(sorted(found, key=lambda r: (-r.posterior, -r.score)))


def _by_candidate(forms: Sequence[Ranked]) -> tuple[Ranked, ...]:
    """The likeliest form of each candidate, with the posterior of all its forms."""
    best: dict[str, Ranked] = {}
    for record in forms:
        best.setdefault(record.candidate, record)
    totals = {name: sum(r.posterior for r in forms if r.candidate == name) for name in best}
    return tuple(replace(best[name], posterior=totals[name]) for name in sorted(best, key=lambda n: -totals[n]))


@dataclass(frozen=True)
class _Rival:
    """A placebo, and how probable it is at most that any candidate is so far ahead of it on its own rows."""

    name: str = ""
    bound: float = 0.0


def _nearest_placebo(calibration: Calibration, evidence: Floats, first: Ranked) -> _Rival:
    """The likeliest placebo.

    What conditionings have in common sets placebos apart from the reference, too, and a posterior of one half is no
    error rate. A likelihood ratio against the true writer has mean 1, so that its maximum over m candidates is above
    m / alpha with probability alpha at most (Markov's inequality); the ratio is tempered as the posterior is. With
    corpora, whose ratios are a detector's, this is as good as the detector's calibration.
    """
    placebos = [w for w in calibration.writers if w.form == PLACEBO]
    if not placebos:
        return _Rival()
    column = next(w.column for w in calibration.writers if (w.name, w.form) == (first.candidate, first.form))
    nearest = max(placebos, key=lambda w: float(evidence[w.column]))
    lead = float(evidence[column] - evidence[nearest.column]) / calibration.temperature
    m = sum(w.is_candidate for w in calibration.writers)
    return _Rival(nearest.name, min(1.0, m * float(np.exp(-max(lead, 0.0)))))


def _why_not(first: Ranked, alpha: float, none: float, rival: _Rival) -> str | None:
    """What speaks against naming the likeliest candidate, if anything does."""
    if first.pvalue > alpha:
        return f"no candidate's score differs from the reference's (smallest p {formatting.probability(first.pvalue)})"
    if first.fit_pvalue < LEAST_FIT:
        return f"the likeliest, {first.candidate}, does not write like this (p of fit {first.fit_pvalue:.2g})"
    if none >= LEAST_POSTERIOR:
        return f"none of them has posterior {none:.3f}"
    if first.posterior < LEAST_POSTERIOR:
        return f"the likeliest, {first.candidate}, has posterior {first.posterior:.3f}, under {LEAST_POSTERIOR:g}"
    if rival.bound > alpha:
        behind = f"not far enough ahead of {rival.name} (p at most {rival.bound:.2g})"
        return f"the likeliest, {first.candidate}, is {behind}"
    return None


def _verdict(first: Ranked, why: str | None) -> str:
    if why is None:
        return (
            f"{first.candidate} ({first.form}) wrote the suspect: posterior {first.posterior:.3f} among the candidates "
            f"and none of them, p against the reference {formatting.probability(first.pvalue)}. Rivals: a teacher that "
            "is not listed and writes as this one does; rows that were filtered or sampled in another way."
        )
    return (
        f"No candidate is named: {why}. A teacher of the same trait with another seed, recipe or wording is another "
        "writer; this does not say that the suspect carries no trait."
    )
