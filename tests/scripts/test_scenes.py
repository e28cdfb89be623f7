"""Drawn scenes: reproducible, with boxes that hold the heads they speak of, on the sides that are seen."""

from __future__ import annotations

import numpy as np
import pytest

from index.types import Side
from synthetic.body import pose
from synthetic.noise import seeded
from synthetic.scenes import draw_scene
from synthetic.solids import Camera, silhouette
from synthetic.viewpoints import viewpoint

pytestmark = pytest.mark.whole

SIZE = (336, 224)


def test_same_numbers_give_the_same_scene_and_other_numbers_another() -> None:
    once, again, other = draw_scene(4, SIZE), draw_scene(4, SIZE), draw_scene(5, SIZE)
    assert once.pixels.shape == (224, 336, 3)
    assert once.pixels.dtype == np.uint8
    assert np.array_equal(once.pixels, again.pixels)
    assert once.heads == again.heads
    assert not np.array_equal(once.pixels, other.pixels)


def test_a_scene_without_turtles_has_no_heads_and_boxes_stay_in_the_picture() -> None:
    assert draw_scene(3, SIZE, turtles=0).heads == ()
    for number in range(6):
        for head in draw_scene(number, SIZE, turtles=2).heads:
            assert head.box.x >= 0
            assert head.box.y >= 0
            assert head.box.x + head.box.w <= SIZE[0]
            assert head.box.y + head.box.h <= SIZE[1]
            assert head.side in (Side.LEFT, Side.RIGHT)


def test_heads_take_about_the_share_of_the_width_that_is_asked_for() -> None:
    drawn = [draw_scene(number, SIZE, turtles=1, share=0.2).heads for number in range(20)]
    shares = [heads[0].box.w / SIZE[0] for heads in drawn if heads and heads[0].profile > 0.8]
    assert len(shares) >= 5
    assert 0.14 < float(np.median(shares)) < 0.26


@pytest.mark.parametrize("number", range(4))
def test_a_viewpoint_shows_the_head_where_the_camera_points(number: int) -> None:
    rng = seeded(90, number)
    body = pose(rng, 0, 0)
    camera = viewpoint(rng, body, 0.3, SIZE)
    found = silhouette(body.head, camera)
    assert found is not None
    rows, columns = np.nonzero(found.cover > 0.5)
    middle = np.array([columns.mean() + found.left, rows.mean() + found.top])
    assert np.abs(middle - np.array(camera.middle)).max() < 0.25 * SIZE[0]


def test_what_stands_behind_the_camera_is_not_seen() -> None:
    body = pose(seeded(91), 0, 0)
    away = Camera(np.eye(3, dtype=np.float32), np.array([0, 0, -20], np.float32), 300.0, (168.0, 112.0), SIZE)
    assert silhouette(body.head, away) is None


def test_mirrored_scenes_show_the_other_side() -> None:
    """About half of the scenes are mirrored, so both sides are there in number."""
    sides = [head.side for number in range(16) for head in draw_scene(number, (168, 112), turtles=1).heads]
    assert 0.2 < np.mean([side is Side.LEFT for side in sides]) < 0.8
