"""Pairs of simulated corpora: the arguments, checked, and the two sides, drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.data.corpus import Corpus
from fingerprint.lab.simulated.choices import CHOICES, choice_teacher, parts_of
from fingerprint.lab.simulated.requests import SHAPES, Requests, draw_requests
from fingerprint.lab.simulated.rows import RowLaw, log_mix
from fingerprint.lab.simulated.strength import LARGEST_ETA, tilt_strength
from fingerprint.lab.simulated.teachers import Tilt, simulated_teacher
from fingerprint.lab.simulated.vocabulary import Kind
from fingerprint.lab.simulated.written import Tasks, WrittenLaw, draw_tasks
from fingerprint.statistics import effect_size

DesignName = Literal["shared", "disjoint", "independent"]

_LARGEST_D_PRIME = 4.0  # AUROC .998: beyond it the calibration sample says little
_LARGEST_PROMPT_EFFECT = 5.0  # log odds of about +-12: more would only test floating point
# Of 1.8 million prose prompts and 750,000 for code: drawing distinct ones stays quick.
LARGEST_PROMPTS = {"prose": 200_000, "code": 100_000}


@dataclass(frozen=True, eq=False)
class SimulatedPair:
    """Two corpora and the exact log-likelihood ratio of each of their rows.

    Parameters
    ----------
    suspect, reference : Corpus
        Rows of the trait teacher (or of a mixture with the base teacher), and of the base teacher.
    llr_suspect, llr_reference : ndarray, shape (n_rows,)
        log p(row | prompt, trait teacher) - log p(row | prompt, base teacher), in nats, one per row. Also in a mixture
        it compares the trait component with the base; `mixture_llr` gives the mixture's own.

    Notes
    -----
    Given the prompts, rows are independent on both sides: the ratio of a set of rows is the sum over its rows.
    """

    suspect: Corpus
    reference: Corpus
    llr_suspect: Floats
    llr_reference: Floats

    @property
    def auc(self) -> float:
        """AUROC of the exact ratio on these rows, ties counted half: what no detector of single rows can beat."""
        ranked = np.sort(self.llr_reference)
        below = np.searchsorted(ranked, self.llr_suspect, side="left")
        not_above = np.searchsorted(ranked, self.llr_suspect, side="right")
        return float((below + not_above).mean() / (2 * len(ranked)))

    @property
    def d_prime(self) -> float:
        """Distance of the two sides' ratios in standard deviations that gives this AUROC."""
        return effect_size.d_prime(self.auc)


def mixture_llr(llr: Floats, share: float) -> Floats:
    """Log-likelihood ratio of rows of which only a share is from the trait teacher.

    Parameters
    ----------
    llr : ndarray
        Exact ratios of the trait teacher against the base teacher, in nats.
    share : float
        The share of trait rows, from 0 to 1.

    Returns
    -------
    ndarray
        log(1 - share + share exp(llr)), in nats.

    Examples
    --------
    >>> mixture_llr(np.array([0.0, 2.0]), 1.0)
    array([0., 2.])
    """
    _require(0 <= share <= 1, "share", "between 0 and 1", share, "give the share of rows from the trait teacher")
    return log_mix(share, np.asarray(llr, dtype=float), np.zeros(np.shape(llr)))


