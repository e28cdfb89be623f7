"""How long a person waits on the review page: first page, next group, answer, original, in small and large catalogues.

Drawn photos are enrolled and fitted, the large catalogue repeats them under new ids; those that are asked about are as
large as a camera's. The page is started as people start it and asked as a browser asks; what is compared for each group
is compared before, as the page itself does. Ends with one line of JSON: medians in milliseconds, and how many processes
wanted the machine's cores meanwhile, because waits on a busy machine say nothing about the page.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.indexing.enlarged_catalog import grow
from benchmarks.indexing.visual_words import crowd
from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.types import GalleryFilter, Sighting
from retrieval.engine import NEAREST, Engine, EngineOptions
from retrieval.fitting import fit
from retrieval.pipeline import enroll
from synthetic.samples import write_samples

BUDGETS = {"first_page": 1500.0, "next": 100.0, "answer": 150.0, "original": 300.0}
"""Milliseconds that the page may take."""
TURTLES, STRANGERS = 24, 8
DRAWN, CAMERA = (480, 384), (3000, 2400)
"""Pixels of a photo as it is drawn, and as it is asked about."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Median milliseconds in a catalogue of so many photos."""

    photos: int
    first_page: float
    next: float
    answer: float
    original: float
    ready: float
    """Seconds until every group was compared."""


class Visitor:
    """Asks the page as a browser does."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host = str(parts.netloc)
        self._cookie = ""
        _, headers = self._asked("GET", f"{parts.path}?{parts.query}")
        self._cookie = headers["set-cookie"].partition(";")[0]
        self.home = self.get("/").decode()
        found = re.search(r'name="csrf" content="([^"]+)"', self.home)
        assert found is not None
        self._csrf = found[1]

    def get(self, path: str) -> bytes:
        """What an address shows."""
        return self._asked("GET", path)[0]

    def post(self, path: str, fields: object) -> bytes:
        """What a change answers."""
        headers = {"content-type": "application/json", "accept": "application/json", "x-csrf": self._csrf}
        return self._asked("POST", path, json.dumps(fields), headers)[0]

    def _asked(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[bytes, dict[str, str]]:
        connection = http.client.HTTPConnection(self._host, timeout=120)
        connection.request(method, path, body, {"cookie": self._cookie, **(headers or {})})
        answered = connection.getresponse()
        data = answered.read()
        connection.close()
        if answered.status >= 400:
            raise SystemExit(f"{method} {path}: {answered.status} {data[:300]!r}")
        return data, {name.lower(): value for name, value in answered.getheaders()}


def main() -> None:
    options = _options()
    load = os.getloadavg()[0]
    with scratch_folder(options.scratch) as scratch:
        _prepare(scratch)
        measured = [_measured(scratch, photos) for photos in options.photos]
    _print_table(measured)
    last = measured[-1]
    kept = all(getattr(one, name) <= most for one in measured for name, most in BUDGETS.items())
    figures = {f"{name}_ms_{one.photos}": round(getattr(one, name)) for one in measured for name in BUDGETS}
    busy = {"load_before": round(load, 1), "load_after": round(os.getloadavg()[0], 1)}
    print(json.dumps(figures | {"within_budget": kept, "photos": last.photos, **busy, "machine": platform.platform()}))


def _prepare(scratch: Path) -> None:
    """A catalogue of drawn turtles seen twice, and photos of known and of new ones that nobody has identified."""
    drawn = write_samples(scratch / "drawn", TURTLES, photos_per_turtle=5, new_turtles=STRANGERS, size=DRAWN)
    catalog_path = scratch / "turtles.catalog"
    engine = Engine.load(options=EngineOptions(matcher=NEAREST))
    catalog = Catalog.create(catalog_path, engine.recipe)
    gallery = [
        Sighting(str(drawn.folder / one.photo), one.turtle, one.side, one.taken_on)
        for one in drawn.with_role("gallery")
    ]
    asked = [
        Sighting(str(drawn.folder / one.photo), None, one.side, one.taken_on, one.encounter.replace(one.turtle, "dive"))
        for one in (*drawn.with_role("known"), *drawn.with_role("new")[::5])
    ]
    for one in asked:
        _enlarge(Path(one.path))
    enroll(catalog, gallery, engine, "benchmark")
    fit(catalog, engine, "benchmark")
    enroll(catalog, asked, engine, "benchmark")


def _enlarge(path: Path) -> None:
    """Make a drawn photo as large as a camera's, so that reading it takes as long."""
    with Image.open(path) as image:
        large = image.convert("RGB").resize(CAMERA, Image.Resampling.BICUBIC)
    large.save(path, quality=92)


