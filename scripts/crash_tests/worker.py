"""A worker on a catalogue: random operations of every kind, each acknowledged with a digest of the registry."""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from index.catalog import (
    Browser,
    Catalog,
    Page,
    Reindexing,
    check_catalog,
    compact_catalog,
    restore_backup,
    write_backup,
)
from index.curation import Curator, Decisions, dismiss
from index.errors import Conflict, InputError, UnknownRecord
from index.exchange import import_table, join
from index.registry import Answer, PhotoRecord, Session
from index.types import Descriptor, GalleryFilter, LocalFeatures, PreparedPhoto, Recipe, Side, Sighting
from index.visual_words import SLOT_BYTES, packed

SLOTS = 8
RECIPES = (
    Recipe("sift-64-480", "vlad-trial", 16),
    Recipe("sift-64-500", "words-trial", SLOTS * SLOT_BYTES, votes=True),
)
NAMES = [f"T{number:03d}" for number in range(1, 9)]
EVERYTHING = GalleryFilter(identified=False)
BACKUP, RESTORED, DISCARDED, FIELD = "backup.zip", "restored.catalog", "discarded.catalog", "field.catalog"
"""Beside the catalogue: what operations leave there."""


@dataclass(frozen=True)
class Acknowledged:
    """What the worker knew to be done: the operation, the newest event, and the registry's digest."""

    operation: str
    event: int
    digest: str


def digest_of(catalog: Catalog, event: int) -> str:
    """A digest of every record as it was after an event."""
    with catalog.reading(as_of=event) as session:
        return digest(session)


def digest(session: Session) -> str:
    tables = ("turtles", "encounters", "photos", "models", "queries", "decisions", "reviews")
    return json.dumps([session.rows(f"SELECT count(*), CAST(bit_xor(hash(t)) AS VARCHAR) FROM {t} t") for t in tables])


def work(path: Path, seed: int, sender: Connection) -> None:
    """Run random operations until killed."""
    worker = Worker(Catalog.open(path), random.Random(seed))
    sender.send("ready")
    while True:
        operation = worker.chance.choice(worker.operations)
        try:
            operation()
        except (Conflict, UnknownRecord, InputError):
            continue
        with worker.catalog.reading() as session:
            event = session.number("SELECT max(id) FROM events")
            sender.send(Acknowledged(operation.__name__, event, digest(session)))


