"""The page in a real browser: keyboard alone, two windows, a lock held elsewhere, no network, small screens."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page as Tab, Route, expect

from index.catalog.browser import Browser, Page
from index.catalog.catalog import Catalog
from index.curation.answers import rejections
from index.curation.decisions import Decisions
from tests.retrieval.web.conftest import opened
from tests.retrieval.web.season import HARD, KNOWN, STRANGERS, Served

pytestmark = pytest.mark.whole

PAGES = ("/", "/queue", "/known", "/turtles", "/turtle/T001", "/encounters", "/import", "/audit", "/history", "/report")
COMPARED = "body[data-compared]"
LISTENING = "html[data-ready]"
PAIR = """(() => {
    const [query, other] = document.body.dataset.compared.split(",");
    return fetch(`/pair?query=${query}&other=${other}`).then(answered => answered.json());
})()"""
BY_SECOND = """(() => {
    const asked = window.fetch;
    window.fetch = async (address, ...rest) => {
        const answered = await asked(address, ...rest);
        if (!String(address).includes("/pair?")) return answered;
        const pair = await answered.json();
        for (const row of pair.numbered.slice(0, 1)) pair.dots[row][5] = 1;
        return new Response(JSON.stringify(pair), { headers: answered.headers });
    };
})()"""


def undecided(catalog: Path) -> int:
    return len({one.encounter for one in Browser(Catalog.open(catalog)).photos(unidentified=True)})


def begin(page: Tab, served: Served) -> None:
    page.goto(f"{served.base}/compare")
    page.wait_for_selector(LISTENING)
    page.wait_for_selector(COMPARED)


def answers(page: Tab) -> int:
    return int(page.evaluate("Number(document.body.dataset.answered ?? 0)"))


def pressed(page: Tab, key: str) -> None:
    """Press an answering key and wait until it is written."""
    before = answers(page)
    page.keyboard.press(key)
    page.wait_for_selector(f'body[data-answered="{before + 1}"]')


def test_ten_groups_are_decided_by_keyboard_alone(page: Tab, served: Served) -> None:
    begin(page, served)
    assert undecided(served.catalog) == 2 * len(KNOWN) + len(HARD) + len(STRANGERS)
    begun, decided = time.perf_counter(), 0
    last = False
    while not last:
        last = page.evaluate("document.body.dataset.next") == "0"
        word = page.locator(".headline .verdict").inner_text()
        pressed(page, "n" if "New" in word else "Enter")
        decided += 1
    seconds = (time.perf_counter() - begun) / decided
    assert decided == len(HARD) + len(STRANGERS)
    page.wait_for_url("**/queue")
    page.goto(f"{served.base}/known")
    page.wait_for_selector(LISTENING)
    page.keyboard.press("Enter")
    expect(page.locator(".good")).to_contain_text(f"{len(KNOWN)} confirmed", timeout=20_000)
    assert undecided(served.catalog) == 0
    kept = Decisions(Catalog.open(served.catalog)).queries()
    assert len(kept) == decided + len(KNOWN)
    assert all(one.decision is not None and '"p_new"' in one.evidence for one in kept)
    assert seconds < 3, f"{seconds:.2f} s an answer"


@pytest.mark.parametrize(
    ("key", "event"), [("Enter", "review same"), ("n", "review new"), ("u", "review unsure"), ("x", "review not")]
)
def test_every_kind_of_answer_is_taken_back_and_done_again(using: Tab, used: Served, key: str, event: str) -> None:
    page, served = using, used
    catalog = Catalog.open(served.catalog)
    before = Browser(catalog).photos(), Decisions(catalog).queries(), rejections(catalog)
    begin(page, served)
    group = page.evaluate("document.body.dataset.group")
    pressed(page, key)
    assert Browser(catalog).history(page=Page(1))[0].action == event
    after = Browser(catalog).photos(), Decisions(catalog).queries(), rejections(catalog)
    assert after != before
    page.keyboard.press("z")
    page.wait_for_selector('body[data-undone="1"]')
    assert (Browser(catalog).photos(), Decisions(catalog).queries(), rejections(catalog)) == before
    page.wait_for_selector(f'body[data-group="{group}"]')
    page.keyboard.press("Shift+Z")
    page.wait_for_selector('body[data-undone="2"]')
    assert Browser(catalog).photos() == after[0]
    page.keyboard.press("z")  # once more, and the next test finds everything as it was
    page.wait_for_selector('body[data-undone="3"]')
    assert Browser(catalog).photos() == before[0]
    page.wait_for_selector(f'body[data-group="{group}"]')


def test_two_windows_do_not_answer_one_group_twice(using: Tab, used: Served) -> None:
    page, served = using, used
    begin(page, served)
    first = page.evaluate("document.body.dataset.group")
    other = page.context.new_page()
    other.goto(f"{served.base}/compare/{first}")
    expect(other.locator("#leased")).to_be_visible()
    before = undecided(served.catalog)
    pressed(page, "n")
    other.keyboard.press("n")
    expect(other.locator(".toast.bad")).to_contain_text(re.compile("meanwhile|no longer"))
    assert undecided(served.catalog) == before - 1


def test_answers_wait_while_another_process_writes(using: Tab, used: Served) -> None:
    page, served = using, used
    begin(page, served)
    before = undecided(served.catalog)
    with Catalog.open(served.catalog).writing("fit"):
        pressed(page, "n")
        expect(page.locator(".toast.wait")).to_contain_text("Waits on disk")
        assert undecided(served.catalog) == before
        assert len(list((served.catalog / "outbox").glob("*.json"))) == 1
    deadline = time.monotonic() + 15
    while undecided(served.catalog) == before and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert undecided(served.catalog) == before - 1
    assert not list((served.catalog / "outbox").glob("*.json"))


def test_the_last_answer_is_taken_back_also_one_that_waits(using: Tab, used: Served) -> None:
    page, served = using, used
    begin(page, served)
    browser, outbox = Browser(Catalog.open(served.catalog)), served.catalog / "outbox"
    pressed(page, "n")
    first = browser.history(page=Page(1))[0].id
    before, group = undecided(served.catalog), page.evaluate("document.body.dataset.group")
    with Catalog.open(served.catalog).writing("fit"):
        pressed(page, "n")
        page.keyboard.press("z")
        page.wait_for_selector('body[data-undone="1"]')
        expect(page.locator(".toast").last).to_contain_text("before it was written")
        assert not list(outbox.glob("*.json"))
        page.wait_for_selector(f'body[data-group="{group}"]')
        pressed(page, "n")
        assert len(list(outbox.glob("*.json"))) == 1
    while list(outbox.glob("*.json")):
        page.wait_for_timeout(100)
    assert undecided(served.catalog) == before - 1
    second = browser.history(page=Page(1))[0].id
    for count, event in ((2, second), (3, first)):
        page.keyboard.press("z")
        page.wait_for_selector(f'body[data-undone="{count}"]')
        assert browser.history(page=Page(1))[0].undoes == event
    assert undecided(served.catalog) == before + 1


def test_an_answer_that_is_refused_comes_back_in_red(using: Tab, used: Served) -> None:
    page, served = using, used
    begin(page, served)
    group = page.evaluate("document.body.dataset.group")
    before = undecided(served.catalog)
    page.route("**/answer", lambda route: route.abort())
    page.keyboard.press("n")
    expect(page.locator(".toast.bad")).to_contain_text("Not written")
    page.wait_for_selector(f'body[data-group="{group}"]')
    assert undecided(served.catalog) == before


def test_zooming_one_photo_moves_the_other_by_the_map(looking: Tab, standing: Served) -> None:
    page, served = looking, standing
    begin(page, served)
    pair = page.evaluate(PAIR)
    assert pair["mapped"]
    view = page.locator("#ours .view").bounding_box()
    assert view is not None
    page.mouse.move(view["x"] + view["width"] * 0.7, view["y"] + view["height"] * 0.6)
    for _ in range(4):
        page.mouse.wheel(0, -240)
    middles = []
    for side, (width, height) in zip(("ours", "theirs"), pair["sizes"], strict=True):
        image, pane = page.locator(f"#{side} .base").bounding_box(), page.locator(f"#{side} .view").bounding_box()
        assert image is not None
        assert pane is not None
        assert image["width"] > 2 * pane["width"]
        middles.append(
            (
                (pane["x"] + pane["width"] / 2 - image["x"]) * width / image["width"],
                (pane["y"] + pane["height"] / 2 - image["y"]) * height / image["height"],
            )
        )
    a, b, c, d, e, f = pair["affine"]
    (x, y), (u, v) = middles
    assert (u, v) == pytest.approx((a * x + c * y + e, b * x + d * y + f), abs=2.0)
    page.keyboard.press("0")
    page.keyboard.press("f")
    expect(page.locator(".ghost")).to_be_visible()
    page.keyboard.press("m")
    page.keyboard.press("h")
    assert page.locator("#ours svg .glow").count() == len(pair["dots"])
    assert page.locator("#crops .crop").count() == min(6, len(pair["numbered"]))


def test_what_the_second_expert_found_is_dashed_and_said(looking: Tab, standing: Served) -> None:
    page = looking
    begin(page, standing)
    expect(page.locator("#second-note")).to_be_hidden()  # this catalogue's matcher has no second expert

    page.add_init_script(BY_SECOND)
    page.reload()
    page.wait_for_selector(COMPARED)
    expect(page.locator("#second-note")).to_be_visible()
    assert page.locator("#ours svg .second").count() == page.locator("#theirs svg .second").count() == 1
    assert page.locator("#ours svg .second .ring").evaluate("it => getComputedStyle(it).strokeDasharray") != "none"


def test_a_stored_picture_that_stands_for_a_missing_original_says_so(looking: Tab, standing: Served) -> None:
    begin(looking, standing)
    label = looking.locator("#theirs .view.missing")
    expect(label).to_have_attribute("data-missing", re.compile(r"the stored 480 px picture; original not found at .*/"))
    expect(looking.locator("#ours .view.missing")).to_have_count(0)


def test_keys_are_off_in_fields_and_can_be_switched_off(using: Tab, used: Served) -> None:
    page, served = using, used
    begin(page, served)
    page.keyboard.press("w")
    page.locator("#why").fill("")
    page.keyboard.type("nxu z")
    page.keyboard.press("Escape")
    assert answers(page) == 0
    page.goto(f"{served.base}/settings")
    page.locator('input[name="keys"]').uncheck()
    page.locator('form[action="/settings/mine"] button').click()
    begin(page, served)
    page.keyboard.press("n")
    page.wait_for_timeout(200)
    assert answers(page) == 0
    page.locator('[data-do="new"]').click()
    page.wait_for_selector('body[data-answered="1"]')


@dataclass(frozen=True)
class Walk:
    """What was seen on a walk through all pages."""

    asked: list[str]
    failed: list[str]
    serious: list[tuple[str, str, list[object]]]
    wider: dict[str, int]
    answering: float


@pytest.fixture(scope="module")
def walk(chromium: Any, standing: Served) -> Walk:
    """Each page once, wide and then 400 pixels wide."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    page = opened(context, standing)
    done = Walk([], [], [], {}, 0.0)
    page.on("request", lambda one: done.asked.append(one.url))
    # a question about the state that the browser drops because the page is left is no failure
    page.on("requestfailed", lambda one: done.failed.append(one.url) if one.failure != "net::ERR_ABORTED" else None)
    page.on("response", lambda one: done.failed.append(f"{one.status} {one.url}") if one.status >= 400 else None)
    page.on("pageerror", lambda one: done.failed.append(str(one)))
    page.on("console", lambda one: done.failed.append(one.text) if one.type == "error" else None)
    for path in (*PAGES, "/settings", "/compare"):
        page.goto(f"{standing.base}{path}")
        if path == "/compare":
            page.wait_for_selector(COMPARED)
        page.wait_for_load_state("networkidle")
        done.serious.extend(
            (path, one["id"], [node["target"] for node in one["nodes"]][:3])
            for one in Axe().run(page).response["violations"]
            if one["impact"] in ("serious", "critical")
        )
        page.set_viewport_size({"width": 400, "height": 800})
        done.wider[path] = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        box = page.locator('[data-do="same"]').bounding_box() if path == "/compare" else None
        page.set_viewport_size({"width": 1440, "height": 900})
    context.close()
    return replace(done, answering=0.0 if box is None else box["height"])


