"""The verdict: what was found, in sentences that name the rivals and claim no more than the figures do."""

from __future__ import annotations

from fingerprint.detection.analysis import Analysis
from fingerprint.report.report import Report

RIVALS = (
    "temperature, model version, language, length limit, filtering of one side, or merely that a system prompt was "
    "there"
)
# Warnings that name a rival themselves, in words.
WARNED = {
    "frequent_text": "copies",
    "duplicates": "copies",
    "kinds_differ": "rows of another kind",
    "format_alone": "format",
    "lengths_differ": "lengths differ",
    "lengths_cut": "long rows are missing",
    "scripts_differ": "other scripts",
    "letters_differ": "other language",
    "row_order": "order of the file",
}


def verdict(report: Report, main: Analysis, min_auc: float) -> str:
    """The verdict on a report whose figures and warnings are complete."""
    design, control = report.design, report.prompt_control
    figures = f"p = {report.pvalue:.2g} at alpha {report.alpha:g}, row AUROC {report.auc.value:.3f}"
    assumption = ""
    if not design.has_prompts:
        assumption = " Without prompts the p-value holds only if rows are independent of each other."
    elif main.comparison.n_groups > len(set.union(*main.comparison.prompts)):
        assumption = " The p-value holds only if rows without a prompt are independent of each other."
    if control.differs and not design.is_paired:
        return (
            f"prompts differ: not attributable to the teacher ({figures}; prompts p = {control.pvalue:.2g}). Compare "
            "rows that answer the same prompts."
        )
    if report.detected:
        return (
            f"detected: the suspect rows are distinguishable from the reference ({figures}). "
            f"{_rivals(report)}{_copies(report)}{assumption}"
        )
    if report.pvalue <= report.alpha:
        return (
            f"not detected: the rows differ ({figures}), but the row AUROC is not above min_auc {min_auc:g}. "
            f"{_rivals(report)}{assumption}"
        )
    words = _power(report)
    known = [(result.family, result.pvalue_adjusted) for result in report.family_results]
    found = [(name, p) for name, p in known if p is not None and p <= report.alpha]
    alone = "".join(f" Of single families {name} has adjusted p = {p:.2g};" for name, p in found)
    told = f"{alone} the verdict is that of all together, fixed beforehand." if found else ""
    same = "nothing that was measured varies between the sides: are they the same rows?"
    return f"not detected: {words or same} ({figures}).{told}{assumption}"


def _rivals(report: Report) -> str:
    """What else may explain a difference, what warnings point to first."""
    found = dict.fromkeys(WARNED[w.code] for w in report.warnings if w.code in WARNED)
    warned = f"see the warnings ({', '.join(found)}); besides, " if found else ""
    return f"Rival explanations: {warned}{RIVALS}."


def _power(report: Report) -> str:
    """How probably a signal of several sizes would have been found; empty where that is not known."""
    if not report.planted:
        return ""
    what = "an AUROC within prompts" if report.design.is_paired else "a row AUROC"
    areas, powers = (
        " / ".join(f"{figure:.2f}" for figure in figures)
        for figures in ([p.auc for p in report.planted], [p.power.value or 0.0 for p in report.planted])
    )
    return f"had it been there, {what} of {areas} would have been found with probability {powers}"


def _copies(report: Report) -> str:
    """What to say of a detection that is gone when every text is counted once."""
    once = None if report.copies is None else report.copies.pvalue_once
    if once is None or once <= report.alpha:
        return ""
    return f" With every text counted once p = {once:.2g}: copies may be all that differs."
