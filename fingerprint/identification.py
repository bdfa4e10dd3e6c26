"""`identify`: which of several candidates wrote a corpus, or none of them.

Every row is scored under every candidate and under the unconditioned base. A candidate's evidence is the sum over rows
of its log-likelihood ratio against the base: exact where the candidate is a model, a trained detector's calibrated
log-odds where it is a corpus. Candidates are compared with one another, with the base and with placebos by their
evidence, tempered, so that what all of them share, "some conditioning was there", cancels.

Beside them stands "unlisted": somebody else. A candidate that wrote the suspect must also be ahead of the others by as
much as its own rows make it be. The fit of a candidate is the mean over rows of the log of its share in the likelihood
of all writers together; what it is on the candidate's own rows, and on the rows of a teacher that is not listed, is
known from rows sampled from the candidates and placebos, each left out in turn; and so is the surprise, how likely
tokens are under a candidate, which tells a writer that no comparison of the listed ones tells. Rows of all models serve
every model: they are weighted by its likelihood over that of their mixture, and these weights are bounded.

References
----------
Veach and Guibas (1995), doi 10.1145/218380.218498: the balance heuristic. Shirts and Chodera (2008), doi
10.1063/1.2978177. Westfall and Young (1993): max-T. Guo et al. (2017), arXiv:1706.04599: temperature. Cloud et al.,
arXiv:2507.14805.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit, logsumexp
from scipy.stats import norm

from fingerprint.candidates import (
    BASE,
    TRAIT_FORMS,
    UNLISTED,
    Candidate,
    Progress,
    Rows,
    Scorers,
    build,
    joined,
    listed,
)
from fingerprint.corpus import MIN_GROUPS, Corpus, pair, too_small
from fingerprint.inference import Relabellings, permutation_test
from fingerprint.pass_rates import PassRate, pass_rate
from fingerprint.reading import as_corpus
from fingerprint.render import wording
from fingerprint.render.files import write_atomically
from fingerprint.render.records import encode, frame
from fingerprint.sketch import block_rows

if TYPE_CHECKING:
    from fingerprint.filters import Filter
    from fingerprint.lab.teachers import Teacher

Floats = NDArray[np.float64]

SCHEMA_VERSION = 1
PLACEBO = "placebo"
# A candidate is named when it is likelier than all else together.
LEAST_POSTERIOR = 0.5
# ... and not when the suspect is as unlike the candidate's own rows as only 1 in 100 of its corpora is.
LEAST_FIT = 0.01
# Share of a writer's own rows whose log shares are cut off from below when fits are compared.
_FEW = 0.01
# Variance of log shares below this is rounding.
_LEAST_SPREAD = 1e-12
WIDTH = 100
# Rows sampled from each model. Models close to one another lend each other their rows, and models far apart need few.
ROWS_PER_MODEL = 200
# How much nearer to its nearest candidate, or farther, an unlisted teacher may be than candidates are to each other.
_UNLISTED_SCALES = (0.5, 1.0, 2.0)
# Rows of a prompt whose answers pass less often than this stand for no more rows than if they passed as often.
_LEAST_PASSING = 0.1
# Temperatures tried, and simulated corpora for each writer behind the choice.
_TEMPERATURES = np.geomspace(1.0, 10.0, 13)
_SIMULATED = 16


@dataclass(frozen=True)
class Ranked:
    """A candidate, or one of its forms.

    Attributes
    ----------
    candidate, form : str
        Who; in `Identification.ranking` the form with the largest posterior.
    posterior : float
        Probability that the candidate wrote the suspect; in `Identification.ranking` summed over its forms.
    score : float
        Mean share of the candidate in the likelihood of itself and the base, suspect minus reference, in standard
        deviations over relabellings. What candidates have in common raises the scores of all of them.
    pvalue : float
        Of such a score if suspect and reference had one writer; adjusted over all candidates by max-T.
    fit_pvalue : float
        Of rows like the suspect's if the candidate wrote them: of being so little, or so far, ahead of the other
        writers, and, where the candidate is a model, of tokens so likely or unlikely under it; the smaller of the two,
        doubled. Two-sided, and approximate: the mean of many prompts is close to normal.
    """

    candidate: str
    form: str
    posterior: float
    score: float
    pvalue: float
    fit_pvalue: float


@dataclass(frozen=True)
class NoneOf:
    """One way to be none of the candidates: "base", "placebo: ..." or "unlisted"."""

    name: str
    posterior: float


@dataclass(frozen=True)
class Anchor:
    """The reference, and what has to hold for it."""

    rows: int
    sampled: bool
    model: str | None
    seed: int
    assumption: str


@dataclass(frozen=True)
class Identification:
    """What `identify` found.

    Attributes
    ----------
    verdict : str
    answer : str or None
        The candidate named, None for none of them.
    form : str or None
        The form of the candidate named that fits best.
    alpha : float
        A candidate is named if its p-value is at most alpha, its posterior at least one half, its fit p at least .01,
        and it is so far ahead of every placebo as placebos' rows put a candidate with probability alpha at most.
    none : float
        Posterior of all that is none of the candidates.
    ranking : tuple of Ranked
        One record a candidate, likeliest first.
    forms : tuple of Ranked
        One record for every form of every candidate.
    nones : tuple of NoneOf
        The parts of `none`.
    temperature : float
        What log-likelihoods were divided by.
    rows, prompts : int
        Of the suspect.
    reference : Anchor
    """

    verdict: str
    answer: str | None
    form: str | None
    alpha: float
    none: float
    ranking: tuple[Ranked, ...]
    forms: tuple[Ranked, ...]
    nones: tuple[NoneOf, ...]
    temperature: float
    rows: int
    prompts: int
    reference: Anchor

    @property
    def table(self) -> pl.DataFrame:
        """`ranking` as a table."""
        return frame(Ranked, self.ranking)

    def to_dict(self) -> dict[str, Any]:
        """JSON values; floats to 10 digits."""
        found: dict[str, Any] = encode(Identification, self)
        return {"schema_version": SCHEMA_VERSION, **found}

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """JSON text, also written to `path` if there is one."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"
        if path is not None:
            write_atomically(path, text)
        return text

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """JSON Schema (2020-12) of `to_dict`."""
        found: dict[str, Any] = json.loads(
            (files("fingerprint") / "identification.schema.json").read_text(encoding="utf-8")
        )
        return found

    def __str__(self) -> str:
        lines = [*textwrap.wrap(wording.visible(self.verdict), WIDTH), ""]
        lines.append(f"{'candidate':<28} {'form':<14} {'posterior':>9} {'score':>8} {'p':>8} {'p of fit':>9}")
        for r in self.ranking:
            lines.append(
                f"{wording.name(r.candidate, 28):<28} {r.form:<14} {r.posterior:>9.3f} {r.score:>8.2f} "
                f"{wording.probability(r.pvalue):>8} {r.fit_pvalue:>9.3f}"
            )
        parts = ", ".join(f"{wording.name(part.name, 40)} {part.posterior:.3f}" for part in self.nones)
        lines += ["", *textwrap.wrap(f"none of these {self.none:.3f}: {parts}", WIDTH)]
        how = f"sampled, seed {self.reference.seed}" if self.reference.sampled else "given"
        lines += textwrap.wrap(
            f"{self.rows:,} rows, {self.prompts:,} prompts; reference {self.reference.rows:,} rows, {how}; "
            f"temperature {self.temperature:.2f}. {self.reference.assumption}",
            WIDTH,
        )
        return "\n".join(lines)


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
        `fingerprint.candidates.listed`.
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
    as the base's do unless they clearly say otherwise (see `fingerprint.pass_rates`). The base of all ratios is
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
    judged = as_corpus(suspect, text=text, prompt=prompt, argument="suspect")
    anchor = None if reference is None else as_corpus(reference, text=text, prompt=prompt, argument="reference")
    step = progress or (lambda name, share: None)
    panel = prepare(chosen, judged, reference=anchor, model=model, placebos=others, rule=rule, rng=rng, progress=step)
    rows = panel.scorers.score(judged, lambda share: step("scoring the suspect", 0.8 + 0.2 * share))
    return judge(panel, rows, alpha=alpha, n_permutations=n_permutations, rng=rng)


