"""Masks of heads: what a downloaded segmenter says is not the animal becomes one flat colour, which has no keypoints.

All that looks at the working image, the second expert and simulated views too, then sees the animal alone. Segment
Anything (Kirillov et al., ICCV 2023) and SAM 2 (Ravi et al., 2024) are asked by the head's box.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch

from index.errors import WeightsUnavailable
from index.types import BoxOrigin, HeadBox, Pixels, Sighting
from retrieval.detection.locating import MARGIN
from retrieval.devices import choose_device
from retrieval.weight_files import WeightsListing

Mask = npt.NDArray[np.bool_]

LEAST = 0.2
"""A mask that holds less of its box has missed the head, and is not believed."""
SOFT = 0.01
"""Blur of a mask's edge, as part of the photo's longest side."""


class Segmenter(Protocol):
    """Says which pixels are the animal in a box."""

    @property
    def id(self) -> str:
        """Names the method and its weights."""

    def segment(self, photo: Pixels, box: HeadBox) -> Mask:
        """Bool [h, w] of an RGB photo uint8 [h, w, 3] and a box in its pixels."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published model, and whether it is one of SAM 2."""

    hub: str
    licence: str
    second: bool


SEGMENTERS: Mapping[str, Published] = {
    "slimsam": Published("nielsr/slimsam-50-uniform", "Apache-2.0", second=False),
    "sam2": Published("facebook/sam2.1-hiera-tiny", "Apache-2.0", second=True),
}


class SegmentAnything:
    """A model of the Segment Anything family from transformers, asked by a box.

    Parameters
    ----------
    processor, model
        As transformers' ``SamProcessor`` and ``SamModel`` give them, or those of SAM 2.
    """

    def __init__(self, name: str, processor: Any, model: Any, device: torch.device, *, second: bool) -> None:
        self.id = name
        self._processor, self._model, self._device, self._second = processor, model, device, second

    @classmethod
    def load(cls, name: str, device: str | None = None) -> SegmentAnything:
        """Download it, or take it from transformers' own cache.

        Raises
        ------
        WeightsUnavailable, DeviceUnavailable
        """
        known = SEGMENTERS[name]
        try:
            import transformers
        except ImportError as error:
            raise WeightsUnavailable(
                f"{name} needs the package transformers, which is not there: pip install 'turtleidx[detection]'."
            ) from error
        chosen = choose_device(device)
        kind = "Sam2" if known.second else "Sam"
        try:
            processor = getattr(transformers, f"{kind}Processor").from_pretrained(known.hub)
            model = getattr(transformers, f"{kind}Model").from_pretrained(known.hub).eval().to(chosen)
        except (AttributeError, ImportError) as error:
            raise WeightsUnavailable(
                f"{name} needs a newer transformers: pip install --upgrade 'turtleidx[detection]'."
            ) from error
        except (OSError, ValueError) as error:
            raise WeightsUnavailable(
                f"The weights of {name} cannot be downloaded from https://huggingface.co/{known.hub} "
                f"({str(error).splitlines()[0]}): try again with a network, or use --masks none."
            ) from error
        return cls(name, processor, model, chosen, second=known.second)

    @torch.inference_mode()
    def segment(self, photo: Pixels, box: HeadBox) -> Mask:
        """Bool [h, w]."""
        corners = [box.x, box.y, box.x + box.w, box.y + box.h]
        inputs = self._processor(images=photo, input_boxes=[[corners]], return_tensors="pt")
        seen = self._model(**inputs.to(self._device), multimask_output=False).pred_masks.cpu()
        sizes = [inputs["original_sizes"].cpu()]
        if self._second:
            [masks] = self._processor.post_process_masks(seen, *sizes)
        else:
            sizes.append(inputs["reshaped_input_sizes"].cpu())
            [masks] = self._processor.image_processor.post_process_masks(seen, *sizes)
        found: Mask = masks.reshape(-1, *photo.shape[:2])[0].numpy().astype(bool)
        return found


def masked(photo: Pixels, sighting: Sighting, segmenter: Segmenter) -> Pixels:
    """The working image of a sighting without what is not the animal; as it was where the mask is not believed."""
    box = prompt_of(photo, sighting)
    mask = segmenter.segment(photo, box)
    top, left = int(box.y), int(box.x)
    within = mask[top : top + max(1, round(box.h)), left : left + max(1, round(box.w))]
    return photo if within.mean() < LEAST else without_surroundings(photo, mask)


def prompt_of(photo: Pixels, sighting: Sighting) -> HeadBox:
    """Where the head lies in a working image: found boxes were enlarged, others are the head's own."""
    height, width = photo.shape[:2]
    share = 1 / MARGIN if sighting.box_origin is BoxOrigin.FOUND else 1.0
    wide, high = width * share, height * share
    return HeadBox((width - wide) / 2, (height - high) / 2, wide, high)


def without_surroundings(photo: Pixels, mask: Mask) -> Pixels:
    """The photo uint8 [h, w, 3] with the mean colour of the animal where the mask is False, and a soft edge between.

    Only what is quite flat has no keypoints: extractors raise the contrast of what is nearly so.
    """
    if mask.all():
        return photo
    colour = photo[mask].mean(axis=0, dtype=np.float32)
    sigma = max(1.0, SOFT * max(mask.shape))
    within = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)
    share = np.clip(2 * within - 1, 0, 1)[..., None]  # soft on the animal's side, so that nothing else shines through
    share[cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=round(3 * sigma)) > 0] = 1
    return np.asarray(np.round(share * photo + (1 - share) * colour), np.uint8)


def list_segmenters() -> list[WeightsListing]:
    """Rows of `turtleidx weights`; transformers keeps what it downloads."""
    return [
        WeightsListing(name, "segmenter", known.licence, f"https://huggingface.co/{known.hub}", None)
        for name, known in SEGMENTERS.items()
    ]
