"""Catalogues of ten thousand to a million photos: shortlist by votes, and the whole query.

Features are those of drawn heads, enrolled once and shown again and again under new ids; each grown photo has the words
and codes of random enrolled keypoints, with parts of them taken from others. Each query is asked twice: what the first
touch of a candidate costs, whose further features are found then and kept, is told apart from a warm query. Ends with
one line of JSON; a figure that was not measured is null.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import faiss
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.indexing.enlarged_catalog import grow
from benchmarks.indexing.vector_index_figures import Timed, timed
from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.catalog.catalog import VECTORS
from index.exchange import ManifestRow, read_manifest
from index.types import GalleryFilter, Side, Sighting, UInt8
from index.vectors import Selection
from index.visual_words import SLOT_BYTES, VotingIndex
from index.visual_words.signature import unpacked
from retrieval.engine import Engine, EngineOptions
from retrieval.images import from_manifest
from retrieval.novelty import CatalogModel, DecisionPolicy
from retrieval.pipeline import enroll
from retrieval.pipeline.identification import identify
from synthetic.samples import write_samples

BLOCK = 20_000
CHANGED = 0.2
"""Share of the parts of a word and its code that are another keypoint's."""
MASKS = 1 << 16
"""Different changes."""
ADDED = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """One gallery: bytes of the index, seconds to build and open it and to add a thousand photos, and searches.

    Attributes
    ----------
    touched, query : Timed
        Whole queries, the first time and then again.
    """

    photos: int
    bytes: int
    build_s: float
    open_s: float
    add_s: float
    search: Timed
    shortlist: Timed
    touched: Timed
    query: Timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--drawn", type=int, default=48, help="drawn turtles, of two enrolled photos each")
    parser.add_argument("--queries", type=int, default=16, help="queries a gallery")
    parser.add_argument("--matcher", help="as turtleidx takes it; the default recipe otherwise")
    parser.add_argument("--scratch", type=Path, help="folder with 30 GiB of room for a million photos")
    parser.add_argument("--quick", action="store_true", help="a thousand and two thousand photos, within a minute")
    options = parser.parse_args()
    if options.quick:
        options.photos, options.drawn, options.queries = [1_000, 2_000], 12, 2
    cv2.setNumThreads(1)
    with scratch_folder(options.scratch) as folder:
        rows = run(options, folder)
    Console(width=150).print(table(rows))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"
    print(f"{machine}, {peak:.1f} GiB at most")
    print(json.dumps(figures(rows)))


def run(options: argparse.Namespace, folder: Path) -> list[Row]:
    """Grow one catalogue from size to size and measure each."""
    engine = Engine.load(options=EngineOptions(matcher=options.matcher))
    manifest = write_samples(folder / "drawn", options.drawn, 4, 2).manifest
    catalog = Catalog.create(folder / "turtles.catalog", engine.recipe)
    enroll(catalog, from_manifest(manifest, ["gallery"], Sighting("")), engine, "us")
    enrolled = catalog.photos(GalleryFilter())
    rows = [row.sighting for row in read_manifest(manifest, ["known", "new"]) if isinstance(row, ManifestRow)]
    asked = [Sighting(one.path, side=Side.LEFT, box=one.box) for one in rows[: options.queries]]
    signatures = catalog.vectors(enrolled)
    measured, start = [], 0
    for photos in options.photos:
        grow(catalog, enrolled, start, photos, crowd(signatures, photos - start, seed=start))
        measured.append(measure(catalog, engine, asked, photos))
        print(measured[-1], flush=True)
        start = photos
    return measured


