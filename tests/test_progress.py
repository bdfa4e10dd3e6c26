"""Progress: the steps that were planned are those that run, and the share done grows by what they cost."""

import numpy as np
import pytest

from fingerprint import detect
from fingerprint.detection.options import Options, with_settings
from fingerprint.detection.progress import Progress, Step
from fingerprint.filters import BannedNumbers, NumberRule
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
