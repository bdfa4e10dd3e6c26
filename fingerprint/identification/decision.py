"""What is said of a suspect: how each candidate differs from the reference, and whether the likeliest is named."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from fingerprint.data.arrays import Floats
from fingerprint.identification.calibration import Panel
from fingerprint.identification.goodness_of_fit import PLACEBO
from fingerprint.identification.result import Ranked
from fingerprint.identification.scoring import Rows
from fingerprint.report import formatting as wording
from fingerprint.statistics.comparison import pair
from fingerprint.statistics.permutation import Relabellings, permutation_test

# A candidate is named when it is likelier than all else together.
LEAST_POSTERIOR = 0.5
# ... and not when the suspect is as unlike the candidate's own rows as only 1 in 100 of its corpora is.
LEAST_FIT = 0.01


def _tests(panel: Panel, suspect: Rows, n_permutations: int, rng: int) -> dict[int, tuple[float, float]]:
    """Standardised contrast and max-T p-value of each candidate's share, suspect against reference, by its column.

    A row's share is the candidate's in the likelihood of itself and the base: for a ratio near 1 a straight line in the
    log-likelihood ratio, the best score for telling the two apart, and bounded, so that no row outweighs the rest.
    Scores centred over candidates would ask as well which of them it is: where candidates resemble one another, as
    prompts do, next to nothing is left of them, and which one it is, is for the posterior to say. The same relabellings
    serve all candidates. Exact if, with one writer, the two rows of a prompt are exchangeable (shared prompts), or the
    prompts are.
    """
    comparison = pair(suspect.corpus, panel.reference.corpus, seed=rng)
    place = np.where(comparison.suspect, 0, len(suspect.corpus)) + comparison.origin
    shares = expit(np.concatenate([suspect.evidence, panel.reference.evidence]))[place]
    units = comparison.units(sp.csr_matrix(shares))
    relabellings = Relabellings.draw(comparison.design, n_permutations, np.random.default_rng([rng, 14]))
    wanted = {str(w.column): units[:, w.column].astype(np.float64) for w in panel.writers if w.is_candidate}
    test = permutation_test({}, relabellings, wanted)
    adjusted = test.adjusted()
    return {
        int(name): (float(test.signed[name].statistics[0]), adjusted[name]) if name in adjusted else (0.0, 1.0)
        for name in wanted
    }


def _placebo_bound(panel: Panel, evidence: Floats, first: Ranked) -> tuple[str, float]:
    """The likeliest placebo, and how probable it is at most that any candidate is so far ahead of it on its own rows.

    What conditionings have in common sets placebos apart from the reference, too, and a posterior of one half is no
    error rate. A likelihood ratio against the true writer has mean 1, so that its maximum over m candidates is above
    m / alpha with probability alpha at most (Markov's inequality); the ratio is tempered as the posterior is. With
    corpora, whose ratios are a detector's, this is as good as the detector's calibration.
    """
    placebos = [w for w in panel.writers if w.form == PLACEBO]
    if not placebos:
        return "", 0.0
    column = next(w.column for w in panel.writers if (w.name, w.form) == (first.candidate, first.form))
    nearest = max(placebos, key=lambda w: float(evidence[w.column]))
    lead = float(evidence[column] - evidence[nearest.column]) / panel.temperature
    m = sum(w.is_candidate for w in panel.writers)
    return nearest.name, min(1.0, m * float(np.exp(-max(lead, 0.0))))


def _why_not(first: Ranked, alpha: float, none: float, rival: str, bound: float) -> str | None:
    """What speaks against naming the likeliest candidate, if anything does."""
    if first.pvalue > alpha:
        return f"no candidate's score differs from the reference's (smallest p {wording.probability(first.pvalue)})"
    if first.fit_pvalue < LEAST_FIT:
        return f"the likeliest, {first.candidate}, does not write like this (p of fit {first.fit_pvalue:.2g})"
    if none >= LEAST_POSTERIOR:
        return f"none of them has posterior {none:.3f}"
    if first.posterior < LEAST_POSTERIOR:
        return f"the likeliest, {first.candidate}, has posterior {first.posterior:.3f}, under {LEAST_POSTERIOR:g}"
    if bound > alpha:
        return f"the likeliest, {first.candidate}, is not far enough ahead of {rival} (p at most {bound:.2g})"
    return None


def _verdict(first: Ranked, why: str | None) -> str:
    if why is None:
        return (
            f"{first.candidate} ({first.form}) wrote the suspect: posterior {first.posterior:.3f} among the candidates "
            f"and none of them, p against the reference {wording.probability(first.pvalue)}. Rivals: a teacher that is "
            "not listed and writes as this one does; rows that were filtered or sampled in another way."
        )
    return (
        f"No candidate is named: {why}. A teacher of the same trait with another seed, recipe or wording is another "
        "writer; this does not say that the suspect carries no trait."
    )