# ------------------------------------------------------------------------------------------------------------ the panel


@dataclass(frozen=True)
class Panel:
    """Everything there is to judge a suspect by.

    Attributes
    ----------
    candidates, placebos : tuple of Candidate
    scorers : Scorers
    pool : Rows
        Rows sampled from the models, and the reference where it was sampled.
    writer : int array [pool rows]
        Which model wrote each, as a column of `Rows.ratios`.
    answers : int array [models]
        How many answers each model gave to have rows that passed in the pool.
    doubts : float array [models]
        Variance of the log of how often each model's answers pass, as far as they were tried.
    own : dict of name to Rows
        Half the rows of candidates and placebos that are corpora; detectors were fitted on the other half.
    reference : Rows
    anchor : Anchor
    n_rows, n_prompts : int
        Of the suspect that the panel was made for.
    prompts_passed : bool
        Whether the suspect's prompts are those of rows that passed the rule, or all that were asked.
    seed : int
    """

    candidates: tuple[Candidate, ...]
    placebos: tuple[Candidate, ...]
    scorers: Scorers
    pool: Rows
    writer: NDArray[np.int64]
    answers: NDArray[np.int64]
    doubts: Floats
    own: dict[str, Rows]
    reference: Rows
    anchor: Anchor
    n_rows: int
    n_prompts: int
    seed: int
    prompts_passed: bool = True

    @cached_property
    def writers(self) -> tuple[Writer, ...]:
        """Everybody who may have written the suspect, the base first."""
        return _writers(self)

    @cached_property
    def unlisted(self) -> dict[str, list[Distance]]:
        """How an unlisted teacher's rows would fit the nearest candidate, by that candidate's form; see `_unlisted`."""
        return _unlisted(self)

    @cached_property
    def temperature(self) -> float:
        """What evidence is divided by; see `_temperature`."""
        return _temperature(self, np.random.default_rng([self.seed, 13]))

    def only(self, forms: Sequence[str]) -> Panel:
        """The same panel without traits of other forms."""
        gone = {_key(c) for c in (*self.candidates, *self.placebos) if c.form in TRAIT_FORMS and c.form not in forms}
        kept = np.array([i for i, name in enumerate(self.scorers.teachers) if name not in gone])
        rows = np.flatnonzero(np.isin(self.writer, kept))
        teachers = {name: t for name, t in self.scorers.teachers.items() if name not in gone}
        return replace(
            self,
            candidates=tuple(c for c in self.candidates if _key(c) not in gone),
            placebos=tuple(c for c in self.placebos if _key(c) not in gone),
            scorers=replace(self.scorers, teachers=teachers),
            pool=columns(self.pool.take(rows), kept),
            writer=np.searchsorted(kept, self.writer[rows]),
            answers=self.answers[kept],
            doubts=self.doubts[kept],
            own={name: columns(part, kept) for name, part in self.own.items()},
            reference=columns(self.reference, kept),
        )

    def columns_of(self, forms: Sequence[str]) -> NDArray[np.int64]:
        """Columns of ratios that `only` keeps, for rows that were scored by the whole panel."""
        left = self.only(forms).scorers.teachers
        return np.array([i for i, name in enumerate(self.scorers.teachers) if name in left])


