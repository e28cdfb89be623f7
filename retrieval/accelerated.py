"""Whether `retrieval.kernels` pays and can work here; it needs Triton and a C compiler, once, beside an Nvidia GPU."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from types import ModuleType

import torch

WIDE = 128
"""Channels from which on the kernels pay: what is narrower waits for launches, which they do not make cheaper."""


def kernels_for(width: int, device: torch.device, precision: torch.dtype) -> ModuleType | None:
    """`retrieval.kernels` for layers of so many channels in reduced precision on an Nvidia GPU, else None."""
    if device.type != "cuda" or precision == torch.float32 or width < WIDE:
        return None
    return _working(device)


@cache
def _working(device: torch.device) -> ModuleType | None:
    """The kernels, if the GPU is of Ampere's age or younger and a first one can be compiled."""
    if torch.version.hip is not None or find_spec("triton") is None:
        return None
    if torch.cuda.get_device_capability(device) < (8, 0):
        return None
    from retrieval import kernels

    try:
        with torch.cuda.device(device):
            kernels.log_sums(torch.zeros(1, 16, 16, device=device))
    except Exception:  # without a compiler, or with a Triton that knows other words, torch alone does the work
        return None
    return kernels
