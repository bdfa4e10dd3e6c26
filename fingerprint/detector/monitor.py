"""`Monitor`: watch rows as they arrive, stop when there is enough evidence; valid at any time, however often one looks.

Every suspect row is paired with one unused reference row. Given the unordered pair and all pairs before, under the null
either is as likely to be the suspect's, so a score that changes its sign with their exchange has mean zero, whatever it
was learned from, as long as that is the past. Betting on it multiplies the capital by 1 + score, whose mean is 1: it
is a test martingale, and by Ville's inequality it ever passes 1/alpha with probability at most alpha.

What makes a pair exchangeable is how it was formed: by prompt, by arrival at the same time, or, without either, by
exchangeability of the whole stream with the sample, which a stream that drifts does not have.

References
----------
Ville (1939), Etude critique de la notion de collectif. Ramdas, Grunwald, Vovk and Shafer (2023), doi 10.1214/23-STS894:
game-theoretic statistics and e-values. Waudby-Smith and Ramdas (2024), doi 10.1093/jrsssb/qkad009: betting on bounded
scores.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from fingerprint.data.arrays import Floats
from fingerprint.data.corpus import Corpus
from fingerprint.data.normal_form import normal_form
from fingerprint.data.reading import as_corpus
from fingerprint.detection.prior import Prior, checked_prior, trained_rows_of
from fingerprint.detector.drift import DriftTest
from fingerprint.detector.reading import Pairing, Reading, assumption
from fingerprint.features import choose
from fingerprint.features.scaling import FamilyMatrix, family_matrix, scaled
from fingerprint.statistics.streams import MonitorStream, generator

# Pairs before anything is learned; features are fitted anew on the past whenever it has grown by this factor.
FIRST_FIT = 8
GROWTH = 1.5
# Experts on the learned score: the log-odds of a pair are 2 * rate * sqrt(pairs) * score, the rate being the mean of
# the inner product of two pairs over its sd. It is .03 for a teacher that the exact test finds at 100 pairs.
RATES = (0.0125, 0.025, 0.05, 0.1)
LARGEST_STRENGTH = 2.0
# Experts on the prior's log-odds: as calibrated, and half of it, for a trait or source that it fits less well.
TRUST = (0.5, 1.0)
PRIOR_SHARE = 0.8  # of the starting capital, when there is a prior; the rest learns without it


class Monitor:
    """An always-valid test of a stream of rows against reference rows.

    Parameters
    ----------
    reference : path, Corpus, list of str, ..., optional
        Rows of an unconditioned teacher. Each is used once. Not needed where a reference row comes with every row.
    alpha : float
        Probability of a false alarm, ever, in (0, 1).
    prior : fingerprint.Detector, optional
        A detector trained on other rows: bets from the first row on. Without one the score is learned on the way.
    tolerance : float
        Mean of the score, in [0, 1), that is still allowed: differences this small raise no alarm.
    features : "auto", family names, or scikit-learn transformers
        As in `fingerprint.detect`.
    rng : int
        Seed of the order in which reference rows are used.

    Raises
    ------
    ValueError
        For bad options, or reference rows that the prior was trained on.

    Notes
    -----
    P(ever an alarm) <= alpha if, under the null, the two rows of every pair are exchangeable given all pairs before.
    Three ways of pairing rest that on different things, and every reading says on which (`Reading.assumption`):

    * by prompt, where both sides know theirs: the answers to one prompt are exchangeable. Their order is free.
    * by arrival (`observe(text, reference=...)`): at each moment both streams draw alike, given the past. They may
      drift together. Two files that were each sorted do not have this: where one runs ahead it stays ahead.
    * with a random row of the sample, otherwise: the stream and the sample are exchangeable as a whole. Where the
      stream drifts the promise is void, for nothing tells drift from a trait. So its rows are tested for drift in
      length and alphabetical order (`DriftTest`); once that is found, no alarm stands. What drifts slowly or otherwise
      may raise an alarm first. A trait that sets in late and changes these is taken for drift.

    With a tolerance t the capital is multiplied by 1 + (score - t) / (1 + t), whose mean is at most 1 while that of the
    score is at most t.

    Examples
    --------
    >>> monitor = Monitor([f"{i}, {i + 1}" for i in range(100)])
    >>> reading = monitor.observe("5, 9")
    >>> reading.rows, reading.alarm, reading.drift
    (1, False, False)
    >>> live = Monitor()
    >>> live.observe("5, 9", reference="3, 8").assumption.split(":")[0]
    'Rows paired in the order of arrival'
    """

    def __init__(
        self,
        reference: object = None,
        *,
        alpha: float = 0.05,
        prior: Prior | None = None,
        tolerance: float = 0.0,
        features: object = "auto",
        rng: int = 0,
    ) -> None:
        if not 0 < alpha < 1:
            raise ValueError(f"alpha must be between 0 and 1, got {alpha}; .05 is usual")
        if not 0 <= tolerance < 1:
            raise ValueError(f"tolerance must be in [0, 1), got {tolerance}; 0 tolerates no difference")
        corpus = Corpus((), (), name="reference") if reference is None else as_corpus(reference, argument="reference")
        self.alpha, self.tolerance, self.prior = alpha, tolerance, prior
        if prior is not None:
            checked_prior(prior)
            if len(corpus):
                trained_rows_of(corpus, prior)  # none, or an error
        self._unused = _Unused(corpus, generator(rng, MonitorStream.REFERENCE_ORDER))
        self._learner = Learner(features)
        self._drift = DriftTest(generator(rng, MonitorStream.DRIFT_TIES))
        self._pairings: set[Pairing] = set()
        self._log_capital = np.zeros(len(expert_shares(prior is not None)))
        self._largest = 0.0
        self.rows = 0

    @property
    def reading(self) -> Reading:
        """The state now."""
        now = self._log_total()
        largest = max(self._largest, now)
        drift = self._drift.found
        alarm = bool(largest >= -np.log(self.alpha)) and not drift
        pvalue = 1.0 if drift else float(np.exp(-largest))
        rests_on = assumption(self._pairings)
        return Reading(self.rows, float(np.exp(now)), pvalue, alarm, rests_on, drift, self._drift.pvalue)

    def observe(self, text: str, prompt: str | None = None, *, reference: str | None = None) -> Reading:
        """Take in one suspect row.

        Parameters
        ----------
        text, prompt : str
            The row, and what it answers.
        reference : str, optional
            Text of the reference row that arrived with it, chosen without a look at either; the two are paired.

        Raises
        ------
        ValueError
            If no unused reference row is left, or none that answers this prompt; or the prior was trained on a row.
        """
        if self.prior is not None:
            rows = [text] if reference is None else [text, reference]
            for row in rows:
                trained_rows_of(Corpus((row,), (prompt,), name="the observed row"), self.prior)
        opponent, pairing = (reference, Pairing.ARRIVAL) if reference is not None else self._unused.take(prompt)
        self._pairings.add(pairing)
        if pairing is Pairing.SAMPLE:
            self._drift.observe(text)
        (learned,) = self._learner.steps([(text, opponent)])
        known = None
        if self.prior is not None:
            scores = self.prior.decision_function([text, opponent])
            known = scores[0] - scores[1]
        score = standardised(learned, np.ones(len(learned)))
        self._log_capital = self._log_capital + log_factors(score, len(learned), known, self.tolerance)
        self.rows += 1
        self._largest = max(self._largest, self._log_total())
        return self.reading

    def _log_total(self) -> float:
        """Log of the capital of all experts together."""
        from scipy.special import logsumexp

        return float(logsumexp(self._log_capital, b=expert_shares(self.prior is not None)))


class _Unused:
    """Reference rows that no suspect row was paired with yet, in random order."""

    def __init__(self, corpus: Corpus, rng: np.random.Generator) -> None:
        self.corpus = corpus
        self.left = rng.permutation(len(corpus)).tolist()[::-1]
        self.of_prompt: dict[str, list[int]] = defaultdict(list)
        for i in self.left:
            known = corpus.prompt_keys[i]
            if known is not None:
                self.of_prompt[known].append(i)
        self.used: set[int] = set()

    def take(self, prompt: str | None) -> tuple[str, Pairing]:
        """Text of an unused row: one that answers the prompt, where prompts are known on both sides."""
        by_prompt = prompt is not None and bool(self.of_prompt)
        rows = self.of_prompt.get(normal_form(prompt), []) if prompt is not None and by_prompt else self.left
        while rows:
            i = rows.pop()
            if i not in self.used:
                self.used.add(i)
                return self.corpus.texts[i], Pairing.PROMPT if by_prompt else Pairing.SAMPLE
        what = f"that answers the prompt {prompt!r:.80}" if by_prompt else f"of the {len(self.corpus)} given"
        raise ValueError(
            f"reference must hold an unused row for every row observed, got none left {what} after {len(self.used)}; "
            "sample more reference rows, and start a new monitor, or give the one that arrives with each row"
        )


class Learner:
    """Inner products of a new pair's feature difference with those of all pairs before.

    The features' ranks, columns and scales come from past rows of both sides, which enter alike: exchanging the sides
    of any past pair changes the signs of its inner products and nothing else.
    """

    def __init__(self, features: object = "auto") -> None:
        self.features = features
        self.pairs: list[tuple[str, str]] = []
        self.fitted: dict[str, FamilyMatrix] = {}
        self.differences: dict[str, sp.csr_matrix] = {}
        self.squares: dict[str, float] = {}  # sum over past pairs of pairs of their squared inner products
        self.next_fit = FIRST_FIT

    def steps(self, pairs: Sequence[tuple[str, str]]) -> list[Floats]:
        """For every new pair (suspect, reference) its products with the pairs before it [pairs before].

        Summed over families, each over the root mean square of its past products. What a pair gets depends on the
        pairs before it alone, however many are passed at once.
        """
        found: list[Floats] = []
        left = list(pairs)
        while left:
            room = self.next_fit - len(self.pairs)
            found += self._until_fit(left[:room])
            left = left[room:]
            if len(self.pairs) >= self.next_fit:
                self._fit()
        return found

    def _until_fit(self, new: list[tuple[str, str]]) -> list[Floats]:
        n = len(self.pairs)
        totals = [np.zeros(n + j) for j in range(len(new))]
        for name, matrix in self.fitted.items():
            differences = _differences(matrix, new)
            self.differences[name] = sp.vstack([self.differences[name], differences], format="csr")
            products = np.asarray((self.differences[name] @ differences.T).todense(), dtype=np.float64)
            for j, total in enumerate(totals):
                past = n + j
                if self.squares[name] > 0:
                    total += products[:past, j] / np.sqrt(self.squares[name] / (past * (past - 1) / 2))
                self.squares[name] += float((products[:past, j] ** 2).sum())
        self.pairs += new
        return totals

    def _fit(self) -> None:
        texts = sorted(text for pair in self.pairs for text in pair)
        families = choose(self.features, texts)
        fitted = {name: family_matrix(family, texts, name) for name, family in families.items()}
        self.fitted = {name: matrix for name, matrix in fitted.items() if matrix.n_columns}
        for name, matrix in self.fitted.items():
            self.differences[name] = _differences(matrix, self.pairs)
            products = np.asarray((self.differences[name] @ self.differences[name].T).todense(), dtype=np.float64)
            self.squares[name] = float((np.triu(products, 1) ** 2).sum())
        self.next_fit = int(np.ceil(len(self.pairs) * GROWTH))


def _differences(matrix: FamilyMatrix, pairs: Sequence[tuple[str, str]]) -> sp.csr_matrix:
    """Suspect features less reference features of every pair."""
    sides = [matrix.family.transform([pair[side] for pair in pairs]) for side in (0, 1)]
    suspect, reference = (scaled(side, matrix.columns, matrix.scale) for side in sides)
    return (suspect - reference).tocsr()


def standardised(products: Floats, signs: Floats) -> Floats:
    """Sum of the products over its sd when the signs of the past pairs are random; 0 where nothing varies.

    Parameters
    ----------
    products : float array [pairs before]
    signs : float array [..., pairs before]
        Which way round each past pair is: all ones for the stream as it is.
    """
    size = float(np.sqrt((products**2).sum()))
    return np.asarray(signs @ products / size if size > 0 else np.zeros(signs.shape[:-1]))


def expert_shares(has_prior: bool) -> Floats:
    """Starting capital of the experts: those that learn only, then those that trust the prior."""
    learning = np.full(len(RATES), 1 / len(RATES))
    if not has_prior:
        return learning
    trusting = np.full(len(TRUST) * (1 + len(RATES)), PRIOR_SHARE / (len(TRUST) * (1 + len(RATES))))
    return np.concatenate([learning * (1 - PRIOR_SHARE), trusting])


def log_factors(score: Floats, pairs: int, known: Floats | float | None, tolerance: float) -> Floats:
    """Log of what each expert's capital is multiplied by [..., experts].

    Parameters
    ----------
    score : float array [...]
        Learned score of the new pair, standardised; changes its sign with the pair's.
    pairs : int
        Pairs before this one.
    known : float array [...], optional
        The prior's log-odds of the suspect row less those of the reference row.
    """
    strength = np.minimum(np.array([0.0, *RATES]) * np.sqrt(pairs), LARGEST_STRENGTH)
    learned = 2 * np.asarray(score)[..., None] * strength
    log_odds = [learned[..., 1:]]
    if known is not None:
        log_odds += [trust * np.asarray(known)[..., None] + learned for trust in TRUST]
    bounded = np.tanh(np.concatenate(log_odds, axis=-1) / 2)
    # tanh rounds to -1 for log-odds beyond 37: an expert that sure, and wrong, is left with next to nothing.
    return np.asarray(np.log(np.maximum(1 + (bounded - tolerance) / (1 + tolerance), 1e-300)))
