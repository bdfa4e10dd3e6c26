"""What a fingerprint gives away of its rows, and what is left of the comparison when less is shared.

    python benchmarks/fingerprint_privacy.py membership [FILE ...]   # was a row in it? by rows a cell
    python benchmarks/fingerprint_privacy.py leaks [FILE ...]     # a unique string, two that differ, rows guessed
    python benchmarks/fingerprint_privacy.py power [FOLDER:SUSPECT:REFERENCE ...]   # by how many features are shared

Without files, rows are those of the package's simulated teachers, numbers and prose. The attacks are in
`membership_attack.py`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import results
from membership_attack import attack

import fingerprint
from fingerprint.data.arrays import Ints
from fingerprint.data.corpus import Corpus
from fingerprint.features import FAMILIES
from fingerprint.fingerprints.cells import FEWEST, cells_of, row_keys
from fingerprint.fingerprints.fingerprint import Fingerprint
from fingerprint.fingerprints.layout import Cells
from fingerprint.lab.simulated import simulated_pair
from fingerprint.statistics.permutation import Relabellings, gram, permutation_test

TARGETS = 2000
COVARIANCE_ROWS = 1500
ALPHA = 0.05


def corpora(files: Sequence[Path], rows: int, seed: int) -> Iterator[tuple[str, Corpus]]:
    """Rows of one law each, in random order."""
    rng = np.random.default_rng(seed)
    for file in files:
        found = fingerprint.read(file)
        keep = rng.permutation(len(found))[:rows]
        prompts = tuple(found.prompts[i] for i in keep) if found.prompts else ()
        yield f"{file.parent.name}/{file.name}", Corpus(tuple(found.texts[i] for i in keep), prompts)
    for kind in ("numbers", "prose") if not files else ():
        yield f"simulated {kind}", simulated_pair(rows, kind=kind, rng=seed).reference


def some(corpus: Corpus, at: Ints) -> Corpus:
    return corpus.only(np.isin(np.arange(len(corpus)), at))


def best(found: Mapping[str, float]) -> float:
    return max(found.values())


def membership(options: argparse.Namespace) -> list[dict[str, object]]:
    """AUROC of the strongest attack by rows a cell: of everything, of each family, and of what is shared."""
    figures: list[dict[str, object]] = []
    most = FEWEST * max(options.rows) + TARGETS + COVARIANCE_ROWS
    for name, corpus in corpora(options.corpora, most, options.seed):
        place = np.arange(len(corpus))
        outside, others = some(corpus, place[-TARGETS:]), some(corpus, place[: -TARGETS][-COVARIANCE_ROWS:])
        rest = Fingerprint.of(others, cells=FEWEST)
        whole: Fingerprint | None = None
        done = 0
        for rows in options.rows:
            n = FEWEST * rows
            if n > len(corpus) - TARGETS - COVARIANCE_ROWS:
                continue
            chosen = np.sort(np.random.default_rng(options.seed).permutation(n)[:TARGETS])
            inside, more = some(corpus, chosen), Fingerprint.of(some(corpus, place[done:n]), cells=FEWEST)
            whole, done = more if whole is None else whole + more, n
            figure: dict[str, object] = {"corpus": name, "rows": n, "rows a cell": rows}
            sets = {f: replace(whole, families={f: whole.families[f]}) for f in ("numbers", "layout")}
            for label, made in {"all": whole, **sets}.items():
                figure[label] = best(attack(made, rest, inside, outside, [], each=False)["all"])
            try:
                shared = whole.for_sharing(max_auc=options.max_auc)
            except ValueError:
                figure["shared"] = None
            else:
                found = attack(shared, rest, inside, outside, others.texts, each=False)["all"]
                figure |= {"shared": best(found), "by attack": dict(found), "bound": shared.membership_auc}
                figure["features"] = {f: int(s.sums.any(axis=0).sum()) for f, s in shared.families.items()}
            print(figure, flush=True)
            figures.append(figure)
    return figures


def leaks(options: argparse.Namespace) -> list[dict[str, object]]:
    """A string of one row, two fingerprints that differ by one row or by few, and a row guessed from its cell."""
    figures: list[dict[str, object]] = []
    for name, corpus in corpora(options.corpora, FEWEST * options.rows[-1] + TARGETS, options.seed):
        place = np.arange(len(corpus))
        inside, outside = some(corpus, place[: -TARGETS]), some(corpus, place[-TARGETS:])
        whole = Fingerprint.of(inside, cells=FEWEST)
        shared = whole.for_sharing(max_auc=options.max_auc)
        rest = Fingerprint.of(outside, cells=FEWEST)
        figure: dict[str, object] = {"corpus": name, "rows": len(inside), "rows a cell": len(inside) / FEWEST}
        figure["unique string"] = unique_string(whole, outside, options.max_auc)
        # The difference of two fingerprints is the fingerprint of the rows between them.
        for few in (1, 100, 1000):
            part = some(inside, place[:few])
            between = Fingerprint.of(part, cells=FEWEST).without_gaps(shared)
            half = some(outside, np.arange(max(few, 300)))
            found = attack(between, whole + rest, part, half, [], each=False)["all"]
            figure[f"shared, differing by {few} rows"] = best(found)
        for label, made in (("all", whole), ("shared", shared)):
            figure[f"guessed, {label}"] = {
                "in": guessed(made, some(inside, place[:TARGETS])), "out": guessed(made, outside)
            }
        print(figure, flush=True)
        figures.append(figure)
    return figures


def unique_string(whole: Fingerprint, outside: Corpus, max_auc: float) -> dict[str, int]:
    """Columns that were empty before a row with three made-up words came, and that show."""
    one = Corpus(("zanzibar quetzal xylophonist",), outside.prompts[:1])
    more = whole + Fingerprint.of(one, cells=FEWEST)
    return {
        label: sum(
            int((made.families[f].sums.any(axis=0) & ~whole.families[f].sums.any(axis=0)).sum()) for f in whole.families
        )
        for label, made in (("all", more), ("shared", more.for_sharing(max_auc=max_auc)))
    }


def guessed(made: Fingerprint, targets: Corpus) -> dict[str, float]:
    """Share of a row's tokens among as many guesses: commonest in the cell, most above the mean there, commonest."""
    counts = FAMILIES["tokens"]().counts(list(targets.texts))
    sums = made.families["tokens"].sums.astype(np.float64)
    mean = sums.sum(axis=0) / made.n_rows
    cell = cells_of(row_keys(targets.texts, targets.prompts or [None] * len(targets)), made.cells)
    excess = (sums - made.rows[:, None] * mean) / np.sqrt(np.maximum(made.rows[:, None] * mean, 1e-9))
    ranked = {
        "commonest in the cell": np.argsort(-sums / made.rows[:, None], axis=1, kind="stable"),
        "most above the mean": np.argsort(-excess, axis=1, kind="stable"),
        "commonest of all": np.tile(np.argsort(-mean, kind="stable"), (made.cells, 1)),
    }
    rows = [counts.indices[counts.indptr[i] : counts.indptr[i + 1]] for i in range(len(targets))]
    used = [(c, row) for c, row in zip(cell, rows, strict=True) if len(row)]
    return {
        label: float(np.mean([np.isin(order[c][: len(row)], row).mean() for c, row in used]))
        for label, order in ranked.items()
    }


