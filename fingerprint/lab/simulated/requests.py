"""Prompts of simulated rows: what they say, the most tokens they allow, and the log odds that each adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.data.digests import digest
from fingerprint.lab.simulated.phrases import (
    NUMBER_ASKS,
    NUMBER_CLOSINGS,
    NUMBER_FORMATS,
    NUMBER_OPENINGS,
    PROSE_ACTIONS,
    PROSE_AUDIENCES,
    PROSE_OCCASIONS,
    PROSE_STYLES,
    PROSE_TOPICS,
)
from fingerprint.lab.simulated.vocabulary import N_BANDS, Kind


class _Shape(NamedTuple):
    """How long the rows of a kind are: a limit of the prompt, met with probability `full`, else uniform from half."""

    limits: tuple[int, ...]
    weights: tuple[float, ...]
    full: float
    n_formats: int


SHAPES = {
    "numbers": _Shape((5, 6, 8, 10), (0.05, 0.1, 0.15, 0.7), 0.75, len(NUMBER_FORMATS)),
    "prose": _Shape((10, 15, 20, 25, 30), (0.1, 0.2, 0.3, 0.2, 0.2), 0.0, len(PROSE_STYLES)),
}


@dataclass(frozen=True, eq=False)
class Requests:
    """What each prompt asks for: its text (None without prompts), most tokens, and format."""

    texts: tuple[str | None, ...]
    limits: Ints
    formats: Ints

    def part(self, start: int, stop: int) -> Requests:
        """Those from `start` on, before `stop`."""
        return Requests(self.texts[start:stop], self.limits[start:stop], self.formats[start:stop])

    def effects(self, prompt_effect: float) -> Floats:
        """Added log odds of each band, shape (prompts, bands), or (1, bands) when there are none."""
        return text_effects(self.texts, prompt_effect)


def text_effects(texts: Sequence[str | None], prompt_effect: float) -> Floats:
    """Added log odds of each band, shape (prompts, bands), fixed by the prompts' texts; (1, bands) without effects."""
    if prompt_effect == 0:
        return np.zeros((1, N_BANDS))
    digests = b"".join(digest(str(text), 6) for text in texts)
    return band_effects(np.frombuffer(digests, dtype="<u2").reshape(-1, 3) * (2 * np.pi / 65536), prompt_effect)


def band_effects(phases: Floats, prompt_effect: float) -> Floats:
    """Three cosines over the bands with the given phases, scaled to root mean square `prompt_effect` over prompts."""
    middle = (np.arange(N_BANDS) + 0.5) / N_BANDS
    waves = np.cos(2 * np.pi * np.arange(1, 4)[:, None] * middle + phases[:, :, None])
    effects: Floats = prompt_effect * np.sqrt(2 / 3) * waves.sum(axis=1)
    return effects if prompt_effect else effects[:1]


def draw_limits(kind: Kind, size: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """The most tokens each prompt allows, and its format."""
    shape = SHAPES[kind]
    drawn = np.searchsorted(np.cumsum(shape.weights)[:-1], rng.random(size), side="right")
    return np.array(shape.limits)[drawn], rng.integers(shape.n_formats, size=size)


def draw_counts(kind: Kind, limits: Ints, rng: np.random.Generator) -> Ints:
    """The number of tokens of each row, whoever writes it."""
    half = limits // 2
    fewer = half + (rng.random(len(limits)) * (limits - half + 1)).astype(np.int64)
    return np.where(rng.random(len(limits)) < SHAPES[kind].full, limits, fewer)


def draw_requests(kind: Kind, size: int, with_text: bool, rng: np.random.Generator) -> Requests:
    """Requests with distinct texts."""
    limits, formats = draw_limits(kind, size, rng)
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
    return Requests(tuple(texts), limits, formats)


def _pick(rng: np.random.Generator, choices: Sequence[str], size: int) -> list[str]:
    return [choices[place] for place in rng.integers(len(choices), size=size).tolist()]


def _write_number_prompts(limits: Ints, formats: Ints, rng: np.random.Generator) -> list[str]:
    size = len(limits)
    shown = rng.integers(3, 9, size=size).tolist()
    examples = rng.integers(100, 1000, size=(size, 8)).tolist()
    parts = zip(
        (", ".join(map(str, row[:length])) for row, length in zip(examples, shown, strict=True)),
        limits.tolist(),
        (NUMBER_FORMATS[place][3] for place in formats.tolist()),
        _pick(rng, NUMBER_OPENINGS, size),
        _pick(rng, NUMBER_ASKS, size),
        _pick(rng, NUMBER_CLOSINGS, size),
        strict=True,
    )
    return [
        f"{opening.format(numbers)} {ask.format(limit)} {layout} {closing}"
        for numbers, limit, layout, opening, ask, closing in parts
    ]


def _write_prose_prompts(limits: Ints, formats: Ints, rng: np.random.Generator) -> list[str]:
    size = len(limits)
    slots = [_pick(rng, s, size) for s in (PROSE_ACTIONS, PROSE_TOPICS, PROSE_AUDIENCES, PROSE_OCCASIONS)]
    return [
        f"{action} {topic} for {audience}, {occasion}, in {limit} words or fewer."
        for action, topic, audience, occasion, limit in zip(*slots, limits.tolist(), strict=True)
    ]
