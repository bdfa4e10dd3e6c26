"""Sections of a report run side by side: the same report, steps and errors as one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Barrier, Event, current_thread, main_thread
from typing import Any, cast

import pytest

from fingerprint import Fingerprint, compare, detect
from fingerprint.data.corpus import Corpus
from fingerprint.data.progress import Step
from fingerprint.detection.analysis import Analysis
from fingerprint.detection.section import Addition, Prepared, Section, with_sections
from fingerprint.lab.simulated import simulated_pair
from fingerprint.report.report import Report

SECONDS = 20.0  # far longer than a section of these tests waits for another one


@pytest.fixture(scope="module")
def corpora() -> tuple[Corpus, Corpus]:
    """Rows that differ, one of them copied so often that the report looks at copies."""
    drawn = simulated_pair(100, tilt="dense", d_prime=1.2, rng=1)
    texts = tuple("7, 77, 777" if row % 12 == 0 else text for row, text in enumerate(drawn.suspect.texts))
    return Corpus(texts, drawn.suspect.prompts, name="suspect"), drawn.reference


@pytest.fixture(scope="module")
def bare(corpora: tuple[Corpus, Corpus]) -> Report:
    return detect(*corpora, ladder=False, n_permutations=99)


def section(name: str, work: Callable[[Callable[[str], None]], None], is_beside: bool = True) -> Section:
    """A section that does this work, and adds its name to the title."""

    def find(report: Report, prepared: Prepared, main: Analysis, tell: Callable[[str], None]) -> Addition:
        tell(name)
        work(tell)
        return lambda others: replace(others, title=f"{others.title} {name}")

    return Section(lambda prepared: [Step(name, 1.0)], find, is_beside)


def run(sections: Sequence[Section], report: Report, tell: Callable[[str], None] = lambda step: None) -> Report:
    return with_sections(sections, replace(report, title=""), cast(Any, None), cast(Any, None), tell)


def test_one_thread_and_several_give_the_same_report(
    corpora: tuple[Corpus, Corpus], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports, steps = [], []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        told: list[tuple[str, float]] = []
        reports.append(detect(*corpora, n_permutations=199, progress=lambda *step, to=told: to.append(step)))
        steps.append(told)
    first = reports[0]
    assert all((first.copies, first.rungs, first.differences, first.planted, first.bag_results))
    for report in reports[1:]:
        assert report.to_dict() == reports[0].to_dict()
        assert report.rows.equals(reports[0].rows)
    assert steps[1] == steps[2] == steps[0]
    shares = [done for _, done in steps[0]]
    assert shares == sorted(shares)


def test_one_thread_and_several_give_the_same_comparison_of_fingerprints(
    corpora: tuple[Corpus, Corpus], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [Fingerprint.of(corpus) for corpus in corpora]
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(compare(*stored, n_permutations=199).to_dict())
    assert found[0] == found[1]


def test_sections_run_at_once_and_add_in_their_order(bare: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    both, told, threads = Barrier(2), list[str](), list[bool]()
    meet = lambda tell: cast(None, both.wait(SECONDS))  # noqa: E731  # each waits for the other

    def alone(tell: Callable[[str], None]) -> None:
        threads.append(current_thread() is main_thread())

    sections = [section("first", meet), section("alone", alone, is_beside=False), section("last", meet)]
    assert run(sections, bare, told.append).title.split() == told == ["first", "alone", "last"]
    assert threads == [True]


def test_one_thread_runs_them_one_after_another(bare: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads: list[bool] = []
    sections = [section(name, lambda tell: threads.append(current_thread() is main_thread())) for name in "ab"]
    assert run(sections, bare).title.split() == ["a", "b"]
    assert threads == [True, True]


def test_the_error_is_that_of_the_first_section_in_order(bare: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    has_failed = Event()

    def late(tell: Callable[[str], None]) -> None:
        has_failed.wait(SECONDS)
        raise ValueError("the first")

    def early(tell: Callable[[str], None]) -> None:
        has_failed.set()
        raise KeyError("the second")

    told: list[str] = []
    with pytest.raises(ValueError, match="the first"):
        run([section("late", late), section("early", early), section("other", lambda tell: None)], bare, told.append)
    assert told == ["late"]


def test_an_interruption_is_not_held_up_by_sections_that_wait(bare: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have begun end at their next step; those that have not never begin."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    is_interrupted, begun = Event(), list[str]()

    def long(tell: Callable[[str], None]) -> None:
        is_interrupted.wait(SECONDS)
        begun.append("long")
        while True:
            tell("a further step")

    def interrupt(step: str) -> None:
        is_interrupted.set()
        raise KeyboardInterrupt

    sections = [section("a", long), section("b", long), section("c", lambda tell: begun.append("c"))]
    with pytest.raises(KeyboardInterrupt):
        run(sections, bare, interrupt)
    assert set(begun) == {"long"}
