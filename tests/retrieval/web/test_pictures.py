"""Photos leave this machine encoded again, by number, and only where they are what was enrolled."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from starlette.testclient import TestClient

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from retrieval.web.desk import Desk


def test_pictures_come_without_the_place_they_were_taken_at(catalog: Catalog, client: TestClient) -> None:
    photo = Browser(catalog).photos(unidentified=True)[0]
    assert b"Exif" in Path(photo.path).read_bytes()
    answered = client.get(f"/photo/{photo.id}/large.jpg")
    assert (answered.headers["content-type"], answered.headers["x-original"]) == ("image/jpeg", "yes")
    with Image.open(io.BytesIO(answered.content)) as image:
        assert image.size == (960, 640)
        assert not image.getexif()
        assert image.info.get("exif") is None


def test_a_changed_or_missing_original_gives_the_thumbnail(catalog: Catalog, desk: Desk, client: TestClient) -> None:
    first, second, *_ = Browser(catalog).photos(unidentified=True)
    kept = [Path(one.path).read_bytes() for one in (first, second)]
    try:
        Path(first.path).write_text("<html><script>alert(1)</script>")
        Path(second.path).unlink()
        for photo in (first, second):
            answered = client.get(f"/photo/{photo.id}/full.jpg")
            assert (answered.headers["content-type"], answered.headers["x-original"]) == ("image/jpeg", "missing")
            assert Image.open(io.BytesIO(answered.content)).size == (480, 320)
            assert desk.pictures.original_of(photo) is None
    finally:
        for photo, data in zip((first, second), kept, strict=True):
            Path(photo.path).write_bytes(data)


def test_a_browser_asks_each_time_and_gets_a_picture_only_when_it_is_another(
    catalog: Catalog, client: TestClient
) -> None:
    photo = Browser(catalog).photos(unidentified=True)[0]
    address = f"/photo/{photo.id}/large.jpg"
    first = client.get(address)
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (again.headers["etag"], again.headers["x-original"]) == (first.headers["etag"], "yes")
    other = client.get(f"/photo/{photo.id}/thumb.jpg", headers={"if-none-match": first.headers["etag"]})
    assert (other.status_code, other.headers["etag"] == first.headers["etag"]) == (200, False)


def test_nothing_is_read_but_photos_of_the_catalogue(client: TestClient) -> None:
    assert client.get("/photo/987654/large.jpg").status_code == 404
