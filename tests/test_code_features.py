"""Source code as a kind of rows: how it is recognised, cut into tokens and measured."""

from __future__ import annotations

import hashlib
import inspect
import statistics
import textwrap
import time
from collections.abc import Sequence

import numpy as np
import pytest
from pygments.lexers import JavascriptLexer, PythonLexer
from pygments.token import Comment, Keyword, Literal, Operator, Punctuation, String

from fingerprint.features import Code, KindCounts, Reasoning, Syntax, Templates, choose, data_kind
from fingerprint.features.row_kinds import is_code
from fingerprint.features.scanner import (
    COMMENT,
    HASH,
    KEYWORD,
    NUMBER,
    OPERATOR,
    SLASH,
    STRING,
    Scanned,
    code_of,
    kinds,
    tokens,
)

PYTHON = textwrap.dedent(
    '''\
    def moving_average(values, window=3):
        """Return the means of all windows."""
        total, result = 0.0, []
        for index, value in enumerate(values):
            total += value  # the newest
            if index >= window: total -= values[index-window]
            result.append(total/window)
        return result
    '''
)
JAVASCRIPT = "// Adds.\nfunction total(list) {\n  let sum = 0;\n  for (const n of list) { sum += n; }\n  return sum;\n}"
PROSE = [
    "The class of 1990 met for dinner (it rained); everybody had fun.",
    "Return the book to the library.",
    "From there, import duties rise: see the table.",
    "x = 5",
    "y = -x + 3",
    "Area = 1/2 * base * height",
    "# A heading\n\nSome words; and then others.",
    "1. Mix the eggs.\n2. Add flour (200 g).\n3. Bake.",
]


def measured(row: str) -> dict[str, float]:
    return {name: float(value) for name, value in zip(Code().measurements(), Code().measured([row])[0], strict=True)}


def functions() -> list[str]:
    """Source of functions that others wrote."""
    modules = (statistics, textwrap, inspect)
    return [inspect.getsource(f) for m in modules for f in vars(m).values() if inspect.isfunction(f)]


# --------------------------------------------------------------------------------------------------------- kind of rows


def test_functions_of_the_standard_library_are_code() -> None:
    found = functions()
    assert len(found) > 100
    assert all(map(is_code, found))


@pytest.mark.parametrize("row", PROSE)
def test_prose_and_formulas_are_not_code(row: str) -> None:
    assert not is_code(row)


@pytest.mark.parametrize(
    "row",
    [
        JAVASCRIPT,
        "Here you are:\n\n```python\nprint(1)\nprint(2)\n```\nGood luck!",
        "SELECT name FROM people\nWHERE age > 30;",
        "#include <stdio.h>\nint main() { return 0; }",
        "total = sum(values)\nprint(total)",
    ],
)
def test_other_languages_and_fenced_answers_are_code(row: str) -> None:
    assert is_code(row)


def test_the_majority_of_both_corpora_together_chooses_the_families() -> None:
    code, prose = [PYTHON, JAVASCRIPT], ["It rained all day.", "We stayed inside."]
    assert data_kind(code + prose) == "prose"  # a half is no majority
    assert data_kind([*code, PYTHON, *prose]) == "code"
    assert data_kind([*code, "", " ", ""]) == "code"  # empty rows say nothing
    assert data_kind([PYTHON] * 9 + ["1, 2"]) == "both"
    assert list(choose("auto", code)) == ["tokens", "ngrams", "code", "syntax", "layout"]


def test_counts_of_shards_add_up_to_the_kind_of_all_rows() -> None:
    rows = [PYTHON, "It rained.", "1, 2", "", JAVASCRIPT, "3 + 4 = 7, so the answer is: 7. Then 7 - 2 = 5."]
    parts = [KindCounts.of(rows[:2]), KindCounts.of(rows[2:])]
    assert parts[0] + parts[1] == KindCounts.of(rows) == KindCounts(rows=6, numbers=1, empty=1, code=2, reasoning=1)


# --------------------------------------------------------------------------------------------------------------- tokens


def by_pygments(code: str, lexer: PythonLexer | JavascriptLexer) -> list[int]:
    """Kind of every character, as Pygments sees it; -1 where it says nothing that we tell apart."""
    groups = [(Comment, COMMENT), (String, STRING), (Literal.Number, NUMBER), (Operator.Word, KEYWORD)]
    groups += [(Keyword, KEYWORD), (Operator, OPERATOR), (Punctuation, OPERATOR)]
    found = []
    for _, kind, value in lexer.get_tokens_unprocessed(code):
        found += [next((number for group, number in groups if kind in group), -1)] * len(value)
    return found


def by_us(code: str, style: str) -> list[int]:
    found = tokens(code, style)
    return [kind for kind, token in zip(kinds(found, style), found, strict=True) for _ in token]


def test_tokens_are_those_of_pygments() -> None:
    corpora: Sequence[tuple[Sequence[str], PythonLexer | JavascriptLexer, str]] = (
        (functions(), PythonLexer(), HASH),
        ([JAVASCRIPT * 3], JavascriptLexer(), SLASH),
    )
    for rows, lexer, style in corpora:
        pairs = [pair for row in rows for pair in zip(by_pygments(row, lexer), by_us(row, style), strict=True)]
        told = [(theirs, ours) for theirs, ours in pairs if theirs >= 0]
        assert np.mean([theirs == ours for theirs, ours in told]) > 0.99