def power(options: argparse.Namespace) -> list[dict[str, object]]:
    """Power of `compare` on draws of prompt pairs in 16 cells, by how many features both sides share."""
    figures: list[dict[str, object]] = []
    for given in options.corpora or ["simulated"]:
        name, suspect, reference = pair(str(given), options.seed)
        both = Fingerprint.of(suspect, cells=FEWEST) + Fingerprint.of(reference, cells=FEWEST)
        evenness = {f: s.evenness(f, both.n_rows) for f, s in both.families.items()}
        ordered = np.sort(np.concatenate(list(evenness.values())))[::-1]
        plans = {k: {f: np.flatnonzero(e < ordered[k - 1]) for f, e in evenness.items()} for k in options.features}
        found = {"all": 0} | {str(k): 0 for k in plans}
        for draw in range(options.draws):
            at = np.random.default_rng([options.seed, draw]).choice(len(suspect), options.pairs, replace=False)
            sides = [Fingerprint.of(some(side, at), cells=FEWEST) for side in (suspect, reference)]
            found["all"] += rejects(*sides, draw)
            for k, gone in plans.items():
                kept = [
                    replace(side, families={f: s.without(gone[f]) for f, s in side.families.items()}) for side in sides
                ]
                found[str(k)] += rejects(*kept, draw)
        figure = {"corpora": name, "pairs": options.pairs, "draws": options.draws}
        figure["power"] = {label: n / options.draws for label, n in found.items()}
        print(figure, flush=True)
        figures.append(figure)
    return figures


def pair(given: str, seed: int) -> tuple[str, Corpus, Corpus]:
    """Rows of two models on the same prompts, one each."""
    if given == "simulated":
        made = simulated_pair(4000, tilt="dense", d_prime=0.8, rng=seed)
        return "simulated numbers, dense, d_prime .8", made.suspect, made.reference
    folder, *names = given.split(":")
    first, second = (fingerprint.read(Path(folder) / name) for name in names)
    rows = [dict(reversed(list(zip(side.prompts, side.texts, strict=True)))) for side in (first, second)]
    prompts = sorted(prompt for prompt in rows[0].keys() & rows[1].keys() if prompt is not None)
    sides = [Corpus(tuple(of[prompt] for prompt in prompts), tuple(prompts)) for of in rows]
    return f"{Path(folder).name}:{names[0]}:{names[1]}", *sides  # type: ignore[return-value]


def rejects(suspect: Fingerprint, reference: Fingerprint, seed: int) -> bool:
    """Whether `compare` detects, without what else it says."""
    cells = Cells.of(suspect, reference, ALPHA)
    families = cells.families()
    drawn = Relabellings.draw(cells.design(), 399, np.random.default_rng(seed))
    weights = {name: found.family.weight_on(cells.kind) for name, found in families.items()}
    return permutation_test({n: gram(f.units) for n, f in families.items()}, drawn, None, weights).pvalue <= ALPHA


SECTIONS = {"membership": membership, "leaks": leaks, "power": power}


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("corpora", nargs="*", type=Path)
    parser.add_argument("--rows", type=numbers, default=[50, 200, 1100, 4000, 8000],
                        help="rows a cell; leaks takes the last")  # fmt: skip
    parser.add_argument("--max-auc", type=float, default=0.55)
    parser.add_argument("--features", type=numbers, default=[32, 64, 128, 256, 512, 1500])
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    results.add_json_option(parser)
    options = parser.parse_args()
    started = time.perf_counter()
    figures = SECTIONS[options.section](options)
    results.write(options.json, {options.section: figures}, started)


if __name__ == "__main__":
    main()
