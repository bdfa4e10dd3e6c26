"""Weights of other people's models: safetensors inside the folder, or an error before anything is loaded."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from fingerprint.data.weights import check_modules, check_weights

CONFIG = json.loads((Path(str(files("fingerprint.lm"))) / "models" / "micro-a" / "config.json").read_text())


class _Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code from the file ran')",))


def tensors(path: Path) -> None:
    """A file of safetensors that holds nothing."""
    header = b'{"__metadata__":{}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def index(shard: object) -> Callable[[Path], None]:
    return lambda folder: _write_index(folder, json.dumps({"metadata": {}, "weight_map": {"a": shard}}))


def _write_index(folder: Path, text: str) -> None:
    (folder / "model.safetensors.index.json").write_text(text)


def _link(folder: Path) -> None:
    tensors(folder.parent / "elsewhere.safetensors")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder.parent / "elsewhere.safetensors")


def _config(**changes: object) -> Callable[[Path], object]:
    return lambda folder: (folder / "config.json").write_text(json.dumps(CONFIG | changes))


def _only_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


ATTACKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickled shard": (index("pytorch_model.bin"), "got 'pytorch_model.bin' in model.safetensors.index.json"),
    "shard above": (index("../evil.safetensors"), "got '../evil.safetensors' in model.safetensors.index.json"),
    "shard by path": (index("/tmp/evil.safetensors"), "got '/tmp/evil.safetensors' in model.safetensors.index.json"),
    "shard by backslash": (index("..\\evil.safetensors"), r"got '\.\.\\\\evil\.safetensors' in"),
    "shard of a number": (index(7), "got '7' in model.safetensors.index.json"),
    "no map": (lambda folder: _write_index(folder, "{}"), "must have an index with a weight_map"),
    "deep index": (lambda folder: _write_index(folder, "[" * 5000), "must have whole JSON, got .*brackets within"),
    "list": (lambda folder: _write_index(folder, "[]"), r"must have an object of JSON, got \[\]"),
    "settings": (_config(transformers_weights="pytorch_model.bin"), "got 'pytorch_model.bin' in config.json"),
    "adapter": (lambda folder: (folder / "adapter_config.json").write_text("{}"), "got an adapter in"),
    "link": (_link, "got the link model.safetensors to "),
    "pickle": (_only_pickle, "got the pickle pytorch_model.bin in .*save_pretrained"),
    "huge header": (
        lambda folder: (folder / "model.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}"),
        "must have whole safetensors files, got a damaged one",
    ),
}


@pytest.fixture(params=ATTACKS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Exploit()))
    tensors(folder / "model.safetensors")
    change, message = ATTACKS[request.param]
    change(folder)
    return folder, message


def test_weights_that_are_elsewhere_or_of_another_kind_are_refused(model: tuple[Path, str]) -> None:
    folder, message = model
    with pytest.raises(ValueError, match=message):
        check_weights(folder, "a model")


@pytest.mark.needs("lm")
def test_every_way_to_load_a_model_refuses_them(tmp_path: Path) -> None:
    from fingerprint.filters import Embedding, LocalJudge
    from fingerprint.lm.loading import load

    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(_Exploit()))
    index("pytorch_model.bin")(tmp_path)
    for use in (
        lambda: load(tmp_path),
        lambda: LocalJudge("owls", model=str(tmp_path))(["a"]),
        lambda: Embedding("owls", model=str(tmp_path))(["a"]),
    ):
        with pytest.raises(ValueError, match=r"must name safetensors inside its folder, got 'pytorch_model\.bin'"):
            use()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ({"type": "subprocess.Popen", "path": ""}, "must have modules of sentence-transformers, got 'subpr"),
        ({"type": "sentence_transformers.models.Dense", "path": "../x"}, "must have its modules inside its folder"),
        ({"type": "sentence_transformers.models.Dense", "path": "/x"}, "must have its modules inside its folder"),
        ({"type": "sentence_transformers.models.Dense", "path": "dense"}, "got the pickle pytorch_model.bin in"),
        ("a", "must have modules of sentence-transformers, got None"),
    ],
)
def test_modules_of_an_embedding_model_follow_the_same_rule(tmp_path: Path, module: object, message: str) -> None:
    (tmp_path / "dense").mkdir()
    (tmp_path / "dense" / "pytorch_model.bin").write_bytes(pickle.dumps(_Exploit()))
    (tmp_path / "modules.json").write_text(json.dumps([module]))
    with pytest.raises(ValueError, match=message):
        check_modules(tmp_path, "a model")


def test_links_inside_the_cache_of_a_hub_are_its_own_files(tmp_path: Path) -> None:
    folder, blobs = tmp_path / "snapshots" / "abc", tmp_path / "blobs"
    folder.mkdir(parents=True)
    blobs.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    tensors(blobs / "123")
    (folder / "model.safetensors").symlink_to(blobs / "123")
    check_weights(folder, "a model")
