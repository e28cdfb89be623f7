"""Kill a process that works on a catalogue, at random moments, and see whether anything is ever lost.

A worker runs random operations of every kind and acknowledges each with a digest of the registry. It is killed
(kill -9) at a random moment. Then the registry as of the last acknowledged event must have that digest, a reader
must find every photo's features and vector, and after the next writer's repair a full check must find nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from index.archive import backup
from index.browsing import Browser
from index.catalog import Catalog
from index.curation import Curator
from index.decisions import Decisions
from index.errors import Conflict, InputError, UnknownRecord
from index.records import Answer, PhotoRecord
from index.replacement import Replacement
from index.reviews import dismiss
from index.session import Session
from index.types import GalleryFilter, LocalFeatures, PreparedPhoto, Recipe, Side, Sighting
from index.upkeep import check, compact

EXTRACTORS = ("sift-64-480", "sift-64-500")
RECIPE = Recipe(EXTRACTORS[0], "vlad-trial", 16)
NAMES = [f"T{number:03d}" for number in range(1, 9)]
EVERYTHING = GalleryFilter(identified=False)


@dataclass(frozen=True)
class Acknowledged:
    """What the worker knew to be done: the operation, the newest event, and the registry's digest."""

    operation: str
    event: int
    digest: str


@dataclass
class Result:
    """How often a worker was killed, what was lost (sentences), and which operations had been acknowledged before."""

    kills: int
    losses: list[str]
    operations: dict[str, int]


def crash(kills: int, seed: int, folder: Path, longest_life: float = 2.5) -> Result:
    """Kill a worker again and again on one catalogue, at most so many seconds after it began, checking each time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trials.crashes"])
    chance = random.Random(seed)
    path = Catalog.create(folder / "crashing.catalog", RECIPE).path
    last = Acknowledged("create", 1, digest_of(Catalog.open(path), 1))
    result = Result(0, [], {})
    for number in range(kills):
        receiver, sender = context.Pipe(duplex=False)
        worker = context.Process(target=work, args=(path, chance.randrange(1 << 30), sender))
        worker.start()
        sender.close()
        receiver.recv()  # it is ready
        time.sleep(chance.uniform(0, longest_life))
        worker.kill()
        worker.join()
        result.kills += 1
        if worker.exitcode != -signal.SIGKILL:
            result.losses.append(f"kill {number}: the worker had stopped by itself")
        for told in drained(receiver):
            last = told
            result.operations[told.operation] = result.operations.get(told.operation, 0) + 1
        result.losses += [f"kill {number}, after {last.operation}: {loss}" for loss in losses(path, last)]
    return result


def drained(receiver: Connection) -> list[Acknowledged]:
    """Everything that was acknowledged before the kill."""
    found: list[Acknowledged] = []
    try:
        while receiver.poll():
            found.append(receiver.recv())
    except (EOFError, OSError):
        pass
    return found


def losses(path: Path, last: Acknowledged) -> list[str]:
    """What is not as it was acknowledged; each one sentence."""
    reader = Catalog.open(path)
    found = []
    if digest_of(reader, last.event) != last.digest:
        found.append("the registry is not what was acknowledged")
    photos = reader.photos(EVERYTHING)
    if len(reader.features(photos)) != len(photos) or len(reader.vectors(photos)) != len(photos):
        found.append("a reader misses features or vectors")
    found += [
        f"photo {photo.id} is not found by its own vector"
        for photo in photos[-3:]
        if photo not in reader.shortlist(reader.vectors([photo])[0], 3, EVERYTHING, per_turtle=3).photos
    ]
    report = check(reader)
    found += report.problems
    if reader.summary().health:
        found += reader.summary().health
    if list(path.rglob("*.partial")):
        found.append("an unfinished file was left behind")
    return found


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
            *(self.move, self.remove, self.bring_back, self.correct, self.relocate, self.join, self.part),
            *(self.undo, self.undo, self.fit, self.remember_pairs, self.decide, self.compact, self.archive, self.check),
            *(self.identify, self.dismiss, self.reindex),
        ]

    def enroll(self) -> None:
        count = self.chance.randint(1, 8)
        self.catalog.enroll([prepared(self.chance) for _ in range(count)], "trial")

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

    def join(self) -> None:
        found = [e.id for e in Browser(self.catalog).encounters(turtle=self.name())]
        self.curator.merge_encounters(*(found[0], found[1:2])) if len(found) > 1 else None

    def part(self) -> None:
        number = self.chance.choice(self.some())
        encounter = Browser(self.catalog).photo(str(number)).encounter
        self.curator.split_encounter(encounter, [number], f"dive {self.chance.random()}")

    def undo(self) -> None:
        self.curator.undo()

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
        compact(self.catalog, "trial")

    def archive(self) -> None:
        backup(self.catalog, self.catalog.path.parent / "backup.zip")

    def check(self) -> None:
        check(self.catalog)

    def identify(self) -> None:
        nobodys = [one.id for one in Browser(self.catalog).encounters(unidentified=True)][:3]
        self.curator.identify_encounters(nobodys, self.chance.choice([None, *NAMES])) if nobodys else None

    def dismiss(self) -> None:
        dismiss(self.catalog, [self.name() for _ in range(self.chance.randint(1, 2))], "trial")

    def reindex(self) -> None:
        """As another extractor that sees the same."""
        now = self.catalog.recipe
        other = replace(now, extractor=EXTRACTORS[now.extractor == EXTRACTORS[0]])
        with self.catalog.writing("reindex"):
            replacement = Replacement(self.catalog, other)
            waiting = replacement.waiting()
            for first in range(0, len(waiting), 8):
                batch = waiting[first : first + 8]
                replacement.stage([self.seen_again(record) for record in batch], [record.id for record in batch])
            replacement.switch("trial")

    def seen_again(self, record: PhotoRecord) -> PreparedPhoto:
        [features] = self.catalog.feature_store.features([record.sha256])
        thumbnail = self.catalog.feature_store.thumbnail(record.sha256)
        [vector] = self.catalog.searcher.vectors(np.array([record.id], np.int64))
        if features is None or thumbnail is None:
            raise AssertionError(f"photo {record.id} lost its features")
        return PreparedPhoto(
            Sighting(record.path), record.sha256, features, vector, thumbnail, record.size, record.quality
        )

    def name(self) -> str:
        return self.chance.choice(NAMES)

    def some(self) -> list[int]:
        photos = self.catalog.photos(EVERYTHING)
        return [photo.id for photo in self.chance.sample(photos, min(len(photos), 3))] or [0]


def day(chance: random.Random) -> dt.date | None:
    return chance.choice([None, dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2021, 7, 7)])


def prepared(chance: random.Random) -> PreparedPhoto:
    """A photo of random numbers."""
    numbers = np.random.default_rng(chance.randrange(1 << 30))
    vector = numbers.normal(size=RECIPE.dimension).astype(np.float32)
    return PreparedPhoto(
        sighting=Sighting("photo.jpg", turtle=chance.choice([None, *NAMES]), taken_on=day(chance)),
        sha256=numbers.bytes(32).hex(),
        features=LocalFeatures(
            xy=numbers.random((64, 2), np.float32),
            scale=numbers.random(64, np.float32),
            orientation=numbers.random(64, np.float32),
            descriptors=numbers.integers(0, 256, (64, 128), dtype=np.uint8),
            size=(480, 320),
        ),
        vector=vector / np.linalg.norm(vector),
        thumbnail=numbers.bytes(2000),
        original_size=(4000, 3000),
        quality=0.5,
    )
