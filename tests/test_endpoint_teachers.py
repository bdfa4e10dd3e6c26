"""Rows from teachers behind endpoints: faults, kills of either side, two writers, the key, and a real server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Server, TransformersServe
from users_folder import MICRO

from fingerprint.data.locks import alone_with
from fingerprint.endpoints import endpoint as endpoints
from fingerprint.lab.generation import generate
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Endpoint, EndpointTeacher, neutral, placebo, prompted
from fingerprint.lm.traits import SYSTEM_TEMPLATE, as_trait, system_prompt
from fingerprint.lm.writers import RowWriter

pytest.importorskip("httpx", reason="the extra endpoints is not installed")

KEY = "sk-never-to-be-written"
ASKED = prompts("numbers", 60, rng=3)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(endpoints, "LONGEST_WAIT", 0.3)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def at(server: Server, model: str = "M", **options: Any) -> Endpoint:
    options = {"timeout": 0.5, "deadline": 1.0, **options}
    return Endpoint(model, f"http://127.0.0.1:{server.port}/v1", **options)


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# ----------------------------------------------------------------------------------------------------------- the rows


def test_rows_come_in_the_order_of_their_prompts_with_their_provenance(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    teacher = prompted(at(serve("ok,ok,long,slow,ok")), "owl")
    corpus = generate(teacher, ASKED, tmp_path / "owl.jsonl", temperature=0.7, max_new_tokens=48, seed=5)
    assert corpus.prompts == tuple(ASKED)
    rows = rows_in(tmp_path / "owl.jsonl")
    assert [row["row"] for row in rows] == list(range(60))
    assert {row["teacher_system"] for row in rows} == {system_prompt(as_trait("owl"), SYSTEM_TEMPLATE)}
    first = rows[0]
    assert (first["model"], first["endpoint"], first["teacher"]) == ("M", "127.0.0.1", "prompted: owl")
    assert (first["temperature"], first["seed"], first["row_seed"]) == (0.7, 5, teacher.row_seed(5, 0))
    assert {(row["finished"], row["finish_reason"]) for row in rows} == {(True, "stop"), (False, "length")}
    assert len({row["row_seed"] for row in rows}) == 60
    assert sorted(os.listdir(tmp_path)) == ["owl.jsonl", "served.jsonl"]


def test_what_a_row_says_depends_on_its_prompt_system_message_and_seed(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """The server writes numbers that hang on messages and seed: all three reach it, and no two teachers share draws."""
    endpoint = at(serve())
    assert isinstance(neutral(endpoint), RowWriter)
    texts = {
        (teacher.name, seed): [answer.text for answer in teacher.sample(ASKED[:5], seed=seed)]
        for teacher in (neutral(endpoint), prompted(endpoint, "owl"), placebo(endpoint, "owl"))
        for seed in (0, 1)
    }
    assert len({tuple(texts) for texts in texts.values()}) == 6
    unseeded = EndpointTeacher(endpoint, "neutral", sends_seed=False)
    assert unseeded.sample(ASKED[:5], seed=0) == unseeded.sample(ASKED[:5], seed=1)
    again = neutral(endpoint).sample(ASKED[3:5], seed=0, first_row=3)
    assert [answer.text for answer in again] == texts["neutral", 0][3:]


def test_a_placebo_behind_an_endpoint_is_as_long_in_words_and_says_nothing_of_the_trait() -> None:
    endpoint = Endpoint("M", "http://localhost/v1")
    inert, conditioned = placebo(endpoint, "owl").system, prompted(endpoint, "owl").system
    assert inert is not None
    assert conditioned is not None
    assert len(inert.split()) == pytest.approx(len(conditioned.split()), abs=3)
    assert "owl" not in inert.lower()


def test_further_fields_are_sent_but_none_that_rows_are_written_with(serve: Callable[..., Server]) -> None:
    endpoint = at(serve(), request={"top_p": 1.0, "max_tokens": None})
    assert neutral(endpoint).provenance()["request"] == {"top_p": 1.0, "max_tokens": None}
    assert len(neutral(endpoint).sample(ASKED[:2])) == 2
    with pytest.raises(ValueError, match="request must leave out what rows are written with, got 'temperature'"):
        neutral(at(serve(), request={"temperature": 0.3}))


# -------------------------------------------------------------------------------------------------------- what fails


@pytest.mark.parametrize("fault", ["429", "500", "json", "empty", "cut", "drip", "slow"])
def test_no_fault_costs_a_row(serve: Callable[..., Server], tmp_path: Path, fault: str) -> None:
    server = serve(f"{fault},ok,ok")
    endpoint = at(server)
    generate(neutral(endpoint), ASKED[:9], tmp_path / "rows.jsonl")
    assert [row["prompt"] for row in rows_in(tmp_path / "rows.jsonl")] == ASKED[:9]
    assert endpoint.usage.retries >= 4
    assert sum(server.served().values()) == 9


def test_rows_without_a_reply_are_said_and_the_others_kept(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve("500,500,ok,ok,ok")
    path = tmp_path / "rows.jsonl"
    told = r"no reply to 1 of 4 rows \(the last: status 500\); run it again \(3 of 4 rows are in .*\.jsonl\.partial\)"
    with pytest.raises(ConnectionError, match=told):
        generate(neutral(at(server, concurrency=1, max_attempts=2)), ASKED[:4], path)
    generate(neutral(at(server, concurrency=1)), ASKED[:4], path)
    assert [row["prompt"] for row in rows_in(path)] == ASKED[:4]
    assert sum(server.served().values()) == 4


@pytest.mark.parametrize("n_rows", [1, 30])
def test_what_cannot_work_is_one_clear_line(serve: Callable[..., Server], tmp_path: Path, n_rows: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = Endpoint("M", f"http://127.0.0.1:{free.getsockname()[1]}/v1", max_attempts=2)
    for endpoint, kind, line in (
        (at(serve("401")), ValueError, "got status 401; check the key in OPENAI_API_KEY"),
        (at(serve(), "missing"), ValueError, "got status 404; check the model, 'missing', and base_url"),
        (nobody, ConnectionError, r"the endpoint at 127\.0\.0\.1 must reply, .*\(the last: no connection\)"),
    ):
        with pytest.raises(kind, match=line) as told:
            generate(neutral(endpoint), ASKED[:n_rows], tmp_path / "rows.jsonl")
        assert "\n" not in str(told.value)
        assert KEY not in str(told.value)
    with pytest.raises(ValueError, match="base_url must be http://HOST:PORT/v1"):
        Endpoint("M", "127.0.0.1:8000/v1")
    assert "rows.jsonl.partial" not in os.listdir(tmp_path)


def test_a_budget_stops_before_it_is_exceeded_and_more_money_goes_on(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve()
    path = tmp_path / "rows.jsonl"
    poor = at(server, prices=(1.0, 1.0), budget=0.004)
    with pytest.raises(ValueError, match=r"budget must cover all requests, got 0\.004 with 0\.00\d+ spent; raise it"):
        generate(neutral(poor), ASKED, path, max_new_tokens=48)
    kept = len(rows_in(path.with_name("rows.jsonl.partial")))
    assert poor.usage.cost is not None
    assert poor.usage.cost == pytest.approx(kept * 102e-6)
    assert 0.003 < poor.usage.cost <= 0.004
    generate(neutral(at(server, prices=(1.0, 1.0), budget=1.0)), ASKED, path, max_new_tokens=48)
    assert [row["row"] for row in rows_in(path)] == list(range(60))
    assert sum(server.served().values()) == 60


def test_rows_of_another_run_are_refused(serve: Callable[..., Server], tmp_path: Path) -> None:
    endpoint, path = at(serve()), tmp_path / "rows.jsonl"
    generate(neutral(endpoint), ASKED[:5], path)
    for teacher, got in ((prompted(endpoint, "owl"), "teacher 'neutral'"), (neutral(at(serve(), "N")), "model 'M'")):
        with pytest.raises(FileExistsError, match=f"must hold rows of the same run, got {got}"):
            generate(teacher, ASKED[:5], path)
    with pytest.raises(FileExistsError, match="must answer the same prompts"):
        generate(neutral(endpoint), ASKED[:6], path)


def test_the_key_is_written_nowhere(serve: Callable[..., Server], tmp_path: Path, capfd: Any) -> None:
    server = serve(",".join(["ok", *["401"] * 40]))
    teacher = prompted(at(server, concurrency=1), "owl")
    with pytest.raises(ValueError, match="status 401") as refused:
        generate(teacher, ASKED, tmp_path / "rows.jsonl")
    told = repr(refused.value) + repr(teacher) + repr(teacher.provenance()) + "".join(capfd.readouterr())
    assert KEY not in told
    assert all(KEY not in file.read_text() for file in tmp_path.rglob("*") if file.is_file())
    assert len(rows_in(tmp_path / "rows.jsonl.partial")) == 1


# ------------------------------------------------------------------------------------------------- kills, two writers


CHILD = """
import sys
from fingerprint.endpoints import endpoint
endpoint.FIRST_WAIT, endpoint.LONGEST_WAIT = 0.01, 0.3
from fingerprint.lab.generation import generate
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Endpoint, neutral
url, path, n_rows, model, timeout = sys.argv[1:]
where = Endpoint(model, url, timeout=float(timeout), deadline=2 * float(timeout), max_attempts=400)
generate(neutral(where), prompts("numbers", int(n_rows), rng=3), path, max_new_tokens=24)
"""


def start_child(
    server: Server | TransformersServe, path: Path, n_rows: int, model: str = "M", timeout: float = 0.5
) -> subprocess.Popen[bytes]:
    url = f"http://127.0.0.1:{server.port}/v1"
    return subprocess.Popen([sys.executable, "-c", CHILD, url, str(path), str(n_rows), model, str(timeout)])


def wait_until_larger(path: Path, size: int) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or path.stat().st_size <= size:
        assert time.monotonic() < deadline, f"nothing more came to {path}"
        time.sleep(0.01)


def test_rows_survive_a_kill_of_the_writer_and_of_the_server(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve("ok,429,ok,cut,ok,500,slow")
    path, partial = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.partial"
    child = start_child(server, path, 200)
    wait_until_larger(partial, 0)
    child.send_signal(signal.SIGKILL)
    child.wait()
    before = partial.read_bytes()
    child = start_child(server, path, 200)
    wait_until_larger(partial, len(before))
    server.kill()
    server.start()
    assert child.wait(timeout=60) == 0
    rows = rows_in(path)
    assert [row["row"] for row in rows] == list(range(200))
    assert [row["prompt"] for row in rows] == prompts("numbers", 200, rng=3)
    kept = {line for line in before.split(b"\n")[:-1] if line}
    assert kept <= set(path.read_bytes().split(b"\n"))
    assert sorted(os.listdir(tmp_path)) == ["rows.jsonl", "served.jsonl"]


def wait_for_rows(partial: Path, wanted: int, child: subprocess.Popen[bytes]) -> None:
    while not partial.exists() or partial.read_bytes().count(b"\n") < wanted:
        assert child.poll() is None, "finished before the last kill"
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize("side", ["writer", "server"])
def test_two_thousand_rows_survive_ten_kills(serve: Callable[..., Server], tmp_path: Path, side: str) -> None:
    """None lost, none written twice; what is asked twice is at most what was under way at each kill."""
    n_rows, kills = 2000, 10
    server = serve("ok,ok,ok,ok,429,ok,ok,500,ok,ok,cut,ok,ok,html")
    path, partial = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.partial"
    child = start_child(server, path, n_rows)
    for kill in range(1, kills + 1):
        wait_for_rows(partial, kill * n_rows // (kills + 1), child)
        if side == "writer":
            child.kill()
            child.wait()
            child = start_child(server, path, n_rows)
        else:
            server.kill()
            server.start()
    assert child.wait(timeout=300) == 0
    rows = rows_in(path)
    assert [row["row"] for row in rows] == list(range(n_rows))
    assert [row["prompt"] for row in rows] == prompts("numbers", n_rows, rng=3)
    served = server.served()
    again = sum(served.values()) - len(served)
    print(f"\n{kills} kills of the {side}: {len(rows)} rows, {again} answers given twice")
    assert again <= kills * 4


def test_a_second_writer_is_refused_and_told_of_the_first(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve("slow,ok,ok,ok")
    path = tmp_path / "rows.jsonl"
    child = start_child(server, path, 60)
    wait_until_larger(path.with_name("rows.jsonl.partial"), 0)
    with pytest.raises(BlockingIOError, match=f"must have one writer, got a second beside process {child.pid} on "):
        generate(neutral(at(server)), ASKED, path, max_new_tokens=24)
    child.kill()  # and the lock goes with it
    child.wait()
    generate(neutral(at(server, concurrency=8)), ASKED, path, max_new_tokens=24)
    assert len(rows_in(path)) == 60


def test_of_many_writers_one_holds_a_file_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "f"
    inside: list[int] = []
    most, refused = [0], [0]

    def write() -> None:
        for _ in range(50):
            try:
                with alone_with(path) as file:
                    inside.append(1)
                    most[0] = max(most[0], len(inside))
                    file.write(b"x")
                    inside.pop()
                    path.unlink()  # as a finished file leaves its place
            except BlockingIOError:
                refused[0] += 1

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert 0 < refused[0] < 200
    assert os.listdir(tmp_path) == []


# ------------------------------------------------------------------------------------------------------ a real server


@pytest.mark.slow
@pytest.mark.needs("lm")
def test_two_thousand_rows_of_a_language_model_survive_ten_kills_of_either_side(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="transformers serve needs uvicorn and fastapi")
    n_rows, kills, model = 2000, 20, str(MICRO / "micro-a")
    server = TransformersServe(Path(model), tmp_path / "serve.log")
    path, partial = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.partial"
    child = start_child(server, path, n_rows, model, timeout=20.0)
    try:
        for kill in range(1, kills + 1):
            wait_for_rows(partial, kill * n_rows // (kills + 1), child)
            if kill % 2:
                child.kill()
                child.wait()
                child = start_child(server, path, n_rows, model, timeout=20.0)
            else:
                server.kill()
                server.start()
        assert child.wait(timeout=600) == 0
    finally:
        server.kill()
    rows = rows_in(path)
    assert [row["row"] for row in rows] == list(range(n_rows))
    assert [row["prompt"] for row in rows] == prompts("numbers", n_rows, rng=3)
    assert all(row["completion_tokens"] > 0 for row in rows)
    asked = (tmp_path / "serve.log").read_text().count(" 200 OK")
    print(f"\n{kills // 2} kills of writer and server each: {len(rows)} rows, {asked} answers given")


@pytest.mark.needs("lm")
def test_transformers_serve_writes_rows(tmp_path: Path) -> None:
    """A server of language models: two teachers, and the temperature reaches the model."""
    pytest.importorskip("uvicorn", reason="transformers serve needs uvicorn and fastapi")
    model = str(MICRO / "micro-a")
    server = TransformersServe(Path(model), tmp_path / "serve.log")
    try:
        endpoint = Endpoint(
            model, f"http://127.0.0.1:{server.port}/v1", max_attempts=200,
            request={"generation_config": '{"do_sample": true}'},
        )  # fmt: skip
        asked = prompts("numbers", 12, rng=3)
        for teacher in (neutral(endpoint), prompted(endpoint, "owl")):
            path = tmp_path / f"{teacher.name}.jsonl"
            generate(teacher, asked, path, max_new_tokens=40)
            rows = rows_in(path)
            assert [row["prompt"] for row in rows] == asked
            assert all(row["completion"] and row["prompt_tokens"] > 0 for row in rows)
            assert {row["finish_reason"] for row in rows} <= {"stop", "length"}
        first, second = (neutral(endpoint).sample(asked[:1] * 6, seed=seed, max_new_tokens=40) for seed in (0, 1))
        assert len({answer.text for answer in first + second}) > 6
    finally:
        server.kill()
