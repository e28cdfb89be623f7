"""Lists and records of the registry, as a person sees them and as scripts read them."""

from __future__ import annotations

from index.catalog.catalog import Catalog
from tests.index.making import photo
from tests.retrieval.shelling import Shell, sized


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
    Catalog.open(shell.catalog).enroll([sized(photo(8, "T018"))], "Ben")
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
    for named in (["--turtle", "Olga"], ["Olga"]):
        told = [one["action"] for one in shell("history", *named, "--json").records]
        assert told == ["rename turtle", "rename turtle", "enroll"]
    assert [one["action"] for one in shell("history", "photos/1.jpg", "--json").records] == ["enroll"]
    assert shell("history", "nobody").code == 1
