"""Small networks in the files that turtleidx writes, read without torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from index.errors import WeightsCorrupt
from index.types import Float32
from retrieval.matching.lightglue.config import LightGlueConfig, network_id
from retrieval.matching.lightglue.published import config_of, own_file, own_name, read_header
from retrieval.matching.lightglue.shapes import recognised
from retrieval.matching.lightglue.small.matcher import SmallMatcher
from retrieval.matching.lightglue.small.network import SmallNetwork

WIDEST = 128
"""Channels up to which a network is small: wider ones gain more from torch's bfloat16 than its import costs."""

READABLE = ("F16", "F32", "F64")
"""Types of numbers that NumPy has."""


def load_small_matcher(name: str) -> SmallMatcher | None:
    """The matcher of a bundled network, or of a local file that turtleidx wrote, where the network is a small one.

    None for all others, which are torch's.

    Raises
    ------
    WeightsCorrupt
    """
    path = own_file(name)
    if path is None:
        return None
    header = read_header(path)
    said = config_of(header, path)
    arrays = None if said is None or not is_small(said) else _read(path)
    if arrays is None:
        return None
    state, config = recognised(arrays, said)
    if not is_small(config):
        return None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return SmallMatcher(SmallNetwork(state, config), network_id(own_name(header) or path.stem, digest))


def is_small(config: LightGlueConfig) -> bool:
    """Whether a network computes as fast without torch: narrow, without early exit."""
    return config.depth_confidence is None and config.descriptor_dim <= WIDEST


def _read(path: Path) -> dict[str, Float32] | None:
    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
            if any(file.get_slice(name).get_dtype() not in READABLE for name in names):
                return None
            return {name: file.get_tensor(name).astype(np.float32) for name in names}
    except (SafetensorError, OSError) as error:
        raise WeightsCorrupt(f"{path} cannot be read as safetensors: {error}.") from error
