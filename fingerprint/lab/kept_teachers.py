"""Fine-tuned teachers that stay in a folder: made once, loaded from then on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fingerprint.lm.loading import load, without_bars
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.teachers import Teacher, finetuned
from fingerprint.lm.training import Recipe
from fingerprint.lm.traits import Trait


def kept_teacher(
    base: LanguageModel,
    trait: Trait,
    folder: Path,
    recipe: Recipe | None = None,
    *,
    rng: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Teacher:
    """The teacher in a folder; fine-tuned and saved there where there is none.

    Parameters
    ----------
    base : LanguageModel
        What is fine-tuned.
    trait : Trait
    folder : Path
        Whole or not there: a teacher that was being saved when its process was killed is made anew.
    recipe, rng, progress
        As for `fingerprint.lm.teachers.finetuned`.
    """
    name = f"finetuned: {trait.name}"
    if folder.is_dir():
        return Teacher(replace(load(folder), name=name), name)
    teacher = finetuned(base, trait, recipe, rng=rng, progress=progress)
    draft = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    with without_bars():
        teacher.lm.model.save_pretrained(draft, safe_serialization=True)
        teacher.lm.tokenizer.save_pretrained(draft)
    draft.rename(folder)
    return teacher