def columns(rows: Rows, kept: NDArray[np.int64]) -> Rows:
    """Rows with some of their models' ratios."""
    return replace(rows, ratios=rows.ratios[:, kept], shifts=rows.shifts[:, kept])


def _key(candidate: Candidate) -> str:
    return f"{candidate.form}: {candidate.name}"


def prepare(
    candidates: Sequence[Candidate],
    suspect: Corpus,
    *,
    reference: Corpus | None = None,
    model: Any = None,
    placebos: Sequence[Candidate] = (),
    rule: Filter | None = None,
    rows_per_model: int = ROWS_PER_MODEL,
    rng: int = 0,
    progress: Progress | None = None,
    prompts_passed: bool = True,
) -> Panel:
    """Build candidates, sample from them, and score what was sampled under all of them.

    Of the suspect only the prompts and the length of the longest answer are used. `prompts_passed` is for the prompts
    of rows that passed the rule, as a suspect's are; without it they are all that were asked, and the panel is for
    suspects that are left of these, each in its own way.
    """
    if _n_prompts(suspect) < MIN_GROUPS:
        raise ValueError(too_small(suspect.name, _n_prompts(suspect)))
    step = progress or (lambda name, share: None)
    scorers = Scorers(_teachers((*candidates, *placebos), model, step))
    corpora = [c for c in (*candidates, *placebos) if c.form == "corpus"]
    halves = {_key(c): _halves(c.source, rng) for c in corpora}
    tries: list[Tries] = []
    if reference is None:
        tries = [_sampled_reference(scorers.teachers[BASE], suspect, rng, rule)]
        reference_rows, anchor = tries[0].kept(BASE), None
    else:
        reference_rows, anchor = reference, reference
    fitting, calibrating = reference_rows, reference_rows
    if halves:
        from fingerprint.detector import Detector

        if anchor is None:  # a second sample is at hand
            fitting = _sampled_reference(scorers.teachers[BASE], suspect, rng + 1, rule).kept(BASE)
        else:
            fitting, calibrating = _halves(anchor, rng)
        for name, (first, _) in halves.items():
            labels = np.repeat([1, 0], [len(first), len(fitting)])
            both = Corpus(first.texts + fitting.texts, first.prompts + fitting.prompts, name=name)
            scorers.detectors[name] = Detector(holdout=0, rng=rng).fit(both, labels)
    answers = np.zeros(len(scorers.teachers), dtype=np.int64)
    if tries:
        answers[0] += len(tries[0].texts)
    # Rates shift every row of the suspect alike, so they need as many answers as it has rows; the rest needs fewer.
    n_tries = rows_per_model if rule is None else max(rows_per_model, len(suspect))
    all_tries = _pool(scorers, suspect, n_tries, rng, rule)
    scorers.passing.update(_passing(scorers, tries, all_tries))
    pool_tries = [t.first(rows_per_model) for t in all_tries]
    scored = scorers.score(calibrating, lambda share: step("scoring the reference", 0.5 + 0.1 * share))
    parts, writer = [scored], [np.zeros(len(scored.corpus), dtype=np.int64)]
    if anchor is not None:
        parts, writer = [], []
    if pool_tries:
        answers += [len(t.texts) for t in pool_tries]
        kept = [t.kept(name) for name, t in zip(scorers.teachers, pool_tries, strict=True)]
        parts.append(scorers.score(_together(kept), lambda share: step("scoring sampled rows", 0.6 + 0.2 * share)))
        writer.append(np.repeat(np.arange(len(kept)), [len(rows) for rows in kept]))
    pool = joined(parts) if parts else scored.take(np.arange(0))
    return Panel(
        candidates=tuple(candidates),
        placebos=tuple(placebos),
        scorers=scorers,
        pool=pool,
        writer=np.concatenate(writer) if writer else np.zeros(0, dtype=np.int64),
        answers=answers,
        doubts=np.array([t.doubt for t in all_tries]),
        own={name: scorers.score(second) for name, (_, second) in halves.items()},
        reference=scored,
        anchor=_anchor(scored, anchor, scorers, rng),
        n_rows=len(suspect),
        n_prompts=_n_prompts(suspect),
        seed=rng,
        prompts_passed=prompts_passed,
    )


