"""Networks that were trained on a catalogue's own photos, in its folder `models`: each named by its bytes.

A file is named by the beginning of its own SHA-256, so that whatever was fitted with it can be told from what was
fitted with another, and damage is seen. Beside it lies a card for people, under the same name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from index.files import full_disk_named, sync_folder

MODELS = "models"
ENDING = ".safetensors"
_NAME = re.compile(rf"{MODELS}/[a-z0-9][a-z0-9_.-]{{0,80}}-([0-9a-f]{{12}})(?:\{ENDING}|\.md)")


def model_files(folder: Path) -> Iterator[str]:
    """Names of networks and cards in a catalogue's folder, relative to it; links and foreign files are passed over."""
    for path in sorted((folder / MODELS).glob("*")):
        name = path.relative_to(folder).as_posix()
        if is_model_file(name) and path.is_file() and not path.is_symlink() and not path.parent.is_symlink():
            yield name


def is_model_file(name: str) -> bool:
    """Whether a training could have written a file of this name."""
    return _NAME.fullmatch(name) is not None


def keep_model(folder: Path, name: str, content: bytes, card: str) -> Path:
    """Write a network and its card into a catalogue's folder, whole or not at all. Raises StorageFull.

    Parameters
    ----------
    name : str
        What it is, as in ``matcher-turtle-sift``; the digest goes behind it.
    """
    home = folder / MODELS
    with full_disk_named(home):
        home.mkdir(exist_ok=True)
        target = home / f"{name}-{_digest(content)}{ENDING}"
        for path, written in ((target.with_suffix(".md"), card.encode()), (target, content)):
            partial = path.with_name(f".{path.name}.partial")
            partial.write_bytes(written)
            partial.replace(path)
        sync_folder(home)
    return target


def damaged_models(folder: Path) -> list[str]:
    """A sentence for each network whose bytes are not those that its name tells."""
    told = []
    for name in model_files(folder):
        match = _NAME.fullmatch(name)
        if name.endswith(ENDING) and match and _digest((folder / name).read_bytes()) != match[1]:
            told.append(f"{name} has changed since it was trained: take it from a backup, or train again.")
    return told


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
