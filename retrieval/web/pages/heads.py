"""Photos whose head was not found: the whole frame, and a box that a person drags or types."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from index.catalog import Page
from index.curation import Curator
from index.errors import InputError, PhotoRefused
from index.exchange import parse_side
from index.registry import ChangeReport
from index.types import HeadBox, Side
from retrieval.web.desk import patiently
from retrieval.web.forms import Fields
from retrieval.web.screen import Screen, Show, to

EDGES = ("x", "y", "w", "h")


def heads(screen: Screen, request: Request, fields: Fields) -> Response:
    """The first photo that waits, the one behind another, or any photo whose box is to be changed."""
    desk = screen.desk
    waiting = desk.browser.photos(no_head=True, page=Page(1000))
    after = fields.number("after") if fields.text("after") else 0
    shown = next((one for one in waiting if one.id > after), waiting[0] if waiting else None)
    if fields.text("photo"):
        shown = desk.browser.photo(str(fields.number("photo")))
    return screen.page(
        request,
        "heads",
        photo=shown,
        box=None if shown is None else shown.box,
        waiting=len(waiting),
        done=fields.text("done"),
        sides=[str(side) for side in Side],
    )


def draw(screen: Screen, request: Request, fields: Fields) -> Response:
    """Keep the box: the photo is read again within it."""
    from retrieval.pipeline import draw_box  # what reads photos takes seconds to import

    desk, number = screen.desk, fields.number("photo")
    box = _box(fields)
    side = parse_side(fields.text("side")) if fields.text("side") else None
    curator = Curator(desk.catalog, screen.who(request), fields.text("why"))
    with desk.bench.at_once() as engine:
        if engine is None:
            raise InputError(desk.bench.failed or "What reads photos is still loading: try again in a moment.")

        def made() -> ChangeReport:
            return draw_box(desk.catalog, engine, number, box, side, curator)

        try:
            done = patiently(made)
        except PhotoRefused as refusal:
            raise InputError(str(refusal)) from refusal
    desk.refresh()
    return to(f"/heads?after={number}&done={done.event or 'nothing'}")


def _box(fields: Fields) -> HeadBox:
    if not all(fields.text(name) for name in EDGES):
        raise InputError("Drag a box around the head, or type where it is: left, top, width and height in pixels.")
    x, y, w, h = (fields.share(name, 0.0) for name in EDGES)
    if not (w > 0 and h > 0 and abs(x) + abs(y) + w + h < 10**6):
        raise InputError("A head box needs a width and a height above zero.")
    return HeadBox(x, y, w, h)


SHOWN: list[tuple[str, Show]] = [("/heads", heads)]
CHANGED: list[tuple[str, Show]] = [("/heads", draw)]
