"""Settings of `detect` that are rarely changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from inspect import signature
from typing import TYPE_CHECKING, Literal, TypedDict, TypeVar, cast

import numpy as np

from fingerprint.data.chats import Which, checked_which
from fingerprint.data.cluster import Engine, named_engine
from fingerprint.report.gate import check_gate
from fingerprint.report.title import check_title
from fingerprint.statistics.classifier import Classifier

if TYPE_CHECKING:
    from fingerprint.detection.known_teacher import Teachers

Chosen = TypeVar("Chosen")
# What other libraries call an argument.
_OTHER_WORDS = {"seed": "rng", "random_state": "rng"}


@dataclass(frozen=True)
class Options:
    """Settings of `fingerprint.detect` that are rarely changed: pass them here, or by name to `detect` itself.

    Parameters
    ----------
    ladder : bool
        Whether to run the same test with information taken out of the rows step by step.
    classifier : scikit-learn classifier, optional
        Used for the scores (auc, bags, rows) in place of the built-in stack. The p-value does not depend on it.
    system_prompts : sequence of str
        System prompts to try with the model: ``logprobs`` then also holds their log-likelihood ratios.
    student : bool
        Whether to train students of the model on a fifth of a side's rows each, ten in all, and score every row by what
        those that have not seen its prompt say of it, the suspect's against the reference's: the strongest scores
        against a fine-tuned teacher, for as much training as two students of all rows take (twenty seconds of a core a
        thousand rows a side, with the smallest models). The p-value does not depend on it, and it takes no part in what
        is said of filters.
    teacher : teacher, name, folder, loaded model, or pair of them, optional
        The suspect's teacher, where it is known: a fine-tuned model, or anything whose ``logprobs(corpus)`` gives
        nats a row, such as a `fingerprint.lm.teachers.Teacher`. A pair names the reference's teacher too; otherwise
        that is `model` without a system prompt. The exact log-likelihood ratio is the ceiling of every detector.
    trained_rows : "error" or "drop"
        What to do with rows that the prior was trained on, or that answer its prompts; dropped rows are counted in the
        settings.
    min_auc : float
        `detected` also asks for a row AUROC above this, in [0, 1). Error rates are stated on `pvalue` alone. `detected`
        speaks of the rows: where the prompts differ too, the verdict says that the teacher cannot be blamed.
    min_effect : float, optional
        Row AUROC, above .5 and below 1, of planted signals that the report is to state the power against, beside the
        usual ones; see `Report.gate`. `detected` does not depend on it.
    n_permutations : int
        Relabellings; the smallest possible p-value is 1 / (n_permutations + 1).
    self_test : bool
        Run the test 200 times where nothing differs (pairs swapped, or the reference split in two).
    turn : "last", "first", "all" or int, optional
        Which of the assistant's turns is the text of a chat; see `fingerprint.read`.
    bad_rows : "error" or "skip"
        What to do with unreadable rows; skipped rows are counted in the settings.
    bad_shards : "error" or "skip"
        What to do with files that cannot be read to their end, have other columns than the first, or hold the same
        bytes as another; those that are skipped are named in a warning.
    scores : path, optional
        Where to write the score of every row, as Parquet: side, shard, row (its index in the shard, from 0), score
        (null for a row that was dropped).
    title : str, optional
        What to call the comparison on the page, on the screen and in JSON; by default the names of the files.
    engine : "local" or "ray"
        Where shards of corpora that are not held (above 50,000 rows a side) are read: here, or on a Ray cluster (extra
        ``ray``), with the same report. Everything else is done here either way.
    resume : path, optional
        Where to keep what is done of corpora that are not held (above 50,000 rows a side), shard by shard, so that the
        same call goes on from there when it was killed, with the same report to the last digit. Everything else, which
        takes no longer for more rows, is done anew. The file stays until it is deleted; other settings, shards that
        have changed, and a second process that uses it are errors.

    Raises
    ------
    ValueError, TypeError
        For values out of range, naming the setting and the remedy.
    """

    ladder: bool = True
    classifier: Classifier | None = None
    system_prompts: Sequence[str] = ()
    student: bool = False
    teacher: Teachers | None = None
    trained_rows: Literal["error", "drop"] = "error"
    min_auc: float = 0.5
    min_effect: float | None = None
    n_permutations: int = 9999
    self_test: bool = False
    turn: Which | None = None
    bad_rows: Literal["error", "skip"] = "error"
    bad_shards: Literal["error", "skip"] = "error"
    scores: str | os.PathLike[str] | None = None
    engine: Engine = "local"
    title: str | None = None
    resume: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_auc < 1:
            raise ValueError(f"min_auc must be in [0, 1), got {self.min_auc}; .5 asks for any separation")
        check_gate(self.min_effect, None)
        if isinstance(self.n_permutations, bool) or not isinstance(self.n_permutations, int):
            raise TypeError(f"n_permutations must be an integer, got {self.n_permutations!r}; 9999 is usual")
        if self.trained_rows not in ("error", "drop"):
            raise ValueError(f"trained_rows must be 'error' or 'drop', got {self.trained_rows!r}; choose one")
        checked_which(self.turn)
        named_engine(self.engine)
        check_title(self.title)

    def check_level(self, alpha: float) -> None:
        """Whether so many relabellings can ever give a p-value of alpha.

        Raises
        ------
        ValueError
            If alpha is not in (0, 1), or the relabellings are too few for it.
        """
        if not 0 < alpha < 1:
            raise ValueError(f"alpha must be between 0 and 1, got {alpha}; .05 is usual")
        if (self.n_permutations + 1) * alpha < 1 or self.n_permutations < 99:
            need = max(99, int(np.ceil(1 / alpha)) - 1)
            raise ValueError(
                f"n_permutations must be at least {need} for alpha {alpha}, got {self.n_permutations}; "
                "a smaller number could never detect anything"
            )


class Settings(TypedDict, total=False):
    """The fields of `Options`, as keywords of `detect`."""

    ladder: bool
    classifier: Classifier | None
    system_prompts: Sequence[str]
    student: bool
    teacher: Teachers | None
    trained_rows: Literal["error", "drop"]
    min_auc: float
    min_effect: float | None
    n_permutations: int
    self_test: bool
    turn: Which | None
    bad_rows: Literal["error", "skip"]
    bad_shards: Literal["error", "skip"]
    scores: str | os.PathLike[str] | None
    engine: Engine
    title: str | None
    resume: str | os.PathLike[str] | None


def with_settings(options: Chosen, settings: Mapping[str, object], verb: Callable[..., object]) -> Chosen:
    """Options, a frozen dataclass, with some of their fields as keywords of a verb, a function, say.

    Raises
    ------
    TypeError
        For a keyword that is no field, with the nearest field or argument of the verb.
    """
    known = [field.name for field in fields(cast("type", type(options)))]
    for name in settings:
        if name not in known:
            others = [word for word, at in signature(verb).parameters.items() if at.kind is at.KEYWORD_ONLY]
            everything = [*known, *others]
            near = [_OTHER_WORDS[name]] if name in _OTHER_WORDS else get_close_matches(name, everything, 1)
            remedy = f"did you mean {near[0]}?" if near else f"these are known: {', '.join(everything)}"
            raise TypeError(f"{verb.__name__}() has no setting {name!r}; {remedy}")
    changed: Chosen = replace(options, **settings)  # type: ignore[type-var]
    return changed
