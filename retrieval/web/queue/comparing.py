"""Who is waiting: the groups of unidentified encounters, compared in the background and kept up to date.

The engine's verdicts come from `retrieval.review`; this module only runs it beside the server: first every encounter
alone, so that a person can begin at once, then all of them together, then again whenever the catalogue has changed.
What was compared is cached in the catalogue, so that going through it again is quick.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from index.catalog import Catalog
from index.curation import Rejection, Unsure, rejections, ruled_out_turtles, unsure_groups
from index.errors import CatalogBusy, TurtleidxError
from index.registry import PhotoRecord, read_records
from index.types import Side
from retrieval.novelty import CatalogModel, DecisionPolicy, Posterior, Verdict
from retrieval.pipeline import OtherSide
from retrieval.review import Group, PhotoNeighbours, known_by_other_side, neighbours_of, resolve
from retrieval.web.queue.order import Waiting
from retrieval.web.workbench import Workbench

Said = tuple[Sequence[Rejection], Sequence[Unsure]]
"""What people have said about groups that wait."""

PATIENCE = 2.0
"""Seconds between looks at whether another process has changed the catalogue."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A group that waits, with what its photos found.

    Attributes
    ----------
    photos : tuple of PhotoRecord
        All of the group's photos, also those that could not be compared.
    rejected : frozenset of str
        Turtles that a person has ruled out for these photos.
    final : bool
        False while other encounters are still to be compared, which may join the group.
    hidden : frozenset of int
        Encounters that are not shown, because they would give a planted pair away.
    unsure : bool
        Whether a person has said of all its photos that nobody can tell.
    other_sides : tuple of OtherSide
        Turtles that its photos show if they are of the other side than is stated.
    """

    group: Group
    waiting: Waiting
    photos: tuple[PhotoRecord, ...]
    neighbours: tuple[PhotoNeighbours, ...]
    rejected: frozenset[str]
    final: bool
    hidden: frozenset[int] = frozenset()
    unsure: bool = False
    other_sides: tuple[OtherSide, ...] = ()

    @property
    def key(self) -> int:
        return self.group.encounters[0]


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What is known at one moment; never changed, only replaced.

    Attributes
    ----------
    done, total : int
        Photos compared, of all that wait.
    trouble : str
        What stands in the way, in one sentence; empty when all is well.
    """

    items: Mapping[int, Item] = field(default_factory=dict)
    model: CatalogModel | None = None
    done: int = 0
    total: int = 0
    loading: bool = True
    complete: bool = False
    trouble: str = ""


