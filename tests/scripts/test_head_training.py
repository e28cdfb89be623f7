"""Drawn turtles before photographs, frames without turtles, and the figures of the benchmark `heads`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.detection.figures import alone, in_empty
from index.types import HeadBox, Pixels, Side
from retrieval.detection import Finding, FoundHead
from synthetic.noise import fractal_noise, seeded
from synthetic.photographed import as_taken, photographs, read_photograph
from synthetic.scenes import draw_scene
from training.detection.scenes import PHOTOGRAPHED, chosen, drawn_scenes, empty_frames

SIZE = (168, 112)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drawn backdrops of other shapes, red, and a file that is none."""
    made = tmp_path_factory.mktemp("backdrops")
    for number, (height, width) in enumerate([(300, 200), (200, 300), (90, 60)]):
        rough = 40 * fractal_noise(seeded(70, number), (height, width), 8, 3)
        red = np.clip(np.stack([0 * rough + 20, 0 * rough + 20, 190 + rough], -1), 0, 255).astype(np.uint8)
        assert cv2.imwrite(str(made / f"{number}.png"), red)
    (made / "LICENSE").write_text("CC0 1.0")
    return made


def _red(pixels: Pixels) -> float:
    """Share of pixels that are as red as the backdrops."""
    return float((pixels[..., 0] > 2.0 * pixels[..., 1].astype(float) + 20).mean())


def test_photographs_stand_behind_turtles_as_reproducibly_as_drawn_backdrops(folder: Path) -> None:
    photo = read_photograph(photographs(folder)[0])
    before = [draw_scene(number, SIZE, photo=photo) for number in range(12)]
    again = [draw_scene(number, SIZE, photo=photo) for number in range(3)]
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(before, again, strict=False))
    assert [one.heads for one in before[:3]] == [one.heads for one in again]
    assert np.mean([_red(one.pixels) > 0.2 for one in before]) >= 0.15
    assert np.mean([_red(draw_scene(number, SIZE).pixels) > 0.2 for number in range(12)]) < 0.1
    assert sum(len(one.heads) for one in before) >= 6


def test_backdrops_vary_from_picture_to_picture(folder: Path) -> None:
    photo = read_photograph(photographs(folder)[1])
    parts = [as_taken(seeded(71, number), photo, SIZE) for number in range(4)]
    assert all(one.shape == (112, 168, 3) and one.dtype == np.uint8 for one in parts)
    assert all(not np.array_equal(one, other) for one, other in pairwise(parts))


def test_a_third_of_the_scenes_has_a_photograph_and_without_a_folder_none(folder: Path) -> None:
    photos = photographs(folder)
    behind = [chosen(number, photos) is not None for number in range(300)]
    assert abs(np.mean(behind) - PHOTOGRAPHED) < 0.08
    assert all(chosen(number, ()) is None for number in range(20))
    [(pixels, _, whole)] = islice(drawn_scenes(behind.index(False), photos), 1)
    [(without, _, _)] = islice(drawn_scenes(behind.index(False)), 1)
    assert np.array_equal(pixels, without)
    assert whole in (False, None)


def test_photographs_alone_are_frames_without_heads(folder: Path) -> None:
    frames = list(islice(empty_frames(0, photographs(folder)), 4))
    assert all(heads == () and whole is False for _, heads, whole in frames)
    assert all(_red(pixels) > 0.9 for pixels, _, _ in frames[1::2])


def test_folders_and_files_that_hold_no_pictures_are_refused(folder: Path, tmp_path: Path) -> None:
    assert [path.name for path in photographs(folder)] == ["0.png", "1.png", "2.png"]
    with pytest.raises(SystemExit, match="holds no JPEG or PNG files"):
        photographs(tmp_path)
    (tmp_path / "odd.jpg").write_text("no picture")
    with pytest.raises(SystemExit, match="could not be read"):
        read_photograph(tmp_path / "odd.jpg")


@dataclass(frozen=True)
class SaysBright:
    """Sure of a head in red photos; takes dark ones for cut-out heads."""

    id: str = "bright"
    threshold: float = 0.5
    certified: bool = False

    def find(self, photos: Sequence[Pixels]) -> list[Finding]:
        heads = [FoundHead(HeadBox(0, 0, 9, 9), float(one.mean() / 255), Side.LEFT, 1.0) for one in photos]
        return [Finding((head,), cut_out=head.confidence < 0.1) for head in heads]


def test_a_photo_without_a_turtle_may_neither_show_a_sure_head_nor_pass_for_one() -> None:
    photos = [np.full((32, 32, 3), level, np.uint8) for level in (10, 60, 70, 200)]
    nothing, waits = in_empty(SaysBright(), photos)
    assert (nothing.hits, nothing.of) == (3, 4)
    assert (waits.hits, waits.of) == (2, 4)
    assert alone(SaysBright(), photos).hits == 1
