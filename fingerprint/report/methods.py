"""How a report was made: the methods in a paragraph with references, and the command that makes it again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from fingerprint.filters.by_name import word_of
from fingerprint.report import sentences
from fingerprint.report.detection_result import DetectionResult
from fingerprint.report.encoding import JsonObject
from fingerprint.report.formatting import count, visible

REFERENCES = (
    "Cloud, Le, Chua, Betley, Sztyber-Betley, Hilton, Marks and Evans (2025). Subliminal learning: language models "
    "transmit behavioral traits via hidden signals in data. arXiv:2507.14805.",
    "Phipson and Smyth (2010). Permutation p-values should never be zero. doi:10.2202/1544-6115.1585.",
    "Gretton, Borgwardt, Rasch, Schölkopf and Smola (2012). A kernel two-sample test. JMLR 13.",
    "Westfall and Young (1993). Resampling-based multiple testing. Wiley.",
    "DeLong, DeLong and Clarke-Pearson (1988). Comparing the areas under correlated receiver operating characteristic "
    "curves. doi:10.2307/2531595.",
    "Cohen (1988). Statistical power analysis for the behavioral sciences. Erlbaum.",
)
_DEFAULTS = {"alpha": 0.05, "min_auc": 0.5, "n_permutations": 9999}
_RELABELLED = {
    "shared": "the two sides of a prompt changing places",
    "cells": "the two sides of a cell of prompts changing places",
    "mixed": "the two sides of shared prompts changing places and whole blocks of other prompts changing sides",
    "disjoint": "whole blocks of prompts changing sides",
    "independent": "blocks of rows changing sides",
}


def methods(report: DetectionResult) -> list[str]:
    """What was computed, in sentences for the methods section of a paper."""
    design, settings = report.design, report.settings
    families = ", ".join(visible(family.family, 40) for family in report.family_results)
    version = visible(str(_at(settings, "versions", "fingerprint") or "unknown"), 40)
    return [
        f"We compared {count(design.rows_suspect)} suspect with {count(design.rows_reference)} reference rows with "
        f"fingerprint {version} (seed {visible(str(settings.get('seed')), 40)}). Texts become columns of the feature "
        f"families {families}, which do not know the side of a row. The statistic is a sum over families, with weights "
        "fixed beforehand, of quadratic forms in the differences of block means (Gretton et al. 2012), each "
        f"standardised by its exact moments under relabelling; the p-value is from "
        f"{count(sentences.permutations(report))} random relabellings, "
        f"{_RELABELLED.get(design.kind, 'sides changing')}, and counts the observed one (Phipson and Smyth 2010). "
        "P-values of families and single features are adjusted by min-P and max-T (Westfall and Young 1993).",
        "Scores of rows are cross-fitted: ridge classifiers of the families, stacked, that are fitted on other prompts "
        "than those they score. Intervals of AUROC are of 95 %, from placements (DeLong et al. 1988) within folds, and "
        "wider by what the fitting adds. Effects of shares are Cohen's h (Cohen 1988). What is looked for is the trace "
        "that a conditioned teacher leaves in unrelated data (Cloud et al. 2025).",
    ]


@dataclass(frozen=True)
class Command:
    """What to type to get a report again, and what cannot be said in it."""

    words: str
    missing: tuple[str, ...]


def command(report: DetectionResult) -> Command:
    """The command that makes a report again, as far as its settings know.

    Files are called as the title calls them, and SUSPECT and REFERENCE where it does not; whether they hold the same
    rows is told by the digests of the settings.
    """
    options = report.settings.get("options")
    known: JsonObject = options if isinstance(options, dict) else {}
    words = ["fingerprint", "detect", *_files(report)]
    missing: list[str] = []
    for flag, key in (("--alpha", "alpha"), ("--min-auc", "min_auc"), ("--permutations", "n_permutations")):
        if key in known and known[key] != _DEFAULTS[key]:
            words += [flag, f"{known[key]}"]
    if "min_effect" in known:
        words += ["--min-effect", f"{known['min_effect']}", "--fail-if-detected"]
    words += ["--seed", str(report.settings.get("seed", 0))]
    words += _columns(known) + _features(known, missing) + _filters(known, missing) + _models(report, missing)
    words += [] if report.rungs else ["--no-ladder"]
    words += [] if report.self_test is None else ["--self-test"]
    words += ["--skip-bad-rows"] if known.get("bad_rows") == "skip" else []
    words += ["--skip-bad-shards"] if any(warning.code == "shards_skipped" for warning in report.warnings) else []
    if known.get("classifier") is not None:
        missing.append(f"the classifier {visible(str(known['classifier']), 200)}, which only Python can give")
    return Command(visible(shlex.join([*words, "--html", "report.html"])), tuple(missing))


def _at(settings: JsonObject, *keys: str) -> object:
    value: object = settings
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _files(report: DetectionResult) -> list[str]:
    names = report.title.split(" against ")
    are_names = len(names) == 2 and all(name and name == name.strip() and len(name.split()) == 1 for name in names)
    are_files = are_names and names != ["suspect", "reference"] and not any(name.startswith("-") for name in names)
    return names if are_files else ["SUSPECT", "REFERENCE"]


def _columns(known: JsonObject) -> list[str]:
    words = []
    for key in ("text", "prompt"):
        given = known.get(key)
        if given is False:
            words.append("--no-prompt")
        elif isinstance(given, list):
            flags = (f"--suspect-{key}", f"--reference-{key}")
            named = [(flag, name) for flag, name in zip(flags, given, strict=False) if name is not None]
            words += [word for flag, name in named for word in (flag, str(name))]
        elif given is not None:
            words += [f"--{key}", str(given)]
    return words + (["--turn", str(known["turn"])] if "turn" in known else [])


def _features(known: JsonObject, missing: list[str]) -> list[str]:
    from fingerprint.features.choice import FAMILIES

    given = known.get("features")
    names = [str(name) for name in given] if isinstance(given, list) else []
    others = [name for name in names if name not in FAMILIES]
    if others:
        missing.append(f"the families {visible(', '.join(others), 200)}, which only Python can give")
    ours = [name for name in names if name in FAMILIES]
    return ["--features", ",".join(ours)] if ours else []


def _filters(known: JsonObject, missing: list[str]) -> list[str]:
    words = []
    given = known.get("filters")
    for told in given if isinstance(given, list) else []:
        word = word_of(str(told))
        if word is None:
            missing.append(f"the filter {visible(str(told), 200)}")
        else:
            words += ["--filter", word]
    return words


def _models(report: DetectionResult, missing: list[str]) -> list[str]:
    words = []
    if report.model is not None:
        words += ["--model", report.model.model]
        words += [word for prompt in report.model.system_prompts for word in ("--system-prompt", prompt)]
        words += ["--student"] if report.settings.get("student") else []
    if report.teacher is not None:
        names = f"{visible(report.teacher.teacher, 60)} and {visible(report.teacher.reference, 60)}"
        missing.append(f"the known teachers {names}")
    if report.settings.get("prior"):
        missing.append("the prior: the detector or panel that the settings describe, with --prior")
    if report.attribution is not None:
        words += [word for item in report.attribution.placebos for word in ("--placebo", item.placebo)]
    return words
