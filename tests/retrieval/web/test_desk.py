"""What people share at one desk: second looks, planted pairs, the queue, and how an answer leaves and comes back."""

from __future__ import annotations

import datetime as dt
import html
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.answers import ReviewAnswer, Said, checks, record_answer
from index.curation.curator import Curator
from index.types import Side
from retrieval.web.desk import Desk, ReviewOptions
from retrieval.web.guard import Door
from retrieval.web.pages.history import A_PAGE
from retrieval.web.queue.evidence import evidence_text
from retrieval.web.queue.order import Pile, pile_of
from retrieval.web.queue.planting import EVERY, Planting
from retrieval.web.settings import ReviewSettings, load_settings, save_settings
from tests.retrieval.lookalikes import lookalike
from tests.retrieval.web.answering import an_answer
from tests.retrieval.web.conftest import HOST, entered
from tests.retrieval.web.season import HARD, KNOWN, STRANGERS

pytestmark = pytest.mark.whole


@pytest.fixture
def comparing(catalog: Catalog) -> Iterator[Desk]:
    """A desk that has compared everything."""
    desk = Desk(catalog, ReviewOptions("Ana", matcher="nearest"), Door([HOST], "turtleidx_8000"))
    desk.start()
    eventually(lambda: desk.snapshot is not None and desk.snapshot.complete)
    yield desk
    desk.close()


