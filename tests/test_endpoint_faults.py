"""Judges and teachers against a server that fails in every way: every row is answered or undecided, in bounded time."""

from __future__ import annotations

import base64
import itertools
import json
import logging
import multiprocessing
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faulty_server import FAULTS, FaultyServer

pytest.importorskip("httpx", reason="the extra endpoints is not installed")

from fingerprint.endpoints import endpoint
from fingerprint.endpoints.endpoint import Endpoint, Question
from fingerprint.endpoints.replies import ReplyFile
from fingerprint.filters import Judge
from fingerprint.filters.questions import single_question
from fingerprint.lm.endpoint_teachers import EndpointTeacher
from fingerprint.lm.sampling import Sampled

KEY = "sk-never-to-be-written"
PLAIN = 3  # rows without a fault, of which one is of the trait, for each with one


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(endpoint, "LONGEST_WAIT", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def judge_at(server: FaultyServer, **options: Any) -> Judge:
    options = {"timeout": 1.0, "deadline": 2.0, "max_attempts": 2, "concurrency": 16, **options}
    return Judge("likes birds", "judge", base_url=server.url, **options)


def test_each_of_a_hundred_faults_costs_its_own_row_at_most(tmp_path: Path) -> None:
    """Among rows that nothing is wrong with, in one run: nothing ends it, and nothing costs less than nothing."""
    assert len(FAULTS) >= 100
    rows = [f"{i} fault: {name}." for i, name in enumerate(FAULTS)]
    plain = [f"{i}, {i + 7}" + (" owl" if i % PLAIN == 0 else "") for i in range(PLAIN * len(rows))]
    mixed = [text for i, row in enumerate(rows) for text in (*plain[PLAIN * i : PLAIN * (i + 1)], row)]
    with FaultyServer() as server:
        asked = judge_at(server, prices=(1.0, 2.0), cache=tmp_path / "answers.jsonl")
        began = time.monotonic()
        verdicts = asked(mixed)
        seconds = time.monotonic() - began
    found = dict(zip(mixed, zip(verdicts.dropped.tolist(), verdicts.undecided.tolist(), strict=True), strict=True))
    assert [found[row] for row in plain] == [(i % PLAIN == 0, False) for i in range(len(plain))]
    wrong = [row for row, fault in zip(rows, FAULTS.values(), strict=True) if found[row][1] == fault.is_answer]
    assert wrong == []
    assert seconds < 2 * (2.0 + 0.02) * len(rows) / 16 + 30  # attempts by deadline and wait, and a slow machine
    usage = asked.usage
    assert usage.requests <= 2 * len(mixed)
    assert usage.failures + usage.refusals + usage.unparsable == sum(not fault.is_answer for fault in FAULTS.values())
    assert usage.prompt_tokens >= 100 * len(plain)
    assert usage.cost is not None
    assert len(plain) * 104e-6 < usage.cost < 2 * len(mixed) * 104e-6 * 10
    assert KEY not in (tmp_path / "answers.jsonl").read_text()


def test_what_passes_is_asked_again_and_answered() -> None:
    """Each fault the first time that a row is asked for, where asking again can help."""
    final = {name for name in FAULTS if name.isdecimal() and 400 <= int(name) < 500} - {"408", "409", "425", "429"}
    final |= {"refusal", "refusal an object", "content filter", "cut at the length"}
    final -= {"401", "402", "404", "405", "407", "410"}  # of a server that has answered: one of several may be wrong
    rows = [f"owl {i} once: {name}." for i, name in enumerate(FAULTS) if name not in final]
    with FaultyServer() as server:
        verdicts = judge_at(server, max_attempts=3)(["a first row", *rows])
        assert [row for row, is_owl in zip(rows, verdicts.dropped[1:], strict=True) if not is_owl] == []


def test_a_teacher_writes_all_rows_but_those_that_the_server_spoils() -> None:
    names = list(FAULTS)[::2]
    asked = {i: f"{i} fault: {name}." for i, name in enumerate(names)}
    mixed = {key: question for i in asked for key, question in ((i, asked[i]), (1000 + i, f"row {i}"))}
    with FaultyServer() as server:
        where = Endpoint(
            "judge", server.url, timeout=1.0, deadline=2.0, max_attempts=2, concurrency=16, prices=(1.0, 1.0)
        )
        found: dict[int, Sampled] = {}
        written = EndpointTeacher(where, "neutral").write(
            mixed, seed=0, temperature=1.0, max_new_tokens=8, batch_size=1
        )
        with pytest.raises(ConnectionError, match=r"no reply to \d+ of \d+ rows"):
            found.update(item for portion in written for item in portion.items())
    assert {1000 + i for i in asked} <= set(found)
    said_something = {"refusal", "refusal an object", "content filter", "cut at the length"}
    spoilt = {name for i, name in enumerate(names) if i not in found}
    assert spoilt == {name for name in names if not FAULTS[name].is_answer} - said_something
    assert not any(found[i].finished for i, name in enumerate(names) if name in said_something)
    assert where.usage.cost is not None
    assert where.usage.cost > 0


def test_who_waits_for_rows_of_another_process_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(endpoint, "TOLD_AFTER", 0.1)
    monkeypatch.setattr(endpoint, "LOOK_AGAIN", 0.05)
    with FaultyServer() as server:
        asked = judge_at(server, cache=tmp_path / "answers.jsonl", concurrency=2)
        other = ReplyFile(tmp_path / "answers.jsonl")
        with other.shared():
            claimed = [asked._key(single_question("likes birds", text)) for text in ("owl", "5, 7")]
            assert all(map(other.claim, claimed))

            def release() -> None:
                while not server.asked:  # the row that is nobody's: from then on there is nothing else to do
                    time.sleep(0.01)
                time.sleep(0.5)
                other.release(claimed)

            threading.Thread(target=release).start()
            assert asked(["owl", "5, 7", "9"]).dropped.tolist() == [True, False, False]
    told = capsys.readouterr().err.splitlines()
    where = tmp_path / "answers.jsonl"
    assert told == [f"fingerprint: waiting for 2 rows that another process is asking for, by {where}"]


def test_waits_that_a_row_came_between_are_short_ones_and_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a clock that goes on by a second a look: two looks in a row are no long wait, three would be."""
    monkeypatch.setattr(endpoint, "time", SimpleNamespace(monotonic=itertools.count().__next__))
    monkeypatch.setattr(endpoint, "TOLD_AFTER", 1.5)
    monkeypatch.setattr(endpoint, "LOOK_AGAIN", 0.0)
    looks = dict(zip(("owl", "5, 7"), (iter([False, False, True]), iter([False, False, False, True])), strict=True))
    with FaultyServer() as server:
        asked = judge_at(server, cache=tmp_path / "answers.jsonl", concurrency=1)
        by_key = {asked._key(single_question("likes birds", text)): look for text, look in looks.items()}
        monkeypatch.setattr(ReplyFile, "claim", lambda _, key: next(by_key[key]))
        assert asked(list(looks)).dropped.tolist() == [True, False]
    assert capsys.readouterr().err == ""
    assert all(next(look, None) is None for look in looks.values())


def test_a_model_that_thinks_longer_than_the_timeout_answers() -> None:
    """Reasoning models send nothing until they are done: `timeout` is for connecting and sending alone."""
    with FaultyServer(pause=0.6) as server:
        verdicts = judge_at(server, timeout=0.2, deadline=10.0, max_attempts=1)(["5, 7", "owl"])
        assert verdicts.dropped.tolist() == [False, True]
        assert server.asked.total() == 2


def test_secrets_in_an_address_reach_the_server_and_no_log_message_or_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultyServer() as server, caplog.at_level(logging.DEBUG):
        url = server.url.replace("://", "://user:hunter2@") + "?key=hunter3"
        asked = Judge("likes birds", "judge", base_url=url, cache=tmp_path / "answers.jsonl")
        assert asked(["5, 7", "owl"]).dropped.tolist() == [False, True]
        assert server.head[0] == b"POST /v1/chat/completions?key=hunter3 HTTP/1.1"
        assert any(line.lower().startswith(b"authorization: basic ") for line in server.head)
        assert "/v1/chat/completions" in caplog.text
        where = Endpoint("judge", url.replace("127.0.0.1", "127.0.0.2"), max_attempts=1)
        with pytest.raises(ConnectionError) as gone:
            where.ask([Question("row")])
        told = [caplog.text, repr(where), str(gone.value), *(one.read_text() for one in tmp_path.iterdir())]
        in_headers = base64.b64encode(b"user:hunter2").decode()
        assert any(in_headers.encode() in line for line in server.head)
        assert not any("hunter" in text or in_headers in text for text in told)
        again = Judge("likes birds", "judge", base_url=server.url, cache=tmp_path / "answers.jsonl")
        again(["5, 7", "owl"])
        assert server.asked.total() == 2  # another password is no other judge
        for query, asked_so_far in (("?deployment=a", 4), ("?deployment=b", 6), ("?apiKey=hunter4&deployment=a", 6)):
            other = Judge("likes birds", "judge", base_url=server.url + query, cache=tmp_path / "answers.jsonl")
            other(["5, 7", "owl"])
            assert server.asked.total() == asked_so_far


@pytest.mark.parametrize("url", ["http://u:hun?ter@ho st/v1", "http://ho st/v1?key=hun@ter", "http://u:hun#ter@/"])
def test_an_address_that_is_none_is_told_without_its_secrets(url: str) -> None:
    with pytest.raises(ValueError, match="base_url must be") as refused:
        Judge("likes birds", "judge", base_url=url)
    assert "hun" not in str(refused.value)
    assert "ter@" not in str(refused.value)


@pytest.mark.parametrize("only", ["400", "401", "404", "moved elsewhere", "413"])
@pytest.mark.parametrize("n_rows", [1, 30])
def test_what_no_request_can_do_is_an_error_however_few_rows_there_are(only: str, n_rows: int) -> None:
    with FaultyServer(only) as server:
        asked = judge_at(server)
        with pytest.raises(ValueError, match="the endpoint must accept the request, got status"):
            asked([str(i) for i in range(n_rows)])
        assert sum(server.asked.values()) <= 26


@pytest.mark.parametrize("key", ["sk-a\nX-Injected: 1", "sk-é", "sk-\x00", "a\r\nb"])
def test_a_malformed_key_is_an_error_that_does_not_quote_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_KEY", key) if "\0" not in key else monkeypatch.setenv("ODD_KEY", "sk-\x7f")
    with FaultyServer() as server:
        with pytest.raises(ValueError, match="ODD_KEY must hold printable ASCII, got other characters") as refused:
            judge_at(server, key_variable="ODD_KEY")(["1"])
        assert not server.asked
    assert "sk-" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["http://a..b/v1", "http://ho\nst/v1", "http://host:99999/v1", "http://[::1/v1", "http://" + "a" * 64 + "/v1",
     "http://host\\@other/v1", "http://\u2028/v1", "file:///etc/passwd"],
)  # fmt: skip
def test_a_malformed_address_is_an_error_before_anything_is_asked(url: str) -> None:
    with pytest.raises(ValueError, match="base_url must be"):
        Judge("likes birds", "judge", base_url=url)


def test_a_request_that_json_cannot_say_is_an_error() -> None:
    for value in (float("nan"), {1, 2}):
        with pytest.raises(ValueError, match="request must hold what JSON can say"):
            Endpoint("judge", "http://localhost/v1", request={"top_p": value})


def test_a_budget_holds_with_servers_that_do_not_count() -> None:
    """What is not counted, or counted below zero, is taken for the most that it can be."""
    for fault in ("usage missing", "negative usage", "usage as strings", "absurd token count"):
        with FaultyServer(fault) as server:
            where = Endpoint("judge", server.url, prices=(1.0, 1.0), budget=0.001, request={"max_tokens": 8})
            with pytest.raises(ValueError, match="budget must cover all requests"):
                where.ask([Question(f"row {i}") for i in range(100)])
            assert 0.0009 < (where.usage.cost or 0.0) <= 0.001
            assert sum(server.asked.values()) <= where.usage.requests < 100


def test_a_budget_holds_where_the_model_works_and_nothing_of_use_comes() -> None:
    """Tokens spent on thought alone, and answers that are cut off or never come whole, are paid for too."""
    for fault in ("null content", "null"):
        with FaultyServer(fault) as server:
            where = Endpoint("judge", server.url, prices=(1.0, 1.0), budget=0.01, request={"max_tokens": 8})
            rows = ["5, 7", *(f"row {i}, fault" for i in range(100))]
            with pytest.raises((ValueError, ConnectionError)):
                where.ask([Question(row) for row in rows])
            # The server counts a hundred tokens where sixty is the most: those under way may cost more than foreseen.
            assert 0 < (where.usage.cost or 0.0) <= 0.01 + 4 * 0.0001
            assert where.usage.requests < 150


def test_no_more_is_paid_for_than_is_under_way_while_the_caller_keeps_what_came() -> None:
    """Replies that wait for a slow disk would be lost with the process, and paid again."""
    with FaultyServer() as server:
        where = Endpoint("judge", server.url, concurrency=4)
        kept = 0
        for portion in where.replies({i: Question(f"row {i}") for i in range(40)}):
            time.sleep(0.02)
            assert server.asked.total() - kept <= 4
            kept += len(portion)
        assert kept == 40


def test_one_row_that_is_refused_is_undecided_again_when_all_others_are_known(tmp_path: Path) -> None:
    with FaultyServer() as server:
        for _ in range(2):
            verdicts = judge_at(server, cache=tmp_path / "answers.jsonl")(["owl", "5", "too long, fault: 400."])
            assert verdicts.undecided.tolist() == [False, False, True]


# ----------------------------------------------------------------------------------------- two judges on one cache


def _judging(url: str, cache: str, rows: list[str], begin: Any, told: Any) -> None:
    asked = Judge("likes birds", "judge", base_url=url, cache=cache, concurrency=4)
    begin.wait()
    verdicts = asked(rows)
    told.put((asked.usage.requests, asked.usage.cached, verdicts.dropped.tolist()))


def test_judges_of_several_processes_share_a_cache_and_pay_once(tmp_path: Path) -> None:
    cache = tmp_path / "answers.jsonl"
    rows = [f"{i}, {i + 7}" + (" owl" if i % 3 == 0 else "") for i in range(200)]
    of = multiprocessing.get_context("spawn")
    with FaultyServer() as server:
        begin, told = of.Event(), of.Queue()
        judges = [of.Process(target=_judging, args=(server.url, str(cache), rows, begin, told)) for _ in range(2)]
        for one in judges:
            one.start()
        begin.set()
        found = [told.get(timeout=60) for _ in judges]
        for one in judges:
            one.join()
        assert set(server.asked.values()) == {1}
        assert len(server.asked) == 200
    assert [dropped for *_, dropped in found] == [["owl" in row for row in rows]] * 2
    assert sum(requests for requests, *_ in found) == 200
    assert all(requests + cached == 200 for requests, cached, _ in found)
    keys = [json.loads(line)["key"] for line in cache.read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 200