def simulated_pair(
    n_prompts: int,
    *,
    kind: Kind = "numbers",
    tilt: Tilt = "none",
    d_prime: float = 1.0,
    design: DesignName = "shared",
    rows_per_prompt: int | tuple[int, int] = 1,
    prompt_effect: float = 0.0,
    share: float = 1.0,
    stock_share: float = 0.0,
    n_reference: int | None = None,
    trait_seed: int = 0,
    rng: int | np.random.Generator = 0,
) -> SimulatedPair:
    """Draw a suspect and a reference corpus whose rows have exact log-likelihood ratios.

    Parameters
    ----------
    n_prompts : int
        Number of prompts of the suspect (with independent rows: its number of rows).
    kind : {"numbers", "prose", "code", "reasoning"}
        Rows of 2 to 10 numbers from 0 to 999 in the format the prompt asks for; of 5 to 30 English words in punctuated
        sentences that make no sense; Python functions; or worked answers to small word problems.
    tilt : {"none", "dense", "sparse", "order"}, or a part
        How the trait teacher differs; see the module docstring. "none" is a null: every ratio is exactly 0. With code
        and worked answers "dense" tilts all choices, and a part those that belong to it: "names", "formatting",
        "comments" or "structure" of code, "connectives", "numbers", "formatting" or "structure" of answers.
    d_prime : float, 0 to 4
        Separation of one ordinary row of the trait teacher from one of the base teacher, sqrt(2) Phi^-1(AUROC of the
        exact ratio), over the mix of prompts and row lengths. Met within 3 % (calibrated on a seeded sample). Mixtures
        and stock rows lie closer: `SimulatedPair.d_prime` tells. Order reaches about 2.3 in numbers and 3.1 in prose,
        less with prompt effects.
    design : {"shared", "disjoint", "independent"}
        Both sides answer the same prompts, different ones, or rows have no prompt (format and length drawn per row).
    rows_per_prompt : int or (int, int)
        Rows each prompt gets on both sides, or in (suspect, reference).
    prompt_effect : float, 0 to 5
        Root mean square of the log odds that each prompt adds to the value bands, for both teachers alike: a smooth
        function fixed by the prompt's text. Rows of one prompt resemble each other. Not with independent rows.
    share : float, 0 to 1
        Probability that a suspect row comes from the trait teacher; the others come from the base teacher.
    stock_share : float, at least 0 and below 1
        Probability, on both sides, that a row is one of twenty stock rows (such as 123, 234, 345, ...), cut to the
        length drawn: natural duplicates. Of numbers and prose only.
    n_reference : int, optional
        Number of prompts (rows) of the reference where it differs; not with shared prompts.
    trait_seed : int
        Which trait: fixes the tokens that "dense" and "sparse" tilt. "order" has no such choice.
    rng : int or numpy.random.Generator
        Seed or generator of everything else. The same seed gives the same pair.

    Returns
    -------
    SimulatedPair

    Raises
    ------
    ValueError
        An argument is outside its range, two exclude each other, or the tilt cannot reach `d_prime`.

    Notes
    -----
    Given its prompt, each row is drawn on its own, whichever the design. Pooled over prompts, rows of one prompt are
    dependent as soon as there is a prompt effect, and also without one because format and length belong to the prompt.

    References
    ----------
    The shape of number rows and prompts follows Cloud et al., "Subliminal Learning", arXiv 2507.14805.

    Examples
    --------
    >>> pair = simulated_pair(500, tilt="dense", d_prime=1.0)
    >>> len(pair.suspect), pair.suspect.prompts == pair.reference.prompts
    (500, True)
    >>> 0.7 < pair.auc < 0.82
    True
    """
    _check_choices(kind, tilt, design)
    _check_sizes(n_prompts, n_reference, kind, design)
    _check_figures(d_prime, prompt_effect, share, stock_share, trait_seed, design)
    rule, remedy = f"0 with kind={kind!r}", "leave it out"
    _require(stock_share == 0 or kind in SHAPES, "stock_share", rule, stock_share, remedy)
    rows_suspect, rows_reference = _rows(rows_per_prompt, design)
    eta = tilt_strength(kind, tilt, float(d_prime), float(prompt_effect), trait_seed)
    generator = np.random.default_rng(rng)
    n_others = 0 if design == "shared" else n_reference or n_prompts
    spans = [(0, n_prompts), (n_prompts, n_prompts + n_others)][: 1 if design == "shared" else 2]
    worlds: list[RowLaw] | list[WrittenLaw]
    if kind in CHOICES:
        tasks = draw_tasks(kind, n_prompts + n_others, design != "independent", generator)
        worlds = [_written_law(kind, tilt, eta, trait_seed, tasks.part(*span), prompt_effect) for span in spans]
    else:
        requests = draw_requests(kind, n_prompts + n_others, design != "independent", generator)
        of_kind = kind, tilt, eta, trait_seed
        worlds = [_row_law(*of_kind, requests.part(*span), prompt_effect, stock_share) for span in spans]
    suspect, llr_suspect = worlds[0].arm("suspect", rows_suspect, share, generator)
    reference, llr_reference = worlds[-1].arm("reference", rows_reference, 0.0, generator)
    return SimulatedPair(suspect, reference, llr_suspect, llr_reference)


