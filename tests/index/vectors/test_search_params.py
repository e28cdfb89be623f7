"""A gallery that outgrew exact search still gives what exact search gives, whatever the filter."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from index.errors import CatalogDamaged
from index.types import Checkpoint, Float32, Int64
from index.vectors.gpu import FaissGpu, Held
from index.vectors.half_precision import HalfPrecisionVectors, halved, write_halves
from index.vectors.index import VectorIndex
from index.vectors.ivfpq import CodedPart
from index.vectors.search_params import GPU_FROM, LADDER, Codes, Depth, SearchParams, depth_for
from index.vectors.selection import Selection

DIMENSION, PHOTOS = 16, 1500
SMALL = SearchParams(exact_bytes=4 * DIMENSION * 200, target=0.9)
"""Exact up to 200 photos."""


def turtles(seed: int, n: int) -> Float32:
    """Unit vectors that fall into groups, as photos of turtles do."""
    random = np.random.default_rng(seed)
    values = np.random.default_rng(0).normal(size=(40, DIMENSION))[random.integers(40, size=n)]
    values += 0.7 * random.normal(size=(n, DIMENSION))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True), np.float32)


IDS: Int64 = (3 * np.random.default_rng(3).permutation(PHOTOS)).astype(np.int64)
VECTORS = turtles(1, PHOTOS)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A coded file of all but the last 100 photos."""
    path = tmp_path_factory.mktemp("coded") / "vectors.faiss"
    index = VectorIndex(DIMENSION, SMALL)
    index.add(IDS[:-100], VECTORS[:-100])
    index.save(path, Checkpoint(7, "mark"))
    return path


@pytest.fixture
def index(path: Path) -> VectorIndex:
    """The file, and the last 100 photos that came since."""
    index, _ = VectorIndex.load(path, DIMENSION, SMALL)
    index.add(IDS[-100:], VECTORS[-100:])
    return index


def test_thresholds() -> None:
    assert LADDER.codes(32_768, 512) is None
    assert LADDER.codes(32_769, 512) == Codes(256, 256)
    assert LADDER.codes(1_000_000, 512) == Codes(1024, 256)
    assert LADDER.codes(20_000_000, 512) == Codes(4096, 128)  # coarser, because codes must stay in memory
    assert LADDER.codes(1_000_000, 385) == Codes(1024, 385)


def test_the_shallowest_depth_that_suffices_is_taken() -> None:
    shallow, deep = Depth(0.001, 3, 0.01, 0.99), Depth(0.01, 9, 0.1, 0.99)
    assert depth_for((shallow, deep), 100, 100_000) is shallow
    assert depth_for((shallow, deep), 101, 100_000) is deep  # a filter that admits few must look deeper for as many
    assert depth_for((shallow, deep), 100, 5_000) is None


@settings(max_examples=60)
@given(seed=st.integers(0, 999), share=st.floats(0, 0.12), k=st.integers(1, 40))
def test_narrow_filters_give_the_exact_answer(path: Path, seed: int, share: float, k: int) -> None:
    index, _ = VectorIndex.load(path, DIMENSION, SMALL)
    index.add(IDS[-100:], VECTORS[-100:])
    rows = np.flatnonzero(np.random.default_rng(seed).random(PHOTOS) < share)
    query = turtles(seed + 1, 1)[0]
    cosine = np.where(rows < PHOTOS - 100, halves_of(VECTORS[rows]) @ query, VECTORS[rows] @ query)
    found = index.search(query, k, IDS[rows])
    assert len(found.ids) == min(k, len(rows))
    np.testing.assert_allclose(found.similarity, -np.sort(-cosine)[:k], atol=1e-5)
    assert set(found.ids) <= set(IDS[rows])


@settings(max_examples=30)
@given(seed=st.integers(0, 999), share=st.floats(0.3, 1), k=st.integers(1, 60))
def test_wide_filters_fill_the_shortlist_from_the_admitted(path: Path, seed: int, share: float, k: int) -> None:
    index, _ = VectorIndex.load(path, DIMENSION, SMALL)
    index.add(IDS[-100:], VECTORS[-100:])
    rows = np.flatnonzero(np.random.default_rng(seed).random(PHOTOS) < share)
    query = turtles(seed + 1, 1)[0]
    found = index.search(query, k, IDS[rows])
    assert len(set(found.ids)) == k
    assert set(found.ids) <= set(IDS[rows])
    of = dict(zip(IDS.tolist(), VECTORS, strict=True))
    np.testing.assert_allclose(found.similarity, [of[i] @ query for i in found.ids.tolist()], atol=2e-3)
    assert (np.diff(found.similarity) <= 0).all()


@pytest.mark.parametrize("share", [1.0, 0.4])
@pytest.mark.parametrize("k", [1, 8, 30])
def test_recall_reaches_the_target(index: VectorIndex, share: float, k: int) -> None:
    queries = turtles(5, 60)
    rows = np.flatnonzero(np.random.default_rng(8).random(PHOTOS) < share)
    selection = Selection(IDS[rows])
    expected = [set(IDS[rows[np.argsort(-(VECTORS[rows] @ query))[:k]]]) for query in queries]
    found = [set(index.search(query, k, selection).ids) for query in queries]
    assert np.mean([len(a & b) / k for a, b in zip(expected, found, strict=True)]) >= SMALL.target - 0.05
    assert index.depths
    assert all(depth.recall >= SMALL.target for depth in index.depths)


