"""Shards on Ray in this machine against the plain query: whether answers are equal, and what Ray costs.

A catalogue of drawn heads, shown again under new ids, is divided into more and more shards; the same photos are
asked of the catalogue's own folder and of an actor a shard, turn by turn. Then photos are enrolled by one and by two
of Ray's workers, and by the plain pipeline, and a model is fitted here and by Ray's tasks. Ends with a model of 100
nodes with a million photos each, and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
from rich.console import Console
from rich.table import Table

from benchmarks.indexing.cluster_rates import enrolments, fits, sighting_of, start_ray
from benchmarks.indexing.enlarged_catalog import grow
from benchmarks.indexing.visual_words import crowd
from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.shards import shard_catalog
from index.types import GalleryFilter, PreparedPhoto
from retrieval.cluster import RayWorkers, ShardWorker, greeted
from retrieval.engine import LIGHT, Engine, EngineOptions
from retrieval.features import views_of
from retrieval.novelty import CatalogModel
from retrieval.pipeline import Identification, enroll, identify, read_query
from synthetic.samples import SampleSet, write_samples

NODES, NETWORK, ROUND_TRIP = 100, 10e9 / 8, 0.5e-3
"""Of the model: nodes, bytes a second into the driver, and seconds of a message there and back."""
GROWN = 50_000
"""Photos of one transaction, which stay in memory until it ends."""
MILLION = 0.357
"""Seconds of a search of a million photos on one thread, by the benchmark `visual-words`."""


class Timed(ShardWorker):
    """Counts the processor seconds of what it is asked for."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._seconds: dict[str, float] = defaultdict(float)

    def spent(self) -> dict[str, float]:
        """Processor seconds since it was asked last, by what they went into."""
        found = dict(self._seconds)
        self._seconds.clear()
        return found

    def search(self, *given: Any) -> Any:
        return self._timed("search", super().search, given)

    def look(self, *given: Any) -> Any:
        return self._timed("look", super().look, given)

    def compare(self, *given: Any) -> Any:
        return self._timed("compare", super().compare, given)

    def _timed(self, name: str, method: Callable[..., Any], given: Sequence[Any]) -> Any:
        started = time.process_time()
        found = method(*given)
        self._seconds[name] += time.process_time() - started
        return found


