"""Simulated views find what is foreshortened, stand in the photo's own coordinates, and are always the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from index.types import LocalFeatures, Pixels
from retrieval.engine.engine import ReadPhoto
from retrieval.features.sift import SiftExtractor, stretched_across
from retrieval.features.views import STRETCHES, views_of, with_views
from retrieval.images.pictures import decode, jpeg
from retrieval.matching.cascade import first_stage, strength
from retrieval.matching.match_places import places
from retrieval.matching.views import SEEN_FROM, ViewedFirstStage, ViewedNeighbours, of_photo_itself, views_beside
from synthetic.heads import draw_head


def seen(pixels: Pixels) -> LocalFeatures:
    """A photo as the engine reads it."""
    return replace(SiftExtractor(256).extract(pixels), source=ReadPhoto(jpeg(pixels)))


@pytest.fixture(scope="module")
def heads() -> tuple[Pixels, ...]:
    return tuple(draw_head(number, 0, size=(320, 256)) for number in (1, 2, 3))


def test_a_foreshortened_head_is_found_by_a_view(heads: tuple[Pixels, ...]) -> None:
    gallery = [seen(head) for head in heads]
    query = seen(stretched_across(heads[0], 0.55))
    plain, viewed = first_stage(query, gallery), ViewedFirstStage()(query, gallery)
    assert strength(viewed[0].confidence) > 2 * strength(plain[0].confidence)
    assert strength(viewed[0].confidence) > 2 * max(strength(one.confidence) for one in viewed[1:])


def test_whom_the_photo_does_not_resemble_no_view_is_asked(heads: tuple[Pixels, ...]) -> None:
    query, gallery = seen(heads[0]), [seen(head) for head in (heads[0], np.rot90(heads[1], 1).copy(), heads[2][:150])]
    plain = [strength(one.confidence) for one in first_stage(query, gallery)]
    assert max(plain) >= SEEN_FROM
    assert min(plain) < SEEN_FROM, "nobody is left out, so that nothing is tested"
    for look in (ViewedFirstStage(), ViewedFirstStage(lambda: first_stage)):
        in_views = [bool((one.pairs[:, 0] >= len(query)).any()) for one in look(query, gallery)]
        assert not any(seen for seen, strong in zip(in_views, plain, strict=True) if strong < SEEN_FROM)
        assert in_views[int(np.argmax(plain))]


def test_the_photo_itself_is_looked_at_as_ever(heads: tuple[Pixels, ...]) -> None:
    query, other = seen(heads[0]), seen(heads[1])
    [plain], [viewed] = first_stage(query, [other]), ViewedFirstStage()(query, [other])
    own, kept = of_photo_itself(query, viewed), plain.confidence > 0
    np.testing.assert_array_equal(own.pairs, plain.pairs[kept])
    np.testing.assert_array_equal(own.confidence, plain.confidence[kept])


def test_places_of_matches_that_a_view_found_lie_in_the_photo_itself(heads: tuple[Pixels, ...]) -> None:
    query, other = seen(stretched_across(heads[0], 0.55)), seen(heads[0])
    [found] = ViewedFirstStage()(query, [other])
    assert found.pairs[:, 0].max() >= len(query)
    points = places(query, other, found, ViewedNeighbours(ViewedFirstStage()))
    assert len(points) > len(of_photo_itself(query, found).pairs)
    assert (points.query <= np.array(query.size)).all()
    assert points.affine is not None
    assert np.allclose(points.affine[:2], np.diag([1 / 0.55, 1.0]), atol=0.2)


def test_a_candidate_gets_what_it_gets_alone(heads: tuple[Pixels, ...]) -> None:
    query, gallery = seen(heads[0]), [seen(head) for head in heads]
    together = ViewedFirstStage()(query, gallery)
    for one, candidate in zip(together, gallery, strict=True):
        [alone] = ViewedFirstStage()(query, [candidate])
        np.testing.assert_array_equal(one.pairs, alone.pairs)
        np.testing.assert_array_equal(one.confidence, alone.confidence)


def test_one_look_at_all_gives_the_same_as_pair_by_pair(heads: tuple[Pixels, ...]) -> None:
    query, gallery = seen(heads[0]), [seen(head) for head in heads]
    for one, other in zip(
        ViewedFirstStage()(query, gallery), ViewedFirstStage(lambda: first_stage)(query, gallery), strict=True
    ):
        np.testing.assert_array_equal(one.pairs, other.pairs)
        np.testing.assert_allclose(one.confidence, other.confidence)


def test_views_lie_in_the_photo_and_their_rows_go_on_behind_its_own(heads: tuple[Pixels, ...]) -> None:
    query = seen(heads[0])
    every = with_views(query)
    assert len(every) == len(query) + sum(len(view) for view in views_beside(query))
    np.testing.assert_array_equal(every.xy[: len(query)], query.xy)
    assert (every.xy >= -0.5).all()
    assert (every.xy <= np.array(query.size) - 0.5).all()
    [found] = ViewedFirstStage()(query, [seen(heads[1])])
    assert found.pairs[:, 0].max(initial=0) < len(every)


def test_views_are_as_wide_as_they_say_and_come_from_the_stored_image(heads: tuple[Pixels, ...]) -> None:
    image = jpeg(heads[0])
    width, height = decode(image).shape[1], decode(image).shape[0]
    for view, stretch in zip(views_of(image, 256), STRETCHES, strict=True):
        assert view.size == (round(width * stretch), height)


def test_a_photo_without_an_image_has_no_views(heads: tuple[Pixels, ...]) -> None:
    query = SiftExtractor(256).extract(heads[0])
    assert views_beside(query) == ()
    assert with_views(query) is query
    broken = replace(query, source=ReadPhoto(b"no picture"))
    assert views_beside(broken) == ()
    assert len(with_views(broken)) == len(query)
