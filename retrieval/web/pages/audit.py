"""Ids that are probably wrong: found in the background, shown as pairs, settled with one button each."""

from __future__ import annotations

import threading

from starlette.requests import Request
from starlette.responses import Response

from index.curation import Curator, dismiss
from index.errors import InputError, TurtleidxError
from retrieval.defaults import AUDIT_BUDGET
from retrieval.web.desk import AuditRun, Desk, patiently
from retrieval.web.forms import Fields
from retrieval.web.screen import Screen, Show, to


def audit(screen: Screen, request: Request, fields: Fields) -> Response:
    """What was found, and how far it is."""
    run = screen.desk.auditing
    findings = list(run.findings or ())
    from retrieval.review import LEAST  # what compares photos takes seconds to import

    everything = fields.text("show") == "all"
    shown = [one for one in findings if everything or one.probability is None or one.probability >= LEAST]
    names = sorted({name for one in shown for name in one.turtles})
    return screen.page(
        request,
        "audit",
        run=run,
        findings=shown,
        hidden=len(findings) - len(shown),
        photos={name: screen.desk.browser.photos(turtle=name)[:8] for name in names},
        ready=screen.desk.bench.engine is not None,
        done=fields.text("done"),
    )


def begin(screen: Screen, request: Request, fields: Fields) -> Response:
    """Look for wrong ids in the background."""
    del request, fields
    desk = screen.desk
    run = desk.auditing
    with run.lock:
        if not run.running and desk.bench.engine is not None:
            run.running, run.done, run.trouble = True, 0, ""
            threading.Thread(target=_audit, args=(desk, run), name="audit", daemon=True).start()
    return to("/audit")


def _audit(desk: Desk, run: AuditRun) -> None:
    from retrieval.review import audit as look  # what compares photos takes seconds to import

    def advance(done: int, total: int | None = None) -> None:
        del total
        run.done += done
        desk.bench.give_way()

    try:
        with desk.bench.in_background() as engine:
            run.findings = look(desk.catalog, engine, AUDIT_BUDGET, advance).findings
    except TurtleidxError as error:
        run.trouble = str(error)
    finally:
        run.running = False


def settle(screen: Screen, request: Request, fields: Fields) -> Response:
    """Two turtles, one turtle, or later."""
    desk, who, why = screen.desk, screen.who(request), fields.text("why")
    names, what = fields.every("turtle"), fields.text("what")
    run = desk.auditing
    event: int | None = None
    if what == "dismiss":
        event = patiently(lambda: dismiss(desk.catalog, names, who, why))
    elif what == "merge":
        kept = fields.text("into")
        event = patiently(
            lambda: Curator(desk.catalog, who, why).merge_turtles(kept, [one for one in names if one != kept])
        ).event
    elif what == "split":
        new = fields.text("to") or desk.catalog.next_turtle_id()
        photos = fields.numbers("photo")
        event = patiently(lambda: Curator(desk.catalog, who, why).split_turtle(names[0], photos, new)).event
    elif what == "move":
        to_turtle = fields.text("to") or desk.catalog.next_turtle_id()
        photos = fields.numbers("photo")
        event = patiently(lambda: Curator(desk.catalog, who, why).move_photos(photos, to_turtle)).event
    elif what != "later":
        raise InputError("A finding is settled by one of its buttons.")
    changed = what in ("merge", "split", "move")
    run.findings = tuple(
        one
        for one in run.findings or ()
        if not (one.turtles == tuple(names) or (changed and set(one.turtles) & set(names)))
    )
    desk.refresh()
    return to(f"/audit?done={event or ''}")


SHOWN: list[tuple[str, Show]] = [("/audit", audit)]
CHANGED: list[tuple[str, Show]] = [("/audit/begin", begin), ("/audit", settle)]