def _anchor(scored: Rows, given: Corpus | None, scorers: Scorers, rng: int) -> Anchor:
    base = scorers.teachers.get(BASE)
    if given is None and base is not None:
        assumption = (
            f"Assumption: the suspect's base is {base.lm.name} at temperature 1, and its filter is the one named."
        )
        return Anchor(len(scored.corpus), True, base.lm.name, rng, assumption)
    assumption = "Assumption: the reference was sampled and filtered as the suspect was, by its base without a trait."
    return Anchor(len(scored.corpus), False, None if base is None else base.lm.name, rng, assumption)


def _teachers(candidates: Sequence[Candidate], model: Any, step: Progress) -> dict[str, Teacher]:
    """The base, every candidate that is a model, and the lab's placebo prompts where one has a system message.

    That of a trait is as long as the trait's; other system messages share one.
    """
    if model is None:
        return {}
    from fingerprint.lab.teachers import Teacher, neutral, placebo
    from fingerprint.lab.traits import PLACEBO as INERT
    from fingerprint.language_models import load

    base = load(model)
    found = {BASE: neutral(base)}
    asked = [candidate for candidate in candidates if candidate.form != "corpus"]
    for done, candidate in enumerate(asked):
        step(f"building {candidate.name}, {candidate.form}", 0.5 * done / len(asked))
        found[_key(candidate)] = build(candidate, base)
    inert = {t.system: t for t in (placebo(base, c.source) for c in asked if c.form == "prompted")}
    if not inert and any(found[_key(c)].system for c in asked):
        inert[INERT] = Teacher(base, "placebo", INERT)
    for number, teacher in enumerate(inert.values(), 1):
        found[f"placebo: prompt {number}"] = teacher
    return found


def _n_prompts(corpus: Corpus) -> int:
    return len({row if prompt is None else prompt for row, prompt in enumerate(corpus.prompts)})


def _halves(corpus: Corpus, rng: int) -> tuple[Corpus, Corpus]:
    """One half to fit on, one to calibrate by; rows of one prompt stay together."""
    numbers: dict[object, int] = {}
    keys = [row if prompt is None else prompt for row, prompt in enumerate(corpus.prompts)]
    group = np.array([numbers.setdefault(key, len(numbers)) for key in keys])
    if len(numbers) < 2 * MIN_GROUPS:
        raise ValueError(
            f"{corpus.name} must hold at least {2 * MIN_GROUPS} independent rows or prompts, half of them to fit on, "
            f"got {len(numbers)}; sample more rows"
        )
    first = np.random.default_rng([rng, 11]).permutation(len(numbers)) < len(numbers) // 2
    return corpus.only(first[group]), corpus.only(~first[group])


