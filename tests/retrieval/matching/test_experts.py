"""Two experts: only sure matches of the second count, whenever its keypoints are found; too few leave SIFT alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from index.errors import TooFewKeypoints
from index.types import LocalFeatures, Matches, Pixels
from retrieval.engine.engine import ReadPhoto
from retrieval.features.extractor import Found
from retrieval.images.pictures import jpeg
from retrieval.matching.experts import SURE, WEIGHT, TwoExperts
from retrieval.matching.match_places import places
from tests.index.making import features

CONFIDENCES = np.array([0.9, SURE, 0.6, 0.1], np.float32)


def look(query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
    """What SIFT says: one match of each pair."""
    del query
    return [Matches(np.array([[3, 4]], np.int32), np.array([0.3], np.float32)) for _ in candidates]


@dataclass
class Grey:
    """Finds in a grey photo as many keypoints as it is bright, 0 to 255."""

    id: str = "grey-64-480-v1"
    long_side: int = 480
    batch: int = 64
    asked: list[int] = field(default_factory=list)

    def extract(self, pixels: Pixels) -> LocalFeatures:
        [found] = self.extract_batch([pixels])
        assert isinstance(found, LocalFeatures)
        return found

    def extract_batch(self, photos: Sequence[Pixels]) -> list[Found]:
        brightness = [round(float(pixels.mean())) for pixels in photos]
        self.asked += brightness
        return [TooFewKeypoints("few") if one < 64 else features(one, one // 64 * 64) for one in brightness]


class Network:
    """Matches the first four keypoints of any two photos."""

    id = "network-1"

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        assert first_matches is None  # what SIFT saw tells nothing about other keypoints
        assert len(query) >= 64
        assert all(len(one) >= 64 for one in candidates)
        return [Matches(np.stack([np.arange(4), np.arange(4)], 1).astype(np.int32), CONFIDENCES) for _ in candidates]


def grey(brightness: int) -> LocalFeatures:
    image = jpeg(np.full((32, 32, 3), brightness, np.uint8))
    return replace(features(brightness), descriptors=np.zeros((64, 32), np.float16), source=ReadPhoto(image))


@pytest.fixture
def extractor() -> Grey:
    return Grey()


def test_sure_matches_count_beside_sifts_and_faint_ones_do_not(extractor: Grey) -> None:
    query, candidate = grey(200), grey(100)
    [found] = TwoExperts(look, extractor, Network()).match(query, [candidate])
    assert found.confidence.tolist() == pytest.approx([0.3, WEIGHT, WEIGHT])
    assert found.pairs.tolist() == [[3, 4], [len(query) + 0, len(candidate) + 0], [len(query) + 2, len(candidate) + 2]]


@pytest.mark.parametrize(("query", "candidate"), [(200, 20), (20, 200), (20, 20)])
def test_where_one_photo_has_too_few_second_keypoints_sift_alone_judges(
    extractor: Grey, query: int, candidate: int
) -> None:
    found = TwoExperts(look, extractor, Network()).match(grey(query), [grey(candidate), grey(candidate)])
    assert [one.confidence.tolist() for one in found] == [[pytest.approx(0.3)]] * 2


def test_an_image_that_is_no_picture_leaves_sift_alone(extractor: Grey) -> None:
    broken = replace(grey(200), source=ReadPhoto(b"no picture"))
    [found] = TwoExperts(look, extractor, Network()).match(broken, [grey(200)])
    assert found.confidence.tolist() == [pytest.approx(0.3)]


def test_keypoints_are_found_once_and_it_does_not_matter_when(extractor: Grey) -> None:
    matcher, query, gallery = TwoExperts(look, extractor, Network()), grey(200), [grey(100), grey(20), grey(150)]
    before = matcher.match(query, gallery)
    assert sorted(extractor.asked) == [20, 100, 150, 200]
    again = matcher.match(query, gallery[::-1])[::-1]
    assert len(extractor.asked) == 4
    for one, other in zip(before, again, strict=True):
        np.testing.assert_array_equal(one.pairs, other.pairs)
        np.testing.assert_array_equal(one.confidence, other.confidence)


def test_what_sift_saw_is_not_looked_at_again(extractor: Grey) -> None:
    known = [Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))]
    [found] = TwoExperts(look, extractor, Network()).match(grey(200), [grey(100)], known)
    assert found.confidence.tolist() == pytest.approx([WEIGHT, WEIGHT])


def test_places_of_all_matches_are_found_in_both_photos(extractor: Grey) -> None:
    query, candidate = grey(200), grey(100)
    matcher = TwoExperts(look, extractor, Network())
    [found] = matcher.match(query, [candidate])
    points = places(query, candidate, found, matcher)
    assert points.second.tolist() == [False, True, True]
    assert points.told == "1 matches and 2 of the second expert"
    own, other = matcher.second_features([query, candidate])
    assert own is not None
    assert other is not None
    assert np.allclose(points.query - 0.5, [query.xy[3], own.xy[0], own.xy[2]])
    assert np.allclose(points.candidate - 0.5, [candidate.xy[4], other.xy[0], other.xy[2]])


@dataclass
class Corner(Grey):
    """Finds all keypoints where the photo is brightest."""

    def extract_batch(self, photos: Sequence[Pixels]) -> list[Found]:
        found: list[Found] = []
        for pixels in photos:
            row, column = np.unravel_index(pixels.mean(-1).argmax(), pixels.shape[:2])
            xy = np.tile(np.array([column, row], np.float32), (64, 1))
            none = np.zeros(64, np.float32)
            found.append(LocalFeatures(xy, none, none, np.zeros((64, 8), np.float16), pixels.shape[1::-1]))
        return found


class Seeing(Network):
    """Remembers where it saw the first keypoint of each photo."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[float], tuple[int, int]]] = []

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        self.seen += [(one.xy[0].tolist(), one.size) for one in (query, *candidates)]
        return super().match(query, candidates, first_matches)


def test_the_network_sees_a_turned_head_upright_and_its_matches_are_drawn_where_they_are() -> None:
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[0:8, 0:8] = 200  # above on the left: above on the right when it is turned clockwise once
    pixels[4, 4] = 255
    lying, standing = (
        replace(grey(200), size=(48, 32), source=ReadPhoto(jpeg(pixels, 100, turn=turn))) for turn in (1, 0)
    )
    network = Seeing()
    experts = TwoExperts(look, Corner(), network)
    [found] = experts.match(lying, [standing])
    (own, size), (other, plain) = network.seen
    assert (size, plain) == ((32, 48), (48, 32))
    assert other == pytest.approx([4, 4], abs=4)
    assert own == pytest.approx([31 - other[1], other[0]])
    drawn = places(lying, standing, found, experts)
    assert np.allclose(drawn.query[drawn.second], drawn.candidate[drawn.second])
