"""What a catalogue holds at a glance, and whether its stores are as they should be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from index.catalog.access import second_copies
from index.catalog.gallery import SIDES
from index.catalog.readings import MOVED_SINCE_FIT, WAITING
from index.errors import CatalogDamaged
from index.features import FeatureStore
from index.registry import MIGRATIONS, SIGHTINGS, CatalogSummary, Session, read_models
from index.types import Side

_UNDATED = """
SELECT e.turtle AS turtle, count(*) AS photos, count(DISTINCT e.id) AS encounters
FROM photos p JOIN encounters e ON e.id = p.encounter JOIN turtles t ON t.key = e.turtle
WHERE NOT p.removed AND p.taken_on IS NULL AND e.name IS NULL AND t.status = 'active' GROUP BY e.turtle
HAVING count(*) > 1
"""


@dataclass(frozen=True, slots=True)
class Undated:
    """Undated photos of turtles that have several of them."""

    photos: int
    turtles: int

    @property
    def sentence(self) -> str:
        """What they count as, and the way out."""
        return (
            f"{self.photos} undated photos of {self.turtles} turtles count as one occasion a turtle and teach a fit "
            "nothing about each other, because nothing says that they are of several: give their dates, or a column "
            "`encounter`, or enroll with --encounters-by folder or burst."
        )


def summarize(session: Session, features: FeatureStore, vectors: Path, registry: Path) -> CatalogSummary:
    """Count and measure; nothing is changed."""
    by_side = dict(session.rows("SELECT side, count(*) FROM photos WHERE NOT removed GROUP BY side"))
    counts = {side: int(by_side.get(str(side), 0)) for side in SIDES}
    return CatalogSummary(
        photos=sum(by_side.values()),
        turtles=session.number("SELECT count(*) FROM turtles WHERE status <> 'merged'"),
        encounters=session.number("SELECT count(DISTINCT encounter) FROM photos WHERE NOT removed"),
        unidentified=session.number(
            "SELECT count(DISTINCT e.id) FROM encounters e JOIN photos p ON p.encounter = e.id "
            "WHERE e.turtle IS NULL AND NOT p.removed"
        ),
        removed=session.number("SELECT count(*) FROM photos WHERE removed"),
        left=counts[Side.LEFT],
        right=counts[Side.RIGHT],
        top=counts[Side.TOP],
        front=counts[Side.FRONT],
        unsided=int(by_side.get(None, 0)),
        registry_bytes=_size(registry),
        features_bytes=_size(features.path / "data.mdb"),
        vectors_bytes=_size(vectors),
        vectors_recall=_recall(vectors),
        models=tuple(read_models(session)),
        health=tuple(_health(session, features, vectors)),
        waiting=session.number(f"SELECT count(*) FROM photos WHERE NOT removed AND {WAITING}"),
    )


def _health(session: Session, features: FeatureStore, vectors: Path) -> list[str]:
    sentences = _older_models(session)
    if moved := session.number(MOVED_SINCE_FIT):
        sentences.append(
            f"Head boxes of {moved} photos were changed since the model was fitted, which makes it stale: run "
            "`turtleidx fit`."
        )
    sentences += second_copies(vectors.parent, ("registry.duckdb", "vectors.faiss"))
    searchable = session.number("SELECT count(*) FROM photos WHERE NOT removed AND keypoints > 0")
    unread = session.number(f"SELECT count(*) FROM photos WHERE NOT removed AND keypoints = 0 AND NOT {WAITING}")
    if unread:
        sentences.append(
            f"{unread} photos cannot be searched, because their originals could not be read again: run "
            "`turtleidx photos relocate FOLDER` where they were moved, then `turtleidx reindex`."
        )
    try:
        missing = searchable - features.count()  # which they are is for `check` to say, which reads them all
        if missing > 0:
            sentences.append(f"{missing} photos have no features: run `turtleidx reindex`.")
    except CatalogDamaged as error:
        sentences.append(str(error))
    without = session.number(
        "SELECT count(*) FROM photos WHERE NOT removed AND keypoints > 0 AND id NOT IN (SELECT photo FROM descriptors)"
    )
    if without:
        sentences.append(f"{without} photos have no global descriptor: run `turtleidx reindex`.")
    try:
        from index.vectors import read_footer  # faiss takes half a second to import

        held = read_footer(vectors)
        if session.row("SELECT token FROM events WHERE id = ?", held.event) != (held.token,):
            sentences.append(
                "The vector index belongs to another state of the registry: `turtleidx check` rebuilds it."
            )
    except FileNotFoundError:
        sentences.append("There is no vector index yet: `turtleidx check` builds it.")
    except CatalogDamaged as error:
        sentences.append(str(error))
    return sentences


def _older_models(session: Session) -> list[str]:
    """Models that took undated photos for so many occasions stay in use, and are named."""
    version = MIGRATIONS.index(SIGHTINGS) + 1
    sql = """SELECT count(*) FROM models m, migrations g WHERE g.version = ? AND m.made_at < g.made_at AND EXISTS (
        SELECT 1 FROM photos p JOIN encounters e ON e.id = p.encounter WHERE NOT p.removed AND p.taken_on IS NULL
        AND e.name IS NULL AND e.turtle IS NOT NULL GROUP BY e.turtle HAVING count(*) > 1)"""
    if not session.number(sql, version):
        return []
    return [
        "The model was fitted when each undated photo counted as an occasion of its own, and may be too sure of "
        "itself: run `turtleidx fit`."
    ]


def _recall(vectors: Path) -> float | None:
    try:
        from index.vectors import read_depths  # faiss takes half a second to import

        return min((depth.recall for depth in read_depths(vectors)), default=None)
    except (FileNotFoundError, CatalogDamaged):  # `_health` says so
        return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def read_undated(session: Session) -> Undated:
    """Count them."""
    row = session.row(f"SELECT coalesce(sum(photos), 0), count(*) FROM ({_UNDATED})")
    return Undated(0, 0) if row is None else Undated(int(row[0]), int(row[1]))
