"""The ladder: where the signal lives. Each rung takes information out of the rows; then the same test and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fingerprint.data.arrays import Floats
from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis, bag16_interval, omnibus_weights, scored
from fingerprint.detection.model_families import FAMILIES as MODEL_FAMILIES
from fingerprint.detection.rungs import RungStep, rung_steps
from fingerprint.detection.section import Addition, Prepared, Section
from fingerprint.features import Family, choose, data_kind
from fingerprint.features.compiled import side_by_side
from fingerprint.features.scaling import FamilyMatrix, family_matrix
from fingerprint.features.transformer import Transformer
from fingerprint.report.report import Report
from fingerprint.report.results import Rung
from fingerprint.statistics.comparison import Comparison, thin
from fingerprint.statistics.crossfit import Scores
from fingerprint.statistics.intervals import auc_interval
from fingerprint.statistics.permutation import Relabellings, gram, omnibus_pvalue
from fingerprint.statistics.streams import Stream

# The ladder runs on at most this many rows a side: enough to place the signal, quick at any size.
LADDER_ROWS = 5000
# How often a family reads rows for it, of six rungs: some of them change no row, or have one family.
LADDER_READINGS = 3


def _rungs(small: Comparison) -> tuple[RungStep, ...]:
    return rung_steps(data_kind(small.texts), small.texts)


def _steps(prepared: Prepared) -> Sequence[Step]:
    if not prepared.case.options.ladder:
        return ()
    return [Step(f"ladder: {step.rung}", 0.5) for step in _rungs(thin(prepared.comparison, LADDER_ROWS))]


def _find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
    """All rungs on the same rows and with the same relabellings, with the built-in scores whatever classifier."""
    case, small = prepared.case, thin(main.comparison, LADDER_ROWS)
    relabellings = (
        main.test.relabellings
        if small is main.comparison
        else Relabellings.draw(small.design, case.options.n_permutations, case.rng(Stream.PERMUTATIONS))
    )
    steps = _rungs(small)
    kinds = dict.fromkeys(step.rewrite for step in steps)
    rewritten = {rewrite: rewrite(small.texts, case.rng(Stream.LADDER)) for rewrite in kinds}
    texts = [rewritten[step.rewrite] for step in steps]
    # A rung that changes no row has the features of the one before it: sets of numbers are often in one format.
    firsts = [texts.index(own) for own in texts]
    together = [[n for n, first in enumerate(firsts) if first == number] for number in sorted(set(firsts))]

    def rungs(numbers: list[int]) -> list[Rung]:
        looked = _Looked.of(replace(small, texts=texts[numbers[0]]), main)
        return [_rung(steps[number], prepared, main, looked, relabellings) for number in numbers]

    found: dict[int, Rung] = {}
    told = 0
    for numbers, done in zip(together, side_by_side(rungs, together), strict=True):
        for step in steps[told : numbers[0] + 1]:
            tell(f"ladder: {step.rung}")
        told = numbers[0] + 1
        found |= zip(numbers, done(), strict=True)
    for step in steps[told:]:
        tell(f"ladder: {step.rung}")
    rungs_in_order = tuple(found[number] for number in range(len(steps)))
    return lambda others: replace(others, rungs=rungs_in_order)


SECTION = Section(_steps, _find, is_beside=True)


@dataclass(frozen=True)
class _Looked:
    """Rows, and what is known of them by family: each family is looked at once, in however many rungs.

    Attributes
    ----------
    comparison : Comparison
    matrices : dict of FamilyMatrix
    kernels : dict of float arrays [blocks, blocks]
        Inner products of the blocks.
    members : dict of float arrays [rows, models]
        Cross-fitted scores.
    """

    comparison: Comparison
    matrices: dict[str, FamilyMatrix]
    kernels: dict[str, Floats]
    members: dict[str, Floats]

    @classmethod
    def of(cls, comparison: Comparison, main: Analysis) -> _Looked:
        """With what the main result knows, if these are its rows."""
        if comparison.design is not main.comparison.design or comparison.texts != main.comparison.texts:
            return cls(comparison, {}, {}, {})
        kernels = {name: family.kernel for name, family in main.test.families.items()}
        return cls(comparison, dict(main.matrices), kernels, dict(main.scores.members))

    def add(self, name: str, family: Family) -> None:
        """Look at a family, if it is not known under this name."""
        if name in self.matrices:
            if _is_same(self.matrices[name].family, family):
                return
            self.kernels.pop(name, None)
            self.members.pop(name, None)
        self.matrices[name] = family_matrix(family, self.comparison.texts, name)

    def test(self, names: Sequence[str], relabellings: Relabellings) -> tuple[float, Scores]:
        """p-value and scores from some of the families."""
        matrices = {name: self.matrices[name] for name in names}
        for name, matrix in matrices.items():
            if name not in self.kernels:
                self.kernels[name] = gram(self.comparison.units(matrix.values))
        kernels = {name: self.kernels[name] for name in names}
        weights = omnibus_weights(self.comparison, matrices)
        known = {name: self.members[name] for name in names if name in self.members}
        scores = scored(self.comparison, matrices, fitted=known)
        self.members.update(scores.members)
        return omnibus_pvalue(kernels, relabellings, weights=weights), scores


def _is_same(one: Family, other: Family) -> bool:
    """Whether two families make the same of the same rows."""
    if not (isinstance(one, Transformer) and isinstance(other, Transformer)):
        return False
    is_fixed = one.definition is not None and one.definition == other.definition
    return is_fixed and one.get_params() == other.get_params()


def _rung(
    step: RungStep, prepared: Prepared, main: Analysis, looked: _Looked, relabellings: Relabellings
) -> Rung:
    case = prepared.case
    is_main = looked.comparison.design is main.comparison.design and case.options.classifier is None
    if step.rung == "raw" and is_main and not {*case.priors.names, *MODEL_FAMILIES} & set(main.matrices):
        pvalue, scores = main.test.pvalue, main.scores
    else:
        own = {name: make() for name, make in step.families.items()} or choose(
            prepared.families, looked.comparison.texts
        )
        for name, family in own.items():
            looked.add(name, family)
        pvalue, scores = looked.test(list(own), relabellings)
    bag16 = bag16_interval(scores, case.rng(Stream.BAGS))
    return Rung(step.rung, pvalue, auc_interval(scores), bag16, step.description)
