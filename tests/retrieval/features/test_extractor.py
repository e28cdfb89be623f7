import cv2
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from index.errors import TooFewKeypoints
from retrieval.features.extractor import keep_strongest
from retrieval.features.sift import SiftExtractor, evenly_lit, rootsift
from synthetic.heads import draw_head

HEAD = draw_head(1, 0, size=(320, 256))


def test_features_are_typed_strongest_first_and_inside_the_image() -> None:
    features = SiftExtractor(256, 320).extract(HEAD)
    assert features.size == (320, 256)
    assert len(features) == 256
    assert features.descriptors.dtype == np.uint8
    assert features.descriptors.shape == (256, 128)
    assert features.xy.dtype == features.scale.dtype == features.orientation.dtype == np.float32
    assert (features.xy >= -1).all()
    assert (features.xy <= (320, 256)).all()
    assert (features.orientation >= 0).all()
    assert (features.orientation <= 2 * np.pi + 1e-5).all()


def test_fewer_keypoints_are_the_strongest_of_more() -> None:
    few, many = SiftExtractor(64, 320).extract(HEAD), SiftExtractor(256, 320).extract(HEAD)
    assert {tuple(xy) for xy in few.xy} <= {tuple(xy) for xy in many.xy}


def test_extraction_is_deterministic() -> None:
    one, two = SiftExtractor().extract(HEAD), SiftExtractor().extract(HEAD)
    assert np.array_equal(one.descriptors, two.descriptors)
    assert np.array_equal(one.xy, two.xy)


def test_haze_does_not_empty_a_photo() -> None:
    hazy = (HEAD.astype(np.float32) * 0.12 + 110).astype(np.uint8)
    assert len(SiftExtractor(256, 320).extract(hazy)) >= 128


def test_too_few_keypoints_are_refused_with_the_count() -> None:
    with pytest.raises(TooFewKeypoints, match=r"has \d+ keypoints and 64 are needed"):
        SiftExtractor().extract(np.full((100, 100, 3), 80, np.uint8))


@pytest.mark.parametrize("keypoints", [0, 63, 100])
def test_keypoints_come_in_multiples_of_64(keypoints: int) -> None:
    with pytest.raises(ValueError, match="multiples of 64"):
        SiftExtractor(keypoints)


@given(
    hnp.arrays(np.float32, st.integers(64, 300), elements=st.floats(0, 1, width=32)), st.sampled_from([64, 128, 512])
)
def test_the_strongest_are_kept_in_a_multiple_of_64(response: np.ndarray, most: int) -> None:
    kept = keep_strongest(response, most)
    assert len(kept) % 64 == 0
    assert len(kept) == min(most, len(response) // 64 * 64)
    assert (np.diff(response[kept]) <= 0).all()
    assert response[kept].min() >= np.delete(response, kept).max(initial=-np.inf)


@given(hnp.arrays(np.uint8, (5, 128)))
def test_rootsift_has_unit_length_and_keeps_silence(descriptors: np.ndarray) -> None:
    root = rootsift(descriptors)
    lengths = np.linalg.norm(root, axis=1)
    silent = descriptors.sum(axis=1) == 0
    assert np.allclose(lengths[~silent], 1, atol=1e-5)
    assert (lengths[silent] == 0).all()


def test_shade_and_haze_change_little() -> None:
    grey = cv2.cvtColor(HEAD, cv2.COLOR_RGB2GRAY)
    shade = np.linspace(0.25, 1.0, grey.shape[1])
    shaded = (grey * shade + 20).astype(np.uint8)
    before = np.abs(grey.astype(float) - shaded).mean()
    after = np.abs(evenly_lit(grey).astype(float) - evenly_lit(shaded)).mean()
    assert after < before / 4


def test_noise_on_flat_water_stays_weak() -> None:
    noise = np.random.default_rng(0).normal(120, 1, (200, 300)).astype(np.uint8)
    assert evenly_lit(noise).std() < 15


def test_the_surroundings_are_a_gaussian_window() -> None:
    grey = cv2.cvtColor(HEAD, cv2.COLOR_RGB2GRAY)
    fine, sigma = grey.astype(np.float32), 0.0375 * 320
    deviation = fine - cv2.GaussianBlur(fine, (0, 0), sigma)
    spread = np.sqrt(cv2.GaussianBlur(deviation**2, (0, 0), sigma))
    exact = np.clip(128 + 45 * deviation / (spread + 4), 0, 255)
    assert np.abs(evenly_lit(grey) - exact).mean() < 1.5


@pytest.mark.parametrize("size", [(320, 240), (203, 317)])
@pytest.mark.parametrize("sigma", [2.5, 4.0, 7.0])
def test_a_spot_is_found_where_it_is_and_as_large_as_it_is(size: tuple[int, int], sigma: float) -> None:
    width, height = size
    x, y = 0.4 * width + 0.3, 0.6 * height - 0.2
    across, down = np.arange(width) - x, np.arange(height)[:, None] - y
    spot = 120 + 100 * np.exp(-(across**2 + down**2) / (2 * sigma**2))
    found = SiftExtractor(64, 320).find(np.repeat(spot.astype(np.uint8)[..., None], 3, axis=2))
    assert np.hypot(*(found.xy[0] - (x, y))) < 0.15
    assert found.scale[0] == pytest.approx(2 * sigma, rel=0.35)


def test_nothing_finer_than_scales_is_found() -> None:
    found = SiftExtractor(256, 320).extract(HEAD)
    assert SiftExtractor.FINEST <= found.scale.min() < 1.1 * SiftExtractor.FINEST


def test_equally_strong_keypoints_have_an_order() -> None:
    pixels = np.tile(HEAD[:160, :160], (2, 2, 1))  # nearly every keypoint four times
    few, many = SiftExtractor(64, 320).find(pixels), SiftExtractor(512, 320).find(pixels)
    for name in ("xy", "scale", "orientation", "descriptors"):
        assert np.array_equal(getattr(few, name), getattr(many, name)[: len(few)])
