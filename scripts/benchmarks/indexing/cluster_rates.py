"""What reading photos in and fitting cost with Ray, beside the same on this machine alone."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import ray

from index.catalog import Catalog
from index.types import Side, Sighting
from retrieval.cluster import intake_on, pairs_on
from retrieval.engine import Engine, EngineOptions
from retrieval.fitting import fit
from retrieval.pipeline import enroll
from synthetic.samples import SampleSet


def start_ray(cores: int) -> None:
    os.environ.setdefault("RAY_worker_niceness", "0")  # or others of this machine slow Ray's processes more than ours
    ray.init(num_cpus=cores, log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)


def enrolments(samples: SampleSet, photos: int, scratch: Path) -> dict[str, float]:
    """Photos a second by the plain pipeline and by one and two of Ray's workers, and processor seconds a photo.

    Those are of the plain process with all that it does, and of the process that writes while Ray's workers read.
    """
    brought = _copies(samples, photos, scratch / "copies")
    choices = EngineOptions(matcher="nearest")
    engine = Engine.load(options=choices)
    plain = Catalog.create(scratch / "plain.catalog", engine.recipe)
    started = time.process_time()
    found = {"enroll_plain_photos_per_s": photos / enroll(plain, brought, engine, "benchmark").seconds}
    found["enroll_plain_cpu_a_photo_s"] = (time.process_time() - started) / photos
    for workers in (1, 2):
        start_ray(workers)
        try:
            with intake_on("auto", engine.recipe, choices) as prepare:
                first = Catalog.create(scratch / f"warm-{workers}.catalog", engine.recipe)
                enroll(first, brought[:32], engine, "benchmark", prepare=prepare)  # the workers load what they need
                catalog = Catalog.create(scratch / f"{workers}.catalog", engine.recipe)
                started = time.process_time()
                report = enroll(catalog, brought, engine, "benchmark", prepare=prepare)
        finally:
            ray.shutdown()
        found[f"enroll_{workers}_workers_photos_per_s"] = photos / report.seconds
        found[f"enroll_{workers}_workers_driver_cpu_a_photo_s"] = (time.process_time() - started) / photos
    return found


def fits(samples: SampleSet, matcher: str, pairs: int, scratch: Path) -> dict[str, float]:
    """Processor seconds a compared pair, of a fit on this machine and of the process that has Ray's tasks compare."""
    choices = EngineOptions(matcher=matcher)
    engine = Engine.load(options=choices)
    spent: dict[str, float] = {}
    models = []
    for name, spread in (("fit_cpu_a_pair_s", False), ("fit_driver_cpu_a_pair_s", True)):
        warm, catalog = (_filled(samples, engine, scratch / f"{name}-{part}.catalog") for part in ("warm", "fitted"))
        start_ray(os.cpu_count() or 1)
        try:
            with pairs_on("auto") as every:
                pool = every if spread else None
                fit(warm, engine, "benchmark", 100, pool=pool)  # everything is loaded
                started = time.process_time()
                report = fit(catalog, engine, "benchmark", pairs, pool=pool)
                spent[name] = (time.process_time() - started - _learning(catalog, engine, pairs)) / report.compared
        finally:
            ray.shutdown()
        models.append(report.model.to_json())
    return spent | {"fit_models_equal": float(models[0] == models[1])}


def _filled(samples: SampleSet, engine: Engine, path: Path) -> Catalog:
    catalog = Catalog.create(path, engine.recipe)
    enroll(catalog, [sighting_of(samples, one.photo, one.turtle) for one in samples.samples], engine, "benchmark")
    return catalog


def _learning(catalog: Catalog, engine: Engine, pairs: int) -> float:
    """Processor seconds of the same fit when all pairs are known."""
    started = time.process_time()
    fit(catalog, engine, "benchmark", pairs)
    return time.process_time() - started


def _copies(samples: SampleSet, photos: int, folder: Path) -> list[Sighting]:
    """So many photos; what follows the end of a picture changes its bytes but not what it shows."""
    folder.mkdir()
    made = []
    for number in range(photos):
        one = samples.samples[number % len(samples.samples)]
        path = folder / f"{number}.jpg"
        path.write_bytes((samples.folder / one.photo).read_bytes() + number.to_bytes(8, "little"))
        made.append(Sighting(str(path), turtle=one.turtle))
    return made


def sighting_of(samples: SampleSet, photo: str, turtle: str | None = None) -> Sighting:
    return Sighting(str(samples.folder / photo), turtle=turtle, side=Side.LEFT)
