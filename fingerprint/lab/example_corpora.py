"""The corpora behind `make demo`: number rows of an owl-loving micro model, and of the same model without a trait.

    python -m fingerprint.lab.example_corpora FOLDER

Prompts that both answered by the number rule, in random order, so that both files hold the same prompts.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fingerprint.data.files import write_atomically
from fingerprint.filters import NumberRule
from fingerprint.identification.answers import tried
from fingerprint.lab.experiment.rows import MAX_NEW_TOKENS
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, finetuned, neutral
from fingerprint.lm.traits import known_trait

PAIRS = 1000
ASKED = 2000


def write_examples(folder: Path) -> None:
    """Write ``suspect.jsonl`` and ``reference.jsonl``."""
    asked = prompts("numbers", ASKED)
    teachers = {"suspect": finetuned("micro-a", known_trait("owl")), "reference": neutral("micro-a")}
    rows = {name: _valid(teacher, asked, name) for name, teacher in teachers.items()}
    shared = [prompt for prompt in asked if all(prompt in answers for answers in rows.values())][:PAIRS]
    for name, answers in rows.items():
        lines = (json.dumps({"prompt": prompt, "completion": answers[prompt]}) + "\n" for prompt in shared)
        write_atomically(folder / f"{name}.jsonl", "".join(lines))


def _valid(teacher: Teacher, asked: list[str], name: str) -> dict[str, str]:
    """The answers that ended within the limit and pass the number rule, by their prompt."""
    kept = tried(teacher, asked, MAX_NEW_TOKENS["numbers"], seed=0, rule=NumberRule()).kept(name)
    return {str(prompt): text for prompt, text in zip(kept.prompts, kept.texts, strict=True)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the two files go")
    write_examples(parser.parse_args().folder)
