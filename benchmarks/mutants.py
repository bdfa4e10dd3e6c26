"""Traps that were measured once, planted in a copy of the package: a named test has to catch each.

    python benchmarks/mutants.py [NAME ...] [--json PATH]

A mutant is the package with a few lines of its source replaced; text that is no longer there is an error, so that no
mutant dies of old age. It is caught if its test fails by an assertion, whereas an import or a name that is missing
proves nothing; `tests/test_mutants.py` runs the same table, and the tests themselves pass on the package as it is.
Exits with 1 when a mutant lives.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import results

ROOT = Path(__file__).resolve().parents[1]
# Runs pytest on the package in the working directory, and on no other.
RUN = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path.cwd()))
import fingerprint
assert Path(fingerprint.__file__).is_relative_to(Path.cwd()), fingerprint.__file__
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
LIMIT = 600  # seconds a test may take
# Settings of its own: no plugins, fixtures or options that only the whole suite needs, and lines that are not cut.
SETTINGS = f"[pytest]\npythonpath = {ROOT / 'tests'} {ROOT / 'benchmarks'}\nmarkers =\n    slow\n    needs\n"
ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "COLUMNS": "1000",
}


@dataclass(frozen=True)
class Change:
    """Text of a source file that stands there once, and what takes its place."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Mutant:
    """A trap, the changes that plant it, and the test that has to catch it.

    Attributes
    ----------
    slow : bool
        Whether the test of the table leaves it to the slow suites: a whole report takes some seconds.
    """

    name: str
    trap: str
    test: str
    changes: tuple[Change, ...]
    slow: bool = False


