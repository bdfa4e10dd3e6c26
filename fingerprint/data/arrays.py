"""Names of the array types that run through the package; shapes are said where an array is passed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]
Bins = NDArray[np.uint16]
Codes = NDArray[np.uint32]  # code points of characters
Flags = NDArray[np.uint8]  # bits
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Hashes = NDArray[np.uint64]
Strings = NDArray[np.object_]
Array = NDArray[Any]  # of whatever kind: what is done with it serves all
