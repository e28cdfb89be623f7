"""KNOWN groups as a fast grid: twelve pairs on a page, the wrong ones unticked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from index.curation import ReviewAnswer, Said
from index.errors import InputError
from index.registry import PhotoRecord
from retrieval.web.desk import Desk
from retrieval.web.forms import Fields
from retrieval.web.queue import Pile, evidence_text, pile_of
from retrieval.web.screen import Screen, Show, to

if TYPE_CHECKING:
    from retrieval.web.queue import Item

A_PAGE = 12


@dataclass(frozen=True, slots=True, eq=False)
class Pairlet:
    """A group as it is shown: one of its photos beside one of the turtle's, and its other photos below.

    Attributes
    ----------
    key : str
        The name of the answer to it, so that a form that is sent twice is one answer.
    """

    item: Item
    ours: PhotoRecord
    theirs: PhotoRecord
    key: str

    @property
    def others(self) -> list[PhotoRecord]:
        return [one for one in self.item.photos if one.id != self.ours.id]


def known(screen: Screen, request: Request, fields: Fields) -> Response:
    """One page of pairs."""
    return _page(screen, request, fields.text("done"))


def _page(
    screen: Screen, request: Request, done: str, refused: Sequence[tuple[int, str]] = (), status: int = 200
) -> Response:
    from retrieval.web.queue import best_pair  # what compares photos takes seconds to import

    desk = screen.desk
    snapshot = desk.snapshot
    items = {} if snapshot is None else snapshot.items
    waiting = [one for one in desk.queue(screen.who(request)) if pile_of(one) is Pile.KNOWN and one.key in items]
    rows = []
    for one in waiting[:A_PAGE]:
        item = items[one.key]
        pair = best_pair(item)
        if pair is not None and item.group.turtle is not None:
            ours, theirs = desk.records.photos(pair)
            rows.append(Pairlet(item, ours, theirs, secrets.token_hex(16)))
    return screen.page(request, "known", status, rows=rows, waiting=len(waiting), done=done, refused=refused)


def confirm(screen: Screen, request: Request, fields: Fields) -> Response:
    """Each ticked pair becomes an answer of its own; unticked ones go to the end of the queue."""
    desk, who = screen.desk, screen.who(request)
    groups, right = fields.numbers("shown"), fields.numbers("right")
    desk.later.update(group for group in groups if group not in right)
    given = [_answer(desk, fields, group, who, len(groups)) for group in groups if group in right]
    delivered = [desk.answer(one) for one in given]
    refused = [(one.answer.encounters[0], one.refused) for one in delivered if one.refused is not None]
    done = str(len(delivered) - len(refused))
    return _page(screen, request, done, refused, 409) if refused else to(f"/known?done={done}")


def _answer(desk: Desk, fields: Fields, group: int, who: str, shown: int) -> ReviewAnswer:
    """What was said about a group as the form showed it, whatever has become of the group."""
    encounters, photos = fields.numbers(f"encounters-{group}"), fields.numbers(f"photos-{group}")
    turtle = fields.text(f"turtle-{group}")
    if not (encounters and photos and turtle):
        raise InputError("An answer has to name the turtle, the encounters and the photos that were shown.")
    item = desk.item(group)
    return ReviewAnswer(
        key=fields.key(f"key-{group}"),
        said=Said.SAME,
        encounters=encounters,
        photos=photos,
        turtle=turtle,
        seen=fields.numbers(f"seen-{group}"),
        who=who,
        why="",
        seconds=max(0.0, min(fields.share("seconds", 0.0), 600.0)) / shown,
        verdict="KNOWN" if item is None else str(item.group.verdict),
        evidence=evidence_text(item, desk.settings, desk.recipe),
    )


SHOWN: list[tuple[str, Show]] = [("/known", known)]
CHANGED: list[tuple[str, Show]] = [("/known", confirm)]
