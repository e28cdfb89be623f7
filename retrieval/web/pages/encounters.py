"""Encounters as cards, joined and split."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from index.catalog import Page
from index.curation import Curator
from index.errors import InputError
from index.registry import PhotoRecord, read_records, several
from retrieval.web.desk import patiently
from retrieval.web.forms import Fields
from retrieval.web.screen import Screen, Show, to

A_PAGE = 40


def encounters(screen: Screen, request: Request, fields: Fields) -> Response:
    """One page of cards, the newest days last."""
    desk = screen.desk
    everything = fields.text("show") == "all"
    offset = max(0, fields.number("offset") if fields.text("offset") else 0)
    found = desk.browser.encounters(unidentified=not everything, page=Page(A_PAGE + 1, offset))
    page = found[:A_PAGE]
    photos: dict[int, list[PhotoRecord]] = {one.id: [] for one in page}
    with desk.catalog.reading() as session:
        chosen = f"SELECT * FROM photos WHERE NOT removed AND encounter IN ({several([one.id for one in page])})"
        for record in read_records(session, chosen):
            photos[record.encounter].append(record)
    return screen.page(
        request,
        "encounters",
        encounters=page,
        photos=photos,
        everything=everything,
        more=offset + A_PAGE if len(found) > A_PAGE else None,
        done=fields.text("done"),
    )


def change(screen: Screen, request: Request, fields: Fields) -> Response:
    """Join the ticked encounters, or split the ticked photos off theirs."""
    desk = screen.desk
    chosen, photos = sorted(set(fields.numbers("encounter"))), fields.numbers("photo")

    curator = Curator(desk.catalog, screen.who(request), fields.text("why"))
    if fields.text("what") == "merge":
        if len(chosen) < 2:
            raise InputError("Tick at least two encounters.")
        done = patiently(lambda: curator.merge_encounters(chosen[0], chosen[1:]))
    else:
        if not photos:
            raise InputError("Tick the photos that were another encounter.")
        [first, *rest] = sorted({one.encounter for one in desk.records.photos(photos)})
        if rest:
            raise InputError("Tick photos of one encounter.")
        done = patiently(lambda: curator.split_encounter(first, photos, fields.text("name")))
    desk.refresh()
    return to(f"/encounters?done={done.event or ''}")


SHOWN: list[tuple[str, Show]] = [("/encounters", encounters)]
CHANGED: list[tuple[str, Show]] = [("/encounters", change)]
