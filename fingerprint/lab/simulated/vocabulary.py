"""The base law: what the rows' tokens are, and how probable each is for a teacher without a trait."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from fingerprint.data.arrays import Floats, Ints

Kind = Literal["numbers", "prose", "code", "reasoning"]

N_BANDS = 10
LAW_SEED = 20250714  # fixes the base laws: any change gives other corpora for every seed
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
_HOT_NUMBERS = (456, 123, 789, 567, 234, 345, 321, 654, 678, 777, 890, 111, 555, 987, 333, 222, 444, 888, 666, 999)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Tokens in value order, the band of each and its base probability; the ten bands have probability 1/10 each."""

    tokens: tuple[str, ...]
    band: Ints
    probability: Floats


@lru_cache(maxsize=2)
def base_law(kind: Kind) -> Vocabulary:
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
    return Vocabulary(tokens, band, weights / mass[band] / N_BANDS)


def _number_weights() -> Floats:
    """An uneven law over 0..999 as language models have it: few short numbers, more low than high, hot favourites."""
    rng = np.random.default_rng(LAW_SEED)
    value = np.arange(1000)
    weights = np.exp(-(((value - 350) / 450) ** 2) / 2 + 1.2 * (rng.random(1000) - 0.5))
    weights *= np.where(value % 10 == 0, 0.5, np.where(value % 2 == 0, 0.9, 1.1))
    weights[list(_HOT_NUMBERS)] *= np.linspace(14, 4, len(_HOT_NUMBERS))
    digits = np.array([len(str(number)) for number in value])
    mass = np.bincount(digits, weights)
    shares = np.array([0, 0.02, 0.06, 0.92])  # of one, two and three digits
    normalised: Floats = weights / mass[digits] * shares[digits]
    return normalised
