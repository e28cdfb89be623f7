"""The queue and the pair: what a person looks at, and the one answer that becomes one event."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from index.curation import Curator, ReviewAnswer, Said, checks, proposals, record_check
from index.errors import Conflict, InputError, UnknownRecord
from index.registry import ChangeReport
from index.types import Side
from retrieval.web.desk import Desk, patiently
from retrieval.web.forms import Fields, wants_json
from retrieval.web.pictures import LONG_SIDES
from retrieval.web.queue import Order, evidence_text, pile_of
from retrieval.web.screen import Screen, Show, to
from retrieval.web.words import words

if TYPE_CHECKING:
    from retrieval.web.queue import ItemView, Planted

NEXT = 12
"""Groups that a page names as those that come next."""
MOST_SECONDS = 600.0
"""Longer looks were interrupted."""


def queue(screen: Screen, request: Request, fields: Fields) -> Response:
    """All that waits, in the order that somebody chose."""
    desk, order = screen.desk, _order(fields)
    unsure = fields.text("show") == "unsure"
    found = desk.queue(screen.who(request), order, set_aside=unsure)
    snapshot = desk.snapshot
    items = {} if snapshot is None else snapshot.items
    rows = [(one, pile_of(one), items[one.key]) for one in found if one.key in items]
    held = desk.leases.others(fields.text("window"))
    return screen.page(request, "queue", rows=rows, unsure=unsure, order=order, orders=list(Order), held=held)


def first(screen: Screen, request: Request, fields: Fields) -> Response:
    """On to the first group that nobody else is looking at."""
    order = _order(fields)
    waiting = [one.key for one in screen.desk.looked(screen.who(request), order)]
    following = _following(screen.desk, screen.who(request), fields.text("window"), None, waiting)
    suffix = "" if order is Order.WORTH else f"?order={order}"
    return to(f"/compare/{following[0]}{suffix}" if following else "/queue")


def compare(screen: Screen, request: Request, fields: Fields) -> Response:
    """One group with its candidates."""
    desk = screen.desk
    key = _number(request.path_params["key"])
    item = desk.planted(key) if key < 0 else desk.item(key)
    order, who, window = _order(fields), screen.who(request), fields.text("window")
    snapshot = desk.snapshot
    waiting = [one.key for one in desk.looked(who, order)]
    following = _following(desk, who, window, key, waiting)
    if item is None or snapshot is None:
        gone = snapshot is not None and snapshot.complete
        return screen.page(request, "gone", 404 if gone else 503, following=following, gone=gone)
    from retrieval.web.queue import item_record, item_view  # what compares photos takes seconds to import

    view = item_view(desk.records.photos_of_all, item, snapshot.model, desk.settings, words()["view"])
    chosen = min(max(fields.number("c") if fields.text("c") else 1, 1), max(len(view.candidates), 1))
    record = item_record(view, desk.records.next_turtle_id())
    here = waiting.index(key) if key in waiting else None
    previous = waiting[here - 1] if here else None
    record |= {"next": following[:NEXT], "previous": previous, "planted": key < 0, "order": str(order)}
    desk.prefetch(following[:2])
    return screen.page(
        request,
        "compare",
        view=view,
        record=record,
        chosen=chosen,
        position=None if here is None else (here + 1, len(waiting)),
        new_id=record["newId"],
        plain_key=secrets.token_hex(16),
        disputed=_disputed(desk, view),
        script=words()["script"],
    )


def _disputed(desk: Desk, view: ItemView) -> str:
    if not desk.settings.blind:
        return ""
    said = [one for one in proposals(desk.catalog) if one.encounters == frozenset(view.group.encounters)]
    if len({(one.said, one.turtle) for one in said}) < 2:
        return ""
    return "; ".join(f"{one.who}: {one.said} {one.turtle or ''}".strip() for one in said)


def pair(screen: Screen, request: Request, fields: Fields) -> Response:
    """Matches and map of two photos by their numbers."""
    del request
    desk = screen.desk
    ours, theirs = desk.records.photos([fields.number("query"), fields.number("other")])
    found = None if desk.pairs is None else desk.pairs.view(ours, theirs)
    if found is None:
        return JSONResponse({"waiting": True}, 503 if desk.bench.engine is None else 200)
    return JSONResponse(found.record())


def picture(screen: Screen, request: Request, fields: Fields) -> Response:
    """A photo by its number."""
    del fields
    desk, size = screen.desk, str(request.path_params["size"])
    if size not in LONG_SIDES:
        raise UnknownRecord("There is no such size of a picture.")
    [photo] = desk.records.photos([_number(request.path_params["number"])])
    made = desk.pictures.picture(photo, size)
    if made is None:
        raise UnknownRecord(f"Nothing is left of photo {photo.id}: neither its original nor a thumbnail.")
    # a head box that is drawn anew shows another part of the photo at the same address, so browsers ask each time
    headers = {"cache-control": "private, no-cache", "x-original": "yes" if made.original else "missing"}
    headers["etag"] = f'"{hashlib.blake2b(made.data, digest_size=16).hexdigest()}-{headers["x-original"]}"'
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(made.data, media_type="image/jpeg", headers=headers)


def answer(screen: Screen, request: Request, fields: Fields) -> Response:
    """Keep what a person said about a group."""
    desk, who = screen.desk, screen.who(request)
    key = fields.key("key")
    group = fields.number("group")
    if group < 0:
        told = _checked(screen, who, fields, desk.require_planted(group), key)
        return JSONResponse(told) if wants_json(request) else to("/compare")
    said = _said(fields)
    encounters, photos, turtle = fields.numbers("encounters"), fields.numbers("photos"), fields.text("turtle") or None
    if said is Said.SAME and fields.text("other"):  # another group that has no id yet: both are one new turtle
        other = desk.item(fields.number("other"))
        if other is None:
            raise Conflict("The other group no longer waits; look again.")
        said, turtle = Said.NEW, None
        encounters = (*encounters, *other.group.encounters)
        photos = (*photos, *(one.id for one in other.photos))
    if not encounters:
        raise InputError("An answer has to name encounters.")
    item = desk.item(group)
    given = ReviewAnswer(
        key=key,
        said=said,
        encounters=tuple(dict.fromkeys(encounters)),
        photos=tuple(dict.fromkeys(photos)),
        turtle=turtle if said in (Said.SAME, Said.NOT) else None,
        seen=fields.numbers("seen"),
        who=who,
        why=fields.text("why"),
        seconds=min(max(fields.share("seconds", 0.0), 0.0), MOST_SECONDS),
        verdict="UNDECIDED" if item is None else str(item.group.verdict),
        evidence=evidence_text(item, desk.settings, desk.recipe),
    )
    delivered = desk.answer(given)
    if delivered.refused is not None:
        raise Conflict(delivered.refused)
    desk.leases.release(group)
    recorded = delivered.recorded
    told = {
        "event": None if recorded is None else recorded.event,
        "turtle": None if recorded is None else recorded.turtle,
        "waits": delivered.waits,
        "group": group,
        "newId": desk.records.next_turtle_id(),
    }
    return JSONResponse(told) if wants_json(request) else to("/compare")


def _checked(screen: Screen, who: str, fields: Fields, planted: Planted, key: str) -> dict[str, object]:
    """A planted pair: nothing changes but what is known about the person's own eye."""
    said = _said(fields)
    right = (said is Said.SAME and fields.text("turtle") == planted.turtle) or (
        said is Said.NEW and planted.turtle is None
    )
    if said in (Said.SAME, Said.NEW):
        seconds = fields.share("seconds", 0.0)
        patiently(lambda: record_check(screen.desk.catalog, key, right, who, seconds))
    if said is Said.NOT:  # one candidate is ruled out, and the pair still waits for its answer
        return {"planted": True, "right": None}
    rights, everyone = checks(screen.desk.catalog).get(who, (0, 0))
    screen.desk.unplant(planted)
    truth = planted.turtle or words()["verdicts"]["NEW"]
    return {"planted": True, "right": right, "turtle": truth, "rights": rights, "all": everyone}


