"""The main job through the command line, on drawn turtles: enroll, fit, query, bad input, exit codes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthetic.samples import SampleSet
from tests.retrieval.shelling import Shell

SMALL = ("--extractor", "sift-256-320")


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell where there is no catalogue yet."""
    return Shell(tmp_path / "turtles.catalog", capsys, monkeypatch)


def photo(samples: SampleSet, turtle: str, number: int) -> Path:
    return samples.folder / turtle / f"left-{number}.jpg"


NEAREST = ("--matcher", "nearest")
KEYS = {
    "photo", "verdict", "turtle", "p_new", "p_new_interval", "p_not_compared", "reason", "candidates", "compared",
    "gallery", "matcher", "seconds", "enrolled_as", "lean", "settle", "prior_new", "next", "other_side", "moved_from",
}  # fmt: skip


ENCOUNTERS = {"encounter", "not_searched", "photos", "two_ids"}


def test_a_known_turtle_is_found_among_the_others(own: Shell, samples: SampleSet) -> None:
    asked = [photo(samples, f"T{number:03d}", 2) for number in range(1, 11)]
    answered = own("query", *asked, "--side", "left", "--json", "--top", "2", *NEAREST)
    assert answered.code == 0
    first = [record["candidates"][0]["turtle"] for record in answered.records]
    assert sum(found == path.parent.name for found, path in zip(first, asked, strict=True)) >= 8
    for record in answered.records:
        assert record.keys() == KEYS
        assert record["gallery"] == {"photos": 44, "turtles": 22}
        assert len(record["candidates"]) == 2
        assert 0 <= record["p_new"] <= 1
        assert record["verdict"] in ("KNOWN", "UNDECIDED", "NEW")
        assert (record["lean"] is None) == (record["verdict"] != "UNDECIDED")
        assert record["prior_new"] == 0.5
        assert record["turtle"] == (record["candidates"][0]["turtle"] if record["verdict"] == "KNOWN" else None)
    assert sum(record["verdict"] == "KNOWN" for record in answered.records) >= 5


def test_the_prior_can_be_learnt_and_is_stated(own: Shell, samples: SampleSet) -> None:
    answered = own("query", photo(samples, "T001", 2), "--side", "left", "--json", "--prior-new", "auto", *NEAREST)
    [record] = answered.records
    assert f"{record['prior_new']:.2f}" in answered.err
    for wrong in ("2", "often"):
        assert own("query", photo(samples, "T001", 2), "--prior-new", wrong, *NEAREST).code == 2


def test_a_new_turtle_is_enrolled_and_found_from_then_on(own: Shell, samples: SampleSet) -> None:
    loose = ("--false-new", "0.4", *NEAREST)
    [first] = own("query", photo(samples, "T023", 1), "--side", "left", "--json", "--enroll-new", *loose).records
    assert (first["verdict"], first["enrolled_as"]) == ("NEW", "T023")
    [again] = own("query", photo(samples, "T023", 2), "--side", "left", "--json", *NEAREST).records
    assert again["candidates"][0]["turtle"] == "T023"
    [shown] = own("turtles", "show", "T023", "--json").records
    assert shown["photos"][0]["side"] == "left"


def test_every_probability_adds_up(own: Shell, samples: SampleSet) -> None:
    answered = own("query", photo(samples, "T003", 2), photo(samples, "T024", 1), "--json", "--top", "99", *NEAREST)
    for record in answered.records:
        together = record["p_new"] + record["p_not_compared"] + sum(c["probability"] for c in record["candidates"])
        assert together == pytest.approx(1, abs=1e-6)


def test_confirming_enrolls_the_photo_as_that_turtle(own: Shell, samples: SampleSet) -> None:
    path = photo(samples, "T005", 2)
    [record] = own("query", path, "--json", "--confirm", "T005", *NEAREST).records
    assert record["enrolled_as"] == "T005"
    [shown] = own("turtles", "show", "T005", "--json").records
    assert str(path) in [one["photo"] for one in shown["photos"]]
    [event, *_] = own("history", "--json").records
    assert (event["action"], event["who"]) == ("enroll", "Ana")


def test_a_photo_is_not_compared_with_itself(own: Shell, samples: SampleSet) -> None:
    path = photo(samples, "T006", 1)
    [record] = own("query", path, "--json", "--top", "99", *NEAREST).records
    assert "enrolled already, as turtle T006" in record["reason"]
    assert str(path) not in [candidate["photo"] for candidate in record["candidates"]]