def crowd(signatures: UInt8, photos: int, seed: int) -> Iterator[UInt8]:
    """Signatures uint8 [up to BLOCK, b] of so many photos, each slot that of a random one, changed."""
    rng = np.random.default_rng([seed, 3])
    slots = signatures.shape[1] // SLOT_BYTES
    _, coded = unpacked(signatures)
    masks = rng.random((MASKS, SLOT_BYTES), np.float32) < CHANGED
    for first in range(0, photos, BLOCK):
        n = min(BLOCK, photos - first)
        own, other = coded[rng.integers(len(coded), size=(2, n * slots))]
        yield np.where(masks[rng.integers(MASKS, size=n * slots)], other, own).reshape(n, -1)


def measure(catalog: Catalog, engine: Engine, asked: list[Sighting], photos: int) -> Row:
    """Build the index anew, then search it alone on one core, as a shortlist, and as part of whole queries."""
    started = time.perf_counter()
    with catalog.writing("rebuild"):
        catalog.searcher.rebuild()
    built = time.perf_counter() - started
    path = catalog.path / VECTORS
    started = time.perf_counter()
    index, _ = VotingIndex.load(path, engine.recipe.dimension)
    opened = time.perf_counter() - started
    prepared = engine.encode([engine.extract(one) for one in asked])
    probes = [engine.encoder.probe(one.features, one.vector) for one in prepared]
    ids, threads = index.ids(), faiss.omp_get_max_threads()
    everyone = Selection(ids)
    faiss.omp_set_num_threads(1)
    index.search(probes[0], engine.shortlist, everyone)
    search = timed(lambda row: index.search(probes[row], engine.shortlist, everyone), range(len(probes)))
    faiss.omp_set_num_threads(threads)
    started = time.perf_counter()
    index.add(
        ids.max() + 1 + np.arange(ADDED),
        np.resize(np.stack([one.vector for one in prepared]), (ADDED, index.dimension)),
    )
    index.search(probes[0], engine.shortlist, index.ids())
    added = time.perf_counter() - started
    reader, left = Catalog.open(catalog.path), GalleryFilter(side=Side.LEFT)
    reader.shortlist(probes[0], engine.shortlist, left, engine.per_turtle)
    shortlist = timed(
        lambda row: reader.shortlist(probes[row], engine.shortlist, left, engine.per_turtle),
        range(len(probes)),
    )
    model = CatalogModel.load(reader, engine.evidence)
    touched, query = (
        timed(lambda row: identify(reader, asked[row], engine, model, DecisionPolicy()), range(len(asked)))
        for _ in range(2)
    )
    return Row(photos, path.stat().st_size, built, opened, added, search, shortlist, touched, query)


def figures(rows: list[Row]) -> dict[str, float | None]:
    """The headline figures."""
    by_size = {row.photos: row for row in rows}
    large, middle = by_size.get(1_000_000), by_size.get(10_000)
    return {
        "votes_1m_p50_ms": large.search.p50 if large else None,
        "votes_1m_bytes": large.bytes if large else None,
        "query_10k_p50_ms": middle.query.p50 if middle else None,
        "query_1m_over_10k": large.query.p50 / middle.query.p50 if large and middle else None,
        "query_largest_over_smallest": rows[-1].query.p50 / rows[0].query.p50,
    }


def table(rows: list[Row]) -> Table:
    """All that was measured, for people."""
    shown = Table(title="Shortlists by votes")
    for name in ("photos", "MiB", "build s", "open s", "add s", "search ms", "p99", "CPU"):
        shown.add_column(name, justify="right")
    for name in ("shortlist ms", "p99", "first touch ms", "p99", "query ms", "p99"):
        shown.add_column(name, justify="right")
    for row in rows:
        shown.add_row(
            f"{row.photos:,}",
            *(f"{row.bytes / 2**20:.0f}", f"{row.build_s:.1f}", f"{row.open_s:.2f}", f"{row.add_s:.2f}"),
            *(f"{value:.1f}" for value in (row.search.p50, row.search.p99, row.search.cpu)),
            *(f"{value:.0f}" for one in (row.shortlist, row.touched, row.query) for value in (one.p50, one.p99)),
        )
    return shown


if __name__ == "__main__":
    main()