@dataclass(frozen=True)
class Tries:
    """Answers of a model, and which of them passed: ended within the limit, and kept by the rule."""

    texts: tuple[str, ...]
    prompts: tuple[str, ...]
    passed: NDArray[np.bool_]

    def kept(self, name: str) -> Corpus:
        """The rows that passed."""
        return Corpus(self.texts, self.prompts, name=name).only(self.passed)

    def first(self, n: int) -> Tries:
        """The first n of them."""
        return Tries(self.texts[:n], self.prompts[:n], self.passed[:n])

    @property
    def doubt(self) -> float:
        """Variance of the log of the share that passed; that of one more answer that did and one that did not."""
        n, passed = len(self.passed) + 2, int(self.passed.sum()) + 1
        return (n - passed) / (passed * n)


def _answers(
    teacher: Teacher, prompts: Sequence[str], limit: int, seed: int, rule: Filter | None, first_row: int = 0
) -> Tries:
    """Answers of a teacher of at most `limit` tokens, judged by the rule."""
    answers = teacher.sample(prompts, seed=seed, max_new_tokens=limit, first_row=first_row)
    texts = tuple(answer.text for answer in answers)
    passed = np.array([answer.finished for answer in answers], dtype=bool)
    if rule is not None:
        passed &= [not why for why in rule(list(texts), list(prompts)).reasons]
    return Tries(texts, tuple(prompts), passed)


def _limit(teacher: Teacher, suspect: Corpus) -> int:
    """Tokens of the suspect's longest answer, its end included: what is sampled is as long at most."""
    return max(len(ids) for ids in teacher.lm.answers(suspect.texts))


def _sampled_reference(base: Teacher, suspect: Corpus, rng: int, rule: Filter | None) -> Tries:
    from fingerprint.lab.teachers import prompts_of

    return _answers(base, prompts_of(suspect.prompts, suspect.name), _limit(base, suspect), rng, rule)


def _pool(scorers: Scorers, suspect: Corpus, n_tries: int, rng: int, rule: Filter | None) -> list[Tries]:
    """Answers of every model to random prompts of the suspect."""
    if not scorers.teachers:
        return []
    from fingerprint.lab.teachers import prompts_of

    asked = prompts_of(suspect.prompts, suspect.name)
    draws = np.random.default_rng([rng, 12])
    found = []
    for teacher in scorers.teachers.values():
        chosen = [asked[i] for i in draws.integers(0, len(asked), n_tries)]
        # Row numbers above those of the reference: the base's rows here are other draws than there.
        found.append(_answers(teacher, chosen, _limit(teacher, suspect), rng, rule, first_row=len(asked)))
    return found


def _passing(scorers: Scorers, reference: Sequence[Tries], pool: Sequence[Tries]) -> dict[str, PassRate]:
    """How often each model's answers pass, prompt by prompt: the base's, and what speaks for another rate."""
    if not pool:
        return {}
    of_base = [*reference, pool[0]]
    base = pass_rate([p for t in of_base for p in t.prompts], np.concatenate([t.passed for t in of_base]))
    others = {
        name: pass_rate(tries.prompts, tries.passed, start=base)
        for name, tries in zip(list(scorers.teachers)[1:], pool[1:], strict=True)
    }
    return {BASE: base, **others}


def _together(corpora: Sequence[Corpus]) -> Corpus:
    texts = tuple(text for corpus in corpora for text in corpus.texts)
    return Corpus(texts, tuple(prompt for corpus in corpora for prompt in corpus.prompts), name="sampled rows")


# ------------------------------------------------------------------------------------------------ what writers predict


@dataclass(frozen=True)
class Writer:
    """Somebody who may have written the suspect.

    Attributes
    ----------
    name, form : str
    column : int
        In `Rows.evidence`.
    rows, weight : Rows, float array [rows]
        Rows that stand for what it writes; weights add up to 1.
    """

    name: str
    form: str
    column: int
    rows: Rows
    weight: Floats

    @property
    def is_candidate(self) -> bool:
        return self.form not in (BASE, PLACEBO)

    @cached_property
    def worth(self) -> float:
        """How many rows of its own the weighted ones are worth."""
        return float(1 / (self.weight**2).sum())


