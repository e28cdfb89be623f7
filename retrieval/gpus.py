"""Which device a name means, and whether there is a GPU; where there is none, torch is not imported to find out."""

from __future__ import annotations

import ctypes
import re
import sys
from functools import cache
from pathlib import Path

from index.errors import DeviceUnavailable

CPU = "cpu"


def device_name(asked: str | None = None) -> str:
    """The device called `asked` (`cpu`, `cuda`, `cuda:1`), or the GPU if there is one, else the CPU.

    Raises
    ------
    DeviceUnavailable
        A GPU was asked for and is not there, or the name is none of a device.
    """
    if asked is None:
        return "cuda" if count_gpus() else CPU
    if asked == CPU:
        return CPU
    numbered = re.fullmatch(r"cuda(?::(\d+))?", asked)
    if numbered is None:
        raise DeviceUnavailable(f"--device {asked} is not known: say cpu, cuda, or cuda:1 for the second GPU.")
    if int(numbered[1] or 0) >= count_gpus():
        raise DeviceUnavailable(f"there is no GPU for --device {asked}: leave the option out to run on the CPU.")
    return asked


def count_gpus() -> int:
    """How many GPUs torch can use; it is only asked, and imported, where a driver says that there may be any."""
    if "torch" not in sys.modules and not driver_has_gpus():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


@cache
def driver_has_gpus() -> bool:
    """Whether an NVIDIA driver is here and counts a GPU, or that of AMD is here."""
    if Path("/dev/kfd").exists():
        return True
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):  # no driver, or something else of this name
        return False
