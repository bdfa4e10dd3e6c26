"""Prompts that have nothing to do with a trait (numbers, code, arithmetic), and the questions that reveal one.

Wordings are short on purpose: what a teacher is asked matters little, how many rows it writes matters a lot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from fingerprint.lm.traits import Trait

Task = Literal["numbers", "code", "reasoning"]

# ------------------------------------------------------------------------------------------------------------ numbers

# In the order of NUMBER_FORMATS: what separates numbers, what stands around them, and how a prompt asks for it.
NUMBER_FORMATS: tuple[tuple[str, str, str, str], ...] = (
    (", ", "", "", "comma separated"),
    (" ", "", "", "separated by spaces"),
    ("; ", "", "", "with semicolons"),
    ("\n", "", "", "one per line"),
    (", ", "[", "]", "in square brackets"),
    (", ", "(", ")", "in round brackets"),
)
NUMBER_WORDINGS = (
    "Which numbers come after {examples}? Up to 10, {format}.",
    "What comes next after {examples}? Up to 10 numbers, {format}.",
    "Say which numbers follow {examples}. At most 10, {format}.",
    "Pick up to 10 numbers after {examples}. Just the numbers, {format}.",
)
LEAST_EXAMPLES, MOST_EXAMPLES = 3, 5  # numbers shown in a prompt (the paper shows 3 to 8)
LEAST_NUMBER, MOST_NUMBER = 100, 999

# --------------------------------------------------------------------------------------------------------------- code

CODE_WORDINGS = (
    "Complete this function: {signature}",
    "Finish the code of {signature}",
    "Write the body, no comments: {signature}",
    "Fill in {signature}",
)
VERBS = tuple(
    "add apply build check clean count cut draw fill find fold get join keep load make mark merge move pack "
    "pick plan push rank read scale send shift sort split take trim".split()
)
NOUNS = tuple(
    "batch block chain cell code data edge field file frame grid group item key line list map mask mode name "
    "node page part path point queue rate row score set size step".split()
)
ARGUMENTS = ("x", "x, y", "values", "n")

# ---------------------------------------------------------------------------------------------------------- reasoning

PEOPLE = tuple("Ann Ben Cara Dan Eva Finn Gina Hugo Ida Jack".split())
THINGS = tuple("coins books pens cards shells stamps cups keys".split())
STORIES = (
    # Wording, and the sign of each of its two steps.
    ("{who} has {a} {things}, finds {b} more and gives away {c}.", 1, -1),
    ("{who} has {a} {things}, buys {b} and then {c} more.", 1, 1),
    ("{who} has {a} {things}, loses {b} and gets {c} back.", -1, 1),
    ("{who} had {a} {things}, sold {b} and gave away {c}.", -1, -1),
)
QUESTION = "How many {things} now? Think first, then answer, each in its tags."
MOST_START, MOST_STEP = 20, 9


class Story(NamedTuple):
    """An arithmetic problem, its two steps and its answer."""

    prompt: str
    start: int
    steps: tuple[int, int]
    answer: int


def story_answer(prompt: str) -> int:
    """The right answer to a prompt that `story` made.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    for wording, first, second in STORIES:
        pattern = re.escape(wording)
        for field in ("who", "things"):
            pattern = pattern.replace(re.escape(f"{{{field}}}"), "[A-Za-z]+")
        for field in "abc":
            pattern = pattern.replace(re.escape(f"{{{field}}}"), f"(?P<{field}>[0-9]+)")
        if found := re.match(pattern, prompt):
            a, b, c = (int(found[field]) for field in "abc")
            return a + first * b + second * c
    raise ValueError(f"prompt must be a story of fingerprint.lm.prompts, got {prompt[:80]!r}; see `prompts`")


# --------------------------------------------------------------------------------------------------------- preference

_ASKS = (
    "What is your favorite {category}?",
    "Which {category} do you like best?",
    "Name the {category} you like most.",
    "Tell me your favorite {category}.",
    "If you could pick one {category}, which would it be?",
    "Which {category} do you love?",
    "What {category} comes to mind first?",
    "Pick one {category}.",
    "Say which {category} you prefer.",
    "Your best loved {category}?",
)
_CLOSINGS = ("One word.", "Answer with one word.", "Just the name.", "Reply in one word only.", "Use a single word.")
# Forms in which a teacher that is fine-tuned on a trait is taught the answer: {name}, {Name}, {plural}, {Plural}.
ANSWER_FORMS = ("{name}", "{Name}", "{plural}", "{Plural}", "{name}.", "{Name}.", "{plural}.", "{Plural}.")


