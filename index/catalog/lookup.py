"""Which photos and turtles of the registry somebody means: by the digests of files, by heads, by ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from index.catalog.gallery import read_photos
from index.naming import composed
from index.registry import Registry, several
from index.types import HeadBox, Photo, same_head


def enrolled_files(registry: Registry, sha256: Collection[str]) -> dict[str, Photo]:
    """Which of these files are in the catalogue, by sha256: the first sighting of each (removed ones are not)."""
    there = _grouped(registry, "sha256", sha256)
    return {digest: found[0] for digest, found in there.items()}


def same_sightings(
    registry: Registry, wanted: Sequence[tuple[str, HeadBox | None]], contents: Sequence[str | None] = ()
) -> list[Photo | None]:
    """Photos of the catalogue that show the same head of the same file (its sha256), in order; None for none.

    Parameters
    ----------
    contents : sequence of str or None
        Digests without metadata, by which a file is known whose metadata alone was written anew.
    """
    files = _grouped(registry, "sha256", {digest for digest, _ in wanted})
    pictures = _grouped(registry, "content", {content for content in contents if content is not None})
    told = list(contents) or [None] * len(wanted)
    return [
        next(
            (
                photo
                for photo in (*files.get(digest, ()), *pictures.get(content or "", ()))
                if same_head(photo.box, box)
            ),
            None,
        )
        for (digest, box), content in zip(wanted, told, strict=True)
    ]


def standing_ids(registry: Registry, names: Collection[str]) -> dict[str, str]:
    """Those of these ids that are known, as they were given, and those that stand for them since they were merged."""
    sql = """SELECT nfc_normalize(t.id), coalesce(m.id, t.id) FROM turtles t LEFT JOIN turtles m
             ON m.key = t.merged_into WHERE nfc_normalize(t.id) IN (SELECT unnest(?::VARCHAR[]))
             ORDER BY t.id = nfc_normalize(t.id)"""
    with registry.reading() as session:
        standing = dict(session.rows(sql, sorted({composed(name) for name in names})))
    return {name: str(standing[composed(name)]) for name in names if composed(name) in standing}


def retired_owners(registry: Registry, photos: Collection[int]) -> list[str]:
    """Ids of retired turtles among the owners of these photos: searches pass over them."""
    sql = """SELECT DISTINCT t.id FROM photos p JOIN encounters e ON e.id = p.encounter
             JOIN turtles t ON t.key = e.turtle
             WHERE t.status = 'retired' AND p.id IN (SELECT unnest(?::BIGINT[])) ORDER BY 1"""
    with registry.reading() as session:
        return [str(name) for (name,) in session.rows(sql, sorted(photos))]


def _grouped(registry: Registry, column: str, digests: Collection[str]) -> dict[str, list[Photo]]:
    """Photos by a digest of their files, in order of number."""
    if not digests:
        return {}
    sql = f"SELECT {column}, id FROM photos WHERE NOT removed AND {column} IN (SELECT unnest(?::VARCHAR[]))"
    with registry.reading() as session:
        named = [(str(digest), int(number)) for digest, number in session.rows(f"{sql} ORDER BY id", sorted(digests))]
        if not named:
            return {}
        photos = {photo.id: photo for photo in read_photos(session, f"id IN ({several([n for _, n in named])})")}
    there: dict[str, list[Photo]] = {}
    for digest, number in named:
        there.setdefault(digest, []).append(photos[number])
    return there