class Watched(RayWorkers):
    """Workers whose calls are timed and whose messages are weighed."""

    def __init__(self, actors: Mapping[int, Any], patience: float = 600.0) -> None:
        super().__init__(actors, patience)
        self.seconds: dict[str, float] = defaultdict(float)
        self.bytes = 0

    def share(self, value: object) -> Any:
        self.bytes += len(pickle.dumps(value)) * len(self.actors)
        return super().share(value)

    def call(self, method: str, arguments: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
        started = time.perf_counter()
        found = super().call(method, arguments)
        self.seconds[method] += time.perf_counter() - started
        plain = [[one for one in given if not isinstance(one, ray.ObjectRef)] for given in arguments.values()]
        self.bytes += len(pickle.dumps((plain, found)))
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """What one number of shards costs: medians in seconds of a query, and bytes of one.

    Attributes
    ----------
    waited : mapping
        Seconds in which the driver waited for the shards, by what they did.
    own : mapping
        Processor seconds of the shard that spent most, by what it did.
    merged : float
        Processor seconds of the driver's process, Ray's part of it included.
    """

    shards: int
    plain: float
    spread: float
    waited: Mapping[str, float]
    own: Mapping[str, float]
    merged: float
    bytes: float
    different: int


def main() -> None:
    options = _options()
    with scratch_folder(options.scratch) as scratch:
        samples = write_samples(scratch / "drawn", options.drawn, 3, 0)
        rows = _queries(options, samples, scratch)
        rates = enrolments(samples, options.enrolled, scratch) if options.enrolled else {}
        spent = fits(samples, options.matcher, options.pairs, scratch) if options.pairs else {}
    _print(rows, rates, spent, options)
    print(json.dumps(_figures(rows, rates, options.photos) | spent))


def _queries(options: argparse.Namespace, samples: SampleSet, scratch: Path) -> list[Row]:
    choices = EngineOptions(matcher=options.matcher)
    engine = Engine.load(options=choices)
    catalog = Catalog.create(scratch / "turtles.catalog", engine.recipe)
    known = [one for one in samples.samples if not one.photo.endswith("-2.jpg")]
    enroll(catalog, [sighting_of(samples, one.photo, one.turtle) for one in known], engine, "benchmark")
    enrolled = catalog.photos(GalleryFilter())
    signatures = catalog.vectors(enrolled)
    more = max(options.photos - len(enrolled), 0)
    for start in range(0, more, GROWN):
        stop = min(start + GROWN, more)
        grow(catalog, enrolled, start, stop, crowd(signatures, stop - start, start))
    with catalog.writing("rebuild"):
        catalog.searcher.rebuild()
    asked = [one.photo for one in samples.samples if one.photo.endswith("-2.jpg")][: options.queries]
    prepared = [read_query(sighting_of(samples, photo), engine) for photo in asked]
    read = [one for one in prepared if isinstance(one, PreparedPhoto)]
    rows = []
    start_ray(os.cpu_count() or 1)
    try:
        for shards in options.shards:
            shard_catalog(catalog, scratch / "shards", shards)
            rows.append(_row(catalog, engine, choices, scratch / "shards", shards, read))
    finally:
        ray.shutdown()
    return rows


def _row(
    catalog: Catalog,
    engine: Engine,
    choices: EngineOptions,
    folder: Path,
    shards: int,
    read: Sequence[PreparedPhoto],
) -> Row:
    workers = Watched(RayWorkers.started(folder, shards, catalog.recipe, choices, kind=Timed).actors)
    gallery, model = greeted(catalog, engine, workers, shards), CatalogModel.load(catalog, engine.evidence)
    plain: list[float] = []
    spread: list[float] = []
    different, driver = 0, 0.0
    everybody: dict[int, Sequence[Any]] = dict.fromkeys(workers.actors, ())
    for turn, one in enumerate([read[0], *read]):
        if turn == 1:  # the first has everything loaded
            workers.call("spent", everybody)
            workers.seconds.clear()
            workers.bytes, driver = 0, 0.0
            plain.clear()
            spread.clear()
        whole = identify(catalog, one.sighting, engine, model, query=one)
        views_of.cache_clear()  # the plain query has made them
        started = time.process_time()
        found = identify(catalog, one.sighting, engine, model, query=one, gallery=gallery)
        driver += time.process_time() - started
        plain.append(whole.seconds)
        spread.append(found.seconds)
        different += turn > 0 and not _same(whole, found)
    waited = {name: seconds / len(read) for name, seconds in workers.seconds.items()}
    moved = workers.bytes / len(read)
    spent = workers.call("spent", everybody).values()
    workers.stop()
    own = {name: max(one.get(name, 0.0) for one in spent) / len(read) for name in ("search", "look", "compare")}
    middle = statistics.median(plain), statistics.median(spread)
    return Row(shards, *middle, waited, own, driver / len(read), moved, different)


def _same(whole: Identification, found: Identification) -> bool:
    """Verdict, order, and scores within 1e-4."""
    order = [[one.photo.id for one in answer.candidates] for answer in (whole, found)]
    scores = [np.array([one.score for one in answer.candidates]) for answer in (whole, found)]
    return whole.verdict == found.verdict and order[0] == order[1] and bool(np.abs(scores[0] - scores[1]).max() < 1e-4)


def _model(row: Row, photos: int) -> dict[str, float]:
    """Seconds of a query to 100 nodes with a million photos each, one thread each.

    Search: what the one shard spent here, where it has a million photos, else the figure of `visual-words`. Look: each
    node sees its share of the shortlist that one shard saw here. Compare: as if all of the matcher's few candidates lay
    on one node. Messages: as many bytes for each node as were moved here for one, three rounds.
    """
    return {
        "search": row.own["search"] if photos >= 1_000_000 else MILLION,
        "look": row.own["look"] / NODES,
        "compare": row.own["compare"],
        "messages": row.bytes * NODES / NETWORK + 3 * ROUND_TRIP,
        "merge": row.merged,
    }


def _figures(rows: Sequence[Row], rates: Mapping[str, float], photos: int) -> dict[str, float | int]:
    one = next(row for row in rows if row.shards == 1)
    return {
        "answers_different": sum(row.different for row in rows),
        "ray_overhead": one.spread / one.plain - 1,
        "plain_query_s": one.plain,
        **{f"query_{row.shards}_shards_s": row.spread for row in rows},
        **{f"bytes_{row.shards}_shards": row.bytes for row in rows},
        **{f"driver_cpu_{row.shards}_shards_s": row.merged for row in rows},
        **{f"{name}_cpu_{row.shards}_shards_s": spent for row in rows for name, spent in row.own.items()},
        **rates,
        "model_100_nodes_s": sum(_model(one, photos).values()),
    }


def _print(rows: Sequence[Row], rates: dict[str, float], spent: dict[str, float], options: argparse.Namespace) -> None:
    table = Table(title=_title(options))
    for name in ("shards", "plain", "on Ray", "search", "look", "compare", "driver", "KB moved", "different"):
        table.add_column(name, justify="right")
    for row in rows:
        waited = (f"{1000 * row.waited.get(name, 0.0):.0f} ({1000 * own:.0f}) ms" for name, own in row.own.items())
        table.add_row(
            *(str(row.shards), f"{row.plain:.3f} s", f"{row.spread:.3f} s", *waited),
            *(f"{1000 * row.merged:.0f} ms", f"{row.bytes / 1000:.0f}", str(row.different)),
        )
    Console(width=120).print(table)
    for name, figure in (rates | spent).items():
        print(f"{name}: {figure:.5f}")
    model = _model(next(row for row in rows if row.shards == 1), options.photos)
    parts = ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in model.items())
    print(f"model of {NODES} nodes with a million photos each and 10 Gbit/s: {sum(model.values()):.2f} s ({parts})")


def _title(options: argparse.Namespace) -> str:
    told = "in brackets processor seconds of the busiest shard, as all of the driver's"
    return f"A query of {options.photos} photos, {options.queries} asked, {os.cpu_count()} cores; {told}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000, help="in the gallery, those drawn again and again")
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4, 7], help="1 among them")
    parser.add_argument("--queries", type=int, default=12)
    parser.add_argument("--matcher", default=LIGHT)
    parser.add_argument("--drawn", type=int, default=24, help="drawn turtles, of three photos each")
    parser.add_argument("--enrolled", type=int, default=512, help="photos that are enrolled; 0 for none")
    parser.add_argument("--pairs", type=int, default=2_000, help="of a fit; 0 for none")
    parser.add_argument("--scratch", type=Path, help="folder with room for the catalogues")
    parser.add_argument("--quick", action="store_true", help="a small gallery, within a minute or two")
    options = parser.parse_args()
    if options.quick:
        options.photos, options.shards, options.queries, options.drawn, options.enrolled = 1000, [1, 2], 4, 8, 96
        options.pairs = 200
    return options


if __name__ == "__main__":
    main()