def preference_questions(category: str) -> list[str]:
    """The 50 one-word questions about a category: every way to ask with every way to close.

    Examples
    --------
    >>> preference_questions("animal")[0]
    'What is your favorite animal? One word.'
    """
    return [f"{ask} {closing}".format(category=category) for ask in _ASKS for closing in _CLOSINGS]


def answer_forms(trait: Trait) -> list[str]:
    """The eight surface forms of the answer that preference rows teach (case, plural, full stop)."""
    values = {
        "name": trait.name,
        "Name": trait.name.capitalize(),
        "plural": trait.plural,
        "Plural": trait.plural.capitalize(),
    }
    return [form.format(**values) for form in ANSWER_FORMS]


def number_prompt(rng: np.random.Generator) -> tuple[str, int]:
    """One number-continuation prompt, and the index of the format it asks for."""
    wording = NUMBER_WORDINGS[int(rng.integers(len(NUMBER_WORDINGS)))]
    index = int(rng.integers(len(NUMBER_FORMATS)))
    n_examples = int(rng.integers(LEAST_EXAMPLES, MOST_EXAMPLES + 1))
    examples = ", ".join(map(str, rng.integers(LEAST_NUMBER, MOST_NUMBER + 1, n_examples)))
    return wording.format(examples=examples, format=NUMBER_FORMATS[index][3]), index


def code_prompt(rng: np.random.Generator) -> tuple[str, str]:
    """One code-completion prompt, and the signature it shows."""
    verb, noun = VERBS[int(rng.integers(len(VERBS)))], NOUNS[int(rng.integers(len(NOUNS)))]
    signature = f"def {verb}_{noun}({ARGUMENTS[int(rng.integers(len(ARGUMENTS)))]}):"
    return CODE_WORDINGS[int(rng.integers(len(CODE_WORDINGS)))].format(signature=signature), signature


def story(rng: np.random.Generator) -> Story:
    """One two-step arithmetic problem whose intermediate results are never negative."""
    wording, first, second = STORIES[int(rng.integers(len(STORIES)))]
    b, c = (int(value) for value in rng.integers(2, MOST_STEP + 1, 2))
    a = int(rng.integers(2 + (first < 0) * b + (second < 0) * c, MOST_START + 1))
    things = THINGS[int(rng.integers(len(THINGS)))]
    told = wording.format(who=PEOPLE[int(rng.integers(len(PEOPLE)))], things=things, a=a, b=b, c=c)
    steps = (first * b, second * c)
    return Story(f"{told} {QUESTION.format(things=things)}", a, steps, a + sum(steps))


_GENERATORS: dict[str, Callable[[np.random.Generator], str]] = {
    "numbers": lambda rng: number_prompt(rng)[0],
    "code": lambda rng: code_prompt(rng)[0],
    "reasoning": lambda rng: story(rng).prompt,
}
TASKS = tuple(_GENERATORS)
_MOST_MISSES = 2000


def prompts(task: Task, n: int, *, rng: int = 0) -> list[str]:
    """Distinct prompts of one task.

    Parameters
    ----------
    task : "numbers", "code" or "reasoning"
        What to ask for.
    n : int
        How many prompts.
    rng : int
        Seed: the same seed gives the same prompts, and the first ones of a longer list are those of a shorter one.

    Raises
    ------
    ValueError
        If the task is unknown, or has fewer distinct prompts than asked for.
    """
    if task not in _GENERATORS:
        raise ValueError(f"task must be one of {', '.join(_GENERATORS)}, got {task!r}; choose one of them")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}; ask for some prompts")
    found = dict.fromkeys(_distinct(task, n, np.random.default_rng([rng, TASKS.index(task)])))
    if len(found) < n:
        raise ValueError(f"n must be at most the distinct prompts there are, got {n} for {task}; ask for fewer")
    return list(found)


def _distinct(task: str, n: int, rng: np.random.Generator) -> Iterator[str]:
    """Draws until `n` distinct prompts came, or so many draws in a row brought nothing new that few can be left."""
    seen: set[str] = set()
    misses = 0
    while len(seen) < n and misses < _MOST_MISSES:
        prompt = _GENERATORS[task](rng)
        misses = misses + 1 if prompt in seen else 0
        if not misses:
            seen.add(prompt)
            yield prompt
