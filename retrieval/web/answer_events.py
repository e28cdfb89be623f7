"""What an event of the history is about, and what taking it back does to the queue."""

from __future__ import annotations

import json

from index.catalog import Browser, Catalog
from index.curation import Said
from index.registry import several


def encounters_of(catalog: Catalog, browser: Browser, event: int) -> list[int]:
    """Encounters that an event is about. Raises UnknownRecord."""
    changes = browser.changes(event)
    keys = {kind: [int(one.key) for one in changes if one.record == kind] for kind in ("queries", "proposals")}
    with catalog.reading() as session:
        kept = session.rows(f"SELECT evidence FROM queries WHERE id IN ({several(keys['queries'])})")
        proposed = session.rows(f"SELECT encounters FROM proposals WHERE id IN ({several(keys['proposals'])})")
    found = [int(one.key) for one in changes if one.record == "encounters"]
    found += [int(one) for (text,) in kept for one in json.loads(text).get("encounters", ())]
    return found + [int(one) for (encounters,) in proposed for one in encounters]


def settles_when_undone(catalog: Catalog, event: int) -> bool:
    """Whether taking an event back does an answer again that settles its group."""
    again = False
    with catalog.reading() as session:
        action, undoes = session.rows("SELECT action, undoes FROM events WHERE id = ?", event)[0]
        while undoes is not None:
            again = not again
            action, undoes = session.rows("SELECT action, undoes FROM events WHERE id = ?", undoes)[0]
    return again and action != f"review {Said.NOT}"
