"""Kept scores of tokens: across kills, damage and full disks."""

# mypy: allow-untyped-calls
# torch and transformers leave some of their functions untyped.

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from small_models import SYSTEM, assert_same, llama_config, numbers

from fingerprint.lm import batching, scoring
from fingerprint.lm.batching import encode
from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import prompts
from fingerprint.lm.scoring import TokenScores, token_logprobs, token_scores
from fingerprint.lm.teachers import neutral

ASKED, SAID = prompts("numbers", 90, rng=7), numbers(90)


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return load("micro-a")


@pytest.fixture(scope="module")
def undisturbed(lm: LanguageModel) -> list[TokenScores]:
    return token_scores(lm, ASKED, SAID, batch_size=16)


@pytest.fixture(scope="module")
def filled(lm: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("scores")
    token_scores(lm, ASKED, SAID, batch_size=16, cache=place)
    return place


@pytest.fixture
def own(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "own"))


def test_what_is_cached_is_not_computed_again(
    lm: LanguageModel, own: Path, undisturbed: list[TokenScores], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_scored", lambda *_: pytest.fail("computed again"))
    assert_same(token_scores(lm, ASKED, SAID, batch_size=16, cache=own), undisturbed)
    light = token_logprobs(lm, ASKED, SAID, batch_size=16, cache=own)
    np.testing.assert_array_equal(np.concatenate(light), np.concatenate([row.logprobs for row in undisturbed]))


def test_another_model_dtype_text_or_configuration_has_its_own_scores(lm: LanguageModel, own: Path) -> None:
    files_before = len(list(own.glob("*/*.scores")))
    scaled = transformers.LlamaForCausalLM(llama_config(lm))
    scaled.load_state_dict(lm.model.state_dict())
    scaled.config = transformers.LlamaConfig(**{**lm.model.config.to_dict(), "rms_norm_eps": 1e-3})
    others = {
        "weights": (load("micro-b"), None),
        "dtype": (LanguageModel(transformers.LlamaForCausalLM(llama_config(lm)).double().eval(), lm.tokenizer), None),
        "configuration": (LanguageModel(scaled.eval(), lm.tokenizer), None),
        "text": (lm, SYSTEM),
    }
    for model, system in others.values():
        found = token_scores(model, ASKED[:4], SAID[:4], system=system, cache=own)
        assert_same(found, token_scores(model, ASKED[:4], SAID[:4], system=system))
    assert len(list(own.glob("*/*.scores"))) == files_before + len(others)
    described = [json.loads(path.read_text()) for path in own.glob("*/description.json")]
    assert len(described) == 1 + len(others)
    assert {entry["text"] for entry in described} == {lm.rendered(), lm.rendered(SYSTEM)}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "exchanged", "pickle", "foreign"])
def test_a_damaged_or_foreign_file_is_never_believed(lm: LanguageModel, own: Path, damage: str) -> None:
    one, other = sorted(own.glob("*/*.scores"))[:2]
    if damage == "flipped":
        flip(one)
    elif damage == "cut":
        one.write_bytes(one.read_bytes()[:-8])
    elif damage == "empty":
        one.write_bytes(b"")
    elif damage == "exchanged":
        shutil.copy(other, one)
    elif damage == "pickle":
        one.write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    else:
        described = next(own.glob("*/description.json"))
        described.write_text(described.read_text().replace("float32", "float64"))
    with pytest.raises(ValueError, match=r"cache must hold what was written there, got .* delete that file"):
        token_scores(lm, ASKED, SAID, batch_size=16, cache=own)


def test_a_full_disk_is_one_clear_error_and_nothing_is_lost(
    lm: LanguageModel, undisturbed: list[TokenScores], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def full(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left on the disk; free some and run the same again"):
        token_scores(lm, ASKED, SAID, batch_size=16, cache=tmp_path)
    monkeypatch.undo()
    assert len(list(tmp_path.glob("*/*.scores"))) == 2  # and the description
    assert not list(tmp_path.rglob(".*"))
    assert_same(token_scores(lm, ASKED, SAID, batch_size=16, cache=tmp_path), undisturbed)


CHILD = """
import sys, torch
torch.set_num_threads(int(sys.argv[2]))
from fingerprint.lm.loading import load
from fingerprint.lm.scoring import token_scores
from small_models import numbers
from fingerprint.lm.prompts import prompts
n = 240
token_scores(load("micro-a"), prompts("numbers", n, rng=8), numbers(n, 8), batch_size=4, cache=sys.argv[1])
"""


def test_killed_in_the_middle_the_scores_are_those_of_an_undisturbed_run(lm: LanguageModel, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "cache"), str(torch.get_num_threads())]
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})
    while child.poll() is None and len(list(tmp_path.glob("cache/*/*.scores"))) < 5:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*/*.scores")}
    n = 240
    asked, said = prompts("numbers", n, rng=8), numbers(n, 8)
    assert 5 <= len(before) < n // 4
    found = token_scores(lm, asked, said, batch_size=4, cache=tmp_path / "cache")
    assert_same(found, token_scores(lm, asked, said, batch_size=4))
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*/*.scores")}
    assert len(after) == len(batching.batches_by_prefix(lm, encode(lm, asked, said), 4))
    assert {name: after[name] for name in before} == before  # kept, not written again


def test_a_teacher_may_keep_its_log_probabilities(tmp_path: Path) -> None:
    teacher = neutral("micro-a")
    rows = [{"prompt": p, "completion": c} for p, c in zip(ASKED, SAID, strict=True)]
    found = teacher.logprobs(rows, cache=tmp_path)
    assert list(tmp_path.glob("*/*.scores"))
    np.testing.assert_array_equal(found.rows, teacher.logprobs(rows).rows)
