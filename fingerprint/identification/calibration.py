"""The panel a suspect is judged by: candidates and placebos that are built, sampled from and scored.

Rows of all models serve every model: they are weighted by its likelihood over that of their mixture, and these weights
are bounded. Of the suspect only its size, its prompts and the length of its longest answer are known here, so that one
panel serves many suspects.

References
----------
Veach and Guibas (1995), doi 10.1145/218380.218498: the balance heuristic. Shirts and Chodera (2008), doi
10.1063/1.2978177.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.corpus import Corpus, joined
from fingerprint.data.pairing import n_prompts, prompt_groups
from fingerprint.identification.answers import Tries, answer_pool, longest_answer, sampled_reference
from fingerprint.identification.candidates import (
    BASE,
    TRAIT_FORMS,
    Candidate,
    Progress,
    _teachers,
)
from fingerprint.identification.goodness_of_fit import PLACEBO, Distance, Writer, unlisted
from fingerprint.identification.pass_rates import passing
from fingerprint.identification.posterior import temperature
from fingerprint.identification.result import Anchor
from fingerprint.identification.scoring import Rows, Scorers, joined_rows
from fingerprint.statistics.designs import MIN_GROUPS, too_small

if TYPE_CHECKING:
    from fingerprint.filters import Filter


# Rows sampled from each model. Models close to one another lend each other their rows, and models far apart need few.
ROWS_PER_MODEL = 200
# Rows of a prompt whose answers pass less often than this stand for no more rows than if they passed as often.
_LEAST_PASSING = 0.1


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
    writer: Ints
    answers: Ints
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
        """How an unlisted teacher's rows would fit the nearest candidate, by that candidate's form."""
        return unlisted(self.writers, self.n_prompts)

    @cached_property
    def temperature(self) -> float:
        """What evidence is divided by; see `fingerprint.identification.posterior.temperature`."""
        rng = np.random.default_rng([self.seed, 13])
        return temperature(self.writers, self.unlisted, self.doubts, self.n_rows, rng)

    def only(self, forms: Sequence[str]) -> Panel:
        """The same panel without traits of other forms."""
        gone = {c.key for c in (*self.candidates, *self.placebos) if c.form in TRAIT_FORMS and c.form not in forms}
        kept = np.array([i for i, name in enumerate(self.scorers.teachers) if name not in gone])
        rows = np.flatnonzero(np.isin(self.writer, kept))
        teachers = {name: t for name, t in self.scorers.teachers.items() if name not in gone}
        return replace(
            self,
            candidates=tuple(c for c in self.candidates if c.key not in gone),
            placebos=tuple(c for c in self.placebos if c.key not in gone),
            scorers=replace(self.scorers, teachers=teachers),
            pool=columns(self.pool.take(rows), kept),
            writer=np.searchsorted(kept, self.writer[rows]),
            answers=self.answers[kept],
            doubts=self.doubts[kept],
            own={name: columns(part, kept) for name, part in self.own.items()},
            reference=columns(self.reference, kept),
        )

    def columns_of(self, forms: Sequence[str]) -> Ints:
        """Columns of ratios that `only` keeps, for rows that were scored by the whole panel."""
        left = self.only(forms).scorers.teachers
        return np.array([i for i, name in enumerate(self.scorers.teachers) if name in left])


def columns(rows: Rows, kept: Ints) -> Rows:
    """Rows with some of their models' ratios."""
    return replace(rows, ratios=rows.ratios[:, kept], shifts=rows.shifts[:, kept])


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
    if n_prompts(suspect) < MIN_GROUPS:
        raise ValueError(too_small(suspect.name, n_prompts(suspect)))
    step = progress or (lambda name, share: None)
    base = None
    if model is not None:
        from fingerprint.lm.teachers import neutral

        base = neutral(model)
        longest_answer(base, suspect)  # a row that is too long is named before minutes of building candidates
    scorers = Scorers(_teachers((*candidates, *placebos), base, step))
    corpora = [c for c in (*candidates, *placebos) if c.form == "corpus"]
    halves = {c.key: _halves(c.source, rng) for c in corpora}
    tries: list[Tries] = []
    if reference is None:
        tries = [sampled_reference(scorers.teachers[BASE], suspect, rng, rule)]
        reference_rows, anchor = tries[0].kept(BASE), None
    else:
        reference_rows, anchor = reference, reference
    fitting, calibrating = reference_rows, reference_rows
    if halves:
        from fingerprint.detector.detector import Detector

        if anchor is None:  # a second sample is at hand
            fitting = sampled_reference(scorers.teachers[BASE], suspect, rng + 1, rule).kept(BASE)
        else:
            fitting, calibrating = _halves(anchor, rng)
        for name, (first, _) in halves.items():
            labels = np.repeat([1, 0], [len(first), len(fitting)])
            both = joined((first, fitting), name)
            scorers.detectors[name] = Detector(holdout=0, rng=rng).fit(both, labels)
    answers = np.zeros(len(scorers.teachers), dtype=np.int64)
    if tries:
        answers[0] += len(tries[0].texts)
    # Rates shift every row of the suspect alike, so they need as many answers as it has rows; the rest needs fewer.
    n_tries = rows_per_model if rule is None else max(rows_per_model, len(suspect))
    all_tries = answer_pool(scorers, suspect, n_tries, rng, rule)
    scorers.passing.update(passing(scorers, tries, all_tries))
    pool_tries = [t.first(rows_per_model) for t in all_tries]
    scored = scorers.score(calibrating, lambda share: step("scoring the reference", 0.5 + 0.1 * share))
    parts, writer = [scored], [np.zeros(len(scored.corpus), dtype=np.int64)]
    if anchor is not None:
        parts, writer = [], []
    if pool_tries:
        answers += [len(t.texts) for t in pool_tries]
        kept = [t.kept(name) for name, t in zip(scorers.teachers, pool_tries, strict=True)]
        rows = joined(kept, "sampled rows")
        parts.append(scorers.score(rows, lambda share: step("scoring sampled rows", 0.6 + 0.2 * share)))
        writer.append(np.repeat(np.arange(len(kept)), [len(rows) for rows in kept]))
    pool = joined_rows(parts) if parts else scored.take(np.arange(0))
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
        n_prompts=n_prompts(suspect),
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


def _halves(corpus: Corpus, rng: int) -> tuple[Corpus, Corpus]:
    """One half to fit on, one to calibrate by; rows of one prompt stay together."""
    group = prompt_groups(corpus.prompts)
    n_groups = int(group.max(initial=-1)) + 1
    if n_groups < 2 * MIN_GROUPS:
        raise ValueError(
            f"{corpus.name} must hold at least {2 * MIN_GROUPS} independent rows or prompts, half of them to fit on, "
            f"got {n_groups}; sample more rows"
        )
    first = np.random.default_rng([rng, 11]).permutation(n_groups) < n_groups // 2
    return corpus.only(first[group]), corpus.only(~first[group])


def _writers(panel: Panel) -> tuple[Writer, ...]:
    known = {c.key: (c.name, c.form) for c in panel.candidates}
    models = list(panel.scorers.teachers)
    found = []
    for column, key in enumerate((*(models or [BASE]), *panel.scorers.detectors)):
        name, form = (BASE, BASE) if key == BASE else known.get(key, (key, PLACEBO))
        if column < len(models):
            rows, weight = panel.pool, _weights(panel, column)
        else:
            rows = panel.own.get(key, panel.reference)
            weight = np.full(len(rows.corpus), 1 / len(rows.corpus))
        found.append(Writer(name, form, column, column < len(models), rows, weight))
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
