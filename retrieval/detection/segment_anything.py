"""Segment Anything (Kirillov et al., ICCV 2023) and SAM 2 (Ravi et al., 2024) behind the segmenter's door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from index.errors import WeightsUnavailable
from index.types import HeadBox, Pixels
from retrieval.detection.masks import Mask
from retrieval.devices import choose_device
from retrieval.weight_files import WeightsListing


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


def list_segmenters() -> list[WeightsListing]:
    """Rows of `turtleidx weights`; transformers keeps what it downloads."""
    return [
        WeightsListing(name, "segmenter", known.licence, f"https://huggingface.co/{known.hub}", None)
        for name, known in SEGMENTERS.items()
    ]
