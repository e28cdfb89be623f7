"""Ids that are probably wrong: found in the background, shown as pairs, settled with one button each."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from index.curation import Curator, dismiss
from index.errors import InputError, TurtleidxError
from index.registry import Turtle
from retrieval.defaults import AUDIT_BUDGET
from retrieval.web.desk import AuditRun, Desk, patiently
from retrieval.web.forms import Fields
from retrieval.web.screen import Screen, Show, to

if TYPE_CHECKING:
    from retrieval.review import Finding

LEAST = 0.2
"""Findings that are less probable are shown on demand only."""


def audit(screen: Screen, request: Request, fields: Fields) -> Response:
    """What was found, and how far it is."""
    run = screen.desk.auditing
    findings = list(run.findings or ())
    everything = fields.text("show") == "all"
    shown = [one for one in findings if everything or one.probability is None or one.probability > LEAST]
    names = sorted({name for one in shown for name in one.turtles})
    turtles = {name: screen.desk.browser.turtle(name) for name in names}
    return screen.page(
        request,
        "audit",
        run=run,
        findings=[(one, _kept(one, turtles)) for one in shown],
        hidden=len(findings) - len(shown),
        photos={name: screen.desk.browser.photos(turtle=name)[:8] for name in names},
        ready=screen.desk.bench.engine is not None,
        done=fields.text("done"),
    )


def _kept(finding: Finding, turtles: Mapping[str, Turtle]) -> tuple[str, str] | None:
    """Which id a merge keeps: the one with more photos, then the older, then the first."""
    if len(finding.turtles) != 2:
        return None
    ordered = sorted(
        finding.turtles, key=lambda name: (-turtles[name].photos, str(turtles[name].first_seen or "9"), name)
    )
    return ordered[0], ordered[1]


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

    def advance(done: int, total: int) -> None:
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
        encounters = set(fields.numbers("encounters"))
        photos = [one.id for one in desk.browser.photos(turtle=names[0]) if one.encounter in encounters]
        new = fields.text("new") or desk.catalog.next_turtle_id()
        event = patiently(lambda: Curator(desk.catalog, who, why).split_turtle(names[0], photos, new)).event
    elif what != "later":
        raise InputError("A finding is settled by one of its buttons.")
    gone = tuple(names)
    run.findings = tuple(
        one
        for one in run.findings or ()
        if not (one.turtles == gone or (what == "merge" and set(one.turtles) & set(gone)))
    )
    desk.refresh()
    return to(f"/audit?done={event or ''}")


SHOWN: list[tuple[str, Show]] = [("/audit", audit)]
CHANGED: list[tuple[str, Show]] = [("/audit/begin", begin), ("/audit", settle)]
