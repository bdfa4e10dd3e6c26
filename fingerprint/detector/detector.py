"""`Detector`: the scores of `detect`, trained once on known teachers, saved, and applied to rows that come later."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.data.files import check_output, write_atomically
from fingerprint.data.reading import as_corpus
from fingerprint.detection.analysis import bag_intervals
from fingerprint.detection.provenance import own_version
from fingerprint.detector.bags import BagScore, bag_means
from fingerprint.detector.calibration import platt
from fingerprint.detector.card import LIMITS
from fingerprint.detector.columns import UsedColumns
from fingerprint.detector.domain import Domain
from fingerprint.detector.storage import (
    DOMAIN_ARRAYS,
    FORMAT,
    MAGIC,
    checked_content,
    checksum,
    loaded_families,
    plain,
    plain_arrays,
    saved_families,
)
from fingerprint.detector.training_rows import (
    asked_hashes,
    hashes_of,
    held_out,
    one_a_prompt,
    prompt_hashes,
    with_groups,
)
from fingerprint.features import FEATURE_VERSION, choose
from fingerprint.features.scaling import family_matrix
from fingerprint.features.tokens import tokenize
from fingerprint.report.encoding import encode_record
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.intervals import auc_interval
from fingerprint.statistics.trained import stacked, train_stack

# Rows scored at a time: bounds the memory of the sparse features.
_CHUNK = 20_000
# Texts whose scores are saved with a detector; other features, or other arithmetic, show in them.
_PROBES = (
    "1, 2, 3",
    "482, 113, 954, 700, 345, 123, 999, 321",
    "[17; 240; 8]",
    "A quiet walk by the river, and then home.",
    "**No.** It is 5 o'clock!\n\n- one\n- two",
    "",
)
_SAME_SCORE = 1e-9


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
        Out-of-fold scores of the training rows; not there in a loaded detector.

    Notes
    -----
    `decision_function` gives log-odds: the stacked score of `detect`'s effect size, calibrated by a logistic curve
    through out-of-fold scores at the training shares of the two classes (Platt 1999). `score_bag` is exact if its rows,
    were they neutral, were drawn as the held-out neutral rows were: those rows entered no fit.

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
        classifier: Any = None,
        fast: bool = False,
        holdout: float = 0.2,
        rng: int = 0,
    ) -> None:
        self.features = features
        self.classifier = classifier
        self.fast = fast
        self.holdout = holdout
        self.rng = rng

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: object, y: object = None, groups: object = None) -> Detector:
        """Train on texts (or a corpus) and their labels.

        Parameters
        ----------
        X : list of str, Corpus, or whatever `fingerprint.read` and `detect` take
        y : array [rows]
            Two labels; the one that sorts last is the trait.
        groups : array [rows], optional
            The prompt of each row, where `X` does not carry it: rows of one prompt stay in one fold.

        Raises
        ------
        ValueError, TypeError
            For labels that are not two, rows that do not fit them, or too few independent rows.
        """
        corpus = as_corpus(X, argument="X")
        self.classes_, label = _two_classes(y, len(corpus))
        if groups is not None:
            corpus = with_groups(corpus, groups)
        if not 0 <= self.holdout < 1:
            raise ValueError(f"holdout must be in [0, 1), got {self.holdout}; .2 keeps a fifth of the neutral prompts")
        held = held_out(corpus, label == 0, self.holdout, self.rng)
        arms = [corpus.only((label == side) & ~held, name) for side, name in ((1, "trait"), (0, "neutral"))]
        comparison = pair(arms[0], arms[1], seed=self.rng)
        self._fit(comparison)
        neutral = one_a_prompt(corpus.only(held & (label == 0), "held-out neutral"))
        self.neutral_scores_ = self._shuffled(self.decision_function(neutral)) if len(neutral) else np.empty(0)
        self.domain_ = _domain(comparison)
        self._key, self._rows, self._prompts = hashes_of(corpus)
        self.card_ = self._card(corpus, label, comparison)
        return self

    def _fit(self, comparison: Comparison) -> None:
        families = choose(self.features, comparison.texts)
        found = {name: family_matrix(family, comparison.texts, name) for name, family in families.items()}
        matrices = {name: matrix for name, matrix in found.items() if matrix.n_columns}
        if not matrices:
            raise ValueError("X must hold texts that differ in some feature, got texts that are all alike; check them")
        values = {name: matrix.values for name, matrix in matrices.items()}
        classifiers = self.classifier if isinstance(self.classifier, (list, tuple)) else [self.classifier]
        if not classifiers:
            raise ValueError("classifier must be None, a classifier or a list of them, got an empty list; leave it out")
        trained = train_stack(comparison, values, classifiers, self.fast)
        self.columns_ = {name: UsedColumns(m.family, m.columns, m.scale) for name, m in matrices.items()}
        self.coefficients_, self.classifiers_ = trained.coefficients, trained.classifiers
        self.centre_, self.weights_ = trained.centre, trained.weights
        self.slope_, self.intercept_ = platt(trained.scores.stacked, comparison.suspect)
        n_trait = int(comparison.suspect.sum())
        self.prior_log_odds_ = float(np.log(n_trait / (len(comparison.suspect) - n_trait)))
        self.scores_ = trained.scores

    # ----------------------------------------------------------------------------------------------- scikit-learn's own

    def decision_function(self, X: object) -> Floats:
        """Log-odds [rows] of the trait, in nats, at the class shares of the training rows."""
        check_is_fitted(self)
        texts = as_corpus(X, argument="X").texts
        parts = [self._log_odds(texts[i : i + _CHUNK]) for i in range(0, len(texts), _CHUNK)]
        return np.concatenate(parts)

    def _log_odds(self, texts: Sequence[str]) -> Floats:
        matrices = {name: columns.values(texts) for name, columns in self.columns_.items()}
        score = stacked(matrices, self.coefficients_, self.classifiers_, self.centre_, self.weights_)
        return self.slope_ * score + self.intercept_

    def predict_proba(self, X: object) -> Floats:
        """Calibrated probabilities [rows, 2] of the neutral and the trait label."""
        trait = expit(self.decision_function(X))
        return np.column_stack([1 - trait, trait])

    def predict(self, X: object) -> NDArray[Any]:
        """The likelier label of each row. One row says little: see `score_bag`."""
        is_trait = self.decision_function(X) > 0
        found: NDArray[Any] = self.classes_[is_trait.astype(np.int64)]
        return found

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
        k = len(found)
        null = bag_means(self._neutral_scores(neutral), k)
        if (1 + len(null)) * false_positive_rate < 1:
            need = k * (int(np.ceil(1 / false_positive_rate)) - 1)
            raise ValueError(
                f"false_positive_rate must be at least {1 / (1 + len(null)):.2g} for bags of {k} rows, got "
                f"{false_positive_rate}; it takes {need} neutral rows that the detector was not trained on (neutral=)"
            )
        score = float(found.mean())
        allowed = int(np.floor(false_positive_rate * (1 + len(null)) + 1e-9)) - 1  # neutral bags that may score as high
        threshold = float(np.sort(null)[::-1][allowed])
        pvalue = (1 + int((null >= score).sum())) / (1 + len(null))
        evidence = float((found - self.prior_log_odds_).sum())
        return BagScore(k, score, evidence, pvalue, false_positive_rate, threshold, score > threshold, len(null))

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
        return np.random.default_rng([self.rng, 4]).permutation(scores)

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
        corpus = as_corpus(data)
        rows, prompts = asked_hashes(corpus, self._key), prompt_hashes(corpus, self._key)
        return np.isin(rows, self._rows).any(axis=1) | np.isin(prompts, self._prompts)

    def _card(self, corpus: Corpus, label: Ints, comparison: Comparison) -> dict[str, Any]:
        auc, bags = auc_interval(self.scores_), bag_intervals(self.scores_, np.random.default_rng([self.rng, 2]))
        prompts = {prompt for prompt in corpus.prompts if prompt is not None}
        return {
            "format": FORMAT,
            "feature_version": FEATURE_VERSION,
            "versions": {"fingerprint": own_version(), "numpy": np.__version__},
            "classes": [str(name) for name in self.classes_],
            "rows": {"trait": int(label.sum()), "neutral": int((label == 0).sum())},
            "prompts": len(prompts),
            "design": comparison.design.kind,
            "held_out_neutral_rows": len(self.neutral_scores_),
            "families": {name: len(columns.columns) for name, columns in self.columns_.items()},
            "options": {"fast": self.fast, "holdout": self.holdout, "rng": self.rng},
            "auc": encode_record(auc),
            "bags": [encode_record(bag) for bag in bags],
            "hashes": {"key": self._key.hex(), "rows": len(self._rows), "prompts": len(self._prompts)},
            "limits": list(LIMITS),
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
        if self.classifiers_:
            raise ValueError(
                f"classifier must be None to be saved, got {self.classifier!r}; scikit-learn's classifiers can only be "
                "pickled, and loading a pickle runs code: train again where it is needed"
            )
        arrays, families = saved_families(self.columns_)
        for name, coefficients in self.coefficients_.items():
            arrays[f"{name}/coefficients"] = coefficients
        arrays |= {"centre": self.centre_, "weights": self.weights_, "neutral_scores": self.neutral_scores_}
        arrays |= {"rows": self._rows, "prompts": self._prompts, "probes": self.decision_function(list(_PROBES))}
        domain = self.domain_
        arrays |= {f"domain/{part}": getattr(domain, part) for part in DOMAIN_ARRAYS}
        header = {
            "card": self.card_,
            "classes": plain(self.classes_),
            "families": families,
            "features": self.features if isinstance(self.features, str) else list(self.columns_),
            "calibration": [self.slope_, self.intercept_, self.prior_log_odds_],
            "domain": {"kinds": domain.kinds, "families": domain.families},
        }
        arrays["json"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        content = buffer.getvalue()
        write_atomically(path, b"%s %d %s\n" % (MAGIC, FORMAT, checksum(content).encode()) + content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Detector:
        """Read a saved detector. Nothing in the file is ever run as code.

        Raises
        ------
        ValueError
            If the file is no detector, was changed after it was written, or belongs to another version of the format
            or the features. The checksum finds damage and careless edits; who wants to deceive can make a new one, so
            take detectors from people you trust.
        """
        arrays = plain_arrays(checked_content(Path(path)), path)
        header = json.loads(arrays["json"].tobytes())
        card = header["card"]
        if card["feature_version"] != FEATURE_VERSION:
            raise ValueError(
                f"{os.fspath(path)!r} must have feature version {FEATURE_VERSION}, got {card['feature_version']}; "
                f"train it again with this version, or install fingerprint {card['versions']['fingerprint']}"
            )
        options = card["options"]
        made = cls(header["features"], fast=options["fast"], holdout=options["holdout"], rng=options["rng"])
        made._restore(header, arrays)
        difference = float(np.abs(made.decision_function(list(_PROBES)) - arrays["probes"]).max())
        if difference > _SAME_SCORE:
            raise ValueError(
                f"{os.fspath(path)!r} must give the scores it was saved with, got a difference of {difference:.2g} "
                "nats; its features are computed differently here: train it again, or install the versions "
                f"{card['versions']}"
            )
        return made

    def _restore(self, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        self.classes_ = np.asarray(header["classes"])
        self.columns_ = loaded_families(header["families"], arrays)
        self.coefficients_ = {name: arrays[f"{name}/coefficients"] for name in self.columns_}
        self.classifiers_ = ()
        self.centre_, self.weights_ = arrays["centre"], arrays["weights"]
        self.slope_, self.intercept_, self.prior_log_odds_ = header["calibration"]
        self.neutral_scores_ = arrays["neutral_scores"]
        self.card_ = header["card"]
        self._key = bytes.fromhex(self.card_["hashes"]["key"])
        self._rows, self._prompts = arrays["rows"], arrays["prompts"]
        known = header["domain"]
        parts = {part: arrays[f"domain/{part}"] for part in DOMAIN_ARRAYS}
        self.domain_ = Domain(tuple(known["kinds"]), tuple(known["families"]), **parts)


def train(
    trait: object,
    neutral: object,
    *,
    text: str | None = None,
    prompt: str | Literal[False] | None = None,
    bad_rows: Literal["error", "skip"] = "error",
    **options: Any,
) -> Detector:
    """Train a detector on two corpora; `options` are those of `Detector`.

    Parameters
    ----------
    trait, neutral : path, glob, Corpus, list of str, ...
        Rows of a teacher known to have the trait, and of a neutral one.
    """
    column = prompt if isinstance(prompt, str) else None
    arms = [
        as_corpus(data, text=text, prompt=column, bad_rows=bad_rows, argument=argument)
        for data, argument in ((trait, "trait"), (neutral, "neutral"))
    ]
    prompts = () if prompt is False else arms[0].prompts + arms[1].prompts
    return Detector(**options).fit(
        Corpus(arms[0].texts + arms[1].texts, prompts, name="training rows"), [1] * len(arms[0]) + [0] * len(arms[1])
    )


# ------------------------------------------------------------------------------------------------------------ training


def _two_classes(y: object, rows: int) -> tuple[NDArray[Any], Ints]:
    if y is None:
        raise ValueError("y must have a label for every row, got None; label neutral rows 0 and rows of the trait 1")
    labels = np.asarray(y)
    if labels.shape != (rows,):
        raise ValueError(f"y must have one label per row, got the shape {labels.shape} for {rows} rows; flatten it")
    check_classification_targets(labels)
    classes, label = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("y must hold two classes, got 1 class; label neutral rows 0 and rows of the trait 1")
    if len(classes) > 2:
        raise ValueError(
            f"y must hold two classes, got {len(classes)}. Only binary classification is supported. The type of the "
            "target is multiclass; train one detector a trait"
        )
    return classes, label.astype(np.int64)


def _domain(comparison: Comparison) -> Domain:
    first = np.zeros(len(comparison.group), dtype=bool)
    first[np.unique(comparison.group * 2 + comparison.suspect, return_index=True)[1]] = True
    return Domain.of(comparison.texts, comparison.suspect, first)
