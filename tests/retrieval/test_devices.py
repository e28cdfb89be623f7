"""Names of devices, and threads that work side by side."""

from __future__ import annotations

import pytest
import torch

from index.errors import DeviceUnavailable
from retrieval.devices import choose_device, choose_precision, on_one_thread_each, side_by_side


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:", "mps", "", "cuda:99"])
def test_what_is_no_device_here_is_refused(name: str) -> None:
    with pytest.raises(DeviceUnavailable):
        choose_device(name)


def test_gpus_are_counted_from_nought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(choose_device(name)) for name in ("cuda", "cuda:1", "cpu", None)] == ["cuda", "cuda:1", "cpu", "cuda"]
    with pytest.raises(DeviceUnavailable):
        choose_device("cuda:2")


def test_each_gpu_has_its_own_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.device] = []

    class Current:
        def __init__(self, device: torch.device) -> None:
            self.device = device

        def __enter__(self) -> None:
            asked.append(self.device)

        def __exit__(self, *_: object) -> None:
            asked.pop()

    monkeypatch.setattr(torch.cuda, "device", Current)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: asked[-1].index == 1)
    assert choose_precision(torch.device("cuda:0")) == torch.float32
    assert choose_precision(torch.device("cuda:1")) == torch.bfloat16


def test_threads_that_work_side_by_side_leave_torch_as_it_was() -> None:
    before = torch.get_num_threads()
    assert side_by_side(lambda number: (number, torch.get_num_threads()), range(5), 2) == [(n, 1) for n in range(5)]
    assert torch.get_num_threads() == before


def test_a_single_task_has_all_threads_or_one() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert side_by_side(lambda _: torch.get_num_threads(), ["task"], 2) == [2]
        assert on_one_thread_each(lambda _: torch.get_num_threads(), ["task"], 2) == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
