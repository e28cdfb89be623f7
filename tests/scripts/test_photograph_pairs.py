"""Training pairs seen from wide angles, in simulated views and with photographs as skin: truth holds in all of them."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from index.types import Pixels, Side
from retrieval.features import SiftExtractor
from synthetic.anatomy import anatomy
from synthetic.heads import draw_photograph, expose_head
from synthetic.noise import fractal_noise, seeded
from synthetic.skin import TEXELS
from synthetic.surface import View, draw_view
from synthetic.underwater import draw_day, draw_shot
from training.lightglue.batches import load_flocks
from training.lightglue.correspondence import places
from training.lightglue.draw_pairs import draw_one, parse, planned
from training.lightglue.photograph_pairs import make_photograph_flock, parts, pattern, photograph_skin
from training.lightglue.synthetic_pairs import Flock, FlockPlan, cropped, make_flock, stretched

pytestmark = pytest.mark.whole

WIDE = np.deg2rad(60)
PLAN = FlockPlan(individuals=2, photos=3, keypoints=256, long_side=256, widest=WIDE, stretched=0.5, fewest=128)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Three pictures full of pattern, 240 x 320."""
    folder, made = tmp_path_factory.mktemp("photographs"), []
    for number in range(3):
        rng = seeded(41, number)
        layers = [fractal_noise(rng, (320, 240), 20, 4, 0.8) for _ in range(3)]
        picture = np.clip(128 + 90 * np.stack(layers, -1), 0, 255).astype(np.uint8)
        made.append(folder / f"{number}.png")
        cv2.imwrite(str(made[-1]), picture)
    return tuple(made)


def plain_view(yaw: float) -> View:
    return View(yaw, 0.0, 0.0, 5.0, 1.3, 0.0, 0.0, 3, 0.01)


def test_without_a_width_the_views_of_old_seeds_are_the_same() -> None:
    view = draw_view(seeded(4, 1, 2, 3))
    assert view.yaw == pytest.approx(0.14476854)
    assert view.pull == 1911458390


def test_every_yaw_up_to_the_width_is_as_likely() -> None:
    yaws = np.array([draw_view(seeded(42, number), widest=WIDE).yaw for number in range(600)])
    assert np.abs(yaws).max() <= WIDE
    # a share of 1/3 each, with a sampling error of 0.02
    for low in (-WIDE, -WIDE / 3, WIDE / 3):
        assert ((yaws >= low) & (yaws < low + 2 * WIDE / 3)).mean() == pytest.approx(1 / 3, abs=0.08)
    usual = np.array([draw_view(seeded(42, number)).yaw for number in range(600)])
    assert (np.abs(usual) > 0.6).mean() < 0.5 * (np.abs(yaws) > 0.6).mean()