def eventually(holds: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def answer_of(desk: Desk, key: int, who: str, said: Said = Said.NEW, turtle: str | None = None) -> ReviewAnswer:
    item = desk.item(key)
    assert item is not None
    answer = an_answer(desk.catalog, f"{who}-answers-{key}-{said}")
    photos = tuple(one.id for one in item.photos)
    evidence = evidence_text(item, desk.settings, desk.recipe)
    encounters = item.group.encounters
    return replace(answer, who=who, said=said, turtle=turtle, encounters=encounters, photos=photos, evidence=evidence)


def test_known_ones_go_as_a_grid_and_the_others_one_by_one(comparing: Desk) -> None:
    queue = comparing.queue("Ana")
    assert sum(pile_of(one) is Pile.KNOWN for one in queue) == len(KNOWN)
    assert len(comparing.looked("Ana")) == len(HARD) + len(STRANGERS)
    assert [pile_of(one) for one in queue[-len(KNOWN) :]] == [Pile.KNOWN] * len(KNOWN)


def sent(page: str) -> dict[str, list[str]]:
    """What a browser sends of a page's form as it stands."""
    fields: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and value and ('type="checkbox"' not in tag or " checked" in tag):
            fields.setdefault(name[1], []).append(html.unescape(value[1]))
    return fields


def test_the_grid_confirms_only_photos_that_it_showed(comparing: Desk) -> None:
    asking = entered(comparing)
    page = asking.get("/known").text
    fields = sent(page)
    key, *others = (int(one) for one in fields["shown"])
    item = comparing.item(key)
    assert item is not None
    assert all(f'src="/photo/{one.id}/' in page for one in item.photos)
    [enrolled] = comparing.catalog.enroll([lookalike(KNOWN[0], 77, None)], "Ben")
    Curator(comparing.catalog, "Ben").merge_encounters(key, [enrolled.photo.encounter])
    eventually(lambda: enrolled.photo.id in [one.id for one in comparing.item(key).photos])  # type: ignore[union-attr]
    answered = asking.post("/known", data=fields)
    assert answered.status_code == 409
    assert f"{len(others)} confirmed" in answered.text
    assert "changed while you looked" in answered.text
    browser = Browser(comparing.catalog)
    assert browser.encounter(key).turtle is None
    assert None not in {browser.encounter(one).turtle for one in others}
    kept = sum(one.action == "review same" for one in browser.history())
    assert kept == len(others)
    again = fields | {"shown": [str(one) for one in others], "right": [str(one) for one in others]}
    assert (
        asking.post("/known", data=again).headers["location"] == f"/known?done={len(others)}"
    )  # sent twice, kept once
    assert sum(one.action == "review same" for one in browser.history()) == kept


def test_an_answered_group_is_gone_at_once_and_back_after_undo(comparing: Desk) -> None:
    for said in (Said.NEW, Said.UNSURE):
        key = comparing.looked("Ana")[0].key
        done = comparing.answer(answer_of(comparing, key, "Ana", said))
        assert done.recorded is not None
        assert done.recorded.event is not None
        assert key not in [one.key for one in comparing.queue("Ana")]
        comparing.undo(done.recorded.event, "Ana")
        assert key in [one.key for one in comparing.queue("Ana")]


def test_what_is_done_again_waits_no_longer_and_comes_back_however_often(comparing: Desk) -> None:
    key = comparing.looked("Ana")[0].key
    done = comparing.answer(answer_of(comparing, key, "Ana"))
    assert done.recorded is not None
    event = done.recorded.event
    for waits in (True, False, True, False):
        assert event is not None
        event = comparing.undo(event, "Ana").event
        assert (key in [one.key for one in comparing.queue("Ana")]) is waits


def test_taking_one_answer_back_brings_no_other_group_back(comparing: Desk) -> None:
    first, second, *_ = [one.key for one in comparing.looked("Ana")]
    comparing.answer(answer_of(comparing, first, "Ana"))
    kept = comparing._comparing
    assert kept is not None
    eventually(lambda: not kept._answered)  # a whole look has seen it
    done = comparing.answer(answer_of(comparing, second, "Ana", Said.UNSURE))
    assert done.recorded is not None
    assert done.recorded.event is not None
    with comparing.bench.in_background():  # no look ends meanwhile
        comparing.undo(done.recorded.event, "Ana")
        waiting = [one.key for one in comparing.queue("Ana")]
    assert second in waiting
    assert first not in waiting


def test_a_group_that_somebody_else_decided_does_not_come_back_by_a_refusal(comparing: Desk) -> None:
    key = comparing.looked("Ana")[0].key
    late = answer_of(comparing, key, "Ben")
    comparing.answer(answer_of(comparing, key, "Ana"))
    with comparing.bench.in_background():
        assert "meanwhile" in str(comparing.answer(late).refused)
        assert key not in [one.key for one in comparing.queue("Ana")]


def test_what_came_back_and_was_answered_again_during_one_look_does_not_return(comparing: Desk) -> None:
    kept = comparing._comparing
    assert kept is not None
    key = comparing.looked("Ana")[0].key
    with comparing.bench.in_background():  # no look ends meanwhile
        kept.took([key])
        kept.gave_back([key])
        kept.took([key])
        assert key not in kept._returned


def test_what_nobody_can_tell_stays_aside_after_a_restart_until_a_photo_joins(comparing: Desk) -> None:
    key = comparing.looked("Ana")[0].key
    done = comparing.answer(answer_of(comparing, key, "Ana", Said.UNSURE))
    assert done.recorded is not None
    eventually(lambda: key in [one.key for one in comparing.queue("Ana", set_aside=True)])
    assert key not in [one.key for one in comparing.queue("Ana")]
    later = Desk(comparing.catalog, comparing.options, comparing.door)
    later.start()
    try:
        eventually(lambda: later.snapshot is not None and later.snapshot.complete)
        assert key not in [one.key for one in later.queue("Ben")]
        assert [one.key for one in later.queue("Ben", set_aside=True)] == [key]
        asking = entered(later)
        assert "Set aside" in asking.get("/").text
        assert f"/compare/{key}" in asking.get("/queue?show=unsure").text
        assert f"/compare/{key}" not in asking.get("/queue").text
        assert asking.get(f"/compare/{key}").status_code == 200
        fresh = lookalike(HARD[0], 77, None, 0.22)
        [enrolled] = later.catalog.enroll([fresh], "Ben")
        Curator(later.catalog, "Ben").merge_encounters(key, [enrolled.photo.encounter])
        eventually(lambda: key in [one.key for one in later.queue("Ben")])
    finally:
        later.close()


def test_a_photo_of_the_wrong_side_is_told(catalog: Catalog) -> None:
    with catalog.reading() as session:
        [(photo, encounter)] = session.rows(
            "SELECT p.id, p.encounter FROM photos p JOIN encounters e ON e.id = p.encounter "
            "WHERE e.turtle IS NULL ORDER BY p.id LIMIT 1"
        )
    Curator(catalog, "Ben").set_side([photo], Side.RIGHT)
    desk = Desk(catalog, ReviewOptions("Ana", matcher="nearest"), Door([HOST], "turtleidx_8000"))
    desk.start()
    try:
        eventually(lambda: (item := desk.item(encounter)) is not None and item.other_sides)
        [told] = desk.item(encounter).other_sides  # type: ignore[union-attr]
        assert (told.turtle, told.side) == (f"T{KNOWN[0]:03d}", Side.LEFT)
        page = entered(desk).get(f"/compare/{encounter}").text
        assert "LEFT photos" in page
        assert f'data-turtle="{told.turtle}"' in page
    finally:
        desk.close()


def test_home_counts_missing_originals(client: TestClient, catalog: Catalog) -> None:
    photos = Browser(catalog).photos()
    gone = sum(not Path(one.path).exists() for one in photos)
    assert gone > 0
    assert f'<p class="count">{gone}</p><h2>Missing originals</h2>' in client.get("/").text


def test_a_new_turtle_is_a_candidate_for_the_rest(comparing: Desk) -> None:
    key = comparing.looked("Ana")[-1].key
    done = comparing.answer(answer_of(comparing, key, "Ana"))
    assert done.recorded is not None
    made = done.recorded.turtle
    eventually(
        lambda: (
            comparing.snapshot
            and any(made in {one.turtle for one in item.group.candidates} for item in comparing.snapshot.items.values())
        )
    )


def test_what_another_process_decided_is_seen(comparing: Desk) -> None:
    key = comparing.looked("Ana")[0].key
    record_answer(Catalog.open(comparing.catalog.path), answer_of(comparing, key, "Ben"))
    eventually(lambda: key not in [one.key for one in comparing.queue("Ana")])


def test_a_blind_second_look_needs_two_names(comparing: Desk) -> None:
    comparing.change_settings(ReviewSettings(blind=True))
    first, *_ = [one.key for one in comparing.looked("Ana")]
    assert comparing.answer(answer_of(comparing, first, "Ana")).recorded is not None
    assert {one.turtle for one in Browser(comparing.catalog).photos(encounter=first)} == {None}
    comparing._comparing.gave_back([first])  # type: ignore[union-attr]
    assert first not in [one.key for one in comparing.looked("Ana")]
    assert first in [one.key for one in comparing.looked("Ben")]
    sent_twice = comparing.answer(answer_of(comparing, first, "Ana")).recorded
    assert sent_twice is not None
    assert sent_twice.repeated
    comparing._comparing.gave_back([first])  # type: ignore[union-attr]
    repeated = replace(answer_of(comparing, first, "Ana"), key="the-same-person-again")
    assert "somebody else" in str(comparing.answer(repeated).refused)
    agreed = comparing.answer(answer_of(comparing, first, "Ben"))
    assert agreed.recorded is not None
    assert {one.turtle for one in Browser(comparing.catalog).photos(encounter=first)} == {agreed.recorded.turtle}
    assert agreed.recorded.turtle == "T025"


def test_two_who_differ_wait_for_a_third_and_neither_decides_alone(comparing: Desk) -> None:
    comparing.change_settings(ReviewSettings(blind=True))
    key = comparing.looked("Ana")[0].key

    def said(who: str, turtle: str, number: int) -> str | None:
        answer = replace(answer_of(comparing, key, who, Said.SAME, turtle), key=f"{who}-says-{turtle}-{number}")
        delivered = comparing.answer(answer)
        comparing._comparing.gave_back([key])  # type: ignore[union-attr]
        return delivered.refused

    assert said("Ana", "T001", 1) is None
    assert said("Ben", "T002", 1) is None
    for who, turtle in (("Ana", "T001"), ("Ana", "T002"), ("Ben", "T001")):
        assert "somebody else" in str(said(who, turtle, 2))
        assert key not in [one.key for one in comparing.queue(who)]
    assert Browser(comparing.catalog).encounter(key).turtle is None
    assert [one.disputed for one in comparing.queue("Zoe") if one.key == key] == [True]
    assert said("Zoe", "T002", 1) is None
    assert Browser(comparing.catalog).encounter(key).turtle == "T002"


def test_planted_pairs_are_due_after_twenty_answers_and_tell_who_was_right(comparing: Desk) -> None:
    planting = Planting(comparing.catalog, comparing.bench, seed=1)
    assert planting.due("Ana") is None
    with comparing.catalog.writing("test"), comparing.catalog.transaction("test", "Ana") as transaction:
        for number in range(EVERY):
            transaction.run("INSERT INTO answers VALUES (?, NULL, 'new', NULL, 'Ana', 3.0, now())", f"k{number}")
    eventually(lambda: planting.due("Ana") is not None)
    key = planting.due("Ana")
    assert key is not None
    assert planting.due("Ben") == key  # one at a time
    planted, item = planting.planted(key), planting.item(key)
    assert planted is not None
    assert item is not None
    [photo] = item.photos
    assert planted.turtle == photo.turtle
    assert planted.turtle in {one.turtle for one in item.group.candidates}
    assert all(one.photo.encounter != photo.encounter for one in item.group.candidates)
    assert photo.encounter in item.hidden


def test_a_planted_pair_changes_nothing_but_the_own_eye(comparing: Desk) -> None:
    planting = Planting(comparing.catalog, comparing.bench, seed=1)
    comparing._planting = planting
    planting._plant()
    [key] = planting._open
    asking = entered(comparing)
    before = Browser(comparing.catalog).history()
    page = asking.get(f"/compare/{key}")
    assert page.status_code == 200
    truth = planting._open[key].turtle
    headers = {"accept": "application/json", "x-csrf": comparing.door.csrf}
    ruled_out = {"key": "check-number-nought", "group": key, "said": "not", "turtle": "T001", "seconds": 2}
    assert asking.post("/answer", json=ruled_out, headers=headers).json()["right"] is None  # it waits on
    fields = {"key": "check-number-one", "group": key, "said": "same", "turtle": truth, "seconds": 2}
    told = asking.post("/answer", json=fields, headers=headers).json()
    assert (told["right"], told["turtle"]) == (True, truth)
    assert checks(comparing.catalog) == {"Ana": (1, 1)}
    assert Browser(comparing.catalog).history() == before


def test_the_history_of_a_person_or_a_day_is_whole(client: TestClient, catalog: Catalog) -> None:
    wrong = Curator(catalog, "Ben").note_turtle("T001", "the scar").event
    undone = Curator(catalog, "Ana").undo(wrong).event
    for number in range(A_PAGE + 1):
        Curator(catalog, "Zoe").note_turtle("T002", str(number))
    page = client.get("/history?person=Ben").text
    assert f'id="event-{wrong}" class="undone"' in page
    assert f"taken back by event {undone}" in page
    assert f"/history?undo={wrong}" not in page
    assert "<option>Ben</option>" in client.get("/history").text
    day = dt.datetime.now().astimezone().date()
    assert f"day={day}&amp;offset={A_PAGE}" in client.get(f"/history?day={day}").text
    assert f'id="event-{wrong}"' in client.get(f"/history?day={day}&offset={A_PAGE}").text
    assert "Nothing happened" in client.get("/history?day=2001-01-01").text


def test_settings_are_kept_in_the_catalogue_and_checked(catalog: Catalog, client: TestClient, desk: Desk) -> None:
    save_settings(catalog, ReviewSettings(prior_new=0.2, blind=True), "Ana")
    assert load_settings(catalog) == ReviewSettings(prior_new=0.2, blind=True)
    fields = {"csrf": desk.door.csrf, "prior_new": "7", "false_known": "0.01"}
    assert client.post("/settings/everybody", data=fields).status_code == 400
    assert load_settings(catalog) == ReviewSettings(prior_new=0.2, blind=True)
    catalog.set_setting("review", "{broken", "Ana")
    assert load_settings(catalog) == ReviewSettings()


@pytest.mark.parametrize("name", ["turtles", "photos", "encounters", "captures"])
def test_tables_are_safe_for_spreadsheets_and_coarse(client: TestClient, name: str) -> None:
    answered = client.get(f"/report/{name}.csv")
    assert answered.headers["content-type"].startswith("text/csv")
    assert "T001" in answered.text


def test_the_report_follows_dates_that_were_corrected_in_named_encounters(catalog: Catalog, client: TestClient) -> None:
    ana = Curator(catalog, "Ana")
    first, second = Browser(catalog).photos(turtle="T001")
    ana.merge_encounters(first.encounter, [second.encounter])
    ana.split_encounter(first.encounter, [second.id], "dusk")
    ana.set_date([second.id], dt.date(1999, 5, 1))
    header, row, *_ = client.get("/report/captures.csv").text.lstrip("\ufeff").splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=True))["1999"] == "1"
    assert "1999" in client.get("/report").text
    ana.remove_photos([second.id])
    assert "1999" not in client.get("/report/captures.csv").text


@pytest.mark.parametrize(("since", "status"), [("", 200), ("0", 200), ("1764500000.25", 200), ("abc", 400)])
def test_news_are_asked_for_since_a_moment(client: TestClient, since: str, status: int) -> None:
    assert client.get(f"/state?since={since}").status_code == status
