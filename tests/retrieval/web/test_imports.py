"""What people bring is looked at before it is trusted: names are no paths, ZIPs hold no surprises."""

from __future__ import annotations

import io
import stat
import zipfile
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from httpx2 import Response
from hypothesis import given, strategies as st
from PIL import Image
from starlette.testclient import TestClient

from index.catalog.catalog import Catalog
from index.errors import InputError, UnknownRecord
from index.exchange.near_ids import NearIds
from index.types import Sighting
from retrieval.images.inputs import from_manifest, without_lookalikes
from retrieval.pipeline.intake import Outcome, foresee
from retrieval.web.desk import Desk
from retrieval.web.drafts import Draft, Drafts, changed
from retrieval.web.named_photos import named_photos


def jpeg(seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def zipped(*members: tuple[str, bytes], link: str | None = None) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
        if link:
            entry = zipfile.ZipInfo("link.jpg")
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, link)
    buffer.seek(0)
    return buffer


def taken_in(catalog: Catalog, *files: tuple[str, bytes | io.BytesIO]) -> Draft:
    drafts = Drafts(catalog)
    brought = [(name, io.BytesIO(data) if isinstance(data, bytes) else data) for name, data in files]
    return drafts.add(drafts.begin("Ana"), brought)


def test_names_are_shown_and_never_used_as_paths(catalog: Catalog) -> None:
    before = {path for path in catalog.path.parent.rglob("*") if "incoming" not in path.parts}
    draft = taken_in(catalog, ("../../../evil.jpg", jpeg(1)), ("/etc/passwd.jpg", jpeg(2)), ("a\\..\\b.png", jpeg(3)))
    assert [one.name for one in draft.rows] == ["../../../evil.jpg", "/etc/passwd.jpg", "a\\..\\b.png"]
    assert [one.file for one in draft.rows] == ["00001.jpg", "00002.jpg", "00003.png"]
    assert {path for path in catalog.path.parent.rglob("*") if "incoming" not in path.parts} == before
    for sighting in Drafts(catalog).sightings(draft):
        assert Path(sighting.path).resolve().is_relative_to(catalog.path / "photos")


def test_a_zip_with_links_and_ways_out_gives_its_photos_only(catalog: Catalog) -> None:
    archive = zipped(("season/a.jpg", jpeg(1)), ("../../b.jpg", jpeg(2)), ("/c.jpg", jpeg(3)), link="/etc/passwd")
    draft = taken_in(catalog, ("all.zip", archive), ("broken.zip", b"PK nonsense"))
    assert [one.name for one in draft.rows] == ["season/a.jpg"]
    assert len(draft.refused) == 4


