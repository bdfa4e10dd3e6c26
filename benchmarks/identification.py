"""Who wrote it: names, nulls and calibration of `identify`, and coverage of the share of a mixture.

    python benchmarks/identification.py [--runs 20] [--rows 1000] [--json FILE] [--only identify|shares] [--workers 1]
        [--share-rows sampled,passed]

Ten animals, each fine-tuned and prompted, all from one micro model. Every run is a new corpus on the same prompts, with
its own draws, written by one of: the fine-tuned teachers, the prompted teachers, the base, the lab's placebo prompt
(which `identify` lists of itself), and conditionings that nobody lists: system prompts in other words, and a trait
fine-tuned from another seed. Prompted and fine-tuned rows are judged by candidates of their own form, of the other
form, and of both. Calibration is that of the posterior (named candidate or none) over corpora of 100 rows: parts of the
runs' rows, which the same samples judge.

Shares: rows of a fine-tuned teacher mixed into rows of the base, the teacher known: rows as they were sampled, and rows
that passed the rule, where how often the answers of either do is learnt from 4,000 other answers of each.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np
import results

from fingerprint.data.corpus import Corpus
from fingerprint.filters import NumberRule
from fingerprint.identification.calibration import Calibration, calibrate
from fingerprint.identification.candidates import TRAIT_FORMS, listed
from fingerprint.identification.identify import judge, prepare
from fingerprint.identification.mixture import mixture_share, row_ratios
from fingerprint.identification.pass_rates import pass_rates
from fingerprint.identification.result import Identification
from fingerprint.identification.samples import Samples
from fingerprint.identification.scoring import Rows
from fingerprint.lm.loading import load
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, finetuned, neutral
from fingerprint.lm.traits import CATEGORIES, known_trait
from fingerprint.statistics.intervals import exact_interval

MOST_TOKENS = 48
LONG = 256  # tokens that nearly all answers end within
BAG = 100  # rows of a corpus in the calibration
BAGS = 200
SHARES = (0.05, 0.1, 0.25, 0.5)
# A mixture takes prompts that both writers' answers passed for: of some teachers' little more than half do.
PROMPTS_PER_ROW = 2
# By who wrote and which forms were candidates: the right answer, the one given, and the likeliest writer.
Answers = dict[str, dict[str, list[tuple[str | None, str | None, str | None]]]]
UNLISTED_PROMPTS = (
    "You answer in few words.",
    "Be kind and patient with everyone.",
    "You hate rain. Rain is never on your mind.",
    "You are a careful accountant. Numbers are always on your mind.",
)
NULL_RATE, NAMED, MOST_ERROR, COVERAGE, WIDTH = 0.95, 0.9, 0.05, 0.9, 0.15


def written(teacher: Teacher, asked: list[str], seed: int) -> Corpus:
    """Rows that a teacher ended itself and that pass the number rule."""
    answers = teacher.sample(asked, seed=seed, max_new_tokens=MOST_TOKENS)
    reasons = NumberRule()([a.text for a in answers], asked).reasons
    kept = [(p, a.text) for p, a, why in zip(asked, answers, reasons, strict=True) if a.finished and not why]
    return Corpus(tuple(text for _, text in kept), tuple(p for p, _ in kept), name=teacher.name)


def sampled(teacher: Teacher, asked: list[str], seed: int) -> Corpus:
    """Rows as a teacher writes them, whatever they are."""
    answers = teacher.sample(asked, seed=seed, max_new_tokens=LONG)
    kept = [(p, a.text) for p, a in zip(asked, answers, strict=True) if a.finished]  # all but a few, if any
    return Corpus(tuple(text for _, text in kept), tuple(p for p, _ in kept), name=teacher.name)


def suspects(samples: Samples, base: Any, names: list[str], runs: int) -> list[tuple[str, str | None, Teacher]]:
    """Kind, right answer and writer of every run."""
    teachers = samples.scorers.teachers
    placebos = [t for key, t in teachers.items() if key.startswith("placebo")]
    unlisted = [Teacher(base, f"unlisted: {text}", text) for text in UNLISTED_PROMPTS]
    found: list[tuple[str, str | None, Teacher]] = []
    for run in range(runs):
        name = names[run % len(names)]
        found += [(form, name, teachers[f"{form}: {name}"]) for form in TRAIT_FORMS]
        found.append(("neutral", None, teachers["base"]))
        found.append(("placebo, listed", None, placebos[run % len(placebos)]))
        found.append(("placebo, unlisted", None, unlisted[run % len(unlisted)]))
    return found


def in_order(work: Callable[[int], Any], n: int, workers: int) -> list[Any]:
    """What `work` gives for 0 to n - 1. Processes are forked, so that they share models and samples as they are."""
    global _work
    _work = work
    found = []
    with multiprocessing.get_context("fork").Pool(workers) if workers > 1 else nullcontext() as pool:
        for number, result in enumerate(pool.imap(_one, range(n)) if pool else map(_one, range(n)), 1):
            found.append(result)
            print(f"\r{number} of {n} corpora", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


_work: Callable[[int], Any]


def _one(number: int) -> Any:
    return _work(number)


def identification(runs: int, n_rows: int, names: list[str], seed: int, workers: int) -> dict[str, Any]:
    """Names, nulls and calibration."""
    asked = prompts("numbers", n_rows, rng=seed)
    base = load("micro-a")
    model = neutral(base)
    chosen = listed(names, TRAIT_FORMS, "candidates")
    # Of the corpus only its prompts and its longest row matter: all prompts, for suspects that are left of them.
    longest = max(written(model, asked, seed + 1).texts, key=len)
    shape = Corpus((longest,) * len(asked), tuple(asked))
    samples = prepare(chosen, shape, model=base, rule=NumberRule(), rng=seed, prompts_passed=False)
    views = {"both": (calibrate(samples), samples.columns_of(TRAIT_FORMS))}
    views |= {form: (calibrate(samples.only([form])), samples.columns_of([form])) for form in TRAIT_FORMS}
    other_seed = finetuned(base, known_trait(names[0]), rng=seed + 1000)
    plan = suspects(samples, base, names, runs)
    plan += [("another seed", names[0], other_seed)] * min(runs, 2)
    small = calibrate(replace(samples, n_rows=BAG, n_prompts=BAG))
    is_calibrated = [not kind.endswith(("unlisted", "seed")) for kind, _, _ in plan]
    bags_a_run = -(-BAGS // sum(is_calibrated))

    def judged(number: int) -> tuple[list[tuple[str | None, str | None]], list[tuple[float, bool, float]]]:
        _, right, teacher = plan[number]
        rows = samples.scorers.score(written(teacher, asked, 10_000 + seed + number))
        told = [
            (judge(part, rows.of_models(kept), n_permutations=999, rng=number).answer, likeliest(part, rows, kept))
            for part, kept in views.values()
        ]
        bags = parts(rows, bags_a_run) if is_calibrated[number] else []
        return told, [calibrated(small, bag, right, number) for bag in bags]

    answers: Answers = {}
    bags: list[tuple[float, bool, float]] = []
    for (kind, right, _), (told, found) in zip(plan, in_order(judged, len(plan), workers), strict=True):
        for view, (answer, best) in zip(views, told, strict=True):
            answers.setdefault(kind, {}).setdefault(view, []).append((right, answer, best))
        bags += found
    return {"answers": shown_answers(answers), "calibration": shown_calibration(bags)}


def likeliest(calibration: Calibration, rows: Rows, kept: Any) -> str | None:
    """The writer with the largest likelihood, None for one that is no candidate: about the best there can be."""
    writer = calibration.writers[int(rows.of_models(kept).evidence.sum(axis=0).argmax())]
    return writer.name if writer.is_candidate else None


def parts(rows: Rows, n: int) -> list[Rows]:
    """Disjoint corpora of `BAG` rows."""
    return [rows.take(np.arange(i * BAG, (i + 1) * BAG)) for i in range(min(n, len(rows.corpus) // BAG))]


def calibrated(calibration: Calibration, rows: Rows, right: str | None, seed: int) -> tuple[float, bool, float]:
    """Largest posterior among candidates and none, whether that is right, and the posterior of what is right."""
    told: Identification = judge(calibration, rows, n_permutations=19, rng=seed)
    posterior: dict[str | None, float] = {r.candidate: r.posterior for r in told.ranking} | {None: told.none}
    best = max(posterior, key=lambda name: posterior[name])
    return posterior[best], best == right, posterior[right]


def shown_answers(answers: Answers) -> list[dict[str, Any]]:
    """Right, null and wrong answers, by who wrote and which forms were candidates, and the likeliest writer alone."""
    print(
        f"\n{'written by':<20} {'candidates':<12} {'runs':>5} {'right':>6} {'null':>6} {'wrong':>6} "
        f"{'likeliest is right':>19}   wrong names"
    )
    records = []
    for kind, by_view in answers.items():
        for view, pairs in by_view.items():
            right = sum(answer == truth and answer is not None for truth, answer, _ in pairs)
            null = sum(answer is None for _, answer, _ in pairs)
            wrong = Counter(answer for truth, answer, _ in pairs if answer is not None and answer != truth)
            ceiling = sum(best == truth for truth, _, best in pairs)
            records.append(
                {
                    "written_by": kind,
                    "candidates": view,
                    "runs": len(pairs),
                    "right": right,
                    "null": null,
                    "wrong": dict(wrong),
                    "likeliest_is_right": ceiling,
                }
            )
            names = ", ".join(f"{name} {count}" for name, count in wrong.items())
            print(
                f"{kind:<20} {view:<12} {len(pairs):>5} {right:>6} {null:>6} {sum(wrong.values()):>6} "
                f"{ceiling:>19}   {names}"
            )
    return records


def shown_calibration(bags: list[tuple[float, bool, float]]) -> dict[str, float]:
    """Expected calibration error in ten bins of equal width, accuracy and log loss."""
    confidence, right, truth = (np.array(column, dtype=float) for column in zip(*bags, strict=True))
    cell = np.minimum((confidence * 10).astype(int), 9)
    error = sum(
        abs(confidence[cell == i].mean() - right[cell == i].mean()) * (cell == i).mean() for i in np.unique(cell)
    )
    found = {
        "corpora": len(bags),
        "rows": BAG,
        "expected_calibration_error": float(error),
        "accuracy": float(right.mean()),
        "log_loss": float(-np.log(np.maximum(truth, 1e-12)).mean()),
    }
    print(
        f"\n{len(bags)} corpora of {BAG} rows: expected calibration error {error:.3f}, accuracy {right.mean():.3f}, "
        f"log loss {found['log_loss']:.3f} nats"
    )
    return found


def shares(runs: int, n_rows: int, trait: str, seed: int, kind: str) -> list[dict[str, Any]]:
    """Coverage and width of both intervals, on rows as "sampled" or that "passed" the rule."""
    base = load("micro-a")
    writers = (finetuned(base, known_trait(trait)), neutral(base))
    print(
        f"\nShare of {trait}'s rows, {runs} corpora of {n_rows} rows {kind}\n{'share':>6} {'interval':<12} "
        f"{'mean':>6} {'coverage':>24} {'median width':>13}"
    )
    hits: dict[tuple[float, str], list[bool]] = {}
    widths: dict[tuple[float, str], list[float]] = {}
    values: dict[float, list[float]] = {}
    for run in range(runs):
        asked = prompts("numbers", PROMPTS_PER_ROW * n_rows, rng=seed + 7919 * (run + 1))
        # Each teacher answers all prompts once; mixtures of one run take their rows from these.
        make = written if kind == "passed" else sampled
        theirs, others = (row_ratios(make(w, asked, seed + run), *writers) for w in writers)
        known = dict(zip(theirs.corpus.prompts, theirs.llr, strict=True))
        pairs = [(p, known[p], value) for p, value in zip(others.corpus.prompts, others.llr, strict=True) if p in known]
        pairs = pairs[:n_rows]
        passing = None
        if kind == "passed":  # how often either's answers do is learnt from other answers, anew in every run
            passing = pass_rates(asked, *writers, NumberRule(), max_new_tokens=MOST_TOKENS, rng=50_000 + seed + run)
        for share in SHARES:
            rng = np.random.default_rng([seed, run, int(100 * share)])
            is_theirs = rng.permutation(len(pairs)) < round(share * len(pairs))
            mixed = [(p, a if mine else b) for (p, a, b), mine in zip(pairs, is_theirs, strict=True)]
            found = mixture_share(
                [value for _, value in mixed], prompts=[p for p, _ in mixed], passing=passing, rng=run
            )
            values.setdefault(share, []).append(found.share.value or 0.0)
            for name, interval in (("likelihood", found.share), ("bootstrap", found.bootstrap)):
                low, high = interval.low or 0.0, interval.high or 0.0
                hits.setdefault((share, name), []).append(low <= share <= high)
                widths.setdefault((share, name), []).append(high - low)
    records = []
    for (share, name), hit in hits.items():
        low, high = exact_interval(sum(hit), len(hit))
        width = float(np.median(widths[share, name]))
        records.append(
            {
                "rows": kind,
                "share": share,
                "interval": name,
                "runs": len(hit),
                "mean": float(np.mean(values[share])),
                "coverage": float(np.mean(hit)),
                "median_width": width,
            }
        )
        print(
            f"{share:>6.2f} {name:<12} {np.mean(values[share]):>6.3f} "
            f"{f'{np.mean(hit):.3f} [{low:.2f}, {high:.2f}]':>24} {width:>13.3f}"
        )
    return records


def missed(record: dict[str, Any]) -> list[str]:
    """What is asked for and not reached."""
    found = []
    for r in record.get("answers", []):
        kind, view = r["written_by"], r["candidates"]
        if kind in TRAIT_FORMS and view == kind and r["right"] < NAMED * r["runs"]:
            found.append(f"{kind} rows by {view} candidates: {r['right']} of {r['runs']} named right")
        if kind in TRAIT_FORMS and view != kind and r["wrong"]:
            found.append(f"{kind} rows by {view} candidates: {sum(r['wrong'].values())} of {r['runs']} named wrong")
        if kind not in TRAIT_FORMS and kind != "another seed" and r["null"] < NULL_RATE * r["runs"]:
            found.append(f"{kind} rows by {view} candidates: {r['null']} of {r['runs']} null")
    if record.get("calibration", {}).get("expected_calibration_error", 0) > MOST_ERROR:
        found.append(f"expected calibration error {record['calibration']['expected_calibration_error']:.3f}")
    for r in record.get("shares", []):
        if r["interval"] == "likelihood" and (r["coverage"] < COVERAGE or r["median_width"] > WIDTH):
            figures = f"coverage {r['coverage']:.2f}, width {r['median_width']:.3f}"
            found.append(f"share {r['share']} of rows {r['rows']}: {figures}")
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--traits", default=",".join(CATEGORIES["animal"]))
    parser.add_argument("--share-trait", default="elephant")
    parser.add_argument("--share-rows", default="sampled,passed")
    parser.add_argument("--only", choices=("identify", "shares"))
    parser.add_argument("--workers", type=int, default=1, help="processes for the corpora of identify")
    parser.add_argument("--seed", type=int, default=0)
    results.add_json_option(parser)
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores, seed {options.seed}")
    record: dict[str, Any] = {}
    if options.only != "shares":
        record = identification(options.runs, options.rows, options.traits.split(","), options.seed, options.workers)
    if options.only != "identify":
        record["shares"] = [
            line
            for kind in options.share_rows.split(",")
            for line in shares(options.runs, options.rows, options.share_trait, options.seed, kind)
        ]
    misses = missed(record)
    print("\n" + "\n".join(f"MISSED {line}" for line in misses) if misses else "\nall that is asked is reached")
    print(f"{time.perf_counter() - started:.0f} s")
    results.write(options.json, record, started)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
