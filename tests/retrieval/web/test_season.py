"""A season of a hundred drawn photos is decided by keyboard alone, and rightly."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page as Tab

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.registry.records import PhotoRecord
from tests.retrieval.web.conftest import opened
from tests.retrieval.web.season import made_season, serving, truth

TWICE, HARD, STRANGERS = range(1, 21), range(1, 21), range(201, 241)
PHOTOS = 2 * len(TWICE) + len(HARD) + len(STRANGERS)


def waiting(catalog: Catalog) -> list[PhotoRecord]:
    return Browser(catalog).photos(unidentified=True)


def name_it(page: Tab, turtle: str | None) -> None:
    """Answer the group on the screen as a person does who knows whom it shows."""
    before = page.evaluate("Number(document.body.dataset.answered ?? 0)")
    item = json.loads(page.locator("#item").text_content() or "")
    names = [one["turtle"] for one in item["candidates"]]
    if turtle is None:
        page.keyboard.press("n")
    elif turtle in names:
        page.keyboard.press(str(names.index(turtle) + 1))
        page.keyboard.press("Enter")
    else:
        page.keyboard.press("/")
        page.keyboard.type(turtle)
        page.keyboard.press("Enter")
        page.wait_for_function(
            "turtle => document.querySelector('#same-label').textContent.includes(turtle)", arg=turtle
        )
        page.keyboard.press("Enter")
    page.wait_for_selector(f'body[data-answered="{before + 1}"]')


@pytest.mark.slow
def test_a_season_of_a_hundred_photos(
    context: BrowserContext, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    path = made_season(tmp_path, STRANGERS, TWICE, HARD)
    catalog = Catalog.open(path)
    assert len(waiting(catalog)) == PHOTOS
    shown = {one.id: truth(one.path) for one in waiting(catalog)}
    with serving(path) as served:
        page = opened(context, served)
        begun, items = time.perf_counter(), 0
        page.goto(f"{served.base}/compare")
        while "/compare/" in page.url:
            page.wait_for_selector("html[data-ready]")
            item = json.loads(page.locator("#item").text_content() or "")
            last = page.evaluate("document.body.dataset.next") == "0"
            name_it(page, shown[item["photos"][0]["number"]])
            items += 1
            if last:
                page.wait_for_url("**/queue")
                page.goto(f"{served.base}/compare")
        while True:
            page.goto(f"{served.base}/known")
            page.wait_for_selector("html[data-ready]")
            pairs = page.locator(".pairlet").count()
            if pairs == 0:
                break
            page.keyboard.press("Enter")
            page.wait_for_selector(".good")
            items += pairs
        seconds = (time.perf_counter() - begun) / items
    decided = {one.id: one.turtle for one in Browser(catalog).photos() if one.id in shown}
    new = [name for number, name in decided.items() if shown[number] is None]
    assert waiting(catalog) == []
    assert {number: decided[number] for number, name in shown.items() if name} == {
        number: name for number, name in shown.items() if name
    }
    assert len(set(new)) == len(STRANGERS)
    record_property("seconds_an_item", round(seconds, 2))
    record_property("items", items)
    print(f"{PHOTOS} photos in {items} looks, {seconds:.2f} s an item")
    assert seconds < 3
