"""What the pages show runs: blocks of Python and of the shell in README, docs and CONTRIBUTING, and the notebooks."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from users_folder import ROOT, furnish, judging, put_command, without_proxies

from fingerprint.cli.app import main

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
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


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        headings = HEADING.findall(BLOCK.sub("", text[: found.start()]))
        yield Block(page.name, headings[-1] if headings else "", found[1], found[2])


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
def test_python_runs(block: Block, users_folder: Path, served: str) -> None:
    namespace: dict[str, object] = {"__name__": __name__}
    exec(READER, namespace)
    for written in re.findall(r'^generate\(.*"(.+)"\)', block.source, re.MULTILINE):
        (users_folder / written).unlink(missing_ok=True)
    source = with_fewer_rows(block.source.replace(ENDPOINT, served))
    exec(compile(source, f"{block.page}: {block.heading}", "exec", dont_inherit=True), namespace)


@pytest.mark.parametrize("block", of_language("", "sh", "bash", "console"))
def test_shell_runs(block: Block, users_folder: Path, served: str) -> None:
    source = with_fewer_rows(block.source.replace(ENDPOINT, served))
    lines = [line.removeprefix("$ ") for line in source.splitlines() if not NOT_HERE.match(line)]
    if not lines:
        pytest.skip("sets a machine up")
    commands = [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]
    if all(PLAIN.fullmatch(command) for command in commands):
        for command in commands:
            run_here(command)
        return
    put_command(users_folder / "bin")
    environment = {**without_proxies(), "PATH": f"{users_folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([*BASH, "\n".join(lines)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


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
    assert {block.language for block in found} == {"", "python"}
    assert len(found) > 10
    assert len(found) == (ROOT / "README.md").read_text(encoding="utf-8").count("```") / 2


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_from_top_to_bottom(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert sources
    monkeypatch.chdir(tmp_path)
    exec(compile("\n\n".join(sources), notebook.name, "exec", dont_inherit=True), {"__name__": "__main__"})
