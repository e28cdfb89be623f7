"""A catalogue whose vector file is coded: filters, checkpoints and checks hold as in a small one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from index.catalog.catalog import VECTORS, Catalog
from index.catalog.maintenance import check_catalog, compact_catalog
from index.catalog.search import Searcher
from index.curation.curator import Curator
from index.files import no_steps
from index.types import GalleryFilter, Photo, Side
from index.vectors.index import VectorIndex
from index.vectors.search_params import SearchParams
from tests.index.making import DIMENSION, day, photo, vector

ALL = GalleryFilter(identified=False)
TINY = SearchParams(exact_bytes=4 * DIMENSION * 10)
"""Exact up to ten photos."""


def with_ladder(path: Path) -> Catalog:
    catalog = Catalog.open(path)
    catalog.searcher = Searcher(path / VECTORS, catalog.registry, catalog.recipe, no_steps, TINY)
    return catalog


@pytest.fixture(scope="module")
def built(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty photos of fifteen turtles in a coded file, and four that came later."""
    path = Path(shutil.copytree(empty, tmp_path_factory.mktemp("large") / "turtles.catalog"))
    catalog = with_ladder(path)
    photos = [
        photo(n, f"T{n % 15:03d}", side=(Side.LEFT, Side.RIGHT)[n % 2], taken_on=day(n % 7), site=f"reef {n % 3}")
        for n in range(64)
    ]
    catalog.enroll(photos[:60], "Ana")
    catalog.searcher.rebuild()
    with_ladder(path).enroll(photos[60:], "Ana")
    return path


@pytest.fixture(scope="module")
def reader(built: Path) -> Catalog:
    """Nobody writes through it."""
    return with_ladder(built)


@pytest.fixture
def large(built: Path, tmp_path: Path) -> Catalog:
    return with_ladder(Path(shutil.copytree(built, tmp_path / "turtles.catalog")))


def test_few_new_photos_do_not_rewrite_a_coded_file(large: Catalog) -> None:
    index = large.searcher._vectors()
    assert isinstance(index, VectorIndex)
    assert (index.exact, index.unsaved, len(index)) == (False, 4, 64)
    before = (large.path / VECTORS).stat()
    large.enroll([photo(70, "T001")], "Ana")
    assert (large.path / VECTORS).stat() == before
    assert with_ladder(large.path).shortlist(vector(70), 1, ALL).photos[0].sha256 == photo(70).sha256


filters = st.builds(
    GalleryFilter,
    side=st.sampled_from([None, Side.LEFT, Side.RIGHT]),
    site=st.sampled_from([None, "reef 0", "reef 2", "nowhere"]),
    taken_from=st.sampled_from([None, day(2), day(9)]),
    without_turtle=st.sampled_from([None, "T003"]),
)


@settings(max_examples=40)
@given(where=filters, k=st.integers(1, 30), per_turtle=st.integers(1, 3), query=st.integers(0, 99))
def test_the_shortlist_is_filled_from_the_admitted(
    reader: Catalog, where: GalleryFilter, k: int, per_turtle: int, query: int
) -> None:
    cosine = {photo(n).sha256: float(vector(n) @ vector(query)) for n in range(64)}
    expected: list[Photo] = []
    for one in sorted(reader.photos(where), key=lambda one: -cosine[one.sha256]):
        if [other.turtle for other in expected].count(one.turtle) < per_turtle and len(expected) < k:
            expected.append(one)
    found = reader.shortlist(vector(query), k, where, per_turtle)
    assert set(found.photos) == set(expected)
    np.testing.assert_allclose(found.similarity, [cosine[one.sha256] for one in expected], atol=1e-3)


def test_descriptors_come_back_as_they_were(large: Catalog) -> None:
    photos = large.photos(ALL)[::-7]
    expected = {photo(n).sha256: vector(n) for n in range(64)}
    np.testing.assert_array_equal(large.vectors(photos), [expected[one.sha256] for one in photos])


def test_the_summary_tells_what_searches_find(large: Catalog) -> None:
    recall = large.summary().vectors_recall
    assert recall is not None
    assert recall >= TINY.target
    (large.path / VECTORS).unlink()
    assert large.summary().vectors_recall is None


def test_a_checked_coded_file_is_right_and_a_wrong_one_is_built_anew(large: Catalog) -> None:
    assert check_catalog(large).repaired == ()
    content = bytearray((large.path / VECTORS).read_bytes())
    content[content.index(vector(9).astype(np.float16).tobytes())] ^= 1
    (large.path / VECTORS).write_bytes(content)
    assert check_catalog(with_ladder(large.path)).repaired == ("The vector index was built anew from the registry.",)
    assert check_catalog(with_ladder(large.path)).repaired == ()


def test_compacting_leaves_removed_photos_out_of_the_codes(large: Catalog) -> None:
    gone = [one.id for one in large.photos(ALL) if one.turtle == "T004"]
    Curator(large, "Ana").remove_photos(gone)
    assert not {one.id for one in large.shortlist(vector(4), 60, ALL, 60).photos} & set(gone)
    compact_catalog(large, "Ana")
    index = with_ladder(large.path).searcher._vectors()
    assert isinstance(index, VectorIndex)
    assert (len(index), index.unsaved, index.exact) == (64 - len(gone), 0, False)
    assert check_catalog(with_ladder(large.path)).problems == ()
