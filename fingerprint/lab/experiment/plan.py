"""What an experiment is to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from fingerprint.data.nearest import did_you_mean
from fingerprint.lab.perturbations import PERTURBATIONS
from fingerprint.lm.loading import Spec
from fingerprint.lm.prompts import TASKS, Task
from fingerprint.lm.traits import Trait

TeacherKind = Literal["finetuned", "prompted"]

DEFAULT_PERTURBATIONS = ("shuffled_within", "shuffled_across")
# Fewer rows on a side than this cannot be tested or learned from.
LEAST_ROWS = 100


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes
    ----------
    trait : Trait
        What the teacher loves.
    teacher : "finetuned" or "prompted"
        How it came to.
    model : str, path or model
        The base of teacher and students.
    other_model : str, path or model, optional
        Another base for the students of the same rows; by default the other micro model, or none.
    task : "numbers", "code" or "reasoning"
        What the rows are.
    rows : int
        Rows a student learns from, after the rule.
    seeds : int
        Students of each kind, for trait and neutral rows; perturbed rows have one.
    perturbations : tuple of str
        What is done to the trait rows and to the neutral rows; keys of `fingerprint.lab.perturbations.PERTURBATIONS`.
    temperature : float
        Of sampling.
    seed : int
        Of everything.
    weights : "lora", "biases" or "all", optional
        What fine-tuning trains, in the teacher and in its students; "lora" by default.
    learning_rate : float, optional
        Of the students; by default what suits the model and `weights`.
    """

    trait: Trait
    teacher: TeacherKind = "finetuned"
    model: Spec = "micro-a"
    other_model: Spec | None = None
    task: Task = "numbers"
    rows: int = 5000
    seeds: int = 1
    perturbations: tuple[str, ...] = DEFAULT_PERTURBATIONS
    temperature: float = 1.0
    seed: int = 0
    weights: Literal["lora", "biases", "all"] | None = None
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        choices = (("teacher", self.teacher, get_args(TeacherKind)), ("task", self.task, TASKS))
        for name, value, allowed in choices:
            if value not in allowed:
                remedy = did_you_mean(value, allowed, "choose one")
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}; {remedy}")
        unknown = next((s for s in self.perturbations if s not in PERTURBATIONS), None)
        if unknown is not None:
            remedy = did_you_mean(unknown, PERTURBATIONS, "choose of them")
            raise ValueError(f"perturbations must be among {', '.join(PERTURBATIONS)}, got {unknown!r}; {remedy}")
        if self.rows < LEAST_ROWS:
            raise ValueError(f"rows must be at least {LEAST_ROWS}, got {self.rows}; a student learns little from fewer")
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, got {self.seeds}; ask for one student or more")
