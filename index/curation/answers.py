"""What a person answered on the review page: decision, evidence and effect as one event, once however often it is sent.

An answer holds for the photos that the person saw. Each carries a key of its own; whatever comes with a key that was
written before is told what became of it, and nothing is written twice.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from index.catalog import Catalog
from index.curation.encounters import identify_encounters
from index.curation.requirements import encounter_turtles, require_photos, turtle_key
from index.errors import Conflict, InputError
from index.registry import Answer, Transaction, several


class Said(StrEnum):
    """What a person says about a group of unidentified encounters."""

    SAME = "same"
    NEW = "new"
    UNSURE = "unsure"
    NOT = "not"


_DECIDED = {Said.SAME: Answer.IS, Said.NEW: Answer.NEW, Said.UNSURE: Answer.UNSURE}


@dataclass(frozen=True, slots=True)
class ReviewAnswer:
    """One answer about a group.

    Attributes
    ----------
    key : str
        The answer's own random name.
    encounters, photos : tuple of int
        The group, and those of its photos that were on the screen.
    turtle : str or None
        With `SAME` and `NOT`.
    seen : tuple of int
        The turtle's photos that were on the screen.
    seconds : float
        How long the person looked.
    verdict, evidence : str
        What the program said, and JSON text of all that it rested on.
    """

    key: str
    said: Said
    encounters: tuple[int, ...]
    photos: tuple[int, ...]
    turtle: str | None
    seen: tuple[int, ...]
    who: str
    why: str
    seconds: float
    verdict: str
    evidence: str


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What became of an answer.

    Attributes
    ----------
    event : int or None
        What `undo` takes back.
    turtle : str or None
        The id that the photos have now, or that was ruled out.
    repeated : bool
        Whether it had been written before.
    """

    event: int | None
    turtle: str | None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """A turtle that an encounter does not show, said of the photos that a person saw and that lie in it now."""

    encounter: int
    turtle: str
    photos: frozenset[int]
    seen: frozenset[int]
    who: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """A group of which a person said that nobody can tell, by its encounters and its photos' digests."""

    encounters: frozenset[int]
    photos: frozenset[str]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one of two reviewers said about a group; it has no effect until the other says the same."""

    encounters: frozenset[int]
    said: Said
    turtle: str | None
    who: str


def record_answer(catalog: Catalog, answer: ReviewAnswer) -> RecordedAnswer:
    """Write an answer and what it changes as one event. Raises UnknownRecord, Conflict, InputError, CatalogBusy."""
    if (answer.said in (Said.SAME, Said.NOT)) != (answer.turtle is not None):
        raise InputError("A turtle goes with the answers “same” and “not”, and only with them.")
    action = f"review {answer.said}"
    with catalog.writing("review"), catalog.transaction(action, answer.who, answer.why) as transaction:
        known = transaction.row("SELECT event, turtle FROM answers WHERE key = ?", answer.key)
        if known is not None:
            return RecordedAnswer(known[0], known[1], repeated=True)
        _require_seen(transaction, answer)
        turtle = _took_effect(catalog, transaction, answer)
        _note(transaction, answer, transaction.event, turtle)
        return RecordedAnswer(transaction.event, turtle)


def answer_event(catalog: Catalog, key: str) -> int | None:
    """The event that wrote an answer, by its key; None where it was not written, or changed nothing."""
    with catalog.reading() as session:
        row = session.row("SELECT event FROM answers WHERE key = ?", key)
    return None if row is None or row[0] is None else int(row[0])


def propose_answer(catalog: Catalog, answer: ReviewAnswer) -> RecordedAnswer:
    """Keep an answer that waits for a second reviewer's. Raises as `record_answer`."""
    with (
        catalog.writing("review"),
        catalog.transaction(f"propose {answer.said}", answer.who, answer.why) as transaction,
    ):
        known = transaction.row("SELECT event, turtle FROM answers WHERE key = ?", answer.key)
        if known is not None:
            return RecordedAnswer(known[0], known[1], repeated=True)
        _require_seen(transaction, answer)
        key = None if answer.turtle is None else turtle_key(transaction, answer.turtle)
        (number,) = transaction.take_ids("proposal", 1)
        row = {"id": number, "encounters": sorted(answer.encounters), "answer": str(answer.said), "turtle": key}
        made = {"who": answer.who, "why": answer.why, "made_at": transaction.at.isoformat(sep=" ")}
        transaction.journal.put("proposals", [row | made])
        _note(transaction, answer, transaction.event, answer.turtle)
        return RecordedAnswer(transaction.event, answer.turtle)


