"""Trained LightGlue networks: bundled, published ones by download, and local files.

Own checkpoints are safetensors whose header holds name, version and configuration.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from index.errors import WeightsUnavailable
from retrieval.matching.lightglue.config import LightGlueConfig, network_id
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.published import BUNDLED, PUBLISHED, config_of, list_weights, own_name
from retrieval.weight_files import cache
from retrieval.weights import fetch, read_state


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """A network with its weights; `id` names them by name, version and the beginning of the file's SHA-256."""

    id: str
    network: LightGlue


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
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    state, header = read_state(path)
    config = config_of(header, path) or config
    name = own_name(header) or name
    return TrainedNetwork(network_id(name or path.stem, digest), LightGlue.from_state_dict(state, config))


def save_network(path: Path, network: LightGlue, name: str, version: str, dtype: torch.dtype = torch.float16) -> None:
    """Write an own checkpoint, see `network_bytes`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(network_bytes(network, name, version, dtype))


def network_bytes(network: LightGlue, name: str, version: str, dtype: torch.dtype = torch.float16) -> bytes:
    """An own checkpoint: safetensors in `dtype` with name, version and configuration in its header."""
    header = {"name": name, "version": version, "config": json.dumps(asdict(network.config))}
    state = {key: value.detach().to("cpu", dtype).contiguous() for key, value in network.state_dict().items()}
    content: bytes = save(state, metadata=header)
    return content