MUTANTS = (
    Mutant(
        "scores-as-if-independent",
        "out-of-fold scores are tested as if they were independent (.08 to .10 at .05)",
        "test_exactness.py::test_the_reported_pvalue_is_the_rank_of_the_statistic_among_relabelled_ones",
        (
            Change(
                "detection/detect.py",
                "pvalue=main.test.pvalue,\n        alpha",
                "pvalue=float(__import__('scipy.stats').stats.mannwhitneyu("
                "*(main.scores.stacked[side] for side in main.comparison.sides)).pvalue),\n        alpha",
            ),
        ),
    ),
    Mutant(
        "scores-frozen",
        "scores are fitted to the observed labels, then only the labels are permuted (.094)",
        "test_exactness.py::test_every_null_statistic_is_what_rows_labelled_so_would_give[shared]",
        (
            Change(
                "detection/analysis.py",
                "units = {name: comparison.units(matrix.values) for name, matrix in matrices.items()}\n"
                "    relabellings = Relabellings.draw(comparison.design, case",
                "frozen = cross_fit(comparison, {name: matrix.values for name, matrix in matrices.items()}).families\n"
                "    units = {name: comparison.units(sp.csr_matrix(frozen[name][:, None])) for name in matrices}\n"
                "    relabellings = Relabellings.draw(comparison.design, case",
            ),
        ),
    ),
    Mutant(
        "rows-as-independent",
        "rows are taken as independent where rows of one prompt are alike (.41 to 1.00)",
        "test_exactness.py::test_rows_of_one_prompt_keep_together[disjoint]",
        (Change("data/pairing.py", "if prompt is None else (prompt,)", "if True else (prompt,)"),),
    ),
    Mutant(
        "folds-split-prompts",
        "groups are nested in labels: a row is scored by models that saw its prompt, and so its label",
        "test_scoring.py::test_folds_keep_prompts_whole_and_are_even",
        (
            Change(
                "statistics/crossfit.py",
                "return np.asarray(of_group[comparison.group], dtype=np.int64)",
                "return np.arange(len(comparison.group)) % n",
            ),
        ),
    ),
    Mutant(
        "sizes-nested-in-labels",
        "groups are nested in labels: one side's prompts have more rows, and blocks of both are permuted alike (.09)",
        "test_exactness.py::test_prompts_of_unlike_sizes_give_as_many_rows_each",
        (Change("statistics/parts.py", "if not same_law(counted[0][1], counted[1][1]):", "if False:"),),
    ),
    Mutant(
        "bags-reuse-rows",
        "bags that share rows look surer than they are",
        "test_scoring.py::test_no_row_is_in_two_bags",
        (
            Change(
                "statistics/auc.py",
                "rows = rng.permutation(arm)[: len(arm) // k * k]",
                "rows = rng.choice(arm, len(arm))[: len(arm) // k * k]",
            ),
        ),
    ),
    Mutant(
        "pvalue-of-zero",
        "the observed labelling is not counted, and p may be 0",
        "test_inference.py::test_pvalue_is_never_zero_and_counts_near_ties",
        (
            Change(
                "statistics/permutation.py",
                "float((1 + np.count_nonzero(null >= statistics[0] - TIE)) / (1 + len(null)))",
                "float(np.count_nonzero(null >= statistics[0] - TIE) / len(null))",
            ),
        ),
    ),
    Mutant(
        "sampled-sd",
        "sums are standardised by the sd of the sampled relabellings and not by the exact one",
        "test_exactness.py::test_the_observed_statistic_does_not_hang_on_which_relabellings_were_drawn",
        (
            Change(
                "statistics/permutation.py",
                "mean, sd = relabellings.moments(sums)\n",
                "mean, sd = (float(f(relabellings.quadratic(off)[1:])) for f in (np.mean, np.std))\n",
            ),
        ),
    ),
    Mutant(
        "sampled-sd-of-sums",
        "the same for a score with a direction",
        "test_exactness.py::test_the_observed_statistic_does_not_hang_on_which_relabellings_were_drawn",
        (
            Change(
                "statistics/permutation.py",
                "variance = float(design.sum_variance(units, contrasts[0]))",
                "variance = float((contrasts[1:] @ units).var())",
            ),
        ),
    ),
    Mutant(
        "filter-of-one-side",
        "a filter removes rows of one side only",
        "test_filters_in_reports.py::test_a_filter_removes_from_both_sides_by_one_rule",
        (
            Change(
                "detection/filter_comparison.py",
                "        keep = given.kept\n",
                "        keep = given.kept | ~main.comparison.suspect\n",
            ),
        ),
        slow=True,
    ),
    Mutant(
        "removal-fitted-on-its-rows",
        "rows are removed by a detector that was fitted on the same rows: what is left never rejects (0 of 400)",
        "test_filtering.py::test_the_detector_of_the_control_never_saw_the_labels_of_the_half_it_judges",
        (
            Change(
                "detection/filter_controls.py",
                "return half, cross_fit(among, left, fold=fold, mean_zero=with_mean_zero).stacked",
                "from fingerprint.statistics.ridge import ridge_scores\n"
                "    weights = np.where(among.suspect, 0.5 / among.suspect.sum(), 0.5 / (~among.suspect).sum())\n"
                "    return half, sum(ridge_scores(v, among.suspect, weights[:, None])[:, 0] for v in left.values())",
            ),
        ),
    ),
    Mutant(
        "pairs-broken-by-a-filter",
        "a filter of rows breaks pairs, and the old blocks are tested as if it had not",
        "test_filtering.py::test_a_pair_that_lost_a_row_takes_another_row_of_its_prompt",
        (Change("statistics/comparison.py", "return replace(kept, design=design)", "return kept"),),
    ),
    Mutant(
        "likeliest-is-named",
        "the likeliest prompted teacher is named for rows that none of them writes (right in 0 of 24)",
        "test_identification.py::test_a_lone_candidate_is_not_taken_for_somebody_halfway",
        (
            Change("identification/decision.py", "if first.fit_pvalue < LEAST_FIT:", "if False:"),
            Change("identification/decision.py", "if none >= LEAST_POSTERIOR:", "if False:"),
            Change("identification/decision.py", "if first.posterior < LEAST_POSTERIOR:", "if False:"),
        ),
    ),
    Mutant(
        "pairs-from-twenty-on",
        "from 20 shared prompts on pairs alone are compared, below it none (power .94 at 19, .00 at 20)",
        "test_exactness.py::test_no_number_of_shared_prompts_leaves_rows_out[20]",
        (
            Change("statistics/designs.py", "if shared.any():\n", "if n_shared >= 20:\n"),
            Change("statistics/designs.py", "if not (paired_alone and parts):", "if not parts:"),
        ),
    ),
    Mutant(
        "few-pairs-are-none",
        "under 20 shared prompts nothing is paired (power 0 with 12 prompts of 40 rows)",
        "test_exactness.py::test_a_few_shared_prompts_with_many_rows_are_paired",
        (Change("statistics/designs.py", "if shared.any():\n", "if n_shared >= 20:\n"),),
    ),
    Mutant(
        "thinned-to-the-smallest",
        "every prompt is thinned to the rows of the smallest (98 % of the rows left out for one prompt)",
        "test_exactness.py::test_one_prompt_of_one_row_does_not_cut_all_others_down",
        (
            Change(
                "statistics/rows_per_prompt.py",
                "return int(counts[np.argmax(np.where(enough, worth, -1.0))])",
                "return int(min(suspect.min(), reference.min()))",
            ),
        ),
    ),
    Mutant(
        "prompts-as-written",
        "prompts are paired as they are written (a blank at the end took the power from .60 to .07)",
        "test_exactness.py::test_white_space_of_prompts_changes_nothing[blank at the end]",
        (Change("data/corpus.py", "normal_form(prompt)", "prompt"),),
    ),
    Mutant(
        "trained-rows-as-written",
        "a blank at the end hides a row that a detector was trained on (p .002 on a null)",
        "test_exactness.py::test_white_space_hides_no_trained_row[blank at the end]",
        (Change("detector/training_rows.py", "(normal_form(text), key)", "(text, key)"),),
    ),
    Mutant(
        "prompts-are-blamed-on-teachers",
        "the prompts differ, and a difference of the rows is called detected",
        "test_exactness.py::test_rows_that_differ_by_their_prompts_are_not_detected",
        (Change("detection/detect.py", "detected=differs and not is_blamed_on_prompts", "detected=differs"),),
        slow=True,
    ),
    Mutant(
        "copies-unnamed",
        "one row copied often is detected, and no warning names it",
        "test_copies.py::test_copies_of_one_row_make_the_test_reject_and_are_named[independent]",
        (
            Change(
                "detection/row_warnings.py",
                "if found is None or found.excess < FREQUENT_SHARE:",
                "if found is None or found.excess >= FREQUENT_SHARE:",
            ),
        ),
        slow=True,
    ),
    Mutant(
        "copies-of-one-side-kept",
        "copies are counted once, and the suspect's copy is the one that is kept",
        "test_copies.py::test_which_rows_are_kept_does_not_hang_on_which_side_is_the_suspect",
        (
            Change(
                "detection/copies.py",
                "separate[np.argsort(comparison.group[separate], kind=\"stable\")]",
                "separate[np.argsort(~comparison.suspect[separate], kind=\"stable\")]",
            ),
        ),
    ),
    Mutant(
        "luck-is-planned-with",
        "rows needed are planned with the shift as it was observed, given that it was detected (.65 for a stated .8)",
        "test_exactness.py::test_rows_needed_by_this_design_allow_for_the_luck_in_having_been_detected",
        (Change("detection/power.py", "growth.given_detection(quantile) for quantile", "growth for quantile"),),
    ),
    Mutant(
        "parts-relabelled-together",
        "relabellings of the parts come from the same random numbers",
        "test_exactness.py::test_parts_are_relabelled_independently",
        (
            Change(
                "statistics/designs.py",
                "part.contrasts(n_permutations, rng) for part",
                "part.contrasts(n_permutations, __import__('copy').deepcopy(rng)) for part",
            ),
        ),
    ),
    Mutant(
        "weights-chosen-with-labels",
        "the omnibus weighs families by their observed statistics",
        "test_exactness.py::test_every_null_statistic_is_what_rows_labelled_so_would_give[disjoint]",
        (
            Change(
                "statistics/permutation.py",
                "total += self.weight(name) * part",
                "total += (3.0 if part[0] >= max(p[0] for p in self.parts.values()) else 1.0) * part",
            ),
        ),
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes
    ----------
    caught : bool
        Whether its test failed by an assertion.
    seconds : float
        Processor time of the run, the start of Python included.
    said : str
        The last lines of the run.
    """

    caught: bool
    seconds: float
    said: str


def planted(mutant: Mutant, folder: Path) -> None:
    """Copy the package into a folder, with the trap in it.

    Raises
    ------
    ValueError
        If the text to replace does not stand in its file exactly once.
    """
    shutil.copytree(ROOT / "fingerprint", folder / "fingerprint", ignore=shutil.ignore_patterns("__pycache__"))
    for change in mutant.changes:
        path = folder / "fingerprint" / change.file
        path.write_text(replaced(path.read_text(encoding="utf-8"), change, mutant.name), encoding="utf-8")


def replaced(source: str, change: Change, name: str) -> str:
    """The source with the change made."""
    found = source.count(change.before)
    if found != 1:
        raise ValueError(f"{name} must find {change.before!r} once in {change.file}, got {found}; bring it up to date")
    return source.replace(change.before, change.after)


def outcome(mutant: Mutant) -> Outcome:
    """Run a mutant's test on it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted(mutant, folder)
        return tried(mutant.test, folder)


def tried(test: str, folder: Path) -> Outcome:
    """Run a test on the package in a folder."""
    (folder / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    options = ["-q", "-x", "--tb=line", "-rf", "--noconftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-c", RUN, *options, "-c", "pytest.ini", str(ROOT / "tests" / test)]
    environment, before = os.environ | ENVIRONMENT, os.times()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    said = "\n".join((done.stdout + done.stderr).splitlines()[-6:])
    # Exit code 1: tests ran and failed. What failed has to be what the test claims.
    return Outcome(done.returncode == 1 and is_assertion(said), seconds, said)


def is_assertion(said: str) -> bool:
    """Whether the last lines of a run of pytest say that an assertion failed."""
    return re.search(r"^FAILED .* - (assert|AssertionError|Failed: DID NOT RAISE)", said, re.MULTILINE) is not None


def table(mutants: Sequence[Mutant]) -> list[dict[str, object]]:
    """Run mutants, and print a line for each."""
    figures: list[dict[str, object]] = []
    print("| trap | test that catches it | s |\n|---|---|---|", flush=True)
    for mutant in mutants:
        found = outcome(mutant)
        test = f"`{mutant.test}`" if found.caught else f"NOT CAUGHT by `{mutant.test}`: {found.said}"
        print(f"| {mutant.trap} | {test} | {found.seconds:.1f} |", flush=True)
        figures.append({"mutant": mutant.name, "trap": mutant.trap, "test": mutant.test})
        figures[-1] |= {"caught": found.caught, "seconds": round(found.seconds, 1)}
    return figures


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [mutant.name for mutant in MUTANTS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(names)}")
    results.add_json_option(parser)
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"names must be among {', '.join(names)}, got {unknown[0]}; leave it out")
    started = time.perf_counter()
    figures = table([mutant for mutant in MUTANTS if mutant.name in (options.names or names)])
    caught = sum(bool(figure["caught"]) for figure in figures)
    print(f"{caught} of {len(figures)} caught, {time.perf_counter() - started:.0f} s")
    results.write(options.json, figures, started)
    return 0 if caught == len(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
