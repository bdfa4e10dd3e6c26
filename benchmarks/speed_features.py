"""What `speed.py features` times: every family, by compiled code and by the reference, beside scikit-learn."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from fingerprint import read
from fingerprint.features import FAMILIES, data_kind
from fingerprint.features.compiled import FORCE
from fingerprint.features.counted import CountedFamily
from fingerprint.lab.simulated import simulated_pair

BLOCKS = 512  # as many as a comparison has at most
REFERENCE_ROWS, PEER_ROWS = 4_000, 8_000
ROUNDS = 5
TOKEN = r"\d+|[^\W\d_]+|\s+|[^\w\s]+|_+"

Figures = dict[str, object]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpora", nargs="*", type=Path, help="files of rows, beside simulated ones")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a corpus that are timed (default 20,000)")


def corpora(options: argparse.Namespace) -> dict[str, Sequence[str]]:
    kinds = ("numbers", "prose")
    found = {f"simulated {kind}": simulated_pair(options.rows, kind=kind, rng=1).suspect.texts for kind in kinds}
    return found | {f"{path.parent.name}/{path.name}": read(path).texts for path in options.corpora}


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Processor seconds of one thread, the best of some rounds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def sums(family: CountedFamily, texts: Sequence[str]) -> Callable[[], None]:
    block = np.random.default_rng(0).integers(0, BLOCKS, len(texts))
    into = np.zeros((BLOCKS, family.n_counts), np.int64), np.zeros(family.n_counts, np.int64)
    return lambda: family.add_sums(texts, block, *into)


def figure(name: str, texts: Sequence[str], work: Callable[[], object], rounds: int = ROUNDS) -> Figures:
    """What one way to read some rows costs; a first, untimed round makes it ready."""
    work()
    spent = seconds(work, rounds)
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return {
        "what": name, "rows": len(texts), "microseconds_a_row": 1e6 * spent / len(texts),
        "rows_a_second": len(texts) / spent, "megabytes_a_second": size / 1e6 / spent,
    }  # fmt: skip


def families(texts: list[str]) -> list[Figures]:
    """Sums by block (what a file of any size goes through) and columns of all rows (what is held in memory)."""
    kind = data_kind(texts)
    skipped = {"numbers": "prose", "prose": "numbers"}.get(kind)
    found = []
    for name, make in FAMILIES.items():
        if name == skipped:
            continue
        for forced, label, n in (("1", "compiled", len(texts)), ("0", "reference", REFERENCE_ROWS)):
            os.environ[FORCE] = forced
            rows = texts[:n]
            family = make().fit(rows)
            assert isinstance(family, CountedFamily)
            rounds = ROUNDS if forced == "1" else 2
            found.append(figure(f"{name}, sums, {label}", rows, sums(family, rows), rounds))
            found.append(figure(f"{name}, columns, {label}", rows, partial(make().fit_transform, rows), rounds))
    del os.environ[FORCE]
    return found


def peers(texts: list[str]) -> list[Figures]:
    """scikit-learn on the same n-grams as family `ngrams`: of 1 to 5 characters, and of 1 to 3 tokens."""
    rows = texts[:PEER_ROWS]
    characters = {"analyzer": "char", "ngram_range": (1, 5), "lowercase": False}
    tokens = {"token_pattern": TOKEN, "ngram_range": (1, 3), "lowercase": False, "binary": True}
    hashed = {"n_features": 2**14, "norm": None, "alternate_sign": False}
    found = []
    for label, options in {"characters": characters, "tokens": tokens}.items():
        for make, more in ((HashingVectorizer, hashed), (CountVectorizer, {})):
            model = make(**options, **more)
            found.append(figure(f"{make.__name__}, {label}", rows, partial(model.fit_transform, rows), 2))
    return found


def growth(texts: list[str]) -> list[Figures]:
    """Whether a row costs the same however many there are."""
    os.environ[FORCE] = "1"
    found = []
    for times in (1, 4, 16):
        rows = texts * times
        family = FAMILIES["ngrams"]().fit(rows)
        assert isinstance(family, CountedFamily)
        found.append(figure("ngrams, sums, compiled", rows, sums(family, rows), 2))
    del os.environ[FORCE]
    return found


START = """
import os, sys, time
from fingerprint.features import FAMILIES
import numpy as np
texts = ["1, 2, 3", "A word."] * 4
begun, spent = time.perf_counter(), {}
for name, make in FAMILIES.items():
    started = time.perf_counter()
    family = make().fit(texts)
    family.add_sums(texts, np.arange(8), np.zeros((8, family.n_counts), np.int64), np.zeros(family.n_counts, np.int64))
    family.fit_transform(texts)
    spent[name] = time.perf_counter() - started
print(__import__("json").dumps(spent))
"""


def start() -> dict[str, dict[str, float]]:
    """Seconds until each family has read a few rows in a new process, one family after the other.

    The first one that is compiled pays for importing numba too.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for label, forced in (("reference", "0"), ("compiled, nothing on disk", "1"), ("compiled, on disk", "1")):
            environment = {**os.environ, "NUMBA_CACHE_DIR": folder, FORCE: forced}
            run = subprocess.run(
                [sys.executable, "-c", START], env=environment, capture_output=True, text=True, check=True
            )
            found[label] = json.loads(run.stdout)
    return found


def measure(options: argparse.Namespace) -> Figures:
    figures: Figures = {}
    for name, rows in corpora(options).items():
        texts = list(rows)[: options.rows]
        length = float(np.mean([len(text) for text in texts]))
        print(f"\n{name}: {len(texts):,} rows of {length:.0f} characters in the mean, one thread")
        parts = {"families": families(texts), "peers": peers(texts), "growth": growth(texts)}
        for line in [line for part in parts.values() for line in part]:
            print(
                f"  {line['what']:32s} {line['rows']:9,} rows {line['microseconds_a_row']:9.2f} us/row "
                f"{line['rows_a_second']:12,.0f} rows/s {line['megabytes_a_second']:8.2f} MB/s"
            )
        figures[name] = {"characters_a_row": length, **parts}
    ready = start()
    print("\nseconds to get ready")
    for label, spent in ready.items():
        each = "  ".join(f"{name} {value:.2f}" for name, value in spent.items())
        print(f"  {label:26s} {sum(spent.values()):6.2f}  ({each})")
    return {"corpora": figures, "start_seconds": ready}
