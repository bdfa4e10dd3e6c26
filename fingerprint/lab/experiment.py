"""The whole experiment in one folder: base -> teacher -> rows -> rule -> students, and what `detect` says of the rows.

Every step leaves a file and is skipped when the file is there: interrupted and started again, the work goes on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from fingerprint.data.corpus import Corpus
from fingerprint.data.files import room_on_disk, write_atomically
from fingerprint.data.reading import read
from fingerprint.detection.detect import detect
from fingerprint.filters import CorrectAnswer, Filter, NumberRule, Parses
from fingerprint.lab.generation import generate
from fingerprint.lab.perturbations import OPERATIONS, operate
from fingerprint.lab.students import STUDENT_RECIPES, Change, Preference, compare, preference, train_student
from fingerprint.lm.model import LanguageModel, Spec, load, without_bars
from fingerprint.lm.prompts import TASKS, Task, prompts, story_answer
from fingerprint.lm.teachers import TEACHER_RECIPES, Teacher, finetuned, neutral, prompted, recipe_of
from fingerprint.lm.training import Recipe
from fingerprint.lm.traits import CATEGORIES, Trait, known_trait

TeacherKind = Literal["finetuned", "prompted"]
BaseName = Literal["same_base", "other_base"]
Progress = Callable[[str, float], None]

# Which base stands for "another start" beside each micro model.
OTHER_BASES = {"micro-a": "micro-b", "micro-b": "micro-a"}
MAX_NEW_TOKENS = {"numbers": 48, "code": 64, "reasoning": 64}
DEFAULT_SURGERIES = ("shuffled_within", "shuffled_across")
# Prompts asked at once until enough rows are kept; the last round usually has a few more than needed.
_ROUND_MARGIN = 1.05
_MOST_ROUNDS = 8
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
        Students of each kind, for trait and neutral rows; operated rows have one.
    surgeries : tuple of str
        Operations done to the trait rows and to the neutral rows; keys of `fingerprint.lab.perturbations.OPERATIONS`.
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
    surgeries: tuple[str, ...] = DEFAULT_SURGERIES
    temperature: float = 1.0
    seed: int = 0
    weights: Literal["lora", "biases", "all"] | None = None
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        for name, allowed in (("teacher", get_args(TeacherKind)), ("task", TASKS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}; choose one")
        unknown = next((s for s in self.surgeries if s not in OPERATIONS), None)
        if unknown is not None:
            raise ValueError(f"surgeries must be among {', '.join(OPERATIONS)}, got {unknown!r}; choose of them")
        if self.rows < LEAST_ROWS:
            raise ValueError(f"rows must be at least {LEAST_ROWS}, got {self.rows}; a student learns little from fewer")
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, got {self.seeds}; ask for one student or more")


@dataclass(frozen=True)
class Arm:
    """One line of the table: students of some rows, and what the detector says of these rows.

    Attributes
    ----------
    arm : str
        "trait", "neutral", an operation, or "neutral_" and an operation.
    student : "same_base" or "other_base"
        Which base learned from the rows.
    change : Change
        Preference for the trait, before and after.
    transfer : float or None
        Change minus that of the same base on the neutral rows of the same kind; None for neutral rows.
    rival, rival_change : str, float
        The other thing of the category whose share rose most, and by how much: does owl data raise cat?
    auc, bag16_auc, pvalue : float or None
        Of these rows against the neutral rows of the same kind; None for neutral rows.
    rows : int
        Rows the students learned from.
    seeds : int
        Students behind the line.
    """

    arm: str
    student: BaseName
    change: Change
    transfer: float | None
    rival: str
    rival_change: float
    auc: float | None
    bag16_auc: float | None
    pvalue: float | None
    rows: int
    seeds: int

    def to_dict(self) -> dict[str, Any]:
        """The record of ``table.json``."""
        change = self.change
        return {
            "arm": self.arm,
            "student": self.student,
            "before": change.before,
            "after": change.after,
            "change": change.change.value,
            "interval": [change.change.low, change.change.high],
            "transfer": self.transfer,
            "mass": change.mass_after,
            "mass_before": change.mass_before,
            "status": change.status,
            "rival": self.rival,
            "rival_change": self.rival_change,
            "auc": self.auc,
            "bag16_auc": self.bag16_auc,
            "pvalue": self.pvalue,
            "rows": self.rows,
            "seeds": self.seeds,
        }


@dataclass(frozen=True)
class Result:
    """A finished experiment.

    Attributes
    ----------
    plan : Plan
        What was asked.
    arms : tuple of Arm
        The table.
    teacher_share : float
        Share of the trait among the teacher's own answers.
    kept : dict of str to float
        Share of the rows of each teacher that the rule kept.
    """

    plan: Plan
    arms: tuple[Arm, ...]
    teacher_share: float
    kept: dict[str, float]

    def arm(self, name: str, student: BaseName = "same_base") -> Arm:
        return next(arm for arm in self.arms if (arm.arm, arm.student) == (name, student))


def run(
    plan: Plan, out: str | Path, *, neutral_out: str | Path | None = None, progress: Progress | None = None
) -> Result:
    """Run an experiment, or go on with one.

    Parameters
    ----------
    plan : Plan
        What to run.
    out : path-like
        Folder for everything: ``trait.jsonl``, ``neutral.jsonl`` and one file an operation (rows as the students see
        them), ``raw/`` (as the teachers wrote them), ``teacher/``, ``students/`` and ``table.json``.
    neutral_out : path-like, optional
        Another folder for neutral rows and their students, which several traits can share; by default `out`.
    progress : callable, optional
        Told the step and the share of the work that is done.

    Raises
    ------
    FileExistsError
        If the folder holds an experiment with another plan.
    ValueError
        If too few rows pass the rule.
    OSError
        If the disk is full; what is done is kept.
    """
    place = Path(out)
    shared = place if neutral_out is None else Path(neutral_out)
    bench = _Bench(plan, place, shared, progress or (lambda step, share: None))
    with room_on_disk(place):
        place.mkdir(parents=True, exist_ok=True)
        _claim(place, bench.description)
        if shared is not place:
            shared.mkdir(parents=True, exist_ok=True)
            _claim(shared, {k: v for k, v in bench.description.items() if k not in ("trait", "teacher", "seeds")})
        corpora = bench.corpora()
        teacher_share = float(preference(bench.teacher.lm, plan.trait, system=bench.teacher.system).share.mean())
        students = {(arm, base): bench.students(arm, base, corpora[arm]) for arm, base in bench.wanted}
        arms = tuple(bench.arm(arm, base, students, corpora) for arm, base in students)
        kept = {arm: bench.kept_share(arm) for arm in ("trait", "neutral")}
        result = Result(plan, arms, teacher_share, kept)
        records = [arm.to_dict() for arm in arms]
        write_atomically(place / "table.json", json.dumps(records, indent=2, allow_nan=False) + "\n")
    return result


def _claim(place: Path, description: dict[str, Any]) -> None:
    """Write down what the folder is for, or check that it is for the same."""
    text = json.dumps(description, indent=2, sort_keys=True) + "\n"
    path = place / "plan.json"
    if not path.exists():
        write_atomically(path, text)
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    wanted = json.loads(text)
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if differing:
        key = differing[0]
        raise FileExistsError(
            f"{place} must be empty or hold the same experiment, got {key} {found.get(key)!r} for {wanted[key]!r}; "
            "choose another folder, or delete this one"
        )


class _Bench:
    """The experiment's parts, each made once: in this process, or found in the folder."""

    def __init__(self, plan: Plan, place: Path, shared: Path, progress: Progress) -> None:
        self.plan, self.place, self.shared, self.progress = plan, place, shared, progress
        self._before: dict[BaseName, Preference] = {}
        self.base = load(plan.model)
        other = plan.other_model
        if other is None and isinstance(plan.model, str):
            other = OTHER_BASES.get(plan.model)
        self.other = None if other is None else load(other)
        self.done, self.steps = 0, 3 + len(self.wanted) + len(plan.surgeries)

    @property
    def wanted(self) -> list[tuple[str, BaseName]]:
        """Lines of the table: rows, and who learns from them."""
        lines: list[tuple[str, BaseName]] = [("trait", "same_base"), ("neutral", "same_base")]
        if self.other is not None:
            lines.insert(1, ("trait", "other_base"))
        for operation in self.plan.surgeries:
            lines += [(operation, "same_base"), (f"neutral_{operation}", "same_base")]
        return lines

    @property
    def student_recipe(self) -> Recipe:
        recipe = recipe_of(STUDENT_RECIPES, self.base.name, self.plan.weights)
        return recipe if self.plan.learning_rate is None else replace(recipe, learning_rate=self.plan.learning_rate)

    @property
    def description(self) -> dict[str, Any]:
        """The plan as JSON, with digests where it names models."""
        plan = asdict(replace(self.plan, model="", other_model=None))
        plan["recipes"] = [
            asdict(recipe_of(TEACHER_RECIPES, self.base.name, self.plan.weights)),
            asdict(self.student_recipe),
        ]
        plan["model"] = [self.base.name, self.base.digest]
        plan["other_model"] = None if self.other is None else [self.other.name, self.other.digest]
        plan["fingerprint_version"] = version("subliminal-fingerprint")
        return plan

    def step(self, name: str, share: float = 0.0) -> None:
        self.progress(name, min((self.done + share) / self.steps, 1.0))

    def finish(self) -> None:
        self.done += 1

    def home(self, arm: str) -> Path:
        """The folder that an arm's files go to."""
        return self.shared if arm.startswith("neutral") else self.place

    # -------------------------------------------------------------------------------------------------- teacher, rows

    @cached_property
    def teacher(self) -> Teacher:
        plan = self.plan
        if plan.teacher == "prompted":
            self.finish()
            return prompted(self.base, plan.trait)
        folder = self.place / "teacher"
        name = f"finetuned: {plan.trait.name}"
        if folder.is_dir():
            self.finish()
            return Teacher(replace(load(folder), name=name), name)
        teacher = finetuned(
            self.base,
            plan.trait,
            recipe_of(TEACHER_RECIPES, self.base.name, plan.weights),
            rng=plan.seed,
            progress=lambda share: self.step("fine-tuning the teacher", share),
        )
        draft = self.place / "teacher.partial"
        shutil.rmtree(draft, ignore_errors=True)
        with without_bars():
            teacher.lm.model.save_pretrained(draft, safe_serialization=True)
            teacher.lm.tokenizer.save_pretrained(draft)
        draft.rename(folder)
        self.finish()
        return teacher

    def corpora(self) -> dict[str, Corpus]:
        """Rows of every arm, as students and detector see them."""
        found = {"trait": self._rows("trait", self.teacher), "neutral": self._rows("neutral", neutral(self.base))}
        for operation in self.plan.surgeries:
            for side, arm in (("trait", operation), ("neutral", f"neutral_{operation}")):
                path = self.home(arm) / f"{arm}.jsonl"
                if not path.exists():
                    # Draws of its own for each side: with shared ones, redrawn rows of a pair would be the same rows.
                    _write_rows(path, operate(found[side], operation, rng=2 * self.plan.seed + (side == "neutral")))
                found[arm] = read(path)
        return found

    def _rows(self, arm: str, teacher: Teacher) -> Corpus:
        """As many rows as planned that pass the rule, from as many prompts as that takes."""
        path = self.home(arm) / f"{arm}.jsonl"
        if not path.exists():
            plan = self.plan
            kept: list[dict[str, Any]] = []
            asked = passed = 0
            for turn in range(_MOST_ROUNDS):
                raw = self.home(arm) / "raw" / f"{arm}-{turn}.jsonl"
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
                    progress=lambda share: self.step(f"{arm} rows", share * 0.9),
                )
                good = _passing(raw, plan.task)
                kept, asked, passed = kept + good, asked + len(questions), passed + len(good)
                if passed >= plan.rows:
                    break
                if not passed:
                    raise ValueError(
                        f"rows must pass the {plan.task} rule, got none of {asked} from the {arm} teacher; "
                        f"look at {raw}: the model does not do this task"
                    )
            else:
                raise ValueError(
                    f"rows must pass the {plan.task} rule, got {passed} of {asked} from the {arm} teacher, not the "
                    f"{plan.rows} asked for; ask for fewer rows, or look at {raw.parent}"
                )
            write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept[: plan.rows]))
        self.finish()
        return read(path)

    def kept_share(self, arm: str) -> float:
        """Share of the rows a teacher wrote that its rule kept."""
        raw = sorted((self.home(arm) / "raw").glob(f"{arm}-*.jsonl"))
        return sum(len(_passing(path, self.plan.task)) for path in raw) / sum(len(read(path)) for path in raw)

    # ----------------------------------------------------------------------------------------------------- students

    def before(self, base: BaseName) -> Preference:
        """Preference of a base, asked once however many arms start from it."""
        if base not in self._before:
            self._before[base] = preference(self._base(base), self.plan.trait)
        return self._before[base]

    def _base(self, base: BaseName) -> LanguageModel:
        return self.base if base == "same_base" or self.other is None else self.other

    def students(self, arm: str, base: BaseName, corpus: Corpus) -> list[Preference]:
        """Preferences of the students of one arm, one a seed; operated rows have one seed."""
        n_seeds = self.plan.seeds if arm in ("trait", "neutral") else 1
        found = [self._student(arm, base, corpus, seed, n_seeds) for seed in range(n_seeds)]
        self.finish()
        return found

    def _student(self, arm: str, base: BaseName, corpus: Corpus, seed: int, n_seeds: int) -> Preference:
        path = self.home(arm) / "students" / f"{arm}.{base}.{seed}.json"
        if not path.exists():
            student = train_student(
                self._base(base),
                corpus,
                self.student_recipe,
                rng=self.plan.seed + seed,
                progress=lambda share: self.step(f"student of {arm} rows, {base}", (seed + share) / n_seeds),
            )
            path.parent.mkdir(exist_ok=True)
            # All categories, so that students of neutral rows serve traits of each.
            others = [known_trait(names[0]) for c, names in CATEGORIES.items() if c != self.plan.trait.category]
            tables = [
                {"names": trait.names, "probability": preference(student, trait).probability.tolist()}
                for trait in (self.plan.trait, *others)
            ]
            write_atomically(path, json.dumps(tables) + "\n")
        return _preference_in(json.loads(path.read_text(encoding="utf-8")), self.plan.trait)

    # -------------------------------------------------------------------------------------------------------- table

    def arm(
        self,
        arm: str,
        base: BaseName,
        students: dict[tuple[str, BaseName], list[Preference]],
        corpora: dict[str, Corpus],
    ) -> Arm:
        """One line of the table."""
        before = self.before(base)
        change = compare(before, students[arm, base])
        rival, rival_change = _largest_rival(self.plan.trait, before, students[arm, base])
        counterpart = {"trait": "neutral"}.get(arm, f"neutral_{arm}")
        transfer = None
        detection: dict[str, float | None] = {"auc": None, "bag16_auc": None, "pvalue": None}
        if counterpart in corpora:
            detection = self._detection(arm, corpora[arm], corpora[counterpart])
            if base == "same_base":
                control = compare(before, students[counterpart, base])
                transfer = float(change.change.value or 0) - float(control.change.value or 0)
        return Arm(
            arm=arm,
            student=base,
            change=change,
            transfer=transfer,
            rival=rival,
            rival_change=rival_change,
            rows=len(corpora[arm]),
            seeds=len(students[arm, base]),
            **detection,
        )

    def _detection(self, arm: str, suspect: Corpus, reference: Corpus) -> dict[str, float | None]:
        path = self.place / "detection" / f"{arm}.json"
        if not path.exists():
            self.step(f"detecting {arm} rows")
            report = detect(suspect, reference, ladder=False, rng=self.plan.seed)
            path.parent.mkdir(exist_ok=True)
            found = {"auc": report.auc.value, "bag16_auc": report.bag_auc(16).value, "pvalue": report.pvalue}
            write_atomically(path, json.dumps(found) + "\n")
        loaded: dict[str, float | None] = json.loads(path.read_text(encoding="utf-8"))
        return loaded


