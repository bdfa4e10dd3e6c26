"""The words of the command line: one name for one option, old names, near misses, completion, checks before work."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import Run

from fingerprint.cli import completion
from fingerprint.cli.app import app
from fingerprint.cli.renamed import RENAMED
from fingerprint.data.nearest import nearest
from fingerprint.filters import Keywords, NumberRule
from fingerprint.filters.all_of import AllOf
from fingerprint.lab.experiment.plan import Plan
from fingerprint.lab.experiment.result import Arm, Result
from fingerprint.lab.experiment.transfer_table import as_text
from fingerprint.lab.students import Change
from fingerprint.lm.traits import known_trait
from fingerprint.statistics.intervals import Estimate


def commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


ALL = dict(commands(typer.main.get_command(app)))


def options() -> dict[str, dict[str, Any]]:
    """Options by their name, and in which commands they stand."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, command in ALL.items():
        for option in command.params:
            if option.opts[0].startswith("--") and option.opts[0] != "--help":
                found[option.opts[0]][name] = option
    return found


def test_an_option_of_one_name_takes_the_same_everywhere() -> None:
    """Apart from --out, which is a folder where a command fills one."""
    for name, places in options().items():
        if name == "--out":
            continue
        kinds = {(option.metavar, option.multiple, option.is_flag) for option in places.values()}
        assert len(kinds) == 1, (name, kinds)


def test_every_command_that_prints_can_be_quiet_and_plain() -> None:
    for name, command in ALL.items():
        there = {option.opts[0] for option in command.params}
        assert name == "panel show" or {"--quiet", "--color", "--debug"} <= there, name
        assert name == "panel show" or "-q" in next(o.opts for o in command.params if o.opts[0] == "--quiet")


def test_filters_are_named_by_one_option() -> None:
    assert set(options()["--filter"]) >= {"detect", "filter", "identify"}
    assert not {"--rule", "--keywords"} & set(options())


@pytest.mark.parametrize(("command", "old"), [(command, old) for command, names in RENAMED.items() for old in names])
def test_an_old_name_is_an_error_with_the_new_one(run: Run, command: str, old: str) -> None:
    assert old not in {name for name, places in options().items() if command in places}
    for given in ((old, "x"), (f"{old}=x",)):
        code, out, err = run(command, "a", *given)
        assert (code, out) == (2, "")
        assert f"{old} must be written {RENAMED[command][old]} now" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("detect", "a", "b", "--filter", "numers"), "did you mean numbers?"),
        (("detect", "a", "b", "--filter", "keyword=owl"), "did you mean keywords?"),
        (("lab", "--trait", "owll", "--out", "{out}"), "got 'owll'; did you mean owl?"),
        (("lab", "--trait", "owl", "--out", "{out}", "--form", "promted"), "--form must be one of finetuned, prompted"),
        (("lab", "--trait", "owl", "--out", "{out}", "--perturbations", "shuffled"), "did you mean shuffled_within?"),
        (("identify", "a", "--traits", "eagel", "--model", "micro-a"), "--traits must be one of the names"),
        (("detect", "a", "b", "--alpa", ".1"), "(Possible options: --alpha"),
        (("detekt", "a", "b"), "Did you mean 'detect'?"),
    ],
)
@pytest.mark.needs("lm")
def test_a_near_miss_is_named(run: Run, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(*(part.format(out=tmp_path / "out") for part in arguments))
    assert (code, out) == (2, "")
    assert message in err
    assert "known_trait" not in err
    assert list(tmp_path.iterdir()) == []


def test_the_nearest_name_is_one_that_is_like_it() -> None:
    assert nearest("NGRAM", ["tokens", "ngrams"]) == "ngrams"
    assert nearest("zzz", ["tokens", "ngrams"]) is None


def test_a_missing_reference_is_said_before_the_suspect_is_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("not json\n")
    (tmp_path / "reference.jsonl").write_text("")
    for arguments in (("detect",), ("compare",), ("train", "--out", tmp_path / "d")):
        code, out, err = run(*arguments, tmp_path / "a.jsonl", tmp_path / "referense.jsonl")
        assert (code, out) == (2, "")
        assert "must be a file, or a glob that matches files" in err
        assert "did you mean" in err
        assert "reference.jsonl" in err


def test_a_folder_that_cannot_be_made_is_said_before_any_work(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = run("lab", "--trait", "owl", "--out", tmp_path / "file" / "lab")
    assert (code, "--out must be a folder" in err) == (2, True)


def test_several_filters_as_one_keep_what_all_of_them_keep() -> None:
    both = AllOf((NumberRule(), Keywords(["owl"])))
    found = both(["1, 2", "owl", "a walk"])
    assert found.kept.tolist() == [True, False, False]
    assert len(found.reasons[1]) == 2


class _Typed:
    def __init__(self, **params: str) -> None:
        self.params = params


def test_the_shell_completes_names_and_columns(tmp_path: Path) -> None:
    assert completion.filters("numb") == ["numbers", "numbers-banned"]
    assert completion.families("tokens,n") == ["tokens,ngrams", "tokens,numbers"]
    assert completion.traits("ow") == ["owl"]
    assert completion.forms("p") == ["prompted"]
    (tmp_path / "a.jsonl").write_text(json.dumps({"answer": "1", "asked": "2", "id": 3}) + "\n")
    (tmp_path / "b.csv").write_text('"other",answer\r\n1,2\r\n')
    typed: Any = _Typed(suspect=str(tmp_path / "a.jsonl"), reference=str(tmp_path / "b.csv"))
    assert completion.columns(typed, "") == ["answer", "asked", "id", "other"]
    assert completion.columns(typed, "as") == ["asked"]
    missing: Any = _Typed(suspect="missing.jsonl")
    assert completion.columns(missing, "") == []


def test_completion_can_be_installed(run: Run) -> None:
    assert "--install-completion" in run("--help")[1]


def test_help_says_how_long_commands_take() -> None:
    for name in ("detect", "identify", "lab", "train", "scan", "filter", "sketch", "compare", "panel build"):
        assert "akes " in ALL[name].help, name


@pytest.mark.needs("lm")
def test_the_table_of_the_lab_fits_100_columns() -> None:
    change = Change(0.14, 0.59, Estimate(-0.45, -0.51, -0.39), 0.97, 0.95, "ok")
    arm = Arm("neutral_shuffled_across", "other_base", change, -0.45, "cat", 0.1, 0.59, 0.84, 0.0001, 5000, 1)
    broken = replace(arm, change=replace(change, status="broken"))
    result = Result(Plan(known_trait("owl")), (arm, broken), 0.9, {"trait": 0.9, "neutral": 0.9})
    lines = as_text(result).splitlines()
    assert max(map(len, lines)) <= 100
    assert any("broken" in line and "other base" in line for line in lines)


def test_errors_speak_in_options(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Prompt,Answer\nx,1\n" * 3)
    code, _, err = run("detect", tmp_path / "a.csv", tmp_path / "a.csv", "--text", "answr", "--prompt", "Prompt")
    assert (code, "did you mean 'Answer'? Otherwise name another with --text COL" in err) == (2, True)
    assert "bad_rows=" not in err
    (tmp_path / "owl.detector").write_text("")
    code, _, err = run("scan", tmp_path / "a.csv", "--detector", tmp_path / "owl.detectr")
    assert (code, f"did you mean {tmp_path / 'owl.detector'}?" in err) == (2, True)


def test_the_list_of_commands_cuts_no_sentence(run: Run) -> None:
    lines = run("--help")[1].split("Commands:")[1].splitlines()
    assert not [line for line in lines if line.endswith("...") and "panel" not in line]
