"""The searches that a catalogue can make of its own photos, to learn how right and wrong turtles score.

Every queried photo is searched twice through the same shortlist as a real query: with its own turtle removed, in
nested random sub-galleries (impostor maxima), and with only its own encounter removed (genuine scores). Photos of one
encounter are never evidence of each other.

Of a large catalogue only some turtles are at hand. Their photos are then searched in the whole gallery too, as a real
query is, and the sub-galleries are drawn from the turtles at hand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.types import Bool, Float32, GalleryFilter, Int64, Occasion, Owners, Photo, Shortlist, Side
from retrieval.engine import Engine

SMALLEST_GALLERY = 5
"""Turtles of the smallest sub-gallery."""
SMALLER, SMALLER_OF_MANY, ENOUGH = 4, 8, 30
"""In a part of a large gallery, and where a slow network looks at pairs, every so many queries are also searched in
smaller ones, each of which costs as much as three whole searches; of more photos fewer, as long as there are enough.
"""

SIDES = (None, *Side)


@dataclass(frozen=True, slots=True, eq=False)
class WholeGallery:
    """All photos of a catalogue of which only some are at hand.

    Attributes
    ----------
    search : callable
        With a photo, by its row, as a real query searches.
    sides : callable
        Of which sides turtles have photos, by their ids.
    """

    search: Callable[[int, GalleryFilter], Shortlist]
    sides: Callable[[Sequence[str]], Mapping[str, Collection[Side]]]


@dataclass(frozen=True, slots=True)
class Visitor:
    """A photo that is asked about, but is in no gallery.

    Attributes
    ----------
    key : str
        What its features are kept under: the digest of its file.
    turtle : str or None
        Whom it shows; None is a turtle that nobody else shows.
    encounter : int or None
        The turtle's encounter of the same day, whose photos are no evidence of it.
    """

    key: str
    path: str
    turtle: str | None
    encounter: int | None
    side: Side | None

    @property
    def sha256(self) -> str:
        """Of the file."""
        return self.key

    @property
    def occasion(self) -> Occasion | None:
        """That of the encounter; None where it is alone."""
        return None if self.encounter is None else ("encounter", self.encounter)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One search of one catalogue photo, as rows of the fit's photo table.

    Attributes
    ----------
    query : int
    gallery : int
        Turtles in it.
    shortlist : int64 [k]
        Photos that the search matches.
    turtle_photos : int64 [k]
        Photos that the turtle of each has in the gallery.
    own : int
        Photos of the query's turtle in the gallery; 0 with the turtle removed.
    """

    query: int
    gallery: int
    shortlist: Int64
    turtle_photos: Int64
    own: int

    def only(self, places: Int64) -> Trial:
        """The same with these of its shortlist."""
        return replace(self, shortlist=self.shortlist[places], turtle_photos=self.turtle_photos[places])


class _Codes:
    """Numbers from 0 for things as they come."""

    def __init__(self, first: Iterable[Hashable] = ()) -> None:
        self._known = {thing: code for code, thing in enumerate(first)}
        self._count = len(self._known)

    def __len__(self) -> int:
        return self._count

    def of(self, thing: Hashable) -> int:
        if thing not in self._known:
            self._known[thing] = self.add()
        return self._known[thing]

    def add(self) -> int:
        """A number for something that does not come again."""
        self._count += 1
        return self._count - 1