def test_nothing_leaves_this_machine_and_no_request_fails(walk: Walk, standing: Served) -> None:
    assert walk.failed == []
    assert len(walk.asked) > 3 * len(PAGES)
    assert all(url.startswith(standing.base) for url in walk.asked if not url.startswith(("data:", "blob:")))


def test_axe_finds_nothing_serious(walk: Walk) -> None:
    assert walk.serious == []


def test_pages_fit_a_phone(walk: Walk) -> None:
    assert [path for path, wider in walk.wider.items() if wider > 0] == []
    assert walk.answering >= 44


@pytest.mark.parametrize(("path", "key"), [("known", "Enter"), ("compare", "n")])
def test_a_key_that_is_pressed_while_the_page_loads_is_not_lost(using: Tab, used: Served, path: str, key: str) -> None:
    page, served = using, used
    before = undecided(served.catalog)
    held: list[Route] = []
    page.route("**/static/page.js", lambda route: held.append(route))
    page.goto(f"{served.base}/{path}", wait_until="commit")
    page.wait_for_selector("main h1", state="attached")
    assert page.locator(LISTENING).count() == 0
    page.keyboard.press(key)
    held[0].continue_()
    page.wait_for_selector('.good, body[data-answered="1"]')
    assert undecided(served.catalog) < before


