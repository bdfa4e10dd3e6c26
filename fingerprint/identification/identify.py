"""`identify`: which of several candidates wrote a corpus, or none of them.

Every row is scored under every candidate and under the unconditioned base. A candidate's evidence is the sum over rows
of its log-likelihood ratio against the base: exact where the candidate is a model, a trained detector's calibrated
log-odds where it is a corpus. Candidates are compared with one another, with the base and with placebos by their
evidence, tempered, so that what all of them share, "some conditioning was there", cancels.

Beside them stands "unlisted": somebody else. A candidate that wrote the suspect must also be ahead of the others by as
much as its own rows make it be.

The way down: `panel` (everything a suspect is judged by) from `sampling` (what models answer), `posterior` (how
probable each writer is) and `writers` (how well rows fit each); `identification_report` is what comes out.

References
----------
Westfall and Young (1993): max-T. Cloud et al., arXiv:2507.14805.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.data.corpus import Corpus
from fingerprint.data.pairing import n_prompts
from fingerprint.data.reading import BadRows, as_corpus
from fingerprint.identification.calibration import Panel, prepare
from fingerprint.identification.candidates import TRAIT_FORMS, UNLISTED, Progress, listed
from fingerprint.identification.decision import _placebo_bound, _tests, _verdict, _why_not
from fingerprint.identification.goodness_of_fit import fit, fit_pvalue, surprise
from fingerprint.identification.posterior import posterior
from fingerprint.identification.result import Identification, NoneOf, Ranked
from fingerprint.identification.scoring import Rows

if TYPE_CHECKING:
    from fingerprint.filters import Filter


def identify(
    suspect: Any,
    candidates: Sequence[Any] | Mapping[str, Any],
    *,
    reference: Any = None,
    model: Any = None,
    placebos: Sequence[Any] | Mapping[str, Any] = (),
    forms: Sequence[str] = TRAIT_FORMS,
    rule: Filter | None = None,
    text: str | None = None,
    prompt: str | None = None,
    bad_rows: BadRows = "error",
    alpha: float = 0.05,
    n_permutations: int = 9999,
    rng: int = 0,
    progress: Progress | None = None,
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
    text, prompt : str, optional
        Columns of the suspect and of the reference.
    bad_rows : "error" or "skip"
        What to do with their rows that cannot be read: see `fingerprint.read`.
    alpha : float
        See `Identification.alpha`.
    rng : int
        Seed of sampling and permutations.

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
    >>> found = identify("rows.jsonl", ["owl", "cat", "dog"], model="micro-a")      # doctest: +SKIP
    >>> found.answer, found.form, found.ranking[0].posterior                         # doctest: +SKIP
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
    chosen = listed(candidates, forms, "candidates")
    if not chosen:
        raise ValueError("candidates must be at least one, got none; name a trait, a prompt, a teacher or a corpus")
    others = tuple(replace(c, name=f"placebo {c.name}") for c in listed(placebos, forms, "placebos"))
    if model is None and (asking := next((c for c in (*chosen, *others) if c.form != "corpus"), None)):
        raise ValueError(
            f"model must be given for candidates that are models, got none for {asking.name!r} ({asking.form}); pass "
            "the unconditioned base"
        )
    judged = as_corpus(suspect, text=text, prompt=prompt, bad_rows=bad_rows, argument="suspect")
    anchor = None
    if reference is not None:
        anchor = as_corpus(reference, text=text, prompt=prompt, bad_rows=bad_rows, argument="reference")
    _check_rule(judged, rule)
    step = progress or (lambda name, share: None)
    panel = prepare(chosen, judged, reference=anchor, model=model, placebos=others, rule=rule, rng=rng, progress=step)
    rows = panel.scorers.score(judged, lambda share: step("scoring the suspect", 0.8 + 0.2 * share))
    return judge(panel, rows, alpha=alpha, n_permutations=n_permutations, rng=rng)


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


def judge(
    panel: Panel, suspect: Rows, *, alpha: float = 0.05, n_permutations: int = 9999, rng: int = 0
) -> Identification:
    """Which of a panel's candidates wrote these rows; see `identify`.

    Parameters
    ----------
    panel : Panel
    suspect : Rows
        Scored by the panel's scorers: a corpus of the size and prompts that the panel was made for.
    """
    fits = np.array([fit(writer, suspect) for writer in panel.writers])
    surprises = np.array([surprise(writer, suspect) for writer in panel.writers])
    evidence = suspect.evidence.sum(axis=0)
    temperatures = np.array([panel.temperature])
    probability = posterior(panel.writers, panel.unlisted, evidence, fits, surprises, temperatures)[0]
    tests = _tests(panel, suspect, n_permutations, rng)
    forms = tuple(
        sorted(
            (
                Ranked(
                    w.name,
                    w.form,
                    float(probability[w.column]),
                    *tests[w.column],
                    fit_pvalue(w, float(fits[w.column]), float(surprises[w.column])),
                )
                for w in panel.writers
                if w.is_candidate
            ),
            key=lambda r: (-r.posterior, -r.score),
        )
    )
    best: dict[str, Ranked] = {}
    for record in forms:
        best.setdefault(record.candidate, record)
    totals = {name: sum(r.posterior for r in forms if r.candidate == name) for name in best}
    ranking = tuple(replace(best[name], posterior=totals[name]) for name in sorted(best, key=lambda n: -totals[n]))
    nones = [NoneOf(w.name, float(probability[w.column])) for w in panel.writers if not w.is_candidate]
    nones.append(NoneOf(UNLISTED, float(probability[-1])))
    first, none = ranking[0], sum(part.posterior for part in nones)
    rival, bound = _placebo_bound(panel, evidence, first)
    why = _why_not(first, alpha, none, rival, bound)
    is_named = why is None
    return Identification(
        verdict=_verdict(first, why),
        answer=first.candidate if is_named else None,
        form=first.form if is_named else None,
        alpha=alpha,
        none=none,
        ranking=ranking,
        forms=forms,
        nones=tuple(nones),
        temperature=panel.temperature,
        rows=len(suspect.corpus),
        prompts=n_prompts(suspect.corpus),
        reference=panel.anchor,
    )
