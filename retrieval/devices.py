"""Which device networks run on, in which precision, on how many threads, and how much of its memory they may take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from retrieval.gpus import device_name

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def choose_device(name: str | None = None) -> torch.device:
    """The device called `name` (`cpu`, `cuda`, `cuda:1`), or the GPU if there is one, else the CPU.

    Raises
    ------
    DeviceUnavailable
        A GPU was asked for and is not there, or the name is none of a device.
    """
    return torch.device(device_name(name))


def choose_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it fast (CUDA, AVX512-BF16, AMX), else float32."""
    if device.type == "cuda":
        with torch.cuda.device(device):  # else the first one answers
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu.get_capabilities()
        fast = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32


def choose_memory(device: torch.device) -> int:
    """Bytes for the activations of one batch; see `LightGlueMatcher`."""
    return min(4 << 30, torch.cuda.mem_get_info(device)[0] // 4) if device.type == "cuda" else 64 << 20


def side_by_side(task: Callable[[Batch], Result], batches: Sequence[Batch], threads: int) -> list[Result]:
    """The results of all tasks in order; `threads` of them run at once, each on one thread; a single one has them all.

    So no thread waits for another after every operation, as those do that share each operation of one batch.
    """
    if len(batches) < 2:
        return [task(batch) for batch in batches]
    return on_one_thread_each(task, batches, threads)


def on_one_thread_each(task: Callable[[Batch], Result], batches: Sequence[Batch], threads: int) -> list[Result]:
    """The same, where a single task has one thread too: convolutions round otherwise when threads share them.

    So results are the same bits however many cores there are.
    """
    if threads == 1:
        return [task(batch) for batch in batches]
    before = torch.get_num_threads()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            return list(pool.map(task, batches))
        finally:
            # what a thread sets is its own, but is also what threads to come begin with
            torch.set_num_threads(before)
