"""Networks that were trained on a catalogue's own photos: files in its folder `models`, named by their digests.

A setting of the registry says which one is in use, so that undo goes back to the one before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from index.catalog.catalog import Catalog
from index.errors import CatalogDamaged
from index.files import replacing

MODELS = "models"
_NAME = re.compile(rf"{MODELS}/[a-z-]+-[0-9a-f]{{12}}\.safetensors")


def store_network(catalog: Catalog, kind: str, written: Path, who: str) -> Path:
    """Keep a safetensors file as the catalogue's network of a kind (lower-case letters), and use it from now on."""
    data = written.read_bytes()
    target = catalog.path / MODELS / f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}.safetensors"
    target.parent.mkdir(exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_bytes(data)
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
        raise CatalogDamaged(f"{path} is not what was trained (its digest differs): restore a backup, or train again.")
    return path


def network_problems(catalog: Catalog) -> list[str]:
    """One sentence for each network in use that is missing or damaged."""
    with catalog.reading() as session:
        kinds = [str(name).removeprefix(f"{MODELS}: ") for (name,) in session.rows(_IN_USE)]
    problems = []
    for kind in kinds:
        try:
            network_of(catalog, kind)
        except CatalogDamaged as error:
            problems.append(str(error))
    return problems


def kept_networks(folder: Path) -> Iterator[str]:
    """Names of the networks in a catalogue's folder, relative to it."""
    for path in sorted((folder / MODELS).glob("*")):
        name = path.relative_to(folder).as_posix()
        if is_network(name) and path.is_file() and not path.is_symlink():
            yield name


def is_network(name: str) -> bool:
    """Whether `store_network` could have written a file of this name."""
    return _NAME.fullmatch(name) is not None


_IN_USE = f"SELECT name FROM settings WHERE starts_with(name, '{MODELS}: ') ORDER BY name"


def _setting(kind: str) -> str:
    return f"{MODELS}: {kind}"


def _is_whole(path: Path) -> bool:
    return path.stem.endswith(hashlib.sha256(path.read_bytes()).hexdigest()[:12])
