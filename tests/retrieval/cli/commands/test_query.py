"""Questions whose answers would do harm if they were followed blindly, and answers that people can work with."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from retrieval.images import save
from synthetic.samples import SampleSet
from tests.retrieval.shelling import Shell

pytestmark = pytest.mark.whole

NEAREST = ("--matcher", "nearest")


def photo(samples: SampleSet, turtle: str, number: int) -> Path:
    return samples.folder / turtle / f"left-{number}.jpg"


def test_a_mistyped_side_makes_no_turtle_new(own: Shell, samples: SampleSet) -> None:
    path = photo(samples, "T004", 2)
    assert own("enroll", photo(samples, "T024", 1), "--turtle", "T099x", "--side", "right", "--no-fit").code == 0
    [record] = own("query", path, "--side", "R", "--json", "--enroll-new", "--false-new", "0.4", *NEAREST).records
    assert (record["verdict"], record["enrolled_as"]) == ("UNDECIDED", None)
    assert (record["other_side"]["turtle"], record["other_side"]["side"]) == ("T004", "left")
    assert "is the side wrong?" in record["reason"]
    told = own("query", path, "--side", "Right", *NEAREST).out
    assert "matches T004's LEFT photos" in told
    assert f"next: look at T004's photos; if the side is wrong, `turtleidx query {path} --side left" in told


def test_confirming_an_id_that_is_not_there_is_refused_and_a_move_is_told(own: Shell, samples: SampleSet) -> None:
    path, before = photo(samples, "T017", 2), own.turtles()
    slip = own("query", path, "--side", "left", "--confirm", "T071", *NEAREST)
    assert (slip.code, "turtles create T071" in slip.err) == (1, True)
    assert own.turtles() == before
    first = own("query", path, "--side", "left", "--confirm", "new", "--json", *NEAREST)
    assert first.records[0]["enrolled_as"] == "T023"
    moved = own("query", path, "--side", "left", "--confirm", "T017", "--json", *NEAREST)
    assert moved.records[0]["moved_from"] == ["T023"]
    assert "Moved to T017 from T023, which has no photo left" in moved.err


def test_a_photo_that_cannot_be_enrolled_is_confirmed_with_a_word(own: Shell, samples: SampleSet) -> None:
    blank = own.catalog.parent / "blank.png"
    save(np.full((240, 320, 3), 128, np.uint8), blank)
    before = own.turtles()
    alone = own("query", blank, "--side", "left", "--confirm", "T004", *NEAREST)
    assert (alone.code, f"{blank} was not enrolled: {blank} cannot be compared" in alone.err) == (1, True)
    assert own.turtles() == before
    seen = photo(samples, "T004", 2)
    both = ("--encounter", "--left", seen, "--left", blank, "--left", "missing.jpg")
    told = own("query", *both, "--confirm", "T004", "--keep", "--json", *NEAREST)
    assert (told.code, told.records[0]["enrolled_as"]) == (3, "T004")
    assert f"{blank} was not enrolled:" in told.err
    assert "missing.jpg was not enrolled: There is no file missing.jpg." in told.err
    assert f"{seen} was not" not in told.err
    kept = own("queries", "--json").records
    assert [one["evidence"]["enrolled_as"] for one in kept] == ["T004", None]
    assert own.turtles() == before | {"T004": 3}
    assert own("query", *both, *NEAREST).code == 3  # only the missing file
    assert own("query", "--encounter", "--left", seen, "--left", blank, *NEAREST).code == 0


def test_several_photos_are_told_in_a_line_each_with_a_summary(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    season = tmp_path / "season"
    season.mkdir()
    for turtle in ("T003", "T004", "T023"):
        shutil.copy(photo(samples, turtle, 2), season / f"{turtle}.jpg")
    (season / "text.jpg").write_text("no photo")
    told = own("query", season, "--side", "left", *NEAREST)
    assert told.code == 3
    lines = told.out.splitlines()
    assert len(lines) == 3
    assert all(len(line) < 100 + len(str(season)) for line in lines)
    assert "refused:" in told.err
    assert "text.jpg" not in told.out
    assert "4 answers:" in told.err
    assert "next:" in told.err
    table = own("query", season, "--side", "left", "--csv", "--sort", "p_new", *NEAREST)
    assert Path(table.rows[0]["photo"]).name == "T023.jpg"
    known = next(row for row in table.rows if row["photo"].endswith("T004.jpg"))
    assert (known["first"], known["side"]) == ("T004", "left")
    assert (
        "compared all 44 photos of 22 turtles with nearest neighbours"
        in own("query", season, "--side", "left", "--full", *NEAREST).out
    )


def test_an_undecided_answer_names_a_next_command(own: Shell, samples: SampleSet) -> None:
    [record] = own(
        "query", photo(samples, "T023", 1), "--side", "left", "--false-new", "0.001", "--json", *NEAREST
    ).records
    assert record["verdict"] == "UNDECIDED"
    assert "turtleidx query" in record["next"]
    assert "--confirm" in record["next"]


def test_an_encounter_is_drawn_and_kept(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    asked = [photo(samples, "T007", 2), photo(samples, "T007", 1)]
    done = own(
        "query", "--encounter", *asked, "--side", "left", "--keep", "--plot", tmp_path / "pics", "--json", *NEAREST
    )
    assert done.code == 0
    assert done.records[0]["kept_as"] == [1, 2]
    assert len(list((tmp_path / "pics").iterdir())) == 2
    [first, _] = own("queries", "--json").records
    assert first["evidence"]["encounter"]["verdict"] == done.records[0]["verdict"]
    assert (first["side"], first["first"]) == ("left", "T007")


def test_each_question_has_its_picture_whatever_file_it_is_about(own: Shell, samples: SampleSet) -> None:
    one, other = photo(samples, "T007", 2), photo(samples, "T008", 2)
    heads = own.catalog.parent / "heads.csv"
    heads.write_text(
        "photo,side,encounter,x,y,w,h\n"
        f"{one},left,first,0,0,200,250\n{other},left,second,,,,\n{one},left,first,100,0,200,250\n"
    )
    names = ["0001-left-2.png", "0002-left-2.png", "0003-left-2.png"]
    for number, how in enumerate(((), ("--encounter",))):
        into = own.catalog.parent / f"pics{number}"
        done = own("query", "--manifest", heads, "--plot", into, "--json", *how, *NEAREST)
        assert done.code == 0
        assert sorted(path.name for path in into.iterdir()) == names
        assert all(f"Match picture: {into / name}" in done.err for name in names)
        assert len({(into / name).read_bytes() for name in names}) == 3
    twice = own.catalog.parent / "twice"
    assert own("query", one, one, "--side", "left", "--plot", twice, *NEAREST).code == 0
    assert sorted(path.name for path in twice.iterdir()) == names[:2]


def test_what_is_enrolled_has_the_day_and_the_place_that_were_given(own: Shell, samples: SampleSet) -> None:
    place = ("--taken-on", "2019-07-01", "--site", "Reef", "--side", "left")
    assert own("query", photo(samples, "T005", 2), "--confirm", "T005", *place, *NEAREST).code == 0
    shown = own("photos", "list", "--turtle", "T005", "--json").records[-1]
    assert (shown["taken_on"], shown["site"], shown["side"]) == ("2019-07-01", "Reef", "left")


def test_a_decision_enrolls_where_that_is_asked_for(own: Shell, samples: SampleSet) -> None:
    path = photo(samples, "T023", 1)
    assert own("query", path, "--side", "left", "--keep", *NEAREST).code == 0
    decided = own("decide", "1", "--new", "--enroll", "--json")
    assert (decided.code, decided.records[0]["enrolled_as"]) == (0, "T023")
    assert own("photos", "list", "--turtle", "T023", "--json").records[0]["side"] == "left"
    assert own("decide", "1", "--unsure", "--enroll").code == 2
    assert "--enroll" in own("decide", "1", "--is", "T004").err
    assert own("queries", "--verdict", "known", "--json").records == []


def test_a_decision_enrolls_the_head_with_all_that_the_manifest_says(
    own: Shell, samples: SampleSet, tmp_path: Path
) -> None:
    asked = tmp_path / "asked.csv"
    row = f"{photo(samples, 'T023', 1)},left,Ben,-8.51234,115.51234,Reef,10,20,300,230,low tide"
    asked.write_text(f"photo,side,observer,latitude,longitude,site,x,y,w,h,water\n{row}\n")
    [answer] = own("query", "--manifest", asked, "--keep", "--json", *NEAREST).records
    assert "--confirm" not in answer["next"]  # which takes a whole photo
    assert "`turtleidx enroll --manifest` with" in answer["next"]
    [together] = own("query", "--manifest", asked, "--encounter", "--json", *NEAREST).records
    assert together["next"] == answer["next"]
    assert own("queries", "--json").records[0]["evidence"]["known"]["latitude"] == -8.5
    assert own("decide", "1", "--new", "--enroll").code == 0
    [shown] = own("photos", "list", "--turtle", "T023", "--json", "--exact-locations").records
    assert (shown["box"], shown["box_origin"]) == ([10.0, 20.0, 300.0, 230.0], "given")
    assert [shown[name] for name in ("side", "observer", "site", "latitude")] == ["left", "Ben", "Reef", -8.51234]
    assert shown["notes"] == {"water": "low tide"}


def test_a_decision_enrolls_no_other_photo_of_that_name(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    path = Path(shutil.copy(photo(samples, "T023", 1), tmp_path / "IMG_0001.jpg"))
    assert own("query", path, "--side", "left", "--keep", *NEAREST).code == 0
    before = own.turtles()
    shutil.copy(photo(samples, "T024", 1), path)  # a camera that begins to count again
    refused = own("decide", "1", "--new", "--enroll")
    assert (refused.code, "has changed since it was kept; nothing was decided" in refused.err) == (1, True)
    path.unlink()
    refused = own("decide", "1", "--is", "T004", "--enroll")
    assert (refused.code, "does not exist. Nothing was decided" in refused.err) == (1, True)
    assert (own.turtles(), own("queries", "--json").records[0]["answer"]) == (before, None)
    assert own("decide", "1", "--new").code == 0  # what was looked at can be decided without the file


def test_a_file_that_is_not_there_loads_nothing(own: Shell) -> None:
    done = own("query", "missing.jpg", "--matcher", "no-such-network", "--json")
    assert done.code == 1
    assert [(one["verdict"], one["photo"]) for one in done.records] == [("REFUSED", "missing.jpg")]


def test_an_encounter_is_told_as_one_whatever_is_wrong_with_its_photos(own: Shell) -> None:
    bad, table = own.catalog.parent / "bad.jpg", own.catalog.parent / "asked.csv"
    bad.write_text("no photo")
    told = []
    for one in ("missing.jpg", "bad.jpg"):
        done = own("query", "--encounter", "--left", one, "--right", one, "--json", *NEAREST)
        assert done.code == 1
        [record] = done.records
        assert (record["encounter"], record["verdict"]) == (None, "REFUSED")
        assert [photo["photo"] for photo in record["photos"]] == [one, one]
        told.append([set(record), set(record["photos"][0])])
        refused = own("query", "--encounter", one, *NEAREST)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err.startswith("refused: ")
    assert told[0] == told[1]
    table.write_text("photo,encounter\nmissing.jpg,first\ngone.jpg,second\nlost.jpg,first\n")
    records = own("query", "--manifest", table, "--encounter", "--json").records
    assert [(one["encounter"], len(one["photos"])) for one in records] == [("first", 2), ("second", 1)]


def test_a_model_that_the_gallery_has_outgrown_is_told_of(own: Shell, samples: SampleSet) -> None:
    assert "outgrown" in own("info", "--json").records[0]
    assert own("info", "--json").records[0]["outgrown"] is None
    new = [samples.folder / name for name in ("T023", "T024")]
    assert own("enroll", *new, "--not-by-folder", "--turtle", "Nina", "--no-fit").code == 0
    assert "`turtleidx fit` learns from the" in own("info").out
    assert "`turtleidx fit` learns from the" in own("query", photo(samples, "T004", 2), *NEAREST).err
    assert Catalog.open(own.catalog).identified() > 44


def test_photos_that_are_there_are_told_anew_only_on_demand(own: Shell, samples: SampleSet) -> None:
    path = photo(samples, "T023", 1)
    assert own("enroll", path, "--side", "left", "--no-fit").code == 0
    again = own("enroll", path, "--turtle", "T004", "--site", "Reef", "--no-fit")
    assert (again.code, "0 enrolled, 0 already there, 1 refused" in again.out) == (1, True)
    assert "site is nothing here, and Reef is said" in again.err
    assert "--update takes it over" in again.err
    assert len(own("photos", "list", "--turtle", "T004", "--json").records) == 2
    assert "1 updated" in own("enroll", path, "--turtle", "T004", "--site", "Reef", "--no-fit", "--update").out
    assert own("photos", "list", "--turtle", "T004", "--json").records[-1]["site"] == "Reef"
    assert "told otherwise" not in own("enroll", path, "--turtle", "T004", "--no-fit").err


def test_left_and_right_that_point_at_two_ids_are_asked_about(own: Shell, samples: SampleSet) -> None:
    assert own("enroll", photo(samples, "T024", 1), "--turtle", "T905", "--side", "right", "--no-fit").code == 0
    both = ("--left", photo(samples, "T005", 2), "--right", photo(samples, "T024", 2))
    [record] = own("query", "--encounter", *both, "--json", *NEAREST).records
    assert record["two_ids"] == ["T005", "T905"]
    assert "one turtle under two ids?" in record["reason"]
    assert record["verdict"] == "UNDECIDED"
    told = own("query", "--encounter", *both, *NEAREST).out
    assert "next: look at both; if they are one turtle, `turtleidx turtles merge T005 T905`" in told