def test_a_key_that_is_pressed_while_the_next_group_is_on_its_way_is_for_that_group(using: Tab, used: Served) -> None:
    page, served = using, used
    begin(page, served)
    page.wait_for_load_state("networkidle")  # the next two are there then, the third is not
    held: list[Route] = []
    page.route(re.compile("/compare/"), lambda route: held.append(route))
    page.evaluate(
        """for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "n"])
            document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}))"""
    )
    page.wait_for_timeout(100)
    [coming, *_] = [int(one.request.url.partition("/compare/")[2].partition("?")[0]) for one in held]
    assert answers(page) == 0
    for one in held:
        one.continue_()
    page.unroute(re.compile("/compare/"))
    page.wait_for_selector('body[data-answered="1"]')
    [photo] = Browser(Catalog.open(served.catalog)).photos(encounter=coming)
    assert photo.turtle is not None


def test_what_is_taken_back_is_the_last_answer_also_while_it_is_on_its_way(using: Tab, used: Served) -> None:
    page, served = using, used
    begin(page, served)
    pressed(page, "n")
    page.keyboard.press("u")
    page.keyboard.press("z")
    page.wait_for_selector('body[data-undone="1"]')
    catalog = Catalog.open(served.catalog)
    actions = [one.action for one in Browser(catalog).history(page=Page(3))]
    assert actions == ["undo review unsure", "review unsure", "review new"]
    assert [one.undoes for one in Browser(catalog).history(page=Page(1))] == [
        Browser(catalog).history(page=Page(2))[1].id
    ]


def test_without_scripts_a_group_can_still_be_decided(chromium, used: Served) -> None:  # type: ignore[no-untyped-def]
    served = used
    plain = chromium.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(served.address)
    page.goto(f"{served.base}/compare")
    before = undecided(served.catalog)
    with page.expect_navigation():
        page.locator('noscript button[value="new"], form[action="/answer"] button[value="new"]').first.click()
    assert page.locator("h1").first.inner_text() == "Which turtle is this?"
    assert undecided(served.catalog) == before - 1
    plain.close()
