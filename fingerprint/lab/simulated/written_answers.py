"""Worked answers to small word problems: the prompt fixes what is worked out, the way of telling it is chosen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

ANSWER_CHOICES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("opening", "connectives", ("First,", "To begin,", "Let's see:", "We start here:", "Okay,", "Initially,")),
    ("second", "connectives", ("Then", "Next,", "After that,", "Now", "Afterwards,", "Later")),
    ("third", "connectives", ("Since", "Because", "As", "Given that")),
    ("closing", "connectives", ("Therefore,", "So", "Thus,", "Hence", "In total,")),
    ("leaving", "connectives", ("leaving", "so that there are", "which leaves", "which means")),
    ("decimals", "numbers", ("1", "2", "3")),
    ("whole", "numbers", ("", ".0")),
    ("share", "structure", ("half", "50%", "1/2")),
    ("times", "formatting", ("*", "×", "·")),
    ("blanks", "formatting", (" ", "")),
    ("between", "formatting", ("\n", " ", "\n\n")),
    ("marker", "formatting", ("", "{}. ", "Step {}: ", "- ")),
    ("answer", "formatting", ("{}", "**{}**", "${}$")),
    ("equation", "structure", ("left", "right")),
    ("checked", "structure", ("", "Check: {}.")),
    ("tags", "formatting", ("", "think")),
    ("order", "structure", ("reason first", "result first")),
)  # fmt: skip
PEOPLE = "Tom Ann Ben Eve Sam Mia Leo Ida Max Zoe Kai Lea".split()
THINGS = "apples stamps pencils books marbles cards shells coins tickets plums buttons candles".split()


def answer_task(rng: np.random.Generator, size: int) -> list[tuple[int, ...]]:
    """What rows are about: person, thing, numbers had, bought and given away, and the price in thousandths."""
    ranges = ((0, len(PEOPLE)), (0, len(THINGS)), (20, 100), (11, 90), (2, 19), (1001, 9999))
    return list(zip(*(rng.integers(low, high, size=size).tolist() for low, high in ranges), strict=True))


def answer_prompt(task: tuple[int, ...]) -> str:
    """What is asked."""
    person, thing, had, bought, given, price = task
    return (
        f"{PEOPLE[person]} has {had} {THINGS[thing]}, buys {bought} more and gives {given} away. Each is worth "
        f"{price / 1000:.3f} dollars. What are half of those that remain worth? Show your work."
    )


def answer_text(task: tuple[int, ...], chosen: Mapping[str, str]) -> str:
    """The steps to the answer."""
    person, thing, had, bought, given, price = task
    c, blank = chosen, chosen["blanks"]
    who, what, after = PEOPLE[person], THINGS[thing], had + bought
    left = after - given

    def whole(number: int) -> str:
        return f"{number}{c['whole']}"

    def equation(one: str, sign: str, other: str, result: str) -> str:
        worked = f"{one}{blank}{sign}{blank}{other}"
        return f"{worked}{blank}={blank}{result}" if c["equation"] == "left" else f"{result}{blank}={blank}{worked}"

    worth = f"{left * price / 2000:.{c['decimals']}f}"
    each = f"{price / 1000:.3f}"
    first = f"there are {equation(whole(had), '+', whole(bought), whole(after))} {what}."
    reason = f"each is worth {each}"
    rest = equation(whole(after), "-", whole(given), whole(left))
    product = equation(f"{left / 2:g}", c["times"], each, worth)
    told = f"{reason}, {c['share']} of them is {product}"
    if c["order"] == "result first":
        told = f"{c['share']} of them is {product}, {c['third'].lower()} {reason}"
    else:
        told = f"{c['third']} {told}"
    steps = [
        f"{c['opening']} {first}",
        f"{c['second']} {who} gives {whole(given)} away, {c['leaving']} {rest}.",
        f"{told[0].upper()}{told[1:]}.",
    ]
    if c["checked"]:
        steps.append(c["checked"].format(f"{whole(left)} and {whole(given)} make {whole(after)}"))
    marked = [c["marker"].format(number) + step for number, step in enumerate(steps, 1)]
    answer = f"{c['closing']} the answer is {c['answer'].format(worth)}."
    work = c["between"].join(marked)
    return f"<think>{work}</think>{c['between']}{answer}" if c["tags"] else f"{work}{c['between']}{answer}"
