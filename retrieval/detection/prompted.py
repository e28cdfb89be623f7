"""Finders that others trained on words and pictures: they are asked for "a turtle head" and are downloaded when chosen.

They tell no side and no angle, and are slow without a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from index.errors import WeightsUnavailable
from index.types import HeadBox, Pixels
from retrieval.detection.decoding import iou
from retrieval.detection.finder import Finding, FoundHead
from retrieval.devices import choose_device
from retrieval.weight_files import WeightsListing

CUT_OUT = 0.6
"""A box that takes so much of the photo's width and height is a head that was cut out already."""
SAME = 0.5
"""Boxes that overlap by more are one head."""


@dataclass(frozen=True, slots=True)
class Prompted:
    """A published model.

    Attributes
    ----------
    hub : str
        Where it is published on the Hugging Face hub.
    prompt : str or list of str
        As its processor wants it.
    threshold : float
        Confidence over which its boxes are taken; nobody has certified it.
    """

    hub: str
    licence: str
    prompt: str | list[str]
    threshold: float


PROMPTED: Mapping[str, Prompted] = {
    "grounding-dino-tiny": Prompted("IDEA-Research/grounding-dino-tiny", "Apache-2.0", "a turtle head.", 0.4),
    "omdet-turbo": Prompted("omlab/omdet-turbo-swin-tiny-hf", "Apache-2.0", ["turtle head"], 0.4),
}


class PromptedFinder:
    """A zero-shot detector of transformers behind the finder's door.

    Parameters
    ----------
    processor, model
        As transformers' ``AutoProcessor`` and ``AutoModelForZeroShotObjectDetection`` give them.
    """

    certified = False

    def __init__(self, name: str, processor: Any, model: Any, device: torch.device) -> None:
        self.id = name
        self.threshold = PROMPTED[name].threshold
        self._prompt = PROMPTED[name].prompt
        self._processor = processor
        self._model = model
        self._device = device

    @classmethod
    def load(cls, name: str, device: str | None = None) -> PromptedFinder:
        """Download it, or take it from transformers' own cache.

        Raises
        ------
        WeightsUnavailable, DeviceUnavailable
        """
        known = PROMPTED[name]
        try:
            from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor
        except ImportError as error:
            raise WeightsUnavailable(
                f"{name} needs the package transformers, which is not there: pip install 'turtleidx[detection]'."
            ) from error
        chosen = choose_device(device)
        try:
            processor = AutoProcessor.from_pretrained(known.hub)
            model = AutoModelForZeroShotObjectDetection.from_pretrained(known.hub).eval().to(chosen)
        except (OSError, ValueError) as error:
            raise WeightsUnavailable(
                f"The weights of {name} cannot be downloaded from https://huggingface.co/{known.hub} "
                f"({str(error).splitlines()[0]}): try again with a network, or leave --head-finder out."
            ) from error
        return cls(name, processor, model, chosen)

    def find(self, photos: Sequence[Pixels]) -> list[Finding]:
        """Heads of RGB uint8 [h, w, 3] photos, one photo at a time."""
        return [self._find(photo) for photo in photos]

    @torch.inference_mode()
    def _find(self, photo: Pixels) -> Finding:
        height, width = photo.shape[:2]
        inputs = self._processor(images=photo, text=self._prompt, return_tensors="pt").to(self._device)
        [seen] = self._processor.post_process_grounded_object_detection(
            self._model(**inputs), threshold=self.threshold / 2, target_sizes=[(height, width)]
        )
        boxes, scores = seen["boxes"].float().cpu().numpy(), seen["scores"].float().cpu().numpy()
        heads: list[FoundHead] = []
        for row in scores.argsort()[::-1]:
            left, top, right, bottom = (float(value) for value in boxes[row])
            left, top, right, bottom = max(0.0, left), max(0.0, top), min(width, right), min(height, bottom)
            box = HeadBox(left, top, right - left, bottom - top)
            if box.w > 1 and box.h > 1 and all(iou(box, one.box) < SAME for one in heads):
                heads.append(FoundHead(box, float(scores[row])))
        first = heads[0].box if heads else None
        cut_out = first is not None and first.w > CUT_OUT * width and first.h > CUT_OUT * height
        return Finding(tuple(heads), cut_out)


def list_prompted() -> list[WeightsListing]:
    """Rows of `turtleidx weights`; transformers keeps what it downloads."""
    return [
        WeightsListing(name, "head finder", known.licence, f"https://huggingface.co/{known.hub}", None)
        for name, known in PROMPTED.items()
    ]
