"""KNOWN groups as a fast grid: twelve pairs on a page, the wrong ones unticked."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response

from index.curation import ReviewAnswer, Said
from index.errors import Conflict
from retrieval.web.forms import Fields
from retrieval.web.queue import Pile, evidence_text, pile_of
from retrieval.web.screen import Screen, Show, to

A_PAGE = 12


def known(screen: Screen, request: Request, fields: Fields) -> Response:
    """One page of pairs."""
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
            rows.append((item, *desk.records.photos(pair)))
    return screen.page(request, "known", rows=rows, waiting=len(waiting), done=fields.text("done"))


def confirm(screen: Screen, request: Request, fields: Fields) -> Response:
    """Each ticked pair becomes an answer of its own; unticked ones go to the end of the queue."""
    desk, who = screen.desk, screen.who(request)
    done, said = 0, ""
    for group in fields.numbers("shown"):
        item = desk.item(group)
        if item is None or item.group.turtle is None:
            continue
        if group not in fields.numbers("right"):
            desk.later.add(group)
            continue
        seen = tuple(one.id for one in desk.records.photos_of_all([item.group.turtle]))
        given = ReviewAnswer(
            key=secrets.token_hex(16),
            said=Said.SAME,
            encounters=item.group.encounters,
            photos=tuple(one.id for one in item.photos),
            turtle=item.group.turtle,
            seen=seen,
            who=who,
            why="",
            seconds=max(0.0, min(fields.share("seconds", 0.0), 600.0)) / max(1, len(fields.numbers("shown"))),
            verdict=str(item.group.verdict),
            evidence=evidence_text(item, desk.settings, desk.recipe),
        )
        delivered = desk.answer(given)
        done += delivered.refused is None
        said = delivered.refused or said
    if said and not done:
        raise Conflict(said)
    return to(f"/known?done={done}")


SHOWN: list[tuple[str, Show]] = [("/known", known)]
CHANGED: list[tuple[str, Show]] = [("/known", confirm)]