def _writers(panel: Panel) -> tuple[Writer, ...]:
    known = {_key(c): (c.name, c.form) for c in panel.candidates}
    models = list(panel.scorers.teachers)
    found = []
    for column, key in enumerate((*(models or [BASE]), *panel.scorers.detectors)):
        name, form = (BASE, BASE) if key == BASE else known.get(key, (key, PLACEBO))
        if column < len(models):
            rows, weight = panel.pool, _weights(panel, column)
        else:
            rows = panel.own.get(key, panel.reference)
            weight = np.full(len(rows.corpus), 1 / len(rows.corpus))
        found.append(Writer(name, form, column, rows, weight))
    return tuple(found)


def _weights(panel: Panel, column: int) -> Floats:
    """Weight of each row of the pool for a model: its likelihood over that of the mixture the rows were drawn from.

    The mixture is that of all answers, whether they passed or not: so weighted, rows stand for what passes of the
    model's answers, with fewer of prompts that its answers seldom pass for. Where the prompts at hand are those that
    rows were left of, they are fewer already, and the weight is over the model's pass rate.
    """
    with np.errstate(divide="ignore"):
        mixture = logsumexp(panel.pool.ratios + np.log(panel.answers), axis=1)
    logs = panel.pool.ratios[:, column] - mixture
    if panel.prompts_passed and panel.scorers.passing:
        rate = panel.scorers.passing[list(panel.scorers.teachers)[column]]
        logs -= np.maximum(rate.logs([prompt or "" for prompt in panel.pool.corpus.prompts]), np.log(_LEAST_PASSING))
    weight = np.exp(logs - logs.max())
    return np.asarray(weight / weight.sum())


@dataclass(frozen=True)
class Distance:
    """Means and sds of fit and surprise of other rows, in standard deviations of those of the candidate's own rows."""

    mean: float
    sd: float
    surprise: float = 0.0
    surprise_sd: float = 1.0


@dataclass(frozen=True)
class Moments:
    """Mean of a log share over a writer's rows, its variance, and the squared standard error of the mean."""

    mean: float
    variance: float
    error: float

    @classmethod
    def of(cls, writer: Writer, values: Floats) -> Moments:
        mean = float(writer.weight @ values)
        squares = (values - mean) ** 2
        return cls(mean, max(float(writer.weight @ squares), _LEAST_SPREAD), float(writer.weight**2 @ squares))

    def spread(self, n: int) -> float:
        """Squared standard error of the mean of n rows, less this mean."""
        return self.variance / n + self.error


def log_share(rows: Rows, column: int, left_out: int | None = None) -> Floats:
    """Log of a writer's share [rows] in the likelihood of all writers together, each as likely; at most 0."""
    evidence = rows.evidence
    if left_out is not None:
        evidence = np.delete(evidence, left_out, axis=1)
        column -= column > left_out
    return np.asarray(evidence[:, column] - logsumexp(evidence, axis=1))


def _own_shares(writer: Writer, left_out: int | None = None) -> tuple[float, Moments]:
    """Floor and moments of a writer's log share over its own rows."""
    shares = log_share(writer.rows, writer.column, left_out)
    floor = _floor(shares, writer.weight)
    return floor, Moments.of(writer, np.maximum(shares, floor))


def _fit(writer: Writer, suspect: Rows) -> float:
    """How far the mean log share of a writer is from what its own rows give, in standard errors; low is a bad fit.

    The error is that of the suspect's mean, prompt by prompt, had the writer's own spread, and of the writer's mean.
    """
    floor, own = _own_shares(writer)
    found = float(np.maximum(log_share(suspect, writer.column), floor).mean())
    return (found - own.mean) / float(np.sqrt(own.spread(_n_prompts(suspect.corpus))))


def _own_logprobs(writer: Writer) -> tuple[float, float, Moments]:
    """Ends and moments of a writer's mean log-probability a token over its own rows.

    Rows beyond what few of these reach count as if they were there.
    """
    own = writer.rows.mean_logprobs(writer.column)
    low, high = _floor(own, writer.weight), -_floor(-own, writer.weight)
    return low, high, Moments.of(writer, np.clip(own, low, high))


def _surprise(panel: Panel, writer: Writer, suspect: Rows) -> float:
    """How far the suspect's mean log-probability a token is from that of the writer's own rows, in standard errors.

    Shares compare writers with one another and do not see that none of them writes like this; this does. Zero for a
    writer that is no model.
    """
    if not _is_model(panel, writer):
        return 0.0
    low, high, expected = _own_logprobs(writer)
    found = float(np.clip(suspect.mean_logprobs(writer.column), low, high).mean())
    return (found - expected.mean) / float(np.sqrt(expected.spread(_n_prompts(suspect.corpus))))


