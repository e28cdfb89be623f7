"""Which photos of a batch go into a catalogue, and what came of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.types import EnrollOutcome, Photo, PreparedPhoto, same_head


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Photos that are to be enrolled together.

    Attributes
    ----------
    there : sequence of Photo or None
        For each the photo of the catalogue that shows the same head of the same file.
    first : sequence of PreparedPhoto
        For each the first of the batch that shows the same head of the same file: itself, or one before it.
    """

    photos: Sequence[PreparedPhoto]
    there: Sequence[Photo | None]
    first: Sequence[PreparedPhoto]

    @classmethod
    def of(cls, photos: Sequence[PreparedPhoto], there: Sequence[Photo | None]) -> Batch:
        """Photos, and what the catalogue has of each."""
        of_file: dict[str, list[PreparedPhoto]] = {}
        first: list[PreparedPhoto] = []
        for photo, row in zip(photos, there, strict=True):
            others = of_file.setdefault(photo.content or photo.sha256, [])
            twin = next((one for one in others if same_head(one.sighting.box, photo.sighting.box)), photo)
            first.append(twin)
            if row is None and twin is photo:
                others.append(photo)
        return cls(photos, there, first)

    @property
    def fresh(self) -> list[PreparedPhoto]:
        """Those that the catalogue has not, each once."""
        rows = zip(self.photos, self.there, self.first, strict=True)
        return [photo for photo, row, twin in rows if row is None and twin is photo]

    def outcomes(self, added: Mapping[str, Photo], standing: Mapping[str, str]) -> list[EnrollOutcome]:
        """What came of each photo, in order.

        Parameters
        ----------
        added : mapping
            The `fresh` ones as photos of the catalogue, by what their features are kept under.
        standing : mapping
            Ids that stand for those under which the photos came.
        """
        return [
            EnrollOutcome(row, old is not None or twin is not photo, _belongs_elsewhere(photo, row, standing))
            for photo, old, twin in zip(self.photos, self.there, self.first, strict=True)
            for row in (old or added[twin.key],)
        ]


def _belongs_elsewhere(photo: PreparedPhoto, row: Photo, standing: Mapping[str, str]) -> bool:
    name = photo.sighting.turtle
    return name is not None and standing.get(name, name) != row.turtle
