"""Learned extractors on drawn heads, with real weights where they are at hand and random ones elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from kornia import feature
from safetensors.torch import save_file

from benchmarks.matching.matcher_variants import xfeat_state
from index.errors import TooFewKeypoints, WeightsCorrupt, WeightsUnavailable
from index.features.packing import pack_features, unpack_features
from index.types import LocalFeatures
from retrieval.features.detectors import Disk, DogHardNet, SuperPoint, XFeat, filled
from retrieval.features.learned import EXTRACTOR_SPECS, LearnedExtractor, list_extractors, padded
from synthetic.heads import draw_head

SHARED = Path(__file__).parents[3].parent / "shared" / "weights"
ALIKED = SHARED / "aliked-n16.pth"
XFEAT = SHARED / "xfeat_1024_640x360.onnx"
HEAD = draw_head(1, 0, size=(128, 96))
CPU = torch.device("cpu")

needs_aliked = pytest.mark.skipif(not ALIKED.exists(), reason="the shared ALIKED weights are not here")
needs_xfeat = pytest.mark.skipif(not XFEAT.exists(), reason="the shared XFeat export is not here")


class Batching(LearnedExtractor):
    """Takes batches on a CPU too."""

    AT_ONCE = {"cpu": 4}  # noqa: RUF012


@pytest.fixture(scope="module")
def aliked() -> LearnedExtractor:
    return Batching("aliked", 64, 128, weights=ALIKED, device="cpu")


@pytest.fixture(scope="module")
def hardnet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "hardnet.pth"
    torch.save({"epoch": 7, "state_dict": feature.HardNet(pretrained=False).state_dict()}, path)
    return path


def by_place(features: LocalFeatures) -> np.ndarray:
    return np.lexsort(features.xy.round(3).T)


@needs_aliked
def test_aliked_finds_what_kornias_aliked_finds(aliked: LearnedExtractor) -> None:
    oracle = feature.ALIKED("aliked-n16", max_num_keypoints=128, detection_threshold=0.0)
    oracle.load_state_dict(torch.load(ALIKED, weights_only=True), strict=False)
    with torch.inference_mode():
        [expected] = oracle.eval()(padded(HEAD)[None])
    strongest = expected.keypoint_scores.argsort(descending=True)[:64]
    found = aliked.extract(HEAD)
    assert len(found) == 64
    assert np.allclose(found.xy, expected.keypoints[strongest].numpy(), atol=1e-4)
    assert np.allclose(found.descriptors, expected.descriptors[strongest].numpy(), atol=1e-3)
    assert found.descriptors.dtype == np.float16
    assert found.size == (128, 96)
    assert not found.orientation.any()


@needs_aliked
def test_a_batch_gives_what_each_photo_gives_alone(aliked: LearnedExtractor) -> None:
    photos = [HEAD, HEAD[:90, :110], np.ascontiguousarray(HEAD[:, ::-1]), np.full((40, 40, 3), 9, np.uint8)]
    together = aliked.extract_batch(photos)
    assert isinstance(together[3], TooFewKeypoints)
    for pixels, found in zip(photos[:3], together[:3], strict=True):
        assert isinstance(found, LocalFeatures)
        alone = aliked.extract(pixels)
        assert np.allclose(found.xy[by_place(found)], alone.xy[by_place(alone)], atol=1e-3)
        assert (found.xy <= (pixels.shape[1] - 1, pixels.shape[0] - 1)).all()
        assert found.size == (pixels.shape[1], pixels.shape[0])


@needs_aliked
def test_a_photo_has_the_same_keypoints_however_many_threads_there_are() -> None:
    extractor = LearnedExtractor("aliked", 256, 320, weights=ALIKED, device="cpu")
    photo, before = draw_head(2, 0, size=(320, 240)), torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            found.append(extractor.extract(photo))
        finally:
            torch.set_num_threads(before)
    assert np.array_equal(found[0].xy, found[1].xy)
    assert np.array_equal(found[0].descriptors, found[1].descriptors)


@needs_aliked
def test_half_precision_descriptors_are_stored_as_they_are(aliked: LearnedExtractor) -> None:
    found = aliked.extract(HEAD)
    stored = unpack_features(pack_features(found))
    assert stored is not None
    assert np.array_equal(stored.descriptors, found.descriptors)
    assert stored.descriptors.dtype == np.float16


@needs_aliked
def test_the_published_file_needs_no_mark_and_another_one_does(hardnet_file: Path) -> None:
    assert LearnedExtractor("aliked", weights=ALIKED).id == LearnedExtractor("aliked").id == "aliked-512-480-v2"
    own = LearnedExtractor("doghardnet", 256, 320, weights=hardnet_file)
    mark = own.id.removeprefix("doghardnet").removesuffix("-256-320-v2")
    assert len(mark) == 13
    assert LearnedExtractor("doghardnet", 256, 320, mark=mark).id == own.id
    with pytest.raises(WeightsUnavailable, match="--extractor-weights"):
        LearnedExtractor("doghardnet", 256, 320, mark=mark).extract(HEAD)


@needs_xfeat
def test_the_adapter_finds_what_kornias_xfeat_finds(tmp_path: Path) -> None:
    state = xfeat_state(XFEAT)
    save_file(state, tmp_path / "xfeat.safetensors")
    found = LearnedExtractor("xfeat", 64, 128, weights=tmp_path / "xfeat.safetensors", device="cpu").extract(HEAD)
    oracle = feature.XFeat()
    oracle.net.load_state_dict(state, strict=False)
    [expected] = oracle.eval().detectAndCompute(padded(HEAD)[None], top_k=64)
    assert np.allclose(found.xy, expected["keypoints"].numpy(), atol=1e-4)
    assert np.allclose(found.descriptors, expected["descriptors"].numpy(), atol=1e-3)
    assert np.allclose(np.linalg.norm(found.descriptors.astype(np.float32), axis=1), 1, atol=1e-2)


def test_dog_keypoints_turn_clockwise_with_the_photo(hardnet_file: Path) -> None:
    extractor = LearnedExtractor("doghardnet", 64, 128, weights=hardnet_file, device="cpu")
    upright, turned = extractor.extract(HEAD), extractor.extract(np.ascontiguousarray(np.rot90(HEAD, -1)))
    # turned clockwise, (x, y) comes to lie at (h - 1 - y, x)
    expected = np.stack([HEAD.shape[0] - 1 - upright.xy[:, 1], upright.xy[:, 0]], axis=1)
    near = np.linalg.norm(expected[:, None] - turned.xy[None], axis=2) + np.abs(
        np.log(upright.scale[:, None] / turned.scale[None])
    )
    partner = near.argmin(axis=1)
    same = near.min(axis=1) < 1
    turn = turned.orientation[partner[same]] - upright.orientation[same]
    apart = np.abs((turn - np.pi / 2 + np.pi) % (2 * np.pi) - np.pi)
    assert same.mean() > 0.5
    assert np.median(apart) < 0.2
    assert 1 < np.median(upright.scale) < 12


def test_disk_gives_descriptors_of_unit_length() -> None:
    torch.manual_seed(0)
    detector = Disk(feature.DISK().state_dict(), 96, CPU)
    with torch.inference_mode():
        [found] = detector.detect(padded(HEAD)[None])
    assert 0 < len(found.xy) <= 96
    assert torch.allclose(found.descriptors.norm(dim=1), torch.ones(len(found.xy)), atol=1e-4)


def test_superpoint_reads_the_names_of_its_authors_file() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    network = transformers.SuperPointForKeypointDetection(transformers.SuperPointConfig())
    authors = {"encoder.conv_blocks.": "conv", "keypoint_decoder.conv_score_": "convP"}
    authors |= {"descriptor_decoder.conv_descriptor_": "convD"}
    state = {}
    for name, value in network.state_dict().items():
        prefix = next(one for one in authors if name.startswith(one))
        rest = name.removeprefix(prefix)
        if prefix.startswith("encoder"):
            rest = f"{int(rest[0]) + 1}{rest.removeprefix(rest[0] + '.conv_')}"
        state[authors[prefix] + rest] = value
    with torch.inference_mode():
        [found] = SuperPoint(state, 96, CPU).detect(padded(HEAD)[None])
    assert 0 < len(found.xy) <= 96
    assert found.descriptors.shape[1] == 256
    assert (found.xy == found.xy.round()).float().mean() > 0.99


def test_superpoint_without_transformers_says_what_to_install() -> None:
    try:
        import transformers  # noqa: F401
    except ImportError:
        with pytest.raises(WeightsUnavailable, match="pip install"):
            SuperPoint({}, 64, CPU)
    else:
        pytest.skip("transformers is here")


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(WeightsCorrupt, match="not the weights of HardNet"):
        filled(feature.HardNet(pretrained=False), {})
    with pytest.raises(WeightsCorrupt, match="another shape"):
        filled(feature.HardNet(pretrained=False), {"features.0.weight": torch.zeros(1)})
    with pytest.raises(WeightsCorrupt, match="XFeatModel"):
        XFeat(feature.HardNet(pretrained=False).state_dict(), 64, CPU)
    assert DogHardNet(feature.HardNet(pretrained=False).state_dict(), 64, CPU)


def test_every_learned_extractor_is_listed_with_its_licence() -> None:
    rows = {row.name: row for row in list_extractors()}
    assert rows.keys() == EXTRACTOR_SPECS.keys()
    assert "non-commercial" in rows["superpoint"].licence
    assert all(row.kind == "extractor" and row.source.startswith("https://") for row in rows.values())