def test_a_zip_bomb_is_refused(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.web.uploads.MOST_IN_ALL", 1000)
    with pytest.raises(InputError, match="in parts"):
        taken_in(catalog, ("all.zip", zipped(("a.jpg", b"0" * 2000))))
    monkeypatch.setattr("retrieval.web.uploads.MOST_BYTES", 1000)
    draft = taken_in(catalog, ("large.jpg", b"0" * 2000))
    assert (draft.rows, len(draft.refused)) == ((), 1)


def test_what_is_no_photo_is_named(catalog: Catalog) -> None:
    page = b"<html><script>alert(1)</script></html>"
    draft = taken_in(catalog, ("page.jpg", page), ("picture.svg", b"<svg onload='x'/>"), ("good.jpg", jpeg()))
    assert [(one.name, one.state, one.take) for one in draft.rows] == [
        ("page.jpg", "unreadable", False),
        ("good.jpg", "ready", True),
    ]
    assert "incoming" not in draft.rows[0].told
    assert draft.refused == ("picture.svg: no photo that can be read",)


def test_twins_and_known_photos_are_told(catalog: Catalog) -> None:
    with catalog.reading() as session:
        [path] = session.rows(
            "SELECT path FROM photos WHERE encounter IN (SELECT id FROM encounters WHERE turtle IS NULL)"
        )[0]
    draft = taken_in(catalog, ("a.jpg", jpeg(1)), ("b.jpg", jpeg(1)), ("c.jpg", Path(path).read_bytes()))
    assert [one.state for one in draft.rows] == ["ready", "twin", "duplicate"]


def test_a_table_says_more_about_the_photos(catalog: Catalog) -> None:
    table = "photo,turtle,side,taken_on,site\nIMG_1.jpg,T003,left,2024-05-06,Bay\n"
    draft = taken_in(catalog, ("dive/IMG_1.jpg", jpeg(1)), ("T004/20230102_x.jpg", jpeg(2)), ("t.csv", table.encode()))
    first, second = draft.rows
    assert (first.turtle, first.side, first.day, first.day_source, first.site) == (
        *("T003", "left", "2024-05-06", "table", "Bay"),
    )
    assert (second.turtle, second.day, second.day_source) == ("T004", "2023-01-02", "name")
    assert Drafts(catalog).read(draft.id) == draft  # it survives a restart


@pytest.mark.parametrize(
    ("photos", "rows", "turtles", "unclear"),
    [
        ("day1/I.jpg day2/I.jpg", "day1/I.jpg day2/I.jpg", "A B", ""),
        ("day1/I.jpg day2/I.jpg", "day2/I.jpg day1/I.jpg", "B A", ""),
        ("s/day1/I.jpg s/day2/I.jpg", "C:\\all\\Day2\\i.JPG C:\\all\\Day1\\i.JPG", "B A", ""),
        ("I.jpg day1/I.jpg", "day1/I.jpg I.jpg", "B A", ""),
        ("s/I.jpg", "photos/I.jpg", "A", ""),
        ("day1/I.jpg day2/I.jpg", "day1/I.jpg", "A -", ""),
        ("day1/I.jpg day2/I.jpg", "I.jpg", "- -", "2"),
        ("day1/I.jpg J.jpg", "I.jpg x/I.jpg J.jpg K.jpg", "- C", "2 3"),
        ("day1/I.jpg", "I.jpg day1/I.jpg", "B", "2"),
        ("day1/I.jpg day2/I.jpg", "day1/I.jpg I.jpg", "A -", "3"),
        ("I.jpg I.jpg", "I.jpg", "- -", "2"),
    ],
)
def test_a_row_of_a_table_tells_of_the_one_photo_that_it_names(
    catalog: Catalog, photos: str, rows: str, turtles: str, unclear: str
) -> None:
    said = "".join(f"{name},{turtle}\n" for name, turtle in zip(rows.split(), "ABCD", strict=False))
    brought = [(name, jpeg(number)) for number, name in enumerate(photos.split())]
    draft = taken_in(catalog, *brought, ("t.csv", f"photo,turtle\n{said}".encode()))
    assert [one.turtle or "-" for one in draft.rows] == turtles.split()
    assert [reason.split(":")[0] for reason in draft.refused] == [f"line {line}" for line in unclear.split()]


PARTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3)
NAMES = st.lists(PARTS.map("/".join), max_size=6)


@given(NAMES, NAMES)
def test_the_photo_that_a_name_means_is_nearer_to_it_than_any_other(brought: list[str], written: list[str]) -> None:
    def nearness(one: str, other: str) -> tuple[int, bool]:
        pairs = zip(reversed(one.split("/")), reversed(other.split("/")), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)), one == other

    certain = {
        (photo, row)
        for photo, name in enumerate(brought)
        for row, other in enumerate(written)
        if (near := nearness(name, other))[0]
        and all(nearness(name, one) < near for place, one in enumerate(written) if place != row)
        and all(nearness(one, other) < near for place, one in enumerate(brought) if place != photo)
    }
    found = named_photos(brought, written)
    assert set(found.pairs.items()) == certain
    bare = {name.split("/")[-1] for name in brought}
    told = set(found.pairs.values())
    assert found.unclear == [n for n, name in enumerate(written) if name.split("/")[-1] in bare and n not in told]


def test_the_preview_says_what_the_command_says(catalog: Catalog, tmp_path: Path) -> None:
    with catalog.reading() as session:
        [path] = session.rows(
            "SELECT path FROM photos WHERE encounter IN (SELECT id FROM encounters WHERE turtle IS NULL)"
        )[0]
    table = "photo,turtle\na.jpg,T003\nb.jpg,T3\nc.jpg,T005\nd.jpg,T999\ne.jpg,\nf.jpg,\n"
    content = {
        "a.jpg": jpeg(1), "b.jpg": jpeg(2), "c.jpg": jpeg(1), "d.jpg": Path(path).read_bytes(), "e.jpg": jpeg(3)[:200],
        "f.jpg": b"<html>",
    }  # fmt: skip
    (tmp_path / "all.csv").write_text(table)
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    rows = without_lookalikes(
        from_manifest(tmp_path / "all.csv", (), Sighting("")), NearIds.of(catalog), lambda *_: None
    )
    command = list(foresee(catalog, rows))
    assert len(command) == len(content)
    draft = taken_in(catalog, *content.items(), ("all.csv", table.encode()))
    state = {"ready": Outcome.ENROLL, "duplicate": Outcome.THERE, "twin": Outcome.THERE}
    assert [state.get(one.state, Outcome.REFUSED) for one in draft.rows] == [one.outcome for one in command]
    assert [one.told for one in draft.rows] == [one.reason.replace(f"{tmp_path}/", "") for one in command]
    assert "differs from T003" in draft.rows[1].told


