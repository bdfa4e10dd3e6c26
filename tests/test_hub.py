"""Data sets by their names on the hub: found in the caches on the disk, never downloaded unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from data_on_disk import json_lines, write

from fingerprint.data.batches import batches
from fingerprint.data.hub import HubName, hub_name
from fingerprint.data.notes import ReadingNote
from fingerprint.data.reading import read

OLD, NEW = "0" * 40, "1" * 40


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_DATASETS_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def prepare(home: Path, folder: str, config: str, splits: dict[str, list[list[str]]], commit: str = NEW) -> None:
    """Leave a data set as `load_dataset` leaves it: files of each split, with the texts of their rows."""
    place = home / "datasets" / folder / config / "0.0.0" / commit
    place.mkdir(parents=True)
    info = {"config_name": config, "splits": {split: {} for split in splits}}
    (place / "dataset_info.json").write_text(json.dumps(info))
    for split, files in splits.items():
        for number, texts in enumerate(files):
            part = "" if len(files) == 1 else f"-{number:05d}-of-{len(files):05d}"
            pl.DataFrame({"text": texts}).write_ipc_stream(place / f"rows-{split}{part}.arrow")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("o/n", HubName("o/n", None, ())),
        ("o/n:train", HubName("o/n", None, ("train",))),
        ("o/n-1.0@refs/convert/parquet:c:train", HubName("o/n-1.0", "refs/convert/parquet", ("c", "train"))),
        ("hf://datasets/o/n", HubName("o/n", None, ())),
        ("https://huggingface.co/datasets/o/n:c", HubName("o/n", None, ("c",))),
        ("imdb", HubName("imdb", None, ())),
        ("7, 9", None),
        ("o/n/m", None),
        ("rows-*", None),
        ("../o", None),
    ],
)
def test_names_are_known_by_their_form(text: str, name: HubName | None) -> None:
    assert hub_name(text) == name


def test_prepared_datasets_are_read_file_by_file(home: Path) -> None:
    prepare(home, "o___my_rows", "default", {"train": [["a"], ["b"]], "test": [["c"]]})
    assert read("o/MyRows:train").texts == ("a", "b")
    assert read("o/MyRows:test").texts == read("o/MyRows:default:test").texts == ("c",)
    assert read("o/MyRows:test").name == "o/MyRows:test"
    assert [batch.texts for batch in batches("o/MyRows:train")] == [["a"], ["b"]]
    with pytest.raises(ValueError, match=r"^path must name one split, got 'o/MyRows' with the splits 'train', 'test'; "
                                         r"choose one, as in 'o/MyRows:train'$"):  # fmt: skip
        read("o/MyRows")
    with pytest.raises(ValueError, match=r"got 'tran' of 'o/MyRows', which has 'default', .*; did you mean 'train'\?"):
        read("o/MyRows:tran")


def test_of_several_configurations_one_is_to_be_named(home: Path) -> None:
    for config in ("owls", "cats"):
        prepare(home, "o___n", config, {"train": [[config]]})
    assert read("o/n:owls").texts == read("o/n:owls:train").texts == ("owls",)
    with pytest.raises(ValueError, match=r"with the configurations '(owls|cats)', '(owls|cats)'; choose one"):
        read("o/n")
    with pytest.raises(ValueError, match=r"^path must name a configuration .* got 'owl' .*; did you mean 'owls'\?"):
        read("o/n:owl:train")
    with pytest.raises(ValueError, match=r"^path must name a split .* got 'test' .* which has 'train'"):
        read("o/n:owls:test")
    prepare(home, "o___n", "default", {"owls": [["?"]], "train": [["d"]]})
    with pytest.raises(ValueError, match=r"'o/n:owls', which is a configuration and a split; name both"):
        read("o/n:owls")
    assert read("o/n:train").texts == ("d",)


def test_the_newest_revision_is_read_and_it_is_said_or_the_one_that_is_named(home: Path) -> None:
    prepare(home, "o___n", "default", {"train": [["old"]]}, OLD)
    prepare(home, "o___n", "default", {"train": [["new"]]}, NEW)
    write(home, "hub/datasets--o--n/refs/v1", OLD)
    with pytest.warns(ReadingNote, match=r"^o/n: of its revisions .* the newest here is read, '1111"):
        assert read("o/n").texts == ("new",)
    assert read("o/n@v1").texts == read("o/n@0000000:train").texts == ("old",)


def test_single_words_are_names_only_where_a_cache_has_them(home: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^path must be a file.*got 'imdb'; check the name and the .*folder$"):
        read("imdb")
    prepare(home, "imdb", "plain_text", {"train": [["a"]]})
    assert read("imdb").texts == ("a",)
    write(Path(), "imdb", "from the file\n")
    assert read("imdb").texts == ("from the file",)


def test_what_no_cache_has_is_answered_with_how_to_get_it() -> None:
    with pytest.raises(FileNotFoundError, match=r"`hf download .* o/n --revision v1`, or .* HF_HUB_OFFLINE=0$"):
        read("o/n@v1:train")
    Path("o").mkdir()
    with pytest.raises(FileNotFoundError, match=r"check the name and the current folder$"):
        read("o/n")
    with pytest.raises(FileNotFoundError, match=r"got 'https://example.org/rows.jsonl'; download it first$"):
        read("https://example.org/rows.jsonl")


def test_a_misspelt_name_is_answered_with_the_nearest_that_a_cache_has(home: Path) -> None:
    prepare(home, "owner___numbers", "default", {"train": [["a"]]})
    with pytest.raises(FileNotFoundError, match=r"data sets of the hub that are here, did you mean 'owner/numbers'\?$"):
        read("owner/nubmers:train")


def test_snapshots_are_prepared_by_datasets_without_the_network(home: Path) -> None:
    datasets = pytest.importorskip("datasets")
    snapshot = home / "hub" / "datasets--o--n" / "snapshots" / NEW
    write(snapshot, "README.md", "rows\n")
    with pytest.raises(FileNotFoundError, match="in no cache here"):
        read("o/n")
    write(snapshot, "train.jsonl", json_lines({"prompt": "p", "completion": "t"}))
    write(snapshot, "test.jsonl", json_lines({"prompt": "q", "completion": "u"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", home / "datasets")
        assert read("o/n:train").prompts == ("p",)
        assert read("o/n@1111:test").texts == ("u",)
        with pytest.raises(ValueError, match=r"^path must name one split, got 'o/n' with the splits 'train', 'test'"):
            read("o/n")


def test_only_where_the_environment_allows_it_a_dataset_is_downloaded(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    asked: list[tuple[Any, ...]] = []

    def load(*names: str | None, revision: str | None) -> None:
        asked.append((*names, revision))
        if len(asked) > 1:
            raise ConnectionError("no network")
        prepare(home, "o___n", "c", {"train": [["a"]]})

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(FileNotFoundError):
        read("o/n:c:train")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert read("o/n:c:train").texts == ("a",)
    assert asked == [("o/n", "c", None)]
    with pytest.raises(ValueError, match=r"^path must be .* can be downloaded, got 'o/m': no network; name"):
        read("o/m")