def record_check(catalog: Catalog, key: str, right: bool, who: str, seconds: float) -> None:
    """Keep how a person answered about a planted pair whose turtle is known; it is no change, so there is no event."""
    with catalog.writing("review"), catalog.transaction("check", who) as transaction:
        if transaction.row("SELECT 1 FROM answers WHERE key = ?", key) is None:
            values = (key, "right" if right else "wrong", who, seconds, transaction.at)
            transaction.run("INSERT INTO answers VALUES (?, NULL, ?, NULL, ?, ?, ?)", *values)


def rejections(catalog: Catalog) -> list[Rejection]:
    """Every rejection that was not taken back, by the turtles and encounters that stand for those it was said of."""
    with catalog.reading() as session:
        rows = session.rows(
            """SELECT DISTINCT p.encounter, coalesce(n.id, t.id), r.photos, r.seen, r.who
            FROM (SELECT *, unnest(photos) AS photo FROM rejections) r JOIN photos p ON p.id = r.photo
            JOIN turtles t ON t.key = r.turtle LEFT JOIN turtles n ON n.key = t.merged_into ORDER BY ALL"""
        )
    return [
        Rejection(encounter, turtle, frozenset(photos), frozenset(seen), who)
        for encounter, turtle, photos, seen, who in rows
    ]


def ruled_out_turtles(
    said: Sequence[Rejection], encounters: Collection[int], photos: Collection[int]
) -> frozenset[str]:
    """Turtles that these encounters do not show: each of these photos was among those of such an answer."""
    seen: dict[str, set[int]] = defaultdict(set)
    for one in said:
        if one.encounter in encounters:
            seen[one.turtle] |= one.photos
    return frozenset(turtle for turtle, ruled_out in seen.items() if ruled_out.issuperset(photos))


def unsure_groups(catalog: Catalog) -> list[Unsure]:
    """Every group that a person gave up on the review page, unless that was taken back."""
    with catalog.reading() as session:
        rows = session.rows(
            """SELECT q.evidence FROM decisions d JOIN queries q ON q.id = d.query
            WHERE d.answer = ? AND json_extract(q.evidence, '$.encounters') IS NOT NULL ORDER BY d.id""",
            str(Answer.UNSURE),
        )
    kept = [json.loads(text) for (text,) in rows]
    return [Unsure(frozenset(map(int, one["encounters"])), frozenset(map(str, one["photos"]))) for one in kept]


def proposals(catalog: Catalog) -> list[Proposal]:
    """Every proposal about encounters that still have no turtle, in order."""
    with catalog.reading() as session:
        rows = session.rows(
            """SELECT p.encounters, p.answer, coalesce(n.id, t.id), p.who FROM proposals p
            LEFT JOIN turtles t ON t.key = p.turtle LEFT JOIN turtles n ON n.key = t.merged_into
            WHERE NOT EXISTS (SELECT 1 FROM encounters e WHERE list_contains(p.encounters, e.id)
                              AND e.turtle IS NOT NULL) ORDER BY p.id"""
        )
    return [Proposal(frozenset(encounters), Said(said), turtle, who) for encounters, said, turtle, who in rows]


