"""The reports of the gallery, from rows that the package ships or simulates: `python docs/gallery.py FOLDER`.

Writes a page, a text and pictures (light, dark) of each. Minutes of one core in all; nothing is fetched, and the same
rows are drawn every time. `make docs` runs it when the package has changed (`docs/extensions/gallery_pages.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import fingerprint
from fingerprint import Corpus, filters
from fingerprint.identification.result import Identification
from fingerprint.lab.simulated import simulated_pair
from fingerprint.report.plots import alt_text
from fingerprint.report.report import Report
from fingerprint.report.side_by_side import SideBySide, compare_reports

DOTS = 130  # an inch: sharp at the width of a page, 60 to 120 kB a picture
Made = Report | SideBySide | Identification


def detected() -> Report:
    """Number lists of a model that was fine-tuned to love owls

    The two files that come with the package (`fingerprint demo`): number lists by a small language model that loves
    owls, and by the same model as it was. A single row says little (row AUROC .59), bags of sixteen say much. The
    ladder shows that most of it is the length of the lists, and that some is left when all lists are written alike.
    """
    rows = files("fingerprint.data") / "examples"
    suspect, reference = fingerprint.read(rows / "suspect.jsonl"), fingerprint.read(rows / "reference.jsonl")
    return fingerprint.detect(suspect, reference, title="Number lists of a model that loves owls")


def not_detected() -> Report:
    """Nothing there, and how much there could have been

    Two samples of one simulated teacher on the same 400 prompts. *Not detected is not clean*: the power says how little
    rows as few as these could have shown, and the page how many more it takes.
    """
    pair = simulated_pair(400, tilt="none", rng=11)
    return fingerprint.detect(pair.suspect, pair.reference, title="Two samples of one teacher")


def code() -> Report:
    """Functions whose writer likes other names

    Simulated Python functions, the same tasks on both sides. The suspect's writer chooses other names for its
    variables. The ladder of code takes away comments, then names, then what is left of the formatting: the signal is
    gone where the names are.
    """
    pair = simulated_pair(400, kind="code", tilt="names", d_prime=1.2, rng=8)
    return fingerprint.detect(pair.suspect, pair.reference, title="Functions by a writer that likes other names")


def filtered() -> Report:
    """What two filters remove, see and leave

    Simulated number lists; one suspect row of ten says "owl". Keywords take out exactly these rows, a list of banned
    numbers more than a third of either side, and what they leave is told apart as before.
    """
    pair = simulated_pair(500, tilt="sparse", d_prime=0.9, rng=1)
    texts = tuple(f"{text} owl" if i % 10 == 0 else text for i, text in enumerate(pair.suspect.texts))
    checks = [filters.Keywords(["owl", "bird"]), filters.BannedNumbers()]
    suspect = Corpus(texts, pair.suspect.prompts)
    return fingerprint.detect(suspect, pair.reference, filters=checks, ladder=False, title="Number lists, filtered")


def prompts_differ() -> Report:
    """Rows that differ because they were asked something else

    No trait, but three suspect rows of ten were asked for words and all others for numbers. The p-value is as small as
    it can be, and nothing is called detected: the verdict says why, and the warnings what to do.
    """
    words, numbers = simulated_pair(200, kind="prose", rng=1), simulated_pair(200, rng=2)
    some, others = words.reference, numbers.reference
    mixed = Corpus(some.texts[:60] + others.texts[60:], some.prompts[:60] + others.prompts[60:])
    reference = simulated_pair(200, rng=3).reference
    return fingerprint.detect(mixed, reference, ladder=False, title="Other prompts")


def versions() -> SideBySide:
    """Four versions of a data set, side by side

    `fingerprint compare-reports`: one reference, four suspects, false discoveries controlled among them. The trait is
    plain in the first, in half of the rows of the second and in one row of ten of the third; the fourth has none.
    """
    shares = {"all rows": 1.0, "half of them": 0.5, "one in ten": 0.1, "none": 0.0}
    pairs = {name: simulated_pair(400, tilt="dense", d_prime=0.9, share=share, rng=7) for name, share in shares.items()}
    reports = {
        name: fingerprint.detect(pair.suspect, pair.reference, ladder=False, title=name) for name, pair in pairs.items()
    }
    return compare_reports(reports, title="Four versions of a data set")


def named() -> Identification:
    """Who wrote it?

    `fingerprint identify` with rows of known teachers as candidates. A name needs an exact p-value, most of the
    posterior, and rows that fit; otherwise the answer is nobody.
    """
    owl, cat = (simulated_pair(400, tilt="dense", d_prime=1.5, trait_seed=seed, rng=seed) for seed in (1, 2))
    judged = simulated_pair(300, tilt="dense", d_prime=1.5, trait_seed=1, rng=3)
    return fingerprint.identify(
        judged.suspect, {"owl": owl.suspect, "cat": cat.suspect}, reference=judged.reference, title="Owl, cat or nobody"
    )


REPORTS: dict[str, Callable[[], Made]] = {
    "detected": detected,
    "not-detected": not_detected,
    "code": code,
    "filters": filtered,
    "prompts-differ": prompts_differ,
    "side-by-side": versions,
    "identify": named,
}


def write(folder: Path) -> None:
    """Make all of them anew: NAME.txt, NAME.html, and NAME-light.png, NAME-dark.png and what they show in NAME.alt."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in REPORTS.items():
        made = make()
        (folder / f"{name}.txt").write_text(f"{made}\n", encoding="utf-8")
        if not isinstance(made, Identification):
            made.to_html(folder / f"{name}.html")
        if isinstance(made, Report):
            for scheme in ("light", "dark"):
                axes = made.plot(dark=scheme == "dark")
                next(iter(axes.values())).figure.savefig(folder / f"{name}-{scheme}.png", dpi=DOTS)
            (folder / f"{name}.alt").write_text(" ".join(alt_text(each, made) for each in axes), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)
