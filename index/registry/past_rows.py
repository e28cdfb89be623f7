"""Rows as they were after an earlier event: the present ones with what the journal changed since taken back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from index.registry.session import Session

Row = Mapping[str, Any]


class PastRows:
    """Chosen rows of one table at every moment of their history."""

    def __init__(self, session: Session, record: str, keys: Collection[int]) -> None:
        key = next(iter(session.column_types(record)))
        wanted = [str(one) for one in keys]
        rows = session.rows(
            f"SELECT {key}, to_json(r) FROM {record} r WHERE CAST({key} AS VARCHAR) IN (SELECT unnest(?::VARCHAR[]))",
            wanted,
        )
        self._now: dict[int, Row] = {int(number): json.loads(row) for number, row in rows}
        self._before: dict[int, list[tuple[int, Row | None]]] = defaultdict(list)
        entries = session.rows(
            "SELECT key, event, before FROM journal WHERE record = ? AND key IN (SELECT unnest(?::VARCHAR[])) "
            "ORDER BY seq",
            *(record, wanted),
        )
        for number, event, before in entries:
            self._before[int(number)].append((int(event), None if before is None else json.loads(before)))

    def after(self, key: int, event: int) -> Row | None:
        """The row as it was once this event had happened; None while it was not there."""
        for number, before in self._before.get(key, ()):
            if number > event:
                return before
        return self._now.get(key)

    def ever(self, column: str) -> set[int]:
        """Every number that ever stood in a column of these rows."""
        every = [*self._now.values(), *(row for rows in self._before.values() for _, row in rows if row)]
        return {int(row[column]) for row in every if row.get(column) is not None}
