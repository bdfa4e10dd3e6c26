"""What `detect` was asked, read and checked: everything that a section of the report starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fingerprint.data.arrays import Ints
from fingerprint.data.columns import Sided, of_sides
from fingerprint.data.corpus import Corpus
from fingerprint.data.files import check_output
from fingerprint.data.reading import as_corpus
from fingerprint.data.rereading import Rows
from fingerprint.data.version import own_version
from fingerprint.detection.journal import Journal
from fingerprint.detection.model_families import checked_system_prompts
from fingerprint.detection.options import Options
from fingerprint.detection.prior import Priors, without_trained
from fingerprint.detection.streamed import AllRows, opened
from fingerprint.features import FAMILIES
from fingerprint.features.transformer import Transformer
from fingerprint.filters.verdicts import Filter, check_filters
from fingerprint.report.title import title_of
from fingerprint.statistics.comparison import Comparison, pair
from fingerprint.statistics.streams import Stream, generator

if TYPE_CHECKING:
    from fingerprint.lm.loading import Spec
    from fingerprint.lm.model import LanguageModel
    from fingerprint.lm.teachers import RowScorer


@dataclass(frozen=True)
class Case:
    """What was asked, with every input read and every argument checked.

    Attributes
    ----------
    title : str
        What the comparison is called.
    sides : pair of Rows
        Suspect and reference, to be read once more.
    whole : AllRows or None
        All their rows, where there are more than are held.
    journal : Journal or None
        Where what is done of them is kept.
    given : pair of Corpus
        Suspect and reference as they were read; a sample of them where not all rows are held.
    corpora : pair of Corpus
        The same without the rows that a prior was learnt from.
    left : pair of int arrays
        Index of each of their rows among those given, rising.
    placebos : tuple of Corpus
        Without such rows too.
    text, prompt : str, pair of str, or None, and False for prompts to ignore
        Column names as they were asked for.
    features : object
        As it was given; see `fingerprint.features.choose`.
    filters : tuple of filters
    priors : Priors
    model : LanguageModel or None
        Loaded once, for all that asks it.
    system_prompts : tuple of str
        To try with the model.
    teachers : pair of teachers or None
        The suspect's and the reference's, where they are known.
    alpha : float
    seed : int
    options : Options
    """

    title: str
    sides: tuple[Rows, Rows]
    whole: AllRows | None
    journal: Journal | None
    given: tuple[Corpus, Corpus]
    corpora: tuple[Corpus, Corpus]
    left: tuple[Ints, Ints]
    placebos: tuple[Corpus, ...]
    text: Sided
    prompt: Sided | Literal[False]
    features: object
    filters: tuple[Filter, ...]
    priors: Priors
    model: LanguageModel | None
    system_prompts: tuple[str, ...]
    teachers: tuple[RowScorer, RowScorer] | None
    alpha: float
    seed: int
    options: Options

    @classmethod
    def of(
        cls,
        suspect: object,
        reference: object,
        *,
        text: Sided,
        prompt: Sided | Literal[False],
        features: object,
        filters: Sequence[Filter],
        prior: object,
        model: Spec | None,
        placebos: Sequence[object],
        alpha: float,
        rng: int,
        options: Options,
        within: Callable[[str, float], None] = lambda note, share: None,
    ) -> Case:
        """Check the arguments of `detect`, cheap ones first, and read the rows; the model loads last."""
        options.check_level(alpha)
        _check_seed(rng)
        if options.scores is not None:
            check_output(options.scores, "scores")
        filters = check_filters(filters)
        texts, columns = of_sides(text, "text"), of_sides(prompt or None, "prompt")
        sides = (
            rows_of_side(suspect, "suspect", texts[0], columns[0], options),
            rows_of_side(reference, "reference", texts[1], columns[1], options),
        )
        journal = _journal(sides, prompt is not False, features, rng, options)
        given, whole = opened(sides, prompt is not False, within, options.engine, journal)
        priors = Priors.of(prior)
        suspect_left, reference_left = (without_trained(corpus, priors, options.trained_rows) for corpus in given)
        system_prompts = checked_system_prompts(options.system_prompts, model)
        _check_student(options, model, prompt)
        others = tuple(
            without_trained(placebo, priors, options.trained_rows)[0]
            for placebo in _placebos(placebos, texts[0], columns[0], options)
        )
        corpora = suspect_left[0], reference_left[0]
        base = _loaded(model, (*corpora, *others))
        return cls(
            title=title_of(options.title, suspect, reference),
            sides=sides,
            whole=whole,
            journal=journal,
            given=given,
            corpora=corpora,
            left=(suspect_left[1], reference_left[1]),
            placebos=others,
            text=text,
            prompt=prompt,
            features=features,
            filters=tuple(filters),
            priors=priors,
            model=base,
            system_prompts=system_prompts,
            teachers=_teachers(options, base),
            alpha=alpha,
            seed=rng,
            options=options,
        )

    @property
    def everybody(self) -> tuple[Corpus, ...]:
        """Suspect, reference and placebos."""
        return (*self.corpora, *self.placebos)

    @property
    def drops_rows(self) -> bool:
        """Whether a prior was learnt from some of the rows given, which are left out."""
        return any(len(given) != len(left) for given, left in zip(self.given, self.left, strict=True))

    @property
    def numbers(self) -> tuple[Ints, Ints]:
        """Index of each row of `corpora` among all usable rows of its side, held or not."""
        if self.whole is None:
            return self.left
        suspect, reference = (rows[left] for rows, left in zip(self.whole.sampled, self.left, strict=True))
        return suspect, reference

    def rng(self, stream: Stream, *more: int) -> np.random.Generator:
        """The generator of a stream."""
        return generator(self.seed, stream, *more)

    def paired(self, first: Corpus, second: Corpus, *, paired_alone: bool = False) -> Comparison:
        """Two of the corpora laid out for testing, or of them only what answers the same prompts.

        Raises
        ------
        ValueError
            If a corpus is too small, or the design allows fewer distinct relabellings than alpha needs.
        """
        use_prompts = self.prompt is not False
        comparison = pair(first, second, use_prompts=use_prompts, seed=self.seed, paired_alone=paired_alone)
        design = comparison.design
        if design.distinct_relabellings * self.alpha < 1:
            raise ValueError(
                f"{first.name} and {second.name} must allow at least {1 / self.alpha:.0f} distinct relabellings "
                f"for alpha {self.alpha}, got {design.distinct_relabellings:.0f} ({design.n_blocks} blocks of "
                f"{design.kind} prompts); sample more prompts, or ignore the prompts (prompt=False, --no-prompt) if "
                "rows of one prompt are independent"
            )
        return comparison


def rows_of_side(data: object, argument: str, text: str | None, prompt: str | None, options: Options) -> Rows:
    """Rows of one side, read as the options say."""
    return Rows(
        data,
        text=text,
        prompt=prompt,
        turn=options.turn,
        bad_rows=options.bad_rows,
        bad_shards=options.bad_shards,
        argument=argument,
    )


def _journal(
    sides: tuple[Rows, Rows], use_prompts: bool, features: object, seed: int, options: Options
) -> Journal | None:
    """Where what is done of rows that are not held is kept, if that was asked for."""
    if options.resume is None:
        return None
    shards: list[str] = []
    for rows in sides:
        if not rows.files():
            argument = rows.how.argument
            raise ValueError(f"{argument} must be files where resume is given, got {rows.name}; pass shards")
        shards += rows.files()
    settings = {
        "version": own_version(),
        "how": [asdict(rows.how) for rows in sides],
        "prompts": use_prompts,
        "features": _features(features),
        "seed": seed,
    }
    return Journal.at(options.resume, settings, shards)


def _features(features: object) -> list[tuple[str, str]]:
    """What features were asked for, and the definitions that they have here: of others nothing that is kept holds."""
    if isinstance(features, Mapping):
        given = [(str(name), each) for name, each in features.items()]
    else:
        several = features if isinstance(features, Sequence) and not isinstance(features, str) else [features]
        given = [("", each) for each in several]
    found = []
    for name, each in given:
        if isinstance(each, str):
            names = FAMILIES if each == "auto" else [each]
            found += [(name, str(FAMILIES[one]().definition) if one in FAMILIES else one) for one in names]
        else:
            definition = each.definition if isinstance(each, Transformer) else None
            found.append((name, f"{type(each).__qualname__} {definition}"))
    return found


def _placebos(placebos: object, text: str | None, prompt: str | None, options: Options) -> tuple[Corpus, ...]:
    if isinstance(placebos, str | Corpus) or not isinstance(placebos, Sequence):
        raise TypeError(f"placebos must be a sequence of corpora, got {placebos!r:.80}; put it in a list")
    return tuple(
        as_corpus(
            data, text=text, prompt=prompt, turn=options.turn, bad_rows=options.bad_rows, argument=f"placebo {number}"
        )
        for number, data in enumerate(placebos, 1)
    )


def _check_seed(rng: object) -> None:
    if isinstance(rng, bool) or not isinstance(rng, int) or rng < 0:
        raise TypeError(f"rng must be a whole number from 0, got {rng!r}; it seeds every random choice")


def _check_student(options: Options, model: object, prompt: object) -> None:
    if not options.student:
        return
    if model is None:
        raise ValueError("student must come with a model to train, got student=True without one; pass model=")
    if options.classifier is not None:
        raise ValueError(f"student must come without classifier, got {options.classifier!r:.80}; leave one of them out")
    if prompt is False:
        raise ValueError(
            "student must come with the rows' prompts, got prompt=False; a student must not judge rows whose prompts "
            "it was trained on"
        )


def _teachers(options: Options, base: Spec | None) -> tuple[RowScorer, RowScorer] | None:
    """The teachers of suspect and reference, where they are known."""
    if options.teacher is None:
        return None
    from fingerprint.detection.known_teacher import checked_teachers

    return checked_teachers(options.teacher, base)


def _loaded(model: Spec | None, corpora: Sequence[Corpus]) -> LanguageModel | None:
    """The model, once every row has the prompt that it needs."""
    if model is None:
        return None
    for corpus in corpora:
        corpus.every_prompt("model")
    from fingerprint.lm.loading import load

    return load(model)
