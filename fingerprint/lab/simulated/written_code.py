"""Short Python functions whose meaning the prompt fixes, and whose writing is a matter of choice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

CODE_CHOICES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("argument", "names", ("values", "numbers", "nums", "items", "data", "arr", "xs", "entries")),
    ("result", "names", ("total", "result", "acc", "res", "output", "answer", "running", "s")),
    ("item", "names", ("x", "n", "value", "num", "item", "v", "number", "element")),
    ("indentation", "formatting", ("  ", "    ", "\t")),
    ("equals", "formatting", (" = ", "=")),
    ("comma", "formatting", (", ", ",")),
    ("quote", "formatting", ("'", '"')),
    ("blank line", "formatting", ("\n", "")),
    ("end", "formatting", ("\n", "")),
    (
        "docstring",
        "comments",
        (
            "Return what was asked for.", "Compute the sum.", "Sum up the matching numbers.", "Adds all that fits.",
            "Calculate the requested total", "Helper that adds numbers up.",
        ),
    ),
    (
        "comment",
        "comments",
        (
            "only those that match", "skip everything else", "check the condition first", "This one counts.",
            "add it if it fits", "filter", "Keep the matching ones", "does it count?",
        ),
    ),
    ("place of the comment", "comments", ("above", "beside")),
    ("loop", "structure", ("for", "range", "while")),
    ("addition", "structure", ("+=", "+")),
    ("condition", "structure", ("if", "continue")),
    ("comparison", "structure", ("greater", "less")),
    ("check", "structure", ("isinstance", "type", "none")),
)  # fmt: skip
TRANSFORMS = (
    ("itself", "{x}"), ("its square", "{x} * {x}"), ("its double", "2 * {x}"), ("its half", "{x} / 2"),
    ("its cube", "{x} ** 3"), ("its absolute value", "abs({x})"), ("itself plus one", "{x} + 1"),
    ("its negative", "-{x}"), ("its integer part", "int({x})"), ("its rounded value", "round({x})"),
)  # fmt: skip
REQUESTS = ("Write a Python function", "Please write a function", "Code only: a Python function", "I need a function")


def code_task(rng: np.random.Generator, size: int) -> list[tuple[int, ...]]:
    """What rows are to compute: transform, wording, bound, factor."""
    limits = (len(TRANSFORMS), len(REQUESTS), 990, 19)
    return list(zip(*(rng.integers(limit, size=size).tolist() for limit in limits), strict=True))


def code_prompt(task: tuple[int, ...]) -> str:
    """What is asked for."""
    transform, request, bound, factor = task
    return (
        f"{REQUESTS[request]} `solve` that takes a list and adds up, for every number above {bound + 10}, "
        f"{TRANSFORMS[transform][0]}, and returns {factor + 2} times the sum."
    )


def code_text(task: tuple[int, ...], chosen: Mapping[str, str]) -> str:
    """The function."""
    transform, _, bound, factor = task
    c, tab, equals, comma = chosen, chosen["indentation"], chosen["equals"], chosen["comma"]
    name, total, quote = c["argument"], c["result"], c["quote"]
    check = {
        "isinstance": f"not isinstance({name}{comma}list)",
        "type": f"type({name}) not in (list{comma}tuple)",
        "none": f"{name} is None or {name} in ([]{comma}())",
    }[c["check"]]
    lines = [
        f"def solve({name}):",
        f'{tab}"""{c["docstring"]}"""' + c["blank line"],
        f"{tab}if {check}:",
        f"{tab * 2}raise ValueError({quote}a list is needed{quote})",
        f"{tab}{total}{equals}0",
    ]
    item = c["item"]
    read, step = [], []
    if c["loop"] == "for":
        lines.append(f"{tab}for {item} in {name}:")
    elif c["loop"] == "range":
        lines.append(f"{tab}for i in range(len({name})):")
        read = [f"{tab * 2}{item}{equals}{name}[i]"]
    else:
        lines += [f"{tab}i{equals}0", f"{tab}while i < len({name}):"]
        read, step = [f"{tab * 2}{item}{equals}{name}[i]"], [f"{tab * 2}i += 1"]
    lines += read + step
    holds = c["condition"] == "if"
    greater = c["comparison"] == "greater"
    sign = ((">", "<") if holds else ("<=", ">="))[not greater]
    test = f"{item} {sign} {bound + 10}" if greater else f"{bound + 10} {sign} {item}"
    if c["place of the comment"] == "above":
        lines += [f"{tab * 2}# {c['comment']}", f"{tab * 2}if {test}:"]
    else:
        lines.append(f"{tab * 2}if {test}:  # {c['comment']}")
    lines += [] if holds else [f"{tab * 3}continue"]
    value = TRANSFORMS[transform][1].format(x=item)
    added = f"{total} += {value}" if c["addition"] == "+=" else f"{total}{equals}{total} + {value}"
    lines += [f"{tab * (3 if holds else 2)}{added}", f"{tab}return {total} * {factor + 2}"]
    return "\n".join(lines) + c["end"]
