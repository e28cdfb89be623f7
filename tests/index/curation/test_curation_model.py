"""Random operations with undo leave the registry as a plain in-memory model says."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.errors import TurtleidxError
from index.registry.database import Registry
from index.registry.integrity import broken_rules
from index.types import Side
from tests.index.making import RECIPE, day, photo
from tests.index.modelling import Model, PhotoRow, Refused, TurtleRow

NAMES = st.sampled_from(["A", "B", "C", "D"])
DAYS = st.sampled_from([None, day(1), day(2)])
OCCASIONS = st.sampled_from([None, None, "dusk"])
SOME = st.sets(st.integers(1, 12), min_size=1, max_size=4)


@cache
def empty_catalog() -> Path:
    """An empty catalogue to copy."""
    return Catalog.create(Path(tempfile.mkdtemp()) / "t.catalog", RECIPE).path


class KeptOpen(Registry):
    """A registry whose file stays open, which only a single process may do: many small changes are quick."""

    @contextmanager
    def _connected(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        del read_only  # one connection serves both
        if not hasattr(self, "kept"):
            self.kept = duckdb.connect(str(self.path))
        with self.kept.cursor() as cursor:
            yield cursor


class Curation(RuleBasedStateMachine):
    """The same operations on a catalogue and on the model; what one refuses, the other must refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        path = Path(shutil.copytree(empty_catalog(), self.folder / "t.catalog"))
        self.registry = KeptOpen(path / "registry.duckdb")
        self.catalog = Catalog(path, self.registry, RECIPE)
        self.curator = Curator(self.catalog, "Ana")
        self.model = Model()
        self.first_event = 2  # event 1 made the catalogue

    def teardown(self) -> None:
        self.registry.kept.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def both(self, act: Callable[[], object], mirror: Callable[[Model], None], undoes: int | None = None) -> None:
        trial = self.model.begin()
        try:
            mirror(trial)
            refused = False
        except Refused:
            refused = True
        try:
            act()
        except TurtleidxError as error:
            assert refused, error
            return
        assert not refused
        trial.commit(self.model, undoes)
        self.model = trial

    def live(self, numbers: set[int], model: Model) -> set[int]:
        if any(n not in model.photos or model.photos[n].removed for n in numbers):
            raise Refused
        return numbers

    @initialize()
    def two_turtles(self) -> None:
        for name, days in (("A", [1, 1, 2]), ("B", [1, 2, 2])):
            self.enroll_these([(name, day(n), None) for n in days])

    @rule(turtle=st.one_of(st.none(), NAMES), taken=DAYS, occasion=OCCASIONS)
    def enroll(self, turtle: str | None, taken: dt.date | None, occasion: str | None) -> None:
        self.enroll_these([(turtle, taken, occasion)])

    def enroll_these(self, what: list[tuple[str | None, dt.date | None, str | None]]) -> None:
        seeds = [1000 * len(self.model.events) + row for row in range(len(what))]
        made = [
            photo(seed, turtle, taken_on=taken, encounter=occasion)
            for seed, (turtle, taken, occasion) in zip(seeds, what, strict=True)
        ]
        outcomes = self.catalog.enroll(made, "Ana")
        before = self.model.begin()
        for outcome, (turtle, taken, occasion) in zip(outcomes, what, strict=True):
            key = None if turtle is None else self.model.key_or_new(turtle)
            encounter = self.model.encounter(key, taken, occasion)
            self.model.photos[outcome.photo.id] = PhotoRow(encounter, taken)
        self.model.commit(before)

    @rule(name=NAMES)
    def create(self, name: str) -> None:
        def mirror(model: Model) -> None:
            model.free(name)
            model.turtles[model.fresh()] = TurtleRow(name)

        self.both(lambda: self.curator.create_turtle(name), mirror)

    @rule(name=NAMES, new=NAMES)
    def rename(self, name: str, new: str) -> None:
        def mirror(model: Model) -> None:
            key = model.key(name)
            model.free(new)
            model.turtles[key] = replace(model.turtles[key], name=new)

        self.both(lambda: self.curator.rename_turtle(name, new), mirror)

    @rule(into=NAMES, others=st.sets(NAMES, min_size=1, max_size=2))
    def merge(self, into: str, others: set[str]) -> None:
        def mirror(model: Model) -> None:
            key, keys = model.key(into), [model.key(name) for name in others]
            if key in keys or model.turtles[key].status == "retired":
                raise Refused
            for number, row in model.encounters.items():
                if row.turtle in keys:
                    model.encounters[number] = replace(row, turtle=key)
            tags = {tag for k in [key, *keys] for tag in model.turtles[k].tags}
            model.turtles[key] = replace(model.turtles[key], tags=tuple(sorted(tags)))
            for k in list(model.turtles):
                if k in keys:
                    model.turtles[k] = replace(model.turtles[k], status="merged", merged_into=key)
                elif model.turtles[k].merged_into in keys:
                    model.turtles[k] = replace(model.turtles[k], merged_into=key)
            model.settle([key])

        self.both(lambda: self.curator.merge_turtles(into, others), mirror)

    @rule(name=NAMES, numbers=SOME, new=NAMES)
    def split(self, name: str, numbers: set[int], new: str) -> None:
        def mirror(model: Model) -> None:
            key = model.key(name)
            model.free(new)
            own = {
                n
                for n, row in model.photos.items()
                if not row.removed and model.encounters[row.encounter].turtle == key
            }
            if numbers - own or numbers == own:
                raise Refused
            model.move(numbers, model.key_or_new(new))

        self.both(lambda: self.curator.split_turtle(name, numbers, new), mirror)

    @rule(name=NAMES, retire=st.booleans())
    def retire_or_restore(self, name: str, retire: bool) -> None:
        def mirror(model: Model) -> None:
            key = model.key(name)
            now, new = ("active", "retired") if retire else ("retired", "active")
            if model.turtles[key].status != now:
                raise Refused
            model.turtles[key] = replace(model.turtles[key], status=new)

        act = self.curator.retire_turtle if retire else self.curator.restore_turtle
        self.both(lambda: act(name), mirror)

    @rule(name=NAMES, note=st.sampled_from([None, "old", "=1+1"]), add=st.sampled_from(["x", "y"]), drop=st.booleans())
    def note_and_tag(self, name: str, note: str | None, add: str, drop: bool) -> None:
        def noted(model: Model) -> None:
            key = model.key(name)
            model.turtles[key] = replace(model.turtles[key], note=note)

        def tagged(model: Model) -> None:
            key = model.key(name)
            tags = set(model.turtles[key].tags)
            tags = tags - {add} if drop else tags | {add}
            model.turtles[key] = replace(model.turtles[key], tags=tuple(sorted(tags)))

        self.both(lambda: self.curator.note_turtle(name, note), noted)
        self.both(lambda: self.curator.tag_turtle(name, *(((), [add]) if drop else ([add],))), tagged)

    @rule(numbers=SOME, turtle=st.one_of(st.none(), NAMES))
    def move(self, numbers: set[int], turtle: str | None) -> None:
        def mirror(model: Model) -> None:
            self.live(numbers, model)
            model.move(numbers, None if turtle is None else model.key_or_new(turtle))

        self.both(lambda: self.curator.move_photos(numbers, turtle), mirror)

    @rule(name=NAMES, number=st.integers(1, 12))
    def identify(self, name: str, number: int) -> None:
        """The encounter of a photo, whose number the catalogue and the model count differently."""
        encounter = 10**6
        with self.catalog.reading() as session:
            encounter = session.number("SELECT encounter FROM photos WHERE id = ?", number) or encounter

        def mirror(model: Model) -> None:
            if number not in model.photos or model.encounters[model.photos[number].encounter].turtle is not None:
                raise Refused
            mine = model.photos[number].encounter
            key = model.key_or_new(name)
            model.encounters[mine] = replace(model.encounters[mine], turtle=key)
            model.settle([key])

        self.both(lambda: self.curator.identify_encounters([encounter], name), mirror)

    @rule(numbers=SOME, removed=st.booleans())
    def remove_or_restore(self, numbers: set[int], removed: bool) -> None:
        def mirror(model: Model) -> None:
            for n in numbers:
                if n not in model.photos or model.photos[n].removed == removed:
                    raise Refused
                model.photos[n] = replace(model.photos[n], removed=removed)

        act = self.curator.remove_photos if removed else self.curator.restore_photos
        self.both(lambda: act(numbers), mirror)

    @rule(numbers=SOME, side=st.sampled_from([None, Side.LEFT, Side.RIGHT]))
    def set_side(self, numbers: set[int], side: Side | None) -> None:
        def mirror(model: Model) -> None:
            for n in self.live(numbers, model):
                model.photos[n] = replace(model.photos[n], side=side)

        self.both(lambda: self.curator.set_side(numbers, side), mirror)

    @rule(number=st.integers(1, 12), taken=DAYS)
    def set_date(self, number: int, taken: dt.date | None) -> None:
        def mirror(model: Model) -> None:
            self.live({number}, model)
            row = replace(model.photos[number], taken_on=taken)
            model.photos[number] = row
            old = model.encounters[row.encounter]
            if old.name is not None or old.day == taken:
                return
            together = sum(other.encounter == row.encounter for other in model.photos.values())
            if old.turtle is not None:
                new = model.encounter(old.turtle, row.taken_on, None)
                model.photos[number] = replace(row, encounter=new)
                model.sweep([row.encounter])
            elif together == 1:
                model.encounters[row.encounter] = replace(old, day=row.taken_on)

        self.both(lambda: self.curator.set_date([number], taken), mirror)

    @rule(back=st.integers(0, 6))
    def undo(self, back: int) -> None:
        event = len(self.model.events) - 1 - back
        if event < 0:
            return
        self.both(lambda: self.curator.undo(event + self.first_event), lambda model: model.undo(event), undoes=event)

    @invariant()
    def same_state(self) -> None:
        with self.catalog.reading() as session:
            assert broken_rules(session) == []
            turtles = {
                (name, status, into, note, tuple(tags or ()))
                for name, status, into, note, tags in session.rows(
                    "SELECT t.id, t.status, m.id, t.note, t.tags "
                    "FROM turtles t LEFT JOIN turtles m ON m.key = t.merged_into"
                )
            }
            photos = {
                number: (encounter, turtle, taken, side, removed, occasion, on)
                for number, encounter, turtle, taken, side, removed, occasion, on in session.rows(
                    "SELECT p.id, e.id, t.id, p.taken_on, p.side, p.removed, e.name, e.day FROM photos p "
                    "JOIN encounters e ON e.id = p.encounter LEFT JOIN turtles t ON t.key = e.turtle"
                )
            }
            events = session.number("SELECT count(*) FROM events")
        model = self.model
        days = {encounter.id: encounter.day for encounter in Browser(self.catalog).encounters()}
        names = {key: turtle.name for key, turtle in model.turtles.items()}
        assert turtles == {
            (t.name, t.status, names.get(t.merged_into or 0), t.note, t.tags) for t in model.turtles.values()
        }
        assert photos.keys() == model.photos.keys()
        for number, row in model.photos.items():
            place = model.encounters[row.encounter]
            expected = (names.get(place.turtle or 0), row.taken_on, row.side, row.removed, place.name, place.day)
            assert photos[number][1:] == expected
            together = [p for p in model.photos.values() if p.encounter == row.encounter and not p.removed]
            dated = [p.taken_on for p in together if p.taken_on is not None]
            assert days[photos[number][0]] == min(dated, default=None)
        for number, other in ((a, b) for a in photos for b in photos if a < b):
            one_encounter = model.photos[number].encounter == model.photos[other].encounter
            assert (photos[number][0] == photos[other][0]) == one_encounter
        assert events == len(model.events) + 1


Curation.TestCase.settings = settings(max_examples=4, stateful_step_count=20, suppress_health_check=list(HealthCheck))
TestCuration = Curation.TestCase