class Comparing:
    """Keeps the groups up to date in a thread of its own."""

    def __init__(self, catalog: Catalog, bench: Workbench, policy: Callable[[], DecisionPolicy]) -> None:
        self._catalog = catalog
        self._bench = bench
        self._policy = policy
        self._wake = threading.Event()
        self._closed = False
        self._answered: dict[int, int] = {}
        self._looks = 0
        self._put_by: dict[int, Item] = {}
        self._returned: dict[int, Item] = {}
        self._other_sides: dict[tuple[int, Side | None], OtherSide | None] = {}
        self._lock = threading.Lock()
        self.snapshot = Snapshot()
        self._thread = threading.Thread(target=self._work, name="comparing", daemon=True)

    def start(self) -> None:
        """Load the engine and compare, from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop at the next photo."""
        self._closed = True
        self._wake.set()

    def refresh(self) -> None:
        """The catalogue has changed: go through it again."""
        self._wake.set()

    def took(self, encounters: Collection[int]) -> None:
        """These were answered: they wait no longer."""
        with self._lock:
            self._answered |= dict.fromkeys(encounters, self._looks)
            self._returned = self._open(self._returned)
            still = self._open(self.snapshot.items)
            self._put_by |= {key: one for key, one in self.snapshot.items.items() if key not in still}
            self.snapshot = replace(self.snapshot, items=still)
        self.refresh()

    def gave_back(self, encounters: Collection[int]) -> None:
        """The answer about these was undone or refused."""
        with self._lock:
            for one in encounters:
                self._answered.pop(one, None)
            asked = set(encounters)
            back = {key: one for key, one in self._open(self._put_by).items() if asked & set(one.group.encounters)}
            self._put_by = {key: one for key, one in self._put_by.items() if key not in back}
            self._returned |= back  # a look that has begun already does not know of them
            there = {
                key: replace(one, unsure=False) if asked & set(one.group.encounters) else one
                for key, one in self.snapshot.items.items()
            }
            self.snapshot = replace(self.snapshot, items={**back, **there})
        self.refresh()

    def _open(self, items: Mapping[int, Item]) -> dict[int, Item]:
        return {key: one for key, one in items.items() if not self._answered.keys() & set(one.group.encounters)}

    def _work(self) -> None:
        if not self._bench.load():
            self._show(loading=False, trouble=str(self._bench.failed))
            return
        seen: tuple[int, ...] | None = None
        while not self._closed:
            changed = self._catalog.registry.signature()
            if changed != seen or self._wake.is_set():
                self._wake.clear()
                looked = self._look()
                seen = changed if looked else None
                if looked:
                    self._look_at_other_sides()
            self._wake.wait(PATIENCE)

    def _look(self) -> bool:
        """Compare everything that waits; False where it has to be tried again."""
        with self._lock:
            self._returned = {}
            self._looks += 1
        try:
            with self._bench.in_background() as engine:
                model = CatalogModel.load(self._catalog, engine.evidence)
                quick = model.without_intervals()
                photos = self._waiting_photos()
                together = sorted({one.encounter for one in photos})
                self._show(loading=False, model=model, total=len(photos), done=0, trouble=model.missing)
                ruled_out, given_up = rejections(self._catalog), unsure_groups(self._catalog)
                if not self.snapshot.complete:
                    self._one_by_one(together, photos, quick, (ruled_out, given_up))
                scoring = quick.scoring(self._catalog, engine.score)
                found = neighbours_of(self._catalog, engine, scoring, (), self._advance)
            groups = resolve(found, quick, self._policy())
        except CatalogBusy as error:
            self._show(trouble=str(error))
            return False
        except _Closed:
            return True
        except TurtleidxError as error:
            self._show(trouble=str(error))
            return True
        except Exception:
            logging.getLogger(__name__).exception("comparing failed")
            self._show(trouble="Comparing failed; the terminal says why.")
            return True
        with self._lock:
            there = {encounter for group in groups for encounter in group.encounters}
            # what was answered before this look is told by the catalogue, where it says that it waits no longer
            self._answered = {one: at for one, at in self._answered.items() if one in there or at == self._looks}
            said = (ruled_out, given_up)
            fresh = [_item(group, found, photos, said, final=True) for group in groups]
            items = {one.key: replace(one, other_sides=self._beside(one)) for one in fresh} | self._returned
            for one in (each for item in fresh if item.unsure for each in item.group.encounters):
                if self._answered.get(one, self._looks) < self._looks:
                    del self._answered[one]  # the catalogue says it by now
            self.snapshot = replace(self.snapshot, items=self._open(items), complete=True, done=len(photos))
        return True

    def _look_at_other_sides(self) -> None:
        """Whether photos that find nobody show the other side than is stated; each is looked at once."""
        asked = [
            (item.group, photo)
            for item in self.snapshot.items.values()
            for photo in item.group.photos
            if item.group.verdict is not Verdict.KNOWN and (photo.id, photo.side) not in self._other_sides
        ]
        if not asked:
            return
        try:
            with self._bench.in_background() as engine:
                model = CatalogModel.load(self._catalog, engine.evidence).without_intervals()
                for group, photo in asked:
                    if self._wake.is_set() or self._closed:
                        return  # something changed, which is more urgent
                    found = None
                    if group.verdict in (Verdict.NEW, Verdict.UNDECIDED) and (group.p_new is None or group.p_new > 0.5):
                        found = known_by_other_side(self._catalog, engine, model, self._policy(), photo)
                    self._other_sides[photo.id, photo.side] = found
                    self._bench.give_way()
        except Exception:  # it only adds a question: comparing goes on without it
            logging.getLogger(__name__).warning("other sides were not looked at", exc_info=True)
        with self._lock:
            items = {key: replace(one, other_sides=self._beside(one)) for key, one in self.snapshot.items.items()}
            self.snapshot = replace(self.snapshot, items=items)

    def _beside(self, item: Item) -> tuple[OtherSide, ...]:
        found = (self._other_sides.get((one.id, one.side)) for one in item.group.photos)
        return tuple({one.turtle: one for one in found if one is not None}.values())

    def _one_by_one(
        self,
        encounters: Sequence[int],
        photos: Sequence[PhotoRecord],
        model: CatalogModel,
        said: Said,
    ) -> None:
        engine = self._bench.engine
        assert engine is not None
        for encounter in encounters:
            scoring = model.scoring(self._catalog, engine.score)
            found = neighbours_of(self._catalog, engine, scoring, {encounter}, self._advance)
            if encounter not in found:
                continue
            [group] = resolve(found, model, self._policy())
            item = _item(group, found, photos, said, final=False)
            with self._lock:
                self.snapshot = replace(self.snapshot, items=self._open({**self.snapshot.items, encounter: item}))
        self._show(done=0)

    def _waiting_photos(self) -> list[PhotoRecord]:
        with self._catalog.reading() as session:
            nobodys = "SELECT id FROM encounters WHERE turtle IS NULL"
            return read_records(session, f"SELECT * FROM photos WHERE NOT removed AND encounter IN ({nobodys})")

    def _advance(self, done: int, total: int | None = None) -> None:
        del total
        if self._closed:
            raise _Closed
        self._show(done=self.snapshot.done + done)
        self._bench.give_way()

    def _show(self, **changes: object) -> None:
        with self._lock:
            self.snapshot = replace(self.snapshot, **changes)  # type: ignore[arg-type]


