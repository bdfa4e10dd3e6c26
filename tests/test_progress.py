"""Progress: the steps that were planned are those that run, and the share done grows by what they cost."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fingerprint import Fingerprint, compare, detect, scan
from fingerprint.data.progress import Listener, Progress, Step, TimeLeft, duration, listener_of
from fingerprint.detection.options import Options, with_settings
from fingerprint.detector.detector import Detector
from fingerprint.detector.training import train
from fingerprint.filters import BannedNumbers, NumberRule
from fingerprint.filters.rows import apply
from fingerprint.lab.simulated import simulated_pair


def told(**asked: object) -> list[tuple[str, float]]:
    drawn = simulated_pair(60, tilt="dense", d_prime=0.8, rng=1)
    steps: list[tuple[str, float]] = []
    options = {"n_permutations": 99, "progress": lambda name, done: steps.append((name, done))}
    detect(drawn.suspect, drawn.reference, **(options | asked))  # type: ignore[arg-type]
    return steps


@pytest.mark.parametrize(
    "asked",
    [
        {"ladder": False},
        {},
        {"filters": [NumberRule()]},
        {"filters": [NumberRule(), BannedNumbers()], "ladder": False},
        {"self_test": True, "placebos": [simulated_pair(60, rng=5).suspect], "ladder": False},
    ],
    ids=["least", "ladder", "one filter", "two filters", "self-test and placebo"],
)
def test_every_planned_step_is_told_once_and_the_share_done_grows_from_zero(
    asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[str] = []
    plan = Progress.plan

    def noted(self: Progress, steps: list[Step]) -> None:
        planned.extend(step.name for step in steps)
        plan(self, steps)

    monkeypatch.setattr(Progress, "plan", noted)
    steps = told(**asked)
    assert [name for name, _ in steps] == planned
    assert len(set(planned)) == len(planned)
    shares = [done for _, done in steps]
    assert shares[0] == 0.0
    assert (np.diff(shares) > 0).all()
    assert shares[-1] < 1.0


def test_the_share_done_is_that_of_the_cost() -> None:
    heard: list[tuple[str, float]] = []
    tell = Progress(lambda name, done: heard.append((name, done)), "first")
    tell.plan([Step("first", 1.0), Step("second", 2.0), Step("third", 5.0)])
    tell("second")
    tell("third")
    assert heard == [("first", 0.0), ("second", 0.125), ("third", 0.375)]


def test_a_step_that_nobody_planned_is_an_error() -> None:
    tell = Progress(lambda name, done: None, "first")
    with pytest.raises(KeyError, match="unknown"):
        tell("unknown")


def test_steps_go_to_standard_error_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(True, "pairing prompts")
    Progress(False, "silence")
    assert capsys.readouterr() == ("", "fingerprint: pairing prompts\n")


def test_settings_are_fields_of_options_by_name_or_in_one() -> None:
    drawn = simulated_pair(60, tilt="dense", d_prime=0.8, rng=1)
    rare = Options(ladder=False, n_permutations=199, min_auc=0.55)
    in_one = detect(drawn.suspect, drawn.reference, options=rare)
    by_name = detect(drawn.suspect, drawn.reference, ladder=False, n_permutations=199, min_auc=0.55)
    assert in_one == by_name
    on_top = detect(drawn.suspect, drawn.reference, options=rare, n_permutations=299)
    assert on_top.settings["options"]["n_permutations"] == 299


def test_a_keyword_that_is_no_setting_names_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"detect\(\) has no setting 'n_permutation'; did you mean n_permutations\?"):
        with_settings(Options(), {"n_permutation": 3}, detect)
    with pytest.raises(TypeError, match="these are known: ladder, classifier, system_prompts"):
        with_settings(Options(), {"zzz": 3}, detect)


@pytest.mark.parametrize(("wrong", "right"), [("seed", "rng"), ("random_state", "rng"), ("filter", "filters")])
def test_a_keyword_that_is_nearly_an_argument_names_that(wrong: str, right: str) -> None:
    with pytest.raises(TypeError, match=rf"detect\(\) has no setting '{wrong}'; did you mean {right}\?"):
        with_settings(Options(), {wrong: 3}, detect)


# Every verb


def scanned(tell: bool | Listener, folder: Path) -> None:
    drawn = simulated_pair(60, tilt="dense", d_prime=0.8, rng=1)
    texts = [*drawn.suspect.texts, *drawn.reference.texts]
    detector = Detector(["numbers"], fast=True).fit(texts, [1] * 60 + [0] * 60)
    scan(simulated_pair(30, rng=2).suspect, detector, n_permutations=99, progress=tell)


def trained(tell: bool | Listener, folder: Path) -> None:
    drawn = simulated_pair(60, tilt="dense", d_prime=0.8, rng=1)
    train(drawn.suspect, drawn.reference, features=["numbers"], fast=True, progress=tell)


def sketched(folder: Path) -> list[Path]:
    drawn = simulated_pair(200, tilt="dense", d_prime=0.8, rng=1)
    paths = [folder / "a.fp", folder / "b.fp"]
    for corpus, path in zip((drawn.suspect, drawn.reference), paths, strict=True):
        Fingerprint.of(corpus, features=["numbers"], cells=64).save(path)
    return paths


def compared(tell: bool | Listener, folder: Path) -> None:
    compare(*sketched(folder), n_permutations=99, progress=tell)


def merged(tell: bool | Listener, folder: Path) -> None:
    Fingerprint.merged(sketched(folder), progress=tell)


def filtered(tell: bool | Listener, folder: Path) -> None:
    apply(simulated_pair(20, rng=1).suspect, [NumberRule(), BannedNumbers()], progress=tell)


@pytest.mark.parametrize("verb", [scanned, trained, compared, merged, filtered])
def test_every_verb_tells_what_share_is_done(verb: Callable[[bool | Listener, Path], None], tmp_path: Path) -> None:
    heard: list[tuple[str, float]] = []
    verb(lambda name, done: heard.append((name, done)), tmp_path)
    shares = [done for _, done in heard]
    assert len(shares) >= 2
    assert shares[0] == 0.0
    assert (np.diff(shares) > 0).all()
    assert shares[-1] < 1.0
    assert len({name for name, _ in heard}) == len(heard)


def test_the_time_left_follows_from_the_share_done_and_is_silent_at_first() -> None:
    clock = itertools.count(0.0, 10.0)
    left = TimeLeft(lambda: next(clock))
    assert left(0.25) == 30.0
    assert left(0.5) == 20.0
    assert left(0.0) is None
    quick = TimeLeft(iter([0.0, 0.5]).__next__)
    assert quick(0.5) is None


def test_durations_are_in_units_that_go_into_them_twice() -> None:
    assert [duration(s) for s in (1, 119, 120, 7200, 200_000)] == ["1 s", "119 s", "2 min", "2 h", "2 d"]


def test_progress_from_python_is_lines_with_what_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fingerprint.data.progress.LEAST_SECONDS", -1.0)
    tell = listener_of(True)
    tell("first", 0.0)
    tell("second", 0.5)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "fingerprint: first"
    assert lines[1].startswith("fingerprint: second (50% done, about ")
    listener_of(False)("silence", 0.5)
    assert capsys.readouterr().err == ""
