"""Searching the gallery: filters hold inside the search, and a bad vector file costs nothing but time."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.registry import ChangeReport
from index.types import GalleryFilter, Photo, PreparedPhoto, Side
from tests.index.making import day, photo, vector

ALL = GalleryFilter(identified=False)
SPECIES = ("Chelonia mydas", "Caretta caretta", None)
SITES = ("North reef", "'; DROP TABLE photos", None)


def prepared(seed: int) -> PreparedPhoto:
    random = np.random.default_rng(seed)
    return photo(
        seed,
        f"T{random.integers(6):03d}" if random.random() < 0.7 else None,
        taken_on=day(int(random.integers(9))) if random.random() < 0.8 else None,
        side=(Side.LEFT, Side.RIGHT, None)[random.integers(3)],
        species=SPECIES[random.integers(3)],
        site=SITES[random.integers(3)],
    )


@dataclass(frozen=True)
class Known:
    """One enrolled photo, what was asked for it, and the species a search should take it for."""

    photo: Photo
    asked: PreparedPhoto
    species: str | None


@pytest.fixture(scope="module")
def gallery(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Sixty photos of every kind, of which a third came after the vector file was written."""
    catalog = Catalog.open(Path(shutil.copytree(empty, tmp_path_factory.mktemp("gallery") / "turtles.catalog")))
    catalog.enroll([prepared(seed) for seed in range(40)], "Ana")
    old = (catalog.path / "vectors.faiss").read_bytes()
    catalog.enroll([prepared(seed) for seed in range(40, 60)], "Ana")
    (catalog.path / "vectors.faiss").write_bytes(old)
    return Catalog.open(catalog.path)


@pytest.fixture(scope="module")
def everything(gallery: Catalog) -> list[Known]:
    asked = {p.sha256: p for p in map(prepared, range(60))}
    of_turtle = {turtle.id: turtle.species for turtle in Browser(gallery).turtles()}
    return [
        Known(p, asked[p.sha256], of_turtle.get(p.turtle or "") or asked[p.sha256].sighting.species)
        for p in gallery.photos(ALL)
    ]


def admits(where: GalleryFilter, known: Known) -> bool:
    """The filter in plain words, one photo at a time."""
    found, taken = known.photo, known.photo.taken_on
    return not (
        (where.identified and found.turtle is None)
        or (where.side is not None and found.side != where.side)
        or (where.species is not None and known.species != where.species)
        or (where.site is not None and known.asked.sighting.site != where.site)
        or (where.taken_from is not None and (taken is None or taken < where.taken_from))
        or (where.taken_to is not None and (taken is None or taken > where.taken_to))
        or (where.without_turtle is not None and found.turtle == where.without_turtle)
        or (where.without_encounter is not None and found.encounter == where.without_encounter)
    )


def maybe(*values: object) -> st.SearchStrategy[object]:
    return st.one_of(st.none(), st.sampled_from(values))


filters = st.builds(
    GalleryFilter,
    side=maybe(Side.LEFT, Side.RIGHT, Side.TOP),
    species=maybe(*SPECIES[:2], "Natator depressus"),
    site=maybe(*SITES[:2]),
    taken_from=maybe(*[day(n) for n in range(4)]),
    taken_to=maybe(*[day(n) for n in range(4, 9)], dt.date(1900, 1, 1)),
    identified=st.booleans(),
    without_turtle=maybe("T001", "T002", "unknown"),
    without_encounter=maybe(1, 2, 3, 10**9),
)


