"""Catalogues in folders that a cloud or another computer keeps in step, and that may be half there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from index.errors import CatalogDamaged


def refuse_half_synced(folder: Path, parts: Sequence[str]) -> None:
    """Raises CatalogDamaged where a store is only a placeholder of a service that has not fetched it yet."""
    for part in parts:
        path = folder / part
        placeholder = path.with_name(f".{path.name}.icloud")
        if placeholder.exists() or (path.is_file() and not path.stat().st_size):
            raise CatalogDamaged(
                f"{path} is not there yet, only its place is: if a service keeps this folder in step, let it fetch the "
                "whole folder first; else restore a backup."
            )


def second_copies(folder: Path, parts: Sequence[str]) -> list[str]:
    """One sentence for each copy of a store that a service made because two computers wrote at once."""
    told = []
    for part in parts:
        stem, _, ending = part.partition(".")
        copies = sorted(path for path in folder.glob(f"{stem}*.{ending}") if path.name != part)
        told += [
            f"{path.name} is a second {part}, as services make them when two computers wrote at once: only {part} is "
            "used; keep one computer at a time."
            for path in copies
        ]
    return told
