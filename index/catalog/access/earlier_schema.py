"""Registries of an earlier schema: brought up to date where they lie, or read from a copy where they may not change."""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path

from index.catalog.access.writer_lock import WriterLock
from index.errors import CatalogReadOnly
from index.files import OnStep
from index.registry import Registry


def bring_up_to_date(folder: Path, registry: Registry, on_step: OnStep) -> tuple[Registry, str | None]:
    """The registry in this version's form, and what people should know about it.

    A copy of it is set aside first. Where the folder may only be read, a copy that lasts as long as the registry object
    is brought up to date instead, and whatever would change the catalogue is refused by its lock as always.
    """
    if registry.version() == registry.current_version:
        return registry, None
    try:
        with WriterLock(folder).holding("migrate"):
            registry.set_aside()
            registry.migrate()
            return registry, None
    except CatalogReadOnly:
        return _copy_of(registry, on_step), (
            f"{folder} was made by an earlier turtleidx and may not be changed: a copy of its registry is read in "
            "this version's form, and the folder stays as it is."
        )


def _copy_of(registry: Registry, on_step: OnStep) -> Registry:
    place = tempfile.TemporaryDirectory(prefix="turtleidx-")
    copy = Registry(Path(place.name) / registry.path.name, on_step)
    weakref.finalize(copy, place.cleanup)
    registry.copy(copy.path)
    copy.migrate()
    return copy
