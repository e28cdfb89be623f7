"""FAISS finds what an exhaustive search finds, whatever the filter; a file that is not whole is never used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from index.errors import CatalogDamaged
from index.types import Checkpoint, Float32, Int64
from index.vectors.flat import ExactPart
from index.vectors.index import VectorIndex
from tests.index.making import vector

DIMENSION = 8


def unit_vectors(seed: int, n: int) -> Float32:
    return np.stack([vector(seed * 1000 + row, DIMENSION) for row in range(n)]) if n else np.empty((0, 8), np.float32)


@settings(max_examples=60)
@given(st.integers(0, 60), st.floats(0, 1), st.floats(0, 1), st.integers(1, 12), st.integers(0, 99))
def test_search_equals_brute_force(n: int, saved: float, admitted: float, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    ids: Int64 = random.permutation(5 * n + 1)[:n].astype(np.int64)
    vectors, query = unit_vectors(seed, n), vector(seed + 7, DIMENSION)
    index = VectorIndex(DIMENSION)
    index._saved = ExactPart(DIMENSION)
    index._saved.add(ids[: int(saved * n)], vectors[: int(saved * n)])
    index.add(ids[int(saved * n) :], vectors[int(saved * n) :])
    rows = np.flatnonzero(random.random(n) <= admitted)
    found = index.search(query, k, ids[rows])
    expected = rows[np.argsort(-(vectors[rows] @ query), kind="stable")][:k]
    assert found.ids.tolist() == ids[expected].tolist()
    np.testing.assert_allclose(found.similarity, vectors[expected] @ query, atol=1e-6)
    np.testing.assert_array_equal(index.vectors(ids), vectors)
    assert sorted(index.ids()) == sorted(ids)


def saved_index(folder: Path) -> Path:
    index = VectorIndex(DIMENSION)
    index.add(np.arange(20, dtype=np.int64), unit_vectors(1, 20))
    index.save(folder / "vectors.faiss", Checkpoint(7, "mark"))
    return folder / "vectors.faiss"


def test_a_saved_index_comes_back(tmp_path: Path) -> None:
    index, checkpoint = VectorIndex.load(saved_index(tmp_path), DIMENSION)
    assert checkpoint == Checkpoint(7, "mark")
    assert len(index) == 20
    assert index.unsaved == 0
    np.testing.assert_array_equal(index.vectors(np.array([3, 0])), unit_vectors(1, 20)[[3, 0]])
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.faiss"]


@settings(max_examples=40)
@given(position=st.integers(0, 10**6), bit=st.integers(0, 7), cut=st.booleans())
def test_damage_is_noticed(tmp_path_factory: pytest.TempPathFactory, position: int, bit: int, cut: bool) -> None:
    path = saved_index(tmp_path_factory.mktemp("damaged"))
    whole = bytearray(path.read_bytes())
    position %= len(whole)
    if cut:
        del whole[position:]
    else:
        whole[position] ^= 1 << bit
    path.write_bytes(whole)
    try:
        index, checkpoint = VectorIndex.load(path, DIMENSION)
    except CatalogDamaged:
        return
    # a flipped bit in the footer's names of the state can only name a state that the registry does not know
    assert checkpoint != Checkpoint(7, "mark")
    assert len(index) == 20


def test_another_dimension_is_not_taken(tmp_path: Path) -> None:
    with pytest.raises(CatalogDamaged, match="another kind"):
        VectorIndex.load(saved_index(tmp_path), DIMENSION + 1)
