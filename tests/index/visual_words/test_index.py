"""The inverted file over signatures: what it finds, and that files and merges change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from index.errors import CatalogDamaged
from index.types import Checkpoint, UInt8
from index.vectors.search_params import PROBES_MOST
from index.vectors.selection import Selection
from index.visual_words.codebook import Codebook
from index.visual_words.index import VotingIndex
from index.visual_words.inverted_file import NEAR, VotePart
from index.visual_words.signature import SLOT_BYTES, packed, unpacked, words_of

SLOTS = 12
DIMENSION = SLOTS * SLOT_BYTES
HELD = Checkpoint(7, "token")
ON_DISK = 1
"""Map the lists of every file."""


def signatures(n: int, seed: int = 0) -> UInt8:
    """Of few words and codes that differ little, so that many are near each other."""
    rng = np.random.default_rng(seed)
    pool = np.random.default_rng(99).integers(0, 255, (20, SLOT_BYTES), dtype=np.uint8)
    made = []
    for _ in range(n):
        coded = pool[rng.choice(len(pool), int(rng.integers(1, SLOTS + 1)), replace=False)]
        changed = rng.random(coded.shape) < np.where(np.arange(SLOT_BYTES) < 2, 0, 0.2)
        made.append(packed(np.where(changed, rng.integers(0, 255, coded.shape), coded).astype(np.uint8), SLOTS))
    return np.stack(made)


def by_hand(query: UInt8, photo: UInt8) -> float:
    """The formula, pair by pair."""
    book = Codebook.bundled()
    coded = [unpacked(one[None])[1] for one in (query, photo)]
    asked, own = map(book.decoded, coded)
    lists = book.no_lists()
    _, probed = lists.quantizer.search(asked, PROBES_MOST)
    votes = 0.0
    for one, looked_at in zip(asked, probed, strict=True):
        for other, word in zip(own, words_of(coded[1]), strict=True):
            distance = float(((one - other) ** 2).sum())
            votes += (1 - distance / NEAR) ** 3 if distance < NEAR and word in looked_at else 0.0
    return float(votes / (len(asked) * len(own)) ** 0.5)


@settings(max_examples=30)
@given(st.integers(1, SLOTS), st.integers(0, 10_000))
def test_packing_loses_nothing(m: int, seed: int) -> None:
    coded = np.random.default_rng(seed).integers(0, 255, (m, SLOT_BYTES), dtype=np.uint8)
    rows, same = unpacked(np.stack([packed(coded[:0], SLOTS), packed(coded, SLOTS)]))
    assert (rows == 1).all()
    np.testing.assert_array_equal(same, coded)


def test_votes_are_the_formula() -> None:
    photos = signatures(9)
    part = VotePart.of(np.arange(9), photos)
    for query in signatures(4, seed=1):
        expected = [by_hand(query, photo) for photo in photos]
        np.testing.assert_allclose(part.similarity(query), expected, atol=1e-4)
        assert max(expected) > 0


def test_descriptors_that_were_coded_are_found_by_themselves() -> None:
    book = Codebook.bundled()
    described = np.random.default_rng(3).random((3 * SLOTS, 128), np.float32)
    described = book.decoded(book.coded(described / np.linalg.norm(described, axis=1, keepdims=True)))
    part = VotePart.of(np.arange(3), np.stack([packed(book.coded(one), SLOTS) for one in np.split(described, 3)]))
    for row, one in enumerate(np.split(described, 3)):
        assert part.similarity(one).argmax() == row


def test_a_part_of_a_gallery_is_ranked_as_it_would_be_alone() -> None:
    photos, query = signatures(30), signatures(1, seed=3)[0]
    whole, alone = VotePart.of(np.arange(30), photos), VotePart.of(np.arange(10), photos[10:20])
    np.testing.assert_allclose(whole.similarity(query)[10:20], alone.similarity(query), atol=1e-6)


def test_a_photo_is_most_like_itself() -> None:
    photos = signatures(20)
    index = VotingIndex(DIMENSION)
    index.add(np.arange(100, 120), photos)
    for row, query in enumerate(photos):
        found = index.search(query, 1, index.ids())
        assert found.ids[0] == 100 + row
        assert found.similarity[0] >= 0.99


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
    nothing = packed(np.zeros((0, SLOT_BYTES), np.uint8), 0)
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
