"""Check, compact, backup and restore, and how little these commands load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from index.catalog.catalog import Catalog
from synthetic.samples import SampleSet
from tests.index.making import photo
from tests.retrieval.drawn import copied
from tests.retrieval.shelling import Shell


def test_check_compact_backup_and_restore(shell: Shell) -> None:
    assert shell("check", "--json").records == [{"photos": 7, "problems": [], "repaired": [], "page": []}]
    assert shell("backup", "turtles.backup").code == 0
    shell("photos", "remove", "7", "--yes")
    refused = shell("compact", answer="n\n")
    assert refused.code == 1
    [compacted] = shell("compact", "--yes", "--json").records
    assert compacted["photos"] == 1
    gone = shell("photos", "restore", "7")
    assert (gone.code, "deleted by `compact`" in gone.err) == (1, True)
    (shell.catalog / "vectors.faiss").write_bytes(b"damaged")
    mended = shell("check")
    assert mended.code == 0
    assert "repaired: The vector index was built anew" in mended.out
    Catalog.open(shell.catalog).feature_store.delete({photo(1).sha256})
    problem = shell("check")
    assert problem.code == 3
    assert "photos/1.jpg are missing" in problem.out
    assert shell("restore", "turtles.backup", "again.catalog").code == 0
    back = Shell(shell.catalog.parent / "again.catalog", shell._capsys, shell._patch)
    assert [one["number"] for one in back("photos", "list", "--unidentified", "--json").records] == [7]
    assert shell("restore", "turtles.backup", "again.catalog").code == 1


def test_a_backup_replaces_nothing_but_backups(shell: Shell) -> None:
    Path("photo.jpg").write_bytes(b"\xff\xd8 a photo")
    refused = shell("backup", "photo.jpg")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "photo.jpg is there already and is not a backup" in refused.err
    assert Path("photo.jpg").read_bytes() == b"\xff\xd8 a photo"
    assert shell("backup", shell.catalog / "registry.duckdb").code == 1
    assert "is a folder" in shell("backup", shell.catalog, "--overwrite").err
    for _ in range(2):  # what a script repeats every night
        assert shell("backup", "nightly.zip").code == 0
    assert shell("export", "--darwin-core", "nightly.zip").code == 1
    assert shell("backup", "photo.jpg", "--overwrite").code == 0
    assert shell("backup", "photo.jpg").code == 0


def test_no_command_of_the_registry_loads_what_compares_photos(shell: Shell) -> None:
    program = (
        "import sys; from retrieval.cli import main\n"
        "for arguments in (['turtles', 'list'], ['photos', 'list'], ['encounters', 'list'], ['history'], ['queries'],\n"
        "                  ['undo', '999'], ['identify', '99', '--new'], ['audit', '--dismiss', 'T001']):\n"
        f"    try: main(['--catalog', {str(shell.catalog)!r}, *arguments])\n"
        "    except SystemExit: pass\n"
        "heavy = {'torch', 'timm', 'matplotlib', 'scipy', 'pandas', 'pyarrow', 'cv2', 'PIL', 'faiss'}\n"
        "sys.exit(bool(heavy & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


def test_lost_and_changed_originals_are_found(
    samples: SampleSet, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = copied(samples, tmp_path / "disk", ["T001"])
    own = Shell(tmp_path / "own.catalog", capsys, monkeypatch)
    assert own("enroll", chosen.folder / "T001", "--turtle", "Nina", "--no-fit").code == 0
    assert own("check", "--originals").code == 0
    assert own("info", "--json").records[0]["health"] == []
    first, second, _ = sorted((chosen.folder / "T001").iterdir())
    first.rename(tmp_path / "moved.jpg")
    second.write_bytes(second.read_bytes() + b"edited")
    assert own("check").code == 0
    found = own("check", "--originals", "--json")
    [record] = found.records
    assert (found.code, record["originals"]) == (3, {"missing": [str(first)], "changed": [str(second)]})
    assert any("1 of 3 originals are not where the catalogue says" in one for one in record["problems"])
    assert "photos relocate FOLDER" in own("info").out
