"""What the pages show runs: blocks of Python and of the shell in README, docs and CONTRIBUTING, and the notebooks."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from users_folder import ROOT, furnish, judging, put_command, without_proxies

from fingerprint.cli.app import main

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCK = re.compile(r"^```([^`\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OUTPUT = "output"
"""The language of what the block before it prints."""
NUMBER = re.compile(r"\d[\d,]*\.?\d*|\.\d+")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
NOT_HERE = re.compile(r"^\s*(pip|make|\.venv/bin/\S+)\b")
"""Lines of the shell that set a machine up; .ci/run does that."""
MINUTES = ["fingerprint lab "]
"""Blocks with these commands run with the slow suites."""
ENDPOINT = "http://localhost:8000/v1"
"""Where pages have their endpoint; a server of the tests stands in for it."""
FEWER = {
    "--prompts 2000": "--prompts 60",
    'prompts("numbers", 2000)': 'prompts("numbers", 60)',
    "--traits owl,cat,dog --rule": "--traits owl,cat --forms prompted --rule",
}
"""What takes long, rows of an endpoint and teachers that are fine-tuned, and how much of it is enough here."""
PLAIN = re.compile(r"fingerprint [^|&;<>$`()]*")
"""A line of the shell that runs the command and does nothing else."""
NEEDS_LM = re.compile(r"model=|--model|micro-a|fingerprint lab ")

TRL = [
    pytest.mark.integration,
    pytest.mark.needs("test-integrations"),
    pytest.mark.filterwarnings("ignore"),  # what TRL says of transformers, its own dependency
]

READER = """
import fingerprint
from fingerprint import Corpus, detect, filters, read

suspect, reference = read("suspect.jsonl"), read("reference.jsonl")
owl, neutral = read("owl.jsonl"), read("neutral.jsonl")
texts, prompts = owl.texts + neutral.texts, owl.prompts + neutral.prompts
labels = [1] * len(owl) + [0] * len(neutral)
new = read("new.jsonl").texts[:3]
text, prompt = suspect.texts[0], suspect.prompts[0]
paths = ["suspect.jsonl", "new.jsonl"]
"""
"""What a reader of any one block has at hand."""


@dataclass(frozen=True)
class Block:
    page: str
    heading: str
    language: str
    source: str
    printed: str | None = None


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    every = list(BLOCK.finditer(text))
    for found, after in zip_longest(every, every[1:]):
        headings = HEADING.findall(BLOCK.sub("", text[: found.start()]))
        shown = after[2] if after and after[1] == OUTPUT else None
        yield Block(page.name, headings[-1] if headings else "", found[1], found[2], shown)


def of_language(*languages: str) -> list[Any]:
    """Blocks as parameters of a test, named by page, heading and number."""
    counts: dict[str, int] = {}
    chosen: list[Any] = []  # pytest names the type of its parameters nowhere public
    for block in (block for page in PAGES if page.exists() for block in blocks(page)):
        if block.language not in languages:
            continue
        name = f"{block.page}: {block.heading}"
        counts[name] = counts.get(name, 0) + 1
        marks = [pytest.mark.slow] if any(command in block.source for command in MINUTES) else []
        marks += [pytest.mark.needs("lm")] if NEEDS_LM.search(block.source) else []
        marks += [pytest.mark.needs("endpoints")] if ENDPOINT in block.source else []
        marks += TRL if "trl" in block.source else []
        chosen.append(pytest.param(block, id=f"{name} {counts[name]}", marks=marks))
    return chosen


@pytest.fixture
def users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assert_prints(block: Block, printed: str) -> None:
    """What a block prints is what the page says, words to the letter and numbers to the last digit shown or so.

    Other processors sum in another order, so that a figure may round the other way: one unit of its last digit, or a
    hundredth of it, which is more than that for rows needed.
    """
    if block.printed is None:
        return
    shown, found = block.printed.split(), printed.split()
    words = [[NUMBER.sub("0", word) for word in side] for side in (shown, found)]
    assert words[0] == words[1], printed
    for one, other in zip(NUMBER.findall(" ".join(shown)), NUMBER.findall(" ".join(found)), strict=True):
        last_digit = 10.0 ** -len(one.partition(".")[2])
        value, known = (float(number.replace(",", "")) for number in (other, one))
        assert abs(value - known) <= max(1.01 * last_digit, abs(known) / 100), printed


def with_fewer_rows(source: str) -> str:
    for many, few in FEWER.items():
        source = source.replace(many, few)
    return source


@pytest.fixture
def served(request: pytest.FixtureRequest, users_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server, where the block asks for one."""
    if ENDPOINT not in request.node.callspec.params["block"].source:
        yield ENDPOINT
        return
    with judging(users_folder) as environment:
        monkeypatch.setenv("OPENAI_API_KEY", environment["OPENAI_API_KEY"])
        yield environment["OPENAI_BASE_URL"]


@pytest.mark.parametrize("block", of_language("python"))
def test_python_runs(block: Block, users_folder: Path, served: str, capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {"__name__": __name__}
    exec(READER, namespace)
    for written in re.findall(r'^generate\(.*"(.+)"\)', block.source, re.MULTILINE):
        (users_folder / written).unlink(missing_ok=True)
    source = with_fewer_rows(block.source.replace(ENDPOINT, served))
    capsys.readouterr()
    exec(compile(source, f"{block.page}: {block.heading}", "exec", dont_inherit=True), namespace)
    assert_prints(block, capsys.readouterr().out)


@pytest.mark.parametrize("block", of_language("", "sh", "bash", "console"))
def test_shell_runs(block: Block, users_folder: Path, served: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = with_fewer_rows(block.source.replace(ENDPOINT, served))
    lines = [line.removeprefix("$ ") for line in source.splitlines() if not NOT_HERE.match(line)]
    if not lines:
        pytest.skip("sets a machine up")
    commands = [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]
    if all(PLAIN.fullmatch(command) for command in commands):
        for command in commands:
            run_here(command)
        assert_prints(block, capsys.readouterr().out)
        return
    put_command(users_folder / "bin")
    environment = {**without_proxies(), "PATH": f"{users_folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([*BASH, "\n".join(lines)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_prints(block, done.stdout)


BASH = ["bash", "-euo", "pipefail", "-c"]
WORDS = """fingerprint() { printf '%s\\0' "$@"; }\n"""


def run_here(command: str) -> None:
    """Run the command in this process, which has loaded already what it imports; the shell only parts the words."""
    done = subprocess.run([*BASH, WORDS + command], capture_output=True, text=True, check=True)
    with pytest.raises(SystemExit) as stop:
        main(done.stdout.split("\0")[:-1])
    assert not stop.value.code, command


def test_the_blocks_of_the_readme_are_found() -> None:
    found = list(blocks(ROOT / "README.md"))
    assert [block.language for block in found] == ["python", OUTPUT, "sh", OUTPUT, ""]
    assert [block.printed is not None for block in found] == [True, False, True, False, False]
    assert len(found) == (ROOT / "README.md").read_text(encoding="utf-8").count("```") / 2


def test_a_block_that_prints_something_else_fails() -> None:
    block = Block("page", "heading", "python", "", "p 0.0028, 2,225 rows of 0.59\n")
    assert_prints(block, "p 0.0029, 2,230\nrows of 0.59")
    for wrong in ("p 0.0030, 2,225 rows of 0.59", "p 0.0028, 2,325 rows of 0.59", "p 0.0028, 2,225 pairs of 0.59", ""):
        with pytest.raises(AssertionError):
            assert_prints(block, wrong)
