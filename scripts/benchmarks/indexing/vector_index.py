"""Galleries of a thousand to a million photos: building the index, its recall and time, and the whole query.

Features are those of drawn heads (or of a manifest's photos), enrolled once and shown again and again under new ids;
descriptors are drawn to resemble theirs. Every gallery is searched exactly as well, which is the truth that recall is
measured against, and by usearch and LanceDB up to --rivals photos. Times are of one thread, except whole queries, which
use all cores. Ends with one line of JSON; a figure that was not measured is null.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import faiss
import numpy as np
from rich.console import Console

from benchmarks.indexing import other_indexes as rivals
from benchmarks.indexing.enlarged_catalog import grow
from benchmarks.indexing.shortlist import encode, read, similarity
from benchmarks.indexing.synthetic_gallery import BLOCK, Population, nearest, recall
from benchmarks.indexing.vector_index_figures import Row, Timed, plot, table, timed
from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.catalog.catalog import VECTORS
from index.catalog.gallery import capped
from index.catalog.search import Searcher
from index.exchange import ManifestRow, read_manifest
from index.files import no_steps
from index.types import Float32, GalleryFilter, Int64, Side, Sighting
from index.vectors import Selection, VectorIndex
from retrieval.engine import Engine, EngineOptions
from retrieval.images import from_manifest
from retrieval.novelty import CatalogModel, DecisionPolicy
from retrieval.pipeline import enroll
from retrieval.pipeline.identification import identify
from synthetic.samples import write_samples

Search = Callable[[Float32, int], Int64]

RIVALS = (rivals.usearch, rivals.lance)
DEEPEST = 100
ADDED = 1_000


def main() -> None:
    options = _options()
    cv2.setNumThreads(1)
    with scratch_folder(options.scratch) as folder:
        rows, figures = run(options, folder)
    Console(width=190).print(table(rows))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"
    print(f"{machine}, {peak:.1f} GiB at most")
    if options.plot:
        plot(rows, options.plot)
    print(json.dumps(figures))


def run(options: argparse.Namespace, folder: Path) -> tuple[list[Row], dict[str, float | None]]:
    """Grow one catalogue from size to size and measure each; the figures of the last line."""
    engine = Engine.load(options=EngineOptions(encoder="vlad"))  # `benchmark visual-words` has the others
    manifest, gallery, asked = _photos(options, folder)
    catalog = Catalog.create(folder / "turtles.catalog", engine.recipe)
    report = enroll(catalog, from_manifest(manifest, gallery, Sighting("")), engine, "benchmark")
    enrolled, queries = catalog.photos(GalleryFilter()), _sightings(manifest, asked)
    vectors = catalog.vectors(enrolled)
    population = Population.resembling(vectors, [str(photo.turtle) for photo in enrolled])
    print(f"{len(enrolled)} photos enrolled, {len(enrolled) / report.seconds:.1f} a second; {population}")
    rows: list[Row] = []
    start = 0
    for photos in options.photos:
        drawn = _drawn(population, photos, folder)
        grow(catalog, enrolled, start, photos, (drawn[i : i + BLOCK] for i in range(start, photos, BLOCK)))
        fresh = [_ours(catalog, drawn, population, engine, queries[: options.queries])]
        fresh += [
            _rival(build, drawn, population, folder)
            for build in (rivals.flat, *RIVALS)
            if build is rivals.flat or photos <= options.rivals
        ]
        print(*fresh, sep="\n", flush=True)
        rows, start = rows + fresh, photos
    own = {row.photos: row for row in rows if row.shortlist}
    large, middle = own.get(1_000_000), own.get(10_000)
    slower = large.query.p50 / middle.query.p50 if large and middle and large.query and middle.query else None
    return rows, {
        "recall_at_50_real": _real_recall(options.manifest) if options.manifest else None,
        "index_1m_recall_at_100": large.recall_at_100 if large else None,
        "index_1m_p50_ms": large.search.p50 if large else None,
        "index_1m_bytes": large.bytes if large else None,
        "query_1m_over_10k": slower,
        "enroll_photos_per_s": len(enrolled) / report.seconds,
    }


def _photos(options: argparse.Namespace, folder: Path) -> tuple[Path, list[str], list[str]]:
    """A manifest, its roles that are enrolled and those that are asked about."""
    if options.manifest:
        return options.manifest, ["gallery"], ["known", "new"]
    return write_samples(folder / "drawn", options.drawn, 4, 2).manifest, ["gallery"], ["known", "new"]


def _sightings(manifest: Path, roles: Sequence[str]) -> list[Sighting]:
    return [row.sighting for row in read_manifest(manifest, roles) if isinstance(row, ManifestRow)]


def _drawn(population: Population, photos: int, folder: Path) -> Float32:
    """All descriptors of a gallery, mapped from a file."""
    path = folder / "drawn.npy"
    path.unlink(missing_ok=True)
    drawn: Float32 = np.lib.format.open_memmap(path, "w+", np.float32, (photos, population.dimension))
    for number, block in enumerate(population.gallery(photos)):
        drawn[number * BLOCK : number * BLOCK + len(block)] = block
    return drawn


def _ours(catalog: Catalog, drawn: Float32, population: Population, engine: Engine, queries: Sequence[Sighting]) -> Row:
    """Build the catalogue's index anew, then search it alone, as a shortlist, and as part of whole queries."""
    photos = len(drawn)
    started = time.perf_counter()
    with catalog.writing("rebuild"):
        Searcher(catalog.path / VECTORS, catalog.registry, catalog.recipe, no_steps).rebuild()
    built = time.perf_counter() - started
    path = catalog.path / VECTORS
    started = time.perf_counter()
    index, _ = VectorIndex.load(path, population.dimension)
    opened = time.perf_counter() - started
    vectors = population.queries(64, photos)
    grown = np.sort(index.ids())[-photos:]  # the photos that were really enrolled came first
    selection = Selection(grown)
    found, took = _timed_searches(lambda v, k: index.search(v, k, selection).ids - grown[0], vectors)
    truth = nearest(drawn, vectors, DEEPEST)
    left = GalleryFilter(side=Side.LEFT)
    started = time.perf_counter()
    reader = Catalog.open(catalog.path)
    reader.shortlist(vectors[0], engine.shortlist, left, engine.per_turtle)
    first = time.perf_counter() - started
    shortlist = timed(
        lambda row: reader.shortlist(vectors[row], engine.shortlist, left, engine.per_turtle),
        range(len(vectors)),
    )
    model = CatalogModel.load(reader, engine.evidence)
    whole = [Sighting(query.path, side=Side.LEFT, box=query.box) for query in queries]
    identify(reader, whole[0], engine, model, DecisionPolicy())
    query = timed(lambda row: identify(reader, whole[row], engine, model, DecisionPolicy()), range(len(whole)))
    return Row(
        "turtleidx",
        photos,
        built,
        path.stat().st_size,
        took,
        recall(found, truth, 50),
        recall(found, truth, 100),
        opened,
        first,
        shortlist,
        query,
        _adding(index, vectors),
    )


