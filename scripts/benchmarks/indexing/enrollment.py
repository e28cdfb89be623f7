"""Photos a second into a catalogue: the pipeline against the same stages one after the other on one core.

Photos come from a manifest or folder, or are drawn heads; `--photos` repeats them, each copy with other bytes, so that
it counts as a photo of its own. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.errors import PhotoRefused
from index.types import Sighting
from retrieval.engine import NEAREST, Engine, EngineOptions, Extracted
from retrieval.features import one_core_a_photo
from retrieval.images import file_sha256, from_manifest, from_paths, jpeg, load_photo, quality
from retrieval.pipeline import BATCH, enroll
from synthetic.samples import write_samples

DRAWN = 24
"""Turtles that are drawn, of four photos each."""


class Stages:
    """Processor seconds of the present thread by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.thread_time()
        yield
        self.seconds[name] += time.thread_time() - started


def main() -> None:
    options = _options()
    with scratch_folder(options.scratch) as scratch:
        figures = run(options, scratch)
    print(json.dumps(figures))


def run(options: argparse.Namespace, scratch: Path) -> dict[str, object]:
    """Enroll all photos in the pipeline, then some of them stage by stage."""
    originals = _originals(options, scratch)
    photos = originals if options.photos is None else _copies(originals, options.photos, scratch / "copies")
    engine = Engine.load(options=EngineOptions(extractor=options.extractor, encoder=options.encoder, matcher=NEAREST))
    before = _peak_mib()
    catalog = Catalog.create(scratch / "pipeline.catalog", engine.recipe)
    cpu = time.process_time()
    report = enroll(catalog, photos, engine, "benchmark")
    cpu = time.process_time() - cpu
    peak, done = _peak_mib(), len(report.enrolled)
    alone = Catalog.create(scratch / "plain.catalog", engine.recipe)
    started = time.perf_counter()
    stages, plain = one_after_the_other(alone, photos[: options.plain], engine)
    seconds = time.perf_counter() - started
    _print(stages, plain)
    rate, plain_rate = done / report.seconds, plain / seconds
    print(
        f"{done} photos enrolled, {len(report.refused)} refused, in {report.seconds:.1f} s: {rate:.1f} photos/s, "
        f"{1000 * cpu / done:.1f} ms CPU a photo; one after the other {plain_rate:.1f} photos/s\n"
        f"{peak:.0f} MiB at most, {before:.0f} MiB of it before the first photo; {engine.recipe.extractor}, "
        f"{engine.recipe.encoder}; {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    return {
        "enroll_photos_per_s": rate,
        "enroll_plain_photos_per_s": plain_rate,
        "enroll_cpu_ms": 1000 * cpu / done,
        "peak_mib": peak,
        "photos": done,
        "refused": len(report.refused),
    }


def one_after_the_other(catalog: Catalog, photos: Sequence[Sighting], engine: Engine) -> tuple[dict[str, float], int]:
    """Processor seconds by stage, and how many photos were enrolled."""
    stage, enrolled = Stages(), 0
    with one_core_a_photo(), threadpool_limits(1), catalog.writing("enroll"):
        for first in range(0, len(photos), BATCH):
            found = [
                one for one in (_extracted(photo, engine, stage) for photo in photos[first : first + BATCH]) if one
            ]
            with stage("encode"):
                prepared = engine.encode(found)
            with stage("write"):
                enrolled += len(catalog.enroll(prepared, "benchmark"))
    return dict(stage.seconds), enrolled


def _extracted(sighting: Sighting, engine: Engine, stage: Stages) -> Extracted | None:
    path = Path(sighting.path)
    try:
        with stage("hash"):
            file_sha256(path)
        with stage("decode, resize"):
            photo = load_photo(path, engine.extractor.long_side, sighting.box)
        with stage("keypoints"):
            features = engine.extractor.extract(photo.pixels)
    except PhotoRefused:
        return None
    with stage("thumbnail"):
        thumbnail = jpeg(photo.pixels)
    with stage("quality"):
        judged = quality(photo.pixels, len(features))
    return Extracted(sighting, photo, features, thumbnail, judged)


def _originals(options: argparse.Namespace, scratch: Path) -> list[Sighting]:
    if options.source is None:
        drawn = write_samples(scratch / "drawn", options.drawn, 4, 0)
        found = from_manifest(drawn.manifest, [], Sighting(""))
    elif options.source.is_dir():
        found = from_paths([options.source], Sighting(""), by_folder=True)
    else:
        found = from_manifest(options.source, [], Sighting(""))
    originals = [row for row in found if isinstance(row, Sighting)]
    return originals if options.enlarged is None else _enlarged(originals, options.enlarged, scratch / "enlarged")


def _enlarged(originals: Sequence[Sighting], long_side: int, folder: Path) -> list[Sighting]:
    """JPEGs of a camera's size."""
    folder.mkdir()
    made = []
    for number, sighting in enumerate(originals):
        path = folder / f"{number}.jpg"
        with Image.open(sighting.path) as image:
            factor = long_side / max(image.size)
            size = round(image.width * factor), round(image.height * factor)
            image.convert("RGB").resize(size).save(path, quality=95)
        made.append(replace(sighting, path=str(path), box=None))
    return made


def _copies(originals: Sequence[Sighting], photos: int, folder: Path) -> list[Sighting]:
    """So many photos; what follows the end of a picture changes its bytes but not what it shows."""
    folder.mkdir()
    made = []
    for number, sighting in enumerate(islice(cycle(originals), photos)):
        path = folder / f"{number}{Path(sighting.path).suffix}"
        path.write_bytes(Path(sighting.path).read_bytes() + number.to_bytes(8, "little"))
        made.append(replace(sighting, path=str(path)))
    return made


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** (20 if sys.platform == "darwin" else 10)


def _print(stages: dict[str, float], photos: int) -> None:
    shown = Table(title="Processor time a photo, one after the other")
    shown.add_column("stage")
    shown.add_column("ms", justify="right")
    for name, seconds in stages.items():
        shown.add_row(name, f"{1000 * seconds / photos:.1f}")
    shown.add_row("in all", f"{1000 * sum(stages.values()) / photos:.1f}")
    Console(width=100).print(shown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="?", help="manifest or folder; drawn heads where there is none")
    parser.add_argument("--extractor", default="sift-512-320")
    parser.add_argument("--encoder")
    parser.add_argument("--photos", type=int, help="how many, the source's own again and again")
    parser.add_argument("--plain", type=int, default=256, help="photos that also go one after the other")
    parser.add_argument("--drawn", type=int, default=DRAWN, help="drawn turtles, of four photos each")
    parser.add_argument("--enlarged", type=int, help="make the photos so many pixels long first")
    parser.add_argument("--scratch", type=Path, help="folder with room for the catalogue and the copies")
    parser.add_argument("--quick", action="store_true", help="few photos, within a minute")
    options = parser.parse_args()
    if options.quick:
        options.drawn, options.photos, options.plain = 8, 192, 64
    return options


if __name__ == "__main__":
    main()