class Worker:
    """Every kind of change, with random arguments."""

    def __init__(self, catalog: Catalog, chance: random.Random) -> None:
        self.catalog = catalog
        self.chance = chance
        self.curator = Curator(catalog, "trial")
        self.operations: list[Callable[[], object]] = [
            *[self.enroll] * 4,
            *(self.create, self.rename, self.merge, self.split, self.retire, self.restore, self.annotate),
            *(self.move, self.remove, self.bring_back, self.correct, self.relocate, self.unite, self.part),
            *(self.undo, self.undo, self.undo_any, self.fit, self.remember_pairs, self.decide, self.dismiss),
            *(self.identify, self.identify, self.bring_home, self.take_table, self.reindex),
            *(self.compact, self.check, self.archive, self.unpack),
        ]

    def enroll(self) -> None:
        count = self.chance.randint(1, 8)
        self.catalog.enroll([prepared(self.chance, self.catalog.recipe) for _ in range(count)], "trial")

    def create(self) -> None:
        self.curator.create_turtle(self.name())

    def rename(self) -> None:
        self.curator.rename_turtle(self.name(), self.name())

    def merge(self) -> None:
        self.curator.merge_turtles(self.name(), {self.name()})

    def split(self) -> None:
        name = self.name()
        self.curator.split_turtle(name, [p.id for p in Browser(self.catalog).photos(turtle=name)][:1], self.name())

    def retire(self) -> None:
        self.curator.retire_turtle(self.name())

    def restore(self) -> None:
        self.curator.restore_turtle(self.name())

    def annotate(self) -> None:
        self.curator.note_turtle(self.name(), str(self.chance.random()))
        self.curator.tag_turtle(self.name(), ["seen"])

    def move(self) -> None:
        self.curator.move_photos(self.some(), self.chance.choice([None, *NAMES]))

    def remove(self) -> None:
        self.curator.remove_photos(self.some())

    def bring_back(self) -> None:
        removed = Browser(self.catalog).photos(removed=True)
        self.curator.restore_photos([p.id for p in removed[:2]] or [0])

    def correct(self) -> None:
        self.curator.set_side(self.some(), self.chance.choice(list(Side)))
        self.curator.set_date(self.some(), day(self.chance))

    def relocate(self) -> None:
        self.curator.relocate_photos({number: Path(f"/elsewhere/{number}.jpg") for number in self.some()})

    def unite(self) -> None:
        found = [e.id for e in Browser(self.catalog).encounters(turtle=self.name())]
        self.curator.merge_encounters(*(found[0], found[1:2])) if len(found) > 1 else None

    def part(self) -> None:
        number = self.chance.choice(self.some())
        encounter = Browser(self.catalog).photo(str(number)).encounter
        self.curator.split_encounter(encounter, [number], f"dive {self.chance.random()}")

    def undo(self) -> None:
        self.curator.undo()

    def undo_any(self) -> None:
        self.curator.undo(self.chance.choice(Browser(self.catalog).history(page=Page(30))).id)

    def fit(self) -> None:
        self.catalog.save_model("null", "nn-1", json.dumps(self.chance.random()), "trial")

    def remember_pairs(self) -> None:
        photos = self.catalog.photos(EVERYTHING)[:2]
        pairs = [(photo.sha256, photos[0].sha256) for photo in photos]
        self.catalog.pair_cache("nn-1").put(pairs, [np.ones(64, np.float32)] * len(pairs))

    def decide(self) -> None:
        decisions = Decisions(self.catalog)
        kept = decisions.keep("ab" * 32, "query.jpg", "NEW", "{}", "trial")
        decisions.decide(kept.id, Answer.NEW, "trial")

    def compact(self) -> None:
        compact_catalog(self.catalog, "trial")

    def archive(self) -> None:
        write_backup(self.catalog, self.beside(BACKUP))

    def unpack(self) -> None:
        """What a backup gives back is the registry as it was."""
        if not self.beside(BACKUP).exists():
            return
        shutil.rmtree(self.beside(DISCARDED), ignore_errors=True)
        restored = restore_backup(self.beside(BACKUP), self.beside(RESTORED))
        event = Browser(restored).history(page=Page(1))[0].id
        if digest_of(restored, event) != digest_of(self.catalog, event):
            raise AssertionError(f"the backup of event {event} differs from the catalogue as of then")
        restored.path.rename(self.beside(DISCARDED))  # a kill must not leave half of what was whole
        shutil.rmtree(self.beside(DISCARDED))

    def bring_home(self) -> None:
        """A field catalogue with new photos of old and new turtles."""
        shutil.rmtree(self.beside(FIELD), ignore_errors=True)
        field = Catalog.create(self.beside(FIELD), self.catalog.recipe)
        field.enroll([prepared(self.chance, field.recipe) for _ in range(self.chance.randint(1, 8))], "field")
        join(self.catalog, field, "trial")

    def take_table(self) -> None:
        """A table that says something else about a few photos."""
        photos = self.chance.sample(found, min(len(found), 3)) if (found := self.catalog.photos(EVERYTHING)) else []
        table = self.beside("table.csv")
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("sha256", "site", "turtle"))
            writer.writerows((one.sha256, f"reef {self.chance.randint(1, 9)}", self.name()) for one in photos)
        if photos:
            import_table(self.catalog, table, "trial")

    def check(self) -> None:
        check_catalog(self.catalog)

    def identify(self) -> None:
        nobodys = [one.id for one in Browser(self.catalog).encounters(unidentified=True)][:3]
        self.curator.identify_encounters(nobodys, self.chance.choice([None, *NAMES])) if nobodys else None

    def dismiss(self) -> None:
        dismiss(self.catalog, [self.name() for _ in range(self.chance.randint(1, 2))], "trial")

    def reindex(self) -> None:
        """As another extractor that sees the same, with vectors for signatures or the other way round."""
        other = RECIPES[self.catalog.recipe == RECIPES[0]]
        with self.catalog.writing("reindex"):
            replacement = Reindexing(self.catalog, other)
            waiting = replacement.waiting()
            for first in range(0, len(waiting), 8):
                batch = waiting[first : first + 8]
                replacement.stage([self.seen_again(record, other) for record in batch], [one.id for one in batch])
            replacement.switch("trial")

    def seen_again(self, record: PhotoRecord, recipe: Recipe) -> PreparedPhoto:
        [features] = self.catalog.feature_store.features([record.sha256])
        thumbnail = self.catalog.feature_store.thumbnail(record.sha256)
        vector = described(record.sha256, recipe)
        if features is None or thumbnail is None:
            raise AssertionError(f"photo {record.id} lost its features")
        return PreparedPhoto(
            Sighting(record.path), record.sha256, features, vector, thumbnail, record.size, record.quality
        )

    def beside(self, name: str) -> Path:
        return self.catalog.path.parent / name

    def name(self) -> str:
        return self.chance.choice(NAMES)

    def some(self) -> list[int]:
        photos = self.catalog.photos(EVERYTHING)
        return [photo.id for photo in self.chance.sample(photos, min(len(photos), 3))] or [0]


def day(chance: random.Random) -> dt.date | None:
    return chance.choice([None, dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2021, 7, 7)])


def described(digest: str, recipe: Recipe) -> Descriptor:
    """A photo's global descriptor, random and ever the same."""
    numbers = np.random.default_rng(int(digest[:16], 16))
    if recipe.votes:
        return packed(numbers.integers(0, 255, (SLOTS, SLOT_BYTES), dtype=np.uint8), SLOTS)
    vector = numbers.normal(size=recipe.dimension).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector))


def prepared(chance: random.Random, recipe: Recipe) -> PreparedPhoto:
    """A photo of random numbers."""
    numbers = np.random.default_rng(chance.randrange(1 << 30))
    digest = numbers.bytes(32).hex()
    return PreparedPhoto(
        sighting=Sighting("photo.jpg", turtle=chance.choice([None, *NAMES]), taken_on=day(chance)),
        sha256=digest,
        features=LocalFeatures(
            xy=numbers.random((64, 2), np.float32),
            scale=numbers.random(64, np.float32),
            orientation=numbers.random(64, np.float32),
            descriptors=numbers.integers(0, 256, (64, 128), dtype=np.uint8),
            size=(480, 320),
        ),
        vector=described(digest, recipe),
        thumbnail=numbers.bytes(2000),
        original_size=(4000, 3000),
        quality=0.5,
    )
