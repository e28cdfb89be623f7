"""Which LightGlue networks can be asked for by name, bundled or published by others, and what their files say of them.

Loads no network: a command that finds all pairs compared already needs the matcher's id and nothing more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from safetensors import SafetensorError, safe_open

from index.errors import WeightsCorrupt
from retrieval.matching.lightglue.config import LightGlueConfig, matcher_id, network_id
from retrieval.weight_files import PublishedFile, WeightsListing, found, listing, verify

BUNDLED = Path(str(files("retrieval") / "data"))
DEFAULT = "turtle-sift"
"""The bundled network for SIFT's keypoints."""

_RELEASE = "https://github.com/cvg/LightGlue/releases/download/v0.1_arxiv"
_XFEAT = "https://github.com/verlab/accelerated_features/raw/e92685f57f8318b18725c5c8c0bd28c7fe188d9a/weights"


@dataclass(frozen=True, slots=True)
class PublishedWeights(PublishedFile):
    """A LightGlue network that others trained; `config` holds what the shapes in the file do not say."""

    config: LightGlueConfig


def _released(name: str, sha256: str, config: LightGlueConfig | None = None) -> PublishedWeights:
    file, url = f"{name}_lightglue.pth", f"{_RELEASE}/{name}_lightglue.pth"
    return PublishedWeights(name, file, url, "Apache-2.0", f"sha256:{sha256}", config or LightGlueConfig())


PUBLISHED = (
    _released("sift", "5b52b8d9982d43532dc042606b346bb9594c9f5a4bd6f64362c63866287b4ac0"),
    _released("disk", "b5b21d47ea24f2c5e501aec9c91b9716e4c8c3429a4dc1e615c133c4c9378335"),
    _released("aliked", "d975e965b105311a6143194852297dff4f02aea5cc2e10cecfed966ca0e22503"),
    _released("superpoint", "6ff7040d0a497fc6639337946d7538dae07428c18f77a067a0b5a960e7cc551a"),
    _released(
        "doghardnet",
        "21468c1b417a1b15f83a7c3b5ae2bd5e1d7c31d392aa2732e247e7223bb4aa40",
        LightGlueConfig(depth_confidence=None, frames="kornia"),
    ),
    PublishedWeights(
        "xfeat",
        "xfeat-lighterglue.pt",
        f"{_XFEAT}/xfeat-lighterglue.pt",
        "Apache-2.0",
        "git:061e168b4d9db6b086172f247c8adcebb76d7ef8",
        LightGlueConfig(depth_confidence=None),
    ),
)


def list_weights() -> list[WeightsListing]:
    """Every matcher that can be asked for by name, bundled ones first."""
    bundled = sorted(BUNDLED.glob("*.safetensors"))
    own = [WeightsListing(file.stem, "matcher", "as turtleidx", "bundled", file) for file in bundled]
    return own + [listing(entry, "matcher") for entry in PUBLISHED]


def id_without_network(name: str) -> str | None:
    """The id of a matcher that `load_matcher` would load: of a bundled network, or of a published one that is here.

    None where only loading it tells: a local file, or weights that have to be downloaded first.

    Raises
    ------
    WeightsCorrupt
    """
    bundled = BUNDLED / f"{name}.safetensors"
    if bundled.exists():
        header = read_header(bundled)
        config = config_of(header, bundled)
        digest = hashlib.sha256(bundled.read_bytes()).hexdigest()
        return None if config is None else matcher_id(network_id(own_name(header) or name, digest), config)
    entry = next((one for one in PUBLISHED if one.name == name), None)
    path = None if entry is None else found(entry.file)
    if entry is None or path is None or not entry.checksum.startswith("sha256:"):
        return None
    verify(path, entry)
    return matcher_id(network_id(name, entry.checksum.removeprefix("sha256:")), entry.config)


def own_file(name: str) -> Path | None:
    """The file of a network that turtleidx trained, bundled or here by its path; None for all others."""
    bundled = BUNDLED / f"{name}.safetensors"
    if bundled.exists():
        return bundled
    path = Path(name)
    return path if path.suffix == ".safetensors" and path.is_file() else None


def read_header(path: Path) -> Mapping[str, str]:
    """What a safetensors file says beside its tensors. Raises WeightsCorrupt."""
    try:
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsCorrupt(f"{path} cannot be read as safetensors: {error}.") from error


def own_name(header: Mapping[str, str]) -> str:
    """Name and version in the header of an own checkpoint; empty where it has none."""
    return "-".join(filter(None, (header.get("name"), header.get("version"))))


def config_of(header: Mapping[str, str], path: Path) -> LightGlueConfig | None:
    """The configuration in the header of an own checkpoint. Raises WeightsCorrupt."""
    if "config" not in header:
        return None
    try:
        values = json.loads(header["config"])
        values.pop("filter_threshold", None)  # of earlier versions; matching has no threshold
        return LightGlueConfig(**values)
    except (AttributeError, TypeError, ValueError) as error:
        raise WeightsCorrupt(f"{path} was made by another version of turtleidx: {error}.") from error
