"""Which ids of a catalogue are probably wrong: two ids that match, and one id whose encounters do not.

Both are judged by the catalogue's fitted model. Two ids are suspected when a photo of one matches a photo of the other
as only photos of one turtle do; the chance of that counts all photos that were asked, and so says how many such
pairs the whole catalogue would show by accident. One id is suspected where its encounters fall into two parts of which
no photo of one matches any of the other: the weakest link of the tree of best matches, counted once for each link that
could have been the weakest. Reviews that find most for every photo that a person has to look at come first.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from index.types import Photo, Shortlist, Side
from retrieval.novelty import CatalogModel, NoveltyModel, posterior_of
from retrieval.review.pair_scores import PairScore, candidates_of
from retrieval.scoring import Candidate

PRIOR_WRONG = 0.05
"""Share of ids that are expected to be wrong in each of the two ways, before looking."""


MOST_CHANCE = 0.5
"""What every second innocent case shows is no suspicion."""


class Kind(StrEnum):
    """What may be wrong with ids."""

    DUPLICATE = "duplicate"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Finding:
    """Ids that are probably wrong, with the evidence.

    Attributes
    ----------
    turtles : tuple of str
        Two for a duplicate, one for a mixed identity.
    encounters : tuple of tuple of int
        The two parts of a mixed identity, the smaller one first; empty for a duplicate.
    score : float
        Of the best pair of photos across.
    chance : float or None
        For a duplicate, that two different turtles would match as well; for a mixed identity, that one turtle's parts
        would match as badly.
    probability : float or None
        That the ids are wrong; None without a fitted model.
    photos : (Photo, Photo)
        The best pair across.
    look_at : int
        Photos that a person has to look at.
    """

    kind: Kind
    turtles: tuple[str, ...]
    encounters: tuple[tuple[int, ...], ...]
    score: float
    matches: int
    chance: float | None
    probability: float | None
    photos: tuple[Photo, Photo]
    look_at: int

    @property
    def worth(self) -> float:
        """What a look at it finds, by photo looked at."""
        return (0.0 if self.probability is None else self.probability) / self.look_at


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """A catalogued photo that was compared with others.

    Attributes
    ----------
    others : tuple of Candidate
        Other turtles, best first.
    gallery : Shortlist
        The search that found them.
    own : tuple of PairScore
        Photos of the same turtle's other encounters, best first.
    """

    photo: Photo
    others: tuple[Candidate, ...]
    gallery: Shortlist
    own: tuple[PairScore, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Bond:
    """Two photos of one turtle from two encounters; `height` is how far their score stands out in the search."""

    search: Searched
    pair_score: PairScore
    height: float

    @property
    def encounters(self) -> tuple[int, int]:
        return self.search.photo.encounter, self.pair_score.photo.encounter


def findings(searches: Sequence[Searched], photos: Sequence[Photo], model: CatalogModel) -> list[Finding]:
    """Everything that the searches make suspect, what is most worth a look first.

    Parameters
    ----------
    photos : sequence of Photo
        All identified photos, compared or not.
    """
    counts = Counter((photo.turtle, photo.side) for photo in photos)
    doubles: dict[tuple[str, ...], Finding] = {}
    bonds: dict[str, list[_Bond]] = defaultdict(list)
    for one in searches:
        for found in _duplicates(one, counts, model.novelty):
            if found.turtles not in doubles or _order(found) < _order(doubles[found.turtles]):
                doubles[found.turtles] = found
        bonds[str(one.photo.turtle)] += _bonds(one, model.novelty)
    sizes = Counter(photo.encounter for photo in photos)
    mixed = [_mixed(own, sizes, model.novelty) for own in bonds.values() if own]
    return sorted([*doubles.values(), *(one for one in mixed if one is not None)], key=_order)


def _order(found: Finding) -> tuple[float, float, float]:
    """What is most worth a look first; without a model, by score alone."""
    return -found.worth, found.chance or 0.0, found.score if found.kind is Kind.MIXED else -found.score


def _duplicates(
    one: Searched, counts: Mapping[tuple[str | None, Side | None], int], novelty: NoveltyModel | None
) -> Iterator[Finding]:
    """Other ids that match a photo, best first, until different turtles often match as well.

    Those that stand before an id in the ranking may be the same turtle and are left out when it is judged.
    """
    for place, candidate in enumerate(one.others):
        asked = max(counts[shown.turtle, shown.side] for shown in (one.photo, candidate.photo))
        chance = probability = None
        if novelty is not None:
            found = posterior_of(novelty, one.others[place:], one.gallery, 1 - PRIOR_WRONG, left_out=place)
            chance, probability = min(1.0, asked * found.tail), 1 - found.p_new - found.p_not_compared
            if chance > MOST_CHANCE:
                return
        turtles = tuple(sorted((str(one.photo.turtle), candidate.turtle)))
        photos = (one.photo, candidate.photo)
        yield Finding(
            *(Kind.DUPLICATE, turtles, (), candidate.score, candidate.matches, chance, probability, photos, 2)
        )
        if novelty is None:
            return


def _bonds(one: Searched, novelty: NoveltyModel | None) -> Iterator[_Bond]:
    """How a photo matches those of its own id; another id that matches better may be the same turtle, so it is no
    measure of how others match."""
    for pair_score in one.own:
        others = [candidate.score for candidate in one.others[_better(one.others, pair_score) :]]
        height = pair_score.score
        if novelty is not None and novelty.cohort is not None:
            height = float(novelty.cohort.standardise(np.array([pair_score.score, *others]))[0])
        yield _Bond(one, pair_score, height)


def _better(others: Sequence[Candidate], pair_score: PairScore) -> bool:
    return bool(others) and others[0].score > pair_score.score


def _mixed(bonds: Sequence[_Bond], sizes: Mapping[int, int], novelty: NoveltyModel | None) -> Finding | None:
    """The two parts of an id that match least; None where parts of one turtle often match as badly."""
    tree = _strongest_tree(bonds)
    weakest = min(tree, key=lambda bond: bond.height)
    parts = sorted(_parts([bond for bond in tree if bond is not weakest], weakest), key=lambda part: _size(part, sizes))
    smaller, larger = (_size(part, sizes) for part in parts)
    chance = probability = None
    if novelty is not None:
        log_cdf = novelty.separation.genuine.log_cdf(weakest.height, float(larger))
        chance = min(1.0, len(tree) * math.exp(float(log_cdf)))
        if chance > MOST_CHANCE:
            return None
        probability = _foreign(weakest, larger, novelty)
    score, matches = weakest.pair_score.score, weakest.pair_score.matches
    photos = (weakest.search.photo, weakest.pair_score.photo)
    turtles = (str(weakest.search.photo.turtle),)
    return Finding(*(Kind.MIXED, turtles, tuple(parts), score, matches, chance, probability, photos, smaller + 1))


def _foreign(bond: _Bond, larger: int, novelty: NoveltyModel) -> float:
    """P(the photo shows another turtle than its id says): half a catalogued one, half a new one, before looking."""
    one = bond.search
    own = candidates_of([bond.pair_score], lambda photo: str(photo.turtle))
    ranking = sorted((*one.others, *own), key=lambda candidate: -candidate.score)
    gallery = replace(
        one.gallery,
        photos=(*one.gallery.photos, bond.pair_score.photo),
        turtle_photos=np.append(one.gallery.turtle_photos, larger),
        gallery_turtles=one.gallery.gallery_turtles + 1,
    )
    found = posterior_of(novelty, ranking, gallery, 0.5)
    at = [candidate.turtle for candidate in ranking].index(own[0].turtle)
    right = (1 - PRIOR_WRONG) * float(np.exp(found.evidence[at]))
    others = float(np.exp(np.delete(found.evidence, at)).sum()) / max(found.turtles - 1, 1)
    wrong = PRIOR_WRONG * (1 + others) / 2
    return wrong / (wrong + right)


def _size(part: Sequence[int], sizes: Mapping[int, int]) -> int:
    return sum(sizes[encounter] for encounter in part)


def _strongest_tree(bonds: Sequence[_Bond]) -> list[_Bond]:
    """A tree of the strongest bonds that joins all encounters that were compared (Kruskal)."""
    member: dict[int, int] = {}
    tree = []
    for bond in sorted(bonds, key=lambda bond: -bond.height):
        first, second = (_root(member, encounter) for encounter in bond.encounters)
        if first != second:
            member[second] = first
            tree.append(bond)
    return tree


def _parts(kept: Sequence[_Bond], cut: _Bond) -> list[tuple[int, ...]]:
    """The encounters on either side of the bond that was cut."""
    member: dict[int, int] = {}
    for bond in kept:
        first, second = (_root(member, encounter) for encounter in bond.encounters)
        member[second] = first
    everyone = {encounter for bond in (*kept, cut) for encounter in bond.encounters}
    return [
        tuple(sorted(one for one in everyone if _root(member, one) == _root(member, end))) for end in cut.encounters
    ]


def _root(member: dict[int, int], encounter: int) -> int:
    while member.setdefault(encounter, encounter) != encounter:
        encounter = member[encounter]
    return encounter
