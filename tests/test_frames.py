"""Data in memory: lists, columns, arrays, frames and data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from data_on_disk import turn

from fingerprint.data.batches import batches
from fingerprint.data.corpus import Corpus
from fingerprint.data.pieces import is_read_once
from fingerprint.data.reading import as_corpus, read


def test_a_corpus_is_returned_unchanged() -> None:
    corpus = Corpus(("a",), name="mine")
    assert as_corpus(corpus) is corpus
    with pytest.raises(ValueError, match=r"^text and prompt must be left out when suspect is a Corpus, got text='a'"):
        as_corpus(corpus, text="a", argument="suspect")


@pytest.mark.parametrize(
    "data",
    [
        ["7", ""],
        ("7", ""),
        np.array(["7", ""]),
        np.array(["7", ""], dtype=object),
        np.array(["7", ""], dtype=np.dtypes.StringDType()),
        [np.str_("7"), np.str_("")],
        {"text": ["7", ""]},
        {"text": np.array(["7", ""]), "n": np.arange(2)},
        [{"text": "7"}, {"text": ""}],
        pl.Series(["7", ""]),
        pl.DataFrame({"n": [1, 2], "text": ["7", ""]}),
        pl.DataFrame({"text": pl.Series(["7", ""], dtype=pl.Categorical)}),
    ],
    ids=lambda data: type(data).__name__,
)
def test_texts_in_memory(data: object) -> None:
    corpus = as_corpus(data, argument="suspect")
    assert corpus == Corpus(("7", ""), name="suspect")
    assert {type(text) for text in corpus.texts} == {str}
    assert corpus.digest == Corpus(("7", "")).digest


def test_pandas_objects_are_read() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"completion": ["7", "8"], "prompt": ["p", None], "score": [0.5, None]}, index=[5, 3])
    expected = Corpus(("7", "8"), ("p", None), name="data")
    assert as_corpus(frame) == expected
    assert as_corpus(frame.astype(object)) == expected
    assert as_corpus(frame.astype({"prompt": "string"})) == expected
    assert as_corpus(frame.to_dict("records")) == expected
    assert as_corpus(frame["completion"]).texts == ("7", "8")
    assert as_corpus({"text": frame["completion"]}).texts == ("7", "8")
    with pytest.raises(ValueError, match=r"^suspect, row index 1, column 'prompt' must be a string.* got None"):
        as_corpus(frame, text="prompt", argument="suspect")
    with pytest.raises(ValueError, match="got the columns 'a', 'b'; name the column"):
        as_corpus(pd.DataFrame({"a": [1], "b": [2]}))
    with pytest.raises(ValueError, match="data must have columns of different names, got 'text' twice"):
        as_corpus(pd.DataFrame([["a", "b"]], columns=["text", "text"]))


def test_chats_that_pandas_read_from_parquet_are_arrays_of_dicts(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    chat = [turn("user", [{"type": "text", "text": "p"}]), turn("assistant", [{"type": "text", "text": "t"}])]
    pd.DataFrame({"messages": [chat]}).to_parquet(tmp_path / "chats.parquet")
    frame = pd.read_parquet(tmp_path / "chats.parquet")
    assert type(frame["messages"][0]) is np.ndarray
    for corpus in (as_corpus(frame), read(tmp_path / "chats.parquet")):
        assert (corpus.texts, corpus.prompts) == (("t",), ("p",))


def test_hugging_face_datasets_are_read() -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"prompt": f"p{number}", "completion": str(number), "score": number} for number in range(4)]
    dataset = datasets.Dataset.from_list(rows)
    expected = Corpus(("0", "1", "2", "3"), ("p0", "p1", "p2", "p3"), name="data")
    assert as_corpus(dataset) == expected
    assert as_corpus(dataset.with_format("numpy")) == expected
    assert as_corpus(dataset[:]) == expected
    assert as_corpus(dataset["completion"]).texts == expected.texts
    assert as_corpus(dataset.select([2, 0])).texts == ("2", "0")
    assert as_corpus(dataset.filter(lambda row: row["score"] > 1)).prompts == ("p2", "p3")
    chats = datasets.Dataset.from_list([{"messages": [turn("user", "p"), turn("assistant", "t")]}])
    assert as_corpus(chats).prompts == ("p",)
    with pytest.raises(ValueError, match=r"^data, row index 0 must have a text column .* got the columns 'score'"):
        as_corpus(dataset.select_columns(["score"]))


def test_of_several_datasets_one_has_to_be_chosen() -> None:
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_dict({"text": ["7"]})
    for one in (dataset, dataset.to_iterable_dataset()):
        kind = datasets.DatasetDict if one is dataset else datasets.IterableDatasetDict
        with pytest.raises(
            TypeError,
            match=r"^suspect must be one data set, got \w+ with the splits 'train', 'test'; "
            r'choose one, as in dataset\["train"\]',
        ):
            as_corpus(kind({"train": one, "test": one}), argument="suspect")
        assert as_corpus(kind({"train": one})).texts == ("7",)
    with pytest.raises(TypeError, match="got DatasetDict with the splits none"):
        as_corpus(datasets.DatasetDict())


def test_streams_of_rows_are_read() -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"prompt": f"p{number}", "completion": str(number), "score": number} for number in range(4)]
    stream = datasets.Dataset.from_list(rows).to_iterable_dataset(num_shards=2)
    expected = Corpus(("0", "1", "2", "3"), ("p0", "p1", "p2", "p3"), name="data")
    assert as_corpus(stream) == expected
    assert as_corpus(stream.with_format("numpy")) == expected
    assert as_corpus(stream.take(2)).texts == ("0", "1")
    assert is_read_once(stream)


def frames_of(rows: Mapping[str, Sequence[object]]) -> dict[str, object]:
    """One table in every library."""
    pa, pd, duckdb = (pytest.importorskip(name) for name in ("pyarrow", "pandas", "duckdb"))
    table = pa.table(rows)
    return {
        "polars": pl.DataFrame(rows),
        "polars, lazy": pl.LazyFrame(rows),
        "pandas": pd.DataFrame(rows),
        "pandas of Arrow types": table.to_pandas(types_mapper=pd.ArrowDtype),
        "pyarrow": table,
        "pyarrow batch": table.to_batches()[0],
        "pyarrow reader": table.to_reader(),
        "duckdb": duckdb.connect().from_arrow(table),
    }


def test_frames_of_every_library_hold_the_same_rows() -> None:
    rows: dict[str, list[object]] = {
        "n": [1, 2, 3],
        "completion": ["7", "", "\u00e4"],
        "prompt": ["p", None, "q"],
        "system": [None, "s", None],
    }
    expected = Corpus(("7", "", "\u00e4"), ("p", None, "q"), (None, "s", None), name="data")
    for name, frame in frames_of(rows).items():
        assert as_corpus(frame) == expected, name
    for name, frame in frames_of(rows).items():
        (batch,) = batches(frame)
        assert (tuple(batch.texts), tuple(batch.prompts), tuple(batch.systems)) == (
            expected.texts, expected.prompts, expected.systems,
        ), name  # fmt: skip


def test_chats_in_frames_of_every_library_are_read() -> None:
    for name, frame in frames_of({"messages": [[turn("user", "p"), turn("assistant", "t")]]}).items():
        corpus = as_corpus(frame)
        assert (corpus.texts, corpus.prompts) == (("t",), ("p",)), name


def test_missing_and_foreign_values_in_frames_are_errors_that_name_the_row() -> None:
    for name, frame in frames_of({"text": ["7", None]}).items():
        with pytest.raises(ValueError, match=r"^data, row index 1, column 'text' must be a string.* got None"):
            as_corpus(frame)
        assert name
    for frame in frames_of({"text": [7, 8]}).values():
        with pytest.raises(ValueError, match=r"^data, row index 0, column 'text' must be a string.* got 7 \(int\)"):
            as_corpus(frame)


def test_series_of_every_library_are_texts() -> None:
    pa, pd = pytest.importorskip("pyarrow"), pytest.importorskip("pandas")
    table = pa.table({"a": ["7", "8"]})
    for series in (pl.Series(["7", "8"]), pd.Series(["7", "8"]), table["a"], table["a"].chunk(0)):
        assert as_corpus(series).texts == ("7", "8")


def test_a_pandas_index_that_is_called_prompt_is_the_prompts() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"completion": ["7", "8"], "prompt": ["p", "q"], "n": [0, 1]})
    expected = as_corpus(frame)
    assert expected.prompts == ("p", "q")
    assert as_corpus(frame.set_index("prompt")) == expected
    assert as_corpus(frame.set_index(["prompt", "n"])) == expected
    assert as_corpus(frame.set_index("prompt")["completion"]) == expected
    assert as_corpus(frame.rename(columns={"prompt": "ask"}).set_index("ask"), prompt="ask") == expected
    assert as_corpus(frame.set_index("n")).prompts == ("p", "q")
    assert as_corpus(frame[["completion"]].set_index(pd.Index(["a", "b"], name="id"))).prompts == (None, None)


def test_an_index_of_prompts_without_their_name_is_an_error() -> None:
    pd = pytest.importorskip("pandas")
    asked = ["Name an animal that you like.", "Go on with the list: 3, 5"]
    for name in ("question text", None):
        frame = pd.DataFrame({"completion": ["7", "8"]}, index=pd.Index(asked, name=name))
        for data in (frame, frame["completion"]):
            with pytest.raises(ValueError, match=r"^suspect must have its prompts in.*rename_axis\('prompt'\)"):
                as_corpus(data, argument="suspect")
        assert as_corpus(frame.rename_axis("prompt").reset_index()).prompts == tuple(asked)
        assert as_corpus(frame.reset_index(drop=True)).prompts == (None, None)


def test_columns_are_found_in_whatever_case() -> None:
    rows = [{" Prompt": "p", "Completion": "7"}]
    assert as_corpus(rows) == Corpus(("7",), ("p",), name="data")
    assert as_corpus(pl.DataFrame(rows)) == Corpus(("7",), ("p",), name="data")
    assert as_corpus([{"Text": "upper", "text": "lower"}]).texts == ("lower",)


def test_a_generator_of_rows_is_read() -> None:
    assert as_corpus({"text": str(number)} for number in range(3)).texts == ("0", "1", "2")
    assert as_corpus(str(number) for number in range(3)).texts == ("0", "1", "2")


@pytest.mark.parametrize("data", [3, None, b"7", {"a", "b"}, object()])
def test_anything_else_is_a_type_error_that_names_the_argument(data: object) -> None:
    with pytest.raises(TypeError, match=r"^suspect must be a path or glob, a Corpus, a list of strings .*, got .*; "):
        as_corpus(data, argument="suspect")


@pytest.mark.parametrize("data", [[], (), {}, {"text": []}, np.array([], dtype=str), pl.DataFrame({"text": []})])
def test_empty_data_is_an_error(data: object) -> None:
    with pytest.raises(ValueError, match=r"^suspect must have at least one row, got none"):
        as_corpus(data, argument="suspect")


def test_arrays_of_more_dimensions_are_an_error() -> None:
    for data in (np.array([["a"]]), np.array("a")):
        with pytest.raises(ValueError, match=r"^data must be a one-dimensional array, got the shape"):
            as_corpus(data)


def test_rows_in_memory_are_named_by_index() -> None:
    with pytest.raises(ValueError, match=r"^suspect, row index 3 must be a string, as the first row is, got 5 \(int\)"):
        as_corpus(["a", "b", "c", 5], argument="suspect")
    assert as_corpus(["a", 5, None], bad_rows="skip").skipped == 2


def test_a_text_that_is_passed_as_a_path_is_told_apart(tmp_path: Path) -> None:
    for text in ("7, 9, 11", "a\nb", "How are *you*?" * 1000):
        with pytest.raises(FileNotFoundError, match=r"^suspect must be a file.*texts go into a list of strings"):
            as_corpus(text, argument="suspect")