def _measured(scratch: Path, photos: int) -> Waits:
    path = scratch / f"{photos}.catalog"
    shutil.copytree(scratch / "turtles.catalog", path)
    catalog = Catalog.open(path)
    enrolled = catalog.photos(GalleryFilter())
    if photos > 1000:
        grow(catalog, enrolled, 0, photos, crowd(catalog.vectors(enrolled), photos, seed=1))
        catalog.shortlist(
            catalog.vectors(enrolled[:1])[0], 5, GalleryFilter()
        )  # the index is built once, not for the page
        with catalog.writing("benchmark"):
            catalog.searcher.save_if_worth()
    command = [
        sys.executable,
        "-m",
        "retrieval",
        "--catalog",
        str(path),
        "review",
        "--no-browser",
        "--matcher",
        NEAREST,
    ]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        try:
            assert running.stdout is not None
            address = re.search(r"http://\S+", running.stdout.readline())
            assert address is not None
            visitor = Visitor(address[0])
            first_page = 1000 * (time.perf_counter() - started)
            while not json.loads(visitor.get("/state"))["complete"]:
                time.sleep(0.2)
            ready = time.perf_counter() - started
            return Waits(photos, first_page, *_waits(visitor), ready)
        finally:
            running.terminate()


def _waits(visitor: Visitor) -> tuple[float, float, float]:
    """Next group, answer and original, medians of all groups."""
    queue = list(dict.fromkeys(re.findall(r"/compare/(\d+)", visitor.get("/queue").decode())))
    nexts, answers, originals = [], [], []
    for number, key in enumerate(queue):
        item = _item(visitor.get(f"/compare/{key}"))
        if not item["candidates"]:
            continue
        first = item["candidates"][0]
        visitor.get(f"/pair?query={first['query']}&other={first['photo']}")  # the page has fetched it ahead
        visitor.get(f"/photo/{first['query']}/large.jpg")

        following = [
            f"/compare/{key}",
            f"/pair?query={first['query']}&other={first['photo']}",
            f"/photo/{first['query']}/large.jpg",
        ]
        nexts.append(_timed(visitor, following))
        originals.append(_timed(visitor, [f"/photo/{first['query']}/full.jpg"]))
        started = time.perf_counter()
        visitor.post("/answer", _answer(item, number))
        answers.append(1000 * (time.perf_counter() - started))
    return statistics.median(nexts), statistics.median(answers), statistics.median(originals)


def _item(page: bytes) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="item">(.*?)</script>', page.decode(), re.DOTALL)
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


def _answer(item: dict[str, Any], number: int) -> dict[str, object]:
    return {
        "key": f"benchmark-{number:06d}",
        "group": item["key"],
        "said": "new",
        "encounters": item["encounters"],
        "photos": [one["number"] for one in item["photos"]],
        "seconds": 5.0,
    }


def _timed(visitor: Visitor, paths: Sequence[str]) -> float:
    started = time.perf_counter()
    for path in paths:
        visitor.get(path)
    return 1000 * (time.perf_counter() - started)


def _print_table(measured: Sequence[Waits]) -> None:
    table = Table(
        "photos", *(f"{name.replace('_', ' ')} (≤ {most:.0f} ms)" for name, most in BUDGETS.items()), "ready (s)"
    )
    for one in measured:
        table.add_row(str(one.photos), *(f"{getattr(one, name):.0f}" for name in BUDGETS), f"{one.ready:.1f}")
    Console(stderr=True).print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", help="sizes of the catalogues; the smallest is what is drawn")
    parser.add_argument("--quick", action="store_true", help="the small catalogue only")
    parser.add_argument("--scratch", type=Path, help="folder for the catalogues; else the system's own")
    options = parser.parse_args()
    options.photos = options.photos or ([150] if options.quick else [150, 100_000])
    return options


if __name__ == "__main__":
    main()
