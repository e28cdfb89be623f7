"""Which turtle a name means; and what is said where it means none: near ids, and turtles that were called so once."""

from __future__ import annotations

from index.errors import UnknownRecord
from index.naming import composed
from index.registry.session import Session

MOST_NAMED = 3
MOST_EDITS = 2


def meant_id(session: Session, name: str) -> str:
    """The id that is meant, as it is kept, in whichever form of Unicode it was typed; `composed` where none is."""
    if name.isascii():  # which has one form
        return name
    sql = "SELECT id FROM turtles WHERE nfc_normalize(id) = ? ORDER BY id <> ?, key LIMIT 1"
    row = session.row(sql, composed(name), name)
    return composed(name) if row is None else str(row[0])


def unknown_turtle(session: Session, name: str) -> UnknownRecord:
    """The sentence about an id that is not there, with what may have been meant."""
    told = f"There is no turtle {name} in the catalogue"
    former = former_turtle(session, name)
    if former is not None:
        return UnknownRecord(f"{told}: it was renamed and is called {former} now.")
    near = near_ids(session, name)
    return UnknownRecord(f"{told}; do you mean {' or '.join(near)}?" if near else f"{told}.")


def former_turtle(session: Session, name: str) -> str | None:
    """The present id of the turtle that was last called so."""
    row = session.row(
        "SELECT t.id FROM journal j JOIN turtles t ON CAST(t.key AS VARCHAR) = j.key WHERE j.record = 'turtles' "
        "AND j.before IS NOT NULL AND nfc_normalize(json_extract_string(j.before, 'id')) = ? "
        "ORDER BY j.seq DESC LIMIT 1",
        composed(name),
    )
    return None if row is None or composed(row[0]) == composed(name) else str(row[0])


def near_ids(session: Session, name: str) -> list[str]:
    """Ids that differ by their case, by a slip of the keyboard, or by zeros before a number; nearest first."""
    rows = session.rows(
        r"""SELECT id FROM (
            SELECT id, CASE WHEN lower(id) = lower(?) THEN 0
                            WHEN regexp_replace(lower(id), '0+(\d)', '\1') = regexp_replace(lower(?), '0+(\d)', '\1')
                            THEN 1 ELSE 1 + damerau_levenshtein(lower(id), lower(?)) END AS apart FROM turtles)
        WHERE apart <= 1 + least(?, length(?) // 3) ORDER BY apart, id LIMIT ?""",
        *(name, name, name, MOST_EDITS, name, MOST_NAMED),
    )
    return [str(found) for (found,) in rows]
