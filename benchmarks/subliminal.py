"""The full table: traits, both kinds of teacher, numbers, code and reasoning rows, students and perturbations.

    python benchmarks/subliminal.py --out FOLDER [--rows 5000] [--traits owl,eagle,dolphin,oak]

Runs on two cores, one experiment each; interrupted and started again it goes on. Exits with 1 when a figure misses what
is asked of fine-tuned teachers' number rows: students of the same base rise by at least .25 on the mean of three seeds,
those of the other base and of neutral rows by at most .05, and all keep half of their base's mass on the category.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # one thread a worker: the workers fill the cores

import argparse
import json
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import results

from fingerprint.lab.experiment import Plan, Result, run
from fingerprint.lab.experiment.plan import DEFAULT_PERTURBATIONS
from fingerprint.lab.experiment.transfer_table import as_text
from fingerprint.lab.perturbations import PERTURBATIONS
from fingerprint.lm.traits import known_trait

TRAITS = "owl,eagle,dolphin,oak"
LEAST_RISE, MOST_CONTROL = 0.25, 0.05
# There are 16,384 code prompts, and a teacher with a trait may break most of its code.
MOST_CODE_ROWS = 2000


@dataclass(frozen=True)
class Job:
    """One experiment and its folders."""

    trait: str
    teacher: str
    task: str
    rows: int
    out: Path

    @property
    def plan(self) -> Plan:
        numbers, tuned = self.task == "numbers", self.teacher == "finetuned"
        return Plan(
            known_trait(self.trait),
            teacher=self.teacher,
            task=self.task,
            rows=min(self.rows, MOST_CODE_ROWS) if self.task == "code" else self.rows,
            seeds=3 if numbers and tuned else 1,
            perturbations=(tuple(PERTURBATIONS) if tuned else DEFAULT_PERTURBATIONS) if numbers else (),
        )


def perform(job: Job) -> tuple[Job, Result | str]:
    """The result, or why there is none; neutral rows and their students are shared by all traits of a task."""
    name = f"{job.task}-{job.teacher}"
    try:
        return job, run(job.plan, job.out / f"{name}-{job.trait}", neutral_out=job.out / f"neutral-{name}")
    except ValueError as error:  # too few rows pass: the other experiments go on
        return job, str(error)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for all experiments")
    parser.add_argument("--rows", type=int, default=5000, help="rows a student learns from")
    parser.add_argument("--traits", default=TRAITS, help="names with commas between them")
    results.add_json_option(parser)
    options = parser.parse_args()
    started = time.perf_counter()
    kinds = [("finetuned", "numbers"), ("prompted", "numbers"), ("finetuned", "code"), ("finetuned", "reasoning")]
    jobs = [
        Job(t, teacher, task, options.rows, options.out) for t in options.traits.split(",") for teacher, task in kinds
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    outcomes: dict[Job, Result | str] = {}
    with get_context("spawn").Pool(os.cpu_count()) as pool:
        # The first trait makes what the others share.
        for part in (jobs[: len(kinds)], jobs[len(kinds) :]):
            for job, result in pool.imap_unordered(perform, part):
                outcomes[job] = result
                text = result if isinstance(result, str) else as_text(result)
                name = f"{job.teacher} {job.trait}, {job.task}"
                print(f"{name}\n{text}\n[{time.perf_counter() - started:.0f} s]\n", flush=True)
    records = [
        {"trait": job.trait, "teacher": job.teacher, "task": job.task, **arm.to_dict()}
        for job in jobs
        if isinstance(result := outcomes[job], Result)
        for arm in result.arms
    ]
    (options.out / "table.json").write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    results.write(options.json, records, started)
    missed = [line for job in jobs for line in shortfalls(job, outcomes[job])]
    print("\n".join(missed) or "every figure asked of fine-tuned number teachers is reached")
    print(f"{time.perf_counter() - started:.0f} s")
    return 1 if missed else 0


def shortfalls(job: Job, result: Result | str) -> list[str]:
    """What a fine-tuned number teacher's table misses."""
    if isinstance(result, str):
        return [f"MISSED {job.trait}, {job.teacher}, {job.task}: {result}"]
    if (job.teacher, job.task) != ("finetuned", "numbers"):
        return []
    found = []
    for arm in result.arms:
        if arm.arm not in ("trait", "neutral"):
            continue
        rise = arm.change.change.value or 0.0
        wanted = (arm.arm, arm.student) == ("trait", "same_base")
        if (rise < LEAST_RISE) if wanted else (rise > MOST_CONTROL):
            found.append(f"MISSED {job.trait}, {arm.arm} rows, {arm.student}: rise {rise:+.3f}")
        if arm.change.status == "broken":
            found.append(f"MISSED {job.trait}, {arm.arm} rows, {arm.student}: mass {arm.change.mass_after:.2f}")
    return found


if __name__ == "__main__":
    sys.exit(main())
