"""What must always hold between the rows of the registry, since no database constraint watches it."""

from __future__ import annotations

from dataclasses import dataclass

from index.registry.session import Session


@dataclass(frozen=True, slots=True)
class Rule:
    """A query for the keys of rows of `record` that break a rule, and the rule as a sentence.

    `{chosen}` in a query stands for a condition on photos, so that an undo need not read all of them.
    """

    record: str
    broken: str
    sentence: str


RULES = (
    Rule("photos", "SELECT id FROM photos WHERE encounter NOT IN (SELECT id FROM encounters)", "has no encounter"),
    Rule(
        "encounters",
        "SELECT id FROM encounters WHERE turtle IS NOT NULL AND turtle NOT IN (SELECT key FROM turtles)",
        "belongs to a turtle that is not there",
    ),
    Rule(
        "turtles",
        "SELECT key FROM turtles WHERE merged_into IS NOT NULL AND merged_into NOT IN (SELECT key FROM turtles)",
        "was merged into a turtle that is not there",
    ),
    Rule(
        "turtles",
        "SELECT key FROM turtles WHERE id IN (SELECT id FROM turtles GROUP BY id HAVING count(*) > 1)",
        "shares its id with another turtle",
    ),
    Rule(
        "photos",
        "SELECT unnest(list(id)) FROM photos WHERE NOT removed "
        "AND sha256 IN (SELECT sha256 FROM photos WHERE {chosen}) "
        "GROUP BY sha256, box_x, box_y, box_w, box_h HAVING count(*) > 1",
        "is there twice",
    ),
    Rule(
        "photos",
        "SELECT id FROM photos WHERE NOT removed AND keypoints > 0 AND {chosen} "
        "AND id NOT IN (SELECT photo FROM descriptors d WHERE d.photo IN (SELECT id FROM photos WHERE {chosen}))",
        "has no global descriptor",
    ),
    Rule(
        "encounters",
        "SELECT id FROM encounters WHERE turtle IN (SELECT key FROM turtles WHERE status = 'merged')",
        "belongs to an id that was merged into another",
    ),
    Rule(
        "decisions",
        "SELECT id FROM decisions WHERE query NOT IN (SELECT id FROM queries)",
        "is about a query that is not there",
    ),
    Rule(
        "reviews",
        "SELECT id FROM reviews WHERE first NOT IN (SELECT key FROM turtles) "
        "OR (second IS NOT NULL AND second NOT IN (SELECT key FROM turtles))",
        "names a turtle that is not there",
    ),
    Rule(
        "rejections",
        "SELECT id FROM rejections WHERE turtle NOT IN (SELECT key FROM turtles)",
        "names a turtle that is not there",
    ),
    Rule(
        "decisions",
        "SELECT id FROM decisions WHERE turtle IS NOT NULL AND turtle NOT IN (SELECT key FROM turtles)",
        "names a turtle that is not there",
    ),
)

VALUES = (
    Rule(
        "turtles",
        "SELECT key FROM turtles WHERE nfc_normalize(id) IN (SELECT nfc_normalize(id) FROM turtles GROUP BY ALL "
        "HAVING count(DISTINCT coalesce(merged_into, key)) > 1 AND count(DISTINCT id) > 1)",
        "shares its id with another turtle, but for how its accents are written: merge the two, or rename one",
    ),
    Rule(
        "photos",
        "SELECT id FROM photos WHERE NOT removed AND keypoints > 0 AND box_origin = 'missing'",
        "waits for a head box and is searched all the same: draw its box",
    ),
    Rule(
        "photos",
        "SELECT id FROM photos WHERE NOT (latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180)",
        "has coordinates that are not degrees: import a table that says which are right",
    ),
    Rule(
        "photos",
        "SELECT id FROM photos WHERE coalesce(box_x, box_y, box_w, box_h) IS NOT NULL "
        "AND NOT coalesce(isfinite(box_x + box_y + box_w + box_h) AND box_w > 0 AND box_h > 0, false)",
        "has a head box without a width and a height above zero: import a table that says which is right",
    ),
    Rule(
        "photos",
        "SELECT id FROM photos WHERE json_type(notes) <> 'OBJECT' "
        "OR len(list_filter(json_extract(notes, '$.*'), lambda value: json_type(value) <> 'VARCHAR')) > 0",
        "has notes that are not texts by name: import a table that says which are right",
    ),
)
"""What does not happen any more, and earlier versions took from tables or left; an undo does not ask about it."""


def broken_rules(session: Session) -> list[str]:
    """One sentence for each row that breaks a rule."""
    return [
        f"{rule.record[:-1].capitalize()} {row[0]} {rule.sentence}."
        for rule in (*RULES, *VALUES)
        for row in session.rows(rule.broken.format(chosen="true") + " ORDER BY 1")
    ]


def builders_on(session: Session, event: int) -> list[int]:
    """Later events behind rows that now break a rule, in order: what was built on an event that is being undone."""
    later: set[int] = set()
    last = session.number("SELECT max(event) FROM journal")
    changed = f"id IN (SELECT CAST(key AS BIGINT) FROM journal WHERE event = {last} AND record = 'photos')"
    for rule in RULES:
        keys = [str(row[0]) for row in session.rows(rule.broken.format(chosen=changed))]
        if keys:
            found = session.rows(
                "SELECT DISTINCT event FROM journal WHERE record = ? AND key IN (SELECT unnest(?::VARCHAR[])) "
                "AND event > ? AND event < ?",
                *(rule.record, keys, event, last),
            )
            compacted = session.rows("SELECT id FROM events WHERE action = 'compact' AND id > ?", event)
            later |= {int(row[0]) for row in found or compacted} or {event}
    return sorted(later)