def test_a_coded_file_comes_back(index: VectorIndex, path: Path, tmp_path: Path) -> None:
    reopened, checkpoint = VectorIndex.load(path, DIMENSION, SMALL)
    assert checkpoint == Checkpoint(7, "mark")
    assert (len(reopened), reopened.exact, reopened.depths) == (PHOTOS - 100, False, index.depths)
    np.testing.assert_array_equal(index.vectors(IDS[[3, -1]]), [halves_of(VECTORS[3]), VECTORS[-1]])
    assert index.holds(IDS, VECTORS)
    wrong = VECTORS.copy()
    wrong[5] *= 0.99
    assert not index.holds(IDS, wrong)
    assert not reopened.holds(IDS, VECTORS)


def test_a_checkpoint_adds_to_the_codes_and_learns_them_anew_when_outgrown(index: VectorIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "again", Checkpoint(8, "mark"))
    again, _ = VectorIndex.load(tmp_path / "again", DIMENSION, SMALL)
    assert (len(again), again.unsaved, index.unsaved) == (PHOTOS, 0, 0)
    assert again.holds(IDS, VECTORS)
    part = again._saved
    assert isinstance(part, CodedPart)
    assert part.learnt_from == PHOTOS - 100
    query = VECTORS[-1]
    assert again.search(query, 5, IDS).ids[0] == IDS[-1]
    more = turtles(9, PHOTOS)
    again.add(IDS + 1, more)
    again.save(tmp_path / "again", Checkpoint(9, "mark"))
    assert isinstance(again._saved, CodedPart)
    assert again._saved.learnt_from == 2 * PHOTOS
    assert [file.name for file in tmp_path.iterdir()] == ["again"]


@pytest.mark.parametrize("part", ["codes", "ids", "header", "end"])
def test_damage_to_all_but_the_mapped_vectors_is_noticed(path: Path, tmp_path: Path, part: str) -> None:
    content = bytearray(path.read_bytes())
    ids_at = content.rindex(IDS[:-100].tobytes())
    rows_at = content.index(halved(VECTORS[:1]))
    at = {"codes": ids_at - 1000, "ids": ids_at + 80, "header": rows_at - 3, "end": len(content) - 10}[part]
    content[at] ^= 16
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(CatalogDamaged):
        VectorIndex.load(tmp_path / "damaged", DIMENSION, SMALL)


def test_damage_to_the_mapped_vectors_is_found_by_comparing(path: Path, tmp_path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(halved(VECTORS[7:8])) + 3] ^= 16
    (tmp_path / "damaged").write_bytes(content)
    index, _ = VectorIndex.load(tmp_path / "damaged", DIMENSION, SMALL)
    assert not index.holds(IDS[:50], VECTORS[:50])
    assert index.holds(IDS[50:100], VECTORS[50:100])


def test_halves_lie_in_the_file_as_faiss_writes_them(tmp_path: Path) -> None:
    with (tmp_path / "halves").open("wb") as file:
        write_halves(file, DIMENSION, 7, iter([VECTORS[:4], VECTORS[4:7]]))
    own = faiss.IndexScalarQuantizer(DIMENSION, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    own.add(VECTORS[:7])
    assert (tmp_path / "halves").read_bytes() == faiss.serialize_index(own).tobytes()
    assert [len(block) for block in HalfPrecisionVectors(tmp_path / "halves").blocks(2)] == [5]


def halves_of(vectors: Float32) -> Float32:
    return vectors.astype(np.float16).astype(np.float32)


class OnDesk:
    """Plays a GPU that has room for some vectors; counts what is asked of it."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.searches = 0
        self.vectors = np.empty((0, DIMENSION), np.float32)

    def hold(self, blocks: Iterable[Float32], dimension: int, *, half: bool) -> Held | None:
        self.vectors, self.half = np.concatenate(list(blocks)), half
        assert self.vectors.shape[1] == dimension
        return self if len(self.vectors) <= self.room else None

    def search(self, vector: Float32, k: int) -> tuple[Int64, Float32]:
        self.searches += 1
        cosine = self.vectors @ vector
        best = np.argsort(-cosine)[:k]
        return best, cosine[best]


@pytest.mark.parametrize(("room", "searches"), [(PHOTOS, 1), (PHOTOS - 101, 0)])
def test_a_gpu_answers_what_needs_no_filter(path: Path, room: int, searches: int) -> None:
    gpu = OnDesk(room)
    index, _ = VectorIndex.load(path, DIMENSION, SMALL)
    index._accelerator = gpu
    index.add(IDS[-100:], VECTORS[-100:])
    for _ in range(GPU_FROM):
        assert len(gpu.vectors) == 0  # it takes some searches to pay for the copy
        found = index.search(VECTORS[5], 3, IDS)
        assert found.ids[0] == IDS[5]
    assert gpu.searches == searches
    assert gpu.half
    index.search(VECTORS[5], 3, IDS[5:400])  # a filter stays on the CPU
    assert gpu.searches == searches


def test_without_a_gpu_nothing_is_held() -> None:
    if faiss.get_num_gpus():
        pytest.skip("there is a GPU")
    assert FaissGpu().hold(iter([]), DIMENSION, half=False) is None