def test_a_row_that_was_mended_is_taken(catalog: Catalog) -> None:
    drafts = Drafts(catalog)
    draft = taken_in(catalog, ("b.jpg", jpeg(2)), ("t.csv", b"photo,turtle\nb.jpg,T3\n"))
    assert (draft.rows[0].state, draft.rows[0].take) == ("refused", False)
    mended = drafts.examine(changed(draft, {"turtle": ["T003"]}, set()))
    assert (mended.rows[0].state, mended.rows[0].take) == ("ready", True)
    left_out = drafts.examine(changed(mended, {"turtle": ["T003"]}, set()))
    assert (left_out.rows[0].state, left_out.rows[0].take) == ("ready", False)


def test_a_draft_of_another_version_is_read(catalog: Catalog) -> None:
    drafts = Drafts(catalog)
    draft = taken_in(catalog, ("b.jpg", jpeg(2)))
    file = catalog.path / "incoming" / draft.id / "draft.json"
    file.write_text(file.read_text().replace('"file":', '"more": 1, "file":'))
    assert drafts.read(draft.id) == draft


def test_what_is_typed_is_checked(catalog: Catalog) -> None:
    draft = taken_in(catalog, ("a.jpg", jpeg(1)), ("b.jpg", jpeg(2)))
    typed = changed(draft, {"side": ["left", "right"], "turtle": ["", "T001"]}, {1})
    assert [(one.side, one.take) for one in typed.rows] == [("left", False), ("right", True)]
    for columns in ({"side": ["up", ""]}, {"day": ["1.2.2024", ""]}, {"turtle": [" \t\x00x", ""]}):
        with pytest.raises(InputError):
            changed(draft, columns, {0, 1})


@pytest.mark.parametrize("name", ["..", "../registry", "0" * 31, "0" * 32, "G" * 32, ""])
def test_drafts_have_names_of_their_own_kind_only(catalog: Catalog, name: str) -> None:
    with pytest.raises(UnknownRecord):
        Drafts(catalog).read(name)


def test_files_are_taken_in_by_the_page(desk: Desk, client: TestClient) -> None:
    files = [("files", ("<b>x</b>.jpg", jpeg(1), "text/html")), ("files", ("t.csv", b"photo\n", "text/csv"))]
    answered = client.post("/import/upload", data={"csrf": desk.door.csrf}, files=files)
    assert answered.status_code == 303
    grid = client.get(answered.headers["location"])
    assert "&lt;b&gt;x&lt;/b&gt;.jpg" in grid.text
    assert client.get(f"{answered.headers['location']}/0.jpg").headers["content-type"] == "image/jpeg"
    assert client.get("/import").text.count("Go on") == 1
    discarded = client.post(answered.headers["location"], data={"csrf": desk.door.csrf, "what": "discard"})
    assert discarded.status_code == 303
    assert Drafts(desk.catalog).all() == []


def test_only_rows_whose_answer_was_shown_are_imported(desk: Desk, client: TestClient) -> None:
    table = b"photo,turtle\na.jpg,T3\nb.jpg,\n"
    files = [("files", (name, data)) for name, data in (("a.jpg", jpeg(1)), ("b.jpg", jpeg(2)), ("t.csv", table))]
    grid = client.post("/import/upload", data={"csrf": desk.door.csrf}, files=files).headers["location"]
    assert "Import 1 of 2" in client.get(grid).text  # T3 looks like T003

    def pressed(turtles: list[str], take: list[str]) -> Response:
        fields = {"csrf": desk.door.csrf, "what": "import", "turtle": turtles, "take": take}
        return client.post(grid, data=fields)

    answered = pressed(["T999", ""], ["1"])
    assert (answered.status_code, answered.headers["location"]) == (303, f"{grid}?changed=1")
    shown = client.get(answered.headers["location"]).text
    assert "Import 2 of 2" in shown
    assert "not what you saw" in shown
    assert pressed(["T999", "T3"], ["0", "1"]).headers["location"] == f"{grid}?changed=1"  # the second one is refused
    assert "Import 1 of 2" in client.get(grid).text
    begun = pressed(["T999", "T3"], ["0"])
    assert (begun.status_code, "still being loaded" in begun.text) == (400, True)
    assert "not what you saw" not in client.get(grid).text
