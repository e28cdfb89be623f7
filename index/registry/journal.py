"""The one way in which rows change, so that what was there before is never lost.

Every changed row leaves an entry with its former content as JSON. Undo puts former contents back; the state
after an earlier event is the present with all later entries taken back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from index.errors import Conflict
from index.registry.schema import DERIVED, JOURNALLED
from index.registry.session import Session
from index.times import local

Row = Mapping[str, object]


class Journal:
    """Changes rows within one transaction and writes down what they replaced."""

    def __init__(self, session: Session, event: int) -> None:
        self._session = session
        self._event = event
        self._last: int | None = None
        self.changes = 0

    def put(self, table: str, rows: Sequence[Row]) -> None:
        """Insert complete rows, replacing those with the same key."""
        if rows:
            self._stage(
                table,
                "SELECT unnest(from_json(?, ?), max_depth := 2)",
                json.dumps(rows),
                structure(self._session, table),
            )

    def update(self, table: str, assignments: str, condition: str, *values: object) -> None:
        """Change columns of the rows that meet a condition: `assignments` reads `expression AS column, ...`.

        Question marks count through the assignments first, then the condition.
        """
        self._stage(table, f"SELECT * REPLACE ({assignments}) FROM {table} WHERE {condition}", *values)

    def remove(self, table: str, condition: str, *values: object) -> None:
        """Delete the rows that meet a condition."""
        key = self._key(table)
        self._log(
            f"SELECT '{table}', CAST(old.{key} AS VARCHAR), to_json(old), NULL FROM {table} old WHERE {condition}",
            *values,
        )
        self._session.run(f"DELETE FROM {table} WHERE {condition}", *values)

    def _stage(self, table: str, source: str, *values: object) -> None:
        """Replace rows of a table by those of a query, unchanged ones left alone."""
        key = self._key(table)
        session = self._session
        session.run(f"CREATE OR REPLACE TEMP TABLE staged AS {source}", *values)
        self._log(
            f"""SELECT '{table}', CAST(new.{key} AS VARCHAR),
                       CASE WHEN old.{key} IS NULL THEN NULL ELSE to_json(old) END,
                       CASE WHEN old.{key} IS NULL THEN NULL ELSE to_json(new) END
                FROM staged new LEFT JOIN {table} old USING ({key})
                WHERE old.{key} IS NULL OR to_json(old) <> to_json(new)"""
        )
        session.run(f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM staged)")
        session.run(f"INSERT INTO {table} BY NAME SELECT * FROM staged")

    def _log(self, entries: str, *values: object) -> None:
        if self._last is None:
            self._last = self._session.number("SELECT max(seq) FROM journal")
        sql = f"INSERT INTO journal SELECT {self._last} + row_number() OVER (), {self._event}, * FROM ({entries})"
        written = self._session.number(sql, *values)
        self._last += written
        self.changes += written

    def _key(self, table: str) -> str:
        return next(iter(self._session.column_types(table)))

    def take_back(self, event: int) -> None:
        """Put every row that an event changed back to what it was. Raises Conflict naming a later event."""
        records = [
            str(row[0]) for row in self._session.rows("SELECT DISTINCT record FROM journal WHERE event = ?", event)
        ]
        for record in records:
            self._refuse_if_changed_since(record, event)
        for record in records:
            key = self._key(record)
            former = (
                "SELECT key, arg_min_null(before, seq) AS before FROM journal "
                f"WHERE event = {int(event)} AND record = '{record}' GROUP BY key"
            )
            self.remove(record, f"CAST({key} AS VARCHAR) IN (SELECT key FROM ({former}) WHERE before IS NULL)")
            rows = f"SELECT unnest(from_json(before, ?)) FROM ({former}) WHERE before IS NOT NULL"
            kept = ", ".join(f"coalesce(now.{name}, past.{name}) AS {name}" for name in DERIVED.get(record, ()))
            if kept:
                rows = f"SELECT past.* REPLACE ({kept}) FROM ({rows}) past LEFT JOIN {record} now USING ({key})"
            self._stage(record, rows, row_structure(self._session, record))

    def _refuse_if_changed_since(self, record: str, event: int) -> None:
        key, patch = self._key(record), json.dumps(dict.fromkeys(DERIVED.get(record, ())))
        contradicted = self._session.rows(
            f"""WITH mine AS (SELECT DISTINCT key FROM journal WHERE event = {int(event)} AND record = '{record}'),
            following AS (
                SELECT key AS changed, arg_min_null(before, seq) AS left_as, list(DISTINCT event) AS later FROM journal
                WHERE event > {int(event)} AND record = '{record}' AND key IN (SELECT key FROM mine) GROUP BY key)
            SELECT later FROM following LEFT JOIN {record} now ON CAST(now.{key} AS VARCHAR) = following.changed
            WHERE CASE WHEN now.{key} IS NULL THEN NULL ELSE json_merge_patch(to_json(now), '{patch}') END
                  IS DISTINCT FROM
                  CASE WHEN left_as IS NULL THEN NULL
                       ELSE json_merge_patch(to_json(from_json(left_as, ?)), '{patch}') END""",
            row_structure(self._session, record),
        )
        if contradicted:
            later = {int(number) for (numbers,) in contradicted for number in numbers}
            refuse_for(self._session, event, sorted(later - undone(self._session)) or sorted(later))


def undone(session: Session) -> frozenset[int]:
    """Events that are taken back at present; an undo that was itself taken back does not count."""
    return frozenset(undone_by(session))


def undone_by(session: Session) -> dict[int, int]:
    """The same with the event that took each of them back."""
    dead: dict[int, int] = {}
    for number, target in session.rows("SELECT id, undoes FROM events WHERE undoes IS NOT NULL ORDER BY id DESC"):
        if number not in dead:
            dead[int(target)] = int(number)
    return dead


def newest_standing(session: Session) -> int:
    """The newest event that is neither undone nor an undo: what `undo` takes back when nothing else is named."""
    dead = undone(session)
    standing = session.rows("SELECT id FROM events WHERE undoes IS NULL ORDER BY id DESC")
    return next(int(row[0]) for row in standing if row[0] not in dead)


def refuse_for(session: Session, event: int, later: Sequence[int]) -> None:
    """Raises Conflict: undoing an event contradicts the last of some later ones."""
    number = later[-1]
    row = session.row("SELECT action, who, made_at FROM events WHERE id = ?", number)
    what = "" if row is None else f" ({row[0]}, by {row[1]} on {local(row[2])})"
    raise Conflict(f"Event {event} cannot be undone, because event {number}{what} builds on it: undo that one first.")


def look_back(session: Session, event: int) -> None:
    """Make the session show every table as it was after an earlier event.

    The present with all later entries taken back; done with temporary views over the real tables.
    """
    (home,) = session.rows("SELECT current_database()")[0]
    for record in JOURNALLED:
        key, shape = next(iter(session.column_types(record))), row_structure(session, record)
        table = f'"{home}".main.{record}'
        later = (
            f"SELECT key, before, seq FROM \"{home}\".main.journal WHERE event > {int(event)} AND record = '{record}'"
        )
        session.run(
            f"""CREATE TEMP VIEW {record} AS
            SELECT * FROM {table} WHERE CAST({key} AS VARCHAR) NOT IN (SELECT key FROM ({later}))
            UNION ALL BY NAME
            SELECT unnest(from_json(before, '{shape}')) FROM
                (SELECT arg_min_null(before, seq) AS before FROM ({later}) GROUP BY key) WHERE before IS NOT NULL"""
        )
    for record, number in (("events", "id"), ("journal", "event")):
        session.run(f'CREATE TEMP VIEW {record} AS SELECT * FROM "{home}".main.{record} WHERE {number} <= {int(event)}')


def structure(session: Session, table: str) -> str:
    """The shape of a table's rows, as DuckDB's `from_json` wants it: a list of them."""
    return f"[{row_structure(session, table)}]"


def row_structure(session: Session, table: str) -> str:
    """The shape of one row of a table, as DuckDB's `from_json` wants it."""
    return json.dumps(session.column_types(table))
