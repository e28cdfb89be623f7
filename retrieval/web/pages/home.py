"""What waits, one button each, and the model in words."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from index.catalog import sampled_originals
from index.curation import checks
from retrieval.web.forms import Fields
from retrieval.web.queue import Pile, pile_of
from retrieval.web.screen import Screen, Show


def home(screen: Screen, request: Request, fields: Fields) -> Response:
    """The first page."""
    del fields
    desk = screen.desk
    who = screen.who(request)
    queue = desk.queue(who)
    originals = sampled_originals(desk.catalog)
    known = sum(pile_of(one) is Pile.KNOWN for one in queue)
    with desk.catalog.reading() as session:
        unsided = session.number("SELECT count(*) FROM photos WHERE NOT removed AND side IS NULL")
        newest = session.row("SELECT max(made_at) FROM models WHERE kind = 'novelty'")
        identified = session.number(
            "SELECT count(*) FROM photos p JOIN encounters e ON e.id = p.encounter "
            "WHERE e.turtle IS NOT NULL AND NOT p.removed"
        )
    snapshot = desk.snapshot
    return screen.page(
        request,
        "home",
        headless=len(desk.browser.photos(no_head=True)),
        look=len(queue) - known,
        known=known,
        unsided=unsided,
        set_aside=len(desk.queue(who, set_aside=True)),
        originals=originals,
        model=None if snapshot is None else snapshot.model,
        fitted_on=None if newest is None or newest[0] is None else newest[0].date(),
        identified=identified,
        eye=checks(desk.catalog).get(who),
    )


def state(screen: Screen, request: Request, fields: Fields) -> Response:
    """How far comparing is, and what became of answers that waited; asked by the pages' script now and then."""
    del request
    desk = screen.desk
    snapshot = desk.snapshot
    since = fields.share("since", 0.0)
    news = [
        {"at": at, "encounters": list(one.answer.encounters), "refused": one.refused, "who": one.answer.who}
        for at, one in list(desk.news)
        if at > since
    ]
    return JSONResponse(
        {
            "done": 0 if snapshot is None else snapshot.done,
            "total": 0 if snapshot is None else snapshot.total,
            "loading": snapshot is None or snapshot.loading,
            "complete": snapshot is not None and snapshot.complete,
            "waiting": len(desk.outbox.waiting()),
            "items": 0 if snapshot is None else len(snapshot.items),
            "news": news,
        }
    )


SHOWN: list[tuple[str, Show]] = [("/", home), ("/state", state)]
CHANGED: list[tuple[str, Show]] = []