def _is_model(panel: Panel, writer: Writer) -> bool:
    return writer.column < len(panel.scorers.teachers)


def _fit_pvalue(panel: Panel, writer: Writer, fit: float, surprise: float) -> float:
    """See `Ranked.fit_pvalue`."""
    distances = [fit, surprise] if _is_model(panel, writer) else [fit]
    smallest = min(float(2 * norm.sf(abs(z))) for z in distances)
    return min(1.0, len(distances) * smallest)


def _floor(values: Floats, weight: Floats) -> float:
    """The value that few of a writer's rows are below: a single row of tens of nats is no sample of anything."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weight[order]), _FEW)])


def _unlisted(panel: Panel) -> dict[str, list[Distance]]:
    """Fit to the nearest candidate that rows of an unlisted teacher would have, by that candidate's form.

    Each candidate and each placebo, left out, is an unlisted teacher: its own likelihood is taken from all shares, and
    the nearest candidate that is left, of its form if it is one itself, is the one whose evidence its rows raise most.
    Where that leaves nobody, an unlisted teacher is as far from the one candidate as the base is.
    """
    found: dict[str, list[Distance]] = {}
    known = [w for w in panel.writers if w.is_candidate]
    for truth in panel.writers[1:]:
        others = [w for w in known if w is not truth and (w.form == truth.form or not truth.is_candidate)]
        if others:
            evidence = truth.weight @ truth.rows.evidence
            nearest = max(others, key=lambda w: float(evidence[w.column]))
            found.setdefault(nearest.form, []).append(_distance(panel, truth, nearest, truth.column))
    for writer in known:
        if writer.form not in found:
            found[writer.form] = [_distance(panel, panel.writers[0], writer, None)]
    return found


def _distance(panel: Panel, truth: Writer, nearest: Writer, left_out: int | None) -> Distance:
    """Fit and surprise of one writer's rows to another writer."""
    floor, own = _own_shares(nearest, left_out)
    other = Moments.of(truth, np.maximum(log_share(truth.rows, nearest.column, left_out), floor))
    parts = [(own, other)]
    if _is_model(panel, nearest):
        low, high, expected = _own_logprobs(nearest)
        found = Moments.of(truth, np.clip(truth.rows.mean_logprobs(nearest.column), low, high))
        parts.append((expected, found))
    scales = [float(np.sqrt(a.spread(panel.n_prompts))) for a, _ in parts]
    values = [
        value
        for (a, b), scale in zip(parts, scales, strict=True)
        for value in ((b.mean - a.mean) / scale, float(np.sqrt(b.spread(panel.n_prompts))) / scale)
    ]
    return Distance(*values)


def _posterior(panel: Panel, evidence: Floats, fits: Floats, surprises: Floats, temperatures: Floats) -> Floats:
    """Probability [temperatures, writers] of every writer, "unlisted" last.

    Parameters
    ----------
    evidence : float array [writers]
        Sum of log-likelihood ratios, in nats.
    fits, surprises : float array [writers]
        See `_fit`, `_surprise`.
    temperatures : float array [temperatures]
    """
    tempered = evidence / temperatures[:, None]
    best = max((w for w in panel.writers if w.is_candidate), key=lambda w: float(evidence[w.column]))
    fit, surprise = float(fits[best.column]), float(surprises[best.column])
    # Whether an unlisted teacher's tokens are likelier than the candidate's own or less likely is anybody's guess.
    places = np.array(
        [
            (scale * d.mean, max(d.sd, 1.0), side * scale * d.surprise, max(d.surprise_sd, 1.0))
            for d in panel.unlisted[best.form]
            for scale in _UNLISTED_SCALES
            for side in (1, -1)
        ]
    ).T
    elsewhere = norm.logpdf(fit, places[0], places[1]) + norm.logpdf(surprise, places[2], places[3])
    # A fit better than the candidate's own rows give speaks for nobody else.
    here = float(norm.logpdf(min(fit, 0.0)) + norm.logpdf(surprise))
    ratio = float(logsumexp(elsewhere)) - float(np.log(len(elsewhere))) - here
    logits = np.column_stack([tempered, tempered[:, best.column] + ratio]) + np.log(_prior(panel.writers))
    return np.asarray(np.exp(logits - logsumexp(logits, axis=1, keepdims=True)))


