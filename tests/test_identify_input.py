"""What `identify` takes: candidates of every kind, bad arguments, and the command."""

import json
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

import fingerprint
from fingerprint.cli.app import app
from fingerprint.data.corpus import Corpus
from fingerprint.filters import NumberRule
from fingerprint.identification.answers import sampling_seed
from fingerprint.identification.candidates import Candidate, listed
from fingerprint.identification.result import Identification
from fingerprint.lm.loading import load
from fingerprint.lm.prompts import preference_questions, prompts
from fingerprint.lm.teachers import neutral, prompted
from fingerprint.lm.traits import known_trait

OWL = known_trait("owl")


@pytest.mark.needs("lm")
def test_candidates_of_every_kind_are_recognised() -> None:
    teacher = prompted("micro-a", OWL)
    found = listed(["owl", "You love order.", "micro-b", teacher, Corpus(("1",), name="c")], ["prompted"], "candidates")
    assert [(c.name, c.form) for c in found] == [
        ("owl", "prompted"),
        ("You love order.", "system prompt"),
        ("micro-b", "teacher"),
        ("prompted: owl", "teacher"),
        ("c", "corpus"),
    ]
    both = listed(["cat"], ["finetuned", "prompted"], "candidates")
    assert both[0] == Candidate("cat", "finetuned", known_trait("cat"))
    assert both[1].form == "prompted"


@pytest.mark.needs("lm")
def test_loaded_models_and_rows_are_recognised() -> None:
    lm = load("micro-b")
    rows = [{"prompt": "p", "completion": "1, 2"}]
    found = listed([lm, (lm.model, lm.tokenizer), lm.model, rows], ["prompted"], "candidates")
    assert [(c.name, c.form) for c in found] == [
        ("micro-b", "teacher"),
        ("candidates[1]", "teacher"),
        ("candidates[2]", "teacher"),
        ("candidates[3]", "corpus"),
    ]
    assert found[3].source == Corpus(("1, 2",), ("p",), name="candidates[3]")


@pytest.mark.needs("lm")
def test_bad_arguments_are_named_before_anything_loads() -> None:
    rows = [{"prompt": "p", "completion": "1, 2"}]
    with pytest.raises(ValueError, match="reference must be given where there is no model, got neither"):
        fingerprint.identify(rows, ["owl"])
    with pytest.raises(ValueError, match="candidates must be at least one, got none"):
        fingerprint.identify(rows, [], model="micro-a")
    with pytest.raises(ValueError, match=r"model must be given for candidates that are models, got none for 'owl'"):
        fingerprint.identify(rows, ["owl"], reference=rows)
    with pytest.raises(ValueError, match=r"candidates\[0\] must be a trait known to the lab.*got 'axolotl'"):
        fingerprint.identify(rows, ["axolotl"], model="micro-a")
    with pytest.raises(ValueError, match="forms must be among finetuned, prompted, got 'tuned'"):
        fingerprint.identify(rows, ["owl"], model="micro-a", forms=["tuned"])
    with pytest.raises(ValueError, match="must differ in their names, got 'owl' twice"):
        fingerprint.identify(rows, ["owl", "owl"], model="micro-a")
    with pytest.raises(TypeError, match="candidates must be a list or a mapping of names, got 'owl'"):
        fingerprint.identify(rows, "owl", model="micro-a")
    with pytest.raises(ValueError, match="alpha must be between 0 and 1"):
        fingerprint.identify(rows, ["owl"], model="micro-a", alpha=1)
    with pytest.raises(ValueError, match="must hold at least 10 independent rows or prompts, got 1"):
        fingerprint.identify(rows, ["owl"], model="micro-a")
    long = [{"prompt": f"p {i}", "completion": ", ".join(["123"] * (500 if i == 7 else 3))} for i in range(12)]
    with pytest.raises(ValueError, match=r"context of 512 tokens, got \d+ in row 8 of suspect; leave it out"):
        fingerprint.identify(long, ["owl"], model="micro-a")


def test_a_rule_that_the_suspect_breaks_is_refused() -> None:
    rows = [{"prompt": f"p {i}", "completion": "owls!" if i == 3 else "12, 13, 14"} for i in range(20)]
    with pytest.raises(
        ValueError, match=r"got 1 of 20 rows that number rule drops, the first in row 4 .*filter --kept"
    ):
        fingerprint.identify(rows, ["owl"], model="micro-a", rule=NumberRule())


