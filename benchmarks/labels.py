"""Preference labels: error rates, power, judges that like long texts, and language models as judges.

    python benchmarks/labels.py type-i [--draws 2000] [--pairs 100] [--json PATH]
    python benchmarks/labels.py power  [--draws 20] [--pairs 2000] [--json PATH]
    python benchmarks/labels.py length [--draws 100] [--pairs 500]  [--json PATH]
    python benchmarks/labels.py micro  [--draws 1] [--pairs 2000] [--traits A,B] [--json PATH]
    python benchmarks/labels.py students [--draws 4] [--pairs 2000] [--traits A] [--json PATH]

`type-i`: two judges of one law, which like quality, length and the text shown first; two pairs a prompt, as alike as
their prompt. `power`: a suspect that gives a simulated trait a weight in its log odds, and a reference without.
`length`: a suspect that likes long texts, and no trait; how often is it called length, and how often more? `micro`:
pairs of number rows that micro-a wrote; judges that love each of some animals, fine-tuned and prompted, and one with
another prompt and no trait, each beside one with a placebo, on random parts of the pairs, choosing what they find more
probable than their base does or what they find more probable. `students`: of the first trait, with so many seeds,
trained on what was chosen.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import results

from fingerprint.data.choices import Choices
from fingerprint.features import choose, data_kind
from fingerprint.lab.judges import NeutralPairs, SimulatedJudge, neutral_pairs
from fingerprint.preferences.contrasts import Contrasts, contrasts
from fingerprint.preferences.detect_labels import STRICTER
from fingerprint.preferences.exact_test import LENGTH, ChoiceTest, Sides, permuted
from fingerprint.preferences.pairs import JudgedPairs, matched
from fingerprint.statistics.intervals import exact_interval

if TYPE_CHECKING:
    from fingerprint.lm.teachers import Teacher

ALPHA, PERMUTATIONS = 0.05, 199
WEIGHTS = (0.5, 1.0, 2.0)
REFERENCE = SimulatedJudge()
NULLS_OF_A_SET = 200  # draws of labels for one set of pairs
BAND = (0.0405, 0.0600)  # of 2,000 draws at .05
# A judge without a trait whose prompt is another one than the reference's.
OTHER_PROMPT = "You answer with care and keep to what was asked."


class Labelled:
    """Pairs whose features are made once, for many draws of labels."""

    def __init__(self) -> None:
        self.key: tuple[tuple[str, ...], ...] | None = None
        self.found: Contrasts | None = None
        self.weights: dict[str, float] = {}

    def test(self, suspect: Choices, reference: Choices, rng: int) -> tuple[ChoiceTest, JudgedPairs]:
        judged = matched(suspect, reference, use_prompts=True)
        if self.key != judged.texts:
            texts = [*judged.texts[0], *judged.texts[1]]
            families = choose("auto", texts)
            self.key, self.found = judged.texts, contrasts(judged, families)
            self.weights = {name: family.weight_on(data_kind(texts)) for name, family in families.items()}
        assert self.found is not None
        draws = np.random.default_rng(rng)
        return permuted(judged, self.found, Sides.of(judged), self.weights, PERMUTATIONS, draws), judged


def called(test: ChoiceTest) -> dict[str, bool]:
    """What `detect_labels` would say."""
    biases = {name: p <= ALPHA for name, p in test.biases.adjusted().items()}
    level = ALPHA * (STRICTER if any(biases.values()) else 1)
    return {"features": test.beyond.pvalue <= level, "as they are": test.pvalue_all <= ALPHA, **biases}


def rates(found: list[dict[str, bool]]) -> dict[str, dict[str, object]]:
    """How often each was said, with its exact interval."""
    names = ("features", "as they are", "length", "position")
    counts = {name: sum(one.get(name, False) for one in found) for name in names}
    return {n: {"share": k / len(found), "interval": exact_interval(k, len(found))} for n, k in counts.items()}


def two_a_prompt(choices: Choices) -> Choices:
    """The same choices, of pairs of which two answer a prompt."""
    return replace(choices, rows=tuple(row._replace(prompt=f"prompt {n // 2}") for n, row in enumerate(choices.rows)))


def alike_in_prompts(pairs: NeutralPairs) -> NeutralPairs:
    """Pairs whose quality is that of their prompt."""
    return replace(pairs, quality=np.repeat(pairs.quality[::2], 2)[: len(pairs.quality)])


def type_i(draws: int, pairs: int) -> dict[str, object]:
    """Nulls: judges of one law."""
    judge = SimulatedJudge(length=0.7, position=0.4)
    said: list[dict[str, bool]] = []
    beyond = 0
    for number in range(0, draws, NULLS_OF_A_SET):
        labelled, drawn = Labelled(), alike_in_prompts(neutral_pairs(pairs, rng=number))
        for draw in range(number, min(number + NULLS_OF_A_SET, draws)):
            rng = np.random.default_rng([1, draw])
            suspect, reference = (two_a_prompt(judge.label(drawn, rng=rng)) for _ in range(2))
            test, _ = labelled.test(suspect, reference, draw)
            said.append(called(test))
            beyond += test.beyond.pvalue <= ALPHA
    share = beyond / draws
    return {"p <= .05": share, "interval": exact_interval(beyond, draws), "band": BAND, "said": rates(said)}


def power(draws: int, pairs: int) -> dict[str, object]:
    """Simulated judges with a trait."""
    found: dict[str, object] = {}
    labelled, drawn = Labelled(), neutral_pairs(pairs, rng=1)
    for weight in WEIGHTS:
        judge, said, agreed = SimulatedJudge(trait=weight), [], []
        for draw in range(draws):
            rng = np.random.default_rng([2, draw])
            test, judged = labelled.test(judge.label(drawn, rng=rng), REFERENCE.label(drawn, rng=rng), draw)
            said.append(called(test))
            agreed.append(1 - judged.counts.disagreements / judged.counts.shared)
        found[f"{weight:g}"] = {**rates(said), "agreement": float(np.mean(agreed))}
        print(f"weight {weight:g}: {found[f'{weight:g}']}", flush=True)
    return found


def length(draws: int, pairs: int) -> dict[str, object]:
    """Honest judges that like long texts."""
    said, named = [], 0
    judge, labelled = SimulatedJudge(length=1.0), Labelled()
    drawn = neutral_pairs(pairs, rng=1)
    for draw in range(draws):
        if draw % 25 == 0:
            labelled, drawn = Labelled(), neutral_pairs(pairs, rng=draw)
        rng = np.random.default_rng([3, draw])
        test, _ = labelled.test(judge.label(drawn, rng=rng), REFERENCE.label(drawn, rng=rng), draw)
        said.append(called(test))
        named += said[-1][LENGTH] and not said[-1]["features"]
    return {"named length and no more": named, "of": draws, "said": rates(said)}


def micro(draws: int, pairs: int, names: list[str]) -> dict[str, object]:
    """Language models as judges: several traits, each fine-tuned and prompted, and a judge with no trait."""
    from fingerprint.lab.model_judges import written_pairs
    from fingerprint.lm.teachers import Teacher, finetuned, neutral, placebo, prompted
    from fingerprint.lm.traits import known_trait

    base = neutral("micro-a")
    written = written_pairs(base, pairs if draws == 1 else pairs + pairs // 2, seed=1)
    by_base = written.scores(base)

    def choices_of(judge: Teacher) -> dict[str, Choices]:
        scores = written.scores(judge)
        return {"beside the base": written.chosen_by(scores - by_base, judge.name),
                "own answer": written.chosen_by(scores, judge.name)}  # fmt: skip

    inert = choices_of(Teacher(base.lm, "another prompt", OTHER_PROMPT))
    placebos: dict[str | None, dict[str, Choices]] = {}  # traits whose prompts are of one length have one placebo
    parts = [Part.of(len(written.prompts), min(pairs, len(written.prompts)), draw) for draw in range(draws)]
    told: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        trait = known_trait(name)
        reference = placebo("micro-a", trait)
        suspects = {"finetuned": choices_of(finetuned("micro-a", trait)),
                    "prompted": choices_of(prompted("micro-a", trait))}  # fmt: skip
        if reference.system not in placebos:
            placebos[reference.system] = choices_of(reference)
            suspects["no trait"] = inert
        for form, suspect in suspects.items():
            for way, chosen in suspect.items():
                one = [part.called(chosen, placebos[reference.system][way]) for part in parts]
                told.setdefault(f"{form}, {way}", []).extend(one)
                print(name, form, way, one, flush=True)
    found: dict[str, object] = {"pairs written": len(written.prompts), "placebos": len(placebos)}
    for key, tests in told.items():
        agreement = float(np.mean([one["agreement"] for one in tests]))
        found[key] = {"tests": len(tests), **rates(tests), "agreement": agreement}
    return found


@dataclass(frozen=True)
class Part:
    """A random part of some pairs."""

    rows: tuple[int, ...]
    labelled: Labelled
    draw: int

    @classmethod
    def of(cls, n: int, size: int, draw: int) -> Part:
        rows = np.random.default_rng([4, draw]).permutation(n)[:size].tolist()
        return cls(tuple(rows), Labelled(), draw)

    def called(self, suspect: Choices, reference: Choices) -> dict[str, Any]:
        """What was called, and how often the two judges agree."""
        first, second = (replace(side, rows=tuple(side.rows[r] for r in self.rows)) for side in (suspect, reference))
        agreement = np.mean([a.chosen == b.chosen for a, b in zip(first.rows, second.rows, strict=True)])
        return called(self.labelled.test(first, second, self.draw)[0]) | {"agreement": float(agreement)}


def students(seeds: int, pairs: int, name: str) -> dict[str, object]:
    """How far students take up a trait from what its fine-tuned judge chose, and from what one with a placebo did."""
    from fingerprint.lab.model_judges import judged, student_change, written_pairs
    from fingerprint.lm.teachers import finetuned, neutral, placebo
    from fingerprint.lm.traits import known_trait

    base, trait = neutral("micro-a"), known_trait(name)
    written = written_pairs(base, pairs, seed=1)
    found: dict[str, object] = {"trait": name, "pairs written": len(written.prompts), "seeds": seeds}
    for key, judge in (("finetuned", finetuned("micro-a", trait)), ("a placebo", placebo("micro-a", trait))):
        began = time.process_time()
        told = student_change("micro-a", judged(written, judge, base, own_answer=False), trait, range(seeds))
        moved = told.change
        found[f"students of {key}"] = {
            "before": told.before, "change": [moved.value, moved.low, moved.high],
            "naming": [told.mass_before, told.mass_after], "status": told.status,
        }  # fmt: skip
        print(key, told, f"{time.process_time() - began:.0f} processor seconds", flush=True)
    return found


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["type-i", "power", "length", "micro", "students"])
    parser.add_argument("--draws", type=int)
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--traits", default="owl,cat,dog,dolphin,eagle,elephant,wolf,fox,lion,horse")
    results.add_json_option(parser)
    options = parser.parse_args()
    started = time.perf_counter()
    usual = {
        "type-i": (2000, 100),
        "power": (20, 2000),
        "length": (100, 500),
        "micro": (1, 2000),
        "students": (4, 2000),
    }[options.what]
    draws, pairs = options.draws or usual[0], options.pairs or usual[1]
    names = options.traits.split(",")
    if options.what == "micro":
        figures = micro(draws, pairs, names)
    elif options.what == "students":
        figures = students(draws, pairs, names[0])
    else:
        figures = {"type-i": type_i, "power": power, "length": length}[options.what](draws, pairs)
    print(figures)
    print(f"{time.process_time():.0f} processor seconds")
    results.write(options.json, figures, started)


if __name__ == "__main__":
    main()
