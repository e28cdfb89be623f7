"""Networks that were trained on a catalogue's own photos: files in its folder `models`, each named by its bytes.

A file is named by the beginning of its own SHA-256, so that whatever was fitted with it can be told from what was
fitted with another, and damage is seen; a card for people may lie beside it under the same name. Where a kind of
network is in use by itself, a setting of the registry says which one, so that undo goes back to the one before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from index.catalog.catalog import Catalog
from index.errors import CatalogDamaged
from index.files import full_disk_named, replacing

MODELS = "models"
ENDING = ".safetensors"
LONGEST = 80
_NAME = re.compile(rf"{MODELS}/[a-z0-9][a-z0-9_.-]{{0,80}}-([0-9a-f]{{12}})(?:\{ENDING}|\.md)")
_IN_USE = f"SELECT name FROM settings WHERE starts_with(name, '{MODELS}: ') ORDER BY name"


def keep_network(folder: Path, name: str, content: bytes, card: str = "") -> Path:
    """Write a network, and its card, into a catalogue's folder, each whole or not at all. Raises StorageFull.

    Parameters
    ----------
    name : str
        What it is, as in ``matcher-turtle-sift``; all but lower-case letters, numbers and dots becomes dashes, so that
        backups know the file.
    """
    plain = re.sub(r"[^a-z0-9.]+", "-", name.lower())[:LONGEST].strip("-.")
    target = folder / MODELS / f"{plain}-{_digest(content)}{ENDING}"
    with full_disk_named(target.parent):
        target.parent.mkdir(exist_ok=True)
        for path, written in ((target.with_suffix(".md"), card.encode()), (target, content)):
            if written:
                with replacing(path) as temporary:
                    temporary.write_bytes(written)
    return target


def store_network(catalog: Catalog, kind: str, written: Path, who: str) -> Path:
    """Keep a safetensors file as the catalogue's network of a kind (lower-case letters), and use it from now on."""
    target = keep_network(catalog.path, kind, written.read_bytes())
    catalog.set_setting(_setting(kind), target.name, who)
    return target


def network_of(catalog: Catalog, kind: str) -> Path | None:
    """The file of the network of a kind that is in use; None where none was trained.

    Raises
    ------
    CatalogDamaged
        It is not there, or is not what was written.
    """
    name = catalog.setting(_setting(kind))
    if name is None:
        return None
    path = catalog.path / MODELS / name
    if not path.is_file():
        raise CatalogDamaged(
            f"{path}, which was trained on this catalogue, is missing: restore a backup, or undo its training "
            "(`turtleidx history` names the event)."
        )
    if not _is_whole(path):
        raise CatalogDamaged(_changed(path))
    return path


def network_problems(catalog: Catalog) -> list[str]:
    """One sentence for each network that has changed, and for each one in use that is missing."""
    changed = [catalog.path / name for name in kept_networks(catalog.path) if name.endswith(ENDING)]
    problems = [_changed(path) for path in changed if not _is_whole(path)]
    with catalog.reading() as session:
        kinds = [str(name).removeprefix(f"{MODELS}: ") for (name,) in session.rows(_IN_USE)]
    for kind in kinds:
        try:
            network_of(catalog, kind)
        except CatalogDamaged as error:
            problems.append(str(error))
    return list(dict.fromkeys(problems))


def kept_networks(folder: Path) -> Iterator[str]:
    """Names of networks and cards in a catalogue's folder, relative to it; links and foreign files are passed over."""
    for path in sorted((folder / MODELS).glob("*")):
        name = path.relative_to(folder).as_posix()
        if is_network(name) and path.is_file() and not path.is_symlink() and not path.parent.is_symlink():
            yield name


def is_network(name: str) -> bool:
    """Whether a training could have written a file of this name."""
    return _NAME.fullmatch(name) is not None


def _setting(kind: str) -> str:
    return f"{MODELS}: {kind}"


def _changed(path: Path) -> str:
    return f"{path} has changed since it was trained (its digest differs): restore a backup, or train again."


def _is_whole(path: Path) -> bool:
    return path.stem.endswith(_digest(path.read_bytes()))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
