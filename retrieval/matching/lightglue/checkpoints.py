"""Trained LightGlue networks: bundled, published ones by download, and local files.

Own checkpoints are safetensors whose header holds name, version and configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import save_file

from index.errors import WeightsCorrupt, WeightsUnavailable
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import LightGlue, LightGlueConfig
from retrieval.weights import PublishedFile, WeightsListing, cache, fetch, listing, read_state

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


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """A network with its weights; `id` names them by name, version and the beginning of the file's SHA-256."""

    id: str
    network: LightGlue


def list_weights() -> list[WeightsListing]:
    """Every matcher that can be asked for by name, bundled ones first."""
    bundled = sorted(BUNDLED.glob("*.safetensors"))
    own = [WeightsListing(file.stem, "matcher", "as turtleidx", "bundled", file) for file in bundled]
    return own + [listing(entry, "matcher") for entry in PUBLISHED]


def load_matcher(name: str, device: torch.device | None = None) -> LightGlueMatcher:
    """Matcher by the name of a bundled or published network, or by the path of a local file; downloads if need be.

    Raises
    ------
    WeightsUnavailable
        No such name or file, or the download failed.
    WeightsCorrupt
    """
    trained = load_network(name)
    return LightGlueMatcher(trained.network, trained.id, device)


def load_network(name: str) -> TrainedNetwork:
    """Network by name or path; see `load_matcher`."""
    bundled = BUNDLED / f"{name}.safetensors"
    if bundled.exists():
        return read_network(bundled)
    for entry in PUBLISHED:
        if entry.name == name:
            return read_network(fetch(entry, cache()), entry.name, entry.config)
    path = Path(name)
    if not path.is_file():
        names = ", ".join(row.name for row in list_weights())
        raise WeightsUnavailable(f"there are no weights called {name} and no such file; known names: {names}.")
    return read_network(path)


def read_network(path: Path, name: str | None = None, config: LightGlueConfig | None = None) -> TrainedNetwork:
    """Network in a local file, safetensors or a pickled state dict; `name` and `config` where the file has none.

    Raises
    ------
    WeightsCorrupt
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    state, header = read_state(path)
    config = _config_of(header, path) or config
    name = "-".join(filter(None, (header.get("name"), header.get("version")))) or name
    return TrainedNetwork(f"{name or path.stem}-{digest}", LightGlue.from_state_dict(state, config))


def save_network(path: Path, network: LightGlue, name: str, version: str, dtype: torch.dtype = torch.float16) -> None:
    """Write an own checkpoint: safetensors in `dtype` with name, version and configuration in its header."""
    header = {"name": name, "version": version, "config": json.dumps(asdict(network.config))}
    state = {key: value.detach().to("cpu", dtype).contiguous() for key, value in network.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path, metadata=header)


def _config_of(header: Mapping[str, str], path: Path) -> LightGlueConfig | None:
    if "config" not in header:
        return None
    try:
        values = json.loads(header["config"])
        values.pop("filter_threshold", None)  # of earlier versions; matching has no threshold
        return LightGlueConfig(**values)
    except (AttributeError, TypeError, ValueError) as error:
        raise WeightsCorrupt(f"{path} was made by another version of turtleidx: {error}.") from error