@pytest.mark.parametrize("style", ["hash", "slash", "dash"])
def test_tokens_joined_are_the_text_whatever_it_holds(style: str) -> None:
    signs = ["'", '"', "\\", "\n", "#", "/", "*", "`", "é", "\ud800", "a", "9", ".", " ", "\t", "-", "=", '"""']
    rng = np.random.default_rng(0)
    for _ in range(200):
        text = "".join(rng.choice(signs, size=60))
        assert "".join(tokens(text, style)) == text


@pytest.mark.parametrize(
    "piece",
    ['"', '\\"', "/*", "`\\", '"""', "'''\\", " ", "\n", "(",
     "f(()", "9_.e", "a.", "0+0 ", "for a in ", "```\n", "\\\"a", "{\\\"a\\\": "],
)
def test_hostile_rows_take_milliseconds(piece: str) -> None:
    row = piece * (20_000 // len(piece))
    began = time.process_time()
    is_code(row)
    Code().counts([row])
    Syntax().counts([row])
    assert time.process_time() - began < 0.2  # measured: .02; .3 where every escaped quote began a string


def test_the_language_is_told_by_the_row_alone() -> None:
    assert [code_of(row)[0] for row in (PYTHON, JAVASCRIPT, "-- all\nSELECT 1;", "```ts\nlet n = 1\n```")] == [
        "hash",
        "slash",
        "dash",
        "slash",
    ]


# ------------------------------------------------------------------------------------------------------------- features


def test_measurements_of_a_function_are_those_counted_by_hand() -> None:
    found = measured(PYTHON)
    expected = {
        "lines": 8, "comments": 1, "docstrings": 1, "comments behind two blanks": 1, "loops": 1, "names": 21,
        "distinct names": 8, "word 'for'": 1, "word 'enumerate'": 1, "name 'total'": 4, "operator '+='": 1,
        "share of '=' between blanks": 1, "'=' in brackets without a blank": 1, "'+' and '-' without a blank": 1,
        "share of '*', '/' and '%' between blanks": 0, "names with '_' inside": 1, "least indentation": 4,
        "deepest indentation": 8, "numbers": 2, "numbers with a point": 1, "methods": 1, "strings in triple quotes": 1,
        "comprehensions": 0, "longest line": 57,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("first", "second", "moved"),
    [
        ("x = [i for i in y]", "x = [ i for i in y ]", "blanks behind an opening bracket"),
        ("a = 'b'", 'a = "b"', "strings in single quotes"),
        ("a = b", "a = b ", "blanks at the end of a line"),
        ("total = 1", "acc = 1", "name 'total'"),
        ("if a:\n  b()", "if a:\n    b()", "least indentation"),
        ("f(a, b)", "f(a,b)", "share of ',' before a blank"),
        ("```py\na = 1\n```", "```\na = 1\n```", "fenced blocks with a tag"),
    ],
)
def test_a_choice_of_style_moves_its_measurement(first: str, second: str, moved: str) -> None:
    assert measured(first)[moved] != measured(second)[moved]


def test_features_of_a_row_hang_on_that_row_alone() -> None:
    rows = [PYTHON, JAVASCRIPT, "", "x", "```\ny = 1\n```", "SELECT a FROM b"]
    for family in (Code(), Syntax()):
        together, alone = family.counts(rows), [family.counts([row]) for row in rows]
        assert all((together[number] != one).nnz == 0 for number, one in enumerate(alone))
        assert family.counts([]).shape == (0, family.n_counts)


def test_syntax_does_not_see_names_but_for_single_ones() -> None:
    renamed = PYTHON.replace("total", "running").replace("value", "entry")
    first, second = (Syntax().fit([row]) for row in (PYTHON, renamed))
    columns = np.union1d(first.counts([PYTHON]).indices, second.counts([renamed]).indices)
    both = {c.name for c in first.describe(columns)} ^ {c.name for c in second.describe(columns)}
    assert {"syntax 'name total'", "syntax 'name running'"} <= both
    changed = {name for name in both if " name " not in name and "column" not in name}
    assert all("name" in name for name in changed)


def test_a_definition_gets_another_number_when_a_family_changes() -> None:
    """If this fails after a change of a family, raise the number in its definition and put the new digest here."""
    answer = "Step 1: Tom has 3 + 4 = 7.50 plums.\nTherefore, the answer is **1,000**."
    found = {}
    for family in (Code(), Syntax(), Reasoning(), Templates()):
        counts = family.counts([PYTHON, JAVASCRIPT, "```sql\nSELECT a FROM b -- c\n```", answer, "é 'x"])
        counts.sort_indices()
        found[family.definition] = hashlib.sha256(repr((counts.indptr.tolist(), counts.indices.tolist())).encode())
    assert {name: digest.hexdigest()[:16] for name, digest in found.items()} == {
        "code-1": "eb2bd6d552df5bed",
        "syntax-1": "28fb87ef66158f7f",
        "reasoning-1": "1ac33295530a0523",
        "templates-1": "149fad9d65967740",
    }


def test_scanned_neighbours_stay_in_their_row() -> None:
    found = Scanned.of(["a b", "", "c"])
    assert found.segments.counts.tolist() == [3, 0, 1]
    assert found.before(found.kind, -1).tolist() == [-1, found.kind[0], found.kind[1], -1]
    assert found.after(found.kind, -1).tolist() == [found.kind[1], found.kind[2], -1, -1]
