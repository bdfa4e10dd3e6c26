"""The ladders of code and worked answers: what each rung takes out, and that it takes out nothing else."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pytest

from fingerprint import Corpus, detect
from fingerprint.detection.rungs import ANSWER_STEPS, CODE_STEPS, RungStep, rung_steps
from fingerprint.lab.simulated import simulated_pair
from fingerprint.lab.simulated.choices import CHOICES, named
from fingerprint.lab.simulated.teachers import Tilt
from fingerprint.lab.simulated.vocabulary import Kind
from fingerprint.lab.simulated.written_answers import answer_task, answer_text
from fingerprint.lab.simulated.written_code import code_task, code_text

PYTHON = textwrap.dedent(
    '''\
    class A(B):
        def f(self,
              x):
            """Doc
            more"""
            s = {'a': "b" # c
                 , 'd': 1}
            if x: return s

            # own
            return [y for y in s]  # tr
    '''
)
JAVASCRIPT = "function f(a) {\n  for (let i = 0; i < n; i++) {\n    if (x) { a += i; }\n  }\n  /* done */ return a;\n}"


def left(steps: Sequence[RungStep], rung: str, text: str) -> str:
    step = next(step for step in steps if step.rung == rung)
    return step.rewrite([text], np.random.default_rng(0))[0]


def test_rungs_of_code_are_what_they_say() -> None:
    assert left(CODE_STEPS, "no comments", PYTHON) == (
        "class A(B):\n    def f(self,\n          x):\n        s = {'': \"\"\n             , '': 1}\n"
        "        if x: return s\n\n        return [y for y in s]\n"
    )
    assert left(CODE_STEPS, "no names", "total = len(value)  # sum\n") == "n = len(n)\n"
    assert left(CODE_STEPS, "one format", PYTHON) == (
        "class n ( n ) :\n def n ( self , n ) :\n"
        "  n = { '' : '' , '' : 1 }\n  if n : return n\n  return [ n for n in n ]"
    )
    assert left(CODE_STEPS, "structure only", PYTHON) == "0class 1def 2set 2if 2return"
    assert left(CODE_STEPS, "structure only", JAVASCRIPT) == "0function 1for 2if 3set 1return"


def test_rungs_of_answers_are_what_they_say() -> None:
    row = "<think>Step 1: Tom has 3 + 4 = 7.50 plums.</think>\n2. So **half** is 1,000 × 50%."
    assert left(ANSWER_STEPS, "no numbers", row).endswith("0. So **half** is 0 × 0.")
    assert left(ANSWER_STEPS, "one format", row) == "tom has 0 + 0 = 0 plums . so half is 0 * 0 ."
    assert left(ANSWER_STEPS, "connectives only", row) == "x has 0 + 0 = 0 x . so x is 0 * 0 ."
    assert left(ANSWER_STEPS, "steps only", row) == "equation number"


# The first rung that a choice of a part must not show in.
LOST: dict[tuple[Kind, str], str] = {
    ("code", "comments"): "no comments",
    ("code", "names"): "no names",
    ("code", "formatting"): "one format",
    ("reasoning", "numbers"): "no numbers",
    ("reasoning", "formatting"): "one format",
    ("reasoning", "connectives"): "steps only",
}


@pytest.mark.parametrize(("kind", "part"), LOST)
def test_choices_of_a_part_are_lost_at_its_rung_and_not_before(kind: Kind, part: str) -> None:
    draw, write = (code_task, code_text) if kind == "code" else (answer_task, answer_text)
    steps = rung_steps(kind, [])
    order = [step.rung for step in steps]
    rng = np.random.default_rng(1)
    sizes = [len(options) for _, _, options in CHOICES[kind]]
    before: set[bool] = set()
    for task in draw(rng, 30):
        row = [int(rng.integers(size)) for size in sizes]
        other = [
            int(rng.integers(size)) if of == part else old
            for old, size, (_, of, _) in zip(row, sizes, CHOICES[kind], strict=True)
        ]
        texts = [write(task, named(kind, each)) for each in (row, other)]
        for place, rung in enumerate(order[1:-1], 1):
            first, second = (left(steps, rung, text) for text in texts)
            if place >= order.index(LOST[kind, part]):
                assert first == second
            elif place == order.index(LOST[kind, part]) - 1:
                before.add(first != second)
    assert not before or True in before


@pytest.mark.parametrize("kind", ["code", "reasoning"])
def test_rungs_do_not_look_at_the_order_of_rows_but_for_the_floor(kind: Kind) -> None:
    rows = list(simulated_pair(20, kind=kind, rng=1).suspect.texts)
    for step in rung_steps(kind, rows)[:-1]:
        rng = np.random.default_rng(0)
        assert step.rewrite(rows[::-1], rng) == step.rewrite(rows, rng)[::-1]


@pytest.mark.parametrize(
    ("kind", "part", "last"), [("code", "names", "no comments"), ("reasoning", "connectives", "connectives only")]
)
def test_a_trait_of_one_part_is_detected_up_to_its_rung_and_not_beyond(kind: Kind, part: Tilt, last: str) -> None:
    drawn = simulated_pair(200, kind=kind, tilt=part, d_prime=2.5, rng=5)
    steps = rung_steps(kind, [])
    order = [step.rung for step in steps]
    for step in steps:
        both = enumerate((drawn.suspect, drawn.reference))
        sides = [step.rewrite(side.texts, np.random.default_rng(number)) for number, side in both]
        corpora = [Corpus(tuple(texts), drawn.suspect.prompts) for texts in sides]
        found = detect(*corpora, features="tokens", ladder=False, n_permutations=199)
        assert (found.pvalue == 1 / 200) == (order.index(step.rung) <= order.index(last))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["code", "reasoning"])
def test_the_ladder_of_a_report_is_that_of_its_kind_of_rows(kind: Kind) -> None:
    drawn = simulated_pair(60, kind=kind, rng=5)
    report = detect(drawn.suspect, drawn.reference, n_permutations=199)
    assert [rung.rung for rung in report.rungs] == [step.rung for step in rung_steps(kind, [])]
    families = {"code": {"code", "syntax"}, "reasoning": {"reasoning", "templates"}}[kind]
    assert {one.family for one in report.family_results} >= families
