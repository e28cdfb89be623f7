"""`audit`: compares a catalogue's photos until a budget is used up, and tells which ids are probably wrong.

The photos that look most alike are compared first: every photo with its ten nearest, then with its thirty nearest and
so on, turtle by turtle. What was compared is cached, so that the next audit goes on where this one stopped.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.catalog import Browser, Catalog
from index.curation import reviewed
from index.types import Descriptor, GalleryFilter, Photo, Progress, Shortlist
from retrieval.defaults import AUDIT_BUDGET
from retrieval.engine import Engine
from retrieval.fitting import DescriptorSimilarity
from retrieval.novelty import CatalogModel
from retrieval.pipeline import PairPool
from retrieval.review.findings import findings
from retrieval.review.pair_scores import PairScorer, candidates_of
from retrieval.review.suspicions import Finding, Searched

DEPTHS = (10, 30, 100)
"""So many of the nearest photos of other turtles, and of the same, each photo is compared with, round by round;
then with as many as a query is."""

REMEMBERED = 2_000
"""Photos whose probes are remembered, of some twenty kilobytes each, and whose shortlists where there are no more."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    findings : tuple of Finding
        What is most worth a look first; what was dismissed is left out.
    turtles, pairs, compared : int
        Active turtles with photos, pairs of photos that were looked at, and how many of them had to be compared now.
    complete : bool
        False where the budget ended the audit; the next one goes on.
    missing : str
        Why there are no probabilities; empty with a fitted model.
    """

    findings: tuple[Finding, ...]
    turtles: int
    pairs: int
    compared: int
    complete: bool
    missing: str


def audit(
    catalog: Catalog,
    engine: Engine,
    budget: int = AUDIT_BUDGET,
    progress: Progress | None = None,
    pool: PairPool | None = None,
) -> Audit:
    """Look for ids that are probably wrong; nothing is changed.

    Parameters
    ----------
    pool : PairPool or None
        Where pairs are compared; None compares them on this machine.

    Raises
    ------
    RecipeMismatch, CatalogBusy
    """
    catalog.require(engine.recipe)
    model = CatalogModel.load(catalog, engine.evidence).without_intervals()
    photos = catalog.photos(GalleryFilter())
    with catalog.writing("audit"):
        comparison = _Comparison(catalog, engine, model, photos, pool)
        complete = comparison.run(budget, progress)
    searches = list(comparison.searches.values())
    found = findings(searches, photos, model, reviewed(catalog), Browser(catalog).made_in_order())
    turtles = len({photo.turtle for photo in photos})
    return Audit(tuple(found), turtles, comparison.pairs, comparison.comparer.compared, complete, model.missing)


class _Comparison:
    """Searches of the catalogue's own photos, in the order of what they promise."""

    def __init__(
        self, catalog: Catalog, engine: Engine, model: CatalogModel, photos: Sequence[Photo], pool: PairPool | None
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._photos = photos
        self.comparer = PairScorer(catalog, engine, model.scoring(catalog, engine.score), pool)
        self.searches: dict[int, Searched] = {}
        self._probes: dict[int, Descriptor] = {}
        self._shortlists: dict[int, Shortlist] = {}
        self._alike: DescriptorSimilarity | None = None
        self._row: dict[int, int] = {}
        self._of_turtle: dict[str, list[Photo]] = defaultdict(list)
        for photo in photos:
            self._of_turtle[str(photo.turtle)].append(photo)

    @property
    def pairs(self) -> int:
        return sum(len(one.gallery.photos) + len(one.own) for one in self.searches.values())

    def run(self, budget: int, progress: Progress | None) -> bool:
        """Search until the budget is used up; whether that was all there is.

        Where the budget is enough for everything, every photo is looked at once.
        """
        deepest = self._engine.shortlist
        affordable = self._affordable(deepest, budget)
        depths = (deepest,) if affordable else (*DEPTHS, deepest)
        for depth in depths:
            waiting = deque(photo for photo in self._turtle_by_turtle() if not self._knows_all(photo))
            while waiting:
                part = self._next_of(waiting, depth, None if affordable else budget)
                if not part:
                    return False
                self.comparer.plan(
                    [(photo, shortlist.photos) for photo, shortlist, _ in part],
                    [(photo, own) for photo, _, own in part],
                )
                for photo, shortlist, own in part:
                    self.searches[photo.id] = self._search(photo, shortlist, own)
                    if progress:
                        progress(1, len(self._photos))
        return True

    def _knows_all(self, photo: Photo) -> bool:
        """Whether nobody is further away than those whom it was compared with."""
        done = self.searches.get(photo.id)
        return done is not None and len(done.gallery.photos) == done.gallery.gallery_photos

    def _next_of(
        self, waiting: deque[Photo], depth: int, budget: int | None
    ) -> list[tuple[Photo, Shortlist, list[Photo]]]:
        """The next photos that are searched together, each with those near it; none where the budget ends here."""
        part: list[tuple[Photo, Shortlist, list[Photo]]] = []
        needed = self.comparer.compared
        while waiting and len(part) < self.comparer.ahead:
            shortlist, own = self._near(waiting[0], depth)
            if budget is not None:
                needed += self.comparer.to_compare(waiting[0], shortlist.photos, own)
                if needed > budget:
                    break
            part.append((waiting.popleft(), shortlist, own))
        return part

    def _affordable(self, depth: int, budget: int) -> bool:
        if len(self._photos) > REMEMBERED:
            return False
        needed = 0
        for photo in self._photos:
            shortlist, own = self._near(photo, depth, ordered=False)
            needed += self.comparer.to_compare(photo, shortlist.photos, own)
        if needed > budget:
            self._shortlists.clear()  # rounds begin with the nearest
        return needed <= budget

    def _search(self, photo: Photo, shortlist: Shortlist, own: Sequence[Photo]) -> Searched:
        """Others as a search sees them, which the model knows; the turtle's own as the matcher does, every one."""
        others = self.comparer.likenesses(photo, shortlist.photos)
        same = tuple(self.comparer.all_likenesses(photo, own))
        return Searched(photo, candidates_of(others, lambda one: str(one.turtle)), shortlist, same)

    def _near(self, photo: Photo, depth: int, *, ordered: bool = True) -> tuple[Shortlist, list[Photo]]:
        own = [
            one
            for one in self._of_turtle[str(photo.turtle)]
            if one.encounter != photo.encounter and one.side == photo.side
        ]
        if len(own) > depth:
            alike = DescriptorSimilarity.of_stored(self._catalog, self._engine, [photo, *own]).to(0)[1:]
            own = [own[row] for row in np.argsort(-alike, kind="stable")[:depth]]
        return self._shortlist(photo, depth, ordered), own

    def _shortlist(self, photo: Photo, depth: int, ordered: bool) -> Shortlist:
        """The nearest photos of other turtles; the first photos' are remembered as deep as any round needs them.

        Where order does not matter and everybody is near enough, nothing is searched.
        """
        where = GalleryFilter(side=photo.side, without_turtle=photo.turtle)
        if photo.id not in self._shortlists:
            deep = depth if len(self._photos) > REMEMBERED else max(depth, self._engine.shortlist)
            few = self._engine.per_turtle
            everybody = None if ordered else self._catalog.whole_gallery(deep, where, few)
            found = everybody or self._catalog.shortlist(self._probe(photo), deep, where, few)
            if len(self._photos) > REMEMBERED:
                return found
            self._shortlists[photo.id] = found
        found = self._shortlists[photo.id]
        return replace(
            found,
            photos=found.photos[:depth],
            similarity=found.similarity[:depth],
            turtle_photos=found.turtle_photos[:depth],
        )

    def _probe(self, photo: Photo) -> Descriptor:
        """What a search with a photo asks the index with; descriptors are read at once where there are few."""
        if len(self._photos) <= REMEMBERED:
            if self._alike is None:
                self._alike = DescriptorSimilarity.of_stored(self._catalog, self._engine, self._photos)
                self._row = {one.id: row for row, one in enumerate(self._photos)}
            return self._alike.probe(self._row[photo.id])
        known = self._probes.get(photo.id)
        if known is None:
            known = DescriptorSimilarity.of_stored(self._catalog, self._engine, [photo]).probe(0)
            if len(self._probes) < REMEMBERED:
                self._probes[photo.id] = known
        return known

    def _turtle_by_turtle(self) -> Iterator[Photo]:
        """Every turtle's first photo, then every turtle's second."""
        longest = max(map(len, self._of_turtle.values()), default=0)
        for turn in range(longest):
            for photos in self._of_turtle.values():
                if turn < len(photos):
                    yield photos[turn]
