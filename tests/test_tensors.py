"""Arrays of whole numbers as bytes: what goes in comes out, here and for others. Attacks: `test_hostile_files.py`."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard

from fingerprint.data.tensors import packed, unpacked

ARRAYS = {
    "bytes": np.arange(15, dtype=np.uint8).reshape(3, 5),
    "after odd bytes": np.array([-(2**63), 2**63 - 1]),
    "none": np.zeros(0, dtype=np.uint64),
    "columns first": np.asfortranarray(np.arange(6, dtype=np.uint32).reshape(2, 3)),
    "other order of bytes": np.arange(4, dtype=">u2"),
}


def test_arrays_come_back_as_they_were() -> None:
    found = unpacked(packed(ARRAYS), 1 << 12, "a")
    assert list(found) == list(ARRAYS)
    for name, values in ARRAYS.items():
        assert found[name].dtype == values.dtype.newbyteorder("="), name
        np.testing.assert_array_equal(found[name], values)
    assert packed(found) == packed(ARRAYS)


def test_what_is_more_than_may_be_is_not_unpacked() -> None:
    content = packed(ARRAYS)
    size = zstandard.frame_content_size(content)
    unpacked(content, size, "a")
    with pytest.raises(ValueError, match=f"a must unpack to {size - 1} bytes at most, got {size}"):
        unpacked(content, size - 1, "a")


@pytest.mark.needs("lm")  # safetensors comes with it
def test_others_can_read_them() -> None:
    from safetensors.numpy import load

    found = load(zstandard.decompress(packed(ARRAYS)))
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(found[name], values)
