"""Masks of heads: asked by a box, on stubs of what transformers' processors give; what is off the animal vanishes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from index.catalog import Browser, Catalog
from index.errors import InputError, WeightsUnavailable
from index.types import BoxOrigin, GalleryFilter, HeadBox, Pixels, Sighting
from retrieval.detection import SEGMENTERS, SegmentAnything, masked
from retrieval.detection.masks import Mask, prompt_of, without_surroundings
from retrieval.engine import NEAREST, Engine, EngineOptions
from retrieval.images import save
from retrieval.pipeline import enroll, masks_of, remember_masks
from synthetic.heads import draw_head

PHOTO = np.random.default_rng(0).integers(0, 255, (96, 160, 3)).astype(np.uint8)
BOX = HeadBox(20.0, 10.0, 100.0, 60.0)


class Inputs(dict[str, Any]):
    """A `BatchFeature`, as far as it is used."""

    def to(self, device: torch.device) -> Inputs:
        assert device.type == "cpu"
        return self


class Processor:
    """Of either version: the second one needs no size of what the network saw."""

    def __init__(self, *, second: bool) -> None:
        self.image_processor = self
        self._second = second

    def __call__(self, images: object, input_boxes: object, return_tensors: str) -> Inputs:
        assert images is PHOTO
        assert (input_boxes, return_tensors) == ([[[20.0, 10.0, 120.0, 70.0]]], "pt")
        sizes = {"original_sizes": torch.tensor([[96, 160]])}
        return Inputs(sizes if self._second else sizes | {"reshaped_input_sizes": torch.tensor([[614, 1024]])})

    def post_process_masks(
        self, masks: torch.Tensor, original: torch.Tensor, reshaped: torch.Tensor | None = None
    ) -> list[torch.Tensor]:
        assert (reshaped is None) == self._second
        height, width = original[0].tolist()
        return [torch.nn.functional.interpolate(masks[0], size=(height, width)) > 0]


class Model:
    """Finds the left half of the photo."""

    def __call__(self, *, multimask_output: bool, **inputs: torch.Tensor) -> Any:
        assert not multimask_output
        assert "original_sizes" in inputs
        found = torch.full((1, 1, 1, 32, 32), -1.0)
        found[..., :16] = 1.0

        class Output:
            pred_masks = found

        return Output()

    def eval(self) -> Model:
        return self

    def to(self, device: torch.device) -> Model:
        assert device.type == "cpu"
        return self


@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_segmenter_is_loaded_by_its_place_on_the_hub_and_asked_by_a_box(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    second, asked = SEGMENTERS[name].second, []
    stub = ModuleType("transformers")

    class Loading:
        def __init__(self, made: object) -> None:
            self._made = made

        def from_pretrained(self, hub: str) -> object:
            asked.append(hub)
            return self._made

    kind = "Sam2" if second else "Sam"
    setattr(stub, f"{kind}Processor", Loading(Processor(second=second)))
    setattr(stub, f"{kind}Model", Loading(Model()))
    monkeypatch.setitem(sys.modules, "transformers", stub)
    engine = Engine.load(options=EngineOptions(matcher=NEAREST, masks=name, device="cpu"))
    assert engine.segmenter is not None
    mask = engine.segmenter.segment(PHOTO, BOX)
    assert asked == [SEGMENTERS[name].hub] * 2
    assert mask.shape == (96, 160)
    assert mask[:, :80].all()
    assert not mask[:, 80:].any()


def test_what_is_lacking_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="slimsam, sam2"):
        Engine.load(options=EngineOptions(matcher=NEAREST, masks="magic"))
    monkeypatch.setitem(sys.modules, "transformers", ModuleType("transformers"))
    with pytest.raises(WeightsUnavailable, match="newer transformers"):
        SegmentAnything.load("sam2", "cpu")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(WeightsUnavailable, match="pip install"):
        SegmentAnything.load("slimsam", "cpu")


class Known:
    """A segmenter that says what it is told."""

    id = "known"

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self.boxes: list[HeadBox] = []

    def segment(self, photo: Pixels, box: HeadBox) -> Mask:
        assert photo.shape[:2] == self._mask.shape
        self.boxes.append(box)
        return self._mask


def test_found_boxes_are_asked_for_without_their_margin_and_others_whole() -> None:
    found = prompt_of(PHOTO, Sighting("a", box=BOX, box_origin=BoxOrigin.FOUND))
    assert (found.x, found.y, found.w, found.h) == pytest.approx((16.0, 9.6, 128.0, 76.8))
    for one in (Sighting("a"), Sighting("a", box=BOX, box_origin=BoxOrigin.PERSON)):
        assert prompt_of(PHOTO, one) == HeadBox(0.0, 0.0, 160.0, 96.0)


def test_the_animal_stays_and_what_is_beside_it_has_no_pattern() -> None:
    mask = np.zeros((96, 160), bool)
    mask[10:86, 10:90] = True
    found = without_surroundings(PHOTO, mask)
    assert np.array_equal(found[20:76, 20:80], PHOTO[20:76, 20:80])
    assert (found[:, 92:] == found[0, 0]).all()
    assert np.array_equal(without_surroundings(PHOTO, np.ones((96, 160), bool)), PHOTO)


def test_a_mask_that_misses_the_head_is_not_believed() -> None:
    little = np.zeros((96, 160), bool)
    little[:20, :20] = True
    assert masked(PHOTO, Sighting("a"), Known(little)) is PHOTO


def test_keypoints_off_the_animal_are_gone_and_the_catalogue_remembers_it(tmp_path: Path) -> None:
    save(draw_head(3, 0, size=(320, 256)), tmp_path / "a.png")
    mask = np.zeros((256, 320), bool)
    mask[:, :160] = True
    engine = Engine.load(options=EngineOptions(matcher=NEAREST))
    catalog = Catalog.create(tmp_path / "turtles.catalog", engine.recipe)
    whole_catalog = Catalog.create(tmp_path / "whole.catalog", engine.recipe)
    enroll(whole_catalog, [Sighting(str(tmp_path / "a.png"), "T1")], engine, "Ana")
    enroll(catalog, [Sighting(str(tmp_path / "a.png"), "T1")], replace(engine, segmenter=Known(mask)), "Ana")
    [photo] = catalog.photos(GalleryFilter())
    [features] = catalog.features([photo])
    [whole] = whole_catalog.features(whole_catalog.photos(GalleryFilter()))
    assert (whole.xy[:, 0] > 190).mean() > 0.2
    assert not (features.xy[:, 0] > 190).any()
    assert Browser(catalog).photos()[0].keypoints == len(features) >= 64
    remember_masks(catalog, "slimsam", "Ana")
    assert masks_of(Catalog.open(catalog.path)) == "slimsam"
    remember_masks(catalog, "none", "Ana")
    assert masks_of(catalog) is None
