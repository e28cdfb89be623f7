"""One turtle: its photos by side and date, its encounters, its history, and what people change about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from index.catalog import Page
from index.curation import Curator
from index.errors import InputError
from index.registry import ChangeReport
from index.types import Side
from retrieval import schemas
from retrieval.web.desk import patiently
from retrieval.web.forms import Fields
from retrieval.web.pages.history import sentences
from retrieval.web.screen import Screen, Show, to

Change = Callable[[Curator, str, Fields], ChangeReport]
EVENTS = 20


def turtle(screen: Screen, request: Request, fields: Fields) -> Response:
    """Everything about one turtle."""
    desk, name = screen.desk, str(request.path_params["name"])
    found = desk.browser.turtle(name)
    photos = sorted(desk.browser.photos(turtle=name), key=lambda one: (str(one.taken_on or ""), one.id))
    columns = [
        ("left", [one for one in photos if one.side is Side.LEFT]),
        ("right", [one for one in photos if one.side is Side.RIGHT]),
        ("other", [one for one in photos if one.side not in (Side.LEFT, Side.RIGHT)]),
    ]
    sites = sorted({one.site for one in photos if one.site})
    places = _places([schemas.photo_record(one, desk.options.exact_locations) for one in photos])
    return screen.page(
        request,
        "turtle",
        turtle=found,
        columns=columns,
        photos=photos,
        sites=sites,
        places=places,
        encounters=desk.browser.encounters(turtle=name),
        events=sentences(desk.browser, desk.browser.history(turtle=name, page=Page(EVENTS))),
        done=fields.text("done"),
        changes=None,
        asked={},
    )


def _places(records: list[dict[str, object]]) -> list[tuple[float, float, str]]:
    """Where it was seen, as shares (0..1) of the smallest square around, and the words for each place."""
    seen = {
        (float(str(one["latitude"])), float(str(one["longitude"]))): str(one["site"] or "")
        for one in records
        if one["latitude"] is not None and one["longitude"] is not None
    }
    if not seen:
        return []
    south, north = min(at[0] for at in seen), max(at[0] for at in seen)
    west, east = min(at[1] for at in seen), max(at[1] for at in seen)
    span = max(north - south, east - west, 0.2)
    return [
        (
            0.5 + (east_west - (west + east) / 2) / span * 0.8,
            0.5 - (up_down - (south + north) / 2) / span * 0.8,
            f"{name} {up_down:g}, {east_west:g}".strip(),
        )
        for (up_down, east_west), name in seen.items()
    ]


CHANGES: Mapping[str, Change] = {
    "rename": lambda by, name, fields: by.rename_turtle(name, _id(fields)),
    "merge": lambda by, name, fields: by.merge_turtles(name, [_id(fields)]),
    "move": lambda by, _, fields: by.move_photos(_photos(fields), fields.text("id") or None),
    "split": lambda by, name, fields: by.split_turtle(name, _photos(fields), _id(fields)),
    "retire": lambda by, name, _: by.retire_turtle(name),
    "restore": lambda by, name, _: by.restore_turtle(name),
    "note": lambda by, name, fields: by.note_turtle(name, fields.text("note") or None),
    "species": lambda by, name, fields: by.species_turtle(name, fields.text("species") or None),
}
PREVIEWED = ("rename", "merge", "move", "split", "retire")


def change(screen: Screen, request: Request, fields: Fields) -> Response:
    """Show what a change would do, or do it."""
    desk, name, what = screen.desk, str(request.path_params["name"]), fields.text("what")
    if what not in CHANGES:
        raise InputError("That is nothing a turtle's page can change.")
    if what == "move" and fields.text("id"):
        desk.browser.turtle(fields.text("id"))  # a mistyped id makes no turtle
    sure = fields.ticked("sure") or what not in PREVIEWED

    def made() -> ChangeReport:
        curator = Curator(desk.catalog, screen.who(request), fields.text("why"), dry_run=not sure)
        return CHANGES[what](curator, name, fields)

    report = patiently(made)
    if not sure:
        changes = [schemas.change_record(one, report.names) for one in report.changes]
        return screen.page(
            request, "preview", changes=changes, action=request.url.path, asked=dict(fields.values), back=name
        )
    desk.refresh()
    after = fields.text("id") if what == "rename" else name
    return to(f"/turtle/{quote(after, safe='')}?done={report.event or 'nothing'}")


def _id(fields: Fields) -> str:
    if not fields.text("id"):
        raise InputError("Name an id.")
    return fields.text("id")


def _photos(fields: Fields) -> tuple[int, ...]:
    found = fields.numbers("photo")
    if not found:
        raise InputError("Tick photos first.")
    return found


SHOWN: list[tuple[str, Show]] = [("/turtle/{name:path}", turtle)]
CHANGED: list[tuple[str, Show]] = [("/turtle/{name:path}", change)]