class TrialPlan:
    """Identified photos and their visitors as columns, and which of them a search would shortlist.

    Parameters
    ----------
    photos : sequence of Photo
    similar : callable
        From a photo's row to the similarity of all photos' global descriptors to its own, float32 [n].
    visitors : sequence of Visitor
        Rows after the photos' own.
    whole : WholeGallery or None
        Where the photos are only a part of the gallery.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        similar: Callable[[int], Float32],
        engine: Engine,
        visitors: Sequence[Visitor] = (),
        whole: WholeGallery | None = None,
    ) -> None:
        self.photos: list[Photo | Visitor] = [*photos, *visitors]
        self.gallery_photos = len(photos)
        self.in_gallery = np.arange(len(self.photos)) < self.gallery_photos
        self._turtles = _Codes(sorted({str(photo.turtle) for photo in photos}))
        self._occasions = _Codes()
        self.turtle = np.array([self._turtle_of(photo) for photo in self.photos], np.int64)
        self.occasion = np.array([self._occasion_of(photo) for photo in self.photos], np.int64)
        self.file = np.array([photo.sha256 for photo in self.photos], object)
        self.side_code = np.array([SIDES.index(photo.side) for photo in self.photos], np.int64)
        self._row = {photo.id: row for row, photo in enumerate(photos)}
        self._whole = whole
        self.similar = similar
        self.engine = engine

    def numbered(self) -> tuple[Int64, Int64]:
        """The numbers of all photos of the catalogue, ascending, and their rows, int64 [n] each; visitors have none."""
        rows = [row for row, photo in enumerate(self.photos) if isinstance(photo, Photo)]
        numbers = [photo.id for photo in self.photos if isinstance(photo, Photo)]
        order = np.argsort(numbers)
        return np.array(numbers, np.int64)[order], np.array(rows, np.int64)[order]

    def owners(self, numbers: Int64) -> Owners:
        """Whom photos of the catalogue show, by their numbers, int64 [k]."""
        known, rows = self.numbered()
        found = rows[np.searchsorted(known, numbers)]
        return Owners(self.turtle[found], self.side_code[found])

    def turtles_of(self, side: Side) -> set[int]:
        """Codes of the turtles with a photo of this side in the catalogue, of those that have come up."""
        if self._whole is None:
            return set(self.turtle[self.in_gallery & (self.side_code == SIDES.index(side))].tolist())
        code = {photo.turtle: int(self.turtle[row]) for row, photo in enumerate(self.photos) if photo.turtle}
        sides = self._whole.sides(sorted(code))
        return {code[turtle] for turtle, its in sides.items() if side in its}

    def photos_by_turtle_and_side(self) -> Int64:
        """How many photos each turtle has in each gallery that it is in, int64."""
        _, count = np.unique(np.stack((self.turtle, self.side_code))[:, self.in_gallery], axis=1, return_counts=True)
        return count.astype(np.int64)

    def plan(self, budget: int, rng: np.random.Generator) -> list[Trial]:
        """Trials of photos drawn turtle by turtle, until their pairs use up the budget."""
        trials: list[Trial] = []
        pairs: set[tuple[int, int]] = set()
        every = max(SMALLER, min(SMALLER_OF_MANY, self.gallery_photos // ENOUGH))
        for turn, query in enumerate(self._turtle_by_turtle(rng)):
            if self._whole is None:
                planned = self._trials(query, rng, smaller=not (self.engine.directed and turn % every))
            else:
                planned = [
                    *self._in_the_whole(query, self._whole.search),
                    *([] if turn % every else self._trials(query, rng)),
                ]
            pairs |= {ordered_pair(query, int(row)) for trial in planned for row in trial.shortlist}
            if len(pairs) > budget and trials:
                break
            trials += planned
        return trials

    def _turtle_by_turtle(self, rng: np.random.Generator) -> Iterator[int]:
        order = rng.permutation(len(self.photos))
        turn: defaultdict[int, int] = defaultdict(int)
        turns = np.zeros(len(order), np.int64)
        for row in order:
            turns[row] = turn[int(self.turtle[row])]
            turn[int(self.turtle[row])] += 1
        yield from (int(row) for row in sorted(order, key=lambda row: (turns[row], self._seen_once(int(row)))))

    def _seen_once(self, row: int) -> bool:
        """Whether a photo tells only about wrong turtles; those that tell more go first, should the budget end."""
        return not len(self._own(row))

    def _own(self, query: int) -> Int64:
        """Photos of its turtle that the query could find."""
        apart = (self.occasion != self.occasion[query]) & (self.file != self.file[query])
        return np.flatnonzero((self.turtle == self.turtle[query]) & self.searched(query) & apart)

    def searched(self, query: int) -> Bool:
        """The gallery of the query's side, bool [n]; all of it where it has none."""
        if self.photos[query].side is None:
            return self.in_gallery
        return np.asarray(self.in_gallery & (self.side_code == self.side_code[query]))

    def _trials(self, query: int, rng: np.random.Generator, smaller: bool = True) -> list[Trial]:
        """Searches without the query's turtle, in `smaller` galleries too, and without its encounter."""
        same_side = np.flatnonzero(self.searched(query))
        strange = (self.turtle[same_side] != self.turtle[query]) & (self.file[same_side] != self.file[query])
        others = same_side[strange]
        own = self._own(query)
        photos_of = np.bincount(self.turtle[np.concatenate((others, own))], minlength=len(self._turtles))
        strangers = rng.permutation(np.unique(self.turtle[others]))
        similar = self.similar(query)
        ranked = others[np.argsort(-similar[others], kind="stable")]
        trials = []
        size = len(strangers)
        while size >= min(SMALLEST_GALLERY, len(strangers)) and size:
            among = ranked[np.isin(self.turtle[ranked], strangers[:size])]
            near = self.shortlisted(among)
            trials.append(Trial(query, size, near, photos_of[self.turtle[near]], 0))
            size = size // 2 if smaller else 0
        if len(own) and self._whole is None:
            everyone = np.concatenate((others, own))
            near = self.shortlisted(everyone[np.argsort(-similar[everyone], kind="stable")])
            trials.append(Trial(query, len(strangers) + 1, near, photos_of[self.turtle[near]], len(own)))
        return trials

    def _in_the_whole(self, query: int, search: Callable[[int, GalleryFilter], Shortlist]) -> list[Trial]:
        photo, own = self.photos[query], len(self._own(query))
        enrolled = photo.id if isinstance(photo, Photo) else None
        rest = GalleryFilter(side=photo.side, without_photo=enrolled)  # and other heads of the same file
        hidden = [(replace(rest, without_turtle=photo.turtle), 0)]
        if own:
            hidden.append((replace(rest, without_encounter=photo.encounter), own))
        trials = []
        for where, left in hidden:
            found = search(query, where)
            rows = np.array([self._row_of(one) for one in found.photos], np.int64)
            if len(rows):
                trials.append(Trial(query, found.gallery_turtles, rows, found.turtle_photos, left))
        return trials

    def _turtle_of(self, photo: Photo | Visitor) -> int:
        """Its turtle's code; who shows a turtle of its own gets a new one."""
        return self._turtles.add() if photo.turtle is None else self._turtles.of(photo.turtle)

    def _occasion_of(self, photo: Photo | Visitor) -> int:
        return self._occasions.add() if photo.occasion is None else self._occasions.of(photo.occasion)

    def _row_of(self, photo: Photo) -> int:
        """A photo's row; one that was not at hand gets the next."""
        if photo.id not in self._row:
            self._row[photo.id] = len(self.photos)
            self.photos.append(photo)
            self.turtle = np.append(self.turtle, self._turtle_of(photo))
            self.occasion = np.append(self.occasion, self._occasion_of(photo))
            self.file = np.append(self.file, photo.sha256)
            self.side_code = np.append(self.side_code, SIDES.index(photo.side))
            self.in_gallery = np.append(self.in_gallery, False)
        return self._row[photo.id]

    def shortlisted(self, ranked: Int64) -> Int64:
        """The first rows of `ranked` (int64, nearest first) that a search would match: at most so many of a turtle."""
        seen: defaultdict[int, int] = defaultdict(int)
        kept: list[int] = []
        for row in ranked:
            seen[int(self.turtle[row])] += 1
            if seen[int(self.turtle[row])] <= self.engine.per_turtle:
                kept.append(int(row))
            if len(kept) == self.engine.shortlist:
                break
        return np.array(kept, np.int64)


def ordered_pair(first: int, second: int) -> tuple[int, int]:
    """The pair in the order under which it is known."""
    return (first, second) if first < second else (second, first)
