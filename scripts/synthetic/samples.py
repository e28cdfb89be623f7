"""Writes a folder of drawn photographs as a photographer's folder would look, with a manifest."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from index.types import Pixels, Side
from synthetic.heads import PHOTOS_PER_DAY, draw_head

FIRST_DAY = dt.date(2014, 6, 1)
COLUMNS = ("photo", "turtle", "side", "taken_on", "encounter", "role")
EXIF_TAKEN, EXIF_SOFTWARE = 0x9003, 0x0131


@dataclass(frozen=True, slots=True)
class Sample:
    """One written photo. `photo` is relative to the folder; `role` is gallery, known or new."""

    photo: str
    turtle: str
    side: Side
    taken_on: dt.date
    encounter: str
    role: str


@dataclass(frozen=True, slots=True)
class SampleSet:
    """What `write_samples` wrote."""

    folder: Path
    manifest: Path
    samples: tuple[Sample, ...]

    def with_role(self, role: str) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.role == role)


def write_samples(
    folder: Path,
    turtles: int,
    photos_per_turtle: int = 4,
    new_turtles: int = 2,
    size: tuple[int, int] = (480, 384),
    sides: tuple[Side, ...] = (Side.LEFT,),
    species: int = 0,
) -> SampleSet:
    """Draws `turtles` enrolled turtles and `new_turtles` strangers into sub-folders, and manifest.csv beside them.

    Each turtle has `photos_per_turtle` photos of each side, two a day. The last day of an enrolled turtle has role
    "known", the days before it "gallery"; everything of a stranger is "new".
    """
    samples = []
    for number in range(turtles + new_turtles):
        for side in sides:
            for photograph in range(photos_per_turtle):
                sample = _sample(number, side, photograph, photos_per_turtle, stranger=number >= turtles)
                _write(folder / sample.photo, sample, draw_head(number, photograph, side, size, species))
                samples.append(sample)
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for sample in samples:
            rows.writerow([getattr(sample, column) for column in COLUMNS])
    return SampleSet(folder, manifest, tuple(samples))


def _sample(number: int, side: Side, photograph: int, photos: int, stranger: bool) -> Sample:
    turtle = f"T{number + 1:03d}"
    day = photograph // PHOTOS_PER_DAY
    last_day = (photos - 1) // PHOTOS_PER_DAY
    known = day == last_day and day > 0
    taken_on = FIRST_DAY + dt.timedelta(days=250 * day + 3 * number)
    return Sample(
        photo=f"{turtle}/{side}-{photograph + 1}.jpg",
        turtle=turtle,
        side=side,
        taken_on=taken_on,
        encounter=f"{turtle}-{taken_on}",
        role="new" if stranger else "known" if known else "gallery",
    )


def _write(path: Path, sample: Sample, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[EXIF_SOFTWARE] = "turtleidx drawing"
    exif.get_ifd(0x8769)[EXIF_TAKEN] = f"{sample.taken_on:%Y:%m:%d} 10:00:00"
    Image.fromarray(pixels).save(path, quality=92, exif=exif)
