"""Data in memory: lists, columns, arrays, frames and data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from data_on_disk import turn

from fingerprint.data.corpus import Corpus
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


def test_containers_of_datasets_are_refused_with_the_way_out() -> None:
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_dict({"text": ["7"]})
    splits = datasets.DatasetDict({"train": dataset})
    stream = dataset.to_iterable_dataset()
    with pytest.raises(
        TypeError, match=r'^suspect must be .*, got DatasetDict; choose a split, as in dataset\["train"\]'
    ):
        as_corpus(splits, argument="suspect")
    with pytest.raises(TypeError, match=r"got IterableDataset; take rows of the stream, as in list\(dataset"):
        as_corpus(stream)
    assert as_corpus(list(stream.take(1))).texts == ("7",)
    with pytest.raises(TypeError, match=r"got LazyFrame; call its collect\(\)"):
        as_corpus(pl.LazyFrame({"text": ["7"]}))


@pytest.mark.parametrize("data", [3, None, b"7", {"a", "b"}, (text for text in "ab"), object()])
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
