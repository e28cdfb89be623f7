"""Photos whose head was not found: their whole frame is shown, and a box is dragged or typed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import Response
from PIL import Image
from playwright.sync_api import BrowserContext
from starlette.testclient import TestClient

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.types import BoxOrigin, HeadBox, Side, Sighting
from retrieval.defaults import Heads
from retrieval.detection import Locator
from retrieval.engine import NEAREST, Engine, EngineOptions
from retrieval.images import save
from retrieval.pipeline import enroll, remember_heads
from retrieval.web.desk import Desk, ReviewOptions
from retrieval.web.guard import Door
from retrieval.web.pairs import Pairs, PairView
from synthetic.heads import draw_head
from tests.retrieval.web.conftest import HOST, entered
from tests.retrieval.web.season import serving

pytestmark = pytest.mark.whole


@pytest.fixture
def frames(tmp_path: Path) -> Catalog:
    """A catalogue with one photo of 640 x 480 that waits for its head."""
    engine = Engine.load(options=EngineOptions(matcher=NEAREST))
    catalog = Catalog.create(tmp_path / "turtles.catalog", engine.recipe)
    remember_heads(catalog, Heads.GIVEN, "Ana")
    save(draw_head(0, 0, size=(640, 480)), tmp_path / "frame.png")
    waits = Engine.load(catalog.recipe, EngineOptions(matcher=NEAREST, heads=Heads.GIVEN))
    assert waits.locator == Locator(Heads.GIVEN, None)
    enroll(catalog, [Sighting(str(tmp_path / "frame.png"), "T001")], waits, "Ana")
    return catalog


@pytest.fixture
def loaded(frames: Catalog) -> Iterator[Desk]:
    desk = Desk(frames, ReviewOptions("Ana", matcher="nearest"), Door([HOST], "turtleidx_8000"))
    assert desk.bench.load()
    yield desk
    desk.close()


@pytest.fixture
def asking(loaded: Desk) -> TestClient:
    return entered(loaded)


def token(asking: TestClient) -> str:
    return asking.get("/heads").text.split('name="csrf" value="')[1].split('"')[0]


def test_the_page_shows_the_whole_frame_and_home_counts_it(asking: TestClient) -> None:
    assert 'href="/heads"' in asking.get("/").text
    assert 'data-width="640"' in asking.get("/heads").text
    frame = Image.open(io.BytesIO(asking.get("/photo/1/frame.jpg").content))
    assert frame.size == (640, 480)


def test_typed_numbers_make_a_box_as_one_event(asking: TestClient, frames: Catalog) -> None:
    sent = {"csrf": token(asking), "photo": "1", "x": "100", "y": "80,5", "w": "400", "h": "300", "side": "left"}
    answered = asking.post("/heads", data=sent)
    assert answered.status_code == 303
    record = Browser(frames).photo("1")
    assert (record.box, record.box_origin) == (HeadBox(100.0, 80.5, 400.0, 300.0), BoxOrigin.PERSON)
    assert record.side is Side.LEFT
    assert record.keypoints >= 64
    assert Browser(frames).history()[0].action == "set head"
    assert "No photo waits" in asking.get(answered.headers["location"]).text
    assert Image.open(io.BytesIO(asking.get("/photo/1/frame.jpg").content)).size == (640, 480)


@pytest.mark.parametrize("wrong", [{"w": "0"}, {"x": ""}, {"x": "9000"}, {"h": "five"}])
def test_a_box_that_cannot_be_is_refused_with_a_sentence(
    asking: TestClient, frames: Catalog, wrong: dict[str, str]
) -> None:
    sent = {"csrf": token(asking), "photo": "1", "x": "100", "y": "80", "w": "400", "h": "300"} | wrong
    answered = asking.post("/heads", data=sent, headers={"accept": "application/json"})
    assert answered.status_code == 400
    assert answered.json()["error"]
    assert Browser(frames).photo("1").box_origin is BoxOrigin.MISSING


def test_after_another_box_the_picture_and_the_matches_are_those_of_the_new_one(
    asking: TestClient, loaded: Desk, frames: Catalog
) -> None:
    pairs, drawn = Pairs(frames, loaded.bench), {"csrf": token(asking), "photo": "1", "x": "100", "y": "80"}
    pictures: list[Response] = []
    views: list[PairView | None] = []
    for size in ({"w": "400", "h": "300"}, {"w": "300", "h": "350"}):
        assert asking.post("/heads", data=drawn | size).status_code == 303
        known = {"if-none-match": pictures[-1].headers["etag"]} if pictures else {}
        pictures.append(asking.get("/photo/1/large.jpg", headers=known))
        record = Browser(frames).photo("1")
        views.append(pairs.view(record, record))
    assert [one.status_code for one in pictures] == [200, 200]
    assert [Image.open(io.BytesIO(one.content)).size for one in pictures] == [(400, 300), (300, 350)]
    wide, high = (view and view.sizes[0] for view in views)
    assert wide and high and wide[0] > wide[1] and high[0] < high[1]


def test_dragging_fills_the_numbers_in(context: BrowserContext, frames: Catalog) -> None:
    with serving(frames.path) as served:
        page = context.new_page()
        page.goto(served.address)
        page.goto(page.url.split("?")[0].rstrip("/") + "/heads")
        frame = page.locator(".frame img")
        frame.wait_for()
        area = frame.bounding_box()
        assert area is not None
        scale = area["width"] / 640
        page.mouse.move(area["x"] + 100 * scale, area["y"] + 80 * scale)
        page.mouse.down()
        page.mouse.move(area["x"] + 300 * scale, area["y"] + 200 * scale)
        page.mouse.move(area["x"] + 500 * scale, area["y"] + 380 * scale)
        page.mouse.up()
        values = [float(page.locator(f'[name="{name}"]').input_value()) for name in ("x", "y", "w", "h")]
        assert values == pytest.approx([100, 80, 400, 300], abs=3)
        assert page.locator(".frame .drawn").is_visible()
        page.locator('[name="w"]').fill("50")
        assert page.locator(".frame .drawn").bounding_box()["width"] == pytest.approx(50 * scale, abs=8)  # type: ignore[index]