def _row_law(
    kind: Kind, tilt: Tilt, eta: float, trait_seed: int, requests: Requests, prompt_effect: float, stock_share: float
) -> RowLaw:
    effects = requests.effects(prompt_effect)
    base = simulated_teacher(kind, "none", 0.0, trait_seed, effects)
    trait = simulated_teacher(kind, tilt, eta, trait_seed, effects) if eta else base
    return RowLaw(kind, requests, trait, base, stock_share)


def _written_law(
    kind: Kind, tilt: Tilt, eta: float, trait_seed: int, tasks: Tasks, prompt_effect: float
) -> WrittenLaw:
    effects = tasks.effects(prompt_effect)
    base = choice_teacher(kind, "none", 0.0, trait_seed, effects)
    trait = choice_teacher(kind, tilt, eta, trait_seed, effects) if eta else base
    return WrittenLaw(kind, tasks, trait, base)


def _require(holds: bool, argument: str, rule: str, value: object, remedy: str) -> None:
    if not holds:
        raise ValueError(f"{argument} must be {rule}, got {value!r}; {remedy}")


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and bool(value >= 1)


def _check_choices(kind: str, tilt: str, design: str) -> None:
    tilts = ("none", "dense", *parts_of(kind)) if kind in CHOICES else ("none", *LARGEST_ETA)  # type: ignore[arg-type]
    choices = (
        ("kind", kind, (*SHAPES, *CHOICES)),
        ("tilt", tilt, tilts),
        ("design", design, ("shared", "disjoint", "independent")),
    )
    for argument, value, allowed in choices:
        _require(value in allowed, argument, f"one of {', '.join(allowed)}", value, "choose from this list")


def _check_sizes(n_prompts: int, n_reference: int | None, kind: str, design: str) -> None:
    _require(_is_count(n_prompts), "n_prompts", "an int of at least 1", n_prompts, "ask for one prompt or more")
    if n_reference is not None:
        rule, remedy = "None with design='shared'", "choose design='disjoint' for sides of different size"
        _require(design != "shared", "n_reference", rule, n_reference, remedy)
        _require(_is_count(n_reference), "n_reference", "an int of at least 1", n_reference, "or leave it out")
    if kind in LARGEST_PROMPTS and design != "independent":
        prompts = n_prompts + (0 if design == "shared" else n_reference or n_prompts)
        rule = f"at most {LARGEST_PROMPTS[kind]} over both sides with kind={kind!r}"
        _require(prompts <= LARGEST_PROMPTS[kind], "n_prompts", rule, prompts, "raise rows_per_prompt instead")


def _check_figures(
    d_prime: float, prompt_effect: float, share: float, stock_share: float, trait_seed: int, design: str
) -> None:
    largest, strongest = _LARGEST_D_PRIME, _LARGEST_PROMPT_EFFECT
    _require(0 <= d_prime <= largest, "d_prime", f"between 0 and {largest:g}", d_prime, "ask for less")
    _require(0 <= share <= 1, "share", "between 0 and 1", share, "give the share of rows from the trait teacher")
    _require(0 <= stock_share < 1, "stock_share", "at least 0 and below 1", stock_share, "leave some ordinary rows")
    _require(trait_seed >= 0, "trait_seed", "at least 0", trait_seed, "use another number")
    rule = f"between 0 and {strongest:g}"
    _require(0 <= prompt_effect <= strongest, "prompt_effect", rule, prompt_effect, "1 is already a strong effect")
    rule, remedy = "0 with design='independent'", "choose design='disjoint' to have prompts"
    _require(prompt_effect == 0 or design != "independent", "prompt_effect", rule, prompt_effect, remedy)


def _rows(rows_per_prompt: int | tuple[int, int], design: str) -> tuple[int, int]:
    """Rows per prompt as (suspect, reference)."""
    pair = rows_per_prompt if isinstance(rows_per_prompt, tuple | list) else (rows_per_prompt, rows_per_prompt)
    fits = len(pair) == 2 and all(map(_is_count, pair))
    _require(fits, "rows_per_prompt", "an int of at least 1, or two of them", rows_per_prompt, "write 2 or (2, 1)")
    rule, remedy = "1 with design='independent'", "raise n_prompts and n_reference instead"
    _require(design != "independent" or tuple(pair) == (1, 1), "rows_per_prompt", rule, rows_per_prompt, remedy)
    return pair[0], pair[1]
