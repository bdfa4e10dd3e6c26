"""Traps that were measured once, as changes of the source that plant them, and the test that has to catch each.

What makes a test wrong here was found by measuring error rates and power, and is not to come back; see `mutants.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


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
                "units = _units(comparison, matrices)\n    weights = omnibus",
                "frozen = cross_fit(comparison, {name: matrix.values for name, matrix in matrices.items()}).families\n"
                "    units = {name: comparison.units(sp.csr_matrix(frozen[name][:, None])) for name in matrices}\n"
                "    weights = omnibus",
            ),
        ),
    ),
    Mutant(
        "rows-as-independent",
        "rows are taken as independent where rows of one prompt are alike (.41 to 1.00)",
        "test_exactness.py::test_rows_of_one_prompt_keep_together[disjoint]",
        (
            Change(
                "data/pairing.py",
                "return key, np.where(known, first, group), first, kept",
                "return key, self.alone_keys(texts, kept, occurrence), first, kept",
            ),
        ),
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
                "SignedTest(exact, sd, contrasts @ exact / sd)",
                "SignedTest(exact, sd, contrasts @ exact / (contrasts[1:] @ exact).std())",
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
            Change("statistics/designs.py", "if others.any():", "if others.any() and not parts:"),
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
        (Change("data/corpus.py", "tuple(normal_forms(self.prompts))", "self.prompts"),),
    ),
    Mutant(
        "trained-rows-as-written",
        "a blank at the end hides a row that a detector was trained on (p .002 on a null)",
        "test_exactness.py::test_white_space_hides_no_trained_row[blank at the end]",
        (Change("data/known_rows.py", "(normal_form(text), key)", "(text, key)"),),
    ),
    Mutant(
        "prompts-are-blamed-on-teachers",
        "the prompts differ, and a difference of the rows is called detected",
        "test_exactness.py::test_rows_that_differ_by_their_prompts_are_not_detected",
        (Change("detection/section.py", "return differs and not is_blamed_on_prompts", "return differs"),),
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
        "test_inference.py::test_rows_needed_grow_with_the_power_and_stand_inside_their_interval",
        (
            Change(
                "statistics/planning.py",
                "return _least_times(self.power, power) if self.scaling.points else None",
                "return self.scaling.times_needed(power)",
            ),
        ),
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
