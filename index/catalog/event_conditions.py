"""Conditions on events: what they changed, and the day on which they happened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from index.registry import Session, meant_id, unknown_turtle
from index.times import stored


def hours(day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """The first and the last moment of a day as they are stored."""
    try:
        first, last = (stored(dt.datetime.combine(day, time)) for time in (dt.time.min, dt.time.max))
    except (OverflowError, ValueError):  # a day at either end of the calendar, on which nothing happened
        return dt.datetime.max, dt.datetime.max
    return first, last


def touching_turtle(session: Session, name: str) -> tuple[str, str, list[str], list[str]]:
    """A condition with its values: an event changed a turtle, its encounters or its photos. Raises UnknownRecord."""
    row = session.row("SELECT key FROM turtles WHERE id = ?", meant_id(session, name))
    if row is None:
        raise unknown_turtle(session, name)
    encounters = _ever("encounters", "turtle", [str(row[0])], session)
    photos = _ever("photos", "encounter", encounters, session)
    several = "SELECT unnest(?::VARCHAR[])"
    lists = [("turtles", "SELECT ?"), ("encounters", several), ("photos", several)]
    return _touching(lists), str(row[0]), encounters, photos


def touching_photo(photo: int) -> tuple[str, str]:
    """A condition with its value: an event changed a photo."""
    return _touching([("photos", "SELECT ?")]), str(photo)


def _touching(lists: Sequence[tuple[str, str]]) -> str:
    found = " UNION ".join(
        f"SELECT event FROM journal WHERE record = '{record}' AND key IN ({keys})" for record, keys in lists
    )
    return f"id IN ({found})"


def _ever(record: str, column: str, owners: list[str], session: Session) -> list[str]:
    """Keys of rows that belong, or once belonged, to one of the owners."""
    rows = session.rows(
        f"""SELECT CAST(id AS VARCHAR) FROM {record} WHERE {column} IN (SELECT CAST(unnest(?::VARCHAR[]) AS BIGINT))
        UNION SELECT key FROM journal WHERE record = '{record}' AND before IS NOT NULL AND
            (json_extract_string(before, '{column}') IN (SELECT unnest(?::VARCHAR[]))
             OR json_extract_string(after, '{column}') IN (SELECT unnest(?::VARCHAR[])))""",
        *(owners, owners, owners),
    )
    return [str(row[0]) for row in rows]
