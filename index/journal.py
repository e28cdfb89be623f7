"""The one way in which rows change, so that what was there before is never lost.

Every changed row leaves an entry with its former content as JSON. Undo puts former contents back; the state
after an earlier event is the present with all later entries taken back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from index.session import Session

Row = Mapping[str, object]


class Journal:
    """Changes rows within one transaction and writes down what they replaced."""

    def __init__(self, session: Session, event: int) -> None:
        self._session = session
        self._event = event
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
        session.run("DROP TABLE staged")

    def _log(self, entries: str, *values: object) -> None:
        session = self._session
        before = session.number("SELECT max(seq) FROM journal")
        session.run(
            f"INSERT INTO journal SELECT {before} + row_number() OVER (), {self._event}, * FROM ({entries})", *values
        )
        self.changes += session.number("SELECT max(seq) FROM journal") - before

    def _key(self, table: str) -> str:
        return next(iter(self._session.column_types(table)))


def structure(session: Session, table: str) -> str:
    """The shape of a table's rows, as DuckDB's `from_json` wants it: a list of them."""
    return json.dumps([session.column_types(table)])
