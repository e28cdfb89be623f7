"""Whether `retrieval.kernels` can work here; it needs Triton, which is on machines with an Nvidia GPU only."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from types import ModuleType

import torch


@cache
def kernels_on(device: torch.device) -> ModuleType | None:
    """`retrieval.kernels` where `device` is an Nvidia GPU of Ampere's age or younger, else None."""
    if device.type != "cuda" or torch.version.hip is not None or find_spec("triton") is None:
        return None
    if torch.cuda.get_device_capability(device) < (8, 0):
        return None
    from retrieval import kernels

    return kernels
