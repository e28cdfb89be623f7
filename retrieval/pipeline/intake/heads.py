"""Where heads are: what a catalogue remembers about that, boxes that people draw, and heads looked for afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

from index.catalog import Browser, Catalog, network_of
from index.curation import Curator
from index.errors import PhotoRefused, PhotoUnreadable
from index.registry import ChangeReport, PhotoRecord
from index.types import BoxOrigin, HeadBox, PreparedPhoto, Progress, Refusal, Side, Sighting
from retrieval.defaults import Heads
from retrieval.engine import Engine, Extracted
from retrieval.pipeline.intake.reindexing import original

HEADS = "heads"
"""Setting of a catalogue: what becomes of photos without a box."""
FINDER = "heads"
"""Kind of the network that was trained on a catalogue's boxes."""
OWN = "own"
"""Names the finder that was trained on the catalogue's boxes, or the bundled one where there is none."""
NAMED_FINDER = "head finder"
"""Setting of a catalogue: the name of a finder that somebody chose instead of its own or the bundled one."""

MASKS, NO_MASKS = "masks", "none"
"""Setting of a catalogue: the name of a segmenter, and what forgets an earlier choice."""

BATCH = 64


def remembered_heads(catalog: Catalog) -> Heads:
    """What becomes of photos without a head box in this catalogue; those of before use them whole."""
    return Heads(catalog.setting(HEADS) or Heads.WHOLE)


def remember_heads(catalog: Catalog, heads: Heads, who: str) -> None:
    """Remember it, unless it is so already."""
    if remembered_heads(catalog) is not heads:
        catalog.set_setting(HEADS, str(heads), who)


def own_finder(catalog: Catalog) -> Path | None:
    """Weights of the finder that was trained on this catalogue's boxes; None where there is none.

    Raises CatalogDamaged where they are missing or not what was trained.
    """
    return network_of(catalog, FINDER)


def finder_of(catalog: Catalog) -> str | Path | None:
    """What finds heads in this catalogue's photos: the finder that was chosen, its own, or None for the bundled one."""
    return catalog.setting(NAMED_FINDER) or own_finder(catalog)


def remember_finder(catalog: Catalog, name: str, who: str) -> None:
    """Remember the finder of this name, unless it is so already; the name `own` forgets an earlier choice."""
    chosen = "" if name == OWN else name
    if (catalog.setting(NAMED_FINDER) or "") != chosen:
        catalog.set_setting(NAMED_FINDER, chosen, who)


def masks_of(catalog: Catalog) -> str | None:
    """What tells the animal from its surroundings in this catalogue's photos, where somebody chose that."""
    return catalog.setting(MASKS) or None


def remember_masks(catalog: Catalog, name: str, who: str) -> None:
    """Remember the segmenter of this name, unless it is so already; the name `none` forgets an earlier choice."""
    chosen = "" if name == NO_MASKS else name
    if (catalog.setting(MASKS) or "") != chosen:
        catalog.set_setting(MASKS, chosen, who)


def draw_box(
    catalog: Catalog, engine: Engine, number: int, box: HeadBox, side: Side | None, by: Curator
) -> ChangeReport:
    """Say where the head of a photo is: it is read again within the box, as one event.

    Raises
    ------
    PhotoRefused
        The original is not there, was changed, or shows too little within the box; nothing was changed.
    """
    record = Browser(catalog).photo(str(number))
    seen = Sighting(str(_unchanged(record, catalog)), side=side, box=box, box_origin=BoxOrigin.PERSON)
    found = engine.extract(seen)
    if found.photo.sha256 != record.sha256:
        raise PhotoUnreadable(f"{record.path} has changed since it was enrolled: nothing was changed.")
    [prepared] = engine.encode([found])
    return by.set_heads({record.id: prepared})


@dataclass(frozen=True, slots=True)
class HeadsReport:
    """How many heads were found in photos that had no box, and what else became of them.

    Attributes
    ----------
    waiting : int
        Photos that wait for a person now.
    untouched : int
        Heads that were cut out already.
    """

    found: int
    waiting: int
    untouched: int
    refused: tuple[Refusal, ...]


def find_heads(catalog: Catalog, engine: Engine, by: Curator, progress: Progress | None = None) -> HeadsReport:
    """Look for the heads of all photos for which nobody gave a box; each batch is one event."""
    found = waiting = untouched = 0
    refused: list[Refusal] = []
    records = [one for one in Browser(catalog).photos() if one.box is None and one.box_origin is None]
    with catalog.writing("find heads"), ThreadPoolExecutor(cpu_count()) as cores:
        for first in range(0, len(records), BATCH):
            batch = records[first : first + BATCH]
            read = engine.extract_batch([_again(one, catalog) for one in batch], cores.map)
            changed: list[tuple[int, Extracted]] = []
            for record, one in zip(batch, read, strict=True):
                if isinstance(one, PhotoRefused):
                    refused.append(Refusal(record.path, str(one)))
                elif one.sighting.box_origin is None:
                    untouched += 1
                else:
                    changed.append((record.id, one))
            found += sum(one.sighting.box is not None for _, one in changed)
            waiting += sum(one.sighting.box is None for _, one in changed)
            prepared = engine.encode([one for _, one in changed])
            _set(by, {number: photo for (number, _), photo in zip(changed, prepared, strict=True)})
            if progress:
                progress(len(batch))
    return HeadsReport(found, waiting, untouched, tuple(refused))


def _set(by: Curator, read: dict[int, PreparedPhoto]) -> None:
    if read:
        by.set_heads(read)


def _again(record: PhotoRecord, catalog: Catalog) -> Sighting:
    return Sighting(str(original(record, catalog)), side=record.side)


def _unchanged(record: PhotoRecord, catalog: Catalog) -> Path:
    path = original(record, catalog)
    if not path.is_file():
        raise PhotoUnreadable(f"{record.path} does not exist; if it was moved, use `turtleidx photos relocate`.")
    return path