def checks(catalog: Catalog) -> dict[str, tuple[int, int]]:
    """By person: planted pairs answered right, and all that were answered."""
    with catalog.reading() as session:
        rows = session.rows(
            "SELECT who, count(*) FILTER (answer = 'right'), count(*) FROM answers "
            "WHERE answer IN ('right', 'wrong') GROUP BY who"
        )
    return {str(who): (int(right), int(of_all)) for who, right, of_all in rows}


def answer_seconds(catalog: Catalog) -> dict[str, list[float]]:
    """Seconds that people looked, by what they said."""
    with catalog.reading() as session:
        rows = session.rows("SELECT answer, list(seconds ORDER BY made_at) FROM answers GROUP BY answer")
    return {str(said): [float(one) for one in seconds] for said, seconds in rows}


def _require_seen(transaction: Transaction, answer: ReviewAnswer) -> None:
    """Raises Conflict where an encounter has a turtle by now, or photos that nobody showed."""
    taken = sorted(n for n, owner in encounter_turtles(transaction, answer.encounters).items() if owner is not None)
    if taken:
        sql = "SELECT t.id FROM encounters e JOIN turtles t ON t.key = e.turtle WHERE e.id = ?"
        name = transaction.rows(sql, taken[0])[0][0]
        raise Conflict(f"Encounter {taken[0]} was given to {name} meanwhile; undo that first, or leave it.")
    require_photos(transaction, answer.photos)
    inside = f"SELECT id FROM photos WHERE NOT removed AND encounter IN ({several(answer.encounters)})"
    unseen = {int(row[0]) for row in transaction.rows(inside)} - set(answer.photos)
    if unseen or not answer.photos:
        raise Conflict("The photos of this group changed while you looked; look at it again.")


def _took_effect(catalog: Catalog, transaction: Transaction, answer: ReviewAnswer) -> str | None:
    """Change what the answer says, and give the turtle that it is about now."""
    key = None if answer.turtle is None else turtle_key(transaction, answer.turtle)
    turtle = answer.turtle
    if answer.said is Said.NOT:
        _reject(transaction, answer, key)
        return turtle
    if answer.said is Said.NEW:
        turtle = catalog.next_turtle_id()
    if turtle is not None:
        identify_encounters(transaction, answer.encounters, turtle)
        key = turtle_key(transaction, turtle)
    _decide(transaction, answer, key if answer.said is Said.SAME else None)
    return turtle


def _decide(transaction: Transaction, answer: ReviewAnswer, turtle: int | None) -> None:
    """The decision beside those of `turtleidx decide`, about the group's first photo."""
    at = transaction.at.isoformat(sep=" ")
    sha256, path = transaction.rows("SELECT sha256, path FROM photos WHERE id = ?", min(answer.photos))[0]
    (query,) = transaction.take_ids("query", 1)
    (number,) = transaction.take_ids("decision", 1)
    kept = {"id": query, "sha256": sha256, "path": path, "verdict": answer.verdict, "evidence": answer.evidence}
    row = {"id": number, "query": query, "answer": str(_DECIDED[answer.said]), "turtle": turtle}
    transaction.journal.put("queries", [kept | {"made_at": at}])
    transaction.journal.put("decisions", [row | {"who": answer.who, "why": answer.why, "made_at": at}])


def _reject(transaction: Transaction, answer: ReviewAnswer, turtle: int | None) -> None:
    at = transaction.at.isoformat(sep=" ")
    numbers = transaction.take_ids("rejection", len(answer.encounters))
    said = {"turtle": turtle, "photos": sorted(answer.photos), "seen": sorted(answer.seen)}
    made = {"who": answer.who, "why": answer.why, "made_at": at}
    rows = [
        {"id": number, "encounter": encounter} | said | made
        for number, encounter in zip(numbers, answer.encounters, strict=True)
    ]
    transaction.journal.put("rejections", rows)


def _note(transaction: Transaction, answer: ReviewAnswer, event: int, turtle: str | None) -> None:
    values = (answer.key, event, str(answer.said), turtle, answer.who, answer.seconds, transaction.at)
    transaction.run("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", *values)
