"""Whether the same photos in other formats get the same answers, through whole `enroll` and `query`.

Gallery photos are enrolled as they are, the model is fitted, and known and new photos are asked about: as they are, in
formats that lose nothing (PNG, TIFF, WebP, each stored in one of the eight orientations in turn) and in those that lose
something. The gallery is enrolled in the lossless formats as well, where every photo must get the same keypoints. Ends
with one line of JSON that lists every other answer.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from pillow_heif import register_heif_opener
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.exchange import ManifestRow, read_manifest
from index.types import GalleryFilter, Sighting
from retrieval.engine import LIGHT, Engine, EngineOptions
from retrieval.fitting import fit
from retrieval.images import Question
from retrieval.novelty import DecisionPolicy, Verdict
from retrieval.pipeline import FollowUp, answer, enroll

ORIENTATION = 0x0112
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How an upright picture is turned to be stored with each orientation of EXIF."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a photo is saved; an orientation is not written where the library would turn the picture by itself."""

    ending: str
    lossless: bool
    saving: Mapping[str, Any]
    turned: bool = True


FORMATS = {
    "PNG": Format("png", True, {"compress_level": 1}),
    "TIFF": Format("tif", True, {"compression": "tiff_lzw"}),
    "WebP lossless": Format("webp", True, {"lossless": True, "quality": 0}),
    "JPEG 95": Format("jpg", False, {"quality": 95}),
    "JPEG 90": Format("jpg", False, {"quality": 90}),
    "HEIC 90": Format("heic", False, {"quality": 90}, turned=False),
    "AVIF 90": Format("avif", False, {"quality": 90}, turned=False),
}


@dataclass(frozen=True, slots=True)
class Said:
    """What was answered about a photo."""

    verdict: str
    turtle: str | None
    p_new: float | None
    first: str | None
    score: float

    def same(self, other: Said) -> bool:
        """Whether people would read the same verdict."""
        return (self.verdict, self.turtle) == (other.verdict, other.turtle)


@dataclass(frozen=True, slots=True)
class Other:
    """A photo whose answer differs from that about the original."""

    format: str
    photo: str
    truth: str
    before: Said
    now: Said

    @property
    def wrong_known(self) -> bool:
        """Whether it is called KNOWN under a wrong name, and was not before."""
        return self.now.verdict == Verdict.KNOWN and self.now.turtle != self.truth and not self.now.same(self.before)

    @property
    def cause(self) -> str:
        """What moved the answer, as far as it shows."""
        if self.before.first != self.now.first:
            return f"another first turtle ({self.before.first}, {self.now.first})"
        return f"score {self.before.score:.4f} to {self.now.score:.4f} across a threshold"


def main() -> None:
    options = _options()
    with scratch_folder(options.scratch) as folder:
        figures = run(options, folder)
    print(json.dumps(figures))


