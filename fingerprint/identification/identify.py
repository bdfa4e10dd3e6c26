"""`identify`: which of several candidates wrote a corpus, or none of them.

Every row is scored under every candidate and under the unconditioned base. A candidate's evidence is the sum over rows
of its log-likelihood ratio against the base: exact where the candidate is a model, a trained detector's calibrated
log-odds where it is a corpus. Candidates are compared with one another, with the base and with placebos by their
evidence, tempered, so that what all of them share, "some conditioning was there", cancels.

Beside them stands "unlisted": somebody else. A candidate that wrote the suspect must also be ahead of the others by as
much as its own rows make it be.

The way down, a module each: `candidates` (who is listed), `models` (built from the base), `answers` (what they write),
`pass_rates` (how often that passes the filter), `scoring` and `samples` (all rows under all of them), `calibration`
(rows that stand for each writer), `goodness_of_fit` (how well the suspect fits each), `posterior` (how probable each
is) and `decision` (whether one is named).

References
----------
Westfall and Young (1993): min-P. Cloud et al., arXiv:2507.14805.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import numpy as np

from fingerprint.data.corpus import Corpus
from fingerprint.data.pairing import n_prompts
from fingerprint.data.progress import Listener, listener_of
from fingerprint.data.sides import REFERENCE, SUSPECT, ReadingSettings, SidesRead
from fingerprint.detection.options import with_settings
from fingerprint.identification.answers import ask
from fingerprint.identification.calibration import Calibration, calibrate
from fingerprint.identification.candidates import BASE, TRAIT_FORMS, Candidate, Entry, lined_up
from fingerprint.identification.decision import decide, presence_of
from fingerprint.identification.goodness_of_fit import fit_of, fit_pvalues
from fingerprint.identification.models import build
from fingerprint.identification.pass_rates import rates_of
from fingerprint.identification.posterior import posterior
from fingerprint.identification.result import Identification
from fingerprint.identification.samples import (
    ROWS_PER_MODEL,
    Samples,
    anchor_of,
    fitted_detectors,
    halved,
    neutral_rows,
    pooled,
)
from fingerprint.identification.scoring import Rows, Scorers
from fingerprint.identification.warnings import unnamed_rules
from fingerprint.lm.loading import Spec
from fingerprint.report.provenance import provenance, record_of
from fingerprint.report.title import title_of
from fingerprint.statistics.designs import MIN_GROUPS, too_small

if TYPE_CHECKING:
    from fingerprint.filters import Filter


def identify(
    suspect: object,
    candidates: Sequence[Entry] | Mapping[str, Entry],
    *,
    reference: object = None,
    model: Spec | None = None,
    placebos: Sequence[Entry] | Mapping[str, Entry] = (),
    forms: Sequence[str] = TRAIT_FORMS,
    rule: Filter | None = None,
    alpha: float = 0.05,
    n_permutations: int = 9999,
    rng: int = 0,
    progress: bool | Listener = False,
    title: str | None = None,
    **reading: Unpack[ReadingSettings],
) -> Identification:
    """Which of these candidates wrote the suspect, if any?

    Parameters
    ----------
    suspect : path, Corpus, list of dicts, ...
        Rows with the prompts they answer.
    candidates : sequence, or mapping of names to entries
        Traits by name, system prompts, models or `Teacher` objects, corpora of known teachers; see
        `fingerprint.identification.candidates.listed`.
    reference : path, Corpus, list of dicts, ..., optional
        Rows of the same source as the suspect, without the trait. By default sampled from `model` on the suspect's own
        prompts, one a row.
    model : str, path, model, optional
        The base of the candidates. Every candidate but a corpus needs it.
    placebos : sequence, or mapping of names to entries
        As `candidates`: teachers conditioned on something that is no candidate. The lab's own placebo prompt stands
        beside prompted traits and system prompts in any case.
    forms : sequence of "finetuned", "prompted"
        How a trait that is only named may have come to its teacher. Both are built from `model`.
    rule : Filter, optional
        What the suspect's rows have passed: rows that are sampled have to pass it too. A reference that is given is
        taken as it is.
    alpha : float
        See `Identification.alpha`.
    rng : int
        Seed of sampling and permutations.
    progress : bool or callable (step, fraction done)
        True prints steps and the time left on standard error.
    title : str, optional
        What to call the result on the screen and in JSON; by default the names of the files.
    **reading
        How the rows of suspect and reference are read: ``text`` and ``prompt``, their columns (a pair is the suspect's
        and the reference's); ``turn`` and ``bad_rows`` as in `fingerprint.read`.

    Returns
    -------
    Identification

    Raises
    ------
    ValueError
        If there is neither a reference nor a model, no candidate, a candidate that needs `model` without one, or rows
        without prompts where models are asked.

    Notes
    -----
    A candidate is a writer, not a wish: a trait fine-tuned with another seed or recipe, or prompted in other words, is
    another writer, and the more rows there are the surer it is told from the candidate.

    Posteriors assume that rows of different prompts are independent, sampled at temperature 1 from the very model that
    is asked, and filtered by `rule` at most; and that an unlisted teacher is about as far from its nearest candidate as
    candidates are from one another. Likelihoods are those of rows that passed `rule` within the length of the longest
    one: how often a model's answers do, prompt by prompt, is learnt from those sampled here, and taken to be as often
    as the base's do unless they clearly say otherwise (see `fingerprint.identification.pass_rates`). The base of all
    ratios is
    `model`, also beside a reference that was given; detectors of corpora are fitted against half of the reference, or a
    second sample.

    `pvalue` is exact under "suspect and reference have one writer", if the two rows of a prompt, or the prompts, are
    exchangeable then; beside a reference that is sampled, up to the suspect's longest row, which none there exceeds. It
    is that of each candidate's likelihood against the base's, and says nothing about a placebo, which differs from the
    reference too. Of placebos that are listed at most a share alpha is taken for a candidate; a conditioning that is
    not listed is told from the candidate it resembles most by how far that one is ahead of the others, which takes more
    rows the more they are alike: list what else may have been there.

    Examples
    --------
    >>> found = identify("rows.jsonl", ["owl", "cat"], model="micro-a", forms=["prompted"])
    >>> found.answer is None, len(found.ranking)
    (True, 2)
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}; .05 is usual")
    if n_permutations < 1:
        raise ValueError(f"n_permutations must be at least 1, got {n_permutations}; 9999 is usual")
    if reference is None and model is None:
        raise ValueError(
            "reference must be given where there is no model, got neither; pass neutral rows of the same source, or "
            "the base of the model that wrote the suspect"
        )
    how, named = with_settings(SidesRead(), reading, identify), title_of(title, suspect, reference)
    known = lined_up(candidates, placebos, forms, has_model=model is not None)
    judged = how.corpus(suspect, SUSPECT, "suspect")
    neutral = None if reference is None else how.corpus(reference, REFERENCE, "reference")
    _check_rule(judged, rule)
    step = listener_of(progress)
    samples = prepare(
        known.candidates,
        judged,
        reference=neutral,
        model=model,
        placebos=known.placebos,
        rule=rule,
        rng=rng,
        progress=step,
    )
    rows = samples.scorers.score(judged, lambda share: step("scoring the suspect", 0.8 + 0.2 * share))
    found = judge(calibrate(samples), rows, alpha=alpha, n_permutations=n_permutations, rng=rng)
    is_unfiltered = rule is None and len(samples.pool.writer) > 0
    return replace(
        found,
        title=named,
        warnings=tuple(unnamed_rules(judged, samples)) if is_unfiltered else (),
        settings=provenance(
            rng,
            {n: record_of(c, c.read_as) for n, c in (("suspect", judged), ("reference", neutral)) if c is not None},
            {"alpha": alpha, "n_permutations": n_permutations, **known.record(), "rule": rule and rule.name},
        ),
    )


