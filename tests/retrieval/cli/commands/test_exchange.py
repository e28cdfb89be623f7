"""Tables, archives and field copies that go out and come back."""

from __future__ import annotations

import csv
import shutil
import zipfile
from pathlib import Path

from index.catalog.catalog import Catalog
from tests.index.making import photo
from tests.retrieval.shelling import Shell, sized


def test_tables_go_out_and_come_back(shell: Shell) -> None:
    for name in ("out.csv", "out.parquet"):
        assert shell("export", name, "--exact-locations").out == f"7 photos: {name}\n"
        assert shell("import", name, "--json").records == [
            {"dry_run": False, "updated": 0, "unchanged": 7, "missing": [], "refused": [], "noted": []}
        ]
    table = Path("out.csv").read_text()
    assert "-8.51234" in table
    shell("export", "coarse.csv")
    assert "-8.51234" not in Path("coarse.csv").read_text()
    stranger = photo(50).sha256
    Path("out.csv").write_text(table.replace("T017", "T018").replace(photo(7).sha256, stranger))
    tried = shell("import", "out.csv", "--dry-run")
    assert (tried.code, "1 photos would be updated, 5 unchanged" in tried.out) == (3, True)
    assert "T018" not in shell.turtles()
    changed = shell("import", "out.csv", "--why", "corrected by Ben")
    assert changed.code == 3
    assert "1 photos updated, 5 unchanged" in changed.out
    assert stranger[:12] in changed.err
    assert shell.turtles()["T018"] == 1
    assert shell("history", "--limit", "1", "--json").records[0]["why"] == "corrected by Ben (out.csv)"
    assert shell("export", "out.xlsx").code == 2
    assert shell("export").code == 2


def test_rows_that_cannot_be_used_are_named_and_the_rest_is_done(shell: Shell) -> None:
    digests = [photo(number).sha256 for number in (1, 2)]
    Path("t.csv").write_text(f"sha256;Side;tide\n{digests[0]};upside;\n{digests[1]};Left;low\n;left;\n")
    done = shell("import", "t.csv", "--json")
    assert (done.code, done.records[0]["updated"], done.records[0]["noted"]) == (3, 1, ["tide"])
    assert [row["line"] for row in done.records[0]["refused"]] == [2, 4]
    assert "refused: line 2: the side 'upside' is none of" in done.err
    assert "refused: line 4 has no sha256." in done.err
    assert "Columns that are kept as notes: tide." in done.err
    assert (shell("photos", "list", "--json").code, shell("import", "t.csv").code) == (0, 3)


def test_an_export_replaces_nothing_but_exports(shell: Shell) -> None:
    outputs = {
        "photos.csv": ("photos.csv",),
        "photos.parquet": ("photos.parquet",),
        "dwc.zip": ("--darwin-core", "dwc.zip"),
        "histories.csv": ("--capture-histories", "histories.csv"),
    }
    for name, arguments in outputs.items():
        Path(name).write_text("photo,turtle,role\na.jpg,T001,gallery\n")
        refused = shell("export", "other.csv", *arguments) if len(arguments) > 1 else shell("export", *arguments)
        assert (refused.code, refused.err.count("\n")) == (1, 1)
        assert f"{name} is there already" in refused.err
        assert "--overwrite" in refused.err
        assert Path(name).read_text().endswith("gallery\n")
        assert not Path("other.csv").exists()
        assert shell("export", *arguments, "--overwrite").code == 0
        assert shell("export", *arguments).code == 0  # what a script repeats every night
    others = ("photos.csv", "dwc.zip", "histories.csv")
    assert [shell("export", "--capture-histories", name).code for name in others] == [1, 1, 0]
    Path("empty.csv").touch()
    assert shell("export", "empty.csv").code == 0
    Path("folder.csv").mkdir()
    assert "is a folder" in shell("export", "folder.csv", "--overwrite").err
    assert shell("export", "same.csv", "--capture-histories", "same.csv").code == 2


def test_a_table_that_cannot_be_written_is_named(shell: Shell) -> None:
    refused = shell("export", "nowhere/out.parquet")
    assert refused.code == 1
    assert "nowhere/out.parquet" in refused.err
    assert "backup" not in refused.err


def test_darwin_core_and_capture_histories(shell: Shell) -> None:
    both = ("--darwin-core", "turtles.zip", "--capture-histories", "histories.csv")
    assert shell("export", *both).code == 0
    with zipfile.ZipFile("turtles.zip") as archive:
        assert "occurrence.csv" in archive.namelist()
        assert "-8.51234" not in archive.read("occurrence.csv").decode()
    with Path("histories.csv").open() as file:
        histories = {row["turtle"]: row["history"] for row in csv.DictReader(file)}
    assert histories == {"T001": "110", "T002": "100", "T017": "001", "": "unidentified"}
    shell("export", "--capture-histories", "histories.csv", "--first-year", "2021", "--side", "left")
    with Path("histories.csv").open() as file:
        assert [row["turtle"] for row in csv.DictReader(file)] == ["T001", ""]
    assert shell("export", *both, "--as-of", "2020-01-01").code == 2


def test_a_field_copy_joins(shell: Shell) -> None:
    field = Catalog.open(Path(shutil.copytree(shell.catalog, shell.catalog.parent / "field.catalog")))
    field.enroll([sized(photo(8, "T018"))], "Ben")
    shell("photos", "side", "1", "--is", "right")
    shown = shell("join", "field.catalog", "--dry-run")
    assert "1 photos would be added, 7 there already, 1 differences" in shown.out
    assert "new turtles: T018" in shown.out
    assert "T018" not in shell.turtles()
    [joined] = shell("join", "field.catalog", "--json").records
    assert joined["turtles"] == ["T018"]
    [difference] = joined["differences"]
    assert (difference["column"], difference["ours"], difference["theirs"]) == ("side", "right", "left")
    assert difference["key"].endswith("photos/1.jpg")
    assert shell.turtles()["T018"] == 1