def run(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Every format's answers against those about the originals."""
    register_heif_opener()
    rows = [row for row in read_manifest(options.manifest) if isinstance(row, ManifestRow)]
    gallery = _whole_turtles([row for row in rows if row.columns.get("role") == "gallery"], options.gallery)
    known = {row.sighting.turtle for row in gallery}
    others_of = [row for row in rows if row.columns.get("role") != "gallery"]
    asked = _spread(
        [row for row in others_of if row.sighting.turtle in known or row.columns.get("role") == "new"], options.queries
    )
    engine = Engine.load(options=EngineOptions(matcher=options.matcher))
    catalog = Catalog.create(folder / "original.catalog", engine.recipe)
    enroll(catalog, [row.sighting for row in gallery], engine, "benchmark")
    print(
        f"{len(gallery)} gallery photos of {len(known)} turtles enrolled, {len(asked)} photos to ask about", flush=True
    )
    fitted = fit(catalog, engine, "benchmark", options.budget)
    if fitted.reason:
        print(f"No verdict but UNDECIDED can be given, so that verdicts tell nothing: {fitted.reason}", flush=True)
    before = _answers(catalog, engine, [row.sighting for row in asked], "original")
    others: list[Other] = []
    lines: list[tuple[str, int, int, int]] = []
    for name in options.formats or FORMATS:
        form, started = FORMATS[name], time.process_time()
        saved = list(_saved([row.sighting for row in asked], name, folder))
        now = _answers(catalog, engine, saved, name)
        found = [
            Other(name, row.sighting.path, str(row.sighting.turtle), one, other)
            for row, one, other in zip(asked, before, now, strict=True)
            if not one.same(other) or (form.lossless and one != other)
        ]
        others += found
        apart = _gallery_apart(catalog, engine, [row.sighting for row in gallery], name, folder) if form.lossless else 0
        wrong = sum(one.wrong_known for one in found)
        lines.append((name, sum(not one.before.same(one.now) for one in found), wrong, apart))
        print(f"{name}: {lines[-1][1:]}, {time.process_time() - started:.0f} CPU s", flush=True)
    _print(lines, len(asked))
    return {
        "photos": len(asked),
        "gallery": len(gallery),
        "matcher": options.matcher,
        "fitted": not fitted.reason,
        "verdicts": dict(Counter(one.verdict for one in before)),
        "formats": {
            name: {"other_verdicts": other, "new_wrong_known": wrong, "gallery_photos_apart": apart}
            for name, other, wrong, apart in lines
        },
        "others": [asdict(one) | {"cause": one.cause} for one in others],
    }


def _whole_turtles(rows: Sequence[ManifestRow], count: int) -> list[ManifestRow]:
    """All photos of those turtles that have most, with the last of them so many photos or a few more.

    Photos drawn one by one would leave too few turtles with two encounters for a model.
    """
    photos = Counter(row.sighting.turtle for row in rows)
    chosen, taken = set(), 0
    for turtle, own in photos.most_common():
        if taken >= count:
            break
        chosen.add(turtle)
        taken += own
    return [row for row in rows if row.sighting.turtle in chosen]


def _spread(rows: Sequence[ManifestRow], count: int) -> list[ManifestRow]:
    """So many rows, evenly over all of them."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))
    return [rows[place] for place in places]


def _saved(sightings: Sequence[Sighting], name: str, folder: Path) -> Iterator[Sighting]:
    """The photos in a format, each stored in one of the eight orientations in turn, without other metadata."""
    form, into = FORMATS[name], folder / name
    into.mkdir(exist_ok=True)
    for number, sighting in enumerate(sightings):
        path = into / f"{number:05d}.{form.ending}"
        orientation = number % 8 + 1 if form.turned else 1
        turn = STORED[orientation]
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        with Image.open(sighting.path) as image:
            colours = image.info.get("icc_profile")
            upright = ImageOps.exif_transpose(image).convert("RGB")
        stored = upright if turn is None else upright.transpose(turn)
        told: dict[str, Any] = {"exif": exif.tobytes()} if form.turned else {}
        told |= {} if colours is None else {"icc_profile": colours}
        stored.save(path, **told, **form.saving)
        yield replace(sighting, path=str(path))


def _answers(catalog: Catalog, engine: Engine, photos: Sequence[Sighting], name: str) -> list[Said]:
    questions = [Question(one, {}) for one in photos]
    answers = answer(catalog, questions, engine, "benchmark", DecisionPolicy(), FollowUp())
    said = []
    for one in track(answers, description=name, total=len(questions), console=Console(stderr=True)):
        found = one.identification
        best = found.candidates[0] if found.candidates else None
        said.append(
            Said(
                str(found.verdict),
                found.turtle,
                found.p_new,
                best.turtle if best else None,
                best.score if best else 0.0,
            )
        )
    return said


def _gallery_apart(catalog: Catalog, engine: Engine, sightings: Sequence[Sighting], name: str, folder: Path) -> int:
    """How many gallery photos have other keypoints when they are enrolled in this format."""
    other = Catalog.create(folder / f"{name}.catalog", engine.recipe)
    enroll(other, list(_saved(sightings, name, folder)), engine, "benchmark")
    pairs = zip(*(one.features(one.photos(GalleryFilter())) for one in (catalog, other)), strict=True)
    return sum(
        not (np.array_equal(a.xy, b.xy) and np.array_equal(a.descriptors, b.descriptors) and a.size == b.size)
        for a, b in pairs
    )


def _print(lines: Sequence[tuple[str, int, int, int]], asked: int) -> None:
    shown = Table("format", "other verdicts", "new wrong KNOWN", "gallery photos apart", title=f"{asked} photos")
    for name, other, wrong, apart in lines:
        shown.add_row(name, f"{other} ({other / asked:.1%})", str(wrong), str(apart) if FORMATS[name].lossless else "-")
    Console(width=100).print(shown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--gallery", type=int, default=260, help="photos to enroll, of whole turtles")
    parser.add_argument("--queries", type=int, default=100, help="photos to ask about, evenly over the manifest's")
    parser.add_argument("--matcher", default=LIGHT)
    parser.add_argument("--budget", type=int, default=4000, help="photo pairs to fit with")
    parser.add_argument("--formats", nargs="*", choices=tuple(FORMATS), help="only these")
    parser.add_argument("--scratch", type=Path, help="folder with room for the photos in every format")
    parser.add_argument("--quick", action="store_true", help="few photos, without a network")
    options = parser.parse_args()
    if options.quick:
        options.gallery, options.queries, options.matcher = 60, 8, "nearest"
    return options


if __name__ == "__main__":
    main()