def _preference_in(tables: list[dict[str, Any]], trait: Trait) -> Preference:
    """The table of the trait's category, its columns in the trait's order."""
    table = next(table for table in tables if set(table["names"]) == set(trait.names))
    columns = [table["names"].index(name) for name in trait.names]
    return Preference(np.array(table["probability"])[:, columns])


def _largest_rival(trait: Trait, before: Preference, after: Sequence[Preference]) -> tuple[str, float]:
    def shares(table: Preference) -> Any:
        return (table.probability / table.probability.sum(axis=1, keepdims=True)).mean(axis=0)

    moved = np.mean([shares(student) - shares(before) for student in after], axis=0)[1:]
    return trait.rivals[int(moved.argmax())], float(moved.max())


def rule_for(task: Task, questions: Sequence[str]) -> Filter:
    """The filter that rows of a task have to pass: the published number rule, a parse, or the right answer."""
    if task == "numbers":
        return NumberRule()
    if task == "code":
        return Parses()
    return CorrectAnswer({question: str(story_answer(question)) for question in questions})


def _passing(path: Path, task: Task) -> list[dict[str, Any]]:
    """Rows of a file that their teacher ended itself and that pass the rule."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    questions = [row["prompt"] for row in rows]
    reasons = rule_for(task, questions)([row["completion"] for row in rows], questions).reasons
    return [row for row, why in zip(rows, reasons, strict=True) if row["finished"] and not why]


def _write_rows(path: Path, corpus: Corpus) -> None:
    rows = ({"prompt": p, "completion": t} for p, t in zip(corpus.prompts, corpus.texts, strict=True))
    write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
