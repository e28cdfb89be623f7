"""Zero-shot detectors behind the finder's door, on stubs of what transformers' processors give."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from index.errors import WeightsUnavailable
from index.types import HeadBox
from retrieval.defaults import Heads
from retrieval.detection import PROMPTED, PromptedFinder
from retrieval.engine import NEAREST, Engine, EngineOptions

PHOTO = np.zeros((100, 200, 3), np.uint8)


class Inputs(dict[str, Any]):
    """A `BatchFeature`, as far as it is used."""

    def to(self, device: torch.device) -> Inputs:
        assert device.type == "cpu"
        return self


class Processor:
    """Says what it is told to, and remembers what it was asked."""

    def __init__(self, boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> None:
        self._found = {"boxes": torch.tensor(boxes).reshape(-1, 4), "scores": torch.tensor(scores)}
        self.asked: list[object] = []

    def __call__(self, images: object, text: object, return_tensors: str) -> Inputs:
        assert images is PHOTO
        assert return_tensors == "pt"
        self.asked.append(text)
        return Inputs(pixel_values=torch.zeros(1))

    def post_process_grounded_object_detection(
        self, outputs: object, threshold: float, target_sizes: list[tuple[int, int]]
    ) -> list[dict[str, torch.Tensor]]:
        assert outputs == "seen"
        assert target_sizes == [(100, 200)]
        kept = self._found["scores"] > threshold
        return [{name: value[kept] for name, value in self._found.items()}]


def model(**inputs: torch.Tensor) -> str:
    assert set(inputs) == {"pixel_values"}
    return "seen"


def finder(boxes: Sequence[Sequence[float]], scores: Sequence[float], name: str = "grounding-dino-tiny") -> Any:
    return PromptedFinder(name, Processor(boxes, scores), model, torch.device("cpu"))


def test_boxes_come_surest_first_within_the_photo_and_once() -> None:
    boxes = [[10, 10, 50, 40], [-5, 20, 30, 120], [12, 11, 52, 41], [150, 50, 190, 90]]
    [found] = finder(boxes, [0.3, 0.5, 0.9, 0.1]).find([PHOTO])
    assert [round(head.confidence, 1) for head in found.heads] == [0.9, 0.5]
    assert found.heads[0].box == HeadBox(12.0, 11.0, 40.0, 30.0)
    assert found.heads[1].box == HeadBox(0.0, 20.0, 30.0, 80.0)
    assert found.heads[0].side is None
    assert not found.cut_out


def test_a_head_that_fills_the_photo_was_cut_out_and_nothing_is_nothing() -> None:
    [full] = finder([[5, 5, 190, 95]], [0.8]).find([PHOTO])
    assert full.cut_out
    [empty] = finder([], []).find([PHOTO])
    assert empty.heads == ()
    assert not empty.cut_out


@pytest.mark.parametrize("name", PROMPTED)
def test_each_is_asked_in_its_own_words(name: str) -> None:
    asked = finder([], [], name)
    asked.find([PHOTO])
    assert asked._processor.asked == [PROMPTED[name].prompt]
    assert asked.id == name


def stubbed(monkeypatch: pytest.MonkeyPatch, **contents: object) -> None:
    stub = ModuleType("transformers")
    for name, value in contents.items():
        setattr(stub, name, value)
    monkeypatch.setitem(sys.modules, "transformers", stub)


def test_it_is_loaded_by_its_place_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Loaded:
        @classmethod
        def from_pretrained(cls, hub: str) -> Any:
            asked.append(hub)
            return torch.nn.Identity()

    stubbed(monkeypatch, AutoProcessor=Loaded, AutoModelForZeroShotObjectDetection=Loaded)
    options = EngineOptions(matcher=NEAREST, heads=Heads.AUTO, head_finder="omdet-turbo", device="cpu")
    loaded = Engine.load(options=options).locator.finder
    assert loaded is not None
    assert loaded.id == "omdet-turbo"
    assert asked == [PROMPTED["omdet-turbo"].hub] * 2


def test_without_the_package_or_a_network_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(WeightsUnavailable, match="pip install"):
        PromptedFinder.load("grounding-dino-tiny")

    class Unreachable:
        @classmethod
        def from_pretrained(cls, hub: str) -> Any:
            raise OSError(f"We couldn't connect to {hub}")

    stubbed(monkeypatch, AutoProcessor=Unreachable, AutoModelForZeroShotObjectDetection=Unreachable)
    with pytest.raises(WeightsUnavailable, match="cannot be downloaded"):
        PromptedFinder.load("grounding-dino-tiny", "cpu")
