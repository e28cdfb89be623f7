"""A disk that fills up half-way keeps every finished batch and nothing of the unfinished one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from index.catalog.catalog import Catalog
from index.errors import StorageFull
from index.files import is_full, replacing
from index.types import GalleryFilter
from tests.index.making import photo

pytest.importorskip("resource", reason="file-size limits are a Unix matter")

ROOT = Path(__file__).parents[3]
ALL = GalleryFilter(identified=False)


@pytest.mark.parametrize("more", [-1_000_000, 20_000])
def test_a_full_disk_keeps_finished_batches(catalog: Catalog, more: int) -> None:
    command = [sys.executable, "-m", "tests.index.filling", "enroll", str(catalog.path), str(more)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    batches, said = run.stdout.split(maxsplit=1)
    assert "is full" in said
    reopened = Catalog.open(catalog.path)
    assert len(reopened.photos(ALL)) == 8 * int(batches)
    reopened.enroll([photo(seed, "T001") for seed in range(8 * int(batches) + 8)], "Ana")
    assert len(reopened.features(reopened.photos(ALL))) == 8 * int(batches) + 8
    assert reopened.summary().health == ()


def test_a_disk_that_is_full_while_photos_are_read_again_leaves_the_old_or_the_new(catalog: Catalog) -> None:
    catalog.enroll([photo(seed, "T001") for seed in range(40)], "Ana")
    command = [sys.executable, "-m", "tests.index.filling", "reindex", str(catalog.path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    small, larger, enough = run.stdout.splitlines()
    assert small.startswith("64 ") and "features.lmdb is full" in small
    assert larger.startswith("64 ") and "registry.duckdb is full" in larger
    assert enough == "128 enough"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(StorageFull), replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    assert not is_full(OSError(2, "No such file"))