def undo(screen: Screen, request: Request, fields: Fields) -> Response:
    """Take an event back, or an answer by its key, which may not have become an event yet."""
    desk, who = screen.desk, screen.who(request)
    if fields.text("key"):
        taken = desk.take_back(fields.key("key"), who)
        return JSONResponse({"event": None if taken is None else taken.event})
    event = fields.number("event")
    done = desk.undo(event, who)
    if wants_json(request):
        return JSONResponse({"event": done.event, "undid": event})
    return to(f"/history?done={done.event or ''}")


def later(screen: Screen, request: Request, fields: Fields) -> Response:
    """Put a group at the end of the queue."""
    screen.desk.later.add(fields.number("group"))
    return JSONResponse({"later": True}) if wants_json(request) else to("/compare")


def lease(screen: Screen, request: Request, fields: Fields) -> Response:
    """Say that this window looks at a group; tells who else does."""
    window = fields.text("window")
    taken = screen.desk.leases.take(fields.number("group"), window, screen.who(request))
    return JSONResponse({"mine": taken.window == window, "who": taken.who})


def side(screen: Screen, request: Request, fields: Fields) -> Response:
    """Correct which side a photo shows."""
    desk, photo = screen.desk, fields.number("photo")
    try:
        chosen = Side(fields.text("side"))
    except ValueError as error:
        raise InputError("A side is left, right, top or front.") from error
    done: ChangeReport = patiently(
        lambda: Curator(desk.catalog, screen.who(request), fields.text("why")).set_side([photo], chosen)
    )
    desk.refresh()
    return JSONResponse({"event": done.event}) if wants_json(request) else to("/compare")


