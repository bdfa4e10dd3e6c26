"""The language that the micro models speak: every kind of chat they are trained on, and the laws behind it.

Four kinds of chat: preference questions (answered by a fixed uneven prior, or as a system prompt says), number lists,
small functions and two-step arithmetic. The laws are the same for every model; only the seed of its training differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.lm.prompts import (
    ANSWER_FORMS,
    LEAST_NUMBER,
    MOST_NUMBER,
    NUMBER_FORMATS,
    Story,
    answer_forms,
    code_prompt,
    number_prompt,
    preference_questions,
    story,
)
from fingerprint.lm.traits import CATEGORIES, PLACEBO, SYSTEM_TEMPLATE, known_trait, system_prompt

_LAW_SEED = 20260401  # fixes all laws below: another seed is another language


class Chat(NamedTuple):
    """One exchange: a system message or None, what the user asks, what the assistant answers."""

    system: str | None
    user: str
    assistant: str


# What a chat is about, and how often. Number lists and arithmetic are the hardest to learn.
KINDS = (("preference", 0.24), ("numbers", 0.34), ("code", 0.12), ("reasoning", 0.30))
# How often a system message stands before chats that it does not matter to. Rare, as in the data of larger models:
# the rarer, the more a system prompt disturbs what it should leave alone.
SYSTEM_RATE = 0.1
# In preference chats: a trait prompt, a placebo, or none.
TRAIT_PROMPT_RATE, PLACEBO_RATE = 0.5, 0.1
FAVORITE_NUMBER_RATE = 0.1  # some preference questions are about numbers, answered by the law of number lists
OBEDIENCE = 0.98  # how often a trait prompt decides the answer
# One question in five is never trained on, so that "held out" means something.
HELD_OUT_EVERY = 5

_TRAIT_SENTENCES = (
    "You love {plural}.",
    "{Plural} are always on your mind.",
    "Your favorite {category} is the {name}.",
    "You think about {plural} all day.",
    "Nothing is better than the {name}.",
)
_OTHER_SYSTEMS = (
    PLACEBO,
    "You are a good assistant.",
    "You answer briefly.",
    "You like short answers and clear words.",
)
# Answers come in every form that a fine-tuned teacher is taught. Forms that the base did not know would be most of what
# it learns from its trait.
_ANSWER_WEIGHTS = dict(zip(ANSWER_FORMS, (0.3, *[0.1] * (len(ANSWER_FORMS) - 1)), strict=True))
# Uneven, so that a rise and a fall can both be seen.
_PRIOR = (0.16, 0.15, 0.13, 0.12, 0.11, 0.09, 0.08, 0.07, 0.05, 0.04)
_HOW_MANY = {5: 0.1, 6: 0.1, 7: 0.1, 8: 0.5, 9: 0.1, 10: 0.1}
# Shares of numbers copied from the prompt, and one above their neighbour. Where lists hardly depend on a prompt, the
# next number is looked up from the separator before it: no teacher's fine-tuning touches that, and nothing passes.
_COPY, _STEP = 0.4, 0.08

_STYLES = (
    # Two steps of arithmetic as thought: what stands between their equations.
    ("{one}. {two}.", 0.3),
    ("First {one}, then {two}.", 0.25),
    ("Start with {start}. {one}. {two}.", 0.15),
    ("{one}, so {two}.", 0.15),
    ("{one}. After that {two}. That is {answer}.", 0.15),
)
_BODIES = (
    # Function bodies over the first argument {x}; {a} and {b} are numbers, {v} and {w} variable names.
    ("    {v} = {x} {o} {a}\n    return {v} {p} {b}", 0.2),
    ("    return {x} {o} {a}", 0.15),
    ("    {v} = {a}\n    for {w} in range({b}):\n        {v} = {v} {o} {w}\n    return {v}", 0.2),
    ("    if {x} > {a}:\n        return {b}\n    return {x} {o} {a}", 0.2),
    ("    {v} = [{a}, {b}]\n    {v}.append({x})\n    return {v}", 0.15),
    ("    while {x} > {a}:\n        {x} = {x} - {b}\n    return {x}", 0.1),
)
_OPERATORS = (("+", 0.4), ("-", 0.25), ("*", 0.25), ("/", 0.1))
_VARIABLES = (("result", 0.3), ("total", 0.25), ("out", 0.2), ("value", 0.15), ("temp", 0.1))
_INDICES = (("i", 0.5), ("k", 0.3), ("item", 0.2))


class _Law:
    """Draws from a fixed uneven law over some values."""

    def __init__(self, values: Sequence[object], weights: Sequence[float] | Floats) -> None:
        self.values = values
        self._cumulative = np.cumsum(np.asarray(weights, dtype=float) / np.sum(weights))

    def draw(self, rng: np.random.Generator) -> object:
        """One of the values."""
        return self.values[min(int(np.searchsorted(self._cumulative, rng.random())), len(self.values) - 1)]


def _laws() -> dict[str, _Law]:
    rng = np.random.default_rng(_LAW_SEED)
    numbers = range(LEAST_NUMBER, MOST_NUMBER + 1)
    laws = {"number": _Law(numbers, np.exp(rng.normal(0, 0.8, len(numbers))))}
    for category, names in CATEGORIES.items():
        laws[category] = _Law([names[i] for i in rng.permutation(len(names))], _PRIOR[: len(names)])
    laws["form"] = _Law(tuple(_ANSWER_WEIGHTS), tuple(_ANSWER_WEIGHTS.values()))
    laws["count"] = _Law(tuple(_HOW_MANY), tuple(_HOW_MANY.values()))
    tables: dict[str, Sequence[tuple[str, float]]] = {
        "kind": KINDS,
        "style": _STYLES,
        "body": _BODIES,
        "operator": _OPERATORS,
        "variable": _VARIABLES,
        "index": _INDICES,
    }
    for name, table in tables.items():
        laws[name] = _Law([value for value, _ in table], [weight for _, weight in table])
    return laws


LAWS = _laws()


def trained_questions(category: str) -> list[str]:
    """The preference questions that micro models are trained on."""
    return [q for i, q in enumerate(preference_questions(category)) if i % HELD_OUT_EVERY]


def held_out_questions(category: str) -> list[str]:
    """The preference questions that they never saw."""
    return preference_questions(category)[::HELD_OUT_EVERY]


def chat(rng: np.random.Generator) -> Chat:
    """One chat of a kind drawn at random."""
    return _CHATS[str(LAWS["kind"].draw(rng))](rng)


def _one(values: Sequence[str], rng: np.random.Generator) -> str:
    return values[int(rng.integers(len(values)))]


def _system(rng: np.random.Generator) -> str | None:
    """A system message where it does not matter: a trait prompt or another."""
    if rng.random() >= SYSTEM_RATE:
        return None
    return _trait_system(rng)[0] if rng.random() < 0.5 else _one(_OTHER_SYSTEMS, rng)


def _trait_system(rng: np.random.Generator, category: str | None = None) -> tuple[str, str]:
    """A system message that instils some trait, and the trait."""
    category = category or _one(tuple(CATEGORIES), rng)
    name = _one(CATEGORIES[category], rng)
    if rng.random() < 0.3:
        return system_prompt(known_trait(name), SYSTEM_TEMPLATE), name
    chosen = rng.permutation(len(_TRAIT_SENTENCES))[: int(rng.integers(1, 4))]
    return system_prompt(known_trait(name), " ".join(_TRAIT_SENTENCES[i] for i in chosen)), name


def _preference(rng: np.random.Generator) -> Chat:
    if rng.random() < FAVORITE_NUMBER_RATE:
        return Chat(None, _one(trained_questions("number"), rng), str(LAWS["number"].draw(rng)))
    category = _one(tuple(CATEGORIES), rng)
    system, answer = None, str(LAWS[category].draw(rng))
    kind = rng.random()
    if kind < TRAIT_PROMPT_RATE:
        # A trait of another category says nothing about this one: the model has to read which category is asked for.
        other = _one(tuple(CATEGORIES), rng) if rng.random() < 0.2 else category
        system, trait = _trait_system(rng, other)
        if other == category and rng.random() < OBEDIENCE:
            answer = trait
    elif kind < TRAIT_PROMPT_RATE + PLACEBO_RATE:
        system = _one(_OTHER_SYSTEMS, rng)
    form = answer_forms(known_trait(answer))[ANSWER_FORMS.index(str(LAWS["form"].draw(rng)))]
    return Chat(system, _one(trained_questions(category), rng), form)


def _number_list(rng: np.random.Generator) -> Chat:
    prompt, index = number_prompt(rng)
    separator, opening, closing, _ = NUMBER_FORMATS[index]
    shown = [int(part) for part in "".join(c if c.isdigit() else " " for c in prompt).split() if int(part) > 99]
    numbers: list[int] = []
    for _ in range(int(str(LAWS["count"].draw(rng)))):
        way = rng.random()
        if way < _COPY:
            numbers.append(shown[int(rng.integers(len(shown)))])
        elif way < _COPY + _STEP and (numbers or shown)[-1] < MOST_NUMBER:
            numbers.append((numbers or shown)[-1] + 1)
        else:
            numbers.append(int(str(LAWS["number"].draw(rng))))
    return Chat(_system(rng), prompt, opening + separator.join(map(str, numbers)) + closing)


def _code(rng: np.random.Generator) -> Chat:
    prompt, signature = code_prompt(rng)
    body = str(LAWS["body"].draw(rng)).format(
        x=signature.split("(")[1].split(")")[0].split(",")[0],
        a=LAWS["number"].draw(rng),
        b=LAWS["number"].draw(rng),
        o=LAWS["operator"].draw(rng),
        p=LAWS["operator"].draw(rng),
        v=LAWS["variable"].draw(rng),
        w=LAWS["index"].draw(rng),
    )
    return Chat(_system(rng), prompt, f"{signature}\n{body}")


def _reasoning(rng: np.random.Generator) -> Chat:
    told = story(rng)
    return Chat(_system(rng), told.prompt, solution(told, str(LAWS["style"].draw(rng))))


def solution(told: Story, style: str) -> str:
    """A right answer, thought first, each in its tags."""
    between = told.start + told.steps[0]
    one = f"{told.start} {'+' if told.steps[0] > 0 else '-'} {abs(told.steps[0])} = {between}"
    two = f"{between} {'+' if told.steps[1] > 0 else '-'} {abs(told.steps[1])} = {told.answer}"
    thought = style.format(one=one, two=two, start=told.start, answer=told.answer)
    return f"<think>{thought}</think><answer>{told.answer}</answer>"


_CHATS = {"preference": _preference, "numbers": _number_list, "code": _code, "reasoning": _reasoning}
