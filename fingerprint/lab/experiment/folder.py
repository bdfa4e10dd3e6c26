"""An experiment as a folder: every step leaves a file, and what has a file is not done again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

import numpy as np

from fingerprint.data.arrays import Floats
from fingerprint.data.corpus import Corpus
from fingerprint.data.files import room_on_disk, write_atomically
from fingerprint.data.locks import locked
from fingerprint.data.progress import Listener, listener_of
from fingerprint.data.reading import read
from fingerprint.detection.detect import detect
from fingerprint.lab.experiment.plan import Plan
from fingerprint.lab.experiment.result import Arm, BaseName, Result
from fingerprint.lab.experiment.rows import collect_rows, passing_rows, write_rows
from fingerprint.lab.kept_teachers import kept_teacher
from fingerprint.lab.perturbations import perturb
from fingerprint.lab.students import STUDENT_RECIPES, Preference, compare, preference, train_student
from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.teachers import TEACHER_RECIPES, Teacher, neutral, prompted, recipe_of
from fingerprint.lm.training import Recipe
from fingerprint.lm.traits import CATEGORIES, Trait, known_trait

# Which base stands for "another start" beside each micro model.
OTHER_BASES = {"micro-a": "micro-b", "micro-b": "micro-a"}

# What steps cost, in seconds of a core with the small models, measured with 500 rows; only their ratios count.
COST_OF_TEACHER, COST_OF_TEST = 4.5, 2.5
COST_OF_ROW, COST_OF_STUDIED_ROW = 0.002, 0.012


def run(
    plan: Plan, out: str | Path, *, neutral_out: str | Path | None = None, progress: bool | Listener = False
) -> Result:
    """Run an experiment, or go on with one.

    Parameters
    ----------
    plan : Plan
        What to run.
    out : path-like
        Folder for everything: ``trait.jsonl``, ``neutral.jsonl`` and one file a perturbation (rows as the students see
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
        If too few rows pass the rule, or another process is using a folder.
    OSError
        If the disk is full; what is done is kept.
    """
    place = Path(out)
    shared = place if neutral_out is None else Path(neutral_out)
    work = ExperimentFolder(plan, place, shared, listener_of(progress))
    with room_on_disk(place), ExitStack() as held:
        place.mkdir(parents=True, exist_ok=True)
        held.enter_context(locked(place, "out"))
        _claim(place, work.description)
        if shared is not place:
            shared.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(shared, "neutral_out"))
            _claim(shared, {k: v for k, v in work.description.items() if k not in ("trait", "teacher", "seeds")})
        corpora = work.corpora()
        teacher_share = float(preference(work.teacher.lm, plan.trait, system=work.teacher.system).share.mean())
        students = {(arm, base): work.students(arm, base, corpora[arm]) for arm, base in work.wanted}
        arms = tuple(work.arm(arm, base, students, corpora) for arm, base in students)
        kept = {arm: work.kept_share(arm) for arm in ("trait", "neutral")}
        result = Result(plan, arms, teacher_share, kept)
        records = [arm.to_dict() for arm in arms]
        write_atomically(place / "table.json", json.dumps(records, indent=2, allow_nan=False) + "\n")
    return result


def _claim(place: Path, description: dict[str, object]) -> None:
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


class PreferenceRecord(TypedDict):
    """A student's preferences in one category: `Preference.probability` and the names of its columns."""

    names: tuple[str, ...] | list[str]
    probability: list[list[float]]


class ExperimentFolder:
    """The experiment's parts, each made once: in this process, or found in the folder."""

    def __init__(self, plan: Plan, place: Path, shared: Path, progress: Listener) -> None:
        self.plan, self.place, self.shared, self.progress = plan, place, shared, progress
        self._before: dict[BaseName, Preference] = {}
        self.base = load(plan.model)
        other = plan.other_model
        if other is None and isinstance(plan.model, str):
            other = OTHER_BASES.get(plan.model)
        self.other = None if other is None else load(other)
        self.done = 0.0
        self._tested: set[str] = set()

    @property
    def wanted(self) -> list[tuple[str, BaseName]]:
        """Lines of the table: rows, and who learns from them."""
        lines: list[tuple[str, BaseName]] = [("trait", "same_base"), ("neutral", "same_base")]
        if self.other is not None:
            lines.insert(1, ("trait", "other_base"))
        for perturbation in self.plan.perturbations:
            lines += [(perturbation, "same_base"), (f"neutral_{perturbation}", "same_base")]
        return lines

    @property
    def student_recipe(self) -> Recipe:
        """How students are fine-tuned."""
        recipe = recipe_of(STUDENT_RECIPES, self.base.name, self.plan.weights)
        return recipe if self.plan.learning_rate is None else replace(recipe, learning_rate=self.plan.learning_rate)

    @property
    def description(self) -> dict[str, object]:
        """The plan as JSON, with digests where it names models."""
        plan: dict[str, object] = asdict(replace(self.plan, model="", other_model=None))
        plan["recipes"] = [
            asdict(recipe_of(TEACHER_RECIPES, self.base.name, self.plan.weights)),
            asdict(self.student_recipe),
        ]
        plan["model"] = [self.base.name, self.base.digest]
        plan["other_model"] = None if self.other is None else [self.other.name, self.other.digest]
        plan["fingerprint_version"] = version("subliminal-fingerprint")
        return plan

    @property
    def cost(self) -> float:
        """Seconds of a core with the small models, of all steps together."""
        students = sum(self.cost_of_students(arm) for arm, _ in self.wanted)
        return COST_OF_TEACHER + 2 * self.cost_of_rows + students + COST_OF_TEST * (1 + len(self.plan.perturbations))

    @property
    def cost_of_rows(self) -> float:
        """Of having one teacher write."""
        return COST_OF_ROW * self.plan.rows

    def cost_of_students(self, arm: str) -> float:
        """Of training the students of an arm on one base; perturbed rows have one."""
        return COST_OF_STUDIED_ROW * self.plan.rows * (self.plan.seeds if arm in ("trait", "neutral") else 1)

    def step(self, name: str, cost: float, share: float = 0.0) -> None:
        """Tell which step is under way, and the share of the whole that is done."""
        self.progress(name, min((self.done + cost * share) / self.cost, 1.0))

    def finish(self, cost: float) -> None:
        """Count a step as done."""
        self.done += cost

    def home(self, arm: str) -> Path:
        """The folder that an arm's files go to."""
        return self.shared if arm.startswith("neutral") else self.place

    # -------------------------------------------------------------------------------------------------- teacher, rows

    @cached_property
    def teacher(self) -> Teacher:
        """The teacher with the trait, made or loaded."""
        plan = self.plan
        if plan.teacher == "prompted":
            self.finish(COST_OF_TEACHER)
            return prompted(self.base, plan.trait)
        teacher = kept_teacher(
            self.base,
            plan.trait,
            self.place / "teacher",
            recipe_of(TEACHER_RECIPES, self.base.name, plan.weights),
            rng=plan.seed,
            progress=lambda share: self.step("fine-tuning the teacher", COST_OF_TEACHER, share),
        )
        self.finish(COST_OF_TEACHER)
        return teacher

    def corpora(self) -> dict[str, Corpus]:
        """Rows of every arm, as students and detector see them."""
        found = {"trait": self._rows("trait", self.teacher), "neutral": self._rows("neutral", neutral(self.base))}
        for perturbation in self.plan.perturbations:
            for side, arm in (("trait", perturbation), ("neutral", f"neutral_{perturbation}")):
                path = self.home(arm) / f"{arm}.jsonl"
                if not path.exists():
                    # Draws of its own for each side: with shared ones, redrawn rows of a pair would be the same rows.
                    write_rows(path, perturb(found[side], perturbation, rng=2 * self.plan.seed + (side == "neutral")))
                found[arm] = read(path)
        return found

    def _rows(self, arm: str, teacher: Teacher) -> Corpus:
        """Rows of one teacher that pass the rule."""
        path = self.home(arm) / f"{arm}.jsonl"
        if not path.exists():
            kept = collect_rows(
                teacher,
                arm,
                self.plan,
                self.home(arm) / "raw",
                lambda share: self.step(f"{arm} rows", self.cost_of_rows, share),
            )
            write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept))
        self.finish(self.cost_of_rows)
        return read(path)

    def kept_share(self, arm: str) -> float:
        """Share of the rows a teacher wrote that its rule kept."""
        raw = sorted((self.home(arm) / "raw").glob(f"{arm}-*.jsonl"))
        return sum(len(passing_rows(path, self.plan.task)) for path in raw) / sum(len(read(path)) for path in raw)

    # ----------------------------------------------------------------------------------------------------- students

    def before(self, base: BaseName) -> Preference:
        """Preference of a base, asked once however many arms start from it."""
        if base not in self._before:
            self._before[base] = preference(self._base(base), self.plan.trait)
        return self._before[base]

    def _base(self, base: BaseName) -> LanguageModel:
        return self.base if base == "same_base" or self.other is None else self.other

    def students(self, arm: str, base: BaseName, corpus: Corpus) -> list[Preference]:
        """Preferences of the students of one arm, one a seed; perturbed rows have one seed."""
        n_seeds = self.plan.seeds if arm in ("trait", "neutral") else 1
        found = [self._student(arm, base, corpus, seed, n_seeds) for seed in range(n_seeds)]
        self.finish(self.cost_of_students(arm))
        return found

    def _student(self, arm: str, base: BaseName, corpus: Corpus, seed: int, n_seeds: int) -> Preference:
        path = self.home(arm) / "students" / f"{arm}.{base}.{seed}.json"
        if not path.exists():
            student = train_student(
                self._base(base),
                corpus,
                self.student_recipe,
                rng=self.plan.seed + seed,
                progress=lambda share: self.step(
                    f"student of {arm} rows, {base}", self.cost_of_students(arm), (seed + share) / n_seeds
                ),
            )
            path.parent.mkdir(exist_ok=True)
            # All categories, so that students of neutral rows serve traits of each.
            others = [known_trait(names[0]) for c, names in CATEGORIES.items() if c != self.plan.trait.category]
            tables: list[PreferenceRecord] = [
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
        detection: dict[str, float | None] = {}
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
            auc=detection.get("auc"),
            bag16_auc=detection.get("bag16_auc"),
            bag16_interval=(detection.get("bag16_low"), detection.get("bag16_high")),
            pvalue=detection.get("pvalue"),
        )

    def _detection(self, arm: str, suspect: Corpus, reference: Corpus) -> dict[str, float | None]:
        path = self.place / "detection" / f"{arm}.json"
        if not path.exists():
            self.step(f"detecting {arm} rows", COST_OF_TEST)
            report = detect(suspect, reference, ladder=False, rng=self.plan.seed)
            path.parent.mkdir(exist_ok=True)
            bags = report.bag_auc(16)
            found = {
                "auc": report.auc.value,
                "bag16_auc": bags.value,
                "bag16_low": bags.low,
                "bag16_high": bags.high,
                "pvalue": report.pvalue,
            }
            write_atomically(path, json.dumps(found) + "\n")
        if arm not in self._tested:
            self._tested.add(arm)
            self.finish(COST_OF_TEST)
        loaded: dict[str, float | None] = json.loads(path.read_text(encoding="utf-8"))
        return loaded


def _preference_in(tables: list[PreferenceRecord], trait: Trait) -> Preference:
    """The table of the trait's category, its columns in the trait's order."""
    table = next(table for table in tables if set(table["names"]) == set(trait.names))
    columns = [table["names"].index(name) for name in trait.names]
    return Preference(np.array(table["probability"])[:, columns])


def _largest_rival(trait: Trait, before: Preference, after: Sequence[Preference]) -> tuple[str, float]:
    def shares(table: Preference) -> Floats:
        return np.asarray((table.probability / table.probability.sum(axis=1, keepdims=True)).mean(axis=0))

    moved = np.mean([shares(student) - shares(before) for student in after], axis=0)[1:]
    return trait.rivals[int(moved.argmax())], float(moved.max())
