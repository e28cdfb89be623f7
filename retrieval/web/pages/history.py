"""What happened, in sentences, and how it is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from index.catalog import Browser, Page
from index.curation import Curator
from index.errors import TurtleidxError
from index.registry import Event
from index.times import local
from retrieval import schemas
from retrieval.web.desk import patiently
from retrieval.web.forms import Fields
from retrieval.web.screen import Screen, Show
from retrieval.web.words import words

A_PAGE = 60
QUIET = frozenset({"keep query"})
"""Actions that come so often that they are folded."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One event: what it did and to what, when (this machine's time), and whether it stands."""

    event: Event
    did: str
    text: str
    when: str
    undone_by: int | None


def sentences(browser: Browser, events: Sequence[Event]) -> list[Sentence]:
    """Events as people tell them."""
    undone, subjects = browser.undone_by(), browser.subjects(events)
    return [
        Sentence(
            one,
            _did(one.action),
            subjects[one.id].sentence if one.id in subjects else "",
            local(one.at),
            undone.get(one.id),
        )
        for one in events
    ]


def _did(action: str) -> str:
    """What an event did, in words; those of another version as they are."""
    told, plain = words()["history"]["did"], action.removeprefix("undo ")
    done = str(told.get(plain, plain))
    return done if plain == action else f"{told['undo']} {done}"


def history(screen: Screen, request: Request, fields: Fields) -> Response:
    """The newest events, filtered."""
    desk = screen.desk
    person, name, day = fields.text("person"), fields.text("turtle"), fields.day("day")
    offset = max(0, fields.number("offset") if fields.text("offset") else 0)
    page = Page(A_PAGE, offset)
    found = desk.browser.history(turtle=name or None, who=person or None, day=day, page=page)
    quiet = [one for one in found if one.action in QUIET]
    told = [one for one in found if one.action not in QUIET]
    changes, preview, refused = None, None, ""
    if fields.text("undo"):
        preview = fields.number("undo")
        try:
            report = patiently(lambda: Curator(desk.catalog, screen.who(request), dry_run=True).undo(preview))
            changes = [schemas.change_record(one, report.names) for one in report.changes]
        except TurtleidxError as error:
            refused = str(error)
    return screen.page(
        request,
        "history",
        events=sentences(desk.browser, told),
        quiet=len(quiet),
        people=desk.browser.people(),
        person=person,
        turtle=name,
        day=day or "",
        more=offset + A_PAGE if len(found) == A_PAGE else None,
        changes=changes,
        preview=preview,
        refused=refused,
        done=fields.text("done"),
    )


SHOWN: list[tuple[str, Show]] = [("/history", history)]
CHANGED: list[tuple[str, Show]] = []
