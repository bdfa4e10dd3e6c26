"""Rows that students learn from: written by a teacher until enough of them pass the rule of their task."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

from fingerprint.data.corpus import Corpus
from fingerprint.data.files import write_atomically
from fingerprint.filters import CorrectAnswer, Filter, NumberRule, Parses
from fingerprint.lab.experiment.plan import Plan
from fingerprint.lab.generation import generate
from fingerprint.lm.prompts import Task, prompts, story_answer
from fingerprint.lm.writers import RowWriter

MAX_NEW_TOKENS = {"numbers": 48, "code": 64, "reasoning": 64}
# Prompts asked at once until enough rows are kept; the last round usually has a few more than needed.
_ROUND_MARGIN = 1.05
_MOST_ROUNDS = 8


class Row(TypedDict):
    """What is read here of a row that `fingerprint.lab.generation.generate` wrote; its provenance stays in the file."""

    prompt: str
    completion: str
    finished: bool


def collect_rows(
    teacher: RowWriter, arm: str, plan: Plan, raw_folder: Path, progress: Callable[[float], None]
) -> list[Row]:
    """As many rows as planned that pass the rule, from as many prompts as that takes.

    Parameters
    ----------
    teacher : RowWriter
        Who writes.
    arm : str
        What to call its rows in files and messages.
    plan : Plan
        How many rows of which task, at which temperature, from which seed.
    raw_folder : Path
        Where the rows go as they were written, a file a round.
    progress : callable
        Told the share of a round's rows that are done.

    Raises
    ------
    ValueError
        If no row passes, or there are not enough prompts or rounds.
    """
    kept: list[Row] = []
    asked = passed = 0
    for turn in range(_MOST_ROUNDS):
        raw = raw_folder / f"{arm}-{turn}.jsonl"
        raw.parent.mkdir(exist_ok=True)
        rate = passed / asked if asked else 1.0
        wanted = int((plan.rows - passed) / max(rate, 0.05) * (_ROUND_MARGIN if asked else 1)) + 1
        try:
            questions = prompts(plan.task, asked + wanted, rng=plan.seed)[asked:]
        except ValueError:
            raise ValueError(
                f"rows must pass the {plan.task} rule, got {passed} of {asked} from the {arm} teacher, and "
                f"there are no {wanted} more prompts to come to {plan.rows}; ask for fewer rows"
            ) from None
        generate(
            teacher,
            questions,
            raw,
            temperature=plan.temperature,
            max_new_tokens=MAX_NEW_TOKENS[plan.task],
            seed=plan.seed + 1000 * turn,
            progress=progress,
        )
        good = passing_rows(raw, plan.task)
        kept, asked, passed = kept + good, asked + len(questions), passed + len(good)
        if passed >= plan.rows:
            return kept[: plan.rows]
        if not passed:
            raise ValueError(
                f"rows must pass the {plan.task} rule, got none of {asked} from the {arm} teacher; "
                f"look at {raw}: the model does not do this task"
            )
    raise ValueError(
        f"rows must pass the {plan.task} rule, got {passed} of {asked} from the {arm} teacher, not the "
        f"{plan.rows} asked for; ask for fewer rows, or look at {raw_folder}"
    )


def rule_for(task: Task, questions: Sequence[str]) -> Filter:
    """The filter that rows of a task have to pass: the published number rule, a parse, or the right answer."""
    if task == "numbers":
        return NumberRule()
    if task == "code":
        return Parses()
    return CorrectAnswer({question: str(story_answer(question)) for question in questions})


def passing_rows(path: Path, task: Task) -> list[Row]:
    """Rows of a file that their teacher ended itself and that pass the rule."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    questions = [row["prompt"] for row in rows]
    reasons = rule_for(task, questions)([row["completion"] for row in rows], questions).reasons
    return [row for row, why in zip(rows, reasons, strict=True) if row["finished"] and not why]


def write_rows(path: Path, corpus: Corpus) -> None:
    """Write a corpus as JSONL, a prompt and a completion a line."""
    rows = ({"prompt": p, "completion": t} for p, t in zip(corpus.prompts, corpus.texts, strict=True))
    write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
