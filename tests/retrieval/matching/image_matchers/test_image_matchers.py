"""Other systems behind the matcher's door: they see working images, say where matches lie, and name their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from kornia.feature import LoFTR

from index.errors import InputError, TooFewKeypoints, WeightsCorrupt, WeightsUnavailable
from index.types import LocalFeatures, Matches, Pixels
from retrieval.engine import Engine, EngineOptions
from retrieval.engine.engine import ReadPhoto
from retrieval.engine.factory import load_encoder
from retrieval.features.extractor import Found
from retrieval.images.pictures import jpeg
from retrieval.matching.image_matchers.detector_free import DetectorFreeMatcher
from retrieval.matching.image_matchers.embedding import EmbeddingMatcher, angular_similarity
from retrieval.matching.image_matchers.loftr import LoftrNetwork, load_loftr
from retrieval.matching.image_matchers.loma import LomaNetwork
from retrieval.matching.image_matchers.other_keypoints import OtherKeypoints
from retrieval.scoring import Score, pair_confidences
from tests.index.making import features

RNG = np.random.default_rng(0)


def photo(brightness: int, size: tuple[int, int] = (96, 64)) -> LocalFeatures:
    """SIFT features of a photo whose working image is grey."""
    pixels = np.full((size[1], size[0], 3), brightness, np.uint8)
    return replace(features(brightness, 64), size=size, source=ReadPhoto(jpeg(pixels)))


@dataclass
class Brightness:
    """Embeds a photo by how bright it is; counts what it sees."""

    seen: int = 0

    def __call__(self, photos: Sequence[Pixels]) -> np.ndarray:
        self.seen += len(photos)
        angle = np.array([one.mean() / 255 * np.pi / 2 for one in photos])
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_an_embedding_gives_one_number_for_each_pair_and_is_computed_once_a_photo() -> None:
    encode = Brightness()
    matcher = EmbeddingMatcher("brightness-1", encode)
    query, others = photo(100), [photo(100), photo(150), photo(0)]
    found = matcher.match(query, others)
    scores = [float(pair_confidences(one, 64, 64).sum()) for one in found]
    assert scores[0] == pytest.approx(1, abs=2e-3)
    assert scores[0] > scores[1] > scores[2] > 0
    assert scores[1] == pytest.approx(1 - 50 / 255 / 2, abs=2e-3)
    matcher.match(query, others)
    assert encode.seen == 4
    assert all(len(one.points[0]) == 0 for one in found if one.points is not None)
    assert matcher.id == "angular-brightness-1"


def test_the_angle_tells_what_the_cosine_rounds_away() -> None:
    one = np.array([1, 0], np.float32)
    assert angular_similarity(one, one) == 1
    assert angular_similarity(one, -one) == 0
    assert angular_similarity(one, np.array([0, 3], np.float32)) == pytest.approx(0.5)


def test_an_unreadable_working_image_is_like_nobody() -> None:
    broken = replace(photo(100), source=ReadPhoto(b"no picture"))
    [one] = EmbeddingMatcher("brightness-1", Brightness()).match(photo(100), [broken])
    assert one.confidence.tolist() == [0]


@dataclass
class Corners:
    """Finds 64 keypoints in photos that are not black, whose places tell the photo's width."""

    id: str = "corners-64-96-v1"
    long_side: int = 96
    batch: int = 64
    asked: list[int] = field(default_factory=list)

    def extract(self, pixels: Pixels) -> LocalFeatures:
        raise NotImplementedError

    def extract_batch(self, photos: Sequence[Pixels]) -> list[Found]:
        self.asked += [len(one) for one in photos]
        return [features(5, 64) if one.mean() > 10 else TooFewKeypoints("black") for one in photos]


class Diagonal:
    """Matches each keypoint of one photo with that of the same number."""

    id = "diagonal-1"

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        assert first_matches is None
        assert len(query) == 64
        same = np.arange(3, dtype=np.int32)
        return [Matches(np.stack([same, same], 1), np.full(3, 0.75, np.float32)) for _ in candidates]


def test_other_keypoints_say_where_they_lie_and_too_few_match_nobody() -> None:
    corners = Corners()
    matcher = OtherKeypoints(corners, Diagonal())
    full, empty = matcher.match(photo(100), [photo(120), photo(0)])
    assert full.confidence.tolist() == [0.75] * 3
    assert full.points is not None
    np.testing.assert_array_equal(full.points[0], features(5, 64).xy[:3])
    assert (len(empty), matcher.match(photo(0), [photo(120)])[0].confidence.size) == (0, 0)
    assert (matcher.id, matcher.extractor) == ("corners-64-96-v1+diagonal-1", "corners-64-96-v1")
    [look] = matcher.first_stage(photo(100), [photo(120)])
    assert look.points is not None
    assert len(look.points[0]) == len(look.confidence)


@pytest.fixture(scope="module")
def loftr_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of LoFTR's shape as its authors save it; untrained."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("loftr") / "loftr.ckpt"
    torch.save({"state_dict": LoFTR(pretrained=None).state_dict()}, path)
    return path


