"""The inverted file over signatures: what it finds, and that files and merges change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import CatalogDamaged
from index.records import Checkpoint
from index.selection import Selection
from index.signature import BITS, CODE_BYTES, SLOT_BYTES, WORDS, UInt8, packed, unpacked
from index.votes import NEAR, VotePart
from index.voting import VotingIndex

SLOTS = 12
DIMENSION = SLOTS * SLOT_BYTES
HELD = Checkpoint(7, "token")
ON_DISK = 1
"""Map the lists of every file."""


def signatures(n: int, seed: int = 0) -> UInt8:
    """Of few words, so that photos share them."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        words = rng.choice(30, int(rng.integers(1, SLOTS + 1)), replace=False)
        codes = rng.integers(0, 4, (len(words), CODE_BYTES), dtype=np.uint8)  # few bits set: many are near
        made.append(packed(words, codes, SLOTS))
    return np.stack(made)


def by_hand(query: UInt8, photo: UInt8) -> float:
    """The formula, pair by pair."""
    _, asked, codes = unpacked(query[None])
    _, words, own = unpacked(photo[None])
    votes = 0.0
    for word, code in zip(asked, codes, strict=True):
        for other in own[words == word]:
            bits = int(np.bitwise_count(code ^ other).sum())
            votes += (1 - bits / (BITS / 2)) ** 3 if bits <= NEAR else 0.0
    return float(votes / (len(asked) * len(words)) ** 0.5)


@settings(max_examples=30)
@given(st.integers(1, SLOTS), st.integers(0, 10_000))
def test_packing_loses_nothing(m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = rng.choice(WORDS, m, replace=False)
    codes = rng.integers(0, 256, (m, CODE_BYTES), dtype=np.uint8)
    rows, again, same = unpacked(np.stack([packed(words, codes, SLOTS), packed(words[:0], codes[:0], SLOTS)]))
    assert (rows == 0).all()
    np.testing.assert_array_equal(again, words)
    np.testing.assert_array_equal(same, codes)


def test_votes_are_the_formula() -> None:
    photos = signatures(9)
    part = VotePart.of(np.arange(9), photos)
    for query in signatures(4, seed=1):
        expected = [by_hand(query, photo) for photo in photos]
        np.testing.assert_allclose(part.similarity(query), expected, atol=1e-6)
        assert max(expected) > 0


def test_a_photo_is_most_like_itself() -> None:
    photos = signatures(20)
    index = VotingIndex(DIMENSION)
    index.add(np.arange(100, 120), photos)
    for row, query in enumerate(photos):
        found = index.search(query, 1, index.ids())
        assert found.ids[0] == 100 + row
        assert found.similarity[0] == pytest.approx(1)


def test_a_filter_never_shortens_an_answer() -> None:
    index = VotingIndex(DIMENSION)
    index.add(np.arange(50), signatures(50))
    allowed = np.arange(0, 50, 7)
    found = index.search(signatures(1, seed=3)[0], 5, Selection(allowed))
    assert len(found.ids) == 5
    assert set(found.ids) <= set(allowed)
    assert len(index.search(signatures(1, seed=3)[0], 50, allowed).ids) == len(allowed)


def test_a_photo_without_keypoints_to_vote_with_finds_nobody_in_particular() -> None:
    index = VotingIndex(DIMENSION)
    index.add(np.arange(3), signatures(3))
    nothing = packed(np.zeros(0, np.int64), np.zeros((0, CODE_BYTES), np.uint8), 0)
    assert index.search(nothing, 2, index.ids()).similarity.tolist() == [0, 0]
    assert not len(VotingIndex(DIMENSION).search(nothing, 2, np.arange(3)).ids)


@pytest.mark.parametrize("map_from", [ON_DISK, 1 << 30])
def test_saving_and_adding_again_change_no_answer(tmp_path: Path, map_from: int) -> None:
    photos, query = signatures(40), signatures(1, seed=5)[0]
    whole = VotingIndex(DIMENSION)
    whole.add(np.arange(40), photos)
    expected = whole.search(query, 40, whole.ids())
    path = tmp_path / "vectors.faiss"
    index = VotingIndex(DIMENSION, map_from)
    for part in (slice(0, 15), slice(15, 16), slice(16, 40)):
        index.add(np.arange(40)[part], photos[part])
        index.save(path, HELD)
        index, held = VotingIndex.load(path, DIMENSION, map_from)
        assert (held, index.unsaved, VotingIndex.file_is_whole(path)) == (HELD, 0, True)
    found = index.search(query, 40, index.ids())
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_allclose(found.similarity, expected.similarity)
    assert index.holds(np.arange(40), photos)
    assert not index.holds(np.arange(40), photos[::-1])
    assert not index.holds(np.arange(41), np.concatenate([photos, photos[:1]]))


@pytest.mark.parametrize("map_from", [ON_DISK, 1 << 30])
def test_building_in_blocks_is_building_at_once(tmp_path: Path, map_from: int) -> None:
    photos, query = signatures(30), signatures(1, seed=5)[0]
    blocks = [(np.arange(30)[part], photos[part]) for part in (slice(0, 12), slice(12, 30))]
    path = tmp_path / "vectors.faiss"
    built = VotingIndex.build(path, DIMENSION, blocks, HELD, map_from=map_from)
    whole = VotingIndex(DIMENSION)
    whole.add(np.arange(30), photos)
    np.testing.assert_array_equal(built.search(query, 30, built.ids()).ids, whole.search(query, 30, whole.ids()).ids)
    assert [one.name for one in tmp_path.iterdir()] == ["vectors.faiss"]


def test_what_is_no_signature_is_refused() -> None:
    with pytest.raises(CatalogDamaged, match="damaged"):
        VotingIndex(DIMENSION).add(np.arange(1), np.full((1, DIMENSION), 200, np.uint8))


def test_a_damaged_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    index = VotingIndex(DIMENSION)
    index.add(np.arange(5), signatures(5))
    index.save(path, HELD)
    content = bytearray(path.read_bytes())
    content[-200] ^= 1  # in what opening verifies
    path.write_bytes(content)
    with pytest.raises(CatalogDamaged, match="turtleidx check"):
        VotingIndex.load(path, DIMENSION)
    content[-200] ^= 1
    content[-1000] ^= 1  # in the lists, which only `check` reads whole
    path.write_bytes(content)
    assert not VotingIndex.file_is_whole(path)
    with pytest.raises(CatalogDamaged):
        VotingIndex.load(path, DIMENSION + SLOT_BYTES)
