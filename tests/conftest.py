"""Extras that are missing; reports built by hand, one full of hostile strings; the command line in this process."""

from __future__ import annotations

import ast
import dataclasses
import math
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from servers import Server

from fingerprint.cli.app import main
from fingerprint.lm.noise_floor import NoiseFloor
from fingerprint.report.layout import Page
from fingerprint.report.panel_result import PanelMember, PanelResult
from fingerprint.report.report import Report
from fingerprint.report.results import (
    AttributionResult,
    Bag,
    Controls,
    CopiesResult,
    Design,
    DetectorControl,
    Efficiency,
    FamilyResult,
    FeatureDifference,
    FilterResult,
    Hardness,
    MixturePower,
    ModelResult,
    Null,
    PlaceboResult,
    PlantedPower,
    PromptControl,
    RandomControl,
    ReasonCount,
    Residual,
    RowsNeeded,
    Rung,
    SampleResult,
    SelfTest,
    TeacherResult,
    Warning,
)
from fingerprint.report.shown import Shown
from fingerprint.statistics.intervals import Estimate

# Tests that need an extra

EXTRA_OF = {
    "torch": "lm",
    "transformers": "lm",
    "tokenizers": "lm",
    "sentence_transformers": "embeddings",
    "httpx": "endpoints",
    "inspect_ai": "inspect",
    "ray": "ray",
    "sphinx": "docs",
    "nbmake": "test-integrations",
    "trl": "test-integrations",
}
"""Packages, and the extra that installs each."""
MISSING = {extra for package, extra in EXTRA_OF.items() if find_spec(package) is None}