@settings(max_examples=60)
@given(where=filters, k=st.integers(1, 70), per_turtle=st.integers(1, 4), query=st.integers(0, 99))
def test_the_shortlist_equals_brute_force(
    gallery: Catalog, everything: list[Known], where: GalleryFilter, k: int, per_turtle: int, query: int
) -> None:
    admitted = [known for known in everything if admits(where, known)]
    cosine = {known.photo.id: float(known.asked.vector @ vector(query)) for known in everything}
    expected: list[Photo] = []
    for p in sorted((known.photo for known in admitted), key=lambda p: -cosine[p.id]):
        individual = [q for q in expected if (q.turtle or q.encounter) == (p.turtle or p.encounter)]
        if len(individual) < per_turtle and len(expected) < k:
            expected.append(p)
    found = gallery.shortlist(vector(query), k, where, per_turtle)
    assert list(found.photos) == expected
    assert gallery.photos(where) == [known.photo for known in admitted]
    assert found.gallery_photos == gallery.count(where) == len(admitted)
    assert found.gallery_turtles == len({known.photo.turtle for known in admitted} - {None})
    turtles = [known.photo.turtle for known in admitted]
    assert found.turtle_photos.tolist() == [turtles.count(p.turtle) if p.turtle else 1 for p in expected]
    np.testing.assert_allclose(found.similarity, [cosine[p.id] for p in expected], atol=1e-6)
    whole = gallery.whole_gallery(k, where, per_turtle)
    if len(expected) < len(admitted):
        assert whole is None
    else:
        assert whole is not None
        in_order = sorted(range(len(expected)), key=lambda place: expected[place].id)
        assert list(whole.photos) == [expected[place] for place in in_order]
        assert whole.turtle_photos.tolist() == found.turtle_photos[in_order].tolist()
        assert (whole.gallery_photos, whole.gallery_turtles) == (found.gallery_photos, found.gallery_turtles)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "flipped", "newer", "foreign"])
def test_a_bad_vector_file_is_rebuilt(catalog: Catalog, damage: str) -> None:
    catalog.enroll([photo(seed, f"T{seed:03d}") for seed in range(8)], "Ana")
    path = catalog.path / "vectors.faiss"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "newer":
        path.write_bytes(content.replace(b'"event": 2', b'"event": 9'))
    else:
        path.write_bytes(
            {
                "empty": b"",
                "truncated": content[: len(content) // 2],
                "flipped": content[:200] + bytes([content[200] ^ 4]) + content[201:],
                "foreign": b"IxFI" + bytes(900),
            }[damage]
        )
    reader = Catalog.open(catalog.path)
    assert reader.summary().health != ()
    assert [reader.shortlist(vector(s), 1, ALL).photos[0].turtle for s in range(8)] == [f"T{s:03d}" for s in range(8)]
    reader.enroll([photo(9)], "Ana")
    assert reader.summary().health == ()


def test_an_empty_gallery_gives_an_empty_shortlist(catalog: Catalog) -> None:
    catalog.enroll([photo(1)], "Ana")
    found = catalog.shortlist(vector(1), 5, GalleryFilter())
    assert (found.photos, found.gallery_photos, found.gallery_turtles) == ((), 0, 0)
    assert found.similarity.shape == (0,)


def shown(catalog: Catalog) -> list[tuple[bool, bool, str | None]]:
    """Of each of the first 60 numbers what `owners` says, with the turtle's id, and whether it can be searched."""
    numbers = np.arange(1, 61)
    owners = catalog.owners(numbers)
    keys: dict[int, str] = {}
    there = {one.id: one for one in catalog.photos(ALL)}
    found = []
    for number, turtle, side in zip(numbers.tolist(), owners.turtle.tolist(), owners.side.tolist(), strict=True):
        one = there.get(number)
        assert turtle == -1 if one is None or one.turtle is None else keys.setdefault(turtle, one.turtle) == one.turtle
        assert side == (-1 if one is None or one.side is None else list(Side).index(one.side))
        found.append((one is not None, turtle >= 0, None if one is None else one.turtle))
    assert len(set(keys.values())) == len(keys)
    return found


def test_owners_are_those_of_now_after_every_change_and_its_undoing(gallery: Catalog, tmp_path: Path) -> None:
    catalog = Catalog.open(Path(shutil.copytree(gallery.path, tmp_path / "turtles.catalog")))
    curator = Curator(catalog, "Ana")
    first = shown(catalog)
    known = [one for one in catalog.photos(ALL) if one.turtle is not None]
    mine, other = known[0], next(one for one in known if one.turtle != known[0].turtle)
    changes: list[Callable[[], ChangeReport]] = [
        lambda: curator.move_photos([mine.id], str(other.turtle)),
        lambda: curator.merge_turtles(str(other.turtle), [str(mine.turtle)]),
        lambda: curator.split_turtle(str(other.turtle), [other.id], "T900"),
        lambda: curator.retire_turtle(str(other.turtle)),
        lambda: curator.set_side([mine.id], Side.RIGHT if mine.side is Side.LEFT else Side.LEFT),
        lambda: curator.remove_photos([mine.id]),
        lambda: curator.move_photos([mine.id], None),
    ]
    for change in changes:
        change()
        shown(catalog)
        curator.undo()
        assert shown(catalog) == first
