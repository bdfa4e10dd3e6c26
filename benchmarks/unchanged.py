"""Did a change of the code change a result? Record some twenty runs before and after, and compare them byte for byte.

    python benchmarks/unchanged.py record before        # in a checkout of the commit before
    python benchmarks/unchanged.py record after         # in a checkout of the commit after
    python benchmarks/unchanged.py compare before after # exit 0: equal

The runs cover every design, prose and numbers, filters, priors, placebos, models, known teachers, students, scan,
identify, monitor, mixture shares and the lab's table. Same machine, same thread count: figures are equal to the digit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.detector.scan import scan
from fingerprint.filters import BannedNumbers, Keywords, NumberRule, Tfidf
from fingerprint.identification.mixture import mixture_share, row_ratios
from fingerprint.lab import experiment
from fingerprint.lab.experiment.transfer_table import as_text
from fingerprint.lab.simulated import simulated_pair
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Teacher, known_teacher, neutral, prompted
from fingerprint.lm.traits import known_trait

# Keys of the recorded documents that have another name since: {name before: name after}.
RENAMED: dict[str, str] = {}
# Places of keys that the documents before did not have.
ADDED = {"/scan/schema_version"}

QUICK: dict[str, Any] = {"n_permutations": 999}


def pair(n: int, **options: Any) -> tuple[Corpus, Corpus]:
    found = simulated_pair(n, **({"tilt": "dense", "d_prime": 0.8} | options))
    return found.suspect, found.reference


def written(teacher: Teacher, n: int, seed: int) -> Corpus:
    asked = prompts("numbers", n, rng=8)
    rows = teacher.sample(asked, seed=seed, max_new_tokens=48)
    kept = [(p, a.text) for p, a in zip(asked, rows, strict=True) if a.finished]
    return Corpus(tuple(text for _, text in kept), tuple(p for p, _ in kept), name=teacher.name)


def owl() -> Teacher:
    return prompted("micro-a", known_trait("owl"))


def detector(**options: Any) -> fingerprint.Detector:
    found = simulated_pair(400, tilt="dense", d_prime=0.8, trait_seed=3, rng=50)
    texts = [*found.suspect.texts, *found.reference.texts]
    groups = [*found.suspect.prompts, *found.reference.prompts]
    labels = np.repeat([1, 0], [len(found.suspect), len(found.reference)])
    return fingerprint.Detector(**options).fit(texts, labels, groups=groups)


def page(report: fingerprint.Report) -> dict[str, Any]:
    """A report, the text it prints, its rows and a hash of its page."""
    with tempfile.TemporaryDirectory() as folder:
        report.to_html(Path(folder) / "page.html")
        html = (Path(folder) / "page.html").read_bytes()
    rows = report.rows.select("corpus", "row", "score").write_csv().encode()
    return {
        "report": report.to_dict(),
        "text": str(report).splitlines(),
        "rows": hashlib.blake2b(rows, digest_size=8).hexdigest(),
        "html": hashlib.blake2b(html, digest_size=8).hexdigest(),
    }


def detected(*corpora: object, **options: Any) -> dict[str, Any]:
    return page(fingerprint.detect(*corpora, **(QUICK | options)))


def uneven() -> tuple[Corpus, Corpus]:
    """Rows per prompt differ, and some prompts are answered by one side only."""
    found = simulated_pair(150, rows_per_prompt=(3, 2), tilt="dense", prompt_effect=1.0, rng=7)
    keep = np.random.default_rng(0).random(len(found.suspect)) < 0.7
    others = simulated_pair(60, rng=8).suspect
    suspect = found.suspect.only(keep, "suspect")
    return Corpus(suspect.texts + others.texts, suspect.prompts + others.prompts, name="suspect"), found.reference


def overlapping() -> tuple[Corpus, Corpus]:
    """Half the rows are those that `detector` is trained on."""
    known, new = pair(400, trait_seed=3, rng=50), pair(100, trait_seed=3, rng=14)
    first = np.arange(100)
    sides = [(old.only(first), fresh) for old, fresh in zip(known, new, strict=True)]
    return tuple(Corpus(a.texts + b.texts, a.prompts + b.prompts, name="half known") for a, b in sides)  # type: ignore[return-value]


def with_model() -> dict[str, Any]:
    suspect, reference = written(owl(), 150, 1), written(neutral("micro-a"), 150, 2)
    cat = written(prompted("micro-a", known_trait("cat")), 150, 3)
    return detected(
        suspect, reference, model="micro-a", system_prompts=["You love owls.", "You love oaks."],
        teacher=known_teacher("micro-a", owl().system), placebos=[cat],
    )  # fmt: skip


def with_student() -> dict[str, Any]:
    suspect, reference = written(owl(), 80, 1), written(neutral("micro-a"), 80, 2)
    return detected(suspect, reference, model="micro-a", student=True, ladder=False)


def with_transformer() -> dict[str, Any]:
    return detected(
        *pair(150, kind="prose", rng=11), features=["tokens", CountVectorizer(binary=True)],
        classifier=LogisticRegression(max_iter=500),
    )  # fmt: skip


def trained() -> dict[str, Any]:
    found = detector()
    new = pair(40, rng=52)[0]
    return {
        "card": found.card_,
        "probabilities": np.round(found.predict_proba(list(new.texts))[:, 1], 10).tolist(),
        "bag": asdict(found.score_bag(list(new.texts[:3]))),
        "explained": found.explain(new.texts[0]).to_dicts(),
    }


def scanned(**options: Any) -> dict[str, Any]:
    suspect, reference = pair(120, trait_seed=3, rng=51)
    found = scan(suspect, detector(), n_permutations=999, **({"neutral": reference} if options["neutral"] else {}))
    return {"scan": found.to_dict(), "text": str(found).splitlines()}


def identified_by_model() -> dict[str, Any]:
    suspect = written(owl(), 120, 5)
    found = fingerprint.identify(suspect, ["owl", "cat"], model="micro-a", forms=["prompted"], n_permutations=999)
    return {"identification": found.to_dict(), "text": str(found).splitlines()}


def identified_by_rule() -> dict[str, Any]:
    corpus = written(prompted("micro-a", known_trait("cat")), 150, 5)
    kept = NumberRule()(corpus.texts, corpus.prompts).kept
    found = fingerprint.identify(
        corpus.only(kept), ["owl", "cat"], model="micro-a", forms=["prompted"], rule=NumberRule(), placebos=["dog"],
        n_permutations=999,
    )  # fmt: skip
    return {"identification": found.to_dict(), "text": str(found).splitlines()}


def identified_by_corpora() -> dict[str, Any]:
    owls, neutrals = pair(200, trait_seed=1, d_prime=1.5, rng=60)
    cats = pair(200, trait_seed=2, d_prime=1.5, rng=61)[0]
    suspect = pair(150, trait_seed=1, d_prime=1.5, rng=62)[0]
    found = fingerprint.identify(suspect, {"owls": owls, "cats": cats}, reference=neutrals, n_permutations=999)
    return {"identification": found.to_dict(), "text": str(found).splitlines()}


def monitored() -> dict[str, Any]:
    suspect, reference = pair(150, d_prime=1.5, rng=70)
    found = {}
    for name, prior in (("alone", None), ("with a prior", detector())):
        monitor = fingerprint.Monitor(reference, prior=prior)
        rows = zip(suspect.texts, suspect.prompts, strict=True)
        readings = [monitor.observe(text, prompt) for text, prompt in rows]
        found[name] = [[r.rows, f"{r.evalue:.10g}", f"{r.pvalue:.10g}", bool(r.alarm)] for r in readings]
    return found


def mixed() -> dict[str, Any]:
    rows = written(owl(), 100, 1), written(neutral("micro-a"), 200, 2)
    both = Corpus(rows[0].texts + rows[1].texts, rows[0].prompts + rows[1].prompts, name="both")
    ratios = row_ratios(both, owl(), "micro-a")
    found = mixture_share(ratios.llr, prompts=both.prompts)
    digest = hashlib.blake2b(np.round(ratios.lls, 9).tobytes(), digest_size=8).hexdigest()
    return {"share": asdict(found), "text": str(found), "lls": digest}


def lab() -> dict[str, Any]:
    plan = experiment.Plan(known_trait("owl"), rows=300, seed=3)
    with tempfile.TemporaryDirectory() as folder:
        result = experiment.run(plan, Path(folder))
        return {"table": json.loads((Path(folder) / "table.json").read_text()), "text": as_text(result).splitlines()}


def examples() -> tuple[Path, Path]:
    folder = Path(fingerprint.__file__).parent / "data" / "examples"
    return folder / "suspect.jsonl", folder / "reference.jsonl"


FILTERS = [NumberRule(), BannedNumbers(), Keywords(["owl", "the"]), Tfidf("owl")]

RUNS: dict[str, Callable[[], dict[str, Any]]] = {
    "numbers-shared": lambda: detected(*pair(200, rng=1), self_test=True),
    "numbers-disjoint": lambda: detected(*pair(200, design="disjoint", rng=2), self_test=True),
    "numbers-independent": lambda: detected(*pair(300, design="independent", rng=3)),
    "numbers-null": lambda: detected(*pair(200, tilt="none", d_prime=0.0, rng=4), rng=5, min_auc=0.55),
    "numbers-many-rows": lambda: detected(*pair(700, rows_per_prompt=2, prompt_effect=1.0, rng=5)),
    "numbers-uneven": lambda: detected(*uneven()),
    "prose-shared": lambda: detected(*pair(200, kind="prose", rng=6)),
    "prose-disjoint": lambda: detected(*pair(150, kind="prose", design="disjoint", rows_per_prompt=(1, 2), rng=7)),
    "prompts-ignored": lambda: detected(*pair(150, rng=8), prompt=False, alpha=0.01),
    "bundled": lambda: detected(*examples(), n_permutations=9999),
    "filters-shared": lambda: detected(*pair(250, rng=9), filters=FILTERS),
    "filters-disjoint": lambda: detected(*pair(250, design="disjoint", rng=10), filters=FILTERS[:2], ladder=False),
    "transformer": with_transformer,
    "prior-shared": lambda: detected(*pair(100, trait_seed=3, rng=12), prior=detector()),
    "prior-disjoint": lambda: detected(
        *pair(150, trait_seed=3, design="disjoint", rng=13), prior=detector(), self_test=True
    ),
    "prior-drops": lambda: detected(*overlapping(), prior=detector(), trained_rows="drop"),
    "placebos": lambda: detected(
        *pair(150, trait_seed=1, rng=15), placebos=[pair(150, trait_seed=s, rng=15 + s)[0] for s in (2, 3)]
    ),
    "model": with_model,
    "students": with_student,
    "detector": trained,
    "scan-held-out": lambda: scanned(neutral=False),
    "scan-neutral": lambda: scanned(neutral=True),
    "identify-model": identified_by_model,
    "identify-rule": identified_by_rule,
    "identify-corpora": identified_by_corpora,
    "monitor": monitored,
    "mixture": mixed,
    "lab": lab,
}


def record(folder: Path, only: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in only or RUNS:
        start = time.perf_counter()
        text = json.dumps(RUNS[name](), indent=1, sort_keys=True, default=str)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{name:<22}{time.perf_counter() - start:8.1f} s", flush=True)


def compare(before: Path, after: Path) -> int:
    names = sorted(path.name for path in before.glob("*.json"))
    wrong = 0
    for name in names:
        old, new = (json.loads((folder / name).read_text(encoding="utf-8")) for folder in (before, after))
        differences = list(different(renamed(old), new, ""))
        wrong += bool(differences)
        print(f"{name:<28}{'equal' if not differences else f'{len(differences)} differences'}")
        for place in differences[:5]:
            print(f"    {place}")
    moved = (f"; renamed keys: {RENAMED}" if RENAMED else "") + (f"; added: {sorted(ADDED)}" if ADDED else "")
    print(f"{len(names) - wrong} of {len(names)} equal{moved}")
    return int(wrong > 0 or not names)


def renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {RENAMED.get(key, key): renamed(item) for key, item in value.items()}
    return [renamed(item) for item in value] if isinstance(value, list) else value


def different(old: Any, new: Any, where: str) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in old and f"{where}/{key}" in ADDED:
                continue
            if key not in old or key not in new:
                yield f"{where}/{key}: {'only before' if key in old else 'only after'}"
            else:
                yield from different(old[key], new[key], f"{where}/{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from different(one, other, f"{where}[{number}]")
    elif json.dumps(old) != json.dumps(new):
        yield f"{where}: {old!r:.200} -> {new!r:.200}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("folder", type=Path)
    recording.add_argument("only", nargs="*", metavar="RUN", help="these runs alone")
    comparing = commands.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    given = parser.parse_args()
    sys.exit(record(given.folder, given.only) if given.command == "record" else compare(given.before, given.after))
