import numpy as np

from index.types import LocalFeatures, Matches
from retrieval.images.match_plot import PAPER, Panel, match_picture

WIDTH, HEIGHT = 120, 90


def features() -> LocalFeatures:
    xy = np.array([[10, 10], [60, 45], [110, 80]], np.float32)
    ones = np.ones(3, np.float32)
    return LocalFeatures(xy, ones, ones, np.zeros((3, 128), np.uint8), (WIDTH, HEIGHT))


def picture(confidence: float, panels: int = 1) -> np.ndarray:
    grey = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    matches = Matches(np.array([[1, 1]], np.int32), np.array([confidence], np.float32))
    return match_picture(grey, features(), [Panel("T017", grey, features(), matches)] * panels)


def drawn(pixels: np.ndarray) -> int:
    grey = (pixels == 128).all(axis=2) | (pixels == PAPER[0]).all(axis=2)
    return int((~grey[60:]).sum())  # below the caption


def test_only_matches_that_count_are_joined() -> None:
    assert drawn(picture(0.05)) == 0
    assert drawn(picture(0.8)) > 300


def test_confidence_shows_as_colour() -> None:
    weak, strong = picture(0.15), picture(0.95)
    assert weak[60:, :, 2].max() > 150
    assert strong[60:, :, 0].astype(int).max() > 200
    assert not np.array_equal(weak, strong)


def test_a_row_a_candidate() -> None:
    one, three = picture(0.5), picture(0.5, panels=3)
    assert three.shape[0] == 3 * one.shape[0]
    assert three.shape[1] == one.shape[1]
