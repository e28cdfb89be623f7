"""The main job through the command line, on drawn turtles: enroll, fit, query, exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from retrieval.cli import printing
from synthetic.samples import SampleSet
from tests.retrieval.shelling import Shell

pytestmark = pytest.mark.whole

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
    "not_reached",
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


def test_the_answer_comes_before_what_is_said_of_its_picture(
    own: Shell, samples: SampleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printing, "say", print)  # on standard output too, so that the order can be seen
    path, target = photo(samples, "T004", 1), tmp_path / "one.png"
    for form, before, now in (("--full", "T004", "T005"), ("--json", "T005", "T006"), ("--csv", "T006", "T007")):
        told = own("query", path, "--side", "left", "--confirm", now, "--plot", target, form, *NEAREST).out
        picture, moved = f"Match picture: {target}", f"Moved to {now} from {before}"
        assert told.index(str(path)) < told.index(picture) < told.index(moved)


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
    assert record.keys() == KEYS - {"photo", "compared", "gallery", "not_reached", "matcher", "other_side"} | ENCOUNTERS
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
