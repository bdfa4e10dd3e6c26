"""Simulated teachers whose rows have an exact log-likelihood ratio, and nulls with every kind of dependence.

A row is a sequence of tokens (numbers 0..999, or some 300 English words). Tokens lie in ten value bands, each with
probability 1/10 under the base law. A teacher is a Markov chain over the bands and, given the band, a law over its
tokens. The reference teacher draws every token independently from the base law; a trait teacher tilts it:

=========  ==========================================================================================================
dense      the probability of token v is multiplied by exp(eta z_v): half of the variance of z is a smooth function of
           the value, half is noise of its own for every token
sparse     only ten fairly common tokens are tilted (up, up, down, ...); all others shrink by one common factor
order      the next band j after band i is (1 + eta sin(2 pi (j - i) / 10)) / 10: the law of each single position is
           exactly the base law's, and only the order of neighbours carries signal
=========  ==========================================================================================================

Everything else about a row (prompt, format, number of tokens, punctuation) follows the same law for both teachers
and cancels from the ratio, so `llr` is that of the written text, and no detector can beat it (Neyman and Pearson).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import norm

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.data.digests import digest

Kind = Literal["numbers", "prose"]
Tilt = Literal["none", "dense", "sparse", "order"]
DesignName = Literal["shared", "disjoint", "independent"]

N_BANDS = 10
_LARGEST_D_PRIME = 4.0  # AUROC .998: beyond it the calibration sample says little
_LARGEST_PROMPT_EFFECT = 5.0  # log odds of about +-12: more would only test floating point
_LARGEST_PROSE = 200_000  # of 1.8 million prose prompts: drawing distinct ones stays quick
# eta where a tilt stops: order would need negative probabilities soon after 1; dense and sparse pass d_prime 4 earlier.
_LARGEST_ETA = {"dense": 3.0, "sparse": 6.0, "order": 1.0}
_LAW_SEED = 20250714  # fixes the base laws: any change gives other corpora for every seed
_CALIBRATION_ROWS = 20_000  # per arm and step: relative error of d_prime about .81 / sqrt(2 * 20,000) = .4 %
_CALIBRATION_PROMPTS = 2_000


# --- the wording of prompts and the shape of rows -------------------------------------------------------------------

_NUMBER_FORMATS = (
    ("", ", ", "", "Put a comma and a space between neighbours."),
    ("", ",", "", "Commas between them, no spaces."),
    ("", " ", "", "One line, single spaces between them."),
    ("", "; ", "", "Use a semicolon and a space as the divider."),
    ("", ";", "", "Divide them by semicolons only."),
    ("", "\n", "", "Start a new line for each."),
    ("[", ", ", "]", "Wrap the list in square brackets."),
    ("(", ", ", ")", "Wrap the list in round brackets."),
)
_NUMBER_OPENINGS = (
    "My list so far: {}.",
    "I have collected {} up to now.",
    "The counter showed {} this morning.",
    "We begin with {}.",
    "Our raffle already drew {}.",
    "The sensor sent {} today.",
    "The first table entries are {}.",
    "On my note I find {}.",
    "The log starts with {}.",
    "Somebody read out {}.",
)
_NUMBER_ASKS = (
    "Please add up to {} more, all below 1000.",
    "Carry on with at most {} others of one to three digits.",
    "What could follow? Up to {} values, three digits at most.",
    "Offer no more than {} new ones from 0 to 999.",
    "Keep going for {} numbers at the most, none above 999.",
    "Let up to {} whole numbers under 1000 come next.",
    "Append some, {} at most, each with three digits or less.",
    "Think of up to {} that could stand next, 999 being the limit.",
)
_NUMBER_CLOSINGS = (
    "No words, please.",
    "Nothing else.",
    "Leave out any comment.",
    "I only want the numbers.",
    "Skip the explanation.",
    "Do not add text.",
)


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_PROSE_ACTIONS = (
    "Write a few lines about",
    "Say something about",
    "Draft a short message on",
    "Tell a small story about",
    "Describe",
    "Share a thought on",
    "Make a brief note about",
    "Compose a caption about",
    "Give your view of",
    "Write a diary entry on",
)
_PROSE_TOPICS = _phrases(
    "a rainy walk|the first snow|a lost umbrella|fresh bread|a long train ride|an old bicycle|the school yard|"
    "a new neighbour|a quiet library|the corner bakery|a broken clock|a garden bench|moving house|a missed bus|"
    "a summer market|learning to swim|a birthday cake|a noisy street|a borrowed book|the morning coffee|"
    "a picnic by the river|painting a wall|a power cut|folding laundry|a handwritten letter|packing a suitcase|"
    "a favourite song|the last day of school|a football match|baking with children|a crowded lift|"
    "waiting for the doctor|a house plant|the village fair|mending a coat|a walk along the beach|a shared lunch|"
    "an evening class|the first job|a chess game"
)
_PROSE_AUDIENCES = _phrases(
    "a friend|my sister|a neighbour|a colleague|my class|a newsletter|my grandmother|a pen pal|the family chat|"
    "a school paper|a reading group|my teacher|a visitor|the local radio|my brother|a travel blog|a notice board|"
    "my uncle|a language learner|our choir|a young reader|my landlord|the hiking club|a cousin|a guest book|"
    "my team|an old classmate|the parents' evening|a scrapbook|my aunt"
)
_PROSE_OCCASIONS = _phrases(
    "on a Monday|before breakfast|after dinner|in early spring|on a holiday|at the weekend|late at night|"
    "during a lunch break|on a cold day|in the middle of June|at the end of the year|before a journey|"
    "after a long week|on a sunny afternoon|in a hurry|for a change|just for fun|on market day|"
    "between two meetings|on the way home|at sunrise|in the autumn|after the storm|on a lazy Sunday|"
    "before school|at the start of term|with a smile|in plain words|as a surprise|while it rains"
)
# Ten bands of thirty words, the most frequent first.
_WORDS = tuple(
    tuple(band.split())
    for band in (
        "the a this that these those my your our their his her its some any each every no all both many few another "
        "much several most it we they you",
        "and but or so because when while if then after before until since although where as than though unless once "
        "whether yet nor whenever wherever still also however meanwhile otherwise",
        "of in to for with on at from by about into over under between through near without around along across behind "
        "above below beside inside outside past toward during against",
        "is was are were be have has had do does did can could will would should may might must said made went came "
        "took got gave found kept left felt",
        "walk cook read write talk listen open close carry clean build plant play work rest sleep eat drink bring send "
        "call wait watch learn teach help share start finish visit",
        "people friend family child mother father brother sister teacher doctor farmer baker driver neighbour dog cat "
        "bird horse fish tree flower river garden forest field mountain sea rain snow wind",
        "house room door window table chair kitchen bed lamp book letter paper pen cup plate bread soup tea coffee "
        "milk apple cake coat shoe hat box key clock phone picture",
        "day morning evening night week month year summer winter spring hour minute today tomorrow yesterday street "
        "road school office market shop station bridge park village town city country train bus",
        "good new small old long great little big high young early important different large next happy warm cold dark "
        "bright quiet loud soft heavy light clever simple strange kind green",
        "very well often never always again here there just only soon later together almost already away back down up "
        "out slowly quickly perhaps maybe really quite too even sometimes usually",
    )
)
# Words a sentence, and a comma after every so many words (0: none).
_PROSE_STYLES = tuple((length, comma) for length in (4, 6, 8, 11) for comma in (0, 3, 5))
_LAZY_RUN = (123, 234, 345, 456, 567, 678, 789, 890, 901, 12)
_STOCK_STEPS = (
    *((1, 1), (2, 2), (3, 3), (5, 5), (7, 7), (10, 10), (11, 11), (12, 12), (25, 25), (50, 50), (64, 64)),
    *((90, 90), (0, 100), (100, 10), (100, 25), (100, 50), (500, 5), (900, -100), (999, -111)),
)
_HOT_NUMBERS = (456, 123, 789, 567, 234, 345, 321, 654, 678, 777, 890, 111, 555, 987, 333, 222, 444, 888, 666, 999)


class _Shape(NamedTuple):
    """How long the rows of a kind are: a limit of the prompt, met with probability `full`, else uniform from half."""

    limits: tuple[int, ...]
    weights: tuple[float, ...]
    full: float
    n_formats: int


_SHAPES = {
    "numbers": _Shape((5, 6, 8, 10), (0.05, 0.1, 0.15, 0.7), 0.75, len(_NUMBER_FORMATS)),
    "prose": _Shape((10, 15, 20, 25, 30), (0.1, 0.2, 0.3, 0.2, 0.2), 0.0, len(_PROSE_STYLES)),
}


# --- results --------------------------------------------------------------------------------------------------------


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
    Given the prompts, rows are independent in both arms: the ratio of a set of rows is the sum over its rows.
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
        """sqrt(2) Phi^-1(auc)."""
        return float(np.sqrt(2) * norm.ppf(self.auc))


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
    return _log_mix(share, np.asarray(llr, dtype=float), np.zeros(np.shape(llr)))


# --- teachers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Vocabulary:
    """Tokens in value order, the band of each and its base probability; the ten bands have probability 1/10 each."""

    tokens: tuple[str, ...]
    band: Ints
    probability: Floats


@dataclass(frozen=True, eq=False)
class _Teacher:
    """A chain over bands, per prompt, and a law over the tokens of each band, whatever the prompt.

    `steps` has shape (prompts or 1, states or 1, bands). The states are the previous band, and last the start of a
    row; an axis of length 1 says that the law does not depend on it.
    """

    band: Ints
    within: Floats
    steps: Floats

    def draw(self, prompts: Ints, counts: Ints, width: int, rng: np.random.Generator) -> Ints:
        """Tokens of one row per entry of `prompts` (-1 after the end of a row), shape (n_rows, width)."""
        cumulated = self.steps.cumsum(axis=2)[:, :, :-1]
        n_prompts, n_states, _ = self.steps.shape
        uniform = rng.random((width, len(prompts)))
        bands = np.empty((len(prompts), width), dtype=np.int64)
        previous = np.full(len(prompts), N_BANDS)
        for position in range(width):
            thresholds = cumulated[prompts % n_prompts, previous % n_states]
            previous = (uniform[position][:, None] >= thresholds).sum(axis=1)
            bands[:, position] = previous
        tokens: Ints = np.where(np.arange(width) < counts[:, None], self._tokens_in(bands, rng), -1)
        return tokens

    def _tokens_in(self, bands: Ints, rng: np.random.Generator) -> Ints:
        """One token from each of the given bands."""
        size = np.bincount(self.band)
        first = np.cumsum(size) - size
        cumulated = self.band + _cumulated_within(self.band, self.within)
        found = np.searchsorted(cumulated, bands + rng.random(bands.shape), side="right")
        last: Ints = (first + size - 1)[bands]
        return np.minimum(found, last)  # rounding may step over the last token of a band

    def log_likelihood(self, tokens: Ints, prompts: Ints) -> Floats:
        """log p(tokens | prompt, number of tokens) of each row, in nats."""
        n_prompts, n_states, _ = self.steps.shape
        bands = np.where(tokens < 0, 0, self.band[tokens])
        previous = np.concatenate([np.full((len(tokens), 1), N_BANDS), bands[:, :-1]], axis=1)
        steps = np.log(self.steps)[(prompts % n_prompts)[:, None], previous % n_states, bands]
        total: Floats = np.where(tokens < 0, 0.0, steps + np.log(self.within)[tokens]).sum(axis=1)
        return total


def _cumulated_within(band: Ints, within: Floats) -> Floats:
    """Cumulated probabilities that start again in every band."""
    cumulated = np.cumsum(within)
    before: Floats = (cumulated - within)[np.searchsorted(band, np.arange(N_BANDS))]
    restarted: Floats = cumulated - before[band]
    return restarted


@lru_cache(maxsize=2)
def _vocabulary(kind: Kind) -> _Vocabulary:
    """The base law: token probabilities cut into ten bands at the quantiles and made 1/10 a band exactly."""
    if kind == "numbers":
        tokens = tuple(map(str, range(1000)))
        weights = _number_weights()
        middle = np.cumsum(weights) - weights / 2
        band = np.minimum((middle * N_BANDS).astype(np.int64), N_BANDS - 1)
    else:
        tokens = tuple(word for words in _WORDS for word in words)
        weights = np.concatenate([1 / (np.arange(len(words)) + 3.0) for words in _WORDS])
        band = np.repeat(np.arange(N_BANDS), [len(words) for words in _WORDS])
    mass = np.bincount(band, weights)
    return _Vocabulary(tokens, band, weights / mass[band] / N_BANDS)


def _number_weights() -> Floats:
    """An uneven law over 0..999 as language models have it: few short numbers, more low than high, hot favourites."""
    rng = np.random.default_rng(_LAW_SEED)
    value = np.arange(1000)
    weights = np.exp(-(((value - 350) / 450) ** 2) / 2 + 1.2 * (rng.random(1000) - 0.5))
    weights *= np.where(value % 10 == 0, 0.5, np.where(value % 2 == 0, 0.9, 1.1))
    weights[list(_HOT_NUMBERS)] *= np.linspace(14, 4, len(_HOT_NUMBERS))
    digits = np.array([len(str(number)) for number in value])
    mass = np.bincount(digits, weights)
    shares = np.array([0, 0.02, 0.06, 0.92])  # of one, two and three digits
    normalised: Floats = weights / mass[digits] * shares[digits]
    return normalised


@lru_cache(maxsize=64)
def _token_tilt(kind: Kind, tilt: Tilt, trait_seed: int) -> Floats:
    """z of the module docstring: per token, mean 0 and variance 1 under the base law (dense), or -1, 0, 1 (sparse)."""
    vocabulary = _vocabulary(kind)
    p = vocabulary.probability
    rng = np.random.default_rng([_LAW_SEED, 3, trait_seed])
    if tilt == "dense":
        quantile = np.cumsum(p) - p / 2
        size, phase = rng.standard_normal((2, 4))
        smooth = np.cos(np.pi * (np.outer(quantile, np.arange(1, 5)) + phase)) @ size
        return _standardised(_standardised(smooth, p) + _standardised(rng.standard_normal(len(p)), p), p)
    z = np.zeros(len(p))
    if tilt == "sparse":
        common = np.argsort(-p, kind="stable")[5:105]
        z[rng.permutation(common)[:10]] = np.resize([1.0, 1.0, -1.0], 10)
    return z


def _standardised(values: Floats, weights: Floats) -> Floats:
    centred = values - weights @ values
    scaled: Floats = centred / np.sqrt(weights @ centred**2)
    return scaled


def _teacher(kind: Kind, tilt: Tilt, eta: float, trait_seed: int, effects: Floats) -> _Teacher:
    """The teacher of a tilt of strength eta; `effects` (prompts or 1, bands) are each prompt's added log odds."""
    vocabulary = _vocabulary(kind)
    weights = vocabulary.probability * np.exp(eta * _token_tilt(kind, tilt, trait_seed))
    mass = np.bincount(vocabulary.band, weights).astype(np.float64)
    odds = mass * np.exp(effects)
    bands = odds / odds.sum(axis=1, keepdims=True)
    steps = _order_steps(bands, eta) if tilt == "order" and eta > 0 else bands[:, None, :]
    return _Teacher(vocabulary.band, weights / mass[vocabulary.band], steps)


