"""`fingerprint panel build`: rows of a neutral teacher and of teachers with traits, here and behind an endpoint."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from servers import Server

from fingerprint.endpoints import endpoint as endpoints
from fingerprint.lab.panel_rows import PanelRows
from fingerprint.lm.endpoint_teachers import EndpointTeacher
from fingerprint.panels.panel import Panel

KEY = "sk-never-to-be-written"

needs_endpoints = pytest.mark.needs("endpoints")


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(endpoints, "LONGEST_WAIT", 0.3)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def build(folder: Path, *more: str) -> tuple[str, ...]:
    return ("panel", "build", "--traits", "owl,cat", "--prompts", "60", "--out", str(folder), *more)


def at(server: Server) -> tuple[str, ...]:
    return ("--model", "M", "--endpoint", f"http://127.0.0.1:{server.port}/v1", "--timeout", "0.5", "--deadline", "1")


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@needs_endpoints
def test_an_endpoint_writes_a_panel(serve: Callable[..., Server], run: Run, tmp_path: Path) -> None:
    server, folder = serve("ok,ok,429,ok,500"), tmp_path / "panel"
    code, out, err = run(*build(folder, *at(server), "--prices", "1,2"))
    assert (code, err) == (0, "")
    assert sorted(os.listdir(folder)) == ["cat.jsonl", "neutral.jsonl", "owl.jsonl", "panel.panel"]
    rows = {name: rows_in(folder / f"{name}.jsonl") for name in ("neutral", "owl", "cat")}
    assert len({tuple(row["prompt"] for row in some) for some in rows.values()}) == 1
    assert len({tuple(row["completion"] for row in some) for some in rows.values()}) == 3
    assert {some[0]["teacher"] for some in rows.values()} == {"neutral", "prompted: owl", "prompted: cat"}
    panel = Panel.load(folder / "panel.panel")
    assert [member.name for member in panel.members] == ["cat", "owl"]
    assert panel.bases == ("M",)
    lines = out.splitlines()
    assert lines[0] == "60 rows each of neutral, owl, cat"
    assert "18,400 prompt and 368 completion tokens, cost 0.01914" in lines[1]  # 180 rows and 4 that say that it draws
    assert all(KEY not in file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*") if file.is_file())
    code, shown, _ = run("panel", "show", folder / "panel.panel")
    assert code == 0
    assert shown.startswith("Panel(cat, owl; M)\n  cat  60 conditioned and 60 neutral rows of M\n")
    assert "\ncat " in shown
    before = server.served()
    assert run(*build(folder, *at(server)))[0] == 0
    assert server.served() == before  # nothing is asked again


@needs_endpoints
def test_a_dry_run_asks_nothing_and_says_what_is_left(serve: Callable[..., Server], run: Run, tmp_path: Path) -> None:
    server, folder = serve(), tmp_path / "panel"
    dry = build(folder, *at(server), "--prices", "1,2", "--dry-run")
    code, out, _ = run(*dry)
    assert code == 0
    first, second = out.splitlines()
    assert first == "180 of 180 rows are left to ask for: 60 each of neutral, owl, cat"
    assert "at most 14,400 completion tokens: by these prices 0.0" in second
    assert not folder.exists()
    assert not server.served()
    run(*build(folder, *at(server)))
    (folder / "cat.jsonl").unlink()
    assert run(*dry)[1].splitlines()[0].startswith("60 of 180 rows are left")


@needs_endpoints
def test_a_budget_is_for_the_folder_whatever_was_spent_before(
    serve: Callable[..., Server], run: Run, tmp_path: Path
) -> None:
    server, folder = serve(), tmp_path / "panel"
    paying = (*at(server), "--prices", "1,1", "--budget")
    code, _, err = run(*build(folder, *paying, "0.008"))
    assert (code, err.splitlines()[0][:46]) == (2, "fingerprint: error: --budget must cover all re")
    kept = len(rows_in(folder / "neutral.jsonl")) + len(rows_in(folder / "owl.jsonl.partial"))
    assert 0.006 < kept * 102e-6 <= 0.008
    assert run(*build(folder, *paying, "0.008"))[0] == 2
    assert sum(server.served().values()) * 102e-6 <= 0.009  # and the four that show that it draws
    code, _, err = run(*build(folder, *paying, "0.005"))
    assert "--budget must be above what the folder has cost, got 0.005 for 0.00" in err
    assert run(*build(folder, *paying, "1"))[0] == 0
    assert len(rows_in(folder / "cat.jsonl")) == 60


@needs_endpoints
def test_fine_tuned_models_of_an_endpoint_have_names_of_their_own(
    serve: Callable[..., Server], run: Run, tmp_path: Path
) -> None:
    server, folder = serve(), tmp_path / "panel"
    named = ("panel", "build", "--prompts", "60", "--out", str(folder), "--form", "finetuned", *at(server))
    assert run(*named, "--traits", "owl=ft:owl, evil=ft:evil")[0] == 0
    assert {rows_in(folder / f"{name}.jsonl")[0]["model"] for name in ("neutral", "owl", "evil")} == {
        "M", "ft:owl", "ft:evil"
    }  # fmt: skip
    assert {row["teacher_system"] for row in rows_in(folder / "owl.jsonl")} == {None}
    code, _, err = run(*named, "--traits", "owl")
    assert (code, "say which it is: owl=MODEL" in err) == (2, True)


@needs_endpoints
def test_a_server_that_does_not_draw_is_told(serve: Callable[..., Server], run: Run, tmp_path: Path) -> None:
    server = serve("greedy")
    code, _, err = run(*build(tmp_path / "panel", *at(server)))
    assert "warning: the endpoint at 127.0.0.1 gave one answer to a prompt however often it was asked" in err
    assert code == 0
    asked = sum(server.served().values())
    run(*build(tmp_path / "other", *at(server), "--temperature", "0"))
    assert sum(server.served().values()) == asked + 180  # nobody expects draws there


@needs_endpoints
@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--model", "missing"), "got status 404; check the model, 'missing', and --endpoint"),
        (("--traits", "owl,unicorn"), "--traits must be one of the names known to the lab"),
        (("--traits", "owl,owl"), "--traits must have names of their own, got owl, owl"),
        (("--traits", "owl=M"), "--traits must be names alone here, got owl='M'"),
        (("--form", "taught"), "--form must be prompted or finetuned, got 'taught'"),
        (("--endpoint", "localhost:8000"), "--endpoint must be http://HOST:PORT/v1 or https://HOST/v1"),
        (("--budget", "3"), "--budget must come with prices, got none"),
        (("--prices", "3"), "--prices must be IN,OUT for a million tokens, got '3'"),
        (("--field", "top_p"), "--field must be NAME=JSON, got 'top_p'"),
        (("--field", "temperature=0.2"), "--field must leave out what rows are written with, got 'temperature'"),
        (("--key-variable", "NOBODYS_KEY"), "NOBODYS_KEY must hold the endpoint's API key, got nothing"),
    ],
)
def test_bad_input_is_one_line(
    serve: Callable[..., Server], run: Run, tmp_path: Path, options: tuple[str, ...], line: str
) -> None:
    code, out, err = run(*build(tmp_path / "panel", *at(serve()), *options))
    assert (code, out) == (2, "")
    assert line in err
    assert len(err.splitlines()) == 1


def test_prices_without_an_endpoint_are_refused(run: Run, tmp_path: Path) -> None:
    code, _, err = run(*build(tmp_path, "--model", "micro-a", "--dry-run"))
    assert (code, "must come with --endpoint; add it" in err) == (2, True)


@pytest.mark.needs("lm")
@pytest.mark.parametrize("form", ["prompted", "finetuned"])
def test_teachers_on_this_machine_write_a_panel(
    run: Run, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fingerprint.lm.teachers import finetuned
    from fingerprint.lm.training import LoRA, Recipe

    used = "fingerprint.lab.kept_teachers.finetuned"
    quick = Recipe(learning_rate=5e-3, batch_size=200, epochs=1, weights=LoRA(rank=2))
    monkeypatch.setattr(used, lambda base, trait, *_, **__: finetuned(base, trait, quick))
    command = ("panel", "build", "--model", "micro-a", "--traits", "owl", "--prompts", "80", "--form", form, "--out")
    code, out, err = run(*command, tmp_path)
    assert (code, err) == (0, "")
    assert out.startswith("80 rows each of neutral, owl\n")
    rows = rows_in(tmp_path / "owl.jsonl")
    assert {row["teacher"] for row in rows} == {f"{form}: owl"}
    whole_file = (tmp_path / "owl.jsonl").read_bytes()
    (tmp_path / "owl.jsonl").rename(tmp_path / "owl.jsonl.partial")
    os.truncate(tmp_path / "owl.jsonl.partial", len(whole_file) // 2)  # killed in the middle
    monkeypatch.setattr(used, lambda *_, **__: pytest.fail("fine-tuned again"))
    assert run(*command, tmp_path)[0] == 0
    assert (tmp_path / "owl.jsonl").read_bytes() == whole_file


@needs_endpoints
def test_planning_an_endpoint_panel_loads_no_model_library() -> None:
    import subprocess

    program = (
        "from fingerprint.lab.panel_rows import PanelRows; from fingerprint.lm.teachers import Endpoint; import sys;"
        "rows = PanelRows(Endpoint('M', 'http://localhost/v1'), ('owl',)); rows.teacher('owl', None);"
        "print('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
    rows = PanelRows(endpoints.Endpoint("M", "http://localhost/v1"), ("owl",), sends_seed=False)
    teacher = rows.teacher("owl", Path())
    assert isinstance(teacher, EndpointTeacher)
    assert not teacher.sends_seed
