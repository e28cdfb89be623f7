"""Every address of the page, in the order in which they are tried."""

from __future__ import annotations

from retrieval.web.pages import (
    audit,
    compare,
    encounters,
    heads,
    history,
    home,
    imports,
    known,
    report,
    settings,
    turtle,
    turtles,
)

_PAGES = (home, compare, known, turtles, turtle, encounters, heads, audit, history, report, settings, imports)

SHOWN = [one for page in _PAGES for one in page.SHOWN]
CHANGED = [one for page in _PAGES for one in page.CHANGED]
