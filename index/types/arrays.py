"""What arrays hold, and in which type."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
"""A picture in RGB, [h, w, 3]."""

Descriptor = npt.NDArray[Any]
"""Global descriptors: vectors (float32) or signatures (uint8), as the catalogue's recipe says."""
