"""How often the right turtle is among the first photos of a search, by encoder, on a manifest with a role column.

Every photo of role known asks the gallery's photos of its side. Counts whether a photo of its turtle is within a share
of them, what a descriptor costs, and ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import faiss
import numpy as np
from rich.console import Console
from rich.table import Table

from index.errors import PhotoRefused
from index.exchange import ManifestRow, read_manifest
from index.types import Descriptor, Float32
from index.vectors import probes
from index.visual_words import VotePart
from retrieval.encoders import Encoder
from retrieval.engine import Engine, EngineOptions, Extracted

SHARES = (0.02, 0.05, 0.10, 0.25)


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Photos of one role that can be compared."""

    rows: Sequence[ManifestRow]
    photos: Sequence[Extracted]


@dataclass(frozen=True, slots=True)
class Found:
    """What one encoder found.

    Attributes
    ----------
    recall : tuple of float
        By `SHARES`.
    top1 : float
        The first photo is of the right turtle.
    encode_ms, ask_ms : float
        CPU time to describe a gallery photo, and to describe and compare a query.
    size : int
        Bytes of a descriptor.
    """

    encoder: str
    recall: tuple[float, ...]
    top1: float
    encode_ms: float
    ask_ms: float
    size: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--encoder", nargs="+", default=["vlad", "words"])
    parser.add_argument(
        "--as-in",
        type=int,
        nargs="*",
        default=[100_000, 1_000_000],
        help="votes counted as thoroughly as in galleries of so many photos",
    )
    parser.add_argument("--quick", action="store_true", help="every fourth photo")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    faiss.omp_set_num_threads(1)  # threads that wait for each other count as busy
    every = 4 if options.quick else 1
    engine = [Engine.load(options=EngineOptions(encoder=name)) for name in options.encoder]
    gallery, known = (read(options.manifest, role, engine[0], every) for role in ("gallery", "known"))
    found = []
    for one in engine:
        found.append(measure(one.encoder, gallery, known))
        if one.encoder.votes:
            found += [measure(one.encoder, gallery, known, photos) for photos in options.as_in]
    Console(width=120).print(table(found, gallery, known))
    shares = [f"recall_at_{share:.0%}" for share in SHARES]
    print(json.dumps({one.encoder: dict(zip(shares, one.recall, strict=True)) | {"top1": one.top1} for one in found}))


def read(manifest: Path, role: str, engine: Engine, every: int = 1) -> Read:
    """The photos of a role that can be compared, every so many-th turtle."""
    rows = [row for row in read_manifest(manifest, [role]) if isinstance(row, ManifestRow)]
    turtles = sorted({str(row.sighting.turtle) for row in rows})[::every]
    rows = [row for row in rows if row.sighting.turtle in turtles]
    found = engine.extract_batch([row.sighting for row in rows])
    pairs = [(row, one) for row, one in zip(rows, found, strict=True) if not isinstance(one, PhotoRefused)]
    return Read([row for row, _ in pairs], [one for _, one in pairs])


def measure(encoder: Encoder, gallery: Read, known: Read, as_in: int | None = None) -> Found:
    """Ask with every known photo, as thoroughly as in a gallery of so many photos."""
    started = time.process_time()
    described = encode(encoder, gallery.photos)
    encoded = time.process_time()
    own = encode(encoder, known.photos)
    sides = np.array([str(row.sighting.side) for row in gallery.rows])
    turtles = np.array([row.sighting.turtle for row in gallery.rows])
    parts = {side: np.flatnonzero(sides == side) for side in set(sides)}
    similar = {side: similarity(encoder, described[rows], as_in) for side, rows in parts.items()}
    hits, first = [], []
    asked = time.process_time()
    for row, photo, descriptor in zip(known.rows, known.photos, own, strict=True):
        rows = parts.get(str(row.sighting.side), np.zeros(0, np.int64))
        if not len(rows):
            continue
        near = similar[str(row.sighting.side)](encoder.probe(photo.features, descriptor))
        right = (turtles[rows] == row.sighting.turtle)[np.argsort(-near, kind="stable")]
        place = int(right.argmax()) if right.any() else len(right)
        hits.append([place < max(1, round(share * len(rows))) for share in SHARES])
        first.append(place == 0)
    ended = time.process_time()
    return Found(
        encoder.id if as_in is None else f"{encoder.id} as in {as_in:,}",
        tuple(float(share) for share in np.mean(hits, axis=0)),
        float(np.mean(first)),
        1000 * (encoded - started) / len(gallery.rows),
        1000 * (ended - asked) / len(hits),
        described[0].nbytes,
    )


def encode(encoder: Encoder, photos: Sequence[Extracted]) -> Descriptor:
    return encoder.encode([one.photo.pixels for one in photos], [one.features for one in photos])


def similarity(encoder: Encoder, described: Descriptor, as_in: int | None = None) -> Callable[[Descriptor], Float32]:
    """From a query to its similarities to a gallery, float32 [n]."""
    if encoder.votes:
        part = VotePart.of(np.arange(len(described)), described)
        words = None if as_in is None else probes(as_in * part.lists.ntotal // len(part))
        return lambda asked: part.similarity(asked, words=words)
    return lambda asked: np.asarray(described @ asked, np.float32)


def table(found: Sequence[Found], gallery: Read, known: Read) -> Table:
    """All that was measured, for people."""
    shown = Table(title=f"{len(gallery.rows)} photos in the gallery, {len(known.rows)} of its turtles asked about")
    for name in ("encoder", *(f"{share:.0%}" for share in SHARES), "top-1", "encode ms", "ask ms", "bytes"):
        shown.add_column(name, justify="left" if name == "encoder" else "right")
    for one in found:
        shown.add_row(
            one.encoder,
            *(f"{share:.3f}" for share in one.recall),
            *(f"{one.top1:.3f}", f"{one.encode_ms:.1f}", f"{one.ask_ms:.1f}", str(one.size)),
        )
    return shown


if __name__ == "__main__":
    main()