def test_the_command_names_bad_arguments() -> None:
    done = CliRunner().invoke(app, ["identify", "rows", "--traits", "axolotl"])
    assert done.exit_code == 2
    assert "got 'axolotl'" in done.output
    done = CliRunner().invoke(app, ["identify", "rows", "--traits", "owl"])
    assert done.exit_code == 2
    assert "--reference must be given where there is no model" in done.output


@pytest.mark.needs("lm")
def test_the_command_writes_json(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    asked = prompts("numbers", 40, rng=8)
    answers = neutral("micro-b").sample(asked, seed=5, max_new_tokens=48)
    lines = [json.dumps({"prompt": p, "completion": a.text}) for p, a in zip(asked, answers, strict=True)]
    rows.write_text("\n".join(lines) + "\n")
    arguments = ["identify", str(rows), "--model", "micro-a", "--candidate", "micro-b", "--permutations", "199"]
    done = CliRunner().invoke(app, [*arguments, "--json", str(tmp_path / "a.json")])
    assert done.exit_code == 0, done.stderr
    assert "micro-b" in done.stdout
    record = json.loads((tmp_path / "a.json").read_text())
    jsonschema.validate(record, Identification.json_schema())
    again = CliRunner().invoke(app, [*arguments, "--quiet", "--json", str(tmp_path / "b.json")])
    assert again.exit_code == 0
    assert again.stdout == Identification.from_json(tmp_path / "a.json").headline + "\n"
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.needs("lm")
def test_rows_sampled_by_the_command_pass_the_rule(tmp_path: Path) -> None:
    """With --filter the reference is what the base answers, less the rows that the rule drops; without, all of it."""
    asked = prompts("numbers", 60, rng=4)
    answers = prompted("micro-a", OWL).sample(asked, seed=3, max_new_tokens=48)
    reasons = NumberRule()([a.text for a in answers], asked).reasons
    passed = [(p, a.text) for p, a, why in zip(asked, answers, reasons, strict=True) if a.finished and not why]
    # Any base answers these in words, which the rule drops.
    passed += [(question, "12, 5, 81") for question in preference_questions("animal")[:10]]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"prompt": p, "completion": t}) + "\n" for p, t in passed))

    base = neutral("micro-a")
    longest = max(len(ids) for ids in base.lm.answers([text for _, text in passed]))
    theirs = [
        a for a in base.sample([p for p, _ in passed], seed=sampling_seed(0), max_new_tokens=longest) if a.finished
    ]
    n_passed = sum(not why for why in NumberRule()([a.text for a in theirs], [None] * len(theirs)).reasons)
    assert n_passed < len(theirs)

    counts = []
    for options in (["--filter", "numbers"], []):
        arguments = ["identify", str(rows), "--model", "micro-a", "--candidate", "You love order.", *options]
        done = CliRunner().invoke(app, [*arguments, "--permutations", "99", "--json", str(tmp_path / "found.json")])
        assert done.exit_code == 0, done.stderr
        counts.append(json.loads((tmp_path / "found.json").read_text())["reference"]["rows"])
    assert counts == [n_passed, len(theirs)]


@pytest.mark.needs("lm")
def test_the_command_leaves_bad_rows_out_if_asked(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    lines = [json.dumps({"prompt": f"Count from {i}", "completion": f"{i}, {i + 1}"}) for i in range(20)]
    rows.write_text("\n".join([*lines[:7], '{"prompt": "cut', *lines[7:]]))
    arguments = ["identify", str(rows), "--model", "micro-a", "--candidate", "You love order.", "--permutations", "99"]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2
    assert "line 8" in refused.output
    done = CliRunner().invoke(app, [*arguments, "--skip-bad-rows", "--json", str(tmp_path / "found.json")])
    assert done.exit_code == 0, done.stderr
    assert json.loads((tmp_path / "found.json").read_text())["rows"] == 20


@pytest.mark.needs("lm")
def test_the_command_refuses_a_rule_that_is_none(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "p", "completion": "1, 2"}\n')
    arguments = ["identify", str(rows), "--model", "micro-a", "--candidate", "You love order.", "--filter", "digits"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "filter must be one of numbers" in done.output
    assert "got 'digits'" in done.output