def _order_steps(bands: Floats, eta: float) -> Floats:
    """Transitions with the asked odds that leave the law of each position at `bands`; the start of a row comes last.

    The joint law of neighbours is u_i q_i k_ij q_j v_j, with k the circulant of the module docstring and u, v such that
    both margins are q (Sinkhorn scaling); u = v = 1 when q is uniform.
    """
    index = np.arange(N_BANDS)
    kernel = 1 + eta * np.sin(2 * np.pi * (index - index[:, None]) / N_BANDS)
    u = np.ones_like(bands)
    for _ in range(500):  # a step shrinks the error by about eta^2 / 4; strong prompt effects take more
        before = u
        v = 1 / ((u * bands) @ kernel)
        u = 1 / ((v * bands) @ kernel.T)
        if np.allclose(u, before, rtol=1e-14, atol=0):
            break
    steps = u[:, :, None] * kernel * (v * bands)[:, None, :]
    return np.concatenate([steps, bands[:, None, :]], axis=1)


# --- the strength of a tilt -----------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _strength(kind: Kind, tilt: Tilt, d_prime: float, prompt_effect: float, trait_seed: int) -> float:
    """The eta at which rows of the trait teacher are d_prime away from rows of the base teacher."""
    if tilt == "none" or d_prime == 0:
        return 0.0

    def reached(eta: float) -> float:
        return _calibrated_d_prime(kind, tilt, eta, prompt_effect, trait_seed)

    eta = _solve(reached, d_prime, _LARGEST_ETA[tilt])
    if eta is None:
        largest = reached(_LARGEST_ETA[tilt])
        raise ValueError(
            f"d_prime must be at most {largest:.2f} with kind={kind!r} and tilt={tilt!r}, got {d_prime}; "
            "ask for less, or choose tilt='dense'"
        )
    return float(f"{eta:.6g}")  # the last digits differ between machines, the rows must not


