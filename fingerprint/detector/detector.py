"""`Detector`: the scores of `detect`, trained once on known teachers, saved, and applied to rows that come later."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from fingerprint.data.arrays import Array, Bools, Floats, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.data.files import check_output
from fingerprint.data.known_rows import KnownRows
from fingerprint.data.reading import as_corpus
from fingerprint.data.version import own_version
from fingerprint.detection.analysis import bag_intervals
from fingerprint.detector.bags import BagScore, judged_bag
from fingerprint.detector.card import Card, limits
from fingerprint.detector.domain import Domain
from fingerprint.detector.fitting import FittedTraits, fit_traits
from fingerprint.detector.several_traits import traits_of_rows
from fingerprint.detector.storage import FORMAT, PROBES, StoredDetector, check_scores, read_detector, write_detector
from fingerprint.detector.training_rows import held_out, one_a_prompt, two_classes, with_groups
from fingerprint.features.tokens import tokenize
from fingerprint.report.encoding import encode_record
from fingerprint.statistics.classifier import Classifier
from fingerprint.statistics.intervals import auc_interval
from fingerprint.statistics.streams import DetectorStream, generator


class Detector(ClassifierMixin, BaseEstimator):
    """Tells rows of a trait teacher from rows of a neutral one; trained once, applied to rows that come later.

    Parameters
    ----------
    features : "auto", family names, or scikit-learn transformers
        As in `fingerprint.detect`.
    classifier : None, scikit-learn classifier, or list of them
        Members of the stack; None stands for the built-in ridge models, one a family. They see all families' scaled
        columns side by side, as a sparse matrix.
    fast : bool
        The closed form: mean differences, families with equal weights.
    holdout : float
        Share of the prompts (of the neutral rows, without prompts) that nothing is fitted on, in [0, 1): their neutral
        rows give `score_bag` and `fingerprint scan` their error rates. 0 will do for a prior.
    rng : int
        Seed of the choice of the rows held out.

    Attributes
    ----------
    classes_ : array [2]
        Labels, sorted; the second is the trait.
    card_ : dict
        What it was trained on, how well it does, and what it cannot do.
    scores_ : fingerprint.statistics.crossfit.Scores
        Out-of-fold scores of the training rows, of several traits by models that did not see the row's trait either;
        not there in a loaded detector.

    Notes
    -----
    `decision_function` gives log-odds: the stacked score of `detect`'s effect size, calibrated by out-of-fold scores at
    the training shares of the two classes (Platt 1999), with a slope that is its posterior mean: no surer than the rows
    can vouch for. New rows are scored by the mean of the folds' models, each on the scale of the rows that it did not
    see. `score_bag` is exact if its rows, were they neutral, were drawn as the held-out neutral rows were: those rows
    entered no fit.

    References
    ----------
    Platt (1999), Probabilistic outputs for support vector machines. Vovk, Gammerman and Shafer (2005), Algorithmic
    learning in a random world: p-values from held-out scores.

    Examples
    --------
    >>> from fingerprint.lab.simulated import simulated_pair
    >>> drawn = simulated_pair(300, tilt="sparse", d_prime=2.0, rng=1)
    >>> texts = drawn.suspect.texts + drawn.reference.texts
    >>> detector = Detector(features=["tokens", "numbers"]).fit(texts, [1] * 300 + [0] * 300)
    >>> detector.predict_proba(texts[:2]).shape
    (2, 2)
    """

    def __init__(
        self,
        features: object = "auto",
        *,
        classifier: Classifier | Sequence[Classifier | None] | None = None,
        fast: bool = False,
        holdout: float = 0.2,
        rng: int = 0,
    ) -> None:
        self.features = features
        self.classifier = classifier
        self.fast = fast
        self.holdout = holdout
        self.rng = rng

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: object, y: object = None, groups: object = None, traits: object = None) -> Detector:
        """Train on texts (or a corpus) and their labels.

        Parameters
        ----------
        X : list of str, Corpus, or whatever `fingerprint.read` and `detect` take
        y : array [rows]
            Two labels; the one that sorts last is the trait, or any of several traits.
        groups : array [rows], optional
            The prompt of each row, where `X` does not carry it: rows of one prompt stay in one fold.
        traits : array [rows], optional
            Where rows of several traits are there: the name of each row's trait, and None for neutral rows. What the
            traits have in common is kept, each of them counting the same, and figures and probabilities are those of a
            trait that was left out. Neutral rows from another source than the others (other prompts, another model) are
            named like the trait whose teacher is theirs: they are compared with that trait alone.

        Raises
        ------
        ValueError, TypeError
            For labels that are not two, rows that do not fit them, or too few independent rows.
        """
        corpus = as_corpus(X, argument="X")
        self.classes_, label = two_classes(y, len(corpus))
        if groups is not None:
            corpus = with_groups(corpus, groups)
        if not 0 <= self.holdout < 1:
            raise ValueError(f"holdout must be in [0, 1), got {self.holdout}; .2 keeps a fifth of the neutral prompts")
        members = self.classifier if isinstance(self.classifier, Sequence) else [self.classifier]
        if not members:
            raise ValueError("classifier must be None, a classifier or a list of them, got an empty list; leave it out")
        named = np.where(label == 1, str(self.classes_[1]), "").astype(object)
        named = named if traits is None else traits_of_rows(traits, label)
        held = held_out(corpus, label == 0, self.holdout, self.rng)
        fitted = fit_traits(corpus, label, named, held, self.features, members, self.fast, self.rng)
        self.stack_, self.scores_, self.prior_log_odds_ = fitted.stack, fitted.scores, fitted.prior_log_odds
        new = one_a_prompt(corpus.only(held & (label == 0), "held-out neutral"))
        self.neutral_scores_ = self._shuffled(self.decision_function(new)) if len(new) else np.empty(0)
        self.domain_ = Domain.of(fitted.texts, fitted.is_trait, fitted.one_a_prompt)
        self.training_rows_ = KnownRows.of(corpus)
        self.card_ = self._card(corpus, label, named, fitted)
        return self

    # ----------------------------------------------------------------------------------------------- scikit-learn's own

    def decision_function(self, X: object) -> Floats:
        """Log-odds [rows] of the trait, in nats, at the class shares of the training rows."""
        check_is_fitted(self)
        return self.stack_.log_odds(as_corpus(X, argument="X").texts)

    def predict_proba(self, X: object) -> Floats:
        """Calibrated probabilities [rows, 2] of the neutral and the trait label."""
        trait = expit(self.decision_function(X))
        return np.column_stack([1 - trait, trait])

    def predict(self, X: object) -> Array:
        """The likelier label of each row. One row says little: see `score_bag`."""
        is_trait = self.decision_function(X) > 0
        return np.asarray(self.classes_[is_trait.astype(np.int64)])

    # -------------------------------------------------------------------------------------------------- bags and tokens

    def score_bag(self, texts: object, *, neutral: object = None, false_positive_rate: float = 0.05) -> BagScore:
        """Judge rows together.

        Parameters
        ----------
        texts : list of str, Corpus, ...
            The rows of one bag.
        neutral : list of str, Corpus, ..., optional
            Neutral rows that the detector was not trained on, drawn as the bag would be if it were neutral. By default
            the neutral rows held out in training.
        false_positive_rate : float
            Share of neutral bags of this size that may be flagged, in (0, 1).

        Raises
        ------
        ValueError
            If the neutral rows make fewer disjoint bags of this size than the rate needs, or are training rows.

        Notes
        -----
        The p-value is exact if the bag's rows and the neutral rows are exchangeable under the null: independent rows
        of one law. A bag of rows that answer one prompt is not.
        """
        if not 0 < false_positive_rate < 1:
            raise ValueError(f"false_positive_rate must be between 0 and 1, got {false_positive_rate}; .05 is usual")
        found = self.decision_function(texts)
        return judged_bag(found, self._neutral_scores(neutral), self.prior_log_odds_, false_positive_rate)

    def _neutral_scores(self, neutral: object) -> Floats:
        if neutral is None:
            return self.neutral_scores_
        corpus = as_corpus(neutral, argument="neutral")
        if (trained := self.trained_on(corpus)).any():
            raise ValueError(
                f"neutral must be rows that the detector was not trained on, got {int(trained.sum())} that it was; "
                "leave them out"
            )
        return self._shuffled(self.decision_function(corpus))

    def _shuffled(self, scores: Floats) -> Floats:
        """In an order that has nothing to do with the rows: neighbours, which share a bag, must not be alike."""
        return generator(self.rng, DetectorStream.NEUTRAL_ORDER).permutation(scores)

    def explain(self, text: str) -> pl.DataFrame:
        """What each token of a text adds to its log-odds: the log-odds less those of the text without the token.

        Returns
        -------
        polars.DataFrame
            `token`, `start` (index of its first character) and `contribution` (nats), in the order of the text.

        Notes
        -----
        Contributions do not add up to the score: features of neighbouring tokens are shared by both.
        """
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {type(text).__name__}; explain one row at a time")
        tokens = tokenize(text)
        starts = np.cumsum([0, *map(len, tokens)])[:-1].tolist() if tokens else []
        without = [text[:start] + text[start + len(token) :] for start, token in zip(starts, tokens, strict=True)]
        scores = self.decision_function([text, *without])
        columns = {"token": tokens, "start": starts, "contribution": scores[0] - scores[1:]}
        return pl.DataFrame(columns, schema={"token": pl.String, "start": pl.Int64, "contribution": pl.Float64})

    # ---------------------------------------------------------------------------------------------------- training rows

    def trained_on(self, data: object) -> Bools:
        """Which rows, or the prompts they answer, are among those the detector was trained on.

        A row counts by its text and prompt, or by its text alone where a side has no prompt for it. Recognised by
        keyed hashes; the texts themselves are not kept.
        """
        check_is_fitted(self)
        return self.training_rows_.among(as_corpus(data))

    def _card(self, corpus: Corpus, label: Ints, named: Array, fitted: FittedTraits) -> Card:
        rng, known = generator(self.rng, DetectorStream.BAGS), self.training_rows_
        prompts = {prompt for prompt in corpus.prompt_keys if prompt is not None}
        return {
            "format": FORMAT,
            "definitions": {name: columns.family.definition for name, columns in self.stack_.columns.items()},
            "versions": {"fingerprint": own_version(), "numpy": np.__version__},
            "classes": [str(name) for name in self.classes_],
            "rows": {"trait": int(label.sum()), "neutral": int((label == 0).sum())},
            "prompts": len(prompts),
            "traits": fitted.described(label, named),
            "design": fitted.design,
            "held_out_neutral_rows": len(self.neutral_scores_),
            "families": {name: len(columns.columns) for name, columns in self.stack_.columns.items()},
            "options": {"fast": self.fast, "holdout": self.holdout, "rng": self.rng},
            "auc": encode_record(auc_interval(self.scores_)),
            "bags": [encode_record(bag) for bag in bag_intervals(self.scores_, rng)],
            "hashes": {"key": known.key.hex(), "rows": len(known.rows), "prompts": len(known.prompts)},
            "limits": list(limits(len(fitted.left_out))),
        }

    # ------------------------------------------------------------------------------------------------------- save, load

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the detector to one file: a line with a checksum, then numpy arrays and JSON. No pickle.

        Raises
        ------
        ValueError
            If it holds scikit-learn classifiers or transformers, which only pickle could save.
        """
        check_is_fitted(self)
        check_output(path, "path")
        if self.stack_.classifiers:
            raise ValueError(
                f"classifier must be None to be saved, got {self.classifier!r}; scikit-learn's classifiers can only be "
                "pickled, and loading a pickle runs code: train again where it is needed"
            )
        stored = StoredDetector(
            card=self.card_,
            classes=self.classes_,
            features=self.features if isinstance(self.features, str) else list(self.stack_.columns),
            stack=self.stack_,
            prior_log_odds=self.prior_log_odds_,
            neutral_scores=self.neutral_scores_,
            training_rows=self.training_rows_,
            domain=self.domain_,
            probe_scores=self.decision_function(list(PROBES)),
        )
        write_detector(path, stored)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, sha256: str | None = None) -> Detector:
        """Read a saved detector. Nothing in the file is ever run as code.

        Parameters
        ----------
        path : path-like
        sha256 : str, optional
            What ``sha256sum`` says of the file, as its maker told it: 64 hex digits. Another file is refused.

        Raises
        ------
        ValueError
            If the file is no detector, was changed after it was written, or belongs to another version of the format
            or the features. The checksum inside finds damage and careless edits; who wants to deceive can make a new
            one, so take detectors from people you trust, and their digest from these people.
        """
        stored = read_detector(path, sha256)
        options = stored.card["options"]
        made = cls(stored.features, fast=options["fast"], holdout=options["holdout"], rng=options["rng"])
        made.card_, made.classes_ = stored.card, stored.classes
        made.stack_, made.prior_log_odds_ = stored.stack, stored.prior_log_odds
        made.neutral_scores_, made.domain_ = stored.neutral_scores, stored.domain
        made.training_rows_ = stored.training_rows
        with np.errstate(all="ignore"):  # weights that are out of bounds show in the scores
            check_scores(stored, made.decision_function(list(PROBES)), path)
        return made