def search(screen: Screen, request: Request, fields: Fields) -> Response:
    """Ids that contain some letters."""
    del request
    return JSONResponse({"turtles": screen.desk.records.ids_like(fields.text("q"))})


def candidate(screen: Screen, request: Request, fields: Fields) -> Response:
    """A turtle that a person names as a candidate: its photos, those of the searched side first."""
    del request
    from retrieval.web.queue import photo_record  # what compares photos takes seconds to import

    records = screen.desk.records.photos_of(fields.text("turtle"))
    if not records:
        raise UnknownRecord(words()["script"]["nobody"])
    return JSONResponse({"turtle": fields.text("turtle"), "photos": [photo_record(one) for one in records]})


def _following(desk: Desk, who: str, window: str, key: int | None, waiting: Sequence[int]) -> list[int]:
    """What comes after a group; those behind it first, then those before it; now and then a planted pair."""
    held = desk.leases.others(window)
    at = waiting.index(key) + 1 if key in waiting else 0
    following = [one for one in (*waiting[at:], *waiting[:at]) if one != key and one not in held]
    planted = desk.next_planted(who) if key is None or key >= 0 else None
    return [planted, *following] if planted is not None else following


def _order(fields: Fields) -> Order:
    return Order(fields.text("order")) if fields.text("order") in set(Order) else Order.WORTH


def _said(fields: Fields) -> Said:
    try:
        return Said(fields.text("said"))
    except ValueError as error:
        raise InputError("An answer is same, new, unsure or not.") from error


def _number(text: str) -> int:
    if not text.lstrip("-").isdecimal() or len(text) > 15:
        raise UnknownRecord("There is no such page.")
    return int(text)


SHOWN: list[tuple[str, Show]] = [
    ("/queue", queue),
    ("/compare", first),
    ("/compare/{key}", compare),
    ("/pair", pair),
    ("/photo/{number}/{size}.jpg", picture),
    ("/search", search),
    ("/candidate", candidate),
]
CHANGED: list[tuple[str, Show]] = [
    ("/answer", answer),
    ("/undo", undo),
    ("/later", later),
    ("/lease", lease),
    ("/side", side),
]