def noisy(seed: int) -> LocalFeatures:
    """A photo with a pattern."""
    pixels = np.random.default_rng(seed).integers(0, 255, (128, 160, 3)).astype(np.uint8)
    return replace(features(seed, 64), size=(160, 128), source=ReadPhoto(jpeg(pixels)))


def test_loftr_gives_what_kornia_gives_in_pixels_of_the_working_image(loftr_file: Path) -> None:
    matcher = DetectorFreeMatcher(LoftrNetwork(loftr_file, torch.device("cpu"), threshold=0))  # it is untrained
    network = LoFTR(pretrained=None)
    network.load_state_dict(torch.load(loftr_file)["state_dict"])
    network.eval()
    network.coarse_matching.thr = 0
    one, other = noisy(1), noisy(1)
    [found] = matcher.match(one, [other])
    from retrieval.features import pixels_of

    def grey(features: LocalFeatures) -> torch.Tensor:
        assert features.source is not None
        pixels = pixels_of(features.source.image())
        assert pixels is not None
        return torch.from_numpy(pixels.copy()).float().mean(-1)[None, None] / 255

    with torch.inference_mode():
        expected = network({"image0": grey(one), "image1": grey(other)})
    assert found.points is not None
    assert len(found.confidence)
    np.testing.assert_allclose(found.points[0], expected["keypoints0"].numpy() - 0.5, atol=1e-4)
    np.testing.assert_allclose(found.confidence, expected["confidence"].numpy(), atol=1e-5)
    assert matcher.id.startswith("loftr-")


def test_loftr_without_weights_and_with_others_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURTLEIDX_WEIGHTS", str(tmp_path))

    def no_network(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(WeightsUnavailable, match=r"by hand at .*loftr_outdoor\.ckpt"):
        load_loftr("loftr", torch.device("cpu"))
    with pytest.raises(WeightsUnavailable, match="no weights file"):
        load_loftr("loftr:nowhere.ckpt", torch.device("cpu"))
    torch.save({"state_dict": {"other": torch.zeros(1)}}, tmp_path / "other.ckpt")
    with pytest.raises(WeightsCorrupt, match="does not fit LoFTR"):
        load_loftr(f"loftr:{tmp_path / 'other.ckpt'}", torch.device("cpu"))


class Loma:
    """What the authors' model answers, for two points that match and one that does not."""

    def detect_and_describe(self, image: torch.Tensor, keypoints: int) -> tuple[torch.Tensor, torch.Tensor, int, int]:
        assert (image.shape[1], keypoints) == (3, 512)
        assert 0 <= float(image.min()) <= float(image.max()) <= 1
        points = torch.tensor([[[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]])
        return points, torch.zeros(1, 3, 4), *image.shape[-2:]

    def __call__(self, *_: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scores": torch.tensor([[[0.9, 0.0, 0.0], [0.0, 0.6, 0.0], [0.5, 0.0, 0.0]]])}


def mutual(scores: torch.Tensor, threshold: float) -> tuple[torch.Tensor, ...]:
    """As `loma.loma.filter_matches`."""
    best, back = scores.max(2), scores.max(1)
    kept = (torch.arange(3) == back.indices.gather(1, best.indices)) & (best.values > threshold)
    return torch.where(kept, best.indices, -1), back.indices, torch.where(kept, best.values, 0), back.values


def test_loma_brings_points_from_its_square_to_pixels() -> None:
    [found] = DetectorFreeMatcher(LomaNetwork(Loma(), mutual)).match(noisy(1), [noisy(2)])
    assert found.points is not None
    np.testing.assert_allclose(found.points[0], [[-0.5, -0.5], [159.5, 127.5]])
    np.testing.assert_allclose(found.confidence, [0.9, 0.6])


def test_systems_are_named_like_matchers(loftr_file: Path, tmp_path: Path) -> None:
    engine = Engine.load(options=EngineOptions(matcher="nearest"))
    embedding = engine.with_matcher(EngineOptions(matcher="encoder:vlad"))
    assert (embedding.score, embedding.reranking.keep, embedding.directed) == (Score.CONFIDENCE_SUM, None, False)
    assert embedding.matcher.id.startswith("angular-vlad")
    free = engine.with_matcher(EngineOptions(matcher=f"loftr:{loftr_file}"))
    assert (free.reranking.keep, free.reranking.verification, free.score) == (10, None, Score.WASSERSTEIN)
    assert free.evidence != embedding.evidence
    with pytest.raises(InputError, match="gives no embedding"):
        engine.with_matcher(EngineOptions(matcher="encoder:words"))
    with pytest.raises(InputError, match="no learned extractor 'sift'"):
        engine.with_matcher(EngineOptions(matcher="extractor:sift"))
    with pytest.raises(WeightsUnavailable, match="no weights file"):
        load_encoder(str(tmp_path / "lost.safetensors"))
