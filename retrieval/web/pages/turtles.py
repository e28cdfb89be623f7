"""All turtles: filtered, sorted, searched."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from index.catalog import Page, TurtleOrder
from index.registry import Turtle, TurtleStatus
from index.types import Side
from retrieval.web.forms import Fields
from retrieval.web.screen import Screen, Show

A_PAGE = 60
FILTERS = ("any", "side_missing", "seen_once")


def turtles(screen: Screen, request: Request, fields: Fields) -> Response:
    """One page of them."""
    desk = screen.desk
    order = TurtleOrder(fields.text("order")) if fields.text("order") in set(TurtleOrder) else TurtleOrder.ID
    shown = fields.text("show") if fields.text("show") in FILTERS else FILTERS[0]
    letters, offset = fields.text("q"), max(0, fields.number("offset") if fields.text("offset") else 0)
    descending = order in (TurtleOrder.PHOTOS, TurtleOrder.ENCOUNTERS, TurtleOrder.LAST_SEEN)
    everything = bool(letters) or shown != "any"
    found = desk.browser.turtles(
        status=TurtleStatus.ACTIVE,
        species=fields.text("species") or None,
        tag=fields.text("tag") or None,
        order=order,
        descending=descending,
        page=Page(None if everything else A_PAGE + 1, 0 if everything else offset),
    )
    if everything:
        found = [one for one in found if letters.lower() in one.id.lower() and _meets(one, shown)]
        found = found[offset : offset + A_PAGE + 1]
    page = found[:A_PAGE]
    return screen.page(
        request,
        "turtles",
        turtles=page,
        faces=_faces(screen, [one.id for one in page]),
        more=offset + A_PAGE if len(found) > A_PAGE else None,
        letters=letters,
        show=shown,
        shows=FILTERS,
        order=order,
        orders=list(TurtleOrder),
        tag=fields.text("tag"),
        species=fields.text("species"),
    )


def _meets(one: Turtle, shown: str) -> bool:
    if shown == "side_missing":
        return one.photos > 0 and not {Side.LEFT, Side.RIGHT} <= one.sides
    return shown == "any" or one.encounters == 1


def _faces(screen: Screen, names: list[str]) -> dict[str, int]:
    """The best photo of each turtle, by number."""
    with screen.desk.catalog.reading() as session:
        rows = session.rows(
            "SELECT t.id, arg_max(p.id, p.quality) FROM photos p JOIN encounters e ON e.id = p.encounter "
            "JOIN turtles t ON t.key = e.turtle WHERE NOT p.removed AND t.id IN (SELECT unnest(?::VARCHAR[])) "
            "GROUP BY t.id",
            names,
        )
    return {str(name): int(number) for name, number in rows}


SHOWN: list[tuple[str, Show]] = [("/turtles", turtles)]
CHANGED: list[tuple[str, Show]] = []