def _prior(writers: Sequence[Writer]) -> Floats:
    """Half to the candidates, each as much and each form of one as much; half to none of them.

    Of the latter half "unlisted" has as much as one candidate; base and placebos share the rest.
    """
    names = [w.name for w in writers if w.is_candidate]
    one = 0.5 / (len(set(names)) + 1)
    n_rest = sum(not w.is_candidate for w in writers)
    shares = [0.5 / len(set(names)) / names.count(w.name) if w.is_candidate else (0.5 - one) / n_rest for w in writers]
    return np.array([*shares, one])


def _temperature(panel: Panel, rng: np.random.Generator) -> float:
    """What to divide evidence by: the temperature at which simulated corpora are judged best.

    Corpora are drawn from the rows that stand for each writer, with their weights, and judged; the loss is the log of
    the posterior of what is right, a candidate or none of them, and writers count as much as the prior gives them. The
    suspect has no part in this. Corpora are of its size, or half of what the weighted rows are worth. How often a
    model's answers pass is known from those that were tried, and an error there shifts all rows alike: each simulated
    corpus has one of its own. Assumes that rows of different prompts are independent. Rows that share a prompt, or a
    detector in place of a likelihood, are what a temperature above 1 is for.
    """
    losses = np.zeros(len(_TEMPERATURES))
    prior = _prior(panel.writers)
    is_none = np.array([*(not w.is_candidate for w in panel.writers), True])
    own = [_own_shares(w) for w in panel.writers]
    floors, means = np.array([floor for floor, _ in own]), np.array([m.mean for _, m in own])
    tokens = {w.column: _own_logprobs(w) for w in panel.writers if _is_model(panel, w)}
    doubts = np.zeros(len(panel.writers))  # of the base's rate, too: all ratios are to it
    doubts[1 : len(panel.doubts)] = np.sqrt(panel.doubts[1:] + panel.doubts[:1])
    for truth in panel.writers:
        size = max(int(min(panel.n_rows, truth.worth / 2)), MIN_GROUPS)
        evidence = truth.rows.evidence
        shares = np.maximum(evidence - logsumexp(evidence, axis=1, keepdims=True), floors)
        scales = np.sqrt([m.spread(size) for _, m in own])
        surprising = np.zeros_like(shares)
        for column, (low, high, m) in tokens.items():
            values = np.clip(truth.rows.mean_logprobs(column), low, high)
            surprising[:, column] = (values - m.mean) / np.sqrt(m.spread(size))
        right = np.arange(len(is_none)) == truth.column if truth.is_candidate else is_none
        for _ in range(_SIMULATED):
            drawn = rng.choice(len(truth.weight), size, p=truth.weight)
            fits = (shares[drawn].mean(axis=0) - means) / scales
            shifted = evidence[drawn].sum(axis=0) + size * rng.normal(0.0, doubts)
            posteriors = _posterior(panel, shifted, fits, surprising[drawn].mean(axis=0), _TEMPERATURES)
            losses -= prior[truth.column] * np.log(np.maximum(posteriors[:, right].sum(axis=1), 1e-12))
    return float(_TEMPERATURES[int(losses.argmin())])


# --------------------------------------------------------------------------------------------------------- the verdict


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
    fits = np.array([_fit(writer, suspect) for writer in panel.writers])
    surprises = np.array([_surprise(panel, writer, suspect) for writer in panel.writers])
    evidence = suspect.evidence.sum(axis=0)
    posterior = _posterior(panel, evidence, fits, surprises, np.array([panel.temperature]))[0]
    tests = _tests(panel, suspect, n_permutations, rng)
    forms = tuple(
        sorted(
            (
                Ranked(
                    w.name,
                    w.form,
                    float(posterior[w.column]),
                    *tests[w.column],
                    _fit_pvalue(panel, w, float(fits[w.column]), float(surprises[w.column])),
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
    nones = [NoneOf(w.name, float(posterior[w.column])) for w in panel.writers if not w.is_candidate]
    nones.append(NoneOf(UNLISTED, float(posterior[-1])))
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
        prompts=_n_prompts(suspect.corpus),
        reference=panel.anchor,
    )


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
    units = block_rows(comparison, sp.csr_matrix(shares))
    relabellings = Relabellings.draw(comparison, n_permutations, np.random.default_rng([rng, 14]))
    wanted = {str(w.column): units[:, w.column].astype(np.float64) for w in panel.writers if w.is_candidate}
    test = permutation_test({}, relabellings, wanted)
    adjusted = test.adjusted()
    return {
        int(name): (float(test.signed[name].statistics[0]), adjusted[name]) if name in adjusted else (0.0, 1.0)
        for name in wanted
    }


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
