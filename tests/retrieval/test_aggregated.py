"""The bundled visual words, and the signatures that they make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawing.heads import draw_head
from index.errors import WeightsCorrupt
from index.signature import BITS, CODE_BYTES, SLOT_BYTES, WORDS, unpacked
from index.types import LocalFeatures
from index.votes import VotePart
from retrieval.aggregated import ASKED, SLOTS, AsmkEncoder
from retrieval.keypoints import SiftExtractor, rootsift

HEADS = [draw_head(individual, 0, size=(240, 192)) for individual in (1, 2)]
FEATURES = [SiftExtractor(128, 240).extract(pixels) for pixels in HEADS]


@pytest.fixture(scope="module")
def encoder() -> AsmkEncoder:
    return AsmkEncoder.bundled()


def test_a_signature_is_the_signs_of_the_residuals_of_each_word(encoder: AsmkEncoder) -> None:
    signatures = encoder.encode(HEADS, FEATURES)
    assert signatures.shape == (2, encoder.dimension) == (2, SLOTS * SLOT_BYTES)
    assert (len(encoder.words), encoder.rotation.shape) == (WORDS, (BITS, BITS))
    _, words, codes = unpacked(signatures[:1])
    described = rootsift(FEATURES[0].descriptors.astype(np.uint8))
    nearest = np.array([((one - encoder.words) ** 2).sum(axis=1).argmin() for one in described])
    assert set(words) == set(nearest)
    for word, code in list(zip(words, codes, strict=True))[:10]:
        residual = (described[nearest == word] - encoder.words[word]).sum(axis=0)
        expected = np.packbits(residual @ encoder.rotation > 0)
        assert np.bitwise_count(code ^ expected).sum() <= 2  # sums of another order round otherwise


def test_a_query_asks_about_several_words_of_each_keypoint(encoder: AsmkEncoder) -> None:
    [signature] = encoder.encode(HEADS[:1], FEATURES[:1])
    _, own, _ = unpacked(signature[None])
    probe = encoder.probe(FEATURES[0], signature)
    _, asked, codes = unpacked(probe[None])
    assert set(own) < set(asked)
    assert len(own) < len(asked) <= ASKED * len(FEATURES[0])
    assert codes.shape == (len(asked), CODE_BYTES)


def test_the_same_head_collects_most_votes(encoder: AsmkEncoder) -> None:
    gallery = [SiftExtractor(128, 240).extract(draw_head(one, 0, size=(240, 192))) for one in range(1, 9)]
    part = VotePart.of(np.arange(8), encoder.encode([], gallery))
    again = SiftExtractor(128, 240).extract(draw_head(3, 1, size=(240, 192)))
    [descriptor] = encoder.encode([], [again])
    assert part.similarity(encoder.probe(again, descriptor)).argmax() == 2


def test_only_the_strongest_keypoints_have_a_word(encoder: AsmkEncoder) -> None:
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
    assert np.array_equal(encoder.encode([], [many]), encoder.encode([], [replace(many, descriptors=changed)]))


def test_words_come_back_from_disk_and_damage_is_named(encoder: AsmkEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path / "own.npz")
    again = AsmkEncoder.load(tmp_path / "own.npz", "own")
    assert np.array_equal(encoder.encode(HEADS, FEATURES), again.encode(HEADS, FEATURES))
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    with pytest.raises(WeightsCorrupt, match="does not hold visual words"):
        AsmkEncoder.load(tmp_path / "bad.npz", "bad")