def _adding(index: VectorIndex, vectors: Float32) -> float:
    """Seconds until photos that come in are searched."""
    fresh = np.resize(vectors, (ADDED, vectors.shape[1]))
    first = int(index.ids().max()) + 1
    started = time.perf_counter()
    index.add(np.arange(first, first + ADDED), fresh)
    index.search(vectors[0], DEEPEST, index.ids())
    return time.perf_counter() - started


def _rival(build: Callable[[Float32, Path], rivals.Rival], drawn: Float32, population: Population, folder: Path) -> Row:
    scratch = Path(tempfile.mkdtemp(dir=folder))
    started = time.perf_counter()
    rival = build(drawn, scratch)
    built = time.perf_counter() - started
    vectors = population.queries(64, len(drawn))
    found, took = _timed_searches(rival.search, vectors)
    shutil.rmtree(scratch)
    truth = nearest(drawn, vectors, DEEPEST)
    return Row(rival.name, len(drawn), built, rival.bytes, took, recall(found, truth, 50), recall(found, truth, 100))


def _timed_searches(search: Search, vectors: Float32) -> tuple[list[Int64], Timed]:
    """The nearest of each vector, and the time of one thread."""
    found: list[Int64] = []
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    search(vectors[0], DEEPEST)
    took = timed(lambda row: found.append(search(vectors[row], DEEPEST)), range(len(vectors)))
    faiss.omp_set_num_threads(threads)
    return found, took


def _real_recall(manifest: Path) -> float:
    """Share of known turtles' photos whose turtle is among the default encoder's first 50, three photos a turtle."""
    engine = Engine.load(options=EngineOptions())
    encoder = engine.encoder
    gallery, asked = (read(manifest, role, engine) for role in ("gallery", "known"))
    described = encode(encoder, gallery.photos)
    sides = np.array([str(row.sighting.side) for row in gallery.rows])
    turtles = np.unique([str(row.sighting.turtle) for row in gallery.rows], return_inverse=True)
    similar = {side: similarity(encoder, described[sides == side]) for side in set(sides)}
    hits = []
    for row, photo, descriptor in zip(asked.rows, asked.photos, encode(encoder, asked.photos), strict=True):
        side = str(row.sighting.side)
        near = similar[side](encoder.probe(photo.features, descriptor))
        ranked = turtles[1][sides == side][np.argsort(-near, kind="stable")]
        kept = ranked[capped(ranked, engine.per_turtle)[:50]]
        hits.append(str(row.sighting.turtle) in turtles[0][kept])
    return float(np.mean(hits))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--rivals", type=int, default=100_000, help="largest gallery that usearch and LanceDB get")
    parser.add_argument("--manifest", type=Path, help="photos with roles gallery and known, instead of drawn heads")
    parser.add_argument("--drawn", type=int, default=48, help="drawn turtles, of two enrolled photos each")
    parser.add_argument("--queries", type=int, default=8, help="whole queries a gallery")
    parser.add_argument("--scratch", type=Path, help="folder with 10 GiB of room for a million photos")
    parser.add_argument("--plot", type=Path, help="SVG file to write")
    parser.add_argument("--quick", action="store_true", help="a thousand and two thousand photos, within a minute")
    options = parser.parse_args()
    if options.quick:
        options.photos, options.drawn, options.queries = [1_000, 2_000], 12, 2
    return options


if __name__ == "__main__":
    main()
