"""Kept queries and what people decided about them; both are records with a history like all others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from index.catalog import Catalog
from index.errors import InputError, UnknownRecord
from index.registry import QUERY_KEY, Answer, Decision, KeptQuery, Session, meant_id, unknown_turtle
from index.types import HeadBox

_QUERIES = """
WITH newest AS (SELECT query, max(id) AS id FROM decisions GROUP BY query)
SELECT q.id, q.sha256, q.path, q.verdict, q.evidence, q.made_at, d.id, d.query, d.answer, t.id, d.who, d.why, d.made_at
FROM queries q LEFT JOIN newest n ON n.query = q.id LEFT JOIN decisions d ON d.id = n.id
     LEFT JOIN turtles t ON t.key = d.turtle
WHERE {condition} ORDER BY q.id
"""


_ANSWERED = "SELECT query FROM decisions WHERE answer <> 'unsure'"


@dataclass(frozen=True, slots=True)
class DecidedQuery:
    """A query with the newest decision on it; `turtle` is the id that holds the decided turtle's photos now.

    Attributes
    ----------
    sha256, key : str
        Digest of the file, and what the features of the head in it are kept under.
    """

    query: int
    sha256: str
    key: str
    path: str
    evidence: str
    answer: Answer
    turtle: str | None


def head_asked_about(evidence: str) -> HeadBox | None:
    """The box that a kept query was read within, by its evidence; None for a whole photo, or where nothing says so."""
    box = json.loads(evidence).get("known", {}).get("box")
    return None if box is None else HeadBox(*box)


class Decisions:
    """The kept queries of a catalogue."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def keep(self, sha256: str, path: str, verdict: str, evidence: str, who: str) -> KeptQuery:
        """Keep a query with its evidence (JSON text); an open one about the same sighting is brought up to date.

        Evidence that names a `sighting` says what the query's features are kept under; else it is the file's digest.
        """
        with (
            self._catalog.writing("query"),
            self._catalog.transaction("keep query", who) as transaction,
        ):
            waiting = transaction.row(
                f"SELECT max(id) FROM queries WHERE {QUERY_KEY} = ? AND id NOT IN ({_ANSWERED})",
                json.loads(evidence).get("sighting") or sha256,
            )
            number = waiting[0] if waiting and waiting[0] is not None else transaction.take_ids("query", 1)[0]
            row = {"id": number, "sha256": sha256, "path": path, "verdict": verdict, "evidence": evidence}
            transaction.journal.put("queries", [{**row, "made_at": transaction.at.isoformat(sep=" ")}])
        return self.query(number)

    def decide(self, query: int, answer: Answer, who: str, *, turtle: str | None = None, why: str = "") -> KeptQuery:
        """Record what a person decided. Raises UnknownRecord for the query or the turtle, InputError."""
        if (answer is Answer.IS) != (turtle is not None):
            raise InputError("A turtle goes with the answer “is”, and only with it.")
        with (
            self._catalog.writing("decide"),
            self._catalog.transaction(f"decide {answer}", who, why) as transaction,
        ):
            _one(transaction, query)
            key = None if turtle is None else _turtle_key(transaction, turtle)
            (number,) = transaction.take_ids("decision", 1)
            row = {"id": number, "query": query, "answer": str(answer), "turtle": key, "who": who, "why": why}
            transaction.journal.put("decisions", [{**row, "made_at": transaction.at.isoformat(sep=" ")}])
        return self.query(query)

    def query(self, number: int) -> KeptQuery:
        """One kept query. Raises UnknownRecord."""
        with self._catalog.reading() as session:
            return _one(session, number)

    def queries(self, *, undecided: bool = False) -> list[KeptQuery]:
        """Kept queries in order; only those nobody has answered, or answered with "unsure", on demand."""
        condition = "d.answer IS NULL OR d.answer = 'unsure'" if undecided else "true"
        with self._catalog.reading() as session:
            return [_query(row) for row in session.rows(_QUERIES.format(condition=condition))]

    def settled(self) -> list[DecidedQuery]:
        """Queries with a decision, in the order in which they were decided."""
        with self._catalog.reading() as session:
            rows = session.rows(
                f"SELECT q.id, q.sha256, {QUERY_KEY}, q.path, q.evidence, d.answer, now.id FROM queries q "
                "JOIN decisions d ON d.query = q.id LEFT JOIN turtles t ON t.key = d.turtle "
                "LEFT JOIN turtles now ON now.key = coalesce(t.merged_into, t.key) "
                "WHERE d.id IN (SELECT max(id) FROM decisions GROUP BY query) ORDER BY d.id"
            )
        return [
            DecidedQuery(query, sha256, key, path, evidence, Answer(answer), turtle)
            for query, sha256, key, path, evidence, answer, turtle in rows
        ]


def _one(session: Session, number: int) -> KeptQuery:
    row = session.row(_QUERIES.format(condition="q.id = ?"), number)
    if row is None:
        raise UnknownRecord(f"There is no kept query {number} in the catalogue.")
    return _query(row)


def _turtle_key(session: Session, name: str) -> int:
    sql = "SELECT coalesce(merged_into, key) FROM turtles WHERE id = ?"
    row = session.row(sql, meant_id(session, name))
    if row is None:
        raise unknown_turtle(session, name)
    return int(row[0])


def _query(row: tuple[Any, ...]) -> KeptQuery:
    identity, decided = row[:6], row[6:]
    decision = None
    if decided[0] is not None:
        number, query, answer, turtle, who, why, made_at = decided
        decision = Decision(number, query, Answer(answer), turtle, who, why, made_at)
    number, sha256, path, verdict, evidence, made_at = identity
    return KeptQuery(number, sha256, path, verdict, evidence, made_at, decision)
