"""Rows of simulated teachers, written out, with the exact log-likelihood ratio of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.corpus import Corpus
from fingerprint.lab.simulated.phrases import NUMBER_FORMATS, PROSE_STYLES
from fingerprint.lab.simulated.requests import SHAPES, Requests, draw_counts
from fingerprint.lab.simulated.teachers import SimulatedTeacher, simulated_teacher
from fingerprint.lab.simulated.vocabulary import LAW_SEED, N_BANDS, Kind, base_law
from fingerprint.statistics.streams import SimulationStream, generator

_LAZY_RUN = (123, 234, 345, 456, 567, 678, 789, 890, 901, 12)
_STOCK_STEPS = (
    *((1, 1), (2, 2), (3, 3), (5, 5), (7, 7), (10, 10), (11, 11), (12, 12), (25, 25), (50, 50), (64, 64)),
    *((90, 90), (0, 100), (100, 10), (100, 25), (100, 50), (500, 5), (900, -100), (999, -111)),
)


@lru_cache(maxsize=2)
def stock_rows(kind: Kind) -> Ints:
    """Twenty stock rows at full length: lazy runs of numbers, or fixed draws of words."""
    if kind == "numbers":
        return np.array([_LAZY_RUN, *([start + step * i for i in range(10)] for start, step in _STOCK_STEPS)])
    width = max(SHAPES[kind].limits)
    base = simulated_teacher(kind, "none", 0.0, 0, np.zeros((1, N_BANDS)))
    rows = np.arange(20)
    return base.draw(rows, np.full(20, width), width, generator(LAW_SEED, SimulationStream.STOCK_ROWS))


def _stock_probability(kind: Kind, tokens: Ints) -> Floats:
    """The chance that a stock row, cut to the row's number of tokens, reads like the row."""
    stock = stock_rows(kind)[:, : tokens.shape[1]]
    hits = np.zeros(len(tokens))
    for line in stock:
        hits += ((tokens == line) | (tokens < 0)).all(axis=1)
    return hits / len(stock)


def log_mix(share: float, log_first: Floats, log_second: Floats) -> Floats:
    """log(share exp(first) + (1 - share) exp(second)) without overflow."""
    with np.errstate(divide="ignore"):
        mixed: Floats = np.logaddexp(np.log(share) + log_first, np.log1p(-share) + log_second)
    return mixed


def _render_numbers(tokens: Ints, counts: Ints, formats: Ints) -> tuple[str, ...]:
    names = base_law("numbers").tokens
    return tuple(
        f"{left}{between.join([names[token] for token in row[:count]])}{right}"
        for row, count, (left, between, right, _) in zip(
            tokens.tolist(), counts.tolist(), [NUMBER_FORMATS[place] for place in formats.tolist()], strict=True
        )
    )


def _render_prose(tokens: Ints, counts: Ints, styles: Ints) -> tuple[str, ...]:
    names = base_law("prose").tokens
    return tuple(
        _sentences([names[token] for token in row[:count]], *PROSE_STYLES[style])
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
class RowLaw:
    """The law of rows: the requests, both teachers given these requests, and the share of stock rows."""

    kind: Kind
    requests: Requests
    trait: SimulatedTeacher
    base: SimulatedTeacher
    stock_share: float

    def arm(self, name: str, rows: int, share: float, rng: np.random.Generator) -> tuple[Corpus, Floats]:
        """Rows, and their exact ratios, of a teacher who is the trait teacher in a share of the rows."""
        prompts = np.repeat(np.arange(len(self.requests.texts)), rows)
        limits = self.requests.limits[prompts]
        counts = draw_counts(self.kind, limits, rng)
        tokens = self._tokens(prompts, counts, share, rng)
        if self.kind == "numbers":
            texts = _render_numbers(tokens, counts, self.requests.formats[prompts])
        else:
            texts = _render_prose(tokens, counts, rng.integers(len(PROSE_STYLES), size=len(prompts)))
        asked = tuple(self.requests.texts[place] for place in prompts.tolist())
        return Corpus(texts, asked, name=name), self.llr(tokens, prompts)

    def _tokens(self, prompts: Ints, counts: Ints, share: float, rng: np.random.Generator) -> Ints:
        width = max(SHAPES[self.kind].limits)
        tokens = self.base.draw(prompts, counts, width, rng)
        from_trait = np.flatnonzero(rng.random(len(prompts)) < share)
        tokens[from_trait] = self.trait.draw(prompts[from_trait], counts[from_trait], width, rng)
        from_stock = np.flatnonzero(rng.random(len(prompts)) < self.stock_share)
        lines = stock_rows(self.kind)[rng.integers(len(stock_rows(self.kind)), size=len(from_stock))]
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
        return log_mix(self.stock_share, stock, trait) - log_mix(self.stock_share, stock, base)
