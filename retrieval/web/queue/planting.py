"""Pairs whose turtle is known, planted into the queue now and then, so that a reviewer learns their own error rate.

A planted photo is one of the catalogue's own. It is shown as if nobody had identified it: against everybody but its
own encounter, or, every other time, against everybody but its own turtle, when "new" is right.
"""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import dataclass

from index.catalog import Catalog
from index.errors import TurtleidxError
from index.registry import read_records
from index.types import GalleryFilter, Photo
from retrieval.engine import Engine
from retrieval.fitting import DescriptorSimilarity
from retrieval.novelty import CatalogModel, Rates, Verdict
from retrieval.review import Group, PairScorer, PhotoNeighbours, candidates_of
from retrieval.web.queue.comparing import Item
from retrieval.web.queue.order import Waiting
from retrieval.web.workbench import Workbench

EVERY = 20


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A planted pair; `turtle` is the truth, None where its own turtle is left out."""

    key: int
    turtle: str | None
    item: Item


class Planting:
    """Makes planted pairs, one for every twenty answers of a person."""

    def __init__(self, catalog: Catalog, bench: Workbench, seed: int | None = None) -> None:
        self._catalog = catalog
        self._bench = bench
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._open: dict[int, Planted] = {}
        self._made = 0
        self._planting = False

    def due(self, who: str) -> int | None:
        """The key of a planted pair where this person has given another twenty answers since the last.

        It is made in the background when it is due, and there a moment later.
        """
        with self._lock:
            if self._open:
                return next(iter(self._open))
            with self._catalog.reading() as session:
                given = session.number(
                    "SELECT count(*) FROM answers WHERE who = ? AND answer NOT IN ('right', 'wrong', 'not')", who
                )
                shown = session.number(
                    "SELECT count(*) FROM answers WHERE who = ? AND answer IN ('right', 'wrong')", who
                )
            if given >= EVERY * (shown + 1) and not self._planting:
                self._planting = True
                threading.Thread(target=self._plant, name="planting", daemon=True).start()
            return None

    def planted(self, key: int) -> Planted | None:
        """A planted pair that waits."""
        return self._open.get(key)

    def item(self, key: int) -> Item | None:
        """The same as a group."""
        found = self._open.get(key)
        return None if found is None else found.item

    def answered(self, planted: Planted) -> None:
        """It was answered."""
        with self._lock:
            self._open.pop(planted.key, None)

    def _plant(self) -> None:
        try:
            with self._bench.at_once() as engine:
                made = None if engine is None else self._made_with(engine)
            if made is not None:
                self._open[made.key] = made
        except TurtleidxError:  # none this time
            logging.getLogger(__name__).debug("nothing planted", exc_info=True)
        finally:
            self._planting = False

    def _made_with(self, engine: Engine) -> Planted | None:
        model = CatalogModel.load(self._catalog, engine.evidence).without_intervals()
        with self._catalog.reading() as session:
            again = session.rows(
                """SELECT p.id FROM photos p JOIN encounters e ON e.id = p.encounter JOIN turtles t ON t.key = e.turtle
                WHERE NOT p.removed AND p.keypoints > 0 AND t.status = 'active' AND e.turtle IN (
                    SELECT turtle FROM encounters f JOIN photos q ON q.encounter = f.id
                    WHERE NOT q.removed AND turtle IS NOT NULL AND q.side IS NOT DISTINCT FROM p.side
                    GROUP BY turtle HAVING count(DISTINCT f.id) > 1)"""
            )
            if not again:
                return None
            [record] = read_records(session, f"SELECT * FROM photos WHERE id = {int(self._random.choice(again)[0])}")
        self._made += 1
        new = self._made % 2 == 0
        [photo] = self._catalog.sightings([(record.sha256, record.box)])
        if photo is None:
            return None
        near = _near(self._catalog, engine, model, photo, leave_turtle=new)
        judged = model.predict(near.turtles, near.shortlist, 0.5, Rates())
        group = Group((-self._made,), (photo,), Verdict.UNDECIDED, None, judged.p_new, "", judged.candidates, ())
        waiting = Waiting(-self._made, Verdict.UNDECIDED, judged.p_new, 1)
        hidden = frozenset({record.encounter})
        item = Item(group, waiting, (record,), (near,), frozenset(), True, hidden)
        return Planted(-self._made, None if new else record.turtle, item)


def _near(
    catalog: Catalog, engine: Engine, model: CatalogModel, photo: Photo, *, leave_turtle: bool
) -> PhotoNeighbours:
    where = GalleryFilter(
        side=photo.side,
        without_turtle=photo.turtle if leave_turtle else None,
        without_encounter=photo.encounter,
    )
    probe = DescriptorSimilarity.of_stored(catalog, engine, [photo]).probe(0)
    shortlist = catalog.shortlist(probe, engine.shortlist, where, engine.per_turtle)
    likenesses = PairScorer(catalog, engine, model.scoring(catalog, engine.score)).likenesses(photo, shortlist.photos)
    return PhotoNeighbours(photo, candidates_of(likenesses, lambda one: str(one.turtle)), shortlist, (), {})
