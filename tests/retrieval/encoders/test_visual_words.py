"""The bundled visual words, and the signatures that they make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.errors import WeightsCorrupt
from index.types import LocalFeatures
from index.visual_words.codebook import Codebook
from index.visual_words.inverted_file import NEAR, VotePart
from index.visual_words.signature import NO_WORD, SLOT_BYTES, unpacked, words_of
from retrieval.encoders.visual_words import SLOTS, WordEncoder
from retrieval.features.sift import SiftExtractor, rootsift
from synthetic.heads import draw_head

HEADS = [draw_head(individual, 0, size=(240, 192)) for individual in (1, 2)]
FEATURES = [SiftExtractor(128, 240).extract(pixels) for pixels in HEADS]
ENCODER = WordEncoder()


def test_a_slot_is_the_nearest_words_of_the_halves_and_of_what_remains() -> None:
    signatures = ENCODER.encode(HEADS, FEATURES)
    assert signatures.shape == (2, ENCODER.dimension) == (2, SLOTS * SLOT_BYTES)
    book = Codebook.bundled()
    _, coded = unpacked(signatures[:1])
    for described, slot in list(zip(rootsift(FEATURES[0].descriptors.astype(np.uint8)), coded, strict=True))[:10]:
        halves = [
            ((part - words) ** 2).sum(axis=1) for part, words in zip(np.split(described, 2), book.halves, strict=True)
        ]
        assert [int(one.argmin()) for one in halves] == slot[:2].tolist()
        remains = described - np.concatenate([words[at] for words, at in zip(book.halves, slot, strict=False)])
        for part, codewords, at in zip(np.split(remains, 16), book.residuals, slot[2:], strict=True):
            distances = ((part - codewords) ** 2).sum(axis=1)
            assert distances[at] == pytest.approx(distances.min(), abs=1e-6)


def test_codes_say_nearly_where_a_descriptor_lies() -> None:
    described = rootsift(FEATURES[0].descriptors.astype(np.uint8))
    book = Codebook.bundled()
    lost = ((book.decoded(book.coded(described)) - described) ** 2).sum(axis=1)
    assert lost.mean() < NEAR / 4


def test_the_same_head_collects_most_votes_also_of_its_signature_alone() -> None:
    gallery = [SiftExtractor(128, 240).extract(draw_head(one, 0, size=(240, 192))) for one in range(1, 9)]
    part = VotePart.of(np.arange(8), ENCODER.encode([], gallery))
    again = SiftExtractor(128, 240).extract(draw_head(3, 1, size=(240, 192)))
    [descriptor] = ENCODER.encode([], [again])
    probe = ENCODER.probe(again, descriptor)
    assert probe.shape == (len(again), 128)
    assert part.similarity(probe).argmax() == part.similarity(descriptor).argmax() == 2


def test_only_the_strongest_keypoints_have_a_word() -> None:
    one = FEATURES[0]
    many = LocalFeatures(
        xy=np.tile(one.xy, (5, 1)),
        scale=np.tile(one.scale, 5),
        orientation=np.tile(one.orientation, 5),
        descriptors=np.tile(one.descriptors.astype(np.uint8), (5, 1)),
        size=one.size,
    )
    changed = many.descriptors.copy()
    changed[SLOTS:] = 0
    assert np.array_equal(ENCODER.encode([], [many]), ENCODER.encode([], [replace(many, descriptors=changed)]))


def test_words_are_learnt_saved_and_read_and_damage_is_named(tmp_path: Path) -> None:
    described = np.random.default_rng(0).random((2000, 128), np.float32)
    described /= np.linalg.norm(described, axis=1, keepdims=True)
    book = Codebook.learnt(described, rounds=2, seed=1)
    coded = book.coded(described)
    assert len(coded) == len(described)  # none of them falls to the empty word
    assert (words_of(coded) != NO_WORD).all()
    book.save(tmp_path / "own.npz")
    again = Codebook.load(tmp_path / "own.npz")
    np.testing.assert_allclose(again.halves, book.halves, atol=1e-3)
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    with pytest.raises(WeightsCorrupt, match="does not hold visual words"):
        Codebook.load(tmp_path / "bad.npz")
