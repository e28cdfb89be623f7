"""The finder that comes with turtleidx: a frozen EfficientNet-Lite0 and small networks of our own, averaged."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from index.errors import WeightsCorrupt
from index.types import Float32, Pixels
from retrieval.detection.backbone import STRIDE, Backbone, Levels
from retrieval.detection.decoding import heads_in
from retrieval.detection.finder import Finding, FoundHead
from retrieval.detection.looks import TINY, nearer, steadied, wants_steadying, window_about
from retrieval.detection.network import HeadNetwork, Predictions, mirrored_back
from retrieval.devices import choose_device, side_by_side
from retrieval.encoders import LITE0
from retrieval.weight_files import WeightsListing, listing
from retrieval.weights import read_state

BUNDLED = "turtle-heads"


def bundled_weights() -> Path:
    """The file that comes with turtleidx."""
    return Path(__file__).parents[1] / "data" / "detection" / f"{BUNDLED}.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class StoredFinder:
    """What a finder's file holds: `retrieval.training.detector` writes it."""

    networks: list[HeadNetwork]
    threshold: float
    certified: bool


def read_finder(path: Path) -> StoredFinder:
    """Read a finder's file. Raises WeightsUnavailable, WeightsCorrupt."""
    state, header = read_state(path)
    try:
        networks = [HeadNetwork() for _ in range(int(header["networks"]))]
        for number, network in enumerate(networks):
            own = {name.split(".", 1)[1]: one for name, one in state.items() if name.startswith(f"{number}.")}
            network.load_state_dict(own)
        return StoredFinder(networks, float(header["threshold"]), header["certified"] == "yes")
    except (KeyError, ValueError, RuntimeError) as error:
        raise WeightsCorrupt(f"{path} does not hold the networks of a head finder.") from error


def list_finders() -> list[WeightsListing]:
    """The bundled networks, and the backbone under them."""
    own = WeightsListing(BUNDLED, "head finder", "as turtleidx", "bundled", bundled_weights())
    return [own, listing(LITE0, "head finder")]


AREA = 672 * 448
"""Pixels that a photo is brought to, whatever its shape."""
FLATTEST = 4.0
"""Longer panoramas are squeezed."""
FAR_AREA = round(AREA * 0.6**2)
"""Of a second look from farther away, whose boxes are averaged with the first ones."""
CUT_OUT, FILLS, FILLS_SURELY = 0.2, 0.5, 0.3
"""A photo is a head that was cut out when the networks say so with this probability, or when its surest head takes
more than this part of its width and of its height and is so sure."""


def size_for(width: int, height: int, area: int = AREA) -> tuple[int, int]:
    """Width and height, multiples of the backbone's stride, at which a photo of this size is looked at."""
    ratio = min(max(width / height, 1 / FLATTEST), FLATTEST)
    wide = (area * ratio) ** 0.5
    return max(1, round(wide / STRIDE)) * STRIDE, max(1, round(wide / ratio / STRIDE)) * STRIDE


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The photo at another (width, height), free of aliases."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    image = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]  # a copy, because photos may be read-only
    small = F.interpolate(image, size=(size[1], size[0]), mode="bilinear", antialias=True)
    return np.ascontiguousarray(small[0].permute(1, 2, 0).numpy())


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """What the networks say together of one photo: probabilities [h, w], distances [4, h, w], snout [2, h, w]."""

    heat: Float32
    reach: Float32
    right: Float32
    snout: Float32
    cut_out: float


