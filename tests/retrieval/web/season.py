"""A catalogue under review: twenty-four turtles seen twice, a season of unidentified photos, and a server for it."""

from __future__ import annotations

import hashlib
import io
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from index.catalog.catalog import Catalog
from index.types import PreparedPhoto
from retrieval.web.desk import ReviewOptions
from retrieval.web.server import Opened, serve
from tests.retrieval.lookalikes import TURTLES, believing, engine, lookalike

KNOWN = (3, 5, 7, 9)
HARD = (11, 13, 15, 17)
STRANGERS = (101, 102, 103, 104, 105, 106)
MANY = tuple(range(111, 129))
"""More of them, for a server that many tests use up."""
GPS, GPS_LATITUDE = 0x8825, 2


def with_pixels(one: PreparedPhoto, folder: Path, *, original: bool = True) -> PreparedPhoto:
    """With a picture of its own: a thumbnail, and an original whose metadata say where it was taken."""
    seed = int(one.sha256[:8], 16)
    soft = np.random.default_rng(seed).integers(60, 200, (8, 12, 3), dtype=np.uint8)
    picture = Image.fromarray(soft).resize((480, 320), Image.Resampling.BICUBIC)
    small, whole = io.BytesIO(), io.BytesIO()
    picture.save(small, "JPEG", quality=60)
    if not original:
        return replace(one, thumbnail=small.getvalue(), original_size=(480, 320))
    exif = Image.Exif()
    exif.get_ifd(GPS)[GPS_LATITUDE] = (8.0, 30.0, 45.0)
    picture.resize((960, 640)).save(whole, "JPEG", quality=80, exif=exif)
    path = folder / one.sighting.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(whole.getvalue())
    return replace(
        one,
        sha256=hashlib.sha256(whole.getvalue()).hexdigest(),
        sighting=replace(one.sighting, path=str(path)),
        thumbnail=small.getvalue(),
        original_size=(960, 640),
    )


def made_season(folder: Path, strangers: tuple[int, ...] = STRANGERS) -> Path:
    """Two photos of each of four known turtles, one of each that is hard to tell, one of each stranger."""
    catalog = Catalog.create(folder / "turtles.catalog", engine().recipe)
    shared = np.random.default_rng(0).uniform(0.3, 0.8, TURTLES)
    gallery = [
        lookalike(turtle, number, f"T{turtle:03d}", float(shared[turtle - 1]))
        for turtle in range(1, TURTLES + 1)
        for number in (1, 2)
    ]
    catalog.enroll([with_pixels(one, folder, original=False) for one in gallery], "Ben")
    believing(catalog)
    seen = [lookalike(turtle, number, None) for turtle in KNOWN for number in (14, 15)]
    seen += [lookalike(turtle, 14, None, 0.22) for turtle in HARD]
    seen += [lookalike(turtle, 11, None) for turtle in strangers]
    catalog.enroll([with_pixels(one, folder) for one in seen], "Ben")
    return catalog.path


def with_strangers(path: Path, folder: Path, strangers: tuple[int, ...]) -> Path:
    """The same catalogue with a photo of each of these beside."""
    Catalog.open(path).enroll([with_pixels(lookalike(one, 11, None), folder) for one in strangers], "Ben")
    return path


def copied(season: Path, folder: Path) -> Path:
    """A copy whose photos keep their originals' places."""
    return Path(shutil.copytree(season, folder / "turtles.catalog"))


@dataclass(frozen=True)
class Served:
    """A running server."""

    catalog: Path
    address: str

    @property
    def base(self) -> str:
        return self.address.partition("/?")[0]


@contextmanager
def serving(catalog: Path, who: str = "Ana", *, read_only: bool = False) -> Iterator[Served]:
    """The catalogue's page in a thread of this process."""
    there, opened = threading.Event(), []

    def tell(one: Opened) -> None:
        opened.append(one)
        there.set()

    options = ReviewOptions(who, browser=False, read_only=read_only, matcher="nearest")
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(catalog, options, tell, stop), daemon=True)
    thread.start()
    assert there.wait(60)
    try:
        yield Served(catalog, opened[0].address)
    finally:
        stop.set()
        thread.join(20)
