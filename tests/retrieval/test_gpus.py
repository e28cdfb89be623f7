"""A GPU is found without torch where there is none, and devices have names."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable

import pytest

from index.errors import DeviceUnavailable
from retrieval.gpus import device_name, driver_has_gpus


class Driver:
    """An NVIDIA driver of so many GPUs, whose start gives this code."""

    def __init__(self, gpus: int, code: int = 0) -> None:
        self._gpus, self._code = gpus, code

    def cuInit(self, _flags: int) -> int:  # noqa: N802
        return self._code

    def cuDeviceGetCount(self, count: object) -> int:  # noqa: N802
        ctypes.cast(count, ctypes.POINTER(ctypes.c_int))[0] = self._gpus  # type: ignore[arg-type]
        return 0


def raising(*_: object) -> Driver:
    raise OSError("no such library")


@pytest.mark.parametrize(
    ("opening", "there"),
    [
        (raising, False),
        (lambda _: object(), False),
        (lambda _: Driver(0), False),
        (lambda _: Driver(2, code=100), False),
        (lambda _: Driver(2), True),
    ],
    ids=["no driver", "another library", "no GPU", "a driver that does not start", "two"],
)
def test_the_driver_is_asked(opening: Callable[..., object], there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", opening)
    driver_has_gpus.cache_clear()
    try:
        assert driver_has_gpus() is there
    finally:
        driver_has_gpus.cache_clear()


def test_the_cpu_is_always_there() -> None:
    assert device_name("cpu") == "cpu"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpu", "--device gpu is not known: say cpu, cuda, or cuda:1"),
        ("cuda:99", "there is no GPU for --device cuda:99"),
    ],
)
def test_what_is_no_device_here_is_refused_with_the_way_out(name: str, said: str) -> None:
    with pytest.raises(DeviceUnavailable, match=said):
        device_name(name)


@pytest.mark.skipif(driver_has_gpus(), reason="there is a GPU, about which torch is asked")
def test_without_a_gpu_torch_is_not_asked() -> None:
    program = (
        "import sys; from retrieval.gpus import device_name\n"
        "from index.errors import DeviceUnavailable\n"
        "assert device_name() == 'cpu'\n"
        "try: device_name('cuda')\n"
        "except DeviceUnavailable as error: assert 'no GPU for --device cuda:' in str(error)\n"
        "else: sys.exit(2)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
