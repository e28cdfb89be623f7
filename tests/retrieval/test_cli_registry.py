"""The commands that look after a catalogue, run as a person types them, on a catalogue of seven photos."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from drawing.samples import write_samples
from index.catalog import Catalog
from index.decisions import Decisions
from index.types import PreparedPhoto, Side
from retrieval.cli import main
from tests.index.making import RECIPE, day, photo

README = Path(__file__).parents[2] / "README.md"
CHAPTER = "Looking after a catalogue"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.out)))


class Shell:
    """Runs `turtleidx` in this process, in the catalogue's folder, and answers its questions."""

    def __init__(self, catalog: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.catalog = catalog
        self._capsys = capsys
        self._patch = patch
        patch.chdir(catalog.parent)

    def __call__(self, *arguments: str | Path, answer: str = "") -> Outcome:
        self._capsys.readouterr()
        self._patch.setattr(sys, "stdin", io.StringIO(answer))
        try:
            main(["--catalog", str(self.catalog), "--who", "Ana", *map(str, arguments)])
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        printed = self._capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    def turtles(self, *filters: str) -> dict[str, object]:
        """Photo counts by id."""
        return {str(one["turtle"]): one["photos"] for one in self("turtles", "list", "--json", *filters).records}


def placed(one: PreparedPhoto, latitude: float, longitude: float) -> PreparedPhoto:
    return replace(one, sighting=replace(one.sighting, latitude=latitude, longitude=longitude))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three turtles and a photo of nobody: photos 1 to 7."""
    catalog = Catalog.create(tmp_path_factory.mktemp("made") / "turtles.catalog", RECIPE)
    catalog.enroll(
        [
            photo(1, "T001", taken_on=day(0), side=Side.LEFT, site="Reef"),
            photo(2, "T001", taken_on=day(0), side=Side.RIGHT, site="Reef"),
            photo(3, "T001", taken_on=day(400), side=Side.LEFT, site="Bay"),
            photo(4, "T002", taken_on=day(5), side=Side.LEFT, species="Chelonia mydas"),
            placed(photo(5, "T002", taken_on=day(9), side=Side.LEFT), -8.51234, 115.51234),
            photo(6, "T017", taken_on=day(800), side=Side.RIGHT),
            photo(7, taken_on=day(3)),
        ],
        "Ben",
    )
    Decisions(catalog).keep("ab" * 32, "boat/a.jpg", "UNDECIDED", '{"candidates": []}', "Ben")
    return catalog.path


@pytest.fixture
def shell(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(Path(shutil.copytree(made, tmp_path / "turtles.catalog")), capsys, monkeypatch)


def test_lists_filter_sort_and_page(shell: Shell) -> None:
    assert shell.turtles() == {"T001": 3, "T002": 2, "T017": 1}
    assert list(shell.turtles("--sort", "last_seen", "--descending")) == ["T017", "T001", "T002"]
    assert shell.turtles("--species", "Chelonia mydas") == {"T002": 2}
    second = shell("turtles", "list", "--page", "2", "--page-size", "1")
    assert "T002" in second.out
    assert "T001" not in second.out
    assert "--page 3" in second.err
    photos = shell("photos", "list", "--turtle", "T001", "--side", "left", "--from", "2020-06-01", "--json").records
    assert [one["number"] for one in photos] == [3]
    assert [one["number"] for one in shell("photos", "list", "--unidentified", "--json").records] == [7]
    assert len(shell("encounters", "list", "--turtle", "T002", "--json").records) == 2
    assert [one["turtle"] for one in shell("encounters", "list", "--unidentified", "--json").records] == [None]


def test_a_long_path_is_whole_in_a_pipe(shell: Shell) -> None:
    Catalog.open(shell.catalog).enroll([photo(8, "T018")], "Ben")
    deep = shell.catalog.parent / ("reef" * 40) / "8.jpg"
    deep.parent.mkdir()
    deep.write_text("8")
    assert shell("photos", "relocate", deep.parent).code == 0
    assert any(line.rstrip().endswith(str(deep)) for line in shell("photos", "list").out.splitlines())


def test_csv_is_safe_for_spreadsheets_and_json_goes_alone(shell: Shell) -> None:
    shell("turtles", "note", "T001", "=1+1")
    rows = shell("turtles", "list", "--csv").rows
    assert [row["turtle"] for row in rows] == ["T001", "T002", "T017"]
    assert rows[0]["note"] == "'=1+1"
    assert rows[0]["sides"] == "left, right"
    empty = shell("photos", "list", "--removed", "--csv").out
    assert empty.startswith("number,photo,sha256")
    assert shell("turtles", "list", "--csv", "--json").code == 2


def test_coordinates_are_exact_only_on_request(shell: Shell) -> None:
    [coarse] = shell("photos", "show", "5", "--json").records
    [exact] = shell("photos", "show", "5", "--json", "--exact-locations").records
    assert (coarse["latitude"], coarse["longitude"]) == (-8.5, 115.5)
    assert (exact["latitude"], exact["longitude"]) == (-8.51234, 115.51234)
    assert "-8.51234" not in shell("turtles", "show", "T002", "--json").out


def test_a_photo_is_named_by_number_path_or_digest(shell: Shell) -> None:
    digest = photo(4).sha256
    for reference in ("4", "photos/4.jpg", digest[:8]):
        assert shell("photos", "show", reference, "--json").records[0]["sha256"] == digest
    shown = shell("photos", "show", "4")
    assert "photos/4.jpg" in shown.out
    assert digest in shown.out
    missing = shell("photos", "show", "99")
    assert (missing.code, missing.err) == (1, "There is no photo 99 in the catalogue.\n")


def test_a_turtle_is_shown_with_its_encounters(shell: Shell) -> None:
    shown = shell("turtles", "show", "T001").out
    assert shown.index("2020-01-01") < shown.index("photos/2.jpg") < shown.index("photos/3.jpg")
    [record] = shell("turtles", "show", "T001", "--json").records
    assert [one["number"] for one in record["photos"]] == [1, 2, 3]
    [encounter] = shell("encounters", "show", "1", "--json").records
    assert [one["number"] for one in encounter["photos"]] == [1, 2]
    assert "photos/2.jpg" in shell("encounters", "show", "1").out


def test_a_merge_asks_shows_and_is_undone(shell: Shell) -> None:
    merge = ("turtles", "merge", "T001", "T002", "--why", "same scar")
    for answer in ("n\n", ""):
        refused = shell(*merge, answer=answer)
        assert refused.code == 1
        assert "turtle T002: status active → merged" in refused.err
        assert "Nothing was changed" in refused.err
    assert "would change" in shell(*merge, "--dry-run").out
    assert shell.turtles("--status", "active") == {"T001": 3, "T002": 2, "T017": 1}
    assert "event" in shell(*merge, answer="y\n").out
    assert shell.turtles("--status", "active") == {"T001": 5, "T017": 1}
    [newest, *_] = shell("history", "--json").records
    assert (newest["who"], newest["action"], newest["why"]) == ("Ana", "merge turtles", "same scar")
    [undone] = shell("undo", "--yes", "--json").records
    assert undone["event"] == newest["id"] + 1
    assert shell.turtles("--status", "active") == {"T001": 3, "T002": 2, "T017": 1}
    again = shell("undo", str(newest["id"]), "--yes")
    assert (again.code, "is undone already" in again.err) == (1, True)


def test_every_change_of_a_turtle(shell: Shell) -> None:
    assert shell("turtles", "create", "T100", "--species", "Caretta caretta", "--note", "seen by boat").code == 0
    [made] = shell("turtles", "rename", "T100", "Nina", "--json").records
    [change] = made["changes"]
    assert (change["name"], change["columns"]) == ("turtle T100", {"id": ["T100", "Nina"]})
    assert shell("turtles", "tag", "Nina", "--add", "one flipper", "--add", "male").code == 0
    assert shell("turtles", "tag", "Nina", "--remove", "male").code == 0
    assert shell("turtles", "species", "Nina", "Chelonia mydas").code == 0
    assert shell("turtles", "note", "Nina").code == 0
    [nina] = shell("turtles", "list", "--tag", "one flipper", "--json").records
    assert (nina["turtle"], nina["species"], nina["note"]) == ("Nina", "Chelonia mydas", None)
    assert shell("turtles", "split", "T001", "3", "--as", "T003", "--yes").code == 0
    assert shell("turtles", "retire", "T003", "--yes").code == 0
    assert shell.turtles("--status", "retired") == {"T003": 1}
    assert shell("turtles", "restore", "T003").code == 0
    assert shell.turtles() == {"Nina": 0, "T001": 2, "T002": 2, "T003": 1, "T017": 1}
    assert shell("turtles", "tag", "Nina").code == 2
    nothing = shell("turtles", "species", "Nina", "Chelonia mydas")
    assert (nothing.code, nothing.out) == (0, "nothing to change: it is like that already\n")


def test_every_change_of_a_photo(shell: Shell) -> None:
    assert shell("photos", "move", "7", "photos/6.jpg", "--to", "T020").code == 0
    assert shell.turtles() == {"T001": 3, "T002": 2, "T017": 0, "T020": 2}
    assert shell("photos", "move", "7", "--to-nobody").code == 0
    assert shell("photos", "side", "7", "--is", "left").code == 0
    assert shell("photos", "date", "7", "--is", "2019-12-31").code == 0
    [seven] = shell("photos", "show", "7", "--json").records
    assert (seven["turtle"], seven["side"], seven["taken_on"]) == (None, "left", "2019-12-31")
    assert shell("photos", "side", "7", "--unknown").code == 0
    assert shell("photos", "date", "7", "--unknown").code == 0
    [seven] = shell("photos", "show", "7", "--json").records
    assert (seven["side"], seven["taken_on"]) == (None, None)
    assert shell("photos", "remove", "1", "2", answer="y\n").code == 0
    assert [one["number"] for one in shell("photos", "list", "--removed", "--json").records] == [1, 2]
    assert shell("photos", "restore", "1").code == 0
    assert shell.turtles()["T001"] == 2
    touched = [one["action"] for one in shell("history", "--photo", "7", "--json").records]
    assert touched == ["set date", "set side", "set date", "set side", "move photos", "move photos", "enroll"]


def test_moved_originals_are_found_by_their_bytes(shell: Shell) -> None:
    folder = shell.catalog.parent / "disk" / "deep"
    folder.mkdir(parents=True)
    for seed in (1, 2, 99):
        (folder / f"moved-{seed}.jpg").write_text(str(seed))
    (folder / "empty.jpg").touch()
    first = shell("photos", "relocate", folder.parent)
    assert first.code == 0
    assert "2 moved originals found, 0 where they were, 5 still missing." in first.err
    assert shell("photos", "show", "2", "--json").records[0]["photo"] == str(folder / "moved-2.jpg")
    again = shell("photos", "relocate", folder.parent, "--json")
    assert again.records == [{"event": None, "dry_run": False, "changes": []}]
    assert "0 moved originals found, 2 where they were, 5 still missing." in again.err


def test_encounters_merge_and_split(shell: Shell) -> None:
    first, second = (one["encounter"] for one in shell("encounters", "list", "--turtle", "T002", "--json").records)
    assert shell("encounters", "merge", str(first), str(second), "--yes").code == 0
    [merged] = shell("encounters", "list", "--turtle", "T002", "--json").records
    assert merged["photos"] == 2
    assert shell("encounters", "split", str(merged["encounter"]), "5", "--as", "dusk", answer="y\n").code == 0
    names = [one["name"] for one in shell("encounters", "list", "--turtle", "T002", "--json").records]
    assert names == [None, "dusk"]


def test_the_past_is_shown_as_it_was(shell: Shell) -> None:
    shell("turtles", "rename", "T001", "Nina")
    shell("turtles", "rename", "Nina", "Olga")
    renamed_again, renamed, _, enrolled, _ = (str(one["at"]) for one in shell("history", "--json").records)
    for moment, name in ((enrolled, "T001"), (renamed, "Nina"), (renamed_again, "Olga"), ("2999-01-01", "Olga")):
        assert shell.turtles("--as-of", moment)[name] == 3
    assert shell("turtles", "show", "Nina", "--as-of", renamed).code == 0
    assert shell("photos", "show", "1", "--as-of", renamed, "--json").records[0]["turtle"] == "Nina"
    for command in (["photos", "list"], ["encounters", "list"], ["history"]):
        assert shell(*command, "--as-of", "2000-01-01", "--json").records == []
    assert shell("turtles", "list", "--as-of", "last year").code == 2
    told = [one["action"] for one in shell("history", "--turtle", "Olga", "--json").records]
    assert told == ["rename turtle", "rename turtle", "enroll"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["turtles", "show", "T999"], 1, "There is no turtle T999"),
        (["turtles", "rename", "T001", "T002"], 1, "There is a turtle T002 already"),
        (["turtles", "split", "T001", "4", "--as", "T003", "--yes"], 1, "does not belong to turtle T001"),
        (["photos", "move", "1"], 2, "--to"),
        (["photos", "side", "1", "--is", "bottom"], 2, "bottom"),
        (["photos", "date", "1", "--is", "July"], 2, "YYYY-MM-DD"),
        (["history", "--turtle", "T001", "--photo", "1"], 2, "choose one"),
        (["undo", "999"], 1, "There is no event 999"),
        (["undo", "1"], 1, "cannot be undone"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence(shell: Shell, arguments: list[str], code: int, sentence: str) -> None:
    done = shell(*arguments)
    assert (done.code, done.out) == (code, "")
    assert sentence in " ".join(re.sub("[│╭╮╰╯─]", " ", done.err).split())


def test_check_compact_backup_and_restore(shell: Shell) -> None:
    assert shell("check", "--json").records == [{"photos": 7, "problems": [], "repaired": []}]
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


def test_tables_go_out_and_come_back(shell: Shell) -> None:
    for name in ("out.csv", "out.parquet"):
        assert shell("export", name, "--exact-locations").out == f"7 photos: {name}\n"
        assert shell("import", name, "--json").records == [{"updated": 0, "unchanged": 7, "missing": []}]
    table = Path("out.csv").read_text()
    assert "-8.51234" in table
    shell("export", "coarse.csv")
    assert "-8.51234" not in Path("coarse.csv").read_text()
    stranger = photo(50).sha256
    Path("out.csv").write_text(table.replace("T017", "T018").replace(photo(7).sha256, stranger))
    changed = shell("import", "out.csv")
    assert changed.code == 3
    assert "1 photos updated, 5 unchanged" in changed.out
    assert stranger[:12] in changed.err
    assert shell.turtles()["T018"] == 1
    assert shell("export", "out.xlsx").code == 2
    assert shell("export").code == 2


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
    field.enroll([photo(8, "T018")], "Ben")
    shell("photos", "side", "1", "--is", "right")
    shown = shell("join", "field.catalog", "--dry-run")
    assert "1 photos would be added, 7 there already, 1 differences" in shown.out
    assert "T018" not in shell.turtles()
    [joined] = shell("join", "field.catalog", "--json").records
    [difference] = joined["differences"]
    assert (difference["column"], difference["ours"], difference["theirs"]) == ("side", "right", "left")
    assert difference["key"].endswith("photos/1.jpg")
    assert shell.turtles()["T018"] == 1


def test_people_decide_about_kept_queries(shell: Shell) -> None:
    assert [one["query"] for one in shell("queries", "--undecided", "--json").records] == [1]
    [unsure] = shell("decide", "1", "--unsure", "--json").records
    assert (unsure["answer"], unsure["who"]) == ("unsure", "Ana")
    [decided] = shell("decide", "1", "--is", "T017", "--why", "the scar", "--json").records
    assert (decided["answer"], decided["turtle"], decided["why"]) == ("is", "T017", "the scar")
    assert decided["evidence"] == {"candidates": []}
    assert shell("queries", "--undecided", "--json").records == []
    assert shell("queries", "--csv").rows[0]["turtle"] == "T017"
    assert "T017" in shell("queries").out
    assert shell("decide", "1", "--new", "--unsure").code == 2
    assert shell("decide", "2", "--new").code == 1


def test_a_query_is_kept_with_its_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = write_samples(tmp_path / "samples", turtles=2, photos_per_turtle=2, new_turtles=0, size=(320, 256))
    own = Shell(tmp_path / "own.catalog", capsys, monkeypatch)
    first, second = samples.folder / "T001" / "left-1.jpg", samples.folder / "T001" / "left-2.jpg"
    own("enroll", first, "--turtle", "Nina", "--side", "left")
    (tmp_path / "text.jpg").write_text("not a photo")
    asked = own("query", second, tmp_path / "text.jpg", "--keep", "--json", "--matcher", "nearest")
    assert [one.get("kept_as") for one in asked.records] == [1, None]
    [kept] = own("queries", "--json").records
    assert (kept["verdict"], kept["sha256"]) == ("UNDECIDED", hashlib.sha256(second.read_bytes()).hexdigest())
    evidence = kept["evidence"]
    assert evidence["candidates"][0]["turtle"] == "Nina"
    assert evidence["terms"] == {"prior_new": 0.5, "false_known": 0.01, "misidentified": 0.01, "false_new": 0.05}
    assert evidence["model"]["recipe"] == evidence["recipe"]
    told = own("query", second, "--keep", "--matcher", "nearest")
    assert "Kept as query 2" in told.err


def test_no_command_of_the_registry_loads_a_network(made: Path) -> None:
    program = (
        "import sys; from retrieval.cli import main\n"
        "for arguments in (['photos', 'list'], ['encounters', 'list'], ['history'], ['queries'], ['undo', '999']):\n"
        f"    try: main(['--catalog', {str(made)!r}, *arguments])\n"
        "    except SystemExit: pass\n"
        "sys.exit(bool({'torch', 'timm', 'matplotlib'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


def chapter_commands() -> list[list[str]]:
    chapter = re.search(
        rf"^## {CHAPTER}\n(.*?)(?=^## |\Z)", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    block = re.search(r"^```\w*\n(.*?)^```", chapter[1], re.MULTILINE | re.DOTALL) if chapter else None
    if block is None:
        return []
    typed = [shlex.split(line, comments=True) for line in block[1].splitlines()]
    return [words for words in typed if words]


def test_the_commands_of_the_readme_run_in_order(shell: Shell) -> None:
    commands = chapter_commands()
    if not commands:
        pytest.skip(f"README has no chapter “{CHAPTER}” yet")
    field = Path(shutil.copytree(shell.catalog, shell.catalog.parent / "field.catalog"))
    Catalog.open(field).enroll([photo(8, "T018")], "Ben")
    Path("disk").mkdir()
    Path("disk/5.jpg").write_text("5")
    for program, *arguments in commands:
        assert program == "turtleidx"
        done = shell(*arguments, answer="y\n")
        assert done.code == 0, f"{arguments}: {done.err}"