@pytest.mark.parametrize("yaw", [-WIDE, 0.0, WIDE])
def test_a_spot_of_a_photograph_is_seen_where_the_map_says(yaw: float) -> None:
    part = np.full((200, 200, 3), 20, np.uint8)
    spot = (92, 108)
    cv2.circle(part, spot, 3, (255, 255, 255), -1)
    rng = seeded(43)
    day, shot = draw_day(rng), draw_shot(rng)
    drawing = expose_head(rng, anatomy(0), photograph_skin(part, 0.0), plain_view(yaw), day, shot, (320, 256))
    grey = cv2.GaussianBlur(cv2.cvtColor(drawing.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5)
    grey -= cv2.GaussianBlur(grey, (0, 0), 8)  # haze and caustics are broader
    grey[np.isnan(drawing.texels[..., 0])] = -np.inf
    y, x = np.unravel_index(int(grey.argmax()), grey.shape)
    expected = (np.array(spot) + 0.5) * TEXELS / 200 - 0.5
    # the spot is 17 texels wide
    assert np.abs(drawing.texels[y, x] - expected).max() < 6


def test_a_stretched_drawing_shows_the_same_skin_at_stretched_places() -> None:
    drawing = cropped(draw_photograph(1, 4, Side.LEFT, (380, 300), widest=WIDE), seeded(1), 320)
    for factor in (1.6, 0.62):
        wide = stretched(drawing, factor)
        height, width = drawing.pixels.shape[:2]
        assert wide.pixels.shape == (height, round(width * factor), 3)
        assert wide.texels.shape[:2] == wide.pixels.shape[:2]
        features = SiftExtractor(128, 320).find(wide.pixels)
        there = places(features, wide.texels, drawing.texels)
        seen = ~np.isnan(there[:, 0])
        assert seen.sum() > 30
        expected = (features.xy[seen] + 0.5) / np.array([wide.pixels.shape[1] / width, 1]) - 0.5
        # at the rim, where the skin turns away, a pixel more or less shows the same spot
        assert np.quantile(np.abs(there[seen] - expected), 0.9) < 1.0


def test_true_matches_of_photographs_look_alike(photos: tuple[Path, ...]) -> None:
    flock = made(3, photos)
    alike, chance = [], []
    for (a, b), (first, second) in zip(flock.pairs, flock.truth, strict=True):
        assert flock.individual[a] == flock.individual[b]
        rows = np.flatnonzero(first >= 0)
        assert (second[first[rows]] == rows).all()
        one, other = flock.descriptors[a].astype(float), flock.descriptors[b].astype(float)
        alike += list(np.linalg.norm(one[rows] - other[first[rows]], axis=1))
        chance += list(np.linalg.norm(one[rows] - other[::-1][first[rows]], axis=1))
    assert len(alike) > 30
    assert np.median(alike) < 0.8 * np.median(chance)


def test_the_same_seed_and_photographs_give_the_same_flock(photos: tuple[Path, ...]) -> None:
    once, again, other = made(3, photos), made(3, photos), made(4, photos)
    for name in once.__slots__:
        assert np.array_equal(getattr(once, name), getattr(again, name)), name
    assert once.xy.shape != other.xy.shape or not np.array_equal(once.xy, other.xy)
    elsewhere = made(3, photos[:1])
    assert once.xy.shape != elsewhere.xy.shape or not np.array_equal(once.xy, elsewhere.xy)


@pytest.mark.parametrize("size", [(320, 240), (200, 300), (100, 260)])
def test_two_individuals_share_no_pixel_of_their_photograph(size: tuple[int, int]) -> None:
    number = np.arange(size[0] * size[1]).reshape(size)
    photo: Pixels = np.stack([number % 251, number // 251 % 251, number // 251**2], -1).astype(np.uint8)
    for seed in range(8):
        first, second = parts(seeded(44, seed), photo)
        assert first.shape == second.shape
        assert first.shape[0] == first.shape[1] > 0.7 * min(min(size), max(size) / 2)
        one, other = ({tuple(pixel) for pixel in part.reshape(-1, 3).tolist()} for part in (first, second))
        assert not one & other


def test_pattern_everywhere_counts_more_than_one_strong_edge(photos: tuple[Path, ...]) -> None:
    full = cv2.imread(str(photos[0]))
    edge = np.zeros((200, 200, 3), np.uint8)
    edge[:, 100:] = 255
    assert pattern(np.asarray(full, np.uint8)) > 1 > pattern(edge)


def test_photos_with_fewer_keypoints_are_kept_where_that_is_wished() -> None:
    plan = FlockPlan(individuals=2, photos=2, keypoints=448, long_side=256, widest=WIDE)
    strict, lenient = make_flock(2, plan), make_flock(2, FlockPlan(2, 2, 448, 256, WIDE, fewest=128))
    assert lenient is not None
    kept = 0 if strict is None else len(strict.individual)
    assert len(lenient.individual) > kept
    assert 128 <= lenient.xy.shape[1] < 448
    assert lenient.truth.max() < lenient.xy.shape[1]
    assert lenient.truth.shape[2] == lenient.descriptors.shape[1] == lenient.scale.shape[1] == lenient.xy.shape[1]


def test_one_folder_holds_flocks_of_both_kinds(photos: tuple[Path, ...], tmp_path: Path) -> None:
    draw_one(3, tmp_path, PLAN)
    draw_one(3, tmp_path, PLAN, photos)
    assert {path.name for path in tmp_path.iterdir()} == {"flock-0000003.npz", "flock-photographs-0000003.npz"}
    _, photographed = load_flocks(tmp_path)
    assert np.array_equal(photographed.descriptors, made(3, photos).descriptors)
    old = (tmp_path / "flock-0000003.npz").stat().st_mtime_ns
    draw_one(3, tmp_path, PLAN)
    assert (tmp_path / "flock-0000003.npz").stat().st_mtime_ns == old


def test_the_options_make_the_plan_and_without_them_it_is_that_of_old_seeds() -> None:
    assert planned(parse(["flocks"])) == FlockPlan()
    wide = planned(parse(["flocks", "--yaw", "60", "--stretched", "0.25", "--fewest", "384"]))
    assert wide == FlockPlan(widest=math.radians(60), stretched=0.25, fewest=384)


def made(seed: int, photos: tuple[Path, ...]) -> Flock:
    flock = make_photograph_flock(seed, PLAN, photos)
    assert flock is not None
    return flock


@pytest.mark.parametrize("words", [("--yaw", "400"), ("--stretched", "2")])
def test_impossible_angles_and_shares_are_refused_with_what_can_be_chosen(
    tmp_path: Path, words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse([str(tmp_path), *words])
    assert "choose 0 to" in capsys.readouterr().err
