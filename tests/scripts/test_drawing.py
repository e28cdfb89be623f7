"""The drawn heads: reproducible, individual, and curved with a known map to the skin."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from index.types import Side
from retrieval.features.sift import SiftExtractor
from retrieval.matching.nearest import NearestNeighbourMatcher
from retrieval.matching.verification import verify
from synthetic.anatomy import anatomy
from synthetic.heads import draw_head, draw_photograph
from synthetic.noise import fractal_noise, seeded
from synthetic.samples import COLUMNS, write_samples
from synthetic.skin import TEXELS
from synthetic.surface import draw_view, project

SIZE = (320, 256)


def test_same_numbers_give_the_same_pixels() -> None:
    once, again = (draw_head(3, 5, size=SIZE) for _ in range(2))
    assert once.shape == (256, 320, 3)
    assert once.dtype == np.uint8
    assert np.array_equal(once, again)


@pytest.mark.parametrize(
    "other", [(4, 5, Side.LEFT, 0), (3, 6, Side.LEFT, 0), (3, 5, Side.RIGHT, 0), (3, 5, Side.LEFT, 1)]
)
def test_any_other_number_gives_other_pixels(other: tuple[int, int, Side, int]) -> None:
    individual, photograph, side, species = other
    drawn = draw_head(individual, photograph, side, SIZE, species)
    assert not np.array_equal(draw_head(3, 5, size=SIZE), drawn)


def test_right_sides_are_drawn_facing_right() -> None:
    left, right = (draw_photograph(0, 0, side, SIZE) for side in (Side.LEFT, Side.RIGHT))
    u_left, u_right = left.texels[128, :, 0], right.texels[128, :, 0]
    assert np.nanmean(np.diff(u_left)) > 0
    assert np.nanmean(np.diff(u_right)) < 0


def test_texels_stay_on_the_skin_and_beside_the_head_there_are_none() -> None:
    drawing = draw_photograph(0, 4, Side.LEFT, SIZE)
    seen = drawing.texels[~np.isnan(drawing.texels)]
    assert seen.min() >= 0
    assert seen.max() <= TEXELS
    assert np.isnan(drawing.texels[..., 0]).any()


def test_the_far_side_of_the_head_is_foreshortened() -> None:
    seen = project(anatomy(0), draw_view(seeded(0), spread=0.0), SIZE)
    middle, rim = seen.normals[128, 160], seen.normals[seen.cover > 0.5][:, 2].min()
    assert middle[2] > 0.9
    assert rim < 0.4


def test_verified_matches_tell_individuals_apart() -> None:
    extractor, matcher = SiftExtractor(256, 320), NearestNeighbourMatcher()
    first = [extractor.extract(draw_head(i, 1, size=SIZE)) for i in range(6)]
    later = [extractor.extract(draw_head(i, 4, size=SIZE)) for i in range(6)]
    sums = np.array(
        [[verify(a, b, m).confidence.sum() for b, m in zip(later, matcher.match(a, later), strict=True)] for a in first]
    )
    own, others = np.diag(sums), sums[~np.eye(6, dtype=bool)]
    assert np.mean(own) > 2 * np.mean(others)


def test_noise_is_centred_and_seeded() -> None:
    field = fractal_noise(seeded(1, 2), (200, 300), 8)
    assert field.shape == (200, 300)
    assert abs(float(field.mean())) < 0.3
    assert np.array_equal(field, fractal_noise(seeded(1, 2), (200, 300), 8))


def test_samples_are_a_photographers_folder(tmp_path: Path) -> None:
    written = write_samples(tmp_path, turtles=2, photos_per_turtle=4, new_turtles=1, size=(200, 160))
    with written.manifest.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["role"] for row in rows] == ["gallery", "gallery", "known", "known"] * 2 + ["new"] * 4
    assert len(written.with_role("new")) == 4
    for row in rows:
        with Image.open(tmp_path / row["photo"]) as image:
            assert image.size == (200, 160)
            taken = image.getexif().get_ifd(0x8769)[0x9003]
        assert taken.split()[0].replace(":", "-") == row["taken_on"]
    assert len({row["encounter"] for row in rows}) == 2 * 2 + 2
