"""Tables in files of their own, and their rows: those that can be used, and those that are refused."""

from __future__ import annotations

from pathlib import Path

from index.exchange.manifest import ManifestRow, RefusedRow, read_manifest
from index.exchange.tables.dates import DateOrder


def table(folder: Path, content: str | bytes, name: str = "photos.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def usable(path: Path, dates: DateOrder | None = None) -> list[ManifestRow]:
    rows = list(read_manifest(path, dates=dates))
    assert all(isinstance(row, ManifestRow) for row in rows), rows
    return [row for row in rows if isinstance(row, ManifestRow)]


def refused(path: Path) -> dict[int, str]:
    return {row.number: row.reason for row in read_manifest(path) if isinstance(row, RefusedRow)}