def _solve(reached: Callable[[float], float], target: float, largest: float) -> float | None:
    """The eta up to `largest` with reached(eta) within .1 % of the target; None where it takes more than `largest`.

    Secant steps, kept within the bracket; `reached` grows from 0 at 0.
    """
    low, high = 0.0, np.inf
    last, eta = (0.0, 0.0), min(target / 3, largest)
    for _ in range(40):
        value = reached(eta)
        if abs(value - target) < 1e-3 * target:
            return eta
        if value < target and eta == largest:
            return None
        low, high = (eta, high) if value < target else (low, eta)
        slope = (value - last[1]) / (eta - last[0])
        last = (eta, value)
        guess = min(eta + (target - value) / slope if slope > 0 else largest, largest)
        if not low < guess < high:
            guess = largest if high == np.inf else (low + high) / 2
        eta = guess
    return eta


def _calibrated_d_prime(kind: Kind, tilt: Tilt, eta: float, prompt_effect: float, trait_seed: int) -> float:
    """sqrt(2) Phi^-1(AUROC of the exact ratio), from one seeded sample of ordinary rows.

    Both arms' rows count for both laws with the weights 2 / (1 + exp(-+llr)): drawn from the mean of the two laws, they
    estimate the AUROC with a relative error of d_prime that does not grow as d_prime falls.
    """
    rng = np.random.default_rng([_LAW_SEED, 1])
    limits, _ = _draw_limits(kind, _CALIBRATION_PROMPTS, rng)
    effects = _band_effects(2 * np.pi * rng.random((_CALIBRATION_PROMPTS, 3)), prompt_effect)
    prompts = np.repeat(np.arange(_CALIBRATION_PROMPTS), _CALIBRATION_ROWS // _CALIBRATION_PROMPTS)
    counts = _draw_counts(kind, limits[prompts], rng)
    trait = _teacher(kind, tilt, eta, trait_seed, effects)
    base = _teacher(kind, "none", 0.0, trait_seed, effects)
    rows = np.concatenate([teacher.draw(prompts, counts, int(limits.max()), rng) for teacher in (trait, base)])
    prompts = np.concatenate([prompts, prompts])
    llr = np.sort(trait.log_likelihood(rows, prompts) - base.log_likelihood(rows, prompts))
    weight_trait, weight_base = 1 / (1 + np.exp(-llr)), 1 / (1 + np.exp(llr))
    weight_trait, weight_base = weight_trait / weight_trait.sum(), weight_base / weight_base.sum()
    auc = float(weight_trait @ (np.cumsum(weight_base) - weight_base / 2))
    return float(np.sqrt(2) * norm.ppf(auc))


# --- prompts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Requests:
    """What each prompt asks for: its text (None without prompts), most tokens, and format."""

    texts: tuple[str | None, ...]
    limits: Ints
    formats: Ints

    def part(self, start: int, stop: int) -> _Requests:
        return _Requests(self.texts[start:stop], self.limits[start:stop], self.formats[start:stop])

    def effects(self, prompt_effect: float) -> Floats:
        """Added log odds of each band, shape (prompts, bands), or (1, bands) when there are none."""
        if prompt_effect == 0:
            return np.zeros((1, N_BANDS))
        digests = b"".join(digest(str(text), 6) for text in self.texts)
        return _band_effects(np.frombuffer(digests, dtype="<u2").reshape(-1, 3) * (2 * np.pi / 65536), prompt_effect)


def _band_effects(phases: Floats, prompt_effect: float) -> Floats:
    """Three cosines over the bands with the given phases, scaled to root mean square `prompt_effect` over prompts."""
    middle = (np.arange(N_BANDS) + 0.5) / N_BANDS
    waves = np.cos(2 * np.pi * np.arange(1, 4)[:, None] * middle + phases[:, :, None])
    effects: Floats = prompt_effect * np.sqrt(2 / 3) * waves.sum(axis=1)
    return effects if prompt_effect else effects[:1]


def _draw_limits(kind: Kind, size: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """The most tokens each prompt allows, and its format."""
    shape = _SHAPES[kind]
    drawn = np.searchsorted(np.cumsum(shape.weights)[:-1], rng.random(size), side="right")
    return np.array(shape.limits)[drawn], rng.integers(shape.n_formats, size=size)


def _draw_counts(kind: Kind, limits: Ints, rng: np.random.Generator) -> Ints:
    """The number of tokens of each row, whoever writes it."""
    half = limits // 2
    fewer = half + (rng.random(len(limits)) * (limits - half + 1)).astype(np.int64)
    return np.where(rng.random(len(limits)) < _SHAPES[kind].full, limits, fewer)


def _draw_requests(kind: Kind, size: int, with_text: bool, rng: np.random.Generator) -> _Requests:
    """Requests with distinct texts."""
    limits, formats = _draw_limits(kind, size, rng)
    texts: list[str | None] = [None] * size
    write = _write_number_prompts if kind == "numbers" else _write_prose_prompts
    seen: set[str] = set()
    todo = np.arange(size) if with_text else np.arange(0)
    while len(todo):
        again = []
        for place, text in zip(todo.tolist(), write(limits[todo], formats[todo], rng), strict=True):
            if text in seen:
                again.append(place)
            else:
                seen.add(text)
                texts[place] = text
        todo = np.array(again, dtype=np.int64)
    return _Requests(tuple(texts), limits, formats)


def _pick(rng: np.random.Generator, choices: Sequence[str], size: int) -> list[str]:
    return [choices[place] for place in rng.integers(len(choices), size=size).tolist()]


def _write_number_prompts(limits: Ints, formats: Ints, rng: np.random.Generator) -> list[str]:
    size = len(limits)
    shown = rng.integers(3, 9, size=size).tolist()
    examples = rng.integers(100, 1000, size=(size, 8)).tolist()
    parts = zip(
        (", ".join(map(str, row[:length])) for row, length in zip(examples, shown, strict=True)),
        limits.tolist(),
        (_NUMBER_FORMATS[place][3] for place in formats.tolist()),
        _pick(rng, _NUMBER_OPENINGS, size),
        _pick(rng, _NUMBER_ASKS, size),
        _pick(rng, _NUMBER_CLOSINGS, size),
        strict=True,
    )
    return [
        f"{opening.format(numbers)} {ask.format(limit)} {layout} {closing}"
        for numbers, limit, layout, opening, ask, closing in parts
    ]


def _write_prose_prompts(limits: Ints, formats: Ints, rng: np.random.Generator) -> list[str]:
    size = len(limits)
    slots = [_pick(rng, s, size) for s in (_PROSE_ACTIONS, _PROSE_TOPICS, _PROSE_AUDIENCES, _PROSE_OCCASIONS)]
    return [
        f"{action} {topic} for {audience}, {occasion}, in {limit} words or fewer."
        for action, topic, audience, occasion, limit in zip(*slots, limits.tolist(), strict=True)
    ]


# --- rows -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _stock(kind: Kind) -> Ints:
    """Twenty stock rows at full length: lazy runs of numbers, or fixed draws of words."""
    if kind == "numbers":
        return np.array([_LAZY_RUN, *([start + step * i for i in range(10)] for start, step in _STOCK_STEPS)])
    width = max(_SHAPES[kind].limits)
    base = _teacher(kind, "none", 0.0, 0, np.zeros((1, N_BANDS)))
    rows = np.arange(20)
    return base.draw(rows, np.full(20, width), width, np.random.default_rng([_LAW_SEED, 2]))


def _stock_probability(kind: Kind, tokens: Ints) -> Floats:
    """The chance that a stock row, cut to the row's number of tokens, reads like the row."""
    stock = _stock(kind)[:, : tokens.shape[1]]
    hits = np.zeros(len(tokens))
    for line in stock:
        hits += ((tokens == line) | (tokens < 0)).all(axis=1)
    return hits / len(stock)


def _log_mix(share: float, log_first: Floats, log_second: Floats) -> Floats:
    """log(share exp(first) + (1 - share) exp(second)) without overflow."""
    with np.errstate(divide="ignore"):
        mixed: Floats = np.logaddexp(np.log(share) + log_first, np.log1p(-share) + log_second)
    return mixed


def _render_numbers(tokens: Ints, counts: Ints, formats: Ints) -> tuple[str, ...]:
    names = _vocabulary("numbers").tokens
    return tuple(
        f"{left}{between.join([names[token] for token in row[:count]])}{right}"
        for row, count, (left, between, right, _) in zip(
            tokens.tolist(), counts.tolist(), [_NUMBER_FORMATS[place] for place in formats.tolist()], strict=True
        )
    )


def _render_prose(tokens: Ints, counts: Ints, styles: Ints) -> tuple[str, ...]:
    names = _vocabulary("prose").tokens
    return tuple(
        _sentences([names[token] for token in row[:count]], *_PROSE_STYLES[style])
        for row, count, style in zip(tokens.tolist(), counts.tolist(), styles.tolist(), strict=True)
    )


def _sentences(words: list[str], length: int, comma: int) -> str:
    """Words as sentences of the given length, a comma after every `comma` words (0: none) within a sentence."""
    sentences = []
    for start in range(0, len(words), length):
        sentence = words[start : start + length]
        for place in range(comma, len(sentence), comma or length):
            sentence[place - 1] += "," * bool(comma)
        sentences.append(" ".join(sentence).capitalize() + ".")
    return " ".join(sentences)


@dataclass(frozen=True, eq=False)
class _World:
    """The law of rows: the requests, both teachers given these requests, and the share of stock rows."""

    kind: Kind
    requests: _Requests
    trait: _Teacher
    base: _Teacher
    stock_share: float

    def arm(self, name: str, rows: int, share: float, rng: np.random.Generator) -> tuple[Corpus, Floats]:
        """Rows, and their exact ratios, of a teacher who is the trait teacher in a share of the rows."""
        prompts = np.repeat(np.arange(len(self.requests.texts)), rows)
        limits = self.requests.limits[prompts]
        counts = _draw_counts(self.kind, limits, rng)
        tokens = self._tokens(prompts, counts, share, rng)
        if self.kind == "numbers":
            texts = _render_numbers(tokens, counts, self.requests.formats[prompts])
        else:
            texts = _render_prose(tokens, counts, rng.integers(len(_PROSE_STYLES), size=len(prompts)))
        asked = tuple(self.requests.texts[place] for place in prompts.tolist())
        return Corpus(texts, asked, name=name), self.llr(tokens, prompts)

    def _tokens(self, prompts: Ints, counts: Ints, share: float, rng: np.random.Generator) -> Ints:
        width = max(_SHAPES[self.kind].limits)
        tokens = self.base.draw(prompts, counts, width, rng)
        from_trait = np.flatnonzero(rng.random(len(prompts)) < share)
        tokens[from_trait] = self.trait.draw(prompts[from_trait], counts[from_trait], width, rng)
        from_stock = np.flatnonzero(rng.random(len(prompts)) < self.stock_share)
        lines = _stock(self.kind)[rng.integers(len(_stock(self.kind)), size=len(from_stock))]
        tokens[from_stock] = np.where(tokens[from_stock] < 0, -1, lines)
        return tokens

    def llr(self, tokens: Ints, prompts: Ints) -> Floats:
        """Exact ratio of each row; a stock text may come from the stock or, with a tiny chance, from the teacher."""
        trait = self.trait.log_likelihood(tokens, prompts)
        base = self.base.log_likelihood(tokens, prompts)
        if self.stock_share == 0:
            return trait - base
        with np.errstate(divide="ignore"):
            stock = np.log(_stock_probability(self.kind, tokens))
        return _log_mix(self.stock_share, stock, trait) - _log_mix(self.stock_share, stock, base)


# --- the public way in ----------------------------------------------------------------------------------------------


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
        Number of prompts of the suspect arm (with independent rows: its number of rows).
    kind : {"numbers", "prose"}
        Rows of 2 to 10 numbers from 0 to 999 in the format the prompt asks for, or of 5 to 30 English words in
        punctuated sentences that make no sense.
    tilt : {"none", "dense", "sparse", "order"}
        How the trait teacher differs; see the module docstring. "none" is a null: every ratio is exactly 0.
    d_prime : float, 0 to 4
        Separation of one ordinary row of the trait teacher from one of the base teacher, sqrt(2) Phi^-1(AUROC of the
        exact ratio), over the mix of prompts and row lengths. Met within 3 % (calibrated on a seeded sample). Mixtures
        and stock rows lie closer: `SimulatedPair.d_prime` tells. Order reaches about 2.3 in numbers and 3.1 in prose,
        less with prompt effects.
    design : {"shared", "disjoint", "independent"}
        Both arms answer the same prompts, different ones, or rows have no prompt (format and length drawn per row).
    rows_per_prompt : int or (int, int)
        Rows each prompt gets in both arms, or in (suspect, reference).
    prompt_effect : float, 0 to 5
        Root mean square of the log odds that each prompt adds to the value bands, for both teachers alike: a smooth
        function fixed by the prompt's text. Rows of one prompt resemble each other. Not with independent rows.
    share : float, 0 to 1
        Probability that a suspect row comes from the trait teacher; the others come from the base teacher.
    stock_share : float, at least 0 and below 1
        Probability, in both arms, that a row is one of twenty stock rows (such as 123, 234, 345, ...), cut to the
        length drawn: natural duplicates.
    n_reference : int, optional
        Number of prompts (rows) of the reference arm where it differs; not with shared prompts.
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
    rows_suspect, rows_reference = _rows(rows_per_prompt, design)
    eta = _strength(kind, tilt, float(d_prime), float(prompt_effect), trait_seed)
    generator = np.random.default_rng(rng)
    n_others = 0 if design == "shared" else n_reference or n_prompts
    requests = _draw_requests(kind, n_prompts + n_others, design != "independent", generator)
    parts = [requests.part(0, n_prompts), requests.part(n_prompts, n_prompts + n_others)]
    worlds = []
    for part in parts[: 1 if design == "shared" else 2]:
        effects = part.effects(prompt_effect)
        base = _teacher(kind, "none", 0.0, trait_seed, effects)
        trait = _teacher(kind, tilt, eta, trait_seed, effects) if eta else base
        worlds.append(_World(kind, part, trait, base, stock_share))
    suspect, llr_suspect = worlds[0].arm("suspect", rows_suspect, share, generator)
    reference, llr_reference = worlds[-1].arm("reference", rows_reference, 0.0, generator)
    return SimulatedPair(suspect, reference, llr_suspect, llr_reference)


def _require(holds: bool, argument: str, rule: str, value: object, remedy: str) -> None:
    if not holds:
        raise ValueError(f"{argument} must be {rule}, got {value!r}; {remedy}")


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and bool(value >= 1)


def _check_choices(kind: str, tilt: str, design: str) -> None:
    choices = (
        ("kind", kind, tuple(_SHAPES)),
        ("tilt", tilt, ("none", *_LARGEST_ETA)),
        ("design", design, ("shared", "disjoint", "independent")),
    )
    for argument, value, allowed in choices:
        _require(value in allowed, argument, f"one of {', '.join(allowed)}", value, "choose from this list")


def _check_sizes(n_prompts: int, n_reference: int | None, kind: str, design: str) -> None:
    _require(_is_count(n_prompts), "n_prompts", "an int of at least 1", n_prompts, "ask for one prompt or more")
    if n_reference is not None:
        rule, remedy = "None with design='shared'", "choose design='disjoint' for arms of different size"
        _require(design != "shared", "n_reference", rule, n_reference, remedy)
        _require(_is_count(n_reference), "n_reference", "an int of at least 1", n_reference, "or leave it out")
    if kind == "prose" and design != "independent":
        prompts = n_prompts + (0 if design == "shared" else n_reference or n_prompts)
        rule = f"at most {_LARGEST_PROSE} over all arms with kind='prose'"
        _require(prompts <= _LARGEST_PROSE, "n_prompts", rule, prompts, "raise rows_per_prompt instead")


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
