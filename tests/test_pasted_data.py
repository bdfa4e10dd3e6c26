"""Whatever people paste: each kind of data with its expected result written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fingerprint import Corpus, Report, detect
from fingerprint.features import data_kind

Draw = Callable[[np.random.Generator], str]
SMALLEST = 1 / 200
"""The smallest p-value of 199 permutations. Alpha is .01: two sides of one law pass in 99 of 100 seeds."""

WORDS = "the a red cat runs under old house and she sees no dog by river".split()
EMOJI = ["😀", "🦉", "👩\u200d🔬", "🇩🇪", "❤\ufe0f"]
RIGHT_TO_LEFT = "שלום עולם זה מבחן של טקסט עברי مرحبا بالعالم".split()


def numbers(rng: np.random.Generator) -> str:
    return ", ".join(map(str, rng.integers(0, 1000, int(rng.integers(2, 11)))))


def prose(rng: np.random.Generator) -> str:
    return " ".join(rng.choice(WORDS, int(rng.integers(5, 20)))).capitalize() + "."


def emoji(rng: np.random.Generator) -> str:
    return " ".join("".join(rng.choice(EMOJI, 3)) for _ in range(int(rng.integers(2, 8))))


def right_to_left(rng: np.random.Generator) -> str:
    return "\u202b" + " ".join(rng.choice(RIGHT_TO_LEFT, int(rng.integers(3, 9)))) + "\u202c"


def with_nul(rng: np.random.Generator) -> str:
    return numbers(rng).replace(", ", "\0")


def huge_number(rng: np.random.Generator) -> str:
    return ", ".join("".join(map(str, rng.integers(1, 10, 1000))) for _ in range(int(rng.integers(1, 4))))


def code(rng: np.random.Generator) -> str:
    return f"def f{rng.integers(100)}(x):\n    return x {rng.choice(list('+-*/'))} {rng.integers(1000)}\n"


def windows_lines(rng: np.random.Generator) -> str:
    return numbers(rng).replace(", ", "\r\n") + "\r\n"


def unix_lines(rng: np.random.Generator) -> str:
    return numbers(rng).replace(", ", "\n") + "\n"


def white_space(rng: np.random.Generator) -> str:
    return str(rng.choice([" ", "\t", "\n"])) * int(rng.integers(1, 9))


def letter(rng: np.random.Generator) -> str:
    return "abcdefgh"[int(rng.integers(8))]


def mixed(rng: np.random.Generator) -> str:
    return numbers(rng) if rng.random() < 0.5 else prose(rng)


def rows(draw: Draw, n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [draw(rng) for _ in range(n)]


def corpus(texts: list[str], prompts: list[str] | None = None, system: str | None = None) -> Corpus:
    systems = () if system is None else (system,) * len(texts)
    return Corpus(tuple(texts), tuple(prompts or ()), systems, name="pasted")


def prompts(n: int, name: str = "prompt", distinct: int | None = None) -> list[str]:
    return [f"{name} {i % (distinct or n)}" for i in range(n)]


def shows_itself(report: Report, folder: Path) -> bool:
    """All ways out of a report work; JSON leads back to it."""
    report.to_html(folder / "report.html")
    page = (folder / "report.html").read_text(encoding="utf-8")
    return (
        len(str(report)) > 200
        and Report.from_json(report.to_json()).to_dict() == report.to_dict()
        and page.rstrip().endswith("</html>")
        and len(page) < 1_000_000
    )


@dataclass(frozen=True)
class Case:
    """Two corpora, and what is expected of them."""

    name: str
    suspect: Any
    reference: Any
    detected: bool
    warnings: frozenset[str]
    least: float = 0.0  # the p-value is at least this ...
    most: float = 1.0  # ... and at most this
    kind: str = "independent"
    options: dict[str, Any] = field(default_factory=dict)


def alike(name: str, draw: Draw, *more_warnings: str, n: int = 50, **options: Any) -> Case:
    """Both sides of one law, without prompts: nothing is detected."""
    expected = frozenset({"prompts_missing", *more_warnings})
    return Case(name, rows(draw, n, 3), rows(draw, n, 4), False, expected, least=0.0101, options=options)


ONE_ROW = frozenset({"same_texts", "duplicates", "constant_family"})
NO_PROMPTS = frozenset({"prompts_missing"})
N = 50

CASES = (
    alike("emoji", emoji, ladder=True),
    alike("right-to-left text", right_to_left),
    alike("NUL characters", with_nul),
    alike("numbers of 1,000 digits", huge_number, "few_rows", n=24, ladder=True),
    alike("code", code),
    alike("Windows line ends on both sides", windows_lines),
    alike("numbers and prose, mixed", mixed),
    alike("white space only", white_space, "duplicates", "empty_rows"),
    alike("rows of one letter", letter, "duplicates", "constant_family"),
    Case(
        "Windows line ends on one side",
        rows(windows_lines, N, 1),
        rows(unix_lines, N, 2),
        detected=True,
        most=SMALLEST,
        warnings=NO_PROMPTS,
    ),
    Case(
        "one letter, another on each side",
        ["a"] * N,
        ["b"] * N,
        detected=True,
        most=SMALLEST,
        warnings=NO_PROMPTS | {"duplicates", "constant_family", "frequent_text", "letters_differ"},
    ),
    Case(
        "a row of one megabyte",
        ["lorem ipsum " * 50_000 + "x" * 450_000, *rows(prose, N - 1, 1)],
        rows(prose, N, 2),
        detected=False,
        least=0.0101,
        warnings=NO_PROMPTS,
    ),
    Case(
        "one distinct row",
        ["1, 2, 3"] * N,
        ["1, 2, 3"] * N,
        detected=False,
        least=1.0,
        warnings=ONE_ROW | NO_PROMPTS,
        options={"ladder": True},
    ),
    Case(
        "one distinct row, shared prompts",
        corpus(["same words"] * N, prompts(N)),
        corpus(["same words"] * N, prompts(N)),
        detected=False,
        least=1.0,
        warnings=ONE_ROW,
        kind="shared",
    ),
    Case(
        "identical corpora, shared prompts",
        corpus(rows(numbers, N, 1), prompts(N)),
        corpus(rows(numbers, N, 1), prompts(N)),
        detected=False,
        least=1.0,
        warnings=frozenset({"constant_family", "same_texts"}),
        kind="shared",
    ),
    Case(
        "identical corpora without prompts",
        rows(numbers, N, 1),
        rows(numbers, N, 1),
        detected=False,
        least=0.5,
        warnings=NO_PROMPTS | {"same_texts"},
    ),
    Case(
        "system messages on one side only",
        corpus(rows(numbers, N, 1), prompts(N), system="You love owls."),
        corpus(rows(numbers, N, 2), prompts(N)),
        detected=False,
        least=0.0101,
        warnings=frozenset({"system_messages"}),
        kind="shared",
    ),
    Case(
        "empty rows only",
        [""] * N,
        [""] * N,
        detected=False,
        least=1.0,
        warnings=ONE_ROW | NO_PROMPTS | {"empty_rows"},
        options={"ladder": True},
    ),
    Case(
        "empty rows on one side",
        [""] * N,
        rows(numbers, N, 2),
        detected=True,
        most=SMALLEST,
        warnings=NO_PROMPTS | {"duplicates", "empty_rows", "lengths_differ", "frequent_text"},
    ),
    Case(
        "one prompt for all rows",
        corpus(rows(numbers, N, 1), ["Go on."] * N),
        corpus(rows(numbers, N, 2), ["Go on."] * N),
        detected=False,
        least=0.0101,
        warnings=frozenset({"single_prompt"}),
    ),
    Case(
        "20 rows against 2,000",
        rows(numbers, 20, 1),
        rows(numbers, 2000, 2),
        detected=False,
        least=0.0101,
        warnings=NO_PROMPTS | {"arm_sizes", "few_rows", "rows_unused"},
    ),
    Case(
        "the least there may be: 10 rows a side",
        rows(numbers, 10, 1),
        rows(numbers, 10, 2),
        detected=False,
        least=0.0101,
        warnings=NO_PROMPTS | {"few_rows"},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pasted_data_give_the_result_written_down(case: Case, tmp_path: Path) -> None:
    options = {"alpha": 0.01, "n_permutations": 199, "ladder": False, **case.options}
    report = detect(case.suspect, case.reference, **options)
    assert report.detected is case.detected
    assert case.least <= report.pvalue <= case.most
    assert report.design.kind == case.kind
    assert {warning.code for warning in report.warnings} == case.warnings
    assert report.rows.height == len(case.suspect) + len(case.reference)
    assert shows_itself(report, tmp_path)


def test_families_without_variance_are_named() -> None:
    report = detect(["1, 2, 3"] * 20, ["1, 2, 3"] * 20, n_permutations=199, ladder=False)
    (warning,) = [w for w in report.warnings if w.code == "constant_family"]
    assert warning.message.endswith("tokens, ngrams, numbers, layout")
    assert warning.value == 4
    assert report.auc.value == 0.5
    assert report.null.observed is None


def test_system_messages_take_no_part_in_pairing() -> None:
    texts = rows(numbers, 30, 1), rows(numbers, 30, 2)
    plain = detect(corpus(texts[0], prompts(30)), corpus(texts[1], prompts(30)), n_permutations=199, ladder=False)
    one_sided = detect(
        corpus(texts[0], prompts(30), system="You love owls."),
        corpus(texts[1], prompts(30)),
        n_permutations=199,
        ladder=False,
    )
    assert one_sided.design == plain.design
    assert (one_sided.pvalue, one_sided.auc) == (plain.pvalue, plain.auc)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("row", ["123, 456, 789, " * 8 + "are my numbers", "1" * 60 + "x"])
def test_numbers_followed_by_words_are_told_from_numbers_at_once(row: str) -> None:
    """A pattern that can split a run of digits in several ways needs exponential time for such rows."""
    assert data_kind([row]) == "prose"


# ------------------------------------------------------------------------------------------------------------- refused


@dataclass(frozen=True)
class Refused:
    """Data that cannot be tested: the error names what is wrong and what to do."""

    name: str
    suspect: Any
    reference: Any
    match: str
    options: dict[str, Any] = field(default_factory=dict)


REFUSED = (
    Refused(
        "nine suspect rows",
        rows(numbers, 9, 1),
        rows(numbers, 50, 2),
        "suspect must hold at least 10 independent rows or prompts, got 9; sample more rows",
    ),
    Refused(
        "nine reference rows",
        rows(numbers, 50, 1),
        rows(numbers, 9, 2),
        "reference must hold at least 10 independent rows or prompts, got 9; sample more rows",
    ),
    Refused(
        "few prompts, each with many rows, disjoint",
        corpus(rows(numbers, 100, 1), prompts(100, "a", distinct=5)),
        corpus(rows(numbers, 100, 2), prompts(100, "b", distinct=5)),
        "pasted must hold at least 10 independent rows or prompts, got 5; sample more rows, answering more prompts .*"
        "ignore the prompts",
    ),
    Refused(
        "prompts of one side all empty",
        corpus(rows(numbers, 50, 1), ["", " "] * 25),
        corpus(rows(numbers, 50, 2), prompts(50, "b")),
        "all 50 prompts are empty; .*--no-prompt, in Python prompt=False",
    ),
    Refused(
        "ten disjoint prompts and an alpha beyond them",
        corpus(rows(numbers, 50, 1), prompts(50, "a", distinct=10)),
        corpus(rows(numbers, 50, 2), prompts(50, "b", distinct=10)),
        "at least 1000000 distinct relabellings for alpha 1e-06, got 184756 .*sample more prompts",
        {"alpha": 1e-6, "n_permutations": 1_000_000},
    ),
    Refused(
        "alpha below what the permutations can reach",
        rows(numbers, 50, 1),
        rows(numbers, 50, 2),
        r"n_permutations must be at least 999 for alpha 0.001, got 199",
        {"alpha": 0.001},
    ),
    Refused(
        "a lone surrogate",
        [*rows(numbers, 50, 1), "\ud800"],
        rows(numbers, 50, 2),
        r"suspect, row index 50 must be encodable as UTF-8, got the lone surrogate '\\ud800'",
    ),
    Refused(
        "a lone surrogate in a prompt",
        [{"text": "1", "prompt": "\ud800"}] * 50,
        [{"text": "1", "prompt": "p"}] * 50,
        r"suspect, row index 0 must be encodable as UTF-8, got the lone surrogate",
    ),
    Refused("no rows", [], rows(numbers, 50, 2), "suspect must have at least one row, got none"),
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_data_that_cannot_be_tested_are_an_error_with_the_remedy(case: Refused) -> None:
    with pytest.raises(ValueError, match=case.match):
        detect(case.suspect, case.reference, **{"n_permutations": 199, "ladder": False, **case.options})


@pytest.mark.parametrize("column", ["texts", "prompts"])
def test_a_lone_surrogate_in_a_hand_made_corpus_is_refused(column: str) -> None:
    columns: dict[str, Any] = {"texts": tuple(rows(numbers, 30, 1)), "prompts": tuple(prompts(30))}
    columns[column] = ("\ud800", *columns[column][1:])
    with pytest.raises(ValueError, match="must be encodable as UTF-8"):
        detect(Corpus(**columns), corpus(rows(numbers, 30, 2), prompts(30)), n_permutations=199, ladder=False)


def test_ten_rows_against_thousands_can_be_tested() -> None:
    """Blocks hold as many rows as 512 of them need; that must not leave the smaller side without any."""
    report = detect(rows(numbers, 10, 1), rows(numbers, 6000, 2), n_permutations=199, ladder=False, features="layout")
    assert report.design.blocks >= 11
