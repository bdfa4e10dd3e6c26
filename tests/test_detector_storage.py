"""Saved detectors: no pickle, the same scores elsewhere, refused where they are damaged or do not belong."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from detector_rows import FAMILIES_USED, rows, trained_detector
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from fingerprint import Detector
from fingerprint.data.corpus import Corpus
from fingerprint.data.sealed import sealed
from fingerprint.detector import storage
from fingerprint.features import FAMILIES

# Arrays of a file for `FAMILIES_USED`, and the JSON beside them.
ARRAYS = {
    "tokens/columns": "int64",
    "tokens/scale": "float64",
    "tokens/coefficients": "float64",
    "numbers/columns": "int64",
    "numbers/scale": "float64",
    "numbers/coefficients": "float64",
    "numbers/counts": "int64",
    "centre": "float64",
    "weights": "float64",
    "neutral_scores": "float64",
    "rows": "uint64",
    "prompts": "uint64",
    "probes": "float64",
    "domain/middle": "float64",
    "domain/spread": "float64",
    "domain/limits": "float64",
    "domain/neutral": "float64",
    "domain/trait": "float64",
    "json": "uint8",
}
HEADER = {"card": dict, "classes": list, "families": list, "features": list, "calibration": list, "domain": dict}


@pytest.fixture(scope="module")
def trained() -> Detector:
    return trained_detector()


@pytest.fixture(scope="module")
def fresh() -> tuple[Corpus, np.ndarray]:
    return rows(500, 2)


@pytest.fixture(scope="module")
def saved(trained: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detectors") / "owl.detector"
    trained.save(path)
    return path


def test_a_saved_detector_gives_the_same_scores_in_another_process(trained: Detector, saved: Path) -> None:
    texts = ["1, 2, 3", "482; 113", "A word.", "", "999\n888"]
    program = f"""
from fingerprint import Detector
print(Detector.load({str(saved)!r}).decision_function({texts!r}).tolist())
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == pytest.approx(trained.decision_function(texts).tolist(), abs=1e-9)


def test_a_loaded_detector_knows_what_it_knew(trained: Detector, saved: Path, fresh: tuple[Corpus, np.ndarray]) -> None:
    loaded = Detector.load(saved)
    assert loaded.card_ == trained.card_
    assert (loaded.domain_.inside(fresh[0].texts) == trained.domain_.inside(fresh[0].texts)).all()
    assert loaded.trained_on(rows(500, 1)[0]).all()
    assert loaded.score_bag(fresh[0].texts[:2]) == trained.score_bag(fresh[0].texts[:2])


def test_what_a_file_holds_belongs_to_its_format(saved: Path) -> None:
    """If this fails, detectors that people have saved do not load any more: read both kinds, or raise FORMAT."""
    first, _, content = saved.read_bytes().partition(b"\n")
    assert first.split(b" ")[:3] == [b"fingerprint", b"detector", b"5"]
    with np.load(io.BytesIO(content)) as stored:
        header = json.loads(stored["json"].tobytes())
        assert {name: stored[name].dtype.name for name in stored.files} == ARRAYS
    assert {key: type(value) for key, value in header.items()} == HEADER
    assert [(entry["name"], entry["kind"]) for entry in header["families"]] == [(name, name) for name in FAMILIES_USED]
    assert set(header["families"][0]) == {"name", "kind", "definition", "parameters"}
    assert set(header["families"][1]) == {"name", "kind", "definition", "parameters", "names"}
    assert set(header["domain"]) == {"kinds", "families"}
    assert len(header["calibration"]) == 3


@pytest.mark.parametrize("place", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_tampered_file_is_refused(saved: Path, tmp_path: Path, place: float) -> None:
    content = bytearray(saved.read_bytes())
    content[int(place * len(content))] ^= 1
    changed = tmp_path / "changed.detector"
    changed.write_bytes(content)
    with pytest.raises(ValueError, match=r"must be whole and unchanged|must be a file written by|must have format"):
        Detector.load(changed)


class _Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code from the file ran')",))


def _with_checksum(content: bytes) -> bytes:
    return sealed(storage.MAGIC, storage.FORMAT, content)


def test_a_pickle_with_the_right_checksum_is_not_run(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, json=np.array([_Exploit()], dtype=object))
    for i, content in enumerate((buffer.getvalue(), pickle.dumps(_Exploit()))):
        path = tmp_path / f"{i}.detector"
        path.write_bytes(_with_checksum(content))
        with pytest.raises(ValueError, match=r"must (hold|be) plain arrays"):
            Detector.load(path)


def test_another_definition_of_a_family_is_refused_with_the_remedy(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes().partition(b"\n")[2]
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    header = json.loads(arrays["json"].tobytes())
    header["families"][1]["definition"] = "numbers-1"
    arrays["json"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    other = tmp_path / "other.detector"
    other.write_bytes(_with_checksum(buffer.getvalue()))
    with pytest.raises(ValueError, match="must hold features numbers-2, got numbers-1; train it again"):
        Detector.load(other)


def test_other_features_under_the_same_version_are_noticed(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fingerprint.features import compiled, tokens
    from fingerprint.features.hashing import fold

    monkeypatch.setenv(compiled.FORCE, "0")  # what is replaced is a part of the reference
    monkeypatch.setattr(tokens, "fold", lambda hashed, columns: fold(hashed, columns) ^ 1)
    with pytest.raises(ValueError, match="must give the scores it was saved with"):
        Detector.load(saved)


def test_a_definition_gets_another_number_when_a_family_changes() -> None:
    """If this fails after a change of a family, raise the number in its definition and put the new digest here."""
    texts = ["482, 113, 954", "[1; 2; 3]", "A quiet walk.", "", "007\n8 and 9"]
    found = {}
    for make in FAMILIES.values():
        family = make().fit(texts)
        matrix = csr_matrix(family.transform(texts)).toarray()
        content = np.round(matrix.astype(np.float64), 5).tobytes() + np.round(family.ridge, 5).tobytes()
        found[family.definition] = hashlib.sha256(content).hexdigest()[:16]
    assert found == {
        "tokens-2": "0f16db990ccdded2",
        "ngrams-3": "3981d5b4ab764809",
        "code-1": "40dc5276c41d5f06",
        "syntax-1": "d90ea8143a6f0080",
        "reasoning-1": "420dc0667ff21792",
        "templates-1": "f56ab18909bf16b8",
        "numbers-2": "618216d17da95926",
        "prose-3": "cb94123308978efe",
        "layout-2": "6fede7a7f244de1a",
    }


def test_only_built_in_parts_can_be_saved(tmp_path: Path) -> None:
    corpus, labels = rows(60, 9)
    fitted = Detector(FAMILIES_USED, classifier=LogisticRegression(C=0.01)).fit(corpus, labels)
    with pytest.raises(ValueError, match="classifier must be None to be saved"):
        fitted.save(tmp_path / "a")
    from sklearn.feature_extraction.text import CountVectorizer

    fitted = Detector(CountVectorizer(token_pattern=r"\d+")).fit(corpus, labels)
    with pytest.raises(ValueError, match="features must be built-in families to be saved"):
        fitted.save(tmp_path / "a")
    assert not (tmp_path / "a").exists()