class _Closed(Exception):
    """The server ends."""


def _item(
    group: Group,
    found: Mapping[int, Sequence[PhotoNeighbours]],
    photos: Sequence[PhotoRecord],
    said: Said,
    *,
    final: bool,
) -> Item:
    inside = tuple(one for one in photos if one.encounter in group.encounters)
    numbers = {one.id for one in inside}
    ruled_out, given_up = said
    seen = frozenset[str]().union(*(one.photos for one in given_up if one.encounters & set(group.encounters)))
    rejected = ruled_out_turtles(ruled_out, group.encounters, numbers)
    neighbours = tuple(near for encounter in group.encounters for near in found.get(encounter, ()))
    best = tuple(one.probability for one in group.candidates if one.probability is not None)
    waiting = Waiting(
        key=group.encounters[0],
        verdict=group.verdict,
        p_new=group.p_new,
        photos=len(inside),
        probabilities=best[:9],
        limits=group.verdict is Verdict.UNDECIDED and (group.p_new or 0.0) > 0.5,
        look=tuple(one.turtle for one in group.candidates[:5]),
        day=min((one.taken_on for one in inside if one.taken_on), default=None),
        site=next((one.site for one in inside if one.site), None),
        file=min((one.path for one in inside), default=""),
    )
    unsure = {one.sha256 for one in inside} <= seen
    return Item(group, waiting, inside, neighbours, rejected, final, unsure=unsure)


@dataclass(frozen=True, slots=True)
class PhotoJudgement:
    """What one photo says alone: its verdict, and where it stands against each promise's threshold."""

    photo: int
    verdict: Verdict
    turtle: str | None
    p_new: float | None
    interval: tuple[float, float] | None
    posterior: Posterior | None
    gallery_turtles: int
    reason: str


def judged(item: Item, model: CatalogModel, policy: DecisionPolicy) -> list[PhotoJudgement]:
    """Every photo of a group alone, with intervals."""
    found = []
    for near in item.neighbours:
        one = model.predict(near.turtles, near.shortlist, policy.prior_new, policy.rates)
        turtle = one.candidates[0].turtle if one.candidates else None
        values = (one.p_new, one.p_new_interval, one.posterior)
        found.append(
            PhotoJudgement(near.photo.id, one.verdict, turtle, *values, near.shortlist.gallery_turtles, one.reason)
        )
    return found
