"""Files of weights that others published: found on this machine or downloaded, verified, and read without running them.

Pickled files are read with torch's `weights_only`, never otherwise.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from index.errors import WeightsCorrupt, WeightsUnavailable
from retrieval.weight_files import PublishedFile, cache, found, verify


def fetch(entry: PublishedFile, folder: Path) -> Path:
    """Published file in `folder`, downloaded with progress if it is not there, checksum verified.

    Raises
    ------
    WeightsUnavailable
        The download failed; the message says where to put the file by hand.
    WeightsCorrupt
    """
    path = folder / entry.file
    if not path.exists() and folder == cache() and (borne := found(entry.file)) is not None:
        verify(borne, entry)
        return borne
    if not path.exists():
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(entry.url, str(partial), progress=sys.stderr.isatty())
            verify(partial, entry)
            partial.replace(path)
        except OSError as error:
            raise WeightsUnavailable(
                f"the {entry.name} weights could not be downloaded ({error}): "
                f"put {entry.url} by hand at {path} and try again."
            ) from error
        finally:
            with contextlib.suppress(OSError):  # what went wrong before is what matters
                partial.unlink(missing_ok=True)
    else:
        verify(path, entry)
    return path


def read_state(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """Tensors float32 by name, and the header, of a local safetensors file or pickled state dict.

    Some training programs wrap the state dict in another one, beside their own notes; it is unwrapped.

    Raises
    ------
    WeightsUnavailable, WeightsCorrupt
    """
    if not path.is_file():
        raise WeightsUnavailable(f"There is no weights file {path}.")
    return _read_safetensors(path) if path.suffix == ".safetensors" else (_read_pickled(path), {})


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name).float() for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsCorrupt(f"{path} cannot be read as safetensors: {error}.") from error


def _read_pickled(path: Path) -> dict[str, Tensor]:
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, KeyError, EOFError, OSError) as error:
        raise WeightsCorrupt(f"{path} cannot be read as plain weights; nothing else is read from it.") from error
    inner = (stored.get(name) for name in ("extractor", "state_dict")) if isinstance(stored, dict) else ()
    state = next((one for one in inner if isinstance(one, dict)), stored)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsCorrupt(f"{path} holds something else than the weights of one network.")
    return {name: value.float() for name, value in state.items()}