class SmallHeadFinder:
    """Frozen backbone, own networks.

    Parameters
    ----------
    name : str
        Of the weights.
    certified : bool
        Whether `threshold` was set on photos whose boxes people drew.
    """

    BATCH = 8

    def __init__(
        self,
        backbone: Backbone,
        networks: Sequence[HeadNetwork],
        name: str,
        threshold: float,
        *,
        certified: bool = False,
    ) -> None:
        self.backbone = backbone
        self.networks = [one.eval().to(backbone.device) for one in networks]
        self.id = name
        self.threshold = threshold
        self.certified = certified

    @classmethod
    def load(cls, path: Path | None = None, device: str | None = None) -> SmallHeadFinder:
        """The bundled finder, or one that `turtleidx train detector` wrote.

        Raises
        ------
        WeightsUnavailable
            The backbone is not on this machine and cannot be downloaded, or `path` is not there.
        WeightsCorrupt
        """
        if path is None:
            return cls.load(bundled_weights(), device)
        read = read_finder(path)
        name = f"{path.stem}#{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        return cls(Backbone(choose_device(device)), read.networks, name, read.threshold, certified=read.certified)

    def find(self, photos: Sequence[Pixels]) -> list[Finding]:
        """Heads, and whether the photo is one, of RGB uint8 [h, w, 3] photos of any size.

        Photos that are no cut-out heads are looked at again from nearer where the surest head is tiny, and from farther
        away where it is very large or not very sure.
        """
        found = self._look(photos, AREA)
        again = [row for row, one in enumerate(found) if one.heads and not one.cut_out]
        near = [row for row in again if found[row].heads[0].box.w < TINY * photos[row].shape[1]]
        windows = [window_about(found[row].heads[0].box, photos[row]) for row in near]
        parts = [photos[row][rows, columns] for row, (rows, columns) in zip(near, windows, strict=True)]
        for row, window, seen in zip(near, windows, self._look(parts, AREA), strict=True):
            found[row] = nearer(found[row], seen, window)
        far = [row for row in again if row not in near and wants_steadying(found[row].heads[0], photos[row])]
        for row, seen in zip(far, self._look([photos[row] for row in far], FAR_AREA), strict=True):
            found[row] = steadied(found[row], seen)
        return found

    def _look(self, photos: Sequence[Pixels], area: int) -> list[Finding]:
        """One look at each photo, brought to so many pixels."""
        sizes = [size_for(one.shape[1], one.shape[0], area) for one in photos]
        on_cpu = self.backbone.device.type == "cpu"
        most = 1 if on_cpu else self.BATCH  # cores do best with a photo each
        batches: list[list[int]] = []
        for size in sorted(set(sizes)):
            rows = [row for row, one in enumerate(sizes) if one == size]
            batches += [rows[start : start + most] for start in range(0, len(rows), most)]

        def look(batch: Sequence[int]) -> list[Finding]:
            size = sizes[batch[0]]
            levels = self.backbone.levels([resized(photos[row], size) for row in batch])
            seen = averaged(self.networks, levels)
            return [self._finding(one, photos[row], size) for row, one in zip(batch, seen, strict=True)]

        looked = side_by_side(look, batches, torch.get_num_threads() if on_cpu else 1)
        found = dict(zip(chain.from_iterable(batches), chain.from_iterable(looked), strict=True))
        return [found[row] for row in range(len(photos))]

    def _finding(self, seen: Averaged, photo: Pixels, size: tuple[int, int]) -> Finding:
        scale = photo.shape[1] / size[0], photo.shape[0] / size[1]
        heads = heads_in(seen.heat, seen.reach, seen.right, seen.snout, scale)
        return Finding(tuple(heads), seen.cut_out > CUT_OUT or (bool(heads) and _fills(heads[0], photo)))


def _fills(head: FoundHead, photo: Pixels) -> bool:
    height, width = photo.shape[:2]
    large = head.box.w > FILLS * width and head.box.h > FILLS * height
    return bool(large and head.confidence > FILLS_SURELY)


@torch.inference_mode()
def averaged(networks: Sequence[HeadNetwork], levels: Levels) -> list[Averaged]:
    """Each photo as all networks see it, and see it mirrored."""
    joined = [network.joined(levels) for network in networks]
    seen = [network.predict(one) for network, one in zip(networks, joined, strict=True)]
    seen += [mirrored_back(network.predict(one.flip(-1))) for network, one in zip(networks, joined, strict=True)]
    return [_together(seen, row) for row in range(len(levels.middle))]


def _together(seen: Sequence[Predictions], row: int) -> Averaged:
    heat = torch.stack([one.heat[row].sigmoid() for one in seen])
    share = heat / heat.sum(0).clamp(min=1e-9)
    reach = torch.stack([one.reach[row].exp() for one in seen])
    right = torch.stack([one.right[row].sigmoid() for one in seen])
    snout = torch.stack([F.normalize(one.snout[row], dim=0) for one in seen])
    cut_out = torch.stack([one.cut_out[row].sigmoid() for one in seen]).mean()
    parts = (heat.mean(0), (reach * share[:, None]).sum(0), (right * share).sum(0), (snout * share[:, None]).sum(0))
    on_host = [one.cpu().numpy() for one in parts]
    return Averaged(on_host[0], on_host[1], on_host[2], on_host[3], float(cut_out))
