"""What photos gave when they were read within a head box, kept when the box changes and brought back by an undo.

Features and pairs are kept under a sighting's key, which the box is part of: those of an earlier box stay where they
are until `compact`, and cost nothing to return to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from index.registry import Transaction, pack_descriptor, several
from index.types import PreparedPhoto

SET_HEAD, MOVE_HEAD = "set head", "move head"
"""Events that say where heads are: in photos that were not searchable, and in others whose vectors they replace."""

REPLACING = f"action IN ('reindex', '{MOVE_HEAD}') OR action LIKE 'undo % head'"
"""Events after which an index that was saved before holds vectors that are no longer right."""

WAITING = "(coalesce(box_origin, '') = 'missing')"
"""Photos whose head was looked for and not found; a person draws its box."""

MOVED_SINCE_FIT = f"""
SELECT count(DISTINCT j.key) FROM events e JOIN journal j ON j.event = e.id AND j.record = 'photos'
WHERE (e.action = '{MOVE_HEAD}' OR e.action LIKE 'undo %{MOVE_HEAD}')
  AND e.id > (SELECT max(event) FROM models WHERE kind LIKE 'novelty%')
"""

_DERIVED = "keypoints, quality, width, height, sighting, reader, reading, read_box, taken_at, content"
_BOX = "CASE WHEN box_x IS NULL THEN [] ELSE [box_x, box_y, box_w, box_h] END"


def replace_readings(transaction: Transaction, read: Mapping[int, PreparedPhoto]) -> None:
    """Give photos, by their numbers, what was read in their new boxes; what they had is kept aside.

    Those of which this transaction changed nothing, and that were read so before, are left alone.
    """
    told = "SELECT DISTINCT CAST(key AS BIGINT) FROM journal WHERE event = ? AND record = 'photos'"
    changed = {int(number) for (number,) in transaction.rows(told, transaction.event)}
    had = "SELECT id, coalesce(sighting, sha256), keypoints > 0 FROM photos WHERE id IN"
    before = {number: was for number, *was in transaction.rows(f"{had} ({several(read.keys())})")}
    new = {n: one for n, one in read.items() if n in changed or before[n] != [one.key, not one.waiting]}
    if new and not changed:  # vectors belong to an event
        at = transaction.at.isoformat(sep=" ")
        transaction.journal.put("settings", [{"name": "reindexed", "value": at}])
    _set_aside(transaction, new.keys())
    for number, photo in new.items():
        box = photo.sighting.box
        transaction.run(
            "UPDATE photos SET keypoints = ?, quality = ?, width = ?, height = ?, sighting = ?, reader = ?, "
            "reading = ?, read_box = ?::DOUBLE[], taken_at = ?, content = ? WHERE id = ?",
            *(len(photo.features), float(photo.quality), *photo.original_size, photo.key, photo.reader, photo.reading),
            *([] if box is None else [box.x, box.y, box.w, box.h],),
            *(photo.taken_at, photo.content, number),
        )
        if not photo.waiting:
            transaction.run(
                "INSERT INTO descriptors VALUES (?, ?, ?)", number, transaction.event, pack_descriptor(photo.vector)
            )


def bring_readings_back(transaction: Transaction) -> None:
    """Photos whose boxes this transaction put back get what was read in those boxes, where that is still kept.

    Those that wait again leave the search in any case.
    """
    changed = transaction.rows(
        f"""SELECT p.id, {_BOX} AS box, {WAITING} AS waiting FROM photos p WHERE CAST(id AS VARCHAR) IN (
            SELECT key FROM journal WHERE event = ? AND record = 'photos')
            AND ({_BOX} IS DISTINCT FROM coalesce(read_box, []) OR {WAITING} <> (keypoints = 0))""",
        transaction.event,
    )
    for number, box, waiting in changed:
        kept = transaction.row(
            "SELECT max(event) FROM readings WHERE photo = ? AND read_box = ?::DOUBLE[] AND waiting = ?",
            *(number, box, waiting),
        )
        if kept is None or kept[0] is None:  # `compact` deleted it
            if waiting:
                _set_aside(transaction, [number])
                transaction.run("UPDATE photos SET keypoints = 0, read_box = [] WHERE id = ?", number)
            continue  # any other has a box that differs from what was read, so `reindex` reads it again
        _set_aside(transaction, [number])
        which = "r.photo = ? AND r.event = ? AND r.waiting = ? AND r.read_box = ?::DOUBLE[]"
        values = (number, kept[0], waiting, box)
        columns = ", ".join(f"{name} = r.{name}" for name in _DERIVED.split(", "))
        transaction.run(f"UPDATE photos SET {columns} FROM readings r WHERE photos.id = r.photo AND {which}", *values)
        transaction.run(
            f"INSERT INTO descriptors SELECT photo, {int(transaction.event)}, vector FROM readings r "
            f"WHERE vector IS NOT NULL AND {which}",
            *values,
        )


def _set_aside(transaction: Transaction, photos: Collection[int]) -> None:
    """Keep what photos have now, and take their vectors out."""
    chosen = several(photos)
    transaction.run(
        f"INSERT INTO readings BY NAME SELECT p.id AS photo, {int(transaction.event)} AS event, "
        f"d.vector IS NULL AS waiting, {', '.join(f'p.{name}' for name in _DERIVED.split(', '))}, d.vector AS vector "
        f"FROM photos p LEFT JOIN descriptors d ON d.photo = p.id WHERE p.id IN ({chosen})"
    )
    transaction.run(f"DELETE FROM descriptors WHERE photo IN ({chosen})")