class _NeedsExtra(pytest.Module):
    """A file of tests that imports a package of an extra that is not installed."""

    extra: str

    def collect(self) -> list[pytest.Item]:
        pytest.skip(f"the extra {self.extra} is not installed", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    nodes = ast.parse(module_path.read_text(encoding="utf-8")).body
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    missing = {EXTRA_OF.get(name.partition(".")[0]) for name in names} & MISSING
    if not missing:
        return None
    needs: _NeedsExtra = _NeedsExtra.from_parent(parent, path=module_path)
    needs.extra = ", ".join(filter(None, missing))
    return needs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for extra in {extra for mark in item.iter_markers("needs") for extra in mark.args} & MISSING:
            item.add_marker(pytest.mark.skip(reason=f"the extra {extra} is not installed"))


# Reports

SCRIPT = "<script>alert(1)</script>"
MATHTEXT = "$x^$"
NUL = "a\0b"
OVERRIDE = "\u202egnp.exe"
HOSTILE = f"{SCRIPT} \"q\" 'q' </style></svg> {MATHTEXT} {NUL} {OVERRIDE} \x1b[31mred \u2028 &amp; {{{{ 7*7 }}}}"
"""Markup, quotes, mathtext, NUL, a right-to-left override, an ANSI colour, a line separator, a template expression."""


def _bag_results() -> tuple[Bag, ...]:
    values = {1: 0.591, 2: 0.628, 4: 0.682, 8: 0.755, 16: 0.838, 32: 0.921, 64: 0.974}
    bags = [Bag(k, Estimate(v, v - 0.012 * k**0.3, min(1.0, v + 0.012 * k**0.25))) for k, v in values.items()]
    return (*bags, Bag(128, Estimate(None)))


def _rungs() -> tuple[Rung, ...]:
    rows = (
        ("raw", 0.0001, 0.591, 0.838, "the texts as they are"),
        ("format only", 0.0213, 0.538, 0.647, "layout; values redrawn from the pooled law"),
        ("canonical", 0.0001, 0.583, 0.811, "values in order, one format"),
        ("sorted", 0.0001, 0.572, 0.789, "values of a row, without their order"),
        ("frequencies only", 0.0002, 0.569, 0.774, "how often each number occurs in an arm"),
        ("floor", 0.6411, 0.498, 0.494, "nothing: canonical, fixed count, values redrawn"),
    )
    return tuple(
        Rung(name, p, Estimate(a, a - 0.011, a + 0.011), Estimate(b, b - 0.03, b + 0.03), text)
        for name, p, a, b, text in rows
    )


def _filter_results(strange: str) -> tuple[FilterResult, ...]:
    def residual(auc: float) -> Residual:
        planted = (PlantedPower(0.55, Estimate(0.91, 0.86, 0.95)),)
        return Residual(4801, 4790, 3312, Estimate(auc, auc - 0.02, auc + 0.02), Estimate(0.83), 0.0001, planted)

    smallest = Estimate(0.0001, 0.0001, 0.0001)
    random = RandomControl(20, Estimate(0.587, 0.58, 0.594), Estimate(0.834, 0.81, 0.85), smallest)
    half = DetectorControl(residual(0.581), random, residual(0.512))
    nothing = Residual(0, 0, None, Estimate(None), Estimate(None), None, reason=f"no rows survive {strange}".strip())
    banned = FilterResult(
        filter="banned numbers",
        removed_suspect=Estimate(0.241, 0.23, 0.252),
        removed_reference=Estimate(0.225, 0.21, 0.24),
        unjudged_suspect=0,
        unjudged_reference=0,
        auc=Estimate(0.508, 0.503, 0.513),
        bag16_auc=Estimate(0.53, 0.5, 0.56),
        bag64_auc=Estimate(0.56, 0.5, 0.62),
        pvalue=0.0123,
        residual=residual(0.589),
        controls=Controls(random, half),
        reasons=(ReasonCount("has banned numbers", 6572, 1220),),
    )
    judge = dataclasses.replace(
        banned,
        filter=strange or "judge",
        unjudged_suspect=3,
        unjudged_reference=1,
        residual=nothing,
        controls=Controls(None, None),
        reasons=(ReasonCount(strange, 1, 0),),
    )
    return banned, judge


def _null(observed: float) -> Null:
    edges = tuple(-4 + 0.4 * i for i in range(21))
    counts = [round(9999 * 0.4 * math.exp(-((e + 0.2) ** 2) / 2) / math.sqrt(2 * math.pi)) for e in edges[:-1]]
    counts[10] += 9999 - sum(counts)
    return Null(observed, edges, tuple(counts))


def _differences(names: tuple[str, ...]) -> tuple[FeatureDifference, ...]:
    usual = (
        ("first number in (612, 741]", "numbers", 0.1421, 0.1127),
        ("step between numbers in (-3, 12]", "numbers", 0.871, 0.702),
        ("token ' 347'", "tokens", 0.0312, 0.0198),
        ("digits '12' ... '34'", "ngrams", 0.0211, 0.0379),
        ("share of odd numbers in (0.5, 0.6]", "numbers", 0.301, 0.262),
        ("lines", "layout", 4.12, 4.35),
        ("separator ';'", "layout", 1.31, 1.08),
        ("last number in (12, 98]", "numbers", 0.151, 0.124),
        ("token '777'", "tokens", 0.0093, 0.0041),
    )
    planted = [
        FeatureDifference(name, name, 0.21, 0.13, 0.0004, name, "more", 0.21, (name,), (name,))
        for name in names
    ]
    return tuple(planted) + tuple(
        FeatureDifference(
            f, family, s, r, 0.0007 * (i + 1), "share of rows" if s < 1 else "mean value",
            "more" if s > r else "less", s - r, ("tokens '347,'",) if i == 2 else (), (family,),
        )
        for i, (f, family, s, r) in enumerate(usual)
    )  # fmt: skip


def _model_parts(strange: str) -> tuple[ModelResult, TeacherResult, AttributionResult]:
    auc, floor = Estimate(0.6, 0.58, 0.62), NoiseFloor(3.1e-6, 9.5e-7, 64)
    model = ModelResult(
        strange or "micro-a", "10c9719e35d7b6e1", f"<|user|>{strange}", (strange or "You love owls.",), floor, auc,
        Estimate(0.591, 0.58, 0.6), Estimate(0.009, 0.002, 0.016),
        Hardness(Estimate(0.53, 0.51, 0.55), Estimate(0.587, 0.567, 0.607)),
    )  # fmt: skip
    share = Efficiency(strange or "stack", Estimate(0.36, 0.3, 0.4), Estimate(0.81, 0.74, 0.88))
    ceiling = (Estimate(0.63, 0.61, 0.65), Estimate(0.47, 0.4, 0.54), floor, 0, 2)
    teacher = TeacherResult(strange or "finetuned: owl", "neutral", *ceiling, (share,))
    placebo = PlaceboResult(strange or "cats.jsonl", 5000, 0.0004, auc, 0.21, Estimate(0.51, 0.49, 0.53))
    attribution = AttributionResult(0.0001, auc, 0.0004, 1, None, f"Presence only. {strange}".strip(), (placebo,))
    return model, teacher, attribution


def _rows(text: str, n: int = 60) -> pl.DataFrame:
    sides = ["suspect" if (7 * i) % n < n - i else "reference" for i in range(n)]
    return pl.DataFrame(
        {
            "corpus": sides,
            "row": list(range(n)),
            "text": [text if i % 5 == 0 else f"{100 + 7 * i}, {911 - 3 * i}, {300 + i}\n{512 - i}" for i in range(n)],
            "prompt": [text if i % 7 == 0 else f"Continue the list: {i}, {i + 3}, {i + 9}" for i in range(n)],
            "score": [3.0 - 0.1 * i for i in range(n)],
        }
    )


def _panel(strange: str) -> PanelResult:
    """Two members, one of which came without rows."""
    alike = Estimate(0.976, 0.58, 1.0)
    members = (
        PanelMember(strange or "lion", (strange or "micro-a",), 2632, 2749, 0.89, 1.0, 0.97, alike),
        PanelMember("cat", (), 2477, 3881, 0.81, 0.003, 0.03, Estimate(None)),
    )
    return PanelResult(members, 0.88, 0.0001, 0.0002, strange or "lion", ("cat",))


def build_report(strange: str) -> Report:
    """A full report of a detection, with `strange` in every place that data can reach."""
    model, teacher, attribution = _model_parts(strange)
    return Report(
        title=f"owl.jsonl against neutral.jsonl {strange}".strip(),
        verdict=(
            f"Detected: the suspect corpus is distinguishable from the reference (p = 0.0001). {strange} "
            "Rivals to a hidden trait: another temperature, model version, length limit or filter, or merely "
            '"a system prompt was there".'
        ).replace("  ", " "),
        detected=True,
        pvalue=0.0001,
        alpha=0.05,
        auc=Estimate(0.591, 0.5802, 0.6019),
        auc_paired=Estimate(0.5943, 0.5829, 0.6058),
        d_prime=Estimate(0.3253, 0.286, 0.3655),
        bag_results=_bag_results(),
        needed=(
            RowsNeeded("trained detector", 0.8, 0.05, 59, 38, 104),
            RowsNeeded("trained detector", 0.95, 0.05, 103, 66, 181),
            RowsNeeded("this design", 0.8, 0.05, 190, 120, None),
            RowsNeeded("this design", 0.95, 0.05, None),
        ),
        planted=tuple(
            PlantedPower(a, Estimate(p, max(0, p - 0.06), min(1, p + 0.05)))
            for a, p in ((0.52, 0.37), (0.55, 0.985), (0.6, 1.0))
        ),
        mixtures=tuple(
            MixturePower(s, Estimate(p, max(0, p - 0.05), min(1, p + 0.06)))
            for s, p in ((0.05, 0.12), (0.1, 0.34), (0.25, 0.97))
        ),
        design=Design("shared", 5422, 27271, 5203, 24310, 5203, 5311, 512, 111, 21960),
        family_results=(
            FamilyResult("numbers", 212, 21.4, 0.0001, Estimate(0.588, 0.577, 0.599)),
            FamilyResult("ngrams", 32768, 14.2, 0.0001, Estimate(0.571, 0.56, 0.582)),
            FamilyResult("tokens", 1187, 9.31, 0.0001, Estimate(0.566, 0.555, 0.577)),
            FamilyResult("layout", 41, 2.87, 0.0192, Estimate(0.531, 0.52, 0.542)),
            *((FamilyResult(strange, 0, None, None, Estimate(None)),) if strange else ()),
        ),
        rungs=(*_rungs(), *((Rung(strange, 0.2, Estimate(0.51), Estimate(None), strange),) if strange else ())),
        filter_results=_filter_results(strange),
        differences=_differences((strange, SCRIPT, MATHTEXT, NUL, OVERRIDE, " ") if strange else ()),
        prompt_control=PromptControl(None, False, f"Both sides answer the same prompts. {strange}".strip()),
        copies=CopiesResult(strange or "482, 113, 954", 0.04, 0.0005, 9.1, 3, 5011, 5304, 0.0313),
        self_test=SelfTest(200, 11, 0.05, Estimate(0.055, 0.0278, 0.0963)),
        panel=_panel(strange),
        model=model,
        teacher=teacher,
        attribution=attribution,
        null=_null(24.7),
        sample=SampleResult(5011, 5304, 0.0001, False, 1.0, strange or "a model reads the rows of the sample alone"),
        warnings=(
            Warning("format", 0.538, 0.53, f"Part of the signal is layout; compare the canonical rung. {strange}"),
            Warning(strange or "arm_sizes", 5.03, 4.0, "The arms differ much in size."),
        ),
        settings={
            "versions": {"fingerprint": "0.1.0", "numpy": "2.4.6"},
            "seed": 0,
            "inputs": {"suspect": "00ff" * 8, "reference": "11ee" * 8},
            "options": {"alpha": 0.05, "min_auc": 0.5, "text": strange or None, "features": ["numbers", "ngrams"]},
        },
        rows=_rows(strange or "482, 113, 954"),
    )


def full(found: Shown) -> str:
    """All of a result as text, 100 characters wide."""
    return found.text(Page(100), full=True)


@pytest.fixture(scope="session")
def example_report() -> Report:
    """A detection, with hostile strings in every place that data can reach."""
    return build_report(HOSTILE)


@pytest.fixture(scope="session")
def quiet_report() -> Report:
    """A non-detection without prompts, ladder, features, rows or self-test."""
    return dataclasses.replace(
        build_report(""),
        verdict="Not detected (p = 0.41). This test had power 0.37 against a row AUROC of 0.52, 0.98 against 0.55.",
        detected=False,
        pvalue=0.4127,
        auc=Estimate(0.497, 0.466, 0.529),
        auc_paired=Estimate(None),
        d_prime=Estimate(-0.0106, -0.1207, 0.1029),
        bag_results=(
            Bag(1, Estimate(0.497, 0.466, 0.529)),
            Bag(2, Estimate(0.494, 0.45, 0.54)),
            Bag(4, Estimate(None)),
        ),
        needed=(RowsNeeded("trained detector", 0.95, 0.05, None),),
        mixtures=(),
        design=Design("independent", 512, 498, None, None, None, None, 498, 14, 0),
        rungs=(),
        filter_results=(),
        differences=(),
        prompt_control=PromptControl(None, False, "There are no prompts."),
        copies=None,
        self_test=None,
        panel=None,
        model=None,
        teacher=None,
        attribution=None,
        null=_null(0.22),
        sample=None,
        warnings=(),
        rows=pl.DataFrame(schema=build_report("").rows.schema),
    )


# The command line

Run = Callable[..., tuple[int, str, str]]

FAILURES: dict[str, BaseException] = {
    "value": ValueError("b.jsonl, line 3: must be JSON, got '{'; correct it\nor skip it \x1b[31m"),
    "type": TypeError("suspect must be a path"),
    "missing": FileNotFoundError(2, "No such file or directory", "b.jsonl"),
    "forbidden": PermissionError(13, "Permission denied", "b.jsonl"),
    "encoding": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "unexpected": KeyError("pairs"),
    "library": np.linalg.LinAlgError("singular matrix"),  # a ValueError by birth
    "interrupt": KeyboardInterrupt(),
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace `fingerprint.detection.detect` by one that notes its arguments and returns a ready report.

    An argument "raise" as the reference raises what the note under "error" holds.
    """
    noted: list[dict[str, Any]] = []

    def detect(suspect: str, reference: str, **options: Any) -> Report:
        noted.append({"suspect": suspect, "reference": reference, **options})
        if options["progress"]:
            options["progress"]("ladder [bold]", 0.5)
        if options.get("scores"):
            Path(options["scores"]).write_text("scores")
        if reference in FAILURES:
            raise FAILURES[reference]
        return build_report("")

    module = ModuleType("fingerprint.detection.detect")
    module.detect = detect  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fingerprint.detection.detect", module)
    return noted


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: exit code, standard output, standard error."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        code = stop.value.code
        return (0 if code is None else int(code)), out, err

    return call


# Endpoints


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts the judging server, with the faults it is to have; servers are killed when the test is over."""
    started: list[Server] = []

    def start(faults: str = "ok") -> Server:
        started.append(Server(tmp_path, faults))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()
