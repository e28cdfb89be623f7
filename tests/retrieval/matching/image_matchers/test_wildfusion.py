"""A fusion of local and global similarity: both calibrated on pairs of known identity, then averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from index.catalog import Catalog
from index.errors import InputError
from index.types import GalleryFilter, LocalFeatures, Matches, PreparedPhoto
from retrieval.engine import EngineOptions
from retrieval.engine.options import looks_at_images, score_of
from retrieval.evaluation.run import bytes_compared
from retrieval.fitting.fusion import calibrated, drawn_pairs
from retrieval.matching.image_matchers import EmbeddingMatcher, LogisticCalibration, WildFusionMatcher
from retrieval.scoring import Score
from tests.index.making import day, features
from tests.retrieval.lookalikes import engine, enrolled, lookalike

similarities = st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=40).map(np.array)


@settings(max_examples=60)
@given(genuine=similarities, impostor=similarities, scale=st.sampled_from([0.01, 1.0, 100.0]))
def test_a_calibration_is_a_probability_and_rises_with_the_similarity(
    genuine: np.ndarray, impostor: np.ndarray, scale: float
) -> None:
    curve = LogisticCalibration.fit(scale * genuine, scale * impostor)
    values = [curve(one) for one in np.linspace(-3 * scale, 3 * scale, 9)]
    assert all(0 <= one <= 1 for one in values)
    assert values == sorted(values)


def test_a_calibration_says_how_many_of_such_pairs_are_of_one_individual() -> None:
    rng = np.random.default_rng(1)
    curve = LogisticCalibration.fit(rng.normal(2, 1, 4000), rng.normal(0, 1, 4000))
    # two normal densities of one width: log odds are 2 x - 2
    assert curve.slope == pytest.approx(2, abs=0.1)
    assert curve.offset == pytest.approx(-2, abs=0.15)


class Counted:
    """So many sure matches and a faint one, whatever the photos show."""

    id = "counted"

    def __init__(self, sure: dict[int, int]) -> None:
        self._sure = sure

    def match(self, query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        del query
        found = []
        for one in candidates:
            confidence = np.array([0.9] * self._sure[len(one)] + [0.1], np.float32)
            found.append(Matches(np.zeros((len(confidence), 2), np.int32), confidence))
        return found


class Alike:
    """An embedding that finds all photos alike by a given angle."""

    id = "alike"

    def match(self, query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        del query
        return [Matches(np.zeros((1, 2), np.int32), np.full(1, 0.75, np.float32)) for _ in candidates]


def fused(local: object, embedding: object, *curves: LogisticCalibration) -> WildFusionMatcher:
    return WildFusionMatcher(cast(Any, local), cast(Any, embedding), cast(Any, curves) or None)


def test_the_score_is_the_mean_of_both_probabilities_and_only_sure_matches_count() -> None:
    local, alike = LogisticCalibration(1.0, -2.0), LogisticCalibration(4.0, -2.0)
    matcher = fused(Counted({64: 20, 128: 0}), Alike(), local, alike)
    query = features(1, 64)
    many, none = matcher.match(query, [features(2, 64), features(3, 128)])
    assert many.confidence.tolist() == [pytest.approx((local(float(np.log(21))) + alike(0.75)) / 2)]
    assert none.confidence.tolist() == [pytest.approx((local(0.0) + alike(0.75)) / 2)]
    assert matcher.id != fused(Counted({}), Alike(), alike, local).id


def test_it_is_a_row_of_evaluate_and_answers_nothing_before_it_is_calibrated() -> None:
    with pytest.raises(InputError, match="system:wildfusion"):
        fused(Counted({64: 1}), Alike()).match(features(1, 64), [features(2, 64)])
    assert looks_at_images("wildfusion:timm:efficientnet-lite0")
    assert score_of("wildfusion", Score.WASSERSTEIN) is Score.CONFIDENCE_SUM
    assert EngineOptions(matcher="wildfusion").matcher == "wildfusion"


class Shared:
    """As many sure matches as the neighbours that the recipe's own matcher is fairly sure of."""

    id = "shared"

    def match(self, query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        found = engine().matcher.match(query, candidates)
        return [Matches(one.pairs, np.where(one.confidence > 0.3, 1, 0).astype(np.float32)) for one in found]


def test_it_learns_on_the_catalogue_what_its_similarities_are_worth(tmp_path: Path) -> None:
    catalog = enrolled(tmp_path)
    with catalog.writing("test"):
        made = calibrated(catalog, replace(engine(), matcher=cast(Any, fused(Shared(), Alike()))))
    photos = catalog.photos(GalleryFilter())
    features_of = dict(zip([one.id for one in photos], catalog.features(photos), strict=True))
    own, strangers = [], []
    for one, other in zip(photos[::2], photos[1::2], strict=True):
        [same] = made.matcher.match(features_of[one.id], [features_of[other.id]])
        [different] = made.matcher.match(features_of[one.id], [features_of[photos[-1].id]])
        own.append(float(same.confidence[0]))
        strangers.append(float(different.confidence[0]))
    assert np.mean(own) > 0.6 > 0.4 > np.mean(strangers[:-1])
    assert engine() is calibrated(catalog, engine())


def on_day(photo: PreparedPhoto, number: int) -> PreparedPhoto:
    return replace(photo, sighting=replace(photo.sighting, taken_on=day(number)))


def test_pairs_are_of_two_encounters_and_one_side_and_too_few_are_refused(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "turtles.catalog", engine().recipe)
    catalog.enroll(
        [on_day(lookalike(t, n, f"T{t}"), n // 2) for t in range(1, 5) for n in range(4)],
        "Ana",
    )
    photos = catalog.photos(GalleryFilter())
    genuine, impostor = drawn_pairs(photos, np.random.default_rng(0))
    assert len(genuine) == len(impostor) > 0
    assert all(a.turtle == b.turtle and a.side == b.side and a.encounter != b.encounter for a, b in genuine)
    assert all(a.turtle != b.turtle and a.side == b.side for a, b in impostor)
    with catalog.writing("test"), pytest.raises(InputError, match="10 are needed, here are"):
        calibrated(catalog, replace(engine(), matcher=cast(Any, fused(Shared(), Alike()))))


def test_what_a_method_reads_of_a_photo_is_counted() -> None:
    stored = {engine().extractor.id: 100.0, "aliked-512-320": 70.0, "timm-1": 5.0}
    corners = SimpleNamespace(id="aliked-512-320+aliked", extractor="aliked-512-320")
    assert bytes_compared(engine(), stored) == 100
    beside = replace(engine(), matcher=cast(Any, SimpleNamespace(id="views+aliked-512-320+aliked")))
    assert bytes_compared(beside, stored) == 170
    other = replace(engine(), matcher=cast(Any, corners), first_stage="aliked-512-320+looks")
    assert bytes_compared(other, stored) == 70
    embedding = EmbeddingMatcher("timm-1", lambda _: np.zeros((0, 2), np.float32))
    assert bytes_compared(replace(engine(), matcher=embedding), stored) == 5
    assert np.isnan(bytes_compared(engine(), {}))
