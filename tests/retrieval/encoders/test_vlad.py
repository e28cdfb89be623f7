from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.torch import save_file

from index.errors import WeightsCorrupt, WeightsUnavailable
from retrieval.encoders.timm_encoder import TimmEncoder
from retrieval.encoders.vlad import VladEncoder, aggregate, unit
from retrieval.engine.factory import load_encoder
from retrieval.features.sift import SiftExtractor
from synthetic.heads import draw_head

HEADS = [draw_head(individual, 0, size=(240, 192)) for individual in (1, 2)]
FEATURES = [SiftExtractor(128, 240).extract(pixels) for pixels in HEADS]
MODEL = "test_resnet"


def test_the_bundled_codebook_gives_unit_vectors_that_differ() -> None:
    encoder = VladEncoder.bundled()
    vectors = encoder.encode(HEADS, FEATURES)
    assert vectors.shape == (2, encoder.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] < 0.99


def test_a_batch_gives_what_each_photo_gives_alone() -> None:
    encoder = VladEncoder.bundled()
    together = encoder.encode(HEADS, FEATURES)
    alone = [encoder.encode([pixels], [own])[0] for pixels, own in zip(HEADS, FEATURES, strict=True)]
    assert np.allclose(together, alone, atol=1e-6)


@given(hnp.arrays(np.float32, (9, 4), elements=st.floats(-1, 1, width=32)), st.permutations(range(9)))
def test_aggregation_does_not_depend_on_the_order_of_keypoints(descriptors: np.ndarray, order: list[int]) -> None:
    words = np.eye(3, 4, dtype=np.float32)
    one, two = aggregate(descriptors, words), aggregate(descriptors[order], words)
    assert np.allclose(one, two, atol=1e-3)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-4) or not one.any()


def test_aggregation_sums_residuals_to_the_nearest_word() -> None:
    words = np.array([[0, 0], [10, 0]], np.float32)
    descriptors = np.array([[1, 0], [1, 2], [10, 3]], np.float32)
    first, second = unit(np.array([[2.0, 2.0]], np.float32))[0], np.array([0.0, 1.0])
    assert np.allclose(aggregate(descriptors, words), np.concatenate([first, second]) / np.sqrt(2))


def test_a_codebook_comes_back_from_disk_and_damage_is_named(tmp_path: Path) -> None:
    encoder = VladEncoder.bundled()
    encoder.save(tmp_path / "own.npz")
    again = VladEncoder.load(tmp_path / "own.npz", "own")
    assert np.array_equal(encoder.encode(HEADS, FEATURES), again.encode(HEADS, FEATURES))
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    with pytest.raises(WeightsCorrupt, match="not a VLAD codebook"):
        VladEncoder.load(tmp_path / "bad.npz", "bad")
    with pytest.raises(WeightsCorrupt):
        VladEncoder.load(tmp_path / "none.npz", "none")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("timm") / "model.safetensors"
    save_file(timm.create_model(MODEL, pretrained=False).state_dict(), path)
    return path


def test_a_timm_model_from_a_local_file_needs_no_network(checkpoint: Path) -> None:
    encoder = load_encoder(f"timm:{MODEL}", checkpoint)
    vectors = encoder.encode(HEADS, FEATURES)
    assert vectors.shape == (2, encoder.dimension)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert load_encoder(encoder.id, checkpoint).id == encoder.id
    assert encoder.id.startswith(f"timm:{MODEL}#")


def test_timm_weights_that_are_missing_or_of_another_model(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match="no weights file"):
        TimmEncoder(MODEL, tmp_path / "none.pth")
    torch.save({"nothing": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsCorrupt, match="does not fit"):
        TimmEncoder(MODEL, tmp_path / "other.pth")
    with pytest.raises(WeightsUnavailable):
        TimmEncoder("no_such_model", checkpoint)


def test_an_encoder_that_nobody_knows() -> None:
    with pytest.raises(WeightsUnavailable, match="There is no encoder 'magic'"):
        load_encoder("magic")
