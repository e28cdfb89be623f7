"""One season for all tests of the page, a copy of it for each, and one browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from starlette.testclient import TestClient

from index.catalog.catalog import Catalog
from retrieval.web.application import application
from retrieval.web.desk import Desk, ReviewOptions
from retrieval.web.guard import Door
from tests.retrieval.drawn import made_once
from tests.retrieval.web.season import MANY, Served, copied, made_season, serving, with_strangers

HOST = "127.0.0.1:8000"


@pytest.fixture(scope="session")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    return made_once(tmp_path_factory, "season", made_season) / "turtles.catalog"


@pytest.fixture
def catalog(season: Path, tmp_path: Path) -> Catalog:
    """A copy of the season that the test may change."""
    return Catalog.open(copied(season, tmp_path))


@pytest.fixture
def desk(catalog: Catalog) -> Desk:
    """A desk whose engine is never loaded."""
    return Desk(catalog, ReviewOptions("Ana"), Door([HOST], "turtleidx_8000"))


@pytest.fixture
def client(desk: Desk) -> TestClient:
    """Somebody who was let in."""
    return entered(desk)


def entered(desk: Desk) -> TestClient:
    asking = TestClient(application(desk), base_url=f"http://{HOST}", follow_redirects=False)
    assert asking.get(f"/?k={desk.door.token}").status_code == 303
    return asking


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests; they are skipped where none is installed."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no browser: `apt-get install chromium` for the tests of the review page")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def served(season: Path, tmp_path: Path) -> Iterator[Served]:
    """A running server on a copy of the season."""
    with serving(copied(season, tmp_path)) as one:
        yield one


@pytest.fixture(scope="session")
def standing(season: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running server for tests that only look."""
    with serving(copied(season, tmp_path_factory.mktemp("standing"))) as one:
        yield one


@pytest.fixture(scope="session")
def used(season: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running server with many strangers, for tests that answer a group or two of them each."""
    folder = tmp_path_factory.mktemp("used")
    with serving(with_strangers(copied(season, folder), folder, MANY)) as one:
        yield one


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser of its own, as far as cookies go."""
    made = chromium.new_context(viewport={"width": 1440, "height": 900})
    made.set_default_timeout(60_000)  # of a busy machine
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, served: Served) -> Page:
    """The first page, once everything is compared."""
    return opened(context, served)


@pytest.fixture
def using(context: BrowserContext, used: Served) -> Page:
    """The same of the server that is used up."""
    return opened(context, used)


@pytest.fixture
def looking(context: BrowserContext, standing: Served) -> Page:
    """The same of the standing server, for tests that only look."""
    return opened(context, standing)


def opened(context: BrowserContext, served: Served) -> Page:
    made = context.new_page()
    made.goto(served.address)
    for _ in range(1200):
        state = made.evaluate("fetch('/state').then(answer => answer.json())")
        if state["complete"]:
            return made
        made.wait_for_timeout(100)
    raise AssertionError("comparing did not end")
