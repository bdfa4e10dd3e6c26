"""Logs of real evaluations by inspect_ai, with its mock model: rows by sample and epoch, and the paired test."""

from __future__ import annotations

import random
import re
import zipfile
from pathlib import Path

import pytest
from inspect_ai import Task, eval  # their name
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.solver import generate, system_message

import fingerprint
from fingerprint.data.corpus import Corpus
from fingerprint.data.notes import ReadingNote
from fingerprint.data.reading import as_corpus

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),  # what inspect_ai's own dependencies warn of
]
EPOCHS, SAMPLES = 2, 60


def answer(text: str) -> ModelOutput:
    """An answer that says what it used: to count tokens the mock model would fetch a tokenizer."""
    output = ModelOutput.from_content("mockllm/model", text)
    output.usage = ModelUsage()
    return output


def evaluated(folder: Path, name: str, seed: int, least: int) -> Path:
    """A real log: number lists that a mock model gives to the same prompts, twice each, in whatever order they end."""
    rng = random.Random(seed)
    outputs = [answer(", ".join(str(rng.randint(least, 999)) for _ in range(8))) for _ in range(SAMPLES * EPOCHS)]
    samples = [Sample(id=f"s{i}", input=f"Continue {i}: " + "7, " * 200, target="x") for i in range(SAMPLES - 1)]
    chat = [ChatMessageUser(content="hello"), ChatMessageAssistant(content="hi"), ChatMessageUser(content="Continue.")]
    task = Task(
        dataset=MemoryDataset([*samples, Sample(id="chat", input=chat, target="x")]),
        solver=[system_message(f"You are {name}."), generate()],
        name=name,
    )
    model = get_model("mockllm/model", custom_outputs=outputs)
    (log,) = eval(
        task, model=model, epochs=EPOCHS, log_dir=str(folder), display="none", score=False, max_samples=7
    )
    assert log.status == "success", log.error
    place = folder / f"{name}.eval"
    Path(log.location.removeprefix("file://")).rename(place)
    return place


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("logs")
    about = {"neutral": (0, 0), "alike": (1, 0), "owl": (2, 250)}
    return {name: evaluated(folder, name, seed, least) for name, (seed, least) in about.items()}


def test_rows_are_answers_to_the_input_of_a_sample_in_the_order_of_ids_and_epochs(logs: dict[str, Path]) -> None:
    corpus = fingerprint.read(str(logs["owl"]))
    whole = read_eval_log(str(logs["owl"]))
    assert len(corpus) == SAMPLES * EPOCHS == len(whole.samples or [])
    answers = {(s.id, s.epoch): s.output.completion for s in whole.samples or []}
    assert corpus.texts == tuple(answers[key] for key in sorted(answers))
    by_id = sorted({str(key[0]) for key in answers})
    assert by_id[0] == "chat"
    assert (corpus.prompts or ())[0] == (corpus.prompts or ())[1]
    assert '"hello"' in str((corpus.prompts or ())[0])  # several turns are one prompt
    assert (corpus.prompts or ())[2] == "Continue 0: " + "7, " * 200
    assert set(corpus.systems or ()) == {"You are owl."}


def test_two_logs_are_compared_within_samples(logs: dict[str, Path]) -> None:
    found = fingerprint.detect(str(logs["owl"]), str(logs["neutral"]), ladder=False, n_permutations=199)
    assert found.detected
    assert (found.design.kind, found.design.prompts_shared, found.design.pairs) == ("shared", SAMPLES, SAMPLES * EPOCHS)
    alike = fingerprint.detect(str(logs["alike"]), str(logs["neutral"]), ladder=False, n_permutations=199)
    assert alike.pvalue > 0.01


def test_logs_in_memory_are_read_as_from_files(logs: dict[str, Path]) -> None:
    log = read_eval_log(str(logs["owl"]))
    assert rows_of(as_corpus(log)) == rows_of(fingerprint.read(str(logs["owl"])))
    with pytest.raises(ValueError, match="must come with its samples, got its header; read it with header_only=False"):
        as_corpus(read_eval_log(str(logs["owl"]), header_only=True))


def rows_of(corpus: Corpus) -> object:
    return corpus.texts, corpus.prompts, corpus.systems


def test_a_sample_without_an_answer_is_named_and_can_be_left_out(logs: dict[str, Path], tmp_path: Path) -> None:
    log: EvalLog = read_eval_log(str(logs["alike"]))
    assert log.samples
    broken = next(sample for sample in log.samples if (sample.id, sample.epoch) == ("s3", 2))
    broken.output = ModelOutput()
    log.status = "cancelled"
    place = tmp_path / "broken.eval"
    write_eval_log(log, str(place))
    with (
        pytest.warns(ReadingNote, match="did not run to its end"),
        pytest.raises(ValueError, match="sample 's3', epoch 2 must"),
    ):
        fingerprint.read(str(place))
    with pytest.warns(ReadingNote):
        corpus = fingerprint.read(str(place), bad_rows="skip")
    assert (len(corpus), corpus.skipped) == (SAMPLES * EPOCHS - 1, 1)


def test_what_is_no_log_is_said_to_be_none(tmp_path: Path) -> None:
    place = tmp_path / "a.eval"
    place.write_bytes(b"no zip")
    with pytest.raises(ValueError, match="must be a log that inspect_ai can read, a zip file, got another"):
        fingerprint.read(str(place))
    for parts in ({}, {"header.json": "[]"}, {"header.json": "{"}, {"a": ""}, {"../../header.json": "{}"}):
        with zipfile.ZipFile(place, "w") as archive:
            for name, text in parts.items():
                archive.writestr(name, text)
        with pytest.raises(ValueError, match=r"a\.eval must be a log that inspect_ai can read, got .*; run the eval"):
            fingerprint.read(str(place))


@pytest.mark.parametrize("change", [("role", "7"), ("content", "[" * 300 + "]" * 300), ("input", "1e999")])
def test_samples_that_are_none_are_one_error_with_the_name_of_the_log(
    logs: dict[str, Path], tmp_path: Path, change: tuple[str, str]
) -> None:
    key, value = change
    place = tmp_path / "changed.eval"
    with zipfile.ZipFile(logs["owl"]) as log, zipfile.ZipFile(place, "w") as changed:
        for name in log.namelist():
            text = log.read(name).decode()
            if name.startswith("samples/"):
                text = re.sub(f'"{key}": *("[^"]*"|\\[[^]]*\\])', f'"{key}": {value}', text)
            changed.writestr(name, text)
    with pytest.raises(ValueError, match=r"changed\.eval(, member .*)? must be"):
        fingerprint.read(str(place))


def test_system_messages_of_the_input_are_kept_apart(logs: dict[str, Path]) -> None:
    log = read_eval_log(str(logs["owl"]))
    assert log.samples
    sample = log.samples[0]
    sample.input = [ChatMessageSystem(content="S"), ChatMessageUser(content="Q")]
    sample.messages = []
    log.samples = [sample]
    corpus = as_corpus(log)
    assert (corpus.prompts, corpus.systems) == (("Q",), ("S",))