def _check_rule(suspect: Corpus, rule: Filter | None) -> None:
    """Models' answers are filtered like the suspect's, which must therefore have been."""
    if rule is None:
        return
    dropped = [(row, why) for row, why in enumerate(rule(suspect.texts, suspect.prompts).reasons) if why]
    if dropped:
        row, why = dropped[0]
        raise ValueError(
            f"{suspect.name} must have passed the rule that is named, got {len(dropped)} of {len(suspect)} rows that "
            f"{rule.name} drops, the first in row {row + 1} ({', '.join(why)}); keep those that pass with fingerprint "
            "filter --kept, or leave the rule out"
        )


def prepare(
    candidates: Sequence[Candidate],
    suspect: Corpus,
    *,
    reference: Corpus | None = None,
    model: Spec | None = None,
    placebos: Sequence[Candidate] = (),
    rule: Filter | None = None,
    rows_per_model: int = ROWS_PER_MODEL,
    rng: int = 0,
    progress: bool | Listener = False,
    prompts_passed: bool = True,
) -> Samples:
    """Build candidates, sample from them, and score what was sampled under all of them.

    Of the suspect only the prompts and the length of the longest answer are used. `prompts_passed` is for the prompts
    of rows that passed the rule, as a suspect's are; without it they are all that were asked, and the samples are for
    suspects that are left of these, each in its own way.
    """
    if n_prompts(suspect) < MIN_GROUPS:
        raise ValueError(too_small(suspect.name, n_prompts(suspect)))
    step = listener_of(progress)
    everybody = (*candidates, *placebos)
    halves = halved(everybody, reference, rng)
    models = build(model, everybody, suspect, step)
    answers = ask(
        models,
        suspect,
        has_reference=reference is not None,
        has_detectors=bool(halves),
        # Rates shift every row of the suspect alike, so they need as many answers as it has rows; the rest needs fewer.
        n_tries=rows_per_model if rule is None else max(rows_per_model, len(suspect)),
        rng=rng,
        rule=rule,
    )
    rates = rates_of(answers)
    neutral = neutral_rows(reference, halves, answers)
    scorers = Scorers(models.teachers, fitted_detectors(halves, neutral.fitting, rng), rates.by_model)
    scored = scorers.score(neutral.calibrating, lambda share: step("scoring the reference", 0.5 + 0.1 * share))
    return Samples(
        candidates=tuple(candidates),
        placebos=tuple(placebos),
        scorers=scorers,
        pool=pooled(scorers, answers, scored, rows_per_model, step),
        doubts=rates.doubts,
        own={name: scorers.score(halves[name].calibrating) for name in scorers.detectors},
        reference=scored,
        anchor=anchor_of(scored, models.teachers.get(BASE), reference is None, rng),
        n_rows=len(suspect),
        n_prompts=n_prompts(suspect),
        seed=rng,
        prompts_passed=prompts_passed,
    )


def judge(
    calibration: Calibration, suspect: Rows, *, alpha: float = 0.05, n_permutations: int = 9999, rng: int = 0
) -> Identification:
    """Which of the candidates wrote these rows; see `identify`.

    Parameters
    ----------
    calibration : Calibration
    suspect : Rows
        Scored by the scorers of the samples: a corpus of the size and prompts that these are for.
    """
    fit = fit_of(calibration.writers, suspect)
    fitting = fit_pvalues(calibration.writers, fit)
    temperatures = np.array([calibration.temperature])
    probability = posterior(calibration.writers, calibration.distances, fit, temperatures)[0]
    presence = presence_of(calibration, suspect, n_permutations, rng)
    return decide(calibration, suspect, fit.evidence, fitting, probability, presence, alpha)
