"""Whether `retrieval.kernels` pays and can work here; it needs Triton and a C compiler, once, beside an Nvidia GPU."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import torch

WIDE = 128
"""Channels from which on the kernels pay: what is narrower waits for launches, which they do not make cheaper."""


def kernels_for(width: int, heads: int, device: torch.device, precision: torch.dtype) -> ModuleType | None:
    """`retrieval.kernels` for layers of so many channels in bfloat16 on an Nvidia GPU, else None."""
    if device.type != "cuda" or precision != torch.bfloat16 or width < WIDE:
        return None
    return _working(width, heads, device)


@cache
def _working(width: int, heads: int, device: torch.device) -> ModuleType | None:
    """The kernels, if the GPU is of Ampere's age or younger and each of them runs there for layers of this size."""
    if torch.version.hip is not None or torch.cuda.get_device_capability(device) < (8, 0):
        return None
    try:
        from retrieval import kernels

        with torch.cuda.device(device):
            kernels.try_all(width, heads, device)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # without Triton, or a compiler, or room in the GPU's caches, torch alone does the work
        return None
    return kernels