def test_the_match_picture_shows_the_query_beside_candidates(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    one = own("query", photo(samples, "T004", 2), "--plot", tmp_path / "one.png", *NEAREST)
    assert one.code == 0
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width > 800
        assert picture.height > 1000
    several = own("query", photo(samples, "T004", 2), photo(samples, "T007", 2), "--plot", tmp_path / "all", *NEAREST)
    assert several.code == 0
    assert len(list((tmp_path / "all").iterdir())) == 2


def test_identify_and_audit_draw_what_they_tell(shell: Shell, samples: SampleSet, tmp_path: Path) -> None:
    folder = tmp_path / "season"
    folder.mkdir()
    for turtle in ("T001", "T002", "T003"):
        known = [photo(samples, turtle, number) for number in (1, 3)]
        assert shell("enroll", *known, *SMALL, "--no-fit", "--side", "left", "--turtle", turtle).code == 0
    shutil.copy(photo(samples, "T023", 3), folder / "IMG_4207.jpg")
    assert shell("enroll", folder, "--not-by-folder", "--no-fit", "--side", "left").code == 0
    [group] = shell("identify", "--json", "--plot", tmp_path / "groups", "--matcher", "nearest+views").records
    [picture] = (tmp_path / "groups").iterdir()
    assert picture.name == f"encounter-{group['encounters'][0]}.png"
    shell("identify", str(group["encounters"][0]), "--new")
    audited = shell("audit", "--least", "0", "--plot", tmp_path / "audit", "--matcher", "nearest+views", "--json")
    assert audited.code == 0
    assert len(list((tmp_path / "audit").glob("*.png"))) == len(audited.records) > 3


def test_a_match_picture_that_cannot_be_written_costs_nothing(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    path = Path(shutil.copy(photo(samples, "T023", 1), tmp_path / "asked.jpg"))
    before = path.read_bytes()
    for target in ("match", path, photo(samples, "T001", 1)):
        done = own("query", path, "--side", "left", "--confirm", "new", "--plot", target, *NEAREST)
        assert done.code == 1
        assert ("ending" if target == "match" else "is a photo") in done.err
    assert path.read_bytes() == before
    assert len(own.turtles()) == 22


def test_a_model_of_another_recipe_is_not_used(own: Shell, samples: SampleSet) -> None:
    [record] = own("query", photo(samples, "T004", 2), "--json", "--no-verify", *NEAREST).records
    assert (record["verdict"], record["p_new"]) == ("UNDECIDED", None)
    assert "another recipe" in record["reason"]
    assert record["candidates"][0]["turtle"] == "T004"


def test_a_side_without_photos_is_not_compared(own: Shell, samples: SampleSet) -> None:
    [record] = own("query", photo(samples, "T004", 2), "--side", "right", "--json", *NEAREST).records
    assert record["verdict"] == "UNDECIDED"
    assert "None of the 22 catalogued turtles" in record["reason"]


def test_an_encounter_has_one_verdict(own: Shell, samples: SampleSet) -> None:
    asked = [photo(samples, "T007", 2), photo(samples, "T007", 1)]
    [record] = own("query", "--encounter", *asked, "--side", "left", "--json", "--top", "3", *NEAREST).records
    assert record["candidates"][0]["turtle"] == "T007"
    assert [one["side"] for one in record["photos"]] == ["left", "left"]
    assert record.keys() == KEYS - {"photo", "compared", "gallery", "matcher", "other_side"} | ENCOUNTERS
    [both] = own("query", "--encounter", "--left", asked[0], "--right", asked[0], "--json", *NEAREST).records
    assert [one["verdict"] for one in both["photos"]][1] == "UNDECIDED"
    lonely = ("--side", "left", "--json", "--top", "99", *NEAREST)
    [together], [alone] = (
        own("query", *how, photo(samples, "T017", 2), *lonely).records for how in (["--encounter"], [])
    )
    expected = {one["turtle"]: one["probability"] for one in alone["candidates"]}
    assert {one["turtle"]: one["probability"] for one in together["candidates"]} == expected
    assert together["candidates"][0]["turtle"] == alone["candidates"][0]["turtle"]
    shown = own("query", "--encounter", *asked, *NEAREST)
    assert "alone:" in shown.out


def test_an_encounter_is_enrolled_together_and_marked_where_another_side_may_know_it(
    own: Shell, samples: SampleSet
) -> None:
    other = samples.folder / "T024" / "left-1.jpg"
    assert own("enroll", other, "--turtle", "T099", "--side", "right", "--no-fit").code == 0
    asked = [photo(samples, "T023", number) for number in (1, 2)]
    loose = ("--false-new", "0.4", *NEAREST)
    [record] = own("query", "--encounter", *asked, "--side", "left", "--json", "--enroll-new", *loose).records
    assert (record["verdict"], record["enrolled_as"], record["not_searched"]) == ("NEW", "T100", 1)
    [shown] = own("turtles", "show", "T100", "--json").records
    assert len(shown["photos"]) == 2
    assert shown["tags"] == ["possibly known by the other side"]


def test_manifest_queries_echo_their_rows(own: Shell, samples: SampleSet) -> None:
    answered = own("query", "--manifest", samples.manifest, "--role", "new", "--json", *NEAREST)
    assert len(answered.records) == 6
    assert {record["manifest"]["role"] for record in answered.records} == {"new"}


def test_a_role_that_no_row_has_is_named(own: Shell, samples: SampleSet) -> None:
    for command in ("query", "enroll"):
        none = own(command, "--manifest", samples.manifest, "--role", "nope")
        assert none.code == 1
        assert "has no row with the role nope; its roles are gallery, known, new." in none.err
        path = photo(samples, "T001", 2)
        without = own(command, path, "--role", "new")
        assert (without.code, "--manifest" in without.err) == (2, True)


def test_enrolling_twice_changes_nothing_and_folders_name_turtles(shell: Shell, samples: SampleSet) -> None:
    folder = samples.folder / "T001"
    first = shell("enroll", folder.parent / "T001", "--turtle", "Nina", "--side", "left")
    assert first.code == 0
    assert "3 enrolled, 0 already there" in first.out
    again = shell("enroll", folder, "--turtle", "Nina", "--side", "left")
    assert "0 enrolled, 3 already there" in again.out
    parent = shell.catalog.parent / "photos"
    shutil.copytree(samples.folder / "T002", parent / "Olga")
    shutil.copy(samples.folder / "T003" / "left-1.jpg", parent / "stray.jpg")
    assert "4 enrolled" in shell("enroll", parent).out
    turtles = {record["turtle"]: record for record in shell("turtles", "list", "--json").records}
    assert turtles.keys() == {"Nina", "Olga"}
    assert turtles["Nina"]["encounters"] == 2
    assert turtles["Nina"]["first_seen"] == "2014-06-01"
    assert shell("info", "--json").records[0]["unidentified"] == 1


def test_a_small_catalogue_ranks_but_does_not_judge(shell: Shell, samples: SampleSet) -> None:
    shell("enroll", samples.folder / "T001", "--turtle", "Nina")
    [record] = shell("query", samples.folder / "T001" / "left-1.jpg", "--json", *NEAREST).records
    assert (record["verdict"], record["p_new"]) == ("UNDECIDED", None)
    assert record["candidates"][0]["turtle"] == "Nina"
    assert record["candidates"][0]["probability"] is None


def bad_photos(folder: Path, good: Path) -> dict[str, Path]:
    data = good.read_bytes()
    files = {"empty": b"", "truncated": data[: len(data) // 2], "text": b"not a photo"}
    for name, content in files.items():
        (folder / f"{name}.jpg").write_bytes(content)
    Image.fromarray(np.full((200, 300, 3), 90, np.uint8)).save(folder / "flat.jpg")
    return {name: folder / f"{name}.jpg" for name in ("empty", "truncated", "text", "flat", "missing")}


def test_bad_photos_cost_one_sentence_each_and_the_rest_is_enrolled(
    shell: Shell, samples: SampleSet, tmp_path: Path
) -> None:
    good = photo(samples, "T001", 1)
    bad = bad_photos(tmp_path, good)
    done = shell("enroll", *bad.values(), good, "--turtle", "Nina")
    assert done.code == 3
    assert "1 enrolled, 0 already there, 5 refused" in done.out
    for path in bad.values():
        [line] = [line for line in done.err.splitlines() if str(path) in line]
        assert line.endswith(".")
    only_bad = shell("enroll", bad["text"])
    assert only_bad.code == 1


def test_bad_photos_in_a_query_have_verdicts_of_their_own(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    bad = bad_photos(tmp_path, photo(samples, "T001", 1))
    answered = own("query", *bad.values(), photo(samples, "T001", 2), "--json", *NEAREST)
    verdicts = [record["verdict"] for record in answered.records]
    assert verdicts[:5] == ["REFUSED", "REFUSED", "REFUSED", "NOT_COMPARABLE", "REFUSED"]
    assert answered.code == 3
    assert own("query", bad["text"], *NEAREST).code == 1


def test_a_name_that_is_no_text_costs_one_photo(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    folder = tmp_path / "mix"
    folder.mkdir()
    odd = folder / os.fsdecode(b"zz\xe9.jpg")
    shutil.copy(photo(samples, "T023", 1), odd)
    shutil.copy(photo(samples, "T023", 2), folder / "yy.jpg")
    asked = own("query", folder, "--json", *NEAREST)
    assert [record["photo"] for record in asked.records] == [
        str(folder / "yy.jpg"),
        str(folder / "zz\N{REPLACEMENT CHARACTER}.jpg"),
    ]
    assert (asked.code, asked.records[1]["verdict"]) == (3, "REFUSED")
    done = own("enroll", folder, "--no-fit")
    assert (done.code, "1 enrolled, 0 already there, 1 refused" in done.out) == (3, True)
    assert "zz\N{REPLACEMENT CHARACTER}.jpg has a name" in done.err


def test_one_row_or_folder_with_a_bad_id_does_not_cost_the_others(
    own: Shell, samples: SampleSet, tmp_path: Path
) -> None:
    photos = [photo(samples, "T023", 1), photo(samples, "T023", 2), photo(samples, "T024", 1)]
    manifest = tmp_path / "m.csv"
    manifest.write_text(
        "photo,turtle\n" + "".join(f"{path},{'x' * n}\n" for path, n in zip(photos, (3, 121, 3), strict=True))
    )
    done = own("enroll", "--manifest", manifest, "--no-fit")
    assert (done.code, "2 enrolled, 0 already there, 1 refused" in done.out) == (3, True)
    assert "line 3: 'xxx" in done.err
    for name, number in ((" lead", 2), ("Olga", 3)):
        (tmp_path / "beach" / name).mkdir(parents=True)
        shutil.copy(photo(samples, "T024", number), tmp_path / "beach" / name)
    done = own("enroll", tmp_path / "beach", "--no-fit")
    assert done.code == 3
    assert "' lead' cannot be a turtle's id" in done.err
    assert "Olga" in own.turtles()
    assert own("enroll", photos[1], "--turtle", "x" * 121).code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["info"], 1, "There is no catalogue at"),
        (["query", "a.jpg"], 1, "There is no catalogue at"),
        (["query"], 1, "There is no photo to look up"),
        (["enroll"], 2, "name photos and folders"),
        (["enroll", "--manifest", "nothing.csv"], 1, "There is no manifest"),
        (["enroll", "a.jpg", "--taken-on", "July"], 2, "YYYY-MM-DD"),
        (["enroll", "a.jpg", "--taken-on", "2020-01-0599"], 2, "YYYY-MM-DD"),
        (["init", "--extractor", "surf"], 1, "There is no extractor"),
        (["init", "--encoder", "magic"], 1, "There is no encoder"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_what_cannot_be_done_says_so(shell: Shell, arguments: list[str], code: int, sentence: str) -> None:
    done = shell(*arguments)
    assert done.code == code
    assert sentence in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_wishes_about_weights_and_devices_that_cannot_be_met(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    path = photo(samples, "T001", 2)
    unknown = own("query", path, "--matcher", str(tmp_path / "none.safetensors"))
    assert (unknown.code, "none.safetensors" in unknown.err) == (1, True)
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    assert own("query", path, "--matcher", str(tmp_path / "bad.safetensors")).code == 1
    assert own("turtles", "show", "T999").code == 1


def test_another_extractor_than_the_catalogues_is_refused_with_the_way_out(own: Shell, samples: SampleSet) -> None:
    path = photo(samples, "T001", 2)
    other = own("enroll", path, "--extractor", "disk")
    assert (other.code, "turtleidx reindex" in other.err, "disk-512-480" in other.err) == (1, True, True)
    assert own("enroll", path, "--extractor", "sift", "--no-fit").code == 0


def test_the_licences_of_published_weights_are_said(shell: Shell) -> None:
    made = shell("init", "--extractor", "superpoint")
    assert (made.code, "non-commercial" in made.err) == (0, True)
    assert {"extractor", "encoder", "head finder", "matcher"} == {
        row["kind"] for row in shell("weights", "--json").records
    }


def test_a_catalogue_where_nothing_can_be_written_is_one_sentence(shell: Shell, samples: SampleSet) -> None:
    Path("file").touch()
    done = shell("--catalog", "file/turtles.catalog", "enroll", photo(samples, "T001", 1))
    assert (done.code, "cannot be used" in done.err) == (1, True)


def test_the_registry_commands_do_not_load_torch(fitted: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from retrieval.cli import main\n"
        f"try: main(['--catalog', {str(fitted)!r}, 'turtles', 'list'])\n"
        "except SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
