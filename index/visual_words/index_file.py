"""The file of the visual words: inverted lists, which may be mapped, then ids, checksums, weights and a footer."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np

from index.types import Checkpoint
from index.vectors import checksum_of, damaged_file, footer_of, write_footer
from index.visual_words.inverted_file import VotePart, read_lists


def write_votes(path: Path, checkpoint: Checkpoint, part: VotePart, dimension: int) -> None:
    """Put ids, checksums and weights of a part behind its lists, which the file holds already, and the footer."""
    lists = path.stat().st_size
    described = {"photos": len(part), "dimension": dimension, "lists": lists, "crc32": checksum_of(path, 0, lists)}
    with path.open("ab") as file:
        file.write(part.ids.astype("<i8").tobytes() + part.checks.astype("<u4").tobytes())
        file.write(part.weight.astype("<f4").tobytes())
    write_footer(path, {**asdict(checkpoint), "votes": described}, lists)


def read_votes(path: Path, dimension: int, map_from: int) -> tuple[VotePart, Checkpoint]:
    """The votes of a file, its lists mapped from so many bytes on, and its state. Raises as `read_footer` does."""
    footer, content = footer_of(path)
    try:
        described = footer["votes"]
        if described["dimension"] != dimension:
            raise ValueError("it holds signatures of another length")
        n, lists = int(described["photos"]), int(described["lists"])
        with path.open("rb") as file:
            file.seek(lists)
            tail = file.read(content - lists)
        part = VotePart(
            ids=np.frombuffer(tail, "<i8", n).astype(np.int64),
            checks=np.frombuffer(tail, "<u4", n, 8 * n).astype(np.uint32),
            weight=np.frombuffer(tail, "<f4", n, 12 * n).astype(np.float32),
            lists=read_lists(path, mapped=lists >= map_from and os.name != "nt"),  # Windows replaces no mapped file
        )
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise damaged_file(path, error) from error
    return part, Checkpoint(int(footer["event"]), str(footer["token"]))


def lists_are_whole(path: Path) -> bool:
    """Whether the lists of a file of votes are as they were written. Raises as `read_footer` does."""
    described = footer_of(path)[0]["votes"]
    return int(described["crc32"]) == checksum_of(path, 0, int(described["lists"]))
