"""What the scale benchmark measures on is what it says: descriptors that resemble photos', photos that are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.indexing.enlarged_catalog import grow
from benchmarks.indexing.synthetic_gallery import BLOCK, Population, nearest, recall
from index.catalog.catalog import Catalog
from index.types import GalleryFilter, Side
from tests.index.making import DIMENSION, RECIPE, photo

POPULATION = Population(64, 0.4, 30.0, 0.3)


def test_a_gallery_resembles_what_it_was_drawn_to_resemble() -> None:
    (vectors,) = POPULATION.gallery(2000)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    found = Population.resembling(vectors, [str(row // 10) for row in range(2000)])
    assert found.mean == pytest.approx(0.4, abs=0.03)
    assert found.effective == pytest.approx(30, rel=0.2)
    assert found.alike == pytest.approx(0.3, abs=0.05)


def test_a_larger_gallery_begins_with_a_smaller_one() -> None:
    small, large = list(POPULATION.gallery(50)), list(POPULATION.gallery(BLOCK + 30))
    np.testing.assert_array_equal(small[0], large[0][:50])
    assert [len(block) for block in large] == [BLOCK, 30]
    assert not np.array_equal(large[0][:30], large[1])


def test_queries_resemble_turtles_of_the_gallery() -> None:
    alike = Population(64, 0.4, 60.0, 0.9)
    (gallery,) = alike.gallery(500)
    turtles = np.random.default_rng([alike.seed, 2]).integers(50, size=40)
    found = nearest(gallery, alike.queries(40, 500), 1)[:, 0] // 10
    assert (found == turtles).mean() > 0.9


def test_exact_answers_and_recall() -> None:
    gallery = np.concatenate(list(POPULATION.gallery(BLOCK + 500)))
    queries = POPULATION.queries(5, len(gallery))
    expected = np.argsort(-(queries @ gallery.T), axis=1, kind="stable")[:, :9]
    np.testing.assert_array_equal(nearest(gallery, queries, 9), expected)
    halves = [np.concatenate([row[:4], row[:5] + len(gallery)]) for row in expected]
    assert recall(halves, expected, 8) == 0.5


def test_a_grown_catalogue_is_searched_like_any(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "turtles.catalog", RECIPE)
    enrolled = [outcome.photo for outcome in catalog.enroll([photo(n, f"T{n}") for n in range(3)], "Ana")]
    (vectors,) = Population(DIMENSION, 0.3, 8.0, 0.3).gallery(70)
    grow(catalog, enrolled, 0, 30, [vectors[:20], vectors[20:30]])
    grow(catalog, enrolled, 30, 70, [vectors[30:]])
    reader = Catalog.open(catalog.path)
    assert len(reader.photos(GalleryFilter())) == 73
    found = reader.shortlist(vectors[42], 20, GalleryFilter(side=Side.LEFT if (42 + 4) % 2 == 0 else Side.RIGHT))
    assert found.gallery_photos == 35
    assert found.photos[0].id == 42 + 4
    assert found.photos[0].turtle == "G0000008"
    assert len(reader.features(found.photos)) == 20
