"""Undated photos, of which nobody says on how many occasions they were taken."""

from __future__ import annotations

from dataclasses import dataclass

from index.catalog.catalog import Catalog
from index.registry import Session

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


def read_undated(session: Session) -> Undated:
    """Count them."""
    row = session.row(f"SELECT coalesce(sum(photos), 0), count(*) FROM ({_UNDATED})")
    return Undated(0, 0) if row is None else Undated(int(row[0]), int(row[1]))


def count_undated(catalog: Catalog) -> Undated:
    """Count them."""
    with catalog.reading() as session:
        return read_undated(session)
